/* SPDX-License-Identifier: Apache-2.0 */
#include "rules/service.h"

bool service_is_type(const struct core_service *s, const char *type)
{
	return str_eq(s->spec.type, str_of(type));
}

bool service_is_headless(const struct core_service *s)
{
	return s->spec.cluster_ips.n == 1 && str_is(s->spec.cluster_ips.p[0], "None");
}

bool service_takes_address(const struct core_service *s)
{
	return service_is_type(s, "ClusterIP") || service_is_type(s, "NodePort") ||
	       service_is_type(s, "LoadBalancer");
}

bool service_takes_node_ports(const struct core_service *s)
{
	const bool *allocate = s->spec.allocate_load_balancer_node_ports;

	return service_is_type(s, "NodePort") ||
	       (service_is_type(s, "LoadBalancer") && (!allocate || *allocate));
}

bool service_takes_health_port(const struct core_service *s)
{
	return service_is_type(s, "LoadBalancer") &&
	       str_is(s->spec.external_traffic_policy, "Local");
}

bool service_is_reachable_from_outside(const struct core_service *s)
{
	return service_is_type(s, "NodePort") || service_is_type(s, "LoadBalancer") ||
	       (service_is_type(s, "ClusterIP") && s->spec.external_ips.n > 0);
}

static bool same_strings(const struct str_list *a, const struct str_list *b)
{
	for (size_t i = 0; i < a->n && i < b->n; i++) {
		if (!str_eq(a->p[i], b->p[i])) {
			return false;
		}
	}
	return a->n == b->n;
}

static struct str_list one_string(struct arena *a, struct str s)
{
	struct str_list list = {ARENA_NEW(a, struct str), 1};

	list.p[0] = s;
	return list;
}

static struct str *new_str(struct arena *a, struct str s)
{
	struct str *p = ARENA_NEW(a, struct str);

	*p = s;
	return p;
}

/* ---- defaults ---- */

static void default_affinity(struct arena *a, struct core_service_spec *spec)
{
	struct core_session_affinity_config *c;

	if (str_is(spec->session_affinity, "None")) {
		spec->session_affinity_config = NULL;
	}
	if (!str_is(spec->session_affinity, "ClientIP")) {
		return;
	}
	c = spec->session_affinity_config;
	if (!c) {
		c = spec->session_affinity_config =
			ARENA_NEW(a, struct core_session_affinity_config);
	}
	if (!c->client_ip) {
		c->client_ip = ARENA_NEW(a, struct core_client_ip_config);
	}
	if (!c->client_ip->timeout_seconds) {
		c->client_ip->timeout_seconds = ARENA_NEW(a, int32_t);
		*c->client_ip->timeout_seconds = 10800;
	}
}

void service_set_defaults(struct arena *a, void *obj)
{
	struct core_service *s = obj;
	struct core_service_spec *spec = &s->spec;

	default_affinity(a, spec);
	for (size_t i = 0; i < spec->ports.n; i++) {
		struct int_or_string *target = &spec->ports.p[i].target_port;

		if (target->kind == IOS_INT ? target->num == 0 : target->str.n == 0) {
			*target = (struct int_or_string){.num = spec->ports.p[i].port};
		}
	}
	if (service_is_reachable_from_outside(s) && !spec->external_traffic_policy.n) {
		spec->external_traffic_policy = STR("Cluster");
	}
	if (service_takes_address(s) && !spec->internal_traffic_policy) {
		spec->internal_traffic_policy = new_str(a, STR("Cluster"));
	}
	if (service_is_type(s, "LoadBalancer")) {
		if (!spec->allocate_load_balancer_node_ports) {
			spec->allocate_load_balancer_node_ports = ARENA_NEW(a, bool);
			*spec->allocate_load_balancer_node_ports = true;
		}
		for (size_t i = 0; i < s->status.load_balancer.ingress.n; i++) {
			struct core_load_balancer_ingress *in =
				&s->status.load_balancer.ingress.p[i];

			if (in->ip.n && !in->ip_mode) {
				in->ip_mode = new_str(a, STR("VIP"));
			}
		}
	}
}

