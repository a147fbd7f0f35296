/* SPDX-License-Identifier: Apache-2.0 */
/* One container on its way to running, and back again after it ended. */
#include "base/cleanup.h"
#include "kubelet/images/image_store.h"
#include "kubelet/images/reference.h"
#include "kubelet/kubelet_internal.h"
#include "rules/pod.h"

const struct core_container *container_spec_of(const struct pod_container *c)
{
	return pod_container(worker_pod(c->w), str_of(c->name));
}

const struct container_status *container_runtime_status(const struct pod_container *c)
{
	return c->id[0] ? container_find(c->w->k->config.runtime, str_of(c->id)) : NULL;
}

bool container_is_running(const struct pod_container *c)
{
	const struct container_status *s = container_runtime_status(c);

	return s && s->state == CONTAINER_RUNNING;
}

bool container_has_exited(const struct pod_container *c)
{
	const struct container_status *s = container_runtime_status(c);

	return s && s->state == CONTAINER_EXITED;
}

bool container_is_done(const struct pod_container *c)
{
	const struct container_status *s = container_runtime_status(c);
	struct str policy = worker_pod(c->w)->spec.restart_policy;

	if (!s || s->state != CONTAINER_EXITED || c->op != OP_NONE) {
		return false;
	}
	if (c->role == ROLE_SIDECAR) {
		return false;
	}
	if (c->role == ROLE_INIT) {
		return s->exit_code == 0 || str_is(policy, "Never");
	}
	return str_is(policy, "Never") || (str_is(policy, "OnFailure") && s->exit_code == 0);
}

void container_wait_for(struct pod_container *c, const char *reason, const char *message)
{
	set_text(&c->waiting_reason, reason);
	set_text(&c->waiting_message, message);
}

void container_fini(struct pod_container *c)
{
	mem_free(c->name);
	mem_free(c->image_id);
	mem_free(c->waiting_reason);
	mem_free(c->waiting_message);
	mem_free(c->pull_error);
}

static void begin(struct pod_container *c, enum container_op op)
{
	c->op = op;
	c->w->busy++;
}

static void ended(struct pod_container *c)
{
	c->op = OP_NONE;
	c->w->busy--;
	pod_worker_kick(c->w);
}

static void retry_later(struct pod_container *c)
{
	backoff_next(&c->crash, kubelet_mono(c->w->k));
	c->retry_at = kubelet_mono(c->w->k) + c->crash.delay_ns;
	pod_worker_wake(c->w, c->retry_at);
}

static void failed(struct pod_container *c, const char *waiting, const char *message)
{
	container_wait_for(c, waiting, message);
	pod_event(c->w, c->name, "Warning", "Failed", "Error: %s", message);
	retry_later(c);
}

/* ---- image ---- */

struct pull_job {
	struct env_work work;
	struct pod_container *c;
	struct str name;
	struct arena arena;
	struct err err;
	int64_t began;
};

static void pull_run(struct env_work *work)
{
	struct pull_job *job = CONTAINER_OF(work, struct pull_job, work);
	struct kubelet *k = job->c->w->k;

	if (image_pull(k->config.puller, k->config.images, job->name, &job->err) == 0) {
		err_clear(&job->err);
	}
}

static void pull_failed(struct pod_container *c, const char *image, const char *message)
{
	struct pod_worker *w = c->w;

	backoff_next(&c->pull, kubelet_mono(w->k));
	c->pull_retry_at = kubelet_mono(w->k) + c->pull.delay_ns;
	set_text(&c->pull_error, message);
	container_wait_for(c, "ErrImagePull", message);
	pod_event(w, c->name, "Warning", "Failed", "Failed to pull image \"%s\": %s", image,
		  message);
	pod_event(w, c->name, "Warning", "Failed", "Error: ErrImagePull");
	pod_worker_wake(w, c->pull_retry_at);
}

static void pull_done(struct env_work *work)
{
	struct pull_job *job = CONTAINER_OF(work, struct pull_job, work);
	struct pod_container *c = job->c;

	if (job->err.code) {
		pull_failed(c, arena_cstr(&job->arena, job->name), err_msg(&job->err));
	} else {
		pod_event(c->w, c->name, "Normal", "Pulled",
			  "Successfully pulled image \"%.*s\" in %lldms", STR_ARG(job->name),
			  (long long)((kubelet_mono(c->w->k) - job->began) / NS_PER_MS));
	}
	err_clear(&job->err);
	arena_fini(&job->arena);
	mem_free(job);
	ended(c);
}

static void start_pull(struct pod_container *c, struct str image)
{
	struct pull_job *job = NEW(struct pull_job);

	job->c = c;
	job->name = arena_str(&job->arena, image);
	job->began = kubelet_mono(c->w->k);
	job->work.run = pull_run;
	job->work.done = pull_done;
	pod_event(c->w, c->name, "Normal", "Pulling", "Pulling image \"%.*s\"", STR_ARG(image));
	begin(c, OP_PULL);
	env_work(c->w->k->config.env, &job->work);
}

