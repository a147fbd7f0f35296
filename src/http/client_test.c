/* SPDX-License-Identifier: Apache-2.0 */
/* Client against server, both versions, TLS with and without client certificates. */
#include "http/test_rig.h"

struct held {
	struct http_request *reqs[300];
	size_t n;
	int closed;
	int requests;
	struct buf peer;
};

static void on_close(struct http_request *req)
{
	((struct held *)req->data)->closed++;
}

static void on_body(struct http_request *req, int code, struct str body)
{
	if (code < 0) {
		http_respond_text(req, code == ERR_LIMIT ? 413 : 400, STR("text/plain"),
				  str_of(err_text(code)));
	} else {
		http_respond_text(req, 201, STR("text/plain"), body);
	}
}

static void describe_peer(struct held *held, const struct tls_peer *peer)
{
	buf_clear(&held->peer);
	if (!peer) {
		buf_puts(&held->peer, "nobody");
		return;
	}
	buf_printf(&held->peer, "%.*s", STR_ARG(peer->common_name));
	for (size_t i = 0; i < peer->n_organizations; i++) {
		buf_printf(&held->peer, ",%.*s", STR_ARG(peer->organizations[i]));
	}
	buf_add_str(&held->peer, peer->verified ? STR(" verified") : STR(" unverified"));
}

static void handle(void *ctx, struct http_request *req)
{
	struct held *held = ctx;

	held->requests++;
	req->data = held;
	http_on_close(req, on_close);
	if (str_is(req->path, "/watch")) {
		http_respond_start(req, 200, NULL, 0);
		http_write_copy(req, STR("begin\n"));
		held->reqs[held->n++] = req;
	} else if (str_is(req->path, "/hold")) {
		held->reqs[held->n++] = req;
	} else if (str_is(req->path, "/post")) {
		http_read_body(req, 1 << 20, on_body);
	} else if (str_is(req->path, "/big")) {
		size_t n = 3 << 20;
		struct buf b = {0};

		memset(buf_reserve(&b, n), 'B', n);
		b.n = n;
		http_respond(req, 200, NULL, 0, (struct slice[]){slice_steal(&b)}, 1);
	} else if (str_is(req->path, "/peer")) {
		describe_peer(held, req->peer);
		http_respond_text(req, 200, STR("text/plain"), buf_str(&held->peer));
	} else {
		http_respond_text(req, 404, STR("text/plain"),
				  arena_printf(req->arena, "%.*s v%d %.*s", STR_ARG(req->path),
					       req->version,
					       STR_ARG(http_get_header(req, STR("x-a")))));
	}
}

/* What a call has come to. */
struct outcome {
	bool ended;
	int code, status, pieces;
	struct buf body, why, type;
	enum http_version version;
	struct net_stream *stream;
	struct raw raw;
};

static void on_data(struct http_call *call, const char *p, size_t n)
{
	struct outcome *o = http_call_ctx(call);

	o->pieces++;
	buf_add(&o->body, p, n);
}

static void on_end(struct http_call *call, const struct http_response *response, int code,
		   const char *why)
{
	struct outcome *o = http_call_ctx(call);

	assert_false(o->ended);
	o->ended = true;
	o->code = code;
	o->status = response ? response->status : 0;
	o->version = response ? response->version : HTTP_1_0;
	if (response) {
		buf_add_str(&o->body, response->body);
		buf_add_str(&o->type, http_header_find(response->headers, response->n_headers,
						       STR("Content-Type")));
	}
	buf_add_str(&o->why, str_of(why));
}

static void on_upgrade(struct http_call *call, const struct http_response *response,
		       struct net_stream *stream)
{
	struct outcome *o = http_call_ctx(call);

	o->ended = true;
	o->status = response->status;
	o->raw.stream = stream;
	net_stream_set_owner(stream, &raw_ops, &o->raw);
}

