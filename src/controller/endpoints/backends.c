/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/endpoints/backends.h"

#include "base/buf.h"
#include "controller/label_map.h"
#include "object/object.h"
#include "rules/pod.h"
#include "rules/selector.h"

static void label_index_keys(const struct frozen *object, void (*add)(void *ctx, struct str key),
			     void *ctx)
{
	const struct meta_object_meta *meta = &object->head->metadata;
	struct buf b CLEANUP_BUF = {0};

	for (size_t i = 0; i < meta->labels.n; i++) {
		buf_clear(&b);
		buf_printf(&b, "%.*s/%.*s=%.*s", STR_ARG(meta->namespace),
			   STR_ARG(meta->labels.p[i].key), STR_ARG(meta->labels.p[i].value));
		add(ctx, buf_str(&b));
	}
}

const struct informer_index_desc index_pods_by_label = {"label", label_index_keys};

bool backends_are_managed(const struct core_service *service)
{
	return service->spec.selector.n && !str_is(service->spec.type, "ExternalName");
}

bool backends_is_headless(const struct core_service *service)
{
	return str_is(service->spec.cluster_ip, "None");
}

bool backends_has_hostname(const struct core_service *service, const struct core_pod *pod)
{
	return pod->spec.hostname.n && str_eq(pod->spec.subdomain, service->metadata.name) &&
	       str_eq(pod->metadata.namespace, service->metadata.namespace);
}

static int32_t find_named(const struct core_container *c, const struct core_service_port *port)
{
	for (size_t i = 0; i < c->ports.n; i++) {
		if (str_eq(c->ports.p[i].name, port->target_port.str) &&
		    str_eq(c->ports.p[i].protocol, port->protocol)) {
			return c->ports.p[i].container_port;
		}
	}
	return 0;
}

/* 0: the pod has no port of that name. */
static int32_t resolve(const struct core_pod *pod, const struct core_service_port *port)
{
	int32_t n = 0;

	if (port->target_port.kind == IOS_INT) {
		return port->target_port.num ? port->target_port.num : port->port;
	}
	for (size_t i = 0; i < pod->spec.containers.n && !n; i++) {
		n = find_named(&pod->spec.containers.p[i], port);
	}
	for (size_t i = 0; i < pod->spec.init_containers.n && !n; i++) {
		if (container_is_sidecar(&pod->spec.init_containers.p[i])) {
			n = find_named(&pod->spec.init_containers.p[i], port);
		}
	}
	return n;
}

struct search {
	const struct snapshot *snapshot;
	const struct core_service *service;
	struct selector selector;
	struct backends found;
	size_t cap;
};

static bool resolve_ports(struct search *s, struct backend *b)
{
	const struct core_service_spec *spec = &s->service->spec;
	struct buf key CLEANUP_BUF = {0};

	b->ports = ARENA_ARRAY(s->snapshot->arena, spec->ports.n, struct backend_port);
	for (size_t i = 0; i < spec->ports.n; i++) {
		int32_t n = resolve(b->pod, &spec->ports.p[i]);

		if (n) {
			b->ports[b->nports++] = (struct backend_port){&spec->ports.p[i], n};
			buf_printf(&key, "%.*s/%.*s/%d,", STR_ARG(spec->ports.p[i].name),
				   STR_ARG(spec->ports.p[i].protocol), n);
		}
	}
	b->port_key = arena_str(s->snapshot->arena, buf_str(&key));
	return b->nports || (!spec->ports.n && backends_is_headless(s->service));
}

static bool add_backend(void *ctx, struct frozen *object)
{
	struct search *s = ctx;
	struct backend b = {.pod = FROZEN_AS(object, core_pods, struct core_pod)};

	if (!b.pod->status.pod_ip.n || pod_is_terminal(b.pod) ||
	    !selector_matches(&s->selector, &b.pod->metadata.labels) || !resolve_ports(s, &b)) {
		return true;
	}
	if (s->found.n == s->cap) {
		struct backend *old = s->found.p;

		s->cap = s->cap ? s->cap * 2 : 16;
		s->found.p = ARENA_ARRAY(s->snapshot->arena, s->cap, struct backend);
		if (s->found.n) {
			memcpy(s->found.p, old, s->found.n * sizeof(*old));
		}
	}
	s->found.p[s->found.n++] = b;
	return true;
}

