/* SPDX-License-Identifier: Apache-2.0 */
/* scheduler/volumes.h: the claims of a pod, sorted by what they mean for where it may go. Pure. */
#pragma once
#include "scheduler/framework.h"

struct pod_volumes {
	const struct core_persistent_volume **bound;
	size_t nbound;
	const struct core_persistent_volume_claim *
		*waiting; /* WaitForFirstConsumer, without a volume */
	size_t nwaiting;
};

/* Empty, or upstream's message why the pod can go nowhere: a claim is missing, lost or not bound yet. */
struct str pod_volumes_find(const struct cycle *c, struct pod_volumes *ret);
/* There is a free volume that fits and reaches the node (*ret_volume, which may be NULL), or the class makes one there (unset). */
bool pod_volume_can_bind(const struct cycle *c, const struct core_persistent_volume_claim *claim,
			 uint32_t slot, const struct core_persistent_volume **ret_volume);
/* The name of a volume's claim: its own, or POD-VOLUME for an ephemeral one; unset: no claim. */
struct str pod_claim_name(struct arena *a, const struct core_pod *pod,
			  const struct core_volume *volume);
