/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/meta.h"

#include "apiserver/apiserver_internal.h"
#include "object/object.h"
#include "rules/metadata.h"

static size_t field_size(const struct field_desc *f)
{
	switch (f->shape) {
	case SHAPE_ONE:
		return f->elem_size;
	case SHAPE_PTR:
		return sizeof(void *);
	default:
		return sizeof(struct any_list);
	}
}

static void *field_at(const struct object_head *obj, const struct field_desc *f)
{
	return (char *)obj + f->offset;
}

static const struct field_desc *status_field(const struct resource_desc *resource)
{
	for (size_t i = 0; i < resource->nsubresources; i++) {
		if (strcmp(resource->subresources[i].name, "status") == 0) {
			return type_find_field(resource->type, STR("status"));
		}
	}
	return NULL;
}

/* 8-4-4-4-12 hexadecimal digits of a random UUID (RFC 9562, version 4). */
struct str request_new_uid(struct request *r)
{
	unsigned char b[16];

	env_random(r->api->env, b, sizeof(b));
	b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
	b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
	return arena_printf(&r->arena,
			    "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
			    b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10],
			    b[11], b[12], b[13], b[14], b[15]);
}

/* Upstream's generator: five characters that form no words; the base is cut so that the name has at most 63. */
static struct str generate_name(struct request *r, struct str base)
{
	static const char letters[] = "bcdfghjklmnpqrstvwxz2456789";
	unsigned char random[5];
	char suffix[sizeof(random)];

	env_random(r->api->env, random, sizeof(random));
	for (size_t i = 0; i < sizeof(random); i++) {
		suffix[i] = letters[random[i] % (sizeof(letters) - 1)];
	}
	return arena_printf(&r->arena, "%.*s%.*s", STR_ARG(str_sub(base, 0, 63 - sizeof(suffix))),
			    (int)sizeof(suffix), suffix);
}

void meta_prepare_create(struct request *r, const struct strategy *s, struct object_head *obj)
{
	const struct field_desc *status = status_field(r->resource);
	struct meta_object_meta *m = &obj->metadata;

	if (!m->name.n && m->generate_name.n) {
		m->name = generate_name(r, m->generate_name);
	}
	m->uid = request_new_uid(r);
	m->creation_timestamp =
		(struct timestamp){.sec = env_wall_ns(r->api->env) / NS_PER_SEC, .set = true};
	m->generation = s->generation ? 1 : 0;
	m->deletion_timestamp = NULL;
	m->deletion_grace_period_seconds = NULL;
	m->self_link = STR_NULL;
	/* A node registers with what it has found out about itself. */
	if (status && r->resource != &resource_core_nodes) {
		memset(field_at(obj, status), 0, field_size(status));
	}
}

static void keep_system_fields(struct meta_object_meta *m, const struct meta_object_meta *old)
{
	m->uid = old->uid;
	m->creation_timestamp = old->creation_timestamp;
	m->generation = old->generation;
	m->deletion_timestamp = old->deletion_timestamp;
	m->deletion_grace_period_seconds = old->deletion_grace_period_seconds;
	m->generate_name = old->generate_name;
	m->self_link = STR_NULL;
	if (!m->managed_fields.p) {
		m->managed_fields = old->managed_fields;
	}
}

void meta_prepare_update(struct request *r, struct object_head *obj, const struct object_head *old)
{
	const struct field_desc *status = status_field(r->resource);

	keep_system_fields(&obj->metadata, &old->metadata);
	if (status) {
		memcpy(field_at(obj, status), field_at(old, status), field_size(status));
	}
}

void meta_prepare_status(struct request *r, struct object_head *obj, const struct object_head *old)
{
	const struct field_desc *status = status_field(r->resource);
	const struct type_desc *type = r->resource->type;

	keep_system_fields(&obj->metadata, &old->metadata);
	obj->metadata.owner_references = old->metadata.owner_references;
	obj->metadata.finalizers = old->metadata.finalizers;
	obj->metadata.labels = old->metadata.labels;
	for (size_t i = 0; i < type->nfields; i++) {
		const struct field_desc *f = &type->fields[i];

		if (f != status && f->offset >= sizeof(struct object_head)) {
			memcpy(field_at(obj, f), field_at(old, f), field_size(f));
		}
	}
}

