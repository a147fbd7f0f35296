/* SPDX-License-Identifier: Apache-2.0 */
#include "http/test_rig.h"

/* What the handlers below do and see. */
struct seen {
	int requests;
	struct http_request *held; /* by /hold */
	int closed;
	struct buf log;
};

static void on_close(struct http_request *req)
{
	((struct seen *)req->data)->closed++;
}

static void on_body(struct http_request *req, int code, struct str body)
{
	if (code == ERR_LIMIT) {
		http_respond_text(req, 413, STR("text/plain"), STR("too large"));
	} else if (code < 0) {
		http_respond_text(req, code == ERR_TIMEOUT ? 408 : 400, STR("text/plain"),
				  str_of(err_text(code)));
	} else {
		http_respond_text(req, 200, STR("text/plain"), body);
	}
}

static void on_piece(struct http_request *req, int code, struct str piece)
{
	struct seen *seen = req->data;

	if (code < 0) {
		http_abort(req);
	} else if (piece.p) {
		buf_printf(&seen->log, "[%.*s]", STR_ARG(piece));
	} else {
		http_respond_text(req, 200, STR("text/plain"), buf_str(&seen->log));
	}
}

static void handle(void *ctx, struct http_request *req)
{
	struct seen *seen = ctx;

	seen->requests++;
	req->data = seen;
	http_on_close(req, on_close);
	if (str_is(req->path, "/echo")) {
		http_read_body(req, 100, on_body);
	} else if (str_is(req->path, "/pieces")) {
		http_stream_body(req, on_piece);
	} else if (str_is(req->path, "/hold")) {
		seen->held = req;
	} else if (str_is(req->path, "/stream")) {
		http_respond_start(req, 200, NULL, 0);
		http_write_copy(req, STR("one,"));
		seen->held = req;
	} else if (str_is(req->path, "/abort")) {
		http_respond_start(req, 200, NULL, 0);
		http_write_copy(req, STR("begun"));
		http_abort(req);
	} else {
		struct str text =
			arena_printf(req->arena, "%.*s %.*s?%.*s h=%.*s n=%zu",
				     STR_ARG(req->method), STR_ARG(req->path), STR_ARG(req->query),
				     STR_ARG(req->host), req->n_headers);

		http_respond_text(req, 200, STR("text/plain"), text);
	}
}

static void begin(struct rig *rig, struct seen *seen)
{
	*seen = (struct seen){0};
	rig_init(rig,
		 (struct http_server_opts){.on_request = handle,
					   .ctx = seen,
					   .header_timeout_ms = 50,
					   .idle_timeout_ms = 200,
					   .progress_timeout_ms = 60},
		 false);
}

