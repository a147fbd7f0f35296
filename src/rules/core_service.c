/* SPDX-License-Identifier: Apache-2.0 */
/* Services. Facts: pkg/apis/core/validation, pkg/api/service/warnings.go. */
#include "object/object.h"
#include "rules/check.h"
#include "rules/cidr.h"
#include "rules/metadata.h"
#include "rules/selector.h"
#include "rules/service.h"
#include "rules/strategy.h"

enum { AFFINITY_SECONDS_MAX = 86400 };

static struct str family_of(struct str ip)
{
	return str_find_char(ip, ':') >= 0 ? STR("IPv6") : STR("IPv4");
}

static bool same_optional(const struct str *a, const struct str *b)
{
	return a && b ? str_eq(*a, *b) : a == b;
}

static void check_service_port(struct field_errors *errs, const struct path *at,
			       const struct core_service_spec *spec,
			       const struct core_service_port *p, struct str_set *names)
{
	if (!p->name.n && spec->ports.n > 1) {
		field_required(errs, AT(at, "name"), NULL);
	} else if (p->name.n) {
		check_name(errs, AT(at, "name"), p->name, dns_label_faults);
		if (!str_set_add(names, p->name)) {
			field_duplicate(errs, AT(at, "name"), field_str(p->name));
		}
	}
	check_port(errs, AT(at, "port"), p->port);
	check_port_or_name(errs, AT(at, "targetPort"), p->target_port);
	if (p->app_protocol) {
		check_name(errs, AT(at, "appProtocol"), *p->app_protocol, qualified_name_faults);
	}
}

static void check_ports(struct field_errors *errs, const struct path *at,
			const struct core_service *s)
{
	struct str_set names CLEANUP_STR_SET = {0};
	struct str_set node_ports CLEANUP_STR_SET = {0};
	struct str_set ports CLEANUP_STR_SET = {0};
	struct arena *a = errs->arena;

	if (!s->spec.ports.n && !service_is_headless(s) && !service_is_type(s, "ExternalName")) {
		field_required(errs, at, NULL);
	}
	for (size_t i = 0; i < s->spec.ports.n; i++) {
		const struct core_service_port *p = &s->spec.ports.p[i];
		const struct path *item = AT_INDEX(at, i);

		check_service_port(errs, item, &s->spec, p, &names);
		if (p->node_port && service_is_type(s, "ClusterIP")) {
			field_forbidden(errs, AT(item, "nodePort"),
					"may not be used when `type` is 'ClusterIP'");
		}
		if (p->node_port &&
		    !str_set_add(&node_ports,
				 arena_printf(a, "%.*s %d", STR_ARG(p->protocol), p->node_port))) {
			field_duplicate(errs, AT(item, "nodePort"), field_int(p->node_port));
		}
		if (!str_set_add(&ports,
				 arena_printf(a, "%.*s %d", STR_ARG(p->protocol), p->port))) {
			field_duplicate(
				errs, item,
				field_json(arena_printf(a, "{\"protocol\":\"%.*s\",\"port\":%d}",
							STR_ARG(p->protocol), p->port)));
		}
	}
}

static void check_external_name(struct field_errors *errs, const struct path *at,
				const struct core_service_spec *spec)
{
	struct str name = spec->external_name;

	if (spec->cluster_ips.n) {
		field_forbidden(errs, AT(at, "clusterIPs"),
				"may not be set for ExternalName services");
	}
	if (spec->ip_families.n) {
		field_forbidden(errs, AT(at, "ipFamilies"),
				"may not be set for ExternalName services");
	}
	if (spec->ip_family_policy) {
		field_forbidden(errs, AT(at, "ipFamilyPolicy"),
				"may not be set for ExternalName services");
	}
	if (str_has_suffix(name, STR("."))) {
		name.n--;
	}
	if (name.n) {
		check_name(errs, AT(at, "externalName"), name, dns_subdomain_faults);
	} else {
		field_required(errs, AT(at, "externalName"), NULL);
	}
}

static void check_families(struct field_errors *errs, const struct path *at,
			   const struct core_service *s)
{
	const struct core_service_spec *spec = &s->spec;
	const struct path *ips = AT(at, "clusterIPs");

	for (size_t i = 1; i < spec->ip_families.n && i < 100; i++) {
		if (str_eq(spec->ip_families.p[i], spec->ip_families.p[0])) {
			field_duplicate(errs, AT_INDEX(AT(at, "ipFamilies"), i),
					field_str(spec->ip_families.p[i]));
		}
	}
	for (size_t i = 0;
	     !service_is_headless(s) && i < spec->cluster_ips.n && i < spec->ip_families.n; i++) {
		if (!str_eq(family_of(spec->cluster_ips.p[i]), spec->ip_families.p[i])) {
			field_invalid(errs, AT_INDEX(ips, i), field_str(spec->cluster_ips.p[i]),
				      "expected an %.*s value as indicated by `ipFamilies[%zu]`",
				      STR_ARG(spec->ip_families.p[i]), i);
		}
	}
}

