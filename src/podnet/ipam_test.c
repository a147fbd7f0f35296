/* SPDX-License-Identifier: Apache-2.0 */
#include "podnet/ipam.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <unistd.h>

#include "base/test.h"

static struct ip_cidr cidr(const char *text)
{
	struct ip_cidr c;
	assert_int_equal(ip_cidr_parse(str_of(text), &c), 0);
	return c;
}

static struct ipam *open_in(const char *dir, const char *prefix)
{
	struct ipam *ipam = NULL;
	struct err err = {0};
	if (ipam_open(dir, cidr(prefix), &ipam, &err) < 0) {
		print_error("%s\n", err_msg(&err));
		fail();
	}
	return ipam;
}

static char *take(struct ipam *ipam, const char *sandbox, char out[IP_TEXT_MAX])
{
	struct ipam_lease lease;
	assert_int_equal(ipam_take(ipam, sandbox, NULL, 0, &lease, NULL), 0);
	return (char *)ip_format(lease.ip, out);
}

static void release_all(struct ipam *ipam, const char *dir)
{
	struct ipam_lease lease;
	char path[200];
	for (size_t i = 0; ipam_next(ipam, &i, &lease);) {
		assert_int_equal(ipam_release(ipam, lease.sandbox, NULL), 0);
	}
	assert_int_equal(ipam_count(ipam), 0);
	ipam_close(ipam);
	snprintf(path, sizeof(path), "%s/.last", dir);
	unlink(path);
	assert_int_equal(rmdir(dir), 0);
}

TEST(ipam_serves_253_pods_of_a_24_and_then_says_so)
{
	char dir[] = "/tmp/ipam_test.XXXXXX", name[16], ip[IP_TEXT_MAX];
	struct ipam_lease lease;
	struct err err = {0};

	struct ipam *ipam = open_in(mkdtemp(dir), "10.244.1.0/24");
	for (int i = 0; i < 253; i++) {
		snprintf(name, sizeof(name), "s%d", i);
		take(ipam, name, ip);
	}
	assert_string_equal(ip, "10.244.1.254");
	assert_int_equal(ipam_take(ipam, "late", NULL, 0, &lease, &err), ERR_LIMIT);
	assert_non_null(strstr(err_msg(&err), "all 253 addresses"));
	err_clear(&err);
	assert_int_equal(ipam_release(ipam, "s7", NULL), 0);
	assert_string_equal(take(ipam, "late", ip), "10.244.1.9");
	release_all(ipam, dir);
}

TEST(ipam_reuses_an_address_as_late_as_possible_across_restarts)
{
	char dir[] = "/tmp/ipam_test.XXXXXX", ip[IP_TEXT_MAX];

	struct ipam *ipam = open_in(mkdtemp(dir), "10.244.1.0/29"); /* .2 .. .6 */
	assert_string_equal(take(ipam, "a", ip), "10.244.1.2");
	assert_string_equal(take(ipam, "a", ip), "10.244.1.2");
	assert_string_equal(take(ipam, "b", ip), "10.244.1.3");
	assert_int_equal(ipam_release(ipam, "a", NULL), 0);
	assert_string_equal(take(ipam, "b2", ip), "10.244.1.4");
	assert_int_equal(ipam_release(ipam, "b2", NULL), 0);
	assert_int_equal(ipam_release(ipam, "b", NULL), 0);
	ipam_close(ipam);
	ipam = open_in(dir, "10.244.1.0/29");
	assert_string_equal(take(ipam, "c", ip), "10.244.1.5");
	assert_string_equal(take(ipam, "d", ip), "10.244.1.6");
	assert_string_equal(take(ipam, "e", ip), "10.244.1.2");
	assert_string_equal(take(ipam, "f", ip), "10.244.1.3");
	release_all(ipam, dir);
}

TEST(ipam_remembers_host_ports_and_refuses_a_second_owner)
{
	char dir[] = "/tmp/ipam_test.XXXXXX";
	struct ipam_lease lease;
	struct ip_addr ip;
	assert_int_equal(ip_parse(STR("10.0.0.1"), &ip), 0);
	struct ipam_port ports[] = {{IPPROTO_TCP, 8080, 80, {{0}}}, {IPPROTO_UDP, 53, 5353, ip}};

	struct ipam *ipam = open_in(mkdtemp(dir), "10.244.1.0/24");
	assert_int_equal(ipam_take(ipam, "a", ports, 2, &lease, NULL), 0);
	ipam_close(ipam);
	ipam = open_in(dir, "10.244.1.0/24");
	assert_int_equal(ipam_find(ipam, "a", &lease), 0);
	assert_int_equal(lease.nports, 2);
	assert_int_equal(lease.ports[1].host_port, 53);
	assert_true(ip_eq(lease.ports[1].host_ip, ip));
	assert_true(ip_is_unset(lease.ports[0].host_ip));
	assert_int_equal(ipam_take(ipam, "b", ports + 1, 1, &lease, NULL), ERR_EXISTS);
	ports[1].protocol = IPPROTO_TCP;
	assert_int_equal(ipam_take(ipam, "b", ports + 1, 1, &lease, NULL), 0);
	release_all(ipam, dir);
}

TEST(ipam_refuses_damaged_leases_names_and_a_second_holder)
{
	static const char *const bad[] = {"",
					  "ip 10.244.1.5\n",
					  "ip 10.245.1.5\nend\n",
					  "ip 10.244.1.1\nend\n",
					  "ip x\nend\n",
					  "ip 10.244.1.5\nport tcp 0 80\nend\n",
					  "ip 10.244.1.5\nport icmp 1 80\nend\n"};
	char dir[] = "/tmp/ipam_test.XXXXXX", path[200];
	struct ipam *ipam, *second;
	struct ipam_lease lease;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/broken", dir);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct err err = {0};
		int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		assert_int_equal(write(fd, bad[i], strlen(bad[i])), strlen(bad[i]));
		close(fd);
		assert_int_equal(ipam_open(dir, cidr("10.244.1.0/24"), &ipam, &err), ERR_CORRUPT);
		assert_non_null(strstr(err_msg(&err), "broken"));
		err_clear(&err);
	}
	unlink(path);
	ipam = open_in(dir, "10.244.1.0/24");
	assert_int_equal(ipam_open(dir, cidr("10.244.1.0/24"), &second, NULL), ERR_BUSY);
	assert_int_equal(ipam_take(ipam, "../x", NULL, 0, &lease, NULL), ERR_INVALID);
	assert_int_equal(ipam_take(ipam, ".last", NULL, 0, &lease, NULL), ERR_INVALID);
	assert_int_equal(ipam_take(ipam, "", NULL, 0, &lease, NULL), ERR_INVALID);
	release_all(ipam, dir);
}

TEST_MAIN(ipam_serves_253_pods_of_a_24_and_then_says_so,
	  ipam_reuses_an_address_as_late_as_possible_across_restarts,
	  ipam_remembers_host_ports_and_refuses_a_second_owner,
	  ipam_refuses_damaged_leases_names_and_a_second_holder)
