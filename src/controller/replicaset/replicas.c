/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/owned.h"
#include "controller/replicaset/replicaset.h"
#include "object/object.h"
#include "rules/condition.h"
#include "rules/controller_ref.h"
#include "rules/pod.h"

enum { BURST = 500 }; /* pods that one pass creates or deletes */

#define SECOND 1000000000LL

struct pods {
	const struct core_pod **active;
	size_t nactive;
	size_t nterminating;
};

static void sort_out(const struct snapshot *snapshot, const struct owned *owned, struct pods *ret)
{
	*ret = (struct pods){
		.active = ARENA_ARRAY(snapshot->arena, owned->n, const struct core_pod *)};
	for (size_t i = 0; i < owned->n; i++) {
		const struct core_pod *pod = FROZEN_AS(owned->p[i], core_pods, struct core_pod);

		if (pod_is_active(pod)) {
			ret->active[ret->nactive++] = pod;
		} else if (!pod_is_terminal(pod)) {
			ret->nterminating++;
		}
	}
}

static bool may_adopt(const struct frozen *object, const struct frozen *owner UNUSED)
{
	return pod_is_active(FROZEN_AS(object, core_pods, struct core_pod));
}

/* ---- pods ---- */

static void create_pod(const struct snapshot *snapshot, struct actions *actions,
		       const struct replicas *r)
{
	struct meta_owner_reference ref =
		controller_ref_make(snapshot->arena, r->owner->resource, r->meta);
	struct core_pod pod = {.spec = r->template->spec};
	struct meta_object_meta *meta = &pod.metadata;

	meta->namespace = r->meta->namespace;
	meta->generate_name = arena_printf(snapshot->arena, "%.*s-", STR_ARG(r->meta->name));
	meta->name = snapshot_random_name(snapshot, meta->generate_name);
	meta->labels = r->template->metadata.labels;
	meta->annotations = r->template->metadata.annotations;
	meta->finalizers = r->template->metadata.finalizers;
	meta->owner_references.p = &ref;
	meta->owner_references.n = 1;
	actions_create(actions, &resource_core_pods, &pod);
	actions_on_success(actions, r->owner, "SuccessfulCreate",
			   arena_printf(snapshot->arena, "Created pod: %.*s", STR_ARG(meta->name)));
	actions_on_failure(actions, r->owner, "FailedCreate", STR("Error creating: "));
}

static void delete_pod(const struct snapshot *snapshot, struct actions *actions,
		       const struct replicas *r, const struct core_pod *pod)
{
	struct delete_opts opts = {.uid = pod->metadata.uid};

	actions_delete(actions, &resource_core_pods, pod->metadata.namespace, pod->metadata.name,
		       &opts);
	actions_on_success(
		actions, r->owner, "SuccessfulDelete",
		arena_printf(snapshot->arena, "Deleted pod: %.*s", STR_ARG(pod->metadata.name)));
	actions_on_failure(actions, r->owner, "FailedDelete", STR("Error deleting: "));
}

struct related {
	const struct snapshot *snapshot;
	const struct core_pod **pods;
	size_t n, cap;
	struct str uid; /* of the Deployment */
};

static bool related_pod(void *ctx, struct frozen *object)
{
	struct related *rel = ctx;
	const struct core_pod *pod = FROZEN_AS(object, core_pods, struct core_pod);

	if (!pod_is_active(pod)) {
		return true;
	}
	if (rel->n == rel->cap) {
		const struct core_pod **old = rel->pods;

		rel->cap = rel->cap ? rel->cap * 2 : 32;
		rel->pods = ARENA_ARRAY(rel->snapshot->arena, rel->cap, const struct core_pod *);
		if (rel->n) {
			memcpy(rel->pods, old, rel->n * sizeof(*old));
		}
	}
	rel->pods[rel->n++] = pod;
	return true;
}

static bool related_set(void *ctx, struct frozen *object)
{
	struct related *rel = ctx;

	informer_each_indexed(snapshot_informer(rel->snapshot, &resource_core_pods),
			      &index_by_controller, object->head->metadata.uid, related_pod, rel);
	return true;
}

/* Active pods of all sets that have the same controller, or of this one. */
static void find_related(const struct replicas *r, struct related *rel)
{
	const struct meta_owner_reference *ref = controller_of(r->meta);

	if (ref && r->owner->resource == &resource_apps_replicasets) {
		informer_each_indexed(snapshot_informer(rel->snapshot, &resource_apps_replicasets),
				      &index_by_controller, ref->uid, related_set, rel);
	} else {
		informer_each_indexed(snapshot_informer(rel->snapshot, &resource_core_pods),
				      &index_by_controller, r->meta->uid, related_pod, rel);
	}
}

