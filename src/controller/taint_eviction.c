/* SPDX-License-Identifier: Apache-2.0 */
/* Pods on nodes with NoExecute taints: those that do not tolerate one go at once, those that tolerate it for a time after that time. */
#include "base/map.h"
#include "controller/node_pods.h"
#include "rules/pod.h"
#include "rules/taint.h"

/* A taint that somebody set by hand has no time: then it counts from when we saw it. */
struct evictions {
	struct map since; /* pod uid -> struct since */
};

struct since {
	int64_t mono_ns;
};

static void *memory_new(void)
{
	struct evictions *m = NEW(struct evictions);

	map_init(&m->since, 0);
	return m;
}

static void memory_free(void *memory)
{
	struct evictions *m = memory;
	struct str key;
	void *value;

	for (size_t i = 0; map_next(&m->since, &i, &key, &value);) {
		mem_free(value);
	}
	map_fini(&m->since);
	mem_free(m);
}

/* Nanoseconds that the pod has been on the node with this taint. */
static int64_t age_of(const struct snapshot *snapshot, const struct core_taint *taint,
		      const struct core_pod *pod)
{
	struct evictions *m = snapshot->memory;
	struct since *since;

	if (taint->time_added && taint->time_added->set) {
		return snapshot->now_ns - taint->time_added->sec * SECOND;
	}
	since = map_find(&m->since, pod->metadata.uid);
	if (!since) {
		since = NEW(struct since);
		since->mono_ns = snapshot->mono_ns;
		map_put(&m->since, pod->metadata.uid, since);
	}
	return snapshot->mono_ns - since->mono_ns;
}

/* Nanoseconds until the pod has to go: 0 now, INT64_MAX never. */
static int64_t time_left(const struct snapshot *snapshot, const struct core_node *node,
			 const struct core_pod *pod)
{
	int64_t left = INT64_MAX;

	for (size_t i = 0; i < node->spec.taints.n; i++) {
		const struct core_taint *taint = &node->spec.taints.p[i];
		int64_t tolerated_s;

		if (!str_is(taint->effect, "NoExecute")) {
			continue;
		}
		tolerated_s = taint_toleration_s(taint, &pod->spec);
		if (tolerated_s <= 0) {
			return 0;
		}
		if (tolerated_s < INT64_MAX / SECOND) {
			left = MIN(left, MAX(tolerated_s * SECOND - age_of(snapshot, taint, pod),
					     (int64_t)0));
		}
	}
	return left;
}

static void evict(const struct snapshot *snapshot, struct actions *actions, const struct frozen *f)
{
	const struct core_pod *pod = FROZEN_AS(f, core_pods, struct core_pod);
	struct delete_opts opts = {.uid = pod->metadata.uid};

	actions_event(actions, f, "Normal", "TaintManagerEviction",
		      "Marking for deletion Pod %.*s/%.*s", STR_ARG(pod->metadata.namespace),
		      STR_ARG(pod->metadata.name));
	node_pods_mark_disrupted(snapshot, actions, pod, false, "DeletionByTaintManager",
				 "Taint manager: deleting due to NoExecute taint");
	actions_delete(actions, &resource_core_pods, pod->metadata.namespace, pod->metadata.name,
		       &opts);
}

static void reconcile(const struct snapshot *snapshot, struct str key, struct actions *actions)
{
	struct frozen *f = snapshot_get_key(snapshot, &resource_core_pods, key);
	struct evictions *m = snapshot->memory;
	const struct core_pod *pod;
	struct frozen *node;
	int64_t left;

	if (!f) {
		return;
	}
	pod = FROZEN_AS(f, core_pods, struct core_pod);
	node = snapshot_get(snapshot, &resource_core_nodes, STR_NULL, pod->spec.node_name);
	if (!node || pod_is_terminating(pod)) {
		mem_free(map_remove(&m->since, pod->metadata.uid));
		return;
	}
	left = time_left(snapshot, FROZEN_AS(node, core_nodes, struct core_node), pod);
	if (left == INT64_MAX) {
		mem_free(map_remove(&m->since, pod->metadata.uid));
	} else if (left > 0) {
		actions_requeue_after(actions, left);
	} else {
		evict(snapshot, actions, f);
	}
}

/* ---- keys ---- */

static bool has_no_execute(const struct frozen *f)
{
	const struct core_node *node = f ? FROZEN_AS(f, core_nodes, struct core_node) : NULL;

	for (size_t i = 0; node && i < node->spec.taints.n; i++) {
		if (str_is(node->spec.taints.p[i].effect, "NoExecute")) {
			return true;
		}
	}
	return false;
}

static void node_keys(struct informers *informers, const struct frozen *old,
		      const struct frozen *new_, enqueue_fn enqueue, void *ctx)
{
	if (has_no_execute(old) || has_no_execute(new_)) {
		node_pods_enqueue(informers, (new_ ? new_ : old)->head->metadata.name, enqueue,
				  ctx);
	}
}

static void pod_keys(struct informers *informers, const struct frozen *old,
		     const struct frozen *new_, enqueue_fn enqueue, void *ctx)
{
	const struct core_pod *pod = FROZEN_AS(new_ ? new_ : old, core_pods, struct core_pod);

	if (pod_is_bound(pod) &&
	    has_no_execute(informer_get(informers_find(informers, &resource_core_nodes), STR_NULL,
					pod->spec.node_name))) {
		controller_enqueue(pod->metadata.namespace, pod->metadata.name, enqueue, ctx);
	}
}

static const struct informer_index_desc *const pod_indexes[] = {&index_pods_by_node, NULL};

static const struct controller_watch watches[] = {
	{.resource = &resource_core_pods, .keys = pod_keys, .indexes = pod_indexes},
	{.resource = &resource_core_nodes, .keys = node_keys},
};

const struct controller_desc taint_eviction_controller = {
	.name = "taint-eviction-controller",
	.service_account = "node-controller",
	.workers = 8,
	.watches = watches,
	.nwatches = ARRAY_LEN(watches),
	.reconcile = reconcile,
	.memory_new = memory_new,
	.memory_free = memory_free,
};
