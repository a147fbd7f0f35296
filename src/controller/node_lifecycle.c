/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes that fall silent: their conditions become Unknown, taints keep new pods away and (NoExecute, not too many at once) send those that are
 * there elsewhere. A node is heard by its lease or by a heartbeat in its status; when, is seen on our own clock: theirs may be wrong. */
#include "base/buf.h"
#include "base/map.h"
#include "codec/json.h"
#include "codec/time.h"
#include "controller/label_map.h"
#include "controller/node_pods.h"
#include "object/encode.h"
#include "rules/condition.h"
#include "rules/pod.h"

#define LEASE_NAMESPACE "kube-node-lease"

/* ---- what has been heard ---- */

struct heard {
	/* Its pods have been marked as not ready: once, its kubelet knows better when it is back. */
	bool marked;
	int64_t heartbeat_s, renewed_s; /* newest signs of life, as the node dated them */
	int64_t at_mono_ns;		/* when they changed */
};

struct zone {
	int64_t next_taint_mono_ns;
};

struct lifecycle {
	struct map nodes; /* name -> struct heard */
	struct map zones; /* name -> struct zone */
};

static void *memory_new(void)
{
	struct lifecycle *m = NEW(struct lifecycle);

	map_init(&m->nodes, 0);
	map_init(&m->zones, 0);
	return m;
}

static void free_values(struct map *map)
{
	struct str key;
	void *value;

	for (size_t i = 0; map_next(map, &i, &key, &value);) {
		mem_free(value);
	}
	map_fini(map);
}

static void memory_free(void *memory)
{
	struct lifecycle *m = memory;

	free_values(&m->nodes);
	free_values(&m->zones);
	mem_free(m);
}

static int64_t newest_heartbeat(const struct core_node *node)
{
	const struct core_node_condition *ready = node_condition(node, STR("Ready"));

	return ready ? ready->last_heartbeat_time.sec : 0;
}

static int64_t newest_renewal(const struct snapshot *snapshot, struct str name)
{
	struct frozen *f =
		snapshot_get(snapshot, &resource_coordination_leases, STR(LEASE_NAMESPACE), name);
	const struct coordination_lease *lease =
		f ? FROZEN_AS(f, coordination_leases, struct coordination_lease) : NULL;

	return lease && lease->spec.renew_time ? lease->spec.renew_time->sec : 0;
}

static struct heard *hear(const struct snapshot *snapshot, const struct core_node *node)
{
	struct lifecycle *m = snapshot->memory;
	struct heard *h = map_find(&m->nodes, node->metadata.name);
	int64_t heartbeat = newest_heartbeat(node);
	int64_t renewed = newest_renewal(snapshot, node->metadata.name);
	bool is_first = !h;

	if (is_first) {
		h = NEW(struct heard);
		map_put(&m->nodes, node->metadata.name, h);
	}
	if (is_first || heartbeat != h->heartbeat_s || renewed != h->renewed_s) {
		/* What is seen first counts as fresh: after a restart every node has its grace period again. */
		h->heartbeat_s = heartbeat;
		h->renewed_s = renewed;
		h->at_mono_ns = snapshot->mono_ns;
	}
	return h;
}

/* ---- conditions ---- */

struct pass {
	const struct snapshot *snapshot;
	struct actions *actions;
	const struct frozen *frozen;
	const struct core_node *node;
};

static void add_condition(struct buf *b, const char *type, const char *reason, const char *message,
			  int64_t heartbeat_s, int64_t now_s)
{
	buf_printf(b,
		   "%s{\"type\":\"%s\",\"status\":\"Unknown\",\"reason\":\"%s\",\"message\":\"%s\","
		   "\"lastTransitionTime\":\"",
		   b->n ? "," : "", type, reason, message);
	time_write(b, now_s);
	if (heartbeat_s) {
		buf_puts(b, "\",\"lastHeartbeatTime\":\"");
		time_write(b, heartbeat_s);
	}
	buf_puts(b, "\"}");
}

