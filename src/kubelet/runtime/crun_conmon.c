/* SPDX-License-Identifier: Apache-2.0 */
/* Starts conmon, which runs `crun create`, stays as the container's parent, writes its log and, at its end, the exit file. */
#include "kubelet/runtime/crun_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "codec/json.h"
#include "linux/file.h"

enum {
	CREATE_TIMEOUT_MS = 120000, /* a loaded machine; upstream waits two to four minutes */
	MESSAGE_MAX = 16384,
	CONMON_ARGS = 40,
	SYNC_FD = 3,
	START_FD = 4,
};

static void conmon_args(const struct conmon_opts *c, struct arena *a, const char **argv)
{
	const struct crun *rt = c->rt;
	const char *id = arena_cstr(a, c->id);
	const char *const fixed[] = {
		rt->conmon,
		"--api-version",
		"1",
		"-c",
		id,
		"-u",
		id,
		"-n",
		id,
		"-r",
		rt->crun,
		arena_printf(a, "--runtime-arg=--root=%s/crun", rt->run_dir).p,
		"-b",
		c->dir,
		"--persist-dir",
		c->dir,
		"-p",
		arena_printf(a, "%s/pidfile", c->dir).p,
		"-P",
		arena_printf(a, "%s/conmon.pid", c->dir).p,
		"--exit-dir",
		arena_printf(a, "%s/exits", rt->run_dir).p,
		"--socket-dir-path",
		arena_printf(a, "%s/attach", rt->run_dir).p,
		"-l",
		arena_printf(a, "k8s-file:%.*s", STR_ARG(c->log_path)).p,
		"--log-level",
		"error",
		"--no-sync-log",
	};
	size_t n = 0;

	for (; n < ARRAY_LEN(fixed); n++) {
		argv[n] = fixed[n];
	}
	if (c->tty) {
		argv[n++] = "-t";
	}
	if (c->stdin) {
		argv[n++] = "-i";
		if (!c->stdin_once) {
			argv[n++] = "--leave-stdin-open";
		}
	}
	argv[n] = NULL;
	ASSERT(n < CONMON_ARGS);
}

struct pipes {
	int sync[2], start[2], log;
	int cgroups[CGROUP_CONTROLLERS];
	size_t n_cgroups;
};

static void close_pipes(struct pipes *p)
{
	cleanup_fd(&p->sync[0]);
	cleanup_fd(&p->sync[1]);
	cleanup_fd(&p->start[0]);
	cleanup_fd(&p->start[1]);
	cleanup_fd(&p->log);
	for (size_t i = 0; i < p->n_cgroups; i++) {
		close(p->cgroups[i]);
	}
}

static int open_pipes(const struct conmon_opts *c, struct arena *arena, struct pipes *p,
		      struct err *err)
{
	const char *log = arena_printf(arena, "%s/conmon.log", c->dir).p;

	p->log = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (p->log < 0 || pipe2(p->sync, O_CLOEXEC) < 0 || pipe2(p->start, O_CLOEXEC) < 0) {
		return err_set_errno(err, errno, "cannot make pipes for conmon");
	}
	for (int i = 0; c->rt->conmon_cgroup && i < CGROUP_CONTROLLERS; i++) {
		const char *dir = c->rt->cgroups.dirs[i];
		const char *path = arena_printf(arena, "%s%s/cgroup.procs", dir ? dir : "",
						c->rt->conmon_cgroup)
					   .p;
		int fd = dir ? open(path, O_WRONLY | O_CLOEXEC) : -1;

		if (fd >= 0) {
			p->cgroups[p->n_cgroups++] = fd;
		} else if (dir) {
			return err_set_errno(err, errno, "cannot open %s", path);
		}
	}
	return 0;
}

