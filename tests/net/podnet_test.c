/* SPDX-License-Identifier: Apache-2.0 */
#include "podnet/podnet.h"

#include "../tests/lib/testcluster.h"
#include "base/cleanup.h"

/* Also the claim that no address is translated between pods. */
static void expect_reach(const struct pod *from, const struct pod *to)
{
	char peer[IP_TEXT_MAX];
	int listener = testnet_listen(to->ns, SOCK_STREAM, "0.0.0.0", 8080);

	assert_int_equal(testnet_reach(from->ns, to->text, 8080, &listener, 1, NULL, NULL, peer),
			 0);
	assert_string_equal(peer, from->text);
	close(listener);
}

static void check_mode(enum podnet_mode mode)
{
	struct world w;

	set_up_world(&w, mode);
	struct pod a = add_pod(&w, 0, "a", NULL, 0), b = add_pod(&w, 0, "b", NULL, 0),
		   c = add_pod(&w, 1, "c", NULL, 0);
	assert_string_equal(a.text, "10.244.1.2");
	assert_string_equal(c.text, "10.244.2.2");
	expect_reach(&a, &b);
	expect_reach(&a, &c);
	expect_reach(&c, &b);
	close(a.ns);
	close(b.ns);
	close(c.ns);
	tear_down_world(&w);
}

TEST(podnet_joins_pods_of_all_nodes_by_plain_routes)
{
	check_mode(PODNET_HOST_GW);
}

TEST(podnet_joins_pods_of_all_nodes_by_a_tunnel)
{
	check_mode(PODNET_VXLAN);
}

TEST(podnet_masquerades_only_what_leaves_the_cluster)
{
	struct world w;
	char peer[IP_TEXT_MAX];

	set_up_world(&w, PODNET_AUTO);
	struct pod a = add_pod(&w, 0, "a", NULL, 0);
	int listener = testnet_listen(w.outside, SOCK_STREAM, "0.0.0.0", 80);
	assert_int_equal(testnet_reach(a.ns, "10.10.0.9", 80, &listener, 1, NULL, NULL, peer), 0);
	assert_string_equal(peer, "10.10.0.1");
	/* from the pod's own node a pod is reached without translation, and the other way round */
	int node = testnet_listen(w.node[0], SOCK_STREAM, "0.0.0.0", 81);
	assert_int_equal(testnet_reach(a.ns, "10.10.0.1", 81, &node, 1, NULL, NULL, peer), 0);
	assert_string_equal(peer, a.text);
	close(node);
	close(listener);
	close(a.ns);
	tear_down_world(&w);
}

TEST(podnet_takes_over_what_a_predecessor_left)
{
	struct world w;
	struct ip_addr again;
	int client = -1, server = -1;

	set_up_world(&w, PODNET_AUTO);
	struct ipam_port port = {.protocol = IPPROTO_TCP, .host_port = 8080, .container_port = 80};
	struct pod a = add_pod(&w, 0, "a", &port, 1), c = add_pod(&w, 1, "c", NULL, 0);
	int listener = testnet_listen(a.ns, SOCK_STREAM, "0.0.0.0", 80);
	assert_int_equal(
		testnet_reach(c.ns, "10.10.0.1", 8080, &listener, 1, &client, &server, NULL), 0);

	testnet_enter(w.node[0]);
	podnet_free(w.net[0]);
	TESTNET_OK(podnet_new(&w.opts[0], &w.net[0], err));
	testnet_expect_alive(client, server);
	assert_int_equal(podnet_find(w.net[0], "a", &again), 0);
	assert_true(ip_eq(again, a.ip));
	struct podnet_pod in = {.sandbox = "a", .netns_fd = a.ns};
	TESTNET_OK(podnet_attach(w.net[0], &in, &again, err));
	assert_true(ip_eq(again, a.ip));
	testnet_expect_alive(client, server);
	/* the host port too, without being named again */
	assert_int_equal(
		testnet_reach(w.outside, "10.10.0.1", 8080, &listener, 1, NULL, NULL, NULL), 0);

	/* a route to a node that is gone goes, one that is there stays */
	testnet_route(w.node[0], "10.244.9.0/24", "10.10.0.9");
	struct netlink nl;
	struct route route = {.dst = testnet_cidr("10.244.8.0/24"),
			      .via = testnet_ip("10.10.0.8"),
			      .type = 1,
			      .protocol = 99};
	TESTNET_OK(netlink_open(&nl, NETLINK_ROUTE, w.node[0], err));
	TESTNET_OK(route_add(&nl, &route, err));
	testnet_enter(w.node[0]);
	TESTNET_OK(podnet_set_node(w.net[0], STR("other"), w.opts[1].node_ip, w.opts[1].pod_cidr,
				   err));
	TESTNET_OK(podnet_prune_nodes(w.net[0], err));
	struct route now;
	TESTNET_OK(route_get(&nl, testnet_ip("10.244.9.1"), &now, err));
	assert_int_equal(route_get(&nl, testnet_ip("10.244.8.1"), &now, NULL), ERR_NOT_FOUND);
	netlink_close(&nl);
	testnet_expect_alive(client, server);
	close(client);
	close(server);
	close(listener);
	close(a.ns);
	close(c.ns);
	tear_down_world(&w);
}

