/* SPDX-License-Identifier: Apache-2.0 */
/* Where a pod may run: affinity, tolerations, spreading, gates. */
#include "rules/metadata.h"
#include "rules/pod_spec_internal.h"

static void check_expression(struct field_errors *errs, const struct path *at,
			     const struct core_node_selector_requirement *r, bool lax_values)
{
	const struct path *values = AT(at, "values");

	if (str_is(r->operator, "In") || str_is(r->operator, "NotIn")) {
		if (!r->values.n) {
			field_required(errs, values,
				       "must be specified when `operator` is 'In' or 'NotIn'");
		}
	} else if (str_is(r->operator, "Exists") || str_is(r->operator, "DoesNotExist")) {
		if (r->values.n) {
			field_forbidden(errs, values,
					"may not be specified when `operator` is 'Exists' or "
					"'DoesNotExist'");
		}
	} else if ((str_is(r->operator, "Gt") || str_is(r->operator, "Lt")) && r->values.n != 1) {
		field_required(errs, values,
			       "must be specified single value when `operator` is 'Lt' or 'Gt'");
	}
	if (r->key.n) {
		check_name(errs, AT(at, "key"), r->key, qualified_name_faults);
	}
	for (size_t i = 0; !lax_values && i < r->values.n; i++) {
		check_name(errs, AT_INDEX(values, i), r->values.p[i], label_value_faults);
	}
}

static void check_field(struct field_errors *errs, const struct path *at,
			const struct core_node_selector_requirement *r)
{
	if (!str_is(r->operator, "In") && !str_is(r->operator, "NotIn")) {
		field_invalid(errs, AT(at, "operator"), field_str(r->operator),
			      "not a valid selector operator");
	} else if (r->values.n != 1) {
		field_required(errs, AT(at, "values"),
			       "must be only one value when `operator` is 'In' or 'NotIn' for node "
			       "field selector");
	}
	if (!str_is(r->key, "metadata.name")) {
		field_invalid(errs, AT(at, "key"), field_str(r->key),
			      "not a valid field selector key");
		return;
	}
	for (size_t i = 0; i < r->values.n; i++) {
		check_name(errs, AT_INDEX(AT(at, "values"), i), r->values.p[i],
			   dns_subdomain_faults);
	}
}

static void check_node_term(struct field_errors *errs, const struct path *at,
			    const struct core_node_selector_term *term, bool lax_values)
{
	for (size_t i = 0; i < term->match_expressions.n; i++) {
		check_expression(errs, AT_INDEX(AT(at, "matchExpressions"), i),
				 &term->match_expressions.p[i], lax_values);
	}
	for (size_t i = 0; i < term->match_fields.n; i++) {
		check_field(errs, AT_INDEX(AT(at, "matchFields"), i), &term->match_fields.p[i]);
	}
}

void validate_node_selector(struct field_errors *errs, const struct path *at,
			    const struct core_node_selector *selector, bool lax_values)
{
	const struct path *terms = AT(at, "nodeSelectorTerms");

	if (!selector->node_selector_terms.n) {
		field_required(errs, terms, "must have at least one node selector term");
	}
	for (size_t i = 0; i < selector->node_selector_terms.n; i++) {
		check_node_term(errs, AT_INDEX(terms, i), &selector->node_selector_terms.p[i],
				lax_values);
	}
}

static void check_weight(struct field_errors *errs, const struct path *at, int32_t weight)
{
	if (weight <= 0 || weight > 100) {
		field_invalid(errs, AT(at, "weight"), field_int(weight),
			      "must be in the range 1-100");
	}
}

static void check_node_affinity(struct field_errors *errs, const struct path *at,
				const struct core_node_affinity *a)
{
	const struct path *preferred = AT(at, "preferredDuringSchedulingIgnoredDuringExecution");

	if (a->required_during_scheduling_ignored_during_execution) {
		validate_node_selector(
			errs, AT(at, "requiredDuringSchedulingIgnoredDuringExecution"),
			a->required_during_scheduling_ignored_during_execution, false);
	}
	for (size_t i = 0; i < a->preferred_during_scheduling_ignored_during_execution.n; i++) {
		const struct core_preferred_scheduling_term *t =
			&a->preferred_during_scheduling_ignored_during_execution.p[i];

		check_weight(errs, AT_INDEX(preferred, i), t->weight);
		check_node_term(errs, AT(AT_INDEX(preferred, i), "preference"), &t->preference,
				true);
	}
}

