/* SPDX-License-Identifier: Apache-2.0 */
/* Deployments: a ReplicaSet per template, and the way from one to the next. */
#include "base/sort.h"
#include "controller/deployment/rollout.h"
#include "controller/owned.h"
#include "rules/condition.h"
#include "rules/controller_ref.h"
#include "rules/pod.h"

static const struct informer_index_desc *const indexes[] = {&index_by_controller, NULL};

static bool selector_of(struct arena *a, const struct frozen *owner, struct selector *ret)
{
	const struct apps_deployment *d =
		FROZEN_AS(owner, apps_deployments, struct apps_deployment);

	return label_selector_of(a, d->spec.selector, ret, NULL) == 0 && ret->n;
}

static void set_keys(struct informers *informers, const struct frozen *old,
		     const struct frozen *new_, enqueue_fn enqueue, void *ctx)
{
	owned_keys(informers, &resource_apps_deployments, selector_of, old, new_, enqueue, ctx);
}

/* Recreate waits for the last old pod to go: no ReplicaSet changes then. */
static void pod_keys(struct informers *informers, const struct frozen *old,
		     const struct frozen *new_, enqueue_fn enqueue, void *ctx)
{
	const struct core_pod *pod = old ? FROZEN_AS(old, core_pods, struct core_pod) : NULL;
	const struct meta_owner_reference *ref = pod ? controller_of(&pod->metadata) : NULL;
	struct frozen *rs;
	struct frozen *d;

	if (!ref || !owner_is_kind(ref, STR("apps"), STR("ReplicaSet")) ||
	    (new_ && !pod_is_terminal(FROZEN_AS(new_, core_pods, struct core_pod)))) {
		return;
	}
	rs = informer_get(informers_find(informers, &resource_apps_replicasets),
			  pod->metadata.namespace, ref->name);
	ref = rs ? controller_of(&rs->head->metadata) : NULL;
	if (!ref) {
		return;
	}
	d = informer_get(informers_find(informers, &resource_apps_deployments),
			 pod->metadata.namespace, ref->name);
	if (d && str_is(FROZEN_AS(d, apps_deployments, struct apps_deployment)->spec.strategy.type,
			"Recreate")) {
		controller_enqueue(pod->metadata.namespace, ref->name, enqueue, ctx);
	}
}

static int cmp_age(const void *pa, const void *pb, void *ctx UNUSED)
{
	const struct frozen *a = pa;
	const struct frozen *b = pb;
	int64_t ta = a->head->metadata.creation_timestamp.sec;
	int64_t tb = b->head->metadata.creation_timestamp.sec;

	return ta != tb ? (ta < tb ? -1 : 1)
			: str_cmp(a->head->metadata.name, b->head->metadata.name);
}

static void rollout_init(struct rollout *ro, const struct selector *selector)
{
	struct owned owned;

	owned_claim(ro->snapshot, ro->actions, ro->frozen, selector, &resource_apps_replicasets,
		    NULL, &owned);
	sort_pointers((void **)owned.p, owned.n, cmp_age, NULL);
	ro->sets = ARENA_ARRAY(ro->snapshot->arena, owned.n + 1, struct rollout_set);
	ro->n = owned.n;
	for (size_t i = 0; i < owned.n; i++) {
		const struct apps_replica_set *rs =
			FROZEN_AS(owned.p[i], apps_replicasets, struct apps_replica_set);
		int32_t size = rs->spec.replicas ? *rs->spec.replicas : 1;

		ro->sets[i] = (struct rollout_set){
			.frozen = owned.p[i], .rs = rs, .size = size, .want = size};
	}
	ro->replicas = ro->d->spec.replicas ? *ro->d->spec.replicas : 1;
	ro->is_rolling = !str_is(ro->d->spec.strategy.type, "Recreate");
	if (ro->is_rolling) {
		rolling_resolve(ro->d, ro->replicas, &ro->max_surge, &ro->max_unavailable);
	}
	revision_find(ro);
}

