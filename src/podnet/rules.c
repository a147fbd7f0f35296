/* SPDX-License-Identifier: Apache-2.0 */
/* The pods' own nftables table: egress masquerading and host ports. The Services' table (proxy/) is another one, so that either can be loaded,
 * replaced and removed without the other. */
/* before the kernel's headers, which then leave the same names out */
#include <netinet/in.h>

#include <linux/netfilter.h>

#include "linux/netlink_conntrack.h"
#include "linux/netlink_nft.h"
#include "podnet/podnet_internal.h"

static const char table_name[] = "cox_pods";

/* Placeholders: pod CIDR, cluster CIDR, service CIDR, bridge. The VIP route makes Service addresses count as local ones (proxy.h), so they are
 * excepted: a host port 443 must not take 10.96.0.1:443. The guard makes route_localnet, which host ports on 127.0.0.1 need, safe:
 * nobody outside can reach the node's loopback listeners. */
static const char table_text[] = /* clang-format off */
	"add table ip cox_pods\n"
	"delete table ip cox_pods\n"
	"table ip cox_pods {\n"
	"	map ports { type inet_proto . inet_service : ipv4_addr . inet_service; }\n"
	"	map ports_at { type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service; }\n"
	"	set hairpin { type ipv4_addr . ipv4_addr; }\n"
	"	chain hostports {\n"
	"		dnat to ip daddr . meta l4proto . th dport map @ports_at\n"
	"		ip daddr != %3$s fib daddr type local dnat to meta l4proto . th dport map @ports\n"
	"	}\n"
	"	chain pre { type nat hook prerouting priority dstnat; jump hostports; }\n"
	"	chain out { type nat hook output priority -100; jump hostports; }\n"
	"	chain post {\n"
	"		type nat hook postrouting priority srcnat;\n"
	"		ip saddr . ip daddr @hairpin masquerade\n"
	"		ip saddr 127.0.0.0/8 oifname \"%4$s\" masquerade\n"
	"		ip saddr %1$s ip daddr != %2$s oifname != \"%4$s\" masquerade\n"
	"	}\n"
	"	chain guard {\n"
	"		type filter hook prerouting priority raw;\n"
	"		iifname != \"lo\" ip daddr 127.0.0.0/8 drop\n"
	"	}\n"
	"}\n"; /* clang-format on */

struct port_elem {
	uint8_t key[12], value[8];
	size_t key_len;
	const char *set;
};

static void put_port(uint8_t *to, uint16_t port)
{
	to[0] = (uint8_t)(port >> 8);
	to[1] = (uint8_t)port;
}

static struct port_elem port_elem(struct ip_addr pod, const struct ipam_port *port)
{
	struct port_elem e = {0};
	size_t at = 0;

	if (!ip_is_unset(port->host_ip)) {
		memcpy(e.key, port->host_ip.b + 12, 4);
		at = 4;
	}
	e.key[at] = port->protocol;
	put_port(e.key + at + 4, port->host_port);
	e.key_len = at + 8;
	e.set = at ? "ports_at" : "ports";
	memcpy(e.value, pod.b + 12, 4);
	put_port(e.value + 4, port->container_port);
	return e;
}

typedef void (*batch_fn)(struct nft_batch *b, const char *set, const struct nft_elem *elem);

static void batch_lease(struct nft_batch *b, const struct ipam_lease *lease, batch_fn change)
{
	uint8_t pair[8];

	if (lease->nports == 0) {
		return;
	}
	memcpy(pair, lease->ip.b + 12, 4);
	memcpy(pair + 4, lease->ip.b + 12, 4);
	change(b, "hairpin", &(struct nft_elem){.key = str_make(pair, sizeof(pair))});
	for (size_t i = 0; i < lease->nports; i++) {
		struct port_elem e = port_elem(lease->ip, &lease->ports[i]);
		change(b, e.set,
		       &(struct nft_elem){.key = str_make(e.key, e.key_len),
					  .data = str_make(e.value, sizeof(e.value))});
	}
}

int podnet_rules_load(struct podnet *p, struct err *err)
{
	struct buf text CLEANUP_BUF = {0};
	struct nft_batch batch CLEANUP(nft_batch_fini) = {.family = NFPROTO_IPV4,
							  .table = table_name};
	char pods[IP_TEXT_MAX], cluster[IP_TEXT_MAX], services[IP_TEXT_MAX];
	struct ipam_lease lease;

	buf_printf(&text, table_text, ip_cidr_format(p->opts.pod_cidr, pods),
		   ip_cidr_format(p->opts.cluster_cidr, cluster),
		   ip_cidr_format(p->opts.service_cidr, services), podnet_bridge);
	int r = nft_run(buf_str(&text), err);
	if (r < 0) {
		return err_wrap(err, "cannot load the rules of the pod network");
	}
	for (size_t i = 0; ipam_next(p->ipam, &i, &lease);) {
		batch_lease(&batch, &lease, nft_batch_add);
	}
	return nft_batch_commit(&batch, &p->netfilter, err);
}

int podnet_rules_remove(struct err *err)
{
	return nft_run(STR("add table ip cox_pods\ndelete table ip cox_pods\n"), err);
}

int podnet_rules_open(struct podnet *p, const struct ipam_lease *lease, struct err *err)
{
	struct nft_batch batch CLEANUP(nft_batch_fini) = {.family = NFPROTO_IPV4,
							  .table = table_name};
	struct err lost CLEANUP_ERR = {0};

	batch_lease(&batch, lease, nft_batch_add);
	if (nft_batch_commit(&batch, &p->netfilter, &lost) == 0) {
		return 0;
	}
	/* Somebody has flushed the table: put it back, this lease included. */
	log_warning(p->opts.log, "%s; loading the rules of the pod network again", err_msg(&lost));
	return podnet_rules_load(p, err);
}

static bool answered_by(void *ctx, const struct conntrack_flow *flow)
{
	const struct ip_addr *pod = ctx;

	return ip_eq(flow->reply_src, *pod) && !ip_eq(flow->dst, *pod);
}

int podnet_rules_close(struct podnet *p, const struct ipam_lease *lease, struct err *err)
{
	struct nft_batch batch CLEANUP(nft_batch_fini) = {.family = NFPROTO_IPV4,
							  .table = table_name};
	struct ip_addr pod = lease->ip;
	bool udp = false;

	batch_lease(&batch, lease, nft_batch_delete);
	int r = nft_batch_commit(&batch, &p->netfilter, err);
	if (r == ERR_NOT_FOUND) {
		err_clear(err);
		r = 0;
	}
	for (size_t i = 0; i < lease->nports; i++) {
		udp = udp || lease->ports[i].protocol == IPPROTO_UDP;
	}
	if (r == 0 && udp) {
		r = conntrack_delete(&p->netfilter, IPPROTO_UDP, answered_by, &pod, err);
	}
	return r < 0 ? r : 0;
}
