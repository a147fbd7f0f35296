/* SPDX-License-Identifier: Apache-2.0 */
/* http/spdy.h: SPDY/3.1 framing, as older kubectl speaks it for exec, attach and port-forward: many byte streams over one connection that was
 * upgraded from HTTP/1.1 ("Upgrade: SPDY/3.1"), or tunnelled in a WebSocket. Bytes in, callbacks and bytes out: it runs on any transport.
 *
 * Windows: what comes is credited at once; the peer's windows are not waited for, because the library that kubectl uses never opens them
 * (back-pressure is the transport's). Push, credentials and priorities are ignored. Limits: 64 KB of headers, 1,000 streams. */
#pragma once
#include "base/err.h"
#include "http/message.h"

struct spdy;
struct spdy_stream;

enum spdy_status {
	SPDY_OK = 0, /* both sides have finished */
	SPDY_PROTOCOL_ERROR = 1,
	SPDY_INVALID_STREAM = 2,
	SPDY_REFUSED_STREAM = 3,
	SPDY_UNSUPPORTED_VERSION = 4,
	SPDY_CANCEL = 5,
	SPDY_INTERNAL_ERROR = 6,
};

struct spdy_ops {
	/* Frames for the transport; copy them. */
	void (*write)(struct spdy *spdy, struct str bytes);
	/* The peer has opened a stream: answer with spdy_reply or spdy_reset, now or later. Header names are in lower case. */
	void (*on_open)(struct spdy *spdy, struct spdy_stream *stream,
			const struct http_header *headers, size_t n);
	/* The peer has accepted ours. Optional. */
	void (*on_reply)(struct spdy_stream *stream, const struct http_header *headers, size_t n);
	void (*on_data)(struct spdy_stream *stream, struct str data);
	/* The peer will send nothing more. Optional. */
	void (*on_fin)(struct spdy_stream *stream);
	/* The stream has ended and is gone after the call: SPDY_OK, or the status of a reset. Not for streams that were ended by
	 * spdy_reset or spdy_free. Optional. */
	void (*on_close)(struct spdy_stream *stream, enum spdy_status status);
	/* The peer will open no more streams. Optional. */
	void (*on_goaway)(struct spdy *spdy);
};

struct spdy *spdy_new(bool is_server, const struct spdy_ops *ops, void *ctx);
/* Streams go silently. Also from callbacks. NULL is fine. */
void spdy_free(struct spdy *spdy);
void *spdy_ctx(const struct spdy *spdy);
/* Bytes from the transport. ERR_PROTOCOL or ERR_LIMIT: a GOAWAY was written; close the transport. */
MUST_USE int spdy_feed(struct spdy *spdy, struct str bytes, struct err *err);

/* NULL after GOAWAY, or beyond the limit of streams. */
struct spdy_stream *spdy_open(struct spdy *spdy, const struct http_header *headers, size_t n,
			      void *ctx);
void spdy_reply(struct spdy_stream *stream, const struct http_header *headers, size_t n);
void spdy_send(struct spdy_stream *stream, struct str data);
/* No more from us. Ends the stream (on_close is called from here) if the peer has finished, too. */
void spdy_fin(struct spdy_stream *stream);
/* The stream is gone at once, without on_close. */
void spdy_reset(struct spdy_stream *stream, enum spdy_status status);
void spdy_ping(struct spdy *spdy);
void spdy_goaway(struct spdy *spdy);

struct spdy *spdy_stream_conn(const struct spdy_stream *stream);
uint32_t spdy_stream_id(const struct spdy_stream *stream);
void spdy_stream_set_ctx(struct spdy_stream *stream, void *ctx);
void *spdy_stream_ctx(const struct spdy_stream *stream);
