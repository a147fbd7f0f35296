/* SPDX-License-Identifier: Apache-2.0 */
#include "linux/netlink_link.h"

#include <errno.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>

static struct nlmsghdr *link_request(struct netlink_msg *m, uint16_t type, uint16_t flags,
				     uint32_t index, unsigned ifi_flags, unsigned change)
{
	struct ifinfomsg ifi = {.ifi_family = AF_UNSPEC,
				.ifi_index = (int)index,
				.ifi_flags = ifi_flags,
				.ifi_change = change};

	return netlink_msg_init(m, type, flags, &ifi, sizeof(ifi));
}

/* Copies a string attribute that the kernel ended with NUL. */
static void copy_name(char *to, size_t cap, const struct nlattr *attr)
{
	snprintf(to, cap, "%.*s", (int)mnl_attr_get_payload_len(attr), mnl_attr_get_str(attr));
}

static int64_t link_attr_number(const struct nlattr *attr)
{
	return mnl_attr_get_payload_len(attr) >= 4 ? mnl_attr_get_u32(attr) : 0;
}

static void read_linkinfo(struct link *link, const struct nlattr *info)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, info)
	{
		if (mnl_attr_get_type(attr) == IFLA_INFO_KIND) {
			copy_name(link->kind, sizeof(link->kind), attr);
		}
	}
}

bool link_parse(const struct nlmsghdr *nlh, struct link *ret)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *attr;

	if (nlh->nlmsg_type != RTM_NEWLINK || mnl_nlmsg_get_payload_len(nlh) < sizeof(*ifi)) {
		return false;
	}
	*ret = (struct link){.index = (uint32_t)ifi->ifi_index, .up = ifi->ifi_flags & IFF_UP};
	mnl_attr_for_each(attr, nlh, sizeof(*ifi))
	{
		switch (mnl_attr_get_type(attr)) {
		case IFLA_IFNAME:
			copy_name(ret->name, sizeof(ret->name), attr);
			break;
		case IFLA_MTU:
			ret->mtu = (uint32_t)link_attr_number(attr);
			break;
		case IFLA_MASTER:
			ret->master = (uint32_t)link_attr_number(attr);
			break;
		case IFLA_LINK:
			ret->peer = (int32_t)link_attr_number(attr);
			break;
		case IFLA_LINKINFO:
			read_linkinfo(ret, attr);
			break;
		case IFLA_ADDRESS:
			if (mnl_attr_get_payload_len(attr) == LINK_MAC_LEN) {
				memcpy(ret->mac, mnl_attr_get_payload(attr), LINK_MAC_LEN);
			}
			break;
		default:
			break;
		}
	}
	return true;
}

static int take_link(void *ctx, const struct nlmsghdr *nlh)
{
	(void)link_parse(nlh, ctx);
	return 0;
}

int link_find(struct netlink *nl, const char *name, struct link *ret)
{
	struct netlink_msg m;
	struct link link = {0};
	struct nlmsghdr *nlh = link_request(&m, RTM_GETLINK, 0, 0, 0, 0);

	mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
	int r = netlink_talk(nl, nlh, take_link, &link);
	if (r == 0) {
		*ret = link;
	}
	return r;
}

int link_find_index(struct netlink *nl, uint32_t index, struct link *ret)
{
	struct netlink_msg m;
	struct link link = {0};

	int r = netlink_talk(nl, link_request(&m, RTM_GETLINK, 0, index, 0, 0), take_link, &link);
	if (r == 0) {
		*ret = link;
	}
	return r;
}

struct link_each_ctx {
	link_each_fn each;
	void *ctx;
};

static int each_link_msg(void *ctx, const struct nlmsghdr *nlh)
{
	const struct link_each_ctx *c = ctx;
	struct link link;

	return link_parse(nlh, &link) ? c->each(c->ctx, &link) : 0;
}

