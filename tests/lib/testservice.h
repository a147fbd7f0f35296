/* SPDX-License-Identifier: Apache-2.0 */
/* tests/lib/testservice.h: Services and EndpointSlices in one line. The text form of a slice is one word per endpoint, "ADDRESS[@NODE][!][~]":
 * ! is not ready, ~ is terminating but serving. Objects live in the arena. */
#pragma once
#include "base/arena.h"
#include "types/core_v1.h"
#include "types/discovery_v1.h"

struct service_spec {
	const char *name, *type, *ip; /* defaults: ClusterIP, no address */
	const char *protocol;
	int port, node_port;
	const char *external_ip, *balancer_ip, *ranges; /* ranges: separated by commas */
	const char *external_policy, *internal_policy;
	int affinity_sec;
	int64_t created_sec;
};

static inline struct str_list testservice_list(struct arena *a, const char *text)
{
	struct str_list list = {0};
	struct str rest = str_of(text), head;

	list.p = ARENA_ARRAY(a, 16, struct str);
	while (text && str_cut(&rest, ',', &head)) {
		list.p[list.n++] = head;
	}
	return list;
}

static inline struct core_service *testservice_make(struct arena *a, struct service_spec spec)
{
	struct core_service *s = ARENA_NEW(a, struct core_service);
	struct core_service_port *port = ARENA_NEW(a, struct core_service_port);

	s->metadata.name = str_of(spec.name);
	s->metadata.namespace = STR("default");
	s->metadata.creation_timestamp = (struct timestamp){.sec = spec.created_sec, .set = true};
	s->spec.type = str_of(spec.type ? spec.type : "ClusterIP");
	s->spec.cluster_ip = str_of(spec.ip);
	s->spec.cluster_ips = testservice_list(a, spec.ip);
	s->spec.external_ips = testservice_list(a, spec.external_ip);
	s->spec.load_balancer_source_ranges = testservice_list(a, spec.ranges);
	s->spec.external_traffic_policy = str_of(spec.external_policy);
	if (spec.internal_policy) {
		s->spec.internal_traffic_policy = ARENA_NEW(a, struct str);
		*s->spec.internal_traffic_policy = str_of(spec.internal_policy);
	}
	if (spec.affinity_sec) {
		s->spec.session_affinity = STR("ClientIP");
		s->spec.session_affinity_config = ARENA_NEW(a, struct core_session_affinity_config);
		s->spec.session_affinity_config->client_ip =
			ARENA_NEW(a, struct core_client_ip_config);
		s->spec.session_affinity_config->client_ip->timeout_seconds = ARENA_NEW(a, int32_t);
		*s->spec.session_affinity_config->client_ip->timeout_seconds = spec.affinity_sec;
	}
	if (spec.balancer_ip) {
		s->status.load_balancer.ingress.p = ARENA_NEW(a, struct core_load_balancer_ingress);
		s->status.load_balancer.ingress.n = 1;
		s->status.load_balancer.ingress.p[0].ip = str_of(spec.balancer_ip);
	}
	*port = (struct core_service_port){.protocol =
						   str_of(spec.protocol ? spec.protocol : "TCP"),
					   .port = spec.port,
					   .node_port = spec.node_port};
	s->spec.ports.p = port;
	s->spec.ports.n = 1;
	return s;
}

static inline bool *testservice_flag(struct arena *a, bool value)
{
	bool *flag = ARENA_NEW(a, bool);
	*flag = value;
	return flag;
}

static inline struct discovery_endpoint_slice *testservice_slice(struct arena *a,
								 const char *service,
								 const char *protocol, int port,
								 const char *endpoints)
{
	struct discovery_endpoint_slice *s = ARENA_NEW(a, struct discovery_endpoint_slice);
	struct discovery_endpoint_port *p = ARENA_NEW(a, struct discovery_endpoint_port);
	struct str_pair *label = ARENA_NEW(a, struct str_pair);
	struct str rest = str_of(endpoints), word;

	label->key = STR("kubernetes.io/service-name");
	label->value = str_of(service);
	s->metadata.labels.p = label;
	s->metadata.labels.n = 1;
	s->metadata.name = arena_printf(a, "%s-abc", service);
	s->metadata.namespace = STR("default");
	s->address_type = STR("IPv4");
	p->protocol = ARENA_NEW(a, struct str);
	*p->protocol = str_of(protocol);
	p->port = ARENA_NEW(a, int32_t);
	*p->port = port;
	s->ports.p = p;
	s->ports.n = 1;
	s->endpoints.p = ARENA_ARRAY(a, strlen(endpoints) / 2 + 1, struct discovery_endpoint);
	while (str_cut(&rest, ' ', &word)) {
		struct discovery_endpoint *e = &s->endpoints.p[s->endpoints.n];
		bool terminating = str_has_suffix(word, STR("~"));
		word.n -= terminating;
		bool unready = terminating || str_has_suffix(word, STR("!"));
		word.n -= unready && !terminating;
		e->conditions.ready = testservice_flag(a, !unready);
		e->conditions.serving = testservice_flag(a, !unready || terminating);
		e->conditions.terminating = testservice_flag(a, terminating);
		e->addresses.p = ARENA_NEW(a, struct str);
		if (!str_cut(&word, '@', e->addresses.p) || e->addresses.p->n == 0) {
			continue;
		}
		e->addresses.n = 1;
		if (word.p) {
			e->node_name = ARENA_NEW(a, struct str);
			*e->node_name = word;
		}
		s->endpoints.n++;
	}
	return s;
}
