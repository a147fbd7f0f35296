/* SPDX-License-Identifier: Apache-2.0 */
/* rules/admission_rules.h: what webhooks and admission policies share: which requests they are for. */
#pragma once
#include <stdbool.h>

#include "object/field_error.h"
#include "types/types.h"

/* operations, apiGroups, apiVersions, resources, scope. */
void validate_admission_rule(struct field_errors *errs, const struct path *at,
			     const struct admissionregistration_rule_with_operations *rule);
/* Names and expressions are there, names unique; the CEL compiler checks the rest. */
void validate_match_conditions(struct field_errors *errs, const struct path *at,
			       const struct admissionregistration_match_condition *conditions,
			       size_t n);
