/* SPDX-License-Identifier: Apache-2.0 */
#include "linux/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include "base/cleanup.h"

enum { READ_STEP = 16384, READS_PER_TURN = 16 };

/* A captured stream. */
struct stream {
	uv_poll_t poll;
	int fd; /* -1: none */
	size_t limit;
	struct buf *to;
	struct proc *proc;
};

struct proc {
	struct proc_result result;
	struct stream streams[2];
	uv_poll_t end;
	uv_timer_t timeout;
	int pidfd;
	int open_handles;
	proc_done_fn done; /* NULL: canceled */
	void *ctx;
	bool ended;
};

/* Reads what is there; false at the end of the stream. */
static bool stream_read(struct stream *s, int reads)
{
	char chunk[READ_STEP];

	while (reads-- > 0) {
		ssize_t n = read(s->fd, chunk, sizeof(chunk));

		if (n > 0) {
			buf_add(s->to, chunk, MIN((size_t)n, s->limit - s->to->n));
		} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
			return false;
		} else if (errno == EAGAIN) {
			return true;
		}
	}
	return true;
}

static void handle_closed(uv_handle_t *handle)
{
	struct proc *proc = handle->data;

	if (--proc->open_handles) {
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(proc->streams); i++) {
		if (proc->streams[i].fd >= 0) {
			close(proc->streams[i].fd);
		}
	}
	close(proc->pidfd);
	if (proc->done) {
		proc->done(proc->ctx, &proc->result);
	}
	proc_result_fini(&proc->result);
	mem_free(proc);
}

/* A descendant may hold the pipes open for ever: what is in them when the process itself ends is all that counts. */
static void finish(struct proc *proc)
{
	for (size_t i = 0; i < ARRAY_LEN(proc->streams); i++) {
		struct stream *s = &proc->streams[i];

		if (s->fd >= 0) {
			stream_read(s, 1024);
			uv_close((uv_handle_t *)&s->poll, handle_closed);
		}
	}
	uv_close((uv_handle_t *)&proc->end, handle_closed);
	uv_close((uv_handle_t *)&proc->timeout, handle_closed);
}

static void handle_stream(uv_poll_t *poll, int status, int events UNUSED)
{
	struct stream *s = CONTAINER_OF(poll, struct stream, poll);

	if (status < 0 || !stream_read(s, READS_PER_TURN)) {
		uv_poll_stop(poll);
	}
}

static void handle_end(uv_poll_t *poll, int status UNUSED, int events UNUSED)
{
	struct proc *proc = poll->data;
	siginfo_t info = {0};

	if (proc->ended || waitid(P_PIDFD, (id_t)proc->pidfd, &info, WEXITED | WNOHANG) < 0 ||
	    info.si_pid == 0) {
		return;
	}
	proc->ended = true;
	proc->result.exit_code = info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
	finish(proc);
}

static void handle_timeout(uv_timer_t *timer)
{
	struct proc *proc = timer->data;

	proc->result.timed_out = true;
	proc_kill(proc);
}

void proc_kill(struct proc *proc)
{
	if (!proc->ended) {
		pidfd_send_signal(proc->pidfd, SIGKILL, NULL, 0);
	}
}

void proc_cancel(struct proc *proc)
{
	proc->done = NULL;
	proc_kill(proc);
}

static int open_pipe(struct proc_opts *opts, int to, int ret[2], struct err *err)
{
	if (pipe2(ret, O_CLOEXEC) < 0) {
		return err_set_errno(err, errno, "cannot make a pipe");
	}
	ASSERT(opts->n_fds < PROC_FDS_MAX);
	opts->fds[opts->n_fds++] = (struct proc_fd){ret[1], to};
	return 0;
}

static void stream_start(struct stream *s, uv_loop_t *uv, struct proc *proc, int fd, size_t limit,
			 struct buf *to)
{
	*s = (struct stream){.fd = fd, .limit = limit, .to = to, .proc = proc};
	if (fd >= 0) {
		ASSERT(uv_poll_init(uv, &s->poll, fd) == 0);
		s->poll.data = proc;
		proc->open_handles++;
		ASSERT(uv_poll_start(&s->poll, UV_READABLE, handle_stream) == 0);
	}
}

