/* SPDX-License-Identifier: Apache-2.0 */
/* NodeAffinity: spec.nodeSelector and required node affinity decide, preferred node affinity gives points. */
#include "rules/affinity.h"
#include "scheduler/framework.h"

static const struct core_node_affinity *affinity_of(const struct cycle *c)
{
	return c->pod->pod->spec.affinity ? c->pod->pod->spec.affinity->node_affinity : NULL;
}

static enum plugin_answer pre_filter(struct cycle *c, void **state UNUSED,
				     struct rejection *ret UNUSED)
{
	const struct core_node_affinity *a = affinity_of(c);

	return c->pod->pod->spec.node_selector.n ||
			       (a && a->required_during_scheduling_ignored_during_execution)
		       ? PLUGIN_OK
		       : PLUGIN_SKIP;
}

static bool filter(const struct cycle *c, const void *state UNUSED, uint32_t slot,
		   struct rejection *ret)
{
	if (pod_matches_node(&c->pod->pod->spec, &node_at(c->cache, slot)->metadata)) {
		return true;
	}
	reject_for_good(ret, STR("node(s) didn't match Pod's node affinity/selector"));
	return false;
}

static enum plugin_answer pre_score(struct cycle *c, void **state UNUSED)
{
	const struct core_node_affinity *a = affinity_of(c);

	return a && a->preferred_during_scheduling_ignored_during_execution.n ? PLUGIN_OK
									      : PLUGIN_SKIP;
}

static int64_t score(const struct cycle *c, const void *state UNUSED, uint32_t slot)
{
	return node_affinity_weight(&c->pod->pod->spec, &node_at(c->cache, slot)->metadata);
}

static void normalize(const struct cycle *c, const void *state UNUSED, int64_t *scores)
{
	normalize_scores(scores, c->nfeasible, false);
}

extern const struct plugin plugin_node_affinity;
const struct plugin plugin_node_affinity = {
	.name = "NodeAffinity",
	.events = EVENT_NODE_ADD | EVENT_NODE_LABEL,
	.pre_filter = pre_filter,
	.filter = filter,
	.pre_score = pre_score,
	.score = score,
	.normalize = normalize,
};
