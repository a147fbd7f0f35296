/* SPDX-License-Identifier: Apache-2.0 */
/* batch/v1 */
#include "object/object.h"
#include "rules/check.h"
#include "rules/condition.h"
#include "rules/cron.h"
#include "rules/metadata.h"
#include "rules/pod_spec.h"
#include "rules/selector.h"

enum {
	INDEXED_PARALLELISM_MAX = 100000,
	FAILED_INDEXES_MAX = 100000,
	COMPLETIONS_SOFT_MAX = 100000,
	FAILURE_RULES_MAX = 20,
	EXIT_CODES_MAX = 255,
	CONDITION_PATTERNS_MAX = 20,
	SUCCESS_RULES_MAX = 20,
	MANAGED_BY_MAX = 63,
	CRONJOB_NAME_MAX = 52, /* the controller puts 11 characters behind it */
};

#define LABEL_UID "batch.kubernetes.io/controller-uid"
#define LABEL_NAME "batch.kubernetes.io/job-name"
#define OLD_LABEL_UID "controller-uid"
#define OLD_LABEL_NAME "job-name"

static bool is_true(const bool *b)
{
	return b && *b;
}

static bool is_indexed(const struct batch_job_spec *spec)
{
	return spec->completion_mode && str_is(*spec->completion_mode, "Indexed");
}

static void default_int(struct arena *a, int32_t **p, int32_t value)
{
	if (!*p) {
		*p = ARENA_NEW(a, int32_t);
		**p = value;
	}
}

static void default_str(struct arena *a, struct str **p, struct str value)
{
	if (!*p) {
		*p = ARENA_NEW(a, struct str);
		**p = value;
	}
}

static void default_bool(struct arena *a, bool **p)
{
	if (!*p) {
		*p = ARENA_NEW(a, bool);
	}
}

static void job_defaults(struct arena *a, void *obj)
{
	struct batch_job *job = obj;
	struct batch_job_spec *spec = &job->spec;

	pod_spec_set_defaults(a, &spec->template.spec);
	/* Neither said: one pod. Only parallelism said: a work queue, which is done when one pod has succeeded. */
	if (!spec->completions && !spec->parallelism) {
		default_int(a, &spec->completions, 1);
	}
	default_int(a, &spec->parallelism, 1);
	default_int(a, &spec->backoff_limit, spec->backoff_limit_per_index ? INT32_MAX : 6);
	if (!job->metadata.labels.n) {
		job->metadata.labels = spec->template.metadata.labels;
	}
	default_str(a, &spec->completion_mode, STR("NonIndexed"));
	default_bool(a, &spec->suspend);
	default_bool(a, &spec->manual_selector);
	default_str(a, &spec->pod_replacement_policy,
		    spec->pod_failure_policy ? STR("Failed") : STR("TerminatingOrFailed"));
}

static void set_label(struct arena *a, struct str_map *labels, struct str key, struct str value)
{
	struct str_pair *p = ARENA_ARRAY(a, labels->n + 1, struct str_pair);
	size_t i = 0;

	for (; i < labels->n && str_cmp(labels->p[i].key, key) < 0; i++) {
		p[i] = labels->p[i];
	}
	p[i] = (struct str_pair){key, value};
	for (size_t j = i; j < labels->n; j++) {
		p[j + 1] = labels->p[j];
	}
	*labels = (struct str_map){p, labels->n + 1};
}

