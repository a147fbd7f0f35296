/* SPDX-License-Identifier: Apache-2.0 */
/* apiextensions.k8s.io/v1 and apiregistration.k8s.io/v1: what adds kinds to the API. Whether
 * a schema is structural, and its defaults and CEL rules compile, is checked where custom resources
 * are served. */
#include <string.h>

#include "rules/check.h"
#include "rules/condition.h"
#include "rules/names.h"
#include "rules/strategy.h"
#include "rules/webhook_client.h"
#include "types/types.h"

enum { GROUP_PRIORITY_MAX = 20000, VERSION_PRIORITY_MAX = 1000 };

/* ---- CustomResourceDefinition ---- */

static struct str lower(struct arena *a, struct str s)
{
	char *p = arena_alloc(a, s.n);

	if (s.n) {
		memcpy(p, s.p, s.n);
	}
	for (size_t i = 0; i < s.n; i++) {
		p[i] = (char)(p[i] | (p[i] >= 'A' && p[i] <= 'Z' ? 'a' - 'A' : 0));
	}
	return (struct str){p, s.n};
}

static void definition_defaults(struct arena *a, void *obj)
{
	struct apiextensions_custom_resource_definition *d = obj;
	struct apiextensions_custom_resource_definition_names *names = &d->spec.names;

	if (!names->singular.n && names->kind.n) {
		names->singular = lower(a, names->kind);
	}
	if (!names->list_kind.n && names->kind.n) {
		names->list_kind = arena_printf(a, "%.*sList", STR_ARG(names->kind));
	}
	for (size_t i = 0; i < d->spec.versions.n && !d->status.stored_versions.n; i++) {
		if (d->spec.versions.p[i].storage) {
			struct str *name = ARENA_NEW(a, struct str);

			*name = d->spec.versions.p[i].name;
			d->status.stored_versions.p = name;
			d->status.stored_versions.n = 1;
		}
	}
}

static void check_labels(struct field_errors *errs, const struct path *at,
			 const struct str_list *list)
{
	for (size_t i = 0; i < list->n; i++) {
		check_name(errs, AT_INDEX(at, i), list->p[i], dns1035_label_faults);
	}
}

static void check_kind(struct field_errors *errs, const struct path *at, struct str kind)
{
	char text[64];
	struct name_faults faults = {0};
	size_t n = kind.n < sizeof(text)
			   ? kind.n
			   : sizeof(text); /* 64 bytes are too many, as any more are */

	for (size_t i = 0; i < n; i++) {
		text[i] =
			(char)(kind.p[i] | (kind.p[i] >= 'A' && kind.p[i] <= 'Z' ? 'a' - 'A' : 0));
	}
	dns1035_label_faults((struct str){text, n}, &faults);
	for (size_t i = 0; kind.n && i < faults.n; i++) {
		field_invalid(errs, at, field_str(kind),
			      "may have mixed case, but should otherwise match: %s", faults.p[i]);
	}
}

static void check_names(struct field_errors *errs, const struct path *at,
			const struct apiextensions_custom_resource_definition_names *names)
{
	if (names->plural.n) {
		check_name(errs, AT(at, "plural"), names->plural, dns1035_label_faults);
	}
	if (names->singular.n) {
		check_name(errs, AT(at, "singular"), names->singular, dns1035_label_faults);
	}
	check_kind(errs, AT(at, "kind"), names->kind);
	check_kind(errs, AT(at, "listKind"), names->list_kind);
	check_labels(errs, AT(at, "shortNames"), &names->short_names);
	if (names->kind.n && str_eq(names->kind, names->list_kind)) {
		field_invalid(errs, AT(at, "listKind"), field_str(names->list_kind),
			      "kind and listKind may not be the same");
	}
	check_labels(errs, AT(at, "categories"), &names->categories);
}

static void check_version(struct field_errors *errs, const struct path *at,
			  const struct apiextensions_custom_resource_definition_version *v)
{
	static const char *const types[] = {"boolean", "date", "integer", "number", "string", NULL};

	check_name(errs, AT(at, "name"), v->name, dns1035_label_faults);
	if (v->deprecation_warning && !v->deprecated) {
		field_invalid(errs, AT(at, "deprecationWarning"),
			      field_str(*v->deprecation_warning),
			      "can only be set for deprecated versions");
	}
	if (!v->schema || !v->schema->open_apiv3_schema) {
		field_required(errs, AT(AT(at, "schema"), "openAPIV3Schema"),
			       "schemas are required");
	}
	for (size_t i = 0; i < v->additional_printer_columns.n; i++) {
		const struct apiextensions_custom_resource_column_definition *c =
			&v->additional_printer_columns.p[i];
		const struct path *item = AT_INDEX(AT(at, "additionalPrinterColumns"), i);

		if (c->type.n && !is_one_of(c->type, types)) {
			field_invalid(errs, AT(item, "type"), field_str(c->type),
				      "must be one of boolean,date,integer,number,string");
		}
		if (c->json_path.n && c->json_path.p[0] != '.') {
			field_invalid(errs, AT(item, "jsonPath"), field_str(c->json_path),
				      "must be a simple json path starting with .");
		}
	}
}

