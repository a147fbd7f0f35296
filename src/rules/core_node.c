/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes. */
#include "object/object.h"
#include "rules/check.h"
#include "rules/pod_spec.h"
#include "rules/resources.h"

static void node_defaults(struct arena *a, void *obj)
{
	struct core_node *node = obj;
	struct core_node_spec *spec = &node->spec;

	resources_round(&node->status.capacity);
	resources_round(&node->status.allocatable);
	if (!node->status.allocatable.p) {
		node->status.allocatable = node->status.capacity;
	}
	/* podCIDR is the first of podCIDRs; where they differ it alone counts, as from clients that know no other. */
	if (spec->pod_cidr.n &&
	    (!spec->pod_cidrs.n || !str_eq(spec->pod_cidrs.p[0], spec->pod_cidr))) {
		spec->pod_cidrs.p = ARENA_NEW(a, struct str);
		spec->pod_cidrs.p[0] = spec->pod_cidr;
		spec->pod_cidrs.n = 1;
	} else if (spec->pod_cidrs.n) {
		spec->pod_cidr = spec->pod_cidrs.p[0];
	}
}

static void check_taints(struct field_errors *errs, const struct path *at,
			 const struct core_node_spec *spec)
{
	struct str_set seen CLEANUP_STR_SET = {0};

	for (size_t i = 0; i < spec->taints.n; i++) {
		const struct core_taint *t = &spec->taints.p[i];
		const struct path *item = AT_INDEX(at, i);
		struct str key =
			arena_printf(errs->arena, "%.*s:%.*s", STR_ARG(t->effect), STR_ARG(t->key));

		if (t->key.n) {
			check_name(errs, AT(item, "key"), t->key, qualified_name_faults);
		}
		check_name(errs, AT(item, "value"), t->value, label_value_faults);
		if (!str_set_add(&seen, key)) {
			field_errors_add(errs, item, FIELD_ERROR_DUPLICATE,
					 value_json(errs, &type_core_taint, t),
					 "taints must be unique by key and effect pair");
		}
	}
}

static void check_node_resources(struct field_errors *errs, const struct path *at,
				 const struct quantity_map *list)
{
	for (size_t i = 0; i < list->n; i++) {
		const struct path place = path_field(at, list->p[i].key);

		validate_resource_amount(errs, &place, list->p[i].key, list->p[i].value);
	}
}

static void check_pod_cidrs(struct field_errors *errs, const struct path *at,
			    const struct str_list *cidrs, const struct core_node *old)
{
	for (size_t i = 0; i < cidrs->n; i++) {
		check_cidr(errs, AT_INDEX(at, i), cidrs->p[i]);
	}
	check_dual_stack(errs, at, cidrs, "CIDR");
	if (!old || !old->spec.pod_cidrs.n) {
		return;
	}
	for (size_t i = 0; i < old->spec.pod_cidrs.n; i++) {
		if (cidrs->n != old->spec.pod_cidrs.n ||
		    !str_eq(cidrs->p[i], old->spec.pod_cidrs.p[i])) {
			field_forbidden(
				errs, at,
				"node updates may not change podCIDR except from \"\" to valid");
			return;
		}
	}
}

static void check_addresses(struct field_errors *errs, const struct path *at,
			    const struct core_node_status *s)
{
	struct str_set seen CLEANUP_STR_SET = {0};

	for (size_t i = 0; i < s->addresses.n; i++) {
		const struct core_node_address *address = &s->addresses.p[i];
		struct str key = arena_printf(errs->arena, "%.*s %.*s", STR_ARG(address->type),
					      STR_ARG(address->address));

		if (!str_set_add(&seen, key)) {
			field_duplicate(errs, AT_INDEX(at, i),
					value_json(errs, &type_core_node_address, address));
		}
	}
}

static void check_status(struct field_errors *errs, const struct core_node *node)
{
	const struct path *at = AT(NULL, "status");

	check_node_resources(errs, AT(at, "capacity"), &node->status.capacity);
	check_node_resources(errs, AT(at, "allocatable"), &node->status.allocatable);
	check_addresses(errs, AT(at, "addresses"), &node->status);
}

static void node_validate(struct field_errors *errs, const void *obj, const void *old_obj)
{
	const struct core_node *node = obj;
	const struct core_node *old = old_obj;
	const struct path *at = AT(NULL, "spec");

	check_taints(errs, AT(AT(NULL, "metadata"), "taints"), &node->spec);
	check_status(errs, node);
	check_pod_cidrs(errs, AT(at, "podCIDRs"), &node->spec.pod_cidrs, old);
	if (old && old->spec.provider_id.n &&
	    !str_eq(old->spec.provider_id, node->spec.provider_id)) {
		field_forbidden(errs, AT(at, "providerID"),
				"node updates may not change providerID except from \"\" to valid");
	}
	if (old && !str_eq(old->spec.external_id, node->spec.external_id)) {
		field_forbidden(errs, AT(at, "externalID"), "may not be updated");
	}
}

static void node_validate_status(struct field_errors *errs, const void *obj, const void *old UNUSED)
{
	check_status(errs, obj);
}

static const struct strategy list[] = {
	{
		.resource = &resource_core_nodes,
		.set_defaults = node_defaults,
		.validate = node_validate,
		.validate_status = node_validate_status,
	},
};

const struct strategy_list strategies_core_node = {list, ARRAY_LEN(list)};
