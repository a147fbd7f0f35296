/* SPDX-License-Identifier: Apache-2.0 */
/* Pods, PodTemplates and ReplicationControllers. */
#include "object/field.h"
#include "object/object.h"
#include "rules/check.h"
#include "rules/metadata.h"
#include "rules/pod.h"
#include "rules/pod_spec.h"
#include "rules/selector.h"
#include "rules/workload.h"

static void pod_defaults(struct arena *a, void *obj)
{
	struct core_pod *pod = obj;

	pod_set_defaults(a, &pod->spec);
}

static void pod_prepare_create(struct arena *a, void *obj)
{
	struct core_pod *pod = obj;

	pod->status = (struct core_pod_status){.phase = STR("Pending"),
					       .qos_class = pod_compute_qos(&pod->spec)};
	if (pod->spec.scheduling_gates.n) {
		struct core_pod_condition c = {
			.type = STR("PodScheduled"),
			.status = STR("False"),
			.reason = STR("SchedulingGated"),
			.message = STR("Scheduling is blocked due to non-empty scheduling gates")};

		pod->status.conditions.p = ARENA_NEW(a, struct core_pod_condition);
		pod->status.conditions.p[0] = c;
		pod->status.conditions.n = 1;
	}
}

/* Old node agents left the class out; it never changes. Generations that are not said stay. */
static void pod_prepare_status(struct arena *a UNUSED, void *obj, const void *old_obj)
{
	struct core_pod *pod = obj;
	const struct core_pod *old = old_obj;

	if (!pod->status.qos_class.n) {
		pod->status.qos_class = old->status.qos_class;
	}
	if (!pod->status.observed_generation) {
		pod->status.observed_generation = old->status.observed_generation;
	}
	for (size_t i = 0; i < pod->status.conditions.n; i++) {
		struct core_pod_condition *c = &pod->status.conditions.p[i];
		const struct core_pod_condition *before = pod_condition(old, c->type);

		if (!c->observed_generation && before) {
			c->observed_generation = before->observed_generation;
		}
	}
}

static void check_token_account(struct field_errors *errs, const struct path *spec_at,
				const struct core_pod_spec *spec)
{
	for (size_t i = 0; !spec->service_account_name.n && i < spec->volumes.n; i++) {
		const struct core_projected_volume_source *p = spec->volumes.p[i].projected;
		const struct path *sources =
			AT(AT(AT_INDEX(AT(spec_at, "volumes"), i), "projected"), "sources");

		for (size_t j = 0; p && j < p->sources.n; j++) {
			if (p->sources.p[j].service_account_token) {
				field_forbidden(
					errs, AT(AT_INDEX(sources, j), "serviceAccountToken"),
					"must not be specified when serviceAccountName is not set");
			}
		}
	}
}

/* ---- what may change while the pod lives ---- */

static bool containers_stay(struct field_errors *errs, const struct path *at, size_t n,
			    size_t old_n)
{
	if (n != old_n) {
		field_forbidden(errs, at, "pod updates may not add or remove containers");
	}
	return n == old_n;
}

static void check_deadline_change(struct field_errors *errs, const struct path *at,
				  const int64_t *s, const int64_t *old)
{
	if (s && (*s < 0 || *s > INT32_MAX)) {
		check_range(errs, at, *s, 0, INT32_MAX);
	} else if (s && old && *old < *s) {
		field_invalid(errs, at, field_int(*s),
			      "must be less than or equal to previous value");
	} else if (!s && old) {
		field_invalid(errs, at, field_json(STR("null")),
			      "must not update from a positive integer to nil value");
	}
}

static bool same_but_for_seconds(const struct core_toleration *a, const struct core_toleration *b)
{
	return str_eq(a->key, b->key) && str_eq(a->operator, b->operator) &&
	       str_eq(a->value, b->value) && str_eq(a->effect, b->effect);
}

static void check_tolerations_stay(struct field_errors *errs, const struct path *at,
				   const struct core_pod_spec *spec,
				   const struct core_pod_spec *old)
{
	for (size_t i = 0; i < old->tolerations.n; i++) {
		bool found = false;

		for (size_t j = 0; !found && j < spec->tolerations.n; j++) {
			found = same_but_for_seconds(&old->tolerations.p[i],
						     &spec->tolerations.p[j]);
		}
		if (!found) {
			field_forbidden(errs, at,
					"existing toleration can not be modified except its "
					"tolerationSeconds");
			return;
		}
	}
}

