/* SPDX-License-Identifier: Apache-2.0 */
/* The old Endpoints objects: one per Service, kept for clients that have not moved on to EndpointSlices. */
#include "base/sort.h"
#include "controller/endpoints/backends.h"
#include "controller/label_map.h"
#include "object/object.h"
#include "rules/pod.h"

enum { CAPACITY = 1000 }; /* addresses; more are cut off, as upstream */

#define MANAGED_BY "endpoints.kubernetes.io/managed-by"
#define MANAGER "endpoint-controller"
#define HEADLESS "service.kubernetes.io/headless"
#define OVER_CAPACITY "endpoints.kubernetes.io/over-capacity"

static bool is_listed(const struct core_service *service, const struct core_pod *pod)
{
	return service->spec.publish_not_ready_addresses || !pod_is_terminating(pod);
}

static struct core_endpoint_address address_of(struct arena *a, const struct core_service *service,
					       const struct core_pod *pod)
{
	struct core_endpoint_address address = {.ip = pod->status.pod_ip};

	if (pod->spec.node_name.n) {
		address.node_name = ARENA_NEW(a, struct str);
		*address.node_name = pod->spec.node_name;
	}
	address.target_ref = ARENA_NEW(a, struct core_object_reference);
	*address.target_ref = (struct core_object_reference){.kind = STR("Pod"),
							     .namespace = pod->metadata.namespace,
							     .name = pod->metadata.name,
							     .uid = pod->metadata.uid};
	if (backends_has_hostname(service, pod)) {
		address.hostname = pod->spec.hostname;
	}
	return address;
}

static int cmp_backend(const void *pa, const void *pb, void *ctx UNUSED)
{
	const struct backend *a = pa;
	const struct backend *b = pb;
	int by_ports = str_cmp(a->port_key, b->port_key);

	return by_ports ? by_ports : str_cmp(a->pod->status.pod_ip, b->pod->status.pod_ip);
}

static void fill_ports(struct arena *a, const struct backend *b,
		       struct core_endpoint_subset *subset)
{
	subset->ports.n = b->nports;
	subset->ports.p = ARENA_ARRAY(a, b->nports, struct core_endpoint_port);
	for (size_t i = 0; i < b->nports; i++) {
		const struct core_service_port *port = b->ports[i].port;

		subset->ports.p[i] = (struct core_endpoint_port){
			port->name, b->ports[i].number, port->protocol, port->app_protocol};
	}
}

static void add_address(struct arena *a, const struct core_service *service,
			const struct backend *b, size_t max, struct core_endpoint_subset *subset)
{
	bool ready = service->spec.publish_not_ready_addresses || pod_is_ready(b->pod);
	__typeof__(subset->addresses) *list =
		ready ? &subset->addresses : (void *)&subset->not_ready_addresses;

	if (!list->p) {
		list->p = ARENA_ARRAY(a, max, struct core_endpoint_address);
	}
	list->p[list->n++] = address_of(a, service, b->pod);
}

/* Subsets of pods with the same ports; ready addresses have precedence over the capacity. Returns how many addresses there are. */
static size_t fill_subsets(struct arena *a, const struct core_service *service,
			   const struct backends *backends, struct core_endpoints *e)
{
	struct backend **sorted = ARENA_ARRAY(a, backends->n, struct backend *);
	struct core_endpoint_subset *subset = NULL;
	struct str key = STR_NULL;
	size_t n = 0;

	for (size_t i = 0; i < backends->n; i++) {
		if (is_listed(service, backends->p[i].pod)) {
			sorted[n++] = &backends->p[i];
		}
	}
	sort_pointers((void **)sorted, n, cmp_backend, NULL);
	e->subsets.p = ARENA_ARRAY(a, n, struct core_endpoint_subset);
	e->subsets.n = 0;
	for (size_t i = 0; i < MIN(n, (size_t)CAPACITY); i++) {
		if (!subset || !str_eq(key, sorted[i]->port_key)) {
			subset = &e->subsets.p[e->subsets.n++];
			key = sorted[i]->port_key;
			fill_ports(a, sorted[i], subset);
		}
		add_address(a, service, sorted[i], n, subset);
	}
	return n;
}

