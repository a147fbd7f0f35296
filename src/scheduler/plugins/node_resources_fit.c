/* SPDX-License-Identifier: Apache-2.0 */
/* NodeResourcesFit: what the pod asks for is free; more points where more stays free (LeastAllocated, cpu and memory). */
#include "scheduler/framework.h"

static bool filter(const struct cycle *c, const void *state UNUSED, uint32_t slot,
		   struct rejection *ret)
{
	const struct column *columns = c->cache->columns.p;
	const struct column *pods = &columns[COLUMN_PODS];

	if (pods->requested[slot] + 1 > pods->allocatable[slot]) {
		reject_amount(ret, STR("Too many pods"), 1,
			      pods->allocatable[slot] - pods->requested[slot]);
	}
	for (size_t i = 0; i < c->pod->ndemands; i++) {
		const struct demand *d = &c->pod->demands[i];
		const struct column *col = &columns[d->column];
		int64_t free = col->allocatable[slot] - col->requested[slot];

		if (d->amount > free) {
			reject_amount(
				ret,
				arena_printf(c->arena, "Insufficient %.*s", STR_ARG(col->name)),
				d->amount, free);
			ret->unresolvable |= d->amount > col->allocatable[slot];
		}
	}
	return ret->n == 0;
}

static int64_t least_allocated(int64_t asked, int64_t there)
{
	if (there <= 0 || asked > there) {
		return 0;
	}
	if (there > INT64_MAX / SCORE_MAX) { /* rare; the wide division is slow */
		return (int64_t)((__int128)(there - asked) * SCORE_MAX / there);
	}
	return (there - asked) * SCORE_MAX / there;
}

static int64_t score(const struct cycle *c, const void *state UNUSED, uint32_t slot)
{
	const struct node_info *n = &c->cache->nodes.p[slot];
	const struct column *columns = c->cache->columns.p;
	int64_t cpu = columns[COLUMN_CPU].allocatable[slot];
	int64_t memory = columns[COLUMN_MEMORY].allocatable[slot];
	int64_t kinds =
		(cpu > 0) + (memory > 0); /* a node without the resource does not count it */

	return kinds ? (least_allocated(n->nonzero_cpu_milli + c->pod->nonzero_cpu_milli, cpu) +
			least_allocated(n->nonzero_memory_bytes + c->pod->nonzero_memory_bytes,
					memory)) /
			       kinds
		     : 0;
}

extern const struct plugin plugin_node_resources_fit;
const struct plugin plugin_node_resources_fit = {
	.name = "NodeResourcesFit",
	.events = EVENT_NODE_ADD | EVENT_NODE_ALLOCATABLE | EVENT_POD_DELETE,
	.filter = filter,
	.score = score,
};