/* The selector that no other Job can have: by its own uid. Labels that a user set are left to validation. */
static void job_prepare_create(struct arena *a, void *obj)
{
	struct batch_job *job = obj;
	struct str_map *labels = &job->spec.template.metadata.labels;

	if (is_true(job->spec.manual_selector)) {
		return;
	}
	if (!str_map_find(labels, STR(OLD_LABEL_NAME))) {
		set_label(a, labels, STR(OLD_LABEL_NAME), job->metadata.name);
		if (!str_map_find(labels, STR(LABEL_NAME))) {
			set_label(a, labels, STR(LABEL_NAME), job->metadata.name);
		}
	}
	if (!str_map_find(labels, STR(OLD_LABEL_UID))) {
		set_label(a, labels, STR(OLD_LABEL_UID), job->metadata.uid);
		if (!str_map_find(labels, STR(LABEL_UID))) {
			set_label(a, labels, STR(LABEL_UID), job->metadata.uid);
		}
	}
	if (!job->spec.selector) {
		job->spec.selector = ARENA_NEW(a, struct meta_label_selector);
	}
	if (!str_map_find(&job->spec.selector->match_labels, STR(LABEL_UID))) {
		set_label(a, &job->spec.selector->match_labels, STR(LABEL_UID), job->metadata.uid);
	}
}

static void check_label(struct field_errors *errs, const struct path *meta_at,
			const struct str_map *labels, struct str key, struct str want)
{
	const struct path *place = AT_KEY(AT(meta_at, "labels"), key);
	const struct str *have = str_map_find(labels, key);

	if (!have) {
		field_required(errs, place, "must be '%.*s'", STR_ARG(want));
	} else if (!str_eq(*have, want)) {
		field_invalid(errs, place, field_str(*have), "must be '%.*s'", STR_ARG(want));
	}
}

static void check_generated_selector(struct field_errors *errs, const struct batch_job *job)
{
	const struct str_map *labels = &job->spec.template.metadata.labels;
	const struct path *meta = AT(AT(AT(NULL, "spec"), "template"), "metadata");
	struct str_pair expected[] = {
		{STR(LABEL_UID), job->metadata.uid},
		{STR(LABEL_NAME), job->metadata.name},
		{STR(OLD_LABEL_UID), job->metadata.uid},
		{STR(OLD_LABEL_NAME), job->metadata.name},
	};
	const struct str_map own = {expected, ARRAY_LEN(expected)};

	if (is_true(job->spec.manual_selector) || !job->spec.selector) {
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
		check_label(errs, meta, labels, expected[i].key, expected[i].value);
	}
	if (!label_selector_matches(job->spec.selector, &own)) {
		field_invalid(errs, AT(AT(NULL, "spec"), "selector"),
			      value_json(errs, &type_meta_label_selector, job->spec.selector),
			      "`selector` not auto-generated");
	}
}

static bool has_container(const struct core_pod_spec *spec, struct str name)
{
	for (size_t i = 0; i < spec->containers.n; i++) {
		if (str_eq(spec->containers.p[i].name, name)) {
			return true;
		}
	}
	for (size_t i = 0; i < spec->init_containers.n; i++) {
		if (str_eq(spec->init_containers.p[i].name, name)) {
			return true;
		}
	}
	return false;
}

static void check_exit_codes(struct field_errors *errs, const struct path *at,
			     const struct batch_job_spec *spec,
			     const struct batch_pod_failure_policy_on_exit_codes_requirement *r)
{
	const struct path *values = AT(at, "values");
	bool ordered = true;

	if (r->container_name && !has_container(&spec->template.spec, *r->container_name)) {
		field_invalid(
			errs, AT(at, "containerName"), field_str(*r->container_name),
			"must be one of the container or initContainer names in the pod template");
	}
	if (!r->values.n) {
		field_invalid(errs, values, field_json(STR("[]")),
			      "at least one value is required");
	} else if (r->values.n > EXIT_CODES_MAX) {
		field_too_many(errs, values, r->values.n, EXIT_CODES_MAX);
	}
	for (size_t i = 0; i < r->values.n; i++) {
		if (str_is(r->operator, "In") && r->values.p[i] == 0) {
			field_invalid(errs, AT_INDEX(values, i), field_int(0),
				      "must not be 0 for the In operator");
		}
		if (i && r->values.p[i - 1] == r->values.p[i]) {
			field_duplicate(errs, AT_INDEX(values, i), field_int(r->values.p[i]));
		}
		ordered = ordered && (i == 0 || r->values.p[i - 1] <= r->values.p[i]);
	}
	if (!ordered) {
		field_invalid(errs, values,
			      value_of(errs,
				       &type_batch_pod_failure_policy_on_exit_codes_requirement, r,
				       "values"),
			      "must be ordered");
	}
}