static bool selector_has_key(const struct meta_label_selector *s, struct str key)
{
	for (size_t i = 0; i < s->match_labels.n; i++) {
		if (str_eq(s->match_labels.p[i].key, key)) {
			return true;
		}
	}
	for (size_t i = 0; i < s->match_expressions.n; i++) {
		if (str_eq(s->match_expressions.p[i].key, key)) {
			return true;
		}
	}
	return false;
}

static void check_label_keys(struct field_errors *errs, const struct path *at,
			     const struct str_list *keys,
			     const struct meta_label_selector *selector)
{
	if (keys->n && !selector) {
		field_forbidden(errs, at, "must not be specified when labelSelector is not set");
		return;
	}
	for (size_t i = 0; i < keys->n; i++) {
		check_name(errs, AT_INDEX(at, i), keys->p[i], qualified_name_faults);
	}
}

static void check_pod_term(struct field_errors *errs, const struct path *at,
			   const struct core_pod_affinity_term *t)
{
	validate_label_selector(errs, AT(at, "labelSelector"), t->label_selector);
	validate_label_selector(errs, AT(at, "namespaceSelector"), t->namespace_selector);
	for (size_t i = 0; i < t->namespaces.n; i++) {
		check_name(errs, AT(at, "namespace"), t->namespaces.p[i], dns_label_faults);
	}
	check_label_keys(errs, AT(at, "matchLabelKeys"), &t->match_label_keys, t->label_selector);
	check_label_keys(errs, AT(at, "mismatchLabelKeys"), &t->mismatch_label_keys,
			 t->label_selector);
	for (size_t i = 0; i < t->match_label_keys.n; i++) {
		for (size_t j = 0; j < t->mismatch_label_keys.n && j < 100; j++) {
			if (str_eq(t->match_label_keys.p[i], t->mismatch_label_keys.p[j])) {
				field_invalid(
					errs, AT_INDEX(AT(at, "matchLabelKeys"), i),
					field_str(t->match_label_keys.p[i]),
					"exists in both matchLabelKeys and mismatchLabelKeys");
			}
		}
	}
	if (t->topology_key.n) {
		check_name(errs, AT(at, "topologyKey"), t->topology_key, qualified_name_faults);
	}
}

static void check_pod_affinity(struct field_errors *errs, const struct path *at,
			       const struct core_pod_affinity *a)
{
	const struct path *preferred = AT(at, "preferredDuringSchedulingIgnoredDuringExecution");

	for (size_t i = 0; i < a->required_during_scheduling_ignored_during_execution.n; i++) {
		check_pod_term(
			errs, AT_INDEX(AT(at, "requiredDuringSchedulingIgnoredDuringExecution"), i),
			&a->required_during_scheduling_ignored_during_execution.p[i]);
	}
	for (size_t i = 0; i < a->preferred_during_scheduling_ignored_during_execution.n; i++) {
		const struct core_weighted_pod_affinity_term *t =
			&a->preferred_during_scheduling_ignored_during_execution.p[i];

		check_weight(errs, AT_INDEX(preferred, i), t->weight);
		check_pod_term(errs, AT(AT_INDEX(preferred, i), "podAffinityTerm"),
			       &t->pod_affinity_term);
	}
}

_Static_assert(sizeof(struct core_pod_affinity) == sizeof(struct core_pod_anti_affinity) &&
		       offsetof(struct core_pod_affinity,
				preferred_during_scheduling_ignored_during_execution) ==
			       offsetof(struct core_pod_anti_affinity,
					preferred_during_scheduling_ignored_during_execution),
	       "affinity and anti-affinity are checked by the same code");

static void check_affinity(struct field_errors *errs, const struct path *at,
			   const struct core_affinity *a)
{
	if (a->node_affinity) {
		check_node_affinity(errs, AT(at, "nodeAffinity"), a->node_affinity);
	}
	if (a->pod_affinity) {
		check_pod_affinity(errs, AT(at, "podAffinity"), a->pod_affinity);
	}
	if (a->pod_anti_affinity) {
		check_pod_affinity(errs, AT(at, "podAntiAffinity"),
				   (const void *)a->pod_anti_affinity);
	}
}

