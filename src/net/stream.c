/* SPDX-License-Identifier: Apache-2.0 */
#include "net/stream.h"

#include "net/stream_internal.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"

enum {
	PENDING_MAX =
		256 *
		1024, /* output that input causes (acknowledgements) may wait; above it nothing is read */
};

static void handle_poll(uv_poll_t *poll, int status, int events);

/* After the owner has left. */
static size_t discard_data(struct net_stream *s UNUSED, const char *p UNUSED, size_t n)
{
	return n;
}

static void discard_close(struct net_stream *s UNUSED, int code UNUSED, const char *why UNUSED)
{
}

static const struct net_stream_ops nobody = {.on_data = discard_data, .on_close = discard_close};

static void handle_closed(uv_handle_t *handle)
{
	struct net_stream *s = handle->data;

	s->net->n_handles--;
	mem_free(s);
}

void stream_destroy(struct net_stream *s)
{
	s->state = STREAM_GONE;
	env_timer_stop(s->net->env, &s->timer);
	list_remove(&s->link);
	list_remove(&s->dirty);
	slice_queue_clear(&s->queue);
	buf_fini(&s->pending);
	buf_fini(&s->stash_raw);
	buf_fini(&s->stash_plain);
	tls_conn_free(s->tls);
	s->tls = NULL;
	uv_poll_stop(&s->poll);
	close(s->fd);
	uv_close((uv_handle_t *)&s->poll, handle_closed);
}

void stream_fail(struct net_stream *s, int code, const char *why)
{
	const struct net_stream_ops *ops = s->ops;

	s->ops = &nobody;
	ops->on_close(s, code, why);
	stream_destroy(s);
}

void stream_fail_errno(struct net_stream *s, int e)
{
	char text[128];

	snprintf(text, sizeof(text), "%s",
		 strerrordesc_np(e) ? strerrordesc_np(e) : "unknown error");
	stream_fail(s, e == ECONNRESET || e == EPIPE ? ERR_CLOSED : ERR_IO, text);
}

bool stream_can_read(const struct net_stream *s)
{
	if (s->eof || s->state == STREAM_CONNECTING || s->state == STREAM_GONE) {
		return false;
	}
	return !s->paused && !s->stalled && s->pending.n - s->pending_at <= PENDING_MAX;
}

static void update_poll(struct net_stream *s)
{
	int want = 0;

	if (s->state == STREAM_GONE) {
		return;
	}
	if (s->state == STREAM_CONNECTING) {
		want = UV_WRITABLE;
	} else if (stream_can_read(s)) {
		want = UV_READABLE;
	} else if (!s->eof && !s->hangup_told) {
		want = UV_DISCONNECT;
	}
	if (s->pending.n) {
		want |= UV_WRITABLE;
	}
	if (want == s->polled) {
		return;
	}
	s->polled = want;
	if (want) {
		uv_poll_start(&s->poll, want, handle_poll);
	} else {
		uv_poll_stop(&s->poll);
	}
}

static void mark_dirty(struct net_stream *s)
{
	if (!s->busy && s->state != STREAM_GONE && !list_is_linked(&s->dirty)) {
		list_add_tail(&s->net->dirty, &s->dirty);
	}
}

/* --- events --- */

static int socket_error(struct net_stream *s)
{
	int e = 0;
	socklen_t n = sizeof(e);

	return getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &e, &n) < 0 ? errno : e;
}

static void serve(struct net_stream *s, int status, int events)
{
	if (status < 0) {
		int e = socket_error(s);

		stream_fail_errno(s, e ? e : ECONNRESET);
		return;
	}
	if (s->state == STREAM_CONNECTING) {
		int e = socket_error(s);

		if (e) {
			stream_fail_errno(s, e);
			return;
		}
		stream_begin(s);
	} else if (events & UV_READABLE) {
		stream_read(s);
	} else if ((events & UV_DISCONNECT) && !s->hangup_told) {
		s->hangup_told = true;
		stream_tell_eof(s);
	}
}

static void handle_poll(uv_poll_t *poll, int status, int events)
{
	struct net_stream *s = poll->data;

	s->busy = true;
	list_remove(&s->dirty);
	serve(s, status, events);
	s->busy = false;
	if (s->state != STREAM_GONE) {
		stream_flush(s);
	}
	buf_clear(&s->net->out);
	if (s->resume) {
		mark_dirty(s);
	}
	update_poll(s);
}

void net_run_dirty(struct net *net)
{
	struct net_stream *s;

	while ((s = LIST_FIRST(&net->dirty, struct net_stream, dirty))) {
		list_remove(&s->dirty);
		s->busy = true;
		if (s->resume) {
			stream_run_stash(s);
		}
		s->busy = false;
		if (s->state != STREAM_GONE) {
			stream_flush(s);
		}
		buf_clear(&net->out);
		if (s->resume) {
			mark_dirty(s);
		}
		update_poll(s);
	}
}

void net_abort_streams(struct net *net)
{
	struct net_stream *s;

	while ((s = LIST_FIRST(&net->streams, struct net_stream, link))) {
		stream_destroy(s);
	}
}

static void handle_timer(struct env_timer *timer)
{
	struct net_stream *s = CONTAINER_OF(timer, struct net_stream, timer);

	if (s->state == STREAM_LINGER || s->state == STREAM_CLOSING) {
		stream_destroy(s);
	} else {
		stream_fail(s, ERR_TIMEOUT,
			    s->state == STREAM_CONNECTING ? "connecting timed out"
							  : "the TLS handshake timed out");
	}
}

