/* SPDX-License-Identifier: Apache-2.0 */
#include "linux/netlink_conntrack.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

#include "base/vec.h"

struct tuple {
	struct ip_addr src, dst;
	uint16_t src_port, dst_port;
	uint8_t protocol;
};

static struct ip_addr ip_of(const struct nlattr *attr)
{
	uint32_t v4 = 0;

	if (mnl_attr_get_payload_len(attr) == sizeof(v4)) {
		memcpy(&v4, mnl_attr_get_payload(attr), sizeof(v4));
	}
	return ip_from_v4(ntohl(v4));
}

static uint16_t port_of(const struct nlattr *attr)
{
	return mnl_attr_get_payload_len(attr) == 2 ? ntohs(mnl_attr_get_u16(attr)) : 0;
}

static void read_part(struct tuple *t, const struct nlattr *part)
{
	bool ip = mnl_attr_get_type(part) == CTA_TUPLE_IP;
	const struct nlattr *attr;

	if (!ip && mnl_attr_get_type(part) != CTA_TUPLE_PROTO) {
		return;
	}
	mnl_attr_for_each_nested(attr, part)
	{
		uint16_t type = mnl_attr_get_type(attr);
		if (ip && type == CTA_IP_V4_SRC) {
			t->src = ip_of(attr);
		} else if (ip && type == CTA_IP_V4_DST) {
			t->dst = ip_of(attr);
		} else if (!ip && type == CTA_PROTO_NUM && mnl_attr_get_payload_len(attr) == 1) {
			t->protocol = mnl_attr_get_u8(attr);
		} else if (!ip && type == CTA_PROTO_SRC_PORT) {
			t->src_port = port_of(attr);
		} else if (!ip && type == CTA_PROTO_DST_PORT) {
			t->dst_port = port_of(attr);
		}
	}
}

static void read_tuple(struct tuple *t, const struct nlattr *tuple)
{
	const struct nlattr *part;

	mnl_attr_for_each_nested(part, tuple)
	{
		read_part(t, part);
	}
}

struct dump {
	uint8_t protocol;
	conntrack_match_fn match;
	void *ctx;
	VEC(struct tuple) found;
};

static bool parse(const struct nlmsghdr *nlh, struct tuple *ret_orig, struct conntrack_flow *ret)
{
	struct tuple orig = {0}, reply = {0};
	const struct nlattr *attr;

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(struct nfgenmsg)) {
		return false;
	}
	mnl_attr_for_each(attr, nlh, sizeof(struct nfgenmsg))
	{
		if (mnl_attr_get_type(attr) == CTA_TUPLE_ORIG) {
			read_tuple(&orig, attr);
		} else if (mnl_attr_get_type(attr) == CTA_TUPLE_REPLY) {
			read_tuple(&reply, attr);
		}
	}
	*ret = (struct conntrack_flow){.protocol = orig.protocol,
				       .src = orig.src,
				       .dst = orig.dst,
				       .src_port = orig.src_port,
				       .dst_port = orig.dst_port,
				       .reply_src = reply.src,
				       .reply_dst = reply.dst,
				       .reply_src_port = reply.src_port};
	*ret_orig = orig;
	return ip_is_v4(orig.src) && ip_is_v4(orig.dst) && ip_is_v4(reply.src) &&
	       ip_is_v4(reply.dst);
}

bool conntrack_parse(const struct nlmsghdr *nlh, struct conntrack_flow *ret)
{
	struct tuple orig;

	return parse(nlh, &orig, ret);
}

static int each_flow(void *ctx, const struct nlmsghdr *nlh)
{
	struct dump *d = ctx;
	struct conntrack_flow flow;
	struct tuple orig;

	if (parse(nlh, &orig, &flow) && flow.protocol == d->protocol && d->match(d->ctx, &flow)) {
		*vec_push(&d->found) = orig;
	}
	return 0;
}

static int delete_flow(struct netlink *nl, const struct tuple *t)
{
	struct netlink_msg m;
	struct nfgenmsg g = {.nfgen_family = AF_INET, .version = NFNETLINK_V0};
	struct nlmsghdr *nlh = netlink_msg_init(
		&m, NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE, 0, &g, sizeof(g));

	struct nlattr *tuple = mnl_attr_nest_start(nlh, CTA_TUPLE_ORIG);
	struct nlattr *part = mnl_attr_nest_start(nlh, CTA_TUPLE_IP);
	mnl_attr_put(nlh, CTA_IP_V4_SRC, 4, t->src.b + 12);
	mnl_attr_put(nlh, CTA_IP_V4_DST, 4, t->dst.b + 12);
	mnl_attr_nest_end(nlh, part);
	part = mnl_attr_nest_start(nlh, CTA_TUPLE_PROTO);
	mnl_attr_put_u8(nlh, CTA_PROTO_NUM, t->protocol);
	mnl_attr_put_u16(nlh, CTA_PROTO_SRC_PORT, htons(t->src_port));
	mnl_attr_put_u16(nlh, CTA_PROTO_DST_PORT, htons(t->dst_port));
	mnl_attr_nest_end(nlh, part);
	mnl_attr_nest_end(nlh, tuple);
	return netlink_talk(nl, nlh, NULL, NULL);
}

int conntrack_delete(struct netlink *nl, uint8_t protocol, conntrack_match_fn match, void *ctx,
		     struct err *err)
{
	struct netlink_msg m;
	struct nfgenmsg g = {.nfgen_family = AF_INET, .version = NFNETLINK_V0};
	struct dump d = {.protocol = protocol, .match = match, .ctx = ctx};
	struct nlmsghdr *nlh = netlink_msg_init(&m, NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET,
						NLM_F_DUMP, &g, sizeof(g));
	int deleted = 0;

	int r = netlink_talk(nl, nlh, each_flow, &d);
	if (r < 0) {
		r = netlink_err(nl, err, "cannot read the kernel's table of flows");
	}
	for (size_t i = 0; r >= 0 && i < d.found.n; i++) {
		int gone = delete_flow(nl, &d.found.p[i]);
		if (gone < 0 && gone != ERR_NOT_FOUND) {
			r = netlink_err(nl, err, "cannot delete a flow from the kernel's table");
			break;
		}
		deleted += gone == 0;
	}
	vec_fini(&d.found);
	return r < 0 ? r : deleted;
}
