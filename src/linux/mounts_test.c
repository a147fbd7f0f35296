/* SPDX-License-Identifier: Apache-2.0 */
/* Mounts, namespaces, capabilities and filters: what changes the process or needs privileges. Root; in a private mount namespace. */
#include "linux/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/test.h"
#include "linux/caps.h"
#include "linux/ns.h"
#include "linux/syscall_filter.h"

struct fixture {
	char dir[64];
	struct arena arena;
};

static const char *at(struct fixture *f, const char *path)
{
	return arena_printf(&f->arena, "%s/%s", f->dir, path).p;
}

static const char *made(struct fixture *f, const char *path)
{
	assert_int_equal(dir_make(at(f, path), 0755, NULL), 0);
	return at(f, path);
}

static struct fixture fixture_new(void)
{
	struct fixture f = {.dir = "/tmp/cox-mnt-XXXXXX"};

	assert_non_null(mkdtemp(f.dir));
	return f;
}

static void fixture_fini(struct fixture *f)
{
	assert_int_equal(mount_remove_below(f->dir, NULL), 0);
	assert_int_equal(file_tree_remove(f->dir, NULL), 0);
	arena_fini(&f->arena);
}

TEST(an_overlay_stacks_many_lowers_topmost_first)
{
	enum { LOWERS = 150 };
	struct fixture f = fixture_new();
	const char *lowers[LOWERS];
	struct buf text CLEANUP_BUF = {0};
	struct err err CLEANUP_ERR = {0};

	for (int i = 0; i < LOWERS; i++) {
		lowers[i] =
			made(&f, arena_printf(&f.arena,
					      "a-rather-long-name-for-one-layer-of-an-image-%d", i)
					 .p);
		assert_int_equal(file_replace(arena_printf(&f.arena, "%s/which", lowers[i]).p,
					      arena_printf(&f.arena, "%d", i), 0644, false, NULL),
				 0);
	}
	if (mount_overlay(made(&f, "m"), lowers, LOWERS, made(&f, "u"), made(&f, "w"), &err) < 0) {
		fail_msg("%s", err_msg(&err));
	}
	assert_true(mount_is_point(at(&f, "m")));
	assert_int_equal(file_read(AT_FDCWD, at(&f, "m/which"), 10, &text, NULL), 0);
	EXPECT_STR(buf_str(&text), "0");
	assert_int_equal(file_replace(at(&f, "m/new"), STR("x"), 0644, false, NULL), 0);
	assert_true(file_exists(at(&f, "u/new")));
	assert_int_equal(file_tree_remove(f.dir, &err), ERR_BUSY);
	assert_non_null(strstr(err_msg(&err), "mount point"));
	assert_int_equal(mount_remove(at(&f, "m"), false, NULL), 0);
	assert_int_equal(mount_remove(at(&f, "m"), false, NULL), 0);
	assert_int_equal(mount_overlay(at(&f, "m"), lowers, MOUNT_LOWERS_MAX + 1, at(&f, "u"),
				       at(&f, "w"), &err),
			 ERR_LIMIT);
	fixture_fini(&f);
}

TEST(binds_are_read_only_also_below_if_asked_and_are_listed_deepest_first)
{
	struct fixture f = fixture_new();
	struct dir_names list CLEANUP_DIR_NAMES = {0};

	assert_int_equal(mount_tmpfs(made(&f, "src"), 1 << 20, 01777, MOUNT_NO_EXEC, NULL), 0);
	assert_int_equal(mount_tmpfs(made(&f, "src/in ner"), 0, 0755, 0, NULL), 0);
	assert_int_equal(
		mount_bind(at(&f, "src"), made(&f, "ro"), MOUNT_READ_ONLY | MOUNT_RECURSIVE, NULL),
		0);
	assert_int_equal(open(at(&f, "ro/x"), O_CREAT | O_WRONLY | O_CLOEXEC, 0600), -1);
	assert_int_equal(errno, EROFS);
	assert_int_equal(open(at(&f, "ro/in ner/x"), O_CREAT | O_WRONLY | O_CLOEXEC, 0600), -1);
	assert_int_equal(file_replace(at(&f, "src/x"), STR("seen"), 0600, false, NULL), 0);
	assert_true(file_exists(at(&f, "ro/x")));
	assert_int_equal(mount_propagate(at(&f, "src"), MOUNT_RSHARED, NULL), 0);
	assert_int_equal(mount_list(f.dir, &list, NULL), 0);
	assert_int_equal(list.n, 4);
	EXPECT_STR(str_of(list.p[0]), at(&f, "src/in ner"));
	EXPECT_STR(str_of(list.p[3]), at(&f, "ro"));
	fixture_fini(&f);
}

static int read_hostname(void *ctx, struct err *err UNUSED)
{
	return gethostname(ctx, 64);
}

static int refuse(void *ctx UNUSED, struct err *err)
{
	return err_set(err, ERR_INVALID, "refused inside");
}