static void manage(const struct snapshot *snapshot, struct actions *actions,
		   const struct replicas *r, struct pods *pods)
{
	size_t want = (size_t)MAX(r->replicas, 0);
	struct related rel = {.snapshot = snapshot};
	size_t n;

	if (pods->nactive < want) {
		n = MIN(want - pods->nactive, (size_t)BURST);
		for (size_t i = 0; i < n; i++) {
			create_pod(snapshot, actions, r);
		}
		return;
	}
	n = MIN(pods->nactive - want, (size_t)BURST);
	if (n && n < pods->nactive) {
		find_related(r, &rel);
		replicas_rank(pods->active, pods->nactive, rel.pods, rel.n);
	}
	for (size_t i = 0; i < n; i++) {
		delete_pod(snapshot, actions, r, pods->active[i]);
	}
}

/* ---- status ---- */

static bool has_template_labels(const struct core_pod *pod, const struct str_map *labels)
{
	for (size_t i = 0; i < labels->n; i++) {
		const struct str *value = str_map_find(&pod->metadata.labels, labels->p[i].key);

		if (!value || !str_eq(*value, labels->p[i].value)) {
			return false;
		}
	}
	return true;
}

/* What stood in the way of the pass before this one is told in a condition, as long as it does. */
static void set_failure(const struct snapshot *snapshot, const struct replicas *r,
			const struct pods *pods, struct apps_replica_set_status *status)
{
	const struct pass_failure *failed = snapshot->failed;
	struct apps_replica_set_condition c = {.type = STR("ReplicaFailure"),
					       .status = STR("True")};
	struct apps_replica_set_condition *old = condition_find(&status->conditions, c.type);

	if (!failed || failed->resource != &resource_core_pods ||
	    (failed->verb != VERB_CREATE && failed->verb != VERB_DELETE)) {
		if (old && !failed && (size_t)MAX(r->replicas, 0) == pods->nactive) {
			size_t at = (size_t)(old - status->conditions.p);
			struct apps_replica_set_condition *p =
				ARENA_ARRAY(snapshot->arena, status->conditions.n,
					    struct apps_replica_set_condition);

			memcpy(p, status->conditions.p, status->conditions.n * sizeof(*p));
			memmove(&p[at], &p[at + 1], (status->conditions.n - at - 1) * sizeof(*p));
			status->conditions.p = p;
			status->conditions.n--;
		}
		return;
	}
	c.reason = failed->verb == VERB_CREATE ? STR("FailedCreate") : STR("FailedDelete");
	c.message = failed->message;
	c.last_transition_time = (struct timestamp){.sec = snapshot->now_ns / SECOND, .set = true};
	condition_set(snapshot->arena, &status->conditions, &c);
}

static void compute_status(const struct snapshot *snapshot, struct actions *actions,
			   const struct replicas *r, const struct pods *pods,
			   struct apps_replica_set_status *status)
{
	int64_t now_s = snapshot->now_ns / SECOND;
	int32_t *terminating = ARENA_NEW(snapshot->arena, int32_t);

	*status = *r->status;
	*terminating = (int32_t)pods->nterminating;
	status->terminating_replicas = terminating;
	status->replicas = (int32_t)pods->nactive;
	status->fully_labeled_replicas = status->ready_replicas = status->available_replicas = 0;
	status->observed_generation = r->meta->generation;
	for (size_t i = 0; i < pods->nactive; i++) {
		const struct core_pod *pod = pods->active[i];
		int64_t at = pod_available_at(pod, r->min_ready_seconds);

		status->fully_labeled_replicas +=
			has_template_labels(pod, &r->template->metadata.labels);
		status->ready_replicas += pod_is_ready(pod);
		if (pod_is_available(pod, r->min_ready_seconds, now_s)) {
			status->available_replicas++;
		} else if (at >= 0) {
			actions_requeue_after(actions, at * SECOND - snapshot->now_ns);
		}
	}
	set_failure(snapshot, r, pods, status);
}

bool replicas_reconcile(const struct snapshot *snapshot, struct actions *actions,
			const struct replicas *r, struct apps_replica_set_status *ret_status)
{
	struct owned owned;
	struct pods pods;

	owned_claim(snapshot, actions, r->owner, &r->selector, &resource_core_pods, may_adopt,
		    &owned);
	sort_out(snapshot, &owned, &pods);
	compute_status(snapshot, actions, r, &pods, ret_status);
	if (!r->meta->deletion_timestamp) {
		manage(snapshot, actions, r, &pods);
	}
	return !object_equal(&type_apps_replica_set_status, ret_status, r->status);
}
