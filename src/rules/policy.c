/* SPDX-License-Identifier: Apache-2.0 */
/* policy/v1, scheduling.k8s.io/v1 and node.k8s.io/v1: small groups. */
#include "object/object.h"
#include "rules/check.h"
#include "rules/metadata.h"
#include "rules/pod_spec.h"

enum { USER_PRIORITY_MAX = 1000000000 };

/* ---- PodDisruptionBudget ---- */

static void check_bound(struct field_errors *errs, const struct path *at,
			const struct int_or_string *v)
{
	if (v) {
		check_int_or_percent(errs, at, *v);
		check_at_most_100_percent(errs, at, *v);
	}
}

static void budget_validate(struct field_errors *errs, const void *obj, const void *old UNUSED)
{
	const struct policy_pod_disruption_budget_spec *spec =
		&((const struct policy_pod_disruption_budget *)obj)->spec;
	const struct path *at = AT(NULL, "spec");

	if (spec->min_available && spec->max_unavailable) {
		field_invalid(errs, at,
			      value_json(errs, &type_policy_pod_disruption_budget_spec, spec),
			      "minAvailable and maxUnavailable cannot be both set");
	}
	check_bound(errs, AT(at, "minAvailable"), spec->min_available);
	check_bound(errs, AT(at, "maxUnavailable"), spec->max_unavailable);
	validate_label_selector(errs, AT(at, "selector"), spec->selector);
}

static void budget_validate_status(struct field_errors *errs, const void *obj,
				   const void *old UNUSED)
{
	const struct policy_pod_disruption_budget_status *s =
		&((const struct policy_pod_disruption_budget *)obj)->status;
	const struct path *at = AT(NULL, "status");

	validate_conditions(errs, AT(at, "conditions"), s->conditions.p, s->conditions.n);
	check_not_negative(errs, AT(at, "disruptionsAllowed"), s->disruptions_allowed);
	check_not_negative(errs, AT(at, "currentHealthy"), s->current_healthy);
	check_not_negative(errs, AT(at, "desiredHealthy"), s->desired_healthy);
	check_not_negative(errs, AT(at, "expectedPods"), s->expected_pods);
}

/* ---- PriorityClass ---- */

static void priority_validate(struct field_errors *errs, const void *obj, const void *old UNUSED)
{
	const struct scheduling_priority_class *c = obj;
	bool system = str_has_prefix(c->metadata.name, STR("system-"));
	bool known = str_is(c->metadata.name, "system-node-critical") ||
		     str_is(c->metadata.name, "system-cluster-critical");

	if (system && !known) {
		field_forbidden(errs, AT(AT(NULL, "metadata"), "name"),
				"priority class names with 'system-' prefix are reserved for "
				"system use only. error: "
				"%.*s is not a known system priority class",
				STR_ARG(c->metadata.name));
	} else if (!system && c->value > USER_PRIORITY_MAX) {
		field_forbidden(errs, AT(NULL, "value"),
				"maximum allowed value of a user defined priority is %d",
				USER_PRIORITY_MAX);
	}
}

/* ---- RuntimeClass ---- */

static void runtime_validate(struct field_errors *errs, const void *obj, const void *old UNUSED)
{
	const struct node_runtime_class *c = obj;
	const struct path *at = AT(NULL, "scheduling");

	if (c->handler.n) {
		check_name(errs, AT(NULL, "handler"), c->handler, dns_label_faults);
	}
	if (c->overhead) {
		const struct core_resource_requirements r = {.limits = c->overhead->pod_fixed};

		validate_resource_requirements(errs, AT(AT(NULL, "overhead"), "podFixed"), &r, NULL,
					       false);
	}
	if (c->scheduling) {
		validate_labels(errs, AT(at, "nodeSelector"), &c->scheduling->node_selector);
		validate_tolerations(errs, AT(at, "tolerations"), c->scheduling->tolerations.p,
				     c->scheduling->tolerations.n);
	}
}

static const struct strategy list[] = {
	{
		.resource = &resource_policy_poddisruptionbudgets,
		.name = NAME_PATH_SEGMENT,
		.generation = true,
		.must_send_version = true,
		.validate = budget_validate,
		.validate_status = budget_validate_status,
	},
	{.resource = &resource_scheduling_priorityclasses,
	 .generation = true,
	 .validate = priority_validate},
	{.resource = &resource_node_runtimeclasses,
	 .must_send_version = true,
	 .validate = runtime_validate},
};

const struct strategy_list strategies_policy = {list, ARRAY_LEN(list)};
