/* SPDX-License-Identifier: Apache-2.0 */
#include "base/map.h"
#include "base/sort.h"
#include "controller/replicaset/replicaset.h"
#include "rules/pod.h"

/* https://kubernetes.io/docs/concepts/workloads/controllers/replicaset/#pod-deletion-cost */
#define DELETION_COST "controller.kubernetes.io/pod-deletion-cost"

/* Pods of the same Deployment on each node. */
struct crowd {
	struct map counts; /* node -> struct count */
};

struct count {
	int n;
};

static int crowd_of(struct crowd *c, const struct core_pod *pod)
{
	const struct count *n = map_find(&c->counts, pod->spec.node_name);

	return n ? n->n : 0;
}

static int phase_order(const struct core_pod *pod)
{
	return str_is(pod->status.phase, "Pending")   ? 0
	       : str_is(pod->status.phase, "Unknown") ? 1
						      : 2;
}

static int32_t deletion_cost(const struct core_pod *pod)
{
	const struct str *text = str_map_find(&pod->metadata.annotations, STR(DELETION_COST));
	int64_t n;

	/* Validation lets only 32-bit numbers through; what is older counts as 0. */
	return text && str_to_int64(*text, &n) == 0 && n >= INT32_MIN && n <= INT32_MAX ? (int32_t)n
											: 0;
}

static int32_t max_restarts(const struct core_pod *pod)
{
	int32_t max = 0;

	for (size_t i = 0; i < pod->status.container_statuses.n; i++) {
		max = MAX(max, pod->status.container_statuses.p[i].restart_count);
	}
	return max;
}

static int64_t ready_since(const struct core_pod *pod)
{
	const struct core_pod_condition *c = pod_condition(pod, STR("Ready"));

	return c->last_transition_time.set ? c->last_transition_time.sec : INT64_MIN;
}

#define COMPARE(x, y)                                                                              \
	do {                                                                                       \
		__typeof__(x) compare_x_ = (x);                                                    \
		__typeof__(y) compare_y_ = (y);                                                    \
		if (compare_x_ != compare_y_) {                                                    \
			return compare_x_ < compare_y_ ? -1 : 1;                                   \
		}                                                                                  \
	} while (0)

static int cmp_pods(const void *pa, const void *pb, void *ctx)
{
	const struct core_pod *a = pa;
	const struct core_pod *b = pb;
	struct crowd *crowd = ctx;

	COMPARE(pod_is_bound(a), pod_is_bound(b));
	COMPARE(phase_order(a), phase_order(b));
	COMPARE(pod_is_ready(a), pod_is_ready(b));
	COMPARE(deletion_cost(a), deletion_cost(b));
	COMPARE(crowd_of(crowd, b), crowd_of(crowd, a));
	if (pod_is_ready(a)) {
		COMPARE(ready_since(b), ready_since(a));
	}
	COMPARE(max_restarts(b), max_restarts(a));
	COMPARE(b->metadata.creation_timestamp.sec, a->metadata.creation_timestamp.sec);
	return 0;
}

void replicas_rank(const struct core_pod **pods, size_t n, const struct core_pod *const *related,
		   size_t nrelated)
{
	struct count *counts = mem_new_array(nrelated, sizeof(*counts));
	struct crowd crowd;

	map_init(&crowd.counts, MAP_BORROW_KEYS);
	for (size_t i = 0; i < nrelated; i++) {
		struct count *c = map_find(&crowd.counts, related[i]->spec.node_name);

		if (!c) {
			c = &counts[i];
			map_put(&crowd.counts, related[i]->spec.node_name, c);
		}
		c->n++;
	}
	sort_pointers((void **)pods, n, cmp_pods, &crowd);
	map_fini(&crowd.counts);
	mem_free(counts);
}
