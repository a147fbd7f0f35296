/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/2 (RFC 9113) by nghttp2. */
#include "base/alloc.h"
#include "http/server_internal.h"

enum {
	STREAM_WINDOW = 256 * 1024, /* what one request body may send ahead of its handler */
	CONN_WINDOW = 1024 * 1024,
	HPACK_TABLE_BYTES = 4096,
	MAX_CONTINUATIONS = 8,
	SETTINGS_MAX = 32,
};

static struct server_conn *conn_of(void *user)
{
	struct h2_session_user *u = user;

	return CONTAINER_OF(u, struct server_conn, h2.user);
}

static struct exchange *find_exchange(nghttp2_session *session, int32_t stream_id)
{
	return nghttp2_session_get_stream_user_data(session, stream_id);
}

/* --- receiving --- */

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
	struct server_conn *conn = conn_of(user);
	struct http_server *srv = conn->srv;
	struct exchange *x;

	if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST) {
		return 0;
	}
	/* Streams that the client has reset but whose handlers still work count: a flood of resets may not pile up work. */
	if (conn->n_exchanges >= 2 * srv->opts.max_streams) {
		nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
					  NGHTTP2_REFUSED_STREAM);
		return 0;
	}
	x = exchange_new(conn);
	x->req.version = HTTP_2;
	x->stream_id = frame->hd.stream_id;
	h2_body_init(&x->out, &conn->h2.out, net_slice_pool(srv->net));
	nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, x);
	conn_set_timer(conn, TIMER_HEADER);
	return 0;
}

static void add_pseudo(struct exchange *x, struct str name, struct str value)
{
	if (str_is(name, ":method")) {
		x->target.name = exchange_add(x, value);
		x->target.name_n = (uint32_t)value.n;
	} else if (str_is(name, ":path")) {
		x->target.value = exchange_add(x, value);
		x->target.value_n = (uint32_t)value.n;
	} else if (str_is(name, ":authority")) {
		x->host.value = exchange_add(x, value);
		x->host.value_n = (uint32_t)value.n;
	}
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
		     size_t name_n, const uint8_t *value, size_t value_n, uint8_t flags UNUSED,
		     void *user)
{
	struct http_server *srv = conn_of(user)->srv;
	struct exchange *x = find_exchange(session, frame->hd.stream_id);
	struct field_span *f;

	if (!x || x->dispatched || x->too_large) {
		return 0; /* trailers are dropped */
	}
	/* 32: what RFC 9113 §6.5.2 counts per field. */
	if (x->head.n + 32 * x->spans.n + name_n + value_n > srv->opts.max_header_bytes ||
	    x->spans.n >= srv->opts.max_headers) {
		x->too_large = true;
		return 0;
	}
	if (name_n && name[0] == ':') {
		add_pseudo(x, str_make(name, name_n), str_make(value, value_n));
		return 0;
	}
	f = vec_push(&x->spans);
	f->name = exchange_add(x, str_make(name, name_n));
	f->name_n = (uint32_t)name_n;
	f->value = exchange_add(x, str_make(value, value_n));
	f->value_n = (uint32_t)value_n;
	return 0;
}

static void begin_request(struct exchange *x, bool end_stream)
{
	bool sealed;

	x->req.has_body = !end_stream;
	sealed = !x->too_large && exchange_seal(x);
	if (end_stream) {
		x->req.content_length = x->req.content_length < 0 ? 0 : x->req.content_length;
		exchange_body_end(x, 0);
	}
	if (sealed && str_is(x->req.method, "CONNECT")) {
		sealed = false;
	}
	if (sealed) {
		exchange_dispatch(x);
		return;
	}
	/* The server itself is the handler of what no handler should see. */
	x->dispatched = true;
	x->srv->n_requests++;
	if (x->too_large) {
		http_respond_text(&x->req, 431, STR("text/plain; charset=utf-8"),
				  STR("431 Request Header Fields Too Large\n"));
	} else {
		http_respond_text(&x->req, 400, STR("text/plain; charset=utf-8"),
				  STR("400 Bad Request: malformed request target or header\n"));
	}
}

/* A token bucket over the streams that the client resets. */
static void count_reset(struct server_conn *conn)
{
	struct h2 *h2 = &conn->h2;
	int64_t now = env_mono_ns(conn->srv->env);
	int64_t gained = (now - h2->reset_at_ns) / (NS_PER_SEC / (RESET_PER_S * 1000));

	if (gained > 0) {
		h2->reset_tokens_milli =
			MIN(h2->reset_tokens_milli + gained, (int64_t)RESET_BURST * 1000);
		h2->reset_at_ns = now;
	}
	h2->reset_tokens_milli -= 1000;
	if (h2->reset_tokens_milli < 0) {
		nghttp2_session_terminate_session(h2->session, NGHTTP2_ENHANCE_YOUR_CALM);
	}
}

