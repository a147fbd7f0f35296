/* SPDX-License-Identifier: Apache-2.0 */
/* http/client.h: an asynchronous HTTP client for one server: HTTP/2 by ALPN with all calls on one connection (another is opened when
 * the server's stream limit is reached), else a pool of HTTP/1.1 connections. Redirects are never followed. Loop thread only.
 *
 * A call ends in exactly one of three ways: on_end, on_upgrade, or http_call_cancel; the pointer is invalid after that. All callbacks come
 * from the loop, never from inside http_call_start. A call on a reused connection that the server had just closed is repeated once if
 * nothing of its response has come and its method is idempotent, or if the server said that it has not looked at it. */
#pragma once
#include "http/message.h"
#include "net/stream.h"

struct http_client;
struct http_call;

struct http_client_opts {
	struct net_addr addr; /* where to connect; or unset, then */
	struct str
		host; /* a name (or address) that is looked up for each new connection; its addresses are tried in turn */
	uint16_t port;
	struct tls_ctx *tls;	/* NULL: plain; referenced */
	struct str server_name; /* for TLS; unset: host, or addr's IP address */
	struct str
		authority; /* the Host header; unset: host:port or addr ("localhost" for unix sockets) */
	bool h2_prior_knowledge; /* plain HTTP/2 */
	/* 0: the default behind it */
	size_t max_connections;	    /* 64; more calls wait in order */
	int64_t connect_timeout_ms; /* 10,000, TLS included, per address */
	int64_t idle_timeout_ms;    /* 90,000 */
};

/* Copies what it needs. Never NULL. */
struct http_client *http_client_new(struct net *net, const struct http_client_opts *opts);
/* Cancels all calls. Not from a callback of one of its calls. NULL is fine. */
void http_client_free(struct http_client *client);
/* Closes idle connections and takes no new call onto the others: after credentials have changed. */
void http_client_set_tls(struct http_client *client, struct tls_ctx *tls);

struct env *http_client_env(struct http_client *client);

struct http_response {
	int status;
	enum http_version version;
	const struct http_header *headers; /* names in lower case */
	size_t n_headers;
	struct str body; /* with buffer_limit, at on_end */
};

struct http_call_ops {
	/* The final response's headers; optional. `response` is valid until the call ends. */
	void (*on_headers)(struct http_call *call, const struct http_response *response);
	/* A piece of the body (decoded from chunks). Not with buffer_limit. */
	void (*on_data)(struct http_call *call, const char *p, size_t n);
	/* code 0: the response is complete; else ERR_* and why: ERR_CLOSED, ERR_TIMEOUT, ERR_LIMIT, ERR_PROTOCOL, ERR_IO (no connection),
	 * ERR_DENIED (the server's certificate). A status such as 404 is no error here. response: NULL without headers. */
	void (*on_end)(struct http_call *call, const struct http_response *response, int code,
		       const char *why);
	/* The server switched protocols (only if opts.upgrade): the stream is the callee's, who gives it a new owner by
	 * net_stream_set_owner before returning; input that came already follows. */
	void (*on_upgrade)(struct http_call *call, const struct http_response *response,
			   struct net_stream *stream);
};

struct http_call_opts {
	struct str method;
	struct str path; /* with query */
	/* Host and Content-Length are added. Upgrade calls bring their own Connection and Upgrade. */
	const struct http_header *headers;
	size_t n_headers;
	const struct slice *body; /* slices are taken over */
	size_t n_body;
	size_t buffer_limit;	   /* > 0: collect the body up to this size */
	int64_t timeout_ms;	   /* for the whole call; 0: none (watches) */
	int64_t header_timeout_ms; /* until the response's headers; 0: none */
	bool upgrade; /* needs HTTP/1.1: a client whose TLS context does not offer h2 */
};

/* Copies method, path and headers. */
struct http_call *http_call_start(struct http_client *client, const struct http_call_opts *opts,
				  const struct http_call_ops *ops, void *ctx);
/* No callback comes any more. Also from the call's own callbacks, except on_end and on_upgrade. */
void http_call_cancel(struct http_call *call);
void *http_call_ctx(const struct http_call *call);
/* Back-pressure: stops delivery of the body, a little may still come (HTTP/2: up to 1 MB, 16 KB else). */
void http_call_pause(struct http_call *call);
void http_call_resume(struct http_call *call);
