/* SPDX-License-Identifier: Apache-2.0 */
/* What clients see, with a real nginx. */
#include "ingress/ingress.h"

#include <openssl/ssl.h>

#include "ingress/certificates.h"
#include "ingress/testbed.h"

#define ANNOTATION(name, value)                                                                    \
	{                                                                                          \
		"nginx.ingress.kubernetes.io/" name, value                                         \
	}
#define CLASS                                                                                      \
	{                                                                                          \
		"kubernetes.io/ingress.class", "nginx"                                             \
	}

static void start_with(struct rig *rig, const struct ingress_case *cases, size_t n)
{
	rig_start(rig);
	for (size_t i = 0; i < n; i++) {
		rig_set(rig, &cases[i]);
	}
}

static void settle(struct rig *rig)
{
	ingress_synced(rig->ic);
	WAIT(rig, ingress_is_current(rig->ic));
}

TEST(requests_reach_the_backend_of_their_host_and_path)
{
	static const struct ingress_case cases[] = {
		{.name = "a",
		 .annotations = {CLASS},
		 .paths = {{"a.example", "/", NULL, "one"},
			   {"a.example", "/api", "Prefix", "two"},
			   {"a.example", "/raw", "ImplementationSpecific", "two"},
			   {"a.example", "/only", "Exact", "two"},
			   {"*.w.example", "/", NULL, "two"},
			   {"b.example", "/p", NULL, "two"},
			   {"a.example", "/x \"y\\z;}", NULL, "two"},
			   {"a.example", "/empty", NULL, "none"}}},
		{.name = "any", .annotations = {CLASS}, .paths = {{"", "/any", NULL, "two"}}},
		{.name = "foreign",
		 .class_name = "other",
		 .paths = {{"f.example", "/", NULL, "one"}}},
		{.name = "ours",
		 .class_name = "nginx",
		 .paths = {{"o.example", "/", NULL, "one", 0, "http"}}},
		{.name = "unnamed", .paths = {{"u.example", "/", NULL, "one"}}},
	};
	static const struct {
		const char *host, *path;
		int status;
		const char *backend; /* "one " or "two " */
	} requests[] = {
		{"a.example", "/", 200, "one "},
		{"a.example", "/other", 200, "one "},
		{"a.example", "/api", 200, "two "},
		{"a.example", "/api/x", 200, "two "},
		{"a.example", "/apis", 200, "one "},
		{"a.example", "/rawest", 200, "two "},
		{"a.example", "/only", 200, "two "},
		{"a.example", "/only/x", 200, "one "},
		{"A.Example:80", "/", 200, "one "},
		{"x.w.example", "/", 200, "two "},
		{"x.y.w.example", "/", 404, NULL},
		{"w.example", "/", 404, NULL},
		{"b.example", "/", 404, NULL},
		{"b.example", "/p", 200, "two "},
		{"nobody.example", "/", 404, NULL},
		{"nobody.example", "/any", 200, "two "},
		{"a.example", "/any", 200, "one "},
		{"f.example", "/", 404, NULL},
		{"o.example", "/", 200, "one "},
		{"u.example", "/", 200, "one "},
		{"a.example", "/empty", 503, NULL},
		{"a.example", "/x%20%22y%5Cz;%7D/t", 200, "two "},
		{"a.example", "/a%2fb?q=%20", 200, "one GET /a%2fb?q=%20 HTTP/1.1"},
	};
	struct backend one, two, *list[] = {&one, &two};
	struct rig rig;

	backend_start(&one, "one");
	backend_start(&two, "two");
	start_with(&rig, cases, ARRAY_LEN(cases));
	rig_set_class(&rig, "nginx", "k8s.io/ingress-nginx", true);
	rig_set_class(&rig, "other", "example.com/other", false);
	rig_serve(&rig, "one", &list[0], 1);
	rig_serve(&rig, "two", &list[1], 1);
	rig_serve(&rig, "none", NULL, 0);
	settle(&rig);
	for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
		struct reply reply;

		fetch(rig.http, &(struct ask){.host = requests[i].host, .path = requests[i].path},
		      &reply);
		if (reply.status != requests[i].status ||
		    (requests[i].backend && !reply_has(&reply, requests[i].backend))) {
			print_error("%s %s: %.*s\n", requests[i].host, requests[i].path,
				    STR_ARG(buf_str(&reply.text)));
			fail();
		}
		buf_fini(&reply.text);
	}
	rig_stop(&rig);
	backend_stop(&one);
	backend_stop(&two);
}