static const struct http_call_ops call_ops = {
	.on_data = on_data, .on_end = on_end, .on_upgrade = on_upgrade};

static void outcome_fini(struct outcome *o)
{
	buf_fini(&o->body);
	buf_fini(&o->why);
	buf_fini(&o->type);
	raw_close(&o->raw);
	*o = (struct outcome){0};
}

enum transport { PLAIN_H1, TLS_H1, TLS_H2, PLAIN_H2 };

static struct http_client *make_client(struct rig *rig, enum transport t, bool with_cert)
{
	struct tls_ctx *tls = NULL;
	struct http_client *client;
	struct err err = {0};

	if (t == TLS_H1 || t == TLS_H2) {
		const struct tls_client_opts opts = {
			.ca_pem = str_of(rig->ca.cert),
			.cert_pem = with_cert ? str_of(rig->client.cert) : STR_NULL,
			.key_pem = str_of(rig->client.key),
			.h2 = t == TLS_H2};

		assert_int_equal(tls_client_new(&opts, &tls, &err), 0);
	}
	client = http_client_new(rig->net,
				 &(struct http_client_opts){.addr = *http_server_addr(rig->srv, 0),
							    .tls = tls,
							    .h2_prior_knowledge = t == PLAIN_H2});
	tls_ctx_unref(tls);
	return client;
}

static void begin(struct rig *rig, struct held *held, enum transport t)
{
	*held = (struct held){0};
	rig_init(rig, (struct http_server_opts){.on_request = handle, .ctx = held},
		 t == TLS_H1 || t == TLS_H2);
}

static struct http_call *get(struct http_client *client, const char *path, size_t buffer,
			     struct outcome *o)
{
	const struct http_header header = HTTP_HEADER("X-A", STR("bc"));

	return http_call_start(client,
			       &(struct http_call_opts){.method = STR("GET"),
							.path = str_of(path),
							.headers = &header,
							.n_headers = 1,
							.buffer_limit = buffer},
			       &call_ops, o);
}

TEST(calls_are_answered_over_every_transport)
{
	for (enum transport t = PLAIN_H1; t <= PLAIN_H2; t++) {
		struct rig rig;
		struct held held;
		struct http_client *client;
		struct outcome a = {0}, b = {0};

		begin(&rig, &held, t);
		client = make_client(&rig, t, false);
		get(client, "/x", 1000, &a);
		get(client, "/big", 0, &b);
		PUMP_UNTIL(&rig, a.ended && b.ended);
		assert_int_equal(a.code, 0);
		assert_int_equal(a.status, 404);
		assert_int_equal(a.version, t == TLS_H2 || t == PLAIN_H2 ? HTTP_2 : HTTP_1_1);
		EXPECT_STR(buf_str(&a.body),
			   t == TLS_H2 || t == PLAIN_H2 ? "/x v2 bc" : "/x v1 bc");
		EXPECT_STR(buf_str(&a.type), "text/plain");
		assert_int_equal(b.body.n, 3 << 20);
		assert_true(b.pieces > 10);
		outcome_fini(&a);
		outcome_fini(&b);
		http_client_free(client);
		rig_fini(&rig);
	}
}

TEST(a_body_arrives_and_one_over_the_limit_is_refused)
{
	for (enum transport t = PLAIN_H1; t <= PLAIN_H2; t++) {
		struct rig rig;
		struct held held;
		struct http_client *client;

		begin(&rig, &held, t);
		client = make_client(&rig, t, false);
		/* more in sum than an HTTP/2 connection's window */
		for (int i = 0; i < 3; i++) {
			bool big = i == 1;
			struct outcome o = {0};
			size_t n = big ? 2 << 20 : 700000;
			struct buf b = {0};
			struct slice body;

			memset(buf_reserve(&b, n), 'b', n);
			b.n = n;
			body = slice_steal(&b);
			http_call_start(client,
					&(struct http_call_opts){.method = STR("POST"),
								 .path = STR("/post"),
								 .body = &body,
								 .n_body = 1,
								 .buffer_limit = 2 << 20},
					&call_ops, &o);
			PUMP_UNTIL(&rig, o.ended);
			assert_int_equal(o.status, big ? 413 : 201);
			assert_int_equal(o.body.n, big ? strlen("limit exceeded") : n);
			outcome_fini(&o);
		}
		http_client_free(client);
		rig_fini(&rig);
	}
}

