/* SPDX-License-Identifier: Apache-2.0 */
/* The pod's status as the runtime has it, and the patch that tells the API what changed. */
#include "base/cleanup.h"
#include "codec/json.h"
#include "kubelet/images/image_store.h"
#include "kubelet/kubelet_internal.h"
#include "object/encode.h"
#include "object/object.h"
#include "rules/condition.h"
#include "rules/pod.h"

static struct timestamp time_of_ns(int64_t wall_ns)
{
	return (struct timestamp){.sec = wall_ns / NS_PER_SEC, .set = wall_ns != 0};
}

static bool is_image_reason(const struct pod_container *c)
{
	return c->waiting_reason != NULL;
}

static struct core_container_state_terminated *terminated_of(struct arena *a,
							     const struct container_status *s)
{
	struct core_container_state_terminated *t =
		ARENA_NEW(a, struct core_container_state_terminated);

	t->exit_code = s->exit_code;
	t->reason = arena_str(a, s->reason);
	t->message = arena_str(a, s->message);
	t->started_at = time_of_ns(s->started_at_ns);
	t->finished_at = time_of_ns(s->finished_at_ns);
	t->container_id = arena_printf(a, "cox://%.*s", STR_ARG(s->id));
	return t;
}

static void fill_waiting(struct arena *a, const struct pod_container *c,
			 struct core_container_state *state)
{
	struct core_container_state_waiting *w = ARENA_NEW(a, struct core_container_state_waiting);
	bool initializing = c->role == ROLE_MAIN && c->w->n_init > 0 && !is_image_reason(c);

	w->reason = c->waiting_reason ? arena_str(a, str_of(c->waiting_reason))
		    : initializing    ? STR("PodInitializing")
				      : STR("ContainerCreating");
	w->message = arena_str(a, str_of(c->waiting_message));
	state->waiting = w;
}

static void fill_container(struct arena *a, const struct pod_container *c,
			   struct core_container_status *out)
{
	struct runtime *rt = c->w->k->config.runtime;
	const struct container_status *s = container_runtime_status(c);
	const struct container_status *before =
		c->previous[0] ? container_find(rt, str_of(c->previous)) : NULL;
	bool *started = ARENA_NEW(a, bool);
	bool waits = c->waiting_reason != NULL && !pod_worker_is_stopping(c->w);

	out->name = str_of(c->name);
	out->image = container_spec_of(c)->image;
	out->restart_count = (int32_t)c->attempt;
	*started = s && s->state == CONTAINER_RUNNING && c->started;
	out->started = started;
	if (s) {
		out->image = arena_str(a, s->image_name);
		out->image_id = arena_str(a, s->image_id);
		out->container_id = arena_printf(a, "cox://%.*s", STR_ARG(s->id));
	}
	if (s && s->state == CONTAINER_RUNNING) {
		out->state.running = ARENA_NEW(a, struct core_container_state_running);
		out->state.running->started_at = time_of_ns(s->started_at_ns);
		out->ready = c->ready;
	} else if (s && s->state == CONTAINER_EXITED && !waits) {
		out->state.terminated = terminated_of(a, s);
		out->ready = c->role == ROLE_INIT && s->exit_code == 0;
	} else {
		fill_waiting(a, c, &out->state);
		before = s && s->state == CONTAINER_EXITED ? s : before;
	}
	if (before && before->state == CONTAINER_EXITED) {
		out->last_state.terminated = terminated_of(a, before);
	}
}

struct str pod_compute_phase(const struct pod_worker *w)
{
	bool always = str_is(worker_pod(w)->spec.restart_policy, "Always");
	size_t running = 0, waiting = 0, ended = 0, good = 0;

	if (w->reason) {
		return STR("Failed");
	}
	for (size_t i = 0; i < w->n; i++) {
		const struct pod_container *c = &w->containers[i];
		const struct container_status *s = container_runtime_status(c);

		if (c->role == ROLE_INIT && container_is_done(c) && s->exit_code != 0) {
			return STR("Failed");
		}
		if (c->role != ROLE_MAIN) {
			continue;
		}
		if (s && s->state == CONTAINER_RUNNING) {
			running++;
		} else if (s && s->state == CONTAINER_EXITED &&
			   (container_is_done(c) || pod_worker_is_stopping(w))) {
			ended++;
			good += s->exit_code == 0;
		} else if (s && s->state == CONTAINER_EXITED) {
			running++; /* it will be started again */
		} else {
			waiting++;
		}
	}
	if (waiting && !w->stopped) {
		return STR("Pending");
	}
	if (running) {
		return STR("Running");
	}
	if (w->stopped && (pod_is_terminating(worker_pod(w)) || always)) {
		return ended && good == ended && !waiting ? STR("Succeeded") : STR("Failed");
	}
	return good == ended ? STR("Succeeded") : STR("Failed");
}

