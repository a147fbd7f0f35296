/* SPDX-License-Identifier: Apache-2.0 */
#include "http/server.h"

#include "base/alloc.h"
#include "base/cleanup.h"
#include "http/server_internal.h"

static const char h2_preface[] = "PRI";

/* --- connections --- */

static void new_on_ready(struct net_stream *s)
{
	struct server_conn *conn = net_stream_ctx(s);

	if (tls_conn_is_h2(net_stream_tls(s))) {
		net_stream_set_owner(s, &h2_stream_ops, conn);
		h2_init(conn);
	} else {
		net_stream_set_owner(s, &h1_stream_ops, conn);
		h1_init(conn);
	}
}

/* A plain connection: HTTP/2 by prior knowledge begins with "PRI", which no HTTP/1 method does. */
static size_t new_on_data(struct net_stream *s, const char *p, size_t n)
{
	struct server_conn *conn = net_stream_ctx(s);
	size_t taken = 0;
	size_t sniffed;
	const struct net_stream_ops *ops;
	char first[sizeof(conn->sniff)];

	while (taken < n && conn->n_sniff < 3) {
		conn->sniff[conn->n_sniff++] = p[taken++];
		if (memcmp(conn->sniff, h2_preface, conn->n_sniff) != 0) {
			break;
		}
	}
	sniffed = conn->n_sniff;
	if (memcmp(conn->sniff, h2_preface, sniffed) == 0 && sniffed < 3) {
		return n;
	}
	memcpy(first, conn->sniff, sizeof(first));
	ops = memcmp(first, h2_preface, sniffed) == 0 ? &h2_stream_ops : &h1_stream_ops;
	net_stream_set_owner(s, ops, conn);
	if (ops == &h2_stream_ops) {
		h2_init(conn);
	} else {
		h1_init(conn);
	}
	/* No version ends a connection or stalls within its first three bytes, but for a stray one that no method has. */
	if (ops->on_data(s, first, sniffed) < sniffed || net_stream_ctx(s) == NULL) {
		return n;
	}
	return taken < n ? taken + ops->on_data(s, p + taken, n - taken) : taken;
}

static void new_on_close(struct net_stream *s, int code UNUSED, const char *why UNUSED)
{
	struct server_conn *conn = net_stream_ctx(s);

	conn->stream = NULL;
	conn_close(conn, true);
}

static const struct net_stream_ops new_stream_ops = {
	.on_ready = new_on_ready,
	.on_data = new_on_data,
	.on_close = new_on_close,
	.reply_to_plain_http = STR_INIT("HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP "
					"request to an HTTPS server.\n"),
};

static void pause_accepting(struct http_server *srv, bool pause)
{
	srv->paused = pause;
	for (size_t i = 0; i < srv->listeners.n; i++) {
		if (pause) {
			net_listener_pause(srv->listeners.p[i]);
		} else {
			net_listener_resume(srv->listeners.p[i]);
		}
	}
}

void conn_set_timer(struct server_conn *conn, enum conn_timer timer)
{
	if (timer != conn->timer) {
		conn_restart_timer(conn, timer);
	}
}

void conn_restart_timer(struct server_conn *conn, enum conn_timer timer)
{
	conn->timer = timer;
	if (timer == TIMER_NONE) {
		deadline_clear(&conn->deadline);
	} else {
		deadline_set(&conn->srv->timers[timer], &conn->deadline);
	}
}

static void check_drained(struct http_server *srv)
{
	void (*fn)(void *ctx) = srv->drained;

	if (srv->draining && srv->n_conns == 0 && fn) {
		srv->drained = NULL;
		fn(srv->drained_ctx);
	}
}