static void check_failure_rule(struct field_errors *errs, const struct path *at,
			       const struct batch_job_spec *spec,
			       const struct batch_pod_failure_policy_rule *rule)
{
	static const char *const statuses[] = {"False", "True", "Unknown", NULL};
	const struct path *conditions = AT(at, "onPodConditions");

	if (str_is(rule->action, "FailIndex") && !spec->backoff_limit_per_index) {
		field_invalid(errs, AT(at, "action"), field_str(rule->action),
			      "requires the backoffLimitPerIndex to be set");
	}
	if (rule->on_exit_codes) {
		check_exit_codes(errs, AT(at, "onExitCodes"), spec, rule->on_exit_codes);
	}
	if (rule->on_pod_conditions.n > CONDITION_PATTERNS_MAX) {
		field_too_many(errs, conditions, rule->on_pod_conditions.n, CONDITION_PATTERNS_MAX);
	}
	for (size_t i = 0; i < rule->on_pod_conditions.n; i++) {
		const struct batch_pod_failure_policy_on_pod_conditions_pattern *p =
			&rule->on_pod_conditions.p[i];

		check_name(errs, AT(AT_INDEX(conditions, i), "type"), p->type,
			   qualified_name_faults);
		check_one_of(errs, AT(AT_INDEX(conditions, i), "status"), &p->status, statuses);
	}
	if (rule->on_exit_codes && rule->on_pod_conditions.n) {
		field_invalid(errs, at, FIELD_NO_VALUE,
			      "specifying both OnExitCodes and OnPodConditions is not supported");
	} else if (!rule->on_exit_codes && !rule->on_pod_conditions.n) {
		field_invalid(errs, at, FIELD_NO_VALUE,
			      "specifying one of OnExitCodes and OnPodConditions is required");
	}
}

static void check_policies(struct field_errors *errs, const struct path *at,
			   const struct batch_job_spec *spec)
{
	static const char *const failed[] = {"Failed", NULL};

	if (spec->pod_failure_policy) {
		const struct path *rules = AT(AT(at, "podFailurePolicy"), "rules");

		if (spec->pod_failure_policy->rules.n > FAILURE_RULES_MAX) {
			field_too_many(errs, rules, spec->pod_failure_policy->rules.n,
				       FAILURE_RULES_MAX);
		}
		for (size_t i = 0; i < spec->pod_failure_policy->rules.n; i++) {
			check_failure_rule(errs, AT_INDEX(rules, i), spec,
					   &spec->pod_failure_policy->rules.p[i]);
		}
		check_one_of(errs, AT(at, "podReplacementPolicy"), spec->pod_replacement_policy,
			     failed);
	}
	if (spec->success_policy) {
		const struct path *rules = AT(AT(at, "successPolicy"), "rules");

		if (!is_indexed(spec)) {
			field_invalid(
				errs, AT(at, "successPolicy"),
				value_json(errs, &type_batch_success_policy, spec->success_policy),
				"requires indexed completion mode");
		} else if (!spec->success_policy->rules.n) {
			field_required(errs, rules,
				       "at least one rules must be specified when the "
				       "successPolicy is specified");
		} else if (spec->success_policy->rules.n > SUCCESS_RULES_MAX) {
			field_too_many(errs, rules, spec->success_policy->rules.n,
				       SUCCESS_RULES_MAX);
		}
	}
}

