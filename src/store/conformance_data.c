/* SPDX-License-Identifier: Apache-2.0 */
/* store/conformance_data.c: writes, and reads of the present and the past. */
#include "base/cleanup.h"
#include "store/conformance_internal.h"

TEST(creates_updates_and_deletes_as_expected)
{
	struct world w = world_start(state);
	int64_t first, second;

	assert_int_equal(store_revision(w.store).n, 1);
	first = conf_must(COMMIT(&w, op_put("a", "one", 0)));
	assert_int_equal(first, 2);
	conf_expect_text(store_get(w.store, STR("a")), "one");
	second = conf_must(COMMIT(&w, op_put("a", "two", first)));
	conf_expect_text(store_get(w.store, STR("a")), "two");
	assert_int_equal(store_get(w.store, STR("a"))->create_revision.n, first);
	assert_int_equal(store_get(w.store, STR("a"))->mod_revision.n, second);
	assert_int_equal(store_get(w.store, STR("a"))->version, 2);
	conf_must(COMMIT(&w, op_put("a", "three", -1)));
	conf_must(COMMIT(&w, op_delete("a", -1)));
	conf_expect_text(store_get(w.store, STR("a")), NULL);
	conf_must(COMMIT(&w, op_put("a", "new", 0)));
	assert_int_equal(store_get(w.store, STR("a"))->version, 1);
	assert_int_equal(store_get(w.store, STR("a"))->create_revision.n, 6);
	world_free(&w);
}

TEST(failed_comparison_changes_nothing_and_tells_what_it_met)
{
	struct world w = world_start(state);
	int64_t first = conf_must(COMMIT(&w, op_put("a", "one", 0)));
	struct answer a = COMMIT(&w, op_put("b", "x", 0), op_put("a", "two", first + 5));

	assert_int_equal(a.code, ERR_CONFLICT);
	assert_int_equal(a.failed_op, 1);
	assert_string_equal(a.current, "one");
	conf_expect_text(store_get(w.store, STR("b")), NULL);
	a = COMMIT(&w, op_put("c", "x", 7));
	assert_int_equal(a.code, ERR_CONFLICT);
	assert_string_equal(a.current, "");
	assert_int_equal(COMMIT(&w, op_put("a", "two", 0)).code, ERR_CONFLICT);
	assert_int_equal(COMMIT(&w, op_delete("a", first + 1)).code, ERR_CONFLICT);
	assert_int_equal(store_revision(w.store).n, first);
	world_free(&w);
}

TEST(conflict_is_answered_after_what_it_met_is_durable)
{
	struct world w = world_start(state);
	struct answer a, b;
	struct store_op ops[] = {op_put("a", "one", 0)};
	struct store_op late[] = {op_put("a", "late", 0)};

	world_commit_later(&w, ops, 1, &a);
	world_commit_later(&w, late, 1, &b);
	while (!b.done) {
		world_turn(&w);
	}
	assert_true(a.done);
	assert_int_equal(b.code, ERR_CONFLICT);
	assert_string_equal(b.current, "one");
	assert_int_equal(b.durable, a.revision);
	world_free(&w);
}

TEST(refusal_does_not_wait_for_a_batch_that_it_did_not_see)
{
	struct world w = world_start(state);
	struct answer a, refused, later;
	struct store_op first[] = {op_put("a", "one", 0)};
	struct store_op bad[] = {op_check("a", 77)};
	struct store_op next[] = {op_put("b", "x", 0)};

	world_commit_later(&w, first, 1, &a);
	sim_env_turn(w.sim); /* it is on its way */
	world_commit_later(&w, bad, 1, &refused);
	world_commit_later(&w, next, 1, &later);
	while (!a.done) {
		world_turn(&w);
	}
	assert_true(refused.done);
	assert_int_equal(refused.code, ERR_CONFLICT);
	assert_false(later.done);
	while (!later.done) {
		world_turn(&w);
	}
	world_free(&w);
}

