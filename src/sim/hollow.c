/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/hollow.h"

#include "base/buf.h"
#include "base/map.h"
#include "base/vec.h"
#include "codec/time.h"
#include "rules/affinity.h"
#include "rules/pod.h"
#include "rules/taint.h"

#define LEASE_PERIOD_NS (10 * NS_PER_SEC)
#define RETRY_NS (500 * NS_PER_MS)

enum life {
	LIFE_NEW,
	LIFE_RUNNING,
	LIFE_READY,
	LIFE_CRASHED,
	LIFE_DONE,
	LIFE_STOPPING,
	LIFE_STOPPED
};

/* One pod on its node. */
struct worker {
	struct hollow *hollow;
	char *ns, *name, *uid;
	int node;
	enum life life;	    /* of the process */
	enum life reported; /* the newest life that the API has acknowledged */
	bool stop_seen, reporting, lost;
	bool orphaned; /* the object has gone; the process goes with the node or at once */
	struct hollow_timing timing;
	struct env_timer timer; /* to the next life */
	struct env_timer retry; /* of a report */
	int calls;
};

struct node {
	struct hollow *hollow;
	char name[24];
	bool up, registered;
	struct env_timer heartbeat;
};

struct hollow {
	struct hollow_config config;
	struct informer *pods, *nodes_informer;
	struct map workers; /* uid -> worker */
	VEC(struct node *) nodes;
	struct map binding; /* pod keys under way */
	struct env_timer bind_retry;
	size_t next_node;
	size_t pending;
	bool closed;
	uint32_t next_ip;
};

static void hollow_drop_if_done(struct hollow *h);
static void worker_step(struct worker *w);
static void bind_all(struct hollow *h);

static bool is_up(const struct worker *w)
{
	return w->hollow->nodes.p[w->node]->up;
}

/* ---- reports ---- */

static void worker_free(struct worker *w)
{
	env_timer_stop(w->hollow->config.env, &w->timer);
	env_timer_stop(w->hollow->config.env, &w->retry);
	mem_free(w->ns);
	mem_free(w->name);
	mem_free(w->uid);
	mem_free(w);
}

static void report(struct worker *w);

static void on_report_retry(struct env_timer *timer)
{
	report(CONTAINER_OF(timer, struct worker, retry));
}

struct report_ctx {
	struct hollow *hollow;
	char *uid;
	enum life life;
};

static void on_reported(void *ctx, const struct client_result *result)
{
	struct report_ctx *rc = ctx;
	struct hollow *h = rc->hollow;
	struct worker *w = map_find(&h->workers, str_of(rc->uid));

	h->pending--;
	if (w && !h->closed) {
		w->reporting = false;
		if (result->code == 0 || result->code == ERR_NOT_FOUND ||
		    result->code == ERR_CONFLICT) {
			w->reported = rc->life;
		}
		if (w->reported != w->life) {
			w->retry.fn = on_report_retry;
			env_timer_start_in(h->config.env, &w->retry,
					   result->code == 0 ? NS_PER_MS : RETRY_NS);
		}
	}
	mem_free(rc->uid);
	mem_free(rc);
	hollow_drop_if_done(h);
}

static void add_time(struct buf *b, int64_t now_s)
{
	buf_add_char(b, '"');
	time_write(b, now_s);
	buf_add_char(b, '"');
}

static void status_patch(struct worker *w, struct buf *b)
{
	int64_t now_s = env_wall_ns(w->hollow->config.env) / NS_PER_SEC;
	bool ready = w->life == LIFE_READY;
	const char *phase = w->life == LIFE_DONE ? "Succeeded" : "Running";
	static const char *const types[] = {"Ready", "ContainersReady", "Initialized"};

	buf_printf(b, "{\"metadata\":{\"uid\":\"%s\"},\"status\":{\"phase\":\"%s\",", w->uid,
		   phase);
	if (w->reported == LIFE_NEW) {
		uint32_t ip = ++w->hollow->next_ip;

		buf_printf(b,
			   "\"podIP\":\"10.244.%u.%u\",\"podIPs\":[{\"$patch\":\"replace\"},{"
			   "\"ip\":\"10.244.%u.%u\"}],"
			   "\"startTime\":",
			   ip >> 8 & 255, ip & 255, ip >> 8 & 255, ip & 255);
		add_time(b, now_s);
		buf_add_char(b, ',');
	}
	buf_puts(b, "\"conditions\":[");
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		buf_printf(b, "%s{\"type\":\"%s\",\"status\":\"%s\",\"lastTransitionTime\":",
			   i ? "," : "", types[i], i == 2 || ready ? "True" : "False");
		add_time(b, now_s);
		buf_add_char(b, '}');
	}
	buf_puts(b, "]}}");
}

