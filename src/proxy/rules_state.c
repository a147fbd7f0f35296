/* SPDX-License-Identifier: Apache-2.0 */
/* What the API says, reduced to what the rules need. */
#include <netinet/in.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "proxy/rules_internal.h"

static uint8_t protocol_number(struct str name)
{
	if (name.n == 0 || str_is(name, "TCP")) {
		return IPPROTO_TCP;
	}
	return str_is(name, "UDP") ? IPPROTO_UDP : str_is(name, "SCTP") ? IPPROTO_SCTP : 0;
}

static bool parse_v4(struct str text, uint32_t *ret)
{
	struct ip_addr ip;

	if (ip_parse(text, &ip) < 0 || !ip_is_v4(ip) || ip_v4(ip) == 0) {
		return false;
	}
	*ret = ip_v4(ip);
	return true;
}

static void slice_free(struct slice *slice)
{
	for (size_t i = 0; i < slice->nports; i++) {
		mem_free(slice->ports[i].name);
	}
	mem_free(slice->ports);
	mem_free(slice->endpoints);
	mem_free(slice->name);
	mem_free(slice);
}

/* Forgets the Service, keeps its slices: they may outlive it, and come before it. */
void service_clear_spec(struct service *s)
{
	for (size_t i = 0; i < s->nports; i++) {
		mem_free(s->ports[i].name);
		vec_fini(&s->ports[i].cluster);
		vec_fini(&s->ports[i].local);
	}
	mem_free(s->ports);
	mem_free(s->cluster_ips);
	mem_free(s->load_balancer_ips);
	mem_free(s->external_ips);
	mem_free(s->ranges);
	s->ports = NULL;
	s->cluster_ips = s->load_balancer_ips = s->external_ips = NULL;
	s->ranges = NULL;
	s->nports = s->ncluster_ips = s->nload_balancer_ips = s->nexternal_ips = s->nranges = 0;
	s->exists = s->internal_local = s->external_local = s->restricted = false;
	s->affinity_sec = 0;
}

void service_free(struct service *s)
{
	service_clear_spec(s);
	LIST_FOR_EACH_SAFE(l, &s->slices)
	{
		slice_free(CONTAINER_OF(l, struct slice, link));
	}
	list_remove(&s->link);
	vec_fini(&s->applied);
	vec_fini(&s->wanted);
	vec_fini(&s->claims);
	mem_free(s->key);
	mem_free(s);
}

void rules_touch(struct rules *rules, struct service *s)
{
	if (!s->queued) {
		list_remove(&s->link);
		list_add_tail(&rules->queue, &s->link);
		s->queued = true;
	}
}

static struct service *find_service(const struct rules *rules, struct str ns, struct str name,
				    struct buf *key)
{
	buf_clear(key);
	buf_printf(key, "%.*s/%.*s", STR_ARG(ns), STR_ARG(name));
	return map_find(&rules->services, buf_str(key));
}

static struct service *need_service(struct rules *rules, struct str ns, struct str name)
{
	struct buf key CLEANUP_BUF = {0};
	struct service *s = find_service(rules, ns, name, &key);

	if (!s) {
		s = NEW(struct service);
		s->key = buf_steal(&key);
		list_init(&s->slices);
		map_put(&rules->services, str_of(s->key), s);
	}
	return s;
}

/* At most cap addresses; what is no IPv4 address is left out. */
static size_t take_ips(const struct str *texts, size_t n, uint32_t **ret)
{
	size_t found = 0;

	n = MIN(n, (size_t)64);
	*ret = mem_new_array(n, sizeof(**ret));
	for (size_t i = 0; i < n; i++) {
		found += parse_v4(texts[i], &(*ret)[found]);
	}
	return found;
}

static void take_load_balancer(struct service *s, const struct core_service *service)
{
	size_t n = MIN(service->status.load_balancer.ingress.n, (size_t)64);

	s->load_balancer_ips = mem_new_array(n, sizeof(uint32_t));
	for (size_t i = 0; i < n; i++) {
		const struct core_load_balancer_ingress *in =
			&service->status.load_balancer.ingress.p[i];
		/* Proxy: the balancer itself wants to see that traffic */
		if (!in->ip_mode || !str_is(*in->ip_mode, "Proxy")) {
			s->nload_balancer_ips +=
				parse_v4(in->ip, &s->load_balancer_ips[s->nload_balancer_ips]);
		}
	}
}