static void check_cluster_ips(struct field_errors *errs, const struct path *at,
			      const struct core_service *s)
{
	const struct core_service_spec *spec = &s->spec;
	const struct path *ips = AT(at, "clusterIPs");
	struct field_value shown = strings_json(errs, &spec->cluster_ips);
	size_t before;

	if (spec->cluster_ip.n && !spec->cluster_ips.n) {
		field_required(errs, ips, NULL);
	} else if (spec->cluster_ip.n && !str_eq(spec->cluster_ips.p[0], spec->cluster_ip)) {
		field_invalid(errs, ips, shown, "first value must match `clusterIP`");
	} else if (!spec->cluster_ip.n && spec->cluster_ips.n) {
		field_invalid(errs, ips, shown, "must be empty when `clusterIP` is not specified");
	}
	before = errs->n;
	for (size_t i = 0; i < spec->cluster_ips.n; i++) {
		if (i == 0 && str_is(spec->cluster_ips.p[0], "None")) {
			if (spec->cluster_ips.n > 1) {
				field_invalid(errs, ips, shown,
					      "'None' must be the first and only value");
			}
			continue;
		}
		check_ip(errs, AT_INDEX(ips, i), spec->cluster_ips.p[i]);
	}
	if (spec->cluster_ips.n > 2) {
		field_invalid(errs, ips, shown, "may only hold up to 2 values");
	}
	if (errs->n != before) {
		return;
	}
	if (spec->cluster_ips.n == 2 &&
	    str_eq(family_of(spec->cluster_ips.p[0]), family_of(spec->cluster_ips.p[1]))) {
		field_invalid(errs, ips, shown,
			      "may specify no more than one IP for each IP family");
	}
	check_families(errs, at, s);
}

static void check_affinity(struct field_errors *errs, const struct path *at,
			   const struct core_service_spec *spec)
{
	const struct core_session_affinity_config *c = spec->session_affinity_config;
	const struct path *place =
		AT(AT(AT(at, "sessionAffinityConfig"), "clientIP"), "timeoutSeconds");

	if (str_is(spec->session_affinity, "ClientIP") && c && c->client_ip &&
	    c->client_ip->timeout_seconds) {
		int32_t s = *c->client_ip->timeout_seconds;

		if (s <= 0 || s > AFFINITY_SECONDS_MAX) {
			field_invalid(errs, place, field_int(s),
				      "must be greater than 0 and less than %d",
				      AFFINITY_SECONDS_MAX);
		}
	}
}

static void check_source_ranges(struct field_errors *errs, const struct path *at,
				const struct core_service *s)
{
	const struct str key = STR("service.beta.kubernetes.io/load-balancer-source-ranges");
	const struct path *place = AT(at, "LoadBalancerSourceRanges");
	const struct str *annotation = str_map_find(&s->metadata.annotations, key);
	struct str rest;
	struct str range;

	for (size_t i = 0; i < s->spec.load_balancer_source_ranges.n; i++) {
		check_cidr(errs, AT_INDEX(place, i),
			   str_trim(s->spec.load_balancer_source_ranges.p[i]));
	}
	if (s->spec.load_balancer_source_ranges.n) {
		if (!service_is_type(s, "LoadBalancer")) {
			field_forbidden(errs, place,
					"may only be used when `type` is 'LoadBalancer'");
		}
		return;
	}
	if (!annotation) {
		return;
	}
	place = AT_KEY(AT(AT(NULL, "metadata"), "annotations"), key);
	if (!service_is_type(s, "LoadBalancer")) {
		field_forbidden(errs, place, "may only be used when `type` is 'LoadBalancer'");
	}
	rest = str_trim(*annotation);
	while (rest.n && str_cut(&rest, ',', &range)) {
		check_cidr(errs, place, str_trim(range));
	}
}

static void check_load_balancer(struct field_errors *errs, const struct path *at,
				const struct core_service *s, const struct core_service *old)
{
	const struct core_service_spec *spec = &s->spec;
	const struct path *class_at = AT(at, "loadBalancerClass");

	check_source_ranges(errs, at, s);
	if (!service_is_type(s, "LoadBalancer")) {
		if (spec->allocate_load_balancer_node_ports) {
			field_forbidden(errs, AT(at, "allocateLoadBalancerNodePorts"),
					"may only be used when `type` is 'LoadBalancer'");
		}
		if (spec->load_balancer_class) {
			field_forbidden(errs, class_at,
					"may only be used when `type` is 'LoadBalancer'");
		}
		return;
	}
	if (old && service_is_type(old, "LoadBalancer") &&
	    !same_optional(spec->load_balancer_class, old->spec.load_balancer_class)) {
		field_invalid(errs, class_at,
			      value_of(errs, &type_core_service_spec, spec, "loadBalancerClass"),
			      "may not change once set");
	}
	if (spec->load_balancer_class) {
		check_name(errs, class_at, *spec->load_balancer_class, qualified_name_faults);
	}
}