struct backends backends_find(const struct snapshot *snapshot, const struct core_service *service)
{
	struct search s = {.snapshot = snapshot, .service = service};
	const struct str_map *selector = &service->spec.selector;
	struct str key;

	ASSERT(selector->n);
	label_selector_of_map(snapshot->arena, selector, &s.selector);
	key = arena_printf(snapshot->arena, "%.*s/%.*s=%.*s", STR_ARG(service->metadata.namespace),
			   STR_ARG(selector->p[0].key), STR_ARG(selector->p[0].value));
	informer_each_indexed(snapshot_informer(snapshot, &resource_core_pods),
			      &index_pods_by_label, key, add_backend, &s);
	return s.found;
}

/* ---- keys ---- */

static bool same_labels(const struct str_map *a, const struct str_map *b)
{
	bool same = a->n == b->n;

	for (size_t i = 0; same && i < a->n; i++) {
		same = str_eq(a->p[i].key, b->p[i].key) && str_eq(a->p[i].value, b->p[i].value);
	}
	return same;
}

static bool same_addresses(const struct core_pod *a, const struct core_pod *b)
{
	bool same = str_eq(a->status.pod_ip, b->status.pod_ip) &&
		    a->status.pod_ips.n == b->status.pod_ips.n;

	for (size_t i = 0; same && i < a->status.pod_ips.n; i++) {
		same = str_eq(a->status.pod_ips.p[i].ip, b->status.pod_ips.p[i].ip);
	}
	return same;
}

/* Nothing that an endpoint shows is different. */
static bool is_irrelevant(const struct core_pod *a, const struct core_pod *b)
{
	return pod_is_ready(a) == pod_is_ready(b) && pod_is_terminal(a) == pod_is_terminal(b) &&
	       pod_is_terminating(a) == pod_is_terminating(b) &&
	       str_eq(a->spec.node_name, b->spec.node_name) &&
	       str_eq(a->metadata.uid, b->metadata.uid) &&
	       same_labels(&a->metadata.labels, &b->metadata.labels) && same_addresses(a, b);
}

struct match {
	const struct core_pod *old, *new_;
	enqueue_fn enqueue;
	void *ctx;
};

static bool is_selected(const struct core_service *service, const struct core_pod *pod)
{
	for (size_t i = 0; i < service->spec.selector.n; i++) {
		const struct str *value =
			str_map_find(&pod->metadata.labels, service->spec.selector.p[i].key);

		if (!value || !str_eq(*value, service->spec.selector.p[i].value)) {
			return false;
		}
	}
	return true;
}

static bool enqueue_service(void *ctx, struct frozen *object)
{
	struct match *m = ctx;
	const struct core_service *service = FROZEN_AS(object, core_services, struct core_service);

	if (backends_are_managed(service) && ((m->old && is_selected(service, m->old)) ||
					      (m->new_ && is_selected(service, m->new_)))) {
		controller_enqueue(service->metadata.namespace, service->metadata.name, m->enqueue,
				   m->ctx);
	}
	return true;
}

void backends_pod_keys(struct informers *informers, const struct frozen *old,
		       const struct frozen *new_, enqueue_fn enqueue, void *ctx)
{
	struct match m = {
		.old = old ? FROZEN_AS(old, core_pods, struct core_pod) : NULL,
		.new_ = new_ ? FROZEN_AS(new_, core_pods, struct core_pod) : NULL,
		.enqueue = enqueue,
		.ctx = ctx,
	};

	if (m.old && m.new_ && is_irrelevant(m.old, m.new_)) {
		return;
	}
	informer_each(informers_find(informers, &resource_core_services),
		      (new_ ? new_ : old)->head->metadata.namespace, enqueue_service, &m);
}
