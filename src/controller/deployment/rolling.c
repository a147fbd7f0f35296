/* SPDX-License-Identifier: Apache-2.0 */
/* The arithmetic of rolling and recreating: pure.
 * Example, 10 replicas, surge 3, unavailable 2, old set with 8 of 8 ready, new set with 5 of 5 not ready: 13 pods - 8 that must be available -
 * 5 that are not = 0 may go. */
#include "controller/deployment/rollout.h"
#include "controller/owned.h"
#include "rules/pod.h"

/* The number, or the percentage of total. */
static int32_t resolve(const struct int_or_string *v, int32_t total, bool up, int32_t unset)
{
	int64_t percent;
	int64_t product;

	if (!v) {
		return unset;
	}
	if (v->kind == IOS_INT) {
		return v->num;
	}
	if (!str_has_suffix(v->str, STR("%")) ||
	    str_to_int64(str_sub(v->str, 0, v->str.n - 1), &percent) < 0 || percent < 0 ||
	    percent > INT32_MAX) {
		return 0; /* validation lets none through */
	}
	product = percent * total;
	return (int32_t)MIN(product / 100 + (up && product % 100 != 0), (int64_t)INT32_MAX);
}

void rolling_resolve(const struct apps_deployment *d, int32_t replicas, int32_t *ret_surge,
		     int32_t *ret_unavailable)
{
	const struct apps_rolling_update_deployment *r = d->spec.strategy.rolling_update;

	*ret_surge = resolve(r ? r->max_surge : NULL, replicas, true, 0);
	*ret_unavailable = resolve(r ? r->max_unavailable : NULL, replicas, false, 0);
	if (*ret_surge == 0 && *ret_unavailable == 0) {
		*ret_unavailable = 1;
	}
	*ret_unavailable = MIN(*ret_unavailable, replicas);
	*ret_surge = MIN(*ret_surge, INT32_MAX - replicas); /* so that sums stay in range */
}

int32_t rollout_total(const struct rollout *ro)
{
	int32_t sum = 0;

	for (size_t i = 0; i < ro->n; i++) {
		sum += ro->sets[i].want;
	}
	return sum;
}

int32_t rollout_pods(const struct rollout *ro)
{
	int32_t sum = 0;

	for (size_t i = 0; i < ro->n; i++) {
		sum += MAX(ro->sets[i].want, ro->sets[i].rs->status.replicas);
	}
	return sum;
}

/* Until a set's controller has seen its newest size, it may still be making pods for the one before. */
static bool all_have_seen_their_size(const struct rollout *ro)
{
	for (size_t i = 0; i < ro->n; i++) {
		if (ro->sets[i].rs->status.observed_generation <
		    ro->sets[i].rs->metadata.generation) {
			return false;
		}
	}
	return true;
}

int32_t rolling_new_size(const struct rollout *ro, const struct rollout_set *new_)
{
	int32_t size = new_ ? new_->want : 0;
	int32_t room = ro->replicas + ro->max_surge - rollout_pods(ro);

	if (!ro->is_rolling) {
		return ro->replicas;
	}
	if (room <= 0 || !all_have_seen_their_size(ro)) {
		return size;
	}
	return size + MIN(room, ro->replicas - size);
}

static bool grow_new(struct rollout *ro)
{
	struct rollout_set *s = ro->new_;

	if (s->size == ro->replicas) {
		return false;
	}
	s->want = s->size > ro->replicas ? ro->replicas : rolling_new_size(ro, s);
	return s->want != s->size;
}

/* An overcount would cost availability: a set that shrinks has no more than it is to keep. */
static int32_t available_of(const struct rollout_set *s)
{
	return MIN(s->rs->status.available_replicas, s->size);
}

static bool is_old(const struct rollout *ro, const struct rollout_set *s)
{
	return s != ro->new_;
}

/* Pods of old sets that are not available serve nobody: they go first. */
static int32_t drop_unhealthy(struct rollout *ro, int32_t may_go)
{
	int32_t gone = 0;

	for (size_t i = 0; i < ro->n && gone < may_go; i++) {
		struct rollout_set *s = &ro->sets[i];
		int32_t n = MIN(may_go - gone, s->want - available_of(s));

		if (is_old(ro, s) && n > 0) {
			s->want -= n;
			gone += n;
		}
	}
	return gone;
}

static int32_t drop_available(struct rollout *ro, int32_t min_available)
{
	int32_t may_go = -min_available;
	int32_t gone = 0;

	for (size_t i = 0; i < ro->n; i++) {
		may_go += available_of(&ro->sets[i]);
	}
	for (size_t i = 0; i < ro->n && gone < may_go; i++) {
		struct rollout_set *s = &ro->sets[i];
		int32_t n = MIN(may_go - gone, s->want);

		if (is_old(ro, s) && n > 0) {
			s->want -= n;
			gone += n;
		}
	}
	return gone;
}

static bool shrink_old(struct rollout *ro)
{
	int32_t min_available = ro->replicas - ro->max_unavailable;
	int32_t new_unavailable = ro->new_->size - ro->new_->rs->status.available_replicas;
	int32_t may_go = rollout_total(ro) - min_available - new_unavailable;
	int32_t gone;

	if (rollout_total(ro) == ro->new_->want || may_go <= 0) {
		return false;
	}
	gone = drop_unhealthy(ro, may_go);
	gone += drop_available(ro, min_available);
	return gone > 0;
}

bool rolling_plan(struct rollout *ro)
{
	return grow_new(ro) || shrink_old(ro);
}

/* ---- Recreate ---- */

static bool is_running(void *ctx, struct frozen *object)
{
	bool *running = ctx;

	*running = !pod_is_terminal(FROZEN_AS(object, core_pods, struct core_pod));
	return !*running;
}

static bool old_pods_run(const struct rollout *ro)
{
	struct informer *pods = snapshot_informer(ro->snapshot, &resource_core_pods);
	bool running = false;

	for (size_t i = 0; i < ro->n && !running; i++) {
		if (is_old(ro, &ro->sets[i])) {
			informer_each_indexed(pods, &index_by_controller,
					      ro->sets[i].rs->metadata.uid, is_running, &running);
		}
	}
	return running;
}

bool recreate_waits(struct rollout *ro)
{
	bool shrinks = false;

	for (size_t i = 0; i < ro->n; i++) {
		if (is_old(ro, &ro->sets[i]) && ro->sets[i].size > 0) {
			ro->sets[i].want = 0;
			shrinks = true;
		}
	}
	return shrinks || old_pods_run(ro);
}
