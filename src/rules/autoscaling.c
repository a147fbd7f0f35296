/* SPDX-License-Identifier: Apache-2.0 */
/* autoscaling/v2 and v1. HPA conversion between them is not done here. */
#include "base/alloc.h"
#include "object/decode.h"
#include "object/field.h"
#include "object/object.h"
#include "object/quantity.h"
#include "rules/check.h"
#include "rules/metadata.h"
#include "rules/strategy.h"
#include "types/types.h"

enum { WINDOW_SECONDS_MAX = 3600, PERIOD_SECONDS_MAX = 1800 };

static void default_rules(struct arena *a, struct autoscaling_v2_hpa_scaling_rules **p,
			  const char *policies, bool window)
{
	struct autoscaling_v2_hpa_scaling_rules *rules = *p;

	if (!rules) {
		rules = *p = ARENA_NEW(a, struct autoscaling_v2_hpa_scaling_rules);
	}
	if (window && !rules->stabilization_window_seconds) {
		rules->stabilization_window_seconds = ARENA_NEW(a, int32_t);
	}
	if (!rules->select_policy) {
		rules->select_policy = ARENA_NEW(a, struct str);
		*rules->select_policy = STR("Max");
	}
	if (!rules->policies.p) {
		const struct field_desc *f =
			type_find_field(&type_autoscaling_v2_hpa_scaling_rules, STR("policies"));

		ASSERT(object_decode_field(a, f, str_of(policies), rules, NULL) == 0);
	}
}

static void hpa_defaults(struct arena *a, void *obj)
{
	struct autoscaling_v2_horizontal_pod_autoscaler *hpa = obj;

	if (!hpa->spec.behavior) {
		return;
	}
	default_rules(a, &hpa->spec.behavior->scale_up,
		      "[{\"type\":\"Pods\",\"value\":4,\"periodSeconds\":15},"
		      "{\"type\":\"Percent\",\"value\":100,\"periodSeconds\":15}]",
		      true);
	default_rules(a, &hpa->spec.behavior->scale_down,
		      "[{\"type\":\"Percent\",\"value\":100,\"periodSeconds\":15}]", false);
}

static void check_target_ref(struct field_errors *errs, const struct path *at, struct str kind,
			     struct str name)
{
	if (kind.n) {
		check_name(errs, AT(at, "kind"), kind, path_segment_faults);
	}
	if (name.n) {
		check_name(errs, AT(at, "name"), name, path_segment_faults);
	}
}

static void check_replicas(struct field_errors *errs, const struct path *at, const int32_t *min,
			   int32_t max)
{
	if (min && *min < 1) {
		field_invalid(errs, AT(at, "minReplicas"), field_int(*min),
			      "must be greater than or equal to 1");
	}
	if (max < 1) {
		field_invalid(errs, AT(at, "maxReplicas"), field_int(max),
			      "must be greater than 0");
	}
	if (min && max < *min) {
		field_invalid(errs, AT(at, "maxReplicas"), field_int(max),
			      "must be greater than or equal to `minReplicas`");
	}
}

static void check_target(struct field_errors *errs, const struct path *at,
			 const struct autoscaling_v2_metric_target *t)
{
	static const char *const types[] = {"AverageValue", "Utilization", "Value", NULL};

	if (!t->type.n) {
		return; /* the table has said that it is required */
	}
	check_one_of(errs, AT(at, "type"), &t->type, types);
	if (t->value && quantity_sign(*t->value) <= 0) {
		field_invalid(errs, AT(at, "value"), quantity_value_text(errs, *t->value),
			      "must be positive");
	}
	if (t->average_value && quantity_sign(*t->average_value) <= 0) {
		field_invalid(errs, AT(at, "averageValue"),
			      quantity_value_text(errs, *t->average_value), "must be positive");
	}
	if (t->average_utilization && *t->average_utilization < 1) {
		field_invalid(errs, AT(at, "averageUtilization"),
			      field_int(*t->average_utilization), "must be greater than 0");
	}
}

static void check_metric_name(struct field_errors *errs, const struct path *at,
			      const struct autoscaling_v2_metric_identifier *m)
{
	if (m->name.n) {
		check_name(errs, AT(at, "name"), m->name, path_segment_faults);
	}
	validate_label_selector(errs, AT(at, "selector"), m->selector);
}

