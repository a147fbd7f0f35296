/* SPDX-License-Identifier: Apache-2.0 */
/* proxy/proxy.h: Services on one node (kube-proxy's part): ClusterIPs, node ports, external and load balancer addresses become translations in
 * nftables table ip cox_services of the calling process' network namespace. Tell it what is there, then apply:
 *
 *     informer event    -> proxy_set_service / proxy_set_slice / proxy_remove_...     (memory only)
 *     both have synced  -> proxy_apply      the first one brings the table to exactly this state, in one transaction
 *     end of a loop turn with events -> proxy_apply     one transaction with what differs
 *
 * Before the first apply nothing is touched: what a predecessor left goes on working. Connections that stand are never disturbed, UDP flows to
 * endpoints that are gone are forgotten. Acts: TCP, UDP (SCTP takes the same way, the kernel permitting), several ports, node ports
 * on every address of the node and 127.0.0.1, externalIPs, status.loadBalancer addresses (ipMode VIP), loadBalancerSourceRanges, session affinity,
 * both traffic policies, serving-terminating fallback, hairpin. Not here: topology hints, healthCheckNodePort, IPv6. One thread. */
#pragma once
#include <stdbool.h>

#include "base/err.h"
#include "base/log.h"
#include "proxy/nft.h"

struct proxy;

struct proxy_opts {
	const char *node_name;	     /* whose endpoints are local */
	const char *state_dir;	     /* exists; records of kernel settings */
	struct ip_cidr pod_cidr;     /* of the whole cluster: sources in it are kept */
	struct ip_cidr service_cidr; /* routed to lo; what is no Service in it is refused */
	const struct proxy_local *
		locals; /* listeners on VIPs on this node, at most 16, e.g. 10.96.0.10 UDP and TCP 53 */
	size_t nlocals;
	const struct log *log;
};

struct proxy_counters {
	uint64_t applies, changes, reloads, failures, flows_deleted;
};

/* Sets up route and kernel settings; borrows the opts' strings and arrays. */
MUST_USE int proxy_new(const struct proxy_opts *opts, struct proxy **ret, struct err *err);
/* Forgets; the rules go on working. */
void proxy_free(struct proxy *proxy);
/* Removes table, route and settings of this namespace, also of a crashed run. Idempotent. */
MUST_USE int proxy_cleanup(const struct proxy_opts *opts, struct err *err);

void proxy_set_service(struct proxy *proxy, const struct core_service *service);
void proxy_remove_service(struct proxy *proxy, struct str ns, struct str name);
/* An update that moves a slice to another Service (its label changed): remove the old object first. */
void proxy_set_slice(struct proxy *proxy, const struct discovery_endpoint_slice *slice);
/* The object as it was last seen; revision: that of its deletion. */
void proxy_remove_slice(struct proxy *proxy, const struct discovery_endpoint_slice *slice,
			int64_t revision);
/* The slices' informer stands at this revision (list or bookmark). */
void proxy_observe_revision(struct proxy *proxy, int64_t revision);

/* Makes the kernel follow. If a transaction fails (somebody flushed the ruleset), the whole table is loaded again at once; if that fails too,
 * the error is returned and the next call tries again: call it after a pause. */
MUST_USE int proxy_apply(struct proxy *proxy, struct err *err);
/* Whether there is something to apply. */
bool proxy_is_dirty(const struct proxy *proxy);
/* Looks whether the table still stands and loads it again if not; every half minute or so. */
MUST_USE int proxy_verify(struct proxy *proxy, struct err *err);
/* The newest revision of an EndpointSlice that is in force in the kernel; 0 before the first apply. For zero-drop termination. */
int64_t proxy_applied_revision(const struct proxy *proxy);
const struct proxy_counters *proxy_counters(const struct proxy *proxy);