static void check_indexed(struct field_errors *errs, const struct path *at,
			  const struct batch_job_spec *spec)
{
	if (!is_indexed(spec)) {
		if (spec->backoff_limit_per_index) {
			field_invalid(errs, AT(at, "backoffLimitPerIndex"),
				      field_int(*spec->backoff_limit_per_index),
				      "requires indexed completion mode");
		}
		if (spec->max_failed_indexes) {
			field_invalid(errs, AT(at, "maxFailedIndexes"),
				      field_int(*spec->max_failed_indexes),
				      "requires indexed completion mode");
		}
		return;
	}
	if (!spec->completions) {
		field_required(errs, AT(at, "completions"), "when completion mode is Indexed");
	}
	if (spec->parallelism && *spec->parallelism > INDEXED_PARALLELISM_MAX) {
		field_invalid(errs, AT(at, "parallelism"), field_int(*spec->parallelism),
			      "must be less than or equal to %d when completion mode is Indexed",
			      INDEXED_PARALLELISM_MAX);
	}
	if (spec->max_failed_indexes && spec->completions &&
	    *spec->max_failed_indexes > *spec->completions) {
		field_invalid(errs, AT(at, "maxFailedIndexes"),
			      field_int(*spec->max_failed_indexes),
			      "must be less than or equal to completions");
	}
	if (spec->max_failed_indexes && *spec->max_failed_indexes > FAILED_INDEXES_MAX) {
		field_invalid(errs, AT(at, "maxFailedIndexes"),
			      field_int(*spec->max_failed_indexes),
			      "must be less than or equal to %d", FAILED_INDEXES_MAX);
	}
	if (spec->completions && *spec->completions > COMPLETIONS_SOFT_MAX &&
	    spec->backoff_limit_per_index && !spec->max_failed_indexes) {
		field_required(errs, AT(at, "maxFailedIndexes"),
			       "must be specified when completions is above %d",
			       COMPLETIONS_SOFT_MAX);
	}
}

static void check_restart_policy(struct field_errors *errs, const struct path *at,
				 const struct batch_job_spec *spec)
{
	struct str policy = spec->template.spec.restart_policy;

	if (!policy.n || str_is(policy, "Always")) {
		field_required(errs, at, "valid values: \"OnFailure\", \"Never\"");
	} else if (spec->pod_failure_policy && !str_is(policy, "Never")) {
		field_invalid(errs, at, field_str(policy),
			      "only \"Never\" is supported when podFailurePolicy is specified");
	}
}

static void check_job_spec(struct field_errors *errs, const struct path *at,
			   const struct batch_job_spec *spec)
{
	check_not_negative_ptr(errs, AT(at, "parallelism"), spec->parallelism);
	check_not_negative_ptr(errs, AT(at, "completions"), spec->completions);
	if (spec->active_deadline_seconds) {
		check_not_negative(errs, AT(at, "activeDeadlineSeconds"),
				   *spec->active_deadline_seconds);
	}
	check_not_negative_ptr(errs, AT(at, "backoffLimit"), spec->backoff_limit);
	check_not_negative_ptr(errs, AT(at, "ttlSecondsAfterFinished"),
			       spec->ttl_seconds_after_finished);
	check_not_negative_ptr(errs, AT(at, "backoffLimitPerIndex"), spec->backoff_limit_per_index);
	check_not_negative_ptr(errs, AT(at, "maxFailedIndexes"), spec->max_failed_indexes);
	if (spec->max_failed_indexes && !spec->backoff_limit_per_index) {
		field_required(errs, AT(at, "backoffLimitPerIndex"),
			       "when maxFailedIndexes is specified");
	}
	if (spec->managed_by) {
		check_domain_prefixed_path(errs, AT(at, "managedBy"), *spec->managed_by);
		if (spec->managed_by->n > MANAGED_BY_MAX) {
			field_too_long(errs, AT(at, "managedBy"), MANAGED_BY_MAX);
		}
	}
	check_indexed(errs, at, spec);
	check_policies(errs, at, spec);
	validate_pod_template(errs, AT(at, "template"), &spec->template, NULL);
	check_restart_policy(errs, AT(AT(AT(at, "template"), "spec"), "restartPolicy"), spec);
}

