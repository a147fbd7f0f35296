/* SPDX-License-Identifier: Apache-2.0 */
/* apps/v1 */
#include "object/object.h"
#include "rules/check.h"
#include "rules/metadata.h"
#include "rules/pod_spec.h"
#include "rules/selector.h"
#include "rules/workload.h"

static void default_number(struct arena *a, struct int_or_string **p, int32_t num)
{
	if (!*p) {
		*p = ARENA_NEW(a, struct int_or_string);
		(*p)->num = num;
	}
}

static void default_percent(struct arena *a, struct int_or_string **p, struct str percent)
{
	if (!*p) {
		*p = ARENA_NEW(a, struct int_or_string);
		**p = (struct int_or_string){.str = percent, .kind = IOS_STRING};
	}
}

static struct int_or_string number_or_zero(const struct int_or_string *p)
{
	return p ? *p : (struct int_or_string){0};
}

/* ---- Deployment ---- */

static void deployment_defaults(struct arena *a, void *obj)
{
	struct apps_deployment *d = obj;
	struct apps_deployment_strategy *s = &d->spec.strategy;

	pod_spec_set_defaults(a, &d->spec.template.spec);
	if (!str_is(s->type, "RollingUpdate")) {
		return;
	}
	if (!s->rolling_update) {
		s->rolling_update = ARENA_NEW(a, struct apps_rolling_update_deployment);
	}
	default_percent(a, &s->rolling_update->max_unavailable, STR("25%"));
	default_percent(a, &s->rolling_update->max_surge, STR("25%"));
}

static void check_rolling_update(struct field_errors *errs, const struct path *at,
				 const struct apps_rolling_update_deployment *r)
{
	struct int_or_string unavailable = number_or_zero(r->max_unavailable);
	struct int_or_string surge = number_or_zero(r->max_surge);

	check_int_or_percent(errs, AT(at, "maxUnavailable"), unavailable);
	check_int_or_percent(errs, AT(at, "maxSurge"), surge);
	if (int_or_percent_number(unavailable) == 0 && int_or_percent_number(surge) == 0) {
		field_invalid(errs, AT(at, "maxUnavailable"), int_or_string_value(unavailable),
			      "may not be 0 when `maxSurge` is 0");
	}
	check_at_most_100_percent(errs, AT(at, "maxUnavailable"), unavailable);
}

static void check_strategy(struct field_errors *errs, const struct path *at,
			   const struct apps_deployment_strategy *s)
{
	if (str_is(s->type, "Recreate") && s->rolling_update) {
		field_forbidden(errs, AT(at, "rollingUpdate"),
				"may not be specified when strategy `type` is 'Recreate'");
	} else if (str_is(s->type, "RollingUpdate") && s->rolling_update) {
		check_rolling_update(errs, AT(at, "rollingUpdate"), s->rolling_update);
	}
}

static void deployment_validate(struct field_errors *errs, const void *obj, const void *old UNUSED)
{
	const struct apps_deployment *d = obj;
	const struct apps_deployment_spec *spec = &d->spec;
	const struct path *at = AT(NULL, "spec");

	check_not_negative_ptr(errs, AT(at, "replicas"), spec->replicas);
	validate_workload_selector(errs, AT(at, "selector"), spec->selector,
				   "empty selector is invalid for deployment");
	validate_workload_template(errs, AT(at, "template"), &spec->template, spec->selector,
				   "ReplicaSet");
	check_strategy(errs, AT(at, "strategy"), &spec->strategy);
	check_not_negative(errs, AT(at, "minReadySeconds"), spec->min_ready_seconds);
	check_not_negative_ptr(errs, AT(at, "revisionHistoryLimit"), spec->revision_history_limit);
	if (spec->progress_deadline_seconds) {
		int32_t s = *spec->progress_deadline_seconds;

		check_not_negative(errs, AT(at, "progressDeadlineSeconds"), s);
		if (s <= spec->min_ready_seconds) {
			field_invalid(errs, AT(at, "progressDeadlineSeconds"), field_int(s),
				      "must be greater than minReadySeconds");
		}
	}
}

