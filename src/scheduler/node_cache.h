/* SPDX-License-Identifier: Apache-2.0 */
/* scheduler/node_cache.h: what the scheduler knows of nodes and of the pods that stand, or are assumed to stand, on them. Amounts lie
 * in columns, one array per resource over all nodes, so that the fit of one pod reads a few arrays from front to end:
 *     columns[COLUMN_CPU].free... allocatable[slot], requested[slot]      cpu in thousandths, everything else in units
 * A slot is a node's number for as long as the cache lives; `order` lists the slots whose node exists. A slot without a node holds pods
 * whose node is not known (yet). Loop thread only; nothing here calls out. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/map.h"
#include "base/vec.h"
#include "client/frozen.h"

enum { COLUMN_CPU, COLUMN_MEMORY, COLUMN_EPHEMERAL, COLUMN_PODS, COLUMNS_FIXED };
enum { NO_SLOT = UINT32_MAX };

struct demand {
	uint32_t column;
	int64_t amount;
};

struct host_port {
	struct str ip, protocol;
	int32_t port;
};

/* A pod and what the plugins ask of it again and again. Its strings are those of the frozen object. */
struct pod_info {
	struct frozen *object;
	const struct core_pod *pod;
	struct arena arena;
	struct str key;		/* "ns/name" */
	struct demand *demands; /* amounts above zero, without COLUMN_PODS */
	size_t ndemands;
	/* For scores: a pod that asks for nothing counts as 100m and 200 MiB per container, as upstream. */
	int64_t nonzero_cpu_milli, nonzero_memory_bytes;
	struct host_port *ports;
	size_t nports;
	int32_t priority;
	bool has_affinity;	/* any inter-pod affinity or anti-affinity */
	bool has_required_anti; /* anti-affinity that keeps others away */
	bool has_claims;
	uint32_t slot; /* where it is counted; NO_SLOT: nowhere */
	bool assumed;  /* by us; the API does not say so yet */
};

struct column {
	struct str name; /* owned */
	int64_t *allocatable, *requested;
};

struct node_info {
	char *name;
	struct frozen *object; /* NULL: not known */
	const struct core_node *node;
	VEC(struct pod_info *) pods;
	int64_t nonzero_cpu_milli, nonzero_memory_bytes;
	uint32_t nports, naffinity,
		nanti; /* pods with host ports, with affinity, with required anti-affinity */
	bool cordoned, has_hard_taints, has_soft_taints;
};

struct node_cache {
	VEC(struct node_info) nodes; /* by slot */
	VEC(uint32_t) order;
	VEC(struct column) columns;
	size_t cap;	  /* of every column */
	struct map slots; /* name -> slot + 1 */
	struct map pods;  /* key -> struct pod_info * */
	struct map column_ids;
	uint32_t nanti_nodes, naffinity_nodes;
	struct map images; /* name -> number of nodes that have it */
};

void node_cache_init(struct node_cache *c);
void node_cache_fini(struct node_cache *c);

/* Takes a reference; computed once per version of the pod. */
struct pod_info *pod_info_new(struct node_cache *c, struct frozen *object);
void pod_info_free(struct pod_info *p);

void node_cache_set_node(struct node_cache *c, struct frozen *object);
void node_cache_remove_node(struct node_cache *c, struct str name);
/* NO_SLOT if there is no such node. */
uint32_t node_cache_find(const struct node_cache *c, struct str name);
static inline const struct core_node *node_at(const struct node_cache *c, uint32_t slot)
{
	return c->nodes.p[slot].node;
}

/* The pod is on that node: counts it there, in place of what was known under its name. The cache owns it afterwards. */
void node_cache_put_pod(struct node_cache *c, struct pod_info *pod, struct str node_name);
void node_cache_remove_pod(struct node_cache *c, struct str key);
struct pod_info *node_cache_find_pod(const struct node_cache *c, struct str key);
/* Takes a pod out of the sums and puts it back, for trying what preemption would bring. Same slot; the cache keeps owning it. */
void node_cache_lift(struct node_cache *c, struct pod_info *pod);
void node_cache_drop(struct node_cache *c, struct pod_info *pod, uint32_t slot);