TEST(the_client_certificate_names_the_peer)
{
	for (int cert = 0; cert < 2; cert++) {
		struct rig rig;
		struct held held;
		struct http_client *client;
		struct outcome o = {0};

		begin(&rig, &held, TLS_H2);
		client = make_client(&rig, TLS_H2, cert);
		get(client, "/peer", 1000, &o);
		PUMP_UNTIL(&rig, o.ended);
		EXPECT_STR(buf_str(&o.body), cert ? "alice,system:masters,dev verified" : "nobody");
		outcome_fini(&o);
		buf_fini(&held.peer);
		http_client_free(client);
		rig_fini(&rig);
	}
}

TEST(a_server_of_another_authority_is_refused_with_the_reason)
{
	struct rig rig;
	struct held held;
	struct http_client *client;
	struct outcome o = {0};
	struct x509_pem other = {0};
	struct tls_ctx *tls;

	begin(&rig, &held, TLS_H1);
	assert_int_equal(x509_make_ca(STR("other"), time(NULL), 3600, &other, NULL), 0);
	assert_int_equal(
		tls_client_new(&(struct tls_client_opts){.ca_pem = str_of(other.cert)}, &tls, NULL),
		0);
	client = http_client_new(
		rig.net,
		&(struct http_client_opts){.addr = *http_server_addr(rig.srv, 0), .tls = tls});
	get(client, "/", 10, &o);
	PUMP_UNTIL(&rig, o.ended);
	assert_int_equal(o.code, ERR_DENIED);
	assert_true(str_contains(buf_str(&o.why), STR("certificate")));
	outcome_fini(&o);
	http_client_free(client);
	tls_ctx_unref(tls);
	x509_pem_fini(&other);
	rig_fini(&rig);
}

TEST(a_server_under_another_name_is_refused)
{
	struct rig rig;
	struct held held;
	struct http_client *client;
	struct outcome o = {0};
	struct tls_ctx *tls;

	begin(&rig, &held, TLS_H1);
	assert_int_equal(tls_client_new(&(struct tls_client_opts){.ca_pem = str_of(rig.ca.cert)},
					&tls, NULL),
			 0);
	client = http_client_new(rig.net,
				 &(struct http_client_opts){.addr = *http_server_addr(rig.srv, 0),
							    .tls = tls,
							    .server_name = STR("elsewhere")});
	get(client, "/", 10, &o);
	PUMP_UNTIL(&rig, o.ended);
	assert_int_equal(o.code, ERR_DENIED);
	outcome_fini(&o);
	http_client_free(client);
	tls_ctx_unref(tls);
	rig_fini(&rig);
}

TEST(a_client_certificate_of_another_authority_fails_the_handshake)
{
	struct rig rig;
	struct held held;
	struct http_client *client;
	struct outcome o = {0};
	struct x509_pem other = {0};

	begin(&rig, &held, TLS_H1);
	assert_int_equal(x509_make_ca(STR("other"), time(NULL), 3600, &other, NULL), 0);
	x509_pem_fini(&rig.client);
	assert_int_equal(x509_issue(&other,
				    &(struct x509_opts){.common_name = STR("eve"),
							.client = true,
							.now_s = time(NULL),
							.lifetime_s = 99},
				    &rig.client, NULL),
			 0);
	client = make_client(&rig, TLS_H1, true);
	get(client, "/", 10, &o);
	PUMP_UNTIL(&rig, o.ended);
	assert_int_not_equal(o.code, 0);
	assert_int_equal(held.requests, 0);
	outcome_fini(&o);
	http_client_free(client);
	x509_pem_fini(&other);
	rig_fini(&rig);
}

