/* SPDX-License-Identifier: Apache-2.0 */
#include "ingress/endpoints.h"

#include <arpa/inet.h>

#include "base/cleanup.h"

/* API limits of one slice. */
#define SLICE_ENDPOINTS_MAX 1000
#define SLICE_PORTS_MAX 100
#define SERVICE_PORTS_MAX 1000

struct service_port {
	struct str name;
	int32_t port;
};

struct service {
	struct arena arena; /* ports, names */
	char *key;	    /* "ns/name" */
	bool exists;	    /* false: only slices were seen */
	bool is_external_name;
	LIST(struct service_port) ports;
	VEC(struct slice *) slices;
};

struct endpoint {
	struct str address; /* as nginx wants it: IPv6 in brackets */
	bool ready, serving_to_the_end;
};

struct slice {
	struct arena arena;
	char *key;
	struct service *service;
	LIST(struct service_port) ports;
	LIST(struct endpoint) endpoints;
};

void endpoints_init(struct endpoints *e)
{
	*e = (struct endpoints){0};
	map_init(&e->services, MAP_BORROW_KEYS);
	map_init(&e->slices, MAP_BORROW_KEYS);
}

static void service_free(struct service *service)
{
	arena_fini(&service->arena);
	vec_fini(&service->slices);
	mem_free(service->key);
	mem_free(service);
}

static void slice_free(struct slice *slice)
{
	arena_fini(&slice->arena);
	mem_free(slice->key);
	mem_free(slice);
}

void endpoints_fini(struct endpoints *e)
{
	struct str key;
	void *value;

	for (size_t i = 0; map_next(&e->slices, &i, &key, &value);) {
		slice_free(value);
	}
	for (size_t i = 0; map_next(&e->services, &i, &key, &value);) {
		service_free(value);
	}
	map_fini(&e->slices);
	map_fini(&e->services);
	buf_fini(&e->last);
}

static char *make_key(struct str ns, struct str name)
{
	struct buf key = {0};

	buf_printf(&key, "%.*s/%.*s", STR_ARG(ns), STR_ARG(name));
	return buf_steal(&key);
}

static struct service *get_service(struct endpoints *e, struct str ns, struct str name)
{
	char *key CLEANUP_FREE = make_key(ns, name);
	struct service *service = map_find(&e->services, str_of(key));

	if (!service) {
		service = NEW(struct service);
		service->key = STEAL(key);
		map_put(&e->services, str_of(service->key), service);
	}
	return service;
}

/* Returns its name all the same. */
static struct str drop_unused(struct endpoints *e, struct service *service)
{
	if (service->exists || service->slices.n) {
		return str_of(service->key);
	}
	buf_clear(&e->last);
	buf_add_str(&e->last, str_of(service->key));
	map_remove(&e->services, str_of(service->key));
	service_free(service);
	return buf_str(&e->last);
}

struct str endpoints_set_service(struct endpoints *e, const struct core_service *from)
{
	struct service *service = get_service(e, from->metadata.namespace, from->metadata.name);
	size_t n = MIN(from->spec.ports.n, (size_t)SERVICE_PORTS_MAX);

	arena_clear(&service->arena);
	service->exists = true;
	service->is_external_name = str_is(from->spec.type, "ExternalName");
	service->ports.p = ARENA_ARRAY(&service->arena, n, struct service_port);
	service->ports.n = n;
	for (size_t i = 0; i < n; i++) {
		service->ports.p[i].name = arena_str(&service->arena, from->spec.ports.p[i].name);
		service->ports.p[i].port = from->spec.ports.p[i].port;
	}
	return str_of(service->key);
}

struct str endpoints_remove_service(struct endpoints *e, struct str ns, struct str name)
{
	struct service *service = get_service(e, ns, name);

	service->exists = false;
	service->ports.n = 0;
	arena_clear(&service->arena);
	return drop_unused(e, service);
}

static bool is_true(const bool *p, bool otherwise)
{
	return p ? *p : otherwise;
}

/* Checked here, so that nothing but an address can reach the wire. */
static bool format_address(struct arena *arena, struct str text, struct str *ret)
{
	char addr[INET6_ADDRSTRLEN];
	unsigned char binary[16];

	if (!text.n || text.n >= sizeof(addr)) {
		return false;
	}
	memcpy(addr, text.p, text.n);
	addr[text.n] = '\0';
	if (inet_pton(AF_INET, addr, binary) == 1) {
		*ret = arena_str(arena, text);
		return true;
	}
	if (inet_pton(AF_INET6, addr, binary) != 1) {
		return false;
	}
	inet_ntop(AF_INET6, binary, addr, sizeof(addr));
	*ret = arena_printf(arena, "[%s]", addr);
	return true;
}

static void detach(struct slice *slice)
{
	struct service *service = slice->service;

	for (size_t i = 0; i < service->slices.n; i++) {
		if (service->slices.p[i] == slice) {
			vec_remove(&service->slices, i);
			return;
		}
	}
}

