/* SPDX-License-Identifier: Apache-2.0 */
/* The server's HTTP/2 against nghttp2's own client, which does what a well-meaning client never would, and against curl. */
#include "http/test_rig.h"

#include <nghttp2/nghttp2.h>

#include "crypto/secret.h"

struct held {
	struct http_request *reqs[4000];
	size_t n;
	int requests, closed;
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
		http_respond_text(req, 200, STR("text/plain"),
				  arena_printf(req->arena, "%zu bytes\n", body.n));
	}
}

static void handle(void *ctx, struct http_request *req)
{
	struct held *held = ctx;

	held->requests++;
	req->data = held;
	http_on_close(req, on_close);
	if (str_is(req->path, "/hold")) {
		held->reqs[held->n++] = req;
	} else if (str_is(req->path, "/post")) {
		http_read_body(req, 1 << 20, on_body);
	} else {
		http_respond_text(req, 200, STR("text/plain"),
				  arena_printf(req->arena, "%.*s %.*s v%d %.*s\n",
					       STR_ARG(req->method), STR_ARG(req->path),
					       req->version, STR_ARG(req->host)));
	}
}

/* A client session over a raw connection. */
struct h2_client {
	struct raw raw;
	nghttp2_session *session;
	int goaway; /* its code, or -1 */
	int last_status, statuses, closed;
	uint32_t last_close_code;
};

static ssize_t send_raw(nghttp2_session *session UNUSED, const uint8_t *p, size_t n,
			int flags UNUSED, void *user)
{
	struct h2_client *c = user;

	raw_send(&c->raw, str_make(p, n));
	return (ssize_t)n;
}

static int on_frame(nghttp2_session *session UNUSED, const nghttp2_frame *frame, void *user)
{
	struct h2_client *c = user;

	if (frame->hd.type == NGHTTP2_GOAWAY) {
		c->goaway = (int)frame->goaway.error_code;
	}
	return 0;
}

static int on_header(nghttp2_session *session UNUSED, const nghttp2_frame *frame UNUSED,
		     const uint8_t *name, size_t name_n, const uint8_t *value, size_t value_n,
		     uint8_t flags UNUSED, void *user)
{
	struct h2_client *c = user;
	int64_t status;

	if (str_is(str_make(name, name_n), ":status") &&
	    str_to_int64(str_make(value, value_n), &status) == 0) {
		c->last_status = (int)status;
		c->statuses++;
	}
	return 0;
}

static int on_stream_close(nghttp2_session *session UNUSED, int32_t id UNUSED, uint32_t code,
			   void *user)
{
	struct h2_client *c = user;

	c->closed++;
	c->last_close_code = code;
	return 0;
}

static void h2_open(struct rig *rig, struct h2_client *c)
{
	nghttp2_session_callbacks *cb;

	*c = (struct h2_client){.goaway = -1};
	nghttp2_session_callbacks_new(&cb);
	nghttp2_session_callbacks_set_send_callback(cb, send_raw);
	nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
	nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
	nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_stream_close);
	nghttp2_session_client_new(&c->session, cb, c);
	nghttp2_session_callbacks_del(cb);
	nghttp2_submit_settings(c->session, 0, NULL, 0);
	raw_open(rig, &c->raw, NULL);
}

static void h2_close(struct h2_client *c)
{
	nghttp2_session_del(c->session);
	raw_close(&c->raw);
}

static void h2_pump(struct rig *rig, struct h2_client *c)
{
	nghttp2_session_send(c->session);
	rig_pump_once(rig);
	if (c->raw.in.n) {
		struct buf in = c->raw.in;

		c->raw.in = (struct buf){0};
		assert_true(nghttp2_session_mem_recv(c->session, (const uint8_t *)in.p, in.n) >= 0);
		buf_fini(&in);
	}
}

