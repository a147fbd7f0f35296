/* SPDX-License-Identifier: Apache-2.0 */
#include "rules/affinity.h"

#include "rules/selector.h"

static bool in_list(const struct str_list *list, struct str want)
{
	for (size_t i = 0; i < list->n; i++) {
		if (str_eq(list->p[i], want)) {
			return true;
		}
	}
	return false;
}

/* Gt and Lt compare integers; what is none never matches. */
static bool compares(const struct core_node_selector_requirement *r, struct str have)
{
	int64_t a;
	int64_t b;

	if (r->values.n != 1 || str_to_int64(have, &a) < 0 ||
	    str_to_int64(r->values.p[0], &b) < 0) {
		return false;
	}
	return str_is(r->operator, "Gt") ? a > b : a < b;
}

/* have: NULL if the node does not have it. */
static bool requirement_matches(const struct core_node_selector_requirement *r,
				const struct str *have)
{
	if (str_is(r->operator, "In")) {
		return have && in_list(&r->values, *have);
	}
	if (str_is(r->operator, "NotIn")) {
		return !have || !in_list(&r->values, *have);
	}
	if (str_is(r->operator, "Exists")) {
		return have != NULL;
	}
	if (str_is(r->operator, "DoesNotExist")) {
		return !have;
	}
	return (str_is(r->operator, "Gt") || str_is(r->operator, "Lt")) && have &&
	       compares(r, *have);
}

static bool all_match(const struct core_node_selector_term *term,
		      const struct meta_object_meta *node)
{
	for (size_t i = 0; i < term->match_expressions.n; i++) {
		const struct core_node_selector_requirement *r = &term->match_expressions.p[i];

		if (!requirement_matches(r, str_map_find(&node->labels, r->key))) {
			return false;
		}
	}
	for (size_t i = 0; i < term->match_fields.n; i++) {
		const struct core_node_selector_requirement *r = &term->match_fields.p[i];

		if (!str_is(r->key, "metadata.name") || !requirement_matches(r, &node->name)) {
			return false;
		}
	}
	return true;
}

bool node_selector_term_matches(const struct core_node_selector_term *term,
				const struct meta_object_meta *node)
{
	return term->match_expressions.n + term->match_fields.n > 0 && all_match(term, node);
}

bool node_selector_matches(const struct core_node_selector *selector,
			   const struct meta_object_meta *node)
{
	for (size_t i = 0; selector && i < selector->node_selector_terms.n; i++) {
		if (node_selector_term_matches(&selector->node_selector_terms.p[i], node)) {
			return true;
		}
	}
	return false;
}

bool pod_matches_node(const struct core_pod_spec *spec, const struct meta_object_meta *node)
{
	const struct core_node_affinity *affinity =
		spec->affinity ? spec->affinity->node_affinity : NULL;

	for (size_t i = 0; i < spec->node_selector.n; i++) {
		const struct str *have = str_map_find(&node->labels, spec->node_selector.p[i].key);

		if (!have || !str_eq(*have, spec->node_selector.p[i].value)) {
			return false;
		}
	}
	return !affinity || !affinity->required_during_scheduling_ignored_during_execution ||
	       node_selector_matches(affinity->required_during_scheduling_ignored_during_execution,
				     node);
}

int64_t node_affinity_weight(const struct core_pod_spec *spec, const struct meta_object_meta *node)
{
	const struct core_node_affinity *affinity =
		spec->affinity ? spec->affinity->node_affinity : NULL;
	int64_t sum = 0;

	for (size_t i = 0;
	     affinity && i < affinity->preferred_during_scheduling_ignored_during_execution.n;
	     i++) {
		const struct core_preferred_scheduling_term *t =
			&affinity->preferred_during_scheduling_ignored_during_execution.p[i];

		if (all_match(&t->preference, node)) {
			sum += t->weight;
		}
	}
	return sum;
}

bool volume_reaches_node(const struct core_volume_node_affinity *affinity,
			 const struct meta_object_meta *node)
{
	return !affinity || !affinity->required || node_selector_matches(affinity->required, node);
}

static bool namespace_matches(const struct core_pod_affinity_term *term, struct str own_namespace,
			      struct str ns, const struct str_map *ns_labels)
{
	if (in_list(&term->namespaces, ns)) {
		return true;
	}
	if (term->namespace_selector) {
		return ns_labels && label_selector_matches(term->namespace_selector, ns_labels);
	}
	return term->namespaces.n == 0 && str_eq(ns, own_namespace);
}

bool pod_affinity_term_matches(const struct core_pod_affinity_term *term, struct str own_namespace,
			       const struct meta_object_meta *other,
			       const struct str_map *ns_labels)
{
	return namespace_matches(term, own_namespace, other->namespace, ns_labels) &&
	       label_selector_matches(term->label_selector, &other->labels);
}
