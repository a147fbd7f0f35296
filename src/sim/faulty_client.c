/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/faulty_client.h"

#include "base/list.h"
#include "env/sim_env.h"
#include "object/object.h"

#define ANSWER_TIMEOUT_NS (5 * NS_PER_SEC) /* at most: the informers may know sooner or later */

struct faulty {
	struct client base;
	struct client *inner;
	const struct faults *const *faults;
	uint64_t *random;
	const int *epoch;
};

static struct faulty *of_client(struct client *client)
{
	return CONTAINER_OF(client, struct faulty, base);
}

static bool happens(struct faulty *f, int chance)
{
	return chance && (int)(sim_random(f->random) % 1000) < chance;
}

static int64_t some_delay(struct faulty *f, int64_t max)
{
	return max ? (int64_t)(sim_random(f->random) % (uint64_t)max) : 0;
}

/* ---- calls ---- */

struct faulty_call {
	struct faulty *client;
	struct arena arena;
	struct client_request req;
	client_done_fn done;
	void *ctx;
	struct env_timer timer;
	bool lose_call, lose_answer, refuse;
	int epoch;
};

static void call_free(struct faulty_call *c)
{
	arena_fini(&c->arena);
	mem_free(c);
}

static void on_timeout(struct env_timer *timer)
{
	struct faulty_call *c = CONTAINER_OF(timer, struct faulty_call, timer);
	struct client_result result = {.code = ERR_TIMEOUT, .message = STR("no answer")};

	if (c->refuse) {
		result = (struct client_result){.code = ERR_AGAIN,
						.http_status = 503,
						.reason = STR("ServiceUnavailable"),
						.message = STR("try again")};
	}
	c->done(c->ctx, &result);
	call_free(c);
}

static void on_answer(void *ctx, const struct client_result *result)
{
	struct faulty_call *c = ctx;

	if (c->lose_answer) {
		c->timer.fn = on_timeout;
		env_timer_start_in(c->client->base.env, &c->timer,
				   1 + some_delay(c->client, ANSWER_TIMEOUT_NS));
		return;
	}
	c->done(c->ctx, result);
	call_free(c);
}

static void on_send(struct env_timer *timer)
{
	struct faulty_call *c = CONTAINER_OF(timer, struct faulty_call, timer);

	if (c->epoch != *c->client->epoch) {
		on_timeout(timer);
		return;
	}
	client_call(c->client->inner, &c->req, on_answer, c);
}

static void copy_request(struct faulty_call *c, const struct client_request *req)
{
	struct arena *a = &c->arena;
	struct str *strings[] = {&c->req.ns,
				 &c->req.name,
				 &c->req.patch,
				 &c->req.label_selector,
				 &c->req.field_selector,
				 &c->req.continue_token,
				 &c->req.precondition_uid,
				 &c->req.precondition_resource_version,
				 &c->req.field_manager};

	c->req = *req;
	for (size_t i = 0; i < ARRAY_LEN(strings); i++) {
		*strings[i] = arena_str(a, *strings[i]);
	}
	if (req->grace_period_seconds) {
		int64_t *grace = ARENA_NEW(a, int64_t);

		*grace = *req->grace_period_seconds;
		c->req.grace_period_seconds = grace;
	}
	if (req->body) {
		void *body = arena_alloc(a, req->body_type->size);

		object_dup(a, req->body_type, req->body, body);
		c->req.body = body;
	}
}

static void faulty_call(struct client *client, const struct client_request *req,
			client_done_fn done, void *ctx)
{
	struct faulty *f = of_client(client);
	const struct faults *faults = *f->faults;
	struct faulty_call *c;

	if (!faults) {
		client_call(f->inner, req, done, ctx);
		return;
	}
	c = NEW(struct faulty_call);
	c->client = f;
	c->epoch = *f->epoch;
	c->done = done;
	c->ctx = ctx;
	c->lose_call = happens(f, faults->lose_call);
	c->lose_answer = happens(f, faults->lose_answer);
	c->refuse = happens(f, faults->refuse);
	copy_request(c, req);
	c->timer.fn = c->lose_call || c->refuse ? on_timeout : on_send;
	env_timer_start_in(
		client->env, &c->timer,
		1 + some_delay(f, c->lose_call ? ANSWER_TIMEOUT_NS : faults->max_call_delay_ns));
}

/* ---- watches ---- */

struct late_event {
	struct list link;
	enum watch_event event;
	struct frozen *object;
	int64_t at_ns;
};

struct faulty_watch {
	struct client_watch base;
	struct faulty *client;
	struct client_watch_opts opts;
	struct client_watch *inner;
	struct list events; /* in order of arrival, and of delivery */
	struct env_timer timer;
	bool stopped, broken;
	int depth;
	int code; /* of an inner end that waits behind the events */
	bool ended;
};

