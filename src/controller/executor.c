/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/executor.h"

#include "base/list.h"
#include "client/event_recorder.h"
#include "controller/executor_internal.h"

static void runner_pump(struct runner *r);

/* ---- events about what to do ---- */

struct enqueue_ctx {
	struct runner *runner;
};

static void enqueue(void *ctx, struct str key)
{
	struct enqueue_ctx *e = ctx;

	work_queue_add(e->runner->queue, key);
}

static void post_wake(struct executor *ex)
{
	if (!ex->wake_posted && !ex->closed) {
		ex->wake_posted = true;
		ex->pending++;
		env_post(ex->config.env, &ex->wake);
	}
}

static void on_ready(void *ctx)
{
	struct runner *r = ctx;

	post_wake(r->ex);
}

static void on_changed(void *ctx, struct frozen *old, struct frozen *new_)
{
	struct source *s = ctx;

	for (size_t i = 0; i < s->targets.n; i++) {
		struct enqueue_ctx e = {s->targets.p[i].runner};

		s->targets.p[i].watch->keys(s->ex->config.informers, old, new_, enqueue, &e);
	}
	post_wake(s->ex); /* somebody may have waited for this */
}

static void on_progress(void *ctx)
{
	struct source *s = ctx;

	post_wake(s->ex);
}

static void start_when_synced(struct executor *ex)
{
	if (ex->started || !informers_have_synced(ex->config.informers)) {
		return;
	}
	ex->started = true;
	for (size_t i = 0; i < ex->runners.n; i++) {
		struct runner *r = ex->runners.p[i];
		struct enqueue_ctx e = {r};

		if (r->desc->start) {
			r->desc->start(ex->config.informers, enqueue, &e);
		}
	}
}

static void on_wake(struct env_task *task)
{
	struct executor *ex = CONTAINER_OF(task, struct executor, wake);

	ex->wake_posted = false;
	ex->pending--;
	if (ex->closed) {
		executor_drop_if_done(ex);
		return;
	}
	start_when_synced(ex);
	for (size_t i = 0; ex->started && i < ex->runners.n; i++) {
		LIST_FOR_EACH_SAFE(l, &ex->runners.p[i]->passes)
		{
			pass_settle(CONTAINER_OF(l, struct pass, link));
		}
		runner_pump(ex->runners.p[i]);
	}
}

/* ---- passes ---- */

static void histogram_add(struct duration_histogram *h, int64_t ns)
{
	int64_t bound = 10; /* 1e-8 s */
	size_t i = 0;

	while (i < EXECUTOR_BUCKETS && ns > bound) {
		bound *= 10;
		i++;
	}
	h->buckets[i]++;
	h->count++;
	h->sum_ns += ns;
}

static uint64_t pass_random(void *ctx)
{
	struct executor *ex = ctx;
	uint64_t r;

	env_random(ex->config.env, &r, sizeof(r));
	return r;
}

static void send_events(struct runner *r, struct actions *a)
{
	for (size_t i = 0; i < a->events.n; i++) {
		struct plain_event *e = &a->events.p[i];

		event_recorder_record(r->recorder, &e->about, e->type, e->reason, e->message);
	}
}

static void pass_start(struct runner *r, struct str key)
{
	struct executor *ex = r->ex;
	struct failure_note *note = map_find(&r->failures, key);
	struct pass *p = NEW(struct pass);
	struct arena scratch CLEANUP_ARENA = {0};
	struct snapshot snapshot = {
		.informers = ex->config.informers,
		.now_ns = env_wall_ns(ex->config.env),
		.mono_ns = env_mono_ns(ex->config.env),
		.arena = &scratch,
		.memory = r->memory,
		.options = ex->config.options,
		.failed = note ? &note->failure : NULL,
		.random = pass_random,
		.random_ctx = ex,
	};

	p->runner = r;
	p->key = key;
	p->started_ns = snapshot.mono_ns;
	actions_init(&p->actions);
	list_add_tail(&r->passes, &p->link);
	r->active++;
	r->desc->reconcile(&snapshot, key, &p->actions);
	r->metrics.passes++;
	send_events(r, &p->actions);
	pass_go_on(p);
}