void rollout_write(struct rollout *ro)
{
	for (size_t i = 0; i < ro->n; i++) {
		struct rollout_set *s = &ro->sets[i];
		struct apps_replica_set copy = *s->rs;
		bool changed;

		copy.metadata.annotations = revision_annotations(ro, s, &changed);
		if (s->want == s->size && !(changed && s->annotate)) {
			continue;
		}
		copy.spec.replicas = &s->want;
		actions_update(ro->actions, &resource_apps_replicasets, &copy);
		if (s->want != s->size) {
			actions_on_success(ro->actions, ro->frozen, "ScalingReplicaSet",
					   arena_printf(ro->snapshot->arena,
							"Scaled %s replica set %.*s from %d to %d",
							s->want > s->size ? "up" : "down",
							STR_ARG(s->rs->metadata.name), s->size,
							s->want));
		}
	}
}

/* A pause is noted, so that the deadline does not run meanwhile. True if it wrote the status. */
static bool note_pause(struct rollout *ro)
{
	const struct apps_deployment_condition *c =
		condition_find(&ro->d->status.conditions, STR("Progressing"));
	bool noted = c && str_is(c->reason, "DeploymentPaused");

	if (!status_has_deadline(ro) || (c && str_is(c->reason, "ProgressDeadlineExceeded")) ||
	    ro->d->spec.paused == noted) {
		return false;
	}
	if (ro->d->spec.paused) {
		status_note(ro, "Unknown", "DeploymentPaused", STR("Deployment is paused"));
	} else {
		status_note(ro, "Unknown", "DeploymentResumed", STR("Deployment is resumed"));
	}
	return true;
}

/* Paused or scaled: no step of a rollout, but the sizes follow. */
static void sync_sizes(struct rollout *ro)
{
	scale_plan(ro);
	rollout_write(ro);
	if (ro->d->spec.paused) {
		revision_clean(ro);
	}
	status_sync(ro, false);
}

static void roll_out(struct rollout *ro)
{
	bool moves = false;

	if (!ro->is_rolling && recreate_waits(ro)) {
		rollout_write(ro);
		status_sync(ro, true);
		return;
	}
	if (revision_create(ro)) {
		/* The set's first event brings us back; a raised collision count is part of the status. */
		if (ro->collision_count) {
			status_sync(ro, true);
		}
		return;
	}
	if (revision_sync(ro)) {
		return;
	}
	if (!condition_find(&ro->d->status.conditions, STR("Progressing")) &&
	    status_has_deadline(ro)) {
		status_note(ro, "True", "FoundNewReplicaSet",
			    arena_printf(ro->snapshot->arena, "Found new replica set \"%.*s\"",
					 STR_ARG(ro->new_->rs->metadata.name)));
		return;
	}
	if (ro->is_rolling) {
		moves = rolling_plan(ro);
	} else {
		ro->new_->want = ro->replicas;
	}
	rollout_write(ro);
	if (!moves && status_is_complete(ro, &ro->d->status)) {
		revision_clean(ro);
	}
	status_sync(ro, true);
}

static void reconcile(const struct snapshot *snapshot, struct str key, struct actions *actions)
{
	struct frozen *f = snapshot_get_key(snapshot, &resource_apps_deployments, key);
	struct rollout ro = {.snapshot = snapshot, .actions = actions, .frozen = f};
	struct selector selector;

	if (!f) {
		return;
	}
	ro.d = FROZEN_AS(f, apps_deployments, struct apps_deployment);
	if (!selector_of(snapshot->arena, f, &selector)) {
		actions_event(
			actions, f, "Warning", "SelectingAll",
			"This deployment is selecting all pods. A non-empty selector is required.");
		return;
	}
	rollout_init(&ro, &selector);
	if (ro.d->metadata.deletion_timestamp) {
		status_sync(&ro, false);
	} else if (note_pause(&ro)) {
		return; /* its event brings us back */
	} else if (ro.d->spec.paused || scale_is_needed(&ro)) {
		sync_sizes(&ro);
	} else {
		roll_out(&ro);
	}
}

static const struct controller_watch watches[] = {
	{.resource = &resource_apps_deployments, .keys = controller_keys_self},
	{.resource = &resource_apps_replicasets, .keys = set_keys, .indexes = indexes},
	{.resource = &resource_core_pods, .keys = pod_keys, .indexes = indexes},
};

const struct controller_desc deployment_controller = {
	.name = "deployment-controller",
	.service_account = "deployment-controller",
	.workers = 5,
	.watches = watches,
	.nwatches = ARRAY_LEN(watches),
	.reconcile = reconcile,
};