static void report(struct worker *w)
{
	struct hollow *h = w->hollow;
	struct buf b CLEANUP_BUF = {0};
	struct report_ctx *rc;
	static const int64_t at_once = 0;
	struct client_request req = {
		.verb = VERB_PATCH,
		.resource = &resource_core_pods,
		.ns = str_of(w->ns),
		.name = str_of(w->name),
		.patch_type = PATCH_STRATEGIC,
		.subresource = "status",
	};

	if (w->reporting || !is_up(w) || w->reported == w->life || w->life == LIFE_STOPPING) {
		return;
	}
	if (w->life == LIFE_STOPPED) {
		req.verb = VERB_DELETE;
		req.subresource = NULL;
		req.grace_period_seconds = &at_once;
		req.precondition_uid = str_of(w->uid);
	} else {
		status_patch(w, &b);
		req.patch = buf_str(&b);
	}
	rc = NEW(struct report_ctx);
	*rc = (struct report_ctx){h, str_dup_cstr(str_of(w->uid)), w->life};
	w->reporting = true;
	h->pending++;
	client_call(h->config.client, &req, on_reported, rc);
}

/* ---- lives ---- */

static void on_life_timer(struct env_timer *timer)
{
	worker_step(CONTAINER_OF(timer, struct worker, timer));
}

static void live_on(struct worker *w, int64_t delay)
{
	w->timer.fn = on_life_timer;
	env_timer_start_in(w->hollow->config.env, &w->timer, MAX(delay, (int64_t)1));
}

static void worker_step(struct worker *w)
{
	if (!is_up(w)) {
		return;
	}
	switch (w->life) {
	case LIFE_NEW:
		w->life = LIFE_RUNNING;
		if (!w->timing.never_ready) {
			live_on(w, w->timing.ready_ns);
		}
		break;
	case LIFE_RUNNING:
	case LIFE_CRASHED:
		w->life = w->timing.finishes ? LIFE_DONE : LIFE_READY;
		if (w->life == LIFE_READY && w->timing.crash_after_ns) {
			live_on(w, w->timing.crash_after_ns);
		}
		break;
	case LIFE_READY:
		w->life = LIFE_CRASHED;
		live_on(w, w->timing.restart_ns);
		break;
	case LIFE_STOPPING:
		w->life = LIFE_STOPPED;
		break;
	case LIFE_DONE:
	case LIFE_STOPPED:
		return;
	}
	report(w);
}

static void worker_stop(struct worker *w)
{
	if (w->life == LIFE_STOPPING || w->life == LIFE_STOPPED) {
		return;
	}
	w->life = LIFE_STOPPING;
	live_on(w, w->timing.stop_ns);
}

static int node_index(const struct hollow *h, struct str name)
{
	for (size_t i = 0; i < h->nodes.n; i++) {
		if (str_eq(str_of(h->nodes.p[i]->name), name)) {
			return (int)i;
		}
	}
	return -1;
}

static void worker_new(struct hollow *h, const struct core_pod *pod, int node)
{
	struct worker *w = NEW(struct worker);

	w->hollow = h;
	w->ns = str_dup_cstr(pod->metadata.namespace);
	w->name = str_dup_cstr(pod->metadata.name);
	w->uid = str_dup_cstr(pod->metadata.uid);
	w->node = node;
	w->timing = (struct hollow_timing){100 * NS_PER_MS, 100 * NS_PER_MS, 100 * NS_PER_MS};
	if (h->config.plan) {
		h->config.plan(h->config.plan_ctx, pod, &w->timing);
	}
	map_put(&h->workers, str_of(w->uid), w);
	live_on(w, w->timing.start_ns);
}

