/* SPDX-License-Identifier: Apache-2.0 */
/* sim/hollow.h: nodes without containers, and somebody who binds pods to them. A hollow node registers, renews its lease, and takes each pod
 * that is bound to it through its life: Running after start_ns, Ready after ready_ns more, gone stop_ns after its deletion was asked
 * for. What may go wrong is asked of the plan, by pod. */
#pragma once
#include "client/informer.h"
#include "env/env.h"

struct hollow;

struct hollow_timing {
	int64_t start_ns, ready_ns, stop_ns;
	int64_t crash_after_ns; /* once Ready; 0: never. It is not ready for restart_ns then. */
	int64_t restart_ns;
	bool never_ready;
	bool finishes; /* Succeeded instead of Ready */
};

struct hollow_config {
	struct env *env;
	struct client *client;	     /* of the nodes and the binder: an administrator */
	struct informers *informers; /* of the same client; must outlive */
	int nodes;		     /* node-0 .. */
	int zones;		     /* zone-0 ..; 0: no label */
	/* How a pod behaves; NULL: 100 ms, 100 ms, 100 ms. */
	void (*plan)(void *ctx, const struct core_pod *pod, struct hollow_timing *timing);
	void *plan_ctx;
};

struct hollow *hollow_new(const struct hollow_config *config);
void hollow_free(struct hollow *h);
/* A node that is down does nothing: no lease, no status, no stopping of pods. What ran on it is lost when it comes up again. */
void hollow_set_node_up(struct hollow *h, int node, bool up);
/* Power off: as down, and its processes are dead for certain. */
void hollow_kill_node(struct hollow *h, int node);
bool hollow_node_is_up(const struct hollow *h, int node);
/* Is this pod's process there and answering, whatever the API says? */
bool hollow_pod_is_serving(const struct hollow *h, struct str ns, struct str name, struct str uid);
/* Processes that have been started and not stopped, of pods with this namespace and name (any uid). */
int hollow_count_processes(const struct hollow *h, struct str ns, struct str name);