TEST(the_backend_learns_who_asked_and_how)
{
	static const struct ingress_case c = {.annotations = {CLASS},
					      .paths = {{"a.example", "/", NULL, "one"}}};
	static const char *const want[] = {
		"\r\nX-Real-IP: 127.0.0.9\r\n",
		"\r\nX-Forwarded-For: 127.0.0.9\r\n",
		"\r\nX-Forwarded-Host: a.example\r\n",
		"\r\nX-Forwarded-Proto: http\r\n",
		"\r\nX-Forwarded-Scheme: http\r\n",
		"\r\nX-Scheme: http\r\n",
		"\r\nHost: a.example\r\n",
		"\r\nX-Request-ID: ",
		"\r\nX-Original-Forwarded-For: 6.6.6.6\r\n",
		"\r\nX-Forwarded-Port: ",
	};
	struct backend one, *list[] = {&one};
	struct reply reply;
	struct rig rig;

	backend_start(&one, "one");
	start_with(&rig, &c, 1);
	rig_serve(&rig, "one", list, 1);
	settle(&rig);
	fetch(rig.http,
	      &(struct ask){.from = "127.0.0.9",
			    .headers = "X-Forwarded-For: 6.6.6.6\r\nProxy: evil\r\n"},
	      &reply);
	assert_int_equal(reply.status, 200);
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		assert_true(reply_has(&reply, want[i]));
	}
	assert_false(reply_has(&reply, "evil"));
	buf_fini(&reply.text);
	fetch(rig.http, &(struct ask){.headers = "X-Request-ID: mine\r\n"}, &reply);
	assert_true(reply_has(&reply, "\r\nX-Request-ID: mine\r\n"));
	buf_fini(&reply.text);
	rig_stop(&rig);
	backend_stop(&one);
}

TEST(cors_answers_preflights_and_marks_answers_as_ingress_nginx_does)
{
	static const struct ingress_case cases[] = {
		{.name = "any",
		 .annotations = {CLASS, ANNOTATION("enable-cors", "true"),
				 ANNOTATION("cors-allow-origin", "*")},
		 .paths = {{"a.example", "/", NULL, "one"}}},
		{.name = "some",
		 .annotations = {CLASS, ANNOTATION("enable-cors", "true"),
				 ANNOTATION("cors-allow-origin",
					    "https://x.example, http://*.y.example:81"),
				 ANNOTATION("cors-expose-headers", "X-E"),
				 ANNOTATION("cors-allow-credentials", "false"),
				 ANNOTATION("cors-max-age", "7"),
				 ANNOTATION("cors-allow-methods", "GET,PUT"),
				 ANNOTATION("cors-allow-headers", "X-A,X-B")},
		 .paths = {{"b.example", "/", NULL, "one"}}},
	};
	static const char all[] =
		"\r\nAccess-Control-Allow-Origin: *\r\nAccess-Control-Allow-Credentials: true\r\n"
		"Access-Control-Allow-Methods: GET, PUT, POST, DELETE, PATCH, OPTIONS\r\n"
		"Access-Control-Allow-Headers: "
		"DNT,Keep-Alive,User-Agent,X-Requested-With,If-Modified-Since,"
		"Cache-Control,Content-Type,Range,Authorization\r\nAccess-Control-Max-Age: "
		"1728000\r\n";
	static const struct {
		const char *origin, *allowed;
	} origins[] = {
		{"https://x.example", "https://x.example"},
		{"https://X.example", "https://X.example"},
		{"http://x.example", NULL},
		{"http://z.y.example:81", "http://z.y.example:81"},
		{"http://z.y.example", NULL},
		{"http://.y.example:81", NULL},
		{"https://x.example.evil", NULL},
		{"http://evil/.y.example:81", NULL},
	};
	struct backend one, *list[] = {&one};
	struct reply reply;
	struct rig rig;

	backend_start(&one, "one");
	start_with(&rig, cases, 2);
	rig_serve(&rig, "one", list, 1);
	settle(&rig);
	fetch(rig.http,
	      &(struct ask){.method = "OPTIONS",
			    .headers =
				    "Origin: https://q.example\r\nAccess-Control-Request-Method: "
				    "PUT\r\n"},
	      &reply);
	assert_int_equal(reply.status, 204);
	assert_true(reply_has(&reply, all));
	assert_false(reply_has(&reply, "one "));
	buf_fini(&reply.text);
	fetch(rig.http, &(struct ask){0}, &reply);
	assert_int_equal(reply.status, 200);
	assert_true(reply_has(&reply, all));
	assert_false(reply_has(&reply, "Allow-Origin: backend"));
	buf_fini(&reply.text);
	for (size_t i = 0; i < ARRAY_LEN(origins); i++) {
		struct str header = arena_printf(&rig.arena, "Origin: %s\r\n", origins[i].origin);

		fetch(rig.http,
		      &(struct ask){.host = "b.example",
				    .method = "OPTIONS",
				    .headers = arena_cstr(&rig.arena, header)},
		      &reply);
		assert_int_equal(reply.status, origins[i].allowed ? 204 : 200);
		if (origins[i].allowed) {
			header = arena_printf(&rig.arena,
					      "\r\nAccess-Control-Allow-Origin: "
					      "%s\r\nAccess-Control-Allow-Methods: GET, PUT\r\n"
					      "Access-Control-Allow-Headers: "
					      "X-A,X-B\r\nAccess-Control-Expose-Headers: X-E\r\n"
					      "Access-Control-Max-Age: 7\r\n",
					      origins[i].allowed);
			assert_true(reply_has(&reply, arena_cstr(&rig.arena, header)));
		}
		buf_fini(&reply.text);
	}
	rig_stop(&rig);
	backend_stop(&one);
}

