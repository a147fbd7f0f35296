/* SPDX-License-Identifier: Apache-2.0 */
#include "store/row.h"

#include <inttypes.h>

#include "base/test.h"
#include "store/checksum.h"

TEST(checksum_is_xxh64)
{
	assert_true(checksum(STR(""), 0) == 0xef46db3751d8e999);
	assert_true(checksum(STR("a"), 0) == 0xd24ec4f1a98c6e5b);
	assert_true(checksum(STR("abc"), 0) == 0x44bc2cf5ad770999);
	assert_true(checksum(STR("Nobody inspects the spammish repetition"), 0) ==
		    0xfbcea83c8a378bf1);
}

TEST(checksum_sees_every_bit)
{
	char text[200];
	uint64_t before;

	for (size_t n = 1; n < sizeof(text); n += 7) {
		memset(text, 'x', sizeof(text));
		before = checksum(str_make(text, n), 3);
		for (size_t bit = 0; bit < n * 8; bit++) {
			text[bit / 8] ^= (char)(1 << bit % 8);
			assert_true(checksum(str_make(text, n), 3) != before);
			text[bit / 8] ^= (char)(1 << bit % 8);
		}
	}
}

static void check_fill(int64_t revision)
{
	struct store_value *value = store_value_new(STR("before \"\" after"), 8);
	char want[64];

	snprintf(want, sizeof(want), "before \"%" PRId64 "\" after", revision);
	store_value_fill(value, (struct revision){revision});
	EXPECT_STR(store_value_text(value), want);
	EXPECT_STR(store_value_head(value), "before \"");
	EXPECT_STR(store_value_tail(value), "\" after");
	store_value_unref(value);
}

TEST(digits_of_every_length_are_filled_in)
{
	int64_t revision = 1;

	check_fill(1);
	for (int length = 2; length <= 19; length++) {
		revision *= 10;
		check_fill(revision - 1);
		check_fill(revision);
	}
	check_fill(INT64_MAX);
}

static void add(struct buf *b, const char *text, uint32_t room_at)
{
	struct store_keys keys;
	struct store_value *value = text ? store_value_new(str_of(text), room_at) : NULL;
	struct store_batch_row op = {.id = 12345, .value = value};

	store_keys_init(&keys);
	op.key = store_keys_find_or_add(&keys, STR("/registry/x"));
	if (value) {
		value->tag = 7;
		value->version = 3;
		value->create_revision.n = 9;
		store_value_fill(value, (struct revision){771});
	}
	row_add(b, &op, 55);
	store_value_unref(value);
	store_keys_fini(&keys);
}

TEST(rows_come_back_without_the_digits)
{
	struct buf b CLEANUP_BUF = {0};
	struct str rest;
	struct row row;
	struct store_value *value;

	add(&b, "{\"r\":\"\"}", 6);
	add(&b, NULL, 0);
	add(&b, "", STORE_NO_ROOM);
	rest = buf_str(&b);
	assert_int_equal(row_cut(&rest, &row), 0);
	assert_true(row_is_intact(&row) && row_has_intact_key(&row));
	assert_int_equal(row.id, 12345);
	assert_int_equal(row.wall_ns, 55);
	EXPECT_STR(row.key, "/registry/x");
	EXPECT_STR(row.text, "{\"r\":\"\"}");
	value = row_value(&row);
	store_value_fill(value, (struct revision){12});
	EXPECT_STR(store_value_text(value), "{\"r\":\"12\"}");
	assert_int_equal(value->tag, 7);
	assert_int_equal(value->version, 3);
	assert_int_equal(value->create_revision.n, 9);
	store_value_unref(value);
	assert_int_equal(row_cut(&rest, &row), 0);
	assert_true(row_is_intact(&row));
	assert_null(row_value(&row));
	assert_int_equal(row_cut(&rest, &row), 0);
	assert_true(row_is_intact(&row));
	value = row_value(&row);
	assert_int_equal(value->n, 0);
	store_value_unref(value);
	assert_int_equal(rest.n, 0);
	assert_int_equal(row_cut(&rest, &row), ERR_CORRUPT);
}

TEST(every_flipped_bit_of_a_row_is_noticed)
{
	struct buf b CLEANUP_BUF = {0};
	size_t key_trusted = 0;

	add(&b, "some text", STORE_NO_ROOM);
	for (size_t bit = 0; bit < (64 + 11 + 9) * 8; bit++) {
		struct str rest = buf_str(&b);
		struct row row;

		b.p[bit / 8] ^= (char)(1 << bit % 8);
		if (row_cut(&rest, &row) == 0) {
			/* The four bytes of padding in the header mean nothing. */
			assert_true(!row_is_intact(&row) || (bit / 8 >= 52 && bit / 8 < 56));
			key_trusted += row_has_intact_key(&row);
			assert_false(row_has_intact_key(&row) && !str_is(row.key, "/registry/x"));
		}
		b.p[bit / 8] ^= (char)(1 << bit % 8);
	}
	assert_true(key_trusted > 100);
}

TEST_MAIN(checksum_is_xxh64, checksum_sees_every_bit, digits_of_every_length_are_filled_in,
	  rows_come_back_without_the_digits, every_flipped_bit_of_a_row_is_noticed)
