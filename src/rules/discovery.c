/* SPDX-License-Identifier: Apache-2.0 */
/* discovery.k8s.io/v1 */
#include "rules/check.h"
#include "rules/cidr.h"
#include "rules/metadata.h"
#include "rules/strategy.h"
#include "types/types.h"

enum {
	ADDRESSES_MAX = 100,
	PORTS_MAX = 20000,
	ENDPOINTS_MAX = 1000,
	TOPOLOGY_MAX = 16,
	HINTS_MAX = 8
};

static void check_address(struct field_errors *errs, const struct path *at, struct str type,
			  struct str address)
{
	struct addr ip;
	bool v4 = str_is(type, "IPv4");

	if (str_is(type, "FQDN")) {
		check_full_domain(errs, at, address);
		return;
	}
	if (!v4 && !str_is(type, "IPv6")) {
		return;
	}
	if (addr_parse_sloppy(address, &ip) < 0 || addr_is_v4(&ip) != v4) {
		field_invalid(errs, at, field_str(address), "must be a valid %s address",
			      v4 ? "IPv4" : "IPv6");
		return;
	}
	check_ordinary_ip(errs, at, address);
}

static void check_hints(struct field_errors *errs, const struct path *at,
			const struct discovery_endpoint_hints *hints)
{
	const struct path *zones = AT(at, "forZones");
	struct str_set names CLEANUP_STR_SET = {0};

	if (hints->for_zones.n > HINTS_MAX) {
		field_too_many(errs, zones, hints->for_zones.n, HINTS_MAX);
		return;
	}
	for (size_t i = 0; i < hints->for_zones.n; i++) {
		struct str name = hints->for_zones.p[i].name;

		if (!str_set_add(&names, name)) {
			field_duplicate(errs, AT(AT_INDEX(zones, i), "name"), field_str(name));
		}
		check_name(errs, AT(AT_INDEX(zones, i), "name"), name, label_value_faults);
	}
}

static void check_endpoint(struct field_errors *errs, const struct path *at, struct str type,
			   const struct discovery_endpoint *e)
{
	const struct path *addresses = AT(at, "addresses");

	if (!e->addresses.n) {
		field_required(errs, addresses, "must contain at least 1 address");
	} else if (e->addresses.n > ADDRESSES_MAX) {
		field_too_many(errs, addresses, e->addresses.n, ADDRESSES_MAX);
	}
	for (size_t i = 0; i < e->addresses.n; i++) {
		check_address(errs, AT_INDEX(addresses, i), type, e->addresses.p[i]);
	}
	if (e->node_name) {
		check_name(errs, AT(at, "nodeName"), *e->node_name, dns_subdomain_faults);
	}
	if (e->deprecated_topology.n > TOPOLOGY_MAX) {
		field_too_many(errs, AT(at, "deprecatedTopology"), e->deprecated_topology.n,
			       TOPOLOGY_MAX);
	}
	validate_labels(errs, AT(at, "deprecatedTopology"), &e->deprecated_topology);
	if (e->hostname) {
		check_name(errs, AT(at, "hostname"), *e->hostname, dns_label_faults);
	}
	if (e->hints) {
		check_hints(errs, AT(at, "hints"), e->hints);
	}
}

static void check_ports(struct field_errors *errs, const struct path *at,
			const struct discovery_endpoint_slice *s)
{
	struct str_set names CLEANUP_STR_SET = {0};

	if (s->ports.n > PORTS_MAX) {
		field_too_many(errs, at, s->ports.n, PORTS_MAX);
		return;
	}
	for (size_t i = 0; i < s->ports.n; i++) {
		const struct discovery_endpoint_port *p = &s->ports.p[i];
		const struct path *item = AT_INDEX(at, i);
		struct str name = p->name ? *p->name : STR("");

		if (name.n) {
			check_name(errs, AT(item, "name"), name, dns_label_faults);
		}
		if (!str_set_add(&names, name)) {
			field_duplicate(errs, AT(item, "name"), field_str(name));
		}
		if (p->app_protocol) {
			check_name(errs, AT(item, "appProtocol"), *p->app_protocol,
				   qualified_name_faults);
		}
	}
}

static void slice_validate(struct field_errors *errs, const void *obj, const void *old UNUSED)
{
	const struct discovery_endpoint_slice *s = obj;
	const struct path *at = AT(NULL, "endpoints");

	if (s->endpoints.n > ENDPOINTS_MAX) {
		field_too_many(errs, at, s->endpoints.n, ENDPOINTS_MAX);
	} else {
		for (size_t i = 0; i < s->endpoints.n; i++) {
			check_endpoint(errs, AT_INDEX(at, i), s->address_type, &s->endpoints.p[i]);
		}
	}
	check_ports(errs, AT(NULL, "ports"), s);
}

static const struct strategy list[] = {
	{.resource = &resource_discovery_endpointslices,
	 .generation = true,
	 .validate = slice_validate},
};

const struct strategy_list strategies_discovery = {list, ARRAY_LEN(list)};
