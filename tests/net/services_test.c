/* SPDX-License-Identifier: Apache-2.0 */
/* Services with real packets: two nodes, the proxy on the first. Pods a, b on node 1, c on node 2. */
#include "../tests/lib/testcluster.h"
#include "../tests/lib/testservice.h"
#include "base/cleanup.h"
#include "proxy/proxy.h"

enum { QUICK_MS = 1000, DROPPED_MS = 150 };

struct cluster {
	struct world w;
	struct pod a, b, c;
	int listeners[3]; /* TCP 8080 in a, b, c */
	struct proxy *proxy;
	struct proxy_opts opts;
	struct proxy_local locals[1];
	struct arena arena;
};

static void proxy_start(struct cluster *c)
{
	testnet_enter(c->w.node[0]);
	TESTNET_OK(proxy_new(&c->opts, &c->proxy, err));
}

static void apply(struct cluster *c)
{
	testnet_enter(c->w.node[0]);
	TESTNET_OK(proxy_apply(c->proxy, err));
}

static void set_up_cluster(struct cluster *c)
{
	*c = (struct cluster){0};
	set_up_world(&c->w, PODNET_AUTO);
	c->a = add_pod(&c->w, 0, "a", NULL, 0);
	c->b = add_pod(&c->w, 0, "b", NULL, 0);
	c->c = add_pod(&c->w, 1, "c", NULL, 0);
	c->listeners[0] = testnet_listen(c->a.ns, SOCK_STREAM, "0.0.0.0", 8080);
	c->listeners[1] = testnet_listen(c->b.ns, SOCK_STREAM, "0.0.0.0", 8080);
	c->listeners[2] = testnet_listen(c->c.ns, SOCK_STREAM, "0.0.0.0", 8080);
	c->locals[0] = (struct proxy_local){testnet_ip("10.96.0.10"), IPPROTO_TCP, 53};
	c->opts = (struct proxy_opts){.node_name = "n1",
				      .state_dir = c->w.dir[0],
				      .pod_cidr = testnet_cidr("10.244.0.0/16"),
				      .service_cidr = testnet_cidr("10.96.0.0/12"),
				      .locals = c->locals,
				      .nlocals = 1};
	proxy_start(c);
	testnet_route(c->w.outside, "10.96.0.0/12", "10.10.0.1");
}

static void tear_down_cluster(struct cluster *c)
{
	proxy_free(c->proxy);
	testnet_enter(c->w.node[0]);
	TESTNET_OK(proxy_cleanup(&c->opts, err));
	for (int i = 0; i < 3; i++) {
		close(c->listeners[i]);
	}
	close(c->a.ns);
	close(c->b.ns);
	close(c->c.ns);
	tear_down_world(&c->w);
	arena_fini(&c->arena);
}

static void set(struct cluster *c, struct service_spec spec, const char *endpoints)
{
	const char *protocol = spec.protocol ? spec.protocol : "TCP";

	proxy_set_service(c->proxy, testservice_make(&c->arena, spec));
	proxy_set_slice(c->proxy,
			testservice_slice(&c->arena, spec.name, protocol, 8080, endpoints));
	apply(c);
}

static void set_endpoints(struct cluster *c, const char *service, const char *protocol,
			  const char *endpoints)
{
	proxy_set_slice(c->proxy, testservice_slice(&c->arena, service, protocol, 8080, endpoints));
	apply(c);
}

/* Connects many times; bit per pod reached. */
static unsigned reached(struct cluster *c, int ns, const char *ip, uint16_t port)
{
	unsigned seen = 0;

	for (int i = 0; i < 60; i++) {
		int who = testnet_reach(ns, ip, port, c->listeners, 3, NULL, NULL, NULL);
		if (who < 0) {
			print_error("connect to %s:%u: %s\n", ip, port, strerror(-who));
			fail();
		}
		seen |= 1U << who;
	}
	return seen;
}

static void expect_peer(struct cluster *c, int ns, const char *ip, uint16_t port, const char *want)
{
	char peer[IP_TEXT_MAX];

	assert_true(testnet_reach(ns, ip, port, c->listeners, 3, NULL, NULL, peer) >= 0);
	assert_string_equal(peer, want);
}