/* A pass frees itself when the informers show what it wrote. */
void pass_end(struct pass *p)
{
	struct runner *r = p->runner;
	struct work_queue *q = r->queue;

	env_timer_stop(r->ex->config.env, &p->timer);
	list_remove(&p->link);
	r->active--;
	histogram_add(&r->metrics.worked, env_mono_ns(r->ex->config.env) - p->started_ns);
	if (p->failed) {
		r->metrics.failures++;
		work_queue_add_rate_limited(q, p->key);
	} else {
		failure_forget(r, p->key);
		work_queue_forget(q, p->key);
	}
	if (p->actions.requeue_after_ns >= 0) {
		work_queue_add_after(q, p->key, p->actions.requeue_after_ns);
	}
	work_queue_done(q, p->key);
	actions_fini(&p->actions);
	vec_fini(&p->fences);
	mem_free(p);
	post_wake(r->ex);
}

static void runner_pump(struct runner *r)
{
	struct str key;
	int64_t waited;

	while (r->active < (size_t)r->desc->workers && work_queue_take(r->queue, &key, &waited)) {
		histogram_add(&r->metrics.queued, waited);
		pass_start(r, key);
	}
}

/* ---- life ---- */

static struct identity *identity_get(struct executor *ex, const char *service_account)
{
	struct identity *id;

	for (size_t i = 0; i < ex->identities.n; i++) {
		if (str_eq(str_of(ex->identities.p[i]->service_account), str_of(service_account))) {
			return ex->identities.p[i];
		}
	}
	id = NEW(struct identity);
	id->service_account = service_account;
	id->client = ex->config.client_for(ex->config.client_ctx, service_account);
	id->recorder = event_recorder_new(id->client, str_of(service_account), STR_NULL);
	*vec_push(&ex->identities) = id;
	return id;
}

static struct source *source_get(struct executor *ex, const struct resource_desc *resource)
{
	struct informer_handler handler = {
		.changed = on_changed, .synced = on_progress, .advanced = on_progress};
	struct source *s;

	for (size_t i = 0; i < ex->sources.n; i++) {
		if (ex->sources.p[i]->resource == resource) {
			return ex->sources.p[i];
		}
	}
	s = NEW(struct source);
	s->ex = ex;
	s->resource = resource;
	s->informer = informers_get(ex->config.informers, resource, STR_NULL);
	*vec_push(&ex->sources) = s;
	handler.ctx = s;
	informer_add_handler(s->informer, &handler);
	return s;
}

static void add_target(struct runner *r, const struct controller_watch *watch,
		       const struct resource_desc *resource)
{
	struct source *s = source_get(r->ex, resource);

	*vec_push(&s->targets) = (struct target){r, watch};
	for (size_t i = 0; watch->indexes && watch->indexes[i]; i++) {
		informer_add_index(s->informer, watch->indexes[i]);
	}
}

static void add_watch(struct runner *r, const struct controller_watch *watch)
{
	if (watch->resource) {
		add_target(r, watch, watch->resource);
		return;
	}
	for (size_t i = 0; i < all_resources_n; i++) {
		const struct resource_desc *resource = all_resources[i];
		bool can_follow = (resource->verbs & VERB_LIST) && (resource->verbs & VERB_WATCH);

		/* Another name for objects that are seen already would only show them twice. */
		if (can_follow && !resource->storage && watch->wants(resource)) {
			add_target(r, watch, resource);
		}
	}
}

static void runner_new(struct executor *ex, const struct controller_desc *desc)
{
	struct runner *r = NEW(struct runner);
	struct identity *id = identity_get(ex, desc->service_account);

	r->ex = ex;
	r->desc = desc;
	r->client = id->client;
	r->recorder = id->recorder;
	r->queue = work_queue_new(ex->config.env, on_ready, r);
	r->memory = desc->memory_new ? desc->memory_new() : NULL;
	map_init(&r->failures, 0);
	list_init(&r->passes);
	r->metrics.name = desc->name;
	*vec_push(&ex->runners) = r;
	for (size_t i = 0; i < desc->nwatches; i++) {
		add_watch(r, &desc->watches[i]);
	}
}

