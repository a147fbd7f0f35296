/* SPDX-License-Identifier: Apache-2.0 */
/* EndpointSlices of Services with a selector: the pods behind each, ready or not, on their way out or not. */
#include "base/buf.h"
#include "controller/endpointslice/slices.h"
#include "controller/label_map.h"
#include "rules/cidr.h"
#include "rules/pod.h"

#define ZONE_LABEL "topology.kubernetes.io/zone"

static void slice_index_keys(const struct frozen *object, void (*add)(void *ctx, struct str key),
			     void *ctx)
{
	const struct meta_object_meta *meta = &object->head->metadata;
	struct str service = label_map_get(&meta->labels, STR(SLICE_SERVICE_NAME));
	struct buf b CLEANUP_BUF = {0};

	if (service.n &&
	    str_is(label_map_get(&meta->labels, STR(SLICE_MANAGED_BY)), SLICE_MANAGER)) {
		buf_printf(&b, "%.*s/%.*s", STR_ARG(meta->namespace), STR_ARG(service));
		add(ctx, buf_str(&b));
	}
}

static const struct informer_index_desc index_slices_by_service = {"service", slice_index_keys};

static struct str *str_box(struct arena *a, struct str s)
{
	struct str *p = ARENA_NEW(a, struct str);

	*p = s;
	return p;
}

static bool *bool_box(struct arena *a, bool b)
{
	bool *p = ARENA_NEW(a, bool);

	*p = b;
	return p;
}

static struct str_list addresses_of(struct arena *a, const struct core_pod *pod, bool v6)
{
	struct str_list list = {ARENA_ARRAY(a, pod->status.pod_ips.n + 1, struct str), 0};

	for (size_t i = 0; i < pod->status.pod_ips.n; i++) {
		struct addr ip;

		if (addr_parse_sloppy(pod->status.pod_ips.p[i].ip, &ip) == 0 &&
		    addr_is_v4(&ip) != v6) {
			list.p[list.n++] = pod->status.pod_ips.p[i].ip;
		}
	}
	return list;
}

/* PreferSameZone (once PreferClose) and PreferSameNode: where the endpoint is best used. */
static struct discovery_endpoint_hints *
hints_of(struct arena *a, const struct core_service *service, const struct discovery_endpoint *e)
{
	struct str how =
		service->spec.traffic_distribution ? *service->spec.traffic_distribution : STR("");
	struct discovery_endpoint_hints *hints;
	bool same_node = str_is(how, "PreferSameNode");

	if (!e->zone ||
	    !(same_node || str_is(how, "PreferClose") || str_is(how, "PreferSameZone"))) {
		return NULL;
	}
	hints = ARENA_NEW(a, struct discovery_endpoint_hints);
	hints->for_zones.p = ARENA_NEW(a, struct discovery_for_zone);
	hints->for_zones.p[0].name = *e->zone;
	hints->for_zones.n = 1;
	if (same_node && e->node_name) {
		hints->for_nodes.p = ARENA_NEW(a, struct discovery_for_node);
		hints->for_nodes.p[0].name = *e->node_name;
		hints->for_nodes.n = 1;
	}
	return hints;
}

static void fill_endpoint(struct arena *a, const struct core_service *service,
			  const struct core_pod *pod, const struct frozen *node,
			  struct discovery_endpoint *e)
{
	bool serving = pod_is_ready(pod);
	bool terminating = pod_is_terminating(pod);
	struct str zone =
		node ? label_map_get(&node->head->metadata.labels, STR(ZONE_LABEL)) : STR("");

	e->conditions.ready =
		bool_box(a, service->spec.publish_not_ready_addresses || (serving && !terminating));
	e->conditions.serving = bool_box(a, serving);
	e->conditions.terminating = bool_box(a, terminating);
	e->target_ref = ARENA_NEW(a, struct core_object_reference);
	*e->target_ref = (struct core_object_reference){.kind = STR("Pod"),
							.namespace = pod->metadata.namespace,
							.name = pod->metadata.name,
							.uid = pod->metadata.uid};
	if (pod->spec.node_name.n) {
		e->node_name = str_box(a, pod->spec.node_name);
	}
	if (zone.n) {
		e->zone = str_box(a, zone);
	}
	if (backends_has_hostname(service, pod)) {
		e->hostname = str_box(a, pod->spec.hostname);
	}
	e->hints = hints_of(a, service, e);
}

