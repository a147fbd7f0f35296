/* SPDX-License-Identifier: Apache-2.0 */
/* podnet/podnet.h: the pods' network on one node: bridge, a veth pair and an address per pod, routes to the other nodes' pods, masquerading
 * of what leaves the cluster, host ports. Everything is netlink in the calling process' network namespace; calls block for the kernel
 * only (a millisecond; podnet_new and a repair of lost rules run nft once, some 10 ms). One thread.
 *
 * State lives in the kernel and in state_dir; podnet_new takes over what a predecessor left, without a packet lost. IPv4 acts; IPv6
 * prefixes are refused.
 *
 *   pod eth0 10.244.1.7/24 === veth cx... --- bridge cox0 10.244.1.1/24 --- routes --- underlay --- 10.244.2.0/24 via node 2 */
#pragma once
#include <stdbool.h>

#include "base/ip.h"
#include "base/log.h"
#include "linux/sysctl.h"
#include "podnet/ipam.h"

struct podnet;

/* How other nodes' pods are reached. HOST_GW: a plain route through the node; all nodes share one link. VXLAN: in a tunnel (id 1, UDP
 * 8472, MTU - 50), wherever the node is. AUTO: per node, a plain route if it is a direct neighbour, else the tunnel; only
 * the tunnel's routes have the lower MTU then. */
enum podnet_mode { PODNET_AUTO, PODNET_HOST_GW, PODNET_VXLAN };

struct podnet_opts {
	const char *state_dir; /* exists; private to one node agent; on a tmpfs (ipam.h) */
	struct ip_cidr
		pod_cidr; /* this node's; addr unset: a scope without pods of its own, which only reaches others' */
	struct ip_cidr cluster_cidr; /* all pods: no masquerading towards it */
	struct ip_cidr service_cidr; /* never taken for the node's own addresses */
	struct ip_addr node_ip;	     /* of this node on the underlay */
	enum podnet_mode mode;
	uint32_t mtu; /* of pods; 0: the underlay's, less the tunnel's 50 bytes in mode VXLAN */
	const struct log *log;
};

struct podnet_pod {
	const char *sandbox;	       /* unique id, usable as a file name */
	int netns_fd;		       /* borrowed */
	const struct ipam_port *ports; /* host ports */
	size_t nports;
	const struct sysctl
		*sysctls; /* to set inside, e.g. the pod's own net.* ones; after the defaults */
	size_t nsysctls;
};

/* Sets the node up, or takes over. The strings and log must outlive it. Errors say what to do: a missing br_netfilter, an address that is
 * not on any link, a link of another kind with our name. */
MUST_USE int podnet_new(const struct podnet_opts *opts, struct podnet **ret, struct err *err);
/* Forgets; pods, routes and rules go on working. */
void podnet_free(struct podnet *p);
/* Removes everything that podnet_new and its calls have made in this namespace and in state_dir, of a crashed run too, and puts kernel
 * settings back. Nobody may hold a podnet on it. Idempotent; goes on after a failure and reports the first. */
MUST_USE int podnet_cleanup(const struct podnet_opts *opts, struct err *err);

/* Gives the pod its lo, eth0, address, default route, host ports. Idempotent: an attached pod keeps its address, a half
 * attached one (crash, failure) is completed. On failure nothing is released: detach or try again. */
MUST_USE int podnet_attach(struct podnet *p, const struct podnet_pod *pod, struct ip_addr *ret_ip,
			   struct err *err);
/* Idempotent, also when the namespace is gone already. */
MUST_USE int podnet_detach(struct podnet *p, const char *sandbox, struct err *err);
/* ERR_NOT_FOUND without a message if it is not attached. */
MUST_USE int podnet_find(const struct podnet *p, const char *sandbox, struct ip_addr *ret_ip);
/* for (size_t i = 0; podnet_next(p, &i, &lease);)   detaching the one just seen is allowed: to collect what the runtime no longer knows. */
bool podnet_next(const struct podnet *p, size_t *i, struct ipam_lease *ret);

/* Another node (or this one, which is ignored) with its address and pod CIDR; again when either changes. ERR_UNSUPPORTED in mode HOST_GW if the
 * node is not a direct neighbour. */
MUST_USE int podnet_set_node(struct podnet *p, struct str name, struct ip_addr node_ip,
			     struct ip_cidr pod_cidr, struct err *err);
MUST_USE int podnet_remove_node(struct podnet *p, struct str name, struct err *err);
/* After all nodes have been set once: removes routes of a former run to nodes that are gone. */
MUST_USE int podnet_prune_nodes(struct podnet *p, struct err *err);

extern const char podnet_bridge[]; /* "cox0" */
