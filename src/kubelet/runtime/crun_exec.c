/* SPDX-License-Identifier: Apache-2.0 */
/* Commands in running containers, by `crun exec` as our child: unlike containers they need not outlive us, so there is no conmon between. A full
 * process document is always given: without it crun would run the command as root. */
#include "kubelet/runtime/crun_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>
#include <uv.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "kubelet/runtime/oci_spec.h"
#include "linux/file.h"

enum { CONFIG_MAX = 16 << 20, STDERR_MAX = 4096, KILL_PATIENCE_MS = 5000 };

struct exec_session {
	struct crun *rt;
	struct arena arena;
	exec_done_fn done;
	void (*terminal)(void *ctx, int fd);
	void *ctx;
	struct proc *proc;
	struct env_timer timeout;
	bool timed_out, tty, sync;
	const char *process_file, *pid_file, *log_file, *console_path;
	uv_poll_t *console; /* listening; until the terminal has come */
	int console_fd;
	int terminal_fd; /* for resizing */
	size_t stderr_limit;
};

/* ---- files of one session, in run_dir/exec/ ---- */

static void remove_files(struct exec_session *s)
{
	unlink(s->process_file);
	unlink(s->pid_file);
	unlink(s->log_file);
	if (s->console_path) {
		unlink(s->console_path);
	}
}

static int write_process(struct exec_session *s, const struct exec_spec *spec, struct err *err)
{
	struct arena a CLEANUP_ARENA = {0};
	struct buf config CLEANUP_BUF = {0};
	struct buf process CLEANUP_BUF = {0};
	const char *path = arena_printf(&a, "%s/config.json",
					crun_container_dir(s->rt, spec->container_id, &a))
				   .p;
	int r = file_read(AT_FDCWD, path, CONFIG_MAX, &config, err);

	if (r == 0) {
		r = oci_spec_exec(buf_str(&config), spec->command, spec->tty, &process, err);
	}
	return r < 0 ? r : file_replace(s->process_file, buf_str(&process), 0600, false, err);
}

/* ---- the terminal: crun sends its descriptor over a socket ---- */

static void free_handle(uv_handle_t *handle)
{
	mem_free(handle);
}

static void close_console(struct exec_session *s)
{
	if (s->console) {
		uv_close((uv_handle_t *)s->console, free_handle);
		s->console = NULL;
	}
	cleanup_fd(&s->console_fd);
	s->console_fd = -1;
}

static int receive_fd(int socket)
{
	char byte;
	struct iovec iov = {&byte, 1};
	union {
		char space[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control.space,
			     .msg_controllen = sizeof(control.space)};
	struct cmsghdr *header;
	int fd = -1;

	if (recvmsg(socket, &msg, MSG_CMSG_CLOEXEC) < 0) {
		return -1;
	}
	header = CMSG_FIRSTHDR(&msg);
	if (header && header->cmsg_type == SCM_RIGHTS &&
	    header->cmsg_len == CMSG_LEN(sizeof(int))) {
		memcpy(&fd, CMSG_DATA(header), sizeof(fd));
	}
	return fd;
}

static void handle_console(uv_poll_t *poll, int status UNUSED, int events UNUSED)
{
	struct exec_session *s = poll->data;
	int peer CLEANUP_FD = accept4(s->console_fd, NULL, NULL, SOCK_CLOEXEC);
	int fd;

	if (peer < 0) {
		return;
	}
	fd = receive_fd(
		peer); /* crun has connected to send just this: it does not keep us waiting */
	if (fd < 0) {
		return;
	}
	close_console(s);
	s->terminal_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	s->terminal(s->ctx, fd);
}

static int open_console(struct exec_session *s, struct err *err)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int n = snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", s->console_path);

	if (n < 0 || (size_t)n >= sizeof(addr.sun_path)) {
		return err_set(err, ERR_LIMIT,
			       "%s is too long for a socket; choose a shorter run directory",
			       s->console_path);
	}
	s->console_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->console_fd < 0 || bind(s->console_fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
	    listen(s->console_fd, 1) < 0) {
		return err_set_errno(err, errno, "cannot listen on %s", s->console_path);
	}
	s->console = NEW(uv_poll_t);
	ASSERT(uv_poll_init(s->rt->uv, s->console, s->console_fd) == 0);
	s->console->data = s;
	ASSERT(uv_poll_start(s->console, UV_READABLE, handle_console) == 0);
	return 0;
}

