/* SPDX-License-Identifier: Apache-2.0 */
/* NodePorts: two pods of one node cannot have the same host port; 0.0.0.0 means every address. */
#include "scheduler/framework.h"

static enum plugin_answer pre_filter(struct cycle *c, void **state UNUSED,
				     struct rejection *ret UNUSED)
{
	return c->pod->nports ? PLUGIN_OK : PLUGIN_SKIP;
}

static bool clash(const struct host_port *a, const struct host_port *b)
{
	return a->port == b->port && str_eq(a->protocol, b->protocol) &&
	       (str_eq(a->ip, b->ip) || str_is(a->ip, "0.0.0.0") || str_is(b->ip, "0.0.0.0"));
}

static bool pods_clash(const struct pod_info *a, const struct pod_info *b)
{
	for (size_t i = 0; i < a->nports; i++) {
		for (size_t j = 0; j < b->nports; j++) {
			if (clash(&a->ports[i], &b->ports[j])) {
				return true;
			}
		}
	}
	return false;
}

static bool filter(const struct cycle *c, const void *state UNUSED, uint32_t slot,
		   struct rejection *ret)
{
	const struct node_info *n = &c->cache->nodes.p[slot];

	for (size_t i = 0; n->nports && i < n->pods.n; i++) {
		if (pods_clash(c->pod, n->pods.p[i])) {
			reject(ret,
			       STR("node(s) didn't have free ports for the requested pod ports"));
			return false;
		}
	}
	return true;
}

extern const struct plugin plugin_node_ports;
const struct plugin plugin_node_ports = {
	.name = "NodePorts",
	.events = EVENT_NODE_ADD | EVENT_POD_DELETE,
	.pre_filter = pre_filter,
	.filter = filter,
};