TEST(many_watches_share_one_connection_and_can_be_cancelled)
{
	struct rig rig;
	struct held held;
	struct http_client *client;
	struct outcome o[90] = {0};
	struct http_call *calls[90];

	begin(&rig, &held, TLS_H2);
	client = make_client(&rig, TLS_H2, false);
	for (int i = 0; i < 90; i++) {
		calls[i] = get(client, "/watch", 0, &o[i]);
	}
	PUMP_UNTIL(&rig, o[89].body.n && held.n == 90);
	assert_int_equal(http_server_stats(rig.srv).connections, 1);
	for (int i = 0; i < 90; i++) {
		http_write_copy(held.reqs[i], STR("event\n"));
	}
	PUMP_UNTIL(&rig, o[89].body.n == 12);
	for (int i = 0; i < 45; i++) {
		http_call_cancel(calls[i]);
	}
	PUMP_UNTIL(&rig, held.closed == 45);
	for (size_t i = 0; i < 90; i++) {
		http_end(held.reqs[i]);
	}
	PUMP_UNTIL(&rig, o[89].ended);
	for (int i = 0; i < 90; i++) {
		assert_int_equal(o[i].ended, i >= 45);
		outcome_fini(&o[i]);
	}
	http_client_free(client);
	rig_fini(&rig);
}

TEST(calls_beyond_the_stream_limit_take_another_connection)
{
	struct rig rig;
	struct held held;
	struct http_client *client;
	struct outcome o[150] = {0};

	begin(&rig, &held, TLS_H2);
	client = make_client(&rig, TLS_H2, false);
	for (int i = 0; i < 150; i++) {
		get(client, "/watch", 0, &o[i]);
	}
	PUMP_UNTIL(&rig, held.n == 150);
	assert_int_equal(http_server_stats(rig.srv).connections, 2);
	for (size_t i = 0; i < 150; i++) {
		http_end(held.reqs[i]);
	}
	for (int i = 0; i < 150; i++) {
		PUMP_UNTIL(&rig, o[i].ended);
		assert_int_equal(o[i].code, 0);
		outcome_fini(&o[i]);
	}
	http_client_free(client);
	rig_fini(&rig);
}

TEST(a_response_over_the_callers_limit_ends_the_call)
{
	for (enum transport t = PLAIN_H1; t <= PLAIN_H2; t++) {
		struct rig rig;
		struct held held;
		struct http_client *client;
		struct outcome o = {0}, again = {0};

		begin(&rig, &held, t);
		client = make_client(&rig, t, false);
		get(client, "/big", 1000, &o);
		PUMP_UNTIL(&rig, o.ended);
		assert_int_equal(o.code, ERR_LIMIT);
		get(client, "/x", 1000, &again);
		PUMP_UNTIL(&rig, again.ended);
		assert_int_equal(again.code, 0);
		outcome_fini(&o);
		outcome_fini(&again);
		http_client_free(client);
		rig_fini(&rig);
	}
}

TEST(a_call_times_out)
{
	for (enum transport t = PLAIN_H1; t <= PLAIN_H2; t++) {
		struct rig rig;
		struct held held;
		struct http_client *client;
		struct outcome o = {0};

		begin(&rig, &held, t);
		client = make_client(&rig, t, false);
		http_call_start(client,
				&(struct http_call_opts){.method = STR("GET"),
							 .path = STR("/hold"),
							 .timeout_ms = 20},
				&call_ops, &o);
		PUMP_UNTIL(&rig, o.ended);
		assert_int_equal(o.code, ERR_TIMEOUT);
		/* HTTP/1.1 cannot tell a client that has gone from one that has only finished sending. */
		PUMP_UNTIL(&rig, held.closed == 1 || t < TLS_H2);
		if (held.n) {
			http_respond_text(held.reqs[0], 200, STR("x"), STR("late"));
		}
		outcome_fini(&o);
		http_client_free(client);
		rig_fini(&rig);
	}
}