/* True if anything had to be written. */
static bool set_unknown(struct pass *p)
{
	static const char *const types[] = {"Ready", "MemoryPressure", "DiskPressure",
					    "PIDPressure"};
	int64_t now_s = p->snapshot->now_ns / SECOND;
	struct buf b CLEANUP_BUF = {0};

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		const struct core_node_condition *c = node_condition(p->node, str_of(types[i]));

		if (!c) {
			add_condition(&b, types[i], "NodeStatusNeverUpdated",
				      "Kubelet never posted node status.",
				      p->node->metadata.creation_timestamp.sec, now_s);
		} else if (!str_is(c->status, "Unknown")) {
			add_condition(&b, types[i], "NodeStatusUnknown",
				      "Kubelet stopped posting node status.", 0, now_s);
		}
	}
	if (!b.n) {
		return false;
	}
	actions_patch(
		p->actions, &resource_core_nodes, "status", STR_NULL, p->node->metadata.name,
		PATCH_STRATEGIC,
		arena_printf(p->snapshot->arena,
			     "{\"metadata\":{\"uid\":\"%.*s\"},\"status\":{\"conditions\":[%.*s]}}",
			     STR_ARG(p->node->metadata.uid), (int)b.n, b.p));
	return true;
}

/* ---- pods of a node that is not ready ---- */

static bool mark_pod(void *ctx, struct frozen *object)
{
	struct pass *p = ctx;
	const struct core_pod *pod = FROZEN_AS(object, core_pods, struct core_pod);
	struct buf b CLEANUP_BUF = {0};

	if (!pod_is_ready(pod)) {
		return true;
	}
	buf_printf(&b,
		   "{\"metadata\":{\"uid\":\"%.*s\"},\"status\":{\"conditions\":[{\"type\":"
		   "\"Ready\",\"status\":\"False\",\"lastTransitionTime\":\"",
		   STR_ARG(pod->metadata.uid));
	time_write(&b, p->snapshot->now_ns / SECOND);
	buf_puts(&b, "\"}]}}");
	actions_patch(p->actions, &resource_core_pods, "status", pod->metadata.namespace,
		      pod->metadata.name, PATCH_STRATEGIC,
		      arena_str(p->snapshot->arena, buf_str(&b)));
	actions_event(p->actions, object, "Warning", "NodeNotReady", "Node is not ready");
	return true;
}

/* ---- taints ---- */

struct wanted_taint {
	const char *key, *effect;
};

/* Taints that this controller sets and removes; others are left alone. */
static const struct wanted_taint own_taints[] = {
	{TAINT_NOT_READY, "NoSchedule"},
	{TAINT_UNREACHABLE, "NoSchedule"},
	{"node.kubernetes.io/memory-pressure", "NoSchedule"},
	{"node.kubernetes.io/disk-pressure", "NoSchedule"},
	{"node.kubernetes.io/pid-pressure", "NoSchedule"},
	{"node.kubernetes.io/network-unavailable", "NoSchedule"},
	{"node.kubernetes.io/unschedulable", "NoSchedule"},
	{TAINT_NOT_READY, "NoExecute"},
	{TAINT_UNREACHABLE, "NoExecute"},
};

enum { FIRST_NO_EXECUTE = 7 };

static bool condition_is(const struct core_node *node, const char *type, const char *status)
{
	const struct core_node_condition *c = node_condition(node, str_of(type));

	return c && str_eq(c->status, str_of(status));
}

static void want_taints(const struct core_node *node, bool *want)
{
	bool not_ready = condition_is(node, "Ready", "False");
	bool unreachable = condition_is(node, "Ready", "Unknown");

	want[0] = want[7] = not_ready;
	want[1] = want[8] = unreachable;
	want[2] = condition_is(node, "MemoryPressure", "True");
	want[3] = condition_is(node, "DiskPressure", "True");
	want[4] = condition_is(node, "PIDPressure", "True");
	want[5] = condition_is(node, "NetworkUnavailable", "True");
	want[6] = node->spec.unschedulable;
}