#define H2_PUMP_UNTIL(rig, c, cond)                                                                \
	do {                                                                                       \
		env_timer_start_in(loop_env((rig)->loop), &(rig)->guard, 20 * NS_PER_SEC);         \
		while (!(cond)) {                                                                  \
			h2_pump(rig, c);                                                           \
		}                                                                                  \
		env_timer_stop(loop_env((rig)->loop), &(rig)->guard);                              \
	} while (0)

#define NV(n, v)                                                                                   \
	{                                                                                          \
		(uint8_t *)(uintptr_t)(n), (uint8_t *)(uintptr_t)(v), strlen(n), strlen(v), 0      \
	}

static int32_t h2_get(struct h2_client *c, const char *path, size_t junk_headers)
{
	nghttp2_nv *nva = mem_new_array(junk_headers + 4, sizeof(*nva));
	const nghttp2_nv head[] = {NV(":method", "GET"), NV(":scheme", "http"),
				   NV(":authority", "a"), NV(":path", path)};
	const nghttp2_nv junk = NV(
		"x-junk", "0123456789012345678901234567890123456789012345678901234567890123456789");
	int32_t id;

	memcpy(nva, head, sizeof(head));
	for (size_t i = 0; i < junk_headers; i++) {
		nva[4 + i] = junk;
	}
	id = nghttp2_submit_request(c->session, NULL, nva, junk_headers + 4, NULL, NULL);
	mem_free(nva);
	return id;
}

static void begin(struct rig *rig, struct held *held, bool tls)
{
	*held = (struct held){0};
	rig_init(rig,
		 (struct http_server_opts){
			 .on_request = handle, .ctx = held, .idle_timeout_ms = 300},
		 tls);
}

TEST(requests_are_answered_and_idle_connections_get_goaway)
{
	struct rig rig;
	struct held *held = NEW(struct held);
	struct h2_client c;

	begin(&rig, held, false);
	h2_open(&rig, &c);
	h2_get(&c, "/a", 3);
	h2_get(&c, "/b", 0);
	H2_PUMP_UNTIL(&rig, &c, c.closed == 2);
	assert_int_equal(c.last_status, 200);
	H2_PUMP_UNTIL(&rig, &c, c.raw.eof);
	assert_int_equal(c.goaway, NGHTTP2_NO_ERROR);
	h2_close(&c);
	rig_fini(&rig);
	mem_free(held);
}

TEST(rapid_resets_end_in_enhance_your_calm_and_bounded_work)
{
	struct rig rig;
	struct held *held = NEW(struct held);
	struct h2_client c;

	begin(&rig, held, false);
	h2_open(&rig, &c);
	for (int i = 0; i < 3000 && c.goaway < 0 && !c.raw.eof; i++) {
		int32_t id = h2_get(&c, "/hold", 0);

		h2_pump(&rig, &c);
		nghttp2_submit_rst_stream(c.session, 0, id, NGHTTP2_CANCEL);
		h2_pump(&rig, &c);
		if (i == 900) {
			/* twice the stream limit: whoever resets may not have more handlers at work than that */
			assert_true(held->n <= 200);
			assert_int_equal(c.goaway, -1);
		}
	}
	H2_PUMP_UNTIL(&rig, &c, c.goaway >= 0);
	assert_int_equal(c.goaway, NGHTTP2_ENHANCE_YOUR_CALM);
	H2_PUMP_UNTIL(&rig, &c, c.raw.eof);
	for (size_t i = 0; i < held->n; i++) {
		assert_true(http_is_closed(held->reqs[i]));
		http_respond_text(held->reqs[i], 200, STR("x"), STR("x"));
	}
	assert_int_equal(http_server_stats(rig.srv).requests, 0);
	h2_close(&c);
	rig_fini(&rig);
	mem_free(held);
}

