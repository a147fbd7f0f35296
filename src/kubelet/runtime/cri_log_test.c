/* SPDX-License-Identifier: Apache-2.0 */
#include "kubelet/runtime/cri_log.h"

#include <fcntl.h>
#include <poll.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/test.h"
#include "linux/file.h"

#define T1 "2026-11-21T04:46:13.000000001+00:00"
#define T2 "2026-11-21T04:46:14.000000002Z"
#define T3 "2026-11-21T05:46:15.000000003+01:00"
#define T3_NS 1795236375000000003LL

struct fixture {
	char dir[64];
	struct arena arena;
	const char *path;
	struct cri_log *log;
};

static struct fixture fixture_new(const char *text)
{
	struct fixture f = {.dir = "/tmp/cox-log-XXXXXX"};

	assert_non_null(mkdtemp(f.dir));
	f.path = arena_printf(&f.arena, "%s/0.log", f.dir).p;
	assert_int_equal(file_replace(f.path, str_of(text), 0600, false, NULL), 0);
	return f;
}

static void fixture_fini(struct fixture *f)
{
	cri_log_free(f->log);
	assert_int_equal(file_tree_remove(f->dir, NULL), 0);
	arena_fini(&f->arena);
}

static void add(struct fixture *f, const char *text)
{
	int fd CLEANUP_FD = open(f->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0 && file_write_all(fd, text, strlen(text)) == 0);
}

static struct str read_all(struct fixture *f, const struct cri_log_opts *opts)
{
	struct buf out CLEANUP_BUF = {0};
	int r;

	cri_log_free(f->log);
	assert_int_equal(cri_log_open(f->path, opts, &f->log, NULL), 0);
	while ((r = cri_log_read(f->log, &out, 8, NULL)) > 0) {
	}
	assert_int_equal(r, 0);
	return arena_str(&f->arena, buf_str(&out));
}

static struct str read_more(struct fixture *f)
{
	struct buf out CLEANUP_BUF = {0};
	int r;

	while ((r = cri_log_read(f->log, &out, 1000, NULL)) > 0) {
	}
	assert_int_equal(r, 0);
	return arena_str(&f->arena, buf_str(&out));
}

static const char sample[] = T1 " stdout F one\n" T1 " stdout P tw\n" T1 " stdout P o\n" T2
				" stdout F \nnoise\n" T2 " stderr F three\n" T3 " stdout F four\n";

TEST(lines_are_parsed_and_others_refused)
{
	static const char *const bad[] = {"",
					  "x",
					  "2026-11-21T04:46:13Z",
					  T1 " stdout",
					  T1 " stdin F x",
					  T1 " stdout X x",
					  "now stdout F x",
					  "1960-01-01T00:00:00Z stdout F x",
					  " stdout F x"};
	struct cri_line l;

	assert_int_equal(cri_line_parse(STR(T3 " stderr P a b "), &l), 0);
	assert_true(l.time_ns == T3_NS);
	assert_int_equal(l.stream, CRI_STDERR);
	assert_true(l.partial);
	EXPECT_STR(l.text, "a b ");
	assert_int_equal(cri_line_parse(STR(T1 " stdout F"), &l), 0);
	EXPECT_STR(l.text, "");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (cri_line_parse(str_of(bad[i]), &l) != ERR_INVALID) {
			fail_msg("\"%s\" was taken for a log line", bad[i]);
		}
	}
}

TEST(parts_are_joined_and_noise_is_left_out)
{
	struct fixture f = fixture_new(sample);

	EXPECT_STR(read_all(&f, &(struct cri_log_opts){.tail_lines = -1, .limit_bytes = -1}),
		   "one\ntwo\nthree\nfour\n");
	EXPECT_STR(read_all(&f, &(struct cri_log_opts){.tail_lines = -1,
						       .limit_bytes = -1,
						       .streams = CRI_STDERR}),
		   "three\n");
	EXPECT_STR(read_all(&f, &(struct cri_log_opts){.tail_lines = -1,
						       .limit_bytes = -1,
						       .timestamps = true}),
		   "2026-11-21T04:46:13.000000001Z one\n2026-11-21T04:46:13.000000001Z "
		   "two\n2026-11-21T04:46:14.000000002Z three\n"
		   "2026-11-21T04:46:15.000000003Z four\n");
	EXPECT_STR(read_all(&f, &(struct cri_log_opts){.tail_lines = -1,
						       .limit_bytes = -1,
						       .since_ns = T3_NS}),
		   "four\n");
	fixture_fini(&f);
}

