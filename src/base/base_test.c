/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/map.h"
#include "base/test.h"
#include "base/vec.h"

TEST(str_cut_gives_every_part_and_ends)
{
	struct str rest = STR("a,,b");
	struct str head;

	assert_true(str_cut(&rest, ',', &head));
	EXPECT_STR(head, "a");
	assert_true(str_cut(&rest, ',', &head));
	EXPECT_STR(head, "");
	assert_true(str_cut(&rest, ',', &head));
	EXPECT_STR(head, "b");
	assert_false(str_cut(&rest, ',', &head));
}

TEST(numbers_are_read_to_their_limits)
{
	int64_t v = 0;

	assert_int_equal(str_to_int64(STR("-9223372036854775808"), &v), 0);
	assert_true(v == INT64_MIN);
	assert_int_equal(str_to_int64(STR("9223372036854775807"), &v), 0);
	assert_true(v == INT64_MAX);
	assert_int_equal(str_to_int64(STR("9223372036854775808"), &v), ERR_RANGE);
	assert_int_equal(str_to_int64(STR("-"), &v), ERR_INVALID);
	assert_int_equal(str_to_int64(STR("1x"), &v), ERR_INVALID);
	assert_true(v == INT64_MAX);
}

TEST(utf8_refuses_surrogates_and_overlong_forms)
{
	assert_true(str_is_utf8(STR("z\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80")));
	assert_false(str_is_utf8(STR("\xed\xa0\x80")));
	assert_false(str_is_utf8(STR("\xc0\xaf")));
	assert_false(str_is_utf8(STR("\xf4\x90\x80\x80")));
	assert_false(str_is_utf8(STR("\xe2\x82")));
}

TEST(arena_survives_clear_and_keeps_contents_apart)
{
	struct arena a CLEANUP_ARENA = {0};

	for (int round = 0; round < 3; round++) {
		char *blocks[100];

		for (size_t i = 0; i < ARRAY_LEN(blocks); i++) {
			blocks[i] = arena_alloc(&a, i * 97);
			assert_true((uintptr_t)blocks[i] % 16 == 0);
			memset(blocks[i], (int)i, i * 97);
		}
		for (size_t i = 0; i < ARRAY_LEN(blocks); i++) {
			for (size_t j = 0; j < i * 97; j++) {
				assert_int_equal((unsigned char)blocks[i][j], i);
			}
		}
		EXPECT_STR(arena_printf(&a, "%d-%s", round, "x"), round == 0   ? "0-x"
								  : round == 1 ? "1-x"
									       : "2-x");
		arena_clear(&a);
	}
}

TEST(map_keeps_insertion_order_over_growth_and_removal)
{
	struct map m;
	struct str key;
	void *value;
	size_t want = 1;

	map_init(&m, 0);
	for (size_t i = 0; i < 1000; i++) {
		char name[16];

		snprintf(name, sizeof(name), "k%zu", i);
		assert_null(map_put(&m, str_of(name), (void *)(i + 1)));
	}
	for (size_t i = 0; i < 1000; i += 2) {
		char name[16];

		snprintf(name, sizeof(name), "k%zu", i);
		assert_ptr_equal(map_remove(&m, str_of(name)), (void *)(i + 1));
		assert_null(map_find(&m, str_of(name)));
	}
	for (size_t i = 0; map_next(&m, &i, &key, &value);) {
		assert_int_equal((size_t)value, want + 1);
		want += 2;
	}
	assert_int_equal(m.n, 500);
	assert_ptr_equal(map_put(&m, STR("k1"), (void *)7), (void *)2);
	assert_ptr_equal(map_find(&m, STR("k1")), (void *)7);
	map_fini(&m);
}

TEST(hash_matches_the_reference_vector)
{
	/* SipHash-1-3 with key 00..0f over 00..0e, as other implementations print it. */
	unsigned char in[15];
	struct hash_key key = {0x0706050403020100ULL, 0x0f0e0d0c0b0a0908ULL};

	for (size_t i = 0; i < sizeof(in); i++) {
		in[i] = (unsigned char)i;
	}
	assert_true(hash_bytes(key, in, 0) == 0xabac0158050fc4dcULL);
}

TEST(errors_are_wrapped_from_the_inside_out)
{
	struct err e CLEANUP_ERR = {0};

	assert_int_equal(err_set_errno(&e, 28, "/data/db"), ERR_NO_SPACE);
	assert_int_equal(err_wrap(&e, "cannot start %s", "the store"), ERR_NO_SPACE);
	assert_string_equal(err_msg(&e),
			    "cannot start the store: /data/db: No space left on device");
}

TEST(vec_grows_and_removes)
{
	VEC(int) v = {0};

	for (int i = 0; i < 100; i++) {
		*vec_push(&v) = i;
	}
	vec_remove(&v, 0);
	assert_int_equal(v.n, 99);
	assert_int_equal(v.p[0], 1);
	assert_int_equal(v.p[98], 99);
	vec_fini(&v);
}

TEST(buf_formats_numbers_at_their_limits)
{
	struct buf b CLEANUP_BUF = {0};

	buf_add_int64(&b, INT64_MIN);
	buf_add_char(&b, ' ');
	buf_add_uint64(&b, UINT64_MAX);
	EXPECT_STR(buf_str(&b), "-9223372036854775808 18446744073709551615");
	buf_consume(&b, 1);
	assert_int_equal(b.p[0], '9');
}

TEST_MAIN(str_cut_gives_every_part_and_ends, numbers_are_read_to_their_limits,
	  utf8_refuses_surrogates_and_overlong_forms, arena_survives_clear_and_keeps_contents_apart,
	  map_keeps_insertion_order_over_growth_and_removal, hash_matches_the_reference_vector,
	  errors_are_wrapped_from_the_inside_out, vec_grows_and_removes,
	  buf_formats_numbers_at_their_limits)
