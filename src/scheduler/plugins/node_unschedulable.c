/* SPDX-License-Identifier: Apache-2.0 */
/* NodeUnschedulable: cordoned nodes take only pods that put up with the taint that cordoning means. */
#include "rules/taint.h"
#include "scheduler/framework.h"

static bool filter(const struct cycle *c, const void *state UNUSED, uint32_t slot,
		   struct rejection *ret)
{
	static const struct core_taint cordoned = {
		.key = STR_INIT("node.kubernetes.io/unschedulable"),
		.effect = STR_INIT("NoSchedule")};

	if (!c->cache->nodes.p[slot].cordoned ||
	    taint_is_tolerated(&cordoned, &c->pod->pod->spec)) {
		return true;
	}
	reject_for_good(ret, STR("node(s) were unschedulable"));
	return false;
}

extern const struct plugin plugin_node_unschedulable;
const struct plugin plugin_node_unschedulable = {
	.name = "NodeUnschedulable",
	.events = EVENT_NODE_ADD | EVENT_NODE_TAINT,
	.filter = filter,
};
