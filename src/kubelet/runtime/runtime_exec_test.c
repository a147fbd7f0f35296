/* SPDX-License-Identifier: Apache-2.0 */
/* Commands, terminals, attaching, stopping, logs. */
#include "kubelet/runtime/test_runtime.h"

TEST(exec_runs_as_the_container_and_is_killed_at_its_timeout)
{
	static const struct str missing[] = {STR_INIT("/no/such")};
	struct fixture *f = fixture_new();
	struct str sb = pod(f, "p7");
	struct container_spec spec = script(f, sb, "main", "sleep 1000");
	struct exec_spec slow;
	struct str id;

	spec.run_as_user = 1234;
	id = started(f, &spec);
	assert_int_equal(exec_code(f, id, "id; echo oops >&2; exit 3"), 3);
	expect_contains(buf_str(&f->out), "uid=1234(app) gid=2345");
	EXPECT_STR(buf_str(&f->errs), "oops\n");
	assert_int_equal(exec_code(f, id, "seq 100000"), 0);
	assert_int_equal(f->out.n, 4096);
	slow = exec_of(f, id, "exec sleep 1000");
	slow.timeout_ms = 100;
	exec_sync(f->rt, &slow, on_exec, f);
	assert_int_equal(wait_done(f), 0);
	assert_true(f->exec.timed_out);
	assert_int_equal(f->exec.exit_code, 137);
	/* only the container's own and ours */
	assert_int_equal(exec_code(f, id, "ps | grep -c '[s]leep 1000'"), 0);
	EXPECT_STR(buf_str(&f->out), "1\n");
	slow.command = (struct runtime_strings){missing, 1};
	exec_sync(f->rt, &slow, on_exec, f);
	assert_int_equal(wait_done(f), ERR_NOT_FOUND);
	expect_contains(str_of(err_msg(&f->err)), "/no/such");
	slow.container_id = STR("nosuch");
	exec_sync(f->rt, &slow, on_exec, f);
	assert_int_equal(wait_done(f), ERR_NOT_FOUND);
	fixture_fini(f);
}

TEST(exec_streams_through_pipes_and_terminals)
{
	struct fixture *f = fixture_new();
	struct str sb = pod(f, "p8");
	struct container_spec spec = script(f, sb, "main", "sleep 1000");
	struct exec_events events = {on_terminal, on_exec, f};
	struct exec_session *session;
	struct exec_spec exec;
	struct str id = started(f, &spec);
	struct buf text CLEANUP_BUF = {0};
	char chunk[512];
	bool come;
	ssize_t n;
	int in[2];
	int out[2];

	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	exec = exec_of(f, id, "cat; echo end; exit 4");
	exec.stdin_fd = in[0];
	exec.stdout_fd = out[1];
	assert_int_equal(exec_start(f->rt, &exec, &events, &session, NULL), 0);
	assert_int_equal(write(in[1], "typed\n", 6), 6);
	close(in[1]);
	assert_int_equal(wait_done(f), 0);
	assert_int_equal(f->exec.exit_code, 4);
	n = read(out[0], chunk, sizeof(chunk));
	EXPECT_STR(str_make(chunk, (size_t)n), "typed\nend\n");
	close(out[0]);

	exec = exec_of(f, id, "read x; stty size; exit 5");
	exec.tty = true;
	assert_int_equal(exec_start(f->rt, &exec, &events, &session, NULL), 0);
	come = false;
	while (!come) {
		loop_run(f->loop);
		come = f->terminal >= 0;
	}
	exec_resize(f->rt, session, 91, 37);
	assert_int_equal(write(f->terminal, "\n", 1), 1);
	assert_int_equal(wait_done(f), 0);
	assert_int_equal(f->exec.exit_code, 5);
	while ((n = read(f->terminal, chunk, sizeof(chunk))) > 0) { /* ends with EIO */
		buf_add(&text, chunk, (size_t)n);
	}
	expect_contains(buf_str(&text), "37 91");
	close(f->terminal);

	exec = exec_of(f, id, "sleep 1000");
	assert_int_equal(exec_start(f->rt, &exec, &events, &session, NULL), 0);
	exec_kill(f->rt, session);
	assert_int_equal(wait_done(f), 0);
	assert_int_equal(f->exec.exit_code, 137);
	fixture_fini(f);
}

TEST(attach_talks_to_the_first_process)
{
	struct fixture *f = fixture_new();
	struct str sb = pod(f, "p9");
	struct container_spec spec =
		script(f, sb, "main", "read line; echo got $line; cat >/dev/null; echo eof");
	struct str id;
	char packet[8193];
	ssize_t n;
	int fd;

	spec.stdin = spec.stdin_once = true;
	id = started(f, &spec);
	fd = container_attach(f->rt, id, NULL);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "hello\n", 6), 6);
	n = read(fd, packet, sizeof(packet));
	EXPECT_STR(str_make(packet, (size_t)n), "\002got hello\n");
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	assert_int_equal(ended(f, id)->exit_code, 0);
	EXPECT_STR(log_text(f, &spec), "got hello\neof\n");
	close(fd);
	assert_int_equal(container_attach(f->rt, id, NULL), ERR_CLOSED);
	fixture_fini(f);
}

