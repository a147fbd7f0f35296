/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/label_map.h"
#include "controller/persistentvolume/binder.h"
#include "object/object.h"
#include "rules/selector.h"

static void set_phase(const struct binder *b, const struct core_persistent_volume *volume,
		      const char *phase, const char *message)
{
	struct core_persistent_volume copy = *volume;
	struct timestamp now = {.sec = b->snapshot->now_ns / SECOND, .set = true};

	if (str_eq(volume->status.phase, str_of(phase)) &&
	    str_eq(volume->status.message, str_of(message))) {
		return;
	}
	if (!str_eq(volume->status.phase, str_of(phase))) {
		copy.status.last_phase_transition_time = &now;
	}
	copy.status.phase = str_of(phase);
	copy.status.message = str_of(message);
	actions_update_status(b->actions, &resource_core_persistentvolumes, &copy);
}

static bool is_ours(const struct binder *b, const struct core_persistent_volume *volume)
{
	const struct str *by = str_map_find(&volume->metadata.annotations, STR(PV_PROVISIONED_BY));

	return by && str_eq(*by, b->snapshot->options->provisioner);
}

static void fail(const struct binder *b, const struct frozen *f, const char *reason,
		 const char *message)
{
	const struct core_persistent_volume *volume =
		FROZEN_AS(f, core_persistentvolumes, struct core_persistent_volume);

	if (!str_is(volume->status.phase, "Failed")) {
		actions_event(b->actions, f, "Warning", reason, "%s", message);
	}
	set_phase(b, volume, "Failed", message);
}

/* Its claim has gone. */
static void reclaim(const struct binder *b, const struct frozen *f)
{
	const struct core_persistent_volume *volume =
		FROZEN_AS(f, core_persistentvolumes, struct core_persistent_volume);
	struct str policy = volume->spec.persistent_volume_reclaim_policy;
	struct delete_opts opts = {.uid = volume->metadata.uid};

	if (!str_is(volume->status.phase, "Released") && !str_is(volume->status.phase, "Failed")) {
		set_phase(b, volume, "Released", NULL);
		return; /* its event brings us back */
	}
	if (volume->metadata.deletion_timestamp || !policy.n || str_is(policy, "Retain")) {
		return;
	}
	if (str_is(policy, "Recycle")) {
		fail(b, f, "VolumeFailedRecycle",
		     "recycling is not supported: delete the volume, or set its policy to Retain");
	} else if (is_ours(b, volume)) {
		actions_delete(b->actions, &resource_core_persistentvolumes, STR_NULL,
			       volume->metadata.name, &opts);
		actions_on_failure(b->actions, f, "VolumeFailedDelete", STR(""));
	} else if (!str_map_find(&volume->metadata.annotations, STR(PV_PROVISIONED_BY))) {
		fail(b, f, "VolumeFailedDelete",
		     "no deletable volume plugin matched: nobody can remove the data; set the "
		     "policy to Retain");
	}
	/* What another provisioner made is that one's to remove. */
}

/* We had set it aside for a claim that has taken another volume. */
static void unbind(const struct binder *b, const struct core_persistent_volume *volume)
{
	struct core_persistent_volume copy = *volume;

	copy.spec.claim_ref = NULL;
	label_map_remove(b->snapshot->arena, &copy.metadata.annotations,
			 STR(PV_BOUND_BY_CONTROLLER));
	actions_update(b->actions, &resource_core_persistentvolumes, &copy);
}

static bool is_dynamic(const struct core_persistent_volume *volume)
{
	return str_map_find(&volume->metadata.annotations, STR(PV_PROVISIONED_BY)) &&
	       str_is(volume->spec.persistent_volume_reclaim_policy, "Delete");
}

void volume_reconcile(const struct binder *b, struct str name)
{
	struct frozen *f =
		snapshot_get(b->snapshot, &resource_core_persistentvolumes, STR_NULL, name);
	const struct core_persistent_volume_claim *claim = NULL;
	const struct core_persistent_volume *volume;
	struct frozen *c;

	if (!f) {
		return;
	}
	volume = FROZEN_AS(f, core_persistentvolumes, struct core_persistent_volume);
	if (!volume->spec.claim_ref || !volume->spec.claim_ref->uid.n) {
		set_phase(b, volume, "Available",
			  NULL); /* free, or set aside for a claim that has not come */
		return;
	}
	c = snapshot_get(b->snapshot, &resource_core_persistentvolumeclaims,
			 volume->spec.claim_ref->namespace, volume->spec.claim_ref->name);
	if (c && str_eq(c->head->metadata.uid, volume->spec.claim_ref->uid)) {
		claim = FROZEN_AS(c, core_persistentvolumeclaims,
				  struct core_persistent_volume_claim);
	}
	if (!claim) {
		/* A claim that the informer has not seen yet is no reason to delete data: first look past it. */
		actions_check_absent(b->actions, &resource_core_persistentvolumeclaims,
				     volume->spec.claim_ref->namespace,
				     volume->spec.claim_ref->name, volume->spec.claim_ref->uid);
		actions_next_stage(b->actions);
		reclaim(b, f);
	} else if (str_eq(claim->spec.volume_name, volume->metadata.name)) {
		set_phase(b, volume, "Bound", NULL);
	} else if (claim->spec.volume_name.n && is_dynamic(volume)) {
		reclaim(b, f);
	} else if (claim->spec.volume_name.n &&
		   str_map_find(&volume->metadata.annotations, STR(PV_BOUND_BY_CONTROLLER))) {
		unbind(b, volume);
	}
	/* Otherwise the claim's own key finishes the binding. */
}
