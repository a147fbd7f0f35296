/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/1.1 (RFC 9112) by llhttp. One request at a time: what follows it on the connection waits in the stream until its response is
 * complete, so pipelined requests are answered in order. */
#include "base/alloc.h"
#include "http/server_internal.h"

static struct server_conn *conn_of(llhttp_t *parser)
{
	return CONTAINER_OF(parser, struct server_conn, h1.parser);
}

/* --- parser callbacks: they only collect; handlers are called when the parser has returned --- */

static int collect(struct h1 *h1, size_t n)
{
	h1->head_bytes += n;
	return h1->head_bytes <= conn_of(&h1->parser)->srv->opts.max_header_bytes ? 0 : HPE_USER;
}

static int on_message_begin(llhttp_t *parser)
{
	struct server_conn *conn = conn_of(parser);
	struct h1 *h1 = &conn->h1;

	h1->x = exchange_new(conn);
	h1->head_bytes = 0;
	h1->in_value = true;
	h1->head_done = h1->msg_done = h1->resp_done = h1->close = false;
	return 0;
}

static int on_url(llhttp_t *parser, const char *p, size_t n)
{
	struct h1 *h1 = &conn_of(parser)->h1;
	struct exchange *x = h1->x;

	if (x->target.value_n == 0) {
		struct str method = str_of(llhttp_method_name((llhttp_method_t)parser->method));

		x->target.name = exchange_add(x, method);
		x->target.name_n = (uint32_t)method.n;
		x->target.value = exchange_add(x, STR(""));
	}
	exchange_add(x, str_make(p, n));
	x->target.value_n += (uint32_t)n;
	return collect(h1, n);
}

static int on_header_field(llhttp_t *parser, const char *p, size_t n)
{
	struct server_conn *conn = conn_of(parser);
	struct h1 *h1 = &conn->h1;
	struct exchange *x = h1->x;

	if (h1->head_done) {
		return collect(h1, n); /* trailers are dropped */
	}
	if (h1->in_value) {
		h1->in_value = false;
		if (x->spans.n == conn->srv->opts.max_headers) {
			return HPE_USER;
		}
		vec_push(&x->spans)->name = (uint32_t)x->head.n;
	}
	exchange_add_name(x, str_make(p, n));
	x->spans.p[x->spans.n - 1].name_n += (uint32_t)n;
	return collect(h1, n + 4); /* with ": " and line end */
}

static int on_header_value(llhttp_t *parser, const char *p, size_t n)
{
	struct h1 *h1 = &conn_of(parser)->h1;
	struct exchange *x = h1->x;
	struct field_span *f;

	if (h1->head_done) {
		return collect(h1, n);
	}
	f = &x->spans.p[x->spans.n - 1];
	if (!h1->in_value) {
		h1->in_value = true;
		f->value = (uint32_t)x->head.n;
	}
	exchange_add(x, str_make(p, n));
	f->value_n += (uint32_t)n;
	return collect(h1, n);
}

static int on_header_value_complete(llhttp_t *parser)
{
	struct h1 *h1 = &conn_of(parser)->h1;

	if (!h1->head_done && !h1->in_value) {
		h1->in_value = true; /* an empty value */
	}
	return 0;
}

static bool has_body(const llhttp_t *parser)
{
	return (parser->flags & F_CHUNKED) || parser->content_length > 0;
}

static int on_headers_complete(llhttp_t *parser)
{
	struct h1 *h1 = &conn_of(parser)->h1;

	h1->head_done = true;
	h1->head_bytes = 0;
	h1->close = !llhttp_should_keep_alive(parser);
	h1->x->req.has_body = has_body(parser);
	/* Without a body the end of the message follows at once and pauses. */
	return h1->x->req.has_body ? HPE_PAUSED : 0;
}

static int on_body(llhttp_t *parser, const char *p, size_t n)
{
	struct h1 *h1 = &conn_of(parser)->h1;

	if (!exchange_body(h1->x, p, n)) {
		h1->close = true;
	}
	return 0;
}

static int on_message_complete(llhttp_t *parser)
{
	conn_of(parser)->h1.msg_done = true;
	return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
	.on_message_begin = on_message_begin,
	.on_url = on_url,
	.on_header_field = on_header_field,
	.on_header_value = on_header_value,
	.on_header_value_complete = on_header_value_complete,
	.on_headers_complete = on_headers_complete,
	.on_body = on_body,
	.on_message_complete = on_message_complete,
};

void h1_init(struct server_conn *conn)
{
	conn->kind = CONN_H1;
	conn->ops = &h1_ops;
	conn->h1 = (struct h1){0};
	llhttp_init(&conn->h1.parser, HTTP_REQUEST, &settings);
}

