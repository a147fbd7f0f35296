/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/codec.h"

#include "apiserver/apiserver_internal.h"
#include "apiserver/convert.h"
#include "codec/json.h"
#include "codec/yaml.h"
#include "object/decode.h"
#include "object/encode.h"
#include "object/object.h"
#include "object/proto.h"

struct object_head *codec_decode_value(struct arena *a, const struct resource_desc *resource,
				       const struct store_value *value)
{
	const struct resource_desc *storage = resource_storage(resource);
	struct object_head *obj = arena_alloc(a, storage->type->size);
	struct err err CLEANUP_ERR = {0};
	int r = object_decode(a, storage->type, store_value_text(value), obj, NULL, &err);

	ASSERT(r == 0);
	obj->metadata.resource_version = arena_printf(a, "%lld", (long long)value->mod_revision.n);
	return storage == resource ? obj : convert_from_storage(a, resource, obj);
}

struct json_value *codec_value_tree(struct arena *a, const struct resource_desc *resource,
				    const struct store_value *value)
{
	struct json_value *tree = ARENA_NEW(a, struct json_value);
	struct buf other CLEANUP_BUF = {0};
	struct str text = store_value_text(value);
	struct err err CLEANUP_ERR = {0};
	struct json_value *metadata;
	int r;

	if (resource_storage(resource) != resource) {
		object_encode(&other, resource->type, codec_decode_value(a, resource, value), NULL,
			      NULL);
		text = arena_str(a, buf_str(&other));
	}
	r = json_parse(a, text, NULL, tree, &err);
	ASSERT(r == 0);
	metadata = json_get(tree, STR("metadata"));
	json_set(a, metadata, STR("resourceVersion"),
		 json_make_string(arena_printf(a, "%lld", (long long)value->mod_revision.n)));
	return tree;
}

static struct str media_type(struct str content_type)
{
	struct str head = STR("");

	str_cut(&content_type, ';', &head);
	return str_trim(head);
}

/* The body's kind and apiVersion, if it names them, must be those of the place it was sent to. */
static struct meta_status *check_type_meta(struct request *r, const struct object_head *obj,
					   struct str group, struct str version, struct str kind)
{
	struct str want =
		group.n ? arena_printf(&r->arena, "%.*s/%.*s", STR_ARG(group), STR_ARG(version))
			: version;

	if (version.n && obj->api_version.n && !str_eq(obj->api_version, want)) {
		return status_bad_request(&r->arena,
					  "the API version in the data (%.*s) does not match the "
					  "expected API version (%.*s)",
					  STR_ARG(obj->api_version), STR_ARG(want));
	}
	if (obj->kind.n && !str_eq(obj->kind, kind)) {
		return status_bad_request(
			&r->arena, "%.*s in version \"%.*s\" cannot be handled as a %.*s",
			STR_ARG(obj->kind), STR_ARG(obj->api_version), STR_ARG(kind));
	}
	return NULL;
}

/* Unknown and duplicate fields by ?fieldValidation=. */
static struct meta_status *check_notes(struct request *r, struct str kind,
				       const struct strict_notes *notes)
{
	struct buf b CLEANUP_BUF = {0};

	if (!notes->n || r->options.field_validation == FIELD_VALIDATION_IGNORE) {
		return NULL;
	}
	if (r->options.field_validation == FIELD_VALIDATION_STRICT) {
		strict_notes_write(&b, notes);
		return status_bad_request(
			&r->arena, "%.*s in version \"%s\" cannot be handled as a %.*s: %.*s",
			STR_ARG(kind), r->resource ? r->resource->version : "v1", STR_ARG(kind),
			STR_ARG(buf_str(&b)));
	}
	for (size_t i = 0; i < notes->n; i++) {
		buf_clear(&b);
		strict_note_write(&b, &notes->p[i]);
		request_warn(r, "%.*s", STR_ARG(buf_str(&b)));
	}
	return NULL;
}

static struct meta_status *cannot_decode(struct request *r, struct str kind, const struct err *err)
{
	return status_bad_request(
		&r->arena, "%.*s in version \"%s\" cannot be handled as a %.*s: %s", STR_ARG(kind),
		r->resource ? r->resource->version : "v1", STR_ARG(kind), err_msg(err));
}

static int decode_yaml(struct request *r, const struct type_desc *type, void *obj,
		       struct decode_report *report, struct err *err)
{
	struct json_value tree;
	int code = yaml_parse(&r->arena, r->body,
			      r->options.field_validation == FIELD_VALIDATION_STRICT, &tree, err);

