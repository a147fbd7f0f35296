/* SPDX-License-Identifier: Apache-2.0 */
#include "kubelet/images/oci.h"

#include "codec/json.h"
#include "kubelet/images/reference.h"

/* A missing object has no members. */
static const struct json_value *member(const struct json_value *v, struct str key)
{
	return v ? json_get(v, key) : NULL;
}

static int parse(struct arena *arena, struct str text, const char *what, struct json_value *ret,
		 struct err *err)
{
	int r;

	if (text.n > OCI_DOCUMENT_MAX) {
		return err_set(err, ERR_LIMIT, "the image's %s is longer than %d bytes", what,
			       OCI_DOCUMENT_MAX);
	}
	r = json_parse(arena, text, NULL, ret, err);
	if (r < 0) {
		return err_wrap(err, "the image's %s is not JSON", what);
	}
	return 0;
}

/* Absent, null or a string; other kinds are ERR_INVALID. */
static int get_string(const struct json_value *object, struct str key, struct str *ret,
		      struct err *err)
{
	const struct json_value *v = member(object, key);

	*ret = STR_NULL;
	if (!v || v->kind == JSON_NULL) {
		return 0;
	}
	if (v->kind != JSON_STRING) {
		return err_set(err, ERR_INVALID, "image document: %.*s is a %s, not a string",
			       STR_ARG(key), json_kind_name(v));
	}
	if (memchr(json_str(v).p, '\0', json_str(v).n)) {
		return err_set(err, ERR_INVALID, "image document: %.*s contains a NUL",
			       STR_ARG(key));
	}
	*ret = json_str(v);
	return 0;
}

/* Absent, null or an array of strings. */
static int get_strings(struct arena *arena, const struct json_value *object, struct str key,
		       struct str_list *ret, struct err *err)
{
	const struct json_value *v = member(object, key);

	*ret = (struct str_list){0};
	if (!v || v->kind == JSON_NULL) {
		return 0;
	}
	if (v->kind != JSON_ARRAY || v->n > OCI_STRINGS_MAX) {
		return err_set(err, ERR_INVALID,
			       "image document: %.*s is no array of at most %d strings",
			       STR_ARG(key), OCI_STRINGS_MAX);
	}
	ret->p = ARENA_ARRAY(arena, v->n, struct str);
	for (size_t i = 0; i < v->n; i++) {
		if (v->items[i].kind != JSON_STRING ||
		    memchr(v->items[i].str, '\0', v->items[i].n)) {
			return err_set(err, ERR_INVALID, "image document: %.*s[%zu] is no string",
				       STR_ARG(key), i);
		}
		ret->p[i] = json_str(&v->items[i]);
	}
	ret->n = v->n;
	return 0;
}

/* The keys of an object, as in {"/data": {}}. */
static int get_set(struct arena *arena, const struct json_value *object, struct str key,
		   struct str_list *ret, struct err *err)
{
	const struct json_value *v = member(object, key);

	*ret = (struct str_list){0};
	if (!v || v->kind == JSON_NULL) {
		return 0;
	}
	if (v->kind != JSON_OBJECT || v->n > OCI_STRINGS_MAX) {
		return err_set(err, ERR_INVALID, "image document: %.*s is no object", STR_ARG(key));
	}
	ret->p = ARENA_ARRAY(arena, v->n, struct str);
	for (size_t i = 0; i < v->n; i++) {
		ret->p[i] = v->members[i].key;
	}
	ret->n = v->n;
	return 0;
}

static int get_descriptor(const struct json_value *v, struct oci_descriptor *ret, struct err *err)
{
	const struct json_value *size = member(v, STR("size"));
	const struct json_value *annotations = member(v, STR("annotations"));
	const struct json_value *platform = member(v, STR("platform"));
	struct str attestation = STR_NULL;
	int r = get_string(v, STR("digest"), &ret->digest, err);

	if (r < 0) {
		return r;
	}
	if (!reference_is_digest(ret->digest)) {
		return err_set(err, ERR_UNSUPPORTED, "image document: \"%.*s\" is no sha256 digest",
			       (int)MIN(ret->digest.n, (size_t)200),
			       ret->digest.p ? ret->digest.p : "");
	}
	ret->size = size && size->kind == JSON_INT && size->num >= 0 ? size->num : -1;
	if ((r = get_string(v, STR("mediaType"), &ret->media_type, err)) < 0 ||
	    (r = get_string(platform, STR("os"), &ret->os, err)) < 0 ||
	    (r = get_string(platform, STR("architecture"), &ret->architecture, err)) < 0 ||
	    (r = get_string(platform, STR("variant"), &ret->variant, err)) < 0 ||
	    (r = get_string(annotations, STR("io.containerd.image.name"), &ret->ref_name, err)) <
		    0 ||
	    (r = get_string(annotations, STR("vnd.docker.reference.type"), &attestation, err)) <
		    0) {
		return r;
	}
	ret->is_attestation = attestation.p != NULL;
	/* containerd's full name is better than the specification's, which may be a bare tag */
	return ret->ref_name.p ? 0
			       : get_string(annotations, STR("org.opencontainers.image.ref.name"),
					    &ret->ref_name, err);
}

