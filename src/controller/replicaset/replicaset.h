/* SPDX-License-Identifier: Apache-2.0 */
/* controller/replicaset/replicaset.h: what ReplicaSets and ReplicationControllers share: keep a number of pods. A ReplicationController is
 * looked at as a ReplicaSet (upstream's adapter). */
#pragma once
#include "controller/controller.h"
#include "rules/selector.h"

struct replicas {
	const struct frozen *owner;
	const struct meta_object_meta *meta;
	int32_t replicas;
	int32_t min_ready_seconds;
	struct selector selector;
	const struct core_pod_template_spec *template;
	const struct apps_replica_set_status *status;
};

/* Adds the pod writes, and fills in the status that the owner should have. True if it differs from the present one. */
bool replicas_reconcile(const struct snapshot *snapshot, struct actions *actions,
			const struct replicas *r, struct apps_replica_set_status *ret_status);

/* Puts those first that a scale-down should take first: not assigned, pending, not ready, cheap to delete, doubled up on a node, ready for
 * a short time, often restarted, young. related: active pods of all ReplicaSets of the same Deployment. */
void replicas_rank(const struct core_pod **pods, size_t n, const struct core_pod *const *related,
		   size_t nrelated);
