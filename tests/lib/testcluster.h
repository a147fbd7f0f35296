/* SPDX-License-Identifier: Apache-2.0 */
/* tests/lib/testcluster.h: two nodes with a pod network each, and a host outside of the cluster, as namespaces of this process. */
#pragma once
#include <sys/stat.h>

#include "../tests/lib/testnet.h"
#include "podnet/podnet.h"

/* Two nodes on one underlay, host "outside" on it too:  node1 10.10.0.1, node2 10.10.0.2, outside 10.10.0.9. */
struct world {
	char dir[2][64];
	int home, outside, node[2];
	struct podnet *net[2];
	struct podnet_opts opts[2];
};

static inline void set_up_world(struct world *w, enum podnet_mode mode)
{
	struct netlink nl;
	struct link link;
	static const uint8_t mac[6] = {0x0e, 0x98, 0, 0, 0, 1};

	*w = (struct world){.home = testnet_here(), .outside = testnet_new()};
	TESTNET_OK(netlink_open(&nl, NETLINK_ROUTE, w->outside, err));
	TESTNET_OK(link_add_bridge(&nl, "ul0", mac, 1500, err));
	testnet_addr(w->outside, "ul0", "10.10.0.9/24");
	assert_int_equal(link_find(&nl, "ul0", &link), 0);
	for (int i = 0; i < 2; i++) {
		char port[] = {'u', (char)('0' + i), 0}, addr[32];
		struct link host;
		w->node[i] = testnet_new();
		struct link_peer peer = {.name = "eth0",
					 .netns_fd = w->node[i],
					 .mac = {0x0e, 0x97, 0, 0, 0, (uint8_t)i}};
		TESTNET_OK(link_add_veth(&nl, port, 1500, &peer, err));
		assert_int_equal(link_find(&nl, port, &host), 0);
		TESTNET_OK(link_set_master(&nl, host.index, link.index, err));
		snprintf(addr, sizeof(addr), "10.10.0.%d/24", i + 1);
		testnet_addr(w->node[i], "eth0", addr);
		snprintf(w->dir[i], sizeof(w->dir[i]), "/tmp/podnet_test.XXXXXX");
		assert_non_null(mkdtemp(w->dir[i]));
		snprintf(addr, sizeof(addr), "10.244.%d.0/24", i + 1);
		w->opts[i] =
			(struct podnet_opts){.state_dir = w->dir[i],
					     .pod_cidr = testnet_cidr(addr),
					     .cluster_cidr = testnet_cidr("10.244.0.0/16"),
					     .service_cidr = testnet_cidr("10.96.0.0/12"),
					     .node_ip = testnet_ip(i ? "10.10.0.2" : "10.10.0.1"),
					     .mode = mode};
	}
	netlink_close(&nl);
	for (int i = 0; i < 2; i++) {
		testnet_enter(w->node[i]);
		TESTNET_OK(podnet_new(&w->opts[i], &w->net[i], err));
		struct podnet_opts *o = &w->opts[!i];
		TESTNET_OK(podnet_set_node(w->net[i], STR("other"), o->node_ip, o->pod_cidr, err));
	}
}

static inline void tear_down_world(struct world *w)
{
	for (int i = 0; i < 2; i++) {
		podnet_free(w->net[i]);
		testnet_enter(w->node[i]);
		TESTNET_OK(podnet_cleanup(&w->opts[i], err));
		/* nothing is left, neither files nor links */
		assert_int_equal(rmdir(w->dir[i]), 0);
		struct netlink nl;
		struct link link;
		TESTNET_OK(netlink_open(&nl, NETLINK_ROUTE, -1, err));
		assert_int_equal(link_find(&nl, podnet_bridge, &link), ERR_NOT_FOUND);
		netlink_close(&nl);
		close(w->node[i]);
	}
	close(w->outside);
	testnet_enter(w->home);
	close(w->home);
}

struct pod {
	int ns;
	struct ip_addr ip;
	char text[IP_TEXT_MAX];
};

static inline struct pod add_pod(struct world *w, int node, const char *sandbox,
				 const struct ipam_port *ports, size_t nports)
{
	struct pod pod = {.ns = testnet_new()};
	struct podnet_pod in = {
		.sandbox = sandbox, .netns_fd = pod.ns, .ports = ports, .nports = nports};

	testnet_enter(w->node[node]);
	TESTNET_OK(podnet_attach(w->net[node], &in, &pod.ip, err));
	ip_format(pod.ip, pod.text);
	return pod;
}
