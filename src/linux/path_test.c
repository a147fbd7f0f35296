/* SPDX-License-Identifier: Apache-2.0 */
/* Paths below a root, whole files, and trees. */
#include "linux/path.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/test.h"
#include "linux/file.h"

struct fixture {
	char dir[64];
	struct arena arena;
	int root;
};

static const char *at(struct fixture *f, const char *path)
{
	return arena_printf(&f->arena, "%s/%s", f->dir, path).p;
}

static struct fixture fixture_new(void)
{
	struct fixture f = {.dir = "/tmp/cox-path-XXXXXX"};

	assert_non_null(mkdtemp(f.dir));
	assert_int_equal(dir_make(at(&f, "root/etc"), 0755, NULL), 0);
	assert_int_equal(file_replace(at(&f, "root/etc/passwd"), STR("inside"), 0644, true, NULL),
			 0);
	f.root = path_open_root(at(&f, "root"));
	assert_true(f.root >= 0);
	return f;
}

static void fixture_fini(struct fixture *f)
{
	close(f->root);
	assert_int_equal(file_tree_remove(f->dir, NULL), 0);
	assert_false(file_exists(f->dir));
	arena_fini(&f->arena);
}

static void expect_inside(struct fixture *f, const char *path)
{
	struct buf text CLEANUP_BUF = {0};
	int fd CLEANUP_FD = path_open_in_root(f->root, path, O_RDONLY, 0);

	assert_true(fd >= 0);
	assert_int_equal(file_read_fd(fd, path, 100, &text, NULL), 0);
	EXPECT_STR(buf_str(&text), "inside");
}

TEST(paths_and_links_never_leave_the_root)
{
	struct fixture f = fixture_new();
	int fd;

	assert_int_equal(symlink("/etc/passwd", at(&f, "root/abs")), 0);
	assert_int_equal(symlink("../../../../../../etc/passwd", at(&f, "root/rel")), 0);
	assert_int_equal(symlink("/proc/self/root", at(&f, "root/magic")), 0);
	expect_inside(&f, "/etc/passwd");
	expect_inside(&f, "../../etc/passwd");
	expect_inside(&f, "abs");
	expect_inside(&f, "rel");
	assert_int_equal(path_open_in_root(f.root, "magic/etc/passwd", O_RDONLY, 0), -ENOENT);
	assert_int_equal(path_open_beneath(f.root, "abs", O_RDONLY, 0), -ELOOP);
	assert_int_equal(path_open_beneath(f.root, "../root/etc/passwd", O_RDONLY, 0), -EXDEV);
	fd = path_open_beneath(f.root, "etc/passwd", O_RDONLY, 0);
	assert_true(fd >= 0);
	close(fd);
	fixture_fini(&f);
}

TEST(directories_and_files_are_made_inside_also_through_links)
{
	struct fixture f = fixture_new();
	int fd;

	assert_int_equal(symlink("/made/by/link", at(&f, "root/dangling")), 0);
	assert_int_equal(symlink("loop", at(&f, "root/loop")), 0);
	fd = path_make_dirs_in_root(f.root, "/dangling/../link/deep", 0755);
	assert_true(fd >= 0);
	close(fd);
	assert_true(file_exists(at(&f, "root/made/by/link/deep")));
	fd = path_make_file_in_root(f.root, "var/x/file", 0600);
	assert_true(fd >= 0);
	close(fd);
	fd = path_make_file_in_root(f.root, "var/x/file", 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_true(file_exists(at(&f, "root/var/x/file")));
	assert_true(path_make_dirs_in_root(f.root, "loop/x", 0755) < 0);
	assert_int_equal(path_make_dirs_in_root(f.root, "etc/passwd/x", 0755), -ENOTDIR);
	fixture_fini(&f);
}

TEST(files_are_read_to_their_limit_and_replaced_whole)
{
	struct fixture f = fixture_new();
	struct buf text CLEANUP_BUF = {0};
	struct err err CLEANUP_ERR = {0};
	struct stat st;

	assert_int_equal(file_replace(at(&f, "x"), STR("12345"), 0640, true, NULL), 0);
	assert_int_equal(file_read(AT_FDCWD, at(&f, "x"), 5, &text, NULL), 0);
	EXPECT_STR(buf_str(&text), "12345");
	assert_int_equal(file_read(AT_FDCWD, at(&f, "x"), 4, &text, &err), ERR_LIMIT);
	assert_int_equal(stat(at(&f, "x"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	assert_false(file_exists(at(&f, "x.tmp")));
	assert_int_equal(file_replace(at(&f, "none/x"), STR(""), 0640, true, &err), ERR_NOT_FOUND);
	assert_int_equal(dir_make(at(&f, "x/y"), 0700, &err), ERR_SYSTEM);
	fixture_fini(&f);
}

TEST(removal_does_not_follow_links)
{
	struct fixture f = fixture_new();

	assert_int_equal(dir_make(at(&f, "gone/a/b"), 0755, NULL), 0);
	assert_int_equal(symlink("../root", at(&f, "gone/a/link")), 0);
	assert_int_equal(file_tree_remove(at(&f, "gone"), NULL), 0);
	assert_int_equal(file_tree_remove(at(&f, "gone"), NULL), 0);
	expect_inside(&f, "etc/passwd");
	fixture_fini(&f);
}

TEST_MAIN(paths_and_links_never_leave_the_root,
	  directories_and_files_are_made_inside_also_through_links,
	  files_are_read_to_their_limit_and_replaced_whole, removal_does_not_follow_links)
