/* SPDX-License-Identifier: Apache-2.0 */
/* http/client_internal.h: client.c keeps calls and connections together, client_call.c is one call, client_h1.c and client_h2.c speak the versions. */
#pragma once
#include <llhttp.h>
#include <nghttp2/nghttp2.h>

#include "base/arena.h"
#include "base/list.h"
#include "base/vec.h"
#include "http/client.h"
#include "http/h2_out.h"
#include "net/deadline.h"

enum {
	RESPONSE_HEADER_BYTES_MAX = 256 * 1024,
	RESPONSE_HEADERS_MAX = 1000,
};

struct client_conn;

struct http_call {
	struct http_client *client;
	struct client_conn *conn; /* NULL: waits for one */
	struct list link;	  /* client->queue or conn->calls */
	const struct http_call_ops *ops;
	void *ctx;
	struct arena arena; /* texts of request and response */
	struct str method, path;
	struct http_header *headers;
	size_t n_headers;
	struct slice *body; /* kept until the end, so that the call can be repeated */
	size_t n_body;
	size_t body_bytes;
	size_t buffer_limit;
	struct env_timer timer;
	struct env_timer header_timer;
	struct http_response response;
	VEC(struct http_header) fields;
	size_t field_bytes;
	struct buf buffer;
	struct h2_body out; /* HTTP/2 */
	int32_t stream_id;
	uint32_t unconsumed;
	bool upgrade;
	bool has_headers; /* on_headers has been called */
	bool retried;
	bool paused;
	bool too_large;
};

enum client_conn_state { CC_RESOLVING, CC_CONNECTING, CC_H1, CC_H2 };

struct client_conn {
	struct http_client *client;
	struct net_stream *stream;
	struct list link; /* client->conns */
	struct list calls;
	size_t n_calls;
	size_t n_served; /* calls that were begun here */
	enum client_conn_state state;
	bool leaving; /* takes no new calls */
	bool running; /* the parser is at work: freeing waits */
	bool doomed;  /* to be freed when it has returned */
	struct deadline idle;
	size_t next_addr;
	struct resolve_attempt *attempt;
	/* HTTP/1.1 */
	llhttp_t parser;
	struct buf name, value; /* of the header under way */
	bool in_value, msg_done, switched, eof;
	/* HTTP/2 */
	struct h2_session_user user;
	nghttp2_session *session;
	struct h2_out out;
};

enum client_speaks { SPEAKS_UNKNOWN, SPEAKS_H1, SPEAKS_H2 };

struct http_client {
	struct net *net;
	struct env *env;
	struct net_addr addr;
	char *host;
	char *server_name;
	char *authority;
	uint16_t port;
	struct tls_ctx *tls;
	bool h2_prior_knowledge;
	size_t max_connections;
	int64_t connect_timeout_ms;
	enum client_speaks speaks;
	struct list conns;
	struct list queue;
	size_t n_conns, n_queued;
	struct deadline_queue idle;
	struct env_task kick; /* dispatches the queue from the loop */
	bool kicked;
	bool freeing;
	struct buf scratch;
};

/* client.c */
/* Gives waiting calls to connections, now. */
void client_dispatch(struct http_client *client);
/* The same from the loop. */
void client_kick(struct http_client *client);
void conn_call_done(struct client_conn *conn);
/* The connection is over: its calls are repeated or ended, it is freed (after the parser has returned). */
void conn_lost(struct client_conn *conn, int code, const char *why);

/* client_call.c */
/* Ends the call with on_end (code 0: complete). */
void call_end(struct http_call *call, int code, const char *why);
/* Off its connection, still alive. */
void call_detach(struct http_call *call);
void call_free(struct http_call *call);
/* A response header; false: too many. */
bool call_add_field(struct http_call *call, struct str name, struct str value);
/* Body bytes of the response to the caller or the buffer; false: over its limit, the call has ended. */
bool call_data(struct http_call *call, const char *p, size_t n);
/* The response's headers are complete. */
void call_headers_done(struct http_call *call, int status, enum http_version version);
/* Puts a call back to the head of the queue. */
void call_requeue(struct http_call *call);

/* client_h1.c */
extern const struct net_stream_ops client_h1_ops;
void client_h1_init(struct client_conn *conn);
void client_h1_send(struct client_conn *conn, struct http_call *call);

/* client_h2.c */
extern const struct net_stream_ops client_h2_ops;
void client_h2_init(struct client_conn *conn);
void client_h2_send(struct client_conn *conn, struct http_call *call);
bool client_h2_has_room(const struct client_conn *conn);
void client_h2_cancel(struct http_call *call);
void client_h2_flow(struct http_call *call);