static void deployment_validate_status(struct field_errors *errs, const void *obj,
				       const void *old_obj)
{
	const struct apps_deployment_status *s = &((const struct apps_deployment *)obj)->status;
	const struct apps_deployment_status *old =
		&((const struct apps_deployment *)old_obj)->status;
	const struct path *at = AT(NULL, "status");

	check_not_negative(errs, AT(at, "observedGeneration"), s->observed_generation);
	check_not_negative(errs, AT(at, "replicas"), s->replicas);
	check_not_negative(errs, AT(at, "updatedReplicas"), s->updated_replicas);
	check_not_negative(errs, AT(at, "readyReplicas"), s->ready_replicas);
	check_not_negative(errs, AT(at, "availableReplicas"), s->available_replicas);
	check_not_negative(errs, AT(at, "unavailableReplicas"), s->unavailable_replicas);
	check_not_negative_ptr(errs, AT(at, "terminatingReplicas"), s->terminating_replicas);
	check_not_more(errs, AT(at, "updatedReplicas"), s->updated_replicas, s->replicas,
		       "status.replicas");
	check_not_more(errs, AT(at, "readyReplicas"), s->ready_replicas, s->replicas,
		       "status.replicas");
	check_not_more(errs, AT(at, "availableReplicas"), s->available_replicas, s->replicas,
		       "status.replicas");
	check_not_more(errs, AT(at, "availableReplicas"), s->available_replicas, s->ready_replicas,
		       "readyReplicas");
	check_collision_count(errs, AT(at, "collisionCount"), s->collision_count,
			      old->collision_count);
}

static void deployment_warn(const struct warn_sink *sink, const void *obj, const void *old UNUSED)
{
	const struct apps_deployment *d = obj;

	warn_pod_template(sink, AT(AT(NULL, "spec"), "template"), &d->spec.template.metadata,
			  &d->spec.template.spec);
}

/* ---- ReplicaSet ---- */

static void replicaset_defaults(struct arena *a, void *obj)
{
	pod_spec_set_defaults(a, &((struct apps_replica_set *)obj)->spec.template.spec);
}

static void replicaset_validate(struct field_errors *errs, const void *obj, const void *old UNUSED)
{
	const struct apps_replica_set_spec *spec = &((const struct apps_replica_set *)obj)->spec;
	const struct path *at = AT(NULL, "spec");

	check_not_negative_ptr(errs, AT(at, "replicas"), spec->replicas);
	check_not_negative(errs, AT(at, "minReadySeconds"), spec->min_ready_seconds);
	/* Upstream's words, copied from Deployment there. */
	validate_workload_selector(errs, AT(at, "selector"), spec->selector,
				   "empty selector is invalid for deployment");
	validate_workload_template(errs, AT(at, "template"), &spec->template, spec->selector,
				   "ReplicaSet");
}

static void replicaset_validate_status(struct field_errors *errs, const void *obj,
				       const void *old UNUSED)
{
	const struct apps_replica_set_status *s = &((const struct apps_replica_set *)obj)->status;
	const struct replica_counts counts = {s->replicas, s->fully_labeled_replicas,
					      s->ready_replicas, s->available_replicas,
					      s->observed_generation};

	validate_replica_counts(errs, AT(NULL, "status"), &counts);
	check_not_negative_ptr(errs, AT(AT(NULL, "status"), "terminatingReplicas"),
			       s->terminating_replicas);
}

static void replicaset_warn(const struct warn_sink *sink, const void *obj, const void *old UNUSED)
{
	const struct apps_replica_set *rs = obj;

	warn_pod_template(sink, AT(AT(NULL, "spec"), "template"), &rs->spec.template.metadata,
			  &rs->spec.template.spec);
}