/* Of a resource: a raw amount or a share of the request, one of them. */
static void check_resource_target(struct field_errors *errs, const struct path *at,
				  const struct autoscaling_v2_metric_target *t)
{
	check_target(errs, at, t);
	if (!t->average_utilization && !t->average_value) {
		field_required(errs, AT(at, "averageUtilization"),
			       "must set either a target raw value or a target utilization");
	} else if (t->average_utilization && t->average_value) {
		field_forbidden(errs, AT(at, "averageValue"),
				"may not set both a target raw value and a target utilization");
	}
}

static void check_sources(struct field_errors *errs, const struct path *at,
			  const struct autoscaling_v2_metric_spec *m)
{
	if (m->object) {
		const struct path *place = AT(at, "object");

		check_target_ref(errs, AT(place, "describedObject"),
				 m->object->described_object.kind,
				 m->object->described_object.name);
		check_metric_name(errs, AT(place, "metric"), &m->object->metric);
		check_target(errs, AT(place, "target"), &m->object->target);
		if (!m->object->target.value && !m->object->target.average_value) {
			field_required(errs, AT(AT(place, "target"), "averageValue"),
				       "must set either a target value or averageValue");
		}
	}
	if (m->external) {
		const struct path *place = AT(at, "external");

		check_metric_name(errs, AT(place, "metric"), &m->external->metric);
		check_target(errs, AT(place, "target"), &m->external->target);
		if (!m->external->target.value && !m->external->target.average_value) {
			field_required(
				errs, AT(AT(place, "target"), "averageValue"),
				"must set either a target value for metric or a per-pod target");
		} else if (m->external->target.value && m->external->target.average_value) {
			field_forbidden(
				errs, AT(AT(place, "target"), "value"),
				"may not set both a target value for metric and a per-pod target");
		}
	}
	if (m->pods) {
		check_metric_name(errs, AT(AT(at, "pods"), "metric"), &m->pods->metric);
		check_target(errs, AT(AT(at, "pods"), "target"), &m->pods->target);
		if (!m->pods->target.average_value) {
			field_required(errs, AT(AT(AT(at, "pods"), "target"), "averageValue"),
				       "must specify a positive target averageValue");
		}
	}
	if (m->resource) {
		check_resource_target(errs, AT(AT(at, "resource"), "target"), &m->resource->target);
	}
	if (m->container_resource) {
		check_resource_target(errs, AT(AT(at, "containerResource"), "target"),
				      &m->container_resource->target);
	}
}

static void check_metric(struct field_errors *errs, const struct path *at,
			 const struct autoscaling_v2_metric_spec *m)
{
	static const char *const types[] = {"ContainerResource", "External", "Object", "Pods",
					    "Resource",		 NULL};
	static const char *const members[] = {"containerResource", "external", "object", "pods",
					      "resource"};

	if (!m->type.n) {
		return;
	}
	if (!is_one_of(m->type, types)) {
		field_not_supported(errs, AT(at, "type"), field_str(m->type), types);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		const struct field_desc *f =
			type_find_field(&type_autoscaling_v2_metric_spec, str_of(members[i]));
		const struct path place = path_field(at, str_of(members[i]));
		bool wanted = str_eq(m->type, str_of(types[i]));

		if (wanted && field_is_zero(f, m)) {
			field_required(errs, &place,
				       "must populate information for the given metric source");
		} else if (!wanted && !field_is_zero(f, m)) {
			field_forbidden(errs, &place, "must populate the given metric source only");
		}
	}
	check_sources(errs, at, m);
}

