/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/rules.h"

#include <netinet/in.h>

#include "../tests/lib/testservice.h"
#include "base/buf.h"
#include "base/test.h"

/* Writes a change as "+eps 10.96.0.1.6.80.c1000000=10.244.1.2.8080 " without padding, verdicts as chain count or name. */
static void print_change(void *ctx, bool add, const struct rules_elem *e)
{
	static const char *const verdicts[] = {[RULES_DROP] = "drop", [RULES_REJECT] = "reject"};
	struct buf *out = ctx;
	bool vip = e->set != RULES_NP && e->set != RULES_NP_EPS && e->set != RULES_NP_NOEP &&
		   e->set != RULES_NP_LOCAL;
	const uint8_t *k = e->key;

	if (e->set == RULES_HAIRPIN) {
		buf_printf(out, "%c%s %u.%u ", add ? '+' : '-', rules_sets[e->set].name, k[2],
			   k[3]);
		return;
	}
	buf_printf(out, "%c%s ", add ? '+' : '-', rules_sets[e->set].name);
	if (vip) {
		buf_printf(out, "%u.%u:", k[2], k[3]);
		k += 4;
	}
	buf_printf(out, "%u", k[4] << 8 | k[5]);
	if (rules_sets[e->set].value == VALUE_ENDPOINT) {
		uint32_t mark;
		memcpy(&mark, k + 8, 4);
		buf_printf(out, "/%u=%u.%u:%u", mark & ~RULES_MARK_MASK, e->value[2], e->value[3],
			   e->value[4] << 8 | e->value[5]);
	} else if (e->verdict == RULES_CHAIN) {
		buf_printf(out, "=%u%s", e->chain.count, e->chain.local ? "l" : "");
	} else if (e->verdict) {
		buf_printf(out, "=%s", verdicts[e->verdict]);
	}
	buf_puts(out, " ");
}

static void expect_diff(struct rules *rules, const char *want)
{
	struct buf out CLEANUP_BUF = {0};

	rules_diff(rules, print_change, &out);
	rules_commit(rules);
	EXPECT_STR(str_trim(buf_str(&out)), want);
}

static struct rules *web(struct arena *a, const char *endpoints)
{
	struct rules *rules = rules_new("n1", NULL);

	rules_set_service(rules, testservice_make(a, (struct service_spec){.name = "web",
									   .ip = "10.96.0.80",
									   .port = 80}));
	rules_set_slice(rules, testservice_slice(a, "web", "TCP", 8080, endpoints));
	return rules;
}

TEST(rules_touch_one_element_per_changed_endpoint)
{
	struct arena a CLEANUP_ARENA = {0};
	struct rules *rules = web(&a, "10.244.1.4@n2 10.244.1.2@n2 10.244.1.3@n2");

	expect_diff(rules, "+svc 0.80:80=3 +eps 0.80:80/0=1.2:8080 +eps 0.80:80/1=1.3:8080 +eps "
			   "0.80:80/2=1.4:8080");
	/* the middle one goes: the last takes its place */
	rules_set_slice(rules,
			testservice_slice(&a, "web", "TCP", 8080, "10.244.1.2@n2 10.244.1.4@n2"));
	expect_diff(rules,
		    "-svc 0.80:80=3 -eps 0.80:80/1=1.3:8080 -eps 0.80:80/2=1.4:8080 +svc 0.80:80=2 "
		    "+eps 0.80:80/1=1.4:8080");
	/* a replaced one: its place only */
	rules_set_slice(rules,
			testservice_slice(&a, "web", "TCP", 8080, "10.244.1.9@n2 10.244.1.4@n2"));
	expect_diff(rules, "-eps 0.80:80/0=1.2:8080 +eps 0.80:80/0=1.9:8080");
	rules_set_slice(rules,
			testservice_slice(&a, "web", "TCP", 8080, "10.244.1.9@n2 10.244.1.4@n2"));
	expect_diff(rules, "");
	assert_int_equal(rules_count(rules), 1);
	rules_remove_service(rules, STR("default"), STR("web"));
	expect_diff(rules, "-svc 0.80:80=2 -eps 0.80:80/0=1.9:8080 -eps 0.80:80/1=1.4:8080");
	assert_int_equal(rules_count(rules), 0);
	rules_free(rules);
}

