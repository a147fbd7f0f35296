/* SPDX-License-Identifier: Apache-2.0 */
/* scheduler/cycle.h: one decision: (cache, pod, start, random) -> node, or why not, and whom to evict. Pure but for the cache, in which
 * preemption tries things out and puts them back.
 *     message  "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had untolerated taint(s). preemption: 0/3 nodes ..." */
#pragma once
#include "scheduler/framework.h"

struct decision_opts {
	struct informers *informers; /* may be NULL: nothing but nodes and pods exists */
	size_t start;	 /* where in the order of nodes to begin: the last decision's next_start */
	uint64_t random; /* breaks ties */
	int percentage_of_nodes; /* to score; 0: adaptive, as upstream */
};

struct decision {
	uint32_t slot; /* NO_SLOT: nowhere */
	size_t nfeasible, nevaluated, next_start;
	/* When it fits nowhere: */
	struct str message;
	unsigned events;	      /* set of EVENT_*: what may change that */
	struct rejection *rejections; /* by position in cache->order, nevaluated of them */
	bool rejected_everywhere;     /* rejections[0], by a PreFilter, is about all nodes */
	uint32_t nominated;	      /* preemption makes room here; NO_SLOT: it cannot */
	struct pod_info **victims;
	size_t nvictims;
};

/* Everything in *ret lives in the arena. */
void schedule(struct node_cache *cache, const struct pod_info *pod,
	      const struct decision_opts *opts, struct arena *arena, struct decision *ret);

/* Upstream's adaptive sampling: all up to 100 nodes, then (50 - n/125)% but at least 5% and 100 nodes. */
size_t nodes_to_find(size_t nodes, int percentage);
/* For DefaultPreemption (scheduler/preemption.c). */
bool cycle_passes(struct cycle *c, const bool *skip, uint32_t slot, struct rejection *ret);
enum plugin_answer cycle_prepare(struct cycle *c, bool *skip, struct rejection *ret);
/* Fills nominated and victims; returns what is said behind "preemption: ", in the arena. */
struct str preempt(struct cycle *c, struct decision *d, uint64_t random);
struct str rejections_text(struct arena *a, const struct node_cache *cache,
			   const struct rejection *rejections, size_t n);