TEST(a_request_is_parsed_and_answered)
{
	struct rig rig;
	struct seen seen;
	struct raw raw;

	begin(&rig, &seen);
	raw_open(&rig, &raw, NULL);
	raw_send(&raw, STR("GET /a%20b?x=1&y HTTP/1.1\r\nHost: h:1\r\nX-Thing:   v  \r\n\r\n"));
	PUMP_UNTIL(&rig, raw_has(&raw, "n=2"));
	assert_true(raw_has(&raw, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nDate: "));
	assert_true(raw_has(&raw, " GMT\r\nContent-Length: 26\r\n\r\nGET /a%20b?x=1&y h=h:1 n=2"));
	raw_close(&raw);
	rig_fini(&rig);
}

TEST(a_request_in_single_bytes_is_the_same)
{
	struct rig rig;
	struct seen seen;
	struct raw raw;
	struct str text = STR("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello");

	begin(&rig, &seen);
	raw_open(&rig, &raw, NULL);
	for (size_t i = 0; i < text.n; i++) {
		raw_send(&raw, str_sub(text, i, 1));
		rig_pump_once(&rig);
	}
	PUMP_UNTIL(&rig, raw_has(&raw, "\r\n\r\nhello"));
	raw_close(&raw);
	rig_fini(&rig);
}

TEST(pipelined_requests_are_answered_in_order_though_the_first_waits)
{
	struct rig rig;
	struct seen seen;
	struct raw raw;

	begin(&rig, &seen);
	raw_open(&rig, &raw, NULL);
	raw_send(&raw, STR("GET /hold HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\n"
			   "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: "
			   "chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
			   "GET /4 HTTP/1.1\r\nHost: h\r\n\r\n"));
	PUMP_UNTIL(&rig, seen.held);
	assert_int_equal(seen.requests, 1);
	http_respond_text(seen.held, 200, STR("text/plain"), STR("first"));
	PUMP_UNTIL(&rig, raw_has(&raw, "GET /4?"));
	assert_int_equal(seen.requests, 4);
	assert_true(str_find(buf_str(&raw.in), STR("first")) <
		    str_find(buf_str(&raw.in), STR("GET /2?")));
	assert_true(str_find(buf_str(&raw.in), STR("GET /2?")) <
		    str_find(buf_str(&raw.in), STR("abc")));
	assert_true(str_find(buf_str(&raw.in), STR("abc")) <
		    str_find(buf_str(&raw.in), STR("GET /4?")));
	raw_close(&raw);
	rig_fini(&rig);
}

struct bad_case {
	const char *request;
	const char *status; /* of the last response; the connection is closed behind it */
};

static const struct bad_case bad_cases[] = {
	{"GET / HTTP/1.1\r\n\r\n", "400"},
	{"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400"},
	{"GET x HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
	{"GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
	{"GET / HTTP/1.1\r\nHost: a\r\nBad Header: x\r\n\r\n", "400"},
	{"GET / HTTP/1.1\r\nHost: a\r\n: x\r\n\r\n", "400"},
	{"GET / HTTP/1.1\r\nHost: a\r\nX: a\x01z\r\n\r\n", "400"},
	{"GET / HTTP/1.1\r\nHost : a\r\n\r\n", "400"},
	{"FOO / HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
	{"get / HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
	{"\x16\x03\x01\x02\x00\x01", "400"},
	{"GET / HTTP/3.0\r\nHost: a\r\n\r\n", "505"},
	{"GET / HTTX/1.1\r\nHost: a\r\n\r\n", "400"},
	{"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", "405"},
	{"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", "400"},
	{"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1x\r\n\r\n", "400"},
	{"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999999\r\n\r\n",
	 "400"},
	{"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "400"},
	{"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: "
	 "chunked\r\n\r\n",
	 "400"},
	{"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n", "400"},
	{"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "400"},
	{"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
	 "chunked\r\n\r\nfffffffffffffffffff\r\n",
	 "400"},
	{"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc", "400"},
	{"POST /echo HTTP/1.1\r\nHost: a\r\nExpect: miracles\r\nContent-Length: 1\r\n\r\n", "417"},
	{"PRI * HTTP/1.0\r\n\r\n", ""},
	{"GET /", "408"}, /* and nothing more */
	{"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nab", "408"},
	{"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "200"},
	{"GET / HTTP/1.0\r\n\r\n", "200"},
	{"GET /stream HTTP/1.0\r\n\r\n", "200"},
	{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n",
	 "200"}, /* too much to discard */
};

TEST(malformed_requests_get_the_right_status_and_the_connection_is_closed)
{
	for (size_t i = 0; i < ARRAY_LEN(bad_cases); i++) {
		const struct bad_case *c = &bad_cases[i];
		struct rig rig;
		struct seen seen;
		struct raw raw;
		char want[32];

		begin(&rig, &seen);
		raw_open(&rig, &raw, NULL);
		raw_send(&raw, str_of(c->request));
		if (strstr(c->request, "/stream")) {
			PUMP_UNTIL(&rig, seen.held && raw_has(&raw, "one,"));
			http_end(seen.held);
		}
		PUMP_UNTIL(&rig, raw.eof);
		snprintf(want, sizeof(want), "HTTP/1.1 %s ", c->status);
		if (c->status[0] && !str_has_prefix(buf_str(&raw.in), str_of(want))) {
			print_error("request %s\ngot %.*s\n", c->request,
				    STR_ARG(buf_str(&raw.in)));
			fail();
		}
		raw_close(&raw);
		rig_fini(&rig);
	}
}

TEST(oversized_headers_get_431)
{
	for (int kind = 0; kind < 3; kind++) {
		struct rig rig;
		struct seen seen;
		struct raw raw;
		struct buf text CLEANUP_BUF = {0};

		begin(&rig, &seen);
		buf_puts(&text, "GET /");
		for (int i = 0; kind == 0 && i < 70000; i++) {
			buf_add_char(&text, 'a');
		}
		buf_puts(&text, " HTTP/1.1\r\nHost: a\r\n");
		for (int i = 0; kind == 1 && i < 300; i++) {
			buf_printf(&text, "X-%d: y\r\n", i);
		}
		buf_puts(&text, "X: ");
		for (int i = 0; kind == 2 && i < 70000; i++) {
			buf_add_char(&text, 'a');
		}
		buf_puts(&text, "\r\n\r\n");
		raw_open(&rig, &raw, NULL);
		raw_send(&raw, buf_str(&text));
		PUMP_UNTIL(&rig, raw.eof);
		assert_true(str_has_prefix(buf_str(&raw.in), STR("HTTP/1.1 431 ")));
		assert_int_equal(seen.requests, 0);
		raw_close(&raw);
		rig_fini(&rig);
	}
}

TEST(a_body_over_the_handlers_limit_is_told_and_the_connection_survives_a_small_one)
{
	struct rig rig;
	struct seen seen;
	struct raw raw;
	char big[150];

	memset(big, 'b', sizeof(big));
	begin(&rig, &seen);
	raw_open(&rig, &raw, NULL);
	raw_send(&raw,
		 STR("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n96\r\n"));
	raw_send(&raw, str_make(big, sizeof(big)));
	raw_send(&raw, STR("\r\n0\r\n\r\nGET /next HTTP/1.1\r\nHost: a\r\n\r\n"));
	PUMP_UNTIL(&rig, raw_has(&raw, "GET /next?"));
	assert_true(str_has_prefix(buf_str(&raw.in), STR("HTTP/1.1 413 ")));
	raw_close(&raw);
	rig_fini(&rig);
}

TEST(expect_continue_is_answered_when_the_body_is_wanted)
{
	struct rig rig;
	struct seen seen;
	struct raw raw;

	begin(&rig, &seen);
	raw_open(&rig, &raw, NULL);
	raw_send(&raw, STR("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: "
			   "100-continue\r\n\r\n"));
	PUMP_UNTIL(&rig, raw_has(&raw, "HTTP/1.1 100 Continue\r\n\r\n"));
	raw_send(&raw, STR("ok"));
	PUMP_UNTIL(&rig, raw_has(&raw, "\r\n\r\nok"));
	raw_close(&raw);
	raw_open(&rig, &raw, NULL);
	raw_send(&raw, STR("POST /refused HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: "
			   "100-continue\r\n\r\n"));
	PUMP_UNTIL(&rig, raw.eof);
	assert_false(raw_has(&raw, "100 Continue"));
	assert_true(raw_has(&raw, "Connection: close"));
	raw_close(&raw);
	rig_fini(&rig);
}

TEST(a_body_streams_in_pieces)
{
	struct rig rig;
	struct seen seen;
	struct raw raw;

	begin(&rig, &seen);
	raw_open(&rig, &raw, NULL);
	raw_send(&raw, STR("POST /pieces HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
			   "chunked\r\n\r\n3\r\nabc\r\n"));
	PUMP_UNTIL(&rig, seen.log.n);
	raw_send(&raw, STR("2\r\nde\r\n0\r\nTrailer: x\r\n\r\n"));
	PUMP_UNTIL(&rig, raw_has(&raw, "[abc][de]"));
	raw_close(&raw);
	buf_fini(&seen.log);
	rig_fini(&rig);
}

TEST(a_body_that_is_read_late_waits)
{
	struct rig rig;
	struct seen seen;
	struct raw raw;

	begin(&rig, &seen);
	raw_open(&rig, &raw, NULL);
	raw_send(&raw, STR("POST /hold HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc"));
	PUMP_UNTIL(&rig, seen.held);
	raw_send(&raw, STR("def"));
	rig_pump_once(&rig);
	http_read_body(seen.held, 100, on_body);
	PUMP_UNTIL(&rig, raw_has(&raw, "\r\n\r\nabcdef"));
	raw_send(&raw, STR("GET /next HTTP/1.1\r\nHost: a\r\n\r\n"));
	PUMP_UNTIL(&rig, raw_has(&raw, "GET /next?"));
	raw_close(&raw);
	rig_fini(&rig);
}

TEST(a_stream_is_chunked_and_its_client_going_away_is_told)
{
	struct rig rig;
	struct seen seen;
	struct raw raw;

	begin(&rig, &seen);
	raw_open(&rig, &raw, NULL);
	raw_send(&raw, STR("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n"));
	PUMP_UNTIL(&rig, raw_has(&raw, "4\r\none,\r\n"));
	http_write_copy(seen.held, STR("two"));
	PUMP_UNTIL(&rig, raw_has(&raw, "3\r\ntwo\r\n"));
	raw_close(&raw);
	PUMP_UNTIL(&rig, seen.closed == 1);
	assert_true(http_is_closed(seen.held));
	http_write_copy(seen.held, STR("nobody"));
	assert_int_equal(http_pending_bytes(seen.held), 0);
	http_end(seen.held);
	assert_int_equal(http_server_stats(rig.srv).requests, 0);
	rig_fini(&rig);
}

TEST(a_slow_reader_shows_in_pending_bytes_and_is_cut_off)
{
	struct rig rig;
	struct seen seen;
	struct raw raw;
	char *big = mem_new(1 << 20);

	begin(&rig, &seen);
	raw_open(&rig, &raw, NULL);
	raw_send(&raw, STR("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n"));
	PUMP_UNTIL(&rig, raw_has(&raw, "one,"));
	net_stream_pause(raw.stream);
	for (int i = 0; i < 16; i++) {
		const struct slice s = {big, 1 << 20, NULL, NULL};

		http_write(seen.held, &s, 1);
	}
	PUMP_UNTIL(&rig, seen.closed == 1);
	http_end(seen.held);
	raw_close(&raw);
	rig_fini(&rig);
	mem_free(big);
}

TEST(an_aborted_response_is_cut)
{
	struct rig rig;
	struct seen seen;
	struct raw raw;

	begin(&rig, &seen);
	raw_open(&rig, &raw, NULL);
	raw_send(&raw, STR("GET /abort HTTP/1.1\r\nHost: a\r\n\r\n"));
	PUMP_UNTIL(&rig, raw.eof);
	assert_false(raw_has(&raw, "0\r\n\r\n"));
	raw_close(&raw);
	rig_fini(&rig);
}

TEST(a_half_closed_client_still_gets_its_answer)
{
	static const char script[] =
		"import socket, sys\n"
		"s = socket.create_connection(('127.0.0.1', int(sys.argv[1])))\n"
		"s.sendall(b'GET /a HTTP/1.1\\r\\nHost: h\\r\\n\\r\\nGET /b HTTP/1.1\\r\\nHost: "
		"h\\r\\n\\r\\n')\n"
		"s.shutdown(socket.SHUT_WR)\n"
		"while (p := s.recv(999)): print(p.decode())\n";
	char port[16];
	const char *const argv[] = {"python3", "-c", script, port, NULL};
	struct rig rig;
	struct seen seen;
	struct buf out;

	begin(&rig, &seen);
	snprintf(port, sizeof(port), "%u", net_addr_port(http_server_addr(rig.srv, 0)));
	out = rig_run(&rig, argv);
	assert_true(str_contains(buf_str(&out), STR("GET /a?")));
	assert_true(str_contains(buf_str(&out), STR("GET /b?")));
	buf_fini(&out);
	rig_fini(&rig);
}

TEST(head_has_the_length_but_no_body)
{
	struct rig rig;
	struct seen seen;
	struct raw raw;

	begin(&rig, &seen);
	raw_open(&rig, &raw, NULL);
	raw_send(&raw,
		 STR("HEAD /x HTTP/1.1\r\nHost: a\r\n\r\nGET /y HTTP/1.1\r\nHost: a\r\n\r\n"));
	PUMP_UNTIL(&rig, raw_has(&raw, "GET /y?"));
	assert_true(raw_has(&raw, "Content-Length: 16\r\n\r\nHTTP/1.1 200"));
	raw_close(&raw);
	rig_fini(&rig);
}

TEST(an_absolute_target_brings_its_host)
{
	struct rig rig;
	struct seen seen;
	struct raw raw;

	begin(&rig, &seen);
	raw_open(&rig, &raw, NULL);
	raw_send(&raw, STR("GET http://other:8?q HTTP/1.1\r\nHost: a\r\n\r\n"));
	PUMP_UNTIL(&rig, raw_has(&raw, "n=1"));
	assert_true(raw_has(&raw, "h=other:8"));
	raw_close(&raw);
	rig_fini(&rig);
}

TEST(idle_connections_are_closed)
{
	struct rig rig;
	struct seen seen;
	struct raw raw;

	begin(&rig, &seen);
	raw_open(&rig, &raw, NULL);
	raw_send(&raw, STR("GET /x HTTP/1.1\r\nHost: a\r\n\r\n"));
	PUMP_UNTIL(&rig, raw.eof);
	assert_true(raw_has(&raw, "GET /x?"));
	raw_close(&raw);
	rig_fini(&rig);
}

static void count(void *ctx)
{
	(*(int *)ctx)++;
}

TEST(draining_waits_for_running_requests_only)
{
	struct rig rig;
	struct seen seen;
	struct raw busy, idle;
	int drained = 0;

	begin(&rig, &seen);
	raw_open(&rig, &busy, NULL);
	raw_open(&rig, &idle, NULL);
	raw_send(&idle, STR("GET /x HTTP/1.1\r\nHost: a\r\n\r\n"));
	raw_send(&busy, STR("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n"));
	PUMP_UNTIL(&rig, seen.held && raw_has(&idle, "GET /x"));
	http_server_drain(rig.srv, count, &drained);
	PUMP_UNTIL(&rig, idle.eof);
	assert_int_equal(drained, 0);
	http_respond_text(seen.held, 200, STR("text/plain"), STR("done"));
	PUMP_UNTIL(&rig, drained == 1 && busy.eof);
	assert_true(raw_has(&busy, "Connection: close\r\n\r\ndone"));
	raw_close(&busy);
	raw_close(&idle);
	rig_fini(&rig);
}

static size_t echo_on_data(struct net_stream *s, const char *p, size_t n)
{
	struct seen *seen = net_stream_ctx(s);

	buf_add(&seen->log, p, n);
	net_stream_write_copy(s, p, n);
	return n;
}

static void echo_on_close(struct net_stream *s UNUSED, int code UNUSED, const char *why UNUSED)
{
}

static const struct net_stream_ops echo_ops = {.on_data = echo_on_data, .on_close = echo_on_close};

static void upgrade_handle(void *ctx, struct http_request *req)
{
	struct seen *seen = ctx;
	const struct http_header header = HTTP_HEADER("Upgrade", STR("echo"));
	struct net_stream *stream;

	if (!http_wants_upgrade(req, STR("echo"))) {
		http_respond_text(req, 400, STR("text/plain"), STR("no"));
		return;
	}
	if (str_is(req->path, "/hold")) {
		seen->held = req;
		return;
	}
	assert_int_equal(http_upgrade(req, &header, 1, &echo_ops, ctx, &stream), 0);
}

TEST(an_upgrade_hands_over_the_bytes_behind_the_request)
{
	for (int later = 0; later < 2; later++) {
		struct rig rig;
		struct seen seen = {0};
		struct raw raw;
		const struct http_header header = HTTP_HEADER("Upgrade", STR("echo"));
		struct net_stream *stream;

		rig_init(&rig,
			 (struct http_server_opts){.on_request = upgrade_handle, .ctx = &seen},
			 false);
		raw_open(&rig, &raw, NULL);
		if (later) {
			raw_send(&raw, STR("GET /hold HTTP/1.1\r\nHost: a\r\nConnection: "
					   "keep-alive, Upgrade\r\nUpgrade: echo\r\n\r\n"
					   "early"));
			PUMP_UNTIL(&rig, seen.held);
			assert_int_equal(
				http_upgrade(seen.held, &header, 1, &echo_ops, &seen, &stream), 0);
		} else {
			raw_send(&raw, STR("GET / HTTP/1.1\r\nHost: a\r\nConnection: "
					   "Upgrade\r\nUpgrade: echo\r\n\r\nearly"));
		}
		PUMP_UNTIL(&rig, raw_has(&raw, "\r\n\r\nearly"));
		assert_true(
			str_has_prefix(buf_str(&raw.in),
				       STR("HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\n"
					   "Connection: Upgrade\r\n\r\n")));
		raw_send(&raw, STR(" and late"));
		PUMP_UNTIL(&rig, raw_has(&raw, "early and late"));
		assert_int_equal(http_server_stats(rig.srv).connections, 0);
		raw_close(&raw);
		buf_fini(&seen.log);
		rig_fini(&rig);
	}
}

TEST(a_request_that_is_not_upgraded_goes_on)
{
	struct rig rig;
	struct seen seen = {0};
	struct raw raw;

	begin(&rig, &seen);
	raw_open(&rig, &raw, NULL);
	raw_send(&raw,
		 STR("GET /1 HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
		     "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n"));
	PUMP_UNTIL(&rig, raw_has(&raw, "GET /2?"));
	assert_true(raw_has(&raw, "GET /1?"));
	raw_close(&raw);
	rig_fini(&rig);
}

TEST(requests_outlive_the_server_until_they_are_ended)
{
	struct rig rig;
	struct seen seen;
	struct raw raw;

	begin(&rig, &seen);
	raw_open(&rig, &raw, NULL);
	raw_send(&raw, STR("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n"));
	PUMP_UNTIL(&rig, seen.held);
	http_server_free(rig.srv);
	rig.srv = NULL;
	assert_int_equal(seen.closed, 1);
	http_respond_text(seen.held, 200, STR("text/plain"), STR("late"));
	raw_close(&raw);
	rig_fini(&rig);
}

TEST(an_unread_body_without_end_costs_the_connection)
{
	struct rig rig;
	struct seen seen;
	struct raw raw;
	char chunk[0x1000 + 8];

	begin(&rig, &seen);
	memset(chunk, 'c', sizeof(chunk));
	memcpy(chunk, "1000\r\n", 6);
	memcpy(chunk + 6 + 0x1000, "\r\n", 2);
	raw_open(&rig, &raw, NULL);
	raw_send(&raw, STR("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"));
	for (int i = 0; i < 100; i++) {
		raw_send(&raw, str_make(chunk, sizeof(chunk)));
	}
	raw_send(&raw, STR("0\r\n\r\nGET /next HTTP/1.1\r\nHost: a\r\n\r\n"));
	PUMP_UNTIL(&rig, raw.eof);
	assert_true(raw_has(&raw, "POST /?"));
	assert_int_equal(seen.requests, 1);
	raw_close(&raw);
	rig_fini(&rig);
}

TEST(a_forgotten_request_keeps_its_response)
{
	struct rig rig;
	struct seen seen;
	struct raw raw;

	begin(&rig, &seen);
	raw_open(&rig, &raw, NULL);
	raw_send(&raw, STR("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n"));
	PUMP_UNTIL(&rig, seen.held);
	http_forget_request(seen.held);
	assert_int_equal(seen.held->n_headers, 0);
	http_write_copy(seen.held, STR("still"));
	http_end(seen.held);
	raw_send(&raw, STR("GET /next HTTP/1.1\r\nHost: a\r\n\r\n"));
	PUMP_UNTIL(&rig, raw_has(&raw, "GET /next?"));
	assert_true(raw_has(&raw, "still\r\n0\r\n\r\n"));
	raw_close(&raw);
	rig_fini(&rig);
}

TEST_MAIN(an_unread_body_without_end_costs_the_connection, a_forgotten_request_keeps_its_response,
	  a_request_is_parsed_and_answered, a_request_in_single_bytes_is_the_same,
	  pipelined_requests_are_answered_in_order_though_the_first_waits,
	  malformed_requests_get_the_right_status_and_the_connection_is_closed,
	  oversized_headers_get_431,
	  a_body_over_the_handlers_limit_is_told_and_the_connection_survives_a_small_one,
	  expect_continue_is_answered_when_the_body_is_wanted, a_body_streams_in_pieces,
	  a_body_that_is_read_late_waits, a_stream_is_chunked_and_its_client_going_away_is_told,
	  a_slow_reader_shows_in_pending_bytes_and_is_cut_off, an_aborted_response_is_cut,
	  a_half_closed_client_still_gets_its_answer, head_has_the_length_but_no_body,
	  an_absolute_target_brings_its_host, idle_connections_are_closed,
	  draining_waits_for_running_requests_only,
	  an_upgrade_hands_over_the_bytes_behind_the_request,
	  a_request_that_is_not_upgraded_goes_on, requests_outlive_the_server_until_they_are_ended)
