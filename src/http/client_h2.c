/* SPDX-License-Identifier: Apache-2.0 */
/* The client's side of HTTP/2: many calls on one connection. */
#include "base/alloc.h"
#include "http/client_internal.h"

enum {
	STREAM_WINDOW = 1024 * 1024,
	CONN_WINDOW = 8 * 1024 * 1024,
	MAX_STREAMS = 1000, /* whatever the server allows */
};

static struct client_conn *conn_of(void *user)
{
	struct h2_session_user *u = user;

	return CONTAINER_OF(u, struct client_conn, user);
}

static struct http_call *find_call(nghttp2_session *session, int32_t stream_id)
{
	return nghttp2_session_get_stream_user_data(session, stream_id);
}

/* --- receiving --- */

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
		     size_t name_n, const uint8_t *value, size_t value_n, uint8_t flags UNUSED,
		     void *user UNUSED)
{
	struct http_call *call = find_call(session, frame->hd.stream_id);
	struct str text = str_make(value, value_n);
	int64_t status;

	if (!call || call->has_headers) {
		return 0; /* cancelled, or trailers */
	}
	if (str_is(str_make(name, name_n), ":status")) {
		call->response.status = str_to_int64(text, &status) == 0 ? (int)status : 0;
		return 0;
	}
	return call_add_field(call, str_make(name, name_n), text)
		       ? 0
		       : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

static int on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
	struct client_conn *conn = conn_of(user);
	struct http_call *call;

	if (frame->hd.type == NGHTTP2_GOAWAY) {
		conn->leaving = true;
		return 0;
	}
	if (frame->hd.type == NGHTTP2_SETTINGS && !(frame->hd.flags & NGHTTP2_FLAG_ACK) &&
	    conn->client->n_queued && !conn->client->kicked) {
		conn->client->kicked = true;
		env_post(conn->client->env, &conn->client->kick);
	}
	if (frame->hd.type != NGHTTP2_HEADERS) {
		return 0;
	}
	call = find_call(session, frame->hd.stream_id);
	if (!call || call->has_headers) {
		return 0;
	}
	if (call->response.status < 200) {
		vec_clear(&call->fields);
		call->field_bytes = 0;
		return 0;
	}
	call_headers_done(call, call->response.status, HTTP_2);
	return 0;
}

static void reset(struct client_conn *conn, int32_t stream_id, uint32_t code)
{
	nghttp2_session_set_stream_user_data(conn->session, stream_id, NULL);
	nghttp2_submit_rst_stream(conn->session, NGHTTP2_FLAG_NONE, stream_id, code);
	if (conn->stream) {
		net_stream_kick(conn->stream);
	}
}

static int on_data_chunk(nghttp2_session *session, uint8_t flags UNUSED, int32_t stream_id,
			 const uint8_t *p, size_t n, void *user)
{
	struct http_call *call = find_call(session, stream_id);

	nghttp2_session_consume_connection(session, n);
	if (!call) {
		return 0;
	}
	if (call->paused) {
		call->unconsumed += (uint32_t)n;
	} else {
		nghttp2_session_consume_stream(session, stream_id, n);
	}
	if (!call_data(call, (const char *)p, n)) {
		struct client_conn *conn = conn_of(user);

		reset(conn, stream_id, NGHTTP2_CANCEL);
		call_end(call, ERR_LIMIT, "the response is larger than expected");
		conn_call_done(conn);
	}
	return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t stream_id, uint32_t code, void *user)
{
	struct client_conn *conn = conn_of(user);
	struct http_call *call = find_call(session, stream_id);

	if (!call) {
		return 0;
	}
	nghttp2_session_set_stream_user_data(session, stream_id, NULL);
	if (code == NGHTTP2_NO_ERROR && call->has_headers) {
		call_end(call, 0, NULL);
	} else if (code == NGHTTP2_REFUSED_STREAM && !call->has_headers && !call->retried) {
		call_requeue(call); /* not looked at: RFC 9113 §8.7 */
	} else {
		struct buf why CLEANUP_BUF = {0};

		buf_printf(&why, "the server reset the stream: %s", nghttp2_http2_strerror(code));
		call_end(call, ERR_CLOSED, buf_cstr(&why));
	}
	conn_call_done(conn);
	return 0;
}

void client_h2_init(struct client_conn *conn)
{
	const nghttp2_settings_entry settings[] = {
		{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
		{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW},
		{NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, RESPONSE_HEADER_BYTES_MAX},
		{NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
	};
	nghttp2_session_callbacks *cb;
	nghttp2_option *option;

	ASSERT(nghttp2_session_callbacks_new(&cb) == 0 && nghttp2_option_new(&option) == 0);
	nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame_recv);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data_chunk);
	nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_stream_close);
	h2_out_set_callbacks(cb);
	nghttp2_option_set_no_auto_window_update(option, 1);
	nghttp2_option_set_no_closed_streams(option, 1);
	h2_out_init(&conn->out);
	conn->user.out = &conn->out;
	ASSERT(nghttp2_session_client_new2(&conn->session, cb, &conn->user, option) == 0);
	nghttp2_option_del(option);
	nghttp2_session_callbacks_del(cb);
	nghttp2_submit_settings(conn->session, NGHTTP2_FLAG_NONE, settings, ARRAY_LEN(settings));
	nghttp2_session_set_local_window_size(conn->session, NGHTTP2_FLAG_NONE, 0, CONN_WINDOW);
	net_stream_kick(conn->stream);
}

