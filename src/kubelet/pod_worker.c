/* SPDX-License-Identifier: Apache-2.0 */
#include "kubelet/kubelet_internal.h"
#include "rules/pod.h"

/* One pass: the whole life of a pod in the order it happens. Each step says whether the next may go on; what waits is waited for by an
 * event or by the timer. */
static void sync(struct pod_worker *w);

static void on_task(struct env_task *task)
{
	struct pod_worker *w = CONTAINER_OF(task, struct pod_worker, task);

	w->queued = false;
	sync(w);
}

static void on_timer(struct env_timer *timer)
{
	struct pod_worker *w = CONTAINER_OF(timer, struct pod_worker, timer);

	w->wake_at = 0;
	pod_worker_kick(w);
}

void pod_worker_kick(struct pod_worker *w)
{
	if (!w->queued) {
		w->queued = true;
		env_post(w->k->config.env, &w->task);
	}
}

void pod_worker_wake(struct pod_worker *w, int64_t mono)
{
	if (!w->wake_at || mono < w->wake_at) {
		w->wake_at = mono;
		env_timer_start(w->k->config.env, &w->timer, mono);
	}
}

struct pod_container *pod_worker_container(struct pod_worker *w, struct str name)
{
	for (size_t i = 0; i < w->n; i++) {
		if (str_eq(str_of(w->containers[i].name), name)) {
			return &w->containers[i];
		}
	}
	return NULL;
}

static void add_containers(struct pod_worker *w)
{
	const struct core_pod_spec *spec = &worker_pod(w)->spec;

	w->n_init = spec->init_containers.n;
	w->n = w->n_init + spec->containers.n;
	w->containers = mem_new_array(w->n, sizeof(*w->containers));
	for (size_t i = 0; i < w->n; i++) {
		const struct core_container *c = i < w->n_init ? &spec->init_containers.p[i]
							       : &spec->containers.p[i - w->n_init];

		w->containers[i].w = w;
		w->containers[i].name = str_dup_cstr(c->name);
		w->containers[i].role = i >= w->n_init		  ? ROLE_MAIN
					: container_is_sidecar(c) ? ROLE_SIDECAR
								  : ROLE_INIT;
	}
}

struct pod_worker *pod_worker_new(struct kubelet *k, struct frozen *pod)
{
	struct pod_worker *w = NEW(struct pod_worker);
	const struct core_pod *p;

	w->k = k;
	w->pod = frozen_ref(pod);
	w->task.fn = on_task;
	w->timer.fn = on_timer;
	p = worker_pod(w);
	w->uid = str_dup_cstr(p->metadata.uid);
	w->start_wall_s = p->status.start_time ? p->status.start_time->sec : kubelet_wall_s(k);
	w->finished = pod_is_terminal(p);
	if (p->status.reason.n) { /* DeadlineExceeded, Evicted: stays */
		w->reason = str_dup_cstr(p->status.reason);
		w->message = str_dup_cstr(p->status.message);
	}
	add_containers(w);
	pod_worker_kick(w);
	return w;
}

void pod_worker_free(struct pod_worker *w)
{
	ASSERT(w->busy == 0);
	env_timer_stop(w->k->config.env, &w->timer);
	for (size_t i = 0; i < w->n; i++) {
		container_fini(&w->containers[i]);
	}
	frozen_unref(w->pod);
	mem_free(w->containers);
	mem_free(w->uid);
	mem_free(w->reason);
	mem_free(w->message);
	mem_free(w->setup_error);
	ASSERT(!w->queued);
	mem_free(w);
}

void pod_worker_update(struct pod_worker *w, struct frozen *pod)
{
	if (pod) {
		frozen_unref(w->pod);
		w->pod = frozen_ref(pod);
	} else {
		w->deleted = true;
	}
	pod_worker_kick(w);
}

struct str pod_dir(struct arena *a, const struct pod_worker *w)
{
	return arena_printf(a, "%s/pods/%s", w->k->config.root_dir, w->uid);
}

struct str pod_log_dir(struct arena *a, const struct pod_worker *w)
{
	const struct core_pod *pod = worker_pod(w);