struct executor *executor_new(const struct executor_config *config)
{
	struct executor *ex = NEW(struct executor);

	ex->config = *config;
	if (!ex->config.controllers) {
		ex->config.controllers = all_controllers;
		ex->config.ncontrollers = all_controllers_n;
	}
	ex->wake.fn = on_wake;
	list_init(&ex->calls);
	for (size_t i = 0; i < ex->config.ncontrollers; i++) {
		runner_new(ex, ex->config.controllers[i]);
	}
	return ex;
}

static void runner_stop(struct runner *r)
{
	struct str key;
	void *value;

	LIST_FOR_EACH_SAFE(l, &r->passes)
	{
		struct pass *p = CONTAINER_OF(l, struct pass, link);

		env_timer_stop(r->ex->config.env, &p->timer);
		actions_fini(&p->actions);
		vec_fini(&p->fences);
		mem_free(p);
	}
	for (size_t i = 0; map_next(&r->failures, &i, &key, &value);) {
		failure_free(value);
	}
	map_fini(&r->failures);
	work_queue_free(r->queue);
	if (r->memory) {
		r->desc->memory_free(r->memory);
	}
	mem_free(r);
}

void executor_free(struct executor *ex)
{
	if (!ex) {
		return;
	}
	ex->closed = true;
	for (size_t i = 0; i < ex->sources.n; i++) {
		informer_remove_handlers(ex->sources.p[i]->informer, ex->sources.p[i]);
		vec_fini(&ex->sources.p[i]->targets);
		mem_free(ex->sources.p[i]);
	}
	vec_fini(&ex->sources);
	calls_abandon(ex);
	for (size_t i = 0; i < ex->runners.n; i++) {
		runner_stop(ex->runners.p[i]);
	}
	vec_fini(&ex->runners);
	executor_drop_if_done(ex);
}

static bool recorders_are_idle(struct executor *ex)
{
	for (size_t i = 0; i < ex->identities.n; i++) {
		if (!event_recorder_is_idle(ex->identities.p[i]->recorder)) {
			return false;
		}
	}
	return true;
}

static void on_linger(struct env_timer *timer)
{
	executor_drop_if_done(CONTAINER_OF(timer, struct executor, linger));
}

void executor_drop_if_done(struct executor *ex)
{
	if (ex->pending) {
		return;
	}
	if (!recorders_are_idle(ex)) {
		/* Recorders do not tell when their last event is through. */
		ex->linger.fn = on_linger;
		env_timer_start_in(ex->config.env, &ex->linger, 100 * NS_PER_MS);
		return;
	}
	env_timer_stop(ex->config.env, &ex->linger);
	for (size_t i = 0; i < ex->identities.n; i++) {
		event_recorder_free(ex->identities.p[i]->recorder);
		client_free(ex->identities.p[i]->client);
		mem_free(ex->identities.p[i]);
	}
	vec_fini(&ex->identities);
	mem_free(ex);
}

bool executor_is_idle(const struct executor *ex)
{
	if (!ex->started || ex->wake_posted) {
		return false;
	}
	for (size_t i = 0; i < ex->runners.n; i++) {
		struct work_queue_stats stats;

		work_queue_get_stats(ex->runners.p[i]->queue, &stats);
		if (stats.depth || ex->runners.p[i]->active) {
			return false;
		}
	}
	return true;
}

size_t executor_metrics_count(const struct executor *ex)
{
	return ex->runners.n;
}

void executor_get_metrics(const struct executor *ex, size_t i, struct controller_metrics *ret)
{
	struct work_queue_stats stats;

	ASSERT(i < ex->runners.n);
	work_queue_get_stats(ex->runners.p[i]->queue, &stats);
	*ret = ex->runners.p[i]->metrics;
	ret->adds = stats.adds;
	ret->retries = stats.retries;
	ret->depth = stats.depth;
	ret->unfinished = ex->runners.p[i]->active;
}
