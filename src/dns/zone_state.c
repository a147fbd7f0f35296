/* SPDX-License-Identifier: Apache-2.0 */
/* What the API says, reduced to what answers need. */
#include <endian.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "dns/zone_internal.h"

enum { ENDPOINTS_MAX = 20000, PORTS_MAX = 1000 };

static void lower(char *text)
{
	for (; *text; text++) {
		*text = (char)(*text >= 'A' && *text <= 'Z' ? *text + 32 : *text);
	}
}

static char *dup_lower(struct str text)
{
	char *copy = str_dup_cstr(text);

	lower(copy);
	return copy;
}

static bool parse_v4(struct str text, uint32_t *ret)
{
	struct ip_addr ip;

	if (ip_parse(text, &ip) < 0 || !ip_is_v4(ip)) {
		return false;
	}
	*ret = ip_v4(ip);
	return true;
}

static struct zone_port make_port(struct str name, struct str protocol, int32_t port)
{
	return (struct zone_port){.name = dup_lower(name),
				  .protocol = dup_lower(protocol.n ? protocol : STR("tcp")),
				  .port = (uint16_t)port};
}

static void port_fini(struct zone_port *port)
{
	mem_free(port->name);
	mem_free(port->protocol);
}

static void slice_free(struct zone_slice *slice)
{
	for (size_t i = 0; i < slice->ports.n; i++) {
		port_fini(&slice->ports.p[i]);
	}
	vec_fini(&slice->ports);
	vec_fini(&slice->endpoints);
	mem_free(slice->name);
	mem_free(slice);
}

static void clear_spec(struct zone_service *s)
{
	for (size_t i = 0; i < s->ports.n; i++) {
		port_fini(&s->ports.p[i]);
	}
	vec_clear(&s->ports);
	vec_clear(&s->cluster_ips);
	s->exists = s->headless = s->external = s->publish_not_ready = false;
}

void zone_service_free(struct zone_service *s)
{
	clear_spec(s);
	LIST_FOR_EACH_SAFE(l, &s->slices)
	{
		slice_free(CONTAINER_OF(l, struct zone_slice, link));
	}
	vec_fini(&s->ports);
	vec_fini(&s->cluster_ips);
	vec_fini(&s->hosts);
	vec_fini(&s->addresses);
	mem_free(s->key);
	mem_free(s);
}

void zone_pointers_free(struct zone_pointers *p)
{
	vec_fini(&p->list);
	mem_free(p);
}

static void key_of(struct str ns, struct str name, struct buf *out)
{
	buf_printf(out, "%.*s/%.*s", STR_ARG(ns), STR_ARG(name));
	for (size_t i = 0; i < out->n; i++) {
		out->p[i] =
			(char)(out->p[i] >= 'A' && out->p[i] <= 'Z' ? out->p[i] + 32 : out->p[i]);
	}
}

static struct zone_service *find_service(struct zone *zone, struct str ns, struct str name)
{
	struct buf key CLEANUP_BUF = {0};

	key_of(ns, name, &key);
	return map_find(&zone->services, buf_str(&key));
}

static bool is_label(struct str text)
{
	return text.n > 0 && text.n <= DNS_LABEL_MAX && str_find_char(text, '.') < 0;
}

/* NULL if the names could not stand in DNS. */
static struct zone_service *need_service(struct zone *zone, struct str ns, struct str name)
{
	struct zone_service *s = find_service(zone, ns, name);
	struct buf key = {0};

	if (s || !is_label(ns) || !is_label(name)) {
		return s;
	}
	s = NEW(struct zone_service);
	key_of(ns, name, &key);
	s->key = buf_steal(&key);
	s->ns = str_make(s->key, ns.n);
	s->name = str_make(s->key + ns.n + 1, name.n);
	list_init(&s->slices);
	map_put(&zone->services, str_of(s->key), s);
	return s;
}

static void count_namespace(struct zone *zone, struct str ns, bool add)
{
	uintptr_t n = (uintptr_t)map_find(&zone->namespaces, ns);

	if (add) {
		map_put(&zone->namespaces, ns, (void *)(n + 1));
	} else if (n <= 1) {
		map_remove(&zone->namespaces, ns);
	} else {
		map_put(&zone->namespaces, ns, (void *)(n - 1));
	}
}

/* --- reverse --- */

static struct str pointer_key(const uint32_t *v4)
{
	return str_make(v4, 4);
}

