/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/work_queue.h"

#include "base/test.h"
#include "env/sim_env.h"

static void count_ready(void *ctx)
{
	++*(int *)ctx;
}

static void expect_take(struct work_queue *q, const char *want)
{
	struct str key;
	int64_t waited;

	if (want) {
		assert_true(work_queue_take(q, &key, &waited));
		EXPECT_STR(key, want);
	} else {
		assert_false(work_queue_take(q, &key, &waited));
	}
}

TEST(a_key_stands_in_the_queue_once_and_comes_back_after_its_work)
{
	struct sim_env *sim = sim_env_new(1);
	int ready = 0;
	struct work_queue *q = work_queue_new(sim_env_env(sim), count_ready, &ready);

	work_queue_add(q, STR("a"));
	work_queue_add(q, STR("b"));
	work_queue_add(q, STR("a"));
	assert_int_equal(ready, 2);
	expect_take(q, "a");
	work_queue_add(q, STR("a"));
	expect_take(q, "b");
	expect_take(q, NULL); /* a is being worked on */
	work_queue_done(q, STR("a"));
	expect_take(q, "a");
	work_queue_done(q, STR("a"));
	work_queue_done(q, STR("b"));
	expect_take(q, NULL);
	work_queue_free(q);
	sim_env_free(sim);
}

TEST(failures_double_the_wait_up_to_1000_seconds)
{
	struct sim_env *sim = sim_env_new(1);
	int ready = 0;
	struct work_queue *q = work_queue_new(sim_env_env(sim), count_ready, &ready);
	int64_t want = 5 * NS_PER_MS;

	work_queue_add(q, STR("a"));
	for (int i = 0; i < 25; i++) {
		int64_t wait = want < 1000 * NS_PER_SEC ? want : 1000 * NS_PER_SEC;

		expect_take(q, "a");
		work_queue_add_rate_limited(q, STR("a"));
		work_queue_done(q, STR("a"));
		sim_env_advance(sim, wait - 1);
		expect_take(q, NULL);
		sim_env_advance(sim, 1);
		want *= 2;
	}
	expect_take(q, "a");
	work_queue_forget(q, STR("a"));
	work_queue_add_rate_limited(q, STR("a"));
	work_queue_done(q, STR("a"));
	sim_env_advance(sim, 5 * NS_PER_MS);
	expect_take(q, "a");
	work_queue_free(q);
	sim_env_free(sim);
}

TEST(the_shortest_delay_wins)
{
	struct sim_env *sim = sim_env_new(1);
	int ready = 0;
	struct work_queue *q = work_queue_new(sim_env_env(sim), count_ready, &ready);

	work_queue_add_after(q, STR("a"), 10 * NS_PER_SEC);
	work_queue_add_after(q, STR("a"), 2 * NS_PER_SEC);
	work_queue_add_after(q, STR("a"), 5 * NS_PER_SEC);
	sim_env_advance(sim, 2 * NS_PER_SEC);
	expect_take(q, "a");
	work_queue_done(q, STR("a"));
	sim_env_advance(sim, 60 * NS_PER_SEC);
	expect_take(q, NULL);
	work_queue_free(q);
	sim_env_free(sim);
}

TEST_MAIN(a_key_stands_in_the_queue_once_and_comes_back_after_its_work,
	  failures_double_the_wait_up_to_1000_seconds, the_shortest_delay_wins)