TEST(no_server_is_an_error_that_says_so)
{
	struct rig rig;
	struct held held;
	struct http_client *client;
	struct outcome o[3] = {0};

	begin(&rig, &held, PLAIN_H1);
	client = make_client(&rig, PLAIN_H1, false);
	http_server_free(rig.srv);
	rig.srv = NULL;
	for (int i = 0; i < 3; i++) {
		get(client, "/x", 10, &o[i]);
	}
	for (int i = 0; i < 3; i++) {
		PUMP_UNTIL(&rig, o[i].ended);
		assert_int_equal(o[i].code, ERR_IO);
		EXPECT_STR(buf_str(&o[i].why), "Connection refused");
		outcome_fini(&o[i]);
	}
	http_client_free(client);
	rig_fini(&rig);
}

TEST(a_connection_that_the_server_has_closed_is_replaced)
{
	for (enum transport t = PLAIN_H1; t <= PLAIN_H2; t++) {
		struct rig rig;
		struct held held;
		struct http_client *client;
		struct net_addr addr;
		struct outcome a = {0}, b = {0};

		begin(&rig, &held, t);
		addr = *http_server_addr(rig.srv, 0);
		client = make_client(&rig, t, false);
		get(client, "/x", 100, &a);
		PUMP_UNTIL(&rig, a.ended);
		http_server_free(rig.srv);
		rig.srv =
			http_server_new(rig.net, &(struct http_server_opts){.on_request = handle,
									    .ctx = &held,
									    .tls = rig.server_tls});
		assert_int_equal(http_server_listen(rig.srv, &addr, NULL), 0);
		get(client, "/x", 100, &b);
		PUMP_UNTIL(&rig, b.ended);
		assert_int_equal(b.code, 0);
		outcome_fini(&a);
		outcome_fini(&b);
		http_client_free(client);
		rig_fini(&rig);
	}
}

TEST(draining_moves_http2_clients_away_without_losing_a_call)
{
	struct rig rig;
	struct held held;
	struct http_client *client;
	struct outcome a = {0};

	begin(&rig, &held, TLS_H2);
	client = make_client(&rig, TLS_H2, false);
	get(client, "/hold", 100, &a);
	PUMP_UNTIL(&rig, held.n == 1);
	http_server_drain(rig.srv, NULL, NULL);
	rig_pump_once(&rig);
	http_respond_text(held.reqs[0], 200, STR("x"), STR("done"));
	PUMP_UNTIL(&rig, a.ended && http_server_stats(rig.srv).connections == 0);
	EXPECT_STR(buf_str(&a.body), "done");
	outcome_fini(&a);
	http_client_free(client);
	rig_fini(&rig);
}

TEST(unix_sockets_and_names_work)
{
	struct rig rig;
	struct held held;
	struct http_client *client;
	struct outcome a = {0}, b = {0}, c = {0};
	struct net_addr addr;
	char path[64];

	begin(&rig, &held, PLAIN_H1);
	snprintf(path, sizeof(path), "unix:/tmp/http_client_test-%d.sock", getpid());
	assert_int_equal(net_addr_parse(str_of(path), &addr, NULL), 0);
	assert_int_equal(http_server_listen(rig.srv, &addr, NULL), 0);
	client = http_client_new(rig.net, &(struct http_client_opts){.addr = addr});
	get(client, "/unix", 100, &a);
	PUMP_UNTIL(&rig, a.ended);
	assert_int_equal(a.status, 404);
	http_client_free(client);
	unlink(path + 5);
	client = http_client_new(
		rig.net,
		&(struct http_client_opts){.host = STR("localhost"),
					   .port = net_addr_port(http_server_addr(rig.srv, 0))});
	get(client, "/name", 100, &b);
	PUMP_UNTIL(&rig, b.ended);
	assert_int_equal(b.status, 404);
	http_client_free(client);
	client = http_client_new(
		rig.net, &(struct http_client_opts){.host = STR("no such name"), .port = 1});
	get(client, "/name", 100, &c);
	PUMP_UNTIL(&rig, c.ended);
	assert_int_equal(c.code, ERR_IO);
	http_client_free(client);
	outcome_fini(&a);
	outcome_fini(&b);
	outcome_fini(&c);
	rig_fini(&rig);
}

