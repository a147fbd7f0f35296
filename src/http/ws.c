/* SPDX-License-Identifier: Apache-2.0 */
#include "http/ws.h"

#include <openssl/sha.h>
#include <wslay/wslay.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "crypto/base64.h"
#include "crypto/secret.h"

enum {
	CLOSE_TIMEOUT_MS = 5000,
	CLOSE_REASON_MAX = 123,
};

struct ws {
	struct net_stream *stream; /* NULL: a client that still connects */
	struct http_call *call;	   /* then */
	struct env *env;
	wslay_event_context_ptr wslay;
	const struct ws_ops *ops;
	void *ctx;
	const char *in; /* input under way */
	size_t in_n;
	char *protocol;
	char *key; /* the client's, base64 */
	struct buf offered;
	size_t max_message;
	struct env_timer closing;
	int close_code;
	struct buf close_reason;
	bool running; /* inside wslay: freeing waits */
	bool freed;
};

/* --- wslay's callbacks --- */

static ssize_t take_input(wslay_event_context_ptr wslay, uint8_t *p, size_t n, int flags UNUSED,
			  void *user)
{
	struct ws *ws = user;
	size_t part = MIN(n, ws->in_n);

	if (part == 0 || ws->freed) {
		wslay_event_set_error(wslay, WSLAY_ERR_WOULDBLOCK);
		return -1;
	}
	memcpy(p, ws->in, part);
	ws->in += part;
	ws->in_n -= part;
	return (ssize_t)part;
}

static ssize_t put_output(wslay_event_context_ptr wslay UNUSED, const uint8_t *p, size_t n,
			  int flags UNUSED, void *user)
{
	struct ws *ws = user;

	net_stream_write_copy(ws->stream, p, n);
	return (ssize_t)n;
}

static int make_mask(wslay_event_context_ptr wslay UNUSED, uint8_t *p, size_t n, void *user UNUSED)
{
	secret_random(p, n);
	return 0;
}

static void on_message(wslay_event_context_ptr wslay UNUSED,
		       const struct wslay_event_on_msg_recv_arg *arg, void *user)
{
	struct ws *ws = user;

	if (ws->freed) {
		return;
	}
	if (arg->opcode == WSLAY_TEXT_FRAME || arg->opcode == WSLAY_BINARY_FRAME) {
		ws->ops->on_message(ws, arg->opcode == WSLAY_TEXT_FRAME,
				    str_make(arg->msg, arg->msg_length));
	} else if (arg->opcode == WSLAY_CONNECTION_CLOSE) {
		ws->close_code = arg->status_code ? arg->status_code : WS_NO_STATUS;
		if (arg->msg_length > 2) { /* behind the code */
			buf_add(&ws->close_reason, arg->msg + 2, arg->msg_length - 2);
		}
	}
}

static const struct wslay_event_callbacks wslay_callbacks = {
	.recv_callback = take_input,
	.send_callback = put_output,
	.genmask_callback = make_mask,
	.on_msg_recv_callback = on_message,
};

/* --- the connection --- */

static void destroy(struct ws *ws)
{
	env_timer_stop(ws->env, &ws->closing);
	wslay_event_context_free(ws->wslay);
	mem_free(ws->protocol);
	mem_free(ws->key);
	buf_fini(&ws->offered);
	buf_fini(&ws->close_reason);
	mem_free(ws);
}

/* Tells the owner and is gone. */
static void end(struct ws *ws, int code)
{
	if (ws->stream) {
		net_stream_close(ws->stream);
		ws->stream = NULL;
	}
	if (!ws->freed) {
		ws->ops->on_close(ws, code, buf_str(&ws->close_reason));
	}
	destroy(ws);
}

/* Puts queued frames out; ends the connection when both sides have closed. False: gone. */
static bool settle(struct ws *ws)
{
	bool failed = wslay_event_send(ws->wslay) != 0;

	if (ws->freed || failed ||
	    (!wslay_event_want_read(ws->wslay) && !wslay_event_want_write(ws->wslay))) {
		end(ws, ws->close_code);
		return false;
	}
	return true;
}

