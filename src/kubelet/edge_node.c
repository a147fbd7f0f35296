/* SPDX-License-Identifier: Apache-2.0 */
/* The table that the edge server sees the node by. */
#include "kubelet/kubelet_internal.h"
#include "object/encode.h"

static struct pod_container *find(struct kubelet *k, const struct edge_target *t, struct err *err)
{
	struct frozen *f = informer_get(k->pods, t->ns, t->pod);
	struct pod_worker *w = f ? map_find(&k->workers, f->head->metadata.uid) : NULL;
	struct pod_container *c = w ? pod_worker_container(w, t->container) : NULL;

	if (!w) {
		err_set(err, ERR_NOT_FOUND, "pod \"%.*s\" not found", STR_ARG(t->pod));
	} else if (!c) {
		err_set(err, ERR_NOT_FOUND, "container \"%.*s\" not found in pod \"%.*s\"",
			STR_ARG(t->container), STR_ARG(t->pod));
	}
	return c;
}

static int find_log(void *ctx, const struct edge_target *t, bool previous, struct edge_log *ret,
		    struct err *err)
{
	struct kubelet *k = ctx;
	struct pod_container *c = find(k, t, err);
	const struct container_status *s;
	const char *id;

	if (!c) {
		return ERR_NOT_FOUND;
	}
	id = previous ? c->previous : c->id;
	s = id[0] ? container_find(k->config.runtime, str_of(id)) : NULL;
	if (!s) {
		return previous ? err_set(err, ERR_INVALID,
					  "previous terminated container \"%.*s\" in pod \"%.*s\" "
					  "not found",
					  STR_ARG(t->container), STR_ARG(t->pod))
				: err_set(err, ERR_INVALID,
					  "container \"%.*s\" in pod \"%.*s\" is waiting to start: "
					  "%s",
					  STR_ARG(t->container), STR_ARG(t->pod),
					  c->waiting_reason ? c->waiting_reason
							    : "ContainerCreating");
	}
	snprintf(ret->path, sizeof(ret->path), "%.*s", STR_ARG(s->log_path));
	snprintf(ret->container_id, sizeof(ret->container_id), "%.*s", STR_ARG(s->id));
	ret->is_running = s->state == CONTAINER_RUNNING;
	return 0;
}

static bool is_running(void *ctx, struct str id)
{
	const struct container_status *s =
		container_find(((struct kubelet *)ctx)->config.runtime, id);

	return s && s->state == CONTAINER_RUNNING;
}

static int exec(void *ctx, const struct edge_target *t, struct exec_spec *spec,
		const struct exec_events *events, struct exec_session **ret, struct err *err)
{
	struct kubelet *k = ctx;
	struct pod_container *c = find(k, t, err);

	if (!c) {
		return ERR_NOT_FOUND;
	}
	if (!container_is_running(c)) {
		return err_set(err, ERR_NOT_FOUND, "container not found (\"%.*s\")",
			       STR_ARG(t->container));
	}
	spec->container_id = str_of(c->id);
	return exec_start(k->config.runtime, spec, events, ret, err);
}

static void resize(void *ctx, struct exec_session *session, int width, int height)
{
	exec_resize(((struct kubelet *)ctx)->config.runtime, session, width, height);
}

static void kill_exec(void *ctx, struct exec_session *session)
{
	exec_kill(((struct kubelet *)ctx)->config.runtime, session);
}

static bool add_pod(void *ctx, struct frozen *f)
{
	struct buf *out = ctx;

	if (out->p[out->n - 1] != '[') {
		buf_puts(out, ",");
	}
	object_encode(out, &type_core_pod, f->head, NULL, NULL);
	return true;
}

static void write_pods(void *ctx, struct buf *out)
{
	buf_puts(out, "{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"metadata\":{},\"items\":[");
	informer_each(((struct kubelet *)ctx)->pods, STR_NULL, add_pod, out);
	buf_puts(out, "]}");
}

void edge_node_init(struct kubelet *k)
{
	k->edge_node = (struct edge_node){.ctx = k,
					  .find_log = find_log,
					  .is_running = is_running,
					  .exec = exec,
					  .exec_resize = resize,
					  .exec_kill = kill_exec,
					  .write_pods = write_pods};
}
