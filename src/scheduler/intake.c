/* SPDX-License-Identifier: Apache-2.0 */
/* What the informers tell becomes cache, queue and events. */
#include "object/object.h"
#include "rules/pod.h"
#include "scheduler/scheduler_internal.h"

bool intake_is_ours(const struct scheduler *s, const struct core_pod *pod)
{
	return !pod->spec.node_name.n && !pod->metadata.deletion_timestamp &&
	       !pod_is_terminal(pod) && !pod->spec.scheduling_gates.n &&
	       str_eq(pod->spec.scheduler_name, str_of(s->config.name));
}

static const struct core_pod *pod_of(const struct frozen *f)
{
	return f ? FROZEN_AS(f, core_pods, struct core_pod) : NULL;
}

static void tell(struct scheduler *s, unsigned event)
{
	if (event) {
		queue_event(&s->queue, event, env_mono_ns(s->config.env));
	}
	scheduler_wake(s);
}

static bool stands(const struct core_pod *pod)
{
	return pod && pod->spec.node_name.n && !pod_is_terminal(pod);
}

static bool same_map(const struct str_map *a, const struct str_map *b)
{
	if (a->n != b->n) {
		return false;
	}
	for (size_t i = 0; i < a->n; i++) {
		if (!str_eq(a->p[i].key, b->p[i].key) || !str_eq(a->p[i].value, b->p[i].value)) {
			return false;
		}
	}
	return true;
}

static void on_standing(struct scheduler *s, struct str key, const struct core_pod *old,
			struct frozen *new_)
{
	const struct core_pod *pod = pod_of(new_);

	queue_remove(&s->queue, key);
	mem_free(map_remove(&s->why, key));
	node_cache_put_pod(&s->cache, pod_info_new(&s->cache, new_), pod->spec.node_name);
	tell(s, !stands(old)						 ? EVENT_POD_ADD
		: same_map(&old->metadata.labels, &pod->metadata.labels) ? 0
									 : EVENT_POD_LABEL);
}

static void on_pending(struct scheduler *s, struct str key, const struct core_pod *old,
		       const struct core_pod *pod)
{
	int32_t priority = pod->spec.priority ? *pod->spec.priority : 0;
	int64_t now = env_mono_ns(s->config.env);
	bool changed = old && (old->metadata.generation != pod->metadata.generation ||
			       !same_map(&old->metadata.labels, &pod->metadata.labels));

	if (node_cache_find_pod(&s->cache, key)) {
		return; /* assumed: its binding is under way */
	}
	if (changed) {
		queue_update(&s->queue, key, priority, now);
	} else {
		queue_add(&s->queue, key, priority, now);
	}
	scheduler_wake(s);
}

static void on_pod(void *ctx, struct frozen *old, struct frozen *new_)
{
	struct scheduler *s = ctx;
	struct arena a CLEANUP_ARENA = {0};
	const struct core_pod *was = pod_of(old);
	const struct core_pod *pod = pod_of(new_);
	const struct meta_object_meta *meta = pod ? &pod->metadata : &was->metadata;
	struct str key =
		arena_printf(&a, "%.*s/%.*s", STR_ARG(meta->namespace), STR_ARG(meta->name));

	if (stands(pod)) {
		on_standing(s, key, was, new_);
	} else if (pod && intake_is_ours(s, pod)) {
		on_pending(s, key, was, pod);
	} else {
		bool stood = node_cache_find_pod(&s->cache, key);

		queue_remove(&s->queue, key);
		mem_free(map_remove(&s->why, key));
		node_cache_remove_pod(&s->cache, key);
		tell(s, stood ? EVENT_POD_DELETE : 0);
	}
}

static bool same_taints(const struct core_node *a, const struct core_node *b)
{
	if (a->spec.unschedulable != b->spec.unschedulable ||
	    a->spec.taints.n != b->spec.taints.n) {
		return false;
	}
	for (size_t i = 0; i < a->spec.taints.n; i++) {
		if (!object_equal(&type_core_taint, &a->spec.taints.p[i], &b->spec.taints.p[i])) {
			return false;
		}
	}
	return true;
}

static bool same_allocatable(const struct core_node *a, const struct core_node *b)
{
	const struct quantity_map *x = &a->status.allocatable;
	const struct quantity_map *y = &b->status.allocatable;

	for (size_t i = 0; x->n == y->n && i < x->n; i++) {
		if (!str_eq(x->p[i].key, y->p[i].key) ||
		    x->p[i].value.value != y->p[i].value.value ||
		    x->p[i].value.scale != y->p[i].value.scale) {
			return false;
		}
	}
	return x->n == y->n;
}

static void on_node(void *ctx, struct frozen *old, struct frozen *new_)
{
	struct scheduler *s = ctx;
	const struct core_node *a = old ? FROZEN_AS(old, core_nodes, struct core_node) : NULL;
	const struct core_node *b = new_ ? FROZEN_AS(new_, core_nodes, struct core_node) : NULL;

	if (!b) {
		node_cache_remove_node(&s->cache, a->metadata.name);
		return;
	}
	node_cache_set_node(&s->cache, new_);
	if (!a) {
		tell(s, EVENT_NODE_ADD);
		return;
	}
	tell(s,
	     (same_taints(a, b) ? 0u : EVENT_NODE_TAINT) |
		     (same_allocatable(a, b) ? 0u : EVENT_NODE_ALLOCATABLE) |
		     (same_map(&a->metadata.labels, &b->metadata.labels) ? 0u : EVENT_NODE_LABEL));
}

static void on_storage(void *ctx, struct frozen *old UNUSED, struct frozen *new_ UNUSED)
{
	struct scheduler *s = ctx;

	tell(s, EVENT_STORAGE);
	binding_continue_all(s);
}

static void on_synced(void *ctx)
{
	scheduler_wake(ctx);
}

static void ignore(void *ctx UNUSED, struct frozen *old UNUSED, struct frozen *new_ UNUSED)
{
}

void intake_start(struct scheduler *s)
{
	const struct {
		const struct resource_desc *resource;
		void (*changed)(void *ctx, struct frozen *old, struct frozen *new_);
	} sources[] = {
		{&resource_core_nodes, on_node},
		{&resource_core_pods, on_pod},
		{&resource_core_persistentvolumeclaims, on_storage},
		{&resource_core_persistentvolumes, on_storage},
		{&resource_storage_storageclasses, on_storage},
		{&resource_core_namespaces, ignore},
		{&resource_core_services, ignore},
		{&resource_core_replicationcontrollers, ignore},
		{&resource_apps_replicasets, ignore},
		{&resource_apps_statefulsets, ignore},
	};

	for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
		const struct informer_handler h = {
			.changed = sources[i].changed, .synced = on_synced, .ctx = s};

		informer_add_handler(
			informers_get(s->config.informers, sources[i].resource, STR_NULL), &h);
	}
}
