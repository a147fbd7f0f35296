/* SPDX-License-Identifier: Apache-2.0 */
/* A stream's input: the socket → net->raw → TLS → net->plain → the owner, and what that does not take → the two stashes. */
#include <errno.h>
#include <sys/socket.h>

#include "net/stream_internal.h"

enum {
	READS_PER_EVENT = 4, /* then others get their turn */
};

static void deliver(struct net_stream *s, const char *p, size_t n)
{
	size_t taken = s->ops->on_data(s, p, n);

	if (s->state != STREAM_GONE && taken < n) {
		buf_add(&s->stash_plain, p + taken, n - taken);
		s->stalled = true;
	}
}

void stream_tell_eof(struct net_stream *s)
{
	if (s->ops->on_eof) {
		s->ops->on_eof(s);
	} else {
		stream_fail(s, ERR_CLOSED, "closed by the other side");
	}
}

static void handle_eof(struct net_stream *s)
{
	if (s->eof) {
		return;
	}
	s->eof = true;
	if (s->state == STREAM_LINGER) {
		stream_destroy(s);
	} else if (s->state != STREAM_CLOSING) {
		stream_tell_eof(s);
	}
}

static void fail_handshake(struct net_stream *s, int code, const char *why)
{
	if (tls_conn_peer_spoke_http(s->tls) && s->ops->reply_to_plain_http.p) {
		(void)stream_write_some(s, s->ops->reply_to_plain_http.p,
					s->ops->reply_to_plain_http.n);
	} else if (s->net->out.n) {
		(void)stream_write_out(s); /* the alert */
	}
	if (s->state != STREAM_GONE) {
		stream_fail(s, code, why);
	}
}

static void shake_hands(struct net_stream *s)
{
	struct err err CLEANUP_ERR = {0};
	int rc = tls_conn_handshake(s->tls, &err);

	if (rc < 0) {
		fail_handshake(s, rc, err_msg(&err));
		return;
	}
	if (rc > 0) {
		s->state = STREAM_OPEN;
		env_timer_stop(s->net->env, &s->timer);
		if (s->ops->on_ready) {
			s->ops->on_ready(s);
		}
	}
}

/* Decrypts and delivers what was given to tls_conn_input. */
static void pump_tls(struct net_stream *s)
{
	tls_conn_set_output(s->tls, &s->net->out);
	if (s->state == STREAM_HANDSHAKE) {
		shake_hands(s);
	}
	while (stream_is_live(s) && !s->paused && !s->stalled) {
		int n = tls_conn_read(s->tls, s->net->plain, NET_RECORD_BYTES);

		if (n == ERR_CLOSED) {
			handle_eof(s);
			return;
		}
		if (n < 0) {
			if (s->net->out.n) {
				(void)stream_write_out(s);
			}
			if (s->state != STREAM_GONE) {
				stream_fail(s, n, "malformed TLS record");
			}
			return;
		}
		if (n == 0) {
			return;
		}
		deliver(s, s->net->plain, (size_t)n);
	}
}

static void feed(struct net_stream *s, const char *p, size_t n)
{
	if (s->state == STREAM_LINGER) {
		return;
	}
	if (!s->tls) {
		deliver(s, p, n);
		return;
	}
	tls_conn_input(s->tls, p, n);
	pump_tls(s);
	if (s->state != STREAM_GONE && s->tls && tls_conn_input_left(s->tls)) {
		tls_conn_steal_input(s->tls, &s->stash_raw);
	}
}

void stream_read(struct net_stream *s)
{
	for (int i = 0; i < READS_PER_EVENT && stream_can_read(s); i++) {
		ssize_t n = recv(s->fd, s->net->raw, NET_READ_BYTES, 0);

		if (n > 0) {
			feed(s, s->net->raw, (size_t)n);
			if (n < NET_READ_BYTES) {
				return;
			}
		} else if (n == 0) {
			handle_eof(s);
		} else if (errno == EAGAIN) {
			return;
		} else if (errno != EINTR) {
			stream_fail_errno(s, errno);
		}
	}
}

/* What waited while the owner did not want it. */
void stream_run_stash(struct net_stream *s)
{
	struct buf was;

	s->resume = s->stalled = false;
	if (s->stash_plain.n && !s->paused) {
		was = s->stash_plain;
		s->stash_plain = (struct buf){0};
		deliver(s, was.p, was.n);
		buf_fini(&was);
	}
	if (s->state != STREAM_GONE && s->stash_raw.n && !s->paused && !s->stalled) {
		was = s->stash_raw;
		s->stash_raw = (struct buf){0};
		feed(s, was.p, was.n);
		buf_fini(&was);
	}
}

void stream_begin(struct net_stream *s)
{
	if (s->tls) {
		s->state = STREAM_HANDSHAKE;
		tls_conn_set_output(s->tls, &s->net->out);
		shake_hands(s);
		return;
	}
	s->state = STREAM_OPEN;
	env_timer_stop(s->net->env, &s->timer);
	if (s->ops->on_ready) {
		s->ops->on_ready(s);
	}
}
