/* SPDX-License-Identifier: Apache-2.0 */
/* controller/node_pods.h: nodes and their pods, for the controllers that look after both. */
#pragma once
#include "controller/controller.h"

#define TAINT_NOT_READY "node.kubernetes.io/not-ready"
#define TAINT_UNREACHABLE "node.kubernetes.io/unreachable"
#define TAINT_OUT_OF_SERVICE "node.kubernetes.io/out-of-service"

#define SECOND 1000000000LL

/* Pods by the node they are bound to. */
extern const struct informer_index_desc index_pods_by_node;

/* Enqueues all pods of a node. */
void node_pods_enqueue(struct informers *informers, struct str node, enqueue_fn enqueue, void *ctx);
/* NULL: none of that type. */
const struct core_node_condition *node_condition(const struct core_node *node, struct str type);
const struct core_taint *node_taint(const struct core_node *node, struct str key,
				    struct str effect);
/* Patches the pod's status: phase Failed (unless `phase` is false) and condition DisruptionTarget, as upstream before it removes a pod
 * that nobody will stop properly. */
void node_pods_mark_disrupted(const struct snapshot *snapshot, struct actions *actions,
			      const struct core_pod *pod, bool phase, const char *reason,
			      const char *message);
