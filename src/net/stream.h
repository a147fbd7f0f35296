/* SPDX-License-Identifier: Apache-2.0 */
/* net/stream.h: a byte stream over a socket, plain or TLS. Input is pushed to the owner, output is pulled: what net_stream_write
 * queued, and behind it what ops->fill gives, goes out in records of 16 KB as the socket takes it. All output of one turn of the loop
 * shares records and write calls.
 *
 * A stream ends in exactly one way: the owner calls net_stream_close or _abort, after which no callback comes any more; or on_close is
 * called, after which the stream is gone. Callbacks come from the loop, never from inside net_stream_* functions. */
#pragma once
#include "crypto/tls.h"
#include "net/addr.h"
#include "net/net.h"
#include "net/slice.h"

struct net_stream;

enum {
	NET_RECORD_BYTES = 16384, /* at least this much room is offered to fill */
};

struct net_stream_ops {
	/* Connected, TLS included. Not called for accepted plain streams, which are ready from the start. Optional. */
	void (*on_ready)(struct net_stream *s);
	/* Returns how many bytes it took. If fewer than n, the stream keeps the rest, reads no more and waits for
	 * net_stream_resume. */
	size_t (*on_data)(struct net_stream *s, const char *p, size_t n);
	/* The peer will send nothing more. While input waits undelivered it comes early, and once more when that was delivered. The
	 * stream can still write. Optional: without it the stream ends, by on_close with ERR_CLOSED. */
	void (*on_eof)(struct net_stream *s);
	/* All output has gone to the kernel after some had to wait. Optional. */
	void (*on_drain)(struct net_stream *s);
	/* Output waits for the socket: called when that begins and whenever some of it has gone. Optional. */
	void (*on_progress)(struct net_stream *s);
	/* The stream failed or the peer is gone; code is ERR_*, `why` for people, valid during the call. */
	void (*on_close)(struct net_stream *s, int code, const char *why);
	/* Puts up to cap (>= NET_RECORD_BYTES) bytes of more output into room; 0: nothing now. Optional. */
	size_t (*fill)(struct net_stream *s, char *room, size_t cap);
	/* What a TLS server says to a client that speaks plain HTTP to it; may be unset. */
	struct str reply_to_plain_http;
};

/* fd: connected, non-blocking; taken over. tls: NULL for plain; referenced. */
struct net_stream *net_stream_accept(struct net *net, int fd, struct tls_ctx *tls,
				     const struct net_stream_ops *ops, void *ctx);
/* Connects (0 timeout_ms: no limit) and, with tls, shakes hands with server_name; on_ready or on_close follows. Fails at once only if
 * the name or the address is unusable. */
MUST_USE int net_stream_connect(struct net *net, const struct net_addr *addr, struct tls_ctx *tls,
				struct str server_name, int64_t timeout_ms,
				const struct net_stream_ops *ops, void *ctx,
				struct net_stream **ret, struct err *err);
/* Another owner takes over, as when HTTP is upgraded. */
void net_stream_set_owner(struct net_stream *s, const struct net_stream_ops *ops, void *ctx);
void *net_stream_ctx(const struct net_stream *s);
struct net *net_stream_net(const struct net_stream *s);

/* Queue output; it leaves at the end of the current event or turn of the loop. */
void net_stream_write(struct net_stream *s, const struct slice *slices, size_t n);
void net_stream_write_copy(struct net_stream *s, const void *p, size_t n);
/* fill has something. */
void net_stream_kick(struct net_stream *s);
/* Bytes that were queued or encrypted but not yet taken by the kernel. */
size_t net_stream_pending_bytes(const struct net_stream *s);
/* True while the socket takes no more. */
bool net_stream_is_blocked(const struct net_stream *s);

/* Stop delivering input: what has come already is kept (up to 80 KB), the rest waits with the sender. resume() also ends the wait after a
 * short on_data; delivery goes on from the loop, not from within it. */
void net_stream_pause(struct net_stream *s);
void net_stream_resume(struct net_stream *s);
/* True if input has come that the owner has not taken yet. */
bool net_stream_has_input(const struct net_stream *s);

/* Sends what is queued (and fill gives), says goodbye and waits up to 2 s for the other side's end, so that a last answer is not lost in a
 * reset. The stream is gone for its owner at once. */
void net_stream_close(struct net_stream *s);
/* Drops everything and resets. */
void net_stream_abort(struct net_stream *s);

const struct net_addr *net_stream_remote(const struct net_stream *s);
/* NULL for plain streams. */
const struct tls_conn *net_stream_tls(const struct net_stream *s);
/* NULL: no certificate. */
const struct tls_peer *net_stream_peer(const struct net_stream *s);