/* ---- the end ---- */

static void session_free(struct exec_session *s)
{
	env_timer_stop(s->rt->env, &s->timeout);
	close_console(s);
	cleanup_fd(&s->terminal_fd);
	remove_files(s);
	arena_fini(&s->arena);
	mem_free(s);
}

/* crun's own complaint, if it did not come as far as running the command. */
static bool read_complaint(struct exec_session *s, struct err *err)
{
	struct buf text CLEANUP_BUF = {0};
	struct str line;
	ptrdiff_t at;

	if (file_read(AT_FDCWD, s->log_file, STDERR_MAX, &text, NULL) < 0 || text.n == 0) {
		return false;
	}
	line = str_trim(buf_str(&text));
	at = str_rfind_char(line, '\n');
	line = at < 0 ? line : str_from(line, (size_t)at + 1);
	err_set(err,
		str_contains(line, STR("executable file")) ||
				str_contains(line, STR("No such file"))
			? ERR_NOT_FOUND
			: ERR_SYSTEM,
		"%.*s", STR_ARG(line));
	return true;
}

static void handle_end(void *ctx, const struct proc_result *result)
{
	struct exec_session *s = ctx;
	struct err err CLEANUP_ERR = {0};
	struct exec_result r = {
		.exit_code = result->exit_code,
		.timed_out = s->timed_out,
		.out = buf_str(&result->out),
		.err = buf_str(&result->err),
	};
	bool complained = result->exit_code != 0 && !s->timed_out && read_complaint(s, &err);

	s->proc = NULL;
	s->rt->jobs--;
	s->done(s->ctx, complained ? NULL : &r, complained ? &err : NULL);
	session_free(s);
}

/* The command first; crun then reports its end. It is crun's unreaped child, so its pid cannot be another's. */
void crun_exec_kill(struct exec_session *s)
{
	int pid = s->proc ? crun_read_pid(s->pid_file) : 0;

	if (pid > 1) {
		kill(pid, SIGKILL);
	} else if (s->proc) {
		proc_kill(s->proc);
	}
}

static void handle_timeout(struct env_timer *timer)
{
	struct exec_session *s = CONTAINER_OF(timer, struct exec_session, timeout);

	if (s->timed_out) { /* killed, and yet no end: crun itself hangs */
		proc_kill(s->proc);
		return;
	}
	s->timed_out = true;
	crun_exec_kill(s);
	env_timer_start_in(s->rt->env, &s->timeout, KILL_PATIENCE_MS * NS_PER_MS);
}

void crun_exec_resize(struct exec_session *s, int width, int height)
{
	struct winsize size = {.ws_col = (unsigned short)width, .ws_row = (unsigned short)height};

	if (s->terminal_fd >= 0 && ioctl(s->terminal_fd, TIOCSWINSZ, &size) < 0) {
		log_debug(s->rt->log, 4, "cannot resize a terminal: %s", strerror(errno));
	}
}

/* ---- the beginning ---- */

static struct exec_session *session_new(struct crun *rt, const struct exec_spec *spec)
{
	struct exec_session *s = NEW(struct exec_session);
	struct arena *a = &s->arena;
	unsigned long long serial = ++rt->exec_serial;

