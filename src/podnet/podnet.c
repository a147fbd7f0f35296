/* SPDX-License-Identifier: Apache-2.0 */
#include "podnet/podnet.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "podnet/podnet_internal.h"

enum { VXLAN_OVERHEAD = 50, MTU_MIN = 576 };

const char podnet_bridge[] = "cox0";

/* Both must be off on both: a pod that talks to a Service on its own bridge would be told the "shorter way" and lose the translation. */
static const struct sysctl forwarding[] = {
	{"net/ipv4/ip_forward", "1"},
	{"net/ipv4/conf/all/send_redirects", "0"},
};

/* bridge-nf: frames between two pods of one bridge pass the rules too; without it a Service whose endpoint is on the client's own node answers from
 * the wrong address. route_localnet: host ports on 127.0.0.1. */
static const struct sysctl bridge_settings[] = {
	{"net/bridge/bridge-nf-call-iptables", "1"},
	{"net/ipv4/conf/cox0/send_redirects", "0"},
	{"net/ipv4/conf/cox0/route_localnet", "1"},
};

void podnet_mac(uint8_t second_byte, struct ip_addr ip, uint8_t ret[LINK_MAC_LEN])
{
	ret[0] = 0x0e; /* locally administered, unicast */
	ret[1] = second_byte;
	memcpy(ret + 2, ip.b + 12, 4);
}

static int ensure_all(const struct sysctl *list, size_t n, const char *record_dir, struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		int r = sysctl_ensure(&list[i], record_dir, err);
		if (r == ERR_NOT_FOUND &&
		    str_has_prefix(str_of(list[i].path), STR("net/bridge/"))) {
			return err_wrap(err, "the kernel's br_netfilter is not loaded (run: "
					     "modprobe br_netfilter)");
		}
		if (r < 0) {
			return r;
		}
	}
	return 0;
}

struct find_addr {
	struct ip_addr ip;
	uint32_t index;
};

static int match_addr(void *ctx, uint32_t index, struct ip_cidr addr)
{
	struct find_addr *f = ctx;

	if (ip_eq(addr.addr, f->ip)) {
		f->index = index;
	}
	return 0;
}

static int find_underlay(struct podnet *p, struct err *err)
{
	struct find_addr f = {.ip = p->opts.node_ip};
	struct link link;
	char text[IP_TEXT_MAX];

	int r = link_each_addr(&p->route, match_addr, &f, err);
	if (r < 0) {
		return r;
	}
	if (!f.index || link_find_index(&p->route, f.index, &link) < 0) {
		return err_set(err, ERR_NOT_FOUND, "the node's address %s is on none of its links",
			       ip_format(p->opts.node_ip, text));
	}
	uint32_t overhead = p->opts.mode == PODNET_VXLAN ? VXLAN_OVERHEAD : 0;
	p->underlay = f.index;
	p->underlay_mtu = MIN(link.mtu, 65535U);
	p->pod_mtu = p->opts.mtu ? p->opts.mtu : p->underlay_mtu - overhead;
	if (p->pod_mtu < MTU_MIN || p->underlay_mtu < MTU_MIN + VXLAN_OVERHEAD) {
		return err_set(err, ERR_INVALID,
			       "an MTU of %u is too small for pods (underlay: %u)", p->pod_mtu,
			       p->underlay_mtu);
	}
	return 0;
}

static int ensure_bridge(struct podnet *p, struct err *err)
{
	struct link link;
	uint8_t mac[LINK_MAC_LEN];
	struct ip_cidr gateway = {ipam_gateway(p->ipam), p->opts.pod_cidr.bits};

	podnet_mac(0x64, gateway.addr, mac);
	int r = link_find(&p->route, podnet_bridge, &link);
	if (r == ERR_NOT_FOUND) {
		r = link_add_bridge(&p->route, podnet_bridge, mac, p->pod_mtu, err);
		r = r < 0 ? r : link_find(&p->route, podnet_bridge, &link);
	}
	if (r < 0) {
		return err && err->code ? r
					: netlink_err(&p->route, err, "cannot look for link %s",
						      podnet_bridge);
	}
	if (strcmp(link.kind, "bridge") != 0 || memcmp(link.mac, mac, LINK_MAC_LEN) != 0) {
		return err_set(err, ERR_EXISTS,
			       "link %s is there already, of another cluster or another pod CIDR: "
			       "delete it",
			       podnet_bridge);
	}
	p->bridge = link.index;
	r = link.mtu == p->pod_mtu ? 0 : link_set_mtu(&p->route, link.index, p->pod_mtu, err);
	r = r < 0 ? r : link_set_up(&p->route, link.index, err);
	r = r < 0 ? r : link_add_addr(&p->route, link.index, gateway, err);
	return r < 0 ? r
		     : ensure_all(bridge_settings, ARRAY_LEN(bridge_settings), p->record_dir, err);
}

static char *path_in(const char *dir, const char *name)
{
	struct buf path = {0};

	buf_printf(&path, "%s/%s", dir, name);
	return buf_steal(&path);
}

static int set_up_pods(struct podnet *p, struct err *err)
{
	char *leases CLEANUP_FREE = path_in(p->opts.state_dir, "ips");

	int r = ipam_open(leases, p->opts.pod_cidr, &p->ipam, err);
	r = r < 0 ? r : ensure_bridge(p, err);
	return r < 0 ? r : podnet_rules_load(p, err);
}

