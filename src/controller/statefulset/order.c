/* SPDX-License-Identifier: Apache-2.0 */
/* Which pod may come, go or be replaced now. OrderedReady: one step per pass, lowest ordinal first when pods come, highest first when they
 * go, and nothing moves while another pod is not ready. Parallel: pods come and go together, but are still replaced one by one. */
#include "controller/statefulset/set.h"
#include "rules/pod.h"

static bool is_ready_and_running(const struct core_pod *pod)
{
	return str_is(pod->status.phase, "Running") && pod_is_ready(pod);
}

bool pod_is_healthy(const struct core_pod *pod)
{
	return is_ready_and_running(pod) && !pod_is_terminating(pod);
}

/* Running and ready for minReadySeconds; asks to be called again when that time has passed. */
static bool is_available(struct set *set, const struct core_pod *pod)
{
	int64_t at = pod_available_at(pod, set->s->spec.min_ready_seconds);

	if (!is_ready_and_running(pod) || at < 0) {
		return false;
	}
	if (pod_is_available(pod, set->s->spec.min_ready_seconds, set->snapshot->now_ns / SECOND)) {
		return true;
	}
	actions_requeue_after(set->actions, at * SECOND - set->snapshot->now_ns);
	return false;
}

/* ---- pods that should be there ---- */

/* Below the partition pods are made, and made again, at the revision that they had. */
static const struct set_revision *revision_for(const struct set *set, int32_t slot)
{
	return set->is_rolling && slot < set->partition ? &set->current : &set->update;
}

static void replace_ended(struct set *set, const struct core_pod *pod)
{
	bool failed = str_is(pod->status.phase, "Failed");

	if (pod_is_terminating(pod)) {
		return;
	}
	actions_event(set->actions, set->frozen, failed ? "Warning" : "Normal",
		      failed ? "RecreatingFailedPod" : "RecreatingTerminatedPod",
		      "StatefulSet %.*s/%.*s is recreating %s Pod %.*s",
		      STR_ARG(set->s->metadata.namespace), STR_ARG(set->s->metadata.name),
		      failed ? "failed" : "terminated", STR_ARG(pod->metadata.name));
	identity_delete(set, pod);
}

/* True: nothing after this one may move yet. */
static bool handle_slot(struct set *set, int32_t slot)
{
	const struct core_pod *pod = set->slots[slot];
	int64_t ordinal = (int64_t)set->start + slot;

	if (!pod) {
		if (identity_claims(set, ordinal)) {
			/* The claims first: a pod that waits for one nobody makes would hang. */
			actions_next_stage(set->actions);
			identity_create(set, ordinal, revision_for(set, slot));
		}
		return set->is_monotonic;
	}
	if (pod_is_terminal(pod)) {
		replace_ended(set, pod); /* its successor comes when it has gone */
		return set->is_monotonic;
	}
	if (str_is(pod->status.phase, "Pending") && !pod_is_terminating(pod)) {
		(void)identity_claims(set, ordinal);
	}
	if (set->is_monotonic && (pod_is_terminating(pod) || !is_available(set, pod))) {
		return true;
	}
	if (!pod_is_terminating(pod)) {
		identity_repair(set, pod, ordinal);
		identity_retention(set, ordinal, pod, false);
	}
	return false;
}

/* Claims of all pods before all pods, so that Parallel needs two stages and not two per pod. */
static bool create_in_parallel(struct set *set)
{
	bool *usable = ARENA_ARRAY(set->snapshot->arena, (size_t)set->replicas, bool);
	bool any = false;

	for (int32_t i = 0; i < set->replicas; i++) {
		if (!set->slots[i]) {
			usable[i] = identity_claims(set, (int64_t)set->start + i);
			any = true;
		}
	}
	actions_next_stage(set->actions);
	for (int32_t i = 0; i < set->replicas; i++) {
		if (usable[i]) {
			identity_create(set, (int64_t)set->start + i, revision_for(set, i));
		}
	}
	return any;
}

/* True: something in here has to happen before anything else. */
static bool handle_slots(struct set *set)
{
	if (!set->is_monotonic && create_in_parallel(set)) {
		return true;
	}
	for (int32_t i = 0; i < set->replicas; i++) {
		if (handle_slot(set, i)) {
			return true;
		}
	}
	return false;
}

/* ---- pods that should not ---- */

/* Lowest ordinal first: in trouble, this is the one that may go although it is not ready. */
static const struct core_pod *first_unhealthy(const struct set *set)
{
	for (int32_t i = 0; i < set->replicas; i++) {
		if (set->slots[i] && !pod_is_healthy(set->slots[i])) {
			return set->slots[i];
		}
	}
	for (size_t i = set->ncondemned; i-- > 0;) {
		if (!pod_is_healthy(set->condemned[i])) {
			return set->condemned[i];
		}
	}
	return NULL;
}

static bool handle_condemned(struct set *set)
{
	const struct core_pod *unhealthy = first_unhealthy(set);

	for (size_t i = 0; i < set->ncondemned; i++) {
		const struct core_pod *pod = set->condemned[i];

		if (pod_is_terminating(pod)) {
			if (set->is_monotonic) {
				return true;
			}
			continue;
		}
		if (set->is_monotonic && pod != unhealthy && !is_available(set, pod)) {
			return true;
		}
		identity_retention(set, set_ordinal(set->s, pod), pod, true);
		actions_next_stage(set->actions);
		identity_delete(set, pod);
		if (str_eq(set_pod_revision(pod), set->current.name)) {
			set->deleted_current++;
		}
		if (set->is_monotonic) {
			return true;
		}
	}
	return false;
}

/* ---- pods of an older revision ---- */

static void handle_updates(struct set *set)
{
	for (int32_t i = set->replicas - 1; i >= set->partition && set->is_rolling; i--) {
		const struct core_pod *pod = set->slots[i];

		if (!pod) {
			return;
		}
		if (!str_eq(set_pod_revision(pod), set->update.name) && !pod_is_terminating(pod)) {
			identity_delete(set, pod);
			set->deleted_current += str_eq(set_pod_revision(pod), set->current.name);
			return;
		}
		if (!pod_is_healthy(pod) || !is_available(set, pod)) {
			return;
		}
	}
}

void order_reconcile(struct set *set)
{
	if (!handle_slots(set) && !handle_condemned(set)) {
		handle_updates(set);
	}
}