static int on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
	struct server_conn *conn = conn_of(user);
	bool end_stream = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
	struct exchange *x;

	if (frame->hd.type == NGHTTP2_RST_STREAM) {
		count_reset(conn);
		return 0;
	}
	if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) {
		return 0;
	}
	x = find_exchange(session, frame->hd.stream_id);
	if (!x) {
		return 0;
	}
	if (frame->hd.type == NGHTTP2_HEADERS && !x->dispatched) {
		conn_set_timer(conn, TIMER_NONE);
		begin_request(x, end_stream);
	} else if (end_stream) {
		exchange_body_end(x, 0);
	}
	return 0;
}

static int on_data_chunk(nghttp2_session *session, uint8_t flags UNUSED, int32_t stream_id,
			 const uint8_t *p, size_t n, void *user UNUSED)
{
	struct exchange *x = find_exchange(session, stream_id);

	nghttp2_session_consume_connection(session, n);
	if (!x || x->gone) {
		return 0;
	}
	if (x->body_paused) {
		x->unconsumed += (uint32_t)n;
	} else {
		nghttp2_session_consume_stream(session, stream_id, n);
	}
	if (!exchange_body(x, (const char *)p, n)) {
		/* RFC 9113 §8.1: the response is complete, the rest of the request is not wanted. */
		nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, stream_id, NGHTTP2_NO_ERROR);
	}
	return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t stream_id, uint32_t code UNUSED,
			   void *user)
{
	struct server_conn *conn = conn_of(user);
	struct exchange *x = find_exchange(session, stream_id);

	if (!x) {
		return 0;
	}
	nghttp2_session_set_stream_user_data(session, stream_id, NULL);
	exchange_set_gone(x);
	if (x->ended || !x->dispatched) {
		exchange_detach(x);
	}
	if (conn->n_exchanges == 0) {
		conn_set_timer(conn, TIMER_IDLE);
	}
	return 0;
}

static nghttp2_session_callbacks *new_callbacks(void)
{
	nghttp2_session_callbacks *cb;

	ASSERT(nghttp2_session_callbacks_new(&cb) == 0);
	nghttp2_session_callbacks_set_on_begin_headers_callback(cb, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame_recv);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data_chunk);
	nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_stream_close);
	h2_out_set_callbacks(cb);
	return cb;
}

static nghttp2_option *new_options(void)
{
	nghttp2_option *option;

	ASSERT(nghttp2_option_new(&option) == 0);
	nghttp2_option_set_no_auto_window_update(option, 1);
	nghttp2_option_set_no_closed_streams(option, 1);
	nghttp2_option_set_max_settings(option, SETTINGS_MAX);
	nghttp2_option_set_max_continuations(option, MAX_CONTINUATIONS);
	/* count_reset does it, with the error code that clients understand. */
	nghttp2_option_set_stream_reset_rate_limit(option, UINT64_MAX, UINT64_MAX);
	return option;
}

void h2_init(struct server_conn *conn)
{
	const struct http_server_opts *o = &conn->srv->opts;
	struct h2 *h2 = &conn->h2;
	nghttp2_session_callbacks *cb = new_callbacks();
	nghttp2_option *option = new_options();
	const nghttp2_settings_entry settings[] = {
		{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, (uint32_t)o->max_streams},
		{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW},
		{NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)o->max_header_bytes},
		{NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, HPACK_TABLE_BYTES},
		{NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
	};

	conn->kind = CONN_H2;
	conn->ops = &h2_ops;
	*h2 = (struct h2){.user.out = &h2->out, .reset_tokens_milli = RESET_BURST * 1000};
	h2->reset_at_ns = env_mono_ns(conn->srv->env);
	h2_out_init(&h2->out);
	ASSERT(nghttp2_session_server_new2(&h2->session, cb, &h2->user, option) == 0);
	nghttp2_option_del(option);
	nghttp2_session_callbacks_del(cb);
	nghttp2_submit_settings(h2->session, NGHTTP2_FLAG_NONE, settings, ARRAY_LEN(settings));
	nghttp2_session_set_local_window_size(h2->session, NGHTTP2_FLAG_NONE, 0, CONN_WINDOW);
	net_stream_kick(conn->stream);
}