/* Prefixes either contain one another or are apart; contained ones are left out, since an interval set refuses overlaps. */
static void take_ranges(struct service *s, const struct str_list *texts)
{
	size_t n = MIN(texts->n, (size_t)RULES_RANGES_MAX);

	s->restricted = texts->n > 0;
	s->ranges = mem_new_array(n, sizeof(*s->ranges));
	for (size_t i = 0; i < n; i++) {
		struct ip_cidr cidr;
		bool covered = false;
		if (ip_cidr_parse(str_trim(texts->p[i]), &cidr) < 0 || !ip_is_v4(cidr.addr)) {
			continue;
		}
		for (size_t k = 0; k < s->nranges;) {
			const struct ip_cidr *old = &s->ranges[k];
			covered = covered ||
				  (old->bits <= cidr.bits && ip_cidr_contains(*old, cidr.addr));
			if (!covered && cidr.bits <= old->bits &&
			    ip_cidr_contains(cidr, old->addr)) {
				s->ranges[k] = s->ranges[--s->nranges];
			} else {
				k++;
			}
		}
		if (!covered) {
			s->ranges[s->nranges++] = cidr;
		}
	}
}

/* The old ports' endpoint lists move over to the new ones of the same name, so that places are kept. */
static void take_ports(struct service *s, const struct core_service_spec *spec,
		       struct service_port *old, size_t nold)
{
	s->ports = mem_new_array(spec->ports.n, sizeof(*s->ports));
	for (size_t i = 0; i < spec->ports.n; i++) {
		const struct core_service_port *in = &spec->ports.p[i];
		struct service_port *port = &s->ports[s->nports];
		uint8_t protocol = protocol_number(in->protocol);
		if (!protocol || in->port <= 0 || in->port > UINT16_MAX) {
			continue;
		}
		port->name = str_dup_cstr(in->name);
		port->protocol = protocol;
		port->port = (uint16_t)in->port;
		port->node_port = in->node_port > 0 && in->node_port <= UINT16_MAX
					  ? (uint16_t)in->node_port
					  : 0;
		s->nports++;
		for (size_t k = 0; k < nold; k++) {
			if (old[k].protocol == protocol && strcmp(old[k].name, port->name) == 0) {
				port->cluster = old[k].cluster;
				port->local = old[k].local;
				old[k].cluster = old[k].local = (struct endpoints){0};
			}
		}
	}
}

static bool has_vip(const struct core_service_spec *spec)
{
	return !str_is(spec->type, "ExternalName") && spec->cluster_ip.n > 0 &&
	       !str_is(spec->cluster_ip, "None");
}

void rules_set_service(struct rules *rules, const struct core_service *service)
{
	const struct core_service_spec *spec = &service->spec;
	struct service *s =
		need_service(rules, service->metadata.namespace, service->metadata.name);
	struct service_port *old = s->ports;
	size_t nold = s->nports;

	rules_touch(rules, s);
	s->ports = NULL;
	s->nports = 0;
	service_clear_spec(s);
	if (has_vip(spec)) {
		s->exists = true;
		s->created_sec = service->metadata.creation_timestamp.sec;
		s->internal_local = spec->internal_traffic_policy &&
				    str_is(*spec->internal_traffic_policy, "Local");
		s->external_local = str_is(spec->external_traffic_policy, "Local");
		if (str_is(spec->session_affinity, "ClientIP")) {
			const struct core_session_affinity_config *c =
				spec->session_affinity_config;
			const int32_t *sec =
				c && c->client_ip ? c->client_ip->timeout_seconds : NULL;
			s->affinity_sec = sec && *sec > 0 ? (uint32_t)*sec : 10800;
		}
		s->ncluster_ips = spec->cluster_ips.n > 0
					  ? take_ips(spec->cluster_ips.p, spec->cluster_ips.n,
						     &s->cluster_ips)
					  : take_ips(&spec->cluster_ip, 1, &s->cluster_ips);
		s->nexternal_ips =
			take_ips(spec->external_ips.p, spec->external_ips.n, &s->external_ips);
		if (str_is(spec->type, "LoadBalancer")) {
			take_load_balancer(s, service);
			take_ranges(s, &spec->load_balancer_source_ranges);
		}
		take_ports(s, spec, old, nold);
	}
	for (size_t i = 0; i < nold; i++) {
		mem_free(old[i].name);
		vec_fini(&old[i].cluster);
		vec_fini(&old[i].local);
	}
	mem_free(old);
}