/* What conmon writes to the sync pipe: {"data": pid} or {"data": -1, "message": "..."}, one line. */
static int parse_sync(struct str line, struct arena *arena, int *ret_pid, struct err *err)
{
	struct json_value doc = json_make(JSON_NULL);
	const struct json_value *data;
	const struct json_value *message;

	if (json_parse(arena, line, NULL, &doc, err) < 0 || doc.kind != JSON_OBJECT) {
		return err_set(err, ERR_PROTOCOL, "conmon answered \"%.*s\"", STR_ARG(line));
	}
	data = json_get(&doc, STR("data"));
	message = json_get(&doc, STR("message"));
	if (data && data->kind == JSON_INT && data->num > 0 && data->num <= INT32_MAX) {
		*ret_pid = (int)data->num;
		return 0;
	}
	if (message && message->kind == JSON_STRING && message->n) {
		struct str text = str_trim(json_str(message));
		bool missing = str_contains(text, STR("executable file")) ||
			       str_contains(text, STR("No such file or directory"));

		return err_set(err, missing ? ERR_NOT_FOUND : ERR_SYSTEM, "%.*s", STR_ARG(text));
	}
	return err_set(err, ERR_SYSTEM, "crun could not create the container (no message)");
}

static int64_t mono_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

static int read_sync(const struct conmon_opts *c, struct arena *arena, int fd, int *ret_pid,
		     struct err *err)
{
	struct buf line CLEANUP_BUF = {0};
	int64_t deadline = mono_ms() + CREATE_TIMEOUT_MS;

	while (str_find_char(buf_str(&line), '\n') < 0) {
		struct pollfd p = {fd, POLLIN, 0};
		int64_t left = deadline - mono_ms();
		int n = left > 0 ? poll(&p, 1, (int)left) : 0;
		ssize_t got;

		if (n == 0) {
			return err_set(err, ERR_TIMEOUT,
				       "crun did not create the container within %d s",
				       CREATE_TIMEOUT_MS / 1000);
		}
		got = n < 0 ? -1 : read(fd, buf_reserve(&line, 4096), 4096);
		if (got < 0 && errno == EINTR) {
			continue;
		}
		if (got <= 0 || line.n > MESSAGE_MAX) {
			struct buf log CLEANUP_BUF = {0};
			int ignored =
				file_read(AT_FDCWD, arena_printf(arena, "%s/conmon.log", c->dir).p,
					  MESSAGE_MAX, &log, NULL);

			(void)ignored; /* without it there is less to say */
			return err_set(err, ERR_SYSTEM, "conmon ended without an answer%s%.*s",
				       log.n ? ": " : "", STR_ARG(str_trim(buf_str(&log))));
		}
		line.n += (size_t)got;
	}
	return parse_sync(str_trim(buf_str(&line)), arena, ret_pid, err);
}

/* conmon forks itself into the background; the first process only has to be reaped. */
int crun_conmon_start(const struct conmon_opts *c, struct arena *arena, int *ret_pid,
		      struct err *err)
{
	const char *argv[CONMON_ARGS];
	const char *const envp[] = {
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"_OCI_SYNCPIPE=3", "_OCI_STARTPIPE=4", NULL};
	struct pipes p = {.sync = {-1, -1}, .start = {-1, -1}, .log = -1};
	struct proc_opts opts = {.argv = argv, .envp = envp, .dir = c->dir, .new_session = true};
	pid_t pid;
	int r = open_pipes(c, arena, &p, err);

	conmon_args(c, arena, argv);
	if (r == 0) {
		opts.fds[0] = (struct proc_fd){p.sync[1], SYNC_FD};
		opts.fds[1] = (struct proc_fd){p.start[0], START_FD};
		opts.fds[2] = (struct proc_fd){p.log, 2};
		opts.n_fds = 3;
		opts.cgroup_procs = p.cgroups;
		opts.n_cgroup_procs = p.n_cgroups;
		r = proc_spawn(&opts, &pid, NULL, err);
	}
	if (r == 0) {
		cleanup_fd(&p.sync[1]);
		cleanup_fd(&p.start[0]);
		p.sync[1] = p.start[0] = -1;
		if (write(p.start[1], "0", 1) < 0) {
			r = err_set_errno(err, errno, "conmon does not read");
		}
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
		}
	}
	if (r == 0) {
		r = read_sync(c, arena, p.sync[0], ret_pid, err);
	}
	close_pipes(&p);
	return r;
}

int crun_read_pid(const char *path)
{
	struct buf text CLEANUP_BUF = {0};
	int64_t pid;

	if (file_read(AT_FDCWD, path, 64, &text, NULL) < 0 ||
	    str_to_int64(str_trim(buf_str(&text)), &pid) < 0 || pid <= 0 || pid > INT32_MAX) {
		return 0;
	}
	return (int)pid;
}
