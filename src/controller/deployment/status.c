/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/deployment/rollout.h"
#include "object/object.h"
#include "rules/condition.h"

bool status_has_deadline(const struct rollout *ro)
{
	return ro->d->spec.progress_deadline_seconds &&
	       *ro->d->spec.progress_deadline_seconds != INT32_MAX;
}

bool status_is_complete(const struct rollout *ro, const struct apps_deployment_status *status)
{
	return status->updated_replicas == ro->replicas && status->replicas == ro->replicas &&
	       status->available_replicas == ro->replicas &&
	       status->observed_generation >= ro->d->metadata.generation;
}

static struct timestamp now_of(const struct rollout *ro)
{
	return (struct timestamp){.sec = ro->snapshot->now_ns / SECOND, .set = true};
}

/* Upstream's SetDeploymentCondition: nothing changes while status and reason stay, whatever the message says. */
static void set_condition(struct rollout *ro, struct apps_deployment_status *st, const char *type,
			  const char *status, const char *reason, struct str message)
{
	struct apps_deployment_condition c = {
		.type = str_of(type),
		.status = str_of(status),
		.reason = str_of(reason),
		.message = message,
		.last_update_time = now_of(ro),
		.last_transition_time = now_of(ro),
	};
	const struct apps_deployment_condition *old = condition_find(&st->conditions, c.type);

	if (!old || !str_eq(old->status, c.status) || !str_eq(old->reason, c.reason)) {
		condition_set(ro->snapshot->arena, &st->conditions, &c);
	}
}

static void remove_condition(struct rollout *ro, struct apps_deployment_status *st, struct str type)
{
	const struct apps_deployment_condition *old = condition_find(&st->conditions, type);
	struct apps_deployment_condition *p;
	size_t n = 0;

	if (!old) {
		return;
	}
	p = ARENA_ARRAY(ro->snapshot->arena, st->conditions.n, struct apps_deployment_condition);
	for (size_t i = 0; i < st->conditions.n; i++) {
		if (&st->conditions.p[i] != old) {
			p[n++] = st->conditions.p[i];
		}
	}
	st->conditions.p = p;
	st->conditions.n = n;
}

static void compute(struct rollout *ro, struct apps_deployment_status *st)
{
	int32_t total = 0;
	int32_t *terminating = ARENA_NEW(ro->snapshot->arena, int32_t);

	*st = ro->d->status;
	st->observed_generation = ro->d->metadata.generation;
	st->collision_count =
		ro->collision_count ? ro->collision_count : ro->d->status.collision_count;
	st->replicas = st->ready_replicas = st->available_replicas = 0;
	for (size_t i = 0; i < ro->n; i++) {
		const struct apps_replica_set_status *s = &ro->sets[i].rs->status;

		total += ro->sets[i].size;
		st->replicas += s->replicas;
		st->ready_replicas += s->ready_replicas;
		st->available_replicas += s->available_replicas;
		*terminating += s->terminating_replicas ? *s->terminating_replicas : 0;
	}
	st->terminating_replicas = terminating;
	st->updated_replicas = ro->new_ ? ro->new_->rs->status.replicas : 0;
	st->unavailable_replicas = MAX(total - st->available_replicas, 0);
	if (st->available_replicas >= ro->replicas - (ro->is_rolling ? ro->max_unavailable : 0)) {
		set_condition(ro, st, "Available", "True", "MinimumReplicasAvailable",
			      STR("Deployment has minimum availability."));
	} else {
		set_condition(ro, st, "Available", "False", "MinimumReplicasUnavailable",
			      STR("Deployment does not have minimum availability."));
	}
}

/* ---- progress ---- */

static bool has_moved(const struct apps_deployment_status *was,
		      const struct apps_deployment_status *is)
{
	return is->updated_replicas > was->updated_replicas ||
	       is->replicas - is->updated_replicas < was->replicas - was->updated_replicas ||
	       is->ready_replicas > was->ready_replicas ||
	       is->available_replicas > was->available_replicas;
}

static int64_t deadline_s(const struct rollout *ro, const struct apps_deployment_condition *c)
{
	return c->last_update_time.sec + *ro->d->spec.progress_deadline_seconds;
}

static bool has_timed_out(const struct rollout *ro, const struct apps_deployment_condition *c)
{
	if (!c || str_is(c->reason, "NewReplicaSetAvailable")) {
		return false;
	}
	return str_is(c->reason, "ProgressDeadlineExceeded") || deadline_s(ro, c) < now_of(ro).sec;
}