TEST(streams_beyond_the_limit_are_refused)
{
	struct rig rig;
	struct held *held = NEW(struct held);
	struct h2_client c;

	begin(&rig, held, false);
	h2_open(&rig, &c);
	/* before the server's SETTINGS are known, the client may try */
	for (int i = 0; i < 120; i++) {
		h2_get(&c, "/hold", 0);
	}
	H2_PUMP_UNTIL(&rig, &c, held->n == 100);
	H2_PUMP_UNTIL(&rig, &c, c.closed == 0 || c.last_close_code == NGHTTP2_REFUSED_STREAM);
	assert_int_equal(held->requests, 100);
	for (size_t i = 0; i < 100; i++) {
		http_respond_text(held->reqs[i], 200, STR("x"), STR("x"));
	}
	H2_PUMP_UNTIL(&rig, &c, c.statuses >= 100);
	h2_close(&c);
	for (size_t i = 100; i < held->n; i++) {
		http_respond_text(held->reqs[i], 200, STR("x"), STR("x"));
	}
	rig_fini(&rig);
	mem_free(held);
}

TEST(oversized_headers_get_431)
{
	for (int kind = 0; kind < 2; kind++) {
		struct rig rig;
		struct held *held = NEW(struct held);
		struct h2_client c;

		begin(&rig, held, false);
		h2_open(&rig, &c);
		if (kind == 0) {
			h2_get(&c, "/x", 300);
		} else {
			/* more than 64 KB with the 32 bytes per field that count on top */
			char *path = mem_new(62000);

			memset(path, 'p', 60000);
			path[0] = '/';
			h2_get(&c, path, 60);
			mem_free(path);
		}
		H2_PUMP_UNTIL(&rig, &c, c.closed == 1);
		assert_int_equal(c.last_status, 431);
		assert_int_equal(held->requests, 0);
		h2_close(&c);
		rig_fini(&rig);
		mem_free(held);
	}
}

TEST(bad_targets_get_400)
{
	static const char *const paths[] = {"x", "/a b", "*"};

	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		struct rig rig;
		struct held *held = NEW(struct held);
		struct h2_client c;

		begin(&rig, held, false);
		h2_open(&rig, &c);
		h2_get(&c, paths[i], 0);
		H2_PUMP_UNTIL(&rig, &c, c.closed == 1);
		assert_true(c.last_status == 400 || c.last_close_code == NGHTTP2_PROTOCOL_ERROR);
		assert_int_equal(held->requests, 0);
		h2_close(&c);
		rig_fini(&rig);
		mem_free(held);
	}
}

TEST(garbage_behind_the_preface_closes_the_connection)
{
	static const char *const garbage[] = {
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nGET / HTTP/1.1\r\n\r\n",
		"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", "PRJ",
		"PRI nonsense nonsense nonsense nonsense"};

	for (size_t i = 0; i < ARRAY_LEN(garbage); i++) {
		struct rig rig;
		struct held *held = NEW(struct held);
		struct raw raw;

		begin(&rig, held, false);
		raw_open(&rig, &raw, NULL);
		raw_send(&raw, str_of(garbage[i]));
		PUMP_UNTIL(&rig, raw.eof);
		assert_int_equal(held->requests, 0);
		raw_close(&raw);
		rig_fini(&rig);
		mem_free(held);
	}
}

static const struct {
	const char *args[6]; /* besides the certificate; the URL's scheme, host and path follow */
	const char *scheme, *host, *path;
	const char *want; /* what the output begins with */
} curl_cases[] = {
	{{"--http1.1"}, "https", "localhost", "/one", "GET /one v1 localhost:"},
	{{"--http2", "-X", "DELETE"}, "https", "127.0.0.1", "/two", "DELETE /two v2 127.0.0.1:"},
	{{"--http2", "--data-binary", "@small"}, "https", "localhost", "/post", "1000000 bytes\n"},
	{{"--http1.1", "-H", "Transfer-Encoding: chunked", "--data-binary", "@small"},
	 "https",
	 "localhost",
	 "/post",
	 "1000000 bytes\n"},
	{{"--http2", "--data-binary", "@large"}, "https", "localhost", "/post", "limit exceeded"},
	{{"--http1.1", "--data-binary", "@large"}, "https", "localhost", "/post", "limit exceeded"},
	{{"--http1.1"},
	 "http",
	 "localhost",
	 "/",
	 "Client sent an HTTP request to an HTTPS server.\n"},
};

