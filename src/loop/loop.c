/* SPDX-License-Identifier: Apache-2.0 */
#include "loop/loop.h"

#include <errno.h>
#include <pthread.h>
#include <sys/random.h>
#include <time.h>
#include <uv.h>

#include "env/timer_heap.h"

struct loop_signal {
	uv_signal_t handle;
	loop_signal_fn fn;
	void *ctx;
	struct loop_signal *next;
};

struct loop {
	struct env env;
	uv_loop_t uv;
	uv_async_t wake;
	uv_timer_t alarm; /* for the first of `timers` */
	struct timer_heap timers;
	struct loop_signal *signals;
	pthread_mutex_t lock; /* of posted */
	struct list posted;
};

static struct loop *of_env(struct env *env)
{
	return CONTAINER_OF(env, struct loop, env);
}

static int64_t clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * NS_PER_SEC + ts.tv_nsec;
}

static int64_t loop_wall_ns(struct env *env UNUSED)
{
	return clock_ns(CLOCK_REALTIME);
}

static int64_t loop_mono_ns(struct env *env UNUSED)
{
	return clock_ns(CLOCK_MONOTONIC);
}

static void loop_random(struct env *env UNUSED, void *buf, size_t n)
{
	char *p = buf;

	while (n) {
		ssize_t got = getrandom(p, MIN(n, (size_t)256), 0);

		if (got < 0) {
			ASSERT(errno == EINTR);
			continue;
		}
		p += got;
		n -= (size_t)got;
	}
}

static void handle_alarm(uv_timer_t *alarm);

/* libuv's clock is CLOCK_MONOTONIC in ms, read once per turn; rounding the deadline up means that
 * no timer is early. */
static void set_alarm(struct loop *loop)
{
	struct env_timer *first = timer_heap_first(&loop->timers);
	int64_t delay_ms;

	if (!first) {
		uv_timer_stop(&loop->alarm);
		return;
	}
	delay_ms = (first->at_mono_ns + NS_PER_MS - 1) / NS_PER_MS - (int64_t)uv_now(&loop->uv);
	uv_timer_start(&loop->alarm, handle_alarm, (uint64_t)MAX(delay_ms, (int64_t)0), 0);
}

static void handle_alarm(uv_timer_t *alarm)
{
	struct loop *loop = CONTAINER_OF(alarm, struct loop, alarm);

	timer_heap_fire(&loop->timers, loop_mono_ns(&loop->env));
	set_alarm(loop);
}

static void loop_timer_start(struct env *env, struct env_timer *timer, int64_t at_mono_ns)
{
	struct loop *loop = of_env(env);
	struct env_timer *first = timer_heap_first(&loop->timers);

	timer_heap_start(&loop->timers, timer, at_mono_ns);
	if (first == timer || timer_heap_first(&loop->timers) == timer) {
		set_alarm(loop);
	}
}

static void loop_timer_stop(struct env *env, struct env_timer *timer)
{
	struct loop *loop = of_env(env);
	bool was_first = timer_heap_first(&loop->timers) == timer;

	timer_heap_stop(&loop->timers, timer);
	if (was_first) {
		set_alarm(loop);
	}
}

static void loop_post(struct env *env, struct env_task *task)
{
	struct loop *loop = of_env(env);
	bool was_empty;

	pthread_mutex_lock(&loop->lock);
	was_empty = list_is_empty(&loop->posted);
	list_add_tail(&loop->posted, &task->link);
	/* Under the lock: the loop may not take the task, and free itself, before the wake-up is
	 * sent. */
	if (was_empty) {
		ASSERT(uv_async_send(&loop->wake) == 0);
	}
	pthread_mutex_unlock(&loop->lock);
}

