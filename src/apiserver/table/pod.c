/* SPDX-License-Identifier: Apache-2.0 */
/* Pods: upstream's printPod. The status column tells the most telling reason: of the init container that is at work, else of the containers. */
#include "rules/pod.h"
#include "apiserver/table/cells.h"

struct summary {
	size_t ready, total;
	int64_t restarts;
	int64_t last_restart_sec; /* 0: none */
	struct str reason;
};

static void note_restarts(struct summary *s, const struct core_container_status *c)
{
	const struct core_container_state_terminated *last = c->last_state.terminated;

	s->restarts += c->restart_count;
	if (last && last->finished_at.set && last->finished_at.sec > s->last_restart_sec) {
		s->last_restart_sec = last->finished_at.sec;
	}
}

static struct str terminated_reason(struct arena *a,
				    const struct core_container_state_terminated *t)
{
	if (t->reason.n) {
		return t->reason;
	}
	return t->signal ? arena_printf(a, "Signal:%d", t->signal)
			 : arena_printf(a, "ExitCode:%d", t->exit_code);
}

/* The init container that holds things up, as Init:...; false if all are done. */
static bool note_init(struct arena *a, const struct core_pod *pod, struct summary *s)
{
	size_t n = pod->spec.init_containers.n;

	for (size_t i = 0; i < pod->status.init_container_statuses.n; i++) {
		const struct core_container_status *c = &pod->status.init_container_statuses.p[i];
		const struct core_container *spec = pod_container(pod, c->name);
		bool sidecar = spec && container_is_sidecar(spec);
		const struct core_container_state_terminated *t = c->state.terminated;

		note_restarts(s, c);
		s->total += sidecar;
		s->ready += sidecar && c->ready;
		if (t && t->exit_code == 0) {
			continue;
		}
		if (sidecar && c->started && *c->started) {
			continue;
		}
		if (t) {
			struct str why = t->reason.n ? t->reason : terminated_reason(a, t);

			s->reason = arena_printf(a, "Init:%.*s", STR_ARG(why));
		} else if (c->state.waiting && c->state.waiting->reason.n &&
			   !str_is(c->state.waiting->reason, "PodInitializing")) {
			s->reason = arena_printf(a, "Init:%.*s", STR_ARG(c->state.waiting->reason));
		} else {
			s->reason = arena_printf(a, "Init:%zu/%zu", i, n);
		}
		return true;
	}
	return false;
}

static bool has_ready_condition(const struct core_pod *pod)
{
	const struct core_pod_condition *c = pod_condition(pod, STR("Ready"));

	return c && str_is(c->status, "True");
}

static void note_containers(struct arena *a, const struct core_pod *pod, struct summary *s)
{
	bool running = false;

	for (size_t i = pod->status.container_statuses.n; i-- > 0;) {
		const struct core_container_status *c = &pod->status.container_statuses.p[i];

		note_restarts(s, c);
		if (c->state.waiting && c->state.waiting->reason.n) {
			s->reason = c->state.waiting->reason;
		} else if (c->state.terminated) {
			s->reason = terminated_reason(a, c->state.terminated);
		} else if (c->ready && c->state.running) {
			running = true;
			s->ready++;
		}
	}
	if (str_is(s->reason, "Completed") && running) {
		s->reason = has_ready_condition(pod) ? STR("Running") : STR("NotReady");
	}
}

static void summarize(struct arena *a, const struct core_pod *pod, struct summary *s)
{
	const struct core_pod_condition *scheduled = pod_condition(pod, STR("PodScheduled"));

	*s = (struct summary){.total = pod->spec.containers.n,
			      .reason = pod->status.reason.n ? pod->status.reason
							     : pod->status.phase};
	if (scheduled && str_is(scheduled->reason, "SchedulingGated")) {
		s->reason = STR("SchedulingGated");
	}
	if (!note_init(a, pod, s) ||
	    (pod_condition(pod, STR("Initialized")) &&
	     str_is(pod_condition(pod, STR("Initialized"))->status, "True"))) {
		note_containers(a, pod, s);
	}
	if (pod->metadata.deletion_timestamp) {
		if (str_is(pod->status.reason, "NodeLost")) {
			s->reason = STR("Unknown");
		} else if (!pod_is_terminal(pod)) {
			s->reason = STR("Terminating");
		}
	}
}

static void cell_gates(struct table_row *row, const struct core_pod *pod)
{
	size_t true_ = 0;

	if (!pod->spec.readiness_gates.n) {
		table_cell_str(row, NONE);
		return;
	}
	for (size_t i = 0; i < pod->spec.readiness_gates.n; i++) {
		const struct core_pod_condition *c =
			pod_condition(pod, pod->spec.readiness_gates.p[i].condition_type);

		true_ += c && str_is(c->status, "True");
	}
	table_cell_printf(row, "%zu/%zu", true_, pod->spec.readiness_gates.n);
}

void print_pod(struct table_row *row, const struct object_head *obj)
{
	const struct core_pod *pod = (const void *)obj;
	struct summary s;

	summarize(row->arena, pod, &s);
	cell_name(row, obj);
	table_cell_printf(row, "%zu/%zu", s.ready, s.total);
	table_cell_str(row, s.reason);
	if (s.restarts && s.last_restart_sec) {
		struct str ago = table_duration(row->arena, row->now_sec - s.last_restart_sec);

		table_cell_printf(row, "%lld (%.*s ago)", (long long)s.restarts, STR_ARG(ago));
	} else {
		table_cell_printf(row, "%lld", (long long)s.restarts);
	}
	cell_object_age(row, obj);
	cell_or_none(row, pod->status.pod_ips.n ? pod->status.pod_ips.p[0].ip : pod->status.pod_ip);
	cell_or_none(row, pod->spec.node_name);
	cell_or_none(row, pod->status.nominated_node_name);
	cell_gates(row, pod);
}
