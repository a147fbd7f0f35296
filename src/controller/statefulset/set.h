/* SPDX-License-Identifier: Apache-2.0 */
/* controller/statefulset/set.h: one look at a StatefulSet, its pods by ordinal, and its revisions.
 *
 *     revisions.c   ControllerRevisions: the history of the template
 *     identity.c    what makes pod NAME-3 that pod: name, labels, hostname, claims
 *     order.c       which pod may be created, deleted or replaced now
 *     status.c      counts */
#pragma once
#include "controller/controller.h"

#define SET_POD_NAME_LABEL "statefulset.kubernetes.io/pod-name"
#define SET_POD_INDEX_LABEL "apps.kubernetes.io/pod-index"
#define SET_REVISION_LABEL "controller-revision-hash"

#define SECOND 1000000000LL

struct set_revision {
	const struct apps_controller_revision *object; /* NULL: about to be created by this pass */
	struct str name;
	struct core_pod_template_spec *template;
	int64_t number;
};

struct set {
	const struct snapshot *snapshot;
	struct actions *actions;
	const struct frozen *frozen;
	const struct apps_stateful_set *s;
	int32_t replicas, start, partition;
	bool is_monotonic;		   /* one after the other (OrderedReady) */
	bool is_rolling;		   /* not OnDelete */
	const struct core_pod **slots;	   /* by ordinal - start; NULL: not there */
	const struct core_pod **condemned; /* outside, highest ordinal first */
	size_t ncondemned;
	struct set_revision current, update;
	struct set_revision *history; /* all others and these, oldest first */
	size_t nhistory;
	int32_t *collision_count;
	int32_t deleted_current; /* pods of the current revision that this pass deletes */
};

/* -1: not a pod of this set. */
int64_t set_ordinal(const struct apps_stateful_set *s, const struct core_pod *pod);
struct str set_pod_revision(const struct core_pod *pod);

/* Finds current and update; adds what creates or renumbers them. */
void revisions_find(struct set *set);
/* Deletes those that no pod uses beyond revisionHistoryLimit. */
void revisions_clean(struct set *set);

/* Creates the pod of an ordinal at a revision, with the claims that are missing. */
void identity_create(struct set *set, int64_t ordinal, const struct set_revision *revision);
/* Creates the claims that the pod's volumes name. False: one of them is on its way out, the pod has to wait. */
bool identity_claims(struct set *set, int64_t ordinal);
void identity_delete(struct set *set, const struct core_pod *pod);
/* Labels and volumes that somebody has changed are put right. True if there were any. */
bool identity_repair(struct set *set, const struct core_pod *pod, int64_t ordinal);
/* persistentVolumeClaimRetentionPolicy: owner references of the claims of one ordinal. pod: NULL if it is not there. */
void identity_retention(struct set *set, int64_t ordinal, const struct core_pod *pod,
			bool condemned);

bool pod_is_healthy(const struct core_pod *pod); /* running, ready, staying */
void order_reconcile(struct set *set);
void status_write(struct set *set, const struct core_pod *const *pods, size_t n);