TEST(transaction_changes_all_its_keys_at_one_revision)
{
	struct world w = world_start(state);
	struct seen s = {0};
	struct store_op ops[STORE_TXN_MAX];
	char names[STORE_TXN_MAX][16];
	int64_t revision;

	conf_must(COMMIT(&w, op_put("k03", "old", 0)));
	world_watch(&w, &s, STR("k"), STR("l"), store_revision(w.store).n);
	for (int i = 0; i < STORE_TXN_MAX; i++) {
		snprintf(names[i], sizeof(names[i]), "k%02d", i);
		ops[i] = i == 3 ? op_delete(names[i], -1) : op_put(names[i], "v", -1);
	}
	revision = conf_must(world_commit(&w, ops, STORE_TXN_MAX));
	for (int i = 0; i < STORE_TXN_MAX; i++) {
		const struct store_value *value = store_get(w.store, str_of(names[i]));

		assert_true(i == 3 ? !value : value->mod_revision.n == revision);
	}
	assert_int_equal(store_count(w.store, STR("k"), STR("l")), STORE_TXN_MAX - 1);
	assert_int_equal(s.n, STORE_TXN_MAX);
	assert_int_equal(str_find(buf_str(&s.text), STR("|")), s.text.n - 2); /* one call */
	conf_seen_fini(&s);
	world_free(&w);
}

TEST(checks_and_empty_deletions_get_no_revision)
{
	struct world w = world_start(state);
	int64_t first = conf_must(COMMIT(&w, op_put("a", "one", 0)));

	assert_int_equal(conf_must(COMMIT(&w, op_check("a", first), op_check("b", 0))), first);
	assert_int_equal(conf_must(COMMIT(&w, op_delete("b", -1))), first);
	assert_int_equal(COMMIT(&w, op_check("a", 1)).code, ERR_CONFLICT);
	assert_int_equal(COMMIT(&w, op_check("a", first + 1), op_put("b", "x", 0)).code,
			 ERR_CONFLICT);
	assert_int_equal(conf_must(COMMIT(&w, op_check("a", first), op_put("b", "x", 0))),
			 first + 1);
	world_free(&w);
}

TEST(what_is_no_transaction_is_refused)
{
	struct world w = world_start(state);
	struct store_op many[STORE_TXN_MAX + 1];
	struct store_value *big = store_value_new_empty(STORE_VALUE_MAX + 1, STORE_NO_ROOM);
	char *long_key CLEANUP_FREE = mem_new(STORE_KEY_MAX + 1);

	memset(big->bytes, 'x', big->n);
	memset(long_key, 'k', STORE_KEY_MAX + 1);
	for (int i = 0; i <= STORE_TXN_MAX; i++) {
		many[i] = op_put("k", "v", -1);
	}
	assert_int_equal(world_commit(&w, many, STORE_TXN_MAX + 1).code, ERR_LIMIT);
	assert_int_equal(world_commit(&w, NULL, 0).code, ERR_LIMIT);
	assert_int_equal(COMMIT(&w, op_put("", "x", 0)).code, ERR_LIMIT);
	assert_int_equal(
		COMMIT(&w, ((struct store_op){STORE_DELETE, str_make(long_key, STORE_KEY_MAX + 1),
					      NULL, STORE_ANY}))
			.code,
		ERR_LIMIT);
	assert_int_equal(COMMIT(&w, ((struct store_op){STORE_PUT, STR("a"), big, STORE_ANY})).code,
			 ERR_LIMIT);
	assert_int_equal(COMMIT(&w, op_put("a", "x", 0), op_put("a", "y", 0)).code, ERR_INVALID);
	assert_int_equal(store_revision(w.store).n, 1);
	conf_must(COMMIT(&w, ((struct store_op){STORE_PUT, str_make(long_key, STORE_KEY_MAX),
						store_value_new(STR(""), 0), STORE_ANY})));
	world_free(&w);
}

TEST(peek_sees_queued_writes_and_get_does_not)
{
	struct world w = world_start(state);
	struct answer a, b;
	struct store_op one[] = {op_put("a", "one", 0), op_put("b", "b", 0)};
	struct store_op two[] = {op_put("a", "two", 2), op_delete("b", 2)};
	struct seen s = {0};

	world_watch(&w, &s, STR("a"), STR_NULL, 1);
	world_commit_later(&w, one, 2, &a);
	conf_expect_text(store_peek(w.store, STR("a")), "one");
	world_commit_later(&w, two, 2, &b);
	conf_expect_text(store_peek(w.store, STR("a")), "two");
	conf_expect_text(store_peek(w.store, STR("b")), NULL);
	assert_int_equal(store_peek(w.store, STR("a"))->mod_revision.n, 3);
	conf_expect_text(store_get(w.store, STR("a")), NULL);
	conf_expect_text(store_get(w.store, STR("b")), NULL);
	assert_int_equal(store_revision(w.store).n, 1);
	world_expect_range(&w, STR(""), STR_NULL, 0, "");
	while (!b.done) {
		world_turn(&w);
	}
	conf_expect_text(store_get(w.store, STR("a")), "two");
	conf_expect_text(store_peek(w.store, STR("a")), "two");
	EXPECT_STR(str_sub(buf_str(&s.text), 0, 28), "2 a=one 2 b=b 3 a=two(was on");
	conf_seen_fini(&s);
	world_free(&w);
}

