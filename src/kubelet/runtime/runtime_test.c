/* SPDX-License-Identifier: Apache-2.0 */
/* Containers and pods: what they are given, what they report, what they leave. `runtime_test bench` prints figures. */
#include "kubelet/runtime/test_runtime.h"

TEST(a_container_runs_logs_and_reports_its_exit_code)
{
	struct fixture *f = fixture_new();
	struct str sb = pod(f, "p1");
	struct container_spec spec = script(f, sb, "main", "echo out; echo err >&2; exit 7");
	struct buf raw CLEANUP_BUF = {0};
	const struct container_status *st;
	struct str id = started(f, &spec);

	st = ended(f, id);
	assert_int_equal(st->exit_code, 7);
	EXPECT_STR(st->reason, "Error");
	EXPECT_STR(st->name, "main");
	EXPECT_STR(st->pod_uid, "p1");
	assert_true(st->created_at_ns <= st->started_at_ns &&
		    st->started_at_ns <= st->finished_at_ns);
	assert_int_equal(f->exits, 1);
	assert_int_equal(
		file_read(AT_FDCWD, arena_cstr(&f->arena, spec.log_path), 4096, &raw, NULL), 0);
	expect_contains(buf_str(&raw), " stdout F out\n");
	expect_contains(buf_str(&raw), " stderr F err\n");
	spec = script(f, sb, "good", "true");
	id = started(f, &spec);
	EXPECT_STR(ended(f, id)->reason, "Completed");
	fixture_fini(f);
}

TEST(environment_directory_and_user_come_from_image_and_spec)
{
	static const struct runtime_pair env[] = {{STR_INIT("BOTH"), STR_INIT("spec")},
						  {STR_INIT("EMPTY"), STR_INIT("")}};
	static const int64_t groups[] = {4000};
	struct fixture *f = fixture_new();
	struct str sb = pod(f, "p2");
	struct container_spec spec = script(
		f, sb, "env", "echo $FROM_IMAGE $BOTH $HOSTNAME [$EMPTY] $HOME; pwd; id; hostname");
	struct str text;

	spec.env = (struct runtime_pairs){env, 2};
	spec.working_dir = STR("/made/for/it");
	spec.run_as_user = 1234;
	spec.supplemental_groups = groups;
	spec.n_supplemental_groups = 1;
	text = run_script(f, &spec, 0);
	expect_contains(text, "1 spec podhost [] /home/app\n/made/for/it\n");
	expect_contains(text, "uid=1234(app) gid=2345");
	expect_contains(text, "77(extra)");
	expect_contains(text, "4000");
	expect_contains(text, "\npodhost\n");
	spec = script(f, sb, "nobody", "id");
	spec.run_as_user = 65534;
	spec.run_as_group = 9;
	expect_contains(run_script(f, &spec, 0), "uid=65534 gid=9");
	fixture_fini(f);
}

TEST(capabilities_and_privileges_are_what_the_spec_says)
{
	static const struct str all[] = {STR_INIT("ALL")};
	static const struct str bind[] = {STR_INIT("NET_BIND_SERVICE")};
	static const struct str odd[] = {STR_INIT("FLY")};
	struct fixture *f = fixture_new();
	struct str sb = pod(f, "p3");
	const char *look = "grep -E 'CapEff|CapBnd|NoNew|Seccomp:' /proc/self/status; echo x 2>&1 "
			   ">/proc/sys/kernel/panic; unshare -n true; ls /dev";
	struct container_spec spec = script(f, sb, "plain", look);
	struct str text = run_script(f, &spec, 0);

	expect_contains(text, "CapEff:\t00000000a80425fb");
	expect_contains(text, "NoNewPrivs:\t0");
	expect_contains(text, "Seccomp:\t2");
	expect_contains(text, "ead-only file system");
	spec = script(f, sb, "dropped", look);
	spec.capabilities_drop = (struct runtime_strings){all, 1};
	spec.capabilities_add = (struct runtime_strings){bind, 1};
	spec.no_new_privileges = true;
	text = run_script(f, &spec, 0);
	expect_contains(text, "CapBnd:\t0000000000000400");
	expect_contains(text, "NoNewPrivs:\t1");
	spec = script(f, sb, "user", look);
	spec.run_as_user = 1000;
	expect_contains(run_script(f, &spec, 0), "CapEff:\t0000000000000000");
	spec = script(f, sb, "mighty",
		      "grep -E 'CapEff|Seccomp:' /proc/self/status; ls /dev; touch /sys/x || true");
	spec.privileged = true;
	text = run_script(f, &spec, 0);
	expect_contains(text, "Seccomp:\t0");
	assert_false(str_contains(text, STR("CapEff:\t00000000a80425fb")));
	expect_contains(text, "kmsg");
	spec = script(f, sb, "odd", "true");
	spec.capabilities_add = (struct runtime_strings){odd, 1};
	container_create(f->rt, &spec, on_done, f);
	assert_int_equal(wait_done(f), ERR_INVALID);
	expect_contains(str_of(err_msg(&f->err)), "unknown capability \"FLY\"");
	fixture_fini(f);
}