	s->rt = rt;
	s->tty = spec->tty;
	s->console_fd = s->terminal_fd = -1;
	s->process_file = arena_printf(a, "%s/exec/%llu.json", rt->run_dir, serial).p;
	s->pid_file = arena_printf(a, "%s/exec/%llu.pid", rt->run_dir, serial).p;
	s->log_file = arena_printf(a, "%s/exec/%llu.log", rt->run_dir, serial).p;
	s->console_path =
		spec->tty ? arena_printf(a, "%s/exec/%llu.sock", rt->run_dir, serial).p : NULL;
	remove_files(s); /* of an earlier process of ours */
	return s;
}

static int spawn(struct exec_session *s, const struct exec_spec *spec, struct err *err)
{
	struct arena *a = &s->arena;
	const struct crun *rt = s->rt;
	const char *argv[16] = {
		rt->crun,
		arena_printf(a, "--root=%s/crun", rt->run_dir).p,
		arena_printf(a, "--log=file:%s", s->log_file).p,
		"exec",
		"-p",
		s->process_file,
		"--pid-file",
		s->pid_file,
	};
	struct proc_opts opts = {.argv = argv, .new_session = true};
	size_t n = 8;

	if (s->tty) {
		argv[n++] = "--console-socket";
		argv[n++] = s->console_path;
	}
	argv[n] = arena_cstr(a, spec->container_id);
	if (s->sync) {
		opts.stdout_limit_bytes = opts.stderr_limit_bytes = spec->output_limit_bytes;
	} else if (!s->tty) {
		const int fds[] = {spec->stdin_fd, spec->stdout_fd, spec->stderr_fd};

		for (int i = 0; i < 3; i++) {
			if (fds[i] >= 0) {
				opts.fds[opts.n_fds++] = (struct proc_fd){fds[i], i};
			}
		}
	}
	return proc_start(rt->uv, &opts, handle_end, s, &s->proc, err);
}

static int session_start(struct exec_session *s, const struct exec_spec *spec, struct err *err)
{
	const struct container_status *c = container_find(&s->rt->base, spec->container_id);
	int r;

	if (!c) {
		return err_set(err, ERR_NOT_FOUND, "there is no container %.*s",
			       STR_ARG(spec->container_id));
	}
	if (c->state != CONTAINER_RUNNING) {
		return err_set(err, ERR_CLOSED, "container %.*s is not running", STR_ARG(c->name));
	}
	r = write_process(s, spec, err);
	if (r == 0 && s->tty) {
		r = open_console(s, err);
	}
	if (r == 0) {
		r = spawn(s, spec, err);
	}
	if (r < 0) {
		return r;
	}
	s->rt->jobs++;
	if (spec->timeout_ms > 0) {
		s->timeout.fn = handle_timeout;
		env_timer_start_in(s->rt->env, &s->timeout, spec->timeout_ms * NS_PER_MS);
	}
	return 0;
}

struct refused_exec {
	exec_done_fn done;
	void *ctx;
};

static void refuse(void *ctx, struct str id UNUSED, const struct err *err)
{
	struct refused_exec *refused = ctx;

	refused->done(refused->ctx, NULL, err);
	mem_free(refused);
}

void crun_exec_sync(struct runtime *base, const struct exec_spec *spec, exec_done_fn done,
		    void *ctx)
{
	struct exec_session *s = session_new(crun_of(base), spec);
	struct err err CLEANUP_ERR = {0};

	s->sync = true;
	s->tty = false;
	s->done = done;
	s->ctx = ctx;
	if (session_start(s, spec, &err) < 0) {
		struct refused_exec *refused = NEW(struct refused_exec);

		*refused = (struct refused_exec){done, ctx};
		session_free(s);
		crun_reply(crun_of(base), spec->container_id, refuse, refused, &err);
	}
}

static void close_given(const struct exec_spec *spec)
{
	const int fds[] = {spec->stdin_fd, spec->stdout_fd, spec->stderr_fd};

	for (size_t i = 0; !spec->tty && i < ARRAY_LEN(fds); i++) {
		if (fds[i] >= 0) {
			close(fds[i]);
		}
	}
}

