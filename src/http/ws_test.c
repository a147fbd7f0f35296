/* SPDX-License-Identifier: Apache-2.0 */
#include "http/test_rig.h"
#include "http/ws.h"

struct end {
	struct ws *ws;
	struct buf log;
	int code;
	bool open, closed, refused, free_on_message;
	int status;
	int accept_code;
};

static void on_message(struct ws *ws, bool is_text, struct str message)
{
	struct end *e = ws_ctx(ws);

	buf_printf(&e->log, "%s%zu:%.*s ", is_text ? "t" : "b", message.n,
		   (int)MIN(message.n, (size_t)20), message.p);
	if (e->free_on_message) {
		ws_free(ws);
		e->ws = NULL;
	} else if (str_is(message, "echo")) {
		ws_send2(ws, is_text, STR("\x01"), message);
	}
}

static void on_close(struct ws *ws, int code, struct str reason)
{
	struct end *e = ws_ctx(ws);

	e->closed = true;
	e->code = code;
	e->ws = NULL;
	buf_printf(&e->log, "close %d %.*s", code, STR_ARG(reason));
}

static void on_open(struct ws *ws)
{
	struct end *e = ws_ctx(ws);

	e->open = true;
	buf_printf(&e->log, "open %.*s ", STR_ARG(ws_protocol(ws)));
}

static void on_refused(struct ws *ws, const struct http_response *response, int code UNUSED,
		       const char *why UNUSED)
{
	struct end *e = ws_ctx(ws);

	e->refused = true;
	e->ws = NULL;
	e->status = response ? response->status : 0;
}

static const struct ws_ops ops = {.on_message = on_message,
				  .on_close = on_close,
				  .on_open = on_open,
				  .on_refused = on_refused};

static const struct str protocols[] = {STR_INIT("v5.channel.k8s.io"),
				       STR_INIT("v4.channel.k8s.io")};

static void handle(void *ctx, struct http_request *req)
{
	struct end *e = ctx;
	struct err err CLEANUP_ERR = {0};

	e->accept_code = ws_accept(req, protocols, 2, 1000, &ops, e, &e->ws, &err);
	if (e->accept_code < 0) {
		http_respond_text(req, e->accept_code == ERR_UNSUPPORTED ? 403 : 400,
				  STR("text/plain"), str_of(err_msg(&err)));
	}
}

static void begin(struct rig *rig, struct end *server)
{
	*server = (struct end){0};
	rig_init(rig, (struct http_server_opts){.on_request = handle, .ctx = server}, false);
}

static struct http_client *make_client(struct rig *rig)
{
	return http_client_new(rig->net,
			       &(struct http_client_opts){.addr = *http_server_addr(rig->srv, 0)});
}

TEST(messages_go_both_ways_and_the_close_is_agreed)
{
	struct rig rig;
	struct end server, client = {0};
	struct http_client *hc;
	const struct str offered[] = {STR("v9"), STR("v4.channel.k8s.io"),
				      STR("v5.channel.k8s.io")};

	begin(&rig, &server);
	hc = make_client(&rig);
	client.ws = ws_connect(hc, STR("/exec?x"), NULL, 0, offered, 3, 1000, &ops, &client);
	PUMP_UNTIL(&rig, client.open);
	ws_send(client.ws, true, STR("echo"));
	PUMP_UNTIL(&rig, str_contains(buf_str(&client.log), STR("echo")));
	ws_ping(client.ws);
	ws_send(server.ws, false, STR("from server"));
	ws_close(server.ws, 1001, STR("bye"));
	PUMP_UNTIL(&rig, client.closed && server.closed);
	EXPECT_STR(buf_str(&client.log), "open v4.channel.k8s.io t5:\x01"
					 "echo b11:from server close 1001 bye");
	EXPECT_STR(buf_str(&server.log), "t4:echo close 1001 bye");
	http_client_free(hc);
	buf_fini(&client.log);
	buf_fini(&server.log);
	rig_fini(&rig);
}

TEST(a_handshake_without_a_known_protocol_is_refused)
{
	struct rig rig;
	struct end server, client = {0};
	struct http_client *hc;
	const struct str offered[] = {STR("v9")};

	begin(&rig, &server);
	hc = make_client(&rig);
	client.ws = ws_connect(hc, STR("/"), NULL, 0, offered, 1, 1000, &ops, &client);
	PUMP_UNTIL(&rig, client.refused);
	assert_int_equal(client.status, 403);
	http_client_free(hc);
	rig_fini(&rig);
}

TEST(either_side_may_be_freed_inside_its_callback)
{
	for (int side = 0; side < 2; side++) {
		struct rig rig;
		struct end server, client = {0};
		struct http_client *hc;

		begin(&rig, &server);
		hc = make_client(&rig);
		client.ws = ws_connect(hc, STR("/"), NULL, 0, protocols, 1, 1000, &ops, &client);
		server.free_on_message = side == 0;
		client.free_on_message = side == 1;
		PUMP_UNTIL(&rig, client.open);
		ws_send(side ? server.ws : client.ws, true, STR("one"));
		ws_send(side ? server.ws : client.ws, true, STR("two"));
		PUMP_UNTIL(&rig, side ? server.closed : client.closed);
		assert_int_equal(side ? server.code : client.code, WS_NORMAL);
		http_client_free(hc);
		buf_fini(&client.log);
		buf_fini(&server.log);
		rig_fini(&rig);
	}
}

TEST(a_client_that_is_freed_while_it_connects_is_silent)
{
	struct rig rig;
	struct end server, client = {0};
	struct http_client *hc;

	begin(&rig, &server);
	hc = make_client(&rig);
	client.ws = ws_connect(hc, STR("/"), NULL, 0, protocols, 1, 1000, &ops, &client);
	ws_free(client.ws);
	http_client_free(hc);
	rig_pump_once(&rig);
	assert_false(client.open || client.refused || client.closed);
	rig_fini(&rig);
}

