/* SPDX-License-Identifier: Apache-2.0 */
/* namespaces/finalize: the namespace controller takes its finalizer off spec.finalizers; nothing else changes. */
#include "apiserver/apiserver_internal.h"
#include "apiserver/codec.h"
#include "apiserver/subresources/subresources.h"
#include "apiserver/verbs/write.h"

enum stage_result namespace_finalize(struct request *r)
{
	struct core_namespace *body =
		codec_decode_body(r, &type_core_namespace, STR(""), STR("v1"), STR("Namespace"));
	struct status_about about = request_about(r);
	struct core_namespace *ns;
	struct write *w;

	if (!body) {
		return STAGE_ANSWERED;
	}
	w = write_new(r, WRITE_UPDATE);
	if (!w->base) {
		return answer_status(r, status_not_found(&r->arena, &about));
	}
	if (body->metadata.resource_version.n &&
	    !str_eq(body->metadata.resource_version, w->old->metadata.resource_version)) {
		return write_refuse(w, status_modified(&r->arena, &about));
	}
	w->obj = codec_decode_value(&r->arena, r->resource, w->base);
	ns = (void *)w->obj;
	ns->spec.finalizers.p = body->spec.finalizers.p;
	ns->spec.finalizers.n = body->spec.finalizers.n;
	r->sub = NULL;
	w->kind = WRITE_FINALIZE;
	return write_finish(w);
}
