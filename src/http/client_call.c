/* SPDX-License-Identifier: Apache-2.0 */
/* One call of the client: its texts, its time limits, its end. */
#include "base/alloc.h"
#include "http/client_internal.h"

void *http_call_ctx(const struct http_call *call)
{
	return call->ctx;
}

void call_detach(struct http_call *call)
{
	list_remove(&call->link);
	if (call->conn) {
		call->conn->n_calls--;
		call->conn = NULL;
	} else {
		call->client->n_queued--;
	}
}

void call_free(struct http_call *call)
{
	env_timer_stop(call->client->env, &call->timer);
	env_timer_stop(call->client->env, &call->header_timer);
	h2_body_fini(&call->out);
	for (size_t i = 0; i < call->n_body; i++) {
		slice_release(&call->body[i]);
	}
	vec_fini(&call->fields);
	buf_fini(&call->buffer);
	arena_fini(&call->arena);
	mem_free(call);
}

void call_end(struct http_call *call, int code, const char *why)
{
	call_detach(call);
	call->response.body = buf_str(&call->buffer);
	call->ops->on_end(call, call->has_headers ? &call->response : NULL, code, why);
	call_free(call);
}

bool call_add_field(struct http_call *call, struct str name, struct str value)
{
	struct http_header *h;

	call->field_bytes += name.n + value.n;
	if (call->field_bytes > RESPONSE_HEADER_BYTES_MAX ||
	    call->fields.n >= RESPONSE_HEADERS_MAX) {
		return false;
	}
	h = vec_push(&call->fields);
	h->name = arena_str(&call->arena, name);
	h->value = arena_str(&call->arena, str_trim(value));
	for (size_t i = 0; i < h->name.n; i++) {
		char *c = (char *)(uintptr_t)&h->name.p[i];

		*c = (char)(*c >= 'A' && *c <= 'Z' ? *c + 32 : *c);
	}
	return true;
}

void call_headers_done(struct http_call *call, int status, enum http_version version)
{
	call->response = (struct http_response){.status = status,
						.version = version,
						.headers = call->fields.p,
						.n_headers = call->fields.n};
	call->has_headers = true;
	env_timer_stop(call->client->env, &call->header_timer);
	if (call->ops->on_headers) {
		call->ops->on_headers(call, &call->response);
	}
}

bool call_data(struct http_call *call, const char *p, size_t n)
{
	if (call->buffer_limit == 0) {
		if (call->ops->on_data) {
			call->ops->on_data(call, p, n);
		}
		return true;
	}
	if (call->buffer.n + n > call->buffer_limit) {
		call->too_large = true;
		return false;
	}
	buf_add(&call->buffer, p, n);
	return true;
}

void call_requeue(struct http_call *call)
{
	struct http_client *client = call->client;

	call_detach(call);
	h2_body_fini(&call->out);
	call->retried = true;
	list_add_head(&client->queue, &call->link);
	client->n_queued++;
}

void client_kick(struct http_client *client)
{
	if (!client->kicked) {
		client->kicked = true;
		env_post(client->env, &client->kick);
	}
}

/* Takes a call away from its connection without a word to its owner. */
static void withdraw(struct http_call *call)
{
	struct client_conn *conn = call->conn;

	if (!conn) {
		call_detach(call);
	} else if (conn->state == CC_H2) {
		client_h2_cancel(call);
		call_detach(call);
		conn_call_done(conn);
	} else {
		/* Drops the queue that borrows the call's body, too. */
		call_detach(call);
		conn_lost(conn, ERR_CANCELED, "canceled");
	}
}

void http_call_cancel(struct http_call *call)
{
	struct http_client *client = call->client;

	withdraw(call);
	call_free(call);
	client_kick(client);
}

static void time_out(struct http_call *call, const char *why)
{
	struct http_client *client = call->client;

	withdraw(call);
	call->response.body = buf_str(&call->buffer);
	call->ops->on_end(call, call->has_headers ? &call->response : NULL, ERR_TIMEOUT, why);
	call_free(call);
	client_kick(client);
}

static void handle_call_timer(struct env_timer *timer)
{
	time_out(CONTAINER_OF(timer, struct http_call, timer), "the response did not come in time");
}

static void handle_header_timer(struct env_timer *timer)
{
	time_out(CONTAINER_OF(timer, struct http_call, header_timer),
		 "the response's headers did not come in time");
}

static struct http_call *call_new(struct http_client *client, const struct http_call_opts *opts)
{
	struct http_call *call = NEW(struct http_call);

	call->client = client;
	call->method = arena_str(&call->arena, opts->method);
	call->path = arena_str(&call->arena, opts->path);
	call->headers = ARENA_ARRAY(&call->arena, opts->n_headers, struct http_header);
	call->n_headers = opts->n_headers;
	for (size_t i = 0; i < opts->n_headers; i++) {
		call->headers[i].name = arena_str(&call->arena, opts->headers[i].name);
		call->headers[i].value = arena_str(&call->arena, opts->headers[i].value);
	}
	call->body = ARENA_ARRAY(&call->arena, opts->n_body, struct slice);
	call->n_body = opts->n_body;
	for (size_t i = 0; i < opts->n_body; i++) {
		call->body[i] = opts->body[i];
		call->body_bytes += opts->body[i].n;
	}
	call->buffer_limit = opts->buffer_limit;
	call->upgrade = opts->upgrade;
	call->timer.fn = handle_call_timer;
	call->header_timer.fn = handle_header_timer;
	return call;
}

struct http_call *http_call_start(struct http_client *client, const struct http_call_opts *opts,
				  const struct http_call_ops *ops, void *ctx)
{
	struct http_call *call;

	ASSERT(ops->on_end && (!opts->upgrade || ops->on_upgrade) && !client->freeing);
	call = call_new(client, opts);
	call->ops = ops;
	call->ctx = ctx;
	if (opts->timeout_ms) {
		env_timer_start_in(client->env, &call->timer, opts->timeout_ms * NS_PER_MS);
	}
	if (opts->header_timeout_ms) {
		env_timer_start_in(client->env, &call->header_timer,
				   opts->header_timeout_ms * NS_PER_MS);
	}
	list_add_tail(&client->queue, &call->link);
	client->n_queued++;
	client_kick(client);
	return call;
}

void http_call_pause(struct http_call *call)
{
	call->paused = true;
	if (call->conn && call->conn->state == CC_H1) {
		net_stream_pause(call->conn->stream);
	}
}

void http_call_resume(struct http_call *call)
{
	call->paused = false;
	if (call->conn && call->conn->state == CC_H1) {
		net_stream_resume(call->conn->stream);
	} else if (call->conn && call->conn->state == CC_H2) {
		client_h2_flow(call);
	}
}
