/* SPDX-License-Identifier: Apache-2.0 */
/* store/conformance_life.c: a random history against a model; close and restart. */
#include "base/cleanup.h"
#include "store/conformance_internal.h"

enum { MODEL_KEYS = 25, MODEL_STEPS = 600 };

struct model {
	/* values[r][k]: the number that key k has at revision r, 0: none */
	int (*values)[MODEL_KEYS];
	int64_t head;
};

static bool match_model(void *ctx, const struct store_item *item)
{
	int *left = ctx;
	int64_t k = 0, v = 0;

	assert_int_equal(str_to_int64(str_from(item->key, 1), &k), 0);
	assert_int_equal(str_to_int64(store_value_text(item->value), &v), 0);
	assert_int_equal(left[k], v);
	left[k] = 0;
	return true;
}

static void check_model(struct world *w, const struct model *m, int64_t at)
{
	int left[MODEL_KEYS];

	memcpy(left, m->values[at], sizeof(left));
	assert_int_equal(
		store_range(w->store, STR(""), STR_NULL, (struct revision){at}, match_model, left),
		0);
	for (int k = 0; k < MODEL_KEYS; k++) {
		assert_int_equal(left[k], 0);
	}
}

TEST(every_revision_of_a_random_history_reads_as_it_was)
{
	struct world w = world_start(state);
	struct model m = {.values = mem_new_array(MODEL_STEPS + 2, sizeof(*m.values)), .head = 1};
	uint64_t seed = 4;

	for (int i = 0; i < MODEL_STEPS; i++) {
		struct store_op ops[4];
		char names[4][16], texts[4][16];
		int base = (int)(sim_random(&seed) % MODEL_KEYS);
		size_t n = 1 + sim_random(&seed) % 4;
		int *next = m.values[m.head + 1];
		bool any = false;

		memcpy(next, m.values[m.head], sizeof(*m.values));
		for (size_t j = 0; j < n; j++) {
			int k = (base + (int)j * 7) % MODEL_KEYS;

			snprintf(names[j], sizeof(names[j]), "k%d", k);
			snprintf(texts[j], sizeof(texts[j]), "%d", i + 1);
			if (sim_random(&seed) % 3) {
				ops[j] = op_put(names[j], texts[j], -1);
				next[k] = i + 1;
				any = true;
			} else {
				ops[j] = op_delete(names[j], -1);
				any |= next[k] != 0;
				next[k] = 0;
			}
		}
		assert_int_equal(conf_must(world_commit(&w, ops, n)), m.head + any);
		m.head += any;
		check_model(&w, &m, m.head);
	}
	for (int64_t at = 1; at <= m.head; at += 13) {
		check_model(&w, &m, at);
	}
	if (w.backend->persists) {
		world_close(&w);
		world_open(&w, (struct store_opts){0});
		assert_int_equal(store_revision(w.store).n, m.head);
		for (int64_t at = 1; at <= m.head; at += 13) {
			check_model(&w, &m, at);
		}
	}
	mem_free(m.values);
	world_free(&w);
}

static void count_free(void *derived)
{
	++*(int *)derived;
}

TEST(derived_data_are_freed_once_with_the_value)
{
	struct world w = world_new(state);
	int freed[3] = {0};
	const struct store_value *held;

	world_open(&w, (struct store_opts){.history_ns = NS_PER_SEC});
	for (int i = 0; i < 3; i++) {
		struct store_op op = op_put("a", "x", i == 2 ? 99 : -1); /* the last one fails */

		op.value->derived = &freed[i];
		op.value->free_derived = count_free;
		(void)world_commit(&w, &op, 1);
	}
	assert_int_equal(freed[2], 1);
	assert_int_equal(freed[0], 0);
	sim_env_advance(w.sim, 2 * NS_PER_SEC);
	assert_int_equal(freed[0], 1);
	assert_int_equal(freed[1], 0);
	held = store_value_ref(store_get(w.store, STR("a")));
	world_close(&w);
	assert_int_equal(freed[1], 0);
	store_value_unref(held);
	assert_int_equal(freed[1], 1);
	world_free(&w);
}

TEST(close_drains_what_is_queued_and_ends_watches)
{
	struct world w = world_start(state);
	struct answer a[50], late;
	struct seen live = {0}, reading = {0};
	bool closed = false;
	struct store_op after = op_put("late", "x", -1);

	conf_must(COMMIT(&w, op_put("a", "x", 0)));
	world_watch(&w, &live, STR(""), STR_NULL, 2);
	for (int i = 0; i < 50; i++) {
		struct store_op op = op_put("a", "x", 2 + i);

		world_commit_later(&w, &op, 1, &a[i]);
	}
	world_watch(&w, &reading, STR(""), STR_NULL, 1);
	store_close(w.store, conf_set_true, &closed);
	world_commit_later(&w, &after, 1, &late);
	while (!closed) {
		world_turn(&w);
	}
	for (int i = 0; i < 50; i++) {
		assert_true(a[i].done);
		assert_int_equal(a[i].code, 0);
	}
	assert_int_equal(late.code, ERR_CLOSED);
	assert_int_equal(live.ended, ERR_CLOSED);
	assert_int_equal(reading.ended, ERR_CLOSED);
	assert_int_equal(live.n, 50);
	conf_seen_fini(&live);
	conf_seen_fini(&reading);
	w.store = NULL;
	if (w.backend->persists) {
		world_open(&w, (struct store_opts){0});
		assert_int_equal(store_revision(w.store).n, 52);
		conf_expect_text(store_get(w.store, STR("late")), NULL);
	}
	world_free(&w);
}

