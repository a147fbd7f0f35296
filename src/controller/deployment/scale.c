/* SPDX-License-Identifier: Apache-2.0 */
/* Scaling while several ReplicaSets have pods: each gets its share, so that a rollout goes on from where it was. */
#include "base/sort.h"
#include "controller/deployment/rollout.h"
#include "controller/label_map.h"

static bool annotation_number(const struct apps_replica_set *rs, struct str key, int32_t *ret)
{
	int64_t n;

	if (str_to_int64(label_map_get(&rs->metadata.annotations, key), &n) < 0 || n < 0 ||
	    n > INT32_MAX) {
		return false;
	}
	*ret = (int32_t)n;
	return true;
}

bool scale_is_needed(const struct rollout *ro)
{
	for (size_t i = 0; i < ro->n; i++) {
		int32_t desired;

		if (ro->sets[i].size > 0 &&
		    annotation_number(ro->sets[i].rs, STR(DEPLOYMENT_DESIRED), &desired) &&
		    desired != ro->replicas) {
			return true;
		}
	}
	return false;
}

/* The one set that has pods, or the newest if none has; NULL if several have. */
static struct rollout_set *active_or_latest(struct rollout *ro)
{
	struct rollout_set *active = NULL;

	for (size_t i = 0; i < ro->n; i++) {
		if (ro->sets[i].size > 0) {
			if (active) {
				return NULL;
			}
			active = &ro->sets[i];
		}
	}
	if (active || !ro->n) {
		return active;
	}
	return ro->new_ ? ro->new_ : &ro->sets[ro->n - 1];
}

static bool new_is_saturated(const struct rollout *ro)
{
	int32_t desired;

	return ro->new_ && ro->new_->size == ro->replicas &&
	       ro->new_->rs->status.available_replicas == ro->replicas &&
	       annotation_number(ro->new_->rs, STR(DEPLOYMENT_DESIRED), &desired) &&
	       desired == ro->replicas;
}

struct order {
	bool newer_first;
};

/* Larger ones first; of equal ones the newer when pods are added, the older when they are taken away. */
static int cmp_sets(const void *pa, const void *pb, void *ctx)
{
	const struct rollout_set *a = pa;
	const struct rollout_set *b = pb;
	const struct order *order = ctx;
	int64_t ta = a->rs->metadata.creation_timestamp.sec;
	int64_t tb = b->rs->metadata.creation_timestamp.sec;

	if (a->size != b->size) {
		return a->size > b->size ? -1 : 1;
	}
	if (ta != tb) {
		return (ta > tb) == order->newer_first ? -1 : 1;
	}
	return str_cmp(a->rs->metadata.name, b->rs->metadata.name);
}

static int32_t share_of(const struct rollout *ro, const struct rollout_set *s, int32_t to_add,
			int32_t added)
{
	int64_t max_now = (int64_t)ro->replicas + ro->max_surge;
	int32_t max_before = 0;
	int32_t left = to_add - added;
	int32_t share;

	if (!to_add || !left) {
		return 0;
	}
	if (!ro->replicas) {
		share = -s->size;
	} else {
		int64_t product = s->size * max_now;

		if (!annotation_number(s->rs, STR(DEPLOYMENT_MAX), &max_before) || !max_before) {
			max_before = ro->d->status.replicas;
		}
		if (!max_before) {
			return 0;
		}
		/* Rounded to the nearest; sizes are not negative. */
		share = (int32_t)((2 * product + max_before) / (2 * (int64_t)max_before)) - s->size;
	}
	return to_add > 0 ? MIN(share, left) : MAX(share, left);
}

static void spread(struct rollout *ro)
{
	struct rollout_set **sets =
		ARENA_ARRAY(ro->snapshot->arena, ro->n + 1, struct rollout_set *);
	struct order order;
	size_t n = 0;
	int32_t total = 0;
	int32_t to_add;
	int32_t added = 0;

	for (size_t i = 0; i < ro->n; i++) {
		if (ro->sets[i].size > 0) {
			sets[n++] = &ro->sets[i];
			total += ro->sets[i].size;
		}
	}
	to_add = (ro->replicas > 0 ? ro->replicas + ro->max_surge : 0) - total;
	order.newer_first = to_add > 0;
	sort_pointers((void **)sets, n, cmp_sets, &order);
	for (size_t i = 0; i < n; i++) {
		int32_t share = share_of(ro, sets[i], to_add, added);

		sets[i]->want = sets[i]->size + share;
		sets[i]->annotate = true;
		added += share;
	}
	if (n) {
		sets[0]->want = MAX(sets[0]->want + to_add - added, 0);
	}
}

void scale_plan(struct rollout *ro)
{
	struct rollout_set *only = active_or_latest(ro);

	if (only) {
		if (only->size != ro->replicas) {
			only->want = ro->replicas;
		}
		only->annotate = only->size != ro->replicas || only->size > 0;
		return;
	}
	if (new_is_saturated(ro)) {
		for (size_t i = 0; i < ro->n; i++) {
			if (&ro->sets[i] != ro->new_) {
				ro->sets[i].want = 0;
			}
		}
		return;
	}
	if (ro->is_rolling) {
		spread(ro);
	}
}
