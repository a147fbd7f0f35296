/* SPDX-License-Identifier: Apache-2.0 */
/* store/conformance_watch.c: what watches see, and what callbacks may do. */
#include "base/cleanup.h"
#include "store/conformance_internal.h"

TEST(watch_shows_changes_with_what_was_before)
{
	struct world w = world_start(state);
	struct seen now = {0}, past = {0}, narrow = {0};

	conf_must(COMMIT(&w, op_put("a", "1", 0)));
	world_watch(&w, &now, STR("a"), STR("b"), 2);
	conf_must(COMMIT(&w, op_put("a", "2", 2), op_put("c", "x", 0)));
	conf_must(COMMIT(&w, op_delete("a", 3)));
	world_watch(&w, &past, STR("a"), STR_NULL, 1);
	world_watch(&w, &narrow, STR("c"), STR("c\0"), 1);
	conf_must(COMMIT(&w, op_put("a", "5", 0)));
	sim_env_run_until_idle(w.sim);
	EXPECT_STR(buf_str(&now.text), "3 a=2(was 1) | 4 a(was 2) | 5 a=5 | ");
	assert_int_equal(past.n, 5);
	assert_non_null(strstr(buf_cstr(&past.text), "2 a=1 3 a=2(was 1) 3 c=x 4 a(was 2) "));
	assert_non_null(strstr(buf_cstr(&past.text), "5 a=5 "));
	EXPECT_STR(buf_str(&narrow.text), "3 c=x | ");
	conf_seen_fini(&now);
	conf_seen_fini(&past);
	conf_seen_fini(&narrow);
	world_free(&w);
}

TEST(watch_of_the_future_is_refused_and_of_the_lost_past_ended)
{
	struct world w = world_new(state);
	struct seen s = {0};

	world_open(&w, (struct store_opts){.history_ns = NS_PER_SEC});
	conf_must(COMMIT(&w, op_put("a", "1", 0)));
	sim_env_advance(w.sim, 2 * NS_PER_SEC);
	conf_must(COMMIT(&w, op_put("a", "2", -1)));
	assert_int_equal(world_try_watch(&w, &s, STR(""), STR_NULL, 4), ERR_FUTURE);
	world_watch(&w, &s, STR(""), STR_NULL, 1);
	assert_int_equal(s.ended, 0);
	sim_env_run_until_idle(w.sim);
	assert_int_equal(s.ended, ERR_COMPACTED);
	assert_int_equal(s.n, 0);
	conf_seen_fini(&s);
	world_watch(&w, &s, STR(""), STR_NULL, 2);
	sim_env_run_until_idle(w.sim);
	EXPECT_STR(buf_str(&s.text), "3 a=2(was 1) | ");
	conf_seen_fini(&s);
	world_free(&w);
}

static void stop_both(struct seen *s)
{
	store_watch_stop(STEAL(s->watch));
	store_watch_stop(STEAL(s->victim));
}

TEST(watch_may_stop_itself_and_others_inside_a_callback)
{
	struct world w = world_start(state);
	struct seen first = {0}, same = {0}, other = {0};

	for (int past = 0; past < 2; past++) {
		int64_t head = store_revision(w.store).n;

		if (past) {
			conf_must(COMMIT(&w, op_put("a", "0", -1)));
		}
		world_watch(&w, &first, STR("a"), STR("b"), head);
		world_watch(&w, &same, STR("a"), STR("b"), head);
		world_watch(&w, &other, STR("a"), STR("c"), head);
		first.react = stop_both;
		first.victim = STEAL(same.watch);
		conf_must(COMMIT(&w, op_put("a", "1", -1)));
		conf_must(COMMIT(&w, op_put("a", "2", -1)));
		sim_env_run_until_idle(w.sim);
		assert_in_range(first.n, 1, 1 + past);
		assert_int_equal(same.n, 0);
		assert_int_equal(other.n, 2 + past);
		conf_seen_fini(&first);
		conf_seen_fini(&same);
		conf_seen_fini(&other);
	}
	world_free(&w);
}

struct late_start {
	struct seen first, late,
		next; /* late is started by first, next stands behind first in its group */
	struct world *w;
};

static void start_late(struct seen *s)
{
	struct late_start *l =
		(struct late_start *)((char *)s - offsetof(struct late_start, first));

	if (!l->late.watch) {
		world_watch(l->w, &l->late, STR("a"), STR("b"), store_revision(s->store).n);
	}
}

TEST(watch_started_inside_a_callback_sees_only_later_changes)
{
	struct world w = world_start(state);
	struct late_start l = {.w = &w};

	l.first.react = start_late;
	world_watch(&w, &l.first, STR("a"), STR("b"), 1);
	world_watch(&w, &l.next, STR("a"), STR("b"), 1);
	conf_must(COMMIT(&w, op_put("a", "1", -1)));
	assert_non_null(l.late.watch);
	assert_int_equal(l.late.n, 0);
	conf_must(COMMIT(&w, op_put("a", "2", -1)));
	EXPECT_STR(buf_str(&l.late.text), "3 a=2(was 1) | ");
	assert_int_equal(l.next.n, 2);
	conf_seen_fini(&l.first);
	conf_seen_fini(&l.late);
	conf_seen_fini(&l.next);
	world_free(&w);
}

struct chain {
	struct world *w;
	int left;
	struct answer last;
};

static void commit_next(void *ctx, const struct store_result *result)
{
	struct chain *c = ctx;
	struct store_op op = op_put("chain", "x", result->revision.n);

	assert_int_equal(result->code, 0);
	if (--c->left > 0) {
		store_commit(c->w->store, &op, 1, commit_next, c);
	} else {
		c->last.store = c->w->store;
		store_commit(c->w->store, &op, 1, conf_on_done, &c->last);
	}
}