static void check_rules(struct field_errors *errs, const struct path *at,
			const struct autoscaling_v2_hpa_scaling_rules *rules)
{
	static const char *const selects[] = {"Disabled", "Max", "Min", NULL};
	static const char *const types[] = {"Percent", "Pods", NULL};
	const struct path *policies = AT(at, "policies");

	if (!rules) {
		return;
	}
	if (rules->stabilization_window_seconds) {
		int32_t s = *rules->stabilization_window_seconds;
		const struct path *place = AT(at, "stabilizationWindowSeconds");

		if (s < 0) {
			field_invalid(errs, place, field_int(s),
				      "must be greater than or equal to zero");
		} else if (s > WINDOW_SECONDS_MAX) {
			field_invalid(errs, place, field_int(s), "must be less than or equal to %d",
				      WINDOW_SECONDS_MAX);
		}
	}
	check_one_of(errs, AT(at, "selectPolicy"), rules->select_policy, selects);
	if (!rules->policies.n) {
		field_required(errs, policies, "must specify at least one Policy");
	}
	for (size_t i = 0; i < rules->policies.n; i++) {
		const struct autoscaling_v2_hpa_scaling_policy *p = &rules->policies.p[i];
		const struct path *item = AT_INDEX(policies, i);

		check_one_of(errs, AT(item, "type"), &p->type, types);
		if (p->value <= 0) {
			field_invalid(errs, AT(item, "value"), field_int(p->value),
				      "must be greater than zero");
		}
		if (p->period_seconds <= 0) {
			field_invalid(errs, AT(item, "periodSeconds"), field_int(p->period_seconds),
				      "must be greater than zero");
		} else if (p->period_seconds > PERIOD_SECONDS_MAX) {
			field_invalid(errs, AT(item, "periodSeconds"), field_int(p->period_seconds),
				      "must be less than or equal to %d", PERIOD_SECONDS_MAX);
		}
	}
}

static void hpa_validate(struct field_errors *errs, const void *obj, const void *old UNUSED)
{
	const struct autoscaling_v2_horizontal_pod_autoscaler *hpa = obj;
	const struct path *at = AT(NULL, "spec");

	check_replicas(errs, at, hpa->spec.min_replicas, hpa->spec.max_replicas);
	check_target_ref(errs, AT(at, "scaleTargetRef"), hpa->spec.scale_target_ref.kind,
			 hpa->spec.scale_target_ref.name);
	for (size_t i = 0; i < hpa->spec.metrics.n; i++) {
		check_metric(errs, AT_INDEX(AT(at, "metrics"), i), &hpa->spec.metrics.p[i]);
	}
	if (hpa->spec.behavior) {
		check_rules(errs, AT(AT(at, "behavior"), "scaleUp"), hpa->spec.behavior->scale_up);
		check_rules(errs, AT(AT(at, "behavior"), "scaleDown"),
			    hpa->spec.behavior->scale_down);
	}
}

static void hpa_validate_status(struct field_errors *errs, const void *obj, const void *old UNUSED)
{
	const struct autoscaling_v2_horizontal_pod_autoscaler *hpa = obj;

	check_not_negative(errs, AT(AT(NULL, "status"), "currentReplicas"),
			   hpa->status.current_replicas);
	check_not_negative(errs, AT(AT(NULL, "status"), "desiredReplicas"),
			   hpa->status.desired_replicas);
}

static void hpa_v1_validate(struct field_errors *errs, const void *obj, const void *old UNUSED)
{
	const struct autoscaling_horizontal_pod_autoscaler *hpa = obj;
	const struct path *at = AT(NULL, "spec");

	check_replicas(errs, at, hpa->spec.min_replicas, hpa->spec.max_replicas);
	check_target_ref(errs, AT(at, "scaleTargetRef"), hpa->spec.scale_target_ref.kind,
			 hpa->spec.scale_target_ref.name);
	if (hpa->spec.target_cpu_utilization_percentage &&
	    *hpa->spec.target_cpu_utilization_percentage < 1) {
		field_invalid(errs, AT(at, "targetCPUUtilizationPercentage"),
			      field_int(*hpa->spec.target_cpu_utilization_percentage),
			      "must be greater than 0");
	}
}

static const struct strategy list[] = {
	{
		.resource = &resource_autoscaling_v2_horizontalpodautoscalers,
		.set_defaults = hpa_defaults,
		.validate = hpa_validate,
		.validate_status = hpa_validate_status,
	},
	{.resource = &resource_autoscaling_horizontalpodautoscalers, .validate = hpa_v1_validate},
};

const struct strategy_list strategies_autoscaling = {list, ARRAY_LEN(list)};