/* limit-rps 1: one at once and a burst of five; the next gets 503. Other addresses are not concerned. */
TEST(limit_rps_rejects_with_503_beyond_five_times_the_rate)
{
	static const struct ingress_case cases[] = {
		{.name = "a",
		 .annotations = {CLASS, ANNOTATION("limit-rps", "1")},
		 .paths = {{"a.example", "/", NULL, "one"}}},
		{.name = "b",
		 .annotations = {CLASS, ANNOTATION("limit-rps", "1"),
				 ANNOTATION("limit-whitelist", "127.0.0.0/29")},
		 .paths = {{"b.example", "/", NULL, "one"}}},
	};
	struct backend one, *list[] = {&one};
	struct rig rig;
	int64_t start;
	int served = 0, refused = 0;

	backend_start(&one, "one");
	start_with(&rig, cases, 2);
	rig_serve(&rig, "one", list, 1);
	settle(&rig);
	start = env_mono_ns(loop_env(rig.loop));
	for (int i = 0; i < 20; i++) {
		int status = fetch_status(rig.http, &(struct ask){.from = "127.0.0.2"});

		served += status == 200;
		refused += status == 503;
	}
	assert_int_equal(served + refused, 20);
	assert_true(refused > 0);
	/* 6, and one more for each second that the twenty took */
	assert_in_range(served, 6, 7 + (env_mono_ns(loop_env(rig.loop)) - start) / NS_PER_SEC);
	assert_int_equal(fetch_status(rig.http, &(struct ask){.from = "127.0.0.3"}), 200);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(fetch_status(rig.http, &(struct ask){.host = "b.example",
								      .from = "127.0.0.2"}),
				 200);
	}
	rig_stop(&rig);
	backend_stop(&one);
}

TEST(limit_connections_rejects_with_503_beyond_its_number)
{
	static const struct ingress_case c = {
		.annotations = {CLASS, ANNOTATION("limit-connections", "2")},
		.paths = {{"a.example", "/", NULL, "one"}}};
	struct backend one, *list[] = {&one};
	struct buf out CLEANUP_BUF = {0};
	struct rig rig;
	int fd[2];

	backend_start(&one, "one");
	start_with(&rig, &c, 1);
	rig_serve(&rig, "one", list, 1);
	settle(&rig);
	format_ask(&out, &(struct ask){.path = "/hold"}, false);
	for (int i = 0; i < 2; i++) {
		fd[i] = dial(rig.http, "127.0.0.2");
		assert_true(send_all(fd[i], buf_str(&out)));
		backend_wait_holding(&one, i + 1);
	}
	assert_int_equal(fetch_status(rig.http, &(struct ask){.from = "127.0.0.2"}), 503);
	assert_int_equal(fetch_status(rig.http, &(struct ask){.from = "127.0.0.3"}), 200);
	backend_release(&one);
	for (int i = 0; i < 2; i++) {
		struct buf in CLEANUP_BUF = {0};

		assert_true(read_message(fd[i], &in) > 0);
		assert_int_equal(status_of(buf_str(&in)), 200);
		close(fd[i]);
	}
	rig_stop(&rig);
	backend_stop(&one);
}

