/* SPDX-License-Identifier: Apache-2.0 */
/* Stage route: what the path means, and whether we serve it. */
#include "apiserver/apiserver_internal.h"
#include "apiserver/request.h"

static const struct {
	const char *name;
	enum verb verb;
} verbs[] = {
	{"get", VERB_GET},	 {"list", VERB_LIST},
	{"watch", VERB_WATCH},	 {"create", VERB_CREATE},
	{"update", VERB_UPDATE}, {"patch", VERB_PATCH},
	{"delete", VERB_DELETE}, {"deletecollection", VERB_DELETECOLLECTION},
};

unsigned verb_flag(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
		if (strcmp(verbs[i].name, name) == 0) {
			return verbs[i].verb;
		}
	}
	return 0;
}

/* The namespace in the path must fit the resource's scope: cluster-scoped ones are not found below a namespace. A namespaced resource
 * without one is a list or watch over all, or the create of a review-like kind. */
static bool scope_fits(const struct request *r)
{
	const struct request_info *info = &r->info;

	if (!r->resource->namespaced) {
		return !info->ns.n || strcmp(r->resource->resource, "namespaces") == 0;
	}
	return info->ns.n || strcmp(info->verb, "list") == 0 || strcmp(info->verb, "watch") == 0;
}

enum stage_result stage_route(struct request *r)
{
	if (r->is_local) {
		return STAGE_NEXT;
	}

	request_info_parse(r->method, r->path, r->query, &r->info);
	if (!r->info.is_resource) {
		return STAGE_NEXT;
	}
	r->resource =
		registry_find(&r->api->registry, r->info.group, r->info.version, r->info.resource);
	if (!r->resource ||
	    (str_is(r->info.api_prefix, "api") != (r->resource->group[0] == '\0'))) {
		return STAGE_NEXT; /* authorized first, as upstream does; stage verb answers 404 */
	}
	if (r->info.subresource.n) {
		r->sub = resource_find_sub(r->resource, r->info.subresource);
		if (!r->sub) {
			r->resource = NULL;
			return STAGE_NEXT;
		}
	}
	if (!scope_fits(r)) {
		r->resource = NULL;
		return STAGE_NEXT;
	}
	if (r->info.name.n) {
		/* A namespace's own "namespace" is itself; it lies at the top. */
		r->key = registry_key(&r->arena, r->resource, r->info.ns, r->info.name);
	}
	return STAGE_NEXT;
}
