/* SPDX-License-Identifier: Apache-2.0 */
/* Stage authenticate: who asks. In-process clients come with their user; over the wire: client certificate (CN, O), service account
 * token, or anonymous. A credential that is wrong is refused, never taken for anonymous. */
#include "apiserver/apiserver_internal.h"
#include "apiserver/token.h"

static struct str_list with_group(struct arena *a, struct str_list groups, struct str group)
{
	struct str_list out = {ARENA_ARRAY(a, groups.n + 1, struct str), groups.n + 1};

	if (groups.n) {
		memcpy(out.p, groups.p, groups.n * sizeof(*out.p));
	}
	out.p[groups.n] = group;
	return out;
}

static enum stage_result by_token(struct request *r, struct str token)
{
	struct err err CLEANUP_ERR = {0};
	struct user_info user = {0};

	if (token_authenticate(r->api, token, (struct str_list){0}, &r->arena, &user, NULL, &err) <
	    0) {
		log_debug(r->api->log, 2, "unable to authenticate the request: %s", err_msg(&err));
		return answer_status(r, status_unauthorized(&r->arena));
	}
	/* The cached user may be dropped while the request waits. */
	r->user.name = arena_str(&r->arena, user.name);
	r->user.uid = arena_str(&r->arena, user.uid);
	r->user.groups =
		(struct str_list){ARENA_ARRAY(&r->arena, user.groups.n, struct str), user.groups.n};
	for (size_t i = 0; i < user.groups.n; i++) {
		r->user.groups.p[i] = arena_str(&r->arena, user.groups.p[i]);
	}
	r->user.nextra = user.nextra;
	r->user.extra = ARENA_ARRAY(&r->arena, user.nextra, struct user_extra);
	for (size_t i = 0; i < user.nextra; i++) {
		struct user_extra *x = (struct user_extra *)&r->user.extra[i];

		x->key = user.extra[i].key;
		x->values = (struct str_list){ARENA_NEW(&r->arena, struct str), 1};
		x->values.p[0] = arena_str(&r->arena, user.extra[i].values.p[0]);
	}
	return STAGE_NEXT;
}

enum stage_result stage_authenticate(struct request *r)
{
	struct str bearer = STR("Bearer ");

	if (r->user.name.n) {
		return STAGE_NEXT; /* in-process */
	}
	if (r->impersonates) { /* acting as the real user would be worse than refusing */
		return answer_status(r,
				     status_forbidden(&r->arena, &(struct status_about){0},
						      STR("impersonation is not supported yet")));
	}
	if (r->peer_refused) {
		return answer_status(r, status_unauthorized(&r->arena));
	}
	if (r->peer_user.n) {
		r->user.name = r->peer_user;
		r->user.groups = with_group(&r->arena, r->peer_groups, STR("system:authenticated"));
		return STAGE_NEXT;
	}
	if (str_has_prefix(r->authorization, bearer) ||
	    str_eq_nocase(str_sub(r->authorization, 0, bearer.n), bearer)) {
		return by_token(r, str_trim(str_from(r->authorization, bearer.n)));
	}
	if (r->authorization.n || !r->api->config.anonymous_auth) {
		return answer_status(r, status_unauthorized(&r->arena));
	}
	r->user.name = STR("system:anonymous");
	r->user.groups = with_group(&r->arena, (struct str_list){0}, STR("system:unauthenticated"));
	return STAGE_NEXT;
}
