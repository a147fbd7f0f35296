/* SPDX-License-Identifier: Apache-2.0 */
/* scheduler/scheduler.h: kube-scheduler's twin: takes pods without a node, decides (scheduler/cycle.h), binds them through the client.
 * Loop thread only. Bindings are asynchronous, many at a time: a decided pod is assumed to stand on its node at once, and taken away again
 * if the binding fails. */
#pragma once
#include "base/log.h"
#include "client/client.h"
#include "client/informer.h"

struct scheduler;

struct scheduler_config {
	struct env *env;
	struct log *log;       /* may be NULL */
	struct client *client; /* as system:kube-scheduler; must outlive the scheduler */
	struct informers *
		informers; /* of the same client; must be freed before the scheduler (its handlers live there) */
	const char *name; /* spec.schedulerName that is ours; NULL: "default-scheduler" */
	int percentage_of_nodes_to_score; /* 0: adaptive */
};

struct scheduler_metrics {
	uint64_t attempts, scheduled, unschedulable, errors, preemptions, victims;
	size_t active, backoff, waiting; /* scheduler_pending_pods */
	size_t bindings_in_flight;
};

struct scheduler *scheduler_new(const struct scheduler_config *config);
/* Answers that are under way are ignored; the env must not be turned for them after the client is gone. */
void scheduler_free(struct scheduler *s);
void scheduler_get_metrics(const struct scheduler *s, struct scheduler_metrics *ret);
/* The last decision about a pod that is still pending, node by node with numbers, one line each ("worker-2: cpu 50 free, 100 wanted");
 * borrowed until the next decision about it. Unset: none. */
struct str scheduler_why(const struct scheduler *s, struct str ns, struct str name);