void rules_remove_service(struct rules *rules, struct str ns, struct str name)
{
	struct buf key CLEANUP_BUF = {0};
	struct service *s = find_service(rules, ns, name, &key);

	if (s) {
		service_clear_spec(s);
		rules_touch(rules, s);
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

static void remove_slice(struct service *s, struct str name)
{
	LIST_FOR_EACH_SAFE(l, &s->slices)
	{
		struct slice *slice = CONTAINER_OF(l, struct slice, link);
		if (str_eq(str_of(slice->name), name)) {
			list_remove(&slice->link);
			slice_free(slice);
		}
	}
}

static bool is_true(const bool *flag, bool unset)
{
	return flag ? *flag : unset;
}

static void take_endpoints(struct slice *slice, const struct discovery_endpoint_slice *in,
			   const char *node_name)
{
	slice->endpoints = mem_new_array(in->endpoints.n, sizeof(*slice->endpoints));
	for (size_t i = 0; i < in->endpoints.n; i++) {
		const struct discovery_endpoint *e = &in->endpoints.p[i];
		struct slice_endpoint *to = &slice->endpoints[slice->nendpoints];
		if (e->addresses.n == 0 || !parse_v4(e->addresses.p[0], &to->v4)) {
			continue;
		}
		/* API: an unset "ready" counts as true; an unset "serving" as "ready"; an unset "terminating" as false */
		to->ready = is_true(e->conditions.ready, true);
		to->serving_terminating = is_true(e->conditions.serving, to->ready) &&
					  is_true(e->conditions.terminating, false);
		to->local = e->node_name && str_eq(*e->node_name, str_of(node_name));
		slice->nendpoints++;
	}
}

void rules_set_slice(struct rules *rules, const struct discovery_endpoint_slice *in)
{
	struct str owner = service_of(in);

	if (owner.n == 0 || !str_is(in->address_type, "IPv4")) {
		return;
	}
	struct service *s = need_service(rules, in->metadata.namespace, owner);
	remove_slice(s, in->metadata.name);
	struct slice *slice = NEW(struct slice);
	slice->name = str_dup_cstr(in->metadata.name);
	slice->ports = mem_new_array(in->ports.n, sizeof(*slice->ports));
	for (size_t i = 0; i < in->ports.n; i++) {
		const struct discovery_endpoint_port *port = &in->ports.p[i];
		uint8_t protocol = protocol_number(port->protocol ? *port->protocol : STR_NULL);
		/* an unset port means "any": nothing that a VIP could be translated to */
		if (protocol && port->port && *port->port > 0 && *port->port <= UINT16_MAX) {
			slice->ports[slice->nports++] = (struct slice_port){
				.name = str_dup_cstr(port->name ? *port->name : STR("")),
				.protocol = protocol,
				.port = (uint16_t)*port->port};
		}
	}
	take_endpoints(slice, in, rules->node_name);
	list_add_tail(&s->slices, &slice->link);
	rules_touch(rules, s);
}

void rules_remove_slice(struct rules *rules, const struct discovery_endpoint_slice *in)
{
	struct buf key CLEANUP_BUF = {0};
	struct service *s = find_service(rules, in->metadata.namespace, service_of(in), &key);

	if (s) {
		remove_slice(s, in->metadata.name);
		rules_touch(rules, s);
	}
}
