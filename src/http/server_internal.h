/* SPDX-License-Identifier: Apache-2.0 */
/* http/server_internal.h: how the server's files fit. server.c accepts connections and times them; server_h1.c and server_h2.c speak
 * the two versions; exchange.c is one request with its body; respond.c is the handler's side of the response.
 *
 * An exchange is held from two sides: by the handler until it ends the request (x->ended), and by the connection until it needs it no more
 * (x->conn, NULL from then on). The last one to let go gives it back to the server's pool. */
#pragma once
#include <llhttp.h>
#include <nghttp2/nghttp2.h>

#include "base/list.h"
#include "base/vec.h"
#include "http/h2_out.h"
#include "http/server.h"
#include "net/deadline.h"
#include "net/listener.h"

enum {
	DISCARD_MAX =
		256 * 1024,	/* of a body nobody reads, for the sake of keeping the connection */
	POOL_MAX = 64,		/* exchanges kept for reuse */
	HEAD_KEPT_BYTES = 4096, /* a pooled exchange with a larger head buffer gives it back */
	RESET_BURST =
		1000, /* streams that an HTTP/2 client may cancel at once, and then per second, before it is sent */
	RESET_PER_S = 33, /* away: watches are cancelled this way, floods too (CVE-2023-44487) */
};

struct server_conn;
struct exchange;

/* What a version does for respond.c. The exchange is live (x->conn set, not x->gone). */
struct version_ops {
	/* length: -1 unknown. `last`: no body follows. */
	void (*head)(struct exchange *x, int status, const struct http_header *headers, size_t n,
		     int64_t length, bool last);
	void (*write)(struct exchange *x, const struct slice *slices, size_t n);
	void (*write_copy)(struct exchange *x, struct str text);
	/* The response is complete; the exchange may be gone afterwards. */
	void (*end)(struct exchange *x);
	void (*abort)(struct exchange *x);
	void (*send_continue)(struct exchange *x);
	/* Pause or resume the request body, as x->body_paused says. */
	void (*flow)(struct exchange *x);
	size_t (*pending)(const struct exchange *x);
	/* An answer of the server itself to a connection whose headers did not come in time. */
	void (*idle_close)(struct server_conn *conn);
	/* The connection has ended; frees what the version holds. Exchanges are detached by the caller. */
	void (*fini)(struct server_conn *conn);
	void (*drain)(struct server_conn *conn);
};

struct field_span {
	uint32_t name, name_n, value, value_n; /* offsets into x->head */
};

struct exchange {
	struct http_request req; /* first: handlers hold this */
	struct http_server *srv;
	struct server_conn *conn;
	struct list link; /* conn->exchanges, or the server's detached */

	struct buf head; /* all header bytes; spans point into it until sealed */
	VEC(struct field_span) spans;
	VEC(struct http_header) headers;
	struct field_span target; /* method and path */
	struct field_span host;	  /* value: :authority */
	struct arena arena;

	http_body_fn body_fn; /* NULL: not asked for, or told already */
	struct buf body;
	size_t body_limit;
	size_t discarded;
	struct deadline body_deadline;

	void (*on_close)(struct http_request *req);
	void (*on_drain)(struct http_request *req);
	struct h2_body out; /* HTTP/2 */
	int32_t stream_id;
	uint32_t unconsumed; /* HTTP/2: body bytes withheld from the window while paused */

	bool dispatched:1; /* the handler has it */
	bool body_asked:1;
	bool body_streams:1; /* body_fn takes pieces */
	bool body_paused:1;
	bool body_done:1; /* has come completely (or is given up: then body_code) */
	bool expects_continue:1;
	bool is_head:1;
	bool started:1;	 /* response headers are written */
	bool bodyless:1; /* HEAD, 204, 304: writes are dropped */
	bool chunked:1;
	bool ended:1; /* by the handler */
	bool gone:1;  /* by the client */
	bool too_large:1;
	bool telling:1;	   /* set_gone is calling the handler */
	bool held:1;	   /* a function of ours is calling the handler and goes on with x */
	bool free_later:1; /* it is to free x */
	int body_code;
};

enum conn_kind { CONN_NEW, CONN_H1, CONN_H2 };
enum conn_timer { TIMER_NONE, TIMER_HEADER, TIMER_IDLE, TIMER_PROGRESS, N_TIMERS };