static void on_pod_changed(void *ctx, struct frozen *old, struct frozen *new_)
{
	struct hollow *h = ctx;
	const struct core_pod *pod = FROZEN_AS(new_ ? new_ : old, core_pods, struct core_pod);
	struct worker *w = map_find(&h->workers, pod->metadata.uid);
	int node = node_index(h, pod->spec.node_name);

	if (!new_) {
		if (w && !is_up(w)) {
			w->orphaned = true; /* its process runs on where nobody sees it */
		} else if (w) {
			map_remove(&h->workers, pod->metadata.uid);
			worker_free(w);
		}
		return;
	}
	if (!pod->spec.node_name.n) {
		bind_all(h);
		return;
	}
	if (!w && node >= 0 && h->nodes.p[node]->up && !pod_is_terminal(pod)) {
		worker_new(h, pod, node);
		w = map_find(&h->workers, pod->metadata.uid);
	}
	if (w && pod->metadata.deletion_timestamp && is_up(w)) {
		worker_stop(w);
	} else if (w && w->life == LIFE_READY && w->reported == LIFE_READY && !pod_is_ready(pod)) {
		w->reported = LIFE_RUNNING; /* somebody else wrote that: a kubelet says it again */
		report(w);
	}
}

/* ---- nodes ---- */

static void on_heartbeat(struct env_timer *timer);

static void on_node_written(void *ctx, const struct client_result *result)
{
	struct node *n = ctx;

	n->hollow->pending--;
	if (result->code == 0 || result->code == ERR_EXISTS) {
		n->registered = true;
	}
	hollow_drop_if_done(n->hollow);
}

static void on_ignored(void *ctx, const struct client_result *result UNUSED)
{
	struct hollow *h = ctx;

	h->pending--;
	hollow_drop_if_done(h);
}

static void node_conditions(struct node *n, struct buf *b)
{
	int64_t now_s = env_wall_ns(n->hollow->config.env) / NS_PER_SEC;

	buf_puts(b, "\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\",\"reason\":"
		    "\"KubeletReady\",\"lastHeartbeatTime\":");
	add_time(b, now_s);
	buf_puts(b, "}]");
}

static void node_register(struct node *n)
{
	struct hollow *h = n->hollow;
	struct buf b CLEANUP_BUF = {0};
	struct client_request req = {.verb = VERB_CREATE,
				     .resource = &resource_core_nodes,
				     .body_type = &type_core_node};
	struct frozen *f = NULL;
	int index = node_index(h, str_of(n->name));

	buf_printf(&b,
		   "{\"metadata\":{\"name\":\"%s\",\"labels\":{\"kubernetes.io/hostname\":\"%s\"",
		   n->name, n->name);
	if (h->config.zones) {
		buf_printf(&b, ",\"topology.kubernetes.io/zone\":\"zone-%d\"",
			   index % h->config.zones);
	}
	buf_puts(&b, "}},\"status\":{\"capacity\":{\"pods\":\"110\"},\"allocatable\":{\"pods\":"
		     "\"110\"},");
	node_conditions(n, &b);
	buf_puts(&b, "}}");
	ASSERT(frozen_decode(&resource_core_nodes, buf_str(&b), &f, NULL) == 0);
	req.body = f->head;
	h->pending++;
	client_call(h->config.client, &req, on_node_written, n);
	frozen_unref(f);
}

/* The status of a node says Unknown after a silence: a kubelet sets it right with its next heartbeat. */
static void node_report(struct node *n)
{
	struct hollow *h = n->hollow;
	struct buf b CLEANUP_BUF = {0};
	struct client_request req = {
		.verb = VERB_PATCH,
		.resource = &resource_core_nodes,
		.subresource = "status",
		.name = str_of(n->name),
		.patch_type = PATCH_STRATEGIC,
	};

	buf_puts(&b, "{\"status\":{");
	node_conditions(n, &b);
	buf_puts(&b, "}}");
	req.patch = buf_str(&b);
	h->pending++;
	client_call(h->config.client, &req, on_ignored, h);
}

