/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of a server against the client. The first byte: version and size of the pieces. */
#include <sys/un.h>

#include "http/client.h"
#include "http_rig.h"

struct outcome {
	struct http_call *call; /* NULL: ended */
	bool cancel;
	struct net_stream *stream;
};

static size_t tunnel_data(struct net_stream *s UNUSED, const char *p UNUSED, size_t n)
{
	return n;
}

static void tunnel_close(struct net_stream *s, int code UNUSED, const char *why UNUSED)
{
	((struct outcome *)net_stream_ctx(s))->stream = NULL;
}

static const struct net_stream_ops tunnel_ops = {.on_data = tunnel_data, .on_close = tunnel_close};

static void on_data(struct http_call *call, const char *p, size_t n)
{
	struct outcome *o = http_call_ctx(call);

	if (n && p[0] == 'c') {
		o->call = NULL;
		http_call_cancel(call);
	} else if (n && p[0] == 'p') {
		http_call_pause(call);
		http_call_resume(call);
	}
}

static void on_end(struct http_call *call, const struct http_response *response UNUSED,
		   int code UNUSED, const char *why UNUSED)
{
	((struct outcome *)http_call_ctx(call))->call = NULL;
}

static void on_upgrade(struct http_call *call, const struct http_response *response UNUSED,
		       struct net_stream *stream)
{
	struct outcome *o = http_call_ctx(call);

	o->call = NULL;
	o->stream = stream;
	net_stream_set_owner(stream, &tunnel_ops, o);
}

static const struct http_call_ops ops = {
	.on_data = on_data, .on_end = on_end, .on_upgrade = on_upgrade};

static int listen_somewhere(struct net_addr *ret)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	/* Autobind: the kernel chooses an abstract name. */
	ASSERT(bind(fd, (struct sockaddr *)&un, sizeof(sa_family_t)) == 0 && listen(fd, 10) == 0);
	ret->n = sizeof(ret->un);
	ASSERT(getsockname(fd, &ret->sa, &ret->n) == 0);
	return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct rig rig;
	static struct net_addr addr;
	static int listener;
	struct outcome o[3] = {0};
	struct http_client *client;
	bool h2;
	int fd = -1;

	if (!rig.loop) {
		rig.loop = loop_new();
		rig.net = net_new(loop_env(rig.loop), loop_uv(rig.loop));
		listener = listen_somewhere(&addr);
	}
	if (n < 2) {
		return 0;
	}
	h2 = p[0] & 1;
	client = http_client_new(rig.net, &(struct http_client_opts){.addr = addr,
								     .h2_prior_knowledge = h2,
								     .max_connections = 1});
	for (size_t i = 0; i < 3; i++) {
		o[i].call = http_call_start(
			client,
			&(struct http_call_opts){.method = i ? STR("GET") : STR("HEAD"),
						 .path = STR("/"),
						 .buffer_limit = i == 2 ? 100 : 0,
						 .upgrade = i == 1 && !h2},
			&ops, &o[i]);
	}
	for (int i = 0; i < 10 && fd < 0; i++) {
		rig_turn(&rig);
		fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	}
	ASSERT(fd >= 0);
	rig_feed(&rig, fd, p + 1, n - 1, rig_piece(p[0]));
	shutdown(fd, SHUT_WR);
	rig_turn(&rig);
	rig_turn(&rig);
	close(fd);
	http_client_free(client);
	for (size_t i = 0; i < 3; i++) {
		if (o[i].stream) {
			net_stream_abort(o[i].stream);
		}
	}
	rig_turn(&rig);
	/* Connections that were retried wait in the queue: nobody may take them for the next input's. */
	while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		close(fd);
	}
	return 0;
}