	return code < 0 ? code : object_decode_value(&r->arena, type, &tree, obj, report, err);
}

/* kind and apiVersion travel in the envelope. */
static int decode_protobuf(struct request *r, const struct type_desc *type, void *obj,
			   struct err *err)
{
	struct proto_envelope envelope;
	struct object_head *head = obj;
	int code = proto_read_envelope(r->body, &envelope, err);

	if (code == 0) {
		code = proto_decode(&r->arena, type, envelope.raw, obj, err);
	}
	if (code == 0) {
		head->kind = envelope.kind;
		head->api_version = envelope.api_version;
	}
	return code;
}

void *codec_decode_body(struct request *r, const struct type_desc *type, struct str group,
			struct str version, struct str kind)
{
	struct decode_report report = {.notes = {.arena = &r->arena}};
	struct err err CLEANUP_ERR = {0};
	struct str media = media_type(r->content_type);
	void *obj = arena_alloc(&r->arena, type->size);
	struct meta_status *refusal;
	int code;

	if (media.n == 0 || str_is(media, "application/json") || str_is(media, "*/*")) {
		code = object_decode(&r->arena, type, r->body, obj, &report, &err);
	} else if (str_is(media, "application/yaml")) {
		code = decode_yaml(r, type, obj, &report, &err);
	} else if (str_is(media, "application/vnd.kubernetes.protobuf")) {
		code = decode_protobuf(r, type, obj, &err);
	} else {
		answer_status(r, status_unsupported_media_type(
					 &r->arena, STR("application/json, application/yaml, "
							"application/vnd.kubernetes.protobuf")));
		return NULL;
	}
	refusal = code < 0 ? cannot_decode(r, kind, &err)
			   : check_type_meta(r, obj, group, version, kind);
	if (!refusal) {
		refusal = check_notes(r, kind, &report.notes);
	}
	if (refusal) {
		answer_status(r, refusal);
		return NULL;
	}
	return obj;
}

void *codec_decode_tree(struct request *r, const struct type_desc *type, struct str kind,
			const struct json_value *tree)
{
	struct decode_report report = {.notes = {.arena = &r->arena}};
	struct err err CLEANUP_ERR = {0};
	void *obj = arena_alloc(&r->arena, type->size);
	struct meta_status *refusal;

	if (object_decode_value(&r->arena, type, tree, obj, &report, &err) < 0) {
		refusal = cannot_decode(r, kind, &err);
	} else {
		refusal = check_notes(r, kind, &report.notes);
	}
	if (refusal) {
		answer_status(r, refusal);
		return NULL;
	}
	return obj;
}

struct store_value *codec_encode_value(const struct resource_desc *requested,
				       struct object_head *obj, const struct store_value *base)
{
	const struct resource_desc *resource = resource_storage(requested);
	struct encode_opts opts = {.room_for_revision = true};
	struct encode_marks marks = {0};
	struct buf b CLEANUP_BUF = {0};
	struct store_value *value;
	struct arena a CLEANUP_ARENA = {0};

	if (resource != requested) {
		obj = convert_to_storage(&a, requested, obj,
					 base ? codec_decode_value(&a, resource, base) : NULL);
	}
	obj->kind = str_of(resource->kind);
	obj->api_version = resource->group[0]
				   ? arena_printf(&a, "%s/%s", resource->group, resource->version)
				   : str_of(resource->version);
	object_encode(&b, resource->type, obj, &opts, &marks);
	value = store_value_new(buf_str(&b), marks.revision);
	codec_index_build(resource, value, obj);
	return value;
}

bool codec_same_text(const struct store_value *a, const struct store_value *b)
{
	struct str x = store_value_text(a);
	struct str y = store_value_text(b);

	return a->room_at == b->room_at && x.n - a->room_n == y.n - b->room_n &&
	       str_eq(str_sub(x, 0, a->room_at), str_sub(y, 0, b->room_at)) &&
	       str_eq(str_from(x, a->room_at + a->room_n), str_from(y, b->room_at + b->room_n));
}

static size_t count_selectable(const struct resource_desc *resource)
{
	size_t n = 0;

	while (resource->selectable && resource->selectable[n]) {
		n++;
	}
	return n;
}

/* "spec.nodeName", or "source=source.component,reportingComponent": the label and where its value lies. */
static void split_selectable(const char *text, struct str *ret_label, struct str *ret_paths)
{
	struct str rest = str_of(text);

	str_cut(&rest, '=', ret_label);
	*ret_paths = rest.p ? rest : *ret_label;
}

