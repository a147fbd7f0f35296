/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/label_map.h"
#include "controller/statefulset/set.h"
#include "object/object.h"
#include "rules/controller_ref.h"

int64_t set_ordinal(const struct apps_stateful_set *s, const struct core_pod *pod)
{
	struct str name = pod->metadata.name;
	int64_t ordinal;

	if (!str_has_prefix(name, s->metadata.name) || name.n <= s->metadata.name.n + 1 ||
	    name.p[s->metadata.name.n] != '-') {
		return -1;
	}
	name = str_from(name, s->metadata.name.n + 1);
	/* No sign, no leading zeros: web-01 is nobody's. */
	if (name.p[0] < '0' || name.p[0] > '9' || (name.p[0] == '0' && name.n > 1) ||
	    str_to_int64(name, &ordinal) < 0 || ordinal > INT32_MAX) {
		return -1;
	}
	return ordinal;
}

struct str set_pod_revision(const struct core_pod *pod)
{
	return label_map_get(&pod->metadata.labels, STR(SET_REVISION_LABEL));
}

static struct str pod_name(struct set *set, int64_t ordinal)
{
	return arena_printf(set->snapshot->arena, "%.*s-%lld", STR_ARG(set->s->metadata.name),
			    (long long)ordinal);
}

static struct str claim_name(struct set *set, const struct core_persistent_volume_claim *template,
			     int64_t ordinal)
{
	return arena_printf(set->snapshot->arena, "%.*s-%.*s-%lld",
			    STR_ARG(template->metadata.name), STR_ARG(set->s->metadata.name),
			    (long long)ordinal);
}

/* ---- claims ---- */

static void create_claim(struct set *set, const struct core_persistent_volume_claim *template,
			 struct str name, struct str pod)
{
	struct arena *a = set->snapshot->arena;
	const struct str_map *more = &set->s->spec.selector->match_labels;
	struct core_persistent_volume_claim claim = {.metadata = template->metadata,
						     .spec = template->spec};

	claim.metadata.name = name;
	claim.metadata.namespace = set->s->metadata.namespace;
	for (size_t i = 0; i < more->n; i++) {
		label_map_set(a, &claim.metadata.labels, more->p[i].key, more->p[i].value);
	}
	actions_create(set->actions, &resource_core_persistentvolumeclaims, &claim);
	actions_on_success(set->actions, set->frozen, "SuccessfulCreate",
			   arena_printf(a, "create Claim %.*s Pod %.*s in StatefulSet %.*s success",
					STR_ARG(name), STR_ARG(pod),
					STR_ARG(set->s->metadata.name)));
	actions_on_failure(
		set->actions, set->frozen, "FailedCreate",
		arena_printf(a, "create Claim %.*s for Pod %.*s in StatefulSet %.*s failed error: ",
			     STR_ARG(name), STR_ARG(pod), STR_ARG(set->s->metadata.name)));
}

/* Its owner is an earlier pod of this name: it will be collected with that one (whenScaled: Delete). */
static bool is_stale(struct set *set, const struct frozen *claim, struct str pod)
{
	struct frozen *present =
		snapshot_get(set->snapshot, &resource_core_pods, set->s->metadata.namespace, pod);

	for (size_t i = 0; i < claim->head->metadata.owner_references.n; i++) {
		const struct meta_owner_reference *ref =
			&claim->head->metadata.owner_references.p[i];

		if (str_is(ref->kind, "Pod") && str_eq(ref->name, pod) &&
		    (!present || !str_eq(ref->uid, present->head->metadata.uid))) {
			return true;
		}
	}
	return false;
}