static size_t ws_on_data(struct net_stream *s, const char *p, size_t n)
{
	struct ws *ws = net_stream_ctx(s);
	bool failed;

	ws->in = p;
	ws->in_n = n;
	ws->running = true;
	failed = wslay_event_recv(ws->wslay) != 0;
	ws->running = false;
	ws->in_n = 0;
	if (failed) {
		(void)wslay_event_send(ws->wslay); /* it has queued a close frame */
		end(ws, WS_ABNORMAL);
	} else {
		settle(ws);
	}
	return n;
}

static void ws_on_drain(struct net_stream *s)
{
	struct ws *ws = net_stream_ctx(s);

	if (ws->ops->on_drain) {
		ws->ops->on_drain(ws);
	}
}

static void ws_on_close(struct net_stream *s, int code UNUSED, const char *why UNUSED)
{
	struct ws *ws = net_stream_ctx(s);

	ws->stream = NULL;
	end(ws, ws->close_code);
}

static const struct net_stream_ops stream_ops = {
	.on_data = ws_on_data,
	.on_drain = ws_on_drain,
	.on_close = ws_on_close,
};

static void handle_close_timeout(struct env_timer *timer)
{
	end(CONTAINER_OF(timer, struct ws, closing), WS_ABNORMAL);
}

static struct ws *ws_new(size_t max_message, const struct ws_ops *ops, void *ctx, bool is_client)
{
	struct ws *ws = NEW(struct ws);
	int rc = is_client ? wslay_event_context_client_init(&ws->wslay, &wslay_callbacks, ws)
			   : wslay_event_context_server_init(&ws->wslay, &wslay_callbacks, ws);

	ASSERT(rc == 0 && ops->on_message && ops->on_close);
	wslay_event_config_set_max_recv_msg_length(ws->wslay, max_message);
	ws->ops = ops;
	ws->ctx = ctx;
	ws->close_code = WS_ABNORMAL;
	ws->closing.fn = handle_close_timeout;
	return ws;
}

