/* SPDX-License-Identifier: Apache-2.0 */
/* admissionregistration.k8s.io/v1: the webhook configurations, and what admission policies share with them. */
#include "base/str.h"
#include "rules/admission_rules.h"
#include "rules/check.h"
#include "rules/metadata.h"
#include "rules/names.h"
#include "rules/strategy.h"
#include "rules/webhook_client.h"

enum { MATCH_CONDITIONS_MAX = 64 };

/* ---- rules ---- */

static bool has(const struct str_list *list, struct str what)
{
	for (size_t i = 0; i < list->n; i++) {
		if (str_eq(list->p[i], what)) {
			return true;
		}
	}
	return false;
}

static void check_list(struct field_errors *errs, const struct path *at,
		       const struct str_list *list, const char *what)
{
	if (!list->n) {
		field_required(errs, at, NULL);
	} else if (list->n > 1 && has(list, STR("*"))) {
		field_invalid(errs, at, strings_json(errs, list),
			      "if '*' is present, must not specify other %s", what);
	}
}

static void check_resources(struct field_errors *errs, const struct path *at,
			    const struct str_list *list)
{
	if (!list->n) {
		field_required(errs, at, NULL);
		return;
	}
	for (size_t i = 0; i < list->n; i++) {
		if (!list->p[i].n) {
			field_required(errs, AT_INDEX(at, i), NULL);
		}
	}
	if (list->n > 1 && has(list, STR("*/*"))) {
		field_invalid(errs, at, strings_json(errs, list),
			      "if '*/*' is present, must not specify other resources");
	}
}

void validate_admission_rule(struct field_errors *errs, const struct path *at,
			     const struct admissionregistration_rule_with_operations *rule)
{
	static const char *const operations[] = {"*",	   "CONNECT", "CREATE",
						 "DELETE", "UPDATE",  NULL};
	static const char *const scopes[] = {"*", "Cluster", "Namespaced", NULL};

	check_list(errs, AT(at, "operations"), &rule->operations, "operations");
	for (size_t i = 0; i < rule->operations.n; i++) {
		check_one_of(errs, AT_INDEX(AT(at, "operations"), i), &rule->operations.p[i],
			     operations);
	}
	check_list(errs, AT(at, "apiGroups"), &rule->api_groups, "API groups");
	check_list(errs, AT(at, "apiVersions"), &rule->api_versions, "API versions");
	for (size_t i = 0; i < rule->api_versions.n; i++) {
		if (!rule->api_versions.p[i].n) {
			field_required(errs, AT_INDEX(AT(at, "apiVersions"), i), NULL);
		}
	}
	check_resources(errs, AT(at, "resources"), &rule->resources);
	check_one_of(errs, AT(at, "scope"), rule->scope, scopes);
}

void validate_match_conditions(struct field_errors *errs, const struct path *at,
			       const struct admissionregistration_match_condition *conditions,
			       size_t n)
{
	struct str_set seen CLEANUP_STR_SET = {0};

	if (n > MATCH_CONDITIONS_MAX) {
		field_too_many(errs, at, (int64_t)n, MATCH_CONDITIONS_MAX);
	}
	for (size_t i = 0; i < n; i++) {
		const struct path *item = AT_INDEX(at, i);

		if (!conditions[i].expression.n) {
			field_required(errs, AT(item, "expression"), NULL);
		}
		if (!conditions[i].name.n) {
			field_required(errs, AT(item, "name"), NULL);
			continue;
		}
		check_name(errs, AT(item, "name"), conditions[i].name, qualified_name_faults);
		if (!str_set_add(&seen, conditions[i].name)) {
			field_duplicate(errs, AT(item, "name"), field_str(conditions[i].name));
		}
	}
}

/* ---- webhooks ---- */

static void check_webhook_name(struct field_errors *errs, const struct path *at, struct str name)
{
	struct name_faults faults = {0};
	int dots = 0;

	if (!name.n) {
		return; /* the table's */
	}
	dns_subdomain_faults(name, &faults);
	if (faults.n) {
		check_name(errs, at, name, dns_subdomain_faults);
		return;
	}
	for (size_t i = 0; i < name.n; i++) {
		dots += name.p[i] == '.';
	}
	if (dots < 2) {
		field_invalid(errs, at, field_str(name),
			      "should be a domain with at least three segments separated by dots");
	}
}