static void check_gates_change(struct field_errors *errs, const struct path *at,
			       const struct core_pod_spec *spec, const struct core_pod_spec *old)
{
	for (size_t i = 0; i < spec->scheduling_gates.n; i++) {
		struct str name = spec->scheduling_gates.p[i].name;
		bool found = false;

		for (size_t j = 0; !found && j < old->scheduling_gates.n; j++) {
			found = str_eq(name, old->scheduling_gates.p[j].name);
		}
		if (!found) {
			field_forbidden(
				errs, AT(AT_INDEX(at, i), "name"),
				"only deletion is allowed, but found new scheduling gate '%.*s'",
				STR_ARG(name));
		}
	}
}

/* A copy with the images of another list; n is the same. */
static struct core_container *with_images(struct arena *a, const struct core_container *p,
					  const struct core_container *images, size_t n)
{
	struct core_container *copy = ARENA_ARRAY(a, n, struct core_container);

	for (size_t i = 0; i < n; i++) {
		copy[i] = p[i];
		copy[i].image = images[i].image;
	}
	return copy;
}

/* While scheduling gates hold it, a pod may become choosier about its node. */
static void check_gated_selector(struct field_errors *errs, const struct path *at,
				 const struct core_pod_spec *spec, const struct core_pod_spec *old)
{
	for (size_t i = 0; i < old->node_selector.n; i++) {
		const struct str *v =
			str_map_find(&spec->node_selector, old->node_selector.p[i].key);

		if (!v || !str_eq(*v, old->node_selector.p[i].value)) {
			field_invalid(errs, at,
				      value_of(errs, &type_core_pod_spec, spec, "nodeSelector"),
				      "only additions to spec.nodeSelector are allowed (no "
				      "mutations or deletions)");
			return;
		}
	}
}

static void check_other_changes(struct field_errors *errs, const struct path *at,
				const struct core_pod_spec *spec, const struct core_pod_spec *old)
{
	struct buf b CLEANUP_BUF = {0};
	struct core_pod_spec copy = *spec;
	const int64_t *grace = spec->termination_grace_period_seconds;
	const int64_t *old_grace = old->termination_grace_period_seconds;

	copy.containers.p =
		with_images(errs->arena, spec->containers.p, old->containers.p, spec->containers.n);
	copy.init_containers.p = with_images(errs->arena, spec->init_containers.p,
					     old->init_containers.p, spec->init_containers.n);
	copy.active_deadline_seconds = old->active_deadline_seconds;
	copy.tolerations = old->tolerations;
	copy.scheduling_gates = old->scheduling_gates;
	if (grace && *grace == 1 && old_grace && *old_grace < 0) {
		copy.termination_grace_period_seconds = old->termination_grace_period_seconds;
	}
	if (old->scheduling_gates.n) {
		check_gated_selector(errs, AT(at, "nodeSelector"), spec, old);
		copy.node_selector = old->node_selector;
	}
	for (size_t i = 0; i < type_core_pod_spec.nfields; i++) {
		const struct field_desc *f = &type_core_pod_spec.fields[i];

		if (!field_equal(f, &copy, old)) {
			buf_printf(&b, "%sspec.%s", b.n ? ", " : "", f->name);
		}
	}
	if (b.n) {
		/* Upstream prints a diff of Go structs behind the line break. */
		field_forbidden(
			errs, at,
			"pod updates may not change fields other than `spec.containers[*].image`,"
			"`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec."
			"tolerations` (only "
			"additions to existing tolerations),`spec.terminationGracePeriodSeconds` "
			"(allow it to be "
			"set to 1 if it was previously negative)\nchanged: %.*s",
			STR_ARG(buf_str(&b)));
	}
}

static void check_annotation_changes(struct field_errors *errs, const struct path *at,
				     const struct str_map *now, const struct str_map *old)
{
	static const struct str mirror = STR_INIT("kubernetes.io/config.mirror");
	const struct str *value = str_map_find(now, mirror);
	const struct str *before = str_map_find(old, mirror);

	if (before && (!value || !str_eq(*value, *before))) {
		field_forbidden(errs, AT_KEY(at, mirror),
				"may not remove or update mirror pod annotation");
	} else if (value && !before) {
		field_forbidden(errs, AT_KEY(at, mirror), "may not add mirror pod annotation");
	}
}

static void check_update(struct field_errors *errs, const struct path *at,
			 const struct core_pod_spec *spec, const struct core_pod_spec *old)
{
	if (!containers_stay(errs, AT(at, "containers"), spec->containers.n, old->containers.n) ||
	    !containers_stay(errs, AT(at, "initContainers"), spec->init_containers.n,
			     old->init_containers.n)) {
		return;
	}
	check_deadline_change(errs, AT(at, "activeDeadlineSeconds"), spec->active_deadline_seconds,
			      old->active_deadline_seconds);
	check_tolerations_stay(errs, AT(at, "tolerations"), spec, old);
	check_gates_change(errs, AT(at, "schedulingGates"), spec, old);
	check_other_changes(errs, at, spec, old);
}