/* ---- linked and allocated fields ---- */

static struct str family_of(struct str ip)
{
	return str_find_char(ip, ':') >= 0 ? STR("IPv6") : STR("IPv4");
}

static void add_other_family(struct arena *a, struct core_service_spec *spec)
{
	struct str *p = ARENA_ARRAY(a, 2, struct str);

	p[0] = spec->ip_families.p[0];
	p[1] = str_is(p[0], "IPv4") ? STR("IPv6") : STR("IPv4");
	spec->ip_families = (struct str_list){p, 2};
}

/* Families follow from addresses; a Service without selector leaves its endpoints open to both. */
static void default_families(struct arena *a, struct core_service *s)
{
	struct core_service_spec *spec = &s->spec;
	bool open = service_is_headless(s) && !spec->selector.n;

	if (!service_takes_address(s)) {
		return;
	}
	if (!spec->ip_families.n) {
		if (spec->cluster_ips.n && !service_is_headless(s)) {
			struct str *p = ARENA_ARRAY(a, spec->cluster_ips.n, struct str);

			for (size_t i = 0; i < spec->cluster_ips.n; i++) {
				p[i] = family_of(spec->cluster_ips.p[i]);
			}
			spec->ip_families = (struct str_list){p, spec->cluster_ips.n};
		} else {
			spec->ip_families = one_string(a, STR("IPv4"));
		}
	}
	if (!spec->ip_family_policy) {
		bool both = open || spec->ip_families.n > 1;

		spec->ip_family_policy =
			new_str(a, both ? STR("RequireDualStack") : STR("SingleStack"));
	}
	if (open && spec->ip_families.n == 1 && !str_is(*spec->ip_family_policy, "SingleStack")) {
		add_other_family(a, spec);
	}
}

/* clusterIP is the first of clusterIPs; a client that knows one of them only is meant by that one. */
static void link_addresses(struct arena *a, struct core_service_spec *spec,
			   const struct core_service_spec *old)
{
	if (!old) {
		if (spec->cluster_ip.n && !spec->cluster_ips.n) {
			spec->cluster_ips = one_string(a, spec->cluster_ip);
		}
		return;
	}
	if (str_eq(spec->cluster_ip, old->cluster_ip)) {
		if (!spec->cluster_ips.n && old->cluster_ips.n > 1 && spec->cluster_ip.n) {
			spec->cluster_ips = old->cluster_ips;
		}
		return;
	}
	if (same_strings(&spec->cluster_ips, &old->cluster_ips) || !spec->cluster_ips.n) {
		spec->cluster_ips =
			spec->cluster_ip.n ? one_string(a, spec->cluster_ip) : (struct str_list){0};
	}
}

void service_prepare_create(struct arena *a, void *obj)
{
	struct core_service *s = obj;

	link_addresses(a, &s->spec, NULL);
	default_families(a, s);
}

/* The old port that means the same, or NULL. */
static const struct core_service_port *find_port(const struct core_service_spec *spec,
						 const struct core_service_port *p)
{
	for (size_t i = 0; i < spec->ports.n; i++) {
		if (spec->ports.p[i].port == p->port &&
		    str_eq(spec->ports.p[i].protocol, p->protocol)) {
			return &spec->ports.p[i];
		}
	}
	return NULL;
}

static bool uses_node_port(const struct core_service_spec *spec, int32_t node_port)
{
	for (size_t i = 0; i < spec->ports.n; i++) {
		if (spec->ports.p[i].node_port == node_port) {
			return true;
		}
	}
	return false;
}

