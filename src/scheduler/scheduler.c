/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/scheduler.h"

#include "scheduler/scheduler_internal.h"

enum { DECISIONS_PER_TURN = 64 };

static void forget_why(struct scheduler *s, struct str key)
{
	mem_free(map_remove(&s->why, key));
}

/* "worker-2: cpu 50 free, 100 wanted": what `cox why` shows. */
static void remember_why(struct scheduler *s, struct str key, const struct decision *d)
{
	struct buf b CLEANUP_BUF = {0};

	forget_why(s, key);
	for (size_t i = 0; !d->rejected_everywhere && i < d->nevaluated; i++) {
		const struct rejection *r = &d->rejections[i];

		buf_printf(&b, "%s: ", s->cache.nodes.p[s->cache.order.p[i]].name);
		for (size_t j = 0; j < r->n; j++) {
			buf_printf(&b, "%s%.*s", j ? ", " : "", STR_ARG(r->reasons[j].text));
			if (r->reasons[j].wanted) {
				buf_printf(&b, " (%lld free, %lld wanted)",
					   (long long)r->reasons[j].free,
					   (long long)r->reasons[j].wanted);
			}
		}
		buf_printf(&b, " [%s]\n", plugins[r->plugin].plugin->name);
	}
	if (d->rejected_everywhere) {
		buf_printf(&b, "every node: %.*s [%s]\n", STR_ARG(d->rejections->reasons[0].text),
			   plugins[d->rejections->plugin].plugin->name);
	}
	if (b.n) {
		map_put(&s->why, key, buf_steal(&b));
	}
}

static void on_unschedulable(struct scheduler *s, const struct pod_info *pod,
			     const struct decision *d)
{
	struct str nominated = STR_NULL;

	s->metrics.unschedulable++;
	remember_why(s, pod->key, d);
	queue_fail(&s->queue, pod->key, d->events, env_mono_ns(s->config.env));
	if (d->nominated != NO_SLOT) {
		nominated = str_of(s->cache.nodes.p[d->nominated].name);
		s->metrics.preemptions++;
		for (size_t i = 0; i < d->nvictims; i++) {
			binding_evict(s, d->victims[i], pod->pod, nominated);
		}
	}
	binding_report_failure(s, pod->pod, STR("Unschedulable"), d->message, nominated);
}

static void decide(struct scheduler *s, struct frozen *f)
{
	struct arena arena CLEANUP_ARENA = {0};
	struct pod_info *pod = pod_info_new(&s->cache, f);
	struct decision_opts opts = {
		.informers = s->config.informers,
		.start = s->next_start,
		.percentage_of_nodes = s->config.percentage_of_nodes_to_score,
	};
	struct decision d;

	env_random(s->config.env, &opts.random, sizeof(opts.random));
	s->metrics.attempts++;
	schedule(&s->cache, pod, &opts, &arena, &d);
	s->next_start = d.next_start;
	if (d.slot == NO_SLOT) {
		on_unschedulable(s, pod, &d);
		pod_info_free(pod);
		return;
	}
	forget_why(s, pod->key);
	pod->assumed = true;
	node_cache_put_pod(&s->cache, pod, str_of(s->cache.nodes.p[d.slot].name));
	binding_start(s, pod, d.slot);
}

static void take_one(struct scheduler *s, const struct queued *q)
{
	struct informer *pods = informers_get(s->config.informers, &resource_core_pods, STR_NULL);
	struct str name = str_from(q->key, (size_t)str_find_char(q->key, '/') + 1);
	struct frozen *f = informer_get(pods, str_sub(q->key, 0, q->key.n - name.n - 1), name);

	if (!f || !intake_is_ours(s, FROZEN_AS(f, core_pods, struct core_pod))) {
		queue_remove(&s->queue, q->key);
		return;
	}
	decide(s, f);
}

static void on_timer(struct env_timer *timer)
{
	struct scheduler *s = CONTAINER_OF(timer, struct scheduler, timer);
	const struct queued *q;

	for (int i = 0; i < DECISIONS_PER_TURN && informers_have_synced(s->config.informers); i++) {
		q = queue_take(&s->queue, env_mono_ns(s->config.env));
		if (!q) {
			break;
		}
		take_one(s, q);
	}
	scheduler_wake(s);
}

void scheduler_wake(struct scheduler *s)
{
	int64_t next = queue_next_ns(&s->queue);
	int64_t now = env_mono_ns(s->config.env);

	if (s->freed || next == INT64_MAX || !informers_have_synced(s->config.informers)) {
		return;
	}
	next = MAX(next, now);
	if (!s->timer.at_mono_ns || s->timer.at_mono_ns > next) {
		env_timer_start(s->config.env, &s->timer, next);
	}
}

struct scheduler *scheduler_new(const struct scheduler_config *config)
{
	struct scheduler *s = NEW(struct scheduler);

	s->config = *config;
	if (!s->config.name) {
		s->config.name = "default-scheduler";
	}
	s->timer.fn = on_timer;
	node_cache_init(&s->cache);
	queue_init(&s->queue);
	map_init(&s->why, 0);
	list_init(&s->bindings);
	s->events = event_recorder_new(config->client, str_of(s->config.name), STR_NULL);
	intake_start(s);
	return s;
}

void scheduler_drop(struct scheduler *s)
{
	if (s->freed && !s->calls) {
		mem_free(s);
	}
}

void scheduler_free(struct scheduler *s)
{
	struct str key;
	void *text;

	if (!s) {
		return;
	}
	s->freed = true;
	env_timer_stop(s->config.env, &s->timer);
	binding_free_all(s);
	event_recorder_free(s->events);
	for (size_t i = 0; map_next(&s->why, &i, &key, &text);) {
		mem_free(text);
	}
	map_fini(&s->why);
	queue_fini(&s->queue);
	node_cache_fini(&s->cache);
	scheduler_drop(s);
}

void scheduler_get_metrics(const struct scheduler *s, struct scheduler_metrics *ret)
{
	*ret = s->metrics;
	ret->active = s->queue.active.items.n;
	ret->backoff = s->queue.backoff.items.n;
	ret->waiting = s->queue.nunschedulable;
}

struct str scheduler_why(const struct scheduler *s, struct str ns, struct str name)
{
	struct arena a CLEANUP_ARENA = {0};

	return str_of(map_find(&s->why, arena_printf(&a, "%.*s/%.*s", STR_ARG(ns), STR_ARG(name))));
}
