/* SPDX-License-Identifier: Apache-2.0 */
#include "loop/loop.h"

#include <pthread.h>
#include <signal.h>
#include <uv.h>

#include "base/test.h"
#include "base/vec.h"

struct timed {
	struct env_timer timer;
	struct loop *loop;
	int64_t due, fired;
	int *left;
};

static void on_timer(struct env_timer *timer)
{
	struct timed *t = CONTAINER_OF(timer, struct timed, timer);

	t->fired = env_mono_ns(loop_env(t->loop));
	if (--*t->left == 0) {
		loop_stop(t->loop);
	}
}

TEST(timers_are_never_early_and_fire_in_order)
{
	static const int64_t delays[] = {3000000, 1000000, 1500000, 0, -5};
	struct loop *loop = loop_new();
	struct timed t[ARRAY_LEN(delays)];
	int left = ARRAY_LEN(delays);
	int64_t now = env_mono_ns(loop_env(loop));

	for (size_t i = 0; i < ARRAY_LEN(delays); i++) {
		t[i] = (struct timed){
			.timer.fn = on_timer, .loop = loop, .due = now + delays[i], .left = &left};
		env_timer_start(loop_env(loop), &t[i].timer, t[i].due);
	}
	loop_run(loop);
	for (size_t i = 0; i < ARRAY_LEN(delays); i++) {
		assert_true(t[i].fired >= t[i].due);
	}
	assert_true(t[1].fired <= t[2].fired && t[2].fired <= t[0].fired &&
		    t[4].fired <= t[3].fired);
	loop_free(loop);
}

TEST(stopped_timer_does_not_fire)
{
	struct loop *loop = loop_new();
	int left = 1;
	struct timed a = {.timer.fn = on_timer, .loop = loop, .left = &left};
	struct timed b = {.timer.fn = on_timer, .loop = loop, .left = &left};

	env_timer_start_in(loop_env(loop), &a.timer, 0);
	env_timer_start_in(loop_env(loop), &b.timer, NS_PER_MS);
	env_timer_stop(loop_env(loop), &a.timer);
	env_timer_stop(loop_env(loop), &a.timer);
	loop_run(loop);
	assert_true(b.fired && !a.fired);
	loop_free(loop);
}

enum { POSTERS = 4, POSTS = 2000 };

struct post {
	struct env_task task;
	struct poster *from;
	int number;
};

struct poster {
	struct loop *loop;
	struct post posts[POSTS];
	int next;
	int *left;
};

static void on_post(struct env_task *task)
{
	struct post *p = CONTAINER_OF(task, struct post, task);

	assert_int_equal(p->number, p->from->next);
	p->from->next++;
	if (--*p->from->left == 0) {
		loop_stop(p->from->loop);
	}
}

static void *post_all(void *arg)
{
	struct poster *poster = arg;

	for (int i = 0; i < POSTS; i++) {
		poster->posts[i] = (struct post){.task.fn = on_post, .from = poster, .number = i};
		env_post(loop_env(poster->loop), &poster->posts[i].task);
	}
	return NULL;
}

TEST(tasks_of_each_thread_arrive_in_order)
{
	struct loop *loop = loop_new();
	struct poster *posters = mem_new_array(POSTERS, sizeof(*posters));
	pthread_t threads[POSTERS];
	int left = POSTERS * POSTS;

	for (int i = 0; i < POSTERS; i++) {
		posters[i].loop = loop;
		posters[i].left = &left;
		assert_int_equal(pthread_create(&threads[i], NULL, post_all, &posters[i]), 0);
	}
	loop_run(loop);
	for (int i = 0; i < POSTERS; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(posters[i].next, POSTS);
	}
	mem_free(posters);
	loop_free(loop);
}

struct job {
	struct env_work work;
	struct loop *loop;
	pthread_t ran_on;
	bool done;
};

static void run_job(struct env_work *work)
{
	CONTAINER_OF(work, struct job, work)->ran_on = pthread_self();
}

static void end_job(struct env_work *work)
{
	struct job *job = CONTAINER_OF(work, struct job, work);

	job->done = true;
	loop_stop(job->loop);
}

TEST(work_runs_elsewhere_and_ends_on_the_loop)
{
	struct loop *loop = loop_new();
	struct job job = {.work = {.run = run_job, .done = end_job}, .loop = loop};

	env_work(loop_env(loop), &job.work);
	loop_run(loop);
	assert_true(job.done);
	assert_false(pthread_equal(job.ran_on, pthread_self()));
	loop_free(loop);
}

TEST(loop_free_waits_for_work_and_posted_tasks)
{
	struct loop *loop = loop_new();
	struct job job = {.work = {.run = run_job, .done = end_job}, .loop = loop};
	struct poster poster = {.loop = loop, .left = &(int){2}};

	env_work(loop_env(loop), &job.work);
	poster.posts[0] = (struct post){.task.fn = on_post, .from = &poster};
	env_post(loop_env(loop), &poster.posts[0].task);
	loop_free(loop);
	assert_true(job.done);
	assert_int_equal(poster.next, 1);
}

static void on_usr1(void *ctx, int signum)
{
	assert_int_equal(signum, SIGUSR1);
	loop_stop(ctx);
}

TEST(signal_reaches_the_loop)
{
	struct loop *loop = loop_new();

	loop_on_signal(loop, SIGUSR1, on_usr1, loop);
	kill(getpid(), SIGUSR1);
	loop_run(loop);
	loop_free(loop);
}

TEST(random_bytes_differ)
{
	struct loop *loop = loop_new();
	unsigned char a[600] = {0}, b[600] = {0};

	env_random(loop_env(loop), a, sizeof(a));
	env_random(loop_env(loop), b, sizeof(b));
	assert_memory_not_equal(a, b, sizeof(a));
	assert_memory_not_equal(a + 300, (unsigned char[300]){0}, 300);
	loop_free(loop);
}

static int64_t times_awake(void)
{
	char line[128];
	int64_t n = -1;
	FILE *f = fopen("/proc/thread-self/status", "r");

	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "voluntary_ctxt_switches: %ld", &n) == 1) {
			break;
		}
	}
	fclose(f);
	return n;
}

TEST(idle_loop_is_not_woken)
{
	struct loop *loop = loop_new();
	int left = 1;
	struct timed t = {.timer.fn = on_timer, .loop = loop, .left = &left};
	int64_t before = times_awake();

	env_timer_start_in(loop_env(loop), &t.timer, 200 * NS_PER_MS);
	loop_run(loop);
	/* One for the timer; the file reads may add a few. */
	assert_in_range(times_awake() - before, 0, 4);
	loop_free(loop);
}

TEST_MAIN(timers_are_never_early_and_fire_in_order, stopped_timer_does_not_fire,
	  tasks_of_each_thread_arrive_in_order, work_runs_elsewhere_and_ends_on_the_loop,
	  loop_free_waits_for_work_and_posted_tasks, signal_reaches_the_loop, random_bytes_differ,
	  idle_loop_is_not_woken)
