/* SPDX-License-Identifier: Apache-2.0 */
/* What the scheduler writes: bindings, conditions, nominated nodes, the node's name on claims, events. A binding goes
 *     volumes (PreBind: claims are told the node, wait until they are bound; at most 10 minutes) -> binding -> done
 * and undoes the assumption where it fails. */
#include "codec/json.h"
#include "codec/time.h"
#include "rules/selector.h"
#include "scheduler/scheduler_internal.h"
#include "scheduler/volumes.h"

#define VOLUMES_TIMEOUT_NS (600 * NS_PER_SEC)
#define SELECTED_NODE "volume.kubernetes.io/selected-node"

struct binding {
	struct list link;
	struct scheduler *scheduler;
	struct arena arena;
	struct frozen *pod;
	struct str key, node;
	struct env_timer deadline;
	bool told; /* claims and volumes have been written to */
	bool done;
};

static struct core_object_reference reference_to(const struct core_pod *pod)
{
	return (struct core_object_reference){
		.kind = STR("Pod"),
		.namespace = pod->metadata.namespace,
		.name = pod->metadata.name,
		.uid = pod->metadata.uid,
		.api_version = STR("v1"),
		.resource_version = pod->metadata.resource_version,
	};
}

static void record(struct scheduler *s, const struct core_pod *pod, const char *type,
		   const char *reason, struct str message)
{
	struct core_object_reference about = reference_to(pod);

	event_recorder_record(s->events, &about, type, reason, message);
}

static void binding_free(struct binding *b)
{
	env_timer_stop(b->scheduler->config.env, &b->deadline);
	list_remove(&b->link);
	frozen_unref(b->pod);
	arena_fini(&b->arena);
	mem_free(b);
}

static const struct core_pod *pod_of(const struct binding *b)
{
	return FROZEN_AS(b->pod, core_pods, struct core_pod);
}

static void fail(struct binding *b, struct str message)
{
	struct scheduler *s = b->scheduler;
	struct pod_info *there = node_cache_find_pod(&s->cache, b->key);

	s->metrics.errors++;
	if (there && there->assumed) {
		node_cache_remove_pod(&s->cache, b->key);
		queue_event(&s->queue, EVENT_POD_DELETE, env_mono_ns(s->config.env));
	}
	if (queue_find(&s->queue, b->key)) { /* not deleted meanwhile */
		queue_fail(&s->queue, b->key, 0, env_mono_ns(s->config.env));
		binding_report_failure(s, pod_of(b), STR("SchedulerError"), message, STR_NULL);
	}
	scheduler_wake(s);
	binding_free(b);
}

static void on_bound(void *ctx, const struct client_result *result)
{
	struct binding *b = ctx;
	struct scheduler *s = b->scheduler;

	s->calls--;
	s->metrics.bindings_in_flight--;
	if (s->freed) {
		binding_free(b);
		scheduler_drop(s);
		return;
	}
	if (result->code < 0) {
		fail(b, arena_printf(&b->arena, "running Bind plugin \"DefaultBinder\": %.*s",
				     STR_ARG(result->message)));
		return;
	}
	s->metrics.scheduled++;
	record(s, pod_of(b), "Normal", "Scheduled",
	       arena_printf(&b->arena, "Successfully assigned %.*s to %.*s", STR_ARG(b->key),
			    STR_ARG(b->node)));
	binding_free(b);
}

static void post_binding(struct binding *b)
{
	const struct core_pod *pod = pod_of(b);
	struct core_binding body = {
		.metadata = {.name = pod->metadata.name,
			     .namespace = pod->metadata.namespace,
			     .uid = pod->metadata.uid},
		.target = {.kind = STR("Node"), .name = b->node},
	};
	struct client_request req = {
		.verb = VERB_CREATE,
		.resource = &resource_core_pods,
		.subresource = "binding",
		.ns = pod->metadata.namespace,
		.name = pod->metadata.name,
		.body_type = &type_core_binding,
		.body = &body,
	};

	env_timer_stop(b->scheduler->config.env, &b->deadline);
	b->done = true;
	b->scheduler->calls++;
	b->scheduler->metrics.bindings_in_flight++;
	client_call(b->scheduler->config.client, &req, on_bound, b);
}