void conn_close(struct server_conn *conn, bool hard)
{
	struct http_server *srv = conn->srv;
	struct net_stream *stream = conn->stream;
	struct list *l;

	deadline_clear(&conn->deadline);
	list_remove(&conn->link);
	if (stream && hard) {
		net_stream_abort(stream);
	} else if (stream) {
		net_stream_close(stream);
	}
	conn->stream = NULL;
	while ((l = conn->exchanges.next) != &conn->exchanges) {
		exchange_detach(CONTAINER_OF(l, struct exchange, link));
	}
	if (conn->ops) {
		conn->ops->fini(conn);
	}
	mem_free(conn);
	srv->n_conns--;
	if (srv->paused && !srv->draining) {
		pause_accepting(srv, false);
	}
	check_drained(srv);
}

static void handle_timeout(struct deadline_queue *q, struct deadline *d)
{
	struct server_conn *conn = CONTAINER_OF(d, struct server_conn, deadline);
	bool stuck = q == &conn->srv->timers[TIMER_PROGRESS];

	conn->timer = TIMER_NONE;
	if (stuck || !conn->ops) {
		conn_close(conn, true);
	} else {
		conn->ops->idle_close(conn);
	}
}

static void handle_body_timeout(struct deadline_queue *q UNUSED, struct deadline *d)
{
	exchange_body_end(CONTAINER_OF(d, struct exchange, body_deadline), ERR_TIMEOUT);
}

void http_server_adopt(struct http_server *srv, int fd)
{
	struct server_conn *conn = NEW(struct server_conn);

	conn->srv = srv;
	list_init(&conn->exchanges);
	list_add_tail(&srv->conns, &conn->link);
	srv->n_conns++;
	conn->stream = net_stream_accept(srv->net, fd, srv->opts.tls, &new_stream_ops, conn);
	conn_set_timer(conn, TIMER_HEADER);
}

static void handle_accept(void *ctx, int fd, const struct net_addr *remote UNUSED)
{
	struct http_server *srv = ctx;

	if (srv->n_conns >= srv->opts.max_connections) {
		struct deadline *oldest = deadline_first(&srv->timers[TIMER_IDLE]);

		if (oldest) {
			struct server_conn *conn =
				CONTAINER_OF(oldest, struct server_conn, deadline);

			conn->ops->idle_close(conn);
		}
	}
	http_server_adopt(srv, fd);
	if (srv->n_conns >= srv->opts.max_connections &&
	    !deadline_first(&srv->timers[TIMER_IDLE])) {
		pause_accepting(srv, true);
	}
}

/* --- the server --- */

struct http_server *http_server_new(struct net *net, const struct http_server_opts *opts)
{
	struct http_server *srv = NEW(struct http_server);
	struct http_server_opts *o = &srv->opts;

	ASSERT(opts->on_request);
	srv->net = net;
	srv->env = net_env(net);
	*o = *opts;
	o->max_connections = o->max_connections ? o->max_connections : 10000;
	o->max_streams = o->max_streams ? o->max_streams : 100;
	o->max_header_bytes = o->max_header_bytes ? o->max_header_bytes : 65536;
	o->max_headers = o->max_headers ? o->max_headers : 256;
	o->header_timeout_ms = o->header_timeout_ms ? o->header_timeout_ms : 32000;
	o->idle_timeout_ms = o->idle_timeout_ms ? o->idle_timeout_ms : 90000;
	o->progress_timeout_ms = o->progress_timeout_ms ? o->progress_timeout_ms : 60000;
	if (o->tls) {
		tls_ctx_ref(o->tls);
	}
	list_init(&srv->conns);
	list_init(&srv->detached);
	srv->date_s = -1;
	deadline_queue_init(&srv->timers[TIMER_HEADER], srv->env, o->header_timeout_ms,
			    handle_timeout, srv);
	deadline_queue_init(&srv->timers[TIMER_IDLE], srv->env, o->idle_timeout_ms, handle_timeout,
			    srv);
	deadline_queue_init(&srv->timers[TIMER_PROGRESS], srv->env, o->progress_timeout_ms,
			    handle_timeout, srv);
	deadline_queue_init(&srv->body_timer, srv->env, o->progress_timeout_ms, handle_body_timeout,
			    srv);
	return srv;
}

