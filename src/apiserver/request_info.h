/* SPDX-License-Identifier: Apache-2.0 */
/* apiserver/request_info.h: what a method and a path ask for, by upstream's rules (RequestInfoFactory). Pure.
 *     GET  /api/v1/namespaces/shop/pods/web-0/log   get pods/log "web-0" in "shop"
 *     GET  /apis/apps/v1/deployments?watch=1        watch apps/v1 deployments in all namespaces
 *     GET  /healthz                                 not a resource request; verb "get" */
#pragma once
#include <stdbool.h>

#include "base/str.h"

struct request_info {
	bool is_resource;
	struct str path; /* without query */
	const char *
		verb; /* get list watch create update patch delete deletecollection; others: the method in lower case */
	struct str api_prefix;	   /* api or apis */
	struct str group, version; /* group empty: core */
	struct str ns, resource, subresource, name;
	size_t extra_parts; /* path segments behind the subresource (proxy paths) */
};

/* query: the raw query string, looked at for watch= and a metadata.name field selector. All results point into the arguments. */
void request_info_parse(struct str method, struct str path, struct str query,
			struct request_info *ret);

struct arena;
/* Percent-decoding of a query value, in the arena. */
struct str query_unescape(struct arena *a, struct str raw);
/* Value of the first `key` in a raw query string, still escaped. False if it is not there. */
bool query_find(struct str query, struct str key, struct str *ret_raw);
