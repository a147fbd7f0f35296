/* SPDX-License-Identifier: Apache-2.0 */
/* OpenAPI documents are written afresh for each request, from the descriptors: they are asked for rarely and would be megabytes to keep.
 * Clients cache them by the hash in the URL. */
#include "apiserver/openapi.h"

#include "apiserver/apiserver_internal.h"
#include "base/map.h"
#include "base/version.h"
#include "codec/json.h"
#include "crypto/digest.h"

#define JSON_TYPE "application/json"
#define META_PREFIX "io.k8s.apimachinery.pkg."

struct doc {
	struct buf *out;
	const char *ref;   /* "#/components/schemas/" or "#/definitions/" */
	struct map wanted; /* type_desc pointers as keys */
	VEC(const struct type_desc *) types;
};

/* k8s.io.api.apps.v1.Deployment -> io.k8s.api.apps.v1.Deployment; underscores of Go packages were dashes. */
static void write_type_name(struct buf *out, const struct type_desc *type)
{
	struct str name = str_of(type->proto_name);
	struct str prefix = STR("k8s.io.");

	if (str_has_prefix(name, prefix)) {
		buf_puts(out, "io.k8s.");
		name = str_from(name, prefix.n);
	}
	for (size_t i = 0; i < name.n; i++) {
		buf_add_char(out, name.p[i] == '_' ? '-' : name.p[i]);
	}
}

static void want(struct doc *d, const struct type_desc *type)
{
	struct str key = str_make(&type, sizeof(type));

	if (!map_find(&d->wanted, key)) {
		map_put(&d->wanted, key, (void *)type);
		*vec_push(&d->types) = type;
	}
}

static void write_ref(struct doc *d, const struct type_desc *type)
{
	want(d, type);
	buf_printf(d->out, "\"$ref\":\"%s", d->ref);
	write_type_name(d->out, type);
	buf_puts(d->out, "\"");
}

static const struct {
	enum field_type type;
	const char *schema; /* members of the schema object */
} scalars[] = {
	{FIELD_STRING, "\"type\":\"string\""},
	{FIELD_BOOL, "\"type\":\"boolean\""},
	{FIELD_INT32, "\"type\":\"integer\",\"format\":\"int32\""},
	{FIELD_INT64, "\"type\":\"integer\",\"format\":\"int64\""},
	{FIELD_DOUBLE, "\"type\":\"number\",\"format\":\"double\""},
	{FIELD_BYTES, "\"type\":\"string\",\"format\":\"byte\""},
	{FIELD_TIME, "\"type\":\"string\",\"format\":\"date-time\""},
	{FIELD_MICRO_TIME, "\"type\":\"string\",\"format\":\"date-time\""},
	{FIELD_DURATION, "\"type\":\"string\""},
	{FIELD_RAW, "\"type\":\"object\""},
	{FIELD_STRINGS, "\"type\":\"array\",\"items\":{\"type\":\"string\",\"default\":\"\"}"},
};

/* The members of a schema for one value of the field. */
static void write_value_schema(struct doc *d, const struct field_desc *f)
{
	if (f->type == FIELD_MESSAGE) {
		write_ref(d, f->message);
		return;
	}
	if (f->type == FIELD_QUANTITY) {
		buf_printf(d->out, "\"$ref\":\"%s" META_PREFIX "api.resource.Quantity\"", d->ref);
		return;
	}
	if (f->type == FIELD_INT_OR_STRING) {
		buf_printf(d->out, "\"$ref\":\"%s" META_PREFIX "util.intstr.IntOrString\"", d->ref);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(scalars); i++) {
		if (scalars[i].type == f->type) {
			buf_printf(d->out, "%s", scalars[i].schema);
		}
	}
	if (f->enum_values && f->flags & FIELD_ENUM_CLOSED) {
		buf_puts(d->out, ",\"enum\":[");
		for (size_t i = 0; f->enum_values[i]; i++) {
			buf_printf(d->out, "%s\"%s\"", i ? "," : "", f->enum_values[i]);
		}
		buf_puts(d->out, "]");
	}
}

static bool is_ref(const struct field_desc *f)
{
	return f->type == FIELD_MESSAGE || f->type == FIELD_QUANTITY ||
	       f->type == FIELD_INT_OR_STRING;
}

static void write_string_member(struct buf *out, const char *key, struct str value)
{
	buf_printf(out, ",\"%s\":", key);
	json_write_string(out, value);
}

