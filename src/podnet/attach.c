/* SPDX-License-Identifier: Apache-2.0 */
/* One pod in and out of the network. Each step ensures its result, so that an attach which a crash cut off anywhere is completed by the next
 * one. */
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "podnet/podnet_internal.h"

static const char pod_link[] = "eth0";

/* As the common container runtimes have it: a pod may listen on any port of its own and ping without being root. */
static const struct sysctl pod_settings[] = {
	{"net/ipv4/ip_unprivileged_port_start", "0"},
	{"net/ipv4/ping_group_range", "0 2147483647"},
};

/* Stable over restarts and versions (so not the keyed hash): FNV-1a, 44 bits of it. Two of 253 pods meet once in 10^8 nodes, and then the second
 * one's attach fails and says so. */
static void host_link_name(const char *sandbox, char ret[LINK_NAME_MAX])
{
	uint64_t h = 0xcbf29ce484222325ULL;

	for (const char *c = sandbox; *c; c++) {
		h = (h ^ (uint8_t)*c) * 0x100000001b3ULL;
	}
	snprintf(ret, LINK_NAME_MAX, "cx%011llx", (unsigned long long)(h >> 20));
}

static int set_pod_sysctls(void *ctx, struct err *err)
{
	const struct podnet_pod *pod = ctx;
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_LEN(pod_settings); i++) {
		r = sysctl_ensure(&pod_settings[i], NULL, err);
		if (r < 0) {
			/* ping_group_range may not span gids that a user namespace does not map */
			err_clear(err);
			r = 0;
		}
	}
	for (size_t i = 0; r == 0 && i < pod->nsysctls; i++) {
		r = sysctl_ensure(&pod->sysctls[i], NULL, err);
	}
	return r;
}

/* The pair as it should be: ours outside, eth0 inside. What is left of another life of the name is removed. */
static int ensure_pair(struct podnet *p, struct netlink *inside, const struct podnet_pod *pod,
		       struct ip_addr ip, const char *name, struct link *ret_host,
		       struct link *ret_pod, struct err *err)
{
	struct link_peer peer = {.name = pod_link, .netns_fd = pod->netns_fd};
	bool host = link_find(&p->route, name, ret_host) == 0;

	if (host && link_find(inside, pod_link, ret_pod) == 0 &&
	    ret_pod->peer == (int32_t)ret_host->index) {
		return 0;
	}
	int r = host ? link_delete(&p->route, name, err) : 0;
	if (r < 0) {
		return r;
	}
	podnet_mac(0x66, ip, peer.mac);
	r = link_add_veth(&p->route, name, p->pod_mtu, &peer, err);
	if (r < 0) {
		return r;
	}
	if (link_find(&p->route, name, ret_host) < 0) {
		return netlink_err(&p->route, err, "cannot find the new link %s", name);
	}
	if (link_find(inside, pod_link, ret_pod) < 0) {
		return netlink_err(inside, err, "cannot find the pod's new link");
	}
	return 0;
}

static int set_up_inside(const struct podnet *p, struct netlink *inside, uint32_t eth0,
			 struct ip_addr ip, struct err *err)
{
	struct link lo;
	struct ip_cidr addr = {ip, p->opts.pod_cidr.bits};
	struct route out = {.dst = {ip_from_v4(0), 96},
			    .via = ipam_gateway(p->ipam),
			    .link = eth0,
			    .type = RTN_UNICAST,
			    .protocol = RTPROT_STATIC};

	if (link_find(inside, "lo", &lo) < 0) {
		return netlink_err(inside, err, "cannot find the pod's loopback link");
	}
	int r = lo.up ? 0 : link_set_up(inside, lo.index, err);
	r = r < 0 ? r : link_add_addr(inside, eth0, addr, err);
	r = r < 0 ? r : link_set_up(inside, eth0, err);
	return r < 0 ? r : route_add(inside, &out, err);
}

static int attach(struct podnet *p, const struct podnet_pod *pod, const struct ipam_lease *lease,
		  struct netlink *inside, struct err *err)
{
	struct link host, eth0;
	char name[LINK_NAME_MAX];

	host_link_name(pod->sandbox, name);
	int r = ensure_pair(p, inside, pod, lease->ip, name, &host, &eth0, err);
	r = r < 0 ? r : set_up_inside(p, inside, eth0.index, lease->ip, err);
	r = r < 0 ? r : netns_run(pod->netns_fd, set_pod_sysctls, (void *)pod, err);
	if (r == 0 && (host.master != p->bridge || !host.up)) {
		r = link_set_master(&p->route, host.index, p->bridge, err);
	}
	r = r < 0 ? r : link_set_hairpin(&p->route, host.index, err);
	if (r == 0 && lease->nports > 0) {
		r = podnet_rules_open(p, lease, err);
	}
	return r;
}

int podnet_attach(struct podnet *p, const struct podnet_pod *pod, struct ip_addr *ret_ip,
		  struct err *err)
{
	struct netlink inside = {0};
	struct ipam_lease lease;

	if (!p->ipam) {
		return err_set(err, ERR_UNSUPPORTED,
			       "this scope has no pod CIDR: pods cannot be attached here");
	}
	int r = ipam_take(p->ipam, pod->sandbox, pod->ports, pod->nports, &lease, err);
	r = r < 0 ? r : netlink_open(&inside, NETLINK_ROUTE, pod->netns_fd, err);
	if (r == 0) {
		r = attach(p, pod, &lease, &inside, err);
		netlink_close(&inside);
	}
	if (r < 0) {
		return err_wrap(err, "cannot attach sandbox %s to the pod network", pod->sandbox);
	}
	*ret_ip = lease.ip;
	return 0;
}

int podnet_detach(struct podnet *p, const char *sandbox, struct err *err)
{
	struct ipam_lease lease;
	char name[LINK_NAME_MAX];

	if (!p->ipam || ipam_find(p->ipam, sandbox, &lease) < 0) {
		return 0;
	}
	host_link_name(sandbox, name);
	int r = lease.nports > 0 ? podnet_rules_close(p, &lease, err) : 0;
	r = r < 0 ? r : link_delete(&p->route, name, err);
	/* Last: whoever gets the address next finds nothing of ours in its way. */
	r = r < 0 ? r : ipam_release(p->ipam, sandbox, err);
	return r < 0 ? err_wrap(err, "cannot detach sandbox %s from the pod network", sandbox) : 0;
}
