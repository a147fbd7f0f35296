/* SPDX-License-Identifier: Apache-2.0 */
#include "http/test_rig.h"
#include "net/listener.h"

struct outcome {
	bool ended;
	int code;
};

static void on_end(struct http_call *call, const struct http_response *response UNUSED, int code,
		   const char *why UNUSED)
{
	struct outcome *o = http_call_ctx(call);

	o->ended = true;
	o->code = code;
}

static const struct http_call_ops call_ops = {.on_end = on_end};

static void refuse(void *ctx UNUSED, struct http_request *req)
{
	http_abort(req);
}

/* A server that answers the first request of each connection and closes at the second, as one does whose idle time is just over. */
struct one_shot {
	struct net *net;
	struct net_stream *streams[8];
	int requests[8];
	int n;
};

static size_t one_shot_on_data(struct net_stream *s, const char *p UNUSED, size_t n)
{
	static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
	struct one_shot *server = net_stream_ctx(s);

	for (int i = 0; i < server->n; i++) {
		if (server->streams[i] == s && server->requests[i]++ == 0) {
			net_stream_write_copy(s, answer, sizeof(answer) - 1);
		} else if (server->streams[i] == s) {
			server->streams[i] = NULL;
			net_stream_abort(s);
		}
	}
	return n;
}

static void one_shot_on_close(struct net_stream *s UNUSED, int code UNUSED, const char *why UNUSED)
{
}

static void one_shot_on_accept(void *ctx, int fd, const struct net_addr *remote UNUSED)
{
	static const struct net_stream_ops ops = {.on_data = one_shot_on_data,
						  .on_close = one_shot_on_close};
	struct one_shot *server = ctx;

	server->streams[server->n++] = net_stream_accept(server->net, fd, NULL, &ops, server);
}

TEST(a_call_on_a_connection_just_closed_is_repeated_if_it_is_idempotent)
{
	static const char *const methods[] = {"GET", "POST"};

	for (int k = 0; k < 2; k++) {
		struct rig rig;
		struct one_shot server = {0};
		struct net_listener *listener;
		struct http_client *client;
		struct net_addr addr;

		rig_init(&rig, (struct http_server_opts){.on_request = refuse}, false);
		server.net = rig.net;
		assert_int_equal(net_addr_parse(STR("127.0.0.1:0"), &addr, NULL), 0);
		assert_int_equal(net_listener_open(rig.net, &addr, one_shot_on_accept, &server,
						   &listener, NULL),
				 0);
		client = http_client_new(
			rig.net, &(struct http_client_opts){.addr = *net_listener_addr(listener)});
		for (int i = 0; i < 2; i++) {
			struct outcome o = {0};

			http_call_start(client,
					&(struct http_call_opts){.method = str_of(methods[k]),
								 .path = STR("/"),
								 .buffer_limit = 100},
					&call_ops, &o);
			PUMP_UNTIL(&rig, o.ended);
			assert_int_equal(o.code, k == 1 && i == 1 ? ERR_CLOSED : 0);
		}
		assert_int_equal(server.n, k == 0 ? 2 : 1);
		http_client_free(client);
		net_listener_free(listener);
		rig_fini(&rig);
	}
}

TEST_MAIN(a_call_on_a_connection_just_closed_is_repeated_if_it_is_idempotent)