static void add_pointer(struct zone *zone, uint32_t v4, const struct zone_service *s,
			const char *host)
{
	struct zone_pointers *p = map_find(&zone->pointers, pointer_key(&v4));

	if (!p) {
		p = NEW(struct zone_pointers);
		p->v4 = v4;
		map_put(&zone->pointers, pointer_key(&p->v4), p);
	}
	*vec_push(&p->list) = (struct zone_pointer){s, host};
}

static void remove_pointer(struct zone *zone, uint32_t v4, const struct zone_service *s)
{
	struct zone_pointers *p = map_find(&zone->pointers, pointer_key(&v4));

	for (size_t i = 0; p && i < p->list.n;) {
		if (p->list.p[i].service == s) {
			vec_remove(&p->list, i);
		} else {
			i++;
		}
	}
	if (p && p->list.n == 0) {
		map_remove(&zone->pointers, pointer_key(&v4));
		zone_pointers_free(p);
	}
}

static void remove_pointers(struct zone *zone, const struct zone_service *s)
{
	for (size_t i = 0; i < s->cluster_ips.n; i++) {
		remove_pointer(zone, s->cluster_ips.p[i], s);
	}
	for (size_t i = 0; i < s->addresses.n; i++) {
		remove_pointer(zone, s->addresses.p[i], s);
	}
}

static void add_pointers(struct zone *zone, const struct zone_service *s)
{
	for (size_t i = 0; i < s->cluster_ips.n; i++) {
		add_pointer(zone, s->cluster_ips.p[i], s, NULL);
	}
	for (size_t i = 0; i < s->hosts.n; i++) {
		add_pointer(zone, s->hosts.p[i].endpoint->v4, s, s->hosts.p[i].endpoint->host);
	}
}

/* --- which endpoints count --- */

static int compare_hosts(const void *a, const void *b)
{
	const struct zone_host *x = a, *y = b;
	int order = strcmp(x->endpoint->host, y->endpoint->host);

	if (order == 0 && x->endpoint->v4 != y->endpoint->v4) {
		order = x->endpoint->v4 < y->endpoint->v4 ? -1 : 1;
	}
	return order;
}