struct h1 {
	llhttp_t parser;
	struct exchange *x; /* the request being read or answered */
	size_t head_bytes;  /* counts trailers too */
	bool in_value;
	bool head_done;
	bool msg_done;	/* the request has been read */
	bool resp_done; /* the response has been queued */
	bool close;	/* after the response */
	bool broken;	/* what follows cannot be parsed */
	bool running;	/* inside on_data */
	bool upgraded;	/* while running: the stream has a new owner */
	bool eof;
};

struct h2 {
	struct h2_session_user user; /* what nghttp2 gives to callbacks */
	nghttp2_session *session;
	struct h2_out out;
	int64_t reset_tokens_milli;
	int64_t reset_at_ns;
	bool broken; /* what comes is not looked at any more */
};

struct server_conn {
	struct http_server *srv;
	struct net_stream *stream;
	const struct version_ops *ops;
	struct list link; /* srv->conns */
	struct list exchanges;
	size_t n_exchanges; /* with those whose client has gone but whose handler has not ended: they count as well */
	struct deadline deadline;
	enum conn_kind kind;
	enum conn_timer timer;
	char sniff
		[4]; /* first bytes of a plain connection, until HTTP/2's preface is told from HTTP/1 */
	uint8_t n_sniff;
	union {
		struct h1 h1;
		struct h2 h2;
	};
};

struct http_server {
	struct net *net;
	struct env *env;
	struct http_server_opts opts;
	VEC(struct net_listener *) listeners;
	struct list conns;
	struct list detached; /* exchanges whose connection is gone */
	size_t n_conns;
	size_t n_requests;
	uint64_t requests_total;
	struct deadline_queue timers[N_TIMERS];
	struct deadline_queue body_timer;
	struct exchange *pool[POOL_MAX];
	size_t n_pool;
	struct buf date; /* of date_s, with the header's name and line end */
	int64_t date_s;
	struct buf scratch;
	bool paused; /* accepting */
	bool draining;
	bool freeing;
	void (*drained)(void *ctx);
	void *drained_ctx;
};

/* server.c */
/* Begins that timer; one that runs already goes on. */
void conn_set_timer(struct server_conn *conn, enum conn_timer timer);
/* Begins it anew. */
void conn_restart_timer(struct server_conn *conn, enum conn_timer timer);
/* The connection's owner lets it go: closes (or, hard, aborts) the stream and frees the connection. */
void conn_close(struct server_conn *conn, bool hard);
/* The current Date value, 29 bytes. */
struct str server_date(struct http_server *srv);
void server_release_if_done(struct http_server *srv);

/* exchange.c */
struct exchange *exchange_new(struct server_conn *conn);
/* The connection lets go; tells a handler that still has it. */
void exchange_detach(struct exchange *x);
/* The client has gone, the connection keeps its hold: release it with exchange_detach if x->ended, else the handler's end does. */
void exchange_set_gone(struct exchange *x);
/* Frees it if neither side holds it. */
void exchange_release(struct exchange *x);
void exchange_free(struct exchange *x);
/* The handler is through with an exchange whose client has gone. */
void exchange_end_gone(struct exchange *x);
/* Appends header bytes and returns their offset. Limits are the caller's. */
uint32_t exchange_add(struct exchange *x, struct str bytes);
/* The same in lower case. */
uint32_t exchange_add_name(struct exchange *x, struct str bytes);
/* Turns spans into req's fields and checks what both versions share; false: malformed. */
bool exchange_seal(struct exchange *x);
/* To the handler. */
void exchange_dispatch(struct exchange *x);
/* Body bytes from the wire. False: the connection should not go on reading this body (too much of it unread). */
bool exchange_body(struct exchange *x, const char *p, size_t n);
/* Its end (0), or ERR_* why it does not come. */
void exchange_body_end(struct exchange *x, int code);

/* server_h1.c, server_h2.c */
extern const struct version_ops h1_ops;
extern const struct version_ops h2_ops;
extern const struct net_stream_ops h1_stream_ops;
extern const struct net_stream_ops h2_stream_ops;
void h1_init(struct server_conn *conn);
void h2_init(struct server_conn *conn);
MUST_USE int h1_upgrade(struct exchange *x, const struct http_header *headers, size_t n,
			const struct net_stream_ops *ops, void *ctx, struct net_stream **ret);

static inline struct exchange *exchange_of(struct http_request *req)
{
	return CONTAINER_OF(req, struct exchange, req);
}
