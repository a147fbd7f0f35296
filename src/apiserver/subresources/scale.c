/* SPDX-License-Identifier: Apache-2.0 */
/* scale: autoscaling/v1 Scale as a view of spec.replicas, status.replicas and the selector of whatever has them. */
#include "apiserver/apiserver_internal.h"
#include "apiserver/codec.h"
#include "apiserver/subresources/subresources.h"
#include "apiserver/verbs/write.h"
#include "codec/json.h"
#include "object/decode.h"
#include "object/encode.h"
#include "object/object.h"

/* Kinds keep the same fields under the same names; the selector is a LabelSelector, but for replication controllers a plain map. */
struct scaled {
	int32_t **replicas; /* spec.replicas: where the pointer lies */
	int32_t status_replicas;
	struct str selector;
};

/* The place of PARENT.name in the object; *ret_field tells what lies there. */
static void *find_place(struct request *r, struct object_head *obj, struct str parent,
			struct str name, const struct field_desc **ret_field)
{
	const struct field_desc *up = type_find_field(r->resource->type, parent);

	ASSERT(up && up->shape == SHAPE_ONE && up->message);
	*ret_field = type_find_field(up->message, name);
	ASSERT(*ret_field);
	return (char *)obj + up->offset + (*ret_field)->offset;
}

static int find_parts(struct request *r, struct object_head *obj, struct scaled *ret)
{
	struct err err CLEANUP_ERR = {0};
	const struct field_desc *f;
	struct selector selector;
	void *place;

	ret->replicas = find_place(r, obj, STR("spec"), STR("replicas"), &f);
	ASSERT(f->type == FIELD_INT32 && f->shape == SHAPE_PTR);
	place = find_place(r, obj, STR("status"), STR("replicas"), &f);
	ASSERT(f->type == FIELD_INT32 && f->shape == SHAPE_ONE);
	ret->status_replicas = *(int32_t *)place;
	place = find_place(r, obj, STR("spec"), STR("selector"), &f);
	if (f->shape == SHAPE_MAP) {
		label_selector_of_map(&r->arena, place, &selector);
	} else if (label_selector_of(&r->arena, *(struct meta_label_selector **)place, &selector,
				     &err) < 0) {
		return ERR_INVALID;
	}
	ret->selector = selector_text(&r->arena, &selector);
	return 0;
}

static struct autoscaling_scale *make_scale(struct request *r, struct object_head *obj)
{
	struct autoscaling_scale *s = ARENA_NEW(&r->arena, struct autoscaling_scale);
	struct scaled parts;

	ASSERT(find_parts(r, obj, &parts) == 0);
	s->kind = STR("Scale");
	s->api_version = STR("autoscaling/v1");
	s->metadata.name = obj->metadata.name;
	s->metadata.namespace = obj->metadata.namespace;
	s->metadata.uid = obj->metadata.uid;
	s->metadata.resource_version = obj->metadata.resource_version;
	s->metadata.creation_timestamp = obj->metadata.creation_timestamp;
	s->spec.replicas = *parts.replicas ? **parts.replicas : 0;
	s->status.replicas = parts.status_replicas;
	s->status.selector = parts.selector;
	return s;
}

static enum stage_result not_found(struct request *r)
{
	struct status_about about = request_about(r);

	return answer_status(r, status_not_found(&r->arena, &about));
}

enum stage_result scale_get(struct request *r)
{
	const struct store_value *value = store_get(r->api->store, r->key);

	if (!value) {
		return not_found(r);
	}
	return answer_object(r, 200,
			     make_scale(r, codec_decode_value(&r->arena, r->resource, value)),
			     &type_autoscaling_scale);
}

/* The patched Scale; NULL: answered. */
static struct autoscaling_scale *patched(struct request *r, struct autoscaling_scale *now)
{
	struct buf b CLEANUP_BUF = {0};
	struct err err CLEANUP_ERR = {0};
	struct json_value tree;
	enum patch_type type;

	object_encode(&b, &type_autoscaling_scale, now, NULL, NULL);
	ASSERT(json_parse(&r->arena, arena_str(&r->arena, buf_str(&b)), NULL, &tree, &err) == 0);
	if (patch_type_of(r, &type) < 0 ||
	    apply_patch(r, type, &type_autoscaling_scale, &tree) < 0) {
		return NULL;
	}
	return codec_decode_tree(r, &type_autoscaling_scale, STR("Scale"), &tree);
}

/* What was stored, as a Scale. */
static enum stage_result answer_scale(struct request *r, const struct store_value *value)
{
	return answer_object(r, 200,
			     make_scale(r, codec_decode_value(&r->arena, r->resource, value)),
			     &type_autoscaling_scale);
}

enum stage_result scale_update(struct request *r)
{
	struct autoscaling_scale *scale;
	struct scaled parts;
	struct status_about about = request_about(r);
	struct write *w = write_new(r, WRITE_UPDATE);

	if (!w->base) {
		return not_found(r);
	}
	w->obj = codec_decode_value(&r->arena, r->resource, w->base);
	if (strcmp(r->info.verb, "patch") == 0) {
		scale = patched(r, make_scale(r, w->obj));
	} else {
		scale = codec_decode_body(r, &type_autoscaling_scale, STR("autoscaling"), STR("v1"),
					  STR("Scale"));
	}
	if (!scale) {
		store_value_unref(w->base);
		return STAGE_ANSWERED;
	}
	if (scale->metadata.resource_version.n &&
	    !str_eq(scale->metadata.resource_version, w->old->metadata.resource_version)) {
		return write_refuse(w, status_modified(&r->arena, &about));
	}
	if (scale->spec.replicas < 0) {
		struct field_errors errs = {.arena = &r->arena};
		struct path spec = path_field(NULL, STR("spec"));
		struct path replicas = path_field(&spec, STR("replicas"));

		field_invalid(&errs, &replicas, field_int(scale->spec.replicas),
			      "must be greater than or equal to 0");
		return write_refuse(w, status_invalid(&r->arena, STR("autoscaling"), STR("Scale"),
						      r->info.name, &errs));
	}
	ASSERT(find_parts(r, w->obj, &parts) == 0);
	*parts.replicas = ARENA_NEW(&r->arena, int32_t);
	**parts.replicas = scale->spec.replicas;
	w->answer = answer_scale;
	return write_finish(w);
}
