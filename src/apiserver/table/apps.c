/* SPDX-License-Identifier: Apache-2.0 */
/* Workloads: apps, batch, autoscaling. */
#include "apiserver/table/cells.h"
#include "rules/selector.h"

void print_deployment(struct table_row *row, const struct object_head *obj)
{
	const struct apps_deployment *d = (const void *)obj;

	cell_name(row, obj);
	table_cell_printf(row, "%d/%d", d->status.ready_replicas,
			  d->spec.replicas ? *d->spec.replicas : 0);
	table_cell_printf(row, "%d", d->status.updated_replicas);
	table_cell_printf(row, "%d", d->status.available_replicas);
	cell_object_age(row, obj);
	cell_containers(row, &d->spec.template.spec);
	cell_selector(row, d->spec.selector);
}

void print_replica_set(struct table_row *row, const struct object_head *obj)
{
	const struct apps_replica_set *rs = (const void *)obj;

	cell_name(row, obj);
	table_cell_int(row, rs->spec.replicas ? *rs->spec.replicas : 0);
	table_cell_int(row, rs->status.replicas);
	table_cell_int(row, rs->status.ready_replicas);
	cell_object_age(row, obj);
	cell_containers(row, &rs->spec.template.spec);
	cell_selector(row, rs->spec.selector);
}

void print_stateful_set(struct table_row *row, const struct object_head *obj)
{
	const struct apps_stateful_set *s = (const void *)obj;

	cell_name(row, obj);
	table_cell_printf(row, "%d/%d", s->status.ready_replicas,
			  s->spec.replicas ? *s->spec.replicas : 0);
	cell_object_age(row, obj);
	cell_containers(row, &s->spec.template.spec);
}

void print_daemon_set(struct table_row *row, const struct object_head *obj)
{
	const struct apps_daemon_set *d = (const void *)obj;

	cell_name(row, obj);
	table_cell_int(row, d->status.desired_number_scheduled);
	table_cell_int(row, d->status.current_number_scheduled);
	table_cell_int(row, d->status.number_ready);
	table_cell_int(row, d->status.updated_number_scheduled);
	table_cell_int(row, d->status.number_available);
	cell_map(row, &d->spec.template.spec.node_selector);
	cell_object_age(row, obj);
	cell_containers(row, &d->spec.template.spec);
	cell_selector(row, d->spec.selector);
}

void print_controller_revision(struct table_row *row, const struct object_head *obj)
{
	const struct apps_controller_revision *r = (const void *)obj;
	const struct meta_owner_reference *owner = NULL;

	for (size_t i = 0; i < r->metadata.owner_references.n; i++) {
		if (r->metadata.owner_references.p[i].controller &&
		    *r->metadata.owner_references.p[i].controller) {
			owner = &r->metadata.owner_references.p[i];
		}
	}
	cell_name(row, obj);
	if (owner) {
		struct str group = owner->api_version;
		struct str head;
		struct buf kind CLEANUP_BUF = {0};

		for (size_t i = 0; i < owner->kind.n; i++) {
			char c = owner->kind.p[i];

			buf_add_char(&kind, c >= 'A' && c <= 'Z' ? (char)(c + 32) : c);
		}
		str_cut(&group, '/', &head);
		table_cell_printf(row, "%.*s%s%.*s/%.*s", STR_ARG(buf_str(&kind)),
				  group.p ? "." : "", STR_ARG(group.p ? head : STR("")),
				  STR_ARG(owner->name));
	} else {
		table_cell_str(row, NONE);
	}
	table_cell_printf(row, "%lld", (long long)r->revision);
	cell_object_age(row, obj);
}

static struct str job_status(const struct batch_job *job)
{
	for (size_t i = 0; i < job->status.conditions.n; i++) {
		const struct batch_job_condition *c = &job->status.conditions.p[i];

		if (str_is(c->status, "True") &&
		    (str_is(c->type, "Complete") || str_is(c->type, "Failed") ||
		     str_is(c->type, "Suspended"))) {
			return c->type;
		}
	}
	return job->metadata.deletion_timestamp ? STR("Terminating") : STR("Running");
}

static void cell_completions(struct table_row *row, const struct batch_job *job)
{
	int32_t parallel = job->spec.parallelism ? *job->spec.parallelism : 0;

	if (job->spec.completions) {
		table_cell_printf(row, "%d/%d", job->status.succeeded, *job->spec.completions);
	} else if (parallel > 1) {
		table_cell_printf(row, "%d/1 of %d", job->status.succeeded, parallel);
	} else {
		table_cell_printf(row, "%d/1", job->status.succeeded);
	}
}

void print_job(struct table_row *row, const struct object_head *obj)
{
	const struct batch_job *job = (const void *)obj;
	const struct timestamp *start = job->status.start_time;
	const struct timestamp *end = job->status.completion_time;

	cell_name(row, obj);
	table_cell_str(row, job_status(job));
	cell_completions(row, job);
	table_cell_str(row, start ? table_duration(row->arena,
						   (end ? end->sec : row->now_sec) - start->sec)
				  : STR(""));
	cell_object_age(row, obj);
	cell_containers(row, &job->spec.template.spec);
	cell_selector(row, job->spec.selector);
}

void print_cron_job(struct table_row *row, const struct object_head *obj)
{
	const struct batch_cron_job *cj = (const void *)obj;

	cell_name(row, obj);
	table_cell_str(row, cj->spec.schedule);
	cell_or_none(row, cj->spec.time_zone ? *cj->spec.time_zone : STR(""));
	table_cell_bool(row, cj->spec.suspend && *cj->spec.suspend);
	table_cell_int(row, (int64_t)cj->status.active.n);
	if (cj->status.last_schedule_time) {
		table_cell_age(row, *cj->status.last_schedule_time);
	} else {
		table_cell_str(row, NONE);
	}
	cell_object_age(row, obj);
	cell_containers(row, &cj->spec.job_template.spec.template.spec);
	cell_selector(row, cj->spec.job_template.spec.selector);
}