/* --- reading --- */

static void answer_error(struct server_conn *conn, int status, const char *why)
{
	struct str reason = http_reason(status);
	struct buf out CLEANUP_BUF = {0};
	struct buf body CLEANUP_BUF = {0};

	buf_printf(&body, "%d %.*s: %s\n", status, STR_ARG(reason), why);
	buf_printf(&out,
		   "HTTP/1.1 %d %.*s\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: "
		   "close\r\n"
		   "Content-Length: %zu\r\n\r\n",
		   status, STR_ARG(reason), body.n);
	buf_add_str(&out, buf_str(&body));
	net_stream_write_copy(conn->stream, out.p, out.n);
	conn_close(conn, false);
}

static void answer_parse_error(struct server_conn *conn, llhttp_errno_t code)
{
	switch (code) {
	case HPE_USER:
		answer_error(conn, 431, "the request's headers are too large or too many");
		break;
	case HPE_INVALID_VERSION:
	case HPE_PAUSED_H2_UPGRADE:
		answer_error(conn, 505, "this port speaks HTTP/1.1 (HTTP/2 by TLS ALPN)");
		break;
	default:
		answer_error(conn, 400,
			     conn->h1.parser.reason ? conn->h1.parser.reason : "malformed request");
	}
}

/* The connection may be gone afterwards: false. */
static bool begin_request(struct server_conn *conn)
{
	struct h1 *h1 = &conn->h1;
	struct exchange *x = h1->x;

	x->req.version =
		llhttp_get_http_major(&h1->parser) == 1 && llhttp_get_http_minor(&h1->parser) == 0
			? HTTP_1_0
			: HTTP_1_1;
	if (h1->parser.method == HTTP_CONNECT) {
		answer_error(conn, 405, "this server is no proxy");
		return false;
	}
	if (!exchange_seal(x)) {
		answer_error(conn, 400, "malformed header, request target, Host or Content-Length");
		return false;
	}
	if (x->req.version != HTTP_1_0 && http_get_header(&x->req, STR("expect")).p &&
	    !x->expects_continue) {
		answer_error(conn, 417, "only 100-continue can be expected");
		return false;
	}
	if (!x->req.has_body) {
		exchange_body_end(x, 0);
		x->req.content_length = x->req.content_length < 0 ? 0 : x->req.content_length;
	}
	exchange_dispatch(x);
	return true;
}

/* Request and response are through. False: the connection is gone. */
static bool end_request(struct server_conn *conn)
{
	struct h1 *h1 = &conn->h1;
	struct exchange *x = h1->x;

	if (h1->close || !h1->msg_done) {
		conn_close(conn, false);
		return false;
	}
	h1->x = NULL;
	exchange_detach(x);
	conn_restart_timer(conn, TIMER_IDLE);
	return true;
}

static bool is_through(const struct h1 *h1)
{
	/* A body that is still coming is worth waiting for only within limits; llhttp cannot be asked to skip it. */
	return h1->x && h1->resp_done && (h1->msg_done || h1->close);
}

/* Looks at what the parser has found. False: the connection is gone. */
static bool settle(struct server_conn *conn)
{
	struct h1 *h1 = &conn->h1;
	struct exchange *x = h1->x;

	if (x && h1->head_done && !x->dispatched && !begin_request(conn)) {
		return false;
	}
	if (h1->upgraded) {
		conn_close(conn, true);
		return false;
	}
	if (x && h1->msg_done) {
		exchange_body_end(x, 0);
	}
	return !is_through(h1) || end_request(conn);
}

/* Feeds the parser once and adds to *done what it took. False: the connection is gone. */
static bool parse(struct server_conn *conn, const char *p, size_t n, size_t *done)
{
	struct h1 *h1 = &conn->h1;
	llhttp_errno_t code = llhttp_execute(&h1->parser, p, n);
	const char *stop = code == HPE_OK ? p + n : llhttp_get_error_pos(&h1->parser);

	if (code == HPE_PAUSED) {
		llhttp_resume(&h1->parser);
	} else if (code == HPE_PAUSED_UPGRADE) {
		/* Whether to upgrade is the handler's decision; if it does, the parser sees no more bytes. */
		llhttp_resume_after_upgrade(&h1->parser);
	} else if (code != HPE_OK) {
		if (!h1->x || !h1->x->dispatched) {
			answer_parse_error(conn, code);
			return false;
		}
		/* A broken body: the handler has the request and answers. */
		h1->close = h1->broken = true;
		exchange_body_end(h1->x, ERR_PROTOCOL);
		stop = p + n;
	}
	*done += (size_t)(stop - p);
	return settle(conn);
}

static enum conn_timer wanted_timer(const struct server_conn *conn)
{
	const struct h1 *h1 = &conn->h1;

