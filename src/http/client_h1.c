/* SPDX-License-Identifier: Apache-2.0 */
/* The client's side of HTTP/1.1: one call at a time per connection, no pipelining. */
#include "base/alloc.h"
#include "http/client_internal.h"

static struct client_conn *conn_of(llhttp_t *parser)
{
	return CONTAINER_OF(parser, struct client_conn, parser);
}

static struct http_call *call_of(const struct client_conn *conn)
{
	return LIST_FIRST(&conn->calls, struct http_call, link);
}

/* --- parser callbacks --- */

static int take_field(struct client_conn *conn)
{
	struct http_call *call = call_of(conn);

	if (conn->name.n && call && !call->has_headers &&
	    !call_add_field(call, buf_str(&conn->name), buf_str(&conn->value))) {
		return HPE_USER;
	}
	buf_clear(&conn->name);
	buf_clear(&conn->value);
	conn->in_value = false;
	return 0;
}

static int on_header_field(llhttp_t *parser, const char *p, size_t n)
{
	struct client_conn *conn = conn_of(parser);

	if (conn->in_value && take_field(conn) != 0) {
		return HPE_USER;
	}
	buf_add(&conn->name, p, n);
	return conn->name.n > RESPONSE_HEADER_BYTES_MAX ? HPE_USER : 0;
}

static int on_header_value(llhttp_t *parser, const char *p, size_t n)
{
	struct client_conn *conn = conn_of(parser);

	conn->in_value = true;
	buf_add(&conn->value, p, n);
	return conn->value.n > RESPONSE_HEADER_BYTES_MAX ? HPE_USER : 0;
}

static int on_header_value_complete(llhttp_t *parser)
{
	conn_of(parser)->in_value = true;
	return 0;
}

static int on_headers_complete(llhttp_t *parser)
{
	struct client_conn *conn = conn_of(parser);
	struct http_call *call = call_of(conn);
	int status = llhttp_get_status_code(parser);

	if (take_field(conn) != 0 || !call) {
		return -1;
	}
	if (status == 101 && call->upgrade) {
		conn->switched = true;
		return 2;
	}
	if (status == 101) {
		return -1; /* nobody asked */
	}
	if (status < 200) {
		return 0;
	}
	conn->leaving = conn->leaving || !llhttp_should_keep_alive(parser);
	call_headers_done(call, status, llhttp_get_http_minor(parser) == 0 ? HTTP_1_0 : HTTP_1_1);
	if (conn->doomed) {
		return -1;
	}
	return str_is(call->method, "HEAD") ? 1 : 0;
}

static int on_body(llhttp_t *parser, const char *p, size_t n)
{
	struct client_conn *conn = conn_of(parser);

	return call_data(call_of(conn), p, n) && !conn->doomed ? 0 : -1;
}

static int on_message_complete(llhttp_t *parser)
{
	struct client_conn *conn = conn_of(parser);
	struct http_call *call = call_of(conn);
	int status = llhttp_get_status_code(parser);

	if (conn->switched) {
		return 0;
	}
	if (status < 200) {
		/* 100 Continue, 103 Early Hints: the response is still to come. */
		vec_clear(&call->fields);
		call->field_bytes = 0;
		return 0;
	}
	conn->msg_done = true;
	return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
	.on_header_field = on_header_field,
	.on_header_value = on_header_value,
	.on_header_value_complete = on_header_value_complete,
	.on_headers_complete = on_headers_complete,
	.on_body = on_body,
	.on_message_complete = on_message_complete,
};

void client_h1_init(struct client_conn *conn)
{
	llhttp_init(&conn->parser, HTTP_RESPONSE, &settings);
}

/* --- sending --- */

static void add_line(struct buf *out, struct str text)
{
	size_t start = out->n;

	buf_add_str(out, text);
	for (size_t i = start; i < out->n; i++) {
		if ((unsigned char)out->p[i] < ' ' && out->p[i] != '\t') {
			out->p[i] = ' ';
		}
	}
}

static bool wants_length(const struct http_call *call)
{
	return call->body_bytes || str_is(call->method, "POST") || str_is(call->method, "PUT") ||
	       str_is(call->method, "PATCH");
}

