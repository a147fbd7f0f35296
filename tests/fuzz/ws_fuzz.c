/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes that a WebSocket client sends behind a good handshake. */
#include "http/ws.h"
#include "http_rig.h"

static void on_message(struct ws *ws, bool is_text, struct str message)
{
	if (message.n && message.p[0] == 'f') {
		ws_free(ws);
	} else if (message.n && message.p[0] == 'c') {
		ws_close(ws, 1000, message);
	} else if (message.n && message.p[0] == 'p') {
		ws_pause(ws);
		ws_resume(ws);
	} else {
		ws_send2(ws, is_text, STR("x"), message);
	}
}

static void on_close(struct ws *ws UNUSED, int code UNUSED, struct str reason UNUSED)
{
}

static const struct ws_ops ops = {.on_message = on_message, .on_close = on_close};

static void on_request(void *ctx UNUSED, struct http_request *req)
{
	struct ws *ws;

	if (ws_accept(req, NULL, 0, 5000, &ops, NULL, &ws, NULL) < 0) {
		http_respond_text(req, 400, STR("text/plain"), STR("no"));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const char handshake[] =
		"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
	static struct rig rig;
	int fds[2];

	if (!rig.loop) {
		rig_init(&rig, on_request);
	}
	if (n < 2 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) < 0) {
		return 0;
	}
	http_server_adopt(rig.srv, fds[0]);
	rig_feed(&rig, fds[1], (const uint8_t *)handshake, sizeof(handshake) - 1, 1000);
	rig_feed(&rig, fds[1], p + 1, n - 1, rig_piece(p[0]));
	rig_settle(&rig, fds[1]);
	rig_turn(&rig);
	return 0;
}
