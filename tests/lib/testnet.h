/* SPDX-License-Identifier: Apache-2.0 */
/* tests/lib/testnet.h: small networks for tests of the data plane, in one process and one thread: namespaces that vanish with the process, links
 * between them, and sockets that were opened inside one and can be used from anywhere. Needs root; a failed step fails the test.
 * A listener that accepts tells which endpoint a connection has reached, so no server has to run. */
#pragma once
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/ip.h"
#include "base/test.h"
#include "linux/netlink_link.h"
#include "linux/sysctl.h"

enum { TESTNET_WAIT_MS = 5000 };

static inline struct ip_addr testnet_ip(const char *text)
{
	struct ip_addr ip = {0};
	assert_int_equal(ip_parse(str_of(text), &ip), 0);
	return ip;
}

static inline struct ip_cidr testnet_cidr(const char *text)
{
	struct ip_cidr cidr = {0};
	assert_int_equal(ip_cidr_parse(str_of(text), &cidr), 0);
	return cidr;
}

static inline int testnet_here(void)
{
	int fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static inline void testnet_enter(int ns)
{
	assert_int_equal(setns(ns, CLONE_NEWNET), 0);
}

#define TESTNET_OK(call)                                                                           \
	do {                                                                                       \
		struct err err_ = {0};                                                             \
		struct err *err = &err_;                                                           \
		int r_ = (call);                                                                   \
		if (r_ < 0) {                                                                      \
			print_error("%s: %s\n", #call, err_msg(&err_));                            \
		}                                                                                  \
		err_clear(&err_);                                                                  \
		assert_true(r_ >= 0);                                                              \
	} while (0)

/* A new namespace with lo up; the caller stays where it is. */
static inline int testnet_new(void)
{
	int home = testnet_here();
	struct netlink nl;
	struct link lo;

	if (unshare(CLONE_NEWNET) < 0) {
		print_error("no network namespace (%s): these tests need root\n", strerror(errno));
		fail();
	}
	int fd = testnet_here();
	TESTNET_OK(netlink_open(&nl, NETLINK_ROUTE, -1, err));
	assert_int_equal(link_find(&nl, "lo", &lo), 0);
	TESTNET_OK(link_set_up(&nl, lo.index, err));
	netlink_close(&nl);
	testnet_enter(home);
	close(home);
	return fd;
}

static inline void testnet_addr(int ns, const char *name, const char *cidr)
{
	struct netlink nl;
	struct link link;

	TESTNET_OK(netlink_open(&nl, NETLINK_ROUTE, ns, err));
	assert_int_equal(link_find(&nl, name, &link), 0);
	TESTNET_OK(link_set_up(&nl, link.index, err));
	TESTNET_OK(link_add_addr(&nl, link.index, testnet_cidr(cidr), err));
	netlink_close(&nl);
}

/* a's name_a <-> b's name_b, each with its address, up. */
static inline void testnet_join(int a, const char *name_a, const char *cidr_a, int b,
				const char *name_b, const char *cidr_b)
{
	struct netlink nl;
	static uint8_t serial;
	struct link_peer peer = {
		.name = name_b, .netns_fd = b, .mac = {0x0e, 0x99, 0, 0, 0, ++serial}};

	TESTNET_OK(netlink_open(&nl, NETLINK_ROUTE, a, err));
	TESTNET_OK(link_add_veth(&nl, name_a, 1500, &peer, err));
	netlink_close(&nl);
	testnet_addr(a, name_a, cidr_a);
	testnet_addr(b, name_b, cidr_b);
}

static inline void testnet_route(int ns, const char *dst, const char *via)
{
	struct netlink nl;
	struct route route = {
		.dst = testnet_cidr(dst), .via = testnet_ip(via), .type = 1, .protocol = 4};

	TESTNET_OK(netlink_open(&nl, NETLINK_ROUTE, ns, err));
	TESTNET_OK(route_add(&nl, &route, err));
	netlink_close(&nl);
}

static inline int testnet_set_forward(void *ctx, struct err *err)
{
	(void)ctx;
	return sysctl_ensure(&(struct sysctl){"net/ipv4/ip_forward", "1"}, NULL, err);
}

static inline struct sockaddr_in testnet_sa(const char *ip, uint16_t port)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(port)};
	sa.sin_addr.s_addr = htonl(ip_v4(testnet_ip(ip)));
	return sa;
}

static inline int testnet_socket(int ns, int type)
{
	int home = testnet_here();
	int on = 1;

	testnet_enter(ns);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_true(fd >= 0);
	testnet_enter(home);
	close(home);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
	return fd;
}

/* A listening TCP or bound UDP socket. */
static inline int testnet_listen(int ns, int type, const char *ip, uint16_t port)
{
	struct sockaddr_in sa = testnet_sa(ip, port);
	int fd = testnet_socket(ns, type);

	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	if (type == SOCK_STREAM) {
		assert_int_equal(listen(fd, 64), 0);
	}
	return fd;
}

