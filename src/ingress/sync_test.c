/* SPDX-License-Identifier: Apache-2.0 */
#include "ingress/sync.h"

#include "base/test.h"
#include "ingress/nginx_log.h"
#include "ingress/nginx_spawn.h"

static const unsigned char instance[8] = {0, 1, 2, 3, 4, 5, 6, 0xff};

static void expect(struct sync *sync, bool full, const char *want)
{
	struct buf out CLEANUP_BUF = {0};

	sync_build(sync, full, &out);
	EXPECT_STR(buf_str(&out), want);
}

TEST(the_first_update_is_full_and_the_next_says_only_what_changed)
{
	struct sync sync;

	sync_init(&sync, instance);
	sync_set(&sync, 'e', STR("ns/a/80"), STR("10.0.0.1:80"));
	sync_set(&sync, 'e', STR("ns/b/80"), STR(""));
	expect(&sync, false,
	       "cox-ingress 1 full 00010203040506ff-1\ne ns/a/80 10.0.0.1:80\ne ns/b/80\nend\n");
	assert_false(sync_is_pending(&sync));
	sync_set(&sync, 'e', STR("ns/a/80"), STR("10.0.0.1:80"));
	assert_false(sync_is_pending(&sync));
	sync_set(&sync, 'e', STR("ns/a/80"), STR(""));
	assert_true(sync_is_pending(&sync));
	expect(&sync, false,
	       "cox-ingress 1 00010203040506ff-1 00010203040506ff-2\ne ns/a/80\nend\n");
	sync_fini(&sync);
}

TEST(a_lost_update_is_followed_by_a_full_one)
{
	struct sync sync;

	sync_init(&sync, instance);
	sync_set(&sync, 'e', STR("ns/a/80"), STR("10.0.0.1:80"));
	expect(&sync, true, "cox-ingress 1 full 00010203040506ff-1\ne ns/a/80 10.0.0.1:80\nend\n");
	sync_lost(&sync);
	assert_true(sync_is_pending(&sync));
	expect(&sync, false, "cox-ingress 1 full 00010203040506ff-2\ne ns/a/80 10.0.0.1:80\nend\n");
	sync_fini(&sync);
}

TEST(a_certificate_that_nobody_names_any_more_is_taken_back)
{
	struct sync sync;

	sync_init(&sync, instance);
	sync_set(&sync, 'c', STR("a.example"), STR("QQ== QQ=="));
	sync_sweep(&sync);
	expect(&sync, false, "cox-ingress 1 full 00010203040506ff-1\nc a.example QQ== QQ==\nend\n");
	sync_set(&sync, 'c', STR("a.example"), STR("QQ== QQ=="));
	sync_sweep(&sync);
	assert_false(sync_is_pending(&sync));
	sync_sweep(&sync);
	expect(&sync, false,
	       "cox-ingress 1 00010203040506ff-1 00010203040506ff-2\nc a.example\nend\n");
	expect(&sync, true, "cox-ingress 1 full 00010203040506ff-3\nend\n");
	sync_fini(&sync);
}

TEST(the_complaint_of_nginx_is_found_with_its_line)
{
	struct str message;
	int64_t line;

	nginx_find_complaint(STR("2026 [notice] using\n2026 [emerg] 1#1: unknown directive \"x\" "
				 "in /run/x/test.conf:17\nnginx: failed\n"),
			     &line, &message);
	assert_int_equal(line, 17);
	assert_true(str_contains(message, STR("unknown directive")));
	nginx_find_complaint(
		STR("2026 [emerg] 1#1: bind() to 0.0.0.0:80 failed (13: Permission denied)\n"),
		&line, &message);
	assert_int_equal(line, 0);
	nginx_find_complaint(STR(""), &line, &message);
	assert_true(message.n > 0);
}

TEST(log_lines_of_nginx_keep_their_level)
{
	enum log_level level;
	struct str text;

	assert_true(nginx_log_parse(
		STR("<187>Nov 21 05:38:11 nginx: 2026/11/21 05:38:11 [error] 5#5: *1 refused"),
		&level, &text));
	assert_int_equal(level, LOG_ERROR);
	EXPECT_STR(text, "[error] 5#5: *1 refused");
	assert_true(nginx_log_parse(STR("<190>Nov 21 05:38:11 nginx: 10.0.0.1 \"GET /\" 200"),
				    &level, &text));
	assert_int_equal(level, LOG_INFO);
	assert_false(nginx_log_parse(STR("<999>nginx: x"), &level, &text));
	assert_false(nginx_log_parse(STR("<>nginx: x"), &level, &text));
	assert_false(nginx_log_parse(STR("nginx: x"), &level, &text));
	assert_false(nginx_log_parse(STR(""), &level, &text));
}

TEST_MAIN(the_first_update_is_full_and_the_next_says_only_what_changed,
	  a_lost_update_is_followed_by_a_full_one,
	  a_certificate_that_nobody_names_any_more_is_taken_back,
	  the_complaint_of_nginx_is_found_with_its_line, log_lines_of_nginx_keep_their_level)
