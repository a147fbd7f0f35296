/* SPDX-License-Identifier: Apache-2.0 */
/* networking.k8s.io/v1 but NetworkPolicy. */
#include "object/object.h"
#include "rules/check.h"
#include "rules/cidr.h"
#include "rules/selector.h"
#include "rules/strategy.h"
#include "types/types.h"

enum { CONTROLLER_MAX = 250 };

#define OLD_CLASS "kubernetes.io/ingress.class"

/* ---- Ingress ---- */

static void check_typed_reference(struct field_errors *errs, const struct path *at,
				  const struct str *group, struct str kind, struct str name)
{
	if (group) {
		check_name(errs, AT(at, "apiGroup"), *group, dns_subdomain_faults);
	}
	if (kind.n) {
		check_name(errs, AT(at, "kind"), kind, path_segment_faults);
	}
	if (name.n) {
		check_name(errs, AT(at, "name"), name, path_segment_faults);
	}
}

static void check_service_backend(struct field_errors *errs, const struct path *at,
				  const struct networking_ingress_service_backend *s)
{
	const struct path *service = AT(at, "service");
	const struct path *port = AT(service, "port");

	if (s->name.n) {
		check_name(errs, AT(service, "name"), s->name, dns_label_faults);
	}
	if (s->port.name.n && s->port.number) {
		field_invalid(errs, at, field_str(STR("")),
			      "cannot set both port name & port number");
	} else if (s->port.name.n) {
		check_name(errs, AT(port, "name"), s->port.name, port_name_faults);
	} else if (s->port.number) {
		check_port(errs, AT(port, "number"), s->port.number);
	} else {
		field_required(errs, at, "port name or number is required");
	}
}

static void check_backend(struct field_errors *errs, const struct path *at,
			  const struct networking_ingress_backend *b)
{
	if (b->resource && b->service) {
		field_invalid(errs, at, field_str(STR("")),
			      "cannot set both resource and service backends");
	} else if (b->resource) {
		check_typed_reference(errs, AT(at, "resource"), b->resource->api_group,
				      b->resource->kind, b->resource->name);
	} else if (b->service) {
		check_service_backend(errs, at, b->service);
	} else {
		field_invalid(errs, at, field_str(STR("")),
			      "resource or service backend is required");
	}
}

static void check_request_path(struct field_errors *errs, const struct path *at, struct str type,
			       struct str path)
{
	static const char *const inside[] = {"//", "/./", "/../", "%2f", "%2F"};
	static const char *const ends[] = {"/..", "/."};
	bool exact = str_is(type, "Exact") || str_is(type, "Prefix");

	if ((exact || path.n) && !str_has_prefix(path, STR("/"))) {
		field_invalid(errs, at, field_str(path), "must be an absolute path");
	}
	for (size_t i = 0; exact && i < ARRAY_LEN(inside); i++) {
		if (str_contains(path, str_of(inside[i]))) {
			field_invalid(errs, at, field_str(path), "must not contain '%s'",
				      inside[i]);
		}
	}
	for (size_t i = 0; exact && i < ARRAY_LEN(ends); i++) {
		if (str_has_suffix(path, str_of(ends[i]))) {
			field_invalid(errs, at, field_str(path), "cannot end with '%s'", ends[i]);
		}
	}
}

static void check_host(struct field_errors *errs, const struct path *at, struct str host)
{
	struct addr ip;

	if (addr_parse_sloppy(host, &ip) == 0) {
		field_invalid(errs, at, field_str(host), "must be a DNS name, not an IP address");
	}
	check_name(errs, at, host,
		   str_find_char(host, '*') >= 0 ? wildcard_dns_faults : dns_subdomain_faults);
}

static void check_rule(struct field_errors *errs, const struct path *at,
		       const struct networking_ingress_rule *rule)
{
	const struct path *paths = AT(AT(at, "http"), "paths");

	if (rule->host.n) {
		check_host(errs, AT(at, "host"), rule->host);
	}
	if (!rule->http) {
		return;
	}
	if (!rule->http->paths.n) {
		field_required(errs, paths, NULL);
	}
	for (size_t i = 0; i < rule->http->paths.n; i++) {
		const struct networking_http_ingress_path *p = &rule->http->paths.p[i];
		const struct path *item = AT_INDEX(paths, i);

		if (!p->path_type) {
			continue; /* the table has said that it is required */
		}
		check_request_path(errs, AT(item, "path"), *p->path_type, p->path);
		check_backend(errs, AT(item, "backend"), &p->backend);
	}
}