/* A suspended Job that never ran may still be told where its pods go and what they take. */
static bool template_is_same(struct arena *a, const struct batch_job *job,
			     const struct batch_job *old)
{
	struct core_pod_template_spec copy = job->spec.template;
	struct core_affinity *affinity;
	const struct core_pod_template_spec *before = &old->spec.template;

	if (is_true(old->spec.suspend) && !old->status.start_time) {
		copy.metadata.labels = before->metadata.labels;
		copy.metadata.annotations = before->metadata.annotations;
		copy.spec.node_selector = before->spec.node_selector;
		copy.spec.tolerations = before->spec.tolerations;
		copy.spec.scheduling_gates = before->spec.scheduling_gates;
		affinity = ARENA_NEW(a, struct core_affinity);
		*affinity = copy.spec.affinity ? *copy.spec.affinity : (struct core_affinity){0};
		affinity->node_affinity =
			before->spec.affinity ? before->spec.affinity->node_affinity : NULL;
		copy.spec.affinity = affinity;
		if (!before->spec.affinity && object_is_zero(&type_core_affinity, affinity)) {
			copy.spec.affinity = NULL;
		}
	}
	return object_equal(&type_core_pod_template_spec, &copy, before);
}

static void check_job_change(struct field_errors *errs, const struct path *at,
			     const struct batch_job *job, const struct batch_job *old)
{
	static const char *const fixed[] = {"selector",		"completionMode",
					    "podFailurePolicy", "backoffLimitPerIndex",
					    "managedBy",	"successPolicy"};
	const struct batch_job_spec *spec = &job->spec;
	/* Indexed Jobs may grow and shrink as long as both numbers stay the same. */
	bool elastic = is_indexed(spec) && spec->completions && spec->parallelism &&
		       *spec->completions == *spec->parallelism;

	if (!elastic) {
		check_unchanged(errs, AT(at, "completions"), &type_batch_job_spec, spec, &old->spec,
				"completions");
	}
	for (size_t i = 0; i < ARRAY_LEN(fixed); i++) {
		const struct path place = path_field(at, str_of(fixed[i]));

		check_unchanged(errs, &place, &type_batch_job_spec, spec, &old->spec, fixed[i]);
	}
	if (!template_is_same(errs->arena, job, old)) {
		field_invalid(errs, AT(at, "template"),
			      value_of(errs, &type_batch_job_spec, spec, "template"),
			      "field is immutable");
	}
}

static void job_validate(struct field_errors *errs, const void *obj, const void *old)
{
	const struct batch_job *job = obj;
	const struct path *at = AT(NULL, "spec");

	check_generated_selector(errs, job);
	check_job_spec(errs, at, &job->spec);
	if (!job->spec.selector) {
		field_required(errs, AT(at, "selector"), NULL);
	} else {
		validate_label_selector(errs, AT(at, "selector"), job->spec.selector);
		if (!label_selector_matches(job->spec.selector,
					    &job->spec.template.metadata.labels)) {
			field_invalid(errs, AT(AT(AT(at, "template"), "metadata"), "labels"),
				      value_of(errs, &type_meta_object_meta,
					       &job->spec.template.metadata, "labels"),
				      "`selector` does not match template `labels`");
		}
	}
	if (is_indexed(&job->spec) && job->spec.completions && *job->spec.completions > 0) {
		struct str host = arena_printf(errs->arena, "%.*s-%d", STR_ARG(job->metadata.name),
					       *job->spec.completions - 1);

		if (!name_is(host, dns_label_faults)) {
			field_invalid(errs, AT(AT(NULL, "metadata"), "name"),
				      field_str(job->metadata.name),
				      "will not able to create pod with invalid DNS label: %.*s",
				      STR_ARG(host));
		}
	}
	if (old) {
		check_job_change(errs, at, job, old);
	}
}