	return net_stream_is_blocked(conn->stream) ? TIMER_PROGRESS
	       : h1->x == NULL			   ? TIMER_IDLE
	       : !h1->head_done			   ? TIMER_HEADER
	       : h1->resp_done ? TIMER_PROGRESS /* the rest of a body nobody reads */
			       : TIMER_NONE;
}

static size_t h1_on_data(struct net_stream *s, const char *p, size_t n)
{
	struct server_conn *conn = net_stream_ctx(s);
	struct h1 *h1 = &conn->h1;
	size_t done = 0;

	h1->running = true;
	while (done < n) {
		if (h1->broken) {
			done = n;
			break;
		}
		if (h1->x && h1->msg_done) {
			break; /* wait for the response */
		}
		if (!parse(conn, p + done, n - done, &done)) {
			return done; /* after an upgrade the rest is the new owner's */
		}
	}
	h1->running = false;
	conn_set_timer(conn, wanted_timer(conn));
	return done;
}

/* A half-closed client may still wait for its answer; one that watches has gone. */
static void h1_on_eof(struct net_stream *s)
{
	struct server_conn *conn = net_stream_ctx(s);
	struct h1 *h1 = &conn->h1;

	if (h1->x && !h1->x->started && (net_stream_has_input(s) || h1->x->body_paused)) {
		return; /* more to read before the end, which will be told again */
	}
	if (!h1->x || !h1->head_done || !h1->msg_done || h1->x->started) {
		conn_close(conn, h1->x && h1->x->started);
		return;
	}
	h1->eof = true;
}

static void h1_on_drain(struct net_stream *s)
{
	struct server_conn *conn = net_stream_ctx(s);
	struct exchange *x = conn->h1.x;

	conn_set_timer(conn, wanted_timer(conn));
	if (x && x->started && !x->ended && x->on_drain) {
		x->on_drain(&x->req);
	}
}

static void h1_on_progress(struct net_stream *s)
{
	conn_restart_timer(net_stream_ctx(s), TIMER_PROGRESS);
}

static void h1_on_close(struct net_stream *s, int code UNUSED, const char *why UNUSED)
{
	struct server_conn *conn = net_stream_ctx(s);

	conn->stream = NULL;
	conn_close(conn, true);
}

const struct net_stream_ops h1_stream_ops = {
	.on_data = h1_on_data,
	.on_eof = h1_on_eof,
	.on_drain = h1_on_drain,
	.on_progress = h1_on_progress,
	.on_close = h1_on_close,
};

/* --- writing --- */

/* A line break in a value would begin a header of its own. */
static void add_value(struct buf *out, struct str value)
{
	size_t start = out->n;

	buf_add_str(out, value);
	for (size_t i = start; i < out->n; i++) {
		if ((unsigned char)out->p[i] < ' ' && out->p[i] != '\t') {
			out->p[i] = ' ';
		}
	}
}

static void add_headers(struct buf *out, const struct http_header *headers, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		add_value(out, headers[i].name);
		buf_puts(out, ": ");
		add_value(out, headers[i].value);
		buf_puts(out, "\r\n");
	}
}

static void add_status_line(struct buf *out, int status)
{
	buf_puts(out, "HTTP/1.1 ");
	buf_add_int64(out, status);
	buf_add_char(out, ' ');
	buf_add_str(out, http_reason(status));
	buf_puts(out, "\r\n");
}

static void h1_head(struct exchange *x, int status, const struct http_header *headers, size_t n,
		    int64_t length, bool last)
{
	struct server_conn *conn = x->conn;
	struct h1 *h1 = &conn->h1;
	struct buf *out = &x->srv->scratch;
	bool has_length = http_header_find(headers, n, STR("content-length")).p != NULL;

	if (x->srv->draining || h1->eof || x->body_code < 0 ||
	    (!x->body_done && x->expects_continue)) {
		/* A client that waits for 100 Continue may or may not send its body now: the connection cannot go on. */
		h1->close = true;
	}
	x->chunked = !last && length < 0 && !has_length && x->req.version == HTTP_1_1;
	if (!last && length < 0 && !has_length && !x->chunked) {
		h1->close = true; /* the end of the connection is the end of the body */
	}
	buf_clear(out);
	add_status_line(out, status);
	add_headers(out, headers, n);
	buf_puts(out, "Date: ");
	buf_add_str(out, server_date(x->srv));
	if (length >= 0 && !has_length) {
		buf_puts(out, "\r\nContent-Length: ");
		buf_add_int64(out, length);
	} else if (x->chunked) {
		buf_puts(out, "\r\nTransfer-Encoding: chunked");
	}
	if (h1->close) {
		buf_puts(out, "\r\nConnection: close");
	} else if (x->req.version == HTTP_1_0) {
		buf_puts(out, "\r\nConnection: keep-alive");
	}
	buf_puts(out, "\r\n\r\n");
	net_stream_write_copy(conn->stream, out->p, out->n);
}

