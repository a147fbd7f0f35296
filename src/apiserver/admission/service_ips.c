/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses of Services: ClusterIP and node ports are given out, or reserved when a client chose them. */
#include "apiserver/service_ips.h"

#include "apiserver/admission/admission.h"

static struct meta_status *refuse(struct write *w, const struct path *at, struct field_value value,
				  const char *why)
{
	struct request *r = w->r;
	struct field_errors errs = {.arena = &r->arena};

	field_invalid(&errs, at, value, "%s", why);
	service_ips_restore(r->api->service_ips, arena_printf(&r->arena, "%.*s/%.*s",
							      STR_ARG(w->obj->metadata.namespace),
							      STR_ARG(w->obj->metadata.name)));
	return status_invalid(&r->arena, STR(""), STR("Service"), w->obj->metadata.name, &errs);
}

static struct meta_status *give_ip(struct write *w, struct core_service *svc, struct str owner)
{
	struct request *r = w->r;
	struct path spec = path_field(NULL, STR("spec"));
	struct path at = path_field(&spec, STR("clusterIPs"));
	char ip[16];
	int code;

	if (str_is(svc->spec.type, "ExternalName") || str_is(svc->spec.cluster_ip, "None")) {
		return NULL;
	}
	if (svc->spec.cluster_ip.n) {
		struct str shown =
			arena_printf(&r->arena, "[\"%.*s\"]", STR_ARG(svc->spec.cluster_ip));

		code = service_ips_take(r->api->service_ips, svc->spec.cluster_ip, owner);
		if (code == 0) {
			return NULL;
		}
		return refuse(w, &at, field_json(shown),
			      arena_cstr(&r->arena,
					 arena_printf(&r->arena, "failed to allocate IP %.*s: %s",
						      STR_ARG(svc->spec.cluster_ip),
						      code == ERR_EXISTS
							      ? "provided IP is already allocated"
							      : "the provided network does not "
								"match the current range")));
	}
	if (service_ips_take_any(r->api->service_ips, owner, ip) < 0) {
		return status_internal(&r->arena,
				       STR("failed to allocate a serviceIP: range is full"));
	}
	svc->spec.cluster_ip = arena_str(&r->arena, str_of(ip));
	svc->spec.cluster_ips.p = ARENA_NEW(&r->arena, struct str);
	svc->spec.cluster_ips.n = 1;
	svc->spec.cluster_ips.p[0] = svc->spec.cluster_ip;
	return NULL;
}

static bool needs_node_ports(const struct core_service *svc)
{
	if (str_is(svc->spec.type, "LoadBalancer")) {
		return !svc->spec.allocate_load_balancer_node_ports ||
		       *svc->spec.allocate_load_balancer_node_ports;
	}
	return str_is(svc->spec.type, "NodePort");
}

static struct meta_status *give_ports(struct write *w, struct core_service *svc, struct str owner)
{
	struct request *r = w->r;
	struct path spec = path_field(NULL, STR("spec"));
	struct path ports = path_field(&spec, STR("ports"));

	for (size_t i = 0; i < svc->spec.ports.n; i++) {
		struct core_service_port *p = &svc->spec.ports.p[i];
		struct path item = path_index(&ports, i);
		struct path at = path_field(&item, STR("nodePort"));
		struct str protocol = p->protocol.n ? p->protocol : STR("TCP");
		int code;

		if (p->node_port) {
			code = service_ips_take_port(r->api->service_ips, p->node_port, protocol,
						     owner);
			if (code == ERR_RANGE) {
				return refuse(
					w, &at, field_int(p->node_port),
					arena_cstr(&r->arena,
						   arena_printf(&r->arena,
								"provided port is not in the valid "
								"range. The range of "
								"valid ports is %d-%d",
								r->api->config.node_port_min,
								r->api->config.node_port_max)));
			}
			if (code < 0) {
				return refuse(w, &at, field_int(p->node_port),
					      "provided port is already allocated");
			}
		} else if (needs_node_ports(svc)) {
			if (service_ips_take_any_port(r->api->service_ips, owner, protocol,
						      &p->node_port) < 0) {
				return status_internal(
					&r->arena,
					STR("failed to allocate a nodePort: range is full"));
			}
		}
	}
	return NULL;
}

/* An update without addresses keeps those it has. */
static void carry_over(struct core_service *svc, const struct core_service *old)
{
	if (!svc->spec.cluster_ip.n && !str_is(svc->spec.type, "ExternalName")) {
		svc->spec.cluster_ip = old->spec.cluster_ip;
		svc->spec.cluster_ips = old->spec.cluster_ips;
	}
	if (!needs_node_ports(svc)) {
		return;
	}
	for (size_t i = 0; i < svc->spec.ports.n; i++) {
		for (size_t j = 0; !svc->spec.ports.p[i].node_port && j < old->spec.ports.n; j++) {
			if (svc->spec.ports.p[i].port == old->spec.ports.p[j].port &&
			    str_eq(svc->spec.ports.p[i].protocol, old->spec.ports.p[j].protocol)) {
				svc->spec.ports.p[i].node_port = old->spec.ports.p[j].node_port;
			}
		}
	}
}

static void give_back(struct write *w)
{
	service_ips_restore(w->r->api->service_ips,
			    arena_printf(&w->r->arena, "%.*s/%.*s",
					 STR_ARG(w->obj->metadata.namespace),
					 STR_ARG(w->obj->metadata.name)));
}

struct meta_status *admit_service_ips(struct write *w)
{
	struct core_service *svc = (void *)w->obj;
	struct meta_status *refusal;
	struct str owner;

	if (w->r->resource != &resource_core_services ||
	    (w->kind != WRITE_CREATE && w->kind != WRITE_UPDATE) || w->r->options.dry_run) {
		return NULL;
	}
	if (w->kind == WRITE_CREATE &&
	    store_peek(w->r->api->store,
		       registry_key(&w->r->arena, w->r->resource, svc->metadata.namespace,
				    svc->metadata.name))) {
		return NULL; /* will be refused as already existing: nothing to give */
	}
	owner = arena_printf(&w->r->arena, "%.*s/%.*s", STR_ARG(svc->metadata.namespace),
			     STR_ARG(svc->metadata.name));
	if (w->old) {
		carry_over(svc, (const void *)w->old);
	}
	w->on_failure = give_back;
	refusal = give_ip(w, svc, owner);
	return refusal ? refusal : give_ports(w, svc, owner);
}