TEST(revision_is_filled_into_the_text)
{
	struct world w = world_start(state);

	while (store_revision(w.store).n < 130) {
		struct buf want CLEANUP_BUF = {0};
		int64_t r = store_revision(w.store).n + 1;
		struct store_op op = {STORE_PUT, STR("a"),
				      store_value_new(STR("{\"r\":\"\",\"x\":1}"), 6), STORE_ANY};

		buf_printf(&want, "{\"r\":\"%d\",\"x\":1}", (int)r);
		assert_int_equal(conf_must(world_commit(&w, &op, 1)), r);
		conf_expect_text(store_get(w.store, STR("a")), buf_cstr(&want));
	}
	conf_must(COMMIT(
		&w,
		((struct store_op){STORE_PUT, STR("start"), store_value_new(STR("x"), 0),
				   STORE_ANY}),
		((struct store_op){STORE_PUT, STR("end"), store_value_new(STR("x"), 1), STORE_ANY}),
		((struct store_op){STORE_PUT, STR("all"), store_value_new(STR(""), 0),
				   STORE_ANY})));
	conf_expect_text(store_get(w.store, STR("start")), "131x");
	conf_expect_text(store_get(w.store, STR("end")), "x131");
	conf_expect_text(store_get(w.store, STR("all")), "131");
	world_free(&w);
}

TEST(range_is_ordered_and_bounded)
{
	struct world w = world_start(state);

	conf_must(COMMIT(&w, op_put("/pods/b/2", "4", 0), op_put("/pods/a/1", "1", 0),
			 op_put("/pods/b", "x", 0), op_put("/pods/a/2", "2", 0),
			 op_put("/pods/b/1", "3", 0), op_put("/nodes/n", "n", 0),
			 op_put("/pods/\xff", "5", 0), op_put("/podsx", "y", 0)));
	world_expect_range(
		&w, STR("/pods/"), STR("/pods0"), 0,
		"/pods/a/1=1 /pods/a/2=2 /pods/b=x /pods/b/1=3 /pods/b/2=4 /pods/\xff=5 ");
	world_expect_range(&w, STR("/pods/a/"), STR("/pods/a0"), 0, "/pods/a/1=1 /pods/a/2=2 ");
	world_expect_range(&w, STR("/pods/a/1\0"), STR("/pods/b/2"), 0,
			   "/pods/a/2=2 /pods/b=x /pods/b/1=3 ");
	world_expect_range(&w, STR("/podsx"), STR_NULL, 0, "/podsx=y ");
	world_expect_range(&w, STR("z"), STR("a"), 0, "");
	assert_int_equal(store_count(w.store, STR("/pods/"), STR("/pods0")), 6);
	assert_int_equal(store_count(w.store, STR("/pods/b/"), STR_NULL), 4);
	assert_int_equal(store_count(w.store, STR(""), STR_NULL), 8);
	assert_int_equal(store_count(w.store, STR("z"), STR("a")), 0);
	world_free(&w);
}

static bool stop_at_two(void *ctx, const struct store_item *item UNUSED)
{
	return ++*(int *)ctx < 2;
}

TEST(range_stops_when_told)
{
	struct world w = world_start(state);
	int n = 0;

	conf_must(COMMIT(&w, op_put("a", "", 0), op_put("b", "", 0), op_put("c", "", 0)));
	assert_int_equal(
		store_range(w.store, STR(""), STR_NULL, (struct revision){0}, stop_at_two, &n), 0);
	assert_int_equal(n, 2);
	world_free(&w);
}

