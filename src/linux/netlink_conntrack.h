/* SPDX-License-Identifier: Apache-2.0 */
/* linux/netlink_conntrack.h: forget tracked flows. A UDP "connection" has no end, so a flow that was translated to an endpoint goes on
 * to it after the endpoint is gone; deleting its entry sends the next packet through the rules again. */
#pragma once
#include "base/ip.h"
#include "linux/netlink_socket.h"

struct conntrack_flow {
	uint8_t protocol;
	struct ip_addr src, dst; /* as the client sent it */
	uint16_t src_port, dst_port;
	struct ip_addr reply_src; /* who really answers */
	struct ip_addr reply_dst; /* whom that one believes to have asked */
	uint16_t reply_src_port;
};

typedef bool (*conntrack_match_fn)(void *ctx, const struct conntrack_flow *flow);

/* Deletes all IPv4 flows of the protocol that match. One pass over the kernel's table. Returns how many, or ERR_*. */
MUST_USE int conntrack_delete(struct netlink *nl, uint8_t protocol, conntrack_match_fn match,
			      void *ctx, struct err *err);

/* One entry of the table as the kernel sends it; false if it is no IPv4 flow. For the above and its fuzzer. */
bool conntrack_parse(const struct nlmsghdr *nlh, struct conntrack_flow *ret);