TEST(root_file_system_and_mounts_can_be_read_only)
{
	struct fixture *f = fixture_new();
	struct str sb = pod(f, "p4");
	struct container_spec spec = script(f, sb, "ro",
					    "touch /x; touch /rw/a && touch /ro/b; cat /ro/file; "
					    "touch /dev/shm/ok && echo shm");
	struct str rw = arena_printf(&f->arena, "%s/vol-rw", base_dir);
	struct str ro = arena_printf(&f->arena, "%s/vol-ro", base_dir);
	struct runtime_mount mounts[] = {
		{.host_path = rw, .container_path = STR("/rw")},
		{.host_path = ro, .container_path = STR("/ro"), .read_only = true}};
	struct str text;

	assert_int_equal(dir_make(rw.p, 0755, NULL), 0);
	assert_int_equal(dir_make(ro.p, 0755, NULL), 0);
	assert_int_equal(file_replace(arena_printf(&f->arena, "%s/file", ro.p).p,
				      STR("from the volume\n"), 0644, false, NULL),
			 0);
	spec.read_only_rootfs = true;
	spec.mounts = mounts;
	spec.n_mounts = 2;
	text = run_script(f, &spec, 0);
	expect_contains(text, "/x: Read-only file system");
	expect_contains(text, "/ro/b: Read-only file system");
	expect_contains(text, "from the volume\nshm\n");
	assert_true(file_exists(arena_printf(&f->arena, "%s/a", rw.p).p));
	fixture_fini(f);
}

static void on_stats(void *ctx, const struct cgroup_stats *stats, const struct err *err)
{
	struct fixture *f = ctx;

	if (stats) {
		buf_clear(&f->out);
		buf_add(&f->out, stats, sizeof(*stats));
	}
	on_done(f, STR(""), err);
}

TEST(limits_reach_the_cgroup_and_stats_come_back)
{
	struct fixture *f = fixture_new();
	struct str sb = pod(f, "p5");
	struct container_spec spec = script(f, sb, "limited", "sleep 1000");
	struct cgroup_limits bigger = {.memory_bytes = 96 << 20};
	struct cgroup_stats stats;
	struct str id;

	spec.limits = (struct cgroup_limits){
		.cpu_shares = 256, .cpu_quota_us = 50000, .memory_bytes = 64 << 20, .pids = 20};
	id = started(f, &spec);
	EXPECT_STR(container_find(f->rt, id)->cgroup_path,
		   arena_printf(&f->arena, "/kubepods/burstable/podp5/%.*s", STR_ARG(id)).p);
	OK(f, container_stats(f->rt, id, on_stats, f));
	memcpy(&stats, f->out.p, sizeof(stats));
	assert_int_equal(stats.memory_limit_bytes, 64 << 20);
	assert_true(stats.pids >= 1 && stats.memory_bytes > 0 && stats.cpu_ns > 0);
	assert_true(stats.working_set_bytes <= stats.memory_bytes);
	assert_int_equal(container_update(f->rt, id, &bigger, NULL), 0);
	OK(f, container_stats(f->rt, id, on_stats, f));
	memcpy(&stats, f->out.p, sizeof(stats));
	assert_int_equal(stats.memory_limit_bytes, 96 << 20);
	container_stats(f->rt, STR("nosuch"), on_stats, f);
	assert_int_equal(wait_done(f), ERR_NOT_FOUND);
	fixture_fini(f);
}

