/* SPDX-License-Identifier: Apache-2.0 */
/* admissionregistration.k8s.io/v1: admission policies and their bindings. Whether expressions
 * compile is for the CEL engine. */
#include "base/str.h"
#include "rules/admission_rules.h"
#include "rules/check.h"
#include "rules/metadata.h"
#include "rules/names.h"
#include "rules/strategy.h"

/* ---- what policies and bindings share ---- */

static void check_named_rules(struct field_errors *errs, const struct path *at,
			      const struct admissionregistration_named_rule_with_operations *rules,
			      size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct admissionregistration_named_rule_with_operations *r = &rules[i];
		const struct admissionregistration_rule_with_operations plain = {
			.operations = r->operations,
			.api_groups = r->api_groups,
			.api_versions = r->api_versions,
			.resources = r->resources,
			.scope = r->scope,
		};
		const struct path *names = AT(AT_INDEX(at, i), "resourceNames");
		struct str_set seen CLEANUP_STR_SET = {0};

		validate_admission_rule(errs, AT_INDEX(at, i), &plain);
		for (size_t k = 0; k < r->resource_names.n; k++) {
			check_name(errs, AT_INDEX(names, k), r->resource_names.p[k],
				   path_segment_faults);
			if (!str_set_add(&seen, r->resource_names.p[k])) {
				field_duplicate(errs, AT_INDEX(names, k),
						field_str(r->resource_names.p[k]));
			}
		}
	}
}

static void check_match(struct field_errors *errs, const struct path *at,
			const struct admissionregistration_match_resources *m)
{
	validate_label_selector(errs, AT(at, "namespaceSelector"), m->namespace_selector);
	validate_label_selector(errs, AT(at, "objectSelector"), m->object_selector);
	check_named_rules(errs, AT(at, "resourceRules"), m->resource_rules.p, m->resource_rules.n);
	check_named_rules(errs, AT(at, "excludeResourceRules"), m->exclude_resource_rules.p,
			  m->exclude_resource_rules.n);
}

static void check_constraints(struct field_errors *errs, const struct path *at,
			      const struct admissionregistration_match_resources *m)
{
	if (!m) {
		field_required(errs, AT(at, "matchConstraints"), NULL);
		return;
	}
	check_match(errs, AT(at, "matchConstraints"), m);
	if (!m->resource_rules.n) {
		field_required(errs, AT(AT(at, "matchConstraints"), "resourceRules"), NULL);
	}
}

static void check_param_kind(struct field_errors *errs, const struct path *at,
			     const struct admissionregistration_param_kind *k)
{
	if (k && !k->api_version.n) {
		field_required(errs, AT(at, "apiVersion"), NULL);
	}
	if (k && !k->kind.n) {
		field_required(errs, AT(at, "kind"), NULL);
	}
}

static void check_variables(struct field_errors *errs, const struct path *at,
			    const struct admissionregistration_variable *variables, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!variables[i].name.n) {
			field_required(errs, AT(AT_INDEX(at, i), "name"), "name is not specified");
		}
		if (!variables[i].expression.n) {
			field_required(errs, AT(AT_INDEX(at, i), "expression"),
				       "expression is not specified");
		}
	}
}

static void check_param_ref(struct field_errors *errs, const struct path *at,
			    const struct admissionregistration_param_ref *r)
{
	if (!r) {
		return;
	}
	if (r->name.n && r->selector) {
		field_forbidden(errs, AT(at, "name"), "name and selector are mutually exclusive");
	} else if (!r->name.n && !r->selector) {
		field_required(errs, at, "one of name or selector must be specified");
	} else if (r->selector) {
		validate_label_selector(errs, AT(at, "selector"), r->selector);
	} else {
		check_name(errs, AT(at, "name"), r->name, path_segment_faults);
	}
	if (!r->parameter_not_found_action) {
		field_required(errs, AT(at, "parameterNotFoundAction"), NULL);
	}
}

static void check_policy_name(struct field_errors *errs, const struct path *at, struct str name)
{
	if (!name.n) {
		field_required(errs, at, NULL);
	} else {
		check_name(errs, at, name, dns_subdomain_faults);
	}
}

/* ---- validating ---- */

static void check_audit(struct field_errors *errs, const struct path *at,
			const struct admissionregistration_audit_annotation *list, size_t n)
{
	struct str_set seen CLEANUP_STR_SET = {0};

	for (size_t i = 0; i < n; i++) {
		const struct path *item = AT_INDEX(at, i);

		if (!list[i].key.n) {
			field_required(errs, AT(item, "key"), NULL);
		} else if (!str_set_add(&seen, list[i].key)) {
			field_duplicate(errs, AT(item, "key"), field_str(list[i].key));
		}
		if (!str_trim(list[i].value_expression).n) {
			field_required(errs, AT(item, "valueExpression"), NULL);
		}
	}
}

