/* SPDX-License-Identifier: Apache-2.0 */
/* A stream's output: the owner's queue and fill → records → net->out → the socket, and what that does not take → pending. */
#include <errno.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "net/stream_internal.h"

/* One write(2) of the bytes; returns how many went, or -1 when the stream is gone. */
ssize_t stream_write_some(struct net_stream *s, const char *p, size_t n)
{
	for (;;) {
		ssize_t done = send(s->fd, p, n, MSG_NOSIGNAL);

		if (done >= 0) {
			return done;
		}
		if (errno == EAGAIN) {
			return 0;
		}
		if (errno != EINTR) {
			stream_fail_errno(s, errno);
			return -1;
		}
	}
}

/* Puts more output into net->out; false if there is none. */
static bool gather(struct net_stream *s)
{
	struct net *net = s->net;
	char *room = s->tls ? net->record : buf_reserve(&net->out, NET_RECORD_BYTES);
	size_t n = slice_queue_take(&s->queue, room, NET_RECORD_BYTES);

	if (n == 0 && s->ops->fill) {
		n = s->ops->fill(s, room, NET_RECORD_BYTES);
	}
	if (n == 0) {
		return false;
	}
	ASSERT(n <= NET_RECORD_BYTES);
	if (!s->tls) {
		net->out.n += n;
	} else if (tls_conn_write(s->tls, room, n) < 0) {
		stream_fail(s, ERR_PROTOCOL, "TLS refused to write");
	}
	return s->state != STREAM_GONE;
}

/* False: blocked or gone. */
static bool write_pending(struct net_stream *s)
{
	size_t left = s->pending.n - s->pending_at;
	ssize_t n;

	if (left == 0) {
		return true;
	}
	n = stream_write_some(s, s->pending.p + s->pending_at, left);
	if (n < 0) {
		return false;
	}
	if (n > 0 && s->state == STREAM_CLOSING) {
		env_timer_start_in(s->net->env, &s->timer, CLOSING_MS * NS_PER_MS);
	}
	if (n > 0 && s->ops->on_progress) {
		s->ops->on_progress(s);
		if (s->state == STREAM_GONE) {
			return false;
		}
	}
	s->pending_at += (size_t)n;
	if (s->pending_at < s->pending.n) {
		return false;
	}
	buf_fini(&s->pending);
	s->pending_at = 0;
	return true;
}

static void keep_pending(struct net_stream *s, const char *p, size_t n)
{
	if (s->pending_at) {
		buf_consume(&s->pending, s->pending_at);
		s->pending_at = 0;
	}
	buf_add(&s->pending, p, n);
}

/* Writes net->out; what does not go becomes pending. False: blocked or gone. */
bool stream_write_out(struct net_stream *s)
{
	struct net *net = s->net;
	ssize_t n;

	if (s->pending.n) {
		keep_pending(s, net->out.p, net->out.n);
		buf_clear(&net->out);
		return false;
	}
	n = stream_write_some(s, net->out.p, net->out.n);
	if (n >= 0 && (size_t)n < net->out.n) {
		keep_pending(s, net->out.p + n, net->out.n - (size_t)n);
	}
	buf_clear(&net->out);
	return n >= 0 && s->pending.n == 0;
}

static void begin_linger(struct net_stream *s)
{
	if (s->tls) {
		tls_conn_set_output(s->tls, &s->net->out);
		tls_conn_shutdown(s->tls);
		if (s->net->out.n && !stream_write_out(s) && s->state == STREAM_GONE) {
			return;
		}
		tls_conn_free(s->tls);
		s->tls = NULL;
	}
	if (s->eof || s->pending.n) {
		stream_destroy(s);
		return;
	}
	shutdown(s->fd, SHUT_WR);
	s->state = STREAM_LINGER;
	buf_fini(&s->stash_raw);
	buf_fini(&s->stash_plain);
	slice_queue_clear(&s->queue);
	s->paused = s->stalled = false;
	env_timer_start_in(s->net->env, &s->timer, LINGER_MS * NS_PER_MS);
}

/* Writes as much as the socket takes. */
void stream_flush(struct net_stream *s)
{
	struct net *net = s->net;

	if (s->tls) {
		tls_conn_set_output(s->tls, &net->out);
	}
	for (;;) {
		if (!write_pending(s)) {
			if (s->state != STREAM_GONE && net->out.n) {
				keep_pending(s, net->out.p, net->out.n);
			}
			break;
		}
		while (stream_is_live(s) && net->out.n < NET_WRITE_BYTES && gather(s)) {
		}
		if (s->state == STREAM_GONE || net->out.n == 0 || !stream_write_out(s)) {
			break;
		}
	}
	buf_clear(&net->out);
	if (s->state == STREAM_GONE) {
		return;
	}
	if (s->pending.n) {
		if (!s->was_blocked && s->ops->on_progress) {
			s->ops->on_progress(s);
		}
		s->was_blocked = true;
		return;
	}
	if (s->was_blocked) {
		s->was_blocked = false;
		if (s->ops->on_drain) {
			s->ops->on_drain(s);
		}
	}
	if (s->state == STREAM_CLOSING && s->queue.bytes == 0) {
		begin_linger(s);
	}
}