static void check_toleration(struct field_errors *errs, const struct path *at,
			     const struct core_toleration *t)
{
	static const char *const operators[] = {"Equal", "Exists", NULL};
	bool exists = str_is(t->operator, "Exists");

	if (t->key.n) {
		check_name(errs, AT(at, "key"), t->key, qualified_name_faults);
	} else if (!exists) {
		field_invalid(errs, AT(at, "operator"), field_str(t->operator),
			      "operator must be Exists when `key` is empty, which means \"match "
			      "all values and all "
			      "keys\"");
	}
	if (t->toleration_seconds && !str_is(t->effect, "NoExecute")) {
		field_invalid(errs, AT(at, "effect"), field_str(t->effect),
			      "effect must be 'NoExecute' when `tolerationSeconds` is set");
	}
	if (exists) {
		if (t->value.n) {
			field_invalid(errs, AT(at, "operator"), field_str(t->value),
				      "value must be empty when `operator` is 'Exists'");
		}
	} else if (!t->operator.n || str_is(t->operator, "Equal")) {
		check_name(errs, AT(at, "operator"), t->value, label_value_faults);
	} else {
		field_not_supported(errs, AT(at, "operator"), field_str(t->operator), operators);
	}
}

void validate_tolerations(struct field_errors *errs, const struct path *at,
			  const struct core_toleration *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		check_toleration(errs, AT_INDEX(at, i), &p[i]);
	}
}

static void check_spread_keys(struct field_errors *errs, const struct path *at,
			      const struct core_topology_spread_constraint *t)
{
	if (t->match_label_keys.n && !t->label_selector) {
		field_forbidden(errs, at, "must not be specified when labelSelector is not set");
	}
	for (size_t i = 0; i < t->match_label_keys.n; i++) {
		struct str key = t->match_label_keys.p[i];

		check_name(errs, AT_INDEX(at, i), key, qualified_name_faults);
		if (t->label_selector && selector_has_key(t->label_selector, key)) {
			field_invalid(errs, AT_INDEX(at, i), field_str(key),
				      "exists in both matchLabelKeys and labelSelector");
		}
	}
}

static void check_spread(struct pod_check *c, const struct path *at)
{
	struct field_errors *errs = c->errs;
	struct str_set pairs CLEANUP_STR_SET = {0};

	for (size_t i = 0; i < c->spec->topology_spread_constraints.n; i++) {
		const struct core_topology_spread_constraint *t =
			&c->spec->topology_spread_constraints.p[i];
		const struct path *item = AT_INDEX(at, i);
		struct str pair =
			arena_printf(errs->arena, "{%.*s, %.*s}", STR_ARG(t->topology_key),
				     STR_ARG(t->when_unsatisfiable));

		if (t->max_skew <= 0) {
			field_invalid(errs, AT(item, "maxSkew"), field_int(t->max_skew),
				      "must be greater than zero");
		}
		if (!str_set_add(&pairs, pair)) {
			field_duplicate(errs, AT(item, "{topologyKey, whenUnsatisfiable}"),
					field_str(pair));
		}
		if (t->min_domains && *t->min_domains <= 0) {
			field_invalid(errs, AT(item, "minDomains"), field_int(*t->min_domains),
				      "must be greater than zero");
		}
		if (t->min_domains && !str_is(t->when_unsatisfiable, "DoNotSchedule")) {
			field_invalid(errs, AT(item, "minDomains"), field_int(*t->min_domains),
				      "can only use minDomains if whenUnsatisfiable=DoNotSchedule, "
				      "not %.*s",
				      STR_ARG(t->when_unsatisfiable));
		}
		check_spread_keys(errs, AT(item, "matchLabelKeys"), t);
		validate_label_selector(errs, AT(item, "labelSelector"), t->label_selector);
	}
}

static void check_gates(struct pod_check *c, const struct path *at)
{
	struct str_set names CLEANUP_STR_SET = {0};

	for (size_t i = 0; i < c->spec->scheduling_gates.n; i++) {
		struct str name = c->spec->scheduling_gates.p[i].name;

		if (name.n) {
			check_name(c->errs, AT_INDEX(at, i), name, qualified_name_faults);
		}
		if (!str_set_add(&names, name)) {
			field_duplicate(c->errs, AT_INDEX(at, i), field_str(name));
		}
	}
}

void pod_check_scheduling(struct pod_check *c, const struct path *at)
{
	const struct core_pod_spec *spec = c->spec;

	validate_labels(c->errs, AT(at, "nodeSelector"), &spec->node_selector);
	if (spec->affinity) {
		check_affinity(c->errs, AT(at, "affinity"), spec->affinity);
	}
	check_gates(c, AT(at, "schedulingGates"));
	check_spread(c, AT(at, "topologySpreadConstraints"));
	validate_tolerations(c->errs, AT(at, "tolerations"), spec->tolerations.p,
			     spec->tolerations.n);
	if (spec->node_name.n) {
		check_name(c->errs, AT(at, "nodeName"), spec->node_name, dns_subdomain_faults);
	}
	if (spec->priority_class_name.n) {
		check_name(c->errs, AT(at, "priorityClassName"), spec->priority_class_name,
			   dns_subdomain_faults);
	}
}
