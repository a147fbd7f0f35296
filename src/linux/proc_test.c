/* SPDX-License-Identifier: Apache-2.0 */
#include "linux/proc.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include "base/cleanup.h"
#include "base/test.h"

static struct proc_result run(const char *script, struct proc_opts opts)
{
	const char *const argv[] = {"sh", "-c", script, NULL};
	struct proc_result result;
	struct err err CLEANUP_ERR = {0};

	opts.argv = argv;
	if (proc_run(&opts, &result, &err) < 0) {
		fail_msg("%s", err_msg(&err));
	}
	return result;
}

TEST(output_and_exit_codes_are_captured)
{
	struct proc_result r =
		run("echo out; echo err >&2; exit 3",
		    (struct proc_opts){.stdout_limit_bytes = 100, .stderr_limit_bytes = 100});

	assert_int_equal(r.exit_code, 3);
	EXPECT_STR(buf_str(&r.out), "out\n");
	EXPECT_STR(buf_str(&r.err), "err\n");
	proc_result_fini(&r);
	r = run("kill -9 $$", (struct proc_opts){0});
	assert_int_equal(r.exit_code, 137);
	proc_result_fini(&r);
}

TEST(output_beyond_the_limit_is_dropped_without_blocking_the_child)
{
	struct proc_result r =
		run("i=0; while [ $i -lt 20000 ]; do echo 0123456789; i=$((i+1)); done",
		    (struct proc_opts){.stdout_limit_bytes = 25});

	assert_int_equal(r.exit_code, 0);
	EXPECT_STR(buf_str(&r.out), "0123456789\n0123456789\n012");
	proc_result_fini(&r);
}

TEST(a_timeout_kills)
{
	struct proc_result r = run("exec sleep 1000", (struct proc_opts){.timeout_ms = 30});

	assert_true(r.timed_out);
	assert_int_equal(r.exit_code, 137);
	proc_result_fini(&r);
}

TEST(a_descendant_that_keeps_the_pipe_open_does_not_hold_the_result_back)
{
	struct proc_result r =
		run("sleep 1000 & echo $!",
		    (struct proc_opts){.stdout_limit_bytes = 100, .timeout_ms = 20000});
	int64_t pid = 0;

	assert_false(r.timed_out);
	assert_int_equal(str_to_int64(str_trim(buf_str(&r.out)), &pid), 0);
	kill((pid_t)pid, SIGKILL);
	proc_result_fini(&r);
}

TEST(the_child_has_only_the_descriptors_it_was_given)
{
	int given = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	int leaked = open("/dev/zero", O_RDONLY);
	struct proc_result r = run(
		"echo /proc/self/fd/*; readlink /proc/self/fd/0 /proc/self/fd/5",
		(struct proc_opts){.stdout_limit_bytes = 1000, .fds = {{given, 5}}, .n_fds = 1});

	/* the shell's own glob reads its directory with one more */
	if (!str_has_prefix(buf_str(&r.out), STR("/proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2 "
						 "/proc/self/fd/3 /proc/self/fd/5\n")) &&
	    !str_has_prefix(
		    buf_str(&r.out),
		    STR("/proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2 /proc/self/fd/5\n"))) {
		fail_msg("%s", buf_cstr(&r.out));
	}
	assert_true(str_contains(buf_str(&r.out), STR("/dev/null\n/dev/zero\n")));
	close(given);
	close(leaked);
	proc_result_fini(&r);
}

TEST(descriptors_can_be_exchanged)
{
	int in = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	struct proc_result r;
	int low = dup2(in, 6); /* where the other one goes to */
	int other = open("/dev/full", O_RDONLY | O_CLOEXEC);

	r = run("readlink /proc/self/fd/6 /proc/self/fd/7",
		(struct proc_opts){
			.stdout_limit_bytes = 1000, .fds = {{other, 6}, {low, 7}}, .n_fds = 2});
	EXPECT_STR(buf_str(&r.out), "/dev/full\n/dev/zero\n");
	close(in);
	close(low);
	close(other);
	proc_result_fini(&r);
}

