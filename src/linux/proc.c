/* SPDX-License-Identifier: Apache-2.0 */
#include "linux/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "linux/file.h"

static const char default_path[] =
	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
static const char *const default_env[] = {default_path, NULL};

/* The child shares our memory until exec: only system calls from here on. */
static int prepare_child(const struct proc_opts *opts, int null_fd)
{
	int from[PROC_FDS_MAX];

	for (int i = 0; i < PROC_FDS_MAX; i++) {
		from[i] = i < 3 ? null_fd : -1;
	}
	/* Step one moves every source out of the way of the targets. */
	for (size_t i = 0; i < opts->n_fds; i++) {
		from[opts->fds[i].to] = opts->fds[i].from;
	}
	for (int i = 0; i < PROC_FDS_MAX; i++) {
		if (from[i] >= 0 && (from[i] = fcntl(from[i], F_DUPFD_CLOEXEC, PROC_FDS_MAX)) < 0) {
			return -1;
		}
	}
	for (int i = 0; i < PROC_FDS_MAX; i++) {
		if (from[i] >= 0 && dup2(from[i], i) < 0) {
			return -1;
		}
		if (from[i] < 0) {
			close(i);
		}
	}
	for (size_t i = 0; i < opts->n_cgroup_procs; i++) {
		if (write(opts->cgroup_procs[i], "0", 1) < 0) {
			return -1;
		}
	}
	close_range(PROC_FDS_MAX, ~0U, CLOSE_RANGE_CLOEXEC);
	if (opts->new_session) {
		setsid();
	}
	return opts->dir ? chdir(opts->dir) : 0;
}

/* By raw calls: libc hides the signals it uses itself, and an ignored one of these is inherited too. */
static void reset_signals(void)
{
	static const unsigned long
		default_action[8]; /* at least the kernel's struct sigaction; SIG_DFL is 0 */
	sigset_t none;

	for (int i = 1; i <= 64; i++) {
		syscall(SYS_rt_sigaction, i, default_action, NULL, 8);
	}
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* vfork: the parent's page tables are not copied, and it waits until exec, so that a failure can be told by a variable. */
static __attribute__((noinline)) pid_t vfork_exec(const struct proc_opts *opts, const char *path,
						  int null_fd, volatile int *ret_errno)
{
	const char *const *envp = opts->envp ? opts->envp : default_env;
	sigset_t all;
	sigset_t old;
	pid_t pid;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old); /* no handler of ours may run in the child */
	pid = vfork();
	if (pid == 0) {
		if (prepare_child(opts, null_fd) == 0) {
			reset_signals();
			execve(path, (char *const *)opts->argv, (char *const *)envp);
		}
		*ret_errno = errno;
		_exit(127);
	}
	if (pid < 0) {
		*ret_errno = errno;
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return pid;
}

/* The path of a program: names without a slash are looked up. Returns false if it is nowhere. */
static bool find_program(const char *name, struct buf *ret)
{
	struct str dirs = str_from(str_of(default_path), strlen("PATH="));
	struct str dir;

	if (strchr(name, '/')) {
		buf_add(ret, name, strlen(name));
		return true;
	}
	while (str_cut(&dirs, ':', &dir)) {
		buf_clear(ret);
		buf_printf(ret, "%.*s/%s", STR_ARG(dir), name);
		if (access(buf_cstr(ret), X_OK) == 0) {
			return true;
		}
	}
	return false;
}

int proc_spawn(const struct proc_opts *opts, pid_t *ret_pid, int *ret_pidfd, struct err *err)
{
	int null_fd CLEANUP_FD = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct buf path CLEANUP_BUF = {0};
	volatile int child_errno = 0;
	int pidfd = -1;
	pid_t pid;

	if (null_fd < 0) {
		return err_set_errno(err, errno, "cannot open /dev/null");
	}
	if (!find_program(opts->argv[0], &path)) {
		return err_set(err, ERR_NOT_FOUND, "program %s is not installed", opts->argv[0]);
	}
	pid = vfork_exec(opts, buf_cstr(&path), null_fd, &child_errno);
	if (child_errno) {
		if (pid > 0) {
			waitpid(pid, NULL, 0);
		}
		return err_set_errno(err, child_errno, "cannot run %s", path.p);
	}
	if (ret_pidfd && (pidfd = pidfd_open(pid, 0)) < 0) {
		int errnum = errno;

		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		return err_set_errno(err, errnum, "cannot watch %s", path.p);
	}
	if (ret_pid) {
		*ret_pid = pid;
	}
	if (ret_pidfd) {
		*ret_pidfd = pidfd;
	}
	return 0;
}

void proc_result_fini(struct proc_result *result)
{
	buf_fini(&result->out);
	buf_fini(&result->err);
}

uint64_t proc_start_time(pid_t pid)
{
	struct buf text CLEANUP_BUF = {0};
	struct str rest;
	struct str field = STR_NULL;
	char path[64];
	ptrdiff_t at;
	uint64_t ticks;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (pid <= 0 || file_read(AT_FDCWD, path, 4096, &text, NULL) < 0) {
		return 0;
	}
	/* "pid (name) state ...": the name may hold anything, so count from the last ')'. State is field 3, start time field 22. */
	at = str_rfind_char(buf_str(&text), ')');
	rest = str_from(buf_str(&text), (size_t)(at + 2));
	for (int i = 3; i <= 22; i++) {
		if (at < 0 || !str_cut(&rest, ' ', &field) ||
		    (i == 3 && (str_is(field, "Z") || str_is(field, "X")))) {
			return 0;
		}
	}
	return str_to_uint64(field, &ticks) < 0 ? 0 : ticks;
}

int proc_open(pid_t pid, uint64_t start_time)
{
	int fd = pid > 0 ? pidfd_open(pid, 0) : -1;

	if (fd < 0) {
		return ERR_NOT_FOUND;
	}
	/* checked after opening: the descriptor can then be of no other process */
	if (start_time == 0 || proc_start_time(pid) != start_time) {
		close(fd);
		return ERR_NOT_FOUND;
	}
	return fd;
}
