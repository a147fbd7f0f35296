/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/queue.h"

#include "base/attr.h"
#include "base/test.h"

#define S 1000000000LL

static void expect_take(struct queue *q, int64_t now_ns, const char *want)
{
	const struct queued *e = queue_take(q, now_ns);

	EXPECT_STR(e ? e->key : STR("nothing"), want);
}

TEST(queue_gives_the_highest_priority_then_the_oldest)
{
	struct queue q;

	queue_init(&q);
	queue_add(&q, STR("a"), 0, 1);
	queue_add(&q, STR("b"), 0, 2);
	queue_add(&q, STR("c"), 10, 3);
	queue_add(&q, STR("d"), 10, 4);
	queue_remove(&q, STR("d"));
	expect_take(&q, 5, "c");
	expect_take(&q, 5, "a");
	expect_take(&q, 5, "b");
	expect_take(&q, 5, "nothing");
	queue_fini(&q);
}

TEST(queue_backs_off_from_1_to_10_seconds)
{
	static const int64_t delays_s[] = {1, 2, 4, 8, 10, 10};
	struct queue q;
	int64_t now = 0;

	queue_init(&q);
	queue_add(&q, STR("a"), 0, 0);
	for (size_t i = 0; i < ARRAY_LEN(delays_s); i++) {
		expect_take(&q, now, "a");
		queue_fail(&q, STR("a"), 0, now);
		assert_int_equal(queue_next_ns(&q), now + delays_s[i] * S);
		expect_take(&q, now + delays_s[i] * S - 1, "nothing");
		now += delays_s[i] * S;
	}
	queue_fini(&q);
}

TEST(queue_wakes_only_for_the_events_that_were_named)
{
	struct queue q;

	queue_init(&q);
	queue_add(&q, STR("a"), 0, 0);
	expect_take(&q, 0, "a");
	queue_fail(&q, STR("a"), 4, 0);
	queue_event(&q, 2, 5 * S);
	expect_take(&q, 5 * S, "nothing");
	queue_event(&q, 4, 5 * S);
	expect_take(&q, 5 * S, "a");
	queue_fini(&q);
}

TEST(queue_keeps_the_back_off_when_an_event_comes_early)
{
	struct queue q;

	queue_init(&q);
	queue_add(&q, STR("a"), 0, 0);
	expect_take(&q, 0, "a");
	queue_fail(&q, STR("a"), 4, 0);
	queue_event(&q, 4, S / 2);
	expect_take(&q, S / 2, "nothing");
	expect_take(&q, S, "a");
	queue_fini(&q);
}

TEST(queue_retries_without_events_after_5_minutes)
{
	struct queue q;

	queue_init(&q);
	queue_add(&q, STR("a"), 0, 0);
	expect_take(&q, 0, "a");
	queue_fail(&q, STR("a"), 4, 0);
	assert_int_equal(queue_next_ns(&q), 300 * S);
	expect_take(&q, 299 * S, "nothing");
	expect_take(&q, 300 * S, "a");
	queue_fini(&q);
}

TEST(queue_forgets_a_removed_pod_even_while_it_is_taken)
{
	struct queue q;

	queue_init(&q);
	queue_add(&q, STR("a"), 0, 0);
	expect_take(&q, 0, "a");
	queue_remove(&q, STR("a"));
	queue_fail(&q, STR("a"), 0, 0);
	assert_int_equal(queue_next_ns(&q), INT64_MAX);
	queue_fini(&q);
}

TEST_MAIN(queue_gives_the_highest_priority_then_the_oldest, queue_backs_off_from_1_to_10_seconds,
	  queue_wakes_only_for_the_events_that_were_named,
	  queue_keeps_the_back_off_when_an_event_comes_early,
	  queue_retries_without_events_after_5_minutes,
	  queue_forgets_a_removed_pod_even_while_it_is_taken)