static void check_review_versions(struct field_errors *errs, const struct path *at,
				  const struct str_list *versions)
{
	struct str_set seen CLEANUP_STR_SET = {0};

	if (!versions->n) {
		field_required(errs, at, "must specify one of v1, v1beta1");
		return;
	}
	for (size_t i = 0; i < versions->n; i++) {
		if (!str_set_add(&seen, versions->p[i])) {
			field_invalid(errs, AT_INDEX(at, i), field_str(versions->p[i]),
				      "duplicate version");
			continue;
		}
		check_name(errs, AT_INDEX(at, i), versions->p[i], dns1035_label_faults);
	}
	if (!has(versions, STR("v1")) && !has(versions, STR("v1beta1"))) {
		field_invalid(errs, at, strings_json(errs, versions),
			      "must include at least one of v1, v1beta1");
	}
}

static void check_client(struct field_errors *errs, const struct path *at,
			 const struct admissionregistration_webhook_client_config *c)
{
	if (!c->url == !c->service) {
		field_required(errs, at, "exactly one of url or service is required");
	} else if (c->url) {
		validate_webhook_url(errs, AT(at, "url"), *c->url);
	} else {
		validate_webhook_service(errs, AT(at, "service"), c->service->namespace,
					 c->service->name, c->service->path, c->service->port);
	}
}

/* A mutating webhook is a validating one with a reinvocationPolicy. */
static void check_webhook(struct field_errors *errs, const struct path *at, struct str_set *seen,
			  const struct admissionregistration_validating_webhook *w)
{
	static const char *const side_effects[] = {"None", "NoneOnDryRun", NULL};

	check_webhook_name(errs, AT(at, "name"), w->name);
	if (!str_set_add(seen, w->name)) {
		field_duplicate(errs, AT(at, "name"), field_str(w->name));
	}
	check_review_versions(errs, AT(at, "admissionReviewVersions"),
			      &w->admission_review_versions);
	for (size_t i = 0; i < w->rules.n; i++) {
		validate_admission_rule(errs, AT_INDEX(AT(at, "rules"), i), &w->rules.p[i]);
	}
	check_one_of(errs, AT(at, "sideEffects"), w->side_effects, side_effects);
	if (w->timeout_seconds && (*w->timeout_seconds < 1 || *w->timeout_seconds > 30)) {
		field_invalid(errs, AT(at, "timeoutSeconds"), field_int(*w->timeout_seconds),
			      "the timeout value must be between 1 and 30 seconds");
	}
	validate_label_selector(errs, AT(at, "namespaceSelector"), w->namespace_selector);
	validate_label_selector(errs, AT(at, "objectSelector"), w->object_selector);
	check_client(errs, AT(at, "clientConfig"), &w->client_config);
	validate_match_conditions(errs, AT(at, "matchConditions"), w->match_conditions.p,
				  w->match_conditions.n);
}

static void validating_validate(struct field_errors *errs, const void *obj, const void *old UNUSED)
{
	const struct admissionregistration_validating_webhook_configuration *c = obj;
	struct str_set seen CLEANUP_STR_SET = {0};

	for (size_t i = 0; i < c->webhooks.n; i++) {
		check_webhook(errs, AT_INDEX(AT(NULL, "webhooks"), i), &seen, &c->webhooks.p[i]);
	}
}

static void mutating_validate(struct field_errors *errs, const void *obj, const void *old UNUSED)
{
	const struct admissionregistration_mutating_webhook_configuration *c = obj;
	struct str_set seen CLEANUP_STR_SET = {0};

	for (size_t i = 0; i < c->webhooks.n; i++) {
		const struct admissionregistration_mutating_webhook *w = &c->webhooks.p[i];
		const struct admissionregistration_validating_webhook same = {
			.name = w->name,
			.client_config = w->client_config,
			.rules = {w->rules.p, w->rules.n},
			.side_effects = w->side_effects,
			.timeout_seconds = w->timeout_seconds,
			.namespace_selector = w->namespace_selector,
			.object_selector = w->object_selector,
			.admission_review_versions = w->admission_review_versions,
			.match_conditions = {w->match_conditions.p, w->match_conditions.n},
		};

		check_webhook(errs, AT_INDEX(AT(NULL, "webhooks"), i), &seen, &same);
	}
}

static const struct strategy list[] = {
	{
		.resource = &resource_admissionregistration_validatingwebhookconfigurations,
		.generation = true,
		.must_send_version = true,
		.validate = validating_validate,
	},
	{
		.resource = &resource_admissionregistration_mutatingwebhookconfigurations,
		.generation = true,
		.must_send_version = true,
		.validate = mutating_validate,
	},
};

const struct strategy_list strategies_webhooks = {list, ARRAY_LEN(list)};
