/* SPDX-License-Identifier: Apache-2.0 */
/* create: POST on a collection. */
#include "apiserver/codec.h"
#include "apiserver/verbs/verbs.h"
#include "apiserver/verbs/write.h"

/* The path's namespace is the object's; a name in both must be the same. */
struct meta_status *check_namespace(struct request *r, struct object_head *obj)
{
	if (!r->resource->namespaced) {
		return NULL;
	}
	if (!obj->metadata.namespace.n) {
		obj->metadata.namespace = r->info.ns;
	}
	if (!str_eq(obj->metadata.namespace, r->info.ns)) {
		return status_bad_request(&r->arena, "the namespace of the provided object does "
						     "not match the namespace sent on the request");
	}
	return NULL;
}

enum stage_result verb_create(struct request *r)
{
	struct write *w = write_new(r, WRITE_CREATE);
	struct meta_status *refusal;

	w->obj = codec_decode_body(r, r->resource->type, str_of(r->resource->group),
				   str_of(r->resource->version), str_of(r->resource->kind));
	if (!w->obj) {
		return STAGE_ANSWERED;
	}
	refusal = check_namespace(r, w->obj);
	if (refusal) {
		return answer_status(r, refusal);
	}
	if (w->obj->metadata.resource_version.n) {
		return answer_status(
			r, status_bad_request(
				   &r->arena,
				   "resourceVersion should not be set on objects to be created"));
	}
	return write_finish(w);
}
