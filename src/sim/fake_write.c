/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/json.h"
#include "object/decode.h"
#include "object/defaults.h"
#include "object/encode.h"
#include "object/object.h"
#include "object/patch.h"
#include "rules/condition.h"
#include "sim/fake_api_internal.h"

static struct timestamp now_of(struct fake_call *c)
{
	return (struct timestamp){.sec = env_wall_ns(c->api->env) / NS_PER_SEC, .set = true};
}

static struct str random_hex(struct fake_call *c)
{
	unsigned char r[16];

	env_random(c->api->env, r, sizeof(r));
	return arena_printf(
		&c->arena, "%02x%02x%02x%02x-%02x%02x-4%01x%02x-a%01x%02x-%02x%02x%02x%02x%02x%02x",
		r[0], r[1], r[2], r[3], r[4], r[5], r[6] & 15, r[7], r[8] & 15, r[9], r[10], r[11],
		r[12], r[13], r[14], r[15]);
}

static bool has_status_subresource(const struct resource_desc *resource)
{
	for (size_t i = 0; i < resource->nsubresources; i++) {
		if (str_eq(str_of(resource->subresources[i].name), STR("status"))) {
			return true;
		}
	}
	return false;
}

/* ---- commit ---- */

static void on_put(void *ctx, const struct store_result *result)
{
	struct fake_call *c = ctx;

	if (result->code == ERR_CONFLICT) {
		store_value_unref(c->written);
		c->written = NULL;
		fake_write(c); /* somebody was faster: from the new version on */
	} else if (result->code < 0) {
		fake_answer_error(c, result->code, 500, "InternalError", "%s", result->message);
	} else {
		fake_answer_value(c, c->written);
	}
}

static void put(struct fake_call *c, const void *obj, struct revision expect)
{
	struct buf b CLEANUP_BUF = {0};
	struct encode_opts opts = {.room_for_revision = true};
	struct encode_marks marks;
	struct store_op op = {.kind = STORE_PUT, .key = c->key, .expect = expect};

	object_encode(&b, c->req.resource->type, obj, &opts, &marks);
	op.value = store_value_new(buf_str(&b), marks.revision);
	c->written = store_value_ref(op.value);
	store_commit(c->api->store, &op, 1, on_put, c);
}

static void on_removed(void *ctx, const struct store_result *result)
{
	struct fake_call *c = ctx;

	if (result->code == ERR_CONFLICT) {
		fake_write(c);
	} else {
		fake_answer_value(c, NULL);
	}
}

static void commit_remove(struct fake_call *c, struct revision expect)
{
	struct store_op op = {.kind = STORE_DELETE, .key = c->key, .expect = expect};

	store_commit(c->api->store, &op, 1, on_removed, c);
}

/* ---- what the server fills in ---- */

static void *decode_value(struct fake_call *c, const struct store_value *value)
{
	void *obj = arena_alloc(&c->arena, c->req.resource->type->size);
	struct object_head *head = obj;
	struct err err CLEANUP_ERR = {0};
	int r = object_decode(&c->arena, c->req.resource->type,
			      arena_str(&c->arena, store_value_text(value)), obj, NULL, &err);

	ASSERT(r == 0);
	head->metadata.resource_version =
		arena_printf(&c->arena, "%lld", (long long)value->mod_revision.n);
	return obj;
}

static void *status_of(const struct resource_desc *resource, const void *obj)
{
	return object_member(resource->type, obj, STR("status"));
}

static size_t status_size(const struct resource_desc *resource)
{
	const struct field_desc *f = type_find_field(resource->type, STR("status"));

	return f ? f->elem_size : 0;
}

/* Everything but metadata and status, as text. */
static struct str spec_text(struct fake_call *c, const void *obj)
{
	const struct resource_desc *resource = c->req.resource;
	struct buf b CLEANUP_BUF = {0};
	struct object_head *copy = arena_alloc(&c->arena, resource->type->size);

	memcpy(copy, obj, resource->type->size);
	memset(&copy->metadata, 0, sizeof(copy->metadata));
	if (status_of(resource, copy)) {
		memset(status_of(resource, copy), 0, status_size(resource));
	}
	object_encode(&b, resource->type, copy, NULL, NULL);
	return arena_str(&c->arena, buf_str(&b));
}