static void upgrade_handle(void *ctx UNUSED, struct http_request *req)
{
	const struct http_header header = HTTP_HEADER("Upgrade", STR("echo"));
	struct raw *raw = ctx;

	if (http_upgrade(req, &header, 1, &raw_ops, raw, &raw->stream) < 0) {
		http_respond_text(req, 400, STR("text/plain"), STR("no"));
	} else {
		net_stream_write_copy(raw->stream, "hello", 5);
	}
}

TEST(an_upgraded_call_hands_over_the_stream)
{
	struct rig rig;
	struct raw raw = {0};
	struct http_client *client;
	struct outcome o = {0};
	const struct http_header headers[] = {HTTP_HEADER("Connection", STR("Upgrade")),
					      HTTP_HEADER("Upgrade", STR("echo"))};

	rig_init(&rig, (struct http_server_opts){.on_request = upgrade_handle, .ctx = &raw}, true);
	client = make_client(&rig, TLS_H1, false);
	http_call_start(client,
			&(struct http_call_opts){.method = STR("GET"),
						 .path = STR("/"),
						 .headers = headers,
						 .n_headers = 2,
						 .upgrade = true},
			&call_ops, &o);
	PUMP_UNTIL(&rig, o.ended);
	assert_int_equal(o.status, 101);
	PUMP_UNTIL(&rig, raw_has(&o.raw, "hello"));
	raw_send(&o.raw, STR("and back"));
	PUMP_UNTIL(&rig, raw_has(&raw, "and back"));
	http_client_free(client);
	raw_close(&raw);
	outcome_fini(&o);
	rig_fini(&rig);
}

TEST(freeing_the_client_cancels_everything)
{
	for (enum transport t = PLAIN_H1; t <= PLAIN_H2; t++) {
		struct rig rig;
		struct held held;
		struct http_client *client;
		struct outcome o[5] = {0};

		begin(&rig, &held, t);
		client = make_client(&rig, t, false);
		for (int i = 0; i < 5; i++) {
			get(client, "/watch", 0, &o[i]);
		}
		PUMP_UNTIL(&rig, held.n == 5 && o[0].body.n);
		http_client_free(client);
		PUMP_UNTIL(&rig, held.closed == 5);
		for (size_t i = 0; i < 5; i++) {
			assert_false(o[i].ended);
			http_end(held.reqs[i]);
			outcome_fini(&o[i]);
		}
		rig_fini(&rig);
	}
}

TEST_MAIN(calls_are_answered_over_every_transport, a_body_arrives_and_one_over_the_limit_is_refused,
	  the_client_certificate_names_the_peer,
	  a_server_of_another_authority_is_refused_with_the_reason,
	  a_server_under_another_name_is_refused,
	  a_client_certificate_of_another_authority_fails_the_handshake,
	  many_watches_share_one_connection_and_can_be_cancelled,
	  calls_beyond_the_stream_limit_take_another_connection,
	  a_response_over_the_callers_limit_ends_the_call, a_call_times_out,
	  no_server_is_an_error_that_says_so, a_connection_that_the_server_has_closed_is_replaced,
	  draining_moves_http2_clients_away_without_losing_a_call, unix_sockets_and_names_work,
	  an_upgraded_call_hands_over_the_stream, freeing_the_client_cancels_everything)
