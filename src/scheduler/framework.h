/* SPDX-License-Identifier: Apache-2.0 */
/* scheduler/framework.h: what a plugin is, and what one decision works on. Pure: a plugin reads the cycle and answers; the clock,
 * the network and the API are the outer loop's (scheduler/scheduler.c).
 *
 *     PreFilter  once per pod: prepares, may reject the pod everywhere, or step aside (PLUGIN_SKIP)
 *     Filter     per node: may the pod go there? The first plugin that says no ends it for that node
 *     PostFilter when no node is left: preemption
 *     PreScore, Score, Normalize   per node that passed: 0..100, times the weight in plugins.def
 * Names, order, weights and wordings are upstream's. */
#pragma once
#include "base/arena.h"
#include "client/informer.h"
#include "scheduler/node_cache.h"

enum { SCORE_MAX = 100, REASONS_MAX = 4 };

enum plugin_answer { PLUGIN_OK, PLUGIN_SKIP, PLUGIN_REJECT };

/* wanted and free are set for amounts (with the resource's name in the text), for `cox why`. */
struct reason {
	struct str text;
	int64_t wanted, free;
};

/* Why one node (or, from PreFilter, every node) does not take the pod. */
struct rejection {
	struct reason reasons[REASONS_MAX];
	uint8_t n;
	uint8_t plugin;	   /* index into plugins[] */
	bool unresolvable; /* taking pods away from the node would not help */
};

void reject(struct rejection *ret, struct str text);
void reject_for_good(struct rejection *ret, struct str text);
void reject_amount(struct rejection *ret, struct str text, int64_t wanted, int64_t free);

/* What may make a rejected pod fit: each plugin names the changes that it waits for. */
enum cluster_event {
	EVENT_NODE_ADD = 1,
	EVENT_NODE_ALLOCATABLE = 2,
	EVENT_NODE_LABEL = 4,
	EVENT_NODE_TAINT = 8, /* spec.unschedulable too */
	EVENT_POD_ADD = 16,   /* one that stands on a node */
	EVENT_POD_LABEL = 32,
	EVENT_POD_DELETE = 64,
	EVENT_STORAGE = 128, /* claims, volumes, classes */
	EVENT_NODE_ANY =
		EVENT_NODE_ADD | EVENT_NODE_ALLOCATABLE | EVENT_NODE_LABEL | EVENT_NODE_TAINT,
};

struct cycle {
	struct node_cache *cache;
	struct informers *
		informers; /* namespaces, services, claims, ...; NULL: none of them exist (benches) */
	const struct pod_info *pod;
	struct arena *arena;
	void *state[32]; /* by plugin; what its PreFilter made */
	void *score_state[32];
	/* The nodes to score, for PreScore. */
	const uint32_t *feasible;
	size_t nfeasible;
};

struct plugin {
	const char *name;
	unsigned events;
	/* NULL where a plugin has no part. state: the plugin's slot in the cycle, to fill. */
	enum plugin_answer (*pre_filter)(struct cycle *c, void **state, struct rejection *ret);
	bool (*filter)(const struct cycle *c, const void *state, uint32_t slot,
		       struct rejection *ret);
	enum plugin_answer (*pre_score)(struct cycle *c, void **state);
	int64_t (*score)(const struct cycle *c, const void *state, uint32_t slot);
	/* Brings scores to 0..SCORE_MAX; NULL: they are already. */
	void (*normalize)(const struct cycle *c, const void *state, int64_t *scores);
	/* The filter looks at other nodes than its own: preemption has to prepare it again. */
	bool looks_around;
};

struct plugin_use {
	const struct plugin *plugin;
	int weight;
};

extern const struct plugin_use plugins[];
extern const size_t nplugins;

/* Largest becomes 100, the others in proportion; reverse: 100 - that. All zero: all 0, reverse all 100. */
void normalize_scores(int64_t *scores, size_t n, bool reverse);

/* A frozen object of an informer, or NULL. */
struct frozen *cycle_get(const struct cycle *c, const struct resource_desc *resource, struct str ns,
			 struct str name);

/* Counts by text, in an arena. Zeroed is empty. Keys are borrowed. */
struct tally_entry {
	struct str key;
	int64_t n;
};
struct tally {
	struct tally_entry *slots;
	size_t cap, n;
};
/* Made with 0 if it is not there; valid until the next call. */
int64_t *tally_at(struct tally *t, struct arena *a, struct str key);
/* NULL: not there. */
const int64_t *tally_find(const struct tally *t, struct str key);
