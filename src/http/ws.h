/* SPDX-License-Identifier: Apache-2.0 */
/* http/ws.h: WebSocket (RFC 6455), server and client, over an upgraded HTTP/1.1 connection. Pings are answered, fragments joined, text checked
 * for UTF-8, messages bounded. No extensions (no compression).
 *
 * A WebSocket ends in exactly one way: ws_free by its owner, or on_close, after which it is gone. */
#pragma once
#include "http/client.h"
#include "http/server.h"

struct ws;

enum {
	WS_NORMAL = 1000,
	WS_GOING_AWAY = 1001,
	WS_PROTOCOL_ERROR = 1002,
	WS_UNSUPPORTED = 1003,
	WS_NO_STATUS = 1005, /* the peer closed without a code; never sent */
	WS_ABNORMAL = 1006,  /* the connection broke; never sent */
	WS_POLICY = 1008,
	WS_TOO_BIG = 1009,
	WS_INTERNAL = 1011,
};

struct ws_ops {
	/* A whole message; valid during the call. */
	void (*on_message)(struct ws *ws, bool is_text, struct str message);
	/* All output has gone out after some had to wait. Optional. */
	void (*on_drain)(struct ws *ws);
	/* The end: the peer's close code, or WS_ABNORMAL. */
	void (*on_close)(struct ws *ws, int code, struct str reason);
	/* Client only: the handshake is done; ws_protocol() says what was chosen. Optional. */
	void (*on_open)(struct ws *ws);
	/* Client only, instead of all others: no WebSocket; response is NULL without one, its body empty. The ws is gone. */
	void (*on_refused)(struct ws *ws, const struct http_response *response, int code,
			   const char *why);
};

/* True if the request asks for a WebSocket (whether or not it does so correctly). */
bool ws_is_request(const struct http_request *req);
/* Answers the handshake. The first of the client's sub-protocols that stands in `protocols` is chosen; with n_protocols > 0 and no
 * match: ERR_UNSUPPORTED (upstream answers 403 then). ERR_PROTOCOL for a malformed handshake (400). On failure nothing was
 * answered and the request is still to be ended. Messages larger than max_message end the connection with 1009. */
MUST_USE int ws_accept(struct http_request *req, const struct str *protocols, size_t n_protocols,
		       size_t max_message, const struct ws_ops *ops, void *ctx, struct ws **ret,
		       struct err *err);
/* Connects through a client without h2; headers go with the handshake (authorization). */
struct ws *ws_connect(struct http_client *client, struct str path,
		      const struct http_header *headers, size_t n_headers,
		      const struct str *protocols, size_t n_protocols, size_t max_message,
		      const struct ws_ops *ops, void *ctx);
void *ws_ctx(const struct ws *ws);
/* The sub-protocol agreed on; empty: none. */
struct str ws_protocol(const struct ws *ws);

/* Copies. Dropped once ws_close was called or the peer closed. */
void ws_send(struct ws *ws, bool is_text, struct str message);
/* The same from two pieces, as channel protocols put a byte before the data. */
void ws_send2(struct ws *ws, bool is_text, struct str head, struct str message);
void ws_ping(struct ws *ws);
size_t ws_pending_bytes(const struct ws *ws);
/* Stops and goes on reading: back-pressure for the peer. */
void ws_pause(struct ws *ws);
void ws_resume(struct ws *ws);
/* Sends a close frame behind what is queued; on_close follows when the peer has answered, or after 5 s. */
void ws_close(struct ws *ws, int code, struct str reason);
/* Sends a close frame (1000) if none was sent, and lets go at once. Also from callbacks, but on_close and on_refused. NULL is fine. */
void ws_free(struct ws *ws);
