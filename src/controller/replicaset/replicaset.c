/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/replicaset/replicaset.h"

#include "controller/owned.h"

static const struct informer_index_desc *const indexes[] = {&index_by_controller, NULL};

static bool selector_of(struct arena *a, const struct frozen *owner, struct selector *ret)
{
	const struct apps_replica_set *rs =
		FROZEN_AS(owner, apps_replicasets, struct apps_replica_set);

	return label_selector_of(a, rs->spec.selector, ret, NULL) == 0;
}

static void pod_keys(struct informers *informers, const struct frozen *old,
		     const struct frozen *new_, enqueue_fn enqueue, void *ctx)
{
	owned_keys(informers, &resource_apps_replicasets, selector_of, old, new_, enqueue, ctx);
}

static void reconcile(const struct snapshot *snapshot, struct str key, struct actions *actions)
{
	struct frozen *f = snapshot_get_key(snapshot, &resource_apps_replicasets, key);
	struct apps_replica_set copy;
	struct replicas r;

	if (!f) {
		return;
	}
	copy = *FROZEN_AS(f, apps_replicasets, struct apps_replica_set);
	r = (struct replicas){
		.owner = f,
		.meta = &f->head->metadata,
		.replicas = copy.spec.replicas ? *copy.spec.replicas : 1,
		.min_ready_seconds = copy.spec.min_ready_seconds,
		.template = &copy.spec.template,
		.status = &FROZEN_AS(f, apps_replicasets, struct apps_replica_set)->status,
	};
	if (!selector_of(snapshot->arena, f, &r.selector)) {
		return; /* validation lets none through; trying again would not help */
	}
	if (replicas_reconcile(snapshot, actions, &r, &copy.status)) {
		actions_update_status(actions, &resource_apps_replicasets, &copy);
	}
}

static const struct controller_watch watches[] = {
	{.resource = &resource_apps_replicasets, .keys = controller_keys_self, .indexes = indexes},
	{.resource = &resource_core_pods, .keys = pod_keys, .indexes = indexes},
};

const struct controller_desc replicaset_controller = {
	.name = "replicaset-controller",
	.service_account = "replicaset-controller",
	.workers = 5,
	.watches = watches,
	.nwatches = ARRAY_LEN(watches),
	.reconcile = reconcile,
};
