/* SPDX-License-Identifier: Apache-2.0 */
/* NetworkPolicies. */
#include "rules/check.h"
#include "rules/cidr.h"
#include "rules/metadata.h"
#include "rules/strategy.h"
#include "types/types.h"

static void policy_defaults(struct arena *a, void *obj)
{
	struct networking_network_policy_spec *spec =
		&((struct networking_network_policy *)obj)->spec;
	struct str *p;

	if (spec->policy_types.n) {
		return;
	}
	p = ARENA_ARRAY(a, 2, struct str);
	p[0] = STR("Ingress");
	p[1] = STR("Egress");
	spec->policy_types = (struct str_list){p, spec->egress.n ? 2 : 1};
}

static void check_policy_port(struct field_errors *errs, const struct path *at,
			      const struct networking_network_policy_port *p)
{
	const struct path *end = AT(at, "endPort");

	if (p->port) {
		check_port_or_name(errs, AT(at, "port"), *p->port);
	}
	if (!p->end_port) {
		return;
	}
	if (!p->port) {
		field_invalid(errs, end, field_int(*p->end_port),
			      "may not be specified when `port` is not specified");
	} else if (p->port->kind == IOS_STRING) {
		field_invalid(errs, end, field_int(*p->end_port),
			      "may not be specified when `port` is non-numeric");
	} else {
		if (*p->end_port < p->port->num) {
			field_invalid(errs, end, field_int(*p->end_port),
				      "must be greater than or equal to `port`");
		}
		check_port(errs, end, *p->end_port);
	}
}

static void check_block(struct field_errors *errs, const struct path *at,
			const struct networking_ip_block *block)
{
	struct cidr whole;
	struct cidr part;

	if (!block->cidr.n) {
		return; /* the table has said that it is required */
	}
	check_cidr(errs, AT(at, "cidr"), block->cidr);
	if (cidr_parse_sloppy(block->cidr, &whole) < 0) {
		return;
	}
	for (size_t i = 0; i < block->except.n; i++) {
		const struct path *item = AT_INDEX(AT(at, "except"), i);

		check_cidr(errs, item, block->except.p[i]);
		if (cidr_parse_sloppy(block->except.p[i], &part) == 0 &&
		    (!cidr_contains(&whole, &part.base) || part.bits <= whole.bits)) {
			field_invalid(errs, item, field_str(block->except.p[i]),
				      "must be a strict subset of `cidr`");
		}
	}
}

static void check_peer(struct field_errors *errs, const struct path *at,
		       const struct networking_network_policy_peer *peer)
{
	validate_label_selector(errs, AT(at, "podSelector"), peer->pod_selector);
	validate_label_selector(errs, AT(at, "namespaceSelector"), peer->namespace_selector);
	if (peer->ip_block) {
		check_block(errs, AT(at, "ipBlock"), peer->ip_block);
		if (peer->pod_selector || peer->namespace_selector) {
			field_forbidden(errs, at, "may not specify both ipBlock and another peer");
		}
	} else if (!peer->pod_selector && !peer->namespace_selector) {
		field_required(errs, at, "must specify a peer");
	}
}

static void policy_validate(struct field_errors *errs, const void *obj, const void *old UNUSED)
{
	const struct networking_network_policy_spec *spec =
		&((const struct networking_network_policy *)obj)->spec;
	const struct path *at = AT(NULL, "spec");

	validate_label_selector(errs, AT(at, "podSelector"), &spec->pod_selector);
	for (size_t i = 0; i < spec->ingress.n; i++) {
		const struct path *rule = AT_INDEX(AT(at, "ingress"), i);

		for (size_t j = 0; j < spec->ingress.p[i].ports.n; j++) {
			check_policy_port(errs, AT_INDEX(AT(rule, "ports"), j),
					  &spec->ingress.p[i].ports.p[j]);
		}
		for (size_t j = 0; j < spec->ingress.p[i].from.n; j++) {
			check_peer(errs, AT_INDEX(AT(rule, "from"), j),
				   &spec->ingress.p[i].from.p[j]);
		}
	}
	for (size_t i = 0; i < spec->egress.n; i++) {
		const struct path *rule = AT_INDEX(AT(at, "egress"), i);

		for (size_t j = 0; j < spec->egress.p[i].ports.n; j++) {
			check_policy_port(errs, AT_INDEX(AT(rule, "ports"), j),
					  &spec->egress.p[i].ports.p[j]);
		}
		for (size_t j = 0; j < spec->egress.p[i].to.n; j++) {
			check_peer(errs, AT_INDEX(AT(rule, "to"), j), &spec->egress.p[i].to.p[j]);
		}
	}
	if (spec->policy_types.n > 2) {
		field_invalid(errs, AT(at, "policyTypes"), strings_json(errs, &spec->policy_types),
			      "may not specify more than two policyTypes");
	}
}

static const struct strategy list[] = {
	{
		.resource = &resource_networking_networkpolicies,
		.generation = true,
		.set_defaults = policy_defaults,
		.validate = policy_validate,
	},
};

const struct strategy_list strategies_network_policy = {list, ARRAY_LEN(list)};
