/* SPDX-License-Identifier: Apache-2.0 */
/* What a pod needs before its containers, and its end: sandbox, network, volumes. */
#include "base/cleanup.h"
#include "kubelet/kubelet_internal.h"
#include "linux/cgroup.h"
#include "linux/file.h"
#include "linux/mounts.h"
#include "object/quantity.h"
#include "rules/pod.h"
#include "rules/resources.h"

/* Told once per failure; the next attempt is in a while. */
static void setup_failed(struct pod_worker *w, const char *reason, const char *message)
{
	int64_t now = kubelet_mono(w->k);

	if (!w->setup_error || !str_eq(str_of(w->setup_error), str_of(message))) {
		pod_event(w, NULL, "Warning", reason, "%s", message);
		set_text(&w->setup_error, message);
	}
	backoff_next(&w->setup, now);
	w->setup_retry_at = now + MIN(w->setup.delay_ns / 5, 60 * NS_PER_SEC);
	pod_worker_wake(w, w->setup_retry_at);
}

/* ---- sandbox ---- */

struct sandbox_job {
	struct pod_worker *w;
	struct frozen *pod; /* the spec's strings live in it */
	struct arena arena;
	struct sandbox_spec spec;
};

static void sandbox_done(void *ctx, struct str id, const struct err *err)
{
	struct sandbox_job *job = ctx;
	struct pod_worker *w = job->w;

	w->busy--;
	w->sandbox_busy = false;
	if (err) {
		setup_failed(
			w, "FailedCreatePodSandBox",
			arena_printf(&job->arena, "Failed to create pod sandbox: %s", err_msg(err))
				.p);
	} else {
		snprintf(w->sandbox, sizeof(w->sandbox), "%.*s", STR_ARG(id));
	}
	frozen_unref(job->pod);
	arena_fini(&job->arena);
	mem_free(job);
	pod_worker_kick(w);
}

static enum runtime_qos qos_of(const struct core_pod *pod)
{
	struct str qos = pod_compute_qos(&pod->spec);

	return str_is(qos, "Guaranteed")   ? QOS_GUARANTEED
	       : str_is(qos, "BestEffort") ? QOS_BEST_EFFORT
					   : QOS_BURSTABLE;
}

/* The pod's cgroup: shares by requests; limits where every container has one (the sum leaves out those without). */
static struct cgroup_limits pod_limits(struct arena *a, const struct core_pod *pod)
{
	struct quantity_map requests = pod_compute_requests(a, &pod->spec);
	struct quantity_map limits = pod_compute_limits(a, &pod->spec);
	struct cgroup_limits ret = {.cpu_shares = cgroup_shares_of_milli_cpu(quantity_milli_value(
					    resource_get(&requests, STR("cpu"))))};
	bool cpu = true;
	bool memory = true;

	for (size_t i = 0; i < pod->spec.containers.n; i++) {
		cpu = cpu && resource_find(&pod->spec.containers.p[i].resources.limits, STR("cpu"));
		memory = memory &&
			 resource_find(&pod->spec.containers.p[i].resources.limits, STR("memory"));
	}
	if (cpu) {
		ret.cpu_quota_us = cgroup_quota_of_milli_cpu(
			quantity_milli_value(resource_get(&limits, STR("cpu"))), 100000);
	}
	if (memory) {
		ret.memory_bytes = quantity_value(resource_get(&limits, STR("memory")));
	}
	return ret;
}