static void check_traffic(struct field_errors *errs, const struct path *at,
			  const struct core_service *s, const struct core_service *old)
{
	static const char *const distributions[] = {"PreferClose", "PreferSameNode",
						    "PreferSameZone", NULL};
	const struct core_service_spec *spec = &s->spec;
	const struct path *health = AT(at, "healthCheckNodePort");

	if (!service_is_reachable_from_outside(s) && spec->external_traffic_policy.n) {
		field_invalid(errs, AT(at, "externalTrafficPolicy"),
			      field_str(spec->external_traffic_policy),
			      "may only be set for externally-accessible services");
	}
	if (!service_takes_health_port(s)) {
		if (spec->health_check_node_port) {
			field_invalid(errs, health, field_int(spec->health_check_node_port),
				      "may only be set when `type` is 'LoadBalancer' and "
				      "`externalTrafficPolicy` is "
				      "'Local'");
		}
	} else if (spec->health_check_node_port) {
		check_port(errs, health, spec->health_check_node_port);
		if (old && service_takes_health_port(old) && old->spec.health_check_node_port &&
		    old->spec.health_check_node_port != spec->health_check_node_port) {
			field_forbidden(errs, health, "field is immutable");
		}
	}
	check_one_of(errs, AT(at, "trafficDistribution"), spec->traffic_distribution,
		     distributions);
}

/* A first address or family stays for the life of the Service; a second may come and, said so, go. */
static void check_address_change(struct field_errors *errs, const struct path *at,
				 const struct core_service *s, const struct core_service *old)
{
	const struct str_list *now = &s->spec.cluster_ips;
	const struct str_list *before = &old->spec.cluster_ips;
	const struct path *place = AT(at, "clusterIPs");
	struct field_value shown = strings_json(errs, now);
	const struct str *policy = s->spec.ip_family_policy;

	if (!service_takes_address(s) || !service_takes_address(old) ||
	    (service_is_headless(s) && service_is_headless(old))) {
		return;
	}
	if (before->n && !now->n) {
		field_invalid(errs, AT_INDEX(place, 0), shown,
			      "primary clusterIP can not be unset");
		return;
	}
	for (size_t i = 0; i < now->n && i < before->n; i++) {
		if (!str_eq(now->p[i], before->p[i])) {
			field_invalid(errs, AT_INDEX(place, i), shown, "may not change once set");
		}
	}
	if (before->n > 1 && now->n == 1 && (!policy || !str_is(*policy, "SingleStack"))) {
		field_invalid(
			errs, AT(at, "ipFamilyPolicy"),
			value_of(errs, &type_core_service_spec, &s->spec, "ipFamilyPolicy"),
			"must be set to 'SingleStack' when releasing the secondary clusterIP");
	}
	if (!service_is_headless(s) && !service_is_headless(old) && s->spec.ip_families.n &&
	    old->spec.ip_families.n &&
	    !str_eq(s->spec.ip_families.p[0], old->spec.ip_families.p[0])) {
		field_invalid(errs, AT_INDEX(AT(at, "ipFamilies"), 0),
			      strings_json(errs, &s->spec.ip_families), "may not change once set");
	}
}

static void service_validate(struct field_errors *errs, const void *obj, const void *old_obj)
{
	const struct core_service *s = obj;
	const struct core_service *old = old_obj;
	const struct core_service_spec *spec = &s->spec;
	const struct path *at = AT(NULL, "spec");

	check_ports(errs, AT(at, "ports"), s);
	if (service_is_headless(s) &&
	    (service_is_type(s, "LoadBalancer") || service_is_type(s, "NodePort"))) {
		field_invalid(errs, AT_INDEX(AT(at, "clusterIPs"), 0),
			      field_str(spec->cluster_ips.p[0]),
			      "may not be set to 'None' for %.*s services", STR_ARG(spec->type));
	}
	if (service_is_type(s, "ExternalName")) {
		check_external_name(errs, at, spec);
	} else {
		check_cluster_ips(errs, at, s);
	}
	validate_labels(errs, AT(at, "selector"), &spec->selector);
	check_affinity(errs, at, spec);
	for (size_t i = 0; i < spec->external_ips.n; i++) {
		size_t before = errs->n;
		const struct path *item = AT_INDEX(AT(at, "externalIPs"), i);

		check_ip(errs, item, spec->external_ips.p[i]);
		if (errs->n == before) {
			check_ordinary_ip(errs, item, spec->external_ips.p[i]);
		}
	}
	check_load_balancer(errs, at, s, old);
	check_traffic(errs, at, s, old);
	if (old) {
		check_address_change(errs, at, s, old);
	}
}

