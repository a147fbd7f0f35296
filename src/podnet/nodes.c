/* SPDX-License-Identifier: Apache-2.0 */
/* Routes to the other nodes' pods. */
#include <linux/rtnetlink.h>

#include "podnet/podnet_internal.h"

enum { VXLAN_ID = 1, VXLAN_PORT = 8472, VXLAN_OVERHEAD = 50 };

const char podnet_tunnel[] = "coxvx0";

struct node {
	struct str name;
	struct ip_addr ip;
	struct ip_cidr pods;
	bool tunnel;
	char text[]; /* the name's bytes */
};

static void tunnel_mac(const struct podnet_opts *opts, uint8_t ret[LINK_MAC_LEN])
{
	bool pods = !ip_is_unset(opts->pod_cidr.addr);

	podnet_mac(0x65, pods ? ip_cidr_first(opts->pod_cidr) : opts->node_ip, ret);
}

/* The device of an earlier run is taken over; if its underlay or address has changed, podnet_cleanup is the way. */
static int ensure_tunnel(struct podnet *p, struct err *err)
{
	struct link link;
	struct link_vxlan vxlan = {.id = VXLAN_ID,
				   .underlay_index = p->underlay,
				   .mtu = p->underlay_mtu - VXLAN_OVERHEAD,
				   .port = VXLAN_PORT,
				   .local = p->opts.node_ip};

	if (p->tunnel) {
		return 0;
	}
	tunnel_mac(&p->opts, vxlan.mac);
	int r = link_find(&p->route, podnet_tunnel, &link);
	if (r == ERR_NOT_FOUND) {
		r = link_add_vxlan(&p->route, podnet_tunnel, &vxlan, err);
		r = r < 0 ? r : link_find(&p->route, podnet_tunnel, &link);
	}
	if (r < 0) {
		return err && err->code ? r
					: netlink_err(&p->route, err, "cannot look for link %s",
						      podnet_tunnel);
	}
	if (strcmp(link.kind, "vxlan") != 0 || memcmp(link.mac, vxlan.mac, LINK_MAC_LEN) != 0) {
		return err_set(err, ERR_EXISTS,
			       "link %s is there already and is not ours: delete it",
			       podnet_tunnel);
	}
	r = link_set_up(&p->route, link.index, err);
	if (r == 0 && p->ipam) {
		/* The prefix' own address as the source of what this node itself sends through the tunnel: answers come back the same way. */
		struct ip_cidr self = {ip_cidr_first(p->opts.pod_cidr), 128};
		r = link_add_addr(&p->route, link.index, self, err);
	}
	p->tunnel = r == 0 ? link.index : 0;
	return r;
}

static struct route node_route(const struct podnet *p, const struct node *node)
{
	struct route route = {.dst = node->pods,
			      .via = node->ip,
			      .type = RTN_UNICAST,
			      .protocol = PODNET_ROUTE_PROTOCOL};

	if (node->tunnel) {
		route.via = ip_cidr_first(node->pods);
		route.link = p->tunnel;
		route.onlink = true;
		route.mtu = p->underlay_mtu - VXLAN_OVERHEAD;
	}
	return route;
}

static int add_node(struct podnet *p, struct node *node, struct err *err)
{
	struct route route;
	uint8_t mac[LINK_MAC_LEN];

	if (node->tunnel) {
		podnet_mac(0x65, ip_cidr_first(node->pods), mac);
		int r = ensure_tunnel(p, err);
		r = r < 0 ? r
			  : neigh_add(&p->route, p->tunnel, ip_cidr_first(node->pods), mac, err);
		r = r < 0 ? r : fdb_add(&p->route, p->tunnel, mac, node->ip, err);
		if (r < 0) {
			return r;
		}
	}
	route = node_route(p, node);
	return route_add(&p->route, &route, err);
}

static int remove_node(struct podnet *p, const struct node *node, struct err *err)
{
	struct route route = node_route(p, node);
	uint8_t mac[LINK_MAC_LEN];

	int r = route_delete(&p->route, &route, err);
	if (r == 0 && node->tunnel) {
		podnet_mac(0x65, ip_cidr_first(node->pods), mac);
		r = neigh_delete(&p->route, p->tunnel, ip_cidr_first(node->pods), err);
		r = r < 0 ? r : fdb_delete(&p->route, p->tunnel, mac, node->ip, err);
	}
	return r;
}

