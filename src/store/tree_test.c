/* SPDX-License-Identifier: Apache-2.0 */
#include "store/tree.h"

#include "base/test.h"
#include "env/sim_env.h"
#include "store/keys.h"

enum { NODES = 500 };

/* Depth of the subtree; checks sizes, parents and the balance on the way. */
static size_t check(const struct tree_node *node)
{
	size_t left, right, wl, wr;

	if (!node) {
		return 0;
	}
	assert_true(!node->left || node->left->parent == node);
	assert_true(!node->right || node->right->parent == node);
	wl = node->left ? node->left->size + 1 : 1;
	wr = node->right ? node->right->size + 1 : 1;
	assert_int_equal(node->size + 1, wl + wr);
	assert_true(wl <= 3 * wr && wr <= 3 * wl);
	left = check(node->left);
	right = check(node->right);
	return 1 + MAX(left, right);
}

static void check_order(const struct store_keys *keys, const bool *has, const bool *live)
{
	struct store_key *key = store_keys_from(keys, STR_NULL);
	size_t n = 0, nlive = 0;
	char name[16];

	for (int i = 0; i < NODES; i++) {
		snprintf(name, sizeof(name), "%03d", i);
		assert_int_equal(store_keys_live_before(keys, str_of(name)), nlive);
		if (has[i]) {
			assert_non_null(key);
			EXPECT_STR(store_key_str(key), name);
			assert_true(key == store_keys_find(keys, str_of(name)));
			key = store_keys_next(key);
			n++;
			nlive += live[i];
		} else {
			assert_null(store_keys_find(keys, str_of(name)));
		}
	}
	assert_null(key);
	assert_int_equal(store_keys_live_before(keys, STR_NULL), nlive);
	assert_int_equal(keys->tree.root ? keys->tree.root->size : 0, n);
}

TEST(random_insertions_and_removals_keep_order_counts_and_balance)
{
	struct store_keys keys;
	bool has[NODES] = {0}, live[NODES] = {0};
	uint64_t seed = 11;
	struct store_value *value = store_value_new(STR("x"), STORE_NO_ROOM);

	store_keys_init(&keys);
	for (int step = 0; step < 20000; step++) {
		int i = (int)(sim_random(&seed) % NODES);
		bool grow = sim_random(&seed) % 100 < (step < 8000 ? 70U : 40U);
		char name[16];
		struct store_key *key;

		snprintf(name, sizeof(name), "%03d", i);
		if (grow) {
			key = store_keys_find_or_add(&keys, str_of(name));
			live[i] = sim_random(&seed) % 2;
			has[i] = true;
			(void)store_key_set_durable(&keys, key, live[i] ? value : NULL);
		} else if ((key = store_keys_find(&keys, str_of(name)))) {
			(void)store_key_set_durable(&keys, key, NULL);
			store_keys_drop(&keys, key);
			has[i] = live[i] = false;
		}
		if (step % 100 == 0) {
			assert_true(check(keys.tree.root) < 25);
			check_order(&keys, has, live);
		}
	}
	store_keys_fini(&keys);
	store_value_unref(value);
}

TEST(sorted_insertions_stay_shallow)
{
	struct store_keys keys;
	char name[16];

	store_keys_init(&keys);
	for (int i = 0; i < 100000; i++) {
		snprintf(name, sizeof(name), "%06d", i);
		store_keys_find_or_add(&keys, str_of(name));
	}
	assert_true(check(keys.tree.root) <= 24);
	/* The oldest go first, as events do. */
	for (int i = 0; i < 99000; i++) {
		snprintf(name, sizeof(name), "%06d", i);
		store_keys_drop(&keys, store_keys_find(&keys, str_of(name)));
	}
	assert_true(check(keys.tree.root) <= 14);
	store_keys_fini(&keys);
}

TEST_MAIN(random_insertions_and_removals_keep_order_counts_and_balance,
	  sorted_insertions_stay_shallow)