int proc_start(struct uv_loop_s *uv, const struct proc_opts *opts, proc_done_fn done, void *ctx,
	       struct proc **ret, struct err *err)
{
	struct proc_opts with_pipes = *opts;
	int out[2] = {-1, -1};
	int errs[2] = {-1, -1};
	struct proc *proc;
	int pidfd = -1;
	int r = 0;

	if (opts->stdout_limit_bytes) {
		r = open_pipe(&with_pipes, 1, out, err);
	}
	if (r == 0 && opts->stderr_limit_bytes) {
		r = open_pipe(&with_pipes, 2, errs, err);
	}
	if (r == 0) {
		r = proc_spawn(&with_pipes, NULL, &pidfd, err);
	}
	cleanup_fd(&out[1]);
	cleanup_fd(&errs[1]);
	if (r < 0) {
		cleanup_fd(&out[0]);
		cleanup_fd(&errs[0]);
		return r;
	}
	proc = NEW(struct proc);
	proc->pidfd = pidfd;
	proc->done = done;
	proc->ctx = ctx;
	stream_start(&proc->streams[0], uv, proc, out[0], opts->stdout_limit_bytes,
		     &proc->result.out);
	stream_start(&proc->streams[1], uv, proc, errs[0], opts->stderr_limit_bytes,
		     &proc->result.err);
	ASSERT(uv_poll_init(uv, &proc->end, pidfd) == 0);
	ASSERT(uv_timer_init(uv, &proc->timeout) == 0);
	proc->end.data = proc->timeout.data = proc;
	proc->open_handles += 2;
	ASSERT(uv_poll_start(&proc->end, UV_READABLE, handle_end) == 0);
	if (opts->timeout_ms) {
		uv_update_time(uv);
		ASSERT(uv_timer_start(&proc->timeout, handle_timeout, (uint64_t)opts->timeout_ms,
				      0) == 0);
	}
	if (ret) {
		*ret = proc;
	}
	return 0;
}

static void steal_result(void *ctx, const struct proc_result *result)
{
	struct proc_result *ret = ctx;

	*ret = *result;
	ret->out = ret->err = (struct buf){0};
	buf_add_str(&ret->out, buf_str(&result->out));
	buf_add_str(&ret->err, buf_str(&result->err));
}

int proc_run(const struct proc_opts *opts, struct proc_result *ret, struct err *err)
{
	uv_loop_t uv;
	int r;

	*ret = (struct proc_result){0};
	r = uv_loop_init(&uv);
	if (r < 0) {
		return err_set(err, ERR_SYSTEM, "cannot make an event loop: %s", uv_strerror(r));
	}
	r = proc_start(&uv, opts, steal_result, ret, NULL, err);
	if (r == 0) {
		uv_run(&uv, UV_RUN_DEFAULT);
	}
	ASSERT(uv_loop_close(&uv) == 0);
	return r;
}

struct proc_watch {
	uv_poll_t poll;
	int pidfd;
	proc_watch_fn fn;
	void *ctx;
};

static void handle_watch(uv_poll_t *poll, int status UNUSED, int events UNUSED)
{
	struct proc_watch *watch = CONTAINER_OF(poll, struct proc_watch, poll);

	uv_poll_stop(poll);
	watch->fn(watch->ctx);
}

struct proc_watch *proc_watch_new(struct uv_loop_s *uv, int pidfd, proc_watch_fn fn, void *ctx)
{
	struct proc_watch *watch = NEW(struct proc_watch);

	watch->pidfd = pidfd;
	watch->fn = fn;
	watch->ctx = ctx;
	ASSERT(uv_poll_init(uv, &watch->poll, pidfd) == 0);
	ASSERT(uv_poll_start(&watch->poll, UV_READABLE, handle_watch) == 0);
	return watch;
}

int proc_watch_pidfd(const struct proc_watch *watch)
{
	return watch->pidfd;
}

static void free_watch(uv_handle_t *handle)
{
	struct proc_watch *watch = CONTAINER_OF((uv_poll_t *)handle, struct proc_watch, poll);

	close(watch->pidfd);
	mem_free(watch);
}

void proc_watch_free(struct proc_watch *watch)
{
	if (watch) {
		uv_close((uv_handle_t *)&watch->poll, free_watch);
	}
}
