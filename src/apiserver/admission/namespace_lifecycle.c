/* SPDX-License-Identifier: Apache-2.0 */
/* NamespaceLifecycle: nothing is created in a namespace that does not exist or is going away; default, kube-system and kube-public stay. */
#include "apiserver/admission/admission.h"

static struct core_namespace *find_namespace(struct write *w, struct str name)
{
	struct request *r = w->r;
	struct str key = registry_key(&r->arena, &resource_core_namespaces, STR_NULL, name);
	const struct store_value *value = store_peek(r->api->store, key);

	return value ? (void *)codec_decode_value(&r->arena, &resource_core_namespaces, value)
		     : NULL;
}

static struct meta_status *check_delete(struct write *w)
{
	struct request *r = w->r;
	struct status_about about = request_about(r);

	if (r->resource == &resource_core_namespaces &&
	    (str_is(r->info.name, "default") || str_is(r->info.name, "kube-system") ||
	     str_is(r->info.name, "kube-public"))) {
		return status_forbidden(&r->arena, &about,
					STR("this namespace may not be deleted"));
	}
	return NULL;
}

struct meta_status *admit_namespace_lifecycle(struct write *w)
{
	struct request *r = w->r;
	struct status_about about = {STR_NULL, STR("namespaces"), r->info.ns};
	struct core_namespace *ns;
	struct meta_status *s;

	if (w->kind == WRITE_DELETE) {
		return check_delete(w);
	}
	if (w->kind != WRITE_CREATE || !r->resource->namespaced) {
		return NULL;
	}
	ns = find_namespace(w, r->info.ns);
	if (!ns) {
		return status_not_found(&r->arena, &about);
	}
	if (!ns->metadata.deletion_timestamp) {
		return NULL;
	}
	about = request_about(r);
	about.name = w->obj->metadata.name;
	s = status_forbidden(&r->arena, &about,
			     arena_printf(&r->arena,
					  "unable to create new content in namespace %.*s because "
					  "it is being terminated",
					  STR_ARG(r->info.ns)));
	s->details->causes.p = ARENA_NEW(&r->arena, struct meta_status_cause);
	s->details->causes.n = 1;
	s->details->causes.p[0] = (struct meta_status_cause){
		.reason = STR("NamespaceTerminating"),
		.message = arena_printf(&r->arena, "namespace %.*s is being terminated",
					STR_ARG(r->info.ns)),
		.field = STR("metadata.namespace"),
	};
	return s;
}