/* ---- PreBind: volumes ---- */

struct note {
	struct scheduler *scheduler;
	struct str what;
};

static void on_noted(void *ctx, const struct client_result *result)
{
	struct note *n = ctx;
	struct scheduler *s = n->scheduler;

	if (result->code < 0 && !s->freed) {
		log_warning(s->config.log, "cannot write %.*s: %.*s", STR_ARG(n->what),
			    STR_ARG(result->message));
	}
	mem_free((char *)n->what.p);
	mem_free(n);
	s->calls--;
	scheduler_drop(s);
}

static void send_request(struct scheduler *s, const struct client_request *req, const char *what)
{
	struct note *n = NEW(struct note);

	n->scheduler = s;
	n->what = str_of(str_dup_cstr(str_of(what)));
	s->calls++;
	client_call(s->config.client, req, on_noted, n);
}

static void tell_claim(struct binding *b, const struct core_persistent_volume_claim *claim)
{
	struct buf p CLEANUP_BUF = {0};
	struct client_request req = {.verb = VERB_PATCH,
				     .resource = &resource_core_persistentvolumeclaims,
				     .ns = claim->metadata.namespace,
				     .name = claim->metadata.name,
				     .patch_type = PATCH_MERGE};

	buf_puts(&p, "{\"metadata\":{\"annotations\":{\"" SELECTED_NODE "\":");
	json_write_string(&p, b->node);
	buf_puts(&p, "}}}");
	req.patch = buf_str(&p);
	send_request(b->scheduler, &req, "the selected node of a claim");
}

static void tell_volume(struct binding *b, const struct core_persistent_volume *pv,
			const struct core_persistent_volume_claim *claim)
{
	struct buf p CLEANUP_BUF = {0};
	struct client_request req = {.verb = VERB_PATCH,
				     .resource = &resource_core_persistentvolumes,
				     .name = pv->metadata.name,
				     .patch_type = PATCH_MERGE};

	if (pv->spec.claim_ref) {
		return;
	}
	buf_printf(&p,
		   "{\"metadata\":{\"resourceVersion\":\"%.*s\",\"annotations\":{\"pv.kubernetes."
		   "io/bound-by-controller\":\"yes\"}},"
		   "\"spec\":{\"claimRef\":{\"kind\":\"PersistentVolumeClaim\",\"apiVersion\":"
		   "\"v1\",\"namespace\":\"%.*s\",\"name\":\"%.*s\","
		   "\"uid\":\"%.*s\"}}}",
		   STR_ARG(pv->metadata.resource_version), STR_ARG(claim->metadata.namespace),
		   STR_ARG(claim->metadata.name), STR_ARG(claim->metadata.uid));
	req.patch = buf_str(&p);
	send_request(b->scheduler, &req, "the claim of a volume");
}

/* Binds once all claims are bound; NULL info: the pod has none. */
static void step(struct binding *b)
{
	struct scheduler *s = b->scheduler;
	struct arena arena CLEANUP_ARENA = {0};
	struct pod_info *info = node_cache_find_pod(&s->cache, b->key);
	struct cycle c = {
		.cache = &s->cache, .informers = s->config.informers, .pod = info, .arena = &arena};
	struct pod_volumes v = {0};
	uint32_t slot = node_cache_find(&s->cache, b->node);

	if (!info || slot == NO_SLOT) {
		fail(b, STR("the pod or its node went away before its volumes were bound"));
		return;
	}
	if (!info->has_claims || (!pod_volumes_find(&c, &v).n && !v.nwaiting)) {
		post_binding(b);
		return;
	}
	for (size_t i = 0; i < v.nwaiting && !b->told; i++) {
		const struct core_persistent_volume *pv = NULL;

		if (pod_volume_can_bind(&c, v.waiting[i], slot, &pv) && pv) {
			tell_volume(b, pv, v.waiting[i]);
		} else {
			tell_claim(b, v.waiting[i]);
		}
	}
	b->told = true;
}

static void on_deadline(struct env_timer *timer)
{
	fail(CONTAINER_OF(timer, struct binding, deadline),
	     STR("running PreBind plugin \"VolumeBinding\": binding volumes: timed out "
		 "waiting for the condition"));
}

