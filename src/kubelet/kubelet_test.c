/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "base/test.h"
#include "kubelet/kubelet_internal.h"

TEST(backoff_doubles_from_10_to_300_s_and_is_forgotten_after_10_min)
{
	static const int64_t want_s[] = {10, 20, 40, 80, 160, 300, 300};
	struct backoff b = {0};
	int64_t now = 1000 * NS_PER_SEC;

	assert_int_equal(backoff_left(&b, now, now), 0);
	for (size_t i = 0; i < ARRAY_LEN(want_s); i++) {
		backoff_next(&b, now);
		assert_int_equal(backoff_left(&b, now, now), want_s[i] * NS_PER_SEC);
		now += want_s[i] * NS_PER_SEC;
	}
	now += 601 * NS_PER_SEC;
	assert_int_equal(backoff_left(&b, now, now), 0);
	backoff_next(&b, now);
	assert_int_equal(b.delay_ns, 10 * NS_PER_SEC);
}

TEST(env_expands_what_is_known_and_leaves_the_rest)
{
	static const struct {
		const char *in, *out;
	} cases[] = {{"a $(X) b", "a 1 b"},
		     {"$$(X)", "$(X)"},
		     {"$(NO)", "$(NO)"},
		     {"$(X", "$(X"},
		     {"$", "$"},
		     {"$X", "$X"},
		     {"", ""},
		     {"$(X)$(Y)", "12"}};
	struct runtime_pair pairs[] = {
		{STR("X"), STR("0")}, {STR("X"), STR("1")}, {STR("Y"), STR("2")}};
	struct env_list vars = {pairs, 3};
	struct arena a CLEANUP_ARENA = {0};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		EXPECT_STR(env_expand(&a, str_of(cases[i].in), &vars), cases[i].out);
	}
}

TEST_MAIN(backoff_doubles_from_10_to_300_s_and_is_forgotten_after_10_min,
	  env_expands_what_is_known_and_leaves_the_rest)