static void pod_validate(struct field_errors *errs, const void *obj, const void *old_obj)
{
	static const struct pod_spec_opts opts = {.is_pod = true};
	const struct core_pod *pod = obj;
	const struct core_pod *old = old_obj;
	const struct path *spec_at = AT(NULL, "spec");
	const struct path *annotations = AT(AT(NULL, "metadata"), "annotations");

	validate_pod_annotations(errs, annotations, &pod->metadata.annotations, &pod->spec);
	validate_pod_spec(errs, spec_at, &pod->spec, &pod->metadata, &opts);
	check_token_account(errs, spec_at, &pod->spec);
	if (old) {
		check_annotation_changes(errs, annotations, &pod->metadata.annotations,
					 &old->metadata.annotations);
		check_update(errs, spec_at, &pod->spec, &old->spec);
		return;
	}
	if (pod->spec.ephemeral_containers.n) {
		field_forbidden(errs, AT(spec_at, "ephemeralContainers"),
				"cannot be set on create");
	}
	if (pod->spec.node_name.n && pod->spec.scheduling_gates.n) {
		field_forbidden(errs, AT(spec_at, "nodeName"),
				"cannot be set until all schedulingGates have been cleared");
	}
}

/* ---- status ---- */

struct statuses {
	const struct core_container_status *p;
	size_t n;
};

/* What has ended for good does not run again. */
static void check_transitions(struct field_errors *errs, const struct path *at, struct statuses now,
			      struct statuses old, const struct core_pod_spec *spec, bool init)
{
	for (size_t i = 0; i < old.n; i++) {
		const struct core_container_state_terminated *end = old.p[i].state.terminated;
		bool sidecar = false;

		for (size_t j = 0; init && j < spec->init_containers.n; j++) {
			const struct core_container *c = &spec->init_containers.p[j];

			sidecar = sidecar ||
				  (str_eq(c->name, old.p[i].name) && container_is_sidecar(c));
		}
		if (!end || sidecar ||
		    (end->exit_code != 0 && str_is(spec->restart_policy, "OnFailure"))) {
			continue;
		}
		for (size_t j = 0; j < now.n; j++) {
			if (str_eq(now.p[j].name, old.p[i].name) && !now.p[j].state.terminated) {
				field_forbidden(errs, AT(AT_INDEX(at, i), "state"),
						"may not be transitioned to non-terminated state");
			}
		}
	}
}

static void check_pod_ips(struct field_errors *errs, const struct path *at,
			  const struct core_pod_status *s)
{
	struct str_list pod = {ARENA_ARRAY(errs->arena, s->pod_ips.n, struct str), s->pod_ips.n};
	struct str_list host = {ARENA_ARRAY(errs->arena, s->host_ips.n, struct str), s->host_ips.n};

	for (size_t i = 0; i < pod.n; i++) {
		pod.p[i] = s->pod_ips.p[i].ip;
		check_ip(errs, AT_INDEX(AT(at, "podIPs"), i), pod.p[i]);
	}
	check_dual_stack(errs, AT(at, "podIPs"), &pod, "IP");
	for (size_t i = 0; i < host.n; i++) {
		host.p[i] = s->host_ips.p[i].ip;
		check_ip(errs, AT_INDEX(AT(at, "hostIPs"), i), host.p[i]);
	}
	check_dual_stack(errs, AT(at, "hostIPs"), &host, "IP");
	if (host.n && !str_eq(s->host_ip, host.p[0])) {
		field_invalid(errs, AT(AT_INDEX(AT(at, "hostIPs"), 0), "ip"), field_str(host.p[0]),
			      "must be equal to `hostIP`");
	}
}

static void pod_validate_status(struct field_errors *errs, const void *obj, const void *old_obj)
{
	const struct core_pod *pod = obj;
	const struct core_pod *old = old_obj;
	const struct path *at = AT(NULL, "status");
	const struct core_pod_status *s = &pod->status;

	for (size_t i = 0; i < s->conditions.n; i++) {
		check_name(errs, AT(AT_INDEX(AT(at, "conditions"), i), "type"),
			   s->conditions.p[i].type, qualified_name_faults);
	}
	if (s->nominated_node_name.n &&
	    !str_eq(s->nominated_node_name, old->status.nominated_node_name)) {
		check_name(errs, AT(at, "nominatedNodeName"), s->nominated_node_name,
			   dns_subdomain_faults);
	}
	check_unchanged(errs, AT(at, "qosClass"), &type_core_pod_status, s, &old->status,
			"qosClass");
	if (!str_is(pod->spec.restart_policy, "Always")) {
		check_transitions(
			errs, AT(at, "containerStatuses"),
			(struct statuses){s->container_statuses.p, s->container_statuses.n},
			(struct statuses){old->status.container_statuses.p,
					  old->status.container_statuses.n},
			&pod->spec, false);
		check_transitions(errs, AT(at, "initContainerStatuses"),
				  (struct statuses){s->init_container_statuses.p,
						    s->init_container_statuses.n},
				  (struct statuses){old->status.init_container_statuses.p,
						    old->status.init_container_statuses.n},
				  &pod->spec, true);
	}
	check_pod_ips(errs, at, s);
}

