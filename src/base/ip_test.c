/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ip.h"

#include "base/err.h"
#include "base/test.h"

static struct ip_addr addr(const char *text)
{
	struct ip_addr ip;
	assert_int_equal(ip_parse(str_of(text), &ip), 0);
	return ip;
}

TEST(ip_text_survives_a_round_trip)
{
	static const char *const texts[] = {"10.244.1.7", "0.0.0.0", "255.255.255.255",
					    "fd00::1",	  "::",	     "2001:db8::ff"};
	char out[IP_TEXT_MAX];
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		assert_string_equal(ip_format(addr(texts[i]), out), texts[i]);
	}
	assert_true(ip_v4(addr("10.244.1.7")) == 0x0af40107);
}

TEST(ip_parse_refuses_what_is_not_one_address)
{
	static const char *const texts[] = {"",		"10.0.0",	"10.0.0.256", "010.0.0.1",
					    "1.2.3.4 ", "fe80::1%eth0", "::ffff::1",  "a"};
	struct ip_addr ip;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		assert_int_equal(ip_parse(str_of(texts[i]), &ip), ERR_INVALID);
	}
	assert_int_equal(ip_parse(str_make("1.2.3.4\0", 8), &ip), ERR_INVALID);
}

TEST(ip_cidr_knows_its_members)
{
	struct ip_cidr c;
	char out[IP_TEXT_MAX];
	assert_int_equal(ip_cidr_parse(STR("10.96.0.0/12"), &c), 0);
	assert_int_equal(c.bits, 108);
	assert_true(ip_cidr_contains(c, addr("10.111.255.255")));
	assert_false(ip_cidr_contains(c, addr("10.112.0.0")));
	assert_false(ip_cidr_contains(c, addr("fd00::1")));
	assert_string_equal(ip_format(ip_cidr_last(c), out), "10.111.255.255");
	assert_string_equal(ip_cidr_format(c, out), "10.96.0.0/12");
	assert_int_equal(ip_cidr_parse(STR("10.1.2.3/8"), &c), 0);
	assert_string_equal(ip_format(ip_cidr_first(c), out), "10.0.0.0");
	assert_int_equal(ip_cidr_parse(STR("0.0.0.0/0"), &c), 0);
	assert_true(ip_cidr_contains(c, addr("8.8.8.8")));
	assert_false(ip_cidr_contains(c, addr("::1")));
}

TEST(ip_cidr_parse_refuses_bad_lengths)
{
	static const char *const texts[] = {"10.0.0.0",	   "10.0.0.0/",	 "10.0.0.0/33",
					    "10.0.0.0/08", "fd00::/129", "10.0.0.0/-1",
					    "/8",	   "10.0.0.0/+8"};
	struct ip_cidr c;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		assert_int_equal(ip_cidr_parse(str_of(texts[i]), &c), ERR_INVALID);
	}
}

TEST_MAIN(ip_text_survives_a_round_trip, ip_parse_refuses_what_is_not_one_address,
	  ip_cidr_knows_its_members, ip_cidr_parse_refuses_bad_lengths)