static void expect_refused(int ns, const char *ip, uint16_t port)
{
	assert_int_equal(testnet_connect_from(ns, NULL, ip, port, QUICK_MS), -ECONNREFUSED);
}

#define ALL "10.244.1.2@n1 10.244.1.3@n1 10.244.2.2@n2"

TEST(cluster_ip_reaches_every_endpoint_from_pods_and_the_node)
{
	struct cluster c;

	set_up_cluster(&c);
	set(&c, (struct service_spec){.name = "web", .ip = "10.96.0.80", .port = 80}, ALL);
	assert_int_equal(reached(&c, c.a.ns, "10.96.0.80", 80), 7);
	assert_int_equal(reached(&c, c.w.node[0], "10.96.0.80", 80), 7);
	assert_int_equal(reached(&c, c.w.outside, "10.96.0.80", 80), 7);
	set_endpoints(&c, "web", "TCP", "10.244.2.2@n2");
	assert_int_equal(reached(&c, c.a.ns, "10.96.0.80", 80), 4);
	expect_peer(&c, c.a.ns, "10.96.0.80", 80, "10.244.1.2");
	tear_down_cluster(&c);
}

TEST(a_pod_reaches_itself_through_its_service)
{
	struct cluster c;

	set_up_cluster(&c);
	set(&c, (struct service_spec){.name = "web", .ip = "10.96.0.80", .port = 80},
	    "10.244.1.2@n1");
	assert_int_equal(reached(&c, c.a.ns, "10.96.0.80", 80), 1);
	expect_peer(&c, c.a.ns, "10.96.0.80", 80, "10.244.1.1");
	/* and its neighbour on the same bridge is seen as itself */
	expect_peer(&c, c.b.ns, "10.96.0.80", 80, "10.244.1.3");
	tear_down_cluster(&c);
}

TEST(connections_outlive_the_removal_of_their_endpoint_and_of_the_proxy)
{
	struct cluster c;
	int client = -1, server = -1;

	set_up_cluster(&c);
	set(&c, (struct service_spec){.name = "web", .ip = "10.96.0.80", .port = 80},
	    "10.244.2.2@n2");
	assert_int_equal(
		testnet_reach(c.a.ns, "10.96.0.80", 80, c.listeners, 3, &client, &server, NULL), 2);
	set_endpoints(&c, "web", "TCP", "10.244.1.3@n1 10.244.2.2@n2!");
	testnet_expect_alive(client, server);
	assert_int_equal(reached(&c, c.a.ns, "10.96.0.80", 80), 2);

	/* a new proxy knows nothing of the old one's time but what the API tells it */
	proxy_free(c.proxy);
	assert_int_equal(reached(&c, c.a.ns, "10.96.0.80", 80), 2);
	proxy_start(&c);
	assert_int_equal(reached(&c, c.a.ns, "10.96.0.80", 80), 2);
	set(&c, (struct service_spec){.name = "web", .ip = "10.96.0.80", .port = 80},
	    "10.244.1.2@n1");
	assert_int_equal(reached(&c, c.a.ns, "10.96.0.80", 80), 1);
	testnet_expect_alive(client, server);
	close(client);
	close(server);
	tear_down_cluster(&c);
}

TEST(node_ports_answer_outside_on_the_node_and_on_loopback)
{
	struct cluster c;

	set_up_cluster(&c);
	set(&c,
	    (struct service_spec){.name = "web",
				  .type = "NodePort",
				  .ip = "10.96.0.80",
				  .port = 80,
				  .node_port = 30080},
	    ALL);
	assert_int_equal(reached(&c, c.w.outside, "10.10.0.1", 30080), 7);
	assert_int_equal(reached(&c, c.w.node[0], "10.10.0.1", 30080), 7);
	assert_int_equal(reached(&c, c.w.node[0], "127.0.0.1", 30080), 7);
	assert_int_equal(reached(&c, c.a.ns, "10.10.0.1", 30080), 7);
	assert_int_equal(reached(&c, c.a.ns, "10.244.1.1", 30080), 7);
	/* the node port is no port of VIPs */
	expect_refused(c.a.ns, "10.96.0.80", 30080);
	set_endpoints(&c, "web", "TCP", "");
	expect_refused(c.w.outside, "10.10.0.1", 30080);
	tear_down_cluster(&c);
}

