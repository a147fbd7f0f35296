/* SPDX-License-Identifier: Apache-2.0 */
/* kubelet/edge_internal.h: shared by the files edge*.c. */
#pragma once
#include "http/server.h"
#include "kubelet/edge.h"

struct edge {
	struct edge_config config;
	struct http_server *http;
};

/* The value of a query parameter, unescaped into the request's arena; unset: not there. */
struct str edge_query(struct http_request *req, const char *name, size_t nth);
void edge_fail(struct http_request *req, const struct err *err);
/* Both own the request from here. */
void edge_logs(struct edge *edge, struct http_request *req, const struct edge_target *target);
void edge_exec(struct edge *edge, struct http_request *req, const struct edge_target *target);