int link_each(struct netlink *nl, link_each_fn each, void *ctx, struct err *err)
{
	struct netlink_msg m;
	struct link_each_ctx c = {each, ctx};

	int r = netlink_talk(nl, link_request(&m, RTM_GETLINK, NLM_F_DUMP, 0, 0, 0), each_link_msg,
			     &c);
	return r < 0 && nl->error ? netlink_err(nl, err, "cannot list links") : r;
}

static int talk(struct netlink *nl, struct nlmsghdr *nlh, struct err *err, const char *what,
		const char *object)
{
	if (netlink_talk(nl, nlh, NULL, NULL) < 0) {
		return netlink_err(nl, err, "cannot %s %s", what, object);
	}
	return 0;
}

/* As talk(), for removals: what is not there is removed. */
static int talk_gone(struct netlink *nl, struct nlmsghdr *nlh, struct err *err, const char *what,
		     const char *object)
{
	int r = netlink_talk(nl, nlh, NULL, NULL);

	if (r == ERR_NOT_FOUND) {
		return 0;
	}
	return r < 0 ? netlink_err(nl, err, "cannot %s %s", what, object) : 0;
}

/* As talk(), with a link described by its index. */
static int talk_index(struct netlink *nl, struct nlmsghdr *nlh, struct err *err, const char *what,
		      uint32_t index)
{
	char object[24];

	snprintf(object, sizeof(object), "link %u", index);
	return talk(nl, nlh, err, what, object);
}

int link_add_bridge(struct netlink *nl, const char *name, const uint8_t mac[LINK_MAC_LEN],
		    uint32_t mtu, struct err *err)
{
	struct netlink_msg m;
	struct nlmsghdr *nlh =
		link_request(&m, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0, IFF_UP, IFF_UP);

	mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
	mnl_attr_put_u32(nlh, IFLA_MTU, mtu);
	mnl_attr_put(nlh, IFLA_ADDRESS, LINK_MAC_LEN, mac);
	struct nlattr *info = mnl_attr_nest_start(nlh, IFLA_LINKINFO);
	mnl_attr_put_strz(nlh, IFLA_INFO_KIND, "bridge");
	mnl_attr_nest_end(nlh, info);
	return talk(nl, nlh, err, "create bridge", name);
}

int link_add_veth(struct netlink *nl, const char *name, uint32_t mtu, const struct link_peer *peer,
		  struct err *err)
{
	struct netlink_msg m;
	struct ifinfomsg ifi = {.ifi_family = AF_UNSPEC};
	struct nlmsghdr *nlh = link_request(&m, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0, 0, 0);

	mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
	mnl_attr_put_u32(nlh, IFLA_MTU, mtu);
	struct nlattr *info = mnl_attr_nest_start(nlh, IFLA_LINKINFO);
	mnl_attr_put_strz(nlh, IFLA_INFO_KIND, "veth");
	struct nlattr *data = mnl_attr_nest_start(nlh, IFLA_INFO_DATA);
	struct nlattr *end = mnl_attr_nest_start(nlh, VETH_INFO_PEER);
	memcpy(mnl_nlmsg_put_extra_header(nlh, sizeof(ifi)), &ifi, sizeof(ifi));
	mnl_attr_put_strz(nlh, IFLA_IFNAME, peer->name);
	mnl_attr_put(nlh, IFLA_ADDRESS, LINK_MAC_LEN, peer->mac);
	mnl_attr_put_u32(nlh, IFLA_MTU, mtu);
	mnl_attr_put_u32(nlh, IFLA_NET_NS_FD, (uint32_t)peer->netns_fd);
	mnl_attr_nest_end(nlh, end);
	mnl_attr_nest_end(nlh, data);
	mnl_attr_nest_end(nlh, info);
	return talk(nl, nlh, err, "create veth", name);
}

int link_add_vxlan(struct netlink *nl, const char *name, const struct link_vxlan *vxlan,
		   struct err *err)
{
	struct netlink_msg m;
	struct nlmsghdr *nlh =
		link_request(&m, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0, IFF_UP, IFF_UP);

	mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
	mnl_attr_put_u32(nlh, IFLA_MTU, vxlan->mtu);
	mnl_attr_put(nlh, IFLA_ADDRESS, LINK_MAC_LEN, vxlan->mac);
	struct nlattr *info = mnl_attr_nest_start(nlh, IFLA_LINKINFO);
	mnl_attr_put_strz(nlh, IFLA_INFO_KIND, "vxlan");
	struct nlattr *data = mnl_attr_nest_start(nlh, IFLA_INFO_DATA);
	mnl_attr_put_u32(nlh, IFLA_VXLAN_ID, vxlan->id);
	mnl_attr_put_u32(nlh, IFLA_VXLAN_LINK, vxlan->underlay_index);
	mnl_attr_put_u16(nlh, IFLA_VXLAN_PORT, (uint16_t)(vxlan->port << 8 | vxlan->port >> 8));
	mnl_attr_put_u8(nlh, IFLA_VXLAN_LEARNING, 0);
	if (ip_is_v4(vxlan->local)) {
		mnl_attr_put(nlh, IFLA_VXLAN_LOCAL, 4, vxlan->local.b + 12);
	} else {
		mnl_attr_put(nlh, IFLA_VXLAN_LOCAL6, 16, vxlan->local.b);
	}
	mnl_attr_nest_end(nlh, data);
	mnl_attr_nest_end(nlh, info);
	return talk(nl, nlh, err, "create vxlan", name);
}

int link_delete(struct netlink *nl, const char *name, struct err *err)
{
	struct netlink_msg m;
	struct nlmsghdr *nlh = link_request(&m, RTM_DELLINK, 0, 0, 0, 0);

	mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
	return talk_gone(nl, nlh, err, "delete link", name);
}

int link_set_up(struct netlink *nl, uint32_t index, struct err *err)
{
	struct netlink_msg m;

	return talk_index(nl, link_request(&m, RTM_NEWLINK, 0, index, IFF_UP, IFF_UP), err,
			  "bring up", index);
}

int link_set_mtu(struct netlink *nl, uint32_t index, uint32_t mtu, struct err *err)
{
	struct netlink_msg m;
	struct nlmsghdr *nlh = link_request(&m, RTM_NEWLINK, 0, index, 0, 0);

	mnl_attr_put_u32(nlh, IFLA_MTU, mtu);
	return talk_index(nl, nlh, err, "set the MTU of", index);
}

int link_set_master(struct netlink *nl, uint32_t index, uint32_t master, struct err *err)
{
	struct netlink_msg m;
	struct nlmsghdr *nlh = link_request(&m, RTM_NEWLINK, 0, index, IFF_UP, IFF_UP);

	mnl_attr_put_u32(nlh, IFLA_MASTER, master);
	return talk_index(nl, nlh, err, "add to the bridge", index);
}

int link_set_hairpin(struct netlink *nl, uint32_t index, struct err *err)
{
	struct netlink_msg m;
	struct ifinfomsg ifi = {.ifi_family = PF_BRIDGE, .ifi_index = (int)index};
	struct nlmsghdr *nlh = netlink_msg_init(&m, RTM_SETLINK, 0, &ifi, sizeof(ifi));

	struct nlattr *port = mnl_attr_nest_start(nlh, IFLA_PROTINFO | NLA_F_NESTED);
	mnl_attr_put_u8(nlh, IFLA_BRPORT_MODE, 1);
	mnl_attr_nest_end(nlh, port);
	return talk_index(nl, nlh, err, "set hairpin mode on", index);
}

static uint8_t family_of(struct ip_addr ip)
{
	return ip_is_v4(ip) ? AF_INET : AF_INET6;
}

static void put_ip(struct nlmsghdr *nlh, uint16_t type, struct ip_addr ip)
{
	if (ip_is_v4(ip)) {
		mnl_attr_put(nlh, type, 4, ip.b + 12);
	} else {
		mnl_attr_put(nlh, type, 16, ip.b);
	}
}

