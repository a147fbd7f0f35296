/* SPDX-License-Identifier: Apache-2.0 */
#include "http/client.h"

#include "base/alloc.h"
#include "base/cleanup.h"
#include "http/client_internal.h"

/* A name lookup cannot be cancelled: it outlives its connection. */
struct resolve_attempt {
	struct net_resolve resolve;
	struct client_conn *conn; /* NULL: nobody waits any more */
	bool done;
};

static void conn_connect(struct client_conn *conn);

/* --- connections --- */

static void conn_free(struct client_conn *conn)
{
	if (conn->attempt && !conn->attempt->done) {
		conn->attempt->conn = NULL;
	} else {
		mem_free(conn->attempt);
	}
	if (conn->session) {
		nghttp2_session_del(conn->session);
	}
	buf_fini(&conn->name);
	buf_fini(&conn->value);
	mem_free(conn);
}

static bool is_idempotent(struct str method)
{
	return str_is(method, "GET") || str_is(method, "HEAD") || str_is(method, "PUT") ||
	       str_is(method, "DELETE") || str_is(method, "OPTIONS");
}

static bool may_retry(const struct client_conn *conn, const struct http_call *call)
{
	return !call->retried && !call->has_headers && call->fields.n == 0 && conn->n_served > 1 &&
	       is_idempotent(call->method) && !conn->client->freeing;
}

void conn_lost(struct client_conn *conn, int code, const char *why)
{
	struct http_client *client = conn->client;
	struct list *l;

	deadline_clear(&conn->idle);
	list_remove(&conn->link);
	conn->link = (struct list){0};
	if (!conn->doomed) {
		client->n_conns--;
	}
	conn->doomed = true;
	if (conn->stream) {
		net_stream_abort(conn->stream);
		conn->stream = NULL;
	}
	while ((l = conn->calls.next) != &conn->calls) {
		struct http_call *call = CONTAINER_OF(l, struct http_call, link);

		if (conn->session) {
			nghttp2_session_set_stream_user_data(conn->session, call->stream_id, NULL);
		}
		if (may_retry(conn, call)) {
			call_requeue(call);
		} else {
			call_end(call, code, why);
		}
	}
	if (!conn->running) {
		conn_free(conn);
	}
	client_kick(client);
}

void conn_call_done(struct client_conn *conn)
{
	if (conn->doomed) {
		return;
	}
	if (conn->n_calls == 0) {
		if (conn->leaving) {
			conn_lost(conn, ERR_CLOSED, "no longer needed");
			return;
		}
		deadline_set(&conn->client->idle, &conn->idle);
	}
	client_kick(conn->client);
}

static void handle_idle(struct deadline_queue *q UNUSED, struct deadline *d)
{
	conn_lost(CONTAINER_OF(d, struct client_conn, idle), ERR_CLOSED, "idle");
}

/* No connection to be had: whoever waits learns why, unless others are open. */
static void conn_failed(struct client_conn *conn, int code, const char *why)
{
	struct http_client *client = conn->client;
	struct list failed;
	struct http_call *call;

	list_init(&failed);
	if (client->n_conns == 1) {
		while ((call = LIST_FIRST(&client->queue, struct http_call, link))) {
			list_remove(&call->link);
			list_add_tail(&failed, &call->link);
		}
	}
	conn_lost(conn, code, why);
	while ((call = LIST_FIRST(&failed, struct http_call, link))) {
		call_end(call, code, why);
	}
}

static void connecting_on_ready(struct net_stream *s)
{
	struct client_conn *conn = net_stream_ctx(s);
	struct http_client *client = conn->client;
	const struct tls_conn *tls = net_stream_tls(s);

	if (tls ? tls_conn_is_h2(tls) : client->h2_prior_knowledge) {
		client->speaks = SPEAKS_H2;
		conn->state = CC_H2;
		net_stream_set_owner(s, &client_h2_ops, conn);
		client_h2_init(conn);
	} else {
		client->speaks = SPEAKS_H1;
		conn->state = CC_H1;
		net_stream_set_owner(s, &client_h1_ops, conn);
		client_h1_init(conn);
	}
	deadline_set(&client->idle, &conn->idle);
	client_dispatch(client);
}

static size_t connecting_on_data(struct net_stream *s UNUSED, const char *p UNUSED, size_t n UNUSED)
{
	return 0; /* kept for the version's owner */
}

