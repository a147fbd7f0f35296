/* SPDX-License-Identifier: Apache-2.0 */
/* NodeResourcesBalancedAllocation: more points where cpu and memory would be used to the same degree. */
#include "scheduler/framework.h"

/* A pod that asks for nothing changes no balance. */
static enum plugin_answer pre_score(struct cycle *c, void **state UNUSED)
{
	for (size_t i = 0; i < c->pod->ndemands; i++) {
		if (c->pod->demands[i].column <= COLUMN_MEMORY) {
			return PLUGIN_OK;
		}
	}
	return PLUGIN_SKIP;
}

static int64_t demand_of(const struct pod_info *pod, uint32_t column)
{
	for (size_t i = 0; i < pod->ndemands; i++) {
		if (pod->demands[i].column == column) {
			return pod->demands[i].amount;
		}
	}
	return 0;
}

static double used_share(const struct cycle *c, uint32_t column, uint32_t slot)
{
	const struct column *col = &c->cache->columns.p[column];
	double share = (double)(col->requested[slot] + demand_of(c->pod, column)) /
		       (double)col->allocatable[slot];

	return share > 1 ? 1 : share;
}

static int64_t score(const struct cycle *c, const void *state UNUSED, uint32_t slot)
{
	const struct column *columns = c->cache->columns.p;
	double apart;

	if (columns[COLUMN_CPU].allocatable[slot] <= 0 ||
	    columns[COLUMN_MEMORY].allocatable[slot] <= 0) {
		return SCORE_MAX; /* one resource alone is balanced */
	}
	/* The standard deviation of two numbers is half their difference. */
	apart = used_share(c, COLUMN_CPU, slot) - used_share(c, COLUMN_MEMORY, slot);
	return (int64_t)((1 - (apart < 0 ? -apart : apart) / 2) * SCORE_MAX);
}

extern const struct plugin plugin_node_resources_balanced_allocation;
const struct plugin plugin_node_resources_balanced_allocation = {
	.name = "NodeResourcesBalancedAllocation",
	.pre_score = pre_score,
	.score = score,
};
