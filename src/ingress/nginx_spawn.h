/* SPDX-License-Identifier: Apache-2.0 */
/* ingress/nginx_spawn.h: runs the nginx program. Any thread. */
#pragma once
#include <sys/types.h>

#include "base/err.h"

struct nginx_spawn {
	const char *path, *runtime_dir;
	const char *conf; /* file name below runtime_dir */
	const int *fds;	  /* sockets to hand over */
	size_t nfds;
	int extra_fd;  /* one more, or -1 */
	int output_fd; /* stdout and stderr; -1: /dev/null */
	bool test;     /* -t; else it leads a session of its own */
};

/* The child's pid, or ERR_*. */
MUST_USE pid_t nginx_spawn(const struct nginx_spawn *spawn, struct err *err);
/* Runs `nginx -t` to its end, output to `log_name` below runtime_dir. 0; ERR_INVALID: it complained; other ERR_*. */
MUST_USE int nginx_test(const struct nginx_spawn *spawn, const char *log_name, struct err *err);
/* What it complained of first, from its output: message borrowed from text, *ret_line of the configuration or 0. */
void nginx_find_complaint(struct str text, int64_t *ret_line, struct str *ret_message);