static void connecting_on_close(struct net_stream *s, int code, const char *why)
{
	struct client_conn *conn = net_stream_ctx(s);

	conn->stream = NULL;
	if (conn->attempt && conn->next_addr < conn->attempt->resolve.n_addrs &&
	    code != ERR_DENIED) {
		conn_connect(conn);
		return;
	}
	conn_failed(conn, code == ERR_CLOSED ? ERR_IO : code, why);
}

static const struct net_stream_ops connecting_ops = {
	.on_ready = connecting_on_ready,
	.on_data = connecting_on_data,
	.on_close = connecting_on_close,
};

static void conn_connect(struct client_conn *conn)
{
	struct http_client *client = conn->client;
	const struct net_addr *addr = &client->addr;
	struct err err CLEANUP_ERR = {0};
	int rc;

	conn->state = CC_CONNECTING;
	if (conn->attempt) {
		addr = &conn->attempt->resolve.addrs[conn->next_addr++];
	}
	rc = net_stream_connect(client->net, addr, client->tls, str_of(client->server_name),
				client->connect_timeout_ms, &connecting_ops, conn, &conn->stream,
				&err);
	if (rc < 0) {
		conn_failed(conn, rc, err_msg(&err));
	}
}

static void handle_resolved(struct net_resolve *r)
{
	struct resolve_attempt *attempt = CONTAINER_OF(r, struct resolve_attempt, resolve);
	struct client_conn *conn = attempt->conn;

	attempt->done = true;
	if (!conn) {
		mem_free(attempt);
	} else if (r->n_addrs == 0) {
		struct buf why CLEANUP_BUF = {0};

		buf_printf(&why, "cannot look up %s: %s", r->host, r->why);
		conn_failed(conn, ERR_IO, buf_cstr(&why));
	} else {
		conn_connect(conn);
	}
}

static void conn_open(struct http_client *client)
{
	struct client_conn *conn = NEW(struct client_conn);
	struct err err CLEANUP_ERR = {0};
	int rc;

	conn->client = client;
	list_init(&conn->calls);
	list_add_tail(&client->conns, &conn->link);
	client->n_conns++;
	if (client->addr.n) {
		conn_connect(conn);
		return;
	}
	conn->state = CC_RESOLVING;
	conn->attempt = NEW(struct resolve_attempt);
	conn->attempt->conn = conn;
	rc = net_resolve_start(&conn->attempt->resolve, client->env, str_of(client->host),
			       client->port, handle_resolved, &err);
	if (rc < 0) {
		conn->attempt->done = true;
		conn_failed(conn, rc, err_msg(&err));
	}
}

static bool has_room(const struct client_conn *conn)
{
	return !conn->leaving && !conn->doomed &&
	       ((conn->state == CC_H1 && conn->n_calls == 0) ||
		(conn->state == CC_H2 && client_h2_has_room(conn)));
}

static struct client_conn *find_conn(struct http_client *client)
{
	LIST_FOR_EACH(l, &client->conns)
	{
		struct client_conn *conn = CONTAINER_OF(l, struct client_conn, link);

		if (has_room(conn)) {
			return conn;
		}
	}
	return NULL;
}

static size_t count_connecting(const struct http_client *client)
{
	size_t n = 0;

	LIST_FOR_EACH(l, &client->conns)
	{
		const struct client_conn *conn = CONTAINER_OF(l, struct client_conn, link);

		n += conn->state == CC_RESOLVING || conn->state == CC_CONNECTING;
	}
	return n;
}

static void assign(struct client_conn *conn, struct http_call *call)
{
	call_detach(call);
	deadline_clear(&conn->idle);
	call->conn = conn;
	list_add_tail(&conn->calls, &call->link);
	conn->n_calls++;
	conn->n_served++;
	if (conn->state == CC_H2) {
		client_h2_send(conn, call);
	} else {
		client_h1_send(conn, call);
	}
}

void client_dispatch(struct http_client *client)
{
	struct http_call *call;
	size_t connecting;

	while ((call = LIST_FIRST(&client->queue, struct http_call, link))) {
		struct client_conn *conn = find_conn(client);

		if (!conn) {
			break;
		}
		if (call->upgrade && conn->state == CC_H2) {
			call_end(call, ERR_UNSUPPORTED,
				 "a connection that speaks HTTP/2 cannot be upgraded");
			continue;
		}
		assign(conn, call);
	}
	/* One connection carries many calls unless the server is known to speak HTTP/1.1 only. */
	connecting = count_connecting(client);
	while (client->n_queued > connecting && client->n_conns < client->max_connections &&
	       (connecting == 0 || client->speaks == SPEAKS_H1)) {
		size_t before = client->n_conns;

		conn_open(client);
		if (client->n_conns <= before) {
			break; /* failed at once */
		}
		connecting++;
	}
}

