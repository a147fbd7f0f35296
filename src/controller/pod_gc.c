/* SPDX-License-Identifier: Apache-2.0 */
/* Pods that nobody else will ever remove: of nodes that are gone or out of service, never scheduled but deleted, and ended ones beyond a
 * number. Keys are pods, and "ended" for the number. */
#include "base/map.h"
#include "base/sort.h"
#include "controller/node_pods.h"
#include "rules/pod.h"

#define ENDED_KEY "ended"
#define QUARANTINE_NS (40 * SECOND) /* a node may only be late to register */
#define PERIOD_NS (20 * SECOND)

struct gone_since {
	int64_t mono_ns;
};

struct quarantine {
	struct map nodes; /* name of an absent node -> struct gone_since */
};

static void *memory_new(void)
{
	struct quarantine *m = NEW(struct quarantine);

	map_init(&m->nodes, 0);
	return m;
}

static void memory_free(void *memory)
{
	struct quarantine *m = memory;
	struct str key;
	void *value;

	for (size_t i = 0; map_next(&m->nodes, &i, &key, &value);) {
		mem_free(value);
	}
	map_fini(&m->nodes);
	mem_free(m);
}

static void remove_now(struct actions *actions, const struct core_pod *pod)
{
	static const int64_t at_once = 0;
	struct delete_opts opts = {.uid = pod->metadata.uid, .grace_period_seconds = &at_once};

	actions_delete(actions, &resource_core_pods, pod->metadata.namespace, pod->metadata.name,
		       &opts);
}

/* Nanoseconds until the node counts as gone; 0: now. */
static int64_t quarantine_left(const struct snapshot *snapshot, struct str node)
{
	struct quarantine *m = snapshot->memory;
	struct gone_since *since = map_find(&m->nodes, node);

	if (!since) {
		since = NEW(struct gone_since);
		since->mono_ns = snapshot->mono_ns;
		map_put(&m->nodes, node, since);
	}
	return MAX(QUARANTINE_NS - (snapshot->mono_ns - since->mono_ns), (int64_t)0);
}

static void collect_orphan(const struct snapshot *snapshot, struct actions *actions,
			   const struct core_pod *pod)
{
	int64_t left = quarantine_left(snapshot, pod->spec.node_name);

	if (left) {
		actions_requeue_after(actions, left);
		return;
	}
	actions_check_absent(actions, &resource_core_nodes, STR_NULL, pod->spec.node_name,
			     STR_NULL);
	actions_next_stage(actions);
	node_pods_mark_disrupted(snapshot, actions, pod, true, "DeletionByPodGC",
				 "PodGC: node no longer exists");
	remove_now(actions, pod);
}

static bool is_out_of_service(const struct core_node *node)
{
	const struct core_node_condition *ready = node_condition(node, STR("Ready"));
	bool tainted = node_taint(node, STR(TAINT_OUT_OF_SERVICE), STR("NoExecute")) ||
		       node_taint(node, STR(TAINT_OUT_OF_SERVICE), STR("NoSchedule"));

	return tainted && !(ready && str_is(ready->status, "True"));
}

static void collect_pod(const struct snapshot *snapshot, struct str key, struct actions *actions)
{
	struct quarantine *m = snapshot->memory;
	struct frozen *f = snapshot_get_key(snapshot, &resource_core_pods, key);
	const struct core_pod *pod;
	struct frozen *node;

	if (!f) {
		return;
	}
	pod = FROZEN_AS(f, core_pods, struct core_pod);
	if (!pod_is_bound(pod)) {
		if (pod_is_terminating(pod)) {
			node_pods_mark_disrupted(snapshot, actions, pod, true, "DeletionByPodGC",
						 "PodGC: pod was never scheduled");
			remove_now(actions, pod);
		}
		return;
	}
	node = snapshot_get(snapshot, &resource_core_nodes, STR_NULL, pod->spec.node_name);
	if (!node) {
		collect_orphan(snapshot, actions, pod);
		return;
	}
	mem_free(map_remove(&m->nodes, pod->spec.node_name));
	if (pod_is_terminating(pod) &&
	    is_out_of_service(FROZEN_AS(node, core_nodes, struct core_node))) {
		node_pods_mark_disrupted(snapshot, actions, pod, true, "DeletionByPodGC",
					 "PodGC: node is out of service");
		remove_now(actions, pod);
	}
}

