/* SPDX-License-Identifier: Apache-2.0 */
/* dns/zone_internal.h: what zone.c (answers) and zone_state.c (what the API told) share. */
#pragma once
#include "base/list.h"
#include "base/map.h"
#include "base/vec.h"
#include "dns/zone.h"

struct zone_port {
	char *name;	/* lower case; "" for the unnamed one */
	char *protocol; /* "tcp" */
	uint16_t port;
};

struct zone_endpoint {
	uint32_t v4;
	bool ready;
	char host[DNS_LABEL_MAX + 1];
};

struct zone_slice {
	char *name;
	struct list link; /* zone_service.slices */
	VEC(struct zone_port) ports;
	VEC(struct zone_endpoint) endpoints;
};

/* A name of a headless Service: hosts are sorted by it. */
struct zone_host {
	const struct zone_endpoint *endpoint; /* in a slice */
	const struct zone_slice *slice;
};

struct zone_service {
	char *key;	     /* "ns/name", lower case */
	struct str ns, name; /* in key */
	bool exists, headless, publish_not_ready;
	bool external; /* ExternalName */
	struct dns_name target;
	VEC(uint32_t) cluster_ips;
	VEC(struct zone_port) ports;
	struct list slices;
	VEC(struct zone_host) hosts; /* those that count */
	VEC(uint32_t) addresses;     /* distinct ones of hosts */
};

/* Who is at an address: a Service's VIP, or an endpoint of a headless one. */
struct zone_pointer {
	const struct zone_service *service;
	const char *host; /* NULL: the VIP */
};

struct zone_pointers {
	uint32_t v4;
	VEC(struct zone_pointer) list;
};

struct zone {
	struct zone_opts opts;
	struct dns_name apex;
	uint8_t apex_labels;
	struct map services;   /* "ns/name" -> struct zone_service */
	struct map namespaces; /* name -> how many existing Services, as a pointer */
	struct map pointers;   /* 4 bytes -> struct zone_pointers */
	size_t n;
	struct dns_name ns_name; /* ns.dns.APEX */
	uint8_t soa[600];
	uint16_t soa_len;
};

void zone_service_free(struct zone_service *s);
void zone_pointers_free(struct zone_pointers *p);
/* Service and name of one host in it (or NULL) as a full name. False if it gets too long. */
bool zone_name_of(const struct zone *zone, const struct zone_service *s, const char *host,
		  struct dns_name *ret);
