/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's answers: framing, error reports, links, routes, flows. */
#include <stdlib.h>

#include "base/alloc.h"
#include "linux/netlink_conntrack.h"
#include "linux/netlink_link.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int each(void *ctx, const struct nlmsghdr *nlh)
{
	struct link link;
	struct route route;
	struct conntrack_flow flow;
	char text[IP_TEXT_MAX];

	(void)ctx;
	if (link_parse(nlh, &link)) {
		ASSERT(memchr(link.name, 0, sizeof(link.name)) &&
		       memchr(link.kind, 0, sizeof(link.kind)));
	}
	if (route_parse(nlh, &route)) {
		(void)ip_cidr_format(route.dst, text);
	}
	if (conntrack_parse(nlh, &flow)) {
		(void)ip_format(flow.reply_src, text);
	}
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct netlink nl = {0};
	int result = 0;

	if (size > 65536) {
		return 0;
	}
	/* An exact copy shows overruns; libmnl rounds the end of a message up to four bytes, which a datagram's buffer always has. */
	void *copy = mem_new((size + 3) / 4 * 4);
	if (size > 0) {
		memcpy(copy, data, size);
	}
	if (netlink_read(&nl, copy, (int)size, 0, each, NULL, &result) < 0) {
		ASSERT(memchr(nl.reason, 0, sizeof(nl.reason)));
	}
	mem_free(copy);
	return 0;
}
