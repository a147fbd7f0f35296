/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/statefulset/set.h"
#include "object/object.h"
#include "rules/pod.h"

static void count_pod(const struct set *set, const struct core_pod *pod,
		      struct apps_stateful_set_status *st)
{
	int64_t now_s = set->snapshot->now_ns / SECOND;
	bool ready = str_is(pod->status.phase, "Running") && pod_is_ready(pod);

	st->replicas++;
	st->ready_replicas += ready;
	st->available_replicas +=
		ready && pod_is_available(pod, set->s->spec.min_ready_seconds, now_s);
	if (!pod_is_terminating(pod)) {
		st->current_replicas += str_eq(set_pod_revision(pod), set->current.name);
		st->updated_replicas += str_eq(set_pod_revision(pod), set->update.name);
	}
}

void status_write(struct set *set, const struct core_pod *const *pods, size_t n)
{
	struct apps_stateful_set copy = *set->s;
	struct apps_stateful_set_status *st = &copy.status;
	int32_t *collisions = ARENA_NEW(set->snapshot->arena, int32_t);

	*st = (struct apps_stateful_set_status){
		.observed_generation = set->s->metadata.generation,
		.current_revision = set->current.name,
		.update_revision = set->update.name,
		.collision_count = set->collision_count ? set->collision_count
							: set->s->status.collision_count,
		.conditions = set->s->status.conditions,
	};
	if (!st->collision_count) {
		st->collision_count = collisions; /* upstream writes a 0 */
	}
	for (size_t i = 0; i < n; i++) {
		count_pod(set, pods[i], st);
	}
	st->current_replicas = MAX(st->current_replicas - set->deleted_current, 0);
	if (set->is_rolling && st->updated_replicas == set->replicas &&
	    st->ready_replicas == set->replicas && st->replicas == set->replicas) {
		st->current_replicas = st->updated_replicas;
		st->current_revision = st->update_revision;
	}
	if (!object_equal(&type_apps_stateful_set_status, st, &set->s->status)) {
		actions_update_status(set->actions, &resource_apps_statefulsets, &copy);
	}
}
