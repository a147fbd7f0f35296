/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz/http_handler.h: a handler that uses all of the server's interface; the path's first letter chooses. */
#pragma once
#include "http_rig.h"

static void on_body(struct http_request *req, int code, struct str body)
{
	http_respond_text(req, code < 0 ? 400 : 200, STR("text/plain"), body);
}

static void on_piece(struct http_request *req, int code, struct str piece)
{
	if (code < 0) {
		http_abort(req);
	} else if (!piece.p) {
		http_end(req);
	} else {
		http_write_copy(req, piece);
		http_pause_body(req);
		http_resume_body(req);
	}
}

static size_t tunnel_data(struct net_stream *s, const char *p, size_t n)
{
	net_stream_write_copy(s, p, n);
	if (n > 3 && p[0] == 'x') {
		net_stream_close(s);
	}
	return n;
}

static void tunnel_close(struct net_stream *s UNUSED, int code UNUSED, const char *why UNUSED)
{
}

static const struct net_stream_ops tunnel_ops = {.on_data = tunnel_data, .on_close = tunnel_close};

static void on_request(void *ctx, struct http_request *req)
{
	struct rig *rig = ctx;
	struct net_stream *s;

	switch (req->path.n > 1 ? req->path.p[1] : 0) {
	case 'b':
		http_read_body(req, 100, on_body);
		return;
	case 's':
		http_respond_start(req, 200, req->headers, req->n_headers);
		http_stream_body(req, on_piece);
		return;
	case 'h':
		if (rig->n_held < HELD_MAX) {
			rig->held[rig->n_held++] = req;
			return;
		}
		break;
	case 'a':
		http_abort(req);
		return;
	case 'u':
		if (http_upgrade(req, NULL, 0, &tunnel_ops, NULL, &s) == 0) {
			return;
		}
		break;
	case 'n':
		http_respond(req, 204, NULL, 0, NULL, 0);
		return;
	default:
		break;
	}
	http_respond(req, 200, req->headers, req->n_headers,
		     (struct slice[]){slice_copy(req->path)}, 1);
}
