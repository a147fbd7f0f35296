/* SPDX-License-Identifier: Apache-2.0 */
/* linux/netlink_socket.h (not netlink.h: the kernel has a header of that path): questions to the kernel over netlink, each answered before the call returns (the kernel works inside our send, so
 * nothing waits for anybody). One socket belongs to one thread. Messages are built with libmnl into a struct netlink_msg:
 *     struct netlink_msg m;
 *     struct nlmsghdr *nlh = netlink_msg_init(&m, RTM_DELLINK, 0, &ifi, sizeof(ifi));
 *     mnl_attr_put_strz(nlh, IFLA_IFNAME, "cox0");
 *     if (netlink_talk(nl, nlh, NULL, NULL) < 0) return netlink_err(nl, err, "cannot delete link cox0"); */
#pragma once
#include <libmnl/libmnl.h>
#include <stdint.h>

#include "base/err.h"

struct netlink {
	struct mnl_socket *sock; /* NULL: not open */
	uint32_t seq;
	int error;	  /* errno of the last failed talk */
	char reason[160]; /* the kernel's own words for it, or empty */
};

struct netlink_msg {
	/* attributes are aligned to 4, headers to 8 */
	char bytes[4096] __attribute__((aligned(16)));
};

/* bus: NETLINK_ROUTE, NETLINK_NETFILTER. netns_fd -1: the caller's network namespace; otherwise the socket lives in that one
 * (the calling thread visits it for the moment of opening). 0 or ERR_*. */
MUST_USE int netlink_open(struct netlink *nl, int bus, int netns_fd, struct err *err);
void netlink_close(struct netlink *nl);

/* A request with its family header copied in. flags come on top of NLM_F_REQUEST | NLM_F_ACK. */
struct nlmsghdr *netlink_msg_init(struct netlink_msg *m, uint16_t type, uint16_t flags,
				  const void *header, size_t header_len);

/* Each message of the answer; negative stops reading what follows and is returned at the end. */
typedef int (*netlink_each_fn)(void *ctx, const struct nlmsghdr *nlh);

/* Sends and reads to the end of the answer (with NLM_F_DUMP in the flags: of the list). each may be NULL. 0, what each returned, or
 * ERR_EXISTS, ERR_NOT_FOUND, ERR_DENIED, ERR_BUSY, ERR_UNSUPPORTED, ERR_AGAIN (the list changed under the dump), ERR_SYSTEM. */
MUST_USE int netlink_talk(struct netlink *nl, struct nlmsghdr *nlh, netlink_each_fn each,
			  void *ctx);
/* One datagram of an answer to the last talk. Returns 1 at the end of the answer, 0 if more follows, negative on failure; *each_result
 * (0 before the first) keeps what each returned. For netlink_talk and its fuzzer. */
MUST_USE int netlink_read(struct netlink *nl, const void *p, int n, uint32_t portid,
			  netlink_each_fn each, void *ctx, int *each_result);
/* Describes the last failure of netlink_talk behind a message; returns its code. */
int netlink_err(const struct netlink *nl, struct err *err, const char *fmt, ...) PRINTF(3, 4);
int netlink_code(int errnum);

/* Runs fn with the calling thread inside a network namespace and comes back. Aborts if there is no way back: a thread lost in a pod's
 * namespace must not go on. Returns fn's result or ERR_*. */
typedef int (*netns_fn)(void *ctx, struct err *err);
MUST_USE int netns_run(int netns_fd, netns_fn fn, void *ctx, struct err *err);
