/* SPDX-License-Identifier: Apache-2.0 */
#include "rules/cidr.h"

#include "base/test.h"

static struct addr ip(const char *text)
{
	struct addr ret;

	assert_int_equal(addr_parse(str_of(text), &ret), 0);
	return ret;
}

static struct cidr range(const char *text)
{
	struct cidr ret;

	assert_int_equal(cidr_parse(str_of(text), &ret), 0);
	return ret;
}

TEST(addresses_are_read_and_written)
{
	static const char *const cases[][2] = {
		{"0.0.0.0", "0.0.0.0"},
		{"255.255.255.255", "255.255.255.255"},
		{"::", "::"},
		{"::1", "::1"},
		{"1::", "1::"},
		{"2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
		{"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
		{"0:0:0:1::", "0:0:0:1::"},
		{"fe80::1.2.3.4", "fe80::102:304"},
		{"::ffff:1.2.3.4", "1.2.3.4"},
	};
	static const char *const bad[] = {"",
					  "1.2.3",
					  "1.2.3.4.5",
					  "256.1.1.1",
					  "1.2.3.04",
					  "1.2.3.4 ",
					  "a",
					  ":",
					  ":::",
					  "1:2:3:4:5:6:7",
					  "1::2::3",
					  "12345::",
					  "::1%eth0",
					  "1:2:3:4:5:6:7:8:9",
					  "1.2.3.4::",
					  "::1.2.3",
					  "1:2:3:4:5:6:7:1.2.3.4"};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena a CLEANUP_ARENA = {0};
		struct addr got = ip(cases[i][0]);

		EXPECT_STR(addr_text(&a, &got), cases[i][1]);
		assert_int_equal(addr_is_canonical(str_of(cases[i][0])),
				 strcmp(cases[i][0], cases[i][1]) == 0);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct addr got;

		if (addr_parse(str_of(bad[i]), &got) == 0) {
			print_error("%s was taken\n", bad[i]);
			fail();
		}
	}
}

TEST(sloppy_addresses)
{
	struct addr got;
	struct addr want = ip("10.0.0.1");

	assert_int_equal(addr_parse_sloppy(STR("010.000.0.01"), &got), 0);
	assert_true(addr_eq(&got, &want));
}

TEST(ranges_are_read_and_written)
{
	static const char *const cases[][2] = {
		{"10.1.2.3/8", "10.0.0.0/8"},
		{"10.1.2.3/32", "10.1.2.3/32"},
		{"0.0.0.0/0", "0.0.0.0/0"},
		{"fd00::1/64", "fd00::/64"},
		{"::/0", "::/0"},
	};
	static const char *const bad[] = {"10.0.0.0", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/",
					  "/8",	      "::/129",	     "10.0.0.0/08", "10.0.0.0/8/8"};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena a CLEANUP_ARENA = {0};
		struct cidr got = range(cases[i][0]);

		EXPECT_STR(cidr_text(&a, &got), cases[i][1]);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct cidr got;

		if (cidr_parse(str_of(bad[i]), &got) == 0) {
			print_error("%s was taken\n", bad[i]);
			fail();
		}
	}
}

TEST(ranges_contain)
{
	struct cidr ten = range("10.0.0.0/8");
	struct cidr part = range("10.96.0.0/12");
	struct cidr other = range("11.0.0.0/8");
	struct cidr six = range("::/0");
	struct addr in = ip("10.255.255.255");
	struct addr out = ip("11.0.0.0");

	assert_true(cidr_contains(&ten, &in));
	assert_false(cidr_contains(&ten, &out));
	assert_true(cidr_overlaps(&ten, &part));
	assert_true(cidr_overlaps(&part, &ten));
	assert_false(cidr_overlaps(&part, &other));
	assert_true(cidr_is_v4(&ten));
	assert_false(cidr_is_v4(&six));
	assert_int_equal(cidr_prefix(&part), 12);
	assert_int_equal(cidr_prefix(&six), 0);
	assert_int_equal(cidr_size(&part), 1 << 20);
	assert_true(cidr_size(&six) == UINT64_C(1) << 63);
}

TEST(addresses_are_counted)
{
	struct arena a CLEANUP_ARENA = {0};
	struct cidr services = range("10.96.0.0/12");
	struct cidr pods = range("10.244.0.0/16");
	struct cidr six = range("fd00::/112");
	struct cidr got;
	struct addr nth = cidr_nth(&services, 257);
	struct addr last = ip("10.0.255.255");

	EXPECT_STR(addr_text(&a, &nth), "10.96.1.1");
	nth = cidr_nth(&six, 0x1234);
	EXPECT_STR(addr_text(&a, &nth), "fd00::1234");
	last = addr_add(&last, 1);
	EXPECT_STR(addr_text(&a, &last), "10.1.0.0");
	assert_true(cidr_part(&pods, 24, 3, &got));
	EXPECT_STR(cidr_text(&a, &got), "10.244.3.0/24");
	assert_true(cidr_part(&pods, 24, 255, &got));
	assert_false(cidr_part(&pods, 24, 256, &got));
	assert_false(cidr_part(&pods, 8, 0, &got));
}

TEST(scopes)
{
	static const struct {
		const char *text;
		enum addr_scope scope;
	} cases[] = {{"10.0.0.1", IP_GLOBAL},
		     {"0.0.0.0", IP_UNSPECIFIED},
		     {"::", IP_UNSPECIFIED},
		     {"127.1.2.3", IP_LOOPBACK},
		     {"::1", IP_LOOPBACK},
		     {"169.254.0.1", IP_LINK_LOCAL},
		     {"fe80::1", IP_LINK_LOCAL},
		     {"febf::1", IP_LINK_LOCAL},
		     {"224.0.0.1", IP_LINK_LOCAL_MULTICAST},
		     {"ff02::1", IP_LINK_LOCAL_MULTICAST},
		     {"fec0::1", IP_GLOBAL}};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct addr got = ip(cases[i].text);

		assert_int_equal(addr_scope(&got), cases[i].scope);
	}
}

TEST_MAIN(addresses_are_read_and_written, sloppy_addresses, ranges_are_read_and_written,
	  ranges_contain, addresses_are_counted, scopes)