static void write_list_extensions(struct doc *d, const struct field_desc *f)
{
	static const char *const kinds[] = {
		[LIST_ATOMIC] = "atomic", [LIST_SET] = "set", [LIST_MAP] = "map"};

	buf_printf(d->out, ",\"x-kubernetes-list-type\":\"%s\"", kinds[f->list]);
	if (f->list == LIST_MAP && f->list_keys) {
		buf_puts(d->out, ",\"x-kubernetes-list-map-keys\":[");
		for (size_t i = 0; f->list_keys[i]; i++) {
			buf_printf(d->out, "%s\"%s\"", i ? "," : "", f->list_keys[i]);
		}
		buf_puts(d->out, "]");
	}
}

static void write_patch_extensions(struct doc *d, const struct field_desc *f)
{
	bool merge = f->flags & FIELD_PATCH_MERGE;
	bool retain = f->flags & FIELD_PATCH_RETAIN_KEYS;

	if (merge || retain) {
		buf_printf(d->out, ",\"x-kubernetes-patch-strategy\":\"%s\"",
			   merge && retain ? "merge,retainKeys"
			   : merge	   ? "merge"
					   : "retainKeys");
	}
	if (f->patch_merge_key) {
		buf_printf(d->out, ",\"x-kubernetes-patch-merge-key\":\"%s\"", f->patch_merge_key);
	}
}

static void write_property(struct doc *d, const struct field_desc *f)
{
	struct buf *out = d->out;

	json_write_string(out, str_make(f->name, f->name_len));
	buf_puts(out, ":{");
	if (f->shape == SHAPE_LIST) {
		buf_puts(out, "\"type\":\"array\",\"items\":{");
		write_value_schema(d, f);
		buf_puts(out, "}");
		write_list_extensions(d, f);
		write_patch_extensions(d, f);
	} else if (f->shape == SHAPE_MAP) {
		buf_puts(out, "\"type\":\"object\",\"additionalProperties\":{");
		write_value_schema(d, f);
		buf_puts(out, "}");
	} else if (is_ref(f)) {
		/* Beside a $ref nothing else counts, so that descriptions need a wrapper. */
		buf_puts(out, "\"allOf\":[{");
		write_value_schema(d, f);
		buf_puts(out, "}]");
		write_patch_extensions(d, f);
	} else {
		write_value_schema(d, f);
	}
	if (f->flags & FIELD_ATOMIC) {
		buf_puts(out, ",\"x-kubernetes-map-type\":\"atomic\"");
	}
	if (f->default_json) {
		buf_printf(out, ",\"default\":%s", f->default_json);
	}
	if (f->doc) {
		write_string_member(out, "description", str_of(f->doc));
	}
	buf_puts(out, "}");
}

static void write_required(struct doc *d, const struct type_desc *type)
{
	bool any = false;

	for (size_t i = 0; i < type->nfields; i++) {
		if (type->fields[i].flags & FIELD_REQUIRED) {
			buf_printf(d->out, "%s\"%s\"", any ? "," : ",\"required\":[",
				   type->fields[i].name);
			any = true;
		}
	}
	if (any) {
		buf_puts(d->out, "]");
	}
}

static void write_kind(struct buf *out, const char *group, const char *version, const char *kind)
{
	buf_printf(out, "{\"group\":\"%s\",\"version\":\"%s\",\"kind\":\"%s\"}", group, version,
		   kind);
}

static void write_type_kinds(struct doc *d, const struct type_desc *type)
{
	bool any = false;

	for (size_t i = 0; i < all_resources_n; i++) {
		const struct resource_desc *r = all_resources[i];
		const char *kind = r->type == type	  ? r->kind
				   : r->list_type == type ? r->list_kind
							  : NULL;

		if (kind) {
			buf_add_str(d->out,
				    any ? STR(",") : STR(",\"x-kubernetes-group-version-kind\":["));
			write_kind(d->out, r->group, r->version, kind);
			any = true;
		}
	}
	if (any) {
		buf_puts(d->out, "]");
	}
}

static void write_schema(struct doc *d, const struct type_desc *type)
{
	buf_puts(d->out, "\"");
	write_type_name(d->out, type);
	if (type->form != FORM_OBJECT) { /* a schema, or what may stand instead */
		buf_puts(d->out, "\":{\"description\":\"a schema, or the short form that may stand "
				 "in its place\"}");
		return;
	}
	buf_puts(d->out, "\":{\"type\":\"object\"");
	if (type->doc) {
		write_string_member(d->out, "description", str_of(type->doc));
	}
	if (type->nfields) {
		buf_puts(d->out, ",\"properties\":{");
		for (size_t i = 0; i < type->nfields; i++) {
			buf_add_str(d->out, i ? STR(",") : STR(""));
			write_property(d, &type->fields[i]);
		}
		buf_puts(d->out, "}");
	}
	write_required(d, type);
	write_type_kinds(d, type);
	buf_puts(d->out, "}");
}

