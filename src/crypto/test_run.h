/* SPDX-License-Identifier: Apache-2.0 */
/* crypto/test_run.h: runs another program for a test and takes what it prints. */
#pragma once
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"

extern char **environ;

/* argv ends with NULL; standard error goes with standard output. Appends the output and returns the exit status, -1 if there is none. */
static inline int test_run(const char *const argv[], struct buf *out)
{
	posix_spawn_file_actions_t actions;
	int status = -1;
	int fds[2];
	pid_t pid;
	ssize_t n;

	if (pipe2(fds, O_CLOEXEC) < 0) {
		return -1;
	}
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, fds[1], 1);
	posix_spawn_file_actions_adddup2(&actions, fds[1], 2);
	if (posix_spawnp(&pid, argv[0], &actions, NULL, (char *const *)argv, environ) != 0) {
		pid = -1;
	}
	posix_spawn_file_actions_destroy(&actions);
	close(fds[1]);
	while (pid > 0 && (n = read(fds[0], buf_reserve(out, 4096), 4096)) > 0) {
		out->n += (size_t)n;
	}
	close(fds[0]);
	return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status)
									       : -1;
}