static struct ip_addr get_ip(const struct nlattr *attr)
{
	struct ip_addr ip = {0};
	const uint8_t *p = mnl_attr_get_payload(attr);

	if (mnl_attr_get_payload_len(attr) == 4) {
		ip = ip_from_v4((uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 |
				p[3]);
	} else if (mnl_attr_get_payload_len(attr) == 16) {
		memcpy(ip.b, p, 16);
	}
	return ip;
}

static struct ip_cidr own_cidr(struct ip_addr ip, unsigned own_bits, uint8_t family)
{
	if (ip_is_unset(ip) && family == AF_INET) {
		ip = ip_from_v4(0);
	}
	return (struct ip_cidr){ip, (uint8_t)(family == AF_INET ? own_bits + 96 : own_bits)};
}

int link_add_addr(struct netlink *nl, uint32_t index, struct ip_cidr addr, struct err *err)
{
	struct netlink_msg m;
	char text[IP_TEXT_MAX];
	struct ifaddrmsg ifa = {.ifa_family = family_of(addr.addr),
				.ifa_prefixlen = (uint8_t)ip_cidr_own_bits(addr),
				.ifa_index = index};
	struct nlmsghdr *nlh =
		netlink_msg_init(&m, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, &ifa, sizeof(ifa));

	put_ip(nlh, IFA_LOCAL, addr.addr);
	put_ip(nlh, IFA_ADDRESS, addr.addr);
	if (ip_is_v4(addr.addr) && ip_cidr_own_bits(addr) < 31) {
		put_ip(nlh, IFA_BROADCAST, ip_cidr_last(addr));
	}
	int r = netlink_talk(nl, nlh, NULL, NULL);
	if (r < 0 && r != ERR_EXISTS) {
		return netlink_err(nl, err, "cannot add address %s to link %u",
				   ip_cidr_format(addr, text), index);
	}
	return 0;
}

struct addr_each_ctx {
	link_addr_fn each;
	void *ctx;
};

static int each_addr_msg(void *ctx, const struct nlmsghdr *nlh)
{
	const struct addr_each_ctx *c = ctx;
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
	struct ip_addr ip = {0}, local = {0};
	const struct nlattr *attr;

	if (nlh->nlmsg_type != RTM_NEWADDR || mnl_nlmsg_get_payload_len(nlh) < sizeof(*ifa)) {
		return 0;
	}
	mnl_attr_for_each(attr, nlh, sizeof(*ifa))
	{
		if (mnl_attr_get_type(attr) == IFA_ADDRESS) {
			ip = get_ip(attr);
		} else if (mnl_attr_get_type(attr) == IFA_LOCAL) {
			local = get_ip(attr);
		}
	}
	ip = ip_is_unset(local) ? ip : local;
	return c->each(c->ctx, ifa->ifa_index, own_cidr(ip, ifa->ifa_prefixlen, ifa->ifa_family));
}

int link_each_addr(struct netlink *nl, link_addr_fn each, void *ctx, struct err *err)
{
	struct netlink_msg m;
	struct ifaddrmsg ifa = {.ifa_family = AF_UNSPEC};
	struct addr_each_ctx c = {each, ctx};
	struct nlmsghdr *nlh = netlink_msg_init(&m, RTM_GETADDR, NLM_F_DUMP, &ifa, sizeof(ifa));

	int r = netlink_talk(nl, nlh, each_addr_msg, &c);
	return r < 0 && nl->error ? netlink_err(nl, err, "cannot list addresses") : r;
}

static struct nlmsghdr *route_request(struct netlink_msg *m, uint16_t type, uint16_t flags,
				      const struct route *route)
{
	bool local = route->type == RTN_LOCAL;
	bool unset_via = ip_is_unset(route->via);
	struct rtmsg rtm = {.rtm_family = family_of(route->dst.addr),
			    .rtm_dst_len = (uint8_t)ip_cidr_own_bits(route->dst),
			    .rtm_table = local ? RT_TABLE_LOCAL : RT_TABLE_MAIN,
			    .rtm_protocol = route->protocol,
			    .rtm_scope = local	     ? RT_SCOPE_HOST
					 : unset_via ? RT_SCOPE_LINK
						     : RT_SCOPE_UNIVERSE,
			    .rtm_type = route->type ? route->type : RTN_UNICAST,
			    .rtm_flags = route->onlink ? RTNH_F_ONLINK : 0};

	if (type == RTM_DELROUTE) {
		rtm.rtm_scope = RT_SCOPE_NOWHERE;
		rtm.rtm_flags = 0;
	}
	struct nlmsghdr *nlh = netlink_msg_init(m, type, flags, &rtm, sizeof(rtm));
	if (rtm.rtm_dst_len > 0) {
		put_ip(nlh, RTA_DST, ip_cidr_first(route->dst));
	}
	return nlh;
}

int route_add(struct netlink *nl, const struct route *route, struct err *err)
{
	struct netlink_msg m;
	char dst[IP_TEXT_MAX], via[IP_TEXT_MAX];
	struct nlmsghdr *nlh = route_request(&m, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, route);

	if (!ip_is_unset(route->via)) {
		put_ip(nlh, RTA_GATEWAY, route->via);
	}
	if (!ip_is_unset(route->from)) {
		put_ip(nlh, RTA_PREFSRC, route->from);
	}
	if (route->link) {
		mnl_attr_put_u32(nlh, RTA_OIF, route->link);
	}
	if (route->mtu) {
		struct nlattr *metrics = mnl_attr_nest_start(nlh, RTA_METRICS);
		mnl_attr_put_u32(nlh, RTAX_MTU, route->mtu);
		mnl_attr_nest_end(nlh, metrics);
	}
	if (netlink_talk(nl, nlh, NULL, NULL) < 0) {
		return netlink_err(nl, err, "cannot add the route to %s via %s",
				   ip_cidr_format(route->dst, dst),
				   ip_is_unset(route->via) ? "its link"
							   : ip_format(route->via, via));
	}
	return 0;
}

int route_delete(struct netlink *nl, const struct route *route, struct err *err)
{
	struct netlink_msg m;
	char text[IP_TEXT_MAX];

	return talk_gone(nl, route_request(&m, RTM_DELROUTE, 0, route), err, "delete the route to",
			 ip_cidr_format(route->dst, text));
}

bool route_parse(const struct nlmsghdr *nlh, struct route *ret)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
	struct ip_addr dst = {0};
	const struct nlattr *attr;