static void initial_status(struct fake_call *c, void *obj)
{
	const struct resource_desc *resource = c->req.resource;

	if (!has_status_subresource(resource) || resource == &resource_core_nodes) {
		return;
	}
	memset(status_of(resource, obj), 0, status_size(resource));
	if (resource == &resource_core_pods) {
		((struct core_pod *)obj)->status.phase = STR("Pending");
	} else if (resource == &resource_core_namespaces) {
		struct core_namespace *ns = obj;

		ns->status.phase = STR("Active");
		ns->spec.finalizers.p = ARENA_NEW(&c->arena, struct str);
		ns->spec.finalizers.p[0] = STR("kubernetes");
		ns->spec.finalizers.n = 1;
	} else if (resource == &resource_core_persistentvolumeclaims) {
		((struct core_persistent_volume_claim *)obj)->status.phase = STR("Pending");
	} else if (resource == &resource_core_persistentvolumes) {
		((struct core_persistent_volume *)obj)->status.phase = STR("Pending");
	}
}

static void write_create(struct fake_call *c)
{
	const struct resource_desc *resource = c->req.resource;
	struct object_head *head = (struct object_head *)c->req.body;
	struct meta_object_meta *meta = &head->metadata;

	if (!meta->name.n) {
		meta->name = arena_printf(&c->arena, "%.*s%.5s", STR_ARG(meta->generate_name),
					  random_hex(c).p);
	}
	if (resource->namespaced && !meta->namespace.n) {
		meta->namespace = c->req.ns;
	}
	c->req.name = meta->name;
	c->key = fake_key(&c->arena, resource, meta->namespace, meta->name);
	if (store_peek(c->api->store, c->key)) {
		fake_answer_error(c, ERR_EXISTS, 409, "AlreadyExists", "%s \"%.*s\" already exists",
				  resource->resource, STR_ARG(meta->name));
		return;
	}
	head->kind = str_of(resource->kind);
	head->api_version = resource->group[0] ? arena_printf(&c->arena, "%s/%s", resource->group,
							      resource->version)
					       : str_of(resource->version);
	if (!meta->uid.n) {
		meta->uid = random_hex(c);
	}
	meta->creation_timestamp = now_of(c);
	meta->generation = 1;
	meta->deletion_timestamp = NULL;
	initial_status(c, head);
	object_apply_defaults(&c->arena, resource->type, head);
	put(c, head, (struct revision){0});
}

/* ---- updates ---- */

static bool is_removable(const struct object_head *head, const struct resource_desc *resource)
{
	const struct meta_object_meta *meta = &head->metadata;

	if (!meta->deletion_timestamp || meta->finalizers.n) {
		return false;
	}
	if (resource == &resource_core_namespaces &&
	    ((const struct core_namespace *)(const void *)head)->spec.finalizers.n) {
		return false;
	}
	return !meta->deletion_grace_period_seconds || *meta->deletion_grace_period_seconds == 0;
}

/* Puts obj in the place of old, keeping what its subresource may not touch. */
static void replace(struct fake_call *c, struct object_head *obj, struct object_head *old,
		    struct revision was)
{
	const struct resource_desc *resource = c->req.resource;
	struct str sub = str_of(c->req.subresource);
	struct meta_object_meta *meta = &obj->metadata;

