/* SPDX-License-Identifier: Apache-2.0 */
/* dns/zone.h: the cluster's own names, from Services and EndpointSlices, after the Kubernetes DNS specification 1.1:
 *
 *   svc.ns.svc.ZONE                A of the ClusterIP, or of each ready endpoint (headless); CNAME (ExternalName); SRV of all ports
 *   host.svc.ns.svc.ZONE           A of one endpoint of a headless Service: its hostname, or its address with dashes
 *   _port._proto.svc.ns.svc.ZONE   SRV of named ports
 *   1-2-3-4.ns.pod.ZONE            A
 *   dns-version.ZONE               TXT "1.1.0"
 *   4.3.2.1.in-addr.arpa           PTR, authoritative for the service and the pod CIDR
 *
 * One struct per Service and a search in its own lists; a query allocates nothing. Single thread. */
#pragma once
#include "base/err.h"
#include "base/ip.h"
#include "dns/wire.h"
#include "types/core_v1.h"
#include "types/discovery_v1.h"

struct zone;

struct zone_opts {
	const char *domain;    /* "cluster.local" */
	struct ip_addr dns_ip; /* address of ns.dns.ZONE */
	struct ip_cidr service_cidr, pod_cidr;
	uint32_t ttl;	 /* of records and of their absence */
	uint32_t serial; /* of the SOA: the time of the start is fine */
};

/* ERR_INVALID if the domain is no domain name. */
MUST_USE int zone_new(const struct zone_opts *opts, struct zone **ret, struct err *err);
void zone_free(struct zone *zone);

/* Copies what it needs. Names that are no DNS labels (the API refuses them) are left out. */
void zone_set_service(struct zone *zone, const struct core_service *service);
void zone_remove_service(struct zone *zone, struct str ns, struct str name);
void zone_set_slice(struct zone *zone, const struct discovery_endpoint_slice *slice);
void zone_remove_slice(struct zone *zone, const struct discovery_endpoint_slice *slice);
size_t zone_count(const struct zone *zone); /* Services */

enum zone_result {
	ZONE_FOREIGN,  /* not ours: ask somebody else */
	ZONE_ANSWERED, /* *ret_rcode */
	ZONE_ALIAS,    /* a CNAME to a foreign name was added; *ret_target goes on */
};

/* Adds records (negative answers: the SOA) to out, which was begun for the query. roll: any number; it turns the order of equal records. */
enum zone_result zone_answer(const struct zone *zone, const struct dns_query *query,
			     struct dns_out *out, uint32_t roll, unsigned *ret_rcode,
			     struct dns_name *ret_target);
