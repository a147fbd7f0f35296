/* SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"
#include "http/server_internal.h"

struct exchange *exchange_new(struct server_conn *conn)
{
	struct http_server *srv = conn->srv;
	struct exchange *x = srv->n_pool ? srv->pool[--srv->n_pool] : NEW(struct exchange);

	x->srv = srv;
	x->conn = conn;
	x->req.arena = &x->arena;
	x->req.content_length = -1;
	x->req.remote = net_stream_remote(conn->stream);
	x->req.peer = net_stream_peer(conn->stream);
	x->req.is_tls = net_stream_tls(conn->stream) != NULL;
	list_add_tail(&conn->exchanges, &x->link);
	conn->n_exchanges++;
	return x;
}

static void forget(struct exchange *x)
{
	if (x->head.cap > HEAD_KEPT_BYTES) {
		buf_fini(&x->head);
	}
	buf_clear(&x->head);
	vec_clear(&x->spans);
	vec_clear(&x->headers);
	buf_fini(&x->body);
	arena_clear(&x->arena);
}

void exchange_free(struct exchange *x)
{
	struct http_server *srv = x->srv;

	if (x->held) {
		x->free_later = true;
		return;
	}
	deadline_clear(&x->body_deadline);
	list_remove(&x->link);
	h2_body_fini(&x->out);
	if (x->dispatched) {
		srv->n_requests--;
	}
	forget(x);
	if (srv->n_pool < POOL_MAX && !srv->freeing) {
		*x = (struct exchange){.head = x->head,
				       .spans = {x->spans.p, 0, x->spans.cap},
				       .headers = {x->headers.p, 0, x->headers.cap},
				       .arena = x->arena};
		srv->pool[srv->n_pool++] = x;
		return;
	}
	buf_fini(&x->head);
	vec_fini(&x->spans);
	vec_fini(&x->headers);
	arena_fini(&x->arena);
	mem_free(x);
	server_release_if_done(srv);
}

void exchange_release(struct exchange *x)
{
	if (!x->conn && (x->ended || !x->dispatched)) {
		exchange_free(x);
	}
}

static const struct net_addr nowhere;

static void leave_conn(struct exchange *x)
{
	x->conn->n_exchanges--;
	x->conn = NULL;
	list_remove(&x->link);
	/* These point into the connection. */
	x->req.peer = NULL;
	x->req.remote = &nowhere;
	list_add_tail(&x->srv->detached, &x->link);
}

void exchange_set_gone(struct exchange *x)
{
	if (x->gone) {
		return;
	}
	x->gone = true;
	deadline_clear(&x->body_deadline);
	if (x->out.out) {
		list_remove(&x->out.link);
		slice_queue_clear(&x->out.queue);
	}
	if (!x->dispatched || x->ended) {
		return;
	}
	x->telling = true;
	if (!x->body_done) {
		exchange_body_end(x, ERR_CLOSED);
	}
	if (!x->ended && x->on_close) {
		x->on_close(&x->req);
	}
	x->telling = false;
}

void exchange_detach(struct exchange *x)
{
	exchange_set_gone(x);
	if (x->conn) {
		leave_conn(x);
	}
	exchange_release(x);
}

void exchange_end_gone(struct exchange *x)
{
	x->ended = true;
	if (x->telling) {
		return; /* the connection still holds it and lets go next */
	}
	if (x->conn) {
		leave_conn(x);
	}
	exchange_free(x);
}

/* --- headers --- */

uint32_t exchange_add(struct exchange *x, struct str bytes)
{
	uint32_t at = (uint32_t)x->head.n;

	buf_add(&x->head, bytes.p, bytes.n);
	return at;
}

uint32_t exchange_add_name(struct exchange *x, struct str bytes)
{
	uint32_t at = (uint32_t)x->head.n;
	char *to = buf_reserve(&x->head, bytes.n);

	for (size_t i = 0; i < bytes.n; i++) {
		char c = bytes.p[i];

		to[i] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
	}
	x->head.n += bytes.n;
	return at;
}

static struct str part(const struct exchange *x, uint32_t at, uint32_t n)
{
	return str_make((x->head.p ? x->head.p : "") + at, n);
}

