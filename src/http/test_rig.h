/* SPDX-License-Identifier: Apache-2.0 */
/* http/test_rig.h: for the tests of this directory: a loop with a server on loopback, raw client streams, and pumping the loop until a
 * condition holds. */
#pragma once
#include "base/test.h"

#include <time.h>

#include "base/alloc.h"
#include "crypto/test_run.h"
#include "crypto/x509.h"
#include "http/client.h"
#include "http/server.h"
#include "loop/loop.h"

#include <uv.h>

struct rig {
	struct loop *loop;
	struct net *net;
	struct http_server *srv;
	struct x509_pem ca, server, client;
	struct tls_ctx *server_tls;
	struct env_timer guard;
};

static void rig_guard(struct env_timer *timer UNUSED)
{
	print_error("nothing happened for 20 s\n");
	abort();
}

static void rig_pump_once(struct rig *rig)
{
	uv_run(loop_uv(rig->loop), UV_RUN_ONCE);
}

/* Runs the loop until the condition holds; a test that hangs is cut off by the guard. */
#define PUMP_UNTIL(rig, cond)                                                                      \
	do {                                                                                       \
		env_timer_start_in(loop_env((rig)->loop), &(rig)->guard, 20 * NS_PER_SEC);         \
		while (!(cond)) {                                                                  \
			rig_pump_once(rig);                                                        \
		}                                                                                  \
		env_timer_stop(loop_env((rig)->loop), &(rig)->guard);                              \
	} while (0)

static void rig_make_certs(struct rig *rig)
{
	const struct str names[] = {STR("localhost")};
	const struct str ips[] = {STR("127.0.0.1")};
	const struct str orgs[] = {STR("system:masters"), STR("dev")};
	const struct x509_opts server = {.common_name = STR("server"),
					 .server = true,
					 .dns_names = names,
					 .n_dns_names = 1,
					 .ips = ips,
					 .n_ips = 1,
					 .now_s = time(NULL),
					 .lifetime_s = 3600};
	const struct x509_opts client = {.common_name = STR("alice"),
					 .client = true,
					 .organizations = orgs,
					 .n_organizations = 2,
					 .now_s = time(NULL),
					 .lifetime_s = 3600};
	struct err err = {0};

	assert_int_equal(x509_make_ca(STR("ca"), time(NULL), 3600, &rig->ca, &err), 0);
	assert_int_equal(x509_issue(&rig->ca, &server, &rig->server, &err), 0);
	assert_int_equal(x509_issue(&rig->ca, &client, &rig->client, &err), 0);
}

/* opts.tls is set by `tls`. */
static void rig_init(struct rig *rig, struct http_server_opts opts, bool tls)
{
	struct net_addr addr;
	struct err err = {0};

	*rig = (struct rig){.guard.fn = rig_guard};
	rig->loop = loop_new();
	rig->net = net_new(loop_env(rig->loop), loop_uv(rig->loop));
	if (tls) {
		rig_make_certs(rig);
		assert_int_equal(
			tls_server_new(
				&(struct tls_server_opts){.cert_pem = str_of(rig->server.cert),
							  .key_pem = str_of(rig->server.key),
							  .client_auth = TLS_CLIENT_CERT_IF_GIVEN,
							  .client_ca_pem = str_of(rig->ca.cert),
							  .h2 = true},
				&rig->server_tls, &err),
			0);
		opts.tls = rig->server_tls;
	}
	rig->srv = http_server_new(rig->net, &opts);
	assert_int_equal(net_addr_parse(STR("127.0.0.1:0"), &addr, &err), 0);
	assert_int_equal(http_server_listen(rig->srv, &addr, &err), 0);
}

static void rig_fini(struct rig *rig)
{
	http_server_free(rig->srv);
	net_free(rig->net);
	tls_ctx_unref(rig->server_tls);
	loop_free(rig->loop);
	x509_pem_fini(&rig->ca);
	x509_pem_fini(&rig->server);
	x509_pem_fini(&rig->client);
}

/* A plain connection that collects what comes. */
struct raw {
	struct net_stream *stream;
	struct buf in;
	bool ready, eof, closed;
};

static size_t raw_on_data(struct net_stream *s, const char *p, size_t n)
{
	struct raw *raw = net_stream_ctx(s);

	buf_add(&raw->in, p, n);
	return n;
}

static void raw_on_ready(struct net_stream *s)
{
	((struct raw *)net_stream_ctx(s))->ready = true;
}

static void raw_on_eof(struct net_stream *s)
{
	((struct raw *)net_stream_ctx(s))->eof = true;
}

static void raw_on_close(struct net_stream *s, int code UNUSED, const char *why UNUSED)
{
	struct raw *raw = net_stream_ctx(s);

	raw->closed = raw->eof = true;
	raw->stream = NULL;
}

static const struct net_stream_ops raw_ops = {.on_ready = raw_on_ready,
					      .on_data = raw_on_data,
					      .on_eof = raw_on_eof,
					      .on_close = raw_on_close};

static UNUSED void raw_open(struct rig *rig, struct raw *raw, struct tls_ctx *tls)
{
	struct err err = {0};

	*raw = (struct raw){0};
	assert_int_equal(net_stream_connect(rig->net, http_server_addr(rig->srv, 0), tls,
					    STR("localhost"), 0, &raw_ops, raw, &raw->stream, &err),
			 0);
	PUMP_UNTIL(rig, raw->ready || raw->closed);
}

static UNUSED void raw_send(struct raw *raw, struct str text)
{
	if (raw->stream) {
		net_stream_write_copy(raw->stream, text.p, text.n);
	}
}

static UNUSED void raw_close(struct raw *raw)
{
	if (raw->stream) {
		net_stream_abort(raw->stream);
	}
	buf_fini(&raw->in);
	*raw = (struct raw){0};
}

static UNUSED bool raw_has(const struct raw *raw, const char *text)
{
	return str_contains(buf_str(&raw->in), str_of(text));
}

/* Runs another program while the loop serves; returns its output (the caller's) and fails the test
 * if it fails. */
struct program {
	struct env_work work;
	const char *const *argv;
	struct buf out;
	int status;
	bool done;
};

static void program_run(struct env_work *work)
{
	struct program *p = CONTAINER_OF(work, struct program, work);

	p->status = test_run(p->argv, &p->out);
}

static void program_done(struct env_work *work)
{
	CONTAINER_OF(work, struct program, work)->done = true;
}

static UNUSED struct buf rig_run(struct rig *rig, const char *const argv[])
{
	struct program p = {.work = {.run = program_run, .done = program_done}, .argv = argv};

	env_work(loop_env(rig->loop), &p.work);
	PUMP_UNTIL(rig, p.done);
	if (p.status != 0) {
		print_error("%s failed (%d):\n%.*s\n", argv[0], p.status, STR_ARG(buf_str(&p.out)));
		fail();
	}
	return p.out;
}