static void validating_validate(struct field_errors *errs, const void *obj, const void *old UNUSED)
{
	static const char *const reasons[] = {"Unauthorized", "Forbidden", "Invalid",
					      "RequestEntityTooLarge", NULL};
	const char *none = "validations or auditAnnotations must contain at least one item";
	const struct admissionregistration_validating_admission_policy_spec *spec =
		&((const struct admissionregistration_validating_admission_policy *)obj)->spec;
	const struct path *at = AT(NULL, "spec");

	if (!spec->validations.n && !spec->audit_annotations.n) {
		field_required(errs, AT(at, "validations"), "%s", none);
		field_required(errs, AT(at, "auditAnnotations"), "%s", none);
	}
	for (size_t i = 0; i < spec->validations.n; i++) {
		const struct admissionregistration_validation *v = &spec->validations.p[i];
		const struct path *item = AT_INDEX(AT(at, "validations"), i);

		if (!str_trim(v->expression).n) {
			field_required(errs, AT(item, "expression"), "expression is not specified");
		}
		if (str_find_char(v->message, '\n') >= 0) {
			field_invalid(errs, AT(item, "message"), field_str(v->message),
				      "message must not contain line breaks");
		}
		check_one_of(errs, AT(item, "reason"), v->reason, reasons);
	}
	check_audit(errs, AT(at, "auditAnnotations"), spec->audit_annotations.p,
		    spec->audit_annotations.n);
	check_constraints(errs, at, spec->match_constraints);
	check_param_kind(errs, AT(at, "paramKind"), spec->param_kind);
	check_variables(errs, AT(at, "variables"), spec->variables.p, spec->variables.n);
	validate_match_conditions(errs, AT(at, "matchConditions"), spec->match_conditions.p,
				  spec->match_conditions.n);
}

static void check_actions(struct field_errors *errs, const struct path *at,
			  const struct str_list *actions)
{
	static const char *const values[] = {"Audit", "Deny", "Warn", NULL};
	struct str_set seen CLEANUP_STR_SET = {0};

	if (!actions->n) {
		field_required(errs, at, NULL);
	}
	for (size_t i = 0; i < actions->n; i++) {
		check_one_of(errs, AT_INDEX(at, i), &actions->p[i], values);
		if (!str_set_add(&seen, actions->p[i])) {
			field_duplicate(errs, AT_INDEX(at, i), field_str(actions->p[i]));
		}
	}
	if (str_set_has(&seen, STR("Deny")) && str_set_has(&seen, STR("Warn"))) {
		field_invalid(errs, at, strings_json(errs, actions),
			      "must not contain both Deny and Warn (repeating the same validation "
			      "failure information "
			      "in the API response and headers serves no purpose)");
	}
}

static void validating_binding_validate(struct field_errors *errs, const void *obj,
					const void *old UNUSED)
{
	const struct admissionregistration_validating_admission_policy_binding_spec *spec =
		&((const struct admissionregistration_validating_admission_policy_binding *)obj)
			 ->spec;
	const struct path *at = AT(NULL, "spec");

	check_policy_name(errs, AT(at, "policyName"), spec->policy_name);
	check_param_ref(errs, AT(at, "paramRef"), spec->param_ref);
	if (spec->match_resources) {
		check_match(errs, AT(at, "matchResources"), spec->match_resources);
	}
	check_actions(errs, AT(at, "validationActions"), &spec->validation_actions);
}

/* ---- mutating ---- */

static void check_mutation(struct field_errors *errs, const struct path *at,
			   const struct admissionregistration_mutation *m)
{
	if (str_is(m->patch_type, "ApplyConfiguration")) {
		if (!m->apply_configuration) {
			field_required(errs, AT(at, "applyConfiguration"),
				       "must be specified when patchType is ApplyConfiguration");
		} else if (!str_trim(m->apply_configuration->expression).n) {
			field_required(errs, AT(AT(at, "applyConfiguration"), "expression"),
				       "expression is not specified");
		}
	} else if (!str_is(m->patch_type, "JSONPatch")) {
		return; /* the table's */
	} else if (!m->json_patch) {
		field_required(errs, AT(at, "jsonPatch"),
			       "must be specified when patchType is JSONPatch");
	} else if (!str_trim(m->json_patch->expression).n) {
		field_required(errs, AT(AT(at, "jsonPatch"), "expression"),
			       "expression is not specified");
	}
}

static void mutating_validate(struct field_errors *errs, const void *obj, const void *old UNUSED)
{
	const struct admissionregistration_mutating_admission_policy_spec *spec =
		&((const struct admissionregistration_mutating_admission_policy *)obj)->spec;
	const struct path *at = AT(NULL, "spec");

	check_constraints(errs, at, spec->match_constraints);
	check_param_kind(errs, AT(at, "paramKind"), spec->param_kind);
	check_variables(errs, AT(at, "variables"), spec->variables.p, spec->variables.n);
	if (!spec->mutations.n) {
		field_required(errs, AT(at, "mutations"),
			       "mutations must contain at least one item");
	}
	for (size_t i = 0; i < spec->mutations.n; i++) {
		check_mutation(errs, AT_INDEX(AT(at, "mutations"), i), &spec->mutations.p[i]);
	}
	validate_match_conditions(errs, AT(at, "matchConditions"), spec->match_conditions.p,
				  spec->match_conditions.n);
}

static void mutating_binding_validate(struct field_errors *errs, const void *obj,
				      const void *old UNUSED)
{
	const struct admissionregistration_mutating_admission_policy_binding_spec *spec =
		&((const struct admissionregistration_mutating_admission_policy_binding *)obj)
			 ->spec;
	const struct path *at = AT(NULL, "spec");

	check_policy_name(errs, AT(at, "policyName"), spec->policy_name);
	check_param_ref(errs, AT(at, "paramRef"), spec->param_ref);
	if (spec->match_resources) {
		check_match(errs, AT(at, "matchResources"), spec->match_resources);
	}
}

#define POLICY(plural_, validate_)                                                                 \
	{                                                                                          \
		.resource = &resource_admissionregistration_##plural_, .generation = true,         \
		.must_send_version = true, .validate = (validate_)                                 \
	}

static const struct strategy list[] = {
	POLICY(validatingadmissionpolicies, validating_validate),
	POLICY(validatingadmissionpolicybindings, validating_binding_validate),
	POLICY(mutatingadmissionpolicies, mutating_validate),
	POLICY(mutatingadmissionpolicybindings, mutating_binding_validate),
};

const struct strategy_list strategies_admission_policy = {list, ARRAY_LEN(list)};