static struct str selectable_value(struct arena *a, const struct resource_desc *resource,
				   const struct object_head *obj, size_t i)
{
	struct str label;
	struct str paths;
	struct str path;

	split_selectable(resource->selectable[i], &label, &paths);
	while (str_cut(&paths, ',', &path)) {
		struct field_path compiled;
		struct str v = STR("");

		if (field_path_compile(resource->type, path, &compiled) == 0) {
			v = field_path_text(a, &compiled, obj);
		}
		if (v.n) {
			return v;
		}
	}
	return STR("");
}

/* One allocation: the index, the label pairs, the field values, then all the text. */
void codec_index_build(const struct resource_desc *resource, struct store_value *value,
		       const struct object_head *obj)
{
	struct arena a CLEANUP_ARENA = {0};
	const struct str_map *labels = &obj->metadata.labels;
	size_t nfields = count_selectable(resource);
	struct str *fields = ARENA_ARRAY(&a, nfields, struct str);
	struct value_index *index;
	size_t bytes = sizeof(*index) + labels->n * sizeof(*labels->p) + nfields * sizeof(*fields);
	char *at;

	for (size_t i = 0; i < nfields; i++) {
		fields[i] = selectable_value(&a, resource, obj, i);
		bytes += fields[i].n;
	}
	for (size_t i = 0; i < labels->n; i++) {
		bytes += labels->p[i].key.n + labels->p[i].value.n;
	}
	index = mem_new(bytes);
	index->labels = (struct str_map){(struct str_pair *)(index + 1), labels->n};
	index->fields = (struct str *)(index->labels.p + labels->n);
	at = (char *)(index->fields + nfields);
#define TAKE(to, s)                                                                                \
	do {                                                                                       \
		if ((s).n) {                                                                       \
			memcpy(at, (s).p, (s).n);                                                  \
		}                                                                                  \
		(to) = str_make(at, (s).n);                                                        \
		at += (s).n;                                                                       \
	} while (0)
	for (size_t i = 0; i < labels->n; i++) {
		TAKE(index->labels.p[i].key, labels->p[i].key);
		TAKE(index->labels.p[i].value, labels->p[i].value);
	}
	for (size_t i = 0; i < nfields; i++) {
		TAKE(index->fields[i], fields[i]);
	}
#undef TAKE
	value->derived = index;
	value->free_derived = mem_free;
}

const struct value_index *codec_index(const struct resource_desc *resource,
				      const struct store_value *value)
{
	if (!value->derived) {
		struct arena a CLEANUP_ARENA = {0};
		const struct resource_desc *storage = resource_storage(resource);
		const struct object_head *obj = codec_decode_value(&a, storage, value);

		/* A value read from disk: derived data is the loop thread's to add. */
		codec_index_build(storage, (struct store_value *)value, obj);
	}
	return value->derived;
}

/* The value of a field label: name and namespace come from the key. */
static struct str field_value(const struct resource_desc *resource, const struct value_index *index,
			      struct str label, struct str tail)
{
	const struct resource_desc *storage = resource_storage(resource);
	struct str ns = STR_NULL;

	if (resource->namespaced) {
		str_cut(&tail, '/', &ns);
	}
	if (str_is(label, "metadata.name")) {
		return tail;
	}
	if (str_is(label, "metadata.namespace")) {
		return ns;
	}
	for (size_t i = 0; storage->selectable && storage->selectable[i]; i++) {
		struct str name;
		struct str paths;

		split_selectable(storage->selectable[i], &name, &paths);
		if (str_eq(name, label)) {
			return index->fields[i];
		}
	}
	return STR("");
}

bool codec_matches(const struct resource_desc *resource, const struct request_options *options,
		   struct str tail, const struct store_value *value)
{
	const struct value_index *index;

	if (!options->has_labels && !options->has_fields) {
		return true;
	}
	index = codec_index(resource, value);
	if (options->has_labels && !selector_matches(&options->labels, &index->labels)) {
		return false;
	}
	for (size_t i = 0; options->has_fields && i < options->fields.n; i++) {
		const struct selector_term *t = &options->fields.terms[i];
		bool equal = str_eq(field_value(resource, index, t->key, tail), t->values.p[0]);

		if (equal != (t->op == SELECTOR_IN)) {
			return false;
		}
	}
	return true;
}
