/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz/http_rig.h: a server (plain) that lives as long as the process, and connections to it over socket pairs, fed in pieces. The first byte
 * of an input chooses the size of the pieces. */
#pragma once
#include <stdint.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "http/server.h"
#include "loop/loop.h"

#include <uv.h>

enum {
	HELD_MAX = 64,
};

struct rig {
	struct loop *loop;
	struct net *net;
	struct http_server *srv;
	struct http_request *held[HELD_MAX];
	size_t n_held;
};

static void rig_turn(struct rig *rig)
{
	uv_run(loop_uv(rig->loop), UV_RUN_NOWAIT);
}

static UNUSED void rig_init(struct rig *rig, http_request_fn on_request)
{
	rig->loop = loop_new();
	rig->net = net_new(loop_env(rig->loop), loop_uv(rig->loop));
	rig->srv = http_server_new(rig->net, &(struct http_server_opts){.on_request = on_request,
									.ctx = rig,
									.max_streams = 10});
}

/* Takes what the server writes; -1 when it has closed. */
static UNUSED void rig_discard(int fd)
{
	char sink[65536];

	while (recv(fd, sink, sizeof(sink), MSG_DONTWAIT) > 0) {
	}
}

static UNUSED void rig_feed(struct rig *rig, int fd, const uint8_t *p, size_t n, size_t piece)
{
	for (size_t at = 0; at < n;) {
		size_t part = MIN(piece, n - at);
		ssize_t sent = send(fd, p + at, part, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (sent < 0) {
			break;
		}
		at += (size_t)sent;
		rig_turn(rig);
		rig_discard(fd);
	}
}

static UNUSED size_t rig_piece(uint8_t first)
{
	return first < 64 ? (size_t)first + 1 : (size_t)first * 64;
}

/* Ends held requests and waits until the server has forgotten the connection. */
static UNUSED void rig_settle(struct rig *rig, int fd)
{
	rig_turn(rig);
	for (size_t i = 0; i < rig->n_held; i++) {
		http_respond_text(rig->held[i], 200, STR("text/plain"), STR("late"));
	}
	rig->n_held = 0;
	rig_turn(rig);
	rig_discard(fd);
	close(fd);
	for (int i = 0; i < 100 && http_server_stats(rig->srv).connections; i++) {
		rig_turn(rig);
		for (size_t k = 0; k < rig->n_held; k++) {
			http_respond_text(rig->held[k], 200, STR("text/plain"), STR("late"));
		}
		rig->n_held = 0;
	}
	ASSERT(http_server_stats(rig->srv).connections == 0);
	ASSERT(http_server_stats(rig->srv).requests == 0);
	rig_turn(rig);
}