static void fill_metadata(struct arena *a, const struct core_service *service, size_t addresses,
			  struct meta_object_meta *meta)
{
	meta->name = service->metadata.name;
	meta->namespace = service->metadata.namespace;
	meta->labels = service->metadata.labels;
	label_map_remove(a, &meta->labels, STR(HEADLESS));
	if (backends_is_headless(service)) {
		label_map_set(a, &meta->labels, STR(HEADLESS), STR(""));
	}
	label_map_set(a, &meta->labels, STR(MANAGED_BY), STR(MANAGER));
	if (addresses > CAPACITY) {
		label_map_set(a, &meta->annotations, STR(OVER_CAPACITY), STR("truncated"));
	} else {
		label_map_remove(a, &meta->annotations, STR(OVER_CAPACITY));
	}
}

/* Only what this controller made goes with the Service. */
static void drop(struct actions *actions, const struct frozen *endpoints)
{
	const struct meta_object_meta *meta = endpoints ? &endpoints->head->metadata : NULL;
	struct delete_opts opts = {.uid = meta ? meta->uid : STR_NULL};

	if (meta && str_is(label_map_get(&meta->labels, STR(MANAGED_BY)), MANAGER)) {
		actions_delete(actions, &resource_core_endpoints, meta->namespace, meta->name,
			       &opts);
	}
}

static void reconcile(const struct snapshot *snapshot, struct str key, struct actions *actions)
{
	struct frozen *f = snapshot_get_key(snapshot, &resource_core_services, key);
	struct frozen *old = snapshot_get_key(snapshot, &resource_core_endpoints, key);
	const struct core_service *service;
	struct core_endpoints e = {0};
	struct backends backends;
	size_t n;

	if (!f) {
		drop(actions, old);
		return;
	}
	service = FROZEN_AS(f, core_services, struct core_service);
	if (!backends_are_managed(service)) {
		return;
	}
	if (old) {
		e = *FROZEN_AS(old, core_endpoints, struct core_endpoints);
	}
	backends = backends_find(snapshot, service);
	n = fill_subsets(snapshot->arena, service, &backends, &e);
	fill_metadata(snapshot->arena, service, n, &e.metadata);
	if (!old) {
		actions_create(actions, &resource_core_endpoints, &e);
		actions_on_failure(actions, f, "FailedToCreateEndpoint",
				   arena_printf(snapshot->arena,
						"Failed to create endpoint for service %.*s/%.*s: ",
						STR_ARG(service->metadata.namespace),
						STR_ARG(service->metadata.name)));
	} else if (!object_equal(&type_core_endpoints, &e, old->head)) {
		actions_update(actions, &resource_core_endpoints, &e);
		actions_on_failure(actions, old, "FailedToUpdateEndpoint",
				   arena_printf(snapshot->arena,
						"Failed to update endpoint %.*s/%.*s: ",
						STR_ARG(service->metadata.namespace),
						STR_ARG(service->metadata.name)));
	}
}

static const struct informer_index_desc *const pod_indexes[] = {&index_pods_by_label, NULL};

static const struct controller_watch watches[] = {
	{.resource = &resource_core_services, .keys = controller_keys_self},
	{.resource = &resource_core_pods, .keys = backends_pod_keys, .indexes = pod_indexes},
	{.resource = &resource_core_endpoints, .keys = controller_keys_self},
};

const struct controller_desc endpoints_controller = {
	.name = "endpoints-controller",
	.service_account = "endpoint-controller",
	.workers = 5,
	.watches = watches,
	.nwatches = ARRAY_LEN(watches),
	.reconcile = reconcile,
};