	if (nlh->nlmsg_type != RTM_NEWROUTE || mnl_nlmsg_get_payload_len(nlh) < sizeof(*rtm)) {
		return false;
	}
	*ret = (struct route){.type = rtm->rtm_type,
			      .protocol = rtm->rtm_protocol,
			      .onlink = rtm->rtm_flags & RTNH_F_ONLINK};
	mnl_attr_for_each(attr, nlh, sizeof(*rtm))
	{
		switch (mnl_attr_get_type(attr)) {
		case RTA_DST:
			dst = get_ip(attr);
			break;
		case RTA_GATEWAY:
			ret->via = get_ip(attr);
			break;
		case RTA_PREFSRC:
			ret->from = get_ip(attr);
			break;
		case RTA_OIF:
			ret->link = (uint32_t)link_attr_number(attr);
			break;
		default:
			break;
		}
	}
	ret->dst = own_cidr(dst, rtm->rtm_dst_len, rtm->rtm_family);
	return true;
}

struct route_each_ctx {
	uint8_t protocol;
	route_each_fn each;
	void *ctx;
};

static int each_route_msg(void *ctx, const struct nlmsghdr *nlh)
{
	const struct route_each_ctx *c = ctx;
	struct route route;

	if (!route_parse(nlh, &route) || route.protocol != c->protocol) {
		return 0;
	}
	return c->each(c->ctx, &route);
}

