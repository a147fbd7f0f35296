/* SPDX-License-Identifier: Apache-2.0 */
/* base/test.h: unit tests on cmocka. One x_test.c is one program; it ends with TEST_MAIN(test_a, test_b, ...).
 *     TEST(arena_aligns_to_16) { ... assert_int_equal(...); EXPECT_STR(s, "x"); }
 *     TEST_MAIN(arena_aligns_to_16)
 * A test that is not in the list does not compile (unused function). An argument runs only the cases whose name contains it. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
/* cmocka needs the four above first */
#include <cmocka.h>

#include "base/str.h"

#define TEST(name) static void name(void **state UNUSED)

#define EXPECT_STR(got, want)                                                                      \
	do {                                                                                       \
		struct str got_ = (got);                                                           \
		struct str want_ = str_of(want);                                                   \
		if (!str_eq(got_, want_)) {                                                        \
			print_error("got  '%.*s'\nwant '%.*s'\n", STR_ARG(got_), STR_ARG(want_));  \
			fail();                                                                    \
		}                                                                                  \
	} while (0)

#define TEST_ONE(name) cmocka_unit_test(name),
/* A list of any length, by repeated expansion. */
#define TEST_PARENS ()
#define TEST_EXPAND(...) TEST_EXPAND4(TEST_EXPAND4(TEST_EXPAND4(TEST_EXPAND4(__VA_ARGS__))))
#define TEST_EXPAND4(...) TEST_EXPAND3(TEST_EXPAND3(TEST_EXPAND3(TEST_EXPAND3(__VA_ARGS__))))
#define TEST_EXPAND3(...) TEST_EXPAND2(TEST_EXPAND2(TEST_EXPAND2(TEST_EXPAND2(__VA_ARGS__))))
#define TEST_EXPAND2(...) TEST_EXPAND1(TEST_EXPAND1(TEST_EXPAND1(TEST_EXPAND1(__VA_ARGS__))))
#define TEST_EXPAND1(...) __VA_ARGS__
#define TEST_EACH(a, ...) TEST_ONE(a) __VA_OPT__(TEST_EACH_AGAIN TEST_PARENS(__VA_ARGS__))
#define TEST_EACH_AGAIN() TEST_EACH

#define TEST_MAIN(...)                                                                             \
	int main(int argc, char **argv)                                                            \
	{                                                                                          \
		const struct CMUnitTest tests[] = {TEST_EXPAND(TEST_EACH(__VA_ARGS__))};           \
		char pattern[256];                                                                 \
		if (argc > 1) {                                                                    \
			snprintf(pattern, sizeof(pattern), "*%s*", argv[1]);                       \
			cmocka_set_test_filter(pattern);                                           \
		}                                                                                  \
		return cmocka_run_group_tests_name(argv[0], tests, NULL, NULL);                    \
	}