static struct net_stream *stream_new(struct net *net, int fd, const struct net_stream_ops *ops,
				     void *ctx)
{
	struct net_stream *s;

	ASSERT(ops->on_data && ops->on_close);
	s = NEW(struct net_stream);
	s->net = net;
	s->fd = fd;
	s->ops = ops;
	s->ctx = ctx;
	s->timer.fn = handle_timer;
	slice_queue_init(&s->queue, &net->pool);
	/* Fails only for a descriptor that epoll does not know: not a socket. */
	ASSERT(uv_poll_init(net->loop, &s->poll, fd) == 0);
	s->poll.data = s;
	net->n_handles++;
	list_add_tail(&net->streams, &s->link);
	return s;
}

struct net_stream *net_stream_accept(struct net *net, int fd, struct tls_ctx *tls,
				     const struct net_stream_ops *ops, void *ctx)
{
	struct net_stream *s = stream_new(net, fd, ops, ctx);

	s->remote.n = sizeof(s->remote.un);
	if (getpeername(fd, &s->remote.sa, &s->remote.n) < 0) {
		s->remote.n = 0;
	}
	s->state = tls ? STREAM_HANDSHAKE : STREAM_OPEN;
	s->tls = tls ? tls_accept(tls) : NULL;
	update_poll(s);
	return s;
}

int net_stream_connect(struct net *net, const struct net_addr *addr, struct tls_ctx *tls,
		       struct str server_name, int64_t timeout_ms, const struct net_stream_ops *ops,
		       void *ctx, struct net_stream **ret, struct err *err)
{
	int fd CLEANUP_FD =
		socket(addr->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct tls_conn *tls_conn = NULL;
	struct buf text CLEANUP_BUF = {0};
	struct net_stream *s;
	int rc;

	net_addr_format(addr, &text);
	if (fd < 0) {
		return err_set_errno(err, errno, "cannot connect to %s", buf_cstr(&text));
	}
	if (addr->sa.sa_family != AF_UNIX) {
		net_set_tcp_options(fd);
	}
	if (connect(fd, &addr->sa, addr->n) < 0 && errno != EINPROGRESS) {
		return err_set_errno(err, errno, "cannot connect to %s", buf_cstr(&text));
	}
	if (tls && (rc = tls_connect(tls, server_name, &tls_conn, err)) < 0) {
		return rc;
	}
	s = stream_new(net, STEAL_FD(fd), ops, ctx);
	s->tls = tls_conn;
	s->remote = *addr;
	s->state = STREAM_CONNECTING;
	if (timeout_ms) {
		env_timer_start_in(net->env, &s->timer, timeout_ms * NS_PER_MS);
	}
	update_poll(s);
	*ret = s;
	return 0;
}

/* --- the owner's side --- */

void net_stream_set_owner(struct net_stream *s, const struct net_stream_ops *ops, void *ctx)
{
	ASSERT(ops->on_data && ops->on_close);
	s->ops = ops;
	s->ctx = ctx;
}

void *net_stream_ctx(const struct net_stream *s)
{
	return s->ctx;
}

struct net *net_stream_net(const struct net_stream *s)
{
	return s->net;
}

void net_stream_write(struct net_stream *s, const struct slice *slices, size_t n)
{
	slice_queue_add(&s->queue, slices, n);
	mark_dirty(s);
}

void net_stream_write_copy(struct net_stream *s, const void *p, size_t n)
{
	slice_queue_add_copy(&s->queue, p, n);
	mark_dirty(s);
}

void net_stream_kick(struct net_stream *s)
{
	mark_dirty(s);
}

size_t net_stream_pending_bytes(const struct net_stream *s)
{
	return s->queue.bytes + s->pending.n - s->pending_at;
}

bool net_stream_is_blocked(const struct net_stream *s)
{
	return s->pending.n > 0;
}

void net_stream_pause(struct net_stream *s)
{
	s->paused = true;
	mark_dirty(s); /* so that the poll is updated */
}

void net_stream_resume(struct net_stream *s)
{
	s->paused = false;
	s->resume = true;
	mark_dirty(s);
}

bool net_stream_has_input(const struct net_stream *s)
{
	return s->stash_plain.n || s->stash_raw.n;
}

void net_stream_close(struct net_stream *s)
{
	s->ops = &nobody;
	s->ctx = NULL;
	if (s->state != STREAM_OPEN) {
		stream_destroy(s);
		return;
	}
	s->state = STREAM_CLOSING;
	s->paused = false;
	s->resume = true; /* drops what waits */
	/* Nobody watches a stream without owner: it may not hang on a peer that takes nothing. */
	env_timer_start_in(s->net->env, &s->timer, CLOSING_MS * NS_PER_MS);
	mark_dirty(s);
}

void net_stream_abort(struct net_stream *s)
{
	s->ops = &nobody;
	stream_destroy(s);
}

const struct net_addr *net_stream_remote(const struct net_stream *s)
{
	return &s->remote;
}

const struct tls_conn *net_stream_tls(const struct net_stream *s)
{
	return s->tls;
}

const struct tls_peer *net_stream_peer(const struct net_stream *s)
{
	return s->tls ? tls_conn_peer(s->tls) : NULL;
}