TEST(too_much_memory_is_reported_as_oomkilled)
{
	struct fixture *f = fixture_new();
	struct str sb = pod(f, "p6");
	struct container_spec spec = script(f, sb, "hog", "exec tail /dev/zero");
	const struct container_status *st;

	spec.limits.memory_bytes = 16 << 20;
	st = ended(f, started(f, &spec));
	assert_int_equal(st->exit_code, 137);
	EXPECT_STR(st->reason, "OOMKilled");
	fixture_fini(f);
}

static void expect_refused(struct fixture *f, const struct container_spec *spec, int code,
			   const char *words)
{
	container_create(f->rt, spec, on_done, f);
	assert_int_equal(wait_done(f), code);
	expect_contains(str_of(err_msg(&f->err)), words);
	assert_null(container_next(f->rt, &(size_t){0}));
	expect_empty(f, "state/containers");
	expect_empty(f, "run/crun");
}

TEST(what_cannot_be_created_says_why_and_leaves_nothing)
{
	static const struct str missing[] = {STR_INIT("/bin/nonesuch")};
	struct fixture *f = fixture_new();
	struct str sb = pod(f, "p12");
	struct container_spec spec = script(f, sb, "bad", "true");
	struct runtime_mount nowhere = {.host_path = STR("/no/such/dir"),
					.container_path = STR("/x")};
	const struct container_spec good = spec;

	spec.command = (struct runtime_strings){missing, 1};
	expect_refused(f, &spec, ERR_NOT_FOUND, "/bin/nonesuch");
	spec = good;
	spec.image_id =
		STR("sha256:0000000000000000000000000000000000000000000000000000000000000000");
	expect_refused(f, &spec, ERR_NOT_FOUND, "is not on this node");
	spec = good;
	spec.mounts = &nowhere;
	spec.n_mounts = 1;
	expect_refused(f, &spec, ERR_NOT_FOUND, "/no/such/dir");
	spec = good;
	spec.log_path = STR("relative.log");
	expect_refused(f, &spec, ERR_INVALID, "not absolute");
	spec = good;
	spec.sandbox_id = STR("nosuch");
	expect_refused(f, &spec, ERR_NOT_FOUND, "no running sandbox");
	fixture_fini(f);
}

TEST(containers_of_a_pod_share_network_ipc_host_name_and_shm)
{
	static const struct runtime_pair sysctls[] = {
		{STR_INIT("net.ipv4.ip_unprivileged_port_start"), STR_INIT("80")},
		{STR_INIT("kernel.shm_rmid_forced"), STR_INIT("1")}};
	static const struct runtime_pair evil[] = {
		{STR_INIT("kernel.core_pattern"), STR_INIT("x")}};
	struct fixture *f = fixture_new();
	struct sandbox_spec pod_with = pod_spec("p15");
	struct container_spec first;
	struct container_spec second;
	char own[128];
	struct str sb;
	struct str text;
	struct str text2;

	pod_with.sysctls = (struct runtime_pairs){sysctls, 2};
	OK(f, sandbox_create(f->rt, &pod_with, on_done, f));
	sb = arena_str(&f->arena, str_of(f->id));
	first = script(f, sb, "first",
		       "echo shared >/dev/shm/f; ls -l /proc/self/ns/net /proc/self/ns/ipc "
		       "/proc/self/ns/uts | grep -o '\\[.*';"
		       "cat /proc/sys/net/ipv4/ip_unprivileged_port_start "
		       "/proc/sys/kernel/shm_rmid_forced; hostname; ip link show lo | head -1");
	second = script(f, sb, "second",
			"cat /dev/shm/f; ls -l /proc/self/ns/net /proc/self/ns/ipc "
			"/proc/self/ns/uts | grep -o '\\[.*'");
	text = run_script(f, &first, 0);
	text2 = run_script(f, &second, 0);
	expect_contains(text, "]\n80\n1\npodhost\n");
	expect_contains(text, "UP");
	expect_contains(text2, "shared\n");
	expect_contains(text, arena_cstr(&f->arena, str_sub(str_from(text2, 7), 0, 36)));
	snprintf(own, sizeof(own), "/proc/self/ns/net");
	assert_true(sandbox_find(f->rt, sb)->net_ns.n > 0);
	pod_with = pod_spec("p15b");
	pod_with.sysctls = (struct runtime_pairs){evil, 1};
	sandbox_create(f->rt, &pod_with, on_done, f);
	assert_int_equal(wait_done(f), ERR_INVALID);
	expect_contains(str_of(err_msg(&f->err)), "kernel.core_pattern");
	pod_with = pod_spec("p15c");
	pod_with.share_process_namespace = true;
	sandbox_create(f->rt, &pod_with, on_done, f);
	assert_int_equal(wait_done(f), ERR_UNSUPPORTED);
	fixture_fini(f);
}