TEST(bodies_and_addresses_are_limited)
{
	static const struct ingress_case cases[] = {
		{.name = "a", .annotations = {CLASS}, .paths = {{"a.example", "/", NULL, "one"}}},
		{.name = "b",
		 .annotations = {CLASS, ANNOTATION("proxy-body-size", "2m"),
				 ANNOTATION("whitelist-source-range", "127.0.0.2/32")},
		 .paths = {{"b.example", "/", NULL, "one"}}},
	};
	struct str big = {NULL, (1 << 20) + 1};
	struct backend one, *list[] = {&one};
	struct rig rig;

	backend_start(&one, "one");
	start_with(&rig, cases, 2);
	rig_serve(&rig, "one", list, 1);
	settle(&rig);
	big.p = memset(arena_bytes(&rig.arena, big.n), 'x', big.n);
	assert_int_equal(fetch_status(rig.http, &(struct ask){.method = "POST", .body = big}), 413);
	assert_int_equal(fetch_status(rig.http, &(struct ask){.method = "POST",
							      .body = str_sub(big, 0, 1 << 20)}),
			 200);
	assert_int_equal(fetch_status(rig.http, &(struct ask){.host = "b.example",
							      .method = "POST",
							      .body = big,
							      .from = "127.0.0.2"}),
			 200);
	assert_int_equal(
		fetch_status(rig.http, &(struct ask){.host = "b.example", .from = "127.0.0.3"}),
		403);
	rig_stop(&rig);
	backend_stop(&one);
}

TEST(a_websocket_passes)
{
	static const struct ingress_case c = {.annotations = {CLASS},
					      .paths = {{"a.example", "/", NULL, "one"}}};
	struct backend one, *list[] = {&one};
	struct buf out CLEANUP_BUF = {0}, in CLEANUP_BUF = {0};
	struct rig rig;
	char echo[5];
	int fd;

	backend_start(&one, "one");
	start_with(&rig, &c, 1);
	rig_serve(&rig, "one", list, 1);
	settle(&rig);
	fd = dial(rig.http, NULL);
	format_ask(&out,
		   &(struct ask){.path = "/ws",
				 .headers = "Upgrade: websocket\r\nConnection: Upgrade\r\n"},
		   true);
	assert_true(send_all(fd, buf_str(&out)));
	assert_true(read_message(fd, &in) > 0);
	assert_int_equal(status_of(buf_str(&in)), 101);
	assert_true(send_all(fd, STR("hello")));
	assert_int_equal(recv(fd, echo, sizeof(echo), MSG_WAITALL), 5);
	assert_memory_equal(echo, "hello", 5);
	close(fd);
	rig_stop(&rig);
	backend_stop(&one);
}

/* The generator of the default certificate serves as ours for the test. */
static struct core_secret *make_secret(struct rig *rig, const char *name)
{
	struct core_secret *secret = ARENA_NEW(&rig->arena, struct core_secret);
	struct str path = arena_printf(&rig->arena, "%s/%s.test", rig->dir, name);
	struct err err CLEANUP_ERR = {0};
	char *text = arena_bytes(&rig->arena, 8192);
	FILE *file;
	struct str pem;

	assert_int_equal(certificate_write_default(arena_cstr(&rig->arena, path), &err), 0);
	file = fopen(arena_cstr(&rig->arena, path), "r");
	pem = str_make(text, fread(text, 1, 8192, file));
	fclose(file);
	secret->metadata.namespace = STR("default");
	secret->metadata.name = str_of(name);
	secret->type = STR("kubernetes.io/tls");
	secret->data.p = ARENA_ARRAY(&rig->arena, 2, struct str_pair);
	secret->data.p[0] = (struct str_pair){STR("tls.crt"), pem};
	secret->data.p[1] = (struct str_pair){STR("tls.key"), pem};
	secret->data.n = 2;
	return secret;
}