TEST(nobody_there_is_refused_at_once)
{
	struct cluster c;

	set_up_cluster(&c);
	set(&c, (struct service_spec){.name = "web", .ip = "10.96.0.80", .port = 80},
	    "10.244.1.2@n1!");
	int daemon = testnet_listen(c.w.node[0], SOCK_STREAM, "0.0.0.0", 8443);
	int dns = testnet_listen(c.w.node[0], SOCK_STREAM, "10.96.0.10", 53);
	const int from[] = {c.a.ns, c.w.node[0], c.w.outside};
	for (size_t i = 0; i < ARRAY_LEN(from); i++) {
		/* more often than ICMP errors would be sent */
		for (int n = 0; n < 12; n++) {
			expect_refused(from[i], "10.96.0.80", 80);
		}
		expect_refused(from[i], "10.96.0.80", 81);
		expect_refused(from[i], "10.96.77.77", 80);
		/* a daemon on all addresses is not on the Services' */
		expect_refused(from[i], "10.96.0.80", 8443);
		assert_int_equal(
			testnet_reach(from[i], "10.10.0.1", 8443, &daemon, 1, NULL, NULL, NULL), 0);
		/* one that serves a Service's address here is */
		assert_int_equal(
			testnet_reach(from[i], "10.96.0.10", 53, &dns, 1, NULL, NULL, NULL), 0);
	}
	close(daemon);
	close(dns);
	tear_down_cluster(&c);
}

TEST(udp_flows_follow_their_endpoints)
{
	struct cluster c;
	int servers[3];

	set_up_cluster(&c);
	const int ns[] = {c.a.ns, c.b.ns, c.c.ns};
	for (int i = 0; i < 3; i++) {
		servers[i] = testnet_listen(ns[i], SOCK_DGRAM, "0.0.0.0", 8080);
	}
	struct service_spec spec = {.name = "u",
				    .type = "NodePort",
				    .ip = "10.96.0.53",
				    .port = 53,
				    .node_port = 30053,
				    .protocol = "UDP"};
	/* a flow that was there before the Service takes it up */
	int early = testnet_socket(c.w.outside, SOCK_DGRAM);
	assert_int_equal(testnet_ask_udp(early, "10.10.0.1", 30053, servers, 3, DROPPED_MS), -1);
	set(&c, spec, "10.244.1.2@n1");
	int client = testnet_socket(c.b.ns, SOCK_DGRAM),
	    outside = testnet_socket(c.w.outside, SOCK_DGRAM);
	assert_int_equal(testnet_ask_udp(client, "10.96.0.53", 53, servers, 3, TESTNET_WAIT_MS), 0);
	assert_int_equal(testnet_ask_udp(outside, "10.10.0.1", 30053, servers, 3, TESTNET_WAIT_MS),
			 0);
	assert_int_equal(testnet_ask_udp(early, "10.10.0.1", 30053, servers, 3, TESTNET_WAIT_MS),
			 0);
	set_endpoints(&c, "u", "UDP", "10.244.1.2@n1!  10.244.2.2@n2");
	assert_int_equal(testnet_ask_udp(client, "10.96.0.53", 53, servers, 3, TESTNET_WAIT_MS), 2);
	assert_int_equal(testnet_ask_udp(outside, "10.10.0.1", 30053, servers, 3, TESTNET_WAIT_MS),
			 2);
	assert_int_equal(proxy_counters(c.proxy)->flows_deleted >= 2, 1);
	/* a removed Service ends its flows, also those that never pause */
	proxy_remove_service(c.proxy, STR("default"), STR("u"));
	apply(&c);
	assert_int_equal(testnet_ask_udp(client, "10.96.0.53", 53, servers, 3, DROPPED_MS), -1);
	for (int i = 0; i < 3; i++) {
		close(servers[i]);
	}
	close(early);
	close(client);
	close(outside);
	tear_down_cluster(&c);
}

/* The only pod that 20 connections reach. */
static unsigned sticks_to(struct cluster *c, int ns, const char *ip, uint16_t port)
{
	unsigned seen = reached(c, ns, ip, port);

	assert_true(seen == 1 || seen == 2 || seen == 4);
	return seen;
}

