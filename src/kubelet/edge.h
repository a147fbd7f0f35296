/* SPDX-License-Identifier: Apache-2.0 */
/* kubelet/edge.h: the node's HTTPS port (10250): logs, exec, health, the list of pods, for clients whose certificate our
 * authority signed. It knows the node by the table below only, so that it can move to an
 * unprivileged process (invariant I1). One loop thread. */
#pragma once
#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "kubelet/runtime/runtime.h"
#include "net/addr.h"

struct edge;
struct net;
struct tls_ctx;

struct edge_target {
	struct str ns, pod, container;
};

struct edge_log {
	char path[512];	 /* of the current file; older ones are PATH.1 and on */
	bool is_running; /* more may come */
	char container_id[80];
};

/* ctx is the first argument of all. Errors: ERR_NOT_FOUND (404), ERR_INVALID (400), others 500; the message is for people. */
struct edge_node {
	void *ctx;
	int (*find_log)(void *ctx, const struct edge_target *target, bool previous,
			struct edge_log *ret, struct err *err);
	/* True while this container (its id) runs. */
	bool (*is_running)(void *ctx, struct str container_id);
	/* As exec_start of runtime.h; the spec's container_id is filled in from the target. */
	int (*exec)(void *ctx, const struct edge_target *target, struct exec_spec *spec,
		    const struct exec_events *events, struct exec_session **ret, struct err *err);
	void (*exec_resize)(void *ctx, struct exec_session *session, int width, int height);
	void (*exec_kill)(void *ctx, struct exec_session *session);
	/* Body of /pods. */
	void (*write_pods)(void *ctx, struct buf *out);
};

struct edge_config {
	struct net *net;
	const struct log *log;
	struct tls_ctx *tls; /* asks for client certificates */
	struct net_addr addr;
	const struct edge_node *node;
};

MUST_USE int edge_new(const struct edge_config *config, struct edge **ret, struct err *err);
int edge_port(const struct edge *edge);
void edge_free(struct edge *edge);