/* "http://host/path" as sent to proxies: servers must take it (RFC 9112 §3.2.2), and its host counts. */
static void strip_authority(struct http_request *req, struct str *target)
{
	ptrdiff_t scheme = str_has_prefix(*target, STR("http://"))    ? 7
			   : str_has_prefix(*target, STR("https://")) ? 8
								      : 0;
	struct str rest = str_from(*target, (size_t)scheme);
	size_t end = 0;

	if (scheme == 0) {
		return;
	}
	while (end < rest.n && rest.p[end] != '/' && rest.p[end] != '?') {
		end++;
	}
	req->host = str_sub(rest, 0, end);
	*target = str_from(rest, end);
}

static bool split_target(struct exchange *x)
{
	struct http_request *req = &x->req;
	struct str target = part(x, x->target.value, x->target.value_n);

	strip_authority(req, &target);
	for (size_t i = 0; i < target.n; i++) {
		if ((unsigned char)target.p[i] <= ' ' || target.p[i] == 0x7f) {
			return false;
		}
	}
	req->query = target;
	str_cut(&req->query, '?', &req->path);
	if (req->path.n == 0 && req->host.p) {
		req->path = STR("/"); /* "http://host?query" */
	}
	return req->path.n && (req->path.p[0] == '/' ||
			       (str_is(req->path, "*") && str_is(req->method, "OPTIONS")));
}

/* RFC 9110 §5.1, §5.5. llhttp lets spaces in names pass, which others behind us might read differently. */
static bool is_token(struct str s)
{
	static const char marks[] = "!#$%&'*+-.^_`|~";

	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
		    (c == '\0' || !strchr(marks, c))) {
			return false;
		}
	}
	return s.n > 0;
}

static bool is_field_value(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if ((c < ' ' && c != '\t') || c == 0x7f) {
			return false;
		}
	}
	return true;
}

static bool has_valid_fields(const struct http_request *req)
{
	for (size_t i = 0; i < req->n_headers; i++) {
		if (!is_token(req->headers[i].name) || !is_field_value(req->headers[i].value)) {
			return false;
		}
	}
	return is_token(req->method);
}

static bool read_known_fields(struct exchange *x)
{
	struct http_request *req = &x->req;
	size_t n_hosts = 0;
	struct str host = STR_NULL;
	struct str expect;
	int64_t length;

	for (size_t i = 0; i < req->n_headers; i++) {
		if (str_is(req->headers[i].name, "host")) {
			host = req->headers[i].value;
			n_hosts++;
		} else if (str_is(req->headers[i].name, "content-length")) {
			if (str_to_int64(req->headers[i].value, &length) < 0 || length < 0) {
				return false;
			}
			req->content_length = length;
		}
	}
	if (!req->host.p) {
		req->host = host;
	}
	if (n_hosts > 1 || (req->version == HTTP_1_1 && n_hosts == 0)) {
		return false;
	}
	expect = req->version == HTTP_1_0 ? STR_NULL : http_get_header(req, STR("expect"));
	x->expects_continue = expect.p && str_eq_nocase(expect, STR("100-continue"));
	return true;
}

bool exchange_seal(struct exchange *x)
{
	struct http_request *req = &x->req;

	for (size_t i = 0; i < x->spans.n; i++) {
		const struct field_span *f = &x->spans.p[i];
		struct http_header *h = vec_push(&x->headers);

		h->name = part(x, f->name, f->name_n);
		h->value = str_trim(part(x, f->value, f->value_n));
	}
	req->headers = x->headers.p;
	req->n_headers = x->headers.n;
	req->method = part(x, x->target.name, x->target.name_n);
	req->host = x->host.value_n ? part(x, x->host.value, x->host.value_n) : STR_NULL;
	x->is_head = str_is(req->method, "HEAD");
	return has_valid_fields(req) && split_target(x) && read_known_fields(x);
}

void exchange_dispatch(struct exchange *x)
{
	struct http_server *srv = x->srv;

	x->dispatched = true;
	srv->n_requests++;
	srv->requests_total++;
	srv->opts.on_request(srv->opts.ctx, &x->req);
	if (!x->ended && !x->gone && !x->body_asked && !x->body_done) {
		/* The sender waits until the handler wants the body. */
		x->body_paused = true;
		x->conn->ops->flow(x);
	}
}

struct str http_get_header(const struct http_request *req, struct str name)
{
	return http_header_find(req->headers, req->n_headers, name);
}