int route_each(struct netlink *nl, uint8_t protocol, route_each_fn each, void *ctx, struct err *err)
{
	struct netlink_msg m;
	struct rtmsg rtm = {.rtm_family = AF_UNSPEC};
	struct route_each_ctx c = {protocol, each, ctx};
	struct nlmsghdr *nlh = netlink_msg_init(&m, RTM_GETROUTE, NLM_F_DUMP, &rtm, sizeof(rtm));

	int r = netlink_talk(nl, nlh, each_route_msg, &c);
	return r < 0 && nl->error ? netlink_err(nl, err, "cannot list routes") : r;
}

static int take_route(void *ctx, const struct nlmsghdr *nlh)
{
	(void)route_parse(nlh, ctx);
	return 0;
}

int route_get(struct netlink *nl, struct ip_addr dst, struct route *ret, struct err *err)
{
	struct netlink_msg m;
	char text[IP_TEXT_MAX];
	struct route route = {0};
	struct rtmsg rtm = {.rtm_family = family_of(dst), .rtm_dst_len = ip_is_v4(dst) ? 32 : 128};
	struct nlmsghdr *nlh = netlink_msg_init(&m, RTM_GETROUTE, 0, &rtm, sizeof(rtm));

	put_ip(nlh, RTA_DST, dst);
	if (netlink_talk(nl, nlh, take_route, &route) < 0) {
		return netlink_err(nl, err, "there is no route to %s", ip_format(dst, text));
	}
	*ret = route;
	return 0;
}

static struct nlmsghdr *neigh_request(struct netlink_msg *m, uint16_t type, uint32_t index,
				      struct ip_addr ip, const uint8_t *mac, uint8_t family,
				      uint8_t flags)
{
	struct ndmsg ndm = {.ndm_family = family,
			    .ndm_ifindex = (int)index,
			    .ndm_state = NUD_PERMANENT,
			    .ndm_flags = flags};
	uint16_t create = type == RTM_NEWNEIGH ? NLM_F_CREATE | NLM_F_REPLACE : 0;
	struct nlmsghdr *nlh = netlink_msg_init(m, type, create, &ndm, sizeof(ndm));

	put_ip(nlh, NDA_DST, ip);
	if (mac) {
		mnl_attr_put(nlh, NDA_LLADDR, LINK_MAC_LEN, mac);
	}
	return nlh;
}

int neigh_add(struct netlink *nl, uint32_t index, struct ip_addr ip,
	      const uint8_t mac[LINK_MAC_LEN], struct err *err)
{
	struct netlink_msg m;
	char text[IP_TEXT_MAX];

	return talk(nl, neigh_request(&m, RTM_NEWNEIGH, index, ip, mac, family_of(ip), 0), err,
		    "add the neighbour", ip_format(ip, text));
}

int fdb_add(struct netlink *nl, uint32_t index, const uint8_t mac[LINK_MAC_LEN],
	    struct ip_addr remote, struct err *err)
{
	struct netlink_msg m;
	char text[IP_TEXT_MAX];

	return talk(nl, neigh_request(&m, RTM_NEWNEIGH, index, remote, mac, AF_BRIDGE, NTF_SELF),
		    err, "add the tunnel end", ip_format(remote, text));
}

int neigh_delete(struct netlink *nl, uint32_t index, struct ip_addr ip, struct err *err)
{
	struct netlink_msg m;
	char text[IP_TEXT_MAX];

	return talk_gone(nl, neigh_request(&m, RTM_DELNEIGH, index, ip, NULL, family_of(ip), 0),
			 err, "delete the neighbour", ip_format(ip, text));
}

int fdb_delete(struct netlink *nl, uint32_t index, const uint8_t mac[LINK_MAC_LEN],
	       struct ip_addr remote, struct err *err)
{
	struct netlink_msg m;
	char text[IP_TEXT_MAX];

	return talk_gone(nl,
			 neigh_request(&m, RTM_DELNEIGH, index, remote, mac, AF_BRIDGE, NTF_SELF),
			 err, "delete the tunnel end", ip_format(remote, text));
}
