/* SPDX-License-Identifier: Apache-2.0 */
#include "kubelet/kubelet.h"

#include "base/cleanup.h"
#include "kubelet/kubelet_internal.h"

enum { RUNTIME_RETRY_S = 5 };

void set_text(char **to, const char *text)
{
	char *copy = text ? mem_dup_str(text, strlen(text)) : NULL;

	mem_free(*to);
	*to = copy;
}

void pod_event(struct pod_worker *w, const char *container, const char *type, const char *reason,
	       const char *fmt, ...)
{
	const struct core_pod *pod = worker_pod(w);
	struct arena a CLEANUP_ARENA = {0};
	struct pod_container *c = container ? pod_worker_container(w, str_of(container)) : NULL;
	struct core_object_reference about = {.kind = STR("Pod"),
					      .namespace = pod->metadata.namespace,
					      .name = pod->metadata.name,
					      .uid = pod->metadata.uid,
					      .api_version = STR("v1"),
					      .resource_version = pod->metadata.resource_version};
	va_list ap;

	if (c) {
		about.field_path = arena_printf(
			&a, "spec.%s{%s}", c->role == ROLE_MAIN ? "containers" : "initContainers",
			container);
	}
	va_start(ap, fmt);
	event_recorder_record(w->k->events, &about, type, reason, arena_vprintf(&a, fmt, ap));
	va_end(ap);
}

/* ---- watch ---- */

static void pod_changed(void *ctx, struct frozen *old, struct frozen *new_)
{
	struct kubelet *k = ctx;
	const struct core_pod *pod = FROZEN_AS(new_ ? new_ : old, core_pods, struct core_pod);
	struct pod_worker *w = map_find(&k->workers, pod->metadata.uid);

	if (old && new_) {
		struct str before = FROZEN_AS(old, core_pods, struct core_pod)->metadata.uid;

		if (!str_eq(before,
			    pod->metadata
				    .uid)) { /* another pod of that name: the old one's end was not seen */
			pod_changed(ctx, old, NULL);
		}
	}
	if (!w && new_) {
		map_put(&k->workers, pod->metadata.uid, pod_worker_new(k, new_));
	} else if (w) {
		pod_worker_update(w, new_);
	}
}

static void kick_all(struct kubelet *k)
{
	struct str uid;
	void *w;

	for (size_t i = 0; map_next(&k->workers, &i, &uid, &w);) {
		pod_worker_kick(w);
	}
}

static void start_network(struct kubelet *k, const struct core_node *node)
{
	struct pod_network *network = k->config.network;
	struct err err CLEANUP_ERR = {0};

	if (!network || k->network_started || !node->spec.pod_cidr.n) {
		return;
	}
	if (network->ops->start(network, node->spec.pod_cidr, &err) < 0) {
		set_text(&k->network_problem, err_msg(&err));
		log_error(k->config.log, "the pod network does not start: %s", err_msg(&err));
		return;
	}
	k->network_started = true;
	set_text(&k->network_problem, NULL);
	kick_all(k);
}

static void tell_network(struct kubelet *k, struct frozen *old, struct frozen *new_)
{
	const struct core_node *node = FROZEN_AS(new_ ? new_ : old, core_nodes, struct core_node);
	struct err err CLEANUP_ERR = {0};
	struct str ip = STR_NULL;
	int r = 0;

	for (size_t i = 0; i < node->status.addresses.n; i++) {
		if (str_is(node->status.addresses.p[i].type, "InternalIP")) {
			ip = node->status.addresses.p[i].address;
		}
	}
	if (!new_) {
		r = k->config.network->ops->remove_node(k->config.network, node->metadata.name,
							&err);
	} else if (ip.n && node->spec.pod_cidr.n) {
		r = k->config.network->ops->set_node(k->config.network, node->metadata.name, ip,
						     node->spec.pod_cidr, &err);
	}
	if (r < 0) {
		log_error(k->config.log, "no route to the pods of node %.*s: %s",
			  STR_ARG(node->metadata.name), err_msg(&err));
	}
}

static bool tell_network_each(void *ctx, struct frozen *node)
{
	tell_network(ctx, NULL, node);
	return true;
}

static void node_changed(void *ctx, struct frozen *old, struct frozen *new_)
{
	struct kubelet *k = ctx;
	const struct core_node *node = FROZEN_AS(new_ ? new_ : old, core_nodes, struct core_node);
	bool was_started = k->network_started;

	if (str_eq(node->metadata.name, k->config.node_name)) {
		if (new_) {
			start_network(k, node);
		}
		node_status_kick(k->node);
	}
	if (k->network_started && !was_started) {
		informer_each(k->nodes, STR_NULL, tell_network_each, k);
	} else if (k->network_started) {
		tell_network(k, old, new_);
	}
}

