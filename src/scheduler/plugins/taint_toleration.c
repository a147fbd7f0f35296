/* SPDX-License-Identifier: Apache-2.0 */
/* TaintToleration: hard taints keep pods away, soft ones (PreferNoSchedule) cost points. */
#include "rules/taint.h"
#include "scheduler/framework.h"

static bool filter(const struct cycle *c, const void *state UNUSED, uint32_t slot,
		   struct rejection *ret)
{
	const struct core_node *node = node_at(c->cache, slot);

	if (!c->cache->nodes.p[slot].has_hard_taints ||
	    !find_untolerated_taint(node->spec.taints.p, node->spec.taints.n, &c->pod->pod->spec,
				    TAINT_NO_SCHEDULE | TAINT_NO_EXECUTE)) {
		return true;
	}
	reject_for_good(ret, STR("node(s) had untolerated taint(s)"));
	return false;
}

static int64_t score(const struct cycle *c, const void *state UNUSED, uint32_t slot)
{
	const struct core_node *node = node_at(c->cache, slot);
	int64_t n = 0;

	for (size_t i = 0; c->cache->nodes.p[slot].has_soft_taints && i < node->spec.taints.n;
	     i++) {
		const struct core_taint *t = &node->spec.taints.p[i];

		n += find_untolerated_taint(t, 1, &c->pod->pod->spec, TAINT_PREFER_NO_SCHEDULE) !=
		     NULL;
	}
	return n;
}

static void normalize(const struct cycle *c, const void *state UNUSED, int64_t *scores)
{
	normalize_scores(scores, c->nfeasible, true);
}

extern const struct plugin plugin_taint_toleration;
const struct plugin plugin_taint_toleration = {
	.name = "TaintToleration",
	.events = EVENT_NODE_ADD | EVENT_NODE_TAINT,
	.filter = filter,
	.score = score,
	.normalize = normalize,
};
