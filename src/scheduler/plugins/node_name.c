/* SPDX-License-Identifier: Apache-2.0 */
/* NodeName: a pod that names its node goes there or nowhere. */
#include "scheduler/framework.h"

static enum plugin_answer pre_filter(struct cycle *c, void **state UNUSED,
				     struct rejection *ret UNUSED)
{
	return c->pod->pod->spec.node_name.n ? PLUGIN_OK : PLUGIN_SKIP;
}

static bool filter(const struct cycle *c, const void *state UNUSED, uint32_t slot,
		   struct rejection *ret)
{
	if (str_eq(c->pod->pod->spec.node_name, node_at(c->cache, slot)->metadata.name)) {
		return true;
	}
	reject_for_good(ret, STR("node(s) didn't match the requested node name"));
	return false;
}

extern const struct plugin plugin_node_name;
const struct plugin plugin_node_name = {
	.name = "NodeName",
	.events = EVENT_NODE_ADD,
	.pre_filter = pre_filter,
	.filter = filter,
};