static void set_condition(struct arena *a, struct core_pod_status *st, const struct pod_worker *w,
			  const char *type, bool value, const char *reason, struct str message)
{
	struct core_pod_condition c = {
		.type = str_of(type),
		.observed_generation = worker_pod(w)->metadata.generation,
		.status = value ? STR("True") : STR("False"),
		.reason =
			value && !str_is(str_of(reason), "PodCompleted") ? STR("") : str_of(reason),
		.message = value ? STR("") : message,
		.last_transition_time = {.sec = kubelet_wall_s(w->k), .set = true},
	};

	(void)condition_set(a, &st->conditions, &c);
}

static struct str not_ready_names(struct arena *a, const struct core_pod_status *st, bool init,
				  const char *word)
{
	struct buf b CLEANUP_BUF = {0};
	size_t n = init ? st->init_container_statuses.n : st->container_statuses.n;

	for (size_t i = 0; i < n; i++) {
		const struct core_container_status *c =
			init ? &st->init_container_statuses.p[i] : &st->container_statuses.p[i];

		if (!c->ready) {
			buf_printf(&b, "%s%.*s", b.n ? " " : "", STR_ARG(c->name));
		}
	}
	return b.n ? arena_printf(a, "containers with %s status: [%.*s]", word,
				  STR_ARG(buf_str(&b)))
		   : STR_NULL;
}

static void set_conditions(struct arena *a, const struct pod_worker *w, struct core_pod_status *st)
{
	bool succeeded = str_is(st->phase, "Succeeded");
	bool failed = str_is(st->phase, "Failed");
	struct str init = not_ready_names(a, st, true, "incomplete");
	struct str main = not_ready_names(a, st, false, "unready");
	bool sandbox = w->sandbox[0] && w->net_attached && !w->stopped;
	bool ready = !main.n && !succeeded && !failed && !init.n;
	const char *reason = succeeded ? "PodCompleted"
			     : failed  ? "PodFailed"
				       : "ContainersNotReady";
	bool gates = true;

	set_condition(a, st, w, "PodReadyToStartContainers", sandbox, "", STR_NULL);
	set_condition(a, st, w, "Initialized", !init.n || succeeded,
		      succeeded ? "PodCompleted" : "ContainersNotInitialized", init);
	set_condition(a, st, w, "ContainersReady", ready, reason, main);
	for (size_t i = 0; i < worker_pod(w)->spec.readiness_gates.n; i++) {
		gates = gates &&
			condition_is_true(&st->conditions,
					  worker_pod(w)->spec.readiness_gates.p[i].condition_type);
	}
	set_condition(a, st, w, "Ready", ready && gates, ready ? "ReadinessGatesNotReady" : reason,
		      main);
}

static void compute(struct arena *a, const struct pod_worker *w, struct core_pod_status *st)
{
	object_dup(a, &type_core_pod_status, &worker_pod(w)->status, st);
	st->observed_generation = worker_pod(w)->metadata.generation;
	st->phase = pod_compute_phase(w);
	if (w->reason) {
		st->reason = str_of(w->reason);
		st->message = str_of(w->message);
	}
	st->qos_class = pod_compute_qos(&worker_pod(w)->spec);
	if (!st->start_time) {
		st->start_time = ARENA_NEW(a, struct timestamp);
		*st->start_time = (struct timestamp){.sec = w->start_wall_s, .set = true};
	}
	st->host_ip = w->k->config.node_ip;
	st->host_ips.p = ARENA_NEW(a, struct core_host_ip);
	st->host_ips.p[0].ip = st->host_ip;
	st->host_ips.n = 1;
	if (w->ip[0]) {
		st->pod_ip = str_of(w->ip);
		st->pod_ips.p = ARENA_NEW(a, struct core_pod_ip);
		st->pod_ips.p[0].ip = st->pod_ip;
		st->pod_ips.n = 1;
	}
	if (w->n_init) {
		st->init_container_statuses.p =
			ARENA_ARRAY(a, w->n_init, struct core_container_status);
	}
	st->init_container_statuses.n = w->n_init;
	st->container_statuses.p = ARENA_ARRAY(a, w->n - w->n_init, struct core_container_status);
	st->container_statuses.n = w->n - w->n_init;
	for (size_t i = 0; i < w->n; i++) {
		struct core_container_status *to =
			i < w->n_init ? &st->init_container_statuses.p[i]
				      : &st->container_statuses.p[i - w->n_init];

		fill_container(a, &w->containers[i], to);
	}
	set_conditions(a, w, st);
}

