/* SPDX-License-Identifier: Apache-2.0 */
/* update: PUT on an object or its status. patch: the same, from a base and a change. */
#include "apiserver/apiserver_internal.h"
#include "apiserver/codec.h"
#include "apiserver/verbs/verbs.h"
#include "apiserver/verbs/write.h"
#include "codec/json.h"
#include "object/patch.h"

static enum write_kind kind_of_sub(const struct request *r)
{
	return r->sub && strcmp(r->sub->name, "status") == 0 ? WRITE_STATUS : WRITE_UPDATE;
}

static enum stage_result not_found(struct request *r)
{
	struct status_about about = request_about(r);

	return answer_status(r, status_not_found(&r->arena, &about));
}

/* What the sender says about the object it means: name, namespace, uid, resourceVersion. */
static struct meta_status *check_identity(struct write *w)
{
	struct request *r = w->r;
	struct meta_object_meta *m = &w->obj->metadata;
	struct status_about about = request_about(r);
	struct meta_status *refusal = check_namespace(r, w->obj);
	int64_t want;

	if (refusal) {
		return refusal;
	}
	if (!m->name.n) {
		m->name = r->info.name;
	}
	if (!str_eq(m->name, r->info.name)) {
		return status_bad_request(
			&r->arena,
			"the name of the object (%.*s) does not match the name on the URL (%.*s)",
			STR_ARG(m->name), STR_ARG(r->info.name));
	}
	if (!w->base) {
		return NULL;
	}
	if (m->uid.n && !str_eq(m->uid, w->old->metadata.uid)) {
		return status_conflict(&r->arena, &about,
				       arena_printf(&r->arena,
						    "Precondition failed: UID in precondition: "
						    "%.*s, UID in object meta: %.*s",
						    STR_ARG(m->uid),
						    STR_ARG(w->old->metadata.uid)));
	}
	if (!m->resource_version.n || str_is(m->resource_version, "0")) {
		if (w->strategy->must_send_version && !m->resource_version.n) {
			struct field_errors errs = {.arena = &r->arena};

			struct path metadata = path_field(NULL, STR("metadata"));
			struct path at = path_field(&metadata, STR("resourceVersion"));

			field_invalid(&errs, &at, field_int(0), "must be specified for an update");
			return status_invalid(&r->arena, str_of(r->resource->group),
					      str_of(r->resource->kind), m->name, &errs);
		}
		return NULL;
	}
	if (str_to_int64(m->resource_version, &want) < 0) {
		return status_bad_request(
			&r->arena,
			"metadata.resourceVersion: Invalid value: \"%.*s\": it is not a number",
			STR_ARG(m->resource_version));
	}
	return want == w->base->mod_revision.n ? NULL : status_modified(&r->arena, &about);
}

/* PUT on a name that does not exist. */
static enum stage_result create_by_update(struct write *w)
{
	struct request *r = w->r;

	if (!w->strategy->create_on_update || w->kind == WRITE_STATUS) {
		return not_found(r);
	}
	w->kind = WRITE_CREATE;
	w->http_status = 201;
	w->obj->metadata.resource_version = STR_NULL;
	return write_finish(w);
}

enum stage_result verb_update(struct request *r)
{
	struct write *w = write_new(r, kind_of_sub(r));
	struct meta_status *refusal;

	w->obj = codec_decode_body(r, r->resource->type, str_of(r->resource->group),
				   str_of(r->resource->version), str_of(r->resource->kind));
	if (!w->obj) {
		store_value_unref(w->base);
		return STAGE_ANSWERED;
	}
	refusal = check_identity(w);
	if (refusal) {
		return write_refuse(w, refusal);
	}
	return w->base ? write_finish(w) : create_by_update(w);
}

static const struct {
	const char *content_type;
	enum patch_type type;
} patch_types[] = {
	{"application/json-patch+json", PATCH_JSON},
	{"application/merge-patch+json", PATCH_MERGE},
	{"application/strategic-merge-patch+json", PATCH_STRATEGIC},
};

static struct str media_type(struct str content_type)
{
	struct str head;

	str_cut(&content_type, ';', &head);
	return str_trim(head);
}

int patch_type_of(struct request *r, enum patch_type *ret)
{
	struct str type = media_type(r->content_type);

	for (size_t i = 0; i < ARRAY_LEN(patch_types); i++) {
		if (str_eq(type, str_of(patch_types[i].content_type))) {
			*ret = patch_types[i].type;
			return 0;
		}
	}
	answer_status(r, status_unsupported_media_type(
				 &r->arena,
				 STR("application/json-patch+json, application/merge-patch+json, "
				     "application/strategic-merge-patch+json")));
	return ERR_UNSUPPORTED;
}

/* A patch that is well-formed but does not fit the object is the object's matter: 422. */
static void refuse_patch(struct request *r, int code, const struct err *err)
{
	struct str message = arena_str(&r->arena, str_of(err_msg(err)));
	struct status_about about = request_about(r);
	struct meta_status *s;

	if (code == ERR_LIMIT) {
		answer_status(r, status_new(&r->arena, 413, "RequestEntityTooLarge", message));
		return;
	}
	if (code != ERR_CONFLICT) {
		answer_status(r, status_bad_request(&r->arena, "%.*s", STR_ARG(message)));
		return;
	}
	s = status_new(&r->arena, 422, "Invalid", message);
	s->details = ARENA_NEW(&r->arena, struct meta_status_details);
	s->details->group = about.group;
	s->details->kind = about.resource;
	s->details->name = about.name;
	answer_status(r, s);
}

int apply_patch(struct request *r, enum patch_type type, const struct type_desc *of,
		struct json_value *doc)
{
	struct err err CLEANUP_ERR = {0};
	struct json_value patch;
	int code = json_parse(&r->arena, r->body, NULL, &patch, &err);

	if (code == 0 && type == PATCH_JSON) {
		code = patch_apply_json(&r->arena, doc, &patch, &err);
	} else if (code == 0 && type == PATCH_MERGE) {
		code = patch_apply_merge(&r->arena, doc, &patch, &err);
	} else if (code == 0) {
		code = patch_apply_strategic(&r->arena, of, doc, &patch, &err);
	}
	if (code < 0) {
		refuse_patch(r, code, &err);
	}
	return code;
}

enum stage_result verb_patch(struct request *r)
{
	enum patch_type patch;
	struct json_value *tree;
	struct meta_status *refusal;
	struct write *w;

	if (patch_type_of(r, &patch) < 0) {
		return STAGE_ANSWERED;
	}
	w = write_new(r, kind_of_sub(r));
	if (!w->base) {
		return not_found(r);
	}
	tree = codec_value_tree(&r->arena, r->resource, w->base);
	if (apply_patch(r, patch, r->resource->type, tree) == 0) {
		w->obj = codec_decode_tree(r, r->resource->type, str_of(r->resource->kind), tree);
	}
	if (!w->obj) {
		store_value_unref(w->base);
		return STAGE_ANSWERED;
	}
	refusal = check_identity(w);
	return refusal ? write_refuse(w, refusal) : write_finish(w);
}