static void job_validate_status(struct field_errors *errs, const void *obj, const void *old UNUSED)
{
	const struct batch_job *job = obj;
	const struct batch_job_status *s = &job->status;
	const struct path *at = AT(NULL, "status");
	bool complete = condition_is_true(&s->conditions, STR("Complete"));
	bool failed = condition_is_true(&s->conditions, STR("Failed"));

	check_not_negative(errs, AT(at, "active"), s->active);
	check_not_negative(errs, AT(at, "succeeded"), s->succeeded);
	check_not_negative(errs, AT(at, "failed"), s->failed);
	check_not_negative_ptr(errs, AT(at, "ready"), s->ready);
	check_not_negative_ptr(errs, AT(at, "terminating"), s->terminating);
	if (complete && failed) {
		field_invalid(errs, AT(at, "conditions"), FIELD_NO_VALUE,
			      "cannot set Complete=True and Failed=true conditions");
	}
	if (s->completion_time && !complete) {
		field_invalid(errs, AT(at, "completionTime"),
			      value_of(errs, &type_batch_job_status, s, "completionTime"),
			      "cannot set completionTime when there is no Complete=True condition");
	}
	if (complete && !s->completion_time) {
		field_required(errs, AT(at, "completionTime"),
			       "completionTime is required for Complete jobs");
	}
	if ((complete || failed) && s->active > 0) {
		field_invalid(errs, AT(at, "active"), field_int(s->active),
			      "active>0 is invalid for finished job");
	}
	if ((complete || failed) && !s->start_time) {
		field_required(errs, AT(at, "startTime"), "startTime is required for finished job");
	}
	if (s->ready && *s->ready > s->active) {
		field_invalid(errs, AT(at, "ready"), field_int(*s->ready),
			      "cannot set more ready pods than active");
	}
}

static void job_warn(const struct warn_sink *sink, const void *obj, const void *old UNUSED)
{
	const struct batch_job *job = obj;

	if (!name_is(job->metadata.name, dns_label_faults)) {
		warn_at(sink, AT(AT(NULL, "metadata"), "name"),
			"this is used in Pod names and hostnames, which can result in surprising "
			"behavior; a DNS "
			"label is recommended");
	}
	warn_pod_template(sink, AT(AT(NULL, "spec"), "template"), &job->spec.template.metadata,
			  &job->spec.template.spec);
}

/* ---- CronJob ---- */

static void cronjob_defaults(struct arena *a, void *obj)
{
	pod_spec_set_defaults(
		a, &((struct batch_cron_job *)obj)->spec.job_template.spec.template.spec);
}

static void check_schedule(struct field_errors *errs, const struct path *at,
			   const struct batch_cron_job_spec *spec,
			   const struct batch_cron_job_spec *old)
{
	struct err err CLEANUP_ERR = {0};
	struct cron_schedule schedule;
	bool zone = str_contains(spec->schedule, STR("TZ"));
	bool zone_before = old && str_contains(old->schedule, STR("TZ")) &&
			   str_eq(old->schedule, spec->schedule);

	if (!spec->schedule.n) {
		return;
	}
	if (cron_parse(spec->schedule, &schedule, &err) < 0) {
		field_invalid(errs, at, field_str(spec->schedule), "%s", err_msg(&err));
	}
	if (zone && zone_before && spec->time_zone) {
		field_invalid(errs, at, field_str(spec->schedule),
			      "cannot use both timeZone field and TZ or CRON_TZ in schedule");
	} else if (zone && !zone_before) {
		field_invalid(errs, at, field_str(spec->schedule),
			      "cannot use TZ or CRON_TZ in schedule, use timeZone field instead");
	}
}

