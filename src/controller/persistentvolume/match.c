/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/label_map.h"
#include "controller/persistentvolume/binder.h"
#include "object/quantity.h"
#include "rules/resources.h"
#include "rules/selector.h"

struct str claim_class(const struct core_persistent_volume_claim *claim)
{
	const struct str *old = str_map_find(&claim->metadata.annotations, STR(CLASS_BETA));

	if (old) {
		return *old;
	}
	return claim->spec.storage_class_name ? *claim->spec.storage_class_name : STR("");
}

struct str volume_class(const struct core_persistent_volume *volume)
{
	const struct str *old = str_map_find(&volume->metadata.annotations, STR(CLASS_BETA));

	return old ? *old : volume->spec.storage_class_name;
}

bool volume_is_for(const struct core_persistent_volume *volume,
		   const struct core_persistent_volume_claim *claim)
{
	const struct core_object_reference *ref = volume->spec.claim_ref;

	return ref && str_eq(ref->name, claim->metadata.name) &&
	       str_eq(ref->namespace, claim->metadata.namespace) &&
	       (!ref->uid.n || str_eq(ref->uid, claim->metadata.uid));
}

static struct str mode_of(const struct str *mode)
{
	return mode && mode->n ? *mode : STR("Filesystem");
}

static struct str attributes_class(const struct str *class)
{
	return class ? *class : STR("");
}

static bool has_modes(const struct str_list *have, const struct str_list *want)
{
	for (size_t i = 0; i < want->n; i++) {
		bool found = false;

		for (size_t j = 0; j < have->n && !found; j++) {
			found = str_eq(have->p[j], want->p[i]);
		}
		if (!found) {
			return false;
		}
	}
	return true;
}

static struct quantity size_of(const struct core_persistent_volume *volume)
{
	return resource_get(&volume->spec.capacity, STR("storage"));
}

/* Upstream's words: they stand in the event VolumeMismatch. */
const char *match_refusal(const struct core_persistent_volume *volume,
			  const struct core_persistent_volume_claim *claim)
{
	if (quantity_cmp(size_of(volume),
			 resource_get(&claim->spec.resources.requests, STR("storage"))) < 0) {
		return "requested PV is too small";
	}
	if (!str_eq(volume_class(volume), claim_class(claim))) {
		return "storageClassName does not match";
	}
	if (!str_eq(attributes_class(volume->spec.volume_attributes_class_name),
		    attributes_class(claim->spec.volume_attributes_class_name))) {
		return "VolumeAttributesClassName does not match";
	}
	if (!str_eq(mode_of(volume->spec.volume_mode), mode_of(claim->spec.volume_mode))) {
		return "incompatible volumeMode";
	}
	if (!has_modes(&volume->spec.access_modes, &claim->spec.access_modes)) {
		return "incompatible accessMode";
	}
	return NULL;
}

struct search {
	const struct core_persistent_volume_claim *claim;
	bool reserved_only;
	struct frozen *best;
	bool best_is_reserved;
};

static bool consider(void *ctx, struct frozen *object)
{
	struct search *s = ctx;
	const struct core_persistent_volume *volume =
		FROZEN_AS(object, core_persistentvolumes, struct core_persistent_volume);
	const struct core_persistent_volume *best =
		s->best ? FROZEN_AS(s->best, core_persistentvolumes, struct core_persistent_volume)
			: NULL;

	if (volume->metadata.deletion_timestamp || match_refusal(volume, s->claim)) {
		return true;
	}
	if (volume_is_for(volume, s->claim)) {
		s->best = object;
		s->best_is_reserved = true;
		return false;
	}
	if (s->reserved_only || volume->spec.claim_ref ||
	    !str_is(volume->status.phase, "Available") ||
	    (s->claim->spec.selector &&
	     !label_selector_matches(s->claim->spec.selector, &volume->metadata.labels))) {
		return true;
	}
	if (!best || quantity_cmp(size_of(volume), size_of(best)) < 0) {
		s->best = object;
	}
	return true;
}

struct frozen *match_find(const struct binder *b, const struct core_persistent_volume_claim *claim,
			  bool reserved_only)
{
	struct search s = {.claim = claim, .reserved_only = reserved_only};

	informer_each(snapshot_informer(b->snapshot, &resource_core_persistentvolumes), STR_NULL,
		      consider, &s);
	return s.best;
}
