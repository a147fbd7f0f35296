/* SPDX-License-Identifier: Apache-2.0 */
/* The v2 and v1 layouts on a directory that stands for /sys/fs/cgroup: which files are read and written. That the kernel agrees is shown by the
 * runtime's tests, on v1 and v2 machines. */
#include "linux/cgroup.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/test.h"
#include "linux/file.h"

struct fixture {
	char root[64];
	struct arena arena;
	struct cgroup_fs fs;
};

static struct fixture fixture_new(void)
{
	struct fixture f = {.root = "/tmp/cox-cg-XXXXXX"};

	assert_non_null(mkdtemp(f.root));
	return f;
}

static void fixture_fini(struct fixture *f)
{
	cgroup_fs_fini(&f->fs);
	assert_int_equal(file_tree_remove(f->root, NULL), 0);
	arena_fini(&f->arena);
}

static void put(struct fixture *f, const char *path, const char *text)
{
	const char *full = arena_printf(&f->arena, "%s/%s", f->root, path).p;
	const char *dir = mem_dup_str(full, (size_t)(strrchr(full, '/') - full));

	assert_int_equal(dir_make(dir, 0755, NULL), 0);
	mem_free((void *)dir);
	assert_int_equal(file_replace(full, str_of(text), 0644, false, NULL), 0);
}

static void expect(struct fixture *f, const char *path, const char *want)
{
	struct buf text CLEANUP_BUF = {0};

	assert_int_equal(file_read(AT_FDCWD, arena_printf(&f->arena, "%s/%s", f->root, path).p,
				   4096, &text, NULL),
			 0);
	/* a real control file is replaced by a write, this one is overwritten */
	EXPECT_STR(str_sub(buf_str(&text), 0, strlen(want)), want);
}

static void make_v2(struct fixture *f)
{
	static const char *const groups[] = {"", "kubepods/", "kubepods/burstable/",
					     "kubepods/burstable/podx/"};
	struct err err CLEANUP_ERR = {0};

	put(f, "cgroup.controllers", "cpuset cpu io memory hugetlb pids rdma misc\n");
	for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
		put(f, arena_printf(&f->arena, "%scgroup.subtree_control", groups[i]).p,
		    i == 1 ? "cpu pids\n" : "");
		put(f, arena_printf(&f->arena, "%scgroup.procs", groups[i]).p, "");
	}
	if (cgroup_detect(f->root, &f->fs, &err) < 0) {
		fail_msg("%s", err_msg(&err));
	}
}

TEST(v2_is_recognised_and_hands_its_controllers_down)
{
	struct fixture f = fixture_new();

	make_v2(&f);
	assert_int_equal(f.fs.mode, CGROUP_V2);
	assert_true(f.fs.enabled[CGROUP_MEMORY] && f.fs.enabled[CGROUP_CPUACCT]);
	assert_int_equal(cgroup_create(&f.fs, "/kubepods/burstable/podx/c1", NULL), 0);
	expect(&f, "cgroup.subtree_control", "+cpu +cpuset +memory +pids +io");
	expect(&f, "kubepods/cgroup.subtree_control", "+cpuset +memory +io");
	expect(&f, "kubepods/burstable/podx/cgroup.subtree_control",
	       "+cpu +cpuset +memory +pids +io");
	assert_true(cgroup_exists(&f.fs, "/kubepods/burstable/podx/c1"));
	assert_int_equal(cgroup_create(&f.fs, "/kubepods/burstable/podx/c1", NULL), 0);
	fixture_fini(&f);
}

TEST(v2_limits_are_written_in_its_units)
{
	struct cgroup_limits limits = {
		.cpu_shares = 1024, .cpu_quota_us = 50000, .memory_bytes = 1 << 20, .pids = 10};
	struct cgroup_limits none = {.cpu_quota_us = -1, .memory_bytes = -1, .pids = -1};
	struct fixture f = fixture_new();
	struct err err CLEANUP_ERR = {0};

	make_v2(&f);
	put(&f, "g/cpu.weight", "");
	put(&f, "g/cpu.max", "");
	put(&f, "g/memory.max", "");
	put(&f, "g/pids.max", "");
	assert_int_equal(cgroup_apply(&f.fs, "/g", &limits, NULL), 0);
	expect(&f, "g/cpu.weight", "39");
	expect(&f, "g/cpu.max", "50000 100000");
	expect(&f, "g/memory.max", "1048576");
	expect(&f, "g/pids.max", "10");
	assert_int_equal(cgroup_apply(&f.fs, "/g", &none, NULL), 0);
	expect(&f, "g/cpu.max", "max 100000");
	expect(&f, "g/memory.max", "max");
	expect(&f, "g/pids.max", "max");
	f.fs.enabled[CGROUP_MEMORY] = false;
	assert_int_equal(cgroup_apply(&f.fs, "/g", &limits, &err), ERR_UNSUPPORTED);
	assert_non_null(strstr(err_msg(&err), "memory.max"));
	fixture_fini(&f);
}