	return arena_printf(a, "%s/%.*s_%.*s_%s", w->k->config.log_dir,
			    STR_ARG(pod->metadata.namespace), STR_ARG(pod->metadata.name), w->uid);
}

struct str container_log_path(struct arena *a, const struct pod_container *c, uint32_t attempt)
{
	return arena_printf(a, "%s/%s/%u.log", pod_log_dir(a, c->w).p, c->name, attempt);
}

/* ---- taking over ---- */

static void adopt_container(struct pod_worker *w, const struct container_status *status)
{
	struct pod_container *c = pod_worker_container(w, status->name);

	if (!c) {
		return;
	}
	if (!c->id[0] || status->attempt > c->attempt) {
		memcpy(c->previous, c->id, sizeof(c->previous));
		snprintf(c->id, sizeof(c->id), "%.*s", STR_ARG(status->id));
		c->attempt = status->attempt;
	} else {
		snprintf(c->previous, sizeof(c->previous), "%.*s", STR_ARG(status->id));
	}
}

/* What was known of a running container is in the pod's status: probes and hooks go on from there. */
static void adopt_status(struct pod_worker *w)
{
	for (size_t i = 0; i < w->n; i++) {
		struct pod_container *c = &w->containers[i];

		if (c->id[0] && container_is_running(c)) {
			c->started = c->ready = true;
		}
	}
}

static void adopt(struct pod_worker *w)
{
	struct runtime *rt = w->k->config.runtime;
	const struct sandbox_status *s;
	const struct container_status *c;

	w->adopted = true;
	for (size_t i = 0; (s = sandbox_next(rt, &i));) {
		if (str_eq(s->pod_uid, str_of(w->uid)) &&
		    (!w->sandbox[0] || s->attempt > w->sandbox_attempt)) {
			snprintf(w->sandbox, sizeof(w->sandbox), "%.*s", STR_ARG(s->id));
			w->sandbox_attempt = s->attempt;
		}
	}
	for (size_t i = 0; (c = container_next(rt, &i));) {
		if (str_eq(c->pod_uid, str_of(w->uid))) {
			adopt_container(w, c);
		}
	}
	adopt_status(w);
}

/* ---- ends ---- */

bool pod_worker_is_stopping(const struct pod_worker *w)
{
	return w->deleted || w->finished || pod_is_terminating(worker_pod(w));
}

static int64_t grace_ms(const struct pod_worker *w)
{
	const struct core_pod *pod = worker_pod(w);

	if (pod->metadata.deletion_grace_period_seconds) {
		return MAX(*pod->metadata.deletion_grace_period_seconds, (int64_t)0) * 1000;
	}
	return (pod->spec.termination_grace_period_seconds
			? *pod->spec.termination_grace_period_seconds
			: 30) *
	       1000;
}

/* Main containers first, sidecars behind them in reverse order. True: nothing runs. */
static bool stop_containers(struct pod_worker *w)
{
	bool ended = true;

	for (size_t i = w->n; i-- > 0;) {
		struct pod_container *c = &w->containers[i];

		if (c->role == ROLE_SIDECAR && !ended) {
			return false;
		}
		container_request_stop(c, grace_ms(w), NULL);
		ended = container_stop_step(c) && ended;
	}
	return ended;
}

static void on_deleted(void *ctx, const struct client_result *result)
{
	struct pod_worker *w = ctx;

	w->busy--;
	if (result->code < 0 && result->code != ERR_NOT_FOUND && result->code != ERR_CONFLICT) {
		w->delete_sent = false;
		pod_worker_wake(w, kubelet_mono(w->k) + NS_PER_SEC);
	}
	pod_worker_kick(w);
}

static void delete_object(struct pod_worker *w)
{
	const struct core_pod *pod = worker_pod(w);
	int64_t now = 0;
	struct client_request req = {.verb = VERB_DELETE,
				     .resource = &resource_core_pods,
				     .ns = pod->metadata.namespace,
				     .name = pod->metadata.name,
				     .grace_period_seconds = &now,
				     .precondition_uid = pod->metadata.uid};

	w->delete_sent = true;
	w->busy++;
	client_call(w->k->config.client, &req, on_deleted, w);
}

