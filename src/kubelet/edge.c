/* SPDX-License-Identifier: Apache-2.0 */
#include "kubelet/edge.h"

#include "kubelet/edge_internal.h"

#include "base/cleanup.h"

static int hex(char c)
{
	return c >= '0' && c <= '9'		    ? c - '0'
	       : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10
						    : -1;
}

static struct str unescape(struct arena *a, struct str s)
{
	char *p = arena_bytes(a, s.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '%' && i + 2 < s.n && hex(s.p[i + 1]) >= 0 && hex(s.p[i + 2]) >= 0) {
			p[n++] = (char)(hex(s.p[i + 1]) * 16 + hex(s.p[i + 2]));
			i += 2;
		} else {
			p[n++] = s.p[i] == '+' ? ' ' : s.p[i];
		}
	}
	p[n] = 0;
	return str_make(p, n);
}

struct str edge_query(struct http_request *req, const char *name, size_t nth)
{
	struct str rest = req->query;
	struct str pair;

	while (str_cut(&rest, '&', &pair)) {
		struct str key;

		str_cut(&pair, '=', &key);
		if (str_eq(key, str_of(name)) && nth-- == 0) {
			return unescape(req->arena, pair.p ? pair : STR(""));
		}
	}
	return STR_NULL;
}

void edge_fail(struct http_request *req, const struct err *err)
{
	int status = err->code == ERR_NOT_FOUND	    ? 404
		     : err->code == ERR_INVALID	    ? 400
		     : err->code == ERR_UNSUPPORTED ? 501
						    : 500;

	http_respond_text(req, status, STR("text/plain; charset=utf-8"), str_of(err_msg(err)));
}

static bool cut_target(struct http_request *req, struct str path, const char *prefix,
		       struct edge_target *ret)
{
	struct str rest;

	if (!str_has_prefix(path, str_of(prefix))) {
		return false;
	}
	rest = str_from(path, strlen(prefix));
	str_cut(&rest, '/', &ret->ns);
	str_cut(&rest, '/', &ret->pod);
	str_cut(&rest, '/', &ret->container);
	ret->container = unescape(req->arena, ret->container);
	return ret->ns.n && ret->pod.n && ret->container.n && !rest.n;
}

static void handle(void *ctx, struct http_request *req)
{
	struct edge *edge = ctx;
	struct edge_target target;
	struct buf out CLEANUP_BUF = {0};

	if (str_is(req->path, "/healthz")) {
		http_respond_text(req, 200, STR("text/plain; charset=utf-8"), STR("ok"));
	} else if (!req->peer || !req->peer->verified) {
		http_respond_text(req, 401, STR("text/plain; charset=utf-8"), STR("Unauthorized"));
	} else if (cut_target(req, req->path, "/containerLogs/", &target)) {
		edge_logs(edge, req, &target);
	} else if (cut_target(req, req->path, "/exec/", &target)) {
		edge_exec(edge, req, &target);
	} else if (str_is(req->path, "/pods")) {
		edge->config.node->write_pods(edge->config.node->ctx, &out);
		http_respond_text(req, 200, STR("application/json"), buf_str(&out));
	} else {
		http_respond_text(req, 404, STR("text/plain; charset=utf-8"),
				  STR("404 page not found"));
	}
}

int edge_new(const struct edge_config *config, struct edge **ret, struct err *err)
{
	struct edge *edge = NEW(struct edge);
	struct http_server_opts opts = {.on_request = handle, .ctx = edge, .tls = config->tls};
	int r;

	edge->config = *config;
	edge->http = http_server_new(config->net, &opts);
	r = http_server_listen(edge->http, &config->addr, err);
	if (r < 0) {
		edge_free(edge);
		return r;
	}
	*ret = edge;
	return 0;
}

int edge_port(const struct edge *edge)
{
	return net_addr_port(http_server_addr(edge->http, 0));
}

void edge_free(struct edge *edge)
{
	if (edge) {
		http_server_free(edge->http);
		mem_free(edge);
	}
}
