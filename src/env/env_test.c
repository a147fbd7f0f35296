/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/test.h"
#include "env/sim_env.h"

struct note {
	struct env_timer timer;
	struct env_task task;
	struct env_work work;
	struct sim_env *sim;
	struct buf *out;
	char name;
	bool again;
};

static void on_timer(struct env_timer *timer)
{
	struct note *n = CONTAINER_OF(timer, struct note, timer);

	buf_add_char(n->out, n->name);
	if (n->again) {
		env_timer_start(sim_env_env(n->sim), timer, 1);
	}
}

static void on_task(struct env_task *task)
{
	struct note *n = CONTAINER_OF(task, struct note, task);

	buf_add_char(n->out, n->name);
	if (n->again) {
		n->again = false;
		env_post(sim_env_env(n->sim), task);
	}
}

static void on_work(struct env_work *work)
{
	buf_add_char(CONTAINER_OF(work, struct note, work)->out, 'w');
}

static void on_done(struct env_work *work)
{
	buf_add_char(CONTAINER_OF(work, struct note, work)->out, 'd');
}

static void make(struct note *notes, size_t n, struct sim_env *sim, struct buf *out)
{
	for (size_t i = 0; i < n; i++) {
		notes[i] = (struct note){.timer.fn = on_timer,
					 .task.fn = on_task,
					 .sim = sim,
					 .out = out,
					 .name = (char)('a' + i)};
		notes[i].work = (struct env_work){.run = on_work, .done = on_done};
	}
}

TEST(timers_fire_in_order_and_stopped_ones_do_not)
{
	struct sim_env *sim = sim_env_new(1);
	struct env *env = sim_env_env(sim);
	struct buf out CLEANUP_BUF = {0};
	struct note notes[5];
	int64_t start = env_mono_ns(env);

	make(notes, 5, sim, &out);
	env_timer_start_in(env, &notes[0].timer, 30);
	env_timer_start_in(env, &notes[1].timer, 10);
	env_timer_start_in(env, &notes[2].timer, 20);
	env_timer_start_in(env, &notes[3].timer, 10);
	env_timer_start_in(env, &notes[4].timer, 5);
	env_timer_start_in(env, &notes[4].timer, 40); /* moved */
	env_timer_stop(env, &notes[2].timer);
	sim_env_advance(sim, 9);
	EXPECT_STR(buf_str(&out), "");
	sim_env_advance(sim, 31);
	EXPECT_STR(buf_str(&out), "bdae");
	assert_int_equal(env_mono_ns(env), start + 40);
	assert_false(sim_env_advance_to_next_timer(sim));
	sim_env_free(sim);
}

TEST(timer_rearmed_for_the_past_fires_once_per_turn)
{
	struct sim_env *sim = sim_env_new(1);
	struct buf out CLEANUP_BUF = {0};
	struct note n;

	make(&n, 1, sim, &out);
	n.again = true;
	env_timer_start(sim_env_env(sim), &n.timer, 1);
	assert_true(sim_env_turn(sim));
	EXPECT_STR(buf_str(&out), "a");
	assert_true(sim_env_turn(sim));
	EXPECT_STR(buf_str(&out), "aa");
	env_timer_stop(sim_env_env(sim), &n.timer);
	assert_false(sim_env_turn(sim));
	sim_env_free(sim);
}

TEST(heap_of_many_timers_stays_sorted_when_some_are_stopped)
{
	struct sim_env *sim = sim_env_new(3);
	struct env *env = sim_env_env(sim);
	struct buf out CLEANUP_BUF = {0};
	struct note notes[200];
	uint64_t seed = 5;
	int64_t last = 0;
	size_t fired = 0;

	make(notes, 200, sim, &out);
	for (size_t i = 0; i < 200; i++) {
		env_timer_start_in(env, &notes[i].timer, (int64_t)(sim_random(&seed) % 1000) + 1);
	}
	for (size_t i = 0; i < 200; i += 3) {
		env_timer_stop(env, &notes[i].timer);
	}
	while (sim_env_next_timer_mono_ns(sim)) {
		size_t before = out.n;

		assert_true(sim_env_next_timer_mono_ns(sim) >= last);
		last = sim_env_next_timer_mono_ns(sim);
		sim_env_advance_to_next_timer(sim);
		fired += out.n - before;
	}
	assert_int_equal(fired, 200 - 67);
	sim_env_free(sim);
}

TEST(tasks_keep_their_order_and_wait_for_the_next_turn)
{
	struct sim_env *sim = sim_env_new(1);
	struct buf out CLEANUP_BUF = {0};
	struct note notes[3];

	make(notes, 3, sim, &out);
	notes[0].again = true;
	for (size_t i = 0; i < 3; i++) {
		env_post(sim_env_env(sim), &notes[i].task);
	}
	env_work(sim_env_env(sim), &notes[2].work);
	sim_env_turn(sim);
	EXPECT_STR(buf_str(&out), "abcwd");
	sim_env_run_until_idle(sim);
	EXPECT_STR(buf_str(&out), "abcwda");
	sim_env_free(sim);
}

TEST(same_seed_gives_the_same_bytes)
{
	unsigned char a[13], b[13], c[13];
	struct sim_env *one = sim_env_new(42), *two = sim_env_new(42), *three = sim_env_new(43);

	env_random(sim_env_env(one), a, sizeof(a));
	env_random(sim_env_env(two), b, sizeof(b));
	env_random(sim_env_env(three), c, sizeof(c));
	assert_memory_equal(a, b, sizeof(a));
	assert_memory_not_equal(a, c, sizeof(a));
	sim_env_free(one);
	sim_env_free(two);
	sim_env_free(three);
}

TEST_MAIN(timers_fire_in_order_and_stopped_ones_do_not,
	  timer_rearmed_for_the_past_fires_once_per_turn,
	  heap_of_many_timers_stays_sorted_when_some_are_stopped,
	  tasks_keep_their_order_and_wait_for_the_next_turn, same_seed_gives_the_same_bytes)