int crun_exec_start(struct runtime *base, const struct exec_spec *spec,
		    const struct exec_events *events, struct exec_session **ret, struct err *err)
{
	struct exec_session *s = session_new(crun_of(base), spec);
	int r;

	s->done = events->done;
	s->terminal = events->terminal;
	s->ctx = events->ctx;
	r = session_start(s, spec, err);
	close_given(spec); /* the command has copies of its own */
	if (r < 0) {
		session_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

/* ---- recovery ---- */

/* Only what really runs in a pod: the pid may be another's by now. */
static bool is_in_pod(int pid)
{
	struct arena a CLEANUP_ARENA = {0};
	struct buf text CLEANUP_BUF = {0};

	return file_read(AT_FDCWD, arena_printf(&a, "/proc/%d/cgroup", pid).p, 65536, &text,
			 NULL) == 0 &&
	       str_contains(buf_str(&text), STR("/kubepods/"));
}

int crun_exec_recover(const struct crun *rt, struct err *err)
{
	struct arena a CLEANUP_ARENA = {0};
	struct dir_names names CLEANUP_DIR_NAMES = {0};
	const char *dir = arena_printf(&a, "%s/exec", rt->run_dir).p;
	int r = dir_list(dir, &names, err);

	for (size_t i = 0; r == 0 && i < names.n; i++) {
		const char *path = arena_printf(&a, "%s/%s", dir, names.p[i]).p;
		int pid = str_has_suffix(str_of(path), STR(".pid")) ? crun_read_pid(path) : 0;

		if (pid > 1 && is_in_pod(pid)) {
			kill(pid, SIGKILL);
		}
		r = file_tree_remove(path, err);
	}
	return r;
}

/* ---- attach and conmon's control file ---- */

int crun_container_attach(struct runtime *base, struct str id, struct err *err)
{
	struct crun *rt = crun_of(base);
	struct arena a CLEANUP_ARENA = {0};
	struct container *c = crun_container(base, id);
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int dir CLEANUP_FD = -1;
	int fd CLEANUP_FD = -1;

	if (!c || c->status.state == CONTAINER_EXITED) {
		return err_set(err, c ? ERR_CLOSED : ERR_NOT_FOUND,
			       "there is no running container %.*s", STR_ARG(id));
	}
	/* by descriptor: the path may be longer than a socket address */
	dir = open(crun_container_dir(rt, id, &a), O_PATH | O_DIRECTORY | O_CLOEXEC);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "/proc/self/fd/%d/attach", dir);
	if (dir < 0 || fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		return err_set_errno(err, errno, "cannot attach to container %.*s",
				     STR_ARG(c->status.name));
	}
	return STEAL_FD(fd);
}

static int control(struct runtime *base, struct str id, const char *line, struct err *err)
{
	struct arena a CLEANUP_ARENA = {0};
	struct container *c = crun_container(base, id);
	const char *path = arena_printf(&a, "%s/ctl", crun_container_dir(crun_of(base), id, &a)).p;
	int fd CLEANUP_FD = -1;

	if (!c || c->status.state == CONTAINER_EXITED) {
		return err_set(err, c ? ERR_CLOSED : ERR_NOT_FOUND,
			       "there is no running container %.*s", STR_ARG(id));
	}
	fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || write(fd, line, strlen(line)) < 0) {
		return err_set_errno(err, errno, "cannot reach the monitor of container %.*s",
				     STR_ARG(c->status.name));
	}
	return 0;
}

int crun_container_reopen_log(struct runtime *rt, struct str id, struct err *err)
{
	return control(rt, id, "2 0 0\n", err);
}

int crun_container_resize(struct runtime *rt, struct str id, int width, int height, struct err *err)
{
	char line[64];

	snprintf(line, sizeof(line), "1 %d %d\n", height, width);
	return control(rt, id, line, err);
}
