/* SPDX-License-Identifier: Apache-2.0 */
/* Cases of robfig/cron's parser. */
#include "rules/cron.h"

#include "base/test.h"

TEST(schedules_are_read)
{
	static const struct {
		const char *text;
		uint64_t minutes, hours, weekdays;
		bool any_day, any_weekday;
	} cases[] = {
		{"5 * * * *", 1 << 5, 0xffffff, 0x7f, true, true},
		{"*/30 1,2 1 1 *", 1 | 1 << 30, 6, 0x7f, false, true},
		{"0 0 * * 1-5", 1, 1, 0x3e, true, false},
		{"0 0 * * MON-fri", 1, 1, 0x3e, true, false},
		{"0 0 1 jan sun", 1, 1, 1, false, false},
		{"10-20/5 0 * * *", 1 << 10 | 1 << 15 | 1 << 20, 1, 0x7f, true, true},
		{"50/5 0 ? * ?", (UINT64_C(1) << 50) | (UINT64_C(1) << 55), 1, 0x7f, true, true},
		{"@hourly", 1, 0xffffff, 0x7f, true, true},
		{"@daily", 1, 1, 0x7f, true, true},
		{"@weekly", 1, 1, 1, true, false},
		{"TZ=UTC 5 * * * *", 1 << 5, 0xffffff, 0x7f, true, true},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e CLEANUP_ERR = {0};
		struct cron_schedule s;

		if (cron_parse(str_of(cases[i].text), &s, &e) < 0) {
			print_error("%s: %s\n", cases[i].text, err_msg(&e));
			fail();
		}
		assert_true(s.minutes == cases[i].minutes);
		assert_true(s.hours == cases[i].hours);
		assert_true(s.weekdays == cases[i].weekdays);
		assert_int_equal(s.any_day, cases[i].any_day);
		assert_int_equal(s.any_weekday, cases[i].any_weekday);
	}
}

TEST(intervals)
{
	struct err e CLEANUP_ERR = {0};
	struct cron_schedule s;

	assert_int_equal(cron_parse(STR("@every 1h30m"), &s, &e), 0);
	assert_int_equal(s.every_s, 5400);
}

TEST(bad_schedules)
{
	static const char *const cases[][2] = {
		{"", "empty spec string"},
		{"* * *", "expected exactly 5 fields, found 3: [* * *]"},
		{"* * * * * *", "expected exactly 5 fields, found 6: [* * * * * *]"},
		{"60 * * * *", "end of range (60) above maximum (59): 60"},
		{"* 24 * * *", "end of range (24) above maximum (23): 24"},
		{"* * 0 * *", "beginning of range (0) below minimum (1): 0"},
		{"* * * 13 *", "end of range (13) above maximum (12): 13"},
		{"* * * * 7", "end of range (7) above maximum (6): 7"},
		{"5-1 * * * *", "beginning of range (5) beyond end of range (1): 5-1"},
		{"*/0 * * * *", "step of range should be a positive number: */0"},
		{"a * * * *",
		 "failed to parse int from a: strconv.Atoi: parsing \"a\": invalid syntax"},
		{"1-2-3 * * * *", "too many hyphens: 1-2-3"},
		{"1/2/3 * * * *", "too many slashes: 1/2/3"},
		{"@never", "unrecognized descriptor: @never"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e CLEANUP_ERR = {0};
		struct cron_schedule s;

		assert_int_equal(cron_parse(str_of(cases[i][0]), &s, &e), ERR_INVALID);
		EXPECT_STR(str_of(err_msg(&e)), cases[i][1]);
	}
}

TEST_MAIN(schedules_are_read, intervals, bad_schedules)
