/* SPDX-License-Identifier: Apache-2.0 */
/* Endpoints. */
#include "rules/check.h"
#include "rules/strategy.h"
#include "types/types.h"

static void check_endpoint(struct field_errors *errs, const struct path *at,
			   const struct core_endpoint_address *e)
{
	check_ip(errs, AT(at, "ip"), e->ip);
	if (e->hostname.n) {
		check_name(errs, AT(at, "hostname"), e->hostname, dns_label_faults);
	}
	if (e->node_name) {
		check_name(errs, AT(at, "nodeName"), *e->node_name, dns_subdomain_faults);
	}
	check_ordinary_ip(errs, AT(at, "ip"), e->ip);
}

static void check_endpoint_port(struct field_errors *errs, const struct path *at,
				const struct core_endpoint_port *p, bool name_required)
{
	if (p->name.n) {
		check_name(errs, AT(at, "name"), p->name, dns_label_faults);
	} else if (name_required) {
		field_required(errs, AT(at, "name"), NULL);
	}
	check_port(errs, AT(at, "port"), p->port);
	if (p->app_protocol) {
		check_name(errs, AT(at, "appProtocol"), *p->app_protocol, qualified_name_faults);
	}
}

static void endpoints_validate(struct field_errors *errs, const void *obj, const void *old UNUSED)
{
	const struct core_endpoints *e = obj;

	for (size_t i = 0; i < e->subsets.n; i++) {
		const struct core_endpoint_subset *s = &e->subsets.p[i];
		const struct path *item = AT_INDEX(AT(NULL, "subsets"), i);

		if (!s->addresses.n && !s->not_ready_addresses.n) {
			field_required(errs, item,
				       "must specify `addresses` or `notReadyAddresses`");
		}
		for (size_t j = 0; j < s->addresses.n; j++) {
			check_endpoint(errs, AT_INDEX(AT(item, "addresses"), j),
				       &s->addresses.p[j]);
		}
		for (size_t j = 0; j < s->not_ready_addresses.n; j++) {
			check_endpoint(errs, AT_INDEX(AT(item, "notReadyAddresses"), j),
				       &s->not_ready_addresses.p[j]);
		}
		for (size_t j = 0; j < s->ports.n; j++) {
			check_endpoint_port(errs, AT_INDEX(AT(item, "ports"), j), &s->ports.p[j],
					    s->ports.n > 1);
		}
	}
}

static const struct strategy list[] = {
	{.resource = &resource_core_endpoints,
	 .create_on_update = true,
	 .validate = endpoints_validate},
};

const struct strategy_list strategies_core_endpoints = {list, ARRAY_LEN(list)};