#define HANDSHAKE                                                                                  \
	"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: "                            \
	"websocket\r\nSec-WebSocket-Version: 13\r\n"                                               \
	"Sec-WebSocket-Protocol: v4.channel.k8s.io\r\nSec-WebSocket-Key: "                         \
	"dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

struct frame_case {
	const char *bytes;
	size_t n;
	int close_code; /* that the server sends; 0: none in the close frame */
};

#define FRAME(lit, code)                                                                           \
	{                                                                                          \
		lit, sizeof(lit) - 1, code                                                         \
	}

static const struct frame_case frame_cases[] = {
	FRAME("\x81\x02hi", WS_PROTOCOL_ERROR),		/* not masked */
	FRAME("\xc1\x82\0\0\0\0hi", WS_PROTOCOL_ERROR), /* reserved bit */
	FRAME("\x83\x80\0\0\0\0", WS_PROTOCOL_ERROR),	/* unknown opcode */
	FRAME("\x80\x80\0\0\0\0", WS_PROTOCOL_ERROR),	/* continues nothing */
	FRAME("\x09\x80\0\0\0\0", 0),			/* fragmented ping */
	FRAME("\x89\xfe\x00\x7e\0\0\0\0", 0),		/* ping of 126 bytes */
	FRAME("\x81\x81\0\0\0\0\xff", 1007),		/* not UTF-8 */
	FRAME("\x82\xfe\xff\xff\0\0\0\0p", WS_TOO_BIG), /* 65535 bytes */
	FRAME("\x82\xff\x00\xff\xff\xff\xff\xff\xff\xff\0\0\0\0p", WS_TOO_BIG), /* 2^56 */
	FRAME("\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0", 0),
	FRAME("\x88\x82\0\0\0\0\x03\xed", WS_PROTOCOL_ERROR), /* code 1005 may not be sent */
};

TEST(bad_frames_are_answered_with_the_right_close_code)
{
	for (size_t i = 0; i < ARRAY_LEN(frame_cases); i++) {
		const struct frame_case *c = &frame_cases[i];
		struct rig rig;
		struct end server;
		struct raw raw;
		const unsigned char *tail;

		begin(&rig, &server);
		raw_open(&rig, &raw, NULL);
		raw_send(&raw, STR(HANDSHAKE));
		raw_send(&raw, str_make(c->bytes, c->n));
		PUMP_UNTIL(&rig, raw_has(&raw, "\r\n\r\n"));
		assert_true(
			raw_has(&raw, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
		PUMP_UNTIL(&rig, str_contains(str_from(buf_str(&raw.in), 100), STR("\x88")));
		tail = (const unsigned char *)raw.in.p +
		       str_find(buf_str(&raw.in), STR("\r\n\r\n")) + 4;
		assert_int_equal(tail[0], 0x88);
		if ((tail[1] ? tail[2] << 8 | tail[3] : 0) != c->close_code) {
			print_error("case %zu: %d\n", i, tail[1] ? tail[2] << 8 | tail[3] : 0);
			fail();
		}
		raw_close(&raw);
		PUMP_UNTIL(&rig, server.closed);
		buf_fini(&server.log);
		rig_fini(&rig);
	}
}

TEST(fragments_are_joined_with_a_ping_between)
{
	struct rig rig;
	struct end server;
	struct raw raw;
	static const char bytes[] = "\x01\x81\0\0\0\0a\x89\x81\0\0\0\0p\x80\x82\0\0\0\0bc";

	begin(&rig, &server);
	raw_open(&rig, &raw, NULL);
	raw_send(&raw, STR(HANDSHAKE));
	for (size_t i = 0; i < sizeof(bytes) - 1; i++) {
		raw_send(&raw, str_make(bytes + i, 1));
		rig_pump_once(&rig);
	}
	PUMP_UNTIL(&rig, server.log.n);
	EXPECT_STR(buf_str(&server.log), "t3:abc ");
	PUMP_UNTIL(&rig, raw_has(&raw, "\x8a\x01p"));
	raw_close(&raw);
	PUMP_UNTIL(&rig, server.closed);
	assert_int_equal(server.code, WS_ABNORMAL);
	buf_fini(&server.log);
	rig_fini(&rig);
}

TEST(malformed_handshakes_get_400)
{
	static const char *const requests[] = {
		"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: "
		"websocket\r\nSec-WebSocket-Version: 13\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: "
		"websocket\r\nSec-WebSocket-Version: 8\r\n"
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: "
		"websocket\r\nSec-WebSocket-Version: 13\r\n"
		"Sec-WebSocket-Key: c2hvcnQ=\r\n\r\n",
	};

	for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
		struct rig rig;
		struct end server;
		struct raw raw;

		begin(&rig, &server);
		raw_open(&rig, &raw, NULL);
		raw_send(&raw, str_of(requests[i]));
		PUMP_UNTIL(&rig, raw_has(&raw, "\r\n\r\n"));
		assert_true(str_has_prefix(buf_str(&raw.in), STR("HTTP/1.1 400 ")));
		raw_close(&raw);
		rig_fini(&rig);
	}
}

TEST_MAIN(messages_go_both_ways_and_the_close_is_agreed,
	  a_handshake_without_a_known_protocol_is_refused,
	  either_side_may_be_freed_inside_its_callback,
	  a_client_that_is_freed_while_it_connects_is_silent,
	  bad_frames_are_answered_with_the_right_close_code,
	  fragments_are_joined_with_a_ping_between, malformed_handshakes_get_400)