static void create_sandbox(struct pod_worker *w)
{
	struct sandbox_job *job = NEW(struct sandbox_job);
	const struct core_pod *pod = worker_pod(w);
	const struct core_pod_security_context *sc = pod->spec.security_context;
	struct runtime_pair *sysctls =
		ARENA_ARRAY(&job->arena, sc ? sc->sysctls.n : 0, struct runtime_pair);

	for (size_t i = 0; sc && i < sc->sysctls.n; i++) {
		sysctls[i] = (struct runtime_pair){sc->sysctls.p[i].name, sc->sysctls.p[i].value};
	}
	job->w = w;
	job->pod = frozen_ref(w->pod);
	job->spec = (struct sandbox_spec){
		.pod_uid = pod->metadata.uid,
		.pod_namespace = pod->metadata.namespace,
		.pod_name = pod->metadata.name,
		.attempt = w->sandbox_attempt,
		.hostname = str_sub(pod->spec.hostname.n ? pod->spec.hostname : pod->metadata.name,
				    0, 63),
		.host_network = pod->spec.host_network,
		.host_pid = pod->spec.host_pid,
		.host_ipc = pod->spec.host_ipc,
		.share_process_namespace =
			pod->spec.share_process_namespace && *pod->spec.share_process_namespace,
		.qos = qos_of(pod),
		.limits = pod_limits(&job->arena, pod),
		.sysctls = {sysctls, sc ? sc->sysctls.n : 0},
	};
	w->sandbox_busy = true;
	w->busy++;
	sandbox_create(w->k->config.runtime, &job->spec, sandbox_done, job);
}

static const struct sandbox_status *sandbox_of(const struct pod_worker *w)
{
	return w->sandbox[0] ? sandbox_find(w->k->config.runtime, str_of(w->sandbox)) : NULL;
}

/* ---- network ---- */

static int attach(struct pod_worker *w, const struct sandbox_status *sb, struct err *err)
{
	const struct core_pod *pod = worker_pod(w);
	struct pod_network_port ports[POD_PORTS_MAX];
	struct pod_network_pod p = {.sandbox = sb->id, .net_ns = sb->net_ns, .ports = ports};

	for (size_t i = 0; i < pod->spec.containers.n; i++) {
		const struct core_container *c = &pod->spec.containers.p[i];

		for (size_t j = 0; j < c->ports.n; j++) {
			if (!c->ports.p[j].host_port) {
				continue;
			}
			if (p.n_ports == POD_PORTS_MAX) {
				return err_set(err, ERR_LIMIT, "more than %d host ports",
					       POD_PORTS_MAX);
			}
			ports[p.n_ports++] = (struct pod_network_port){
				c->ports.p[j].protocol, c->ports.p[j].host_port,
				c->ports.p[j].container_port, c->ports.p[j].host_ip};
		}
	}
	return w->k->config.network->ops->attach(w->k->config.network, &p, w->ip, err);
}

static bool network_step(struct pod_worker *w, const struct sandbox_status *sb)
{
	struct err err CLEANUP_ERR = {0};
	struct arena a CLEANUP_ARENA = {0};

	if (w->net_attached) {
		return true;
	}
	if (worker_pod(w)->spec.host_network) {
		snprintf(w->ip, sizeof(w->ip), "%.*s", STR_ARG(w->k->config.node_ip));
		w->net_attached = true;
		return true;
	}
	if (!w->k->network_started) {
		setup_failed(w, "NetworkNotReady",
			     "network is not ready: the node has no pod network yet (its podCIDR "
			     "is not set)");
		return false;
	}
	if (attach(w, sb, &err) < 0) {
		setup_failed(
			w, "FailedCreatePodSandBox",
			arena_printf(&a, "Failed to set up the pod's network: %s", err_msg(&err))
				.p);
		return false;
	}
	w->net_attached = true;
	return true;
}

static bool files_step(struct pod_worker *w)
{
	struct err err CLEANUP_ERR = {0};

	if (w->volumes_made) {
		return true;
	}
	if (pod_check_supported(worker_pod(w), &err) < 0) {
		setup_failed(w, "FailedMount", err_msg(&err));
		return false;
	}
	if (volumes_make(w, &err) < 0) {
		setup_failed(w, "FailedMount", err_msg(&err));
		return false;
	}
	w->volumes_made = true;
	return true;
}

