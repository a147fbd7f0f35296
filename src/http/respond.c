/* SPDX-License-Identifier: Apache-2.0 */
/* The handler's side of a response. Everything that a client no longer waits for is dropped here, so that the versions see live exchanges only. */
#include "base/alloc.h"
#include "http/server_internal.h"

static bool is_dead(const struct exchange *x)
{
	return x->gone || !x->conn;
}

static void drop(const struct slice *slices, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct slice s = slices[i];

		slice_release(&s);
	}
}

/* Nobody reads the rest of the body any more. */
static void let_body_go(struct exchange *x)
{
	x->body_fn = NULL;
	deadline_clear(&x->body_deadline);
	buf_fini(&x->body);
	if (x->body_paused && !x->body_done) {
		x->body_paused = false;
		x->conn->ops->flow(x);
	}
}

static void end_live(struct exchange *x)
{
	x->ended = true;
	let_body_go(x);
	x->conn->ops->end(x);
}

void http_respond(struct http_request *req, int status, const struct http_header *headers,
		  size_t n_headers, const struct slice *body, size_t n_body)
{
	struct exchange *x = exchange_of(req);
	int64_t length = 0;

	ASSERT(!x->started && !x->ended);
	if (is_dead(x)) {
		drop(body, n_body);
		exchange_end_gone(x);
		return;
	}
	for (size_t i = 0; i < n_body; i++) {
		length += (int64_t)body[i].n;
	}
	x->started = true;
	x->bodyless = x->is_head || !http_status_has_body(status);
	x->conn->ops->head(x, status, headers, n_headers,
			   http_status_has_body(status) ? length : -1, x->bodyless || length == 0);
	if (x->bodyless || length == 0) {
		drop(body, n_body);
	} else {
		x->conn->ops->write(x, body, n_body);
	}
	end_live(x);
}

void http_respond_text(struct http_request *req, int status, struct str content_type,
		       struct str body)
{
	struct exchange *x = exchange_of(req);
	const struct http_header header = HTTP_HEADER("Content-Type", content_type);

	ASSERT(!x->started && !x->ended);
	if (is_dead(x)) {
		exchange_end_gone(x);
		return;
	}
	x->started = true;
	x->bodyless = x->is_head || !http_status_has_body(status);
	x->conn->ops->head(x, status, &header, content_type.n ? 1 : 0,
			   http_status_has_body(status) ? (int64_t)body.n : -1,
			   x->bodyless || body.n == 0);
	if (!x->bodyless && body.n) {
		x->conn->ops->write_copy(x, body);
	}
	end_live(x);
}

void http_respond_start(struct http_request *req, int status, const struct http_header *headers,
			size_t n_headers)
{
	struct exchange *x = exchange_of(req);

	ASSERT(!x->started && !x->ended);
	x->started = true;
	if (is_dead(x)) {
		return;
	}
	x->bodyless = x->is_head || !http_status_has_body(status);
	x->conn->ops->head(x, status, headers, n_headers, -1, x->bodyless);
}

void http_write(struct http_request *req, const struct slice *slices, size_t n)
{
	struct exchange *x = exchange_of(req);

	ASSERT(x->started && !x->ended);
	if (is_dead(x) || x->bodyless) {
		drop(slices, n);
	} else {
		x->conn->ops->write(x, slices, n);
	}
}

void http_write_copy(struct http_request *req, struct str text)
{
	struct exchange *x = exchange_of(req);

	ASSERT(x->started && !x->ended);
	if (!is_dead(x) && !x->bodyless && text.n) {
		x->conn->ops->write_copy(x, text);
	}
}

size_t http_pending_bytes(const struct http_request *req)
{
	const struct exchange *x = CONTAINER_OF(req, struct exchange, req);

	return is_dead(x) ? 0 : x->conn->ops->pending(x);
}

void http_end(struct http_request *req)
{
	struct exchange *x = exchange_of(req);

	ASSERT(x->started && !x->ended);
	if (is_dead(x)) {
		exchange_end_gone(x);
	} else {
		end_live(x);
	}
}

void http_abort(struct http_request *req)
{
	struct exchange *x = exchange_of(req);

	ASSERT(!x->ended);
	if (is_dead(x)) {
		exchange_end_gone(x);
		return;
	}
	x->ended = true;
	let_body_go(x);
	x->conn->ops->abort(x);
}

void http_on_close(struct http_request *req, void (*fn)(struct http_request *req))
{
	exchange_of(req)->on_close = fn;
}

void http_on_drain(struct http_request *req, void (*fn)(struct http_request *req))
{
	exchange_of(req)->on_drain = fn;
}

bool http_is_closed(const struct http_request *req)
{
	return is_dead(CONTAINER_OF(req, struct exchange, req));
}

bool http_wants_upgrade(const struct http_request *req, struct str protocol)
{
	return req->version == HTTP_1_1 &&
	       http_header_has_token(req->headers, req->n_headers, STR("connection"),
				     STR("upgrade")) &&
	       http_header_has_token(req->headers, req->n_headers, STR("upgrade"), protocol);
}

int http_upgrade(struct http_request *req, const struct http_header *headers, size_t n_headers,
		 const struct net_stream_ops *ops, void *ctx, struct net_stream **ret)
{
	struct exchange *x = exchange_of(req);

	ASSERT(!x->started && !x->ended);
	if (is_dead(x)) {
		return ERR_CLOSED;
	}
	if (x->conn->kind != CONN_H1) {
		return ERR_UNSUPPORTED;
	}
	return h1_upgrade(x, headers, n_headers, ops, ctx, ret);
}
