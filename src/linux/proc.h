/* SPDX-License-Identifier: Apache-2.0 */
/* linux/proc.h: run programs without a shell. The child gets exactly the descriptors named (0-2 default to /dev/null), default signal
 * dispositions and an empty signal mask; everything else is closed.
 *     proc_spawn  any thread, does not wait
 *     proc_run    any thread, blocks until the end
 *     proc_start  on the loop, calls back
 * Ends are seen by pidfd, so that no SIGCHLD handler is needed and no pid is mixed up with a later one. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

struct uv_loop_s;

enum { PROC_FDS_MAX = 8 };

struct proc_fd {
	int from, to; /* to: 0..PROC_FDS_MAX-1 */
};

struct proc_opts {
	const char *const *
		argv; /* NULL-terminated; argv[0] is the path, or a name looked up in /usr/local/sbin:...:/bin */
	const char *const *envp; /* NULL: PATH only */
	const char *dir;	 /* NULL: ours */
	struct proc_fd fds[PROC_FDS_MAX];
	size_t n_fds;
	const int *
		cgroup_procs; /* descriptors of cgroup.procs files the child writes itself into before exec */
	size_t n_cgroup_procs;
	bool new_session; /* setsid: no terminal, no signals of our process group */
	size_t stdout_limit_bytes; /* run and start: capture; what is beyond is read and dropped. 0: as fds say */
	size_t stderr_limit_bytes;
	int64_t timeout_ms; /* run and start: then SIGKILL; 0: none */
};

/* Returns 0, the pid and a pidfd (either pointer may be NULL; who takes no pidfd waits by pid). An exec that fails is reported here. */
MUST_USE int proc_spawn(const struct proc_opts *opts, pid_t *ret_pid, int *ret_pidfd,
			struct err *err);

struct proc_result {
	int exit_code; /* 128 + signal when killed by one */
	bool timed_out;
	struct buf out, err; /* owned by whoever owns the result */
};

void proc_result_fini(struct proc_result *result);
#define CLEANUP_PROC_RESULT CLEANUP(proc_result_fini)

/* 0 whatever the exit code is; an error if it could not be started. */
MUST_USE int proc_run(const struct proc_opts *opts, struct proc_result *ret, struct err *err);

struct proc;
/* The result is borrowed for the call; the proc is freed after it. */
typedef void (*proc_done_fn)(void *ctx, const struct proc_result *result);
/* opts is not needed afterwards. done is not called if it fails. */
MUST_USE int proc_start(struct uv_loop_s *uv, const struct proc_opts *opts, proc_done_fn done,
			void *ctx, struct proc **ret, struct err *err);
/* SIGKILL; done comes as usual. */
void proc_kill(struct proc *proc);
/* Calls done() neither now nor later; the process is killed. */
void proc_cancel(struct proc *proc);

/* Tells once when a process that need not be our child has ended. */
struct proc_watch;
typedef void (*proc_watch_fn)(void *ctx);
/* Takes the pidfd. */
struct proc_watch *proc_watch_new(struct uv_loop_s *uv, int pidfd, proc_watch_fn fn, void *ctx);
int proc_watch_pidfd(const struct proc_watch *watch);
/* NULL is fine. */
void proc_watch_free(struct proc_watch *watch);

/* When the process was started, in clock ticks since boot: with the pid it names a process for good. 0 if there is none. */
uint64_t proc_start_time(pid_t pid);
/* A pidfd of exactly that process, or ERR_NOT_FOUND if it has ended (zombies count as ended). */
MUST_USE int proc_open(pid_t pid, uint64_t start_time);