/* Conditions merge by type: what a condition no longer says must be taken out by name. */
static void clear_absent(struct arena *a, struct json_value *conditions)
{
	static const char *const names[] = {"reason", "message"};

	for (uint32_t i = 0; i < conditions->n; i++) {
		for (size_t j = 0; j < ARRAY_LEN(names); j++) {
			if (!json_get(&conditions->items[i], str_of(names[j]))) {
				json_set(a, &conditions->items[i], str_of(names[j]),
					 json_make(JSON_NULL));
			}
		}
	}
}

/* Members of the status that differ, as a strategic merge patch; false: none does. */
static bool write_patch(struct arena *a, const struct pod_worker *w,
			const struct core_pod_status *st, struct buf *out)
{
	struct buf was CLEANUP_BUF = {0};
	struct buf is CLEANUP_BUF = {0};
	struct json_value old;
	struct json_value new;
	size_t n = 0;

	object_encode(&was, &type_core_pod_status, &worker_pod(w)->status, NULL, NULL);
	object_encode(&is, &type_core_pod_status, st, NULL, NULL);
	ASSERT(json_parse(a, buf_str(&was), NULL, &old, NULL) == 0 &&
	       json_parse(a, buf_str(&is), NULL, &new, NULL) == 0);
	buf_printf(out, "{\"metadata\":{\"uid\":\"%s\"},\"status\":{", w->uid);
	for (uint32_t i = 0; i < new.n; i++) {
		const struct json_value *before = json_get(&old, new.members[i].key);

		if (before && json_equal(before, &new.members[i].value)) {
			continue;
		}
		if (str_is(new.members[i].key, "conditions")) {
			clear_absent(a, &new.members[i].value);
		}
		buf_add_str(out, n++ ? STR(",") : STR(""));
		json_write_string(out, new.members[i].key);
		buf_puts(out, ":");
		json_write_value(out, &new.members[i].value, false);
	}
	buf_puts(out, "}}");
	return n > 0;
}

static void patched(void *ctx, const struct client_result *result)
{
	struct pod_worker *w = ctx;

	w->busy--;
	w->patching = false;
	if (result->code == 0) {
		w->acked_revision = result->object ? result->object->revision : 0;
	} else if (result->code != ERR_NOT_FOUND) {
		log_warning(w->k->config.log,
			    "cannot patch the status of pod %s: %.*s; trying again", w->uid,
			    STR_ARG(result->message));
		w->patch_retry_at = kubelet_mono(w->k) + NS_PER_SEC;
		pod_worker_wake(w, w->patch_retry_at);
	}
	pod_worker_kick(w);
}

bool pod_status_step(struct pod_worker *w)
{
	const struct core_pod *pod = worker_pod(w);
	struct arena a CLEANUP_ARENA = {0};
	struct buf patch CLEANUP_BUF = {0};
	struct core_pod_status st;
	struct client_request req = {.verb = VERB_PATCH,
				     .resource = &resource_core_pods,
				     .subresource = "status",
				     .ns = pod->metadata.namespace,
				     .name = pod->metadata.name,
				     .patch_type = PATCH_STRATEGIC};

	if (w->deleted || w->patching || w->pod->revision < w->acked_revision) {
		return w->deleted;
	}
	compute(&a, w, &st);
	if (!write_patch(&a, w, &st, &patch)) {
		return true;
	}
	if (kubelet_mono(w->k) < w->patch_retry_at) {
		pod_worker_wake(w, w->patch_retry_at);
		return false;
	}
	req.patch = buf_str(&patch);
	w->patching = true;
	w->busy++;
	client_call(w->k->config.client, &req, patched, w);
	return false;
}