/* ---- zones: how fast pods may be sent away ---- */

struct zone_count {
	const struct core_node *like;
	int ready, not_ready;
	bool all_zones_are_down;
};

static struct str zone_of(const struct core_node *node)
{
	return label_map_get(&node->metadata.labels, STR("topology.kubernetes.io/zone"));
}

static struct str region_of(const struct core_node *node)
{
	return label_map_get(&node->metadata.labels, STR("topology.kubernetes.io/region"));
}

static bool count_node(void *ctx, struct frozen *object)
{
	struct zone_count *c = ctx;
	const struct core_node *node = FROZEN_AS(object, core_nodes, struct core_node);
	bool ready = condition_is(node, "Ready", "True");

	c->all_zones_are_down &= !ready;
	if (str_eq(zone_of(node), zone_of(c->like)) &&
	    str_eq(region_of(node), region_of(c->like))) {
		c->ready += ready;
		c->not_ready += !ready;
	}
	return true;
}

/* Nodes per second; 0: none now. When every node of the cluster is silent it is we who cannot hear. */
static double eviction_rate(struct pass *p)
{
	const struct controller_options *o = p->snapshot->options;
	struct zone_count c = {.like = p->node, .all_zones_are_down = true};
	int total;

	informer_each(snapshot_informer(p->snapshot, &resource_core_nodes), STR_NULL, count_node,
		      &c);
	total = c.ready + c.not_ready;
	if (c.all_zones_are_down) {
		return 0;
	}
	if (c.ready && c.not_ready > 2 && c.not_ready >= total * o->unhealthy_zone_threshold) {
		return total > o->large_cluster_size_threshold ? o->secondary_node_eviction_rate
							       : 0;
	}
	return o->node_eviction_rate;
}

/* True if the node may get its NoExecute taint now; otherwise asks to be called again. */
static bool may_evict(struct pass *p)
{
	struct lifecycle *m = p->snapshot->memory;
	struct str name = arena_printf(p->snapshot->arena, "%.*s/%.*s", STR_ARG(region_of(p->node)),
				       STR_ARG(zone_of(p->node)));
	struct zone *zone = map_find(&m->zones, name);
	double rate = eviction_rate(p);

	if (!zone) {
		zone = NEW(struct zone);
		map_put(&m->zones, name, zone);
	}
	if (rate <= 0) {
		actions_requeue_after(p->actions, p->snapshot->options->node_monitor_period_ns);
		return false;
	}
	if (zone->next_taint_mono_ns > p->snapshot->mono_ns) {
		actions_requeue_after(p->actions, zone->next_taint_mono_ns - p->snapshot->mono_ns);
		return false;
	}
	zone->next_taint_mono_ns = p->snapshot->mono_ns + (int64_t)(SECOND / rate);
	return true;
}

static bool is_own(const struct core_taint *t, const bool *want)
{
	for (size_t i = 0; i < ARRAY_LEN(own_taints); i++) {
		if (str_eq(t->key, str_of(own_taints[i].key)) &&
		    str_eq(t->effect, str_of(own_taints[i].effect))) {
			return !want[i];
		}
	}
	return false;
}

static void write_taints(struct pass *p, const struct core_taint *taints, size_t n)
{
	struct buf b CLEANUP_BUF = {0};

	/* The list is replaced as a whole: the resourceVersion stands for the taints that others have set. */
	buf_printf(&b, "{\"metadata\":{\"resourceVersion\":\"%.*s\"},\"spec\":{\"taints\":[",
		   STR_ARG(p->node->metadata.resource_version));
	for (size_t i = 0; i < n; i++) {
		if (i) {
			buf_add_char(&b, ',');
		}
		object_encode(&b, &type_core_taint, &taints[i], NULL, NULL);
	}
	buf_puts(&b, "]}}");
	actions_patch(p->actions, &resource_core_nodes, NULL, STR_NULL, p->node->metadata.name,
		      PATCH_MERGE, arena_str(p->snapshot->arena, buf_str(&b)));
}