void client_h1_send(struct client_conn *conn, struct http_call *call)
{
	struct buf *out = &conn->client->scratch;

	buf_clear(out);
	add_line(out, call->method);
	buf_add_char(out, ' ');
	add_line(out, call->path);
	buf_puts(out, " HTTP/1.1\r\nHost: ");
	add_line(out, str_of(conn->client->authority));
	buf_puts(out, "\r\n");
	for (size_t i = 0; i < call->n_headers; i++) {
		add_line(out, call->headers[i].name);
		buf_puts(out, ": ");
		add_line(out, call->headers[i].value);
		buf_puts(out, "\r\n");
	}
	if (wants_length(call)) {
		buf_printf(out, "Content-Length: %zu\r\n", call->body_bytes);
	}
	buf_puts(out, "\r\n");
	conn->msg_done = conn->switched = conn->in_value = false;
	buf_clear(&conn->name);
	buf_clear(&conn->value);
	net_stream_write_copy(conn->stream, out->p, out->n);
	for (size_t i = 0; i < call->n_body; i++) {
		/* Borrowed from the call, which outlives them in the queue: it may have to be repeated. */
		const struct slice s = {call->body[i].p, call->body[i].n, NULL, NULL};

		net_stream_write(conn->stream, &s, 1);
	}
}

/* --- receiving --- */

/* The response is complete. */
static void finish(struct client_conn *conn)
{
	struct http_call *call = call_of(conn);

	conn->msg_done = false;
	llhttp_resume(&conn->parser);
	if (call->paused) {
		net_stream_resume(conn->stream);
	}
	if (net_stream_pending_bytes(conn->stream) || conn->eof) {
		conn->leaving = true; /* answered before all was sent, or closed by the server */
	}
	if (conn->leaving) {
		net_stream_abort(conn->stream); /* what it still borrows from the call */
		conn->stream = NULL;
	}
	call_end(call, 0, NULL);
	conn_call_done(conn);
}

static void switch_protocol(struct client_conn *conn)
{
	struct http_call *call = call_of(conn);
	struct net_stream *stream = conn->stream;

	call->response = (struct http_response){.status = 101,
						.version = HTTP_1_1,
						.headers = call->fields.p,
						.n_headers = call->fields.n};
	conn->stream = NULL;
	call_detach(call);
	net_stream_resume(stream);
	call->ops->on_upgrade(call, &call->response, stream);
	call_free(call);
	conn_lost(conn, ERR_CLOSED, "switched to another protocol");
}

/* The connection is of no use any more, for a reason that the parser found. */
static void fail(struct client_conn *conn, const char *why)
{
	struct http_call *call = call_of(conn);

	if (call && call->too_large) {
		conn_lost(conn, ERR_LIMIT, "the response is larger than expected");
	} else {
		conn_lost(conn, ERR_PROTOCOL, why ? why : "malformed response");
	}
}

static size_t on_data(struct net_stream *s, const char *p, size_t n)
{
	struct client_conn *conn = net_stream_ctx(s);
	llhttp_errno_t code;
	size_t taken;

	if (!call_of(conn)) {
		conn_lost(conn, ERR_PROTOCOL, "a response nobody asked for");
		return n;
	}
	conn->running = true;
	code = llhttp_execute(&conn->parser, p, n);
	taken = code == HPE_OK ? n : (size_t)(llhttp_get_error_pos(&conn->parser) - p);
	if (conn->doomed) {
		conn->running = false;
		conn_lost(conn, ERR_CLOSED, "gone");
		return n;
	}
	conn->running = false;
	if (conn->switched) {
		switch_protocol(conn);
		return taken;
	}
	if (code == HPE_PAUSED && conn->msg_done) {
		conn->leaving =
			conn->leaving || taken < n; /* more than the response: out of step */
		finish(conn);
		return n;
	}
	if (code != HPE_OK) {
		fail(conn, conn->parser.reason);
		return n;
	}
	return n;
}

static void on_eof(struct net_stream *s)
{
	struct client_conn *conn = net_stream_ctx(s);

	if (net_stream_has_input(s)) {
		return;
	}
	conn->eof = true;
	conn->running = true;
	if (call_of(conn)) {
		(void)llhttp_finish(&conn->parser);
	}
	conn->running = false;
	if (!conn->doomed && conn->msg_done) {
		finish(conn);
		return;
	}
	conn_lost(conn, ERR_CLOSED,
		  "the server closed the connection before the response was complete");
}

static void on_close(struct net_stream *s, int code, const char *why)
{
	struct client_conn *conn = net_stream_ctx(s);

	conn->stream = NULL;
	conn_lost(conn, code, why);
}

const struct net_stream_ops client_h1_ops = {
	.on_data = on_data, .on_eof = on_eof, .on_close = on_close};