static void check_ingress_points(struct field_errors *errs, const struct path *at,
				 const struct core_load_balancer_status *s)
{
	static const char *const modes[] = {"Proxy", "VIP", NULL};

	for (size_t i = 0; i < s->ingress.n; i++) {
		const struct core_load_balancer_ingress *in = &s->ingress.p[i];
		const struct path *item = AT_INDEX(AT(at, "ingress"), i);
		struct addr ip;

		if (in->ip.n) {
			check_ip(errs, AT(item, "ip"), in->ip);
		}
		if (in->ip.n && !in->ip_mode) {
			field_required(errs, AT(item, "ipMode"),
				       "must be specified when `ip` is set");
		} else if (!in->ip.n && in->ip_mode) {
			field_forbidden(errs, AT(item, "ipMode"),
					"may not be specified when `ip` is not set");
		}
		check_one_of(errs, AT(item, "ipMode"), in->ip_mode, modes);
		if (in->hostname.n) {
			check_name(errs, AT(item, "hostname"), in->hostname, dns_subdomain_faults);
			if (addr_parse_sloppy(in->hostname, &ip) == 0) {
				field_invalid(errs, AT(item, "hostname"), field_str(in->hostname),
					      "must be a DNS name, not an IP address");
			}
		}
	}
}

static void service_validate_status(struct field_errors *errs, const void *obj,
				    const void *old UNUSED)
{
	const struct core_service *s = obj;
	const struct path *at = AT(AT(NULL, "status"), "loadBalancer");

	if (!service_is_type(s, "LoadBalancer") && s->status.load_balancer.ingress.n) {
		field_forbidden(errs, AT(at, "ingress"),
				"may only be used when `spec.type` is 'LoadBalancer'");
		return;
	}
	check_ingress_points(errs, at, &s->status.load_balancer);
}

static void service_warn(const struct warn_sink *sink, const void *obj, const void *old UNUSED)
{
	const struct core_service *s = obj;
	const struct core_service_spec *spec = &s->spec;
	bool headless = service_is_type(s, "ClusterIP") && str_is(spec->cluster_ip, "None");

	if (str_map_find(&s->metadata.annotations,
			 STR("service.kubernetes.io/topology-aware-hints"))) {
		warn_at(sink, NULL,
			"annotation service.kubernetes.io/topology-aware-hints is deprecated, "
			"please use "
			"service.kubernetes.io/topology-mode instead");
	}
	if (headless) {
		if (spec->load_balancer_ip.n) {
			warn_at(sink, NULL, "spec.loadBalancerIP is ignored for headless services");
		}
		if (spec->external_ips.n) {
			warn_at(sink, NULL, "spec.externalIPs is ignored for headless services");
		}
		if (!str_is(spec->session_affinity, "None")) {
			warn_at(sink, NULL,
				"spec.SessionAffinity is ignored for headless services");
		}
	} else if (spec->external_ips.n && !service_is_type(s, "ExternalName")) {
		warn_at(sink, NULL,
			"spec.externalIPs is deprecated and may no longer be implemented in some "
			"clusters");
	}
	if (service_is_type(s, "ExternalName") && spec->external_ips.n) {
		warn_at(sink, NULL,
			"spec.externalIPs is ignored when spec.type is \"ExternalName\"");
	}
	if (!service_is_type(s, "ExternalName") && spec->external_name.n) {
		warn_at(sink, NULL,
			"spec.externalName is ignored when spec.type is not \"ExternalName\"");
	}
	if (spec->traffic_distribution && str_is(*spec->traffic_distribution, "PreferClose")) {
		warn_at(sink, NULL,
			"spec.trafficDistribution: \"PreferClose\" is deprecated; use "
			"\"PreferSameZone\"");
	}
}

static const struct strategy list[] = {
	{
		.resource = &resource_core_services,
		.name = NAME_DNS_LABEL, /* upstream since v1.36; before, it had to begin with a letter */
		.create_on_update = true,
		.set_defaults = service_set_defaults,
		.prepare_create = service_prepare_create,
		.prepare_update = service_prepare_update,
		.validate = service_validate,
		.validate_status = service_validate_status,
		.warn = service_warn,
	},
};

const struct strategy_list strategies_core_service = {list, ARRAY_LEN(list)};