TEST(v2_stats_are_read)
{
	struct fixture f = fixture_new();
	struct cgroup_stats s;

	make_v2(&f);
	put(&f, "g/cpu.stat", "usage_usec 1500\nuser_usec 1000\nnr_periods 7\nnr_throttled 3\n");
	put(&f, "g/memory.current", "9000\n");
	put(&f, "g/memory.max", "max\n");
	put(&f, "g/memory.stat",
	    "anon 4000\nfile 5000\ninactive_file 2500\npgfault 11\npgmajfault 2\n");
	put(&f, "g/memory.events", "low 0\noom 1\noom_kill 1\n");
	put(&f, "g/pids.current", "4\n");
	assert_int_equal(cgroup_read_stats(&f.fs, "/g", &s, NULL), 0);
	assert_true(s.cpu_ns == 1500000 && s.memory_bytes == 9000 && s.working_set_bytes == 6500 &&
		    s.rss_bytes == 4000);
	assert_true(s.memory_limit_bytes == UINT64_MAX && s.pids == 4 && s.oom_kills == 1 &&
		    s.page_faults == 11);
	assert_true(s.periods == 7 && s.throttled_periods == 3);
	EXPECT_STR(cgroup_oom_file(&f.fs, "/g", &f.arena),
		   arena_printf(&f.arena, "%s/g/memory.events", f.root).p);
	assert_int_equal(cgroup_read_stats(&f.fs, "/none", &s, NULL), ERR_NOT_FOUND);
	fixture_fini(&f);
}

TEST(v2_kills_by_the_kernels_own_file)
{
	struct fixture f = fixture_new();

	make_v2(&f);
	put(&f, "g/cgroup.kill", "");
	assert_int_equal(cgroup_kill(&f.fs, "/g", NULL), 0);
	expect(&f, "g/cgroup.kill", "1");
	assert_int_equal(cgroup_kill(&f.fs, "/none", NULL), 0);
	fixture_fini(&f);
}

static void make_v1(struct fixture *f)
{
	static const char *const names[] = {"cpu,cpuacct", "cpuset", "memory", "pids", "freezer"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		put(f, arena_printf(&f->arena, "%s/cgroup.procs", names[i]).p, "");
	}
	assert_int_equal(symlink("cpu,cpuacct", arena_printf(&f->arena, "%s/cpu", f->root).p), 0);
	assert_int_equal(symlink("cpu,cpuacct", arena_printf(&f->arena, "%s/cpuacct", f->root).p),
			 0);
	put(f, "unified/cgroup.controllers", "");
	put(f, "cpuset/cpuset.cpus", "0-1\n");
	put(f, "cpuset/cpuset.mems", "0\n");
	assert_int_equal(cgroup_detect(f->root, &f->fs, NULL), 0);
}

TEST(hybrid_groups_stand_in_every_hierarchy_and_cpusets_are_filled)
{
	struct fixture f = fixture_new();

	make_v1(&f);
	assert_int_equal(f.fs.mode, CGROUP_HYBRID);
	assert_false(f.fs.enabled[CGROUP_BLKIO]);
	put(&f, "cpuset/a/cpuset.cpus", "\n"); /* as the kernel makes them */
	put(&f, "cpuset/a/cpuset.mems", "\n");
	assert_int_equal(cgroup_create(&f.fs, "/a", NULL), 0);
	expect(&f, "cpuset/a/cpuset.cpus", "0-1");
	expect(&f, "cpuset/a/cpuset.mems", "0");
	assert_true(file_exists(arena_printf(&f.arena, "%s/memory/a", f.root).p));
	assert_true(file_exists(arena_printf(&f.arena, "%s/cpu,cpuacct/a", f.root).p));
	fixture_fini(&f);
}