void meta_bump_generation(const struct resource_desc *resource, const struct strategy *s,
			  struct object_head *obj, const struct object_head *old)
{
	const struct field_desc *status = type_find_field(resource->type, STR("status"));
	const struct field_desc *annotations =
		type_find_field(&type_meta_object_meta, STR("annotations"));

	if (s->generation_of_annotations &&
	    !field_equal(annotations, &obj->metadata, &old->metadata)) {
		obj->metadata.generation = old->metadata.generation + 1;
		return;
	}

	for (size_t i = 0; i < resource->type->nfields; i++) {
		const struct field_desc *f = &resource->type->fields[i];

		if (f != status && f->offset >= sizeof(struct object_head) &&
		    !field_equal(f, obj, old)) {
			obj->metadata.generation = old->metadata.generation + 1;
			return;
		}
	}
}

static void validate_scope(const struct resource_desc *resource, const struct path *at,
			   struct str ns, struct field_errors *errs)
{
	if (resource->namespaced && !ns.n) {
		field_required(errs, at, NULL);
	} else if (!resource->namespaced && ns.n) {
		field_forbidden(errs, at, "not allowed on this type");
	}
}

static void validate_unchanged(struct field_errors *errs, const struct path *at, struct str now,
			       struct str before)
{
	if (!str_eq(now, before)) {
		field_invalid(errs, at, field_str(now), "field is immutable");
	}
}

static void validate_identity(const struct resource_desc *resource, const struct strategy *s,
			      const struct path *metadata, const struct meta_object_meta *m,
			      const struct meta_object_meta *old, struct field_errors *errs)
{
	struct path name = path_field(metadata, STR("name"));
	struct path ns = path_field(metadata, STR("namespace"));
	struct path uid = path_field(metadata, STR("uid"));

	if (old) {
		validate_unchanged(errs, &name, m->name, old->name);
		validate_unchanged(errs, &ns, m->namespace, old->namespace);
		validate_unchanged(errs, &uid, m->uid, old->uid);
		return;
	}
	strategy_check_name(s, errs, m->name, m->generate_name);
	validate_scope(resource, &ns, m->namespace, errs);
}

void meta_validate(const struct resource_desc *resource, const struct strategy *s,
		   const struct object_head *obj, const struct object_head *old,
		   struct field_errors *errs)
{
	const struct meta_object_meta *m = &obj->metadata;
	struct path metadata = path_field(NULL, STR("metadata"));
	struct path labels = path_field(&metadata, STR("labels"));
	struct path annotations = path_field(&metadata, STR("annotations"));
	struct path owners = path_field(&metadata, STR("ownerReferences"));
	struct path finalizers = path_field(&metadata, STR("finalizers"));

	validate_identity(resource, s, &metadata, m, old ? &old->metadata : NULL, errs);
	validate_labels(errs, &labels, &m->labels);
	validate_annotations(errs, &annotations, &m->annotations);
	validate_owner_references(errs, &owners, m);
	validate_finalizers(errs, &finalizers, &m->finalizers);
	if (old && old->metadata.deletion_timestamp) {
		validate_no_new_finalizers(errs, &finalizers, &m->finalizers,
					   &old->metadata.finalizers);
	}
}

bool meta_has_spec_finalizers(const struct resource_desc *resource, const struct object_head *obj)
{
	return resource == &resource_core_namespaces &&
	       ((const struct core_namespace *)(const void *)obj)->spec.finalizers.n > 0;
}

bool meta_answers_deleted_object(const struct resource_desc *resource)
{
	static const char *const names[] = {"pods",
					    "services",
					    "persistentvolumes",
					    "persistentvolumeclaims",
					    "serviceaccounts",
					    "podtemplates",
					    "resourcequotas",
					    "storageclasses",
					    "volumeattachments",
					    "csinodes",
					    "csidrivers"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (strcmp(resource->resource, names[i]) == 0) {
			return true;
		}
	}
	return false;
}