bool identity_claims(struct set *set, int64_t ordinal)
{
	bool usable = true;

	for (size_t i = 0; i < set->s->spec.volume_claim_templates.n; i++) {
		const struct core_persistent_volume_claim *template =
			&set->s->spec.volume_claim_templates.p[i];
		struct str name = claim_name(set, template, ordinal);
		struct frozen *f =
			snapshot_get(set->snapshot, &resource_core_persistentvolumeclaims,
				     set->s->metadata.namespace, name);

		if (!f) {
			create_claim(set, template, name, pod_name(set, ordinal));
		} else if (f->head->metadata.deletion_timestamp) {
			actions_fail(set->actions, "pvc %.*s is being deleted", STR_ARG(name));
			usable = false;
		} else if (is_stale(set, f, pod_name(set, ordinal))) {
			actions_fail(set->actions, "pvc %.*s goes with an earlier pod",
				     STR_ARG(name));
			usable = false;
		}
	}
	return usable;
}

static struct meta_owner_reference plain_reference(struct arena *a,
						   const struct resource_desc *resource,
						   const struct meta_object_meta *meta)
{
	return (struct meta_owner_reference){.api_version = api_version_of(a, resource),
					     .kind = str_of(resource->kind),
					     .name = meta->name,
					     .uid = meta->uid};
}

/* The list with or without a reference. True if that is a change. */
static bool set_reference(struct arena *a, struct meta_object_meta *claim,
			  const struct meta_owner_reference *ref, bool want)
{
	__typeof__(claim->owner_references.p) p =
		ARENA_ARRAY(a, claim->owner_references.n + 1, struct meta_owner_reference);
	bool there = false;
	size_t n = 0;

	for (size_t i = 0; i < claim->owner_references.n; i++) {
		bool same = str_eq(claim->owner_references.p[i].uid, ref->uid);

		there |= same;
		if (!same || want) {
			p[n++] = claim->owner_references.p[i];
		}
	}
	if (there == want) {
		return false;
	}
	if (want) {
		p[n++] = *ref;
	}
	claim->owner_references.p = p;
	claim->owner_references.n = n;
	return true;
}

void identity_retention(struct set *set, int64_t ordinal, const struct core_pod *pod,
			bool condemned)
{
	const struct apps_stateful_set_persistent_volume_claim_retention_policy *policy =
		set->s->spec.persistent_volume_claim_retention_policy;
	bool scaled = policy && str_is(policy->when_scaled, "Delete");
	bool deleted = policy && str_is(policy->when_deleted, "Delete");
	struct arena *a = set->snapshot->arena;
	struct meta_owner_reference to_set =
		plain_reference(a, &resource_apps_statefulsets, &set->s->metadata);

	for (size_t i = 0; i < set->s->spec.volume_claim_templates.n; i++) {
		struct str name =
			claim_name(set, &set->s->spec.volume_claim_templates.p[i], ordinal);
		struct frozen *f =
			snapshot_get(set->snapshot, &resource_core_persistentvolumeclaims,
				     set->s->metadata.namespace, name);
		struct core_persistent_volume_claim copy;
		bool changed;

		if (!f || f->head->metadata.deletion_timestamp) {
			continue;
		}
		copy = *FROZEN_AS(f, core_persistentvolumeclaims,
				  struct core_persistent_volume_claim);
		changed = set_reference(a, &copy.metadata, &to_set,
					deleted && !(scaled && condemned));
		if (pod) {
			struct meta_owner_reference to_pod =
				plain_reference(a, &resource_core_pods, &pod->metadata);

			changed |= set_reference(a, &copy.metadata, &to_pod, scaled && condemned);
		}
		if (changed) {
			actions_update(set->actions, &resource_core_persistentvolumeclaims, &copy);
		}
	}
}

/* ---- pods ---- */

