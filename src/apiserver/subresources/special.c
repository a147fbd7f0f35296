/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/apiserver_internal.h"
#include "apiserver/subresources/subresources.h"

static const struct {
	const char *group, *resource, *sub, *verb;
	stage_fn fn;
} table[] = {
#define SPECIAL(group, resource, sub, verb, fn) {group, resource, sub, verb, fn},
#include "apiserver/subresources/subresources.def"
#undef SPECIAL
};

static bool fits(const char *pattern, const char *text)
{
	return strcmp(pattern, "*") == 0 || strcmp(pattern, text) == 0;
}

stage_fn special_verb(const struct request *r)
{
	const char *sub = r->sub ? r->sub->name : "";

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		if (fits(table[i].group, r->resource->group) &&
		    fits(table[i].resource, r->resource->resource) &&
		    strcmp(table[i].sub, sub) == 0 && fits(table[i].verb, r->info.verb)) {
			return table[i].fn;
		}
	}
	return NULL;
}

enum stage_result proxy_unsupported(struct request *r)
{
	return answer_status(r, status_new(&r->arena, 501, "NotImplemented",
					   STR("proxying through the API server is not supported "
					       "yet; use kubectl port-forward")));
}
