/* SPDX-License-Identifier: Apache-2.0 */
#include "env/sim_env.h"

#include <pthread.h>

#include "env/timer_heap.h"

/* 2026-01-01T00:00:00Z: a fixed start, so that timestamps in golden files do not change. */
#define SIM_WALL_START_NS (1767225600 * NS_PER_SEC)

struct sim_env {
	struct env env;
	_Atomic int64_t mono_ns; /* other threads may ask for it */
	uint64_t random;
	struct timer_heap timers;
	VEC(struct env_work *) work;
	pthread_mutex_t lock; /* of posted */
	pthread_cond_t was_posted;
	struct list posted;
};

static struct sim_env *of_env(struct env *env)
{
	return CONTAINER_OF(env, struct sim_env, env);
}

static int64_t sim_mono_ns(struct env *env)
{
	return of_env(env)->mono_ns;
}

static int64_t sim_wall_ns(struct env *env)
{
	return SIM_WALL_START_NS + of_env(env)->mono_ns;
}

uint64_t sim_random(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

static void sim_fill_random(struct env *env, void *buf, size_t n)
{
	char *p = buf;

	while (n) {
		uint64_t r = sim_random(&of_env(env)->random);
		size_t part = MIN(n, sizeof(r));

		memcpy(p, &r, part);
		p += part;
		n -= part;
	}
}

static void sim_timer_start(struct env *env, struct env_timer *timer, int64_t at_mono_ns)
{
	timer_heap_start(&of_env(env)->timers, timer, at_mono_ns);
}

static void sim_timer_stop(struct env *env, struct env_timer *timer)
{
	timer_heap_stop(&of_env(env)->timers, timer);
}

static void sim_post(struct env *env, struct env_task *task)
{
	struct sim_env *sim = of_env(env);

	pthread_mutex_lock(&sim->lock);
	list_add_tail(&sim->posted, &task->link);
	pthread_cond_signal(&sim->was_posted);
	pthread_mutex_unlock(&sim->lock);
}

static void sim_work(struct env *env, struct env_work *work)
{
	*vec_push(&of_env(env)->work) = work;
}

static const struct env_ops sim_ops = {
	.wall_ns = sim_wall_ns,
	.mono_ns = sim_mono_ns,
	.random = sim_fill_random,
	.timer_start = sim_timer_start,
	.timer_stop = sim_timer_stop,
	.post = sim_post,
	.work = sim_work,
};

struct sim_env *sim_env_new(uint64_t seed)
{
	struct sim_env *sim = NEW(struct sim_env);

	sim->env.ops = &sim_ops;
	sim->mono_ns = NS_PER_SEC;
	sim->random = seed;
	list_init(&sim->posted);
	pthread_mutex_init(&sim->lock, NULL);
	pthread_cond_init(&sim->was_posted, NULL);
	return sim;
}

void sim_env_free(struct sim_env *sim)
{
	if (!sim) {
		return;
	}
	timer_heap_fini(&sim->timers);
	vec_fini(&sim->work);
	pthread_mutex_destroy(&sim->lock);
	pthread_cond_destroy(&sim->was_posted);
	mem_free(sim);
}

struct env *sim_env_env(struct sim_env *sim)
{
	return &sim->env;
}

static bool run_posted(struct sim_env *sim)
{
	struct list now;
	struct env_task *task;
	bool any = false;

	list_init(&now);
	pthread_mutex_lock(&sim->lock);
	while ((task = LIST_FIRST(&sim->posted, struct env_task, link))) {
		list_remove(&task->link);
		list_add_tail(&now, &task->link);
	}
	pthread_mutex_unlock(&sim->lock);
	while ((task = LIST_FIRST(&now, struct env_task, link))) {
		list_remove(&task->link);
		task->fn(task);
		any = true;
	}
	return any;
}

static bool run_work(struct sim_env *sim)
{
	size_t n = sim->work.n;

	for (size_t i = 0; i < n; i++) {
		struct env_work *work = sim->work.p[0];

		vec_remove(&sim->work, 0);
		work->run(work);
		work->done(work);
	}
	return n > 0;
}

bool sim_env_turn(struct sim_env *sim)
{
	int64_t next = sim_env_next_timer_mono_ns(sim);
	bool any = next && next <= sim->mono_ns;
	size_t nwork = sim->work.n;

	timer_heap_fire(&sim->timers, sim->mono_ns);
	any |= run_posted(sim);
	return (nwork ? run_work(sim) : false) || any;
}

void sim_env_run_until_idle(struct sim_env *sim)
{
	while (sim_env_turn(sim)) {
	}
}

int64_t sim_env_next_timer_mono_ns(const struct sim_env *sim)
{
	struct env_timer *first = timer_heap_first(&sim->timers);

	return first ? first->at_mono_ns : 0;
}

bool sim_env_advance_to_next_timer(struct sim_env *sim)
{
	int64_t next;

	sim_env_run_until_idle(sim);
	next = sim_env_next_timer_mono_ns(sim);
	if (!next) {
		return false;
	}
	sim->mono_ns = MAX(next, (int64_t)sim->mono_ns);
	sim_env_turn(sim);
	return true;
}

void sim_env_advance(struct sim_env *sim, int64_t delta_ns)
{
	int64_t end = sim->mono_ns + delta_ns;
	int64_t next;

	sim_env_run_until_idle(sim);
	while ((next = sim_env_next_timer_mono_ns(sim)) && next <= end) {
		sim_env_advance_to_next_timer(sim);
		sim_env_run_until_idle(sim);
	}
	sim->mono_ns = end;
}

void sim_env_wait_posted(struct sim_env *sim)
{
	pthread_mutex_lock(&sim->lock);
	while (list_is_empty(&sim->posted)) {
		pthread_cond_wait(&sim->was_posted, &sim->lock);
	}
	pthread_mutex_unlock(&sim->lock);
}