static void take_image(struct pod_container *c, struct str image, const struct image *found,
		       bool local, bool always)
{
	struct arena a CLEANUP_ARENA = {0};

	set_text(&c->image_id, arena_cstr(&a, found->record.id));
	if (local && always) {
		pod_event(c->w, c->name, "Normal", "Pulled",
			  "Container image \"%.*s\" was loaded on this node by hand and is used "
			  "without asking a registry",
			  STR_ARG(image));
	} else {
		pod_event(c->w, c->name, "Normal", "Pulled",
			  "Container image \"%.*s\" already present on machine", STR_ARG(image));
	}
}

static bool wait_for_pull(struct pod_container *c, struct str image)
{
	struct arena a CLEANUP_ARENA = {0};

	if (!c->pull_retry_at || kubelet_mono(c->w->k) >= c->pull_retry_at) {
		return false;
	}
	if (!c->waiting_reason || !str_is(str_of(c->waiting_reason), "ImagePullBackOff")) {
		container_wait_for(c, "ImagePullBackOff",
				   arena_printf(&a,
						"Back-off pulling image \"%.*s\": ErrImagePull: %s",
						STR_ARG(image), c->pull_error)
					   .p);
		pod_event(c->w, c->name, "Normal", "BackOff", "Back-off pulling image \"%.*s\"",
			  STR_ARG(image));
		pod_event(c->w, c->name, "Warning", "Failed", "Error: ImagePullBackOff");
	}
	pod_worker_wake(c->w, c->pull_retry_at);
	return true;
}

/* True: image_id is set. Else a pull is under way, or the container waits. */
static bool image_step(struct pod_container *c)
{
	const struct core_container *spec = container_spec_of(c);
	struct arena a CLEANUP_ARENA = {0};
	struct err err CLEANUP_ERR = {0};
	struct reference ref;
	struct image *found;
	bool local = false;
	bool always = str_is(spec->image_pull_policy, "Always");

	if (c->image_id) {
		return true;
	}
	if (reference_parse(&a, spec->image, &ref, &err) < 0) {
		failed(c, "InvalidImageName",
		       arena_printf(&a, "Failed to apply default image tag \"%.*s\": %s",
				    STR_ARG(spec->image), err_msg(&err))
			       .p);
		return false;
	}
	found = image_store_find(c->w->k->config.images, spec->image, &local);
	if (found && (local || !always)) {
		take_image(c, spec->image, found, local, always);
		image_unref(found);
		return true;
	}
	if (found && always && c->pull_retry_at == 0 && !c->w->k->config.puller) {
		/* no registry client: nothing newer can come */
		take_image(c, spec->image, found, false, false);
		image_unref(found);
		return true;
	}
	image_unref(found);
	if (str_is(spec->image_pull_policy, "Never")) {
		failed(c, "ErrImageNeverPull",
		       arena_printf(
			       &a,
			       "Container image \"%.*s\" is not present with pull policy of Never",
			       STR_ARG(spec->image))
			       .p);
		return false;
	}
	if (!wait_for_pull(c, spec->image)) {
		start_pull(c, spec->image);
	}
	return false;
}

/* ---- create and start ---- */

static void start_done(void *ctx, struct str id UNUSED, const struct err *err)
{
	struct pod_container *c = ctx;

	if (err) {
		failed(c, "RunContainerError", err_msg(err));
	} else {
		container_wait_for(c, NULL, NULL);
		c->started = c->ready = true;
		pod_event(c->w, c->name, "Normal", "Started", "Container started");
	}
	ended(c);
}

static void start_container(struct pod_container *c)
{
	begin(c, OP_START);
	container_start(c->w->k->config.runtime, str_of(c->id), start_done, c);
}

struct create_job_ctx {
	struct pod_container *c;
	struct frozen *pod;
	uint32_t attempt;
	struct container_build build;
};

static void ignore_removed(void *ctx, struct str id UNUSED, const struct err *err UNUSED)
{
	struct pod_worker *w = ctx;

	w->busy--;
	pod_worker_kick(w);
}

static void create_done(void *ctx, struct str id, const struct err *err)
{
	struct create_job_ctx *job = ctx;
	struct pod_container *c = job->c;

	if (err) {
		failed(c, err->code == ERR_NOT_FOUND ? "RunContainerError" : "CreateContainerError",
		       err_msg(err));
	} else {
		if (c->previous[0]) {
			c->w->busy++;
			container_remove(c->w->k->config.runtime, str_of(c->previous),
					 ignore_removed, c->w);
		}
		memcpy(c->previous, c->id, sizeof(c->previous));
		snprintf(c->id, sizeof(c->id), "%.*s", STR_ARG(id));
		c->attempt = job->attempt;
		pod_event(c->w, c->name, "Normal", "Created", "Container created");
	}
	set_text(&c->image_id, NULL);
	arena_fini(&job->build.arena);
	frozen_unref(job->pod);
	mem_free(job);
	ended(c);
}