static void check_versions(struct field_errors *errs, const struct path *at,
			   const struct apiextensions_custom_resource_definition_spec *spec)
{
	struct str_set seen CLEANUP_STR_SET = {0};
	size_t storage = 0;
	bool unique = true;

	for (size_t i = 0; i < spec->versions.n; i++) {
		storage += spec->versions.p[i].storage;
		unique &= str_set_add(&seen, spec->versions.p[i].name);
		check_version(errs, AT_INDEX(at, i), &spec->versions.p[i]);
	}
	if (!unique) {
		field_invalid(errs, at,
			      value_of(errs, &type_apiextensions_custom_resource_definition_spec,
				       spec, "versions"),
			      "must contain unique version names");
	}
	if (storage != 1) {
		field_invalid(errs, at,
			      value_of(errs, &type_apiextensions_custom_resource_definition_spec,
				       spec, "versions"),
			      "must have exactly one version marked as storage version");
	}
}

static void check_conversion(struct field_errors *errs, const struct path *at,
			     const struct apiextensions_custom_resource_conversion *c)
{
	static const char *const strategies[] = {"None", "Webhook", NULL};
	const struct apiextensions_webhook_client_config *client =
		c && c->webhook ? c->webhook->client_config : NULL;
	const struct path *at_client = AT(AT(at, "webhookClientConfig"), "service");

	if (!c) {
		return;
	}
	if (c->strategy.n) {
		check_one_of(errs, AT(at, "strategy"), &c->strategy, strategies);
	}
	if (str_is(c->strategy, "None") && c->webhook) {
		field_forbidden(errs, AT(at, "webhook"),
				"should not be set when strategy is not set to Webhook");
	} else if (str_is(c->strategy, "Webhook") && !client) {
		field_required(errs, AT(at, "webhookClientConfig"),
			       "required when strategy is set to Webhook");
	} else if (client && !client->url == !client->service) {
		field_required(errs, AT(at, "webhookClientConfig"),
			       "exactly one of url or service is required");
	} else if (client && client->url) {
		validate_webhook_url(errs, AT(AT(at, "webhookClientConfig"), "url"), *client->url);
	} else if (client) {
		validate_webhook_service(errs, at_client, client->service->namespace,
					 client->service->name, client->service->path,
					 client->service->port);
	}
}

static void check_definition_name(struct field_errors *errs,
				  const struct apiextensions_custom_resource_definition *d)
{
	const struct apiextensions_custom_resource_definition_spec *spec = &d->spec;
	struct str name = d->metadata.name;
	bool good = name.n == spec->names.plural.n + 1 + spec->group.n &&
		    str_has_prefix(name, spec->names.plural) &&
		    name.p[spec->names.plural.n] == '.' && str_has_suffix(name, spec->group);

	if (!good) {
		field_invalid(errs, AT(AT(NULL, "metadata"), "name"), field_str(name),
			      "must be spec.names.plural+\".\"+spec.group");
	}
}

/* Scope and kind stay once the definition is established; group and plural, being in the name, always. */
static void check_definition_changes(struct field_errors *errs, const struct path *at,
				     const struct apiextensions_custom_resource_definition *d,
				     const struct apiextensions_custom_resource_definition *old)
{
	const struct type_desc *spec = &type_apiextensions_custom_resource_definition_spec;
	const struct type_desc *names = &type_apiextensions_custom_resource_definition_names;

	if (condition_is_true(&old->status.conditions, STR("Established"))) {
		check_unchanged(errs, AT(at, "scope"), spec, &d->spec, &old->spec, "scope");
		check_unchanged(errs, AT(AT(at, "names"), "kind"), names, &d->spec.names,
				&old->spec.names, "kind");
	}
	check_unchanged(errs, AT(at, "group"), spec, &d->spec, &old->spec, "group");
	check_unchanged(errs, AT(AT(at, "names"), "plural"), names, &d->spec.names,
			&old->spec.names, "plural");
}

static void check_stored_versions(struct field_errors *errs,
				  const struct apiextensions_custom_resource_definition *d)
{
	const struct path *at = AT(AT(NULL, "status"), "storedVersions");

	for (size_t i = 0; i < d->status.stored_versions.n; i++) {
		bool found = false;

		for (size_t k = 0; k < d->spec.versions.n; k++) {
			found |= str_eq(d->spec.versions.p[k].name, d->status.stored_versions.p[i]);
		}
		if (!found) {
			field_invalid(errs, AT_INDEX(at, i),
				      field_str(d->status.stored_versions.p[i]),
				      "must appear in spec.versions");
		}
	}
}

