/* SPDX-License-Identifier: Apache-2.0 */
/* VolumeBinding: a bound claim's volume must reach the node; a claim that is to be bound at once must be bound first; one that waits for
 * its first consumer goes with the node (PreBind, in scheduler.c, writes the node's name to the claim and waits for its volume). */
#include "rules/affinity.h"
#include "scheduler/framework.h"
#include "scheduler/volumes.h"

static enum plugin_answer pre_filter(struct cycle *c, void **state, struct rejection *ret)
{
	struct pod_volumes *v;
	struct str refusal;

	if (!c->pod->has_claims) {
		return PLUGIN_SKIP;
	}
	*state = v = ARENA_NEW(c->arena, struct pod_volumes);
	refusal = pod_volumes_find(c, v);
	if (refusal.n) {
		reject_for_good(ret, refusal);
		return PLUGIN_REJECT;
	}
	return PLUGIN_OK;
}

static bool filter(const struct cycle *c, const void *state, uint32_t slot, struct rejection *ret)
{
	const struct pod_volumes *v = state;

	for (size_t i = 0; i < v->nbound; i++) {
		if (!volume_reaches_node(v->bound[i]->spec.node_affinity,
					 &node_at(c->cache, slot)->metadata)) {
			reject_for_good(
				ret, STR("node(s) didn't match PersistentVolume's node affinity"));
			return false;
		}
	}
	for (size_t i = 0; i < v->nwaiting; i++) {
		if (!pod_volume_can_bind(c, v->waiting[i], slot, NULL)) {
			reject_for_good(
				ret,
				STR("node(s) didn't find available persistent volumes to bind"));
			return false;
		}
	}
	return true;
}

extern const struct plugin plugin_volume_binding;
const struct plugin plugin_volume_binding = {
	.name = "VolumeBinding",
	.events = EVENT_NODE_ADD | EVENT_NODE_LABEL | EVENT_STORAGE,
	.pre_filter = pre_filter,
	.filter = filter,
};