static void sync_stopping(struct pod_worker *w)
{
	bool told;

	if (!stop_containers(w)) {
		pod_status_step(w);
		return;
	}
	if (!pod_teardown_step(w)) {
		return;
	}
	if (w->deleted) {
		pod_remove(w);
		return;
	}
	w->finished = true;
	told = pod_status_step(w);
	if (told && pod_is_terminating(worker_pod(w)) && !w->delete_sent) {
		delete_object(w);
	}
}

/* ---- running ---- */

static bool is_past_deadline(struct pod_worker *w)
{
	const int64_t *deadline = worker_pod(w)->spec.active_deadline_seconds;
	int64_t left;

	if (!deadline) {
		return false;
	}
	left = w->start_wall_s + *deadline - kubelet_wall_s(w->k);
	if (left > 0) {
		pod_worker_wake(w, kubelet_mono(w->k) + left * NS_PER_SEC);
		return false;
	}
	if (!w->reason) {
		set_text(&w->reason, "DeadlineExceeded");
		set_text(&w->message,
			 "Pod was active on the node longer than the specified deadline");
		pod_event(w, NULL, "Normal", "DeadlineExceeded",
			  "Pod was active on the node longer than the specified deadline");
	}
	return true;
}

/* True when all that stand before it in the list have done their part. */
static bool init_step(struct pod_worker *w)
{
	for (size_t i = 0; i < w->n_init; i++) {
		struct pod_container *c = &w->containers[i];
		const struct container_status *status = container_runtime_status(c);

		if (c->role == ROLE_SIDECAR) {
			if (!container_step(c) || !container_is_running(c) || !c->started) {
				return false;
			}
			continue;
		}
		if (!container_step(c) || !container_is_done(c)) {
			return false;
		}
		if (!status || status->exit_code != 0) {
			return false; /* it failed for good: the phase says so */
		}
	}
	return true;
}

/* After a restart of the machine or the sandbox, init containers run again only while no main container has been made. */
static bool init_is_behind(const struct pod_worker *w)
{
	for (size_t i = w->n_init; i < w->n; i++) {
		if (w->containers[i].id[0]) {
			return true;
		}
	}
	return false;
}

static void sync_running(struct pod_worker *w)
{
	bool go_on = true;

	if (!pod_setup_step(w)) {
		return;
	}
	if (init_is_behind(w)) {
		for (size_t i = 0; i < w->n_init; i++) {
			if (w->containers[i].role == ROLE_SIDECAR) {
				container_step(&w->containers[i]);
			}
		}
	} else if (!init_step(w)) {
		return;
	}
	for (size_t i = w->n_init; i < w->n && go_on; i++) {
		go_on = container_step(&w->containers[i]);
	}
}

static void sync(struct pod_worker *w)
{
	struct str phase;

	if (!w->k->runtime_ready || w->k->stopping) {
		return;
	}
	if (!w->adopted) {
		adopt(w);
	}
	if (!w->finished &&
	    (is_past_deadline(w) ||
	     (w->adopted && w->reason && str_is(str_of(w->reason), "DeadlineExceeded")))) {
		w->finished = true;
	}
	if (!pod_worker_is_stopping(w)) {
		sync_running(w);
		phase = pod_compute_phase(w);
		w->finished = str_is(phase, "Succeeded") || str_is(phase, "Failed");
		for (size_t i = 0; i < w->n && !w->finished; i++) {
			container_stop_step(&w->containers[i]);
		}
	}
	if (pod_worker_is_stopping(w)) {
		sync_stopping(w); /* may free w */
		return;
	}
	pod_status_step(w);
}

void pod_worker_exited(struct pod_worker *w, const struct container_status *status)
{
	struct pod_container *c = pod_worker_container(w, status->name);

	if (c && str_eq(str_of(c->id), status->id)) {
		c->started = c->ready = false;
		c->stop_wanted = c->stop_sent = false;
	}
	pod_worker_kick(w);
}
