/* SPDX-License-Identifier: Apache-2.0 */
/* controller/deployment/rollout.h: one look at a Deployment and its ReplicaSets. The steps only plan: they set what each ReplicaSet should have
 * (`want`); rollout_write turns the plan into writes, at most one per ReplicaSet.
 *
 *     revision.c   which ReplicaSet has the Deployment's template; makes it; revision numbers and history
 *     rolling.c    how many pods may come and go now (pure arithmetic)
 *     scale.c      a changed number of replicas, spread over the ReplicaSets there are
 *     status.c     the status, its conditions, the progress deadline */
#pragma once
#include "controller/controller.h"

#define DEPLOYMENT_REVISION "deployment.kubernetes.io/revision"
#define DEPLOYMENT_REVISION_HISTORY "deployment.kubernetes.io/revision-history"
#define DEPLOYMENT_DESIRED "deployment.kubernetes.io/desired-replicas"
#define DEPLOYMENT_MAX "deployment.kubernetes.io/max-replicas"
#define DEPLOYMENT_HASH_LABEL "pod-template-hash"

#define SECOND 1000000000LL

struct rollout_set {
	const struct frozen *frozen;
	const struct apps_replica_set *rs;
	int32_t size;  /* spec.replicas */
	int32_t want;  /* what it should be */
	bool annotate; /* its annotations are to be compared with the Deployment's */
};

struct rollout {
	const struct snapshot *snapshot;
	struct actions *actions;
	const struct frozen *frozen;
	const struct apps_deployment *d;
	int32_t replicas;
	bool is_rolling;
	int32_t max_surge, max_unavailable; /* in pods, resolved; 0 for Recreate */
	struct rollout_set *sets;	    /* by creation time, then name; at first all of them */
	size_t n;
	struct rollout_set *new_; /* has the Deployment's template; NULL: none yet */
	int32_t *collision_count; /* what the status should say; NULL as long as there was none */
};

/* Upstream's rounding: surge up, unavailable down; if both come to 0, one pod may be unavailable. */
void rolling_resolve(const struct apps_deployment *d, int32_t replicas, int32_t *ret_surge,
		     int32_t *ret_unavailable);
/* How large the new set may be now. */
int32_t rolling_new_size(const struct rollout *ro, const struct rollout_set *new_);
/* Plans one step. True: something is to change; false: nothing can move now, or all is done. */
bool rolling_plan(struct rollout *ro);
/* Recreate: plans the end of all old sets. True until the last of their pods has stopped. */
bool recreate_waits(struct rollout *ro);

/* Finds ro->new_. */
void revision_find(struct rollout *ro);
/* Plans the creation of the new set (or a raised collision count). True: it was missing. */
bool revision_create(struct rollout *ro);
/* The new set's annotations and minReadySeconds, the Deployment's revision. True if that wrote something. */
bool revision_sync(struct rollout *ro);
/* The annotations that a set of this Deployment should have. exists: revision history is kept. */
struct str_map revision_annotations(struct rollout *ro, const struct rollout_set *set,
				    bool *ret_changed);
/* Deletes old sets beyond revisionHistoryLimit. */
void revision_clean(struct rollout *ro);

bool scale_is_needed(const struct rollout *ro);
void scale_plan(struct rollout *ro);

/* Writes the plan. */
void rollout_write(struct rollout *ro);
/* Writes the status if it differs. progress: conditions about progress are computed too. */
void status_sync(struct rollout *ro, bool progress);
/* A Progressing condition to be set if there is none of that reason; used at creation and on pause. */
void status_note(struct rollout *ro, const char *status, const char *reason, struct str message);
bool status_has_deadline(const struct rollout *ro);
bool status_is_complete(const struct rollout *ro, const struct apps_deployment_status *status);
int32_t rollout_total(const struct rollout *ro);
/* Pods that exist or may come: a set that has been scaled down and not yet acted counts with what it still has. */
int32_t rollout_pods(const struct rollout *ro);
