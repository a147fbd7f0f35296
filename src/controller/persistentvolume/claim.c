/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/label_map.h"
#include "controller/persistentvolume/binder.h"
#include "object/object.h"
#include "rules/selector.h"

struct claim {
	const struct binder *b;
	const struct frozen *frozen;
	const struct core_persistent_volume_claim *pvc;
};

static bool has_annotation(const struct meta_object_meta *meta, const char *key)
{
	return str_map_find(&meta->annotations, str_of(key)) != NULL;
}

/* ---- writes, one per pass ---- */

/* volume NULL: nothing is known of a volume. */
static void set_phase(const struct claim *c, const char *phase,
		      const struct core_persistent_volume *volume)
{
	struct core_persistent_volume_claim copy = *c->pvc;
	struct core_persistent_volume_claim_status *st = &copy.status;

	st->phase = str_of(phase);
	if (volume) {
		st->access_modes = volume->spec.access_modes;
		/* A later growth of the file system is told by others; the first size is the volume's. */
		if (!st->capacity.n || !str_is(c->pvc->status.phase, "Bound")) {
			st->capacity = volume->spec.capacity;
		}
		st->current_volume_attributes_class_name =
			volume->spec.volume_attributes_class_name;
	} else {
		st->access_modes = (struct str_list){0};
		st->capacity = (struct quantity_map){0};
	}
	if (!object_equal(&type_core_persistent_volume_claim_status, st, &c->pvc->status)) {
		actions_update_status(c->b->actions, &resource_core_persistentvolumeclaims, &copy);
	}
}

static void lose(const struct claim *c, const char *reason, const char *message)
{
	if (!str_is(c->pvc->status.phase, "Lost")) {
		actions_event(c->b->actions, c->frozen, "Warning", reason, "%s", message);
	}
	set_phase(c, "Lost", NULL);
}

/* The volume says whose it is. True if that had to be written. */
static bool bind_volume(const struct claim *c, const struct core_persistent_volume *volume)
{
	struct core_persistent_volume copy = *volume;
	struct core_object_reference ref = {0};

	if (volume_is_for(volume, c->pvc) && volume->spec.claim_ref->uid.n) {
		return false;
	}
	if (volume->spec.claim_ref) {
		ref = *volume->spec.claim_ref; /* set aside by a person: not ours to take back */
	} else {
		label_map_set(c->b->snapshot->arena, &copy.metadata.annotations,
			      STR(PV_BOUND_BY_CONTROLLER), STR("yes"));
	}
	ref.kind = STR("PersistentVolumeClaim");
	ref.api_version = STR("v1");
	ref.namespace = c->pvc->metadata.namespace;
	ref.name = c->pvc->metadata.name;
	ref.uid = c->pvc->metadata.uid;
	ref.resource_version = c->pvc->metadata.resource_version;
	copy.spec.claim_ref = &ref;
	actions_update(c->b->actions, &resource_core_persistentvolumes, &copy);
	return true;
}

static bool bind_claim(const struct claim *c, const struct core_persistent_volume *volume)
{
	struct core_persistent_volume_claim copy = *c->pvc;
	struct arena *a = c->b->snapshot->arena;
	bool changed = false;

	if (!str_eq(copy.spec.volume_name, volume->metadata.name)) {
		copy.spec.volume_name = volume->metadata.name;
		label_map_set(a, &copy.metadata.annotations, STR(PV_BOUND_BY_CONTROLLER),
			      STR("yes"));
		changed = true;
	}
	changed |= label_map_set(a, &copy.metadata.annotations, STR(PV_BIND_COMPLETED), STR("yes"));
	if (changed) {
		actions_update(c->b->actions, &resource_core_persistentvolumeclaims, &copy);
	}
	return changed;
}

static void bind_step(const struct claim *c, const struct frozen *f)
{
	const struct core_persistent_volume *volume =
		FROZEN_AS(f, core_persistentvolumes, struct core_persistent_volume);

	if (!bind_volume(c, volume) && !bind_claim(c, volume)) {
		set_phase(c, "Bound", volume);
	}
}

/* ---- claims that are not bound ---- */

static const struct storage_storage_class *class_of(const struct claim *c)
{
	struct frozen *f = snapshot_get(c->b->snapshot, &resource_storage_storageclasses, STR_NULL,
					claim_class(c->pvc));

	return f ? FROZEN_AS(f, storage_storageclasses, struct storage_storage_class) : NULL;
}

static bool is_default(void *ctx, struct frozen *object)
{
	const struct storage_storage_class **best = ctx;
	const struct storage_storage_class *class =
		FROZEN_AS(object, storage_storageclasses, struct storage_storage_class);
	bool marked = str_is(label_map_get(&class->metadata.annotations,
					   STR("storageclass.kubernetes.io/is-default-class")),
			     "true") ||
		      str_is(label_map_get(&class->metadata.annotations,
					   STR("storageclass.beta.kubernetes.io/is-default-class")),
			     "true");

	if (marked && (!*best || class->metadata.creation_timestamp.sec >
					 (*best)->metadata.creation_timestamp.sec)) {
		*best = class; /* of several the newest */
	}
	return true;
}