/* Everything that was asked for, and what that refers to in turn. */
static void write_schemas(struct doc *d)
{
	buf_puts(d->out,
		 "\"" META_PREFIX "api.resource.Quantity\":{\"type\":\"string\",\"description\":"
		 "\"a number with an optional suffix: "
		 "100m, 2, 1.5Gi\"},\"" META_PREFIX
		 "util.intstr.IntOrString\":{\"type\":\"string\",\"format\":\"int-or-string\","
		 "\"description\":\"a number or a string\"}");
	for (size_t i = 0; i < d->types.n; i++) {
		buf_puts(d->out, ",");
		write_schema(d, d->types.p[i]);
	}
}

/* ---- paths ---- */

static const char *const write_params[] = {"dryRun", "fieldManager", "fieldValidation"};

static void write_operation(struct doc *d, const struct resource_desc *r, const char *method,
			    const char *action, bool writes, bool *first)
{
	buf_printf(d->out,
		   "%s\"%s\":{\"x-kubernetes-action\":\"%s\",\"x-kubernetes-group-version-kind\":",
		   *first ? "" : ",", method, action);
	*first = false;
	write_kind(d->out, r->group, r->version, r->kind);
	buf_puts(d->out, ",\"parameters\":[");
	for (size_t i = 0; writes && i < ARRAY_LEN(write_params); i++) {
		buf_printf(d->out,
			   "%s{\"name\":\"%s\",\"in\":\"query\",\"schema\":{\"type\":\"string\","
			   "\"uniqueItems\":true}}",
			   i ? "," : "", write_params[i]);
	}
	buf_puts(d->out, "],\"responses\":{\"200\":{\"description\":\"OK\",\"content\":{"
			 "\"application/json\":{\"schema\":{");
	write_ref(d, strcmp(action, "list") == 0 ? r->list_type : r->type);
	buf_puts(d->out, "}}}}}}");
}

static void write_resource_paths(struct doc *d, const struct resource_desc *r)
{
	const char *prefix = r->group[0] ? "/apis/" : "/api";
	const char *ns = r->namespaced ? "/namespaces/{namespace}" : "";
	bool first = true;

	buf_printf(d->out, "\"%s%s/%s%s/%s\":{", prefix, r->group, r->version, ns, r->resource);
	if (r->verbs & VERB_LIST && r->list_type) {
		write_operation(d, r, "get", "list", false, &first);
	}
	if (r->verbs & VERB_CREATE) {
		write_operation(d, r, "post", "post", true, &first);
	}
	if (r->verbs & VERB_DELETECOLLECTION) {
		write_operation(d, r, "delete", "deletecollection", false, &first);
	}
	buf_puts(d->out, "}");
	if (!(r->verbs & VERB_GET)) {
		return;
	}
	first = true;
	buf_printf(d->out, ",\"%s%s/%s%s/%s/{name}\":{", prefix, r->group, r->version, ns,
		   r->resource);
	write_operation(d, r, "get", "get", false, &first);
	if (r->verbs & VERB_UPDATE) {
		write_operation(d, r, "put", "put", true, &first);
	}
	if (r->verbs & VERB_PATCH) {
		write_operation(d, r, "patch", "patch", true, &first);
	}
	if (r->verbs & VERB_DELETE) {
		write_operation(d, r, "delete", "delete", false, &first);
	}
	buf_puts(d->out, "}");
}

static bool in_group_version(const struct resource_desc *r, struct str group, struct str version)
{
	return str_eq(group, str_of(r->group)) &&
	       (!version.p || str_eq(version, str_of(r->version)));
}

/* Paths of one group-version, or of everything (version unset and group unset). Returns whether there were any. */
static bool write_paths(struct doc *d, bool all, struct str group, struct str version)
{
	bool any = false;

	for (size_t i = 0; i < all_resources_n; i++) {
		const struct resource_desc *r = all_resources[i];

		if (all || in_group_version(r, group, version)) {
			buf_add_str(d->out, any ? STR(",") : STR(""));
			any = true;
			write_resource_paths(d, r);
			for (size_t j = 0; j < r->nsubresources; j++) {
				want(d, r->subresources[j].type);
			}
		}
	}
	return any;
}