static void begin_chunk(struct exchange *x, size_t n)
{
	char line[24];

	if (x->chunked) {
		net_stream_write_copy(x->conn->stream, line,
				      (size_t)snprintf(line, sizeof(line), "%zx\r\n", n));
	}
}

static void end_chunk(struct exchange *x)
{
	if (x->chunked) {
		net_stream_write_copy(x->conn->stream, "\r\n", 2);
	}
}

static void h1_write(struct exchange *x, const struct slice *slices, size_t n)
{
	size_t bytes = 0;

	for (size_t i = 0; i < n; i++) {
		bytes += slices[i].n;
	}
	if (bytes == 0) {
		net_stream_write(x->conn->stream, slices,
				 n); /* releases them; an empty chunk would be the end */
		return;
	}
	begin_chunk(x, bytes);
	net_stream_write(x->conn->stream, slices, n);
	end_chunk(x);
}

static void h1_write_copy(struct exchange *x, struct str text)
{
	begin_chunk(x, text.n);
	net_stream_write_copy(x->conn->stream, text.p, text.n);
	end_chunk(x);
}

static void h1_end(struct exchange *x)
{
	struct server_conn *conn = x->conn;
	struct h1 *h1 = &conn->h1;

	if (x->chunked && !x->bodyless) {
		net_stream_write_copy(conn->stream, "0\r\n\r\n", 5);
	}
	if (!x->body_done && x->req.content_length > DISCARD_MAX) {
		h1->close = true;
	}
	h1->resp_done = true;
	if (h1->running || !is_through(h1)) {
		return;
	}
	if (end_request(conn)) {
		conn_set_timer(conn, wanted_timer(conn));
		net_stream_resume(conn->stream);
	}
}

static void h1_abort(struct exchange *x)
{
	struct h1 *h1 = &x->conn->h1;

	if (h1->running) {
		/* The parser is at work above us: end_request cuts the connection when it has returned. */
		h1->resp_done = h1->close = h1->broken = true;
		x->gone = true;
		return;
	}
	conn_close(x->conn, true);
}

static void h1_send_continue(struct exchange *x)
{
	net_stream_write_copy(x->conn->stream, "HTTP/1.1 100 Continue\r\n\r\n", 25);
}

static void h1_flow(struct exchange *x)
{
	if (x->body_paused) {
		net_stream_pause(x->conn->stream);
	} else {
		net_stream_resume(x->conn->stream);
	}
}

static size_t h1_pending(const struct exchange *x)
{
	return net_stream_pending_bytes(x->conn->stream);
}

static void h1_idle_close(struct server_conn *conn)
{
	if (conn->h1.x && !conn->h1.head_done) {
		answer_error(conn, 408, "the request's headers did not come in time");
		return;
	}
	conn_close(conn, false);
}

static void h1_fini(struct server_conn *conn UNUSED)
{
}

static void h1_drain(struct server_conn *conn)
{
	if (!conn->h1.x && !conn->h1.running) {
		conn_close(conn, false);
	} else {
		conn->h1.close = true;
	}
}

int h1_upgrade(struct exchange *x, const struct http_header *headers, size_t n,
	       const struct net_stream_ops *ops, void *ctx, struct net_stream **ret)
{
	struct server_conn *conn = x->conn;
	struct net_stream *stream = conn->stream;
	struct buf *out = &x->srv->scratch;

	if (x->req.version != HTTP_1_1 || x->req.has_body) {
		return ERR_UNSUPPORTED;
	}
	buf_clear(out);
	add_status_line(out, 101);
	add_headers(out, headers, n);
	buf_puts(out, "Connection: Upgrade\r\n\r\n");
	net_stream_write_copy(stream, out->p, out->n);
	net_stream_set_owner(stream, ops, ctx);
	net_stream_resume(stream);
	conn->stream = NULL;
	x->ended = true;
	if (conn->h1.running) {
		conn->h1.upgraded = true;
	} else {
		conn_close(conn, true);
	}
	*ret = stream;
	return 0;
}

const struct version_ops h1_ops = {
	.head = h1_head,
	.write = h1_write,
	.write_copy = h1_write_copy,
	.end = h1_end,
	.abort = h1_abort,
	.send_continue = h1_send_continue,
	.flow = h1_flow,
	.pending = h1_pending,
	.idle_close = h1_idle_close,
	.fini = h1_fini,
	.drain = h1_drain,
};
