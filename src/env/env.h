/* SPDX-License-Identifier: Apache-2.0 */
/* env/env.h: everything a component may learn from or do to the world outside its memory: clock, random, timers, work off
 * the loop. The real one is loop/loop.h (libuv); the simulator has its own with virtual time (invariant I8). One env belongs to one
 * loop thread; only env_post and env_wall_ns/env_mono_ns may be called from other threads. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/list.h"
#include "base/log.h"

struct env;
struct env_timer;
struct env_task;
struct env_work;

typedef void (*env_timer_fn)(struct env_timer *timer);
typedef void (*env_task_fn)(struct env_task *task);
typedef void (*env_work_fn)(struct env_work *work);

/* One-shot. Embed it; it must stay where it is while armed. Fires on the loop. */
struct env_timer {
	env_timer_fn fn;
	int64_t at_mono_ns; /* 0: not armed */
	void *impl[2];	    /* the env's */
};

/* A message to the loop. Embed it; it belongs to the env from env_post until fn runs. */
struct env_task {
	env_task_fn fn;
	struct list link; /* the env's */
};

/* Blocking work: run() on some other thread, then done() on the loop. Embed it; it must live until done() is called. */
struct env_work {
	env_work_fn run;
	env_work_fn done;
	void *impl; /* the env's */
};

struct env_ops {
	int64_t (*wall_ns)(struct env *env); /* since the Unix epoch */
	int64_t (*mono_ns)(struct env *env); /* monotonic, any origin */
	void (*random)(struct env *env, void *buf, size_t n);
	void (*timer_start)(struct env *env, struct env_timer *timer, int64_t at_mono_ns);
	void (*timer_stop)(struct env *env, struct env_timer *timer);
	void (*post)(struct env *env, struct env_task *task);
	void (*work)(struct env *env, struct env_work *work);
};

struct env {
	const struct env_ops *ops;
};

static inline int64_t env_wall_ns(struct env *env)
{
	return env->ops->wall_ns(env);
}

static inline int64_t env_mono_ns(struct env *env)
{
	return env->ops->mono_ns(env);
}

static inline void env_random(struct env *env, void *buf, size_t n)
{
	env->ops->random(env, buf, n);
}

/* Arm, or move an armed one. A time in the past fires on the next turn of the loop. */
static inline void env_timer_start(struct env *env, struct env_timer *timer, int64_t at_mono_ns)
{
	env->ops->timer_start(env, timer, at_mono_ns);
}

static inline void env_timer_start_in(struct env *env, struct env_timer *timer, int64_t delay_ns)
{
	env_timer_start(env, timer, env_mono_ns(env) + delay_ns);
}

/* Harmless when not armed. fn does not run afterwards. */
static inline void env_timer_stop(struct env *env, struct env_timer *timer)
{
	env->ops->timer_stop(env, timer);
}

/* Any thread. Tasks run in the order they were posted. */
static inline void env_post(struct env *env, struct env_task *task)
{
	env->ops->post(env, task);
}

static inline void env_work(struct env *env, struct env_work *work)
{
	env->ops->work(env, work);
}

#define NS_PER_SEC 1000000000LL
#define NS_PER_MS 1000000LL