TEST(podnet_opens_host_ports_from_everywhere)
{
	struct world w;
	char peer[IP_TEXT_MAX];
	struct ipam_port ports[] = {
		{.protocol = IPPROTO_TCP, .host_port = 8080, .container_port = 80},
		{.protocol = IPPROTO_UDP, .host_port = 5353, .container_port = 53},
		{.protocol = IPPROTO_TCP,
		 .host_port = 8081,
		 .container_port = 80,
		 .host_ip = testnet_ip("127.0.0.1")}};

	set_up_world(&w, PODNET_AUTO);
	struct pod a = add_pod(&w, 0, "a", ports, 3), b = add_pod(&w, 0, "b", NULL, 0);
	int listener = testnet_listen(a.ns, SOCK_STREAM, "0.0.0.0", 80);
	int udp = testnet_listen(a.ns, SOCK_DGRAM, "0.0.0.0", 53);
	assert_int_equal(
		testnet_reach(w.outside, "10.10.0.1", 8080, &listener, 1, NULL, NULL, peer), 0);
	assert_string_equal(peer, "10.10.0.9"); /* who asked is seen */
	assert_int_equal(testnet_reach(b.ns, "10.10.0.1", 8080, &listener, 1, NULL, NULL, NULL), 0);
	assert_int_equal(testnet_reach(a.ns, "10.10.0.1", 8080, &listener, 1, NULL, NULL, NULL), 0);
	assert_int_equal(
		testnet_reach(w.node[0], "127.0.0.1", 8080, &listener, 1, NULL, NULL, NULL), 0);
	assert_int_equal(
		testnet_reach(w.node[0], "127.0.0.1", 8081, &listener, 1, NULL, NULL, NULL), 0);
	assert_int_equal(testnet_connect(w.outside, "10.10.0.1", 8081), -ECONNREFUSED);
	int client = testnet_socket(w.outside, SOCK_DGRAM);
	assert_int_equal(testnet_ask_udp(client, "10.10.0.1", 5353, &udp, 1, TESTNET_WAIT_MS), 0);

	/* a second owner of the port is refused, in words */
	struct err refused CLEANUP_ERR = {0};
	struct ip_addr ip;
	struct podnet_pod in = {.sandbox = "b2", .netns_fd = b.ns, .ports = ports, .nports = 1};
	testnet_enter(w.node[0]);
	assert_int_equal(podnet_attach(w.net[0], &in, &ip, &refused), ERR_EXISTS);
	assert_non_null(strstr(err_msg(&refused), "host port 8080 is in use by sandbox a"));

	TESTNET_OK(podnet_detach(w.net[0], "a", err));
	assert_int_equal(testnet_connect(w.outside, "10.10.0.1", 8080), -ECONNREFUSED);
	close(client);
	close(udp);
	close(listener);
	close(a.ns);
	close(b.ns);
	tear_down_world(&w);
}

TEST(podnet_detach_is_idempotent_and_frees_the_address_last_in_turn)
{
	struct world w;

	set_up_world(&w, PODNET_AUTO);
	struct pod a = add_pod(&w, 0, "a", NULL, 0);
	testnet_enter(w.node[0]);
	TESTNET_OK(podnet_detach(w.net[0], "a", err));
	TESTNET_OK(podnet_detach(w.net[0], "a", err));
	TESTNET_OK(podnet_detach(w.net[0], "never", err));
	struct pod b = add_pod(&w, 0, "b", NULL, 0);
	assert_string_equal(b.text, "10.244.1.3");
	close(a.ns);
	close(b.ns);
	tear_down_world(&w);
}

TEST(podnet_sets_sysctls_inside_the_pod_only)
{
	struct world w;

	set_up_world(&w, PODNET_AUTO);
	struct pod a = {.ns = testnet_new()};
	struct sysctl somaxconn = {"net/core/somaxconn", "777"};
	struct podnet_pod in = {
		.sandbox = "a", .netns_fd = a.ns, .sysctls = &somaxconn, .nsysctls = 1};
	testnet_enter(w.node[0]);
	TESTNET_OK(podnet_attach(w.net[0], &in, &a.ip, err));
	static const char *const want[][2] = {
		{"/proc/sys/net/core/somaxconn", "777"},
		{"/proc/sys/net/ipv4/ip_unprivileged_port_start", "0"}};
	for (int inside = 0; inside < 2; inside++) {
		testnet_enter(inside ? a.ns : w.node[0]);
		for (size_t i = 0; i < ARRAY_LEN(want); i++) {
			char text[32] = {0};
			int fd = open(want[i][0], O_RDONLY | O_CLOEXEC);
			assert_true(read(fd, text, sizeof(text) - 1) > 0);
			close(fd);
			assert_int_equal(str_eq(str_trim(str_of(text)), str_of(want[i][1])),
					 inside);
		}
	}
	close(a.ns);
	tear_down_world(&w);
}

TEST_MAIN(podnet_joins_pods_of_all_nodes_by_plain_routes,
	  podnet_joins_pods_of_all_nodes_by_a_tunnel,
	  podnet_masquerades_only_what_leaves_the_cluster,
	  podnet_takes_over_what_a_predecessor_left, podnet_opens_host_ports_from_everywhere,
	  podnet_detach_is_idempotent_and_frees_the_address_last_in_turn,
	  podnet_sets_sysctls_inside_the_pod_only)