/* ---- ended pods ---- */

struct ended {
	struct frozen **p;
	size_t n;
};

static bool add_ended(void *ctx, struct frozen *object)
{
	struct ended *e = ctx;
	const struct core_pod *pod = FROZEN_AS(object, core_pods, struct core_pod);

	if (pod_is_terminal(pod) && !pod_is_terminating(pod)) {
		e->p[e->n++] = object;
	}
	return true;
}

/* Evicted ones first, then the oldest. */
static int cmp_ended(const void *pa, const void *pb, void *ctx UNUSED)
{
	const struct core_pod *a = FROZEN_AS((const struct frozen *)pa, core_pods, struct core_pod);
	const struct core_pod *b = FROZEN_AS((const struct frozen *)pb, core_pods, struct core_pod);
	bool ea = str_is(a->status.reason, "Evicted");
	bool eb = str_is(b->status.reason, "Evicted");

	if (ea != eb) {
		return ea ? -1 : 1;
	}
	return a->metadata.creation_timestamp.sec < b->metadata.creation_timestamp.sec	 ? -1
	       : a->metadata.creation_timestamp.sec > b->metadata.creation_timestamp.sec ? 1
											 : 0;
}

static void collect_ended(const struct snapshot *snapshot, struct actions *actions)
{
	struct informer *pods = snapshot_informer(snapshot, &resource_core_pods);
	struct ended e = {ARENA_ARRAY(snapshot->arena, informer_count(pods), struct frozen *), 0};
	size_t threshold = (size_t)MAX(snapshot->options->terminated_pod_gc_threshold, 0);

	if (!threshold) {
		return; /* upstream: 0 switches it off */
	}
	informer_each(pods, STR_NULL, add_ended, &e);
	if (e.n <= threshold) {
		return;
	}
	sort_pointers((void **)e.p, e.n, cmp_ended, NULL);
	for (size_t i = 0; i < e.n - threshold; i++) {
		remove_now(actions, FROZEN_AS(e.p[i], core_pods, struct core_pod));
	}
}

static void reconcile(const struct snapshot *snapshot, struct str key, struct actions *actions)
{
	if (str_is(key, ENDED_KEY)) {
		collect_ended(snapshot, actions);
		actions_requeue_after(actions, PERIOD_NS);
	} else {
		collect_pod(snapshot, key, actions);
	}
}

/* ---- keys ---- */

static void pod_keys(struct informers *informers, const struct frozen *old UNUSED,
		     const struct frozen *new_, enqueue_fn enqueue, void *ctx)
{
	const struct core_pod *pod = new_ ? FROZEN_AS(new_, core_pods, struct core_pod) : NULL;

	if (pod &&
	    (pod_is_terminating(pod) ||
	     (pod_is_bound(pod) && !informer_get(informers_find(informers, &resource_core_nodes),
						 STR_NULL, pod->spec.node_name)))) {
		controller_enqueue(pod->metadata.namespace, pod->metadata.name, enqueue, ctx);
	}
}

static void node_keys(struct informers *informers, const struct frozen *old,
		      const struct frozen *new_, enqueue_fn enqueue, void *ctx)
{
	if (!new_ || is_out_of_service(FROZEN_AS(new_, core_nodes, struct core_node))) {
		node_pods_enqueue(informers, (new_ ? new_ : old)->head->metadata.name, enqueue,
				  ctx);
	}
}

static void start(struct informers *informers UNUSED, enqueue_fn enqueue, void *ctx)
{
	enqueue(ctx, STR(ENDED_KEY));
}

static const struct informer_index_desc *const pod_indexes[] = {&index_pods_by_node, NULL};

static const struct controller_watch watches[] = {
	{.resource = &resource_core_pods, .keys = pod_keys, .indexes = pod_indexes},
	{.resource = &resource_core_nodes, .keys = node_keys},
};

const struct controller_desc pod_gc_controller = {
	.name = "pod-garbage-collector-controller",
	.service_account = "pod-garbage-collector",
	.workers = 4,
	.watches = watches,
	.nwatches = ARRAY_LEN(watches),
	.reconcile = reconcile,
	.memory_new = memory_new,
	.memory_free = memory_free,
	.start = start,
};