TEST(rules_fall_back_to_terminating_endpoints_that_serve)
{
	static const struct {
		const char *endpoints, *want;
	} cases[] = {
		{"10.244.1.2 10.244.1.3~", "+svc 0.80:80=1 +eps 0.80:80/0=1.2:8080"},
		{"10.244.1.2! 10.244.1.3~", "+svc 0.80:80=1 +eps 0.80:80/0=1.3:8080"},
		{"10.244.1.2! 10.244.1.3!", "+noep 0.80:80=reject"},
		{"", "+noep 0.80:80=reject"},
		{"10.244.1.2 10.244.1.2", "+svc 0.80:80=1 +eps 0.80:80/0=1.2:8080"},
		{"fd00::1 x 10.244.1.2@n1", "+svc 0.80:80=1 +eps 0.80:80/0=1.2:8080 +hairpin 1.2"},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena a CLEANUP_ARENA = {0};
		struct rules *rules = web(&a, cases[i].endpoints);
		expect_diff(rules, cases[i].want);
		rules_free(rules);
	}
}

TEST(rules_know_the_policies)
{
	static const struct {
		const char *internal, *external, *endpoints, *want;
	} cases[] = {
		{NULL, "Local", "10.244.1.2@n1 10.244.2.2@n2",
		 "+svc 0.80:80=2 +eps 0.80:80/0=1.2:8080 +eps 0.80:80/1=2.2:8080 +np 30080=2 "
		 "+np_eps 30080/0=1.2:8080 "
		 "+np_eps 30080/0=1.2:8080 +np_eps 30080/1=2.2:8080 +np_local 30080=1l +hairpin "
		 "1.2"},
		{NULL, "Local", "10.244.2.2@n2",
		 "+svc 0.80:80=1 +eps 0.80:80/0=2.2:8080 +np 30080=1 +np_eps 30080/0=2.2:8080 "
		 "+np_local 30080=drop"},
		{"Local", NULL, "10.244.2.2@n2",
		 "+noep 0.80:80=drop +np 30080=1 +np_eps 30080/0=2.2:8080"},
		{"Local", NULL, "10.244.1.2@n1~ 10.244.2.2@n2",
		 "+svc 0.80:80=1 +eps 0.80:80/0=1.2:8080 +np 30080=1 +np_eps 30080/0=2.2:8080 "
		 "+hairpin 1.2"},
		{"Local", "Local", "", "+noep 0.80:80=reject +np_noep 30080=reject"},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena a CLEANUP_ARENA = {0};
		struct rules *rules = rules_new("n1", NULL);
		rules_set_service(
			rules, testservice_make(&a, (struct service_spec){
							    .name = "web",
							    .type = "NodePort",
							    .ip = "10.96.0.80",
							    .port = 80,
							    .node_port = 30080,
							    .internal_policy = cases[i].internal,
							    .external_policy = cases[i].external}));
		rules_set_slice(rules,
				testservice_slice(&a, "web", "TCP", 8080, cases[i].endpoints));
		expect_diff(rules, cases[i].want);
		rules_free(rules);
	}
}

TEST(rules_give_an_address_to_the_strongest_and_back_when_it_goes)
{
	struct arena a CLEANUP_ARENA = {0};
	struct rules *rules = rules_new("n1", NULL);
	/* a thief names somebody's ClusterIP as its external address, and comes first */
	struct service_spec thief = {
		.name = "thief", .ip = "10.96.0.66", .port = 80, .external_ip = "10.96.0.80"};
	struct service_spec web = {
		.name = "web", .ip = "10.96.0.80", .port = 80, .created_sec = 100};

	rules_set_service(rules, testservice_make(&a, thief));
	rules_set_slice(rules, testservice_slice(&a, "thief", "TCP", 8080, "10.244.1.6"));
	expect_diff(
		rules,
		"+svc 0.66:80=1 +svc 0.80:80=1 +eps 0.66:80/0=1.6:8080 +eps 0.80:80/0=1.6:8080");
	rules_set_service(rules, testservice_make(&a, web));
	expect_diff(rules, "-svc 0.80:80=1 -eps 0.80:80/0=1.6:8080 +noep 0.80:80=reject");
	rules_set_slice(rules, testservice_slice(&a, "web", "TCP", 8080, "10.244.1.2"));
	expect_diff(rules, "-noep 0.80:80=reject +svc 0.80:80=1 +eps 0.80:80/0=1.2:8080");
	/* the thief tries again, in vain */
	rules_set_service(rules, testservice_make(&a, thief));
	expect_diff(rules, "");
	rules_remove_service(rules, STR("default"), STR("web"));
	expect_diff(
		rules,
		"-svc 0.80:80=1 -eps 0.80:80/0=1.2:8080 +svc 0.80:80=1 +eps 0.80:80/0=1.6:8080");
	rules_free(rules);
}

