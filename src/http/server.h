/* SPDX-License-Identifier: Apache-2.0 */
/* http/server.h: an HTTP/1.1 and HTTP/2 server on one loop, TLS or plain. One request interface for both versions.
 *
 * Life of a request: on_request is called when its headers are complete. From then on the handler owns the request and must end it exactly
 * once, now or later from the loop, by http_respond, http_end (after http_respond_start), http_abort or http_upgrade; the pointer is
 * invalid after that. If the client goes away first, the request stays valid until it is ended all the same: what is written to it is
 * dropped, http_is_closed() is true, and on_close, if set, has said so. So no pointer that a pending operation holds ever dangles.
 *
 *     static void handle(void *ctx, struct http_request *req)
 *     {
 *             struct slice body = slice_static(STR("{}"));
 *             http_respond(req, 200, (struct http_header[]){HTTP_HEADER("Content-Type", STR("application/json"))}, 1, &body, 1);
 *     }
 *
 * Answered by the server itself, as plain text, without a handler: malformed requests (400), headers beyond the limits (431), an
 * unsupported HTTP version (505), an expectation other than 100-continue (417). */
#pragma once
#include "base/arena.h"
#include "http/message.h"
#include "net/stream.h"

struct http_server;

struct http_request {
	struct str method; /* "GET": as sent, case matters */
	struct str path;   /* raw, percent-encoded, begins with '/' ("*" for OPTIONS) */
	struct str query;  /* raw, behind '?'; unset without one */
	struct str host;   /* Host or :authority */
	const struct http_header *headers; /* without HTTP/2's pseudo headers */
	size_t n_headers;
	int64_t content_length; /* -1: not known */
	bool has_body;		/* false: there is none, for sure */
	enum http_version version;
	bool is_tls;
	const struct tls_peer *peer; /* the client certificate's; NULL without */
	const struct net_addr *remote;
	struct arena *arena; /* for the handler; freed with the request */
	void *data;	     /* the handler's; NULL at first */
};

typedef void (*http_request_fn)(void *ctx, struct http_request *req);

struct http_server_opts {
	http_request_fn on_request;
	void *ctx;
	struct tls_ctx *tls; /* NULL: plain (HTTP/2 then by prior knowledge); referenced */
	/* 0 means the default that stands behind it */
	size_t max_connections; /* 10,000; beyond it the longest idle connection is closed, else new ones wait */
	size_t max_streams;	 /* 100 concurrent requests per HTTP/2 connection, as upstream */
	size_t max_header_bytes; /* 65,536, request line included */
	size_t max_headers;	 /* 256 */
	int64_t header_timeout_ms; /* 32,000: from the first byte (or the connection's start) to the end of the headers */
	int64_t idle_timeout_ms; /* 90,000: between requests */
	int64_t progress_timeout_ms; /* 60,000: a request body that does not come, a response that is not taken */
};

/* Never NULL. */
struct http_server *http_server_new(struct net *net, const struct http_server_opts *opts);
/* Accept connections on an address or on a handed-down listening descriptor (taken over also on failure); any number of each. */
MUST_USE int http_server_listen(struct http_server *srv, const struct net_addr *addr,
				struct err *err);
MUST_USE int http_server_listen_fd(struct http_server *srv, int fd, struct err *err);
/* The address of the i-th listener, to learn a port that the kernel chose. */
const struct net_addr *http_server_addr(const struct http_server *srv, size_t i);
/* Serve a connection that came by other means; fd is non-blocking and taken over. */
void http_server_adopt(struct http_server *srv, int fd);
/* For new connections: after certificates have changed. */
void http_server_set_tls(struct http_server *srv, struct tls_ctx *tls);

/* Graceful end: listeners close, idle connections close, busy ones (GOAWAY, Connection: close) when their requests have ended. Requests go
 * on until their handlers end them: end your watches. drained() is called from the loop once no connection is left. */
void http_server_drain(struct http_server *srv, void (*drained)(void *ctx), void *ctx);
/* Drops all connections. on_close of running requests is called, and each must still be ended; the server's memory goes with the last one.
 * NULL is fine. Not from a callback of the server. */
