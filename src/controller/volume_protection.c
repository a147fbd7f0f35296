/* SPDX-License-Identifier: Apache-2.0 */
/* Finalizers of volumes and claims: a claim that a pod uses, a volume that is bound, outlive their deletion until they are free. */
#include "base/buf.h"
#include "controller/controller.h"
#include "controller/persistentvolume/binder.h"
#include "rules/pod.h"

/* The object's finalizers with or without this one; in the arena. True if that is a change. */
static bool set_finalizer(struct arena *a, struct meta_object_meta *meta, struct str name,
			  bool want)
{
	struct str *p = ARENA_ARRAY(a, meta->finalizers.n + 1, struct str);
	bool there = false;
	size_t n = 0;

	for (size_t i = 0; i < meta->finalizers.n; i++) {
		bool same = str_eq(meta->finalizers.p[i], name);

		there |= same;
		if (!same || want) {
			p[n++] = meta->finalizers.p[i];
		}
	}
	if (there == want) {
		return false;
	}
	if (want) {
		p[n++] = name;
	}
	meta->finalizers.p = p;
	meta->finalizers.n = n;
	return true;
}

/* ---- claims ---- */

/* Pods by "NAMESPACE/CLAIM" of each claim that they mount; a pod that is not bound to a node does not use one yet. */
static void claim_index_keys(const struct frozen *object, void (*add)(void *ctx, struct str key),
			     void *ctx)
{
	const struct core_pod *pod = FROZEN_AS(object, core_pods, struct core_pod);
	struct buf b CLEANUP_BUF = {0};

	for (size_t i = 0; i < pod->spec.volumes.n && pod_is_bound(pod); i++) {
		const struct core_volume *v = &pod->spec.volumes.p[i];

		buf_clear(&b);
		if (v->persistent_volume_claim) {
			buf_printf(&b, "%.*s/%.*s", STR_ARG(pod->metadata.namespace),
				   STR_ARG(v->persistent_volume_claim->claim_name));
			add(ctx, buf_str(&b));
		} else if (v->ephemeral) {
			buf_printf(&b, "%.*s/%.*s-%.*s", STR_ARG(pod->metadata.namespace),
				   STR_ARG(pod->metadata.name), STR_ARG(v->name));
			add(ctx, buf_str(&b));
		}
	}
}

static const struct informer_index_desc index_pods_by_claim = {"claim", claim_index_keys};

struct forward {
	enqueue_fn enqueue;
	void *ctx;
};

static void enqueue_key(void *ctx, struct str key)
{
	struct forward *e = ctx;

	e->enqueue(e->ctx, key);
}

static void pod_keys(struct informers *informers UNUSED, const struct frozen *old,
		     const struct frozen *new_, enqueue_fn enqueue, void *ctx)
{
	struct forward e = {enqueue, ctx};

	/* Only an end can free a claim. */
	if (old && (!new_ || pod_is_terminal(FROZEN_AS(new_, core_pods, struct core_pod)))) {
		claim_index_keys(old, enqueue_key, &e);
	}
}

/* The informer may be behind: a pod that has just been bound counts. */
static bool uses(const struct frozen *object, struct str claim)
{
	const struct core_pod *pod = FROZEN_AS(object, core_pods, struct core_pod);

	for (size_t i = 0; i < pod->spec.volumes.n && pod_is_bound(pod) && !pod_is_terminal(pod);
	     i++) {
		const struct core_persistent_volume_claim_volume_source *source =
			pod->spec.volumes.p[i].persistent_volume_claim;

		if (source && str_eq(source->claim_name, claim)) {
			return true;
		}
	}
	return false;
}

static bool note_use(void *ctx, struct frozen *object)
{
	bool *used = ctx;

	*used = !pod_is_terminal(FROZEN_AS(object, core_pods, struct core_pod));
	return !*used;
}

static void reconcile_claim(const struct snapshot *snapshot, struct str key,
			    struct actions *actions)
{
	struct frozen *f = snapshot_get_key(snapshot, &resource_core_persistentvolumeclaims, key);
	struct core_persistent_volume_claim copy;
	bool used = false;

	if (!f) {
		return;
	}
	copy = *FROZEN_AS(f, core_persistentvolumeclaims, struct core_persistent_volume_claim);
	if (copy.metadata.deletion_timestamp) {
		informer_each_indexed(snapshot_informer(snapshot, &resource_core_pods),
				      &index_pods_by_claim, key, note_use, &used);
	}
	if (used || !set_finalizer(snapshot->arena, &copy.metadata, STR(PVC_PROTECTION),
				   !copy.metadata.deletion_timestamp)) {
		return;
	}
	if (copy.metadata.deletion_timestamp) {
		actions_check_none(actions, &resource_core_pods, copy.metadata.namespace, uses,
				   copy.metadata.name);
		actions_next_stage(actions);
	}
	actions_update(actions, &resource_core_persistentvolumeclaims, &copy);
}

static const struct informer_index_desc *const pod_indexes[] = {&index_pods_by_claim, NULL};

static const struct controller_watch claim_watches[] = {
	{.resource = &resource_core_persistentvolumeclaims, .keys = controller_keys_self},
	{.resource = &resource_core_pods, .keys = pod_keys, .indexes = pod_indexes},
};

const struct controller_desc claim_protection_controller = {
	.name = "persistentvolumeclaim-protection-controller",
	.service_account = "pvc-protection-controller",
	.workers = 1,
	.watches = claim_watches,
	.nwatches = ARRAY_LEN(claim_watches),
	.reconcile = reconcile_claim,
};

/* ---- volumes ---- */

static void reconcile_volume(const struct snapshot *snapshot, struct str key,
			     struct actions *actions)
{
	struct frozen *f = snapshot_get_key(snapshot, &resource_core_persistentvolumes, key);
	struct core_persistent_volume copy;

	if (!f) {
		return;
	}
	copy = *FROZEN_AS(f, core_persistentvolumes, struct core_persistent_volume);
	if ((copy.metadata.deletion_timestamp && str_is(copy.status.phase, "Bound")) ||
	    !set_finalizer(snapshot->arena, &copy.metadata, STR(PV_PROTECTION),
			   !copy.metadata.deletion_timestamp)) {
		return;
	}
	actions_update(actions, &resource_core_persistentvolumes, &copy);
}

static const struct controller_watch volume_watches[] = {
	{.resource = &resource_core_persistentvolumes, .keys = controller_keys_self},
};

const struct controller_desc volume_protection_controller = {
	.name = "persistentvolume-protection-controller",
	.service_account = "pv-protection-controller",
	.workers = 1,
	.watches = volume_watches,
	.nwatches = ARRAY_LEN(volume_watches),
	.reconcile = reconcile_volume,
};