static void check_tls(struct field_errors *errs, const struct path *at,
		      const struct networking_ingress_tls *tls)
{
	for (size_t i = 0; i < tls->hosts.n; i++) {
		struct str host = tls->hosts.p[i];

		check_name(errs, AT_INDEX(AT(at, "hosts"), i), host,
			   str_find_char(host, '*') >= 0 ? wildcard_dns_faults
							 : dns_subdomain_faults);
	}
	if (tls->secret_name.n) {
		check_name(errs, AT(at, "secretName"), tls->secret_name, dns_subdomain_faults);
	}
}

static void ingress_validate(struct field_errors *errs, const void *obj, const void *old)
{
	const struct networking_ingress *ingress = obj;
	const struct networking_ingress_spec *spec = &ingress->spec;
	const struct str *class = str_map_find(&ingress->metadata.annotations, STR(OLD_CLASS));
	const struct path *at = AT(NULL, "spec");

	if (!spec->rules.n && !spec->default_backend) {
		field_invalid(errs, at, field_json(STR("[]")),
			      "either `defaultBackend` or `rules` must be specified");
	}
	if (spec->default_backend) {
		check_backend(errs, AT(at, "defaultBackend"), spec->default_backend);
	}
	for (size_t i = 0; i < spec->rules.n; i++) {
		check_rule(errs, AT_INDEX(AT(at, "rules"), i), &spec->rules.p[i]);
	}
	for (size_t i = 0; i < spec->tls.n; i++) {
		check_tls(errs, AT_INDEX(AT(at, "tls"), i), &spec->tls.p[i]);
	}
	if (spec->ingress_class_name) {
		check_name(errs, AT(at, "ingressClassName"), *spec->ingress_class_name,
			   dns_subdomain_faults);
	}
	if (!old && class && spec->ingress_class_name &&
	    !str_eq(*class, *spec->ingress_class_name)) {
		field_invalid(errs, AT(AT(NULL, "annotations"), OLD_CLASS), field_str(*class),
			      "must match `ingressClassName` when both are specified");
	}
}

static void ingress_validate_status(struct field_errors *errs, const void *obj,
				    const void *old UNUSED)
{
	const struct networking_ingress_load_balancer_status *s =
		&((const struct networking_ingress *)obj)->status.load_balancer;
	const struct path *at = AT(AT(AT(NULL, "status"), "loadBalancer"), "ingress");

	for (size_t i = 0; i < s->ingress.n; i++) {
		const struct path *item = AT_INDEX(at, i);

		if (s->ingress.p[i].ip.n) {
			check_ip(errs, AT(item, "ip"), s->ingress.p[i].ip);
		}
		if (s->ingress.p[i].hostname.n) {
			check_host(errs, AT(item, "hostname"), s->ingress.p[i].hostname);
		}
	}
}

static void ingress_warn(const struct warn_sink *sink, const void *obj, const void *old)
{
	const struct networking_ingress *ingress = obj;

	if (!old && str_map_find(&ingress->metadata.annotations, STR(OLD_CLASS))) {
		warn_at(sink, NULL,
			"annotation \"%s\" is deprecated, please use 'spec.ingressClassName' "
			"instead",
			OLD_CLASS);
	}
}

/* ---- IngressClass ---- */