/* Index of the first descriptor that has something to read, or -1 after the time. */
static inline int testnet_readable(const int *fds, int n, int wait_ms)
{
	struct pollfd p[64];

	assert_true(n <= 64);
	for (int i = 0; i < n; i++) {
		p[i] = (struct pollfd){.fd = fds[i], .events = POLLIN};
	}
	if (poll(p, (nfds_t)n, wait_ms) <= 0) {
		return -1;
	}
	for (int i = 0; i < n; i++) {
		if (p[i].revents) {
			return i;
		}
	}
	return -1;
}

/* A connected socket, or -errno (-ETIMEDOUT after the time). from: the source address, or NULL. */
static inline int testnet_connect_from(int ns, const char *from, const char *ip, uint16_t port,
				       int wait_ms)
{
	struct sockaddr_in sa = testnet_sa(ip, port);
	int fd = testnet_socket(ns, SOCK_STREAM);
	int error = 0;
	socklen_t n = sizeof(error);

	if (from) {
		struct sockaddr_in source = testnet_sa(from, 0);
		assert_int_equal(bind(fd, (struct sockaddr *)&source, sizeof(source)), 0);
	}
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
		struct pollfd p = {.fd = fd, .events = POLLOUT};
		if (errno != EINPROGRESS) {
			error = errno;
		} else if (poll(&p, 1, wait_ms) <= 0) {
			error = ETIMEDOUT;
		} else {
			assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n), 0);
		}
	}
	if (error) {
		close(fd);
		return -error;
	}
	return fd;
}

static inline int testnet_connect(int ns, const char *ip, uint16_t port)
{
	return testnet_connect_from(ns, NULL, ip, port, TESTNET_WAIT_MS);
}

/* Connects and says which listener it reached: its index, with the two ends if wanted; or -errno. */
static inline int testnet_reach(int ns, const char *ip, uint16_t port, const int *listeners, int n,
				int *ret_client, int *ret_server, char ret_peer[IP_TEXT_MAX])
{
	struct sockaddr_in peer;
	socklen_t len = sizeof(peer);
	int client = testnet_connect(ns, ip, port);

	if (client < 0) {
		return client;
	}
	int who = testnet_readable(listeners, n, TESTNET_WAIT_MS);
	if (who < 0) {
		close(client);
		return -ENOTCONN;
	}
	int server = accept4(listeners[who], (struct sockaddr *)&peer, &len, SOCK_CLOEXEC);
	assert_true(server >= 0);
	if (ret_peer) {
		ip_format(ip_from_v4(ntohl(peer.sin_addr.s_addr)), ret_peer);
	}
	if (ret_client) {
		*ret_client = client;
		*ret_server = server;
		return who;
	}
	/* reset, not TIME_WAIT: a test makes thousands of them */
	struct linger reset = {1, 0};
	assert_int_equal(setsockopt(client, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
	close(client);
	close(server);
	return who;
}

/* Both directions of an open connection work. */
static inline void testnet_expect_alive(int client, int server)
{
	char c = 0;

	assert_int_equal(write(client, "?", 1), 1);
	assert_int_equal(testnet_readable(&server, 1, TESTNET_WAIT_MS), 0);
	assert_int_equal(read(server, &c, 1), 1);
	assert_int_equal(write(server, "!", 1), 1);
	assert_int_equal(testnet_readable(&client, 1, TESTNET_WAIT_MS), 0);
	assert_int_equal(read(client, &c, 1), 1);
	assert_int_equal(c, '!');
}

/* One datagram there and one back over a bound UDP client socket: index of the server that got it, or -1. */
static inline int testnet_ask_udp(int client, const char *ip, uint16_t port, const int *servers,
				  int n, int wait_ms)
{
	struct sockaddr_in to = testnet_sa(ip, port), from;
	socklen_t len = sizeof(from);
	char c = 0;

	if (sendto(client, "?", 1, 0, (struct sockaddr *)&to, sizeof(to)) != 1) {
		return -1;
	}
	int who = testnet_readable(servers, n, wait_ms);
	if (who < 0) {
		return -1;
	}
	assert_int_equal(recvfrom(servers[who], &c, 1, 0, (struct sockaddr *)&from, &len), 1);
	assert_int_equal(sendto(servers[who], "!", 1, 0, (struct sockaddr *)&from, len), 1);
	assert_int_equal(testnet_readable(&client, 1, TESTNET_WAIT_MS), 0);
	len = sizeof(from);
	assert_int_equal(recvfrom(client, &c, 1, 0, (struct sockaddr *)&from, &len), 1);
	/* the answer comes from whom we have asked */
	assert_true(from.sin_addr.s_addr == to.sin_addr.s_addr && from.sin_port == to.sin_port);
	return who;
}