/* ---- StatefulSet ---- */

static void statefulset_defaults(struct arena *a, void *obj)
{
	struct apps_stateful_set *set = obj;
	struct apps_stateful_set_update_strategy *s = &set->spec.update_strategy;

	pod_spec_set_defaults(a, &set->spec.template.spec);
	/* Asked for by name, it may stay without parameters. */
	if (!s->type.n) {
		s->type = STR("RollingUpdate");
		if (!s->rolling_update) {
			s->rolling_update =
				ARENA_NEW(a, struct apps_rolling_update_stateful_set_strategy);
		}
	}
	if (str_is(s->type, "RollingUpdate") && s->rolling_update &&
	    !s->rolling_update->partition) {
		s->rolling_update->partition = ARENA_NEW(a, int32_t);
	}
	for (size_t i = 0; i < set->spec.volume_claim_templates.n; i++) {
		struct core_persistent_volume_claim *claim = &set->spec.volume_claim_templates.p[i];

		claim->api_version = STR("v1");
		claim->kind = STR("PersistentVolumeClaim");
		volume_claim_spec_set_defaults(&claim->spec);
	}
}

static void check_update_strategy(struct field_errors *errs, const struct path *at,
				  const struct apps_stateful_set_update_strategy *s)
{
	const struct apps_rolling_update_stateful_set_strategy *r = s->rolling_update;
	const struct path *place = AT(at, "rollingUpdate");

	if (!r) {
		return;
	}
	if (str_is(s->type, "OnDelete")) {
		field_invalid(
			errs, place,
			value_of(errs, &type_apps_stateful_set_update_strategy, s, "rollingUpdate"),
			"only allowed for updateStrategy 'RollingUpdate'");
		return;
	}
	check_not_negative_ptr(errs, AT(place, "partition"), r->partition);
	if (r->max_unavailable) {
		check_int_or_percent(errs, AT(place, "maxUnavailable"), *r->max_unavailable);
		if (int_or_percent_number(*r->max_unavailable) == 0) {
			field_invalid(errs, AT(place, "maxUnavailable"),
				      int_or_string_value(*r->max_unavailable), "cannot be 0");
		}
		check_at_most_100_percent(errs, AT(place, "maxUnavailable"), *r->max_unavailable);
	}
}

/* Whoever makes the pods puts volumes of these names into them. */
static void check_claim_templates(struct field_errors *errs, const struct path *at,
				  const struct apps_stateful_set_spec *spec)
{
	struct str_set names CLEANUP_STR_SET = {0};

	for (size_t i = 0; i < spec->volume_claim_templates.n; i++) {
		const struct core_persistent_volume_claim *claim =
			&spec->volume_claim_templates.p[i];
		const struct path *item = AT_INDEX(at, i);
		const struct path *name = AT(AT(item, "metadata"), "name");

		if (!claim->metadata.name.n) {
			field_required(errs, name, NULL);
		} else {
			check_name(errs, name, claim->metadata.name, dns_label_faults);
		}
		if (!str_set_add(&names, claim->metadata.name)) {
			field_duplicate(errs, name, field_str(claim->metadata.name));
		}
		validate_labels(errs, AT(AT(item, "metadata"), "labels"), &claim->metadata.labels);
		validate_claim_spec(errs, AT(item, "spec"), &claim->spec);
	}
}