bool pod_setup_step(struct pod_worker *w)
{
	const struct sandbox_status *sb = sandbox_of(w);

	if (w->sandbox_busy) {
		return false;
	}
	if (kubelet_mono(w->k) < w->setup_retry_at) {
		pod_worker_wake(w, w->setup_retry_at);
		return false;
	}
	if (!files_step(w)) {
		return false;
	}
	if (!sb || !sb->ready) {
		if (sb) { /* of before a reboot: a new one beside it */
			w->sandbox_attempt++;
		}
		w->net_attached = false;
		create_sandbox(w);
		return false;
	}
	if (!network_step(w, sb)) {
		return false;
	}
	set_text(&w->setup_error, NULL);
	return true;
}

/* ---- the end ---- */

static void stop_done(void *ctx, struct str id UNUSED, const struct err *err)
{
	struct pod_worker *w = ctx;

	w->busy--;
	w->sandbox_busy = false;
	if (err) {
		setup_failed(w, "FailedKillPod", err_msg(err));
	} else {
		w->stopped = true;
	}
	pod_worker_kick(w);
}

bool pod_teardown_step(struct pod_worker *w)
{
	struct pod_network *network = w->k->config.network;
	struct err err CLEANUP_ERR = {0};

	if (w->stopped) {
		return true;
	}
	if (w->sandbox_busy) {
		return false;
	}
	if (!w->sandbox[0]) {
		w->stopped = true;
		return true;
	}
	if (kubelet_mono(w->k) < w->setup_retry_at && w->stop_begun) {
		pod_worker_wake(w, w->setup_retry_at);
		return false;
	}
	if (w->k->network_started && !worker_pod(w)->spec.host_network &&
	    network->ops->detach(network, str_of(w->sandbox), &err) < 0) {
		w->stop_begun = true;
		setup_failed(w, "FailedKillPod", err_msg(&err));
		return false;
	}
	w->stop_begun = true;
	w->sandbox_busy = true;
	w->busy++;
	sandbox_stop(w->k->config.runtime, str_of(w->sandbox), stop_done, w);
	return false;
}

static const struct sandbox_status *any_sandbox(const struct pod_worker *w)
{
	const struct sandbox_status *s;

	for (size_t i = 0; (s = sandbox_next(w->k->config.runtime, &i));) {
		if (str_eq(s->pod_uid, str_of(w->uid))) {
			return s;
		}
	}
	return NULL;
}

static void remove_done(void *ctx, struct str id UNUSED, const struct err *err)
{
	struct pod_worker *w = ctx;

	w->busy--;
	if (err) {
		log_warning(w->k->config.log,
			    "cannot remove the sandbox of pod %s: %s; trying again", w->uid,
			    err_msg(err));
		pod_worker_wake(w, kubelet_mono(w->k) + NS_PER_SEC);
		return;
	}
	pod_worker_kick(w);
}

void pod_remove(struct pod_worker *w)
{
	const struct sandbox_status *s = any_sandbox(w);
	struct arena a CLEANUP_ARENA = {0};
	struct err err CLEANUP_ERR = {0};
	struct str dir = pod_dir(&a, w);

	if (w->busy) {
		return; /* what is under way kicks again */
	}
	if (s) {
		w->busy++;
		sandbox_remove(w->k->config.runtime, arena_str(&a, s->id), remove_done, w);
		return;
	}
	if (mount_remove_below(dir.p, &err) < 0 || file_tree_remove(dir.p, &err) < 0 ||
	    file_tree_remove(pod_log_dir(&a, w).p, &err) < 0) {
		log_warning(w->k->config.log, "cannot remove the files of pod %s: %s; trying again",
			    w->uid, err_msg(&err));
		pod_worker_wake(w, kubelet_mono(w->k) + 10 * NS_PER_SEC);
		return;
	}
	map_remove(&w->k->workers, str_of(w->uid));
	pod_worker_free(w);
}
