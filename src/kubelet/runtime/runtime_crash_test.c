/* SPDX-License-Identifier: Apache-2.0 */
/* What crashes and kills leave behind, and who finds it. */
#include "kubelet/runtime/test_runtime.h"

static int agent_main(int argc, char **argv)
{
	struct fixture *f;
	struct container_spec spec;
	struct str sb;

	if (argc < 3 || strcmp(argv[1], "agent") != 0) {
		return -1;
	}
	snprintf(base_dir, sizeof(base_dir), "%s", argv[2]);
	f = fixture_new();
	sb = pod(f, "crash");
	spec = script(f, sb, "survivor",
		      "trap 'exit 9' TERM; echo up; while :; do sleep 1000 & wait; done");
	started(f, &spec);
	spec = script(f, sb, "short", "read x; exit 5");
	spec.stdin = true;
	started(f, &spec);
	spec = script(f, sb, "waiting", "echo began; exit 6");
	OK(f, container_create(f->rt, &spec, on_done, f)); /* never started */
	kill(getpid(), SIGKILL);
	return 1;
}

static void run_agent(void)
{
	const char *const argv[] = {"/proc/self/exe", "agent", base_dir, NULL};
	const char *options = getenv("ASAN_OPTIONS");
	char asan[256];
	const char *const envp[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", asan, NULL};
	struct proc_opts opts = {.argv = argv, .envp = envp, .fds = {{2, 2}}, .n_fds = 1};
	struct proc_result result CLEANUP_PROC_RESULT = {0};

	snprintf(asan, sizeof(asan), "ASAN_OPTIONS=%s", options ? options : "");
	assert_int_equal(proc_run(&opts, &result, NULL), 0);
	assert_int_equal(result.exit_code, 137);
}

TEST(containers_survive_a_killed_agent_and_are_adopted)
{
	struct fixture *f;
	struct str id;
	int pid;
	int fd;

	run_agent();
	f = fixture_new();
	assert_int_equal(f->exits, 0);
	id = find_by_name(f, "survivor");
	pid = container_find(f->rt, id)->pid;
	assert_int_equal(container_find(f->rt, id)->state, CONTAINER_RUNNING);
	assert_int_equal(kill(pid, 0), 0);
	assert_int_equal(exec_code(f, id, "echo $HOSTNAME"), 0);
	EXPECT_STR(buf_str(&f->out), "podhost\n");
	assert_int_equal(container_find(f->rt, find_by_name(f, "waiting"))->state,
			 CONTAINER_CREATED);
	/* asked for again, the same container answers */
	{
		struct sandbox_spec again = pod_spec("crash");
		struct container_spec spec;

		OK(f, sandbox_create(f->rt, &again, on_done, f));
		spec = script(f, arena_str(&f->arena, str_of(f->id)), "survivor", "something else");
		OK(f, container_create(f->rt, &spec, on_done, f));
		EXPECT_STR(id, f->id);
		assert_int_equal(container_find(f->rt, id)->pid, pid);
	}
	/* one ends while nobody looks */
	fd = container_attach(f->rt, find_by_name(f, "short"), NULL);
	assert_true(fd >= 0);
	fixture_close(f);
	assert_int_equal(write(fd, "\n", 1), 1);
	for (char c; read(fd, &c, 1) > 0;) {
	}
	close(fd);
	f = fixture_new();
	assert_int_equal(ended(f, find_by_name(f, "short"))->exit_code, 5);
	assert_int_equal(f->exits, 1);
	OK(f, container_start(f->rt, find_by_name(f, "waiting"), on_done, f));
	assert_int_equal(ended(f, find_by_name(f, "waiting"))->exit_code, 6);
	id = find_by_name(f, "survivor");
	OK(f, container_stop(f->rt, id, 10000, on_done, f));
	assert_int_equal(container_find(f->rt, id)->exit_code, 9);
	fixture_fini(f);
}

TEST(what_a_crash_left_half_made_is_removed)
{
	struct fixture *f = fixture_new();
	struct str sb = pod(f, "half");
	struct container_spec spec = script(f, sb, "half", "sleep 1000");
	struct str id = started(f, &spec);
	int pid = container_find(f->rt, id)->pid;
	char path[256];

	/* as if killed between the start of conmon and the record of it */
	snprintf(path, sizeof(path), "%s/state/containers/%.*s/state.json", base_dir, STR_ARG(id));
	assert_int_equal(unlink(path), 0);
	fixture_close(f);
	f = fixture_new();
	assert_null(container_next(f->rt, &(size_t){0}));
	assert_true(kill(pid, 0) < 0 || proc_start_time(pid) == 0);
	assert_int_equal(f->exits, 0);
	fixture_fini(f);
}

TEST(a_start_that_was_not_recorded_is_recognised)
{
	struct fixture *f = fixture_new();
	struct str sb = pod(f, "unrecorded");
	struct container_spec spec = script(f, sb, "main", "exec sleep 1000");
	struct buf text CLEANUP_BUF = {0};
	struct str id = started(f, &spec);
	char path[256];
	ptrdiff_t at;

	/* as if killed between crun's start and the record of it */
	snprintf(path, sizeof(path), "%s/state/containers/%.*s/state.json", base_dir, STR_ARG(id));
	fixture_close(f);
	assert_int_equal(file_read(AT_FDCWD, path, 1 << 20, &text, NULL), 0);
	at = str_find(buf_str(&text), STR("\"state\":1"));
	assert_true(at > 0);
	text.p[at + 8] = '0';
	assert_int_equal(file_replace(path, buf_str(&text), 0600, false, NULL), 0);
	f = fixture_new();
	assert_int_equal(container_find(f->rt, find_by_name(f, "main"))->state, CONTAINER_RUNNING);
	fixture_fini(f);
}

TEST(a_killed_conmon_ends_its_container_and_says_so)
{
	struct fixture *f = fixture_new();
	struct str sb = pod(f, "p13");
	struct container_spec spec = script(f, sb, "main", "sleep 1000");
	const struct container_status *st;
	struct str id = started(f, &spec);
	int pid = container_find(f->rt, id)->pid;

	kill(pid_in_file(arena_printf(&f->arena, "%s/state/containers/%.*s/conmon.pid", base_dir,
				      STR_ARG(id))
				 .p),
	     SIGKILL);
	st = ended(f, id);
	assert_int_equal(st->exit_code, 137);
	EXPECT_STR(st->reason, "ContainerStatusUnknown");
	expect_contains(st->message, "conmon");
	assert_true(proc_start_time(pid) == 0);
	fixture_fini(f);
}

#define main cases_main
TEST_MAIN(containers_survive_a_killed_agent_and_are_adopted, what_a_crash_left_half_made_is_removed,
	  a_start_that_was_not_recorded_is_recognised,
	  a_killed_conmon_ends_its_container_and_says_so)
#undef main

int main(int argc, char **argv)
{
	test_other_ = agent_main;
	return test_runtime_main_(argc, argv);
}