static void fill_ports(struct arena *a, const struct backend *b, struct slice_group *g)
{
	g->nports = b->nports;
	g->ports = ARENA_ARRAY(a, b->nports, struct discovery_endpoint_port);
	for (size_t i = 0; i < b->nports; i++) {
		struct discovery_endpoint_port *port = &g->ports[i];

		port->name = str_box(a, b->ports[i].port->name);
		port->protocol = str_box(a, b->ports[i].port->protocol);
		port->port = ARENA_NEW(a, int32_t);
		*port->port = b->ports[i].number;
		port->app_protocol = b->ports[i].port->app_protocol;
	}
}

static struct slice_group *group_for(struct slice_family *f, const struct backend *b,
				     size_t nbackends)
{
	struct slice_group *g;

	for (size_t i = 0; i < f->ngroups; i++) {
		if (str_eq(f->groups[i].port_key, b->port_key)) {
			return &f->groups[i];
		}
	}
	g = &f->groups[f->ngroups++];
	g->port_key = b->port_key;
	g->endpoints = ARENA_ARRAY(f->snapshot->arena, nbackends, struct discovery_endpoint);
	fill_ports(f->snapshot->arena, b, g);
	return g;
}

static void add_endpoints(struct slice_family *f, const struct backends *backends, bool v6)
{
	const struct core_service *service =
		FROZEN_AS(f->service, core_services, struct core_service);
	struct arena *a = f->snapshot->arena;

	f->groups = ARENA_ARRAY(a, backends->n, struct slice_group);
	for (size_t i = 0; i < backends->n; i++) {
		const struct backend *b = &backends->p[i];
		struct frozen *node = snapshot_get(f->snapshot, &resource_core_nodes, STR_NULL,
						   b->pod->spec.node_name);
		struct discovery_endpoint e = {.addresses = addresses_of(a, b->pod, v6)};
		struct slice_group *g;

		if (!e.addresses.n) {
			continue;
		}
		if (!node && !service->spec.publish_not_ready_addresses) {
			/* Its zone is not known; most likely the node has just come or just gone. */
			actions_fail(f->actions,
				     "skipping Pod %.*s for Service %.*s/%.*s: Node %.*s Not Found",
				     STR_ARG(b->pod->metadata.name),
				     STR_ARG(service->metadata.namespace),
				     STR_ARG(service->metadata.name),
				     STR_ARG(b->pod->spec.node_name));
			continue;
		}
		fill_endpoint(a, service, b->pod, node, &e);
		g = group_for(f, b, backends->n);
		g->endpoints[g->n++] = e;
	}
}

struct gather {
	struct slice_family *f;
	bool other_types; /* collect those whose address type is none of the Service's */
	bool v4, v6;
};

static bool gather_slice(void *ctx, struct frozen *object)
{
	struct gather *g = ctx;
	const struct discovery_endpoint_slice *slice =
		FROZEN_AS(object, discovery_endpointslices, struct discovery_endpoint_slice);

	if (slice->metadata.deletion_timestamp) {
		return true;
	}
	if (g->other_types) {
		struct delete_opts opts = {.uid = slice->metadata.uid};

		if (!((g->v4 && str_is(slice->address_type, "IPv4")) ||
		      (g->v6 && str_is(slice->address_type, "IPv6")))) {
			actions_delete(g->f->actions, &resource_discovery_endpointslices,
				       slice->metadata.namespace, slice->metadata.name, &opts);
		}
	} else if (str_eq(slice->address_type, g->f->address_type)) {
		g->f->existing[g->f->nexisting++] = slice;
	}
	return true;
}

static void reconcile_family(const struct snapshot *snapshot, struct actions *actions,
			     const struct frozen *service, const struct backends *backends,
			     struct str key, bool v6)
{
	struct informer *slices = snapshot_informer(snapshot, &resource_discovery_endpointslices);
	struct slice_family f = {
		.snapshot = snapshot,
		.actions = actions,
		.service = service,
		.address_type = v6 ? STR("IPv6") : STR("IPv4"),
		.max = (size_t)snapshot->options->max_endpoints_per_slice,
	};
	struct gather g = {.f = &f};

