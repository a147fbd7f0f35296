/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/resolv_conf.h"

#include "base/buf.h"
#include "base/test.h"

static const char host_text[] =
	"# by hand\nnameserver 9.9.9.9\nnameserver 8.8.8.8\nsearch corp.example  lab.example\n"
	"options rotate timeout:1\nsortlist x\n";

static struct str render(struct arena *a, const char *policy, bool host_network,
			 const struct core_pod_dns_config *config, struct str *ret_warning)
{
	struct resolv_conf host;
	struct str text;
	assert_int_equal(resolv_conf_parse(a, str_of(host_text), &host), 0);
	struct resolv_conf_pod pod = {.dns_policy = str_of(policy),
				      .host_network = host_network,
				      .ns = STR("shop"),
				      .config = config,
				      .cluster_dns = STR("10.96.0.10"),
				      .cluster_domain = STR("cluster.local"),
				      .host = &host};
	assert_int_equal(resolv_conf_render(a, &pod, &text, ret_warning, NULL), 0);
	return text;
}

#define CLUSTER                                                                                    \
	"search shop.svc.cluster.local svc.cluster.local cluster.local corp.example lab.example\n" \
	"nameserver 10.96.0.10\noptions ndots:5\n"
#define HOST                                                                                       \
	"search corp.example lab.example\nnameserver 9.9.9.9\nnameserver 8.8.8.8\n"                \
	"options rotate timeout:1\n"

TEST(resolv_conf_follows_the_policy)
{
	static const struct {
		const char *policy;
		bool host_network;
		const char *want;
	} cases[] = {
		{"ClusterFirst", false, CLUSTER}, {"", false, CLUSTER},
		{"ClusterFirst", true, HOST},	  {"ClusterFirstWithHostNet", true, CLUSTER},
		{"Default", false, HOST},	  {"None", false, ""},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena a CLEANUP_ARENA = {0};
		struct str warning;
		EXPECT_STR(render(&a, cases[i].policy, cases[i].host_network, NULL, &warning),
			   cases[i].want);
		assert_int_equal(warning.n, 0);
	}
}

TEST(resolv_conf_adds_the_pods_own)
{
	struct arena a CLEANUP_ARENA = {0};
	struct str servers[] = {STR("1.1.1.1"), STR("10.96.0.10")},
		   searches[] = {STR("x.example"), STR("corp.example")};
	struct str two = STR("2");
	struct core_pod_dns_config_option options[] = {{.name = STR("ndots"), .value = &two},
						       {.name = STR("edns0")}};
	struct core_pod_dns_config config = {
		.nameservers = {servers, 2}, .searches = {searches, 2}, .options = {options, 2}};
	struct str warning;

	EXPECT_STR(render(&a, "ClusterFirst", false, &config, &warning),
		   "search shop.svc.cluster.local svc.cluster.local cluster.local corp.example "
		   "lab.example x.example\n"
		   "nameserver 10.96.0.10\nnameserver 1.1.1.1\noptions ndots:2 edns0\n");
	EXPECT_STR(render(&a, "None", false, &config, &warning),
		   "search x.example corp.example\nnameserver 1.1.1.1\nnameserver "
		   "10.96.0.10\noptions ndots:2 edns0\n");
}

TEST(resolv_conf_keeps_to_the_limits_and_says_so)
{
	struct arena a CLEANUP_ARENA = {0};
	struct str servers[] = {STR("1.1.1.1"), STR("1.1.1.2"), STR("1.1.1.3")}, searches[40],
		   warning;
	for (size_t i = 0; i < ARRAY_LEN(searches); i++) {
		searches[i] = arena_printf(&a, "d%zu.example", i);
	}
	struct core_pod_dns_config config = {.nameservers = {servers, 3},
					     .searches = {searches, 40}};
	struct str text = render(&a, "ClusterFirst", false, &config, &warning);
	assert_true(str_contains(text, STR("nameserver 1.1.1.2\n")));
	assert_false(str_contains(text, STR("1.1.1.3")));
	assert_true(str_contains(text, STR(" d26.example\n"))); /* 5 + 27 = 32 */
	assert_true(str_contains(warning, STR("Nameserver limits were exceeded")));
	assert_true(str_contains(warning, STR("Search Line limits were exceeded")));
}

TEST(resolv_conf_refuses_what_would_break_the_file)
{
	struct arena a CLEANUP_ARENA = {0};
	struct str bad = STR("x\nnameserver 6.6.6.6");
	struct core_pod_dns_config config = {.searches = {&bad, 1}};
	struct resolv_conf host = {0};
	struct resolv_conf_pod pod = {
		.host = &host, .config = &config, .cluster_dns = STR("10.96.0.10")};
	struct str text, warning;
	assert_int_equal(resolv_conf_render(&a, &pod, &text, &warning, NULL), ERR_INVALID);
	pod.config = NULL;
	pod.dns_policy = STR("Sometimes");
	assert_int_equal(resolv_conf_render(&a, &pod, &text, &warning, NULL), ERR_INVALID);
}

TEST_MAIN(resolv_conf_follows_the_policy, resolv_conf_adds_the_pods_own,
	  resolv_conf_keeps_to_the_limits_and_says_so,
	  resolv_conf_refuses_what_would_break_the_file)