static int set_up(struct podnet *p, struct err *err)
{
	if (mkdir(p->record_dir, 0700) < 0 && errno != EEXIST) {
		return err_set_errno(err, errno, "cannot create %s", p->record_dir);
	}
	int r = netlink_open(&p->route, NETLINK_ROUTE, -1, err);
	r = r < 0 ? r : netlink_open(&p->netfilter, NETLINK_NETFILTER, -1, err);
	r = r < 0 ? r : find_underlay(p, err);
	r = r < 0 ? r : ensure_all(forwarding, ARRAY_LEN(forwarding), p->record_dir, err);
	if (r == 0 && !ip_is_unset(p->opts.pod_cidr.addr)) {
		r = set_up_pods(p, err);
	}
	return r;
}

int podnet_new(const struct podnet_opts *opts, struct podnet **ret, struct err *err)
{
	if (!ip_is_v4(opts->node_ip) || !ip_is_v4(opts->cluster_cidr.addr) ||
	    !ip_is_v4(opts->service_cidr.addr)) {
		return err_set(err, ERR_UNSUPPORTED,
			       "node address, pod and service CIDRs must be IPv4");
	}
	struct podnet *p = NEW(struct podnet);
	p->opts = *opts;
	p->record_dir = path_in(opts->state_dir, "sysctls");
	map_init(&p->nodes, MAP_BORROW_KEYS);
	int r = set_up(p, err);
	if (r < 0) {
		podnet_free(p);
		return err_wrap(err, "cannot set up the pod network");
	}
	*ret = p;
	return 0;
}

void podnet_free(struct podnet *p)
{
	if (!p) {
		return;
	}
	podnet_nodes_fini(p);
	ipam_close(p->ipam);
	netlink_close(&p->route);
	netlink_close(&p->netfilter);
	mem_free(p->record_dir);
	mem_free(p);
}

int podnet_find(const struct podnet *p, const char *sandbox, struct ip_addr *ret_ip)
{
	struct ipam_lease lease;

	if (!p->ipam || ipam_find(p->ipam, sandbox, &lease) < 0) {
		return ERR_NOT_FOUND;
	}
	*ret_ip = lease.ip;
	return 0;
}

bool podnet_next(const struct podnet *p, size_t *i, struct ipam_lease *ret)
{
	return p->ipam && ipam_next(p->ipam, i, ret);
}

struct ports {
	uint32_t bridge;
	VEC(struct link) found;
};

static int collect_port(void *ctx, const struct link *link)
{
	struct ports *ports = ctx;

	if (link->master == ports->bridge) {
		*vec_push(&ports->found) = *link;
	}
	return 0;
}

static int delete_links(struct netlink *nl, struct err *err)
{
	struct link bridge;
	struct ports ports = {0};

	int r = link_find(nl, podnet_bridge, &bridge);
	if (r == 0) {
		ports.bridge = bridge.index;
		r = link_each(nl, collect_port, &ports, err);
	} else {
		r = r == ERR_NOT_FOUND
			    ? 0
			    : netlink_err(nl, err, "cannot look for link %s", podnet_bridge);
	}
	for (size_t i = 0; r == 0 && i < ports.found.n; i++) {
		r = link_delete(nl, ports.found.p[i].name, err);
	}
	vec_fini(&ports.found);
	r = r < 0 ? r : link_delete(nl, podnet_bridge, err);
	return r < 0 ? r : link_delete(nl, podnet_tunnel, err);
}

static int collect_route(void *ctx, const struct route *route)
{
	VEC(struct route) *routes = ctx;

	*vec_push(routes) = *route;
	return 0;
}

static int delete_routes(struct netlink *nl, struct err *err)
{
	VEC(struct route) routes = {0};

	int r = route_each(nl, PODNET_ROUTE_PROTOCOL, collect_route, &routes, err);
	for (size_t i = 0; r == 0 && i < routes.n; i++) {
		r = route_delete(nl, &routes.p[i], err);
	}
	vec_fini(&routes);
	return r;
}

static int delete_leases(const struct podnet_opts *opts, struct err *err)
{
	char *dir CLEANUP_FREE = path_in(opts->state_dir, "ips");
	char *last CLEANUP_FREE = path_in(dir, ".last");
	char *fresh CLEANUP_FREE = path_in(dir, ".new");
	struct ipam *ipam = NULL;
	struct ipam_lease lease;

	if (ip_is_unset(opts->pod_cidr.addr) || access(dir, F_OK) < 0) {
		return 0;
	}
	int r = ipam_open(dir, opts->pod_cidr, &ipam, err);
	for (size_t i = 0; r == 0 && ipam_next(ipam, &i, &lease);) {
		r = ipam_release(ipam, lease.sandbox, err);
	}
	ipam_close(ipam);
	(void)unlink(last);
	(void)unlink(fresh);
	return r == 0 && rmdir(dir) < 0 ? err_set_errno(err, errno, "cannot remove %s", dir) : r;
}

int podnet_cleanup(const struct podnet_opts *opts, struct err *err)
{
	char *record_dir CLEANUP_FREE = path_in(opts->state_dir, "sysctls");
	struct err later CLEANUP_ERR = {0};
	struct netlink nl = {0};

	int first = netlink_open(&nl, NETLINK_ROUTE, -1, err);
	if (first < 0) {
		return first;
	}
	first = delete_links(&nl, err);
	int r = delete_routes(&nl, first < 0 ? &later : err);
	first = first < 0 ? first : r;
	netlink_close(&nl);
	r = podnet_rules_remove(first < 0 ? &later : err);
	first = first < 0 ? first : r;
	r = delete_leases(opts, first < 0 ? &later : err);
	first = first < 0 ? first : r;
	r = sysctl_restore(record_dir, first < 0 ? &later : err);
	first = first < 0 ? first : r;
	if (first == 0 && rmdir(record_dir) < 0 && errno != ENOENT) {
		first = err_set_errno(err, errno, "cannot remove %s", record_dir);
	}
	return first;
}