/* A claim that names no class gets the default one, also when that comes later. True if it was written. */
static bool take_default_class(const struct claim *c)
{
	const struct storage_storage_class *class = NULL;
	struct core_persistent_volume_claim copy = *c->pvc;
	struct str name;

	if (c->pvc->spec.storage_class_name || has_annotation(&c->pvc->metadata, CLASS_BETA)) {
		return false;
	}
	informer_each(snapshot_informer(c->b->snapshot, &resource_storage_storageclasses), STR_NULL,
		      is_default, &class);
	if (!class) {
		return false;
	}
	name = class->metadata.name;
	copy.spec.storage_class_name = &name;
	actions_update(c->b->actions, &resource_core_persistentvolumeclaims, &copy);
	return true;
}

static void find_or_make(const struct claim *c)
{
	const struct storage_storage_class *class = class_of(c);
	bool is_late = class && class->volume_binding_mode &&
		       str_is(*class->volume_binding_mode, "WaitForFirstConsumer");
	bool waits = is_late && !has_annotation(&c->pvc->metadata, PVC_SELECTED_NODE);
	struct frozen *volume = match_find(c->b, c->pvc, waits);

	if (volume) {
		bind_step(c, volume);
		return;
	}
	if (take_default_class(c)) {
		return;
	}
	if (waits) {
		actions_event(c->b->actions, c->frozen, "Normal", "WaitForFirstConsumer",
			      "waiting for first consumer to be created before binding");
	} else if (class) {
		provision_claim(c->b, c->frozen, class);
	} else if (claim_class(c->pvc).n) {
		actions_event(c->b->actions, c->frozen, "Warning", "ProvisioningFailed",
			      "storageclass.storage.k8s.io \"%.*s\" not found",
			      STR_ARG(claim_class(c->pvc)));
	} else {
		actions_event(c->b->actions, c->frozen, "Normal", "FailedBinding",
			      "no persistent volumes available for this claim and no storage class "
			      "is set");
	}
	set_phase(c, "Pending", NULL);
}

/* The claim names its volume. */
static void take_named(const struct claim *c)
{
	struct frozen *f = snapshot_get(c->b->snapshot, &resource_core_persistentvolumes, STR_NULL,
					c->pvc->spec.volume_name);
	const struct core_persistent_volume *volume =
		f ? FROZEN_AS(f, core_persistentvolumes, struct core_persistent_volume) : NULL;
	const char *refusal;

	if (!volume) {
		set_phase(c, "Pending", NULL);
		return;
	}
	if (volume_is_for(volume, c->pvc)) {
		bind_step(c, f);
		return;
	}
	refusal = match_refusal(volume, c->pvc);
	if (volume->spec.claim_ref) {
		actions_event(c->b->actions, c->frozen, "Warning", "FailedBinding",
			      "volume \"%.*s\" already bound to a different claim.",
			      STR_ARG(c->pvc->spec.volume_name));
		set_phase(c, "Pending", NULL);
	} else if (refusal) {
		actions_event(c->b->actions, c->frozen, "Warning", "VolumeMismatch",
			      "Cannot bind to requested volume \"%.*s\": %s",
			      STR_ARG(c->pvc->spec.volume_name), refusal);
		set_phase(c, "Pending", NULL);
	} else {
		bind_step(c, f);
	}
}

/* ---- claims that were bound once ---- */

static void keep_bound(const struct claim *c)
{
	struct frozen *f;
	const struct core_persistent_volume *volume;

	if (!c->pvc->spec.volume_name.n) {
		lose(c, "ClaimLost",
		     "Bound claim has lost reference to PersistentVolume. Data on the volume is "
		     "lost!");
		return;
	}
	f = snapshot_get(c->b->snapshot, &resource_core_persistentvolumes, STR_NULL,
			 c->pvc->spec.volume_name);
	if (!f) {
		lose(c, "ClaimLost",
		     "Bound claim has lost its PersistentVolume. Data on the volume is lost!");
		return;
	}
	volume = FROZEN_AS(f, core_persistentvolumes, struct core_persistent_volume);
	if (!volume->spec.claim_ref || volume_is_for(volume, c->pvc)) {
		bind_step(c, f);
	} else {
		lose(c, "ClaimMisbound",
		     "Two claims are bound to the same volume, this one is bound incorrectly");
	}
}

void claim_reconcile(const struct binder *b, struct str key)
{
	struct frozen *f =
		snapshot_get_key(b->snapshot, &resource_core_persistentvolumeclaims, key);
	struct claim c = {.b = b, .frozen = f};

	if (!f) {
		return;
	}
	c.pvc = FROZEN_AS(f, core_persistentvolumeclaims, struct core_persistent_volume_claim);
	if (has_annotation(&c.pvc->metadata, PV_BIND_COMPLETED)) {
		keep_bound(&c);
	} else if (c.pvc->metadata.deletion_timestamp) {
		return; /* it will not need a volume any more */
	} else if (c.pvc->spec.volume_name.n) {
		take_named(&c);
	} else {
		find_or_make(&c);
	}
}