void binding_start(struct scheduler *s, const struct pod_info *pod, uint32_t slot)
{
	struct binding *b = NEW(struct binding);

	b->scheduler = s;
	b->pod = frozen_ref(pod->object);
	b->key = arena_str(&b->arena, pod->key);
	b->node = arena_str(&b->arena, str_of(s->cache.nodes.p[slot].name));
	b->deadline.fn = on_deadline;
	list_add_tail(&s->bindings, &b->link);
	if (pod->has_claims) {
		env_timer_start_in(s->config.env, &b->deadline, VOLUMES_TIMEOUT_NS);
	}
	step(b);
}

void binding_continue_all(struct scheduler *s)
{
	LIST_FOR_EACH_SAFE(l, &s->bindings)
	{
		struct binding *b = CONTAINER_OF(l, struct binding, link);

		if (!b->done) {
			step(b);
		}
	}
}

/* Those with a call under way go with its answer. */
void binding_free_all(struct scheduler *s)
{
	LIST_FOR_EACH_SAFE(l, &s->bindings)
	{
		struct binding *b = CONTAINER_OF(l, struct binding, link);

		env_timer_stop(s->config.env, &b->deadline);
		if (!b->done) {
			binding_free(b);
		}
	}
}

/* ---- failure ---- */

static bool is_told_already(const struct core_pod *pod, struct str reason, struct str message,
			    struct str nominated)
{
	if (nominated.n && !str_eq(pod->status.nominated_node_name, nominated)) {
		return false;
	}
	for (size_t i = 0; i < pod->status.conditions.n; i++) {
		const struct core_pod_condition *c = &pod->status.conditions.p[i];

		if (str_is(c->type, "PodScheduled")) {
			return str_is(c->status, "False") && str_eq(c->reason, reason) &&
			       str_eq(c->message, message);
		}
	}
	return false;
}

void binding_report_failure(struct scheduler *s, const struct core_pod *pod, struct str reason,
			    struct str message, struct str nominated)
{
	struct buf p CLEANUP_BUF = {0};
	struct client_request req = {.verb = VERB_PATCH,
				     .resource = &resource_core_pods,
				     .subresource = "status",
				     .ns = pod->metadata.namespace,
				     .name = pod->metadata.name,
				     .patch_type = PATCH_STRATEGIC};

	record(s, pod, "Warning", "FailedScheduling", message);
	if (is_told_already(pod, reason, message, nominated)) {
		return;
	}
	buf_puts(&p, "{\"status\":{");
	if (nominated.n) {
		buf_puts(&p, "\"nominatedNodeName\":");
		json_write_string(&p, nominated);
		buf_add_char(&p, ',');
	}
	buf_printf(&p,
		   "\"conditions\":[{\"type\":\"PodScheduled\",\"status\":\"False\",\"reason\":\"%."
		   "*s\",\"message\":",
		   STR_ARG(reason));
	json_write_string(&p, message);
	buf_puts(&p, ",\"lastProbeTime\":null,\"lastTransitionTime\":\"");
	time_write(&p, env_wall_ns(s->config.env) / NS_PER_SEC);
	buf_puts(&p, "\"}]}}");
	req.patch = buf_str(&p);
	send_request(s, &req, "the condition of a pod");
}

void binding_evict(struct scheduler *s, const struct pod_info *victim,
		   const struct core_pod *preemptor, struct str node)
{
	struct arena a CLEANUP_ARENA = {0};
	struct client_request req = {.verb = VERB_DELETE,
				     .resource = &resource_core_pods,
				     .ns = victim->pod->metadata.namespace,
				     .name = victim->pod->metadata.name,
				     .precondition_uid = victim->pod->metadata.uid};

	s->metrics.victims++;
	record(s, victim->pod, "Normal", "Preempted",
	       arena_printf(&a, "Preempted by pod %.*s on node %.*s",
			    STR_ARG(preemptor->metadata.uid), STR_ARG(node)));
	if (!victim->pod->metadata.deletion_timestamp) {
		send_request(s, &req, "the deletion of a preempted pod");
	}
}