/* Ends what a callback of the parser has asked for. False: the connection is gone. */
static bool settle(struct client_conn *conn)
{
	conn->running = false;
	if (conn->doomed) {
		conn_lost(conn, ERR_CLOSED, "gone");
		return false;
	}
	return true;
}

static size_t on_data(struct net_stream *s, const char *p, size_t n)
{
	struct client_conn *conn = net_stream_ctx(s);
	ssize_t rc;

	conn->running = true;
	rc = nghttp2_session_mem_recv(conn->session, (const uint8_t *)p, n);
	if (!settle(conn)) {
		return n;
	}
	if (rc < 0) {
		conn_lost(conn, ERR_PROTOCOL, nghttp2_strerror((int)rc));
	} else if (!nghttp2_session_want_read(conn->session) &&
		   !nghttp2_session_want_write(conn->session)) {
		conn_lost(conn, ERR_CLOSED, "the server closed the connection");
	} else {
		net_stream_kick(s);
	}
	return n;
}

static size_t fill(struct net_stream *s, char *room, size_t cap)
{
	struct client_conn *conn = net_stream_ctx(s);
	size_t n;
	int code;

	conn->running = true;
	n = h2_out_fill(&conn->out, conn->session, room, cap, &code);
	if (!settle(conn)) {
		return 0;
	}
	if (code < 0) {
		conn_lost(conn, ERR_PROTOCOL, nghttp2_strerror(code));
		return 0;
	}
	return n;
}

static void on_eof(struct net_stream *s)
{
	conn_lost(net_stream_ctx(s), ERR_CLOSED, "the server closed the connection");
}

static void on_close(struct net_stream *s, int code, const char *why)
{
	struct client_conn *conn = net_stream_ctx(s);

	conn->stream = NULL;
	conn_lost(conn, code, why);
}

const struct net_stream_ops client_h2_ops = {
	.on_data = on_data, .on_eof = on_eof, .on_close = on_close, .fill = fill};

/* --- sending --- */

bool client_h2_has_room(const struct client_conn *conn)
{
	uint32_t limit = nghttp2_session_get_remote_settings(
		conn->session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);

	return conn->n_calls < MIN(limit, (uint32_t)MAX_STREAMS) &&
	       nghttp2_session_get_next_stream_id(conn->session) < (uint32_t)INT32_MAX - 2;
}

static nghttp2_nv make_nv(struct str name, struct str value)
{
	return (nghttp2_nv){(uint8_t *)(uintptr_t)name.p, (uint8_t *)(uintptr_t)value.p, name.n,
			    value.n, NGHTTP2_NV_FLAG_NONE};
}

static struct str lower(struct http_call *call, struct str name)
{
	char *p = arena_bytes(&call->arena, name.n);

	for (size_t i = 0; i < name.n; i++) {
		p[i] = (char)(name.p[i] >= 'A' && name.p[i] <= 'Z' ? name.p[i] + 32 : name.p[i]);
	}
	return str_make(p, name.n);
}

static bool is_connection_field(struct str name)
{
	return str_is(name, "connection") || str_is(name, "upgrade") ||
	       str_is(name, "transfer-encoding") || str_is(name, "host");
}

void client_h2_send(struct client_conn *conn, struct http_call *call)
{
	nghttp2_nv *nva = ARENA_ARRAY(&call->arena, call->n_headers + 5, nghttp2_nv);
	nghttp2_data_provider provider;
	size_t n = 0;

	nva[n++] = make_nv(STR(":method"), call->method);
	nva[n++] = make_nv(STR(":scheme"), conn->client->tls ? STR("https") : STR("http"));
	nva[n++] = make_nv(STR(":authority"), str_of(conn->client->authority));
	nva[n++] = make_nv(STR(":path"), call->path);
	for (size_t i = 0; i < call->n_headers; i++) {
		struct str name = lower(call, call->headers[i].name);

		if (!is_connection_field(name)) {
			nva[n++] = make_nv(name, call->headers[i].value);
		}
	}
	if (call->body_bytes) {
		nva[n++] = make_nv(STR("content-length"),
				   arena_printf(&call->arena, "%zu", call->body_bytes));
	}
	h2_body_init(&call->out, &conn->out, net_slice_pool(conn->client->net));
	for (size_t i = 0; i < call->n_body; i++) {
		const struct slice s = {call->body[i].p, call->body[i].n, NULL, NULL};

		slice_queue_add(&call->out.queue, &s, 1);
	}
	call->out.eof = true;
	provider = h2_body_provider(&call->out);
	call->stream_id = nghttp2_submit_request(conn->session, NULL, nva, n,
						 call->body_bytes ? &provider : NULL, call);
	if (call->stream_id < 0) {
		call_end(call, ERR_PROTOCOL, nghttp2_strerror(call->stream_id));
		return;
	}
	net_stream_kick(conn->stream);
}

void client_h2_cancel(struct http_call *call)
{
	reset(call->conn, call->stream_id, NGHTTP2_CANCEL);
}

void client_h2_flow(struct http_call *call)
{
	if (call->unconsumed) {
		nghttp2_session_consume_stream(call->conn->session, call->stream_id,
					       call->unconsumed);
		call->unconsumed = 0;
		net_stream_kick(call->conn->stream);
	}
}
