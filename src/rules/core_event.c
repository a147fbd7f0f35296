/* SPDX-License-Identifier: Apache-2.0 */
/* Events, in the old form and in that of events.k8s.io (the same objects). */
#include "object/object.h"
#include "rules/check.h"
#include "rules/strategy.h"
#include "types/types.h"

enum { EVENT_TEXT_MAX = 128, EVENT_NOTE_MAX = 1024 };

/* What both forms have, under whichever name. */
struct event {
	struct str ns;	      /* the event's */
	struct str object_ns; /* that of the object it is about */
	struct timestamp time;
	struct str controller, instance, action, reason, message;
};

static void check_text(struct field_errors *errs, const struct path *at, struct str s)
{
	if (!s.n) {
		field_required(errs, at, NULL);
	} else if (s.n > EVENT_TEXT_MAX) {
		field_invalid(errs, at, field_str(STR("")), "can have at most %d characters",
			      EVENT_TEXT_MAX);
	}
}

static void check_event(struct field_errors *errs, const struct event *e)
{
	const struct path *object_ns = AT(AT(NULL, "involvedObject"), "namespace");
	bool in_default = str_is(e->ns, "default");

	if (!e->time.set) {
		if (e->object_ns.n ? !str_eq(e->ns, e->object_ns) : e->ns.n && !in_default) {
			field_invalid(errs, object_ns, field_str(e->object_ns),
				      "does not match event.namespace");
		}
		return;
	}
	if (!e->object_ns.n && !in_default && !str_is(e->ns, "kube-system")) {
		field_invalid(errs, object_ns, field_str(e->object_ns),
			      "does not match event.namespace");
	}
	if (!e->controller.n) {
		field_required(errs, AT(NULL, "reportingController"), NULL);
	}
	check_name(errs, AT(NULL, "reportingController"), e->controller, qualified_name_faults);
	check_text(errs, AT(NULL, "reportingInstance"), e->instance);
	check_text(errs, AT(NULL, "action"), e->action);
	check_text(errs, AT(NULL, "reason"), e->reason);
	if (e->message.n > EVENT_NOTE_MAX) {
		field_invalid(errs, AT(NULL, "message"), field_str(STR("")),
			      "can have at most %d characters", EVENT_NOTE_MAX);
	}
}

static void core_event_validate(struct field_errors *errs, const void *obj, const void *old UNUSED)
{
	const struct core_event *e = obj;
	const struct event common = {
		.ns = e->metadata.namespace,
		.object_ns = e->involved_object.namespace,
		.time = e->event_time,
		.controller = e->reporting_component,
		.instance = e->reporting_instance,
		.action = e->action,
		.reason = e->reason,
		.message = e->message,
	};

	check_event(errs, &common);
}

static void check_series(struct field_errors *errs, const struct events_event *e)
{
	if (e->series && e->series->count < 2) {
		field_invalid(errs, AT(NULL, "series.count"), field_str(STR("")),
			      "should be at least 2");
	}
	if (e->series && !e->series->last_observed_time.set) {
		field_required(errs, AT(NULL, "series.lastObservedTime"), NULL);
	}
}

static void check_new_event(struct field_errors *errs, const struct events_event *e)
{
	check_series(errs, e);
	if (!e->event_time.set) {
		field_required(errs, AT(NULL, "eventTime"), NULL);
	}
	if (!str_is(e->type, "Normal") && !str_is(e->type, "Warning")) {
		field_invalid(errs, AT(NULL, "type"), field_str(STR("")), "has invalid value: %.*s",
			      STR_ARG(e->type));
	}
	if (e->deprecated_first_timestamp.set) {
		field_invalid(errs, AT(NULL, "firstTimestamp"), field_str(STR("")),
			      "needs to be unset");
	}
	if (e->deprecated_last_timestamp.set) {
		field_invalid(errs, AT(NULL, "lastTimestamp"), field_str(STR("")),
			      "needs to be unset");
	}
	if (e->deprecated_count) {
		field_invalid(errs, AT(NULL, "count"), field_str(STR("")), "needs to be unset");
	}
	if (e->deprecated_source.component.n || e->deprecated_source.host.n) {
		field_invalid(errs, AT(NULL, "source"), field_str(STR("")), "needs to be unset");
	}
}

/* Everything but the series is said once and for all. */
static void check_event_change(struct field_errors *errs, const struct events_event *e,
			       const struct events_event *old)
{
	for (size_t i = 0; i < type_events_event.nfields; i++) {
		const struct field_desc *f = &type_events_event.fields[i];
		const struct path place = path_field(NULL, str_of(f->name));

		if (f->offset >= offsetof(struct events_event, event_time) &&
		    strcmp(f->name, "series") != 0) {
			check_unchanged(errs, &place, &type_events_event, e, old, f->name);
		}
	}
	if (!field_equal(type_find_field(&type_events_event, STR("series")), e, old)) {
		check_series(errs, e);
	}
}

static void event_validate(struct field_errors *errs, const void *obj, const void *old)
{
	const struct events_event *e = obj;
	const struct event common = {
		.ns = e->metadata.namespace,
		.object_ns = e->regarding.namespace,
		.time = e->event_time,
		.controller = e->reporting_controller,
		.instance = e->reporting_instance,
		.action = e->action,
		.reason = e->reason,
		.message = e->note,
	};

	check_event(errs, &common);
	if (old) {
		check_event_change(errs, e, old);
	} else {
		check_new_event(errs, e);
	}
}

static const struct strategy list[] = {
	/* Old clients use any name. */
	{
		.resource = &resource_core_events,
		.name = NAME_PATH_SEGMENT,
		.create_on_update = true,
		.validate = core_event_validate,
	},
	{.resource = &resource_events_events, .create_on_update = true, .validate = event_validate},
};

const struct strategy_list strategies_core_event = {list, ARRAY_LEN(list)};