static void create_container(struct pod_container *c)
{
	struct create_job_ctx *job = NEW(struct create_job_ctx);
	struct err err CLEANUP_ERR = {0};

	job->c = c;
	job->attempt = c->id[0] ? c->attempt + 1 : 0;
	job->pod = frozen_ref(c->w->pod);
	if (container_build(c, job->attempt, &job->build, &err) < 0) {
		failed(c, "CreateContainerConfigError", err_msg(&err));
		arena_fini(&job->build.arena);
		frozen_unref(job->pod);
		mem_free(job);
		return;
	}
	begin(c, OP_CREATE);
	container_create(c->w->k->config.runtime, &job->build.spec, create_done, job);
}

/* ---- after an end ---- */

/* False: it has to wait. */
static bool crash_step(struct pod_container *c, const struct container_status *status)
{
	struct kubelet *k = c->w->k;
	const struct core_pod *pod = worker_pod(c->w);
	int64_t now = kubelet_mono(k);
	int64_t since = now - MAX(env_wall_ns(k->config.env) - status->finished_at_ns, (int64_t)0);
	int64_t left = backoff_left(&c->crash, since, now);
	struct arena a CLEANUP_ARENA = {0};
	struct buf delay CLEANUP_BUF = {0};

	if (left == 0) {
		backoff_next(&c->crash, now);
		return true;
	}
	if (!c->waiting_reason || !str_is(str_of(c->waiting_reason), "CrashLoopBackOff")) {
		int64_t s = c->crash.delay_ns / NS_PER_SEC;

		if (s >= 60) {
			buf_printf(&delay, "%lldm%llds", (long long)(s / 60), (long long)(s % 60));
		} else {
			buf_printf(&delay, "%llds", (long long)s);
		}
		container_wait_for(
			c, "CrashLoopBackOff",
			arena_printf(&a,
				     "back-off %s restarting failed container=%s pod=%.*s_%.*s(%s)",
				     buf_cstr(&delay), c->name, STR_ARG(pod->metadata.name),
				     STR_ARG(pod->metadata.namespace), c->w->uid)
				.p);
		pod_event(c->w, c->name, "Warning", "BackOff",
			  "Back-off restarting failed container %s in pod %.*s_%.*s(%s)", c->name,
			  STR_ARG(pod->metadata.name), STR_ARG(pod->metadata.namespace), c->w->uid);
	}
	pod_worker_wake(c->w, now + left);
	return false;
}

bool container_step(struct pod_container *c)
{
	const struct container_status *status = container_runtime_status(c);

	if (c->op != OP_NONE) {
		return false;
	}
	if (c->stop_wanted || container_is_done(c) ||
	    (status && status->state == CONTAINER_RUNNING)) {
		return true;
	}
	if (c->retry_at && kubelet_mono(c->w->k) < c->retry_at) {
		pod_worker_wake(c->w, c->retry_at);
		return true;
	}
	c->retry_at = 0;
	if (status && status->state == CONTAINER_CREATED) {
		start_container(c);
		return false;
	}
	if (status && !c->image_id && !crash_step(c, status)) {
		return true;
	}
	if (!image_step(c)) {
		return c->op == OP_NONE;
	}
	create_container(c);
	return c->op == OP_NONE;
}

/* ---- stopping ---- */

static void stop_done(void *ctx, struct str id UNUSED, const struct err *err)
{
	struct pod_container *c = ctx;

	if (err) {
		log_warning(c->w->k->config.log,
			    "cannot stop container %s of pod %s: %s; trying again", c->name,
			    c->w->uid, err_msg(err));
		c->stop_sent = false;
		pod_worker_wake(c->w, kubelet_mono(c->w->k) + NS_PER_SEC);
	}
	c->w->busy--;
	pod_worker_kick(c->w);
}

void container_request_stop(struct pod_container *c, int64_t grace_ms, const char *why)
{
	if (!container_is_running(c) || (c->stop_wanted && grace_ms >= c->stop_grace_ms)) {
		return;
	}
	if (!c->stop_wanted) {
		pod_event(c->w, c->name, "Normal", "Killing", "%s%s",
			  why ? why : "Stopping container ", why ? "" : c->name);
	}
	c->stop_wanted = true;
	c->stop_sent = false;
	c->stop_grace_ms = grace_ms;
}

bool container_stop_step(struct pod_container *c)
{
	if (c->op != OP_NONE) {
		return false;
	}
	if (!container_is_running(c)) {
		return true;
	}
	if (c->stop_wanted && !c->stop_sent) {
		c->stop_sent = true;
		c->w->busy++;
		container_stop(c->w->k->config.runtime, str_of(c->id), c->stop_grace_ms, stop_done,
			       c);
	}
	return false;
}
