/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/node_pods.h"

#include "base/buf.h"
#include "codec/json.h"
#include "codec/time.h"
#include "rules/condition.h"
#include "rules/pod.h"

static void node_index_keys(const struct frozen *object, void (*add)(void *ctx, struct str key),
			    void *ctx)
{
	const struct core_pod *pod = FROZEN_AS(object, core_pods, struct core_pod);

	if (pod_is_bound(pod)) {
		add(ctx, pod->spec.node_name);
	}
}

const struct informer_index_desc index_pods_by_node = {"node", node_index_keys};

struct forward {
	enqueue_fn enqueue;
	void *ctx;
};

static bool forward_pod(void *ctx, struct frozen *object)
{
	struct forward *f = ctx;

	controller_enqueue(object->head->metadata.namespace, object->head->metadata.name,
			   f->enqueue, f->ctx);
	return true;
}

void node_pods_enqueue(struct informers *informers, struct str node, enqueue_fn enqueue, void *ctx)
{
	struct forward f = {enqueue, ctx};

	informer_each_indexed(informers_find(informers, &resource_core_pods), &index_pods_by_node,
			      node, forward_pod, &f);
}

const struct core_node_condition *node_condition(const struct core_node *node, struct str type)
{
	return condition_find(&node->status.conditions, type);
}

const struct core_taint *node_taint(const struct core_node *node, struct str key, struct str effect)
{
	for (size_t i = 0; i < node->spec.taints.n; i++) {
		if (str_eq(node->spec.taints.p[i].key, key) &&
		    str_eq(node->spec.taints.p[i].effect, effect)) {
			return &node->spec.taints.p[i];
		}
	}
	return NULL;
}

void node_pods_mark_disrupted(const struct snapshot *snapshot, struct actions *actions,
			      const struct core_pod *pod, bool phase, const char *reason,
			      const char *message)
{
	const struct core_pod_condition *c = pod_condition(pod, STR("DisruptionTarget"));
	bool failed = pod_is_terminal(pod) || !phase;
	struct buf b CLEANUP_BUF = {0};

	if (failed && c && str_is(c->status, "True")) {
		return;
	}
	buf_printf(&b, "{\"metadata\":{\"uid\":\"%.*s\"},\"status\":{", STR_ARG(pod->metadata.uid));
	if (!failed) {
		buf_puts(&b, "\"phase\":\"Failed\",");
	}
	buf_printf(&b,
		   "\"conditions\":[{\"type\":\"DisruptionTarget\",\"status\":\"True\",\"reason\":"
		   "\"%s\",\"message\":",
		   reason);
	json_write_string(&b, str_of(message));
	buf_puts(&b, ",\"lastTransitionTime\":\"");
	time_write(&b, snapshot->now_ns / SECOND);
	buf_puts(&b, "\"}]}}");
	actions_patch(actions, &resource_core_pods, "status", pod->metadata.namespace,
		      pod->metadata.name, PATCH_STRATEGIC, arena_str(snapshot->arena, buf_str(&b)));
	actions_next_stage(actions);
}