/* IANA's naming rules; whether the zone exists is known where the zone files are. */
static bool is_zone_part(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
		      c == '.' || c == '-' || c == '_' || c == '+')) {
			return false;
		}
	}
	return s.n > 0 && s.n <= 14 && !str_is(s, ".") && !str_is(s, "..") && s.p[0] != '-';
}

static void check_time_zone(struct field_errors *errs, const struct path *at, struct str zone)
{
	struct str rest = zone;
	struct str part;

	if (!zone.n) {
		field_invalid(errs, at, field_str(zone),
			      "timeZone must be nil or non-empty string");
		return;
	}
	while (str_cut(&rest, '/', &part)) {
		if (!is_zone_part(part)) {
			field_invalid(errs, at, field_str(zone), "unknown time zone %.*s",
				      STR_ARG(zone));
			return;
		}
	}
	if (str_eq_nocase(zone, STR("Local"))) {
		field_invalid(errs, at, field_str(zone),
			      "timeZone must be an explicit time zone as defined in "
			      "https://www.iana.org/time-zones");
	}
}

static void cronjob_validate(struct field_errors *errs, const void *obj, const void *old)
{
	const struct batch_cron_job_spec *spec = &((const struct batch_cron_job *)obj)->spec;
	const struct path *at = AT(NULL, "spec");
	const struct path *job_at = AT(AT(at, "jobTemplate"), "spec");
	const struct batch_job_spec *job = &spec->job_template.spec;

	check_schedule(errs, AT(at, "schedule"), spec,
		       old ? &((const struct batch_cron_job *)old)->spec : NULL);
	if (spec->starting_deadline_seconds) {
		check_not_negative(errs, AT(at, "startingDeadlineSeconds"),
				   *spec->starting_deadline_seconds);
	}
	if (spec->time_zone) {
		check_time_zone(errs, AT(at, "timeZone"), *spec->time_zone);
	}
	check_not_negative_ptr(errs, AT(at, "successfulJobsHistoryLimit"),
			       spec->successful_jobs_history_limit);
	check_not_negative_ptr(errs, AT(at, "failedJobsHistoryLimit"),
			       spec->failed_jobs_history_limit);
	check_job_spec(errs, job_at, job);
	if (job->selector) {
		field_invalid(errs, AT(job_at, "selector"),
			      value_json(errs, &type_meta_label_selector, job->selector),
			      "`selector` will be auto-generated");
	}
	if (is_true(job->manual_selector)) {
		static const char *const values[] = {"nil", "false", NULL};

		field_not_supported(errs, AT(job_at, "manualSelector"), field_bool(true), values);
	}
}

static void cronjob_warn(const struct warn_sink *sink, const void *obj, const void *old UNUSED)
{
	const struct batch_cron_job *cron = obj;
	const struct path *template =
		AT(AT(AT(AT(NULL, "spec"), "jobTemplate"), "spec"), "template");

	if (!name_is(cron->metadata.name, dns_label_faults)) {
		warn_at(sink, AT(AT(NULL, "metadata"), "name"),
			"this is used in Pod names and hostnames, which can result in surprising "
			"behavior; a DNS "
			"label is recommended");
	}
	warn_pod_template(sink, template, &cron->spec.job_template.spec.template.metadata,
			  &cron->spec.job_template.spec.template.spec);
}

static const struct strategy list[] = {
	{
		.resource = &resource_batch_jobs,
		.generation = true,
		.set_defaults = job_defaults,
		.prepare_create = job_prepare_create,
		.validate = job_validate,
		.validate_status = job_validate_status,
		.warn = job_warn,
	},
	{
		.resource = &resource_batch_cronjobs,
		.name_max = CRONJOB_NAME_MAX,
		.generation = true,
		.set_defaults = cronjob_defaults,
		.validate = cronjob_validate,
		.warn = cronjob_warn,
	},
};

const struct strategy_list strategies_batch = {list, ARRAY_LEN(list)};