	if ((meta->resource_version.n &&
	     !str_eq(meta->resource_version, old->metadata.resource_version)) ||
	    (meta->uid.n && !str_eq(meta->uid, old->metadata.uid))) {
		fake_answer_error(c, ERR_CONFLICT, 409, "Conflict",
				  "Operation cannot be fulfilled on %s \"%.*s\": the object has "
				  "been modified; please apply your changes to "
				  "the latest version and try again",
				  resource->resource, STR_ARG(c->req.name));
		return;
	}
	if (str_is(sub, "status")) {
		struct object_head *whole = arena_alloc(&c->arena, resource->type->size);

		memcpy(whole, old, resource->type->size);
		memcpy(status_of(resource, whole), status_of(resource, obj), status_size(resource));
		obj = whole;
		meta = &obj->metadata;
	} else if (has_status_subresource(resource)) {
		memcpy(status_of(resource, obj), status_of(resource, old), status_size(resource));
	}
	if (resource == &resource_core_namespaces && !str_is(sub, "finalize")) {
		((struct core_namespace *)(void *)obj)->spec.finalizers =
			((struct core_namespace *)(void *)old)->spec.finalizers;
	}
	meta->uid = old->metadata.uid;
	meta->creation_timestamp = old->metadata.creation_timestamp;
	meta->deletion_timestamp = old->metadata.deletion_timestamp;
	meta->deletion_grace_period_seconds = old->metadata.deletion_grace_period_seconds;
	meta->generation = old->metadata.generation;
	object_apply_defaults(&c->arena, resource->type, obj);
	if (!str_is(sub, "status") && !str_eq(spec_text(c, obj), spec_text(c, old))) {
		meta->generation++;
	}
	meta->resource_version = old->metadata.resource_version;
	if (is_removable(obj, resource)) {
		commit_remove(c, was);
	} else if (object_equal(resource->type, obj, old)) {
		fake_answer_value(c, store_peek(c->api->store, c->key));
	} else {
		put(c, obj, was);
	}
}

static void write_patch(struct fake_call *c, const struct store_value *value,
			struct object_head *old)
{
	const struct type_desc *type = c->req.resource->type;
	struct err err CLEANUP_ERR = {0};
	struct json_value doc;
	struct json_value patch;
	void *obj = arena_alloc(&c->arena, type->size);
	int r;

	ASSERT(json_parse(&c->arena, arena_str(&c->arena, store_value_text(value)), NULL, &doc,
			  &err) == 0);
	r = json_parse(&c->arena, c->req.patch, NULL, &patch, &err);
	if (r == 0 && c->req.patch_type == PATCH_JSON) {
		r = patch_apply_json(&c->arena, &doc, &patch, &err);
	} else if (r == 0 && c->req.patch_type == PATCH_MERGE) {
		r = patch_apply_merge(&c->arena, &doc, &patch, &err);
	} else if (r == 0) {
		r = patch_apply_strategic(&c->arena, type, &doc, &patch, &err);
	}
	if (r == 0) {
		r = object_decode_value(&c->arena, type, &doc, obj, NULL, &err);
	}
	if (r < 0) {
		fake_answer_error(c, r, 422, "Invalid", "%s", err_msg(&err));
		return;
	}
	replace(c, obj, old, value->mod_revision);
}

static void write_binding(struct fake_call *c, struct core_pod *pod, struct revision was)
{
	const struct core_binding *binding = c->req.body;
	struct core_pod_condition scheduled = {.type = STR("PodScheduled"),
					       .status = STR("True"),
					       .last_transition_time = now_of(c)};

	if (pod->spec.node_name.n || pod->metadata.deletion_timestamp) {
		fake_answer_error(c, ERR_CONFLICT, 409, "Conflict",
				  "pod %.*s is already assigned to node \"%.*s\"",
				  STR_ARG(c->req.name), STR_ARG(pod->spec.node_name));
		return;
	}
	pod->spec.node_name = binding->target.name;
	condition_set(&c->arena, &pod->status.conditions, &scheduled);
	put(c, pod, was);
}

/* ---- deletion ---- */

static void add_finalizer(struct fake_call *c, struct meta_object_meta *meta, struct str finalizer)
{
	struct str *p = ARENA_ARRAY(&c->arena, meta->finalizers.n + 1, struct str);

	if (meta->finalizers.n) {
		memcpy(p, meta->finalizers.p, meta->finalizers.n * sizeof(*p));
	}
	p[meta->finalizers.n] = finalizer;
	meta->finalizers.p = p;
	meta->finalizers.n++;
}

static int64_t grace_of(struct fake_call *c, const struct object_head *obj)
{
	const struct core_pod *pod = (const void *)obj;

	if (c->req.resource != &resource_core_pods) {
		return 0;
	}
	if (c->req.grace_period_seconds) {
		return *c->req.grace_period_seconds;
	}
	if (!pod->spec.node_name.n || str_is(pod->status.phase, "Succeeded") ||
	    str_is(pod->status.phase, "Failed")) {
		return 0;
	}
	return pod->spec.termination_grace_period_seconds
		       ? *pod->spec.termination_grace_period_seconds
		       : 30;
}

