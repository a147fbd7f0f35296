/* SPDX-License-Identifier: Apache-2.0 */
/* rules/pod.h: what a pod is at the moment, and what it takes: the questions that controllers, scheduler and kubelet all ask. Pure. */
#pragma once
#include <stdbool.h>

#include "base/arena.h"
#include "types/types.h"

/* Deletion was asked for. */
bool pod_is_terminating(const struct core_pod *pod);
/* Succeeded or Failed: it will never run again. */
bool pod_is_terminal(const struct core_pod *pod);
/* Neither: what a ReplicaSet counts. */
bool pod_is_active(const struct core_pod *pod);
bool pod_is_bound(const struct core_pod *pod);

/* NULL if there is none of that type ("Ready", "PodScheduled", ...). */
const struct core_pod_condition *pod_condition(const struct core_pod *pod, struct str type);
bool pod_is_ready(const struct core_pod *pod);
/* Ready, and has been for min_ready_s at now_s (seconds since the epoch). */
bool pod_is_available(const struct core_pod *pod, int32_t min_ready_s, int64_t now_s);
/* When it becomes available if it stays ready: seconds since the epoch; -1 if it is not ready. */
int64_t pod_available_at(const struct core_pod *pod, int32_t min_ready_s);

/* Init container that stays (restartPolicy: Always). */
bool container_is_sidecar(const struct core_container *c);
/* Among containers and init containers; NULL. */
const struct core_container *pod_container(const struct core_pod *pod, struct str name);
/* Its status, wherever it is; NULL. */
const struct core_container_status *pod_container_status(const struct core_pod *pod,
							 struct str name);

/* "Guaranteed", "Burstable" or "BestEffort", from the spec alone. */
struct str pod_compute_qos(const struct core_pod_spec *spec);

/* What the scheduler sets aside: the sum of the containers and sidecars or, where it is more, what an init container needs beside
 * the sidecars before it; resources of the pod as a whole go before that; the runtime's overhead comes on top. */
struct quantity_map pod_compute_requests(struct arena *a, const struct core_pod_spec *spec);
/* The same of the limits. */
struct quantity_map pod_compute_limits(struct arena *a, const struct core_pod_spec *spec);
/* Of the containers alone: what the sums for pod-level defaults begin from. */
struct quantity_map pod_compute_container_requests(struct arena *a,
						   const struct core_pod_spec *spec);
struct quantity_map pod_compute_container_limits(struct arena *a, const struct core_pod_spec *spec);
