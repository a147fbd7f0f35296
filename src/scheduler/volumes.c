/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/volumes.h"

#include "rules/affinity.h"
#include "rules/resources.h"
#include "rules/selector.h"

static const struct storage_storage_class *
class_of(const struct cycle *c, const struct core_persistent_volume_claim *claim)
{
	struct frozen *f = claim->spec.storage_class_name && claim->spec.storage_class_name->n
				   ? cycle_get(c, &resource_storage_storageclasses, STR_NULL,
					       *claim->spec.storage_class_name)
				   : NULL;

	return f ? FROZEN_AS(f, storage_storageclasses, struct storage_storage_class) : NULL;
}

static bool waits(const struct cycle *c, const struct core_persistent_volume_claim *claim)
{
	const struct storage_storage_class *sc = class_of(c, claim);

	return sc && sc->volume_binding_mode &&
	       str_is(*sc->volume_binding_mode, "WaitForFirstConsumer");
}

struct str pod_claim_name(struct arena *a, const struct core_pod *pod,
			  const struct core_volume *volume)
{
	if (volume->persistent_volume_claim) {
		return volume->persistent_volume_claim->claim_name;
	}
	if (volume->ephemeral) {
		return arena_printf(a, "%.*s-%.*s", STR_ARG(pod->metadata.name),
				    STR_ARG(volume->name));
	}
	return STR_NULL;
}

static struct str add_bound(const struct cycle *c, struct pod_volumes *ret,
			    const struct core_persistent_volume_claim *claim)
{
	struct frozen *f =
		cycle_get(c, &resource_core_persistentvolumes, STR_NULL, claim->spec.volume_name);

	if (!f) {
		return arena_printf(c->arena,
				    "persistentvolumeclaim \"%.*s\" bound to non-existent "
				    "persistentvolume \"%.*s\"",
				    STR_ARG(claim->metadata.name),
				    STR_ARG(claim->spec.volume_name));
	}
	ret->bound[ret->nbound++] =
		FROZEN_AS(f, core_persistentvolumes, struct core_persistent_volume);
	return STR_NULL;
}

static struct str add_claim(const struct cycle *c, struct pod_volumes *ret, struct str name)
{
	struct frozen *f = cycle_get(c, &resource_core_persistentvolumeclaims,
				     c->pod->pod->metadata.namespace, name);
	const struct core_persistent_volume_claim *claim;

	if (!f) {
		return arena_printf(c->arena, "persistentvolumeclaim \"%.*s\" not found",
				    STR_ARG(name));
	}
	claim = FROZEN_AS(f, core_persistentvolumeclaims, struct core_persistent_volume_claim);
	if (claim->metadata.deletion_timestamp) {
		return arena_printf(c->arena, "persistentvolumeclaim \"%.*s\" is being deleted",
				    STR_ARG(name));
	}
	if (str_is(claim->status.phase, "Lost")) {
		return arena_printf(c->arena,
				    "persistentvolumeclaim \"%.*s\" bound to non-existent "
				    "persistentvolume \"%.*s\"",
				    STR_ARG(name), STR_ARG(claim->spec.volume_name));
	}
	if (claim->spec.volume_name.n &&
	    str_map_find(&claim->metadata.annotations, STR("pv.kubernetes.io/bind-completed"))) {
		return add_bound(c, ret, claim);
	}
	if (!claim->spec.volume_name.n && waits(c, claim)) {
		ret->waiting[ret->nwaiting++] = claim;
		return STR_NULL;
	}
	return STR("pod has unbound immediate PersistentVolumeClaims");
}

struct str pod_volumes_find(const struct cycle *c, struct pod_volumes *ret)
{
	const struct core_pod *pod = c->pod->pod;

	ret->bound =
		ARENA_ARRAY(c->arena, pod->spec.volumes.n, const struct core_persistent_volume *);
	ret->waiting = ARENA_ARRAY(c->arena, pod->spec.volumes.n,
				   const struct core_persistent_volume_claim *);
	for (size_t i = 0; i < pod->spec.volumes.n; i++) {
		struct str name = pod_claim_name(c->arena, pod, &pod->spec.volumes.p[i]);
		struct str refusal = name.n ? add_claim(c, ret, name) : STR_NULL;

		if (refusal.n) {
			return refusal;
		}
	}
	return STR_NULL;
}

struct volume_search {
	const struct cycle *c;
	const struct core_persistent_volume_claim *claim;
	const struct meta_object_meta *node;
	bool found;
	const struct core_persistent_volume *volume;
};

static bool has_modes(const struct str_list *has, const struct str_list *wanted)
{
	for (size_t i = 0; i < wanted->n; i++) {
		bool there = false;

		for (size_t j = 0; j < has->n; j++) {
			there |= str_eq(has->p[j], wanted->p[i]);
		}
		if (!there) {
			return false;
		}
	}
	return true;
}

static bool try_volume(void *ctx, struct frozen *f)
{
	struct volume_search *s = ctx;
	const struct core_persistent_volume *pv =
		FROZEN_AS(f, core_persistentvolumes, struct core_persistent_volume);
	const struct core_persistent_volume_claim_spec *spec = &s->claim->spec;
	const struct core_object_reference *ref = pv->spec.claim_ref;

	if (ref) {
		s->found = str_eq(ref->namespace, s->claim->metadata.namespace) &&
			   str_eq(ref->name, s->claim->metadata.name) &&
			   volume_reaches_node(pv->spec.node_affinity, s->node);
	} else {
		s->found = str_is(pv->status.phase, "Available") &&
			   str_eq(pv->spec.storage_class_name, *spec->storage_class_name) &&
			   has_modes(&pv->spec.access_modes, &spec->access_modes) &&
			   resources_fit(&spec->resources.requests, &pv->spec.capacity, NULL) &&
			   (!spec->selector ||
			    label_selector_matches(spec->selector, &pv->metadata.labels)) &&
			   volume_reaches_node(pv->spec.node_affinity, s->node);
	}
	if (s->found) {
		s->volume = pv;
	}
	return !s->found;
}

static bool topology_allows(const struct storage_storage_class *sc, const struct str_map *labels)
{
	for (size_t i = 0; i < sc->allowed_topologies.n; i++) {
		const struct core_topology_selector_term *t = &sc->allowed_topologies.p[i];
		bool all = true;

		for (size_t j = 0; j < t->match_label_expressions.n; j++) {
			const struct str *value =
				str_map_find(labels, t->match_label_expressions.p[j].key);
			bool one = false;

			for (size_t k = 0; value && k < t->match_label_expressions.p[j].values.n;
			     k++) {
				one |= str_eq(t->match_label_expressions.p[j].values.p[k], *value);
			}
			all = all && one;
		}
		if (all) {
			return true;
		}
	}
	return sc->allowed_topologies.n == 0;
}

bool pod_volume_can_bind(const struct cycle *c, const struct core_persistent_volume_claim *claim,
			 uint32_t slot, const struct core_persistent_volume **ret_volume)
{
	const struct storage_storage_class *sc = class_of(c, claim);
	struct volume_search s = {
		.c = c, .claim = claim, .node = &node_at(c->cache, slot)->metadata};

	informer_each(informers_get(c->informers, &resource_core_persistentvolumes, STR_NULL),
		      STR_NULL, try_volume, &s);
	if (ret_volume) {
		*ret_volume = s.volume;
	}
	return s.found || (sc && !str_is(sc->provisioner, "kubernetes.io/no-provisioner") &&
			   topology_allows(sc, &s.node->labels));
}
