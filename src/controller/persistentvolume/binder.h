/* SPDX-License-Identifier: Apache-2.0 */
/* controller/persistentvolume/binder.h: brings claims and volumes together. A key is "claim|NS/NAME" or "volume|NAME"; one worker, so that no two
 * claims reach for one volume. Each pass writes one object once; the event of that write brings the next step.
 *
 *     claim.c      a claim looks for its volume: the one it names, the best that fits, or a new one
 *     match.c      which volume fits (pure)
 *     provision.c  makes volumes for StorageClasses of our provisioner
 *     volume.c     the phase of a volume, and what becomes of it when its claim has gone */
#pragma once
#include "controller/controller.h"

#define PV_BIND_COMPLETED "pv.kubernetes.io/bind-completed"
#define PV_BOUND_BY_CONTROLLER "pv.kubernetes.io/bound-by-controller"
#define PV_PROVISIONED_BY "pv.kubernetes.io/provisioned-by"
#define PV_PROTECTION "kubernetes.io/pv-protection"
#define PVC_PROTECTION "kubernetes.io/pvc-protection"
#define PVC_PROVISIONER "volume.kubernetes.io/storage-provisioner"
#define PVC_PROVISIONER_BETA "volume.beta.kubernetes.io/storage-provisioner"
#define PVC_SELECTED_NODE "volume.kubernetes.io/selected-node"
#define CLASS_BETA "volume.beta.kubernetes.io/storage-class"

/* A volume that we have made keeps this until a node has removed its directory. */
#define SHARED_PATH_FINALIZER "cox.dev/shared-path"

#define SECOND 1000000000LL

struct binder {
	const struct snapshot *snapshot;
	struct actions *actions;
};

void claim_reconcile(const struct binder *b, struct str key);
void volume_reconcile(const struct binder *b, struct str name);

/* Its class, or "". The old annotation counts. */
struct str claim_class(const struct core_persistent_volume_claim *claim);
struct str volume_class(const struct core_persistent_volume *volume);
/* The volume was bound, or set aside by somebody, for this claim. */
bool volume_is_for(const struct core_persistent_volume *volume,
		   const struct core_persistent_volume_claim *claim);
/* NULL if the volume can serve the claim, otherwise why not. */
const char *match_refusal(const struct core_persistent_volume *volume,
			  const struct core_persistent_volume_claim *claim);
/* The volume that is set aside for the claim, or (not if `reserved_only`) the smallest available one that fits. NULL. */
struct frozen *match_find(const struct binder *b, const struct core_persistent_volume_claim *claim,
			  bool reserved_only);
/* Makes a volume, or says with an event why there is none. */
void provision_claim(const struct binder *b, const struct frozen *claim,
		     const struct storage_storage_class *class);
