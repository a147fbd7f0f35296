/* SPDX-License-Identifier: Apache-2.0 */
/* Environment variables and references to fields of the pod. */
#include "object/quantity.h"
#include "rules/pod_spec_internal.h"

/* metadata.labels['app'] as metadata.labels and app. False without a subscript. */
static bool split_subscript(struct str text, struct str *ret_path, struct str *ret_key)
{
	ptrdiff_t open = str_find(text, STR("['"));

	if (open < 0 || !str_has_suffix(text, STR("']"))) {
		return false;
	}
	*ret_path = str_sub(text, 0, (size_t)open);
	*ret_key = str_sub(text, (size_t)open + 2, text.n - (size_t)open - 4);
	return ret_path->n > 0;
}

static bool is_subscriptable(struct str path)
{
	return str_is(path, "metadata.annotations") || str_is(path, "metadata.labels");
}

/* Whatever any fieldRef may name; what this one may is a part of it. */
static const char *const known_paths[] = {
	"metadata.annotations", "metadata.labels",    "metadata.name",
	"metadata.namespace",	"metadata.uid",	      "spec.nodeName",
	"spec.restartPolicy",	"spec.schedulerName", "spec.serviceAccountName",
	"status.hostIP",	"status.hostIPs",     "status.phase",
	"status.podIP",		"status.podIPs",      NULL,
};

void check_field_ref(struct field_errors *errs, const struct path *at,
		     const struct core_object_field_selector *ref, const char *const *paths)
{
	const struct path *place = AT(at, "fieldPath");
	struct str path = ref->field_path;
	struct str key;

	if (!ref->api_version.n || !ref->field_path.n) {
		return; /* the table has said that they are required */
	}
	if (!str_is(ref->api_version, "v1")) {
		field_invalid(errs, place, field_str(path),
			      "error converting fieldPath: unsupported pod version: %.*s",
			      STR_ARG(ref->api_version));
		return;
	}
	if (split_subscript(path, &path, &key)) {
		if (!is_subscriptable(path)) {
			field_invalid(errs, place, field_str(ref->field_path),
				      "error converting fieldPath: field label does not support "
				      "subscript: %.*s",
				      STR_ARG(ref->field_path));
		} else {
			check_name(errs, at, key, qualified_name_faults);
		}
		return;
	}
	if (!is_one_of(path, known_paths)) {
		field_invalid(errs, place, field_str(path),
			      "error converting fieldPath: field label not supported: %.*s",
			      STR_ARG(path));
	} else if (!is_one_of(path, paths)) {
		field_not_supported(errs, place, field_str(path), paths);
	}
}

static bool is_huge_pages(struct str resource)
{
	return str_has_prefix(resource, STR("limits.hugepages-")) ||
	       str_has_prefix(resource, STR("requests.hugepages-"));
}

static void check_divisor(struct field_errors *errs, const struct path *at,
			  const struct core_resource_field_selector *ref)
{
	static const char *const cpu[] = {"1m", "1", NULL};
	static const char *const bytes[] = {"1",   "1k",  "1M",	 "1G",	"1T",  "1P",  "1E",
					    "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei", NULL};
	struct buf b CLEANUP_BUF = {0};
	ptrdiff_t dot = str_find_char(ref->resource, '.');
	struct str name = str_from(ref->resource, (size_t)(dot + 1));

	if (quantity_sign(ref->divisor) == 0) {
		return;
	}
	quantity_write(&b, ref->divisor);
	if (str_is(name, "cpu")) {
		if (!is_one_of(buf_str(&b), cpu)) {
			field_invalid(errs, AT(at, "divisor"), field_str(ref->resource),
				      "only divisor's values 1m and 1 are supported with the cpu "
				      "resource");
		}
		return;
	}
	if (!is_one_of(buf_str(&b), bytes)) {
		const char *what = str_is(name, "memory")	       ? "memory"
				   : str_is(name, "ephemeral-storage") ? "local ephemeral storage"
								       : "hugepages";

		field_invalid(errs, AT(at, "divisor"), field_str(ref->resource),
			      "only divisor's values 1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, "
			      "1Ti, 1Pi, 1Ei are "
			      "supported with the %s resource",
			      what);
	}
}