static bool is_finished(const struct h2 *h2)
{
	return !nghttp2_session_want_read(h2->session) && !nghttp2_session_want_write(h2->session);
}

static void update_timer(struct server_conn *conn)
{
	if (net_stream_is_blocked(conn->stream)) {
		conn_set_timer(conn, TIMER_PROGRESS);
	} else if (conn->n_exchanges == 0) {
		conn_set_timer(conn, TIMER_IDLE);
	} else {
		conn_set_timer(conn, TIMER_NONE);
	}
}

static size_t h2_on_data(struct net_stream *s, const char *p, size_t n)
{
	struct server_conn *conn = net_stream_ctx(s);
	struct h2 *h2 = &conn->h2;
	ssize_t rc;

	if (h2->broken) {
		return n;
	}
	rc = nghttp2_session_mem_recv(h2->session, (const uint8_t *)p, n);
	if (rc < 0) {
		/* Not HTTP/2 at all, or a flood. Errors of the protocol are answered with GOAWAY by the session. */
		h2->broken = true;
		if (rc == NGHTTP2_ERR_FLOODED) {
			nghttp2_session_terminate_session(h2->session, NGHTTP2_ENHANCE_YOUR_CALM);
		} else {
			conn_close(conn, false);
			return n;
		}
	}
	if (is_finished(h2)) {
		conn_close(conn, false);
	} else if (conn->timer != TIMER_HEADER) {
		update_timer(conn);
	}
	return n;
}

/* What bodies that ran empty have to tell. */
static void tell_drained(struct h2 *h2)
{
	struct h2_body *body;

	while ((body = LIST_FIRST(&h2->out.drained, struct h2_body, link))) {
		struct exchange *x = CONTAINER_OF(body, struct exchange, out);

		list_remove(&body->link);
		if (x->on_drain && !x->ended && !x->gone) {
			x->on_drain(&x->req);
		}
	}
}

static size_t h2_fill(struct net_stream *s, char *room, size_t cap)
{
	struct server_conn *conn = net_stream_ctx(s);
	int code;
	size_t n = h2_out_fill(&conn->h2.out, conn->h2.session, room, cap, &code);

	tell_drained(&conn->h2);
	if (code < 0 || (n == 0 && is_finished(&conn->h2))) {
		conn_close(conn, false);
	} else if (n == 0 && conn->n_exchanges == 0 && conn->srv->draining) {
		conn_close(conn, false);
	}
	return n;
}

static void h2_on_eof(struct net_stream *s)
{
	conn_close(net_stream_ctx(s), true);
}

static void h2_on_drain(struct net_stream *s)
{
	update_timer(net_stream_ctx(s));
}

static void h2_on_progress(struct net_stream *s)
{
	conn_restart_timer(net_stream_ctx(s), TIMER_PROGRESS);
}

static void h2_on_close(struct net_stream *s, int code UNUSED, const char *why UNUSED)
{
	struct server_conn *conn = net_stream_ctx(s);

	conn->stream = NULL;
	conn_close(conn, true);
}

const struct net_stream_ops h2_stream_ops = {
	.on_data = h2_on_data,
	.on_eof = h2_on_eof,
	.on_drain = h2_on_drain,
	.on_progress = h2_on_progress,
	.on_close = h2_on_close,
	.fill = h2_fill,
};

/* --- answering --- */

static void add_nv(struct http_server *srv, nghttp2_nv *nv, struct str name, struct str value)
{
	uint32_t at = (uint32_t)srv->scratch.n;
	char *to = buf_reserve(&srv->scratch, name.n + value.n);

	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];

		to[i] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
	}
	for (size_t i = 0; i < value.n; i++) {
		char c = value.p[i];

		to[name.n + i] = (unsigned char)c < ' ' && c != '\t' ? ' ' : c;
	}
	srv->scratch.n += name.n + value.n;
	/* The buffer may move while fields are added: offsets now, pointers at the end. */
	*nv = (nghttp2_nv){
		.name = (uint8_t *)(uintptr_t)at, .namelen = name.n, .valuelen = value.n};
}

/* RFC 9113 §8.2.2 */
static bool is_connection_field(struct str name)
{
	return str_eq_nocase(name, STR("connection")) ||
	       str_eq_nocase(name, STR("transfer-encoding")) ||
	       str_eq_nocase(name, STR("keep-alive")) || str_eq_nocase(name, STR("upgrade"));
}