static void lease_renew(struct node *n)
{
	struct hollow *h = n->hollow;
	struct timestamp now = {.sec = env_wall_ns(h->config.env) / NS_PER_SEC, .set = true};
	struct buf b CLEANUP_BUF = {0};
	struct coordination_lease lease = {
		.metadata = {.name = str_of(n->name), .namespace = STR("kube-node-lease")},
		.spec = {.renew_time = &now},
	};
	struct client_request create = {
		.verb = VERB_CREATE,
		.resource = &resource_coordination_leases,
		.ns = STR("kube-node-lease"),
		.body_type = &type_coordination_lease,
		.body = &lease,
	};
	struct client_request patch = {
		.verb = VERB_PATCH,
		.resource = &resource_coordination_leases,
		.ns = STR("kube-node-lease"),
		.name = str_of(n->name),
		.patch_type = PATCH_MERGE,
	};

	h->pending += 2;
	client_call(h->config.client, &create, on_ignored, h); /* refused once it is there */
	buf_puts(&b, "{\"spec\":{\"renewTime\":\"");
	time_write_micro(&b, now.sec, 0);
	buf_puts(&b, "\"}}");
	patch.patch = buf_str(&b);
	client_call(h->config.client, &patch, on_ignored, h);
}

static void on_heartbeat(struct env_timer *timer)
{
	struct node *n = CONTAINER_OF(timer, struct node, heartbeat);

	if (!n->up) {
		return;
	}
	if (!n->registered) {
		node_register(n);
	} else {
		node_report(n);
	}
	lease_renew(n);
	env_timer_start_in(n->hollow->config.env, &n->heartbeat,
			   n->registered ? LEASE_PERIOD_NS : NS_PER_SEC);
}

static void drop_workers(struct hollow *h, int node)
{
	struct str key;
	void *value;

	for (size_t i = 0; map_next(&h->workers, &i, &key, &value);) {
		struct worker *w = value;

		if (w->node == node) {
			map_remove(&h->workers, key);
			worker_free(w);
		}
	}
}

void hollow_kill_node(struct hollow *h, int node)
{
	hollow_set_node_up(h, node, false);
	drop_workers(h, node);
}

void hollow_set_node_up(struct hollow *h, int node, bool up)
{
	struct node *n = h->nodes.p[node];
	struct informer_handler again = {.changed = on_pod_changed, .ctx = h};

	if (n->up == up) {
		return;
	}
	n->up = up;
	if (!up) {
		return;
	}
	/* Rebooted: what ran is gone; the kubelet starts again what is still bound to it. */
	drop_workers(h, node);
	env_timer_start_in(h->config.env, &n->heartbeat, 1);
	informer_remove_handlers(h->pods, h);
	informer_add_handler(h->pods, &again);
}

bool hollow_node_is_up(const struct hollow *h, int node)
{
	return h->nodes.p[node]->up;
}

/* ---- binding ---- */

static bool may_run_on(const struct core_pod *pod, const struct core_node *node)
{
	return !node->spec.unschedulable && pod_matches_node(&pod->spec, &node->metadata) &&
	       !find_untolerated_taint(node->spec.taints.p, node->spec.taints.n, &pod->spec,
				       TAINT_NO_SCHEDULE | TAINT_NO_EXECUTE);
}

static const struct core_node *choose_node(struct hollow *h, const struct core_pod *pod)
{
	for (size_t i = 0; i < h->nodes.n; i++) {
		struct node *n = h->nodes.p[(h->next_node + i) % h->nodes.n];
		struct frozen *f = informer_get(h->nodes_informer, STR_NULL, str_of(n->name));

		if (f && may_run_on(pod, FROZEN_AS(f, core_nodes, struct core_node))) {
			h->next_node += i + 1;
			return FROZEN_AS(f, core_nodes, struct core_node);
		}
	}
	return NULL;
}

struct bind_ctx {
	struct hollow *hollow;
	char *uid;
};

static void on_bind_retry(struct env_timer *timer)
{
	bind_all(CONTAINER_OF(timer, struct hollow, bind_retry));
}

static void on_bound(void *ctx, const struct client_result *result)
{
	struct bind_ctx *b = ctx;
	struct hollow *h = b->hollow;

	h->pending--;
	if (!h->closed && result->code < 0) {
		map_remove(&h->binding, str_of(b->uid));
		h->bind_retry.fn = on_bind_retry;
		env_timer_start_in(h->config.env, &h->bind_retry, RETRY_NS);
	}
	mem_free(b->uid);
	mem_free(b);
	hollow_drop_if_done(h);
}