TEST(meta_values_are_kept_beside_the_data)
{
	struct world w = world_start(state);
	struct str got;

	assert_int_equal(store_meta_get(w.store, STR("schema"), &got), ERR_NOT_FOUND);
	assert_int_equal(store_meta_put(w.store, STR("schema"), STR("1"), NULL), 0);
	assert_int_equal(store_meta_put(w.store, STR("schema"), STR("2"), NULL), 0);
	assert_int_equal(store_meta_put(w.store, STR("empty"), STR(""), NULL), 0);
	for (int again = 0; again <= w.backend->persists; again++) {
		if (again) {
			world_close(&w);
			world_open(&w, (struct store_opts){0});
		}
		assert_int_equal(store_meta_get(w.store, STR("schema"), &got), 0);
		EXPECT_STR(got, "2");
		assert_int_equal(store_meta_get(w.store, STR("empty"), &got), 0);
		EXPECT_STR(got, "");
		assert_int_equal(store_revision(w.store).n, 1);
	}
	world_free(&w);
}

TEST(restart_keeps_everything_and_watches_resume)
{
	struct world w = world_new(state);
	unsigned char uid[16], again[16];
	struct seen s = {0};
	const struct store_value *value = NULL;

	if (!w.backend->persists) {
		world_free(&w);
		return;
	}
	world_open(&w, (struct store_opts){.history_ns = 60 * NS_PER_SEC});
	store_cluster_uid(w.store, uid);
	conf_must(COMMIT(
		&w,
		((struct store_op){STORE_PUT, STR("a"), store_value_new(STR("[]"), 1), STORE_ANY}),
		op_put("b", "b2", 0)));
	conf_must(COMMIT(&w, op_put("a", "a3", 2)));
	conf_must(COMMIT(&w, op_delete("b", 2)));
	world_close(&w);
	world_open(&w, (struct store_opts){.history_ns = 60 * NS_PER_SEC});
	store_cluster_uid(w.store, again);
	assert_memory_equal(uid, again, 16);
	assert_int_equal(store_revision(w.store).n, 4);
	assert_int_equal(store_get(w.store, STR("a"))->create_revision.n, 2);
	assert_int_equal(store_get(w.store, STR("a"))->version, 2);
	world_expect_range(&w, STR(""), STR_NULL, 2, "a=[2] b=b2 ");
	assert_int_equal(store_get_at(w.store, STR("b"), (struct revision){3}, &value), 0);
	conf_expect_text(value, "b2");
	world_watch(&w, &s, STR(""), STR_NULL, 2);
	conf_must(COMMIT(&w, op_put("b", "b5", 0)));
	sim_env_run_until_idle(w.sim);
	EXPECT_STR(str_sub(buf_str(&s.text), 0, 27), "3 a=a3(was [2]) 4 b(was b2)");
	assert_int_equal(s.n, 3);
	conf_seen_fini(&s);
	/* History grows old while nobody runs. */
	world_close(&w);
	sim_env_advance(w.sim, 100 * NS_PER_SEC);
	world_open(&w, (struct store_opts){.history_ns = 60 * NS_PER_SEC});
	sim_env_run_until_idle(w.sim);
	assert_int_equal(store_oldest(w.store).n, 5);
	world_expect_range(&w, STR(""), STR_NULL, 5, "a=a3 b=b5 ");
	conf_must(COMMIT(&w, op_delete("a", -1)));
	conf_must(COMMIT(&w, op_delete("b", -1)));
	world_close(&w);
	sim_env_advance(w.sim, 100 * NS_PER_SEC);
	/* Nothing is left, but revisions do not begin again. */
	for (int i = 0; i < 2; i++) {
		world_open(&w, (struct store_opts){.history_ns = 60 * NS_PER_SEC});
		sim_env_run_until_idle(w.sim);
		assert_int_equal(store_revision(w.store).n, 7);
		world_expect_range(&w, STR(""), STR_NULL, 0, "");
		world_close(&w);
	}
	world_free(&w);
}

void conformance_add_life(struct conformance_cases *cases)
{
	ADD_CASE(cases, every_revision_of_a_random_history_reads_as_it_was);
	ADD_CASE(cases, derived_data_are_freed_once_with_the_value);
	ADD_CASE(cases, close_drains_what_is_queued_and_ends_watches);
	ADD_CASE(cases, meta_values_are_kept_beside_the_data);
	ADD_CASE(cases, restart_keeps_everything_and_watches_resume);
}