TEST(tail_counts_joined_lines_from_the_end)
{
	static const char *const want[] = {"", "four\n", "three\nfour\n"};
	struct fixture f =
		fixture_new(T1 " stdout F one\n" T1 " stdout P tw\n" T1 " stdout P o\n" T2
			       " stdout F \n" T2 " stderr F three\n" T3 " stdout F four\n");

	for (int n = 0; n < 3; n++) {
		EXPECT_STR(read_all(&f, &(struct cri_log_opts){.tail_lines = n, .limit_bytes = -1}),
			   want[n]);
	}
	EXPECT_STR(read_all(&f, &(struct cri_log_opts){.tail_lines = 3, .limit_bytes = -1}),
		   "two\nthree\nfour\n");
	EXPECT_STR(read_all(&f, &(struct cri_log_opts){.tail_lines = 4, .limit_bytes = -1}),
		   "one\ntwo\nthree\nfour\n");
	EXPECT_STR(read_all(&f, &(struct cri_log_opts){.tail_lines = 99, .limit_bytes = -1}),
		   "one\ntwo\nthree\nfour\n");
	/* a line in the making is one too */
	add(&f, T3 " stdout P fi");
	add(&f, "\n" T3 " stdout P ve\n");
	EXPECT_STR(read_all(&f, &(struct cri_log_opts){.tail_lines = 1, .limit_bytes = -1}),
		   "five");
	EXPECT_STR(read_all(&f, &(struct cri_log_opts){.tail_lines = 2, .limit_bytes = -1}),
		   "four\nfive");
	fixture_fini(&f);
}

TEST(tail_of_a_long_log_reads_its_end_only)
{
	struct fixture f = fixture_new("");
	struct buf text CLEANUP_BUF = {0};

	for (int i = 0; i < 20000; i++) {
		buf_printf(&text, T1 " stdout F line %d\n", i);
	}
	assert_int_equal(file_replace(f.path, buf_str(&text), 0600, false, NULL), 0);
	EXPECT_STR(read_all(&f, &(struct cri_log_opts){.tail_lines = 2, .limit_bytes = -1}),
		   "line 19998\nline 19999\n");
	EXPECT_STR(str_sub(read_all(&f,
				    &(struct cri_log_opts){.tail_lines = 19999, .limit_bytes = -1}),
			   0, 7),
		   "line 1\n");
	fixture_fini(&f);
}

TEST(limit_counts_output_bytes)
{
	struct fixture f = fixture_new(sample);

	EXPECT_STR(read_all(&f, &(struct cri_log_opts){.tail_lines = -1, .limit_bytes = 6}),
		   "one\ntw");
	assert_true(cri_log_is_done(f.log));
	EXPECT_STR(read_all(&f, &(struct cri_log_opts){.tail_lines = -1, .limit_bytes = 0}), "");
	fixture_fini(&f);
}

static bool is_readable(struct fixture *f)
{
	struct pollfd p = {cri_log_fd(f->log), POLLIN, 0};

	return poll(&p, 1, 0) == 1;
}

TEST(followers_wake_up_and_survive_rotation)
{
	struct fixture f = fixture_new(T1 " stdout F one\n");
	const char *old = arena_printf(&f.arena, "%s.1", f.path).p;

	EXPECT_STR(read_all(&f, &(struct cri_log_opts){.tail_lines = -1,
						       .limit_bytes = -1,
						       .follow = true}),
		   "one\n");
	assert_false(is_readable(&f));
	add(&f, T1 " stdout F tw");
	assert_true(is_readable(&f));
	EXPECT_STR(read_more(&f), "");
	add(&f, "o\n");
	EXPECT_STR(read_more(&f), "two\n");
	assert_int_equal(rename(f.path, old), 0);
	{
		int fd CLEANUP_FD = open(old, O_WRONLY | O_APPEND | O_CLOEXEC);

		/* the writer has not noticed yet */
		assert_int_equal(
			file_write_all(fd, T1 " stdout F three\n", strlen(T1 " stdout F three\n")),
			0);
		add(&f, T2 " stdout F four\n");
	}
	assert_true(is_readable(&f));
	EXPECT_STR(read_more(&f), "three\nfour\n");
	assert_false(is_readable(&f));
	add(&f, T2 " stdout F five\n");
	assert_true(is_readable(&f));
	EXPECT_STR(read_more(&f), "five\n");
	fixture_fini(&f);
}

TEST(endless_lines_are_refused)
{
	struct fixture f = fixture_new("");
	char *big CLEANUP_FREE = mem_new(CRI_LINE_MAX + 100000);
	struct buf out CLEANUP_BUF = {0};
	struct err err CLEANUP_ERR = {0};

	memset(big, 'x', CRI_LINE_MAX + 99999);
	add(&f, big);
	assert_int_equal(cri_log_open(f.path,
				      &(struct cri_log_opts){.tail_lines = -1, .limit_bytes = -1},
				      &f.log, NULL),
			 0);
	assert_int_equal(cri_log_read(f.log, &out, 100, &err), ERR_LIMIT);
	assert_int_equal(cri_log_open("/no/such.log", &(struct cri_log_opts){0},
				      &(struct cri_log *){0}, NULL),
			 ERR_NOT_FOUND);
	fixture_fini(&f);
}

TEST_MAIN(lines_are_parsed_and_others_refused, parts_are_joined_and_noise_is_left_out,
	  tail_counts_joined_lines_from_the_end, tail_of_a_long_log_reads_its_end_only,
	  limit_counts_output_bytes, followers_wake_up_and_survive_rotation,
	  endless_lines_are_refused)