	f.existing = ARENA_ARRAY(snapshot->arena, informer_count(slices),
				 const struct discovery_endpoint_slice *);
	informer_each_indexed(slices, &index_slices_by_service, key, gather_slice, &g);
	add_endpoints(&f, backends, v6);
	slices_reconcile(&f);
}

static bool has_family(const struct core_service *service, const char *family)
{
	for (size_t i = 0; i < service->spec.ip_families.n; i++) {
		if (str_eq(service->spec.ip_families.p[i], str_of(family))) {
			return true;
		}
	}
	return false;
}

static void reconcile(const struct snapshot *snapshot, struct str key, struct actions *actions)
{
	struct frozen *f = snapshot_get_key(snapshot, &resource_core_services, key);
	struct slice_family none = {.actions = actions};
	const struct core_service *service;
	struct backends backends;
	struct gather g = {.f = &none, .other_types = true};

	if (!f) {
		return; /* its slices go with their owner */
	}
	service = FROZEN_AS(f, core_services, struct core_service);
	if (!backends_are_managed(service) || service->metadata.deletion_timestamp) {
		return;
	}
	backends = backends_find(snapshot, service);
	g.v6 = has_family(service, "IPv6");
	g.v4 = !g.v6 || has_family(service, "IPv4");
	if (g.v4) {
		reconcile_family(snapshot, actions, f, &backends, key, false);
	}
	if (g.v6) {
		reconcile_family(snapshot, actions, f, &backends, key, true);
	}
	informer_each_indexed(snapshot_informer(snapshot, &resource_discovery_endpointslices),
			      &index_slices_by_service, key, gather_slice, &g);
}

/* ---- keys ---- */

static void slice_keys(struct informers *informers UNUSED, const struct frozen *old,
		       const struct frozen *new_, enqueue_fn enqueue, void *ctx)
{
	const struct meta_object_meta *meta = &(new_ ? new_ : old)->head->metadata;
	struct str service = label_map_get(&meta->labels, STR(SLICE_SERVICE_NAME));

	if (service.n &&
	    str_is(label_map_get(&meta->labels, STR(SLICE_MANAGED_BY)), SLICE_MANAGER)) {
		controller_enqueue(meta->namespace, service, enqueue, ctx);
	}
}

struct all_ctx {
	enqueue_fn enqueue;
	void *ctx;
};

static bool enqueue_each(void *ctx, struct frozen *object)
{
	struct all_ctx *all = ctx;

	controller_enqueue(object->head->metadata.namespace, object->head->metadata.name,
			   all->enqueue, all->ctx);
	return true;
}

static struct str zone_of(const struct frozen *node)
{
	return node ? label_map_get(&node->head->metadata.labels, STR(ZONE_LABEL)) : STR("");
}

static void node_keys(struct informers *informers, const struct frozen *old,
		      const struct frozen *new_, enqueue_fn enqueue, void *ctx)
{
	struct all_ctx all = {enqueue, ctx};

	if (!old || !new_ || !str_eq(zone_of(old), zone_of(new_))) {
		informer_each(informers_find(informers, &resource_core_services), STR_NULL,
			      enqueue_each, &all);
	}
}

static const struct informer_index_desc *const pod_indexes[] = {&index_pods_by_label, NULL};
static const struct informer_index_desc *const slice_indexes[] = {&index_slices_by_service, NULL};

static const struct controller_watch watches[] = {
	{.resource = &resource_core_services, .keys = controller_keys_self},
	{.resource = &resource_core_pods, .keys = backends_pod_keys, .indexes = pod_indexes},
	{.resource = &resource_core_nodes, .keys = node_keys},
	{.resource = &resource_discovery_endpointslices,
	 .keys = slice_keys,
	 .indexes = slice_indexes},
};

const struct controller_desc endpointslice_controller = {
	.name = "endpointslice-controller",
	.service_account = "endpointslice-controller",
	.workers = 5,
	.watches = watches,
	.nwatches = ARRAY_LEN(watches),
	.reconcile = reconcile,
};