TEST(signals_are_reset_in_the_child)
{
	struct proc_result r;
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	r = run("grep -E '^Sig(Blk|Ign)' /proc/self/status",
		(struct proc_opts){.stdout_limit_bytes = 1000});
	EXPECT_STR(buf_str(&r.out), "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
	proc_result_fini(&r);
	signal(SIGPIPE, SIG_DFL);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

TEST(what_cannot_be_run_is_an_error)
{
	const char *const missing[] = {"no-such-program-of-cox", NULL};
	const char *const absent[] = {"/no/such/program", NULL};
	struct proc_result result;
	struct err err CLEANUP_ERR = {0};

	assert_int_equal(proc_run(&(struct proc_opts){.argv = missing}, &result, &err),
			 ERR_NOT_FOUND);
	assert_non_null(strstr(err_msg(&err), "is not installed"));
	assert_int_equal(proc_run(&(struct proc_opts){.argv = absent}, &result, &err),
			 ERR_NOT_FOUND);
	assert_non_null(strstr(err_msg(&err), "/no/such/program"));
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no zombie */
}

static void on_end(void *ctx)
{
	*(bool *)ctx = true;
}

TEST(a_watch_tells_of_an_end_and_start_times_tell_processes_apart)
{
	const char *const argv[] = {"sleep", "1000", NULL};
	struct proc_opts opts = {.argv = argv};
	struct proc_watch *watch;
	bool ended = false;
	uint64_t started;
	uv_loop_t uv;
	pid_t pid;
	int fd;

	assert_int_equal(proc_spawn(&opts, &pid, NULL, NULL), 0);
	started = proc_start_time(pid);
	assert_true(started > 0);
	assert_int_equal(proc_open(pid, started + 1), ERR_NOT_FOUND);
	assert_int_equal(proc_open(0, started), ERR_NOT_FOUND);
	fd = proc_open(pid, started);
	assert_true(fd >= 0);
	assert_int_equal(uv_loop_init(&uv), 0);
	watch = proc_watch_new(&uv, fd, on_end, &ended);
	uv_run(&uv, UV_RUN_NOWAIT);
	assert_false(ended);
	assert_int_equal(pidfd_send_signal(proc_watch_pidfd(watch), SIGKILL, NULL, 0), 0);
	while (!ended) {
		uv_run(&uv, UV_RUN_ONCE);
	}
	assert_int_equal(proc_start_time(pid), 0); /* a zombie has ended */
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	proc_watch_free(watch);
	uv_run(&uv, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&uv), 0);
}

static void never(void *ctx UNUSED, const struct proc_result *result UNUSED)
{
	fail_msg("a canceled process called back");
}

TEST(a_canceled_process_is_killed_and_calls_nobody)
{
	const char *const argv[] = {"sleep", "1000", NULL};
	struct proc_opts opts = {.argv = argv, .stdout_limit_bytes = 10};
	struct proc *proc;
	uv_loop_t uv;

	assert_int_equal(uv_loop_init(&uv), 0);
	assert_int_equal(proc_start(&uv, &opts, never, NULL, &proc, NULL), 0);
	proc_cancel(proc);
	uv_run(&uv, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&uv), 0);
}

TEST_MAIN(output_and_exit_codes_are_captured,
	  output_beyond_the_limit_is_dropped_without_blocking_the_child, a_timeout_kills,
	  a_descendant_that_keeps_the_pipe_open_does_not_hold_the_result_back,
	  the_child_has_only_the_descriptors_it_was_given, descriptors_can_be_exchanged,
	  signals_are_reset_in_the_child, what_cannot_be_run_is_an_error,
	  a_watch_tells_of_an_end_and_start_times_tell_processes_apart,
	  a_canceled_process_is_killed_and_calls_nobody)
