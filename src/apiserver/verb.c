/* SPDX-License-Identifier: Apache-2.0 */
/* Stage verb: the table of what answers what. */
#include "apiserver/apiserver_internal.h"
#include "apiserver/request.h"
#include "apiserver/subresources/subresources.h"
#include "apiserver/verbs/verbs.h"

static const struct {
	const char *verb;
	stage_fn fn;
} plain[] = {
	{"get", verb_get},	 {"list", verb_list},
	{"watch", verb_watch},	 {"create", verb_create},
	{"update", verb_update}, {"patch", verb_patch},
	{"delete", verb_delete}, {"deletecollection", verb_deletecollection},
};

static stage_fn plain_verb_fn(const char *verb)
{
	for (size_t i = 0; i < ARRAY_LEN(plain); i++) {
		if (strcmp(plain[i].verb, verb) == 0) {
			return plain[i].fn;
		}
	}
	return NULL;
}

/* POST goes to a collection (or a subresource), PUT and PATCH to one object. */
static bool method_fits(const struct request *r)
{
	bool create = strcmp(r->info.verb, "create") == 0;
	bool change = strcmp(r->info.verb, "update") == 0 || strcmp(r->info.verb, "patch") == 0;

	return !(create && r->info.name.n && !r->sub) && !(change && !r->info.name.n);
}

enum stage_result stage_verb(struct request *r)
{
	unsigned allowed;
	stage_fn fn;

	if (r->api->stopping) {
		return answer_status(
			r, status_unavailable(&r->arena, STR("the server is shutting down")));
	}
	if (!r->info.is_resource) {
		return answer_plain_path(r);
	}
	if (!r->resource) {
		return answer_status(r, status_path_not_found(&r->arena));
	}
	if (!method_fits(r)) {
		return answer_status(r, status_method_not_allowed(
						&r->arena, &(struct status_about){0}, r->method));
	}
	allowed = r->sub ? r->sub->verbs : r->resource->verbs;
	if (!(allowed & verb_flag(r->info.verb))) {
		return answer_status(r, status_method_not_allowed(
						&r->arena, &(struct status_about){0}, r->method));
	}
	fn = special_verb(r);
	if (!fn) {
		fn = plain_verb_fn(r->info.verb);
	}
	return fn(r);
}
