/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"
#include "codec/base64.h"
#include "codec/go_text.h"
#include "codec/time.h"

TEST(times_are_read_and_written_in_utc)
{
	static const struct {
		const char *text;
		int64_t sec;
		int32_t nsec;
		const char *back;
	} cases[] = {
		{"1970-01-01T00:00:00Z", 0, 0, "1970-01-01T00:00:00Z"},
		{"2008-01-01T01:01:01Z", 1199149261, 0, "2008-01-01T01:01:01Z"},
		{"2024-02-29T23:59:59.5+01:30", 1709245799, 500000000, "2024-02-29T22:29:59Z"},
		{"0001-01-01T00:00:00Z", TIME_GO_ZERO, 0, "0001-01-01T00:00:00Z"},
		{"9999-12-31T23:59:59Z", 253402300799, 0, "9999-12-31T23:59:59Z"},
		{"1969-12-31T23:59:59-00:01", 59, 0, "1970-01-01T00:00:59Z"},
		{"2000-03-01T00:00:00.123456789Z", 951868800, 123456789, "2000-03-01T00:00:00Z"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf b CLEANUP_BUF = {0};
		int64_t sec;
		int32_t nsec;

		assert_int_equal(time_read(str_of(cases[i].text), &sec, &nsec, NULL), 0);
		assert_true(sec == cases[i].sec);
		assert_int_equal(nsec, cases[i].nsec);
		time_write(&b, sec);
		EXPECT_STR(buf_str(&b), cases[i].back);
	}
}

TEST(every_day_of_four_centuries_survives)
{
	for (int64_t day = -146097; day < 2 * 146097; day += 13) {
		struct buf b CLEANUP_BUF = {0};
		int64_t sec;
		int32_t nsec;

		time_write(&b, day * 86400 + 86399);
		assert_int_equal(time_read(buf_str(&b), &sec, &nsec, NULL), 0);
		assert_true(sec == day * 86400 + 86399);
	}
}

TEST(bad_times_are_refused_in_gos_words)
{
	static const char *const cases[][2] = {
		{"abc", "parsing time \"abc\" as \"2006-01-02T15:04:05Z07:00\": cannot parse "
			"\"abc\" as \"2006\""},
		{"", "parsing time \"\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \"\" as "
		     "\"2006\""},
		{"2020/01/01", "parsing time \"2020/01/01\" as \"2006-01-02T15:04:05Z07:00\": "
			       "cannot parse \"/01/01\" as \"-\""},
		{"2020-13-01T00:00:00Z",
		 "parsing time \"2020-13-01T00:00:00Z\": month out of range"},
		{"2021-02-29T00:00:00Z", "parsing time \"2021-02-29T00:00:00Z\": day out of range"},
		{"2020-01-01T24:00:00Z",
		 "parsing time \"2020-01-01T24:00:00Z\": hour out of range"},
		{"2020-01-01T00:00:00",
		 "parsing time \"2020-01-01T00:00:00\" as \"2006-01-02T15:04:05Z07:00\": cannot "
		 "parse \"\" as \"Z07:00\""},
		{"2020-01-01T00:00:00+25:00",
		 "parsing time \"2020-01-01T00:00:00+25:00\": time zone offset hour out of range"},
		{"2020-01-01T00:00:00Zx",
		 "parsing time \"2020-01-01T00:00:00Zx\": extra text: \"x\""},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e CLEANUP_ERR = {0};
		int64_t sec;
		int32_t nsec;

		assert_int_equal(time_read(str_of(cases[i][0]), &sec, &nsec, &e), ERR_INVALID);
		assert_string_equal(err_msg(&e), cases[i][1]);
	}
}

TEST(micro_times_need_six_digits)
{
	struct buf b CLEANUP_BUF = {0};
	struct err e CLEANUP_ERR = {0};
	int64_t sec;
	int32_t nsec;

	assert_int_equal(time_read_micro(STR("2008-01-01T01:01:01.000123Z"), &sec, &nsec, NULL), 0);
	time_write_micro(&b, sec, nsec);
	EXPECT_STR(buf_str(&b), "2008-01-01T01:01:01.000123Z");
	assert_int_equal(time_read_micro(STR("2008-01-01T01:01:01Z"), &sec, &nsec, &e),
			 ERR_INVALID);
	assert_string_equal(
		err_msg(&e),
		"parsing time \"2008-01-01T01:01:01Z\" as \"2006-01-02T15:04:05.000000Z07:00\": "
		"cannot parse \"Z\" as \".000000\"");
}

TEST(durations_are_read_and_written_as_go_does)
{
	static const struct {
		const char *text;
		int64_t ns;
		const char *back;
	} cases[] = {
		{"0", 0, "0s"},
		{"5s", 5000000000, "5s"},
		{"1h2m3.5s", 3723500000000, "1h2m3.5s"},
		{"-1.5h", -5400000000000, "-1h30m0s"},
		{"100ms", 100000000, "100ms"},
		{"1us", 1000, "1\xc2\xb5s"},
		{"1\xce\xbcs", 1000, "1\xc2\xb5s"},
		{"1.5ns", 1, "1ns"},
		{".5m", 30000000000, "30s"},
		{"1m", 60000000000, "1m0s"},
		{"2562047h47m16.854775807s", INT64_MAX, "2562047h47m16.854775807s"},
		{"-2562047h47m16.854775808s", INT64_MIN, "-2562047h47m16.854775808s"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf b CLEANUP_BUF = {0};
		int64_t ns;

		assert_int_equal(duration_read(str_of(cases[i].text), &ns, NULL), 0);
		assert_true(ns == cases[i].ns);
		duration_write(&b, ns);
		EXPECT_STR(buf_str(&b), cases[i].back);
	}
}

TEST(bad_durations_are_refused_in_gos_words)
{
	static const char *const cases[][2] = {
		{"", "time: invalid duration \"\""},
		{"-", "time: invalid duration \"-\""},
		{"x", "time: invalid duration \"x\""},
		{"5", "time: missing unit in duration \"5\""},
		{"5d", "time: unknown unit \"d\" in duration \"5d\""},
		{"2562048h", "time: invalid duration \"2562048h\""},
		{"1s.", "time: invalid duration \"1s.\""},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e CLEANUP_ERR = {0};
		int64_t ns;

		assert_int_equal(duration_read(str_of(cases[i][0]), &ns, &e), ERR_INVALID);
		assert_string_equal(err_msg(&e), cases[i][1]);
	}
}

TEST(base64_survives_and_tells_where_it_is_bad)
{
	static const struct {
		const char *text;
		size_t at;
	} bad[] = {{"A", 0},	{"AB", 0},   {"AB=", 3},   {"AB==x", 4},
		   {"A===", 1}, {"AB!D", 2}, {"ABCDE", 4}, {"====", 0}};
	struct arena a CLEANUP_ARENA = {0};
	struct str out;
	size_t at = 0;

	for (size_t n = 0; n < 60; n++) {
		struct buf raw CLEANUP_BUF = {0};
		struct buf text CLEANUP_BUF = {0};

		for (size_t i = 0; i < n; i++) {
			buf_add_char(&raw, (char)(i * 37 + n));
		}
		base64_write(&text, buf_str(&raw));
		assert_int_equal(base64_read(&a, buf_str(&text), &out, NULL), 0);
		assert_true(str_eq(out, buf_str(&raw)));
	}
	assert_int_equal(base64_read(&a, STR("YW\nJj\r\nZA=\n=\n"), &out, NULL), 0);
	EXPECT_STR(out, "abcd");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(base64_read(&a, str_of(bad[i].text), &out, &at), ERR_INVALID);
		assert_int_equal(at, bad[i].at);
	}
}

TEST(quoting_shows_what_cannot_be_printed)
{
	struct buf b CLEANUP_BUF = {0};

	go_quote(&b, STR("a\"\\\n\x01\x7f\xc3\xa4\xff\xe2\x80\x8b<&>"));
	EXPECT_STR(buf_str(&b), "\"a\\\"\\\\\\n\\x01\\x7f\xc3\xa4\\xff\\u200b<&>\"");
}

TEST_MAIN(times_are_read_and_written_in_utc, every_day_of_four_centuries_survives,
	  bad_times_are_refused_in_gos_words, micro_times_need_six_digits,
	  durations_are_read_and_written_as_go_does, bad_durations_are_refused_in_gos_words,
	  base64_survives_and_tells_where_it_is_bad, quoting_shows_what_cannot_be_printed)