static void doc_fini(struct doc *d)
{
	map_fini(&d->wanted);
	vec_fini(&d->types);
}

static bool write_v3(struct buf *out, struct str group, struct str version)
{
	struct doc d = {.out = out, .ref = "#/components/schemas/"};
	bool any;

	map_init(&d.wanted, 0);
	buf_puts(out, "{\"openapi\":\"3.0.0\",\"info\":{\"title\":\"Kubernetes\",\"version\":"
		      "\"" KUBERNETES_VERSION "\"},\"paths\":{");
	any = write_paths(&d, false, group, version);
	buf_puts(out, "},\"components\":{\"schemas\":{");
	write_schemas(&d);
	buf_puts(out, "}}}\n");
	doc_fini(&d);
	return any;
}

static struct str hash_of(struct arena *a, struct str text)
{
	struct sha256 digest = sha256_of(text);
	struct buf hex CLEANUP_BUF = {0};

	hex_encode(&hex, digest.bytes, sizeof(digest.bytes));
	return arena_str(a, buf_str(&hex));
}

enum stage_result openapi_v3_index(struct request *r, struct str rest UNUSED)
{
	struct buf b CLEANUP_BUF = {0};

	buf_puts(&b, "{\"paths\":{");
	for (size_t i = 0; i < all_resources_n; i++) {
		const struct resource_desc *res = all_resources[i];
		struct buf doc CLEANUP_BUF = {0};
		struct str hash;

		if (i && in_group_version(all_resources[i - 1], str_of(res->group),
					  str_of(res->version))) {
			continue;
		}
		write_v3(&doc, str_of(res->group), str_of(res->version));
		hash = hash_of(&r->arena, buf_str(&doc));
		buf_printf(
			&b,
			"%s\"%s%s%s%s\":{\"serverRelativeURL\":\"/openapi/v3/%s%s%s%s?hash=%.*s\"}",
			i ? "," : "", res->group[0] ? "apis/" : "api", res->group, "/",
			res->version, res->group[0] ? "apis/" : "api", res->group, "/",
			res->version, STR_ARG(hash));
	}
	buf_puts(&b, "}}\n");
	return answer_bytes(r, 200, JSON_TYPE, arena_str(&r->arena, buf_str(&b)));
}

enum stage_result openapi_v3_document(struct request *r, struct str rest)
{
	struct str group = STR("");
	struct str version = rest;
	struct buf b CLEANUP_BUF = {0};
	struct str hash;

	if (str_has_prefix(rest, STR("apis/"))) {
		version = str_from(rest, 5);
		str_cut(&version, '/', &group);
	} else if (str_has_prefix(rest, STR("api/"))) {
		version = str_from(rest, 4);
	}
	if (!version.n || !write_v3(&b, group, version)) {
		return answer_status(r, status_path_not_found(&r->arena));
	}
	hash = hash_of(&r->arena, buf_str(&b));
	answer_bytes(r, 200, JSON_TYPE, arena_str(&r->arena, buf_str(&b)));
	r->answer.etag = arena_printf(&r->arena, "\"%.*s\"", STR_ARG(hash)).p;
	return STAGE_ANSWERED;
}

enum stage_result openapi_v2(struct request *r, struct str rest UNUSED)
{
	struct buf b CLEANUP_BUF = {0};
	struct doc d = {.out = &b, .ref = "#/definitions/"};

	/* Clients that only read the protobuf form of version 2 are told so; those of the last years read version 3. */
	if (r->accept.n && !str_contains(r->accept, STR("json")) &&
	    !str_contains(r->accept, STR("*/*"))) {
		return answer_status(r, status_not_acceptable(&r->arena, STR(JSON_TYPE)));
	}
	map_init(&d.wanted, 0);
	buf_puts(&b, "{\"swagger\":\"2.0\",\"info\":{\"title\":\"Kubernetes\",\"version\":"
		     "\"" KUBERNETES_VERSION "\"},\"paths\":{");
	write_paths(&d, true, STR_NULL, STR_NULL);
	buf_puts(&b, "},\"definitions\":{");
	write_schemas(&d);
	buf_puts(&b, "}}\n");
	doc_fini(&d);
	return answer_bytes(r, 200, JSON_TYPE, arena_str(&r->arena, buf_str(&b)));
}