static int choose_path(struct podnet *p, struct str name, struct ip_addr ip, bool *ret_tunnel,
		       struct err *err)
{
	struct route route;
	char text[IP_TEXT_MAX];

	*ret_tunnel = p->opts.mode == PODNET_VXLAN;
	if (p->opts.mode == PODNET_VXLAN) {
		return 0;
	}
	int r = route_get(&p->route, ip, &route, err);
	if (r < 0) {
		return err_wrap(err, "node %.*s", STR_ARG(name));
	}
	bool neighbour = ip_is_unset(route.via);
	if (!neighbour && p->opts.mode == PODNET_HOST_GW) {
		return err_set(err, ERR_UNSUPPORTED,
			       "node %.*s (%s) is behind a router: plain routes do not reach it, "
			       "use the vxlan or auto mode",
			       STR_ARG(name), ip_format(ip, text));
	}
	*ret_tunnel = !neighbour;
	return 0;
}

int podnet_set_node(struct podnet *p, struct str name, struct ip_addr node_ip,
		    struct ip_cidr pod_cidr, struct err *err)
{
	struct node *old = map_find(&p->nodes, name);
	bool tunnel;

	if (ip_eq(node_ip, p->opts.node_ip)) {
		return 0;
	}
	if (!ip_is_v4(node_ip) || !ip_is_v4(pod_cidr.addr)) {
		return err_set(err, ERR_UNSUPPORTED, "node %.*s: only IPv4 addresses act",
			       STR_ARG(name));
	}
	int r = choose_path(p, name, node_ip, &tunnel, err);
	if (r < 0) {
		return r;
	}
	if (old && ip_eq(old->ip, node_ip) && ip_eq(old->pods.addr, pod_cidr.addr) &&
	    old->pods.bits == pod_cidr.bits && old->tunnel == tunnel) {
		return 0;
	}
	if (old) {
		r = podnet_remove_node(p, name, err);
		if (r < 0) {
			return r;
		}
	}
	struct node *node = mem_new(sizeof(*node) + name.n);
	node->ip = node_ip;
	node->pods = pod_cidr;
	node->tunnel = tunnel;
	memcpy(node->text, name.p, name.n);
	node->name = str_make(node->text, name.n);
	r = add_node(p, node, err);
	if (r < 0) {
		mem_free(node);
		return err_wrap(err, "node %.*s", STR_ARG(name));
	}
	map_put(&p->nodes, node->name, node);
	return 0;
}

int podnet_remove_node(struct podnet *p, struct str name, struct err *err)
{
	struct node *node = map_find(&p->nodes, name);

	if (!node) {
		return 0;
	}
	int r = remove_node(p, node, err);
	if (r < 0) {
		return err_wrap(err, "node %.*s", STR_ARG(name));
	}
	map_remove(&p->nodes, name);
	mem_free(node);
	return 0;
}

struct prune {
	const struct podnet *p;
	VEC(struct route) stale;
};

static int find_stale(void *ctx, const struct route *route)
{
	struct prune *prune = ctx;
	struct str name;
	void *value;

	for (size_t i = 0; map_next(&prune->p->nodes, &i, &name, &value);) {
		struct route wanted = node_route(prune->p, value);
		if (ip_eq(ip_cidr_first(wanted.dst), ip_cidr_first(route->dst)) &&
		    wanted.dst.bits == route->dst.bits) {
			return 0;
		}
	}
	*vec_push(&prune->stale) = *route;
	return 0;
}

int podnet_prune_nodes(struct podnet *p, struct err *err)
{
	struct prune prune = {.p = p};

	int r = route_each(&p->route, PODNET_ROUTE_PROTOCOL, find_stale, &prune, err);
	for (size_t i = 0; r == 0 && i < prune.stale.n; i++) {
		r = route_delete(&p->route, &prune.stale.p[i], err);
	}
	vec_fini(&prune.stale);
	return r;
}

void podnet_nodes_fini(struct podnet *p)
{
	struct str name;
	void *value;

	for (size_t i = 0; map_next(&p->nodes, &i, &name, &value);) {
		mem_free(value);
	}
	map_fini(&p->nodes);
}
