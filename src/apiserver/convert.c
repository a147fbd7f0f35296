/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/convert.h"

#include "apiserver/registry.h"
#include "base/alloc.h"

static struct object_head *event_from_core(struct arena *a, const struct core_event *in)
{
	struct events_event *out = ARENA_NEW(a, struct events_event);

	*out = (struct events_event){
		.kind = STR("Event"),
		.api_version = STR("events.k8s.io/v1"),
		.metadata = in->metadata,
		.event_time = in->event_time,
		.reporting_controller = in->reporting_component,
		.reporting_instance = in->reporting_instance,
		.action = in->action,
		.reason = in->reason,
		.regarding = in->involved_object,
		.related = in->related,
		.note = in->message,
		.type = in->type,
		.deprecated_source = in->source,
		.deprecated_first_timestamp = in->first_timestamp,
		.deprecated_last_timestamp = in->last_timestamp,
		.deprecated_count = in->count,
	};
	if (in->series) {
		out->series = ARENA_NEW(a, struct events_event_series);
		*out->series = (struct events_event_series){in->series->count,
							    in->series->last_observed_time};
	}
	return (struct object_head *)(void *)out;
}

static struct object_head *event_to_core(struct arena *a, const struct events_event *in)
{
	struct core_event *out = ARENA_NEW(a, struct core_event);

	*out = (struct core_event){
		.kind = STR("Event"),
		.api_version = STR("v1"),
		.metadata = in->metadata,
		.event_time = in->event_time,
		.reporting_component = in->reporting_controller,
		.reporting_instance = in->reporting_instance,
		.action = in->action,
		.reason = in->reason,
		.involved_object = in->regarding,
		.related = in->related,
		.message = in->note,
		.type = in->type,
		.source = in->deprecated_source,
		.first_timestamp = in->deprecated_first_timestamp,
		.last_timestamp = in->deprecated_last_timestamp,
		.count = in->deprecated_count,
	};
	if (in->series) {
		out->series = ARENA_NEW(a, struct core_event_series);
		*out->series = (struct core_event_series){in->series->count,
							  in->series->last_observed_time};
	}
	return (struct object_head *)(void *)out;
}

static bool is_cpu_target(const struct autoscaling_v2_metric_spec *m)
{
	return str_is(m->type, "Resource") && m->resource && str_is(m->resource->name, "cpu") &&
	       m->resource->target.average_utilization;
}

static struct object_head *hpa_from_v2(struct arena *a,
				       const struct autoscaling_v2_horizontal_pod_autoscaler *in)
{
	struct autoscaling_horizontal_pod_autoscaler *out =
		ARENA_NEW(a, struct autoscaling_horizontal_pod_autoscaler);

	out->kind = STR("HorizontalPodAutoscaler");
	out->api_version = STR("autoscaling/v1");
	out->metadata = in->metadata;
	out->spec.scale_target_ref.kind = in->spec.scale_target_ref.kind;
	out->spec.scale_target_ref.name = in->spec.scale_target_ref.name;
	out->spec.scale_target_ref.api_version = in->spec.scale_target_ref.api_version;
	out->spec.min_replicas = in->spec.min_replicas;
	out->spec.max_replicas = in->spec.max_replicas;
	for (size_t i = 0; i < in->spec.metrics.n; i++) {
		if (is_cpu_target(&in->spec.metrics.p[i])) {
			out->spec.target_cpu_utilization_percentage =
				in->spec.metrics.p[i].resource->target.average_utilization;
		}
	}
	out->status.observed_generation = in->status.observed_generation;
	out->status.last_scale_time = in->status.last_scale_time;
	out->status.current_replicas = in->status.current_replicas;
	out->status.desired_replicas = in->status.desired_replicas;
	for (size_t i = 0; i < in->status.current_metrics.n; i++) {
		const struct autoscaling_v2_metric_status *m = &in->status.current_metrics.p[i];

		if (m->resource && str_is(m->resource->name, "cpu")) {
			out->status.current_cpu_utilization_percentage =
				m->resource->current.average_utilization;
		}
	}
	return (struct object_head *)(void *)out;
}

/* v1 knows one metric: the CPU target replaces that of the stored object, what v1 cannot say stays. */
static void set_cpu_target(struct arena *a, struct autoscaling_v2_horizontal_pod_autoscaler *out,
			   int32_t *percent)
{
	size_t n = 0;
	struct autoscaling_v2_metric_spec *p =
		ARENA_ARRAY(a, out->spec.metrics.n + 1, struct autoscaling_v2_metric_spec);

	for (size_t i = 0; i < out->spec.metrics.n; i++) {
		if (!is_cpu_target(&out->spec.metrics.p[i])) {
			p[n++] = out->spec.metrics.p[i];
		}
	}
	if (percent) {
		p[n].type = STR("Resource");
		p[n].resource = ARENA_NEW(a, struct autoscaling_v2_resource_metric_source);
		p[n].resource->name = STR("cpu");
		p[n].resource->target.type = STR("Utilization");
		p[n].resource->target.average_utilization = percent;
		n++;
	}
	out->spec.metrics.p = p;
	out->spec.metrics.n = n;
}

static struct object_head *hpa_to_v2(struct arena *a,
				     const struct autoscaling_horizontal_pod_autoscaler *in,
				     const struct autoscaling_v2_horizontal_pod_autoscaler *old)
{
	struct autoscaling_v2_horizontal_pod_autoscaler *out =
		ARENA_NEW(a, struct autoscaling_v2_horizontal_pod_autoscaler);

	if (old) {
		*out = *old;
	}
	out->kind = STR("HorizontalPodAutoscaler");
	out->api_version = STR("autoscaling/v2");
	out->metadata = in->metadata;
	out->spec.scale_target_ref.kind = in->spec.scale_target_ref.kind;
	out->spec.scale_target_ref.name = in->spec.scale_target_ref.name;
	out->spec.scale_target_ref.api_version = in->spec.scale_target_ref.api_version;
	out->spec.min_replicas = in->spec.min_replicas;
	out->spec.max_replicas = in->spec.max_replicas;
	set_cpu_target(a, out, in->spec.target_cpu_utilization_percentage);
	out->status.observed_generation = in->status.observed_generation;
	out->status.last_scale_time = in->status.last_scale_time;
	out->status.current_replicas = in->status.current_replicas;
	out->status.desired_replicas = in->status.desired_replicas;
	return (struct object_head *)(void *)out;
}

struct object_head *convert_from_storage(struct arena *a, const struct resource_desc *resource,
					 struct object_head *obj)
{
	if (resource_storage(resource) == resource) {
		return obj;
	}
	if (resource == &resource_events_events) {
		return event_from_core(a, (const void *)obj);
	}
	ASSERT(resource == &resource_autoscaling_horizontalpodautoscalers);
	return hpa_from_v2(a, (const void *)obj);
}

struct object_head *convert_to_storage(struct arena *a, const struct resource_desc *resource,
				       struct object_head *obj,
				       const struct object_head *old_stored)
{
	if (resource_storage(resource) == resource) {
		return obj;
	}
	if (resource == &resource_events_events) {
		return event_to_core(a, (const void *)obj);
	}
	ASSERT(resource == &resource_autoscaling_horizontalpodautoscalers);
	return hpa_to_v2(a, (const void *)obj, (const void *)old_stored);
}