void check_resource_field_ref(struct field_errors *errs, const struct path *at,
			      const struct core_resource_field_selector *ref, bool in_volume)
{
	static const char *const resources[] = {
		"limits.cpu",	"limits.ephemeral-storage",   "limits.memory",
		"requests.cpu", "requests.ephemeral-storage", "requests.memory",
		NULL,
	};

	if (in_volume && !ref->container_name.n) {
		field_required(errs, AT(at, "containerName"), NULL);
	} else if (ref->resource.n && !is_one_of(ref->resource, resources) &&
		   !is_huge_pages(ref->resource)) {
		field_not_supported(errs, AT(at, "resource"), field_str(ref->resource), resources);
		return;
	}
	check_divisor(errs, at, ref);
}

/* A ConfigMap's or Secret's name and key. */
static void check_key_ref(struct field_errors *errs, const struct path *at, struct str name,
			  struct str key)
{
	check_name(errs, AT(at, "name"), name, dns_subdomain_faults);
	if (key.n) {
		check_name(errs, AT(at, "key"), key, config_map_key_faults);
	}
}

static void check_value_from(struct field_errors *errs, const struct path *at,
			     const struct core_env_var *var)
{
	static const char *const paths[] = {"metadata.name",
					    "metadata.namespace",
					    "metadata.uid",
					    "spec.nodeName",
					    "spec.serviceAccountName",
					    "status.hostIP",
					    "status.hostIPs",
					    "status.podIP",
					    "status.podIPs",
					    NULL};
	const struct core_env_var_source *s = var->value_from;
	size_t n = 0;

	if (s->field_ref) {
		n++;
		check_field_ref(errs, AT(at, "fieldRef"), s->field_ref, paths);
	}
	if (s->resource_field_ref) {
		n++;
		check_resource_field_ref(errs, AT(at, "resourceFieldRef"), s->resource_field_ref,
					 false);
	}
	if (s->config_map_key_ref) {
		n++;
		check_key_ref(errs, AT(at, "configMapKeyRef"), s->config_map_key_ref->name,
			      s->config_map_key_ref->key);
	}
	if (s->secret_key_ref) {
		n++;
		check_key_ref(errs, AT(at, "secretKeyRef"), s->secret_key_ref->name,
			      s->secret_key_ref->key);
	}
	n += s->file_key_ref != NULL;
	if (n == 0) {
		field_invalid(
			errs, at, field_str(STR("")),
			"must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or "
			"`secretKeyRef`");
	} else if (var->value.n) {
		field_invalid(errs, at, field_str(STR("")),
			      "may not be specified when `value` is not empty");
	} else if (n > 1) {
		field_invalid(errs, at, field_str(STR("")),
			      "may not have more than one field specified at a time");
	}
}

static void check_env_from(struct field_errors *errs, const struct path *list, size_t i,
			   const struct core_env_from_source *s)
{
	const struct path *item = AT_INDEX(list, i);

	if (s->prefix.n) {
		check_name(errs, AT(item, "prefix"), s->prefix, env_name_faults);
	}
	if (s->config_map_ref) {
		const struct path *name = AT(AT(item, "configMapRef"), "name");

		if (!s->config_map_ref->name.n) {
			field_required(errs, name, NULL);
		} else {
			check_object_name(errs, name, s->config_map_ref->name, NAME_DNS_SUBDOMAIN,
					  true);
		}
	}
	if (s->secret_ref) {
		const struct path *name = AT(AT(item, "secretRef"), "name");

		if (!s->secret_ref->name.n) {
			field_required(errs, name, NULL);
		} else {
			check_object_name(errs, name, s->secret_ref->name, NAME_DNS_SUBDOMAIN,
					  true);
		}
	}
	if (!s->config_map_ref && !s->secret_ref) {
		field_invalid(errs, list, field_str(STR("")),
			      "must specify one of: `configMapRef` or `secretRef`");
	} else if (s->config_map_ref && s->secret_ref) {
		field_invalid(errs, list, field_str(STR("")),
			      "may not have more than one field specified at a time");
	}
}

void pod_check_env(struct pod_check *c, const struct path *at, const struct core_container *ctr)
{
	const struct path *env = AT(at, "env");

	for (size_t i = 0; i < ctr->env.n; i++) {
		const struct core_env_var *var = &ctr->env.p[i];
		const struct path *item = AT_INDEX(env, i);

		if (var->name.n) {
			check_name(c->errs, AT(item, "name"), var->name, env_name_faults);
		}
		if (var->value_from) {
			check_value_from(c->errs, AT(item, "valueFrom"), var);
		}
	}
	for (size_t i = 0; i < ctr->env_from.n; i++) {
		check_env_from(c->errs, AT(at, "envFrom"), i, &ctr->env_from.p[i]);
	}
}
