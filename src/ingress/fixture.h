/* SPDX-License-Identifier: Apache-2.0 */
/* ingress/fixture.h: API objects for the tests of this directory, from short case tables. All memory is the arena's. */
#pragma once
#include "base/arena.h"
#include "types/core_v1.h"
#include "types/discovery_v1.h"
#include "types/networking_v1.h"

struct path_case {
	const char *host, *path, *type; /* type NULL: Prefix */
	const char *service;
	int port; /* 0: by name */
	const char *port_name;
};

struct ingress_case {
	const char *ns, *name; /* NULL: default, web */
	int64_t age;	       /* creation time */
	const char *class_name;
	const char *annotations[16][2];
	struct path_case paths[8];
	const char *default_service; /* port 80 */
	const char *tls_host, *tls_secret;
	bool tls_everything; /* a TLS section without hosts */
	const char *address; /* in its status */
	const char *version;
};

static inline struct networking_ingress_backend make_backend(struct arena *a, const char *service,
							     int port, const char *port_name)
{
	struct networking_ingress_service_backend *s =
		ARENA_NEW(a, struct networking_ingress_service_backend);

	s->name = str_of(service);
	s->port.name = str_of(port_name);
	s->port.number = port_name ? 0 : port ? port : 80;
	return (struct networking_ingress_backend){.service = s};
}

static inline struct str *make_str(struct arena *a, const char *text)
{
	struct str *s = ARENA_NEW(a, struct str);

	*s = str_of(text);
	return s;
}

static inline void make_rules(struct arena *a, const struct ingress_case *c,
			      struct networking_ingress *in)
{
	in->spec.rules.p = arena_alloc_array(a, ARRAY_LEN(c->paths), sizeof(*in->spec.rules.p));
	for (size_t i = 0; i < ARRAY_LEN(c->paths) && c->paths[i].path; i++) {
		struct networking_ingress_rule *rule = &in->spec.rules.p[in->spec.rules.n++];

		rule->host = str_of(c->paths[i].host);
		rule->http = ARENA_NEW(a, struct networking_http_ingress_rule_value);
		rule->http->paths.p = arena_alloc_array(a, 1, sizeof(*rule->http->paths.p));
		rule->http->paths.n = 1;
		rule->http->paths.p[0].path = str_of(c->paths[i].path);
		rule->http->paths.p[0].path_type =
			make_str(a, c->paths[i].type ? c->paths[i].type : "Prefix");
		rule->http->paths.p[0].backend = make_backend(
			a, c->paths[i].service, c->paths[i].port, c->paths[i].port_name);
	}
}

static inline struct networking_ingress *make_ingress(struct arena *a, const struct ingress_case *c)
{
	struct networking_ingress *in = ARENA_NEW(a, struct networking_ingress);

	in->metadata.namespace = str_of(c->ns ? c->ns : "default");
	in->metadata.name = str_of(c->name ? c->name : "web");
	in->metadata.uid = STR("uid");
	in->metadata.resource_version = str_of(c->version ? c->version : "1");
	in->metadata.creation_timestamp.sec = c->age;
	in->metadata.annotations.p = ARENA_ARRAY(a, ARRAY_LEN(c->annotations) + 1, struct str_pair);
	for (size_t i = 0; i < ARRAY_LEN(c->annotations) && c->annotations[i][0]; i++) {
		in->metadata.annotations.p[in->metadata.annotations.n++] = (struct str_pair){
			str_of(c->annotations[i][0]), str_of(c->annotations[i][1])};
	}
	if (c->class_name) {
		in->spec.ingress_class_name = make_str(a, c->class_name);
	}
	make_rules(a, c, in);
	if (c->default_service) {
		in->spec.default_backend = ARENA_NEW(a, struct networking_ingress_backend);
		*in->spec.default_backend = make_backend(a, c->default_service, 80, NULL);
	}
	if (c->tls_host || c->tls_everything) {
		in->spec.tls.p = arena_alloc_array(a, 1, sizeof(*in->spec.tls.p));
		in->spec.tls.n = 1;
		in->spec.tls.p[0].secret_name = str_of(c->tls_secret);
		in->spec.tls.p[0].hosts.p = make_str(a, c->tls_host);
		in->spec.tls.p[0].hosts.n = c->tls_host ? 1 : 0;
	}
	if (c->address) {
		in->status.load_balancer.ingress.p =
			arena_alloc_array(a, 1, sizeof(*in->status.load_balancer.ingress.p));
		in->status.load_balancer.ingress.n = 1;
		in->status.load_balancer.ingress.p[0].ip = str_of(c->address);
	}
	return in;
}

static inline struct core_service *make_service(struct arena *a, const char *ns, const char *name,
						int port, const char *port_name)
{
	struct core_service *s = ARENA_NEW(a, struct core_service);

	s->metadata.namespace = str_of(ns);
	s->metadata.name = str_of(name);
	s->spec.type = STR("ClusterIP");
	s->spec.ports.p = arena_alloc_array(a, 1, sizeof(*s->spec.ports.p));
	s->spec.ports.n = 1;
	s->spec.ports.p[0].port = port;
	s->spec.ports.p[0].name = str_of(port_name);
	return s;
}

/* flags of an endpoint: "r" ready, "t" terminating but serving, "" not ready */
struct endpoint_case {
	const char *address, *flags;
};

/* Up to eight endpoints, ended by one without address. */
static inline struct discovery_endpoint_slice *make_slice(struct arena *a, const char *ns,
							  const char *name, const char *service,
							  int port, const char *port_name,
							  const struct endpoint_case *endpoints)
{
	struct discovery_endpoint_slice *s = ARENA_NEW(a, struct discovery_endpoint_slice);

	s->metadata.namespace = str_of(ns);
	s->metadata.name = str_of(name);
	s->metadata.labels.p = ARENA_NEW(a, struct str_pair);
	s->metadata.labels.p[0] =
		(struct str_pair){STR("kubernetes.io/service-name"), str_of(service)};
	s->metadata.labels.n = 1;
	s->address_type = STR("IPv4");
	s->ports.p = arena_alloc_array(a, 1, sizeof(*s->ports.p));
	s->ports.n = 1;
	s->ports.p[0].name = make_str(a, port_name ? port_name : "");
	s->ports.p[0].port = ARENA_NEW(a, int32_t);
	*s->ports.p[0].port = port;
	s->endpoints.p = arena_alloc_array(a, 8, sizeof(*s->endpoints.p));
	for (size_t i = 0; i < 8 && endpoints[i].address; i++) {
		struct discovery_endpoint *e = &s->endpoints.p[s->endpoints.n++];
		bool *flags = ARENA_ARRAY(a, 3, bool);

		e->addresses.p = make_str(a, endpoints[i].address);
		e->addresses.n = 1;
		flags[0] = endpoints[i].flags[0] == 'r';
		flags[1] = endpoints[i].flags[0] != '\0';
		flags[2] = endpoints[i].flags[0] == 't';
		e->conditions.ready = &flags[0];
		e->conditions.serving = &flags[1];
		e->conditions.terminating = &flags[2];
	}
	return s;
}
