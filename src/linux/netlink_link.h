/* SPDX-License-Identifier: Apache-2.0 */
/* linux/netlink_link.h: links, addresses, routes and neighbours by rtnetlink. The socket decides the network namespace. All calls that
 * create are idempotent where they say "ensure"; all return 0 or ERR_* with the kernel's reason in *err. */
#pragma once
#include "base/ip.h"
#include "linux/netlink_socket.h"

enum { LINK_NAME_MAX = 16, LINK_MAC_LEN = 6 };

struct link {
	uint32_t index;
	uint32_t master; /* index of its bridge, 0: none */
	uint32_t mtu;
	int32_t peer; /* a veth's other end (in its own namespace), else 0 */
	bool up;
	char name[LINK_NAME_MAX];
	char kind[16]; /* "veth", "bridge", "vxlan", "" */
	uint8_t mac[LINK_MAC_LEN];
};

/* ERR_NOT_FOUND without a message if there is none. */
MUST_USE int link_find(struct netlink *nl, const char *name, struct link *ret);
MUST_USE int link_find_index(struct netlink *nl, uint32_t index, struct link *ret);
typedef int (*link_each_fn)(void *ctx, const struct link *link);
MUST_USE int link_each(struct netlink *nl, link_each_fn each, void *ctx, struct err *err);

/* A fixed mac keeps a bridge's address from changing as ports come and go. */
MUST_USE int link_add_bridge(struct netlink *nl, const char *name, const uint8_t mac[LINK_MAC_LEN],
			     uint32_t mtu, struct err *err);
/* The other end of a veth: born inside netns_fd, so it is never seen in ours. */
struct link_peer {
	const char *name;
	int netns_fd;
	uint8_t mac[LINK_MAC_LEN];
};
MUST_USE int link_add_veth(struct netlink *nl, const char *name, uint32_t mtu,
			   const struct link_peer *peer, struct err *err);
struct link_vxlan {
	uint32_t id, underlay_index, mtu;
	uint16_t port;
	struct ip_addr local;
	uint8_t mac[LINK_MAC_LEN];
};
MUST_USE int link_add_vxlan(struct netlink *nl, const char *name, const struct link_vxlan *vxlan,
			    struct err *err);
/* Deleting what is not there is success. */
MUST_USE int link_delete(struct netlink *nl, const char *name, struct err *err);

MUST_USE int link_set_up(struct netlink *nl, uint32_t index, struct err *err);
MUST_USE int link_set_mtu(struct netlink *nl, uint32_t index, uint32_t mtu, struct err *err);
MUST_USE int link_set_master(struct netlink *nl, uint32_t index, uint32_t master, struct err *err);
/* A hairpin port may send a frame back to where it came from: a pod that reaches itself through a Service. */
MUST_USE int link_set_hairpin(struct netlink *nl, uint32_t index, struct err *err);

/* Ensures addr/bits on the link. */
MUST_USE int link_add_addr(struct netlink *nl, uint32_t index, struct ip_cidr addr,
			   struct err *err);
typedef int (*link_addr_fn)(void *ctx, uint32_t index, struct ip_cidr addr);
MUST_USE int link_each_addr(struct netlink *nl, link_addr_fn each, void *ctx, struct err *err);

struct route {
	struct ip_cidr dst;
	struct ip_addr via;  /* unset: directly on the link */
	struct ip_addr from; /* preferred source, or unset */
	uint32_t link;	     /* index, 0: by via */
	uint32_t mtu;	     /* 0: the link's */
	uint8_t type;	     /* RTN_UNICAST, RTN_LOCAL */
	uint8_t protocol;    /* who put it there: RTPROT_* or a number of our own */
	bool onlink;	     /* via counts as a neighbour whatever the addresses say */
};

/* Ensures (replaces) in the main table, an RTN_LOCAL one in the local table. */
MUST_USE int route_add(struct netlink *nl, const struct route *route, struct err *err);
/* By dst, type and protocol. Deleting what is not there is success. */
MUST_USE int route_delete(struct netlink *nl, const struct route *route, struct err *err);
typedef int (*route_each_fn)(void *ctx, const struct route *route);
/* All routes of one protocol, in the main and local tables. */
MUST_USE int route_each(struct netlink *nl, uint8_t protocol, route_each_fn each, void *ctx,
			struct err *err);
/* How this namespace would reach dst. */
MUST_USE int route_get(struct netlink *nl, struct ip_addr dst, struct route *ret, struct err *err);

/* Permanent entries, replaced if present: ip -> mac on a link, and mac -> remote tunnel end on a vxlan. */
MUST_USE int neigh_add(struct netlink *nl, uint32_t index, struct ip_addr ip,
		       const uint8_t mac[LINK_MAC_LEN], struct err *err);
MUST_USE int fdb_add(struct netlink *nl, uint32_t index, const uint8_t mac[LINK_MAC_LEN],
		     struct ip_addr remote, struct err *err);
/* Absent is success. */
MUST_USE int neigh_delete(struct netlink *nl, uint32_t index, struct ip_addr ip, struct err *err);
MUST_USE int fdb_delete(struct netlink *nl, uint32_t index, const uint8_t mac[LINK_MAC_LEN],
			struct ip_addr remote, struct err *err);

/* The kernel's messages taken apart; false for others. For the functions above and their fuzzer. */
bool link_parse(const struct nlmsghdr *nlh, struct link *ret);
bool route_parse(const struct nlmsghdr *nlh, struct route *ret);
