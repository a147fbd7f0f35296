/* SPDX-License-Identifier: Apache-2.0 */
/* DefaultPreemption: when a pod fits nowhere, find the node where it would fit without some pods of lower priority: those whose loss hurts
 * least. Compared in this order: lowest highest priority among the victims, smallest sum of priorities, fewest victims. */
#include "base/sort.h"
#include "scheduler/cycle.h"

struct candidate {
	uint32_t slot;
	struct pod_info **victims;
	size_t n;
	int64_t highest, sum;
};

static bool passes(struct cycle *c, uint32_t slot)
{
	bool skip[32];
	struct rejection why = {0};

	return cycle_prepare(c, skip, &why) != PLUGIN_REJECT && cycle_passes(c, skip, slot, &why);
}

/* Most important first: higher priority, then older. */
static int by_importance(const void *a, const void *b, void *ctx UNUSED)
{
	const struct pod_info *x = a;
	const struct pod_info *y = b;

	if (x->priority != y->priority) {
		return x->priority > y->priority ? -1 : 1;
	}
	return (x->pod->metadata.creation_timestamp.sec > y->pod->metadata.creation_timestamp.sec) -
	       (x->pod->metadata.creation_timestamp.sec < y->pod->metadata.creation_timestamp.sec);
}

/* Takes all lower pods away; if that helps, puts back as many as possible. The cache is as before afterwards. */
static bool try_node(struct cycle *c, uint32_t slot, struct candidate *ret)
{
	struct node_info *node = &c->cache->nodes.p[slot];
	struct pod_info **lower = ARENA_ARRAY(c->arena, node->pods.n, struct pod_info *);
	size_t n = 0;
	bool helps;

	*ret = (struct candidate){.slot = slot,
				  .victims = ARENA_ARRAY(c->arena, node->pods.n, struct pod_info *),
				  .highest = INT64_MIN};
	for (size_t i = 0; i < node->pods.n; i++) {
		if (node->pods.p[i]->priority < c->pod->priority) {
			lower[n++] = node->pods.p[i];
		}
	}
	for (size_t i = 0; i < n; i++) {
		node_cache_lift(c->cache, lower[i]);
	}
	sort_pointers((void **)lower, n, by_importance, NULL);
	helps = n > 0 && passes(c, slot);
	for (size_t i = 0; i < n; i++) {
		node_cache_drop(c->cache, lower[i], slot);
		if (helps && !passes(c, slot)) {
			node_cache_lift(c->cache, lower[i]);
			ret->victims[ret->n++] = lower[i];
			ret->highest = MAX(ret->highest, (int64_t)lower[i]->priority);
			ret->sum += (int64_t)lower[i]->priority + INT32_MAX + 1;
		}
	}
	for (size_t i = 0; i < ret->n; i++) {
		node_cache_drop(c->cache, ret->victims[i], slot);
	}
	return ret->n > 0;
}

static bool is_better(const struct candidate *a, const struct candidate *b)
{
	if (a->highest != b->highest) {
		return a->highest < b->highest;
	}
	return a->sum != b->sum ? a->sum < b->sum : a->n < b->n;
}

/* Victims of an earlier preemption that are still on their way out: wait for them. */
static bool is_waiting(const struct cycle *c)
{
	uint32_t slot = node_cache_find(c->cache, c->pod->pod->status.nominated_node_name);
	const struct node_info *n = slot == NO_SLOT ? NULL : &c->cache->nodes.p[slot];

	for (size_t i = 0; n && i < n->pods.n; i++) {
		if (n->pods.p[i]->pod->metadata.deletion_timestamp &&
		    n->pods.p[i]->priority < c->pod->priority) {
			return true;
		}
	}
	return false;
}

static struct str explain_nodes(struct cycle *c, const struct decision *d)
{
	size_t n = c->cache->order.n;
	struct rejection *why = ARENA_ARRAY(c->arena, n, struct rejection);

	for (size_t i = 0; i < n; i++) {
		if (d->rejected_everywhere || d->rejections[i].unresolvable) {
			reject(&why[i], STR("Preemption is not helpful for scheduling"));
		} else {
			reject(&why[i], STR("No preemption victims found for incoming pod"));
		}
	}
	return rejections_text(c->arena, c->cache, why, n);
}

struct str preempt(struct cycle *c, struct decision *d, uint64_t random)
{
	const struct str *policy = c->pod->pod->spec.preemption_policy;
	size_t n = c->cache->order.n;
	size_t enough =
		MIN(MAX(n / 10, (size_t)100), n); /* upstream's: 10% of the nodes, at least 100 */
	size_t found = 0;
	struct candidate best = {.slot = NO_SLOT};

	if (policy && str_is(*policy, "Never")) {
		return STR("not eligible due to preemptionPolicy=Never.");
	}
	if (is_waiting(c)) {
		return STR("not eligible due to a terminating pod on the nominated node.");
	}
	for (size_t i = 0; i < n && found < enough && !d->rejected_everywhere; i++) {
		size_t at = (size_t)((random + i) % n);
		struct candidate one;

		if (!d->rejections[at].unresolvable && try_node(c, c->cache->order.p[at], &one)) {
			best = !found || is_better(&one, &best) ? one : best;
			found++;
		}
	}
	if (!found) {
		return explain_nodes(c, d);
	}
	d->nominated = best.slot;
	d->victims = best.victims;
	d->nvictims = best.n;
	return STR_NULL;
}