static struct str about(const struct rollout *ro, const char *what)
{
	if (ro->new_) {
		return arena_printf(ro->snapshot->arena, "ReplicaSet \"%.*s\" %s",
				    STR_ARG(ro->new_->rs->metadata.name), what);
	}
	return arena_printf(ro->snapshot->arena, "Deployment \"%.*s\" %s",
			    STR_ARG(ro->d->metadata.name), what);
}

static void set_progress(struct rollout *ro, struct apps_deployment_status *st)
{
	const struct apps_deployment_condition *c =
		condition_find(&st->conditions, STR("Progressing"));

	if (st->replicas == st->updated_replicas && c &&
	    str_is(c->reason, "NewReplicaSetAvailable")) {
		return; /* done before: what happens now is no rollout */
	}
	if (status_is_complete(ro, st)) {
		set_condition(ro, st, "Progressing", "True", "NewReplicaSetAvailable",
			      about(ro, "has successfully progressed."));
	} else if (has_moved(&ro->d->status, st)) {
		struct timestamp since =
			c && str_is(c->status, "True") ? c->last_transition_time : now_of(ro);

		/* Each step gives the deadline a new start: it counts from lastUpdateTime. */
		remove_condition(ro, st, STR("Progressing"));
		set_condition(ro, st, "Progressing", "True", "ReplicaSetUpdated",
			      about(ro, "is progressing."));
		condition_find(&st->conditions, STR("Progressing"))->last_transition_time = since;
	} else if (has_timed_out(ro, c)) {
		set_condition(ro, st, "Progressing", "False", "ProgressDeadlineExceeded",
			      about(ro, "has timed out progressing."));
	}
}

static const struct apps_replica_set_condition *find_failure(const struct rollout *ro)
{
	const struct apps_replica_set_condition *c;

	if (ro->new_) {
		c = condition_find(&ro->new_->rs->status.conditions, STR("ReplicaFailure"));
		return c && str_is(c->status, "True") ? c : NULL;
	}
	for (size_t i = 0; i < ro->n; i++) {
		c = condition_find(&ro->sets[i].rs->status.conditions, STR("ReplicaFailure"));
		if (c && str_is(c->status, "True")) {
			return c;
		}
	}
	return NULL;
}

static void set_failure(struct rollout *ro, struct apps_deployment_status *st)
{
	const struct apps_replica_set_condition *c = find_failure(ro);
	struct apps_deployment_condition failure = {.type = STR("ReplicaFailure"),
						    .status = STR("True")};

	if (!c) {
		remove_condition(ro, st, STR("ReplicaFailure"));
		return;
	}
	failure.reason = c->reason;
	failure.message = c->message;
	failure.last_transition_time = failure.last_update_time = c->last_transition_time;
	condition_set(ro->snapshot->arena, &st->conditions, &failure);
}

/* The deadline passes without an event: look again then. */
static void watch_deadline(struct rollout *ro, const struct apps_deployment_status *st)
{
	const struct apps_deployment_condition *c =
		condition_find(&st->conditions, STR("Progressing"));

	if (c && !status_is_complete(ro, st) && !str_is(c->reason, "ProgressDeadlineExceeded") &&
	    !str_is(c->reason, "NewReplicaSetAvailable")) {
		actions_requeue_after(ro->actions,
				      (deadline_s(ro, c) + 1) * SECOND - ro->snapshot->now_ns);
	}
}

void status_sync(struct rollout *ro, bool progress)
{
	struct apps_deployment copy = *ro->d;

	compute(ro, &copy.status);
	if (progress) {
		if (status_has_deadline(ro)) {
			set_progress(ro, &copy.status);
			watch_deadline(ro, &copy.status);
		} else {
			remove_condition(ro, &copy.status, STR("Progressing"));
		}
		set_failure(ro, &copy.status);
	}
	if (!object_equal(&type_apps_deployment_status, &copy.status, &ro->d->status)) {
		actions_update_status(ro->actions, &resource_apps_deployments, &copy);
	}
}

void status_note(struct rollout *ro, const char *status, const char *reason, struct str message)
{
	struct apps_deployment copy = *ro->d;

	if (!status_has_deadline(ro)) {
		return;
	}
	set_condition(ro, &copy.status, "Progressing", status, reason, message);
	if (!object_equal(&type_apps_deployment_status, &copy.status, &ro->d->status)) {
		actions_update_status(ro->actions, &resource_apps_deployments, &copy);
	}
}