static void class_validate(struct field_errors *errs, const void *obj, const void *old UNUSED)
{
	static const char *const scopes[] = {"Cluster", "Namespace", NULL};
	const struct networking_ingress_class_spec *spec =
		&((const struct networking_ingress_class *)obj)->spec;
	const struct networking_ingress_class_parameters_reference *p = spec->parameters;
	const struct path *at = AT(NULL, "spec");
	const struct path *place = AT(at, "parameters");

	if (spec->controller.n > CONTROLLER_MAX) {
		field_too_long(errs, AT(at, "controller"), CONTROLLER_MAX);
	}
	check_domain_prefixed_path(errs, AT(at, "controller"), spec->controller);
	if (!p) {
		return;
	}
	check_typed_reference(errs, place, p->api_group, p->kind, p->name);
	check_one_of(errs, AT(place, "scope"), p->scope, scopes);
	if (p->scope && str_is(*p->scope, "Namespace")) {
		if (!p->namespace) {
			field_required(errs, AT(place, "namespace"),
				       "`parameters.scope` is set to 'Namespace'");
		} else {
			check_name(errs, AT(place, "namespace"), *p->namespace, dns_label_faults);
		}
	} else if (p->scope && str_is(*p->scope, "Cluster") && p->namespace) {
		field_forbidden(errs, AT(place, "namespace"),
				"`parameters.scope` is set to 'Cluster'");
	}
}

/* ---- IPAddress, ServiceCIDR ---- */

static void address_validate(struct field_errors *errs, const void *obj, const void *old UNUSED)
{
	const struct networking_parent_reference *p =
		((const struct networking_ip_address *)obj)->spec.parent_ref;
	const struct path *at = AT(AT(NULL, "spec"), "parentRef");

	if (!p) {
		return;
	}
	if (p->group.n) {
		check_name(errs, AT(at, "group"), p->group, dns_subdomain_faults);
	}
	if (p->resource.n) {
		check_name(errs, AT(at, "resource"), p->resource, path_segment_faults);
	}
	if (p->name.n) {
		check_name(errs, AT(at, "name"), p->name, path_segment_faults);
	}
	if (p->namespace.n) {
		check_name(errs, AT(at, "namespace"), p->namespace, path_segment_faults);
	}
}

static void check_cidr_change(struct field_errors *errs, const struct path *at,
			      const struct str_list *now, const struct str_list *before)
{
	bool grows = before->n == 1 && now->n == 2;

	if (now->n != before->n && !grows) {
		field_invalid(errs, at, strings_json(errs, now), "field is immutable");
		return;
	}
	for (size_t i = 0; i < before->n; i++) {
		if (!str_eq(now->p[i], before->p[i])) {
			field_invalid(errs, AT_INDEX(at, i), field_str(now->p[i]),
				      "field is immutable");
		}
	}
}

static void service_cidr_validate(struct field_errors *errs, const void *obj, const void *old)
{
	const struct str_list *cidrs = &((const struct networking_service_cidr *)obj)->spec.cidrs;
	const struct path *at = AT(AT(NULL, "spec"), "cidrs");

	if (!cidrs->n) {
		field_required(errs, at, "at least one CIDR required");
	} else if (cidrs->n > 2) {
		field_invalid(errs, at, strings_json(errs, cidrs), "may only hold up to 2 values");
	}
	for (size_t i = 0; i < cidrs->n && cidrs->n <= 2; i++) {
		check_cidr(errs, AT_INDEX(at, i), cidrs->p[i]);
	}
	if (cidrs->n == 2 &&
	    (str_find_char(cidrs->p[0], ':') < 0) == (str_find_char(cidrs->p[1], ':') < 0)) {
		field_invalid(errs, at, strings_json(errs, cidrs),
			      "may specify no more than one IP for each IP family, i.e "
			      "192.168.0.0/24 and "
			      "2001:db8::/64");
	}
	if (old) {
		check_cidr_change(errs, at, cidrs,
				  &((const struct networking_service_cidr *)old)->spec.cidrs);
	}
}

static const struct strategy list[] = {
	{
		.resource = &resource_networking_ingresses,
		.generation = true,
		.validate = ingress_validate,
		.validate_status = ingress_validate_status,
		.warn = ingress_warn,
	},
	{.resource = &resource_networking_ingressclasses,
	 .generation = true,
	 .validate = class_validate},
	{.resource = &resource_networking_ipaddresses,
	 .name = NAME_IP,
	 .validate = address_validate},
	{.resource = &resource_networking_servicecidrs, .validate = service_cidr_validate},
};

const struct strategy_list strategies_networking = {list, ARRAY_LEN(list)};
