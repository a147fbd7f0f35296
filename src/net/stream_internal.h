/* SPDX-License-Identifier: Apache-2.0 */
/* net/stream_internal.h: a stream's state, for stream.c (life, events, the owner's side), stream_in.c and stream_out.c. */
#pragma once
#include "net/net_internal.h"
#include "net/stream.h"

enum {
	LINGER_MS = 2000,
	CLOSING_MS = 30000, /* without progress */
};

enum stream_state {
	STREAM_CONNECTING,
	STREAM_HANDSHAKE,
	STREAM_OPEN,
	STREAM_CLOSING, /* the owner is gone; output is still going out */
	STREAM_LINGER,	/* all is sent; waits for the peer's end */
	STREAM_GONE,	/* waits for libuv to close the handle */
};

struct net_stream {
	uv_poll_t poll;
	struct net *net;
	const struct net_stream_ops *ops;
	void *ctx;
	struct tls_conn *tls;
	struct slice_queue queue;
	struct buf pending; /* for the socket, from pending_at on */
	size_t pending_at;
	struct buf stash_raw;	/* from the socket, not yet looked at */
	struct buf stash_plain; /* not yet taken by the owner */
	struct list link;	/* net->streams */
	struct list dirty;	/* net->dirty */
	struct env_timer timer; /* connecting, lingering */
	int fd;
	int polled; /* UV_READABLE... as given to libuv */
	enum stream_state state;
	bool busy;    /* an event is being served: output leaves at its end */
	bool paused;  /* by the owner */
	bool stalled; /* on_data took less than it got */
	bool resume;  /* asked for, done by the loop */
	bool eof;
	bool hangup_told; /* on_eof was called early */
	bool was_blocked;
	struct net_addr remote;
};

/* stream.c */
/* Closes and frees without a word to the owner. */
void stream_destroy(struct net_stream *s);
/* Tells the owner, then destroys. */
void stream_fail(struct net_stream *s, int code, const char *why);
void stream_fail_errno(struct net_stream *s, int e);
static inline bool stream_is_live(const struct net_stream *s)
{
	return s->state == STREAM_OPEN || s->state == STREAM_CLOSING;
}
/* False while the owner does not want input, or while too much output waits. */
bool stream_can_read(const struct net_stream *s);

/* stream_out.c */
/* Writes as much as the socket takes. The stream may be gone afterwards. */
void stream_flush(struct net_stream *s);
/* One write(2) of the bytes; returns how many went, or -1 when the stream is gone. */
ssize_t stream_write_some(struct net_stream *s, const char *p, size_t n);
/* Writes net->out; what does not go becomes pending. False: blocked or gone. */
bool stream_write_out(struct net_stream *s);

/* stream_in.c */
/* The socket has something. */
void stream_read(struct net_stream *s);
/* Delivers what waited while the owner did not want it. */
void stream_run_stash(struct net_stream *s);
/* The socket is connected. */
void stream_begin(struct net_stream *s);
void stream_tell_eof(struct net_stream *s);