TEST(the_past_can_be_read)
{
	struct world w = world_start(state);
	const struct store_value *value = NULL;

	conf_must(COMMIT(&w, op_put("a", "a2", 0), op_put("b", "b2", 0)));
	conf_must(COMMIT(&w, op_put("a", "a3", 2)));
	conf_must(COMMIT(&w, op_delete("b", 2)));
	conf_must(COMMIT(&w, op_put("a", "a5", 3), op_put("c", "c5", 0)));
	world_expect_range(&w, STR(""), STR_NULL, 1, "");
	world_expect_range(&w, STR(""), STR_NULL, 2, "a=a2 b=b2 ");
	world_expect_range(&w, STR(""), STR_NULL, 3, "a=a3 b=b2 ");
	world_expect_range(&w, STR(""), STR_NULL, 4, "a=a3 ");
	world_expect_range(&w, STR(""), STR_NULL, 5, "a=a5 c=c5 ");
	assert_int_equal(store_get_at(w.store, STR("b"), (struct revision){3}, &value), 0);
	conf_expect_text(value, "b2");
	assert_int_equal(store_get_at(w.store, STR("b"), (struct revision){4}, &value), 0);
	conf_expect_text(value, NULL);
	assert_int_equal(store_get_at(w.store, STR("zz"), (struct revision){4}, &value), 0);
	conf_expect_text(value, NULL);
	assert_int_equal(store_get_at(w.store, STR("a"), (struct revision){0}, &value), 0);
	conf_expect_text(value, "a5");
	assert_int_equal(store_get_at(w.store, STR("b"), (struct revision){6}, &value), ERR_FUTURE);
	assert_int_equal(
		store_range(w.store, STR(""), STR_NULL, (struct revision){6}, conf_add_item, NULL),
		ERR_FUTURE);
	world_free(&w);
}

TEST(history_ends_after_its_time)
{
	struct world w = world_new(state);
	const struct store_value *value = NULL;

	world_open(&w, (struct store_opts){.history_ns = 60 * NS_PER_SEC});
	conf_must(COMMIT(&w, op_put("a", "a2", 0), op_put("b", "b", 0)));
	sim_env_advance(w.sim, 50 * NS_PER_SEC);
	conf_must(COMMIT(&w, op_put("a", "a3", 2)));
	conf_must(COMMIT(&w, op_delete("b", 2)));
	sim_env_advance(w.sim, 30 * NS_PER_SEC);
	assert_int_equal(store_oldest(w.store).n, 2);
	world_expect_range(&w, STR(""), STR_NULL, 2, "a=a2 b=b ");
	assert_int_equal(store_get_at(w.store, STR("a"), (struct revision){1}, &value),
			 ERR_COMPACTED);
	sim_env_advance(w.sim, 60 * NS_PER_SEC);
	assert_int_equal(store_oldest(w.store).n, 4);
	assert_int_equal(
		store_range(w.store, STR(""), STR_NULL, (struct revision){3}, conf_add_item, NULL),
		ERR_COMPACTED);
	world_expect_range(&w, STR(""), STR_NULL, 4, "a=a3 ");
	assert_int_equal(sim_env_next_timer_mono_ns(w.sim), 0); /* nothing to wake up for */
	world_free(&w);
}

TEST(history_ends_at_its_size)
{
	struct world w = world_new(state);
	struct store_stats stats;

	world_open(&w, (struct store_opts){.history_bytes = 10000});
	for (int i = 0; i < 300; i++) {
		conf_must(COMMIT(&w, op_put("a", "some text of some length", -1),
				 op_put("b", "other text", -1)));
	}
	sim_env_run_until_idle(w.sim);
	store_get_stats(w.store, &stats);
	assert_in_range(stats.history_bytes, 5000, 10000);
	assert_int_equal(stats.keys, 2);
	assert_int_equal(stats.commits, 300);
	assert_true(store_oldest(w.store).n > 200 && store_oldest(w.store).n < 301);
	world_expect_range(&w, STR(""), STR_NULL, store_oldest(w.store).n,
			   "a=some text of some length b=other text ");
	world_free(&w);
}

void conformance_add_data(struct conformance_cases *cases)
{
	ADD_CASE(cases, creates_updates_and_deletes_as_expected);
	ADD_CASE(cases, failed_comparison_changes_nothing_and_tells_what_it_met);
	ADD_CASE(cases, conflict_is_answered_after_what_it_met_is_durable);
	ADD_CASE(cases, refusal_does_not_wait_for_a_batch_that_it_did_not_see);
	ADD_CASE(cases, transaction_changes_all_its_keys_at_one_revision);
	ADD_CASE(cases, checks_and_empty_deletions_get_no_revision);
	ADD_CASE(cases, what_is_no_transaction_is_refused);
	ADD_CASE(cases, peek_sees_queued_writes_and_get_does_not);
	ADD_CASE(cases, revision_is_filled_into_the_text);
	ADD_CASE(cases, range_is_ordered_and_bounded);
	ADD_CASE(cases, range_stops_when_told);
	ADD_CASE(cases, the_past_can_be_read);
	ADD_CASE(cases, history_ends_after_its_time);
	ADD_CASE(cases, history_ends_at_its_size);
}