TEST(host_namespaces_are_the_nodes)
{
	struct fixture *f = fixture_new();
	struct sandbox_spec host = pod_spec("p16");
	struct container_spec spec;
	char name[64];
	struct str sb;
	struct str id;

	assert_int_equal(sethostname("node-of-test", 12), 0);
	host.host_network = host.host_pid = host.host_ipc = true;
	host.hostname = STR("node-of-test");
	OK(f, sandbox_create(f->rt, &host, on_done, f));
	sb = arena_str(&f->arena, str_of(f->id));
	assert_int_equal(sandbox_find(f->rt, sb)->net_ns.n, 0);
	spec = script(f, sb, "main",
		      "hostname; echo pid $$; trap '' TERM; sleep 1000 & wait; sleep 1000");
	id = started(f, &spec);
	wait_log(f, &spec, "pid ");
	expect_contains(log_text(f, &spec), "node-of-test\n");
	snprintf(name, sizeof(name), "pid %d\n", container_find(f->rt, id)->pid);
	expect_contains(log_text(f, &spec), name);
	OK(f, container_stop(f->rt, id, 50, on_done, f));
	assert_int_equal(container_find(f->rt, id)->exit_code, 137);
	fixture_fini(f);
}

TEST(a_stopped_sandbox_keeps_statuses_and_gives_back_the_rest)
{
	struct fixture *f = fixture_new();
	struct str sb = pod(f, "p17");
	struct container_spec spec = script(f, sb, "main", "sleep 1000");
	struct dir_names mounts CLEANUP_DIR_NAMES = {0};
	struct str id = started(f, &spec);

	OK(f, sandbox_stop(f->rt, sb, on_done, f));
	assert_int_equal(container_find(f->rt, id)->exit_code, 137);
	assert_int_equal(f->exits, 1);
	assert_false(sandbox_find(f->rt, sb)->ready);
	assert_int_equal(mount_list(base_dir, &mounts, NULL), 0);
	assert_int_equal(mounts.n, 0);
	OK(f, sandbox_stop(f->rt, sb, on_done, f));
	OK(f, container_remove(f->rt, id, on_done, f));
	assert_null(container_find(f->rt, id));
	OK(f, container_remove(f->rt, id, on_done, f));
	fixture_fini(f);
}

TEST(removing_a_running_container_kills_it_without_an_event)
{
	struct fixture *f = fixture_new();
	struct str sb = pod(f, "p18");
	struct container_spec spec = script(f, sb, "main", "sleep 1000");
	struct str id = started(f, &spec);

	OK(f, container_remove(f->rt, id, on_done, f));
	assert_null(container_find(f->rt, id));
	assert_int_equal(f->exits, 0);
	assert_true(file_exists(spec.log_path.p));
	/* the name is free again */
	EXPECT_STR(started(f, &spec), arena_cstr(&f->arena, id));
	fixture_fini(f);
}

static int compare_ns(const void *a, const void *b)
{
	return *(const int64_t *)a < *(const int64_t *)b ? -1 : 1;
}

static int64_t memory_kb(int pid, const char *key)
{
	struct arena a CLEANUP_ARENA = {0};
	struct buf text CLEANUP_BUF = {0};
	ptrdiff_t at;
	int64_t v = -1;
	struct str line;
	struct str number = STR_NULL;

	if (file_read(AT_FDCWD, arena_printf(&a, "/proc/%d/smaps_rollup", pid).p, 65536, &text,
		      NULL) == 0 &&
	    (at = str_find(buf_str(&text), str_of(key))) >= 0) {
		line = str_trim(str_from(buf_str(&text), (size_t)at + strlen(key)));
		str_cut(&line, ' ', &number);
		if (str_to_int64(number, &v) < 0) {
			v = -1;
		}
	}
	return v;
}