/* Serial number of the certificate that nginx shows for a name, in hex; and the answer to a GET. */
static struct str tls_get(struct rig *rig, const char *name, struct buf *answer)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl = SSL_new(ctx);
	int fd = dial(rig->https, NULL), n;
	char request[256], chunk[4096];
	X509 *cert;
	BIGNUM *serial;
	char *hex;
	struct str ret;

	SSL_set_fd(ssl, fd);
	SSL_set_tlsext_host_name(ssl, name);
	assert_int_equal(SSL_connect(ssl), 1);
	cert = SSL_get1_peer_certificate(ssl);
	serial = ASN1_INTEGER_to_BN(X509_get0_serialNumber(cert), NULL);
	hex = BN_bn2hex(serial);
	ret = arena_str(&rig->arena, str_of(hex));
	n = snprintf(request, sizeof(request),
		     "GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", name);
	assert_int_equal(SSL_write(ssl, request, n), n);
	while ((n = SSL_read(ssl, chunk, sizeof(chunk))) > 0) {
		buf_add(answer, chunk, (size_t)n);
	}
	OPENSSL_free(hex);
	BN_free(serial);
	X509_free(cert);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	close(fd);
	return ret;
}

static struct str tls_serial(struct rig *rig, const char *name)
{
	struct buf answer CLEANUP_BUF = {0};

	return tls_get(rig, name, &answer);
}

TEST(each_host_shows_its_own_certificate_and_http_is_redirected)
{
	static const struct ingress_case cases[] = {
		{.name = "a",
		 .annotations = {CLASS},
		 .tls_host = "a.example",
		 .tls_secret = "a-cert",
		 .paths = {{"a.example", "/", NULL, "one"}}},
		{.name = "w",
		 .annotations = {CLASS},
		 .tls_host = "*.w.example",
		 .tls_secret = "w-cert",
		 .paths = {{"*.w.example", "/", NULL, "one"}}},
		{.name = "m",
		 .annotations = {CLASS},
		 .tls_host = "m.example",
		 .tls_secret = "missing",
		 .paths = {{"m.example", "/", NULL, "one"}}},
		{.name = "p", .annotations = {CLASS}, .paths = {{"p.example", "/", NULL, "one"}}},
	};
	struct backend one, *list[] = {&one};
	struct str default_serial, a_serial, w_serial, location;
	struct buf answer CLEANUP_BUF = {0};
	struct reply reply;
	struct rig rig;

	backend_start(&one, "one");
	start_with(&rig, cases, ARRAY_LEN(cases));
	rig_serve(&rig, "one", list, 1);
	ingress_set_secret(rig.ic, make_secret(&rig, "a-cert"));
	ingress_set_secret(rig.ic, make_secret(&rig, "w-cert"));
	settle(&rig);
	default_serial = tls_serial(&rig, "nobody.example");
	a_serial = tls_get(&rig, "a.example", &answer);
	w_serial = tls_serial(&rig, "x.w.example");
	assert_int_equal(status_of(buf_str(&answer)), 200);
	assert_true(str_contains(buf_str(&answer), STR("\r\nX-Forwarded-Proto: https\r\n")));
	assert_true(str_contains(
		buf_str(&answer),
		STR("\r\nStrict-Transport-Security: max-age=31536000; includeSubDomains\r\n")));
	assert_false(str_eq(a_serial, default_serial) || str_eq(w_serial, default_serial) ||
		     str_eq(a_serial, w_serial));
	EXPECT_STR(tls_serial(&rig, "m.example"), arena_cstr(&rig.arena, default_serial));
	assert_true(str_contains(buf_str(&rig.events),
				 STR("default/m SecretNotFound Secret default/missing ")));

	fetch(rig.http, &(struct ask){.path = "/x?y=1"}, &reply);
	location =
		arena_printf(&rig.arena, "\r\nLocation: https://a.example:%d/x?y=1\r\n", rig.https);
	assert_int_equal(reply.status, 308);
	assert_true(reply_has(&reply, arena_cstr(&rig.arena, location)));
	buf_fini(&reply.text);
	assert_int_equal(fetch_status(rig.http, &(struct ask){.host = "p.example"}), 200);

	/* Renewed: without a reload. */
	ingress_set_secret(rig.ic, make_secret(&rig, "a-cert-2"));
	struct core_secret *renewed = make_secret(&rig, "a-cert-3");
	renewed->metadata.name = STR("a-cert");
	ingress_set_secret(rig.ic, renewed);
	WAIT(&rig, ingress_is_current(rig.ic));
	assert_false(str_eq(tls_serial(&rig, "a.example"), a_serial));
	ingress_remove_secret(rig.ic, STR("default"), STR("a-cert"));
	WAIT(&rig, ingress_is_current(rig.ic));
	EXPECT_STR(tls_serial(&rig, "a.example"), arena_cstr(&rig.arena, default_serial));
	rig_stop(&rig);
	backend_stop(&one);
}