/* A PUT that leaves out what was given out keeps it. */
static void keep_allocated(struct core_service *s, const struct core_service *old)
{
	struct core_service_spec *spec = &s->spec;

	if (service_takes_address(s) && service_takes_address(old)) {
		if (!spec->cluster_ip.n) {
			spec->cluster_ip = old->spec.cluster_ip;
		}
		if (!spec->cluster_ips.n && str_eq(spec->cluster_ip, old->spec.cluster_ip)) {
			spec->cluster_ips = old->spec.cluster_ips;
		}
	}
	for (size_t i = 0;
	     service_takes_node_ports(s) && service_takes_node_ports(old) && i < spec->ports.n;
	     i++) {
		const struct core_service_port *before = find_port(&old->spec, &spec->ports.p[i]);

		if (!spec->ports.p[i].node_port && before && before->node_port &&
		    !uses_node_port(spec, before->node_port)) {
			spec->ports.p[i].node_port = before->node_port;
		}
	}
	if (service_takes_health_port(s) && service_takes_health_port(old) &&
	    !spec->health_check_node_port) {
		spec->health_check_node_port = old->spec.health_check_node_port;
	}
}

static bool same_node_ports(const struct core_service_spec *a, const struct core_service_spec *b)
{
	for (size_t i = 0; i < a->ports.n; i++) {
		const struct core_service_port *before = find_port(b, &a->ports.p[i]);

		if (a->ports.p[i].node_port &&
		    (!before || before->node_port != a->ports.p[i].node_port)) {
			return false;
		}
	}
	return true;
}

static bool same_optional(const struct str *a, const struct str *b)
{
	return a && b ? str_eq(*a, *b) : a == b;
}

/* What the new type has no use for goes, unless the client has just set it: then validation refuses it. */
static void drop_of_type(struct core_service *s, const struct core_service *old)
{
	struct core_service_spec *spec = &s->spec;
	const struct core_service_spec *before = &old->spec;

	if (service_takes_address(old) && !service_takes_address(s)) {
		if (str_eq(spec->cluster_ip, before->cluster_ip) &&
		    same_strings(&spec->cluster_ips, &before->cluster_ips)) {
			spec->cluster_ip = STR_NULL;
			spec->cluster_ips = (struct str_list){0};
		}
		if (same_strings(&spec->ip_families, &before->ip_families)) {
			spec->ip_families = (struct str_list){0};
		}
		if (same_optional(spec->ip_family_policy, before->ip_family_policy)) {
			spec->ip_family_policy = NULL;
		}
	}
	if (service_takes_node_ports(old) && !service_takes_node_ports(s) &&
	    same_node_ports(spec, before)) {
		for (size_t i = 0; i < spec->ports.n; i++) {
			spec->ports.p[i].node_port = 0;
		}
	}
	if (service_takes_health_port(old) && !service_takes_health_port(s) &&
	    spec->health_check_node_port == before->health_check_node_port) {
		spec->health_check_node_port = 0;
	}
	if (service_is_type(old, "LoadBalancer") && !service_is_type(s, "LoadBalancer")) {
		const bool *now = spec->allocate_load_balancer_node_ports;
		const bool *then = before->allocate_load_balancer_node_ports;

		if (now && then && *now == *then) {
			spec->allocate_load_balancer_node_ports = NULL;
		}
		if (same_optional(spec->load_balancer_class, before->load_balancer_class)) {
			spec->load_balancer_class = NULL;
		}
	}
	if (service_is_reachable_from_outside(old) && !service_is_reachable_from_outside(s) &&
	    str_eq(spec->external_traffic_policy, before->external_traffic_policy)) {
		spec->external_traffic_policy = STR_NULL;
	}
}

void service_prepare_update(struct arena *a, void *obj, const void *old_obj)
{
	struct core_service *s = obj;
	const struct core_service *old = old_obj;

	link_addresses(a, &s->spec, &old->spec);
	keep_allocated(s, old);
	drop_of_type(s, old);
	default_families(a, s);
}