static bool bind_pod(void *ctx, struct frozen *f)
{
	struct hollow *h = ctx;
	const struct core_pod *pod = FROZEN_AS(f, core_pods, struct core_pod);
	struct core_binding binding = {
		.metadata = {.name = pod->metadata.name, .namespace = pod->metadata.namespace}};
	struct client_request req = {
		.verb = VERB_CREATE,
		.resource = &resource_core_pods,
		.subresource = "binding",
		.ns = pod->metadata.namespace,
		.name = pod->metadata.name,
		.body_type = &type_core_binding,
		.body = &binding,
	};
	const struct core_node *node;
	struct bind_ctx *b;

	if (pod->spec.node_name.n || pod->metadata.deletion_timestamp ||
	    map_find(&h->binding, pod->metadata.uid)) {
		return true;
	}
	node = choose_node(h, pod);
	if (!node) {
		h->bind_retry.fn = on_bind_retry;
		env_timer_start_in(h->config.env, &h->bind_retry, NS_PER_SEC);
		return true;
	}
	map_put(&h->binding, pod->metadata.uid, h);
	binding.target.name = node->metadata.name;
	binding.target.kind = STR("Node");
	b = NEW(struct bind_ctx);
	*b = (struct bind_ctx){h, str_dup_cstr(pod->metadata.uid)};
	h->pending++;
	client_call(h->config.client, &req, on_bound, b);
	return true;
}

static void bind_all(struct hollow *h)
{
	informer_each(h->pods, STR_NULL, bind_pod, h);
}

/* ---- life ---- */

struct hollow *hollow_new(const struct hollow_config *config)
{
	struct hollow *h = NEW(struct hollow);
	struct informer_handler handler = {.changed = on_pod_changed, .ctx = h};

	h->config = *config;
	map_init(&h->workers, MAP_BORROW_KEYS);
	map_init(&h->binding, 0);
	for (int i = 0; i < config->nodes; i++) {
		struct node *n = NEW(struct node);

		n->hollow = h;
		n->up = true;
		snprintf(n->name, sizeof(n->name), "node-%d", i);
		n->heartbeat.fn = on_heartbeat;
		*vec_push(&h->nodes) = n;
		env_timer_start_in(config->env, &n->heartbeat, 1 + i);
	}
	h->pods = informers_get(config->informers, &resource_core_pods, STR_NULL);
	h->nodes_informer = informers_get(config->informers, &resource_core_nodes, STR_NULL);
	informer_add_handler(h->pods, &handler);
	return h;
}

static void hollow_drop_if_done(struct hollow *h)
{
	if (!h->closed || h->pending) {
		return;
	}
	for (size_t i = 0; i < h->nodes.n; i++) {
		mem_free(h->nodes.p[i]);
	}
	vec_fini(&h->nodes);
	map_fini(&h->workers);
	map_fini(&h->binding);
	mem_free(h);
}

void hollow_free(struct hollow *h)
{
	struct str key;
	void *value;

	h->closed = true;
	informer_remove_handlers(h->pods, h);
	env_timer_stop(h->config.env, &h->bind_retry);
	for (size_t i = 0; i < h->nodes.n; i++) {
		env_timer_stop(h->config.env, &h->nodes.p[i]->heartbeat);
		h->nodes.p[i]->up = false;
	}
	for (size_t i = 0; map_next(&h->workers, &i, &key, &value);) {
		map_remove(&h->workers, key);
		worker_free(value);
	}
	hollow_drop_if_done(h);
}

bool hollow_pod_is_serving(const struct hollow *h, struct str ns UNUSED, struct str name UNUSED,
			   struct str uid)
{
	const struct worker *w = map_find(&h->workers, uid);

	return w && is_up(w) && w->life == LIFE_READY;
}

int hollow_count_processes(const struct hollow *h, struct str ns, struct str name)
{
	struct str key;
	void *value;
	int n = 0;

	for (size_t i = 0; map_next(&h->workers, &i, &key, &value);) {
		const struct worker *w = value;

		if (str_eq(str_of(w->ns), ns) && str_eq(str_of(w->name), name) &&
		    w->life != LIFE_STOPPED && w->life != LIFE_DONE) {
			n++;
		}
	}
	return n;
}