static void sync_taints(struct pass *p)
{
	const struct core_node *node = p->node;
	struct core_taint *taints = ARENA_ARRAY(
		p->snapshot->arena, node->spec.taints.n + ARRAY_LEN(own_taints), struct core_taint);
	struct timestamp now = {.sec = p->snapshot->now_ns / SECOND, .set = true};
	bool want[ARRAY_LEN(own_taints)];
	bool changed = false;
	size_t n = 0;

	want_taints(node, want);
	for (size_t i = 0; i < node->spec.taints.n; i++) {
		if (is_own(&node->spec.taints.p[i], want)) {
			changed = true;
		} else {
			taints[n++] = node->spec.taints.p[i];
		}
	}
	for (size_t i = 0; i < ARRAY_LEN(own_taints); i++) {
		struct str key = str_of(own_taints[i].key);
		struct str effect = str_of(own_taints[i].effect);

		if (!want[i] || node_taint(node, key, effect) ||
		    (i >= FIRST_NO_EXECUTE && !may_evict(p))) {
			continue;
		}
		taints[n++] = (struct core_taint){.key = key, .effect = effect, .time_added = &now};
		changed = true;
	}
	if (changed) {
		write_taints(p, taints, n);
	}
}

/* ---- reconcile ---- */

static void forget(const struct snapshot *snapshot, struct str key)
{
	struct lifecycle *m = snapshot->memory;

	mem_free(map_remove(&m->nodes, key));
}

static void reconcile(const struct snapshot *snapshot, struct str key, struct actions *actions)
{
	struct frozen *f = snapshot_get_key(snapshot, &resource_core_nodes, key);
	struct pass p = {snapshot, actions, f, NULL};
	struct heard *heard;
	int64_t silent_at;

	if (!f) {
		forget(snapshot, key);
		return;
	}
	p.node = FROZEN_AS(f, core_nodes, struct core_node);
	heard = hear(snapshot, p.node);
	silent_at = heard->at_mono_ns + (node_condition(p.node, STR("Ready"))
						 ? snapshot->options->node_monitor_grace_period_ns
						 : snapshot->options->node_startup_grace_period_ns);
	if (snapshot->mono_ns < silent_at) {
		actions_requeue_after(actions, silent_at - snapshot->mono_ns);
	} else if (set_unknown(&p)) {
		if (condition_is(p.node, "Ready", "True")) {
			actions_event(actions, f, "Normal", "NodeNotReady",
				      "Node %.*s status is now: NodeNotReady", STR_ARG(key));
		}
		return; /* its event brings us back for the rest */
	}
	if (condition_is(p.node, "Ready", "True")) {
		heard->marked = false;
	} else if (!heard->marked || snapshot->failed) {
		informer_each_indexed(snapshot_informer(snapshot, &resource_core_pods),
				      &index_pods_by_node, key, mark_pod, &p);
		heard->marked = true;
	}
	sync_taints(&p);
}

/* ---- keys ---- */

static void lease_keys(struct informers *informers UNUSED, const struct frozen *old,
		       const struct frozen *new_, enqueue_fn enqueue, void *ctx)
{
	const struct meta_object_meta *meta = &(new_ ? new_ : old)->head->metadata;

	if (str_is(meta->namespace, LEASE_NAMESPACE)) {
		enqueue(ctx, meta->name);
	}
}

static const struct informer_index_desc *const pod_indexes[] = {&index_pods_by_node, NULL};

static const struct controller_watch watches[] = {
	{.resource = &resource_core_nodes, .keys = controller_keys_self},
	{.resource = &resource_coordination_leases, .keys = lease_keys},
	{.resource = &resource_core_pods, .keys = controller_keys_none, .indexes = pod_indexes},
};

const struct controller_desc node_lifecycle_controller = {
	.name = "node-lifecycle-controller",
	.service_account = "node-controller",
	.workers = 8,
	.watches = watches,
	.nwatches = ARRAY_LEN(watches),
	.reconcile = reconcile,
	.memory_new = memory_new,
	.memory_free = memory_free,
};
