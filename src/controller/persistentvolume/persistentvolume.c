/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "controller/persistentvolume/binder.h"
#include "rules/selector.h"

static void enqueue_claim(struct str ns, struct str name, enqueue_fn enqueue, void *ctx)
{
	struct buf b CLEANUP_BUF = {0};

	buf_printf(&b, "claim|%.*s/%.*s", STR_ARG(ns), STR_ARG(name));
	enqueue(ctx, buf_str(&b));
}

static void enqueue_volume(struct str name, enqueue_fn enqueue, void *ctx)
{
	struct buf b CLEANUP_BUF = {0};

	if (name.n) {
		buf_printf(&b, "volume|%.*s", STR_ARG(name));
		enqueue(ctx, buf_str(&b));
	}
}

struct waiting {
	enqueue_fn enqueue;
	void *ctx;
};

static bool enqueue_if_waiting(void *ctx, struct frozen *object)
{
	struct waiting *w = ctx;
	const struct core_persistent_volume_claim *claim =
		FROZEN_AS(object, core_persistentvolumeclaims, struct core_persistent_volume_claim);

	if (!str_map_find(&claim->metadata.annotations, STR(PV_BIND_COMPLETED))) {
		enqueue_claim(claim->metadata.namespace, claim->metadata.name, w->enqueue, w->ctx);
	}
	return true;
}

static void enqueue_waiting(struct informers *informers, enqueue_fn enqueue, void *ctx)
{
	struct waiting w = {enqueue, ctx};

	informer_each(informers_find(informers, &resource_core_persistentvolumeclaims), STR_NULL,
		      enqueue_if_waiting, &w);
}

static void claim_keys(struct informers *informers UNUSED, const struct frozen *old,
		       const struct frozen *new_, enqueue_fn enqueue, void *ctx)
{
	const struct frozen *versions[] = {old, new_};

	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		const struct core_persistent_volume_claim *claim;

		if (versions[i]) {
			claim = FROZEN_AS(versions[i], core_persistentvolumeclaims,
					  struct core_persistent_volume_claim);
			enqueue_claim(claim->metadata.namespace, claim->metadata.name, enqueue,
				      ctx);
			enqueue_volume(claim->spec.volume_name, enqueue, ctx);
		}
	}
}

static void volume_keys(struct informers *informers, const struct frozen *old,
			const struct frozen *new_, enqueue_fn enqueue, void *ctx)
{
	const struct frozen *versions[] = {old, new_};
	const struct core_persistent_volume *volume = NULL;

	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		if (!versions[i]) {
			continue;
		}
		volume = FROZEN_AS(versions[i], core_persistentvolumes,
				   struct core_persistent_volume);
		enqueue_volume(volume->metadata.name, enqueue, ctx);
		if (volume->spec.claim_ref) {
			enqueue_claim(volume->spec.claim_ref->namespace,
				      volume->spec.claim_ref->name, enqueue, ctx);
		}
	}
	if (new_ && !volume->spec.claim_ref && str_is(volume->status.phase, "Available")) {
		enqueue_waiting(informers, enqueue, ctx);
	}
}

static void class_keys(struct informers *informers, const struct frozen *old UNUSED,
		       const struct frozen *new_, enqueue_fn enqueue, void *ctx)
{
	if (new_) {
		enqueue_waiting(informers, enqueue, ctx);
	}
}

static void reconcile(const struct snapshot *snapshot, struct str key, struct actions *actions)
{
	struct binder b = {snapshot, actions};
	struct str what;

	str_cut(&key, '|', &what);
	if (str_is(what, "claim")) {
		claim_reconcile(&b, key);
	} else {
		volume_reconcile(&b, key);
	}
}

static const struct controller_watch watches[] = {
	{.resource = &resource_core_persistentvolumeclaims, .keys = claim_keys},
	{.resource = &resource_core_persistentvolumes, .keys = volume_keys},
	{.resource = &resource_storage_storageclasses, .keys = class_keys},
};

const struct controller_desc persistentvolume_controller = {
	.name = "persistentvolume-binder-controller",
	.service_account = "persistent-volume-binder",
	.workers = 1,
	.watches = watches,
	.nwatches = ARRAY_LEN(watches),
	.reconcile = reconcile,
};