static void definition_validate(struct field_errors *errs, const void *obj, const void *old)
{
	static const char *const scopes[] = {"Cluster", "Namespaced", NULL};
	const struct apiextensions_custom_resource_definition *d = obj;
	const struct path *at = AT(NULL, "spec");

	if (!old) {
		check_definition_name(errs, d);
	}
	if (d->spec.group.n && !name_is(d->spec.group, dns_subdomain_faults)) {
		check_name(errs, AT(at, "group"), d->spec.group, dns_subdomain_faults);
	} else if (d->spec.group.n && str_find_char(d->spec.group, '.') < 0) {
		field_invalid(errs, AT(at, "group"), field_str(d->spec.group),
			      "should be a domain with at least one dot");
	}
	if (d->spec.scope.n) {
		check_one_of(errs, AT(at, "scope"), &d->spec.scope, scopes);
	}
	check_versions(errs, AT(at, "versions"), &d->spec);
	if (d->spec.preserve_unknown_fields) {
		field_invalid(
			errs, AT(at, "preserveUnknownFields"), field_bool(true),
			"cannot set to true, set x-kubernetes-preserve-unknown-fields to true in "
			"spec.versions[*].schema instead");
	}
	check_names(errs, AT(at, "names"), &d->spec.names);
	check_conversion(errs, AT(at, "conversion"), d->spec.conversion);
	if (old) {
		check_definition_changes(errs, at, d, old);
		check_stored_versions(errs, d);
	}
}

static void definition_validate_status(struct field_errors *errs, const void *obj,
				       const void *old UNUSED)
{
	const struct apiextensions_custom_resource_definition *d = obj;

	check_names(errs, AT(AT(NULL, "status"), "acceptedNames"), &d->status.accepted_names);
	check_stored_versions(errs, d);
}

/* ---- APIService ---- */

static void service_validate(struct field_errors *errs, const void *obj, const void *old UNUSED)
{
	const struct apiregistration_api_service *s = obj;
	const struct apiregistration_api_service_spec *spec = &s->spec;
	const struct path *at = AT(NULL, "spec");
	struct str name = s->metadata.name;
	bool good = name.n == spec->version.n + 1 + spec->group.n &&
		    str_has_prefix(name, spec->version) && name.p[spec->version.n] == '.' &&
		    str_has_suffix(name, spec->group);

	if (!good) {
		field_invalid(errs, AT(AT(NULL, "metadata"), "name"), field_str(name),
			      "must be `spec.version+\".\"+spec.group`: \"%.*s.%.*s\"",
			      STR_ARG(spec->version), STR_ARG(spec->group));
	}
	if (spec->group.n) {
		check_name(errs, AT(at, "group"), spec->group, dns_subdomain_faults);
	} else if (!str_is(spec->version, "v1")) {
		field_required(errs, AT(at, "group"),
			       "only v1 may have an empty group and it better be legacy kube");
	}
	if (!spec->version.n) {
		field_required(errs, AT(at, "version"), NULL);
	} else {
		check_name(errs, AT(at, "version"), spec->version, dns1035_label_faults);
	}
	if (spec->group_priority_minimum <= 0 ||
	    spec->group_priority_minimum > GROUP_PRIORITY_MAX) {
		field_invalid(errs, AT(at, "groupPriorityMinimum"),
			      field_int(spec->group_priority_minimum),
			      "must be positive and less than 20000");
	}
	if (spec->version_priority <= 0 || spec->version_priority > VERSION_PRIORITY_MAX) {
		field_invalid(errs, AT(at, "versionPriority"), field_int(spec->version_priority),
			      "must be positive and less than 1000");
	}
	if (!spec->service && spec->ca_bundle.n) {
		field_invalid(errs, AT(at, "caBundle"), field_str(STR("<omitted>")),
			      "local APIServices may not have a caBundle");
	} else if (!spec->service && spec->insecure_skip_tls_verify) {
		field_invalid(errs, AT(at, "insecureSkipTLSVerify"), field_bool(true),
			      "local APIServices may not have insecureSkipTLSVerify");
	} else if (spec->service && spec->insecure_skip_tls_verify && spec->ca_bundle.n) {
		field_invalid(errs, AT(at, "insecureSkipTLSVerify"), field_bool(true),
			      "may not be true if caBundle is present");
	}
	if (spec->service) {
		validate_webhook_service(errs, AT(at, "service"), spec->service->namespace,
					 spec->service->name, NULL, spec->service->port);
	}
}

static const struct strategy list[] = {
	{
		.resource = &resource_apiextensions_customresourcedefinitions,
		.generation = true,
		.must_send_version = true,
		.set_defaults = definition_defaults,
		.validate = definition_validate,
		.validate_status = definition_validate_status,
	},
	{
		.resource = &resource_apiregistration_apiservices,
		.name = NAME_PATH_SEGMENT,
		.must_send_version = true,
		.validate = service_validate,
	},
};

const struct strategy_list strategies_apiextensions = {list, ARRAY_LEN(list)};