static int get_descriptors(struct arena *arena, const struct json_value *doc, struct str key,
			   size_t max, struct oci_descriptor **ret, size_t *ret_n, struct err *err)
{
	const struct json_value *v = member(doc, key);

	if (!v || v->kind != JSON_ARRAY) {
		return err_set(err, ERR_INVALID, "image document: it has no array \"%.*s\"",
			       STR_ARG(key));
	}
	if (v->n > max) {
		return err_set(err, ERR_LIMIT, "image document: %u %.*s, more than %zu", v->n,
			       STR_ARG(key), max);
	}
	*ret = ARENA_ARRAY(arena, v->n, struct oci_descriptor);
	for (size_t i = 0; i < v->n; i++) {
		int r = get_descriptor(&v->items[i], &(*ret)[i], err);

		if (r < 0) {
			return r;
		}
	}
	*ret_n = v->n;
	return 0;
}

bool oci_is_index(struct str media_type)
{
	return str_is(media_type, "application/vnd.oci.image.index.v1+json") ||
	       str_is(media_type, "application/vnd.docker.distribution.manifest.list.v2+json");
}

int oci_index_parse(struct arena *arena, struct str text, struct oci_index *ret, struct err *err)
{
	struct json_value doc;
	int r = parse(arena, text, "index", &doc, err);

	return r < 0 ? r
		     : get_descriptors(arena, &doc, STR("manifests"), OCI_MANIFESTS_MAX,
				       &ret->manifests, &ret->n, err);
}

int oci_manifest_parse(struct arena *arena, struct str text, struct oci_manifest *ret,
		       struct err *err)
{
	const struct json_value *config;
	struct json_value doc;
	int r = parse(arena, text, "manifest", &doc, err);

	if (r < 0) {
		return r;
	}
	config = member(&doc, STR("config"));
	if (!config || config->kind != JSON_OBJECT) {
		return err_set(
			err, ERR_INVALID,
			"the image's manifest names no config (schema 1 images are not supported)");
	}
	r = get_descriptor(config, &ret->config, err);
	return r < 0 ? r
		     : get_descriptors(arena, &doc, STR("layers"), OCI_LAYERS_MAX, &ret->layers,
				       &ret->n_layers, err);
}

static int get_diff_ids(struct arena *arena, const struct json_value *rootfs,
			struct oci_config *ret, struct err *err)
{
	int r = get_strings(arena, rootfs, STR("diff_ids"), &ret->diff_ids, err);

	if (r < 0) {
		return r;
	}
	if (ret->diff_ids.n > OCI_LAYERS_MAX) {
		return err_set(err, ERR_LIMIT, "the image has %zu layers, more than %d",
			       ret->diff_ids.n, OCI_LAYERS_MAX);
	}
	for (size_t i = 0; i < ret->diff_ids.n; i++) {
		if (!reference_is_digest(ret->diff_ids.p[i])) {
			return err_set(err, ERR_INVALID,
				       "the image's config: diff_ids[%zu] is no sha256 digest", i);
		}
	}
	return 0;
}

static int get_config(struct arena *arena, const struct json_value *doc, struct oci_config *ret,
		      struct err *err)
{
	const struct json_value *run = member(doc, STR("config"));
	int r;

	if ((r = get_string(doc, STR("architecture"), &ret->architecture, err)) < 0 ||
	    (r = get_string(doc, STR("os"), &ret->os, err)) < 0 ||
	    (r = get_string(doc, STR("created"), &ret->created, err)) < 0 ||
	    (r = get_string(run, STR("User"), &ret->user, err)) < 0 ||
	    (r = get_string(run, STR("WorkingDir"), &ret->working_dir, err)) < 0 ||
	    (r = get_string(run, STR("StopSignal"), &ret->stop_signal, err)) < 0 ||
	    (r = get_strings(arena, run, STR("Env"), &ret->env, err)) < 0 ||
	    (r = get_strings(arena, run, STR("Entrypoint"), &ret->entrypoint, err)) < 0 ||
	    (r = get_strings(arena, run, STR("Cmd"), &ret->cmd, err)) < 0 ||
	    (r = get_set(arena, run, STR("Volumes"), &ret->volumes, err)) < 0 ||
	    (r = get_set(arena, run, STR("ExposedPorts"), &ret->exposed_ports, err)) < 0) {
		return r;
	}
	return get_diff_ids(arena, member(doc, STR("rootfs")), ret, err);
}