TEST(v1_memory_and_swap_are_raised_in_an_order_the_kernel_takes)
{
	struct cgroup_limits limits = {.memory_bytes = 4096 * 100};
	struct fixture f = fixture_new();

	make_v1(&f);
	put(&f, "memory/g/memory.limit_in_bytes", "");
	put(&f, "memory/g/memory.memsw.limit_in_bytes", "");
	assert_int_equal(cgroup_apply(&f.fs, "/g", &limits, NULL), 0);
	expect(&f, "memory/g/memory.limit_in_bytes", "409600");
	expect(&f, "memory/g/memory.memsw.limit_in_bytes", "409600");
	fixture_fini(&f);
}

TEST(nothing_mounted_is_an_error_that_says_what_to_do)
{
	struct fixture f = fixture_new();
	struct err err CLEANUP_ERR = {0};

	assert_int_equal(cgroup_detect(f.root, &f.fs, &err), ERR_UNSUPPORTED);
	assert_non_null(strstr(err_msg(&err), "mount -t cgroup2"));
	fixture_fini(&f);
}

TEST(units_follow_upstreams_formulas)
{
	assert_int_equal(cgroup_shares_of_milli_cpu(0), 2);
	assert_int_equal(cgroup_shares_of_milli_cpu(1), 2);
	assert_int_equal(cgroup_shares_of_milli_cpu(250), 256);
	assert_int_equal(cgroup_shares_of_milli_cpu(1000000000), 262144);
	assert_int_equal(cgroup_quota_of_milli_cpu(0, 100000), -1);
	assert_int_equal(cgroup_quota_of_milli_cpu(1, 100000), 1000);
	assert_int_equal(cgroup_quota_of_milli_cpu(250, 100000), 25000);
	assert_int_equal(cgroup_weight_of_shares(2), 1);
	assert_int_equal(cgroup_weight_of_shares(1024), 39);
	assert_int_equal(cgroup_weight_of_shares(262144), 10000);
}

/* On this machine's real control groups. */
TEST(processes_are_found_killed_and_their_group_removed)
{
	struct cgroup_fs fs = {0};
	struct err err CLEANUP_ERR = {0};
	struct arena a CLEANUP_ARENA = {0};
	char group[64];
	char below[80];
	int *pids;
	size_t n;
	int status;
	pid_t pid;

	snprintf(group, sizeof(group), "/cox-cgtest-%d", (int)getpid());
	snprintf(below, sizeof(below), "%s/below", group);
	if (cgroup_detect("/sys/fs/cgroup", &fs, &err) < 0 || cgroup_create(&fs, below, &err) < 0) {
		fail_msg("%s", err_msg(&err));
	}
	pid = fork();
	if (pid == 0) {
		pause();
		_exit(0);
	}
	assert_int_equal(cgroup_enter(&fs, below, pid, NULL), 0);
	assert_int_equal(cgroup_pids(&fs, group, &a, &pids, &n, NULL), 0);
	assert_int_equal(n, 1);
	assert_int_equal(pids[0], pid);
	assert_int_equal(cgroup_remove(&fs, group, &err), ERR_BUSY);
	assert_int_equal(cgroup_kill(&fs, group, NULL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	assert_int_equal(cgroup_kill(&fs, group, NULL), 0);
	assert_int_equal(cgroup_remove(&fs, group, NULL), 0);
	assert_int_equal(cgroup_remove(&fs, group, NULL), 0);
	assert_false(cgroup_exists(&fs, group));
	cgroup_fs_fini(&fs);
}

TEST_MAIN(v2_is_recognised_and_hands_its_controllers_down, v2_limits_are_written_in_its_units,
	  v2_stats_are_read, v2_kills_by_the_kernels_own_file,
	  hybrid_groups_stand_in_every_hierarchy_and_cpusets_are_filled,
	  v1_memory_and_swap_are_raised_in_an_order_the_kernel_takes,
	  nothing_mounted_is_an_error_that_says_what_to_do, units_follow_upstreams_formulas,
	  processes_are_found_killed_and_their_group_removed)
