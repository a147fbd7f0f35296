/* SPDX-License-Identifier: Apache-2.0 */
/* ConfigMaps and Secrets. What stands in a Secret is never shown. */
#include "codec/json.h"
#include "object/object.h"
#include "rules/check.h"
#include "rules/selector.h"
#include "rules/strategy.h"
#include "types/types.h"

enum { DATA_BYTES_MAX = 1024 * 1024 };

static bool is_true(const bool *b)
{
	return b && *b;
}

static size_t check_keys(struct field_errors *errs, const struct path *at,
			 const struct str_map *data)
{
	size_t bytes = 0;

	for (size_t i = 0; i < data->n; i++) {
		check_name(errs, AT_KEY(at, data->p[i].key), data->p[i].key, config_map_key_faults);
		bytes += data->p[i].value.n;
	}
	return bytes;
}

static void check_frozen(struct field_errors *errs, const struct path *at,
			 const struct type_desc *type, const void *obj, const void *old,
			 const char *field)
{
	if (!field_equal(type_find_field(type, str_of(field)), obj, old)) {
		field_forbidden(errs, at, "field is immutable when `immutable` is set");
	}
}

static void config_map_validate(struct field_errors *errs, const void *obj, const void *old_obj)
{
	const struct core_config_map *cm = obj;
	const struct core_config_map *old = old_obj;
	size_t bytes = check_keys(errs, AT(NULL, "data"), &cm->data);

	bytes += check_keys(errs, AT(NULL, "binaryData"), &cm->binary_data);
	for (size_t i = 0; i < cm->data.n; i++) {
		if (str_map_find(&cm->binary_data, cm->data.p[i].key)) {
			field_invalid(errs, AT_KEY(AT(NULL, "data"), cm->data.p[i].key),
				      field_str(cm->data.p[i].key),
				      "duplicate of key present in binaryData");
		}
	}
	if (bytes > DATA_BYTES_MAX) {
		field_too_long(errs, AT(NULL, ""), DATA_BYTES_MAX);
	}
	if (!old || !is_true(old->immutable)) {
		return;
	}
	if (!is_true(cm->immutable)) {
		field_forbidden(errs, AT(NULL, "immutable"),
				"field is immutable when `immutable` is set");
	}
	check_frozen(errs, AT(NULL, "data"), &type_core_config_map, cm, old, "data");
	check_frozen(errs, AT(NULL, "binaryData"), &type_core_config_map, cm, old, "binaryData");
}

/* stringData is for writing only: it goes over what stands in data. */
static void secret_defaults(struct arena *a, void *obj)
{
	struct core_secret *s = obj;
	const struct str_map *text = &s->string_data;
	struct str_pair *p;
	size_t n = 0;
	size_t i = 0;
	size_t j = 0;

	if (!text->n) {
		s->string_data = (struct str_map){0};
		return;
	}
	p = ARENA_ARRAY(a, s->data.n + text->n, struct str_pair);
	while (i < s->data.n || j < text->n) {
		int c = i == s->data.n ? 1
			: j == text->n ? -1
				       : str_cmp(s->data.p[i].key, text->p[j].key);

		if (c < 0) {
			p[n++] = s->data.p[i++];
		} else {
			i += c == 0;
			p[n++] = text->p[j++];
		}
	}
	s->data = (struct str_map){p, n};
	s->string_data = (struct str_map){0};
}

static bool is_json_object(struct arena *a, struct str text, struct err *err)
{
	struct json_value v;

	if (json_parse(a, text, NULL, &v, err) < 0) {
		return false;
	}
	if (v.kind != JSON_OBJECT) {
		err_set(err, ERR_INVALID, "an object is wanted");
		return false;
	}
	return true;
}

/* A key that must be there and hold JSON: what kubectl create secret docker-registry makes. */
static void check_docker_config(struct field_errors *errs, const struct path *at,
				const struct core_secret *s, struct str key)
{
	struct err err CLEANUP_ERR = {0};
	const struct str *value = str_map_find(&s->data, key);

	if (!value) {
		field_required(errs, AT_KEY(at, key), NULL);
	} else if (!is_json_object(errs->arena, *value, &err)) {
		field_invalid(errs, AT_KEY(at, key), field_str(STR("<secret contents redacted>")),
			      "%s", err_msg(&err));
	}
}

static void require_key(struct field_errors *errs, const struct path *at,
			const struct core_secret *s, struct str key)
{
	if (!str_map_find(&s->data, key)) {
		field_required(errs, AT_KEY(at, key), NULL);
	}
}

static void check_secret_type(struct field_errors *errs, const struct path *at,
			      const struct core_secret *s)
{
	const struct str account = STR("kubernetes.io/service-account.name");
	const struct str *value;

	if (str_is(s->type, "kubernetes.io/service-account-token")) {
		value = str_map_find(&s->metadata.annotations, account);
		if (!value || !value->n) {
			field_required(errs,
				       AT_KEY(AT(AT(NULL, "metadata"), "annotations"), account),
				       NULL);
		}
	} else if (str_is(s->type, "kubernetes.io/dockercfg")) {
		check_docker_config(errs, at, s, STR(".dockercfg"));
	} else if (str_is(s->type, "kubernetes.io/dockerconfigjson")) {
		check_docker_config(errs, at, s, STR(".dockerconfigjson"));
	} else if (str_is(s->type, "kubernetes.io/basic-auth")) {
		if (!str_map_find(&s->data, STR("username")) &&
		    !str_map_find(&s->data, STR("password"))) {
			field_required(errs, AT_KEY(at, STR("username")), NULL);
			field_required(errs, AT_KEY(at, STR("password")), NULL);
		}
	} else if (str_is(s->type, "kubernetes.io/ssh-auth")) {
		value = str_map_find(&s->data, STR("ssh-privatekey"));
		if (!value || !value->n) {
			field_required(errs, AT_KEY(at, STR("ssh-privatekey")), NULL);
		}
	} else if (str_is(s->type, "kubernetes.io/tls")) {
		require_key(errs, at, s, STR("tls.crt"));
		require_key(errs, at, s, STR("tls.key"));
	}
}

static void secret_validate(struct field_errors *errs, const void *obj, const void *old_obj)
{
	const struct core_secret *s = obj;
	const struct core_secret *old = old_obj;
	const struct path *at = AT(NULL, "data");

	if (check_keys(errs, at, &s->data) > DATA_BYTES_MAX) {
		field_too_long(errs, at, DATA_BYTES_MAX);
	}
	check_secret_type(errs, at, s);
	if (!old || !is_true(old->immutable)) {
		return;
	}
	if (!is_true(s->immutable)) {
		field_forbidden(errs, AT(NULL, "immutable"),
				"field is immutable when `immutable` is set");
	}
	check_frozen(errs, at, &type_core_secret, s, old, "data");
}

static const struct strategy list[] = {
	{.resource = &resource_core_configmaps, .validate = config_map_validate},
	{.resource = &resource_core_secrets,
	 .set_defaults = secret_defaults,
	 .validate = secret_validate},
};

const struct strategy_list strategies_core_config = {list, ARRAY_LEN(list)};
