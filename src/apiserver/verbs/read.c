/* SPDX-License-Identifier: Apache-2.0 */
/* get and list: the stored bytes, filtered; nothing is decoded unless a selector asks for it. */
#include "apiserver/apiserver_internal.h"
#include "apiserver/codec.h"
#include "apiserver/continue_token.h"
#include "apiserver/verbs/verbs.h"

enum { LIST_MAX = 1 << 30 };

static enum stage_result answer_not_found(struct request *r)
{
	struct status_about about = request_about(r);

	return answer_status(r, status_not_found(&r->arena, &about));
}

enum stage_result verb_get(struct request *r)
{
	const struct store_value *value = store_get(r->api->store, r->key);

	return value ? answer_value(r, 200, value) : answer_not_found(r);
}

struct lister {
	struct request *r;
	VEC(const struct store_value *) found;
	size_t limit;
	struct str next; /* first key that did not fit any more */
	int64_t seen;	 /* of the range, in this pass */
};

static bool take_item(void *ctx, const struct store_item *item)
{
	struct lister *l = ctx;
	struct request *r = l->r;

	if (!codec_matches(r->resource, &r->options, registry_key_tail(r->resource, item->key),
			   item->value)) {
		return true;
	}
	if (l->found.n == l->limit) {
		l->next = arena_str(&r->arena, item->key);
		return false;
	}
	*vec_push(&l->found) = store_value_ref(item->value);
	return true;
}

static struct meta_status *too_large_version(struct request *r, int64_t want)
{
	struct status_about none = {0};
	struct meta_status *s = status_timeout(
		&r->arena, &none,
		arena_printf(&r->arena, "Too large resource version: %lld, current: %lld",
			     (long long)want, (long long)store_revision(r->api->store).n),
		1);

	s->details->causes.p = ARENA_NEW(&r->arena, struct meta_status_cause);
	s->details->causes.n = 1;
	s->details->causes.p[0] =
		(struct meta_status_cause){.reason = STR("ResourceVersionTooLarge"),
					   .message = STR("Too large resource version")};
	return s;
}

/* Which revision to read at: 0 is the durable head. Upstream's table of resourceVersion and resourceVersionMatch: a continue token
 * carries its own; Exact reads there; everything else is satisfied by the newest, if that is new enough. */
static enum stage_result choose_revision(struct request *r, const struct continue_token *token,
					 struct revision *ret)
{
	uint64_t want = 0;

	*ret = (struct revision){0};
	if (token) {
		*ret = (struct revision){token->revision};
		return STAGE_NEXT;
	}
	if (!r->options.resource_version.n || str_is(r->options.resource_version, "0")) {
		return STAGE_NEXT;
	}
	if (str_to_uint64(r->options.resource_version, &want) < 0 || want > INT64_MAX) {
		return answer_status(
			r, status_bad_request(
				   &r->arena,
				   "Invalid value: \"%.*s\": resourceVersion must be a number",
				   STR_ARG(r->options.resource_version)));
	}
	if ((int64_t)want > store_revision(r->api->store).n) {
		return answer_status(r, too_large_version(r, (int64_t)want));
	}
	if (str_is(r->options.resource_version_match, "Exact") ||
	    (r->options.limit > 0 && !r->options.resource_version_match.n)) {
		*ret = (struct revision){(int64_t)want};
	}
	return STAGE_NEXT;
}

static void fill_list(struct request *r, struct lister *l, struct revision at, struct str end)
{
	struct answer_list *list = &r->answer.list;

	r->answer.kind = ANSWER_LIST;
	r->answer.http_status = 200;
	list->items = ARENA_ARRAY(&r->arena, l->found.n, const struct store_value *);
	list->n = l->found.n;
	if (l->found.n) {
		memcpy(list->items, l->found.p, l->found.n * sizeof(*list->items));
	}
	list->revision = at.n ? at.n : store_revision(r->api->store).n;
	list->remaining = -1;
	if (l->next.n) {
		list->continue_token = continue_token_make(&r->arena, list->revision,
							   registry_key_tail(r->resource, l->next));
		if (!r->options.has_labels && !r->options.has_fields) {
			list->remaining = (int64_t)store_count(r->api->store, l->next, end);
		}
	}
}

enum stage_result verb_list(struct request *r)
{
	struct lister l = {.r = r,
			   .limit = r->options.limit > 0 ? (size_t)r->options.limit : LIST_MAX};
	struct continue_token token;
	bool continued = r->options.continue_token.n > 0;
	struct revision at;
	struct str start;
	struct str end;
	enum stage_result result;
	int code;

	if (continued && continue_token_parse(&r->arena, r->options.continue_token, &token) < 0) {
		return answer_status(
			r, status_bad_request(
				   &r->arena,
				   "continue key is not valid: it was not made by this server"));
	}
	result = choose_revision(r, continued ? &token : NULL, &at);
	if (result != STAGE_NEXT) {
		return result;
	}
	registry_range(&r->arena, r->resource, r->info.ns, &start, &end);
	if (continued) {
		struct str prefix = registry_prefix(&r->arena, r->resource);
		struct str from =
			arena_printf(&r->arena, "%.*s%.*s", STR_ARG(prefix), STR_ARG(token.start));

		if (str_cmp(from, start) < 0 || str_cmp(from, end) >= 0) {
			return answer_status(
				r,
				status_bad_request(
					&r->arena,
					"continue key is not valid: it belongs to another list"));
		}
		start = from;
	}
	code = store_range(r->api->store, start, end, at, take_item, &l);
	if (code == ERR_COMPACTED) {
		vec_fini(&l.found);
		return answer_status(
			r,
			status_expired(
				&r->arena,
				continued
					? STR("The provided continue parameter is too old to "
					      "display "
					      "a consistent list result. You can start a new list "
					      "without the continue parameter.")
					: STR("The resourceVersion for the provided list is too "
					      "old.")));
	}
	if (code < 0) {
		vec_fini(&l.found);
		return answer_status(r, too_large_version(r, at.n));
	}
	fill_list(r, &l, at, end);
	vec_fini(&l.found);
	return STAGE_ANSWERED;
}

enum stage_result verb_watch(struct request *r)
{
	r->answer.kind = ANSWER_WATCH;
	r->answer.http_status = 200;
	return STAGE_ANSWERED;
}
