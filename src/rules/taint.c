/* SPDX-License-Identifier: Apache-2.0 */
#include "rules/taint.h"

bool toleration_tolerates(const struct core_toleration *t, const struct core_taint *taint)
{
	if (t->effect.n && !str_eq(t->effect, taint->effect)) {
		return false;
	}
	if (t->key.n && !str_eq(t->key, taint->key)) {
		return false;
	}
	if (str_is(t->operator, "Exists")) {
		return true;
	}
	return (!t->operator.n || str_is(t->operator, "Equal")) && str_eq(t->value, taint->value);
}

bool taint_is_tolerated(const struct core_taint *taint, const struct core_pod_spec *spec)
{
	for (size_t i = 0; i < spec->tolerations.n; i++) {
		if (toleration_tolerates(&spec->tolerations.p[i], taint)) {
			return true;
		}
	}
	return false;
}

static unsigned effect_of(const struct core_taint *taint)
{
	if (str_is(taint->effect, "NoSchedule")) {
		return TAINT_NO_SCHEDULE;
	}
	if (str_is(taint->effect, "PreferNoSchedule")) {
		return TAINT_PREFER_NO_SCHEDULE;
	}
	return str_is(taint->effect, "NoExecute") ? TAINT_NO_EXECUTE : 0;
}

const struct core_taint *find_untolerated_taint(const struct core_taint *taints, size_t n,
						const struct core_pod_spec *spec, unsigned effects)
{
	for (size_t i = 0; i < n; i++) {
		if ((effect_of(&taints[i]) & effects) && !taint_is_tolerated(&taints[i], spec)) {
			return &taints[i];
		}
	}
	return NULL;
}

int64_t taint_toleration_s(const struct core_taint *taint, const struct core_pod_spec *spec)
{
	int64_t shortest = -1;

	for (size_t i = 0; i < spec->tolerations.n; i++) {
		const struct core_toleration *t = &spec->tolerations.p[i];
		int64_t s = INT64_MAX;

		if (!toleration_tolerates(t, taint)) {
			continue;
		}
		if (t->toleration_seconds) {
			s = *t->toleration_seconds > 0 ? *t->toleration_seconds : 0;
		}
		shortest = shortest < 0 || s < shortest ? s : shortest;
	}
	return shortest;
}