TEST(rules_share_hairpins_between_services)
{
	struct arena a CLEANUP_ARENA = {0};
	struct rules *rules = web(&a, "10.244.1.2@n1");
	rules_set_service(rules, testservice_make(&a, (struct service_spec){.name = "two",
									    .ip = "10.96.0.2",
									    .port = 80}));
	rules_set_slice(rules, testservice_slice(&a, "two", "TCP", 8080, "10.244.1.2@n1"));
	expect_diff(rules, "+svc 0.80:80=1 +eps 0.80:80/0=1.2:8080 +hairpin 1.2 +svc 0.2:80=1 +eps "
			   "0.2:80/0=1.2:8080");
	rules_remove_service(rules, STR("default"), STR("web"));
	expect_diff(rules, "-svc 0.80:80=1 -eps 0.80:80/0=1.2:8080");
	rules_remove_service(rules, STR("default"), STR("two"));
	expect_diff(rules, "-svc 0.2:80=1 -eps 0.2:80/0=1.2:8080 -hairpin 1.2");
	rules_free(rules);
}

TEST(rules_ignore_services_without_a_vip)
{
	struct arena a CLEANUP_ARENA = {0};
	struct rules *rules = rules_new("n1", NULL);
	rules_set_service(
		rules,
		testservice_make(&a, (struct service_spec){.name = "h", .ip = "None", .port = 80}));
	rules_set_service(
		rules,
		testservice_make(&a, (struct service_spec){.name = "e", .type = "ExternalName"}));
	rules_set_service(rules,
			  testservice_make(&a, (struct service_spec){
						       .name = "6", .ip = "fd00::1", .port = 80}));
	rules_set_slice(rules, testservice_slice(&a, "h", "TCP", 8080, "10.244.1.2"));
	expect_diff(rules, "");
	/* it becomes one with a VIP: the slice is known already */
	rules_set_service(rules, testservice_make(&a, (struct service_spec){.name = "h",
									    .ip = "10.96.0.9",
									    .port = 80}));
	expect_diff(rules, "+svc 0.9:80=1 +eps 0.9:80/0=1.2:8080");
	rules_free(rules);
}

TEST(rules_call_a_flow_stale_only_when_it_is_theirs)
{
	struct arena a CLEANUP_ARENA = {0};
	struct rules *rules = rules_new("n1", NULL);
	struct service_spec spec = {.name = "u",
				    .type = "NodePort",
				    .protocol = "UDP",
				    .ip = "10.96.0.53",
				    .port = 53,
				    .node_port = 30053};
	static const struct {
		const char *dst;
		uint16_t port;
		const char *reply;
		uint16_t reply_port;
		bool translated, stale;
	} cases[] = {
		{"10.96.0.53", 53, "10.244.1.2", 8080, false, false},
		{"10.96.0.53", 53, "10.244.1.3", 8080, false, true},
		{"10.96.0.53", 53, "10.96.0.53", 53, false, true},
		{"10.10.0.1", 30053, "10.244.1.3", 8080, false, true},
		{"10.10.0.1", 30053, "10.10.0.1", 30053, false, true},
		{"8.8.8.8", 30053, "8.8.8.8", 30053, true, false},
		{"8.8.8.8", 53, "8.8.8.8", 53, true, false},
	};
	rules_set_service(rules, testservice_make(&a, spec));
	rules_set_slice(rules, testservice_slice(&a, "u", "UDP", 8080, "10.244.1.2"));
	struct buf out CLEANUP_BUF = {0};
	rules_diff(rules, print_change, &out);
	rules_commit(rules);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct ip_addr dst, reply;
		bool known;
		assert_int_equal(ip_parse(str_of(cases[i].dst), &dst), 0);
		assert_int_equal(ip_parse(str_of(cases[i].reply), &reply), 0);
		assert_int_equal(rules_is_stale(rules, IPPROTO_UDP, dst, cases[i].port, reply,
						cases[i].reply_port, cases[i].translated, &known),
				 cases[i].stale);
	}
	rules_free(rules);
}

TEST_MAIN(rules_touch_one_element_per_changed_endpoint,
	  rules_fall_back_to_terminating_endpoints_that_serve, rules_know_the_policies,
	  rules_give_an_address_to_the_strongest_and_back_when_it_goes,
	  rules_share_hairpins_between_services, rules_ignore_services_without_a_vip,
	  rules_call_a_flow_stale_only_when_it_is_theirs)