TEST(curl_speaks_both_versions_over_tls)
{
	char dir[] = "/tmp/http_test-XXXXXX";
	struct held *held = NEW(struct held);
	char *zeros = mem_new(2000000);
	char was[4096];
	struct rig rig;

	begin(&rig, held, true);
	assert_non_null(getcwd(was, sizeof(was)));
	assert_true(mkdtemp(dir) && chdir(dir) == 0);
	assert_int_equal(secret_file_write("ca", str_of(rig.ca.cert), true, NULL), 0);
	assert_int_equal(secret_file_write("small", str_make(zeros, 1000000), true, NULL), 0);
	assert_int_equal(secret_file_write("large", str_make(zeros, 2000000), true, NULL), 0);
	for (size_t i = 0; i < ARRAY_LEN(curl_cases); i++) {
		const char *argv[16] = {"curl", "-sS", "--cacert", "ca"};
		size_t n = 4;
		char url[100];
		struct buf out;

		for (size_t k = 0; curl_cases[i].args[k]; k++) {
			argv[n++] = curl_cases[i].args[k];
		}
		snprintf(url, sizeof(url), "%s://%s:%u%s", curl_cases[i].scheme, curl_cases[i].host,
			 net_addr_port(http_server_addr(rig.srv, 0)), curl_cases[i].path);
		argv[n] = url;
		out = rig_run(&rig, argv);
		if (!str_has_prefix(buf_str(&out), str_of(curl_cases[i].want))) {
			print_error("case %zu: got %.*s\n", i, STR_ARG(buf_str(&out)));
			fail();
		}
		buf_fini(&out);
	}
	unlink("ca");
	unlink("small");
	unlink("large");
	assert_true(chdir(was) == 0 && rmdir(dir) == 0);
	rig_fini(&rig);
	mem_free(held);
	mem_free(zeros);
}

TEST(certificates_can_be_changed_for_new_connections)
{
	struct rig rig;
	struct held *held = NEW(struct held);
	struct x509_pem ca = {0};
	struct tls_ctx *tls, *client_tls;
	struct raw before, after;

	begin(&rig, held, true);
	assert_int_equal(tls_client_new(&(struct tls_client_opts){.ca_pem = str_of(rig.ca.cert)},
					&client_tls, NULL),
			 0);
	raw_open(&rig, &before, client_tls);
	assert_true(before.ready);
	assert_int_equal(x509_make_ca(STR("other"), time(NULL), 3600, &ca, NULL), 0);
	assert_int_equal(tls_server_new(&(struct tls_server_opts){.cert_pem = str_of(ca.cert),
								  .key_pem = str_of(ca.key)},
					&tls, NULL),
			 0);
	http_server_set_tls(rig.srv, tls);
	tls_ctx_unref(tls);
	raw_open(&rig, &after, client_tls);
	assert_false(after.ready);
	raw_send(&before, STR("GET /still HTTP/1.1\r\nHost: a\r\n\r\n"));
	PUMP_UNTIL(&rig, raw_has(&before, "GET /still"));
	raw_close(&before);
	raw_close(&after);
	tls_ctx_unref(client_tls);
	x509_pem_fini(&ca);
	rig_fini(&rig);
	mem_free(held);
}

TEST_MAIN(requests_are_answered_and_idle_connections_get_goaway,
	  rapid_resets_end_in_enhance_your_calm_and_bounded_work,
	  streams_beyond_the_limit_are_refused, oversized_headers_get_431, bad_targets_get_400,
	  garbage_behind_the_preface_closes_the_connection, curl_speaks_both_versions_over_tls,
	  certificates_can_be_changed_for_new_connections)
