/* SPDX-License-Identifier: Apache-2.0 */
/* StatefulSets: pods with a name, a place in an order, and volumes of their own. A name is never given to a second pod while the first
 * object is there: a pod on a node that is lost stays until somebody says that it is dead (node.kubernetes.io/out-of-service, or a
 * forced deletion). */
#include "base/sort.h"
#include "controller/owned.h"
#include "controller/statefulset/set.h"

static const struct informer_index_desc *const indexes[] = {&index_by_controller, NULL};

static bool selector_of(struct arena *a, const struct frozen *owner, struct selector *ret)
{
	const struct apps_stateful_set *s =
		FROZEN_AS(owner, apps_statefulsets, struct apps_stateful_set);

	return label_selector_of(a, s->spec.selector, ret, NULL) == 0 && ret->n;
}

static void pod_keys(struct informers *informers, const struct frozen *old,
		     const struct frozen *new_, enqueue_fn enqueue, void *ctx)
{
	owned_keys(informers, &resource_apps_statefulsets, selector_of, old, new_, enqueue, ctx);
}

static bool may_adopt(const struct frozen *object, const struct frozen *owner)
{
	return set_ordinal(FROZEN_AS(owner, apps_statefulsets, struct apps_stateful_set),
			   FROZEN_AS(object, core_pods, struct core_pod)) >= 0;
}

static int cmp_ordinal(const void *pa, const void *pb, void *ctx)
{
	const struct set *set = ctx;
	int64_t a = set_ordinal(set->s, pa);
	int64_t b = set_ordinal(set->s, pb);

	return a > b ? -1 : a < b;
}

static void sort_out(struct set *set, const struct core_pod **pods, size_t n)
{
	struct arena *a = set->snapshot->arena;

	set->slots = ARENA_ARRAY(a, (size_t)set->replicas, const struct core_pod *);
	set->condemned = ARENA_ARRAY(a, n, const struct core_pod *);
	for (size_t i = 0; i < n; i++) {
		int64_t slot = set_ordinal(set->s, pods[i]) - set->start;

		if (slot >= 0 && slot < set->replicas) {
			set->slots[slot] = pods[i];
		} else {
			set->condemned[set->ncondemned++] = pods[i];
		}
	}
	sort_pointers((void **)set->condemned, set->ncondemned, cmp_ordinal, set);
}

static void set_init(struct set *set)
{
	const struct apps_stateful_set_spec *spec = &set->s->spec;

	set->replicas = spec->replicas ? MAX(*spec->replicas, 0) : 1;
	set->start = spec->ordinals ? spec->ordinals->start : 0;
	set->is_monotonic = !str_is(spec->pod_management_policy, "Parallel");
	set->is_rolling = !str_is(spec->update_strategy.type, "OnDelete");
	if (set->is_rolling && spec->update_strategy.rolling_update &&
	    spec->update_strategy.rolling_update->partition) {
		set->partition = *spec->update_strategy.rolling_update->partition;
	}
}

static void reconcile(const struct snapshot *snapshot, struct str key, struct actions *actions)
{
	struct frozen *f = snapshot_get_key(snapshot, &resource_apps_statefulsets, key);
	struct set set = {.snapshot = snapshot, .actions = actions, .frozen = f};
	const struct core_pod **pods;
	struct selector selector;
	struct owned owned;
	size_t n = 0;

	if (!f || !selector_of(snapshot->arena, f, &selector)) {
		return;
	}
	set.s = FROZEN_AS(f, apps_statefulsets, struct apps_stateful_set);
	set_init(&set);
	owned_claim(snapshot, actions, f, &selector, &resource_core_pods, may_adopt, &owned);
	pods = ARENA_ARRAY(snapshot->arena, owned.n, const struct core_pod *);
	for (size_t i = 0; i < owned.n; i++) {
		const struct core_pod *pod = FROZEN_AS(owned.p[i], core_pods, struct core_pod);

		if (set_ordinal(set.s, pod) >= 0) {
			pods[n++] = pod;
		}
	}
	sort_out(&set, pods, n);
	revisions_find(&set);
	if (!set.s->metadata.deletion_timestamp && !set.collision_count) {
		order_reconcile(&set);
		revisions_clean(&set);
	}
	status_write(&set, pods, n);
}

static const struct controller_watch watches[] = {
	{.resource = &resource_apps_statefulsets, .keys = controller_keys_self},
	{.resource = &resource_core_pods, .keys = pod_keys, .indexes = indexes},
	{.resource = &resource_apps_controllerrevisions, .keys = pod_keys, .indexes = indexes},
	{.resource = &resource_core_persistentvolumeclaims, .keys = controller_keys_none},
};

const struct controller_desc statefulset_controller = {
	.name = "statefulset-controller",
	.service_account = "statefulset-controller",
	.workers = 5,
	.watches = watches,
	.nwatches = ARRAY_LEN(watches),
	.reconcile = reconcile,
};