static void take_slice(struct slice *slice, const struct discovery_endpoint_slice *from)
{
	size_t nports = MIN(from->ports.n, (size_t)SLICE_PORTS_MAX),
	       n = MIN(from->endpoints.n, (size_t)SLICE_ENDPOINTS_MAX);

	slice->ports.p = ARENA_ARRAY(&slice->arena, nports, struct service_port);
	for (size_t i = 0; i < nports; i++) {
		const struct discovery_endpoint_port *port = &from->ports.p[i];
		bool is_tcp = !port->protocol || str_is(*port->protocol, "TCP");

		if (is_tcp && port->port && *port->port > 0 && *port->port <= 65535) {
			slice->ports.p[slice->ports.n++] = (struct service_port){
				.name = port->name ? arena_str(&slice->arena, *port->name)
						   : STR(""),
				.port = *port->port};
		}
	}
	slice->endpoints.p = ARENA_ARRAY(&slice->arena, n, struct endpoint);
	for (size_t i = 0; i < n; i++) {
		const struct discovery_endpoint *endpoint = &from->endpoints.p[i];
		struct endpoint *to = &slice->endpoints.p[slice->endpoints.n];

		if (!endpoint->addresses.n ||
		    !format_address(&slice->arena, endpoint->addresses.p[0], &to->address)) {
			continue;
		}
		to->ready = is_true(endpoint->conditions.ready, true);
		to->serving_to_the_end = is_true(endpoint->conditions.serving, to->ready) &&
					 is_true(endpoint->conditions.terminating, false);
		slice->endpoints.n++;
	}
}

static struct str service_name_of(const struct discovery_endpoint_slice *slice)
{
	const struct str_map *labels = &slice->metadata.labels;

	for (size_t i = 0; i < labels->n; i++) {
		if (str_is(labels->p[i].key, "kubernetes.io/service-name")) {
			return labels->p[i].value;
		}
	}
	return STR_NULL;
}

struct str endpoints_set_slice(struct endpoints *e, const struct discovery_endpoint_slice *from,
			       int64_t revision, struct str *ret_former)
{
	struct str name = service_name_of(from);
	char *key CLEANUP_FREE = make_key(from->metadata.namespace, from->metadata.name);
	struct slice *slice = map_find(&e->slices, str_of(key));
	struct service *service;

	if (!name.n) {
		*ret_former = endpoints_remove_slice(e, from->metadata.namespace,
						     from->metadata.name, revision);
		return STR_NULL;
	}
	*ret_former = STR_NULL;
	e->revision = MAX(e->revision, revision);
	service = get_service(e, from->metadata.namespace, name);
	if (!slice) {
		slice = NEW(struct slice);
		slice->key = STEAL(key);
		map_put(&e->slices, str_of(slice->key), slice);
	} else if (slice->service != service) {
		detach(slice);
		*ret_former = drop_unused(e, slice->service);
		slice->service = NULL;
	}
	if (!slice->service) {
		slice->service = service;
		*vec_push(&service->slices) = slice;
	}
	arena_clear(&slice->arena);
	slice->ports.n = slice->endpoints.n = 0;
	take_slice(slice, from);
	return str_of(service->key);
}

struct str endpoints_remove_slice(struct endpoints *e, struct str ns, struct str name,
				  int64_t revision)
{
	char *key CLEANUP_FREE = make_key(ns, name);
	struct slice *slice = map_remove(&e->slices, str_of(key));
	struct service *service;

	e->revision = MAX(e->revision, revision);
	if (!slice) {
		return STR_NULL;
	}
	service = slice->service;
	detach(slice);
	slice_free(slice);
	return drop_unused(e, service);
}

static const struct service_port *find_port(const struct service *service,
					    const struct backend_ref *ref)
{
	for (size_t i = 0; i < service->ports.n; i++) {
		const struct service_port *port = &service->ports.p[i];

		if (ref->port_name.n ? str_eq(port->name, ref->port_name)
				     : port->port == ref->port_number) {
			return port;
		}
	}
	return NULL;
}

struct addresses {
	VEC(struct str) list;
	struct arena arena;
};

static void collect(const struct service *service, struct str port_name, bool ready,
		    struct addresses *out)
{
	for (size_t i = 0; i < service->slices.n; i++) {
		const struct slice *slice = service->slices.p[i];

		for (size_t p = 0; p < slice->ports.n; p++) {
			for (size_t j = 0;
			     str_eq(slice->ports.p[p].name, port_name) && j < slice->endpoints.n;
			     j++) {
				const struct endpoint *endpoint = &slice->endpoints.p[j];

				if (ready ? endpoint->ready : endpoint->serving_to_the_end) {
					*vec_push(&out->list) = arena_printf(
						&out->arena, "%.*s:%d", STR_ARG(endpoint->address),
						slice->ports.p[p].port);
				}
			}
		}
	}
}

static int compare_str(const void *a, const void *b)
{
	return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

enum resolution endpoints_resolve(const struct endpoints *e, struct str ns,
				  const struct backend_ref *ref, struct buf *out)
{
	char *key CLEANUP_FREE = make_key(ns, ref->service);
	const struct service *service = map_find(&e->services, str_of(key));
	const struct service_port *port =
		service && service->exists ? find_port(service, ref) : NULL;
	struct addresses found = {0};

	if (!service || !service->exists) {
		return NO_SERVICE;
	}
	if (service->is_external_name) {
		return IS_EXTERNAL_NAME;
	}
	if (!port) {
		return NO_PORT;
	}
	if (!out) {
		return RESOLVED;
	}
	collect(service, port->name, true, &found);
	if (!found.list.n) {
		collect(service, port->name, false, &found);
	}
	if (found.list.n) {
		qsort(found.list.p, found.list.n, sizeof(*found.list.p), compare_str);
	}
	for (size_t i = 0; i < found.list.n; i++) {
		if (i && str_eq(found.list.p[i], found.list.p[i - 1])) {
			continue;
		}
		if (i) {
			buf_add_char(out, ' ');
		}
		buf_add_str(out, found.list.p[i]);
	}
	vec_fini(&found.list);
	arena_fini(&found.arena);
	return RESOLVED;
}