int oci_config_parse(struct arena *arena, struct str text, struct oci_config *ret, struct err *err)
{
	struct json_value doc;
	int r = parse(arena, text, "config", &doc, err);

	return r < 0 ? r : get_config(arena, &doc, ret, err);
}

int oci_docker_manifest_parse(struct arena *arena, struct str text, struct oci_docker_manifest *ret,
			      struct err *err)
{
	struct json_value doc;
	int r = parse(arena, text, "manifest.json", &doc, err);

	if (r < 0) {
		return r;
	}
	if (doc.kind != JSON_ARRAY || doc.n > OCI_MANIFESTS_MAX) {
		return err_set(err, ERR_INVALID, "manifest.json is no array of at most %d images",
			       OCI_MANIFESTS_MAX);
	}
	ret->images = ARENA_ARRAY(arena, doc.n, struct oci_docker_image);
	ret->n = doc.n;
	for (size_t i = 0; i < doc.n; i++) {
		struct oci_docker_image *image = &ret->images[i];

		if ((r = get_string(&doc.items[i], STR("Config"), &image->config, err)) < 0 ||
		    (r = get_strings(arena, &doc.items[i], STR("RepoTags"), &image->names, err)) <
			    0 ||
		    (r = get_strings(arena, &doc.items[i], STR("Layers"), &image->layers, err)) <
			    0) {
			return r;
		}
		if (!image->config.p || image->layers.n > OCI_LAYERS_MAX) {
			return err_set(
				err, ERR_INVALID,
				"manifest.json: image %zu has no Config or more than %d layers", i,
				OCI_LAYERS_MAX);
		}
	}
	return 0;
}

/* ---- records: an OCI config without what nobody needs, and three names of our own ---- */

static void write_string(struct buf *out, const char *key, struct str s)
{
	if (s.p) {
		buf_printf(out, ",\"%s\":", key);
		json_write_string(out, s);
	}
}

static void write_strings(struct buf *out, const char *key, struct str_list list)
{
	buf_printf(out, "\"%s\":[", key);
	for (size_t i = 0; i < list.n; i++) {
		if (i) {
			buf_add_char(out, ',');
		}
		json_write_string(out, list.p[i]);
	}
	buf_add_char(out, ']');
}

static void write_set(struct buf *out, const char *key, struct str_list list)
{
	buf_printf(out, ",\"%s\":{", key);
	for (size_t i = 0; i < list.n; i++) {
		if (i) {
			buf_add_char(out, ',');
		}
		json_write_string(out, list.p[i]);
		buf_puts(out, ":{}");
	}
	buf_add_char(out, '}');
}

void oci_record_write(struct buf *out, const struct oci_record *record)
{
	const struct oci_config *c = &record->config;

	buf_printf(out, "{\"coxSize\":%lld", (long long)record->size_bytes);
	write_string(out, "coxId", record->id);
	write_string(out, "coxDigest", record->digest);
	write_string(out, "architecture", c->architecture);
	write_string(out, "os", c->os);
	write_string(out, "created", c->created);
	buf_puts(out, ",\"config\":{");
	write_strings(out, "Env", c->env);
	buf_add_char(out, ',');
	write_strings(out, "Entrypoint", c->entrypoint);
	buf_add_char(out, ',');
	write_strings(out, "Cmd", c->cmd);
	write_string(out, "User", c->user);
	write_string(out, "WorkingDir", c->working_dir);
	write_string(out, "StopSignal", c->stop_signal);
	write_set(out, "Volumes", c->volumes);
	write_set(out, "ExposedPorts", c->exposed_ports);
	buf_puts(out, "},\"rootfs\":{");
	write_strings(out, "diff_ids", c->diff_ids);
	buf_puts(out, "}}");
}

int oci_record_read(struct arena *arena, struct str text, struct oci_record *ret, struct err *err)
{
	const struct json_value *size;
	struct json_value doc;
	int r = parse(arena, text, "record", &doc, err);

	if (r < 0 || (r = get_string(&doc, STR("coxId"), &ret->id, err)) < 0 ||
	    (r = get_string(&doc, STR("coxDigest"), &ret->digest, err)) < 0 ||
	    (r = get_config(arena, &doc, &ret->config, err)) < 0) {
		return r;
	}
	size = member(&doc, STR("coxSize"));
	if (!reference_is_digest(ret->id) || !reference_is_digest(ret->digest) || !size ||
	    size->kind != JSON_INT || size->num < 0) {
		return err_set(err, ERR_CORRUPT, "an image record lacks its id, digest or size");
	}
	ret->size_bytes = size->num;
	return 0;
}