static size_t make_nva(struct exchange *x, int status, const struct http_header *headers, size_t n,
		       int64_t length, nghttp2_nv *nva)
{
	struct http_server *srv = x->srv;
	char number[24];
	size_t count = 0;

	buf_clear(&srv->scratch);
	snprintf(number, sizeof(number), "%d", status);
	add_nv(srv, &nva[count++], STR(":status"), str_of(number));
	for (size_t i = 0; i < n; i++) {
		if (!is_connection_field(headers[i].name)) {
			add_nv(srv, &nva[count++], headers[i].name, headers[i].value);
		}
	}
	if (status >= 200) {
		add_nv(srv, &nva[count++], STR("date"), server_date(srv));
	}
	if (length >= 0 && !http_header_find(headers, n, STR("content-length")).p) {
		snprintf(number, sizeof(number), "%lld", (long long)length);
		add_nv(srv, &nva[count++], STR("content-length"), str_of(number));
	}
	for (size_t i = 0; i < count; i++) {
		nva[i].name = (uint8_t *)srv->scratch.p + (uintptr_t)nva[i].name;
		nva[i].value = nva[i].name + nva[i].namelen;
	}
	return count;
}

static void h2_head(struct exchange *x, int status, const struct http_header *headers, size_t n,
		    int64_t length, bool last)
{
	nghttp2_nv few[16];
	nghttp2_nv *nva = n + 3 <= ARRAY_LEN(few) ? few : mem_new_array(n + 3, sizeof(*nva));
	size_t count = make_nva(x, status, headers, n, length, nva);
	nghttp2_data_provider provider = h2_body_provider(&x->out);

	/* Fails only for a stream that is being reset; then its end is told soon. */
	(void)nghttp2_submit_response(x->conn->h2.session, x->stream_id, nva, count,
				      last ? NULL : &provider);
	if (nva != few) {
		mem_free(nva);
	}
	net_stream_kick(x->conn->stream);
}

static void h2_woken(struct exchange *x)
{
	h2_body_wake(&x->out, x->conn->h2.session, x->stream_id);
	net_stream_kick(x->conn->stream);
}

static void h2_write(struct exchange *x, const struct slice *slices, size_t n)
{
	slice_queue_add(&x->out.queue, slices, n);
	h2_woken(x);
}

static void h2_write_copy(struct exchange *x, struct str text)
{
	slice_queue_add_copy(&x->out.queue, text.p, text.n);
	h2_woken(x);
}

static void h2_end(struct exchange *x)
{
	x->out.eof = true;
	h2_woken(x);
}

static void h2_abort(struct exchange *x)
{
	nghttp2_submit_rst_stream(x->conn->h2.session, NGHTTP2_FLAG_NONE, x->stream_id,
				  NGHTTP2_INTERNAL_ERROR);
	net_stream_kick(x->conn->stream);
}

static void h2_send_continue(struct exchange *x)
{
	nghttp2_nv nv;
	size_t count = make_nva(x, 100, NULL, 0, -1, &nv);

	(void)nghttp2_submit_headers(x->conn->h2.session, NGHTTP2_FLAG_NONE, x->stream_id, NULL,
				     &nv, count, NULL);
	net_stream_kick(x->conn->stream);
}

static void h2_flow(struct exchange *x)
{
	if (!x->body_paused && x->unconsumed) {
		nghttp2_session_consume_stream(x->conn->h2.session, x->stream_id, x->unconsumed);
		x->unconsumed = 0;
		net_stream_kick(x->conn->stream);
	}
}

static size_t h2_pending(const struct exchange *x)
{
	return x->out.queue.bytes;
}

static void h2_idle_close(struct server_conn *conn)
{
	nghttp2_session_terminate_session(conn->h2.session, NGHTTP2_NO_ERROR);
	net_stream_kick(conn->stream);
}

static void h2_fini(struct server_conn *conn)
{
	nghttp2_session_del(conn->h2.session);
}

static void h2_drain(struct server_conn *conn)
{
	nghttp2_session *session = conn->h2.session;

	nghttp2_submit_goaway(session, NGHTTP2_FLAG_NONE,
			      nghttp2_session_get_last_proc_stream_id(session), NGHTTP2_NO_ERROR,
			      NULL, 0);
	net_stream_kick(conn->stream);
}

const struct version_ops h2_ops = {
	.head = h2_head,
	.write = h2_write,
	.write_copy = h2_write_copy,
	.end = h2_end,
	.abort = h2_abort,
	.send_continue = h2_send_continue,
	.flow = h2_flow,
	.pending = h2_pending,
	.idle_close = h2_idle_close,
	.fini = h2_fini,
	.drain = h2_drain,
};