/* True: the object goes at once; otherwise it has been changed and must be written. */
static bool mark_deleted(struct fake_call *c, struct object_head *obj)
{
	struct meta_object_meta *meta = &obj->metadata;
	int64_t grace = grace_of(c, obj);
	bool first = !meta->deletion_timestamp;

	if (first && c->req.propagation == PROPAGATION_FOREGROUND) {
		add_finalizer(c, meta, STR("foregroundDeletion"));
	} else if (first && c->req.propagation == PROPAGATION_ORPHAN) {
		add_finalizer(c, meta, STR("orphan"));
	}
	if (first ||
	    (meta->deletion_grace_period_seconds && grace < *meta->deletion_grace_period_seconds)) {
		meta->deletion_timestamp = ARENA_NEW(&c->arena, struct timestamp);
		*meta->deletion_timestamp = now_of(c);
		meta->deletion_timestamp->sec += grace;
		meta->deletion_grace_period_seconds = ARENA_NEW(&c->arena, int64_t);
		*meta->deletion_grace_period_seconds = grace;
		meta->generation++;
		if (c->req.resource == &resource_core_namespaces) {
			((struct core_namespace *)(void *)obj)->status.phase = STR("Terminating");
		}
	}
	return is_removable(obj, c->req.resource);
}

static void write_delete(struct fake_call *c, struct object_head *obj, struct revision was)
{
	struct arena *a = &c->arena;
	struct object_head *copy = arena_alloc(a, c->req.resource->type->size);

	if ((c->req.precondition_uid.n && !str_eq(c->req.precondition_uid, obj->metadata.uid)) ||
	    (c->req.precondition_resource_version.n &&
	     !str_eq(c->req.precondition_resource_version, obj->metadata.resource_version))) {
		fake_answer_error(c, ERR_CONFLICT, 409, "Conflict",
				  "the precondition does not hold");
		return;
	}
	memcpy(copy, obj, c->req.resource->type->size);
	if (mark_deleted(c, copy)) {
		commit_remove(c, was);
	} else if (object_equal(c->req.resource->type, obj, copy)) {
		fake_answer_value(c, store_peek(c->api->store, c->key));
	} else {
		put(c, copy, was);
	}
}

void fake_write(struct fake_call *c)
{
	const struct store_value *value;
	struct object_head *old;

	if (c->req.verb == VERB_CREATE && !c->req.subresource) {
		write_create(c);
		return;
	}
	value = store_peek(c->api->store, c->key);
	if (!value) {
		fake_answer_error(c, ERR_NOT_FOUND, 404, "NotFound", "%s \"%.*s\" not found",
				  c->req.resource->resource, STR_ARG(c->req.name));
		return;
	}
	old = decode_value(c, value);
	if (c->req.verb == VERB_DELETE) {
		write_delete(c, old, value->mod_revision);
	} else if (c->req.verb == VERB_PATCH) {
		write_patch(c, value, old);
	} else if (c->req.verb == VERB_CREATE) {
		ASSERT(str_is(str_of(c->req.subresource), "binding"));
		write_binding(c, (struct core_pod *)(void *)old, value->mod_revision);
	} else {
		replace(c, (struct object_head *)c->req.body, old, value->mod_revision);
	}
}

/* ---- collections ---- */

static void on_one_deleted(void *ctx, const struct client_result *result UNUSED)
{
	struct fake_call *c = ctx;

	if (--c->waiting == 0) {
		fake_answer_value(c, NULL);
	}
}

static void delete_one(void *ctx, struct frozen *object)
{
	struct fake_call *c = ctx;
	struct client_request req = {
		.verb = VERB_DELETE,
		.resource = c->req.resource,
		.ns = object->head->metadata.namespace,
		.name = object->head->metadata.name,
		.propagation = c->req.propagation,
		.grace_period_seconds = c->req.grace_period_seconds,
	};

	c->waiting++;
	client_call(c->client, &req, on_one_deleted, c);
}

void fake_delete_collection(struct fake_call *c)
{
	c->waiting = 0;
	fake_api_each(c->api, c->req.resource, c->req.ns, delete_one, c);
	if (!c->waiting) {
		fake_answer_value(c, NULL);
	}
}
