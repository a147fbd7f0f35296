/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"
#include "object/quantity.h"

TEST(text_is_made_canonical)
{
	static const struct {
		const char *text, *want;
		int64_t value, milli;
	} cases[] = {
		{"0", "0", 0, 0},
		{"0Ki", "0", 0, 0},
		{"-0", "0", 0, 0},
		{"1", "1", 1, 1000},
		{"100m", "100m", 1, 100},
		{"0.1", "100m", 1, 100},
		{".5", "500m", 1, 500},
		{"5.", "5", 5, 5000},
		{"1000m", "1", 1, 1000},
		{"1.5Gi", "1536Mi", 1610612736, 1610612736000},
		{"1024Mi", "1Gi", 1073741824, 1073741824000},
		{"1000Ki", "1000Ki", 1024000, 1024000000},
		{"1023", "1023", 1023, 1023000},
		{"0.5Ki", "512", 512, 512000},
		{"1.1Ki", "1126400m", 1127, 1126400},
		{"0.001Ki", "1024m", 2, 1024},
		{"12e6", "12e6", 12000000, 12000000000},
		{"1E3", "1e3", 1000, 1000000},
		{"12e1", "120", 120, 120000},
		{"1E", "1E", 1000000000000000000, INT64_MAX},
		{"1n", "1n", 1, 1},
		{"0.1n", "1n", 1, 1},
		{"2.5e-10", "1e-9", 1, 1},
		{"1.0000000001", "1000000001n", 2, 1001},
		{"100u", "100u", 1, 1},
		{"600M", "600M", 600000000, 600000000000},
		{"9Ei", "9223372036854775807", INT64_MAX, INT64_MAX},
		{"-1.5Gi", "-1536Mi", -1610612736, -1610612736000},
		{"-100m", "-100m", -1, -100},
		{"1e20", "100e18", INT64_MAX, INT64_MAX},
		{"00100m", "100m", 1, 100},
		{"+5", "5", 5, 5000},
		{" 5 ", "5", 5, 5000},
		{"3.14159Pi", "3537115888337719133m", 3537115888337720, 3537115888337719133},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf b CLEANUP_BUF = {0};
		struct quantity q;

		assert_int_equal(quantity_read(str_of(cases[i].text), &q, NULL), 0);
		quantity_write(&b, q);
		EXPECT_STR(buf_str(&b), cases[i].want);
		assert_true(quantity_value(q) == cases[i].value);
		assert_true(quantity_milli_value(q) == cases[i].milli);
	}
}

TEST(bad_text_is_refused_in_upstreams_words)
{
	static const char form[] = "quantities must match the regular expression "
				   "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
	static const char suffix[] = "unable to parse quantity's suffix";
	static const char *const cases[][2] = {
		{"", form},
		{"abc", form},
		{"1,5", form},
		{"--1", suffix},
		{"1x", form},
		{"1kk", suffix},
		{"1Kii", suffix},
		{"1e", suffix},
		{"1.5.5", form},
		{"1eE", suffix},
		{"1e40", "unable to parse numeric part of quantity: larger than 9.2e36"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e CLEANUP_ERR = {0};
		struct quantity q;

		assert_int_equal(quantity_read(str_of(cases[i][0]), &q, &e), ERR_INVALID);
		assert_string_equal(err_msg(&e), cases[i][1]);
	}
}

TEST(quantities_compare_by_value)
{
	static const char *const ascending[] = {
		"-1E", "-1Gi", "-1",  "-1n", "0",   "1n", "999u", "1m", "1",
		"1k",  "1023", "1Ki", "1M",  "1Mi", "1E", "1Ei",  "9E", "9223372036854775807",
		"10E", "1e30"};

	for (size_t i = 0; i < ARRAY_LEN(ascending); i++) {
		for (size_t j = 0; j < ARRAY_LEN(ascending); j++) {
			int c = quantity_cmp(quantity_of(ascending[i]), quantity_of(ascending[j]));

			assert_int_equal((c > 0) - (c < 0), (i > j) - (i < j));
		}
	}
	assert_int_equal(quantity_cmp(quantity_of("1Gi"), quantity_of("1073741824")), 0);
	assert_int_equal(quantity_cmp(quantity_of("1e3"), quantity_of("1k")), 0);
}

TEST(sums_keep_the_format_of_the_first)
{
	static const struct {
		const char *a, *b, *sum, *difference;
	} cases[] = {
		{"1Gi", "512Mi", "1536Mi", "512Mi"},
		{"100m", "1", "1100m", "-900m"},
		{"0", "1Ki", "1Ki", "-1Ki"},
		{"1", "1Ki", "1025", "-1023"},
		{"1Gi", "1", "1073741825", "1073741823"},
		{"1n", "1", "1000000001n", "-999999999n"},
		{"1", "1", "2", "0"},
		{"1e3", "500", "1500", "500"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf b CLEANUP_BUF = {0};

		quantity_write(&b, quantity_add(quantity_of(cases[i].a), quantity_of(cases[i].b)));
		EXPECT_STR(buf_str(&b), cases[i].sum);
		buf_clear(&b);
		quantity_write(&b, quantity_sub(quantity_of(cases[i].a), quantity_of(cases[i].b)));
		EXPECT_STR(buf_str(&b), cases[i].difference);
	}
}

TEST(sums_that_need_more_digits_round_away_from_zero)
{
	struct buf b CLEANUP_BUF = {0};

	quantity_write(&b, quantity_add(quantity_of("9E"), quantity_of("1n")));
	EXPECT_STR(buf_str(&b), "9000000000000000001");
	buf_clear(&b);
	quantity_write(&b, quantity_add(quantity_of("9e36"), quantity_of("9e36")));
	EXPECT_STR(buf_str(&b), "9223372036854775807e18");
	assert_true(quantity_to_double(quantity_of("1500m")) == 1.5);
}

TEST_MAIN(text_is_made_canonical, bad_text_is_refused_in_upstreams_words,
	  quantities_compare_by_value, sums_keep_the_format_of_the_first,
	  sums_that_need_more_digits_round_away_from_zero)
