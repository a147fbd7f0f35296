/* SPDX-License-Identifier: Apache-2.0 */
/* rules/taint.h: which taints of a node a pod puts up with. Pure. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "types/types.h"

/* Operator Exists with no key tolerates everything; no effect means every effect. */
bool toleration_tolerates(const struct core_toleration *t, const struct core_taint *taint);
bool taint_is_tolerated(const struct core_taint *taint, const struct core_pod_spec *spec);
/* The first taint of one of these effects (a set of TAINT_*) that the pod does not put up with; NULL if none. */
enum { TAINT_NO_SCHEDULE = 1, TAINT_PREFER_NO_SCHEDULE = 2, TAINT_NO_EXECUTE = 4 };
const struct core_taint *find_untolerated_taint(const struct core_taint *taints, size_t n,
						const struct core_pod_spec *spec, unsigned effects);
/* For how long the pod may stay on a node with this NoExecute taint: seconds, the shortest of the tolerations that match; INT64_MAX
 * for ever; -1 not at all. */
int64_t taint_toleration_s(const struct core_taint *taint, const struct core_pod_spec *spec);