static void check_statefulset_template(struct field_errors *errs, const struct path *at,
				       const struct apps_stateful_set_spec *spec)
{
	static const char *const policies[] = {"Always", NULL};
	const struct pod_spec_opts opts = {.claims = spec->volume_claim_templates.p,
					   .nclaims = spec->volume_claim_templates.n};
	const struct core_pod_template_spec *t = &spec->template;

	if (spec->selector &&
	    spec->selector->match_labels.n + spec->selector->match_expressions.n > 0 &&
	    !label_selector_matches(spec->selector, &t->metadata.labels)) {
		field_invalid(errs, AT(AT(at, "metadata"), "labels"),
			      value_of(errs, &type_meta_object_meta, &t->metadata, "labels"),
			      "`selector` does not match template `labels`");
	}
	validate_pod_template(errs, at, t, &opts);
	check_one_of(errs, AT(AT(at, "spec"), "restartPolicy"), &t->spec.restart_policy, policies);
	if (t->spec.active_deadline_seconds) {
		field_forbidden(errs, AT(AT(at, "spec"), "activeDeadlineSeconds"),
				"activeDeadlineSeconds in StatefulSet is not Supported");
	}
}

static void check_statefulset_change(struct field_errors *errs,
				     const struct apps_stateful_set_spec *spec,
				     const struct apps_stateful_set_spec *old)
{
	struct apps_stateful_set_spec copy = *spec;

	copy.replicas = old->replicas;
	copy.ordinals = old->ordinals;
	copy.template = old->template;
	copy.update_strategy = old->update_strategy;
	copy.revision_history_limit = old->revision_history_limit;
	copy.persistent_volume_claim_retention_policy =
		old->persistent_volume_claim_retention_policy;
	copy.min_ready_seconds = old->min_ready_seconds;
	if (!object_equal(&type_apps_stateful_set_spec, &copy, old)) {
		field_forbidden(errs, AT(NULL, "spec"),
				"updates to statefulset spec for fields other than 'replicas', "
				"'ordinals', 'template', "
				"'updateStrategy', 'revisionHistoryLimit', "
				"'persistentVolumeClaimRetentionPolicy' and "
				"'minReadySeconds' are forbidden");
	}
}

static void statefulset_validate(struct field_errors *errs, const void *obj, const void *old)
{
	static const char *const retention[] = {"Retain", "Delete", NULL};
	const struct apps_stateful_set_spec *spec = &((const struct apps_stateful_set *)obj)->spec;
	const struct path *at = AT(NULL, "spec");
	const struct path *policy = AT(at, "persistentVolumeClaimRetentionPolicy");

	check_update_strategy(errs, AT(at, "updateStrategy"), &spec->update_strategy);
	if (spec->persistent_volume_claim_retention_policy) {
		check_one_of(errs, AT(policy, "whenDeleted"),
			     &spec->persistent_volume_claim_retention_policy->when_deleted,
			     retention);
		check_one_of(errs, AT(policy, "whenScaled"),
			     &spec->persistent_volume_claim_retention_policy->when_scaled,
			     retention);
	}
	check_not_negative_ptr(errs, AT(at, "replicas"), spec->replicas);
	check_not_negative(errs, AT(at, "minReadySeconds"), spec->min_ready_seconds);
	check_not_negative_ptr(errs, AT(at, "revisionHistoryLimit"), spec->revision_history_limit);
	if (spec->ordinals) {
		check_not_negative(errs, AT(AT(at, "ordinals"), "start"), spec->ordinals->start);
	}
	if (spec->service_name.n) {
		check_name(errs, AT(at, "serviceName"), spec->service_name, dns_subdomain_faults);
	}
	validate_workload_selector(errs, AT(at, "selector"), spec->selector,
				   "empty selector is invalid for statefulset");
	check_claim_templates(errs, AT(at, "volumeClaimTemplates"), spec);
	check_statefulset_template(errs, AT(at, "template"), spec);
	if (old) {
		check_statefulset_change(errs, spec,
					 &((const struct apps_stateful_set *)old)->spec);
	}
}

