/* SPDX-License-Identifier: Apache-2.0 */
/* podnet/podnet_internal.h: what the files of podnet/ share. */
#pragma once
#include "base/map.h"
#include "base/vec.h"
#include "linux/netlink_link.h"
#include "podnet/podnet.h"

/* Marks our routes, so that they can be told from everybody else's (an unassigned number of rtm_protocol). */
enum { PODNET_ROUTE_PROTOCOL = 99 };

struct podnet {
	struct podnet_opts opts;
	struct netlink route;		   /* NETLINK_ROUTE */
	struct netlink netfilter;	   /* NETLINK_NETFILTER */
	struct ipam *ipam;		   /* NULL without a pod CIDR */
	struct map nodes;		   /* name -> struct node (nodes.c) */
	uint32_t bridge, underlay, tunnel; /* link indexes; 0: none */
	uint32_t underlay_mtu, pod_mtu;
	char *record_dir; /* of kernel settings */
};

/* A locally administered address made from an IPv4 one: whoever gets an IP address again has the same MAC, so no neighbour's cache
 * is ever wrong. */
void podnet_mac(uint8_t second_byte, struct ip_addr ip, uint8_t ret[LINK_MAC_LEN]);

/* rules.c: the nftables table of pods. Ensures table, chains and the host ports of all leases; existing connections stay. */
MUST_USE int podnet_rules_load(struct podnet *p, struct err *err);
MUST_USE int podnet_rules_remove(struct err *err);
/* Adds or removes one pod's host ports. */
MUST_USE int podnet_rules_open(struct podnet *p, const struct ipam_lease *lease, struct err *err);
MUST_USE int podnet_rules_close(struct podnet *p, const struct ipam_lease *lease, struct err *err);

/* nodes.c */
void podnet_nodes_fini(struct podnet *p);
extern const char podnet_tunnel[]; /* "coxvx0" */
