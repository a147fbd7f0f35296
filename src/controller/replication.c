/* SPDX-License-Identifier: Apache-2.0 */
/* ReplicationControllers: the ReplicaSet's loop with another kind around it. */
#include "controller/owned.h"
#include "controller/replicaset/replicaset.h"
#include "object/object.h"

static const struct informer_index_desc *const indexes[] = {&index_by_controller, NULL};

static bool selector_of(struct arena *a, const struct frozen *owner, struct selector *ret)
{
	const struct core_replication_controller *rc =
		FROZEN_AS(owner, core_replicationcontrollers, struct core_replication_controller);

	label_selector_of_map(a, &rc->spec.selector, ret);
	return rc->spec.selector.n > 0;
}

static void pod_keys(struct informers *informers, const struct frozen *old,
		     const struct frozen *new_, enqueue_fn enqueue, void *ctx)
{
	owned_keys(informers, &resource_core_replicationcontrollers, selector_of, old, new_,
		   enqueue, ctx);
}

/* The conditions have the same members. */
static void status_of(struct arena *a, const struct core_replication_controller_status *in,
		      struct apps_replica_set_status *out)
{
	*out = (struct apps_replica_set_status){
		.replicas = in->replicas,
		.fully_labeled_replicas = in->fully_labeled_replicas,
		.ready_replicas = in->ready_replicas,
		.available_replicas = in->available_replicas,
		.observed_generation = in->observed_generation,
	};
	out->conditions.n = in->conditions.n;
	out->conditions.p = ARENA_ARRAY(a, in->conditions.n, struct apps_replica_set_condition);
	for (size_t i = 0; i < in->conditions.n; i++) {
		const struct core_replication_controller_condition *c = &in->conditions.p[i];

		out->conditions.p[i] = (struct apps_replica_set_condition){
			c->type, c->status, c->last_transition_time, c->reason, c->message};
	}
}

static void status_back(struct arena *a, const struct apps_replica_set_status *in,
			struct core_replication_controller_status *out)
{
	*out = (struct core_replication_controller_status){
		.replicas = in->replicas,
		.fully_labeled_replicas = in->fully_labeled_replicas,
		.ready_replicas = in->ready_replicas,
		.available_replicas = in->available_replicas,
		.observed_generation = in->observed_generation,
	};
	out->conditions.n = in->conditions.n;
	out->conditions.p =
		ARENA_ARRAY(a, in->conditions.n, struct core_replication_controller_condition);
	for (size_t i = 0; i < in->conditions.n; i++) {
		const struct apps_replica_set_condition *c = &in->conditions.p[i];

		out->conditions.p[i] = (struct core_replication_controller_condition){
			c->type, c->status, c->last_transition_time, c->reason, c->message};
	}
}

static void reconcile(const struct snapshot *snapshot, struct str key, struct actions *actions)
{
	struct frozen *f = snapshot_get_key(snapshot, &resource_core_replicationcontrollers, key);
	struct apps_replica_set_status before;
	struct apps_replica_set_status after;
	struct core_replication_controller copy;
	struct replicas r;

	if (!f) {
		return;
	}
	copy = *FROZEN_AS(f, core_replicationcontrollers, struct core_replication_controller);
	if (!copy.spec.template) {
		return;
	}
	status_of(snapshot->arena, &copy.status, &before);
	r = (struct replicas){
		.owner = f,
		.meta = &f->head->metadata,
		.replicas = copy.spec.replicas ? *copy.spec.replicas : 1,
		.min_ready_seconds = copy.spec.min_ready_seconds,
		.template = copy.spec.template,
		.status = &before,
	};
	if (!selector_of(snapshot->arena, f, &r.selector)) {
		return;
	}
	(void)replicas_reconcile(
		snapshot, actions, &r,
		&after); /* would also count terminating pods, which have no place here */
	status_back(snapshot->arena, &after, &copy.status);
	if (!object_equal(
		    &type_core_replication_controller_status, &copy.status,
		    &FROZEN_AS(f, core_replicationcontrollers, struct core_replication_controller)
			     ->status)) {
		actions_update_status(actions, &resource_core_replicationcontrollers, &copy);
	}
}

static const struct controller_watch watches[] = {
	{.resource = &resource_core_replicationcontrollers, .keys = controller_keys_self},
	{.resource = &resource_core_pods, .keys = pod_keys, .indexes = indexes},
};

const struct controller_desc replication_controller = {
	.name = "replicationcontroller-controller",
	.service_account = "replication-controller",
	.workers = 5,
	.watches = watches,
	.nwatches = ARRAY_LEN(watches),
	.reconcile = reconcile,
};