static void commit_more(struct seen *s)
{
	if (s->n < 5) {
		struct store_op op = op_put("w", "from a watch", -1);

		*s->answer = (struct answer){.store = s->store};
		store_commit(s->store, &op, 1, conf_on_done, s->answer);
	}
}

TEST(callbacks_may_commit)
{
	struct world w = world_start(state);
	struct chain c = {.w = &w, .left = 5};
	struct answer inner = {0};
	struct seen s = {0};
	struct store_op op = op_put("chain", "x", 0);

	store_commit(w.store, &op, 1, commit_next, &c);
	while (!c.last.done) {
		world_turn(&w);
	}
	assert_int_equal(c.last.revision, 7);
	world_watch(&w, &s, STR("w"), STR_NULL, 7);
	s.react = commit_more;
	s.answer = &inner;
	conf_must(COMMIT(&w, op_put("w", "first", 0)));
	while (s.n < 5) {
		world_turn(&w);
	}
	assert_int_equal(store_revision(w.store).n, 12);
	conf_seen_fini(&s);
	world_free(&w);
}

enum { LONG_OPS = 15 /* so that parts of history do not end with a transaction by chance */ };

TEST(long_history_is_read_in_parts_without_gap_while_writes_go_on)
{
	struct world w = world_start(state);
	struct answer *answers = mem_new_array(400, sizeof(*answers));
	struct seen s = {0};
	size_t turns = 0;

	for (int i = 0; i < 400; i++) {
		struct store_op ops[LONG_OPS];
		char names[LONG_OPS][16];

		for (int j = 0; j < LONG_OPS; j++) {
			snprintf(names[j], sizeof(names[j]), "%d", j);
			ops[j] = op_put(names[j], "x", -1);
		}
		world_commit_later(&w, ops, LONG_OPS, &answers[i]);
	}
	while (!answers[399].done) {
		world_turn(&w);
	}
	world_watch(&w, &s, STR("1"), STR("2"), 1); /* 1, 10..14 */
	for (int i = 0; s.n < 400 * 6 + 100; i++) {
		if (i < 100) {
			conf_must(COMMIT(&w, op_put("1", "y", -1)));
		} else {
			world_turn(&w);
		}
		turns++;
		assert_true(turns < 10000);
	}
	sim_env_run_until_idle(w.sim);
	assert_int_equal(s.n, 400 * 6 + 100);
	assert_int_equal(s.last, store_revision(w.store).n);
	conf_seen_fini(&s);
	mem_free(answers);
	world_free(&w);
}

enum { RANDOM_WATCHES = 60, RANDOM_KEYS = 40 };

TEST(each_watch_gets_what_its_range_holds)
{
	struct world w = world_start(state);
	struct seen *seen = mem_new_array(RANDOM_WATCHES, sizeof(*seen));
	struct buf *want = mem_new_array(RANDOM_WATCHES, sizeof(*want));
	char from[RANDOM_WATCHES][16], to[RANDOM_WATCHES][16];
	uint64_t seed = 99;

	for (int i = 0; i < RANDOM_WATCHES; i++) {
		snprintf(from[i], sizeof(from[i]), "%02d", (int)(sim_random(&seed) % RANDOM_KEYS));
		snprintf(to[i], sizeof(to[i]), "%02d",
			 (int)(sim_random(&seed) % (RANDOM_KEYS + 5)));
		world_watch(&w, &seen[i], str_of(from[i]), i % 7 ? str_of(to[i]) : STR_NULL, 1);
	}
	for (int n = 0; n < 400; n++) {
		char key[16];
		int64_t revision;
		int gone = (int)(sim_random(&seed) % (RANDOM_WATCHES * 20));

		snprintf(key, sizeof(key), "%02d", (int)(sim_random(&seed) % RANDOM_KEYS));
		revision = conf_must(COMMIT(&w, op_put(key, "v", -1)));
		for (int i = 0; i < RANDOM_WATCHES; i++) {
			if (seen[i].watch && strcmp(from[i], key) <= 0 &&
			    (i % 7 == 0 || strcmp(key, to[i]) < 0)) {
				buf_printf(&want[i], "%d %s=v", (int)revision, key);
			}
		}
		if (gone < RANDOM_WATCHES) {
			store_watch_stop(STEAL(seen[gone].watch));
		}
	}
	for (int i = 0; i < RANDOM_WATCHES; i++) {
		struct str rest = buf_str(&want[i]);
		size_t n = 0;

		for (struct str part; rest.n && str_cut(&rest, 'v', &part);) {
			n++;
		}
		assert_int_equal(seen[i].n, n);
		buf_fini(&want[i]);
		conf_seen_fini(&seen[i]);
	}
	mem_free(seen);
	mem_free(want);
	world_free(&w);
}

void conformance_add_watch(struct conformance_cases *cases)
{
	ADD_CASE(cases, watch_shows_changes_with_what_was_before);
	ADD_CASE(cases, watch_of_the_future_is_refused_and_of_the_lost_past_ended);
	ADD_CASE(cases, watch_may_stop_itself_and_others_inside_a_callback);
	ADD_CASE(cases, watch_started_inside_a_callback_sees_only_later_changes);
	ADD_CASE(cases, callbacks_may_commit);
	ADD_CASE(cases, long_history_is_read_in_parts_without_gap_while_writes_go_on);
	ADD_CASE(cases, each_watch_gets_what_its_range_holds);
}
