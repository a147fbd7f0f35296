/* SPDX-License-Identifier: Apache-2.0 */
/* proxy/rules_internal.h: what rules_state.c (what was told), rules_endpoints.c (who serves) and rules.c (what that becomes) share. */
#pragma once
#include "base/list.h"
#include "base/map.h"
#include "base/vec.h"
#include "proxy/rules.h"

struct endpoint {
	uint32_t v4;
	uint16_t port;
};

struct endpoints {
	struct endpoint *p;
	size_t n, cap;
};

struct elems {
	struct rules_elem *p;
	size_t n, cap;
};

struct slice_port {
	char *name; /* "" for the unnamed one */
	uint8_t protocol;
	uint16_t port;
};

struct slice_endpoint {
	uint32_t v4;
	bool ready, serving_terminating, local;
};

struct slice {
	char *name;
	struct list link; /* service.slices */
	struct slice_port *ports;
	size_t nports;
	struct slice_endpoint *endpoints;
	size_t nendpoints;
};

struct service_port {
	char *name;
	uint8_t protocol;
	uint16_t port, node_port;
	/* In a stable order: an endpoint keeps its place as long as it lives, so that a change touches two elements and not all. */
	struct endpoints cluster, local;
};

/* Who comes first when two Services want one address and port: lower is stronger, so that nobody takes a ClusterIP by naming it as an
 * external address. */
enum frontend_class {
	FRONTEND_CLUSTER_IP,
	FRONTEND_NODE_PORT,
	FRONTEND_LOAD_BALANCER,
	FRONTEND_EXTERNAL
};

struct frontend {
	uint8_t key[8]; /* address, protocol, 0, port; address 0: a node port */
	uint8_t class;
	struct service *owner;
	size_t port; /* index into owner->ports */
};

struct service {
	char *key;    /* "ns/name" */
	bool exists;  /* false: only slices are known so far */
	bool queued;  /* to be computed: stands in rules.queue */
	bool dirty;   /* wanted counts, not applied; stands in rules.dirty unless queued */
	bool blocked; /* a stronger Service has an address and port of it */
	bool internal_local, external_local;
	uint32_t affinity_sec;
	int64_t created_sec;
	struct list link; /* rules.queue or rules.dirty */
	struct list slices;
	uint32_t *cluster_ips, *load_balancer_ips, *external_ips;
	size_t ncluster_ips, nload_balancer_ips, nexternal_ips;
	struct ip_cidr *ranges;
	size_t nranges;
	bool restricted; /* loadBalancerSourceRanges are given */
	struct service_port *ports;
	size_t nports;
	struct elems applied, wanted;
	VEC(struct frontend *) claims;
};

struct rules {
	const char *node_name;
	const struct log *log;
	struct map services;  /* "ns/name" -> struct service */
	struct map frontends; /* 8 bytes -> struct frontend */
	struct map hairpins;  /* 8 bytes -> count */
	struct list queue;    /* to be computed */
	struct list dirty;    /* computed, to be applied */
	size_t nproxied;
};

/* rules_state.c */
void service_free(struct service *s);
void service_clear_spec(struct service *s);
void rules_touch(struct rules *rules, struct service *s);

/* rules_endpoints.c: fills s->ports[i].cluster and .local from the slices. */
void service_compute_endpoints(const struct rules *rules, struct service *s,
			       struct service_port *port);