static void statefulset_validate_status(struct field_errors *errs, const void *obj,
					const void *old_obj)
{
	const struct apps_stateful_set_status *s = &((const struct apps_stateful_set *)obj)->status;
	const struct apps_stateful_set_status *old =
		&((const struct apps_stateful_set *)old_obj)->status;
	const struct path *at = AT(NULL, "status");

	check_not_negative(errs, AT(at, "replicas"), s->replicas);
	check_not_negative(errs, AT(at, "readyReplicas"), s->ready_replicas);
	check_not_negative(errs, AT(at, "currentReplicas"), s->current_replicas);
	check_not_negative(errs, AT(at, "updatedReplicas"), s->updated_replicas);
	check_not_negative(errs, AT(at, "availableReplicas"), s->available_replicas);
	check_not_negative(errs, AT(at, "observedGeneration"), s->observed_generation);
	check_not_more(errs, AT(at, "readyReplicas"), s->ready_replicas, s->replicas,
		       "status.replicas");
	check_not_more(errs, AT(at, "currentReplicas"), s->current_replicas, s->replicas,
		       "status.replicas");
	check_not_more(errs, AT(at, "updatedReplicas"), s->updated_replicas, s->replicas,
		       "status.replicas");
	check_not_more(errs, AT(at, "availableReplicas"), s->available_replicas, s->replicas,
		       "status.replicas");
	check_not_more(errs, AT(at, "availableReplicas"), s->available_replicas, s->ready_replicas,
		       "status.readyReplicas");
	check_collision_count(errs, AT(at, "collisionCount"), s->collision_count,
			      old->collision_count);
}

static void statefulset_warn(const struct warn_sink *sink, const void *obj, const void *old UNUSED)
{
	const struct apps_stateful_set *set = obj;
	const struct path *at = AT(NULL, "spec");

	warn_pod_template(sink, AT(at, "template"), &set->spec.template.metadata,
			  &set->spec.template.spec);
	if (set->spec.revision_history_limit && *set->spec.revision_history_limit < 0) {
		warn_at(sink, AT(at, "revisionHistoryLimit"),
			"a negative value retains all historical revisions; a value >= 0 is "
			"recommended");
	}
}

/* ---- DaemonSet ---- */

static void daemonset_defaults(struct arena *a, void *obj)
{
	struct apps_daemon_set *ds = obj;
	struct apps_daemon_set_update_strategy *s = &ds->spec.update_strategy;

	pod_spec_set_defaults(a, &ds->spec.template.spec);
	if (!str_is(s->type, "RollingUpdate")) {
		return;
	}
	if (!s->rolling_update) {
		s->rolling_update = ARENA_NEW(a, struct apps_rolling_update_daemon_set);
	}
	default_number(a, &s->rolling_update->max_unavailable, 1);
	default_number(a, &s->rolling_update->max_surge, 0);
}

static void check_daemonset_strategy(struct field_errors *errs, const struct path *at,
				     const struct apps_daemon_set_update_strategy *s)
{
	const struct path *place = AT(at, "rollingUpdate");
	struct int_or_string unavailable;
	struct int_or_string surge;

	if (!str_is(s->type, "RollingUpdate") || !s->rolling_update) {
		return;
	}
	unavailable = number_or_zero(s->rolling_update->max_unavailable);
	surge = number_or_zero(s->rolling_update->max_surge);
	check_int_or_percent(errs, AT(place, "maxUnavailable"), unavailable);
	check_int_or_percent(errs, AT(place, "maxSurge"), surge);
	if (int_or_percent_number(unavailable) != 0 && int_or_percent_number(surge) != 0) {
		field_invalid(errs, AT(place, "maxSurge"), int_or_string_value(surge),
			      "may not be set when maxUnavailable is non-zero");
	} else if (int_or_percent_number(unavailable) == 0 && int_or_percent_number(surge) == 0) {
		field_required(errs, AT(place, "maxUnavailable"), "cannot be 0 when maxSurge is 0");
	}
	check_at_most_100_percent(errs, AT(place, "maxUnavailable"), unavailable);
	check_at_most_100_percent(errs, AT(place, "maxSurge"), surge);
}