TEST(logs_go_on_in_a_new_file_after_rotation)
{
	struct fixture *f = fixture_new();
	struct str sb = pod(f, "p14");
	struct container_spec spec = script(f, sb, "main", "echo one; read x; echo two");
	struct container_spec old = spec;
	struct cri_log_opts opts = {.tail_lines = -1, .limit_bytes = -1, .follow = true};
	struct buf text CLEANUP_BUF = {0};
	struct cri_log *follower;
	struct str id;
	int fd;

	spec.stdin = true;
	id = started(f, &spec);
	wait_log(f, &spec, "one");
	old.log_path = arena_printf(&f->arena, "%s.1", spec.log_path.p);
	assert_int_equal(cri_log_open(spec.log_path.p, &opts, &follower, NULL), 0);
	while (cri_log_read(follower, &text, 4096, NULL) > 0) {
	}
	assert_int_equal(rename(spec.log_path.p, old.log_path.p), 0);
	assert_int_equal(container_reopen_log(f->rt, id, NULL), 0);
	while (!file_exists(spec.log_path.p)) { /* the follower is woken when it appears */
		struct pollfd p = {cri_log_fd(follower), POLLIN, 0};

		assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
	}
	fd = container_attach(f->rt, id, NULL);
	assert_int_equal(write(fd, "\n", 1), 1);
	ended(f, id);
	close(fd);
	EXPECT_STR(log_text(f, &old), "one\n");
	EXPECT_STR(log_text(f, &spec), "two\n");
	while (cri_log_read(follower, &text, 4096, NULL) > 0) {
	}
	EXPECT_STR(buf_str(&text), "one\ntwo\n");
	cri_log_free(follower);
	fixture_fini(f);
}

TEST(stop_asks_first_and_kills_after_the_grace)
{
	struct fixture *f = fixture_new();
	struct str sb = pod(f, "p10");
	struct container_spec polite =
		script(f, sb, "polite",
		       "trap 'exit 7' TERM; echo ready; while :; do sleep 1000 & wait; done");
	struct container_spec deaf = script(f, sb, "deaf", "trap '' TERM; echo ready; sleep 1000");
	struct str id = started(f, &polite);
	struct str deaf_id = started(f, &deaf);
	int64_t before;

	wait_log(f, &polite, "ready");
	wait_log(f, &deaf, "ready");
	OK(f, container_stop(f->rt, id, 10000, on_done, f));
	assert_int_equal(container_find(f->rt, id)->exit_code, 7);
	before = env_mono_ns(loop_env(f->loop));
	OK(f, container_stop(f->rt, deaf_id, 300, on_done, f));
	assert_true(env_mono_ns(loop_env(f->loop)) - before >= 300 * NS_PER_MS);
	assert_int_equal(container_find(f->rt, deaf_id)->exit_code, 137);
	EXPECT_STR(container_find(f->rt, deaf_id)->reason, "Error");
	assert_int_equal(f->exits, 2);
	OK(f, container_stop(f->rt, deaf_id, 300, on_done, f));
	OK(f, container_stop(f->rt, STR("nosuch"), 300, on_done, f));
	fixture_fini(f);
}

TEST(a_later_stop_shortens_the_grace)
{
	struct fixture *f = fixture_new();
	struct str sb = pod(f, "p11");
	struct container_spec deaf = script(f, sb, "deaf2", "trap '' TERM; echo ready; sleep 1000");
	struct str id = started(f, &deaf);
	int64_t before = env_mono_ns(loop_env(f->loop));

	wait_log(f, &deaf, "ready");
	container_stop(f->rt, id, 1000000, on_done, f);
	OK(f, container_stop(f->rt, id, 100, on_done, f));
	assert_true(env_mono_ns(loop_env(f->loop)) - before < PATIENCE_MS * NS_PER_MS);
	assert_int_equal(container_find(f->rt, id)->state, CONTAINER_EXITED);
	fixture_fini(f);
}

#define main cases_main
TEST_MAIN(exec_runs_as_the_container_and_is_killed_at_its_timeout,
	  exec_streams_through_pipes_and_terminals, attach_talks_to_the_first_process,
	  logs_go_on_in_a_new_file_after_rotation, stop_asks_first_and_kills_after_the_grace,
	  a_later_stop_shortens_the_grace)
#undef main

int main(int argc, char **argv)
{
	test_other_ = NULL;
	return test_runtime_main_(argc, argv);
}
