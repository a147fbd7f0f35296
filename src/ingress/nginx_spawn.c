/* SPDX-License-Identifier: Apache-2.0 */
#include "ingress/nginx_spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include "base/buf.h"
#include "base/cleanup.h"

/* Same numbers in the child: dup2 of a descriptor on itself clears close-on-exec. */
static int add_actions(posix_spawn_file_actions_t *actions, const struct nginx_spawn *s)
{
	int r = posix_spawn_file_actions_addopen(actions, 0, "/dev/null", O_RDONLY, 0);

	for (int fd = 1; !r && fd <= 2; fd++) {
		r = s->output_fd >= 0 ? posix_spawn_file_actions_adddup2(actions, s->output_fd, fd)
				      : posix_spawn_file_actions_addopen(actions, fd, "/dev/null",
									 O_WRONLY, 0);
	}
	for (size_t i = 0; !r && i < s->nfds; i++) {
		r = posix_spawn_file_actions_adddup2(actions, s->fds[i], s->fds[i]);
	}
	if (!r && s->extra_fd >= 0) {
		r = posix_spawn_file_actions_adddup2(actions, s->extra_fd, s->extra_fd);
	}
	return r;
}

pid_t nginx_spawn(const struct nginx_spawn *s, struct err *err)
{
	struct buf conf CLEANUP_BUF = {0}, sockets CLEANUP_BUF = {0};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none, all;
	pid_t pid = -1;
	int r;

	buf_printf(&conf, "%s/%s", s->runtime_dir, s->conf);
	buf_puts(&sockets, "NGINX=");
	for (size_t i = 0; i < s->nfds; i++) {
		buf_printf(&sockets, "%d;", s->fds[i]);
	}
	if (s->extra_fd >= 0) {
		buf_printf(&sockets, "%d;", s->extra_fd);
	}
	const char *argv[] = {s->path, "-c",	 buf_cstr(&conf),	"-p", s->runtime_dir,
			      "-e",    "stderr", s->test ? "-t" : NULL, NULL};
	const char *envp[] = {buf_cstr(&sockets), "PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL};

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawnattr_setflags(&attr, (short)(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
						(s->test ? 0 : POSIX_SPAWN_SETSID)));
	r = add_actions(&actions, s);
	if (!r) {
		r = posix_spawn(&pid, s->path, &actions, &attr, (char *const *)argv,
				(char *const *)envp);
	}
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	return r ? err_set_errno(err, r,
				 "cannot run %s (Debian packages nginx and libnginx-mod-http-lua)",
				 s->path)
		 : pid;
}

int nginx_test(const struct nginx_spawn *spawn, const char *log_name, struct err *err)
{
	struct nginx_spawn with_log = *spawn;
	struct buf path CLEANUP_BUF = {0};
	int status, fd CLEANUP_FD = -1;
	pid_t pid;

	buf_printf(&path, "%s/%s", spawn->runtime_dir, log_name);
	fd = open(buf_cstr(&path), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0) {
		return err_set_errno(err, errno, "%s", buf_cstr(&path));
	}
	with_log.output_fd = fd;
	with_log.test = true;
	pid = nginx_spawn(&with_log, err);
	if (pid < 0) {
		return pid;
	}
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR) {
			return err_set_errno(err, errno, "nginx -t");
		}
	}
	return WIFEXITED(status) && WEXITSTATUS(status) == 0
		       ? 0
		       : err_set(err, ERR_INVALID, "nginx -t");
}

void nginx_find_complaint(struct str text, int64_t *ret_line, struct str *ret_message)
{
	struct str line;
	ptrdiff_t colon, at;

	*ret_line = 0;
	*ret_message = STR("nginx -t failed without a word");
	while (str_cut(&text, '\n', &line)) {
		if (!str_contains(line, STR("[emerg]"))) {
			continue;
		}
		*ret_message = line;
		at = str_find(line, STR(" in /"));
		colon = str_rfind_char(line, ':');
		if (at < 0 || colon < at ||
		    str_to_int64(str_from(line, (size_t)colon + 1), ret_line) < 0 ||
		    *ret_line < 0) {
			*ret_line = 0;
		}
		return;
	}
}