void http_forget_request(struct http_request *req)
{
	struct exchange *x = exchange_of(req);

	forget(x);
	buf_fini(&x->head);
	vec_fini(&x->spans);
	vec_fini(&x->headers);
	arena_fini(&x->arena);
	req->headers = NULL;
	req->n_headers = 0;
	req->method = req->path = req->query = req->host = STR_NULL;
}

/* --- body --- */

/* The last call of the body function. */
static void tell_end(struct exchange *x, int code)
{
	http_body_fn fn = x->body_fn;

	x->body_fn = NULL;
	deadline_clear(&x->body_deadline);
	if (code < 0) {
		buf_fini(&x->body);
	}
	fn(&x->req, code, code == 0 && !x->body_streams ? buf_str(&x->body) : STR_NULL);
}

static bool take_piece(struct exchange *x, const char *p, size_t n)
{
	if (x->body_streams) {
		x->body_fn(&x->req, 0, str_make(p, n));
		return true;
	}
	if (x->body.n + n > x->body_limit) {
		tell_end(x, ERR_LIMIT);
		return true;
	}
	buf_add(&x->body, p, n);
	return true;
}

bool exchange_body(struct exchange *x, const char *p, size_t n)
{
	if (x->body_done) {
		return false;
	}
	if (x->body_fn) {
		if (list_is_linked(&x->body_deadline.link)) {
			deadline_set(&x->srv->body_timer, &x->body_deadline);
		}
		return take_piece(x, p, n);
	}
	if (!x->ended && !x->body_asked) {
		buf_add(&x->body, p, n); /* not much: the sender has been paused */
		return true;
	}
	x->discarded += n;
	return x->discarded <= DISCARD_MAX;
}

void exchange_body_end(struct exchange *x, int code)
{
	if (x->body_done) {
		return;
	}
	x->body_done = true;
	x->body_code = code;
	deadline_clear(&x->body_deadline);
	if (x->body_paused) {
		x->body_paused = false;
		if (x->conn && !x->gone) {
			x->conn->ops->flow(x);
		}
	}
	if (x->body_fn) {
		tell_end(x, code);
	}
}

static void begin_body(struct exchange *x, http_body_fn fn)
{
	ASSERT(!x->body_asked && !x->ended);
	x->body_asked = true;
	x->body_fn = fn;
	if (x->gone && !x->body_done) {
		x->body_done = true;
		x->body_code = ERR_CLOSED;
	}
}

/* The rest is still to come. */
static void await_body(struct exchange *x)
{
	if (x->expects_continue && !x->started) {
		x->expects_continue = false;
		x->conn->ops->send_continue(x);
	}
	deadline_set(&x->srv->body_timer, &x->body_deadline);
	if (x->body_paused) {
		x->body_paused = false;
		x->conn->ops->flow(x);
	}
}

void http_read_body(struct http_request *req, size_t limit, http_body_fn fn)
{
	struct exchange *x = exchange_of(req);

	begin_body(x, fn);
	x->body_limit = limit;
	if (!x->gone && (x->body.n > limit ||
			 (req->content_length > 0 && (uint64_t)req->content_length > limit))) {
		tell_end(x, ERR_LIMIT);
	} else if (x->body_done) {
		tell_end(x, x->body_code);
	} else {
		await_body(x);
	}
}

void http_stream_body(struct http_request *req, http_body_fn fn)
{
	struct exchange *x = exchange_of(req);
	struct buf early CLEANUP_BUF = x->body;

	x->body = (struct buf){0};
	begin_body(x, fn);
	x->body_streams = true;
	if (early.n && x->body_code == 0) {
		x->held = true;
		fn(req, 0, buf_str(&early));
		x->held = false;
		if (x->free_later) {
			exchange_free(x);
			return;
		}
		if (x->ended) {
			return;
		}
	}
	if (x->body_done) {
		tell_end(x, x->body_code);
	} else {
		await_body(x);
	}
}

void http_pause_body(struct http_request *req)
{
	struct exchange *x = exchange_of(req);

	if (!x->body_paused && !x->body_done && !x->gone) {
		x->body_paused = true;
		deadline_clear(&x->body_deadline);
		x->conn->ops->flow(x);
	}
}

void http_resume_body(struct http_request *req)
{
	struct exchange *x = exchange_of(req);

	if (x->body_paused && !x->body_done && !x->gone) {
		await_body(x);
	}
}