static void daemonset_validate(struct field_errors *errs, const void *obj, const void *old UNUSED)
{
	const struct apps_daemon_set_spec *spec = &((const struct apps_daemon_set *)obj)->spec;
	const struct path *at = AT(NULL, "spec");

	validate_workload_selector(errs, AT(at, "selector"), spec->selector,
				   "empty selector is invalid for daemonset");
	validate_workload_template(errs, AT(at, "template"), &spec->template, spec->selector,
				   "DaemonSet");
	check_not_negative(errs, AT(at, "minReadySeconds"), spec->min_ready_seconds);
	check_daemonset_strategy(errs, AT(at, "updateStrategy"), &spec->update_strategy);
	check_not_negative_ptr(errs, AT(at, "revisionHistoryLimit"), spec->revision_history_limit);
}

static void daemonset_validate_status(struct field_errors *errs, const void *obj,
				      const void *old_obj)
{
	const struct apps_daemon_set_status *s = &((const struct apps_daemon_set *)obj)->status;
	const struct apps_daemon_set_status *old =
		&((const struct apps_daemon_set *)old_obj)->status;
	const struct path *at = AT(NULL, "status");

	check_not_negative(errs, AT(at, "currentNumberScheduled"), s->current_number_scheduled);
	check_not_negative(errs, AT(at, "numberMisscheduled"), s->number_misscheduled);
	check_not_negative(errs, AT(at, "desiredNumberScheduled"), s->desired_number_scheduled);
	check_not_negative(errs, AT(at, "numberReady"), s->number_ready);
	check_not_negative(errs, AT(at, "observedGeneration"), s->observed_generation);
	check_not_negative(errs, AT(at, "updatedNumberScheduled"), s->updated_number_scheduled);
	check_not_negative(errs, AT(at, "numberAvailable"), s->number_available);
	check_not_negative(errs, AT(at, "numberUnavailable"), s->number_unavailable);
	check_collision_count(errs, AT(at, "collisionCount"), s->collision_count,
			      old->collision_count);
}

static void daemonset_warn(const struct warn_sink *sink, const void *obj, const void *old UNUSED)
{
	const struct apps_daemon_set *ds = obj;

	warn_pod_template(sink, AT(AT(NULL, "spec"), "template"), &ds->spec.template.metadata,
			  &ds->spec.template.spec);
}

/* ---- ControllerRevision ---- */

static void revision_validate(struct field_errors *errs, const void *obj, const void *old UNUSED)
{
	const struct apps_controller_revision *r = obj;

	if (!r->data.n) {
		field_required(errs, AT(NULL, "data"), "data is mandatory");
	}
	check_not_negative(errs, AT(NULL, "revision"), r->revision);
}

static const struct strategy list[] = {
	{
		.resource = &resource_apps_deployments,
		.generation = true,
		.generation_of_annotations = true,
		.set_defaults = deployment_defaults,
		.validate = deployment_validate,
		.validate_status = deployment_validate_status,
		.warn = deployment_warn,
	},
	{
		.resource = &resource_apps_replicasets,
		.generation = true,
		.set_defaults = replicaset_defaults,
		.validate = replicaset_validate,
		.validate_status = replicaset_validate_status,
		.warn = replicaset_warn,
	},
	{
		.resource = &resource_apps_statefulsets,
		.name = NAME_DNS_LABEL,
		.generation = true,
		.set_defaults = statefulset_defaults,
		.validate = statefulset_validate,
		.validate_status = statefulset_validate_status,
		.warn = statefulset_warn,
	},
	{
		.resource = &resource_apps_daemonsets,
		.generation = true,
		.set_defaults = daemonset_defaults,
		.validate = daemonset_validate,
		.validate_status = daemonset_validate_status,
		.warn = daemonset_warn,
	},
	{.resource = &resource_apps_controllerrevisions, .validate = revision_validate},
};

const struct strategy_list strategies_apps = {list, ARRAY_LEN(list)};