static void nodes_synced(void *ctx)
{
	node_status_kick(((struct kubelet *)ctx)->node);
}

/* ---- orphans: pods that were deleted while no kubelet ran ---- */

static void orphan_removed(void *ctx, struct str id UNUSED, const struct err *err)
{
	struct kubelet *k = ctx;

	k->busy--;
	if (err) {
		log_error(k->config.log, "cannot remove a sandbox whose pod is gone: %s",
			  err_msg(err));
	}
}

static void remove_orphans(struct kubelet *k)
{
	const struct sandbox_status *s;
	struct err err CLEANUP_ERR = {0};

	if (k->orphans_checked || !k->runtime_ready || !informer_has_synced(k->pods)) {
		return;
	}
	k->orphans_checked = true;
	for (size_t i = 0; (s = sandbox_next(k->config.runtime, &i));) {
		if (map_find(&k->workers, s->pod_uid)) {
			continue;
		}
		log_info(k->config.log, "removing pod %.*s/%.*s: it was deleted",
			 STR_ARG(s->pod_namespace), STR_ARG(s->pod_name));
		if (k->network_started &&
		    k->config.network->ops->detach(k->config.network, s->id, &err) < 0) {
			log_error(k->config.log, "%s", err_msg(&err));
		}
		k->busy++;
		sandbox_remove(k->config.runtime, s->id, orphan_removed, k);
	}
}

static void pods_synced(void *ctx)
{
	remove_orphans(ctx);
}

/* ---- runtime ---- */

static void on_exited(void *ctx, const struct container_status *status)
{
	struct kubelet *k = ctx;
	struct pod_worker *w = map_find(&k->workers, status->pod_uid);

	if (w) {
		pod_worker_exited(w, status);
	}
}

static void runtime_started(void *ctx, struct str id UNUSED, const struct err *err)
{
	struct kubelet *k = ctx;

	k->busy--;
	if (err) {
		set_text(&k->runtime_problem, err_msg(err));
		log_error(k->config.log, "the container runtime does not start: %s; trying again",
			  err_msg(err));
		env_timer_start_in(k->config.env, &k->runtime_retry, RUNTIME_RETRY_S * NS_PER_SEC);
	} else {
		k->runtime_ready = true;
		set_text(&k->runtime_problem, NULL);
		remove_orphans(k);
		kick_all(k);
	}
	node_status_kick(k->node);
}

static void start_runtime(struct env_timer *timer)
{
	struct kubelet *k = CONTAINER_OF(timer, struct kubelet, runtime_retry);

	k->busy++;
	runtime_start(k->config.runtime, runtime_started, k);
}

/* ---- life ---- */

struct kubelet *kubelet_new(const struct kubelet_config *config)
{
	struct kubelet *k = NEW(struct kubelet);
	struct arena a CLEANUP_ARENA = {0};
	struct informer_handler pods = {pod_changed, pods_synced, NULL, k};
	struct informer_handler nodes = {node_changed, nodes_synced, NULL, k};

	k->config = *config;
	map_init(&k->workers, 0);
	k->informers = informers_new(config->client);
	k->events = event_recorder_new(config->client, STR("kubelet"), config->node_name);
	k->node = node_status_new(k);
	k->pods = informers_get(k->informers, &resource_core_pods,
				arena_printf(&a, "spec.nodeName=%.*s", STR_ARG(config->node_name)));
	k->nodes = informers_get(k->informers, &resource_core_nodes, STR_NULL);
	informer_add_handler(k->pods, &pods);
	informer_add_handler(k->nodes, &nodes);
	k->config.runtime->exited = on_exited;
	k->config.runtime->exited_ctx = k;
	k->runtime_retry.fn = start_runtime;
	edge_node_init(k);
	start_runtime(&k->runtime_retry);
	return k;
}

const struct edge_node *kubelet_edge_node(struct kubelet *k)
{
	return &k->edge_node;
}

void kubelet_free(struct kubelet *k)
{
	struct str uid;
	void *w;

	if (!k) {
		return;
	}
	for (size_t i = 0; map_next(&k->workers, &i, &uid, &w);) {
		pod_worker_free(w);
	}
	env_timer_stop(k->config.env, &k->runtime_retry);
	map_fini(&k->workers);
	node_status_free(k->node);
	informers_free(k->informers);
	event_recorder_free(k->events);
	mem_free(k->runtime_problem);
	mem_free(k->network_problem);
	mem_free(k);
}
