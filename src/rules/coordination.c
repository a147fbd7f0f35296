/* SPDX-License-Identifier: Apache-2.0 */
/* coordination.k8s.io/v1 */
#include "rules/check.h"
#include "rules/strategy.h"
#include "types/types.h"

static void lease_validate(struct field_errors *errs, const void *obj, const void *old UNUSED)
{
	static const char *const strategies[] = {"OldestEmulationVersion", NULL};
	const struct coordination_lease_spec *spec =
		&((const struct coordination_lease *)obj)->spec;
	const struct path *at = AT(NULL, "spec");

	if (spec->lease_duration_seconds && *spec->lease_duration_seconds <= 0) {
		field_invalid(errs, AT(at, "leaseDurationSeconds"),
			      field_int(*spec->lease_duration_seconds), "must be greater than 0");
	}
	check_not_negative_ptr(errs, AT(at, "leaseTransitions"), spec->lease_transitions);
	if (spec->strategy && str_find_char(*spec->strategy, '/') < 0) {
		check_one_of(errs, AT(at, "strategy"), spec->strategy, strategies);
	} else if (spec->strategy) {
		check_name(errs, AT(at, "strategy"), *spec->strategy, qualified_name_faults);
	}
	if (spec->preferred_holder && spec->preferred_holder->n &&
	    (!spec->strategy || !spec->strategy->n)) {
		field_forbidden(errs, AT(at, "preferredHolder"),
				"may only be specified if `strategy` is defined");
	}
}

static const struct strategy list[] = {
	{
		.resource = &resource_coordination_leases,
		.create_on_update = true,
		.must_send_version = true,
		.validate = lease_validate,
	},
};

const struct strategy_list strategies_coordination = {list, ARRAY_LEN(list)};