/* Runs what is there now; what these tasks post comes in the next turn. */
static bool run_posted(struct loop *loop)
{
	struct list now;
	struct env_task *task;
	bool any = false;

	list_init(&now);
	pthread_mutex_lock(&loop->lock);
	while ((task = LIST_FIRST(&loop->posted, struct env_task, link))) {
		list_remove(&task->link);
		list_add_tail(&now, &task->link);
	}
	pthread_mutex_unlock(&loop->lock);
	while ((task = LIST_FIRST(&now, struct env_task, link))) {
		list_remove(&task->link);
		task->fn(task);
		any = true;
	}
	return any;
}

static void handle_wake(uv_async_t *wake)
{
	run_posted(CONTAINER_OF(wake, struct loop, wake));
}

static void run_work(uv_work_t *req)
{
	struct env_work *work = req->data;

	work->run(work);
}

static void end_work(uv_work_t *req, int status)
{
	struct env_work *work = req->data;

	ASSERT(status == 0); /* nobody cancels */
	mem_free(req);
	work->done(work);
}

static void loop_work(struct env *env, struct env_work *work)
{
	uv_work_t *req = NEW(uv_work_t);

	req->data = work;
	work->impl = req;
	ASSERT(uv_queue_work(&of_env(env)->uv, req, run_work, end_work) == 0);
}

static const struct env_ops loop_ops = {
	.wall_ns = loop_wall_ns,
	.mono_ns = loop_mono_ns,
	.random = loop_random,
	.timer_start = loop_timer_start,
	.timer_stop = loop_timer_stop,
	.post = loop_post,
	.work = loop_work,
};

struct loop *loop_new(void)
{
	struct loop *loop = NEW(struct loop);

	loop->env.ops = &loop_ops;
	list_init(&loop->posted);
	pthread_mutex_init(&loop->lock, NULL);
	/* These fail only without file descriptors or memory: nothing can run then. */
	ASSERT(uv_loop_init(&loop->uv) == 0);
	ASSERT(uv_async_init(&loop->uv, &loop->wake, handle_wake) == 0);
	ASSERT(uv_timer_init(&loop->uv, &loop->alarm) == 0);
	return loop;
}

void loop_free(struct loop *loop)
{
	if (!loop) {
		return;
	}
	uv_close((uv_handle_t *)&loop->alarm, NULL);
	for (struct loop_signal *s = loop->signals; s; s = s->next) {
		uv_close((uv_handle_t *)&s->handle, NULL);
	}
	uv_unref((uv_handle_t *)&loop->wake);
	/* Work's done() may post, a posted task may start work, and either may stop the loop. */
	while (uv_run(&loop->uv, UV_RUN_DEFAULT) || run_posted(loop)) {
	}
	uv_close((uv_handle_t *)&loop->wake, NULL);
	uv_run(&loop->uv, UV_RUN_DEFAULT);
	ASSERT(!timer_heap_first(&loop->timers));
	ASSERT(uv_loop_close(&loop->uv) == 0);
	while (loop->signals) {
		struct loop_signal *s = loop->signals;

		loop->signals = s->next;
		mem_free(s);
	}
	timer_heap_fini(&loop->timers);
	pthread_mutex_destroy(&loop->lock);
	mem_free(loop);
}

void loop_run(struct loop *loop)
{
	uv_run(&loop->uv, UV_RUN_DEFAULT);
}

void loop_stop(struct loop *loop)
{
	uv_stop(&loop->uv);
}

struct env *loop_env(struct loop *loop)
{
	return &loop->env;
}

struct uv_loop_s *loop_uv(struct loop *loop)
{
	return &loop->uv;
}

static void handle_signal(uv_signal_t *handle, int signum)
{
	struct loop_signal *s = CONTAINER_OF(handle, struct loop_signal, handle);

	s->fn(s->ctx, signum);
}

void loop_on_signal(struct loop *loop, int signum, loop_signal_fn fn, void *ctx)
{
	struct loop_signal *s = NEW(struct loop_signal);

	s->fn = fn;
	s->ctx = ctx;
	s->next = loop->signals;
	loop->signals = s;
	ASSERT(uv_signal_init(&loop->uv, &s->handle) == 0);
	ASSERT(uv_signal_start(&s->handle, handle_signal, signum) == 0);
}