/* Volumes of the claim templates stand first and replace those of the same name. */
static void set_volumes(struct set *set, int64_t ordinal, struct core_pod_spec *spec)
{
	struct arena *a = set->snapshot->arena;
	size_t nclaims = set->s->spec.volume_claim_templates.n;
	struct core_volume *p = ARENA_ARRAY(a, nclaims + spec->volumes.n, struct core_volume);
	size_t n = 0;

	for (size_t i = 0; i < nclaims; i++) {
		const struct core_persistent_volume_claim *template =
			&set->s->spec.volume_claim_templates.p[i];

		p[n].name = template->metadata.name;
		p[n].persistent_volume_claim =
			ARENA_NEW(a, struct core_persistent_volume_claim_volume_source);
		p[n++].persistent_volume_claim->claim_name = claim_name(set, template, ordinal);
	}
	for (size_t i = 0; i < spec->volumes.n; i++) {
		bool replaced = false;

		for (size_t j = 0; j < nclaims && !replaced; j++) {
			replaced = str_eq(spec->volumes.p[i].name, p[j].name);
		}
		if (!replaced) {
			p[n++] = spec->volumes.p[i];
		}
	}
	if (n) {
		spec->volumes.p = p;
		spec->volumes.n = n;
	}
}

static bool set_labels(struct set *set, int64_t ordinal, struct str_map *labels)
{
	struct arena *a = set->snapshot->arena;
	bool changed;

	changed = label_map_set(a, labels, STR(SET_POD_NAME_LABEL), pod_name(set, ordinal));
	changed |= label_map_set(a, labels, STR(SET_POD_INDEX_LABEL),
				 arena_printf(a, "%lld", (long long)ordinal));
	return changed;
}

void identity_create(struct set *set, int64_t ordinal, const struct set_revision *revision)
{
	struct arena *a = set->snapshot->arena;
	const struct core_pod_template_spec *template = revision->template;
	struct meta_owner_reference ref =
		controller_ref_make(a, &resource_apps_statefulsets, &set->s->metadata);
	struct core_pod pod = {.spec = template->spec};
	struct meta_object_meta *meta = &pod.metadata;
	struct str set_name = set->s->metadata.name;

	meta->name = pod_name(set, ordinal);
	meta->generate_name = arena_printf(a, "%.*s-", STR_ARG(set_name));
	meta->namespace = set->s->metadata.namespace;
	meta->labels = template->metadata.labels;
	meta->annotations = template->metadata.annotations;
	meta->finalizers = template->metadata.finalizers;
	meta->owner_references.p = &ref;
	meta->owner_references.n = 1;
	set_labels(set, ordinal, &meta->labels);
	label_map_set(a, &meta->labels, STR(SET_REVISION_LABEL), revision->name);
	pod.spec.hostname = meta->name;
	pod.spec.subdomain = set->s->spec.service_name;
	set_volumes(set, ordinal, &pod.spec);
	actions_create(set->actions, &resource_core_pods, &pod);
	actions_on_success(set->actions, set->frozen, "SuccessfulCreate",
			   arena_printf(a, "create Pod %.*s in StatefulSet %.*s successful",
					STR_ARG(meta->name), STR_ARG(set_name)));
	actions_on_failure(set->actions, set->frozen, "FailedCreate",
			   arena_printf(a, "create Pod %.*s in StatefulSet %.*s failed error: ",
					STR_ARG(meta->name), STR_ARG(set_name)));
}

void identity_delete(struct set *set, const struct core_pod *pod)
{
	struct arena *a = set->snapshot->arena;
	struct delete_opts opts = {.uid = pod->metadata.uid};
	struct str name = pod->metadata.name;
	struct str set_name = set->s->metadata.name;

	actions_delete(set->actions, &resource_core_pods, pod->metadata.namespace, name, &opts);
	actions_on_success(set->actions, set->frozen, "SuccessfulDelete",
			   arena_printf(a, "delete Pod %.*s in StatefulSet %.*s successful",
					STR_ARG(name), STR_ARG(set_name)));
	actions_on_failure(set->actions, set->frozen, "FailedDelete",
			   arena_printf(a, "delete Pod %.*s in StatefulSet %.*s failed error: ",
					STR_ARG(name), STR_ARG(set_name)));
}

bool identity_repair(struct set *set, const struct core_pod *pod, int64_t ordinal)
{
	struct core_pod copy = *pod;

	if (!set_labels(set, ordinal, &copy.metadata.labels)) {
		return false;
	}
	actions_update(set->actions, &resource_core_pods, &copy);
	return true;
}