TEST(hostile_annotations_answer_503_with_an_event_and_harm_nobody_else)
{
	static const char *const values[] = {"\"; return 200 \"owned",
					     "1;}",
					     "\n} server { listen 1; }",
					     "$pid",
					     "'\\\"",
					     "*\"; }"};
	static const char *const names[] = {"cors-allow-origin", "limit-rps", "proxy-body-size",
					    "cors-allow-headers", "whitelist-source-range"};
	struct backend one, *list[] = {&one};
	struct rig rig;

	backend_start(&one, "one");
	rig_start(&rig);
	rig_serve(&rig, "one", list, 1);
	rig_set(&rig, &(struct ingress_case){.name = "good",
					     .annotations = {CLASS},
					     .paths = {{"a.example", "/", NULL, "one"}}});
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		struct str name = arena_printf(&rig.arena, "bad-%zu", i),
			   host = arena_printf(&rig.arena, "bad-%zu.example", i);
		struct ingress_case c = {
			.name = arena_cstr(&rig.arena, name),
			.annotations = {CLASS},
			.paths = {{arena_cstr(&rig.arena, host), "/", NULL, "one"}}};

		for (size_t j = 0; j < ARRAY_LEN(names); j++) {
			c.annotations[1 + j][0] = arena_cstr(
				&rig.arena,
				arena_printf(&rig.arena, "nginx.ingress.kubernetes.io/%s",
					     names[j]));
			c.annotations[1 + j][1] = values[i];
		}
		rig_set(&rig, &c);
	}
	settle(&rig);
	assert_int_equal(fetch_status(rig.http, &(struct ask){0}), 200);
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		struct str host = arena_printf(&rig.arena, "bad-%zu.example", i);
		struct str event = arena_printf(&rig.arena,
						"default/bad-%zu InvalidAnnotation annotation "
						"nginx.ingress.kubernetes.io/limit-rps ",
						i);

		assert_int_equal(
			fetch_status(rig.http, &(struct ask){.host = arena_cstr(&rig.arena, host)}),
			503);
		assert_true(str_contains(buf_str(&rig.events), event));
	}
	assert_false(str_contains(buf_str(&rig.events), STR("owned")));
	rig_stop(&rig);
	backend_stop(&one);
}

static int count(struct str s, struct str needle)
{
	int n = 0;

	for (ptrdiff_t at; (at = str_find(s, needle)) >= 0; n++) {
		s = str_from(s, (size_t)at + needle.n);
	}
	return n;
}

TEST(status_is_asked_for_once_per_version_and_events_once_per_problem)
{
	static const struct ingress_case c = {.annotations = {CLASS},
					      .version = "7",
					      .paths = {{"a.example", "/", NULL, "gone"}}};
	struct ingress_case done = c;
	struct rig rig;

	start_with(&rig, &c, 1);
	settle(&rig);
	WAIT(&rig, rig.statuses.n);
	EXPECT_STR(buf_str(&rig.statuses), "default/web@7 192.0.2.1\n");
	assert_true(str_has_prefix(buf_str(&rig.events),
				   STR("default/web ServiceNotFound Service default/gone ")));
	rig_set(&rig, &c);
	WAIT(&rig, ingress_is_current(rig.ic));
	ingress_set_service(rig.ic, make_service(&rig.arena, "default", "gone", 81, "http"));
	WAIT(&rig,
	     ingress_is_current(rig.ic) && str_contains(buf_str(&rig.events), STR("PortNotFound")));
	EXPECT_STR(buf_str(&rig.statuses), "default/web@7 192.0.2.1\n");
	assert_int_equal(count(buf_str(&rig.events), STR("ServiceNotFound")), 1);
	buf_clear(&rig.statuses);
	done.version = "8";
	done.address = "192.0.2.1";
	rig_set(&rig, &done);
	WAIT(&rig, ingress_is_current(rig.ic));
	assert_int_equal(rig.statuses.n, 0);
	rig_stop(&rig);
}

TEST_MAIN(requests_reach_the_backend_of_their_host_and_path, the_backend_learns_who_asked_and_how,
	  cors_answers_preflights_and_marks_answers_as_ingress_nginx_does,
	  limit_rps_rejects_with_503_beyond_five_times_the_rate,
	  limit_connections_rejects_with_503_beyond_its_number, bodies_and_addresses_are_limited,
	  a_websocket_passes, each_host_shows_its_own_certificate_and_http_is_redirected,
	  hostile_annotations_answer_503_with_an_event_and_harm_nobody_else,
	  status_is_asked_for_once_per_version_and_events_once_per_problem)