int http_server_listen(struct http_server *srv, const struct net_addr *addr, struct err *err)
{
	struct net_listener *l;
	int rc = net_listener_open(srv->net, addr, handle_accept, srv, &l, err);

	if (rc == 0) {
		*vec_push(&srv->listeners) = l;
	}
	return rc;
}

int http_server_listen_fd(struct http_server *srv, int fd, struct err *err)
{
	struct net_listener *l;
	int rc = net_listener_from_fd(srv->net, fd, handle_accept, srv, &l, err);

	if (rc == 0) {
		*vec_push(&srv->listeners) = l;
	}
	return rc;
}

const struct net_addr *http_server_addr(const struct http_server *srv, size_t i)
{
	ASSERT(i < srv->listeners.n);
	return net_listener_addr(srv->listeners.p[i]);
}

void http_server_set_tls(struct http_server *srv, struct tls_ctx *tls)
{
	struct tls_ctx *old = srv->opts.tls;

	srv->opts.tls = tls ? tls_ctx_ref(tls) : NULL;
	tls_ctx_unref(old);
}

struct str server_date(struct http_server *srv)
{
	int64_t now_s = env_wall_ns(srv->env) / NS_PER_SEC;

	if (now_s != srv->date_s) {
		srv->date_s = now_s;
		buf_clear(&srv->date);
		http_date(&srv->date, now_s);
	}
	return buf_str(&srv->date);
}

static void close_listeners(struct http_server *srv)
{
	for (size_t i = 0; i < srv->listeners.n; i++) {
		net_listener_free(srv->listeners.p[i]);
	}
	vec_fini(&srv->listeners);
}

void http_server_drain(struct http_server *srv, void (*drained)(void *ctx), void *ctx)
{
	struct list *l;
	struct list later;

	srv->draining = true;
	srv->drained = drained;
	srv->drained_ctx = ctx;
	close_listeners(srv);
	/* A closing connection's handlers may close others: always look at the first, and set aside what stays. */
	list_init(&later);
	while ((l = srv->conns.next) != &srv->conns) {
		struct server_conn *conn = CONTAINER_OF(l, struct server_conn, link);

		list_remove(l);
		list_add_tail(&later, l);
		if (conn->ops) {
			conn->ops->drain(conn);
		} else {
			conn_close(conn, true);
		}
	}
	while ((l = later.next) != &later) {
		list_remove(l);
		list_add_tail(&srv->conns, l);
	}
	check_drained(srv);
}

void server_release_if_done(struct http_server *srv)
{
	if (!srv->freeing || !list_is_empty(&srv->detached) || !list_is_empty(&srv->conns)) {
		return;
	}
	buf_fini(&srv->date);
	buf_fini(&srv->scratch);
	mem_free(srv);
}

void http_server_free(struct http_server *srv)
{
	struct list *l;

	if (!srv) {
		return;
	}
	srv->drained = NULL;
	srv->draining = true;
	close_listeners(srv);
	while ((l = srv->conns.next) != &srv->conns) {
		conn_close(CONTAINER_OF(l, struct server_conn, link), true);
	}
	for (size_t i = 1; i < N_TIMERS; i++) {
		deadline_queue_fini(&srv->timers[i]);
	}
	deadline_queue_fini(&srv->body_timer);
	tls_ctx_unref(srv->opts.tls);
	srv->freeing = true;
	while (srv->n_pool) {
		struct exchange *x = srv->pool[--srv->n_pool];

		buf_fini(&x->head);
		vec_fini(&x->spans);
		vec_fini(&x->headers);
		arena_fini(&x->arena);
		mem_free(x);
	}
	server_release_if_done(srv);
}

struct http_server_stats http_server_stats(const struct http_server *srv)
{
	return (struct http_server_stats){srv->n_conns, srv->n_requests, srv->requests_total};
}