static int compare_v4(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static void compute_hosts(struct zone_service *s)
{
	size_t n = 0;

	vec_clear(&s->hosts);
	vec_clear(&s->addresses);
	if (!s->exists || !s->headless) {
		return;
	}
	LIST_FOR_EACH(l, &s->slices)
	{
		const struct zone_slice *slice = CONTAINER_OF(l, struct zone_slice, link);
		for (size_t i = 0; i < slice->endpoints.n && s->hosts.n < ENDPOINTS_MAX; i++) {
			const struct zone_endpoint *e = &slice->endpoints.p[i];
			if (e->ready || s->publish_not_ready) {
				*vec_push(&s->hosts) = (struct zone_host){e, slice};
				*vec_push(&s->addresses) = e->v4;
			}
		}
	}
	if (s->hosts.n > 1) {
		qsort(s->hosts.p, s->hosts.n, sizeof(*s->hosts.p), compare_hosts);
		qsort(s->addresses.p, s->addresses.n, sizeof(uint32_t), compare_v4);
	}
	for (size_t i = 0; i < s->addresses.n; i++) {
		if (n == 0 || s->addresses.p[n - 1] != s->addresses.p[i]) {
			s->addresses.p[n++] = s->addresses.p[i];
		}
	}
	s->addresses.n = n;
}

/* Around every change of a Service: takes it out of the shared tables, and puts what it has become back. */
static void detach(struct zone *zone, const struct zone_service *s)
{
	remove_pointers(zone, s);
	if (s->exists) {
		count_namespace(zone, s->ns, false);
		zone->n--;
	}
}

static void reattach(struct zone *zone, struct zone_service *s)
{
	compute_hosts(s);
	add_pointers(zone, s);
	if (s->exists) {
		count_namespace(zone, s->ns, true);
		zone->n++;
	} else if (list_is_empty(&s->slices)) {
		map_remove(&zone->services, str_of(s->key));
		zone_service_free(s);
	}
}

static void take_spec(struct zone_service *s, const struct core_service_spec *spec)
{
	uint32_t v4;

	s->exists = true;
	s->publish_not_ready = spec->publish_not_ready_addresses;
	if (str_is(spec->type, "ExternalName")) {
		s->external =
			dns_name_parse(spec->external_name, &s->target) == 0 && s->target.n > 1;
		s->exists = s->external;
		return;
	}
	s->headless = spec->cluster_ip.n == 0 || str_is(spec->cluster_ip, "None");
	const struct str *ips = spec->cluster_ips.n ? spec->cluster_ips.p : &spec->cluster_ip;
	size_t nips = spec->cluster_ips.n ? spec->cluster_ips.n : 1;
	for (size_t i = 0; i < nips && !s->headless; i++) {
		if (parse_v4(ips[i], &v4)) {
			*vec_push(&s->cluster_ips) = v4;
		}
	}
	for (size_t i = 0; i < spec->ports.n && i < PORTS_MAX; i++) {
		const struct core_service_port *p = &spec->ports.p[i];
		if (p->port > 0 && p->port <= UINT16_MAX) {
			*vec_push(&s->ports) = make_port(p->name, p->protocol, p->port);
		}
	}
}

void zone_set_service(struct zone *zone, const struct core_service *service)
{
	struct zone_service *s =
		need_service(zone, service->metadata.namespace, service->metadata.name);

	if (s) {
		detach(zone, s);
		clear_spec(s);
		take_spec(s, &service->spec);
		reattach(zone, s);
	}
}

void zone_remove_service(struct zone *zone, struct str ns, struct str name)
{
	struct zone_service *s = find_service(zone, ns, name);

	if (s) {
		detach(zone, s);
		clear_spec(s);
		reattach(zone, s);
	}
}

static struct str service_of(const struct discovery_endpoint_slice *slice)
{
	const struct str_map *labels = &slice->metadata.labels;

	for (size_t i = 0; i < labels->n; i++) {
		if (str_is(labels->p[i].key, "kubernetes.io/service-name")) {
			return labels->p[i].value;
		}
	}
	return STR_NULL;
}

static void remove_slice(struct zone_service *s, struct str name)
{
	LIST_FOR_EACH_SAFE(l, &s->slices)
	{
		struct zone_slice *slice = CONTAINER_OF(l, struct zone_slice, link);
		if (str_eq(str_of(slice->name), name)) {
			list_remove(&slice->link);
			slice_free(slice);
		}
	}
}

/* The pod's hostname, or the address with dashes. */
static void name_host(struct zone_endpoint *e, const struct str *hostname)
{
	if (hostname && is_label(*hostname)) {
		memcpy(e->host, hostname->p, hostname->n);
		e->host[hostname->n] = 0;
		lower(e->host);
	} else {
		snprintf(e->host, sizeof(e->host), "%u-%u-%u-%u", e->v4 >> 24, e->v4 >> 16 & 255,
			 e->v4 >> 8 & 255, e->v4 & 255);
	}
}

static struct zone_slice *take_slice(const struct discovery_endpoint_slice *in)
{
	struct zone_slice *slice = NEW(struct zone_slice);

	slice->name = str_dup_cstr(in->metadata.name);
	for (size_t i = 0; i < in->ports.n && i < PORTS_MAX; i++) {
		const struct discovery_endpoint_port *p = &in->ports.p[i];
		if (p->port && *p->port > 0 && *p->port <= UINT16_MAX) {
			*vec_push(&slice->ports) =
				make_port(p->name ? *p->name : STR(""),
					  p->protocol ? *p->protocol : STR("tcp"), *p->port);
		}
	}
	for (size_t i = 0; i < in->endpoints.n; i++) {
		const struct discovery_endpoint *e = &in->endpoints.p[i];
		uint32_t v4;
		for (size_t k = 0; k < e->addresses.n; k++) {
			if (parse_v4(e->addresses.p[k], &v4)) {
				struct zone_endpoint *to = vec_push(&slice->endpoints);
				to->v4 = v4;
				to->ready = !e->conditions.ready || *e->conditions.ready;
				name_host(to, e->hostname);
			}
		}
	}
	return slice;
}

void zone_set_slice(struct zone *zone, const struct discovery_endpoint_slice *in)
{
	struct zone_service *s;

	if (!str_is(in->address_type, "IPv4") ||
	    !(s = need_service(zone, in->metadata.namespace, service_of(in)))) {
		return;
	}
	detach(zone, s);
	remove_slice(s, in->metadata.name);
	list_add_tail(&s->slices, &take_slice(in)->link);
	reattach(zone, s);
}

void zone_remove_slice(struct zone *zone, const struct discovery_endpoint_slice *in)
{
	struct zone_service *s = find_service(zone, in->metadata.namespace, service_of(in));

	if (s) {
		detach(zone, s);
		remove_slice(s, in->metadata.name);
		reattach(zone, s);
	}
}

size_t zone_count(const struct zone *zone)
{
	return zone->n;
}