/* runtime_test bench: figures for the design page. */
static int bench_main(int argc UNUSED, char **argv)
{
	enum { PODS = 20 };
	struct fixture *f;
	int64_t sandbox_ns[PODS], create_ns[PODS], start_ns[PODS], total_ns[PODS], remove_ns[PODS],
		exec_ns[PODS];
	struct str ids[PODS];
	int64_t pss = 0;
	int64_t rss = 0;

	if (strcmp(argv[1], "bench") != 0) {
		return -1;
	}
	f = fixture_new();
	for (int i = 0; i < PODS; i++) {
		char uid[32];
		struct container_spec spec;
		struct str sb;
		int64_t t[5];

		snprintf(uid, sizeof(uid), "bench%d", i);
		t[0] = env_mono_ns(loop_env(f->loop));
		sb = ids[i] = pod(f, uid);
		t[1] = env_mono_ns(loop_env(f->loop));
		spec = script(f, sb, "main", "exec sleep 1000");
		OK(f, container_create(f->rt, &spec, on_done, f));
		t[2] = env_mono_ns(loop_env(f->loop));
		OK(f, container_start(f->rt, str_of(f->id), on_done, f));
		t[3] = env_mono_ns(loop_env(f->loop));
		exec_code(f, find_by_name(f, "main"), "true");
		t[4] = env_mono_ns(loop_env(f->loop));
		sandbox_ns[i] = t[1] - t[0];
		create_ns[i] = t[2] - t[1];
		start_ns[i] = t[3] - t[2];
		total_ns[i] = t[3] - t[0];
		exec_ns[i] = t[4] - t[3];
	}
	{
		const struct container_status *st;

		for (size_t i = 0; (st = container_next(f->rt, &i));) {
			int pid = pid_in_file(arena_printf(&f->arena,
							   "%s/state/containers/%.*s/conmon.pid",
							   base_dir, STR_ARG(st->id))
						      .p);

			pss += memory_kb(pid, "\nPss:");
			rss += memory_kb(pid, "\nRss:");
		}
	}
	for (int i = 0; i < PODS; i++) {
		int64_t t = env_mono_ns(loop_env(f->loop));

		OK(f, sandbox_remove(f->rt, ids[i], on_done, f));
		remove_ns[i] = env_mono_ns(loop_env(f->loop)) - t;
	}
	qsort(sandbox_ns, PODS, sizeof(*sandbox_ns), compare_ns);
	qsort(create_ns, PODS, sizeof(*create_ns), compare_ns);
	qsort(start_ns, PODS, sizeof(*start_ns), compare_ns);
	qsort(total_ns, PODS, sizeof(*total_ns), compare_ns);
	qsort(remove_ns, PODS, sizeof(*remove_ns), compare_ns);
	qsort(exec_ns, PODS, sizeof(*exec_ns), compare_ns);
	printf("ms, p50 of %d: sandbox %.1f, create %.1f, start %.1f, pod in all %.1f (max %.1f), "
	       "exec %.1f, removal %.1f; "
	       "conmon: PSS %.2f MB, RSS %.2f MB each\n",
	       PODS, (double)sandbox_ns[PODS / 2] / 1e6, (double)create_ns[PODS / 2] / 1e6,
	       (double)start_ns[PODS / 2] / 1e6, (double)total_ns[PODS / 2] / 1e6,
	       (double)total_ns[PODS - 1] / 1e6, (double)exec_ns[PODS / 2] / 1e6,
	       (double)remove_ns[PODS / 2] / 1e6, (double)pss / PODS / 1024,
	       (double)rss / PODS / 1024);
	fixture_fini(f);
	return 0;
}

#define main cases_main
TEST_MAIN(a_container_runs_logs_and_reports_its_exit_code,
	  environment_directory_and_user_come_from_image_and_spec,
	  capabilities_and_privileges_are_what_the_spec_says,
	  root_file_system_and_mounts_can_be_read_only, limits_reach_the_cgroup_and_stats_come_back,
	  too_much_memory_is_reported_as_oomkilled,
	  what_cannot_be_created_says_why_and_leaves_nothing,
	  containers_of_a_pod_share_network_ipc_host_name_and_shm, host_namespaces_are_the_nodes,
	  a_stopped_sandbox_keeps_statuses_and_gives_back_the_rest,
	  removing_a_running_container_kills_it_without_an_event)
#undef main

int main(int argc, char **argv)
{
	test_other_ = bench_main;
	return test_runtime_main_(argc, argv);
}