static void handle_kick(struct env_task *task)
{
	struct http_client *client = CONTAINER_OF(task, struct http_client, kick);

	client->kicked = false;
	if (client->freeing) {
		mem_free(client);
		return;
	}
	client_dispatch(client);
}

/* --- the client --- */

static char *make_authority(const struct http_client_opts *opts)
{
	struct buf b = {0};

	if (opts->authority.p) {
		return str_dup_cstr(opts->authority);
	}
	if (opts->host.p) {
		buf_printf(&b, str_find_char(opts->host, ':') >= 0 ? "[%.*s]:%u" : "%.*s:%u",
			   STR_ARG(opts->host), opts->port);
	} else if (opts->addr.n && opts->addr.sa.sa_family == AF_UNIX) {
		buf_puts(&b, "localhost");
	} else {
		net_addr_format(&opts->addr, &b);
	}
	return buf_steal(&b);
}

static char *make_server_name(const struct http_client_opts *opts)
{
	struct buf b = {0};

	if (opts->server_name.p || opts->host.p) {
		return str_dup_cstr(opts->server_name.p ? opts->server_name : opts->host);
	}
	net_addr_format_ip(&opts->addr, &b);
	return buf_steal(&b);
}

struct http_client *http_client_new(struct net *net, const struct http_client_opts *opts)
{
	struct http_client *client = NEW(struct http_client);

	ASSERT(opts->addr.n || opts->host.p);
	client->net = net;
	client->env = net_env(net);
	client->addr = opts->addr;
	client->host = opts->host.p ? str_dup_cstr(opts->host) : NULL;
	client->port = opts->port;
	client->server_name = make_server_name(opts);
	client->authority = make_authority(opts);
	client->tls = opts->tls ? tls_ctx_ref(opts->tls) : NULL;
	client->h2_prior_knowledge = opts->h2_prior_knowledge;
	client->speaks = opts->tls		    ? SPEAKS_UNKNOWN
			 : opts->h2_prior_knowledge ? SPEAKS_H2
						    : SPEAKS_H1;
	client->max_connections = opts->max_connections ? opts->max_connections : 64;
	client->connect_timeout_ms = opts->connect_timeout_ms ? opts->connect_timeout_ms : 10000;
	list_init(&client->conns);
	list_init(&client->queue);
	client->kick.fn = handle_kick;
	deadline_queue_init(&client->idle, client->env,
			    opts->idle_timeout_ms ? opts->idle_timeout_ms : 90000, handle_idle,
			    client);
	return client;
}

struct env *http_client_env(struct http_client *client)
{
	return client->env;
}

void http_client_set_tls(struct http_client *client, struct tls_ctx *tls)
{
	struct tls_ctx *old = client->tls;

	client->tls = tls ? tls_ctx_ref(tls) : NULL;
	tls_ctx_unref(old);
	LIST_FOR_EACH_SAFE(l, &client->conns)
	{
		struct client_conn *conn = CONTAINER_OF(l, struct client_conn, link);

		conn->leaving = true;
		if ((conn->state == CC_H1 || conn->state == CC_H2) && conn->n_calls == 0) {
			conn_lost(conn, ERR_CLOSED, "credentials have changed");
		}
	}
}

void http_client_free(struct http_client *client)
{
	struct list *l;

	if (!client) {
		return;
	}
	client->freeing = true;
	while ((l = client->queue.next) != &client->queue) {
		struct http_call *call = CONTAINER_OF(l, struct http_call, link);

		call_detach(call);
		call_free(call);
	}
	while ((l = client->conns.next) != &client->conns) {
		struct client_conn *conn = CONTAINER_OF(l, struct client_conn, link);

		while ((l = conn->calls.next) != &conn->calls) {
			struct http_call *call = CONTAINER_OF(l, struct http_call, link);

			if (conn->session) {
				nghttp2_session_set_stream_user_data(conn->session, call->stream_id,
								     NULL);
			}
			call_detach(call);
			if (conn->stream) {
				net_stream_abort(
					conn->stream); /* before the body that it borrows goes */
				conn->stream = NULL;
			}
			call_free(call);
		}
		conn_lost(conn, ERR_CANCELED, "the client is being freed");
	}
	deadline_queue_fini(&client->idle);
	tls_ctx_unref(client->tls);
	mem_free(client->host);
	mem_free(client->server_name);
	mem_free(client->authority);
	buf_fini(&client->scratch);
	if (!client->kicked) {
		mem_free(client); /* else by the task that is under way */
	}
}
