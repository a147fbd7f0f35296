/* SPDX-License-Identifier: Apache-2.0 */
/* Priority: the class named by a pod, or the default one, becomes spec.priority and preemptionPolicy. */
#include "apiserver/admission/admission.h"

static bool take_default(void *ctx, struct frozen *f)
{
	const struct scheduling_priority_class **best = ctx;
	const struct scheduling_priority_class *c =
		FROZEN_AS(f, scheduling_priorityclasses, struct scheduling_priority_class);

	/* Of several defaults the lowest one counts, as upstream has it. */
	if (c->global_default && (!*best || c->value < (*best)->value)) {
		*best = c;
	}
	return true;
}

struct meta_status *admit_priority(struct write *w)
{
	struct core_pod *pod = admitted_pod(w, WRITE_CREATE);
	struct request *r = w->r;
	struct informer *classes =
		informers_get(r->api->informers, &resource_scheduling_priorityclasses, STR_NULL);
	const struct scheduling_priority_class *class = NULL;
	struct status_about about = {STR_NULL, STR("pods"), STR_NULL};

	if (!pod) {
		return NULL;
	}
	about.name = pod->metadata.name;
	if (pod->spec.priority_class_name.n) {
		struct frozen *f = informer_get(classes, STR_NULL, pod->spec.priority_class_name);

		if (!f) {
			return status_forbidden(
				&r->arena, &about,
				arena_printf(&r->arena, "no PriorityClass with name %.*s was found",
					     STR_ARG(pod->spec.priority_class_name)));
		}
		class = FROZEN_AS(f, scheduling_priorityclasses, struct scheduling_priority_class);
	} else {
		informer_each(classes, STR_NULL, take_default, &class);
		if (class) {
			pod->spec.priority_class_name = arena_str(&r->arena, class->metadata.name);
		}
	}
	if (pod->spec.priority && *pod->spec.priority != (class ? class->value : 0)) {
		return status_forbidden(&r->arena, &about,
					arena_printf(&r->arena,
						     "the integer value of priority (%d) must not "
						     "be provided in pod spec; "
						     "priority admission controller computed %d "
						     "from the given PriorityClass name",
						     *pod->spec.priority,
						     class ? class->value : 0));
	}
	pod->spec.priority = ARENA_NEW(&r->arena, int32_t);
	*pod->spec.priority = class ? class->value : 0;
	if (!pod->spec.preemption_policy) {
		pod->spec.preemption_policy = ARENA_NEW(&r->arena, struct str);
		*pod->spec.preemption_policy =
			class && class->preemption_policy
				? arena_str(&r->arena, *class->preemption_policy)
				: STR("PreemptLowerPriority");
	}
	return NULL;
}
