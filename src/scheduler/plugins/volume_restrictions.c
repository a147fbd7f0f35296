/* SPDX-License-Identifier: Apache-2.0 */
/* VolumeRestrictions: a claim of access mode ReadWriteOncePod belongs to one pod at a time. */
#include "scheduler/framework.h"

static bool is_once_pod(const struct cycle *c, struct str ns, struct str claim)
{
	struct frozen *f = cycle_get(c, &resource_core_persistentvolumeclaims, ns, claim);
	const struct core_persistent_volume_claim *pvc;

	if (!f) {
		return false;
	}
	pvc = FROZEN_AS(f, core_persistentvolumeclaims, struct core_persistent_volume_claim);
	for (size_t i = 0; i < pvc->spec.access_modes.n; i++) {
		if (str_is(pvc->spec.access_modes.p[i], "ReadWriteOncePod")) {
			return true;
		}
	}
	return false;
}

/* The pod's claims of that mode. */
static enum plugin_answer pre_filter(struct cycle *c, void **state, struct rejection *ret UNUSED)
{
	const struct core_pod *pod = c->pod->pod;
	struct str_list *claims = ARENA_NEW(c->arena, struct str_list);

	if (!c->pod->has_claims) {
		return PLUGIN_SKIP;
	}
	claims->p = ARENA_ARRAY(c->arena, pod->spec.volumes.n, struct str);
	for (size_t i = 0; i < pod->spec.volumes.n; i++) {
		const struct core_persistent_volume_claim_volume_source *v =
			pod->spec.volumes.p[i].persistent_volume_claim;

		if (v && is_once_pod(c, pod->metadata.namespace, v->claim_name)) {
			claims->p[claims->n++] = v->claim_name;
		}
	}
	*state = claims;
	return claims->n ? PLUGIN_OK : PLUGIN_SKIP;
}

static bool pod_uses(const struct pod_info *p, struct str ns, const struct str_list *claims)
{
	for (size_t i = 0;
	     p->has_claims && str_eq(p->pod->metadata.namespace, ns) && i < p->pod->spec.volumes.n;
	     i++) {
		const struct core_persistent_volume_claim_volume_source *v =
			p->pod->spec.volumes.p[i].persistent_volume_claim;

		for (size_t j = 0; v && j < claims->n; j++) {
			if (str_eq(v->claim_name, claims->p[j])) {
				return true;
			}
		}
	}
	return false;
}

/* The user may stand on any node; taking it away from there helps only there. */
static bool filter(const struct cycle *c, const void *state, uint32_t slot, struct rejection *ret)
{
	struct str key;
	void *value;

	for (size_t i = 0; map_next(&c->cache->pods, &i, &key, &value);) {
		const struct pod_info *p = value;

		if (p->slot != NO_SLOT && pod_uses(p, c->pod->pod->metadata.namespace, state)) {
			reject(ret, STR("node has pod using PersistentVolumeClaim with the same "
					"name and ReadWriteOncePod access mode"));
			ret->unresolvable = p->slot != slot;
			return false;
		}
	}
	return true;
}

extern const struct plugin plugin_volume_restrictions;
const struct plugin plugin_volume_restrictions = {
	.name = "VolumeRestrictions",
	.events = EVENT_POD_DELETE | EVENT_STORAGE,
	.pre_filter = pre_filter,
	.filter = filter,
};