void http_server_free(struct http_server *srv);

struct http_server_stats {
	size_t connections;
	size_t requests; /* not yet ended by their handlers */
	uint64_t requests_total;
};
struct http_server_stats http_server_stats(const struct http_server *srv);

/* --- reading a request --- */

/* Shorthand for http_header_find on the request. */
struct str http_get_header(const struct http_request *req, struct str name);

/* Exactly one call: code 0 and the whole body (valid until the request ends; empty if there is none), ERR_LIMIT when it is larger than the
 * limit (answer 413; nothing is kept), ERR_TIMEOUT when it stopped coming (408), ERR_PROTOCOL when it is malformed (400), ERR_CLOSED when the client
 * went away. Possibly before
 * http_read_body returns. Call it, or http_stream_body, from on_request or later; not both. It sends 100 Continue if the client
 * waits for it. A request that is ended without reading its body costs the connection if much of it is still to come. */
typedef void (*http_body_fn)(struct http_request *req, int code, struct str body);
void http_read_body(struct http_request *req, size_t limit, http_body_fn fn);

/* Pieces as they come: fn(req, 0, piece) with n > 0, at last fn(req, 0, unset) for the end, or fn(req, ERR_*, unset). */
void http_stream_body(struct http_request *req, http_body_fn fn);
/* Back-pressure: after pausing, up to 256 KB may still be delivered. */
void http_pause_body(struct http_request *req);
void http_resume_body(struct http_request *req);

/* --- answering --- */

/* A whole response. Slices are taken over. Content-Length and Date are added; for HEAD and 204/304 the body is dropped (HEAD keeps its
 * length). Bytes of headers are copied. Control characters in header values become spaces. */
void http_respond(struct http_request *req, int status, const struct http_header *headers,
		  size_t n_headers, const struct slice *body, size_t n_body);
/* The same with a text that is copied. */
void http_respond_text(struct http_request *req, int status, struct str content_type,
		       struct str body);

/* A response of unknown length (unless headers contain content-length). */
void http_respond_start(struct http_request *req, int status, const struct http_header *headers,
			size_t n_headers);
/* Slices are taken over, also when the client has gone. What is written in one turn of the loop leaves together. */
void http_write(struct http_request *req, const struct slice *slices, size_t n);
void http_write_copy(struct http_request *req, struct str text);
/* What this request has written and the kernel has not taken. HTTP/1.1: of the connection, TLS overhead included. */
size_t http_pending_bytes(const struct http_request *req);
void http_end(struct http_request *req);
/* The response cannot be completed: the client sees a cut connection (HTTP/1.1) or a reset stream. */
void http_abort(struct http_request *req);

/* on_close: the client has gone, or the server is being freed; the request is still to be ended. Not called for requests that
 * were ended before. An HTTP/1.1 client that closes while it waits for a response that was not begun looks like one that has only
 * finished sending: it shows when the response is written. on_drain: all that was written has gone out after some had to wait. Set either once, any time. */
void http_on_close(struct http_request *req, void (*fn)(struct http_request *req));
void http_on_drain(struct http_request *req, void (*fn)(struct http_request *req));
bool http_is_closed(const struct http_request *req);
/* For responses that live long (watches): frees headers, body and arena; the texts of *req are unset afterwards. */
void http_forget_request(struct http_request *req);

/* True if the request may be upgraded to the protocol ("websocket", "SPDY/3.1"): HTTP/1.1 with Connection: Upgrade. */
bool http_wants_upgrade(const struct http_request *req, struct str protocol);
/* Answers 101 with these headers (Connection: Upgrade is added) and hands the byte stream over; input that came behind the request is
 * delivered to ops. The request has ended and is gone; *ret is the new owner's to close. ERR_UNSUPPORTED if the request cannot be
 * upgraded, ERR_CLOSED if the client has gone: then the request is still to be ended. */
MUST_USE int http_upgrade(struct http_request *req, const struct http_header *headers,
			  size_t n_headers, const struct net_stream_ops *ops, void *ctx,
			  struct net_stream **ret);