/* RFC 6455 §4.2.2: proves that the other side speaks WebSocket. */
static void add_accept_key(struct buf *out, struct str key)
{
	struct buf text CLEANUP_BUF = {0};
	unsigned char hash[SHA_DIGEST_LENGTH];

	buf_add_str(&text, key);
	buf_puts(&text, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
	SHA1((const unsigned char *)text.p, text.n, hash);
	base64_encode(out, str_make(hash, sizeof(hash)));
}

/* --- server --- */

bool ws_is_request(const struct http_request *req)
{
	return http_wants_upgrade(req, STR("websocket"));
}

static bool is_valid_key(struct str key)
{
	struct buf bytes CLEANUP_BUF = {0};

	return key.p && base64_decode(&bytes, key) == 0 && bytes.n == 16;
}

/* The first that the client names. */
static struct str choose_protocol(const struct http_request *req, const struct str *protocols,
				  size_t n)
{
	for (size_t h = 0; h < req->n_headers; h++) {
		struct str rest = req->headers[h].value;
		struct str offered;

		if (!str_is(req->headers[h].name, "sec-websocket-protocol")) {
			continue;
		}
		while (str_cut(&rest, ',', &offered)) {
			for (size_t i = 0; i < n; i++) {
				if (str_eq(str_trim(offered), protocols[i])) {
					return protocols[i];
				}
			}
		}
	}
	return STR_NULL;
}

int ws_accept(struct http_request *req, const struct str *protocols, size_t n_protocols,
	      size_t max_message, const struct ws_ops *ops, void *ctx, struct ws **ret,
	      struct err *err)
{
	struct str key = http_get_header(req, STR("sec-websocket-key"));
	struct str chosen = choose_protocol(req, protocols, n_protocols);
	struct http_header headers[3] = {HTTP_HEADER("Upgrade", STR("websocket"))};
	struct buf accept_key CLEANUP_BUF = {0};
	struct ws *ws;
	int rc;

	if (!str_is(req->method, "GET") || !is_valid_key(key) ||
	    !str_is(http_get_header(req, STR("sec-websocket-version")), "13")) {
		return err_set(err, ERR_PROTOCOL,
			       "not a WebSocket handshake of version 13 (GET, Sec-WebSocket-Key of "
			       "16 bytes)");
	}
	if (n_protocols && !chosen.p) {
		return err_set(err, ERR_UNSUPPORTED,
			       "none of the WebSocket sub-protocols offered is supported: '%.*s'",
			       STR_ARG(http_get_header(req, STR("sec-websocket-protocol"))));
	}
	add_accept_key(&accept_key, key);
	headers[1] = HTTP_HEADER("Sec-WebSocket-Accept", buf_str(&accept_key));
	headers[2] = HTTP_HEADER("Sec-WebSocket-Protocol", chosen);
	ws = ws_new(max_message, ops, ctx, false);
	rc = http_upgrade(req, headers, chosen.p ? 3 : 2, &stream_ops, ws, &ws->stream);
	if (rc < 0) {
		wslay_event_context_free(ws->wslay);
		mem_free(ws);
		return err_set(err, rc, "the request cannot be upgraded to a WebSocket");
	}
	ws->env = net_env(net_stream_net(ws->stream));
	ws->protocol = str_dup_cstr(chosen);
	*ret = ws;
	return 0;
}

/* --- client --- */

static void refused(struct ws *ws, const struct http_response *response, int code, const char *why)
{
	ws->call = NULL;
	if (!ws->freed && ws->ops->on_refused) {
		ws->ops->on_refused(ws, response, code, why);
	}
	destroy(ws);
}

static void call_on_end(struct http_call *call, const struct http_response *response, int code,
			const char *why)
{
	refused(http_call_ctx(call), response, code ? code : ERR_PROTOCOL,
		why ? why : "the server answered the WebSocket handshake with another response");
}

static bool is_accepted(struct ws *ws, const struct http_response *r)
{
	struct buf want CLEANUP_BUF = {0};
	struct str chosen =
		http_header_find(r->headers, r->n_headers, STR("sec-websocket-protocol"));
	struct str rest = buf_str(&ws->offered);
	struct str offered;
	bool found = !chosen.p;

	add_accept_key(&want, str_of(ws->key));
	while (!found && str_cut(&rest, ',', &offered)) {
		found = str_eq(str_trim(offered), chosen);
	}
	ws->protocol = str_dup_cstr(chosen);
	return found &&
	       str_eq(http_header_find(r->headers, r->n_headers, STR("sec-websocket-accept")),
		      buf_str(&want)) &&
	       http_header_has_token(r->headers, r->n_headers, STR("upgrade"), STR("websocket"));
}

static void call_on_upgrade(struct http_call *call, const struct http_response *response,
			    struct net_stream *stream)
{
	struct ws *ws = http_call_ctx(call);

	if (!is_accepted(ws, response)) {
		net_stream_abort(stream);
		refused(ws, response, ERR_PROTOCOL, "the server's WebSocket handshake is wrong");
		return;
	}
	ws->call = NULL;
	ws->stream = stream;
	net_stream_set_owner(stream, &stream_ops, ws);
	if (ws->ops->on_open) {
		ws->running = true;
		ws->ops->on_open(ws);
		ws->running = false;
		settle(ws);
	}
}

static const struct http_call_ops call_ops = {.on_end = call_on_end, .on_upgrade = call_on_upgrade};

static char *make_key(void)
{
	unsigned char bytes[16];
	struct buf key = {0};

	secret_random(bytes, sizeof(bytes));
	base64_encode(&key, str_make(bytes, sizeof(bytes)));
	return buf_steal(&key);
}

struct ws *ws_connect(struct http_client *client, struct str path,
		      const struct http_header *headers, size_t n_headers,
		      const struct str *protocols, size_t n_protocols, size_t max_message,
		      const struct ws_ops *ops, void *ctx)
{
	struct ws *ws = ws_new(max_message, ops, ctx, true);
	struct http_header *all = mem_new_array(n_headers + 5, sizeof(*all));
	size_t n = 0;

	ASSERT(ops->on_refused);
	ws->key = make_key();
	ws->env = http_client_env(client);
	for (size_t i = 0; i < n_protocols; i++) {
		buf_add_str(&ws->offered, i ? STR(", ") : STR(""));
		buf_add_str(&ws->offered, protocols[i]);
	}
	for (; n < n_headers; n++) {
		all[n] = headers[n];
	}
	all[n++] = HTTP_HEADER("Connection", STR("Upgrade"));
	all[n++] = HTTP_HEADER("Upgrade", STR("websocket"));
	all[n++] = HTTP_HEADER("Sec-WebSocket-Version", STR("13"));
	all[n++] = HTTP_HEADER("Sec-WebSocket-Key", str_of(ws->key));
	if (n_protocols) {
		all[n++] = HTTP_HEADER("Sec-WebSocket-Protocol", buf_str(&ws->offered));
	}
	ws->call = http_call_start(client,
				   &(struct http_call_opts){.method = STR("GET"),
							    .path = path,
							    .headers = all,
							    .n_headers = n,
							    .header_timeout_ms = 30000,
							    .timeout_ms = 35000,
							    .upgrade = true},
				   &call_ops, ws);
	mem_free(all);
	return ws;
}

/* --- the owner's side --- */

void *ws_ctx(const struct ws *ws)
{
	return ws->ctx;
}

struct str ws_protocol(const struct ws *ws)
{
	return str_of(ws->protocol);
}

/* Frames that are queued while wslay works above us go out when it has returned. */
static void put_out(struct ws *ws)
{
	if (!ws->running && ws->stream) {
		(void)wslay_event_send(ws->wslay);
	}
}

static void queue(struct ws *ws, uint8_t opcode, struct str message)
{
	const struct wslay_event_msg msg = {opcode, (const uint8_t *)message.p, message.n};

	/* Refused after a close frame: nobody listens any more. */
	(void)wslay_event_queue_msg(ws->wslay, &msg);
	put_out(ws);
}

void ws_send(struct ws *ws, bool is_text, struct str message)
{
	queue(ws, is_text ? WSLAY_TEXT_FRAME : WSLAY_BINARY_FRAME, message);
}

void ws_send2(struct ws *ws, bool is_text, struct str head, struct str message)
{
	struct buf both CLEANUP_BUF = {0};

	buf_reserve(&both, head.n + message.n);
	buf_add_str(&both, head);
	buf_add_str(&both, message);
	ws_send(ws, is_text, buf_str(&both));
}

void ws_ping(struct ws *ws)
{
	queue(ws, WSLAY_PING, STR(""));
}

size_t ws_pending_bytes(const struct ws *ws)
{
	return ws->stream ? net_stream_pending_bytes(ws->stream) : 0;
}

void ws_pause(struct ws *ws)
{
	if (ws->stream) {
		net_stream_pause(ws->stream);
	}
}

void ws_resume(struct ws *ws)
{
	if (ws->stream) {
		net_stream_resume(ws->stream);
	}
}

void ws_close(struct ws *ws, int code, struct str reason)
{
	reason = str_sub(reason, 0, CLOSE_REASON_MAX);
	(void)wslay_event_queue_close(ws->wslay, (uint16_t)code,
				      (const uint8_t *)(reason.p ? reason.p : ""), reason.n);
	put_out(ws);
	env_timer_start_in(ws->env, &ws->closing, CLOSE_TIMEOUT_MS * NS_PER_MS);
}

void ws_free(struct ws *ws)
{
	if (!ws) {
		return;
	}
	if (ws->call) {
		http_call_cancel(ws->call);
		destroy(ws);
		return;
	}
	if (!wslay_event_get_close_sent(ws->wslay)) {
		(void)wslay_event_queue_close(ws->wslay, WS_NORMAL, NULL, 0);
	}
	ws->freed = true;
	if (!ws->running) {
		(void)wslay_event_send(ws->wslay);
		end(ws, WS_NORMAL);
	}
}