TEST(namespaces_live_without_a_process_and_can_be_entered)
{
	struct fixture f = fixture_new();
	struct ns_setup setup = {.net = at(&f, "net"),
				 .ipc = at(&f, "ipc"),
				 .uts = at(&f, "uts"),
				 .hostname = "inside"};
	struct err err CLEANUP_ERR = {0};
	char before[64];
	char name[64];

	assert_int_equal(gethostname(before, sizeof(before)), 0);
	for (int round = 0; round < 2; round++) { /* the second replaces the first */
		if (ns_create(&setup, &err) < 0) {
			fail_msg("%s", err_msg(&err));
		}
	}
	assert_int_equal(ns_enter(setup.uts, read_hostname, name, NULL), 0);
	assert_string_equal(name, "inside");
	assert_int_equal(gethostname(name, sizeof(name)), 0);
	assert_string_equal(name, before);
	assert_int_equal(ns_remove(setup.net, NULL), 0);
	assert_int_equal(ns_remove(setup.net, NULL), 0);
	assert_false(file_exists(setup.net));
	assert_int_equal(ns_enter(setup.net, read_hostname, name, &err), ERR_NOT_FOUND);
	setup.inside = refuse;
	assert_int_equal(ns_create(&setup, &err), ERR_INVALID);
	assert_false(file_exists(setup.ipc));
	fixture_fini(&f);
}

TEST(capabilities_have_names_and_the_default_set_is_dockers)
{
	uint64_t mask;

	assert_true(caps_default() == 0xa80425fb);
	assert_int_equal(caps_parse(STR("CAP_NET_ADMIN"), &mask), 0);
	assert_true(mask == 1U << 12);
	assert_int_equal(caps_parse(STR("net_admin"), &mask), 0);
	assert_true(mask == 1U << 12);
	assert_int_equal(caps_parse(STR("all"), &mask), 0);
	assert_true(mask == 0x1ffffffffff);
	assert_int_equal(caps_parse(STR("CAP_FLY"), &mask), ERR_NOT_FOUND);
	assert_string_equal(caps_name(40), "CAP_CHECKPOINT_RESTORE");
	assert_null(caps_name(41));
	assert_int_equal(rlimit_parse(STR("nofile")), RLIMIT_NOFILE);
	assert_int_equal(rlimit_parse(STR("RLIMIT_CORE")), RLIMIT_CORE);
	assert_int_equal(rlimit_parse(STR("x")), ERR_NOT_FOUND);
	assert_true(rlimit_clamp(RLIMIT_NOFILE, (struct rlimit){RLIM_INFINITY, RLIM_INFINITY})
			    .rlim_cur != RLIM_INFINITY);
}

/* Exit status or signal of a child that locks itself up. */
static int locked_up(bool forbidden)
{
	static const char *const allowed[] = {"exit_group", "rt_sigreturn", "no_such_call",
					      "mmap",	    "munmap",	    "mprotect",
					      "madvise",    "brk",	    "futex",
					      "getpid",	    "sched_yield",  "sigaltstack"};
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (caps_keep_only(1) < 0 || caps_bounding() != 1 || chdir("/root") < 0 ||
		    syscall_filter_allow_only(allowed, ARRAY_LEN(allowed)) < 0) {
			_exit(2);
		}
		_exit(forbidden ? getppid() != 0 : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

TEST(a_filtered_process_dies_of_a_forbidden_call)
{
	assert_int_equal(locked_up(false), 0);
	assert_int_equal(locked_up(true), 128 + 31);
}

TEST(the_default_profile_opens_calls_by_capability)
{
	struct buf plain CLEANUP_BUF = {0};
	struct buf admin CLEANUP_BUF = {0};

	syscall_filter_write_default(&plain, caps_default());
	syscall_filter_write_default(&admin, caps_default() | UINT64_C(1) << 21);
	assert_true(str_contains(buf_str(&plain), STR("\"openat\"")));
	assert_false(str_contains(buf_str(&plain), STR("\"mount\"")));
	assert_true(
		str_contains(buf_str(&plain), STR("\"clone3\"],\"action\":\"SCMP_ACT_ERRNO\"")));
	assert_true(str_contains(buf_str(&plain), STR("\"chroot\"")));
	assert_true(str_contains(buf_str(&admin), STR("\"mount\"")));
	assert_false(
		str_contains(buf_str(&admin), STR("\"clone3\"],\"action\":\"SCMP_ACT_ERRNO\"")));
}

int cases_main(int argc, char **argv);
#define main cases_main
TEST_MAIN(an_overlay_stacks_many_lowers_topmost_first,
	  binds_are_read_only_also_below_if_asked_and_are_listed_deepest_first,
	  namespaces_live_without_a_process_and_can_be_entered,
	  capabilities_have_names_and_the_default_set_is_dockers,
	  a_filtered_process_dies_of_a_forbidden_call,
	  the_default_profile_opens_calls_by_capability)
#undef main

int main(int argc, char **argv)
{
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
		fprintf(stderr, "%s needs root: %s\n", argv[0], strerror(errno));
		return 1;
	}
	return cases_main(argc, argv);
}