/* Updates come from machines, which read no warnings. */
static void pod_warn(const struct warn_sink *sink, const void *obj, const void *old)
{
	const struct core_pod *pod = obj;
	struct name_faults f = {0};

	if (old) {
		return;
	}
	dns_label_faults(pod->metadata.name, &f);
	if (f.n) {
		warn_at(sink, AT(AT(NULL, "metadata"), "name"),
			"this is used in the Pod's hostname, which can result in surprising "
			"behavior; a DNS label is "
			"recommended: [%s%s%s]",
			f.p[0], f.n > 1 ? " " : "", f.n > 1 ? f.p[1] : "");
	}
	warn_pod_template(sink, NULL, &pod->metadata, &pod->spec);
}

/* ---- PodTemplate ---- */

static void template_defaults(struct arena *a, void *obj)
{
	struct core_pod_template *t = obj;

	pod_spec_set_defaults(a, &t->template.spec);
}

static void template_validate(struct field_errors *errs, const void *obj, const void *old UNUSED)
{
	const struct core_pod_template *t = obj;

	validate_pod_template(errs, AT(NULL, "template"), &t->template, NULL);
}

static void template_warn(const struct warn_sink *sink, const void *obj, const void *old UNUSED)
{
	const struct core_pod_template *t = obj;

	warn_pod_template(sink, AT(NULL, "template"), &t->template.metadata, &t->template.spec);
}

/* ---- ReplicationController ---- */

static void rc_defaults(struct arena *a, void *obj)
{
	struct core_replication_controller *rc = obj;
	const struct str_map *labels;

	if (!rc->spec.template) {
		return;
	}
	pod_spec_set_defaults(a, &rc->spec.template->spec);
	labels = &rc->spec.template->metadata.labels;
	if (!rc->spec.selector.n) {
		rc->spec.selector = *labels;
	}
	if (!rc->metadata.labels.n) {
		rc->metadata.labels = *labels;
	}
}

static void rc_validate(struct field_errors *errs, const void *obj, const void *old UNUSED)
{
	const struct core_replication_controller *rc = obj;
	const struct path *at = AT(NULL, "spec");
	struct meta_label_selector selector = {.match_labels = rc->spec.selector};

	check_not_negative(errs, AT(at, "minReadySeconds"), rc->spec.min_ready_seconds);
	check_not_negative_ptr(errs, AT(at, "replicas"), rc->spec.replicas);
	if (!rc->spec.selector.n) {
		field_required(errs, AT(at, "selector"), NULL);
	}
	if (!rc->spec.template) {
		field_required(errs, AT(at, "template"), NULL);
		return;
	}
	validate_workload_template(errs, AT(at, "template"), rc->spec.template,
				   rc->spec.selector.n ? &selector : NULL, "ReplicationController");
}

static void rc_validate_status(struct field_errors *errs, const void *obj, const void *old UNUSED)
{
	const struct core_replication_controller *rc = obj;
	const struct core_replication_controller_status *s = &rc->status;
	const struct replica_counts counts = {s->replicas, s->fully_labeled_replicas,
					      s->ready_replicas, s->available_replicas,
					      s->observed_generation};

	validate_replica_counts(errs, AT(NULL, "status"), &counts);
}

static void rc_warn(const struct warn_sink *sink, const void *obj, const void *old UNUSED)
{
	const struct core_replication_controller *rc = obj;

	if (rc->spec.template) {
		warn_pod_template(sink, AT(AT(NULL, "spec"), "template"),
				  &rc->spec.template->metadata, &rc->spec.template->spec);
	}
}

static const struct strategy list[] = {
	{
		.resource = &resource_core_pods,
		.generation = true,
		.set_defaults = pod_defaults,
		.prepare_create = pod_prepare_create,
		.prepare_status = pod_prepare_status,
		.validate = pod_validate,
		.validate_status = pod_validate_status,
		.warn = pod_warn,
	},
	{
		.resource = &resource_core_podtemplates,
		.generation = true,
		.set_defaults = template_defaults,
		.validate = template_validate,
		.warn = template_warn,
	},
	{
		.resource = &resource_core_replicationcontrollers,
		.generation = true,
		.set_defaults = rc_defaults,
		.validate = rc_validate,
		.validate_status = rc_validate_status,
		.warn = rc_warn,
	},
};

const struct strategy_list strategies_core_pod = {list, ARRAY_LEN(list)};