TEST(affinity_keeps_a_client_with_its_endpoint_until_that_one_goes)
{
	struct cluster c;
	static const char *const without[] = {[1] = "10.244.1.3@n1 10.244.2.2@n2",
					      [2] = "10.244.1.2@n1 10.244.2.2@n2",
					      [4] = "10.244.1.2@n1 10.244.1.3@n1"};
	static const char *const only[] = {
		[1] = "10.244.1.2@n1", [2] = "10.244.1.3@n1", [4] = "10.244.2.2@n2"};

	set_up_cluster(&c);
	struct service_spec spec = {.name = "web",
				    .type = "NodePort",
				    .ip = "10.96.0.80",
				    .port = 80,
				    .node_port = 30080,
				    .affinity_sec = 100};
	set(&c, spec, ALL);
	unsigned mine = sticks_to(&c, c.a.ns, "10.96.0.80", 80);
	unsigned outside = sticks_to(&c, c.w.outside, "10.10.0.1", 30080);
	/* others come and go */
	set_endpoints(&c, "web", "TCP", only[mine]);
	set_endpoints(&c, "web", "TCP", ALL);
	assert_int_equal(sticks_to(&c, c.a.ns, "10.96.0.80", 80), mine);
	/* the proxy too */
	proxy_free(c.proxy);
	proxy_start(&c);
	set(&c, spec, ALL);
	assert_int_equal(sticks_to(&c, c.a.ns, "10.96.0.80", 80), mine);
	/* its own goes: another one, and that one for good */
	set_endpoints(&c, "web", "TCP", without[mine]);
	unsigned next = sticks_to(&c, c.a.ns, "10.96.0.80", 80);
	assert_int_not_equal(next, mine);
	set_endpoints(&c, "web", "TCP", ALL);
	assert_int_equal(sticks_to(&c, c.a.ns, "10.96.0.80", 80), next);
	if (outside != mine) {
		assert_int_equal(sticks_to(&c, c.w.outside, "10.10.0.1", 30080), outside);
	}
	tear_down_cluster(&c);
}

TEST(policy_local_keeps_the_source_and_stays_on_the_node)
{
	struct cluster c;

	set_up_cluster(&c);
	struct service_spec spec = {.name = "web",
				    .type = "LoadBalancer",
				    .ip = "10.96.0.80",
				    .port = 80,
				    .node_port = 30080,
				    .balancer_ip = "10.10.0.100",
				    .external_policy = "Local"};
	testnet_route(c.w.outside, "10.10.0.100/32", "10.10.0.1");
	set(&c, spec, ALL);
	assert_int_equal(reached(&c, c.w.outside, "10.10.0.1", 30080), 3);
	expect_peer(&c, c.w.outside, "10.10.0.1", 30080, "10.10.0.9");
	assert_int_equal(reached(&c, c.w.outside, "10.10.0.100", 80), 3);
	expect_peer(&c, c.w.outside, "10.10.0.100", 80, "10.10.0.9");
	/* from within it is like the ClusterIP */
	assert_int_equal(reached(&c, c.a.ns, "10.10.0.100", 80), 7);
	assert_int_equal(reached(&c, c.w.node[0], "10.10.0.1", 30080), 7);
	/* nobody here: dropped, so that a balancer tries another node; nobody at all: refused */
	set_endpoints(&c, "web", "TCP", "10.244.2.2@n2");
	assert_int_equal(testnet_connect_from(c.w.outside, NULL, "10.10.0.1", 30080, DROPPED_MS),
			 -ETIMEDOUT);
	assert_int_equal(reached(&c, c.a.ns, "10.10.0.100", 80), 4);
	set_endpoints(&c, "web", "TCP", "");
	expect_refused(c.w.outside, "10.10.0.1", 30080);
	expect_refused(c.w.outside, "10.10.0.100", 80);

	spec = (struct service_spec){
		.name = "in", .ip = "10.96.0.81", .port = 80, .internal_policy = "Local"};
	set(&c, spec, ALL);
	assert_int_equal(reached(&c, c.a.ns, "10.96.0.81", 80), 3);
	set_endpoints(&c, "in", "TCP", "10.244.2.2@n2");
	assert_int_equal(testnet_connect_from(c.a.ns, NULL, "10.96.0.81", 80, DROPPED_MS),
			 -ETIMEDOUT);
	tear_down_cluster(&c);
}