static void watch_drop(struct faulty_watch *w)
{
	if (!w->stopped || w->depth) {
		return;
	}
	client_watch_stop(w->inner);
	env_timer_stop(w->base.client->env, &w->timer);
	LIST_FOR_EACH_SAFE(l, &w->events)
	{
		struct late_event *e = CONTAINER_OF(l, struct late_event, link);

		list_remove(&e->link);
		frozen_unref(e->object);
		mem_free(e);
	}
	mem_free(w);
}

static void watch_end(struct faulty_watch *w, int code)
{
	w->stopped = true;
	w->opts.ended(w->opts.ctx, code, STR("the connection broke"));
}

static void watch_arm(struct faulty_watch *w)
{
	struct late_event *e = LIST_FIRST(&w->events, struct late_event, link);

	if (e && !w->stopped) {
		env_timer_start(w->base.client->env, &w->timer,
				MAX(e->at_ns, env_mono_ns(w->base.client->env) + 1));
	}
}

static void deliver(struct faulty_watch *w)
{
	struct late_event *e = LIST_FIRST(&w->events, struct late_event, link);
	const struct faults *faults = *w->client->faults;

	list_remove(&e->link);
	w->opts.event(w->opts.ctx, e->event, e->object);
	if (!w->stopped && faults && e->event != WATCH_BOOKMARK &&
	    happens(w->client, faults->repeat_event)) {
		w->opts.event(w->opts.ctx, e->event, e->object);
	}
	if (!w->stopped && faults && happens(w->client, faults->break_watch)) {
		watch_end(w, ERR_CLOSED);
	}
	frozen_unref(e->object);
	mem_free(e);
}

static void on_due(struct env_timer *timer)
{
	struct faulty_watch *w = CONTAINER_OF(timer, struct faulty_watch, timer);

	w->depth++;
	while (!w->stopped && !list_is_empty(&w->events) &&
	       LIST_FIRST(&w->events, struct late_event, link)->at_ns <=
		       env_mono_ns(w->base.client->env)) {
		deliver(w);
	}
	if (!w->stopped && w->ended && list_is_empty(&w->events)) {
		watch_end(w, w->code);
	}
	w->depth--;
	watch_arm(w);
	watch_drop(w);
}

static void on_inner_event(void *ctx, enum watch_event event, struct frozen *object)
{
	struct faulty_watch *w = ctx;
	const struct faults *faults = *w->client->faults;
	int64_t at = env_mono_ns(w->base.client->env) +
		     (faults ? some_delay(w->client, faults->max_event_delay_ns) : 0);
	struct late_event *e = NEW(struct late_event);

	if (!list_is_empty(&w->events)) {
		at = MAX(at, CONTAINER_OF(w->events.prev, struct late_event, link)->at_ns);
	}
	*e = (struct late_event){.event = event, .object = frozen_ref(object), .at_ns = at};
	list_add_tail(&w->events, &e->link);
	watch_arm(w);
}

static void on_inner_ended(void *ctx, int code, struct str message UNUSED)
{
	struct faulty_watch *w = ctx;

	w->inner = NULL;
	w->ended = true;
	w->code = code;
	env_timer_start_in(w->base.client->env, &w->timer, 1);
}

static struct client_watch *faulty_watch_start(struct client *client,
					       const struct client_watch_opts *opts)
{
	struct faulty_watch *w = NEW(struct faulty_watch);
	struct client_watch_opts inner = *opts;

	w->base.client = client;
	w->client = of_client(client);
	w->opts = *opts;
	list_init(&w->events);
	w->timer.fn = on_due;
	inner.event = on_inner_event;
	inner.ended = on_inner_ended;
	inner.ctx = w;
	w->inner = client_watch_start(w->client->inner, &inner);
	return &w->base;
}

static void faulty_watch_stop(struct client_watch *watch)
{
	struct faulty_watch *w = CONTAINER_OF(watch, struct faulty_watch, base);

	w->stopped = true;
	watch_drop(w);
}

static void faulty_free(struct client *client)
{
	struct faulty *f = of_client(client);

	client_free(f->inner);
	mem_free(f);
}

static const struct client_ops faulty_ops = {.call = faulty_call,
					     .watch_start = faulty_watch_start,
					     .watch_stop = faulty_watch_stop,
					     .free = faulty_free};

struct client *faulty_client_new(struct client *inner, const struct faults *const *faults,
				 uint64_t *random, const int *epoch)
{
	struct faulty *f = NEW(struct faulty);

	f->base = (struct client){&faulty_ops, inner->env, inner->user_agent};
	f->inner = inner;
	f->faults = faults;
	f->random = random;
	f->epoch = epoch;
	return &f->base;
}