TEST(balancer_ranges_and_external_addresses_act)
{
	struct cluster c;

	set_up_cluster(&c);
	struct service_spec spec = {.name = "web",
				    .type = "LoadBalancer",
				    .ip = "10.96.0.80",
				    .port = 80,
				    .external_ip = "10.10.0.101",
				    .balancer_ip = "10.10.0.100",
				    .ranges = "10.10.0.8/29,10.10.0.9/32,192.168.0.0/16"};
	testnet_route(c.w.outside, "10.10.0.100/31", "10.10.0.1");
	set(&c, spec, ALL);
	assert_int_equal(reached(&c, c.w.outside, "10.10.0.100", 80), 7);
	assert_int_equal(reached(&c, c.w.outside, "10.10.0.101", 80), 7);
	spec.ranges = "10.10.0.10/32,192.168.0.0/16";
	set(&c, spec, ALL);
	assert_int_equal(testnet_connect_from(c.w.outside, NULL, "10.10.0.100", 80, DROPPED_MS),
			 -ETIMEDOUT);
	assert_int_equal(reached(&c, c.w.outside, "10.10.0.101", 80), 7);
	spec.ranges = "0.0.0.0/0";
	set(&c, spec, ALL);
	assert_int_equal(reached(&c, c.w.outside, "10.10.0.100", 80), 7);
	tear_down_cluster(&c);
}

TEST(a_flushed_ruleset_is_put_back)
{
	struct cluster c;

	set_up_cluster(&c);
	set(&c, (struct service_spec){.name = "web", .ip = "10.96.0.80", .port = 80},
	    "10.244.1.2@n1");
	TESTNET_OK(nft_run(STR("delete table ip cox_services\n"), err));
	expect_refused(c.a.ns, "10.96.0.80", 80);
	set_endpoints(&c, "web", "TCP", "10.244.1.3@n1");
	assert_int_equal(reached(&c, c.a.ns, "10.96.0.80", 80), 2);
	assert_int_equal(proxy_counters(c.proxy)->reloads, 2);
	TESTNET_OK(nft_run(STR("delete table ip cox_services\n"), err));
	TESTNET_OK(proxy_verify(c.proxy, err));
	assert_int_equal(reached(&c, c.a.ns, "10.96.0.80", 80), 2);
	tear_down_cluster(&c);
}

TEST(the_applied_revision_follows_the_kernel_not_the_watch)
{
	struct cluster c;

	set_up_cluster(&c);
	struct discovery_endpoint_slice *slice =
		testservice_slice(&c.arena, "web", "TCP", 8080, ALL);
	slice->metadata.resource_version = STR("41");
	proxy_set_slice(c.proxy, slice);
	assert_int_equal(proxy_applied_revision(c.proxy), 0);
	apply(&c);
	assert_int_equal(proxy_applied_revision(c.proxy), 41);
	proxy_remove_slice(c.proxy, slice, 57);
	assert_int_equal(proxy_applied_revision(c.proxy), 41);
	apply(&c);
	assert_int_equal(proxy_applied_revision(c.proxy), 57);
	proxy_observe_revision(c.proxy, 60);
	assert_false(proxy_is_dirty(c.proxy));
	apply(&c);
	assert_int_equal(proxy_applied_revision(c.proxy), 60);
	tear_down_cluster(&c);
}

TEST_MAIN(cluster_ip_reaches_every_endpoint_from_pods_and_the_node,
	  a_pod_reaches_itself_through_its_service,
	  connections_outlive_the_removal_of_their_endpoint_and_of_the_proxy,
	  node_ports_answer_outside_on_the_node_and_on_loopback, nobody_there_is_refused_at_once,
	  udp_flows_follow_their_endpoints,
	  affinity_keeps_a_client_with_its_endpoint_until_that_one_goes,
	  policy_local_keeps_the_source_and_stays_on_the_node,
	  balancer_ranges_and_external_addresses_act, a_flushed_ruleset_is_put_back,
	  the_applied_revision_follows_the_kernel_not_the_watch)
