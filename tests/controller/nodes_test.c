/* SPDX-License-Identifier: Apache-2.0 */
/* Silent nodes, their taints and their pods; pod ranges; what is swept up. */
#include "base/test.h"
#include "controller/node_pods.h"
#include "rules/pod.h"
#include "sim/cluster.h"

#define SPEC                                                                                       \
	"\"spec\":{\"tolerations\":[{\"key\":\"node.kubernetes.io/"                                \
	"unreachable\",\"operator\":\"Exists\",\"effect\":\"NoExecute\","                          \
	"\"tolerationSeconds\":300},{\"key\":\"node.kubernetes.io/"                                \
	"not-ready\",\"operator\":\"Exists\",\"effect\":\"NoExecute\","                            \
	"\"tolerationSeconds\":300}],\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}"
#define RS(n)                                                                                      \
	"{\"metadata\":{\"name\":\"web\"},\"spec\":{\"replicas\":" #n                              \
	",\"selector\":{\"matchLabels\":{\"app\":\"web\"}},\"template\":{\"metadata\":{"           \
	"\"labels\":{\"app\":\"web\"}}," SPEC "}}}"
#define SET                                                                                        \
	"{\"metadata\":{\"name\":\"db\"},\"spec\":{\"replicas\":1,\"serviceName\":\"db\","         \
	"\"selector\":{\"matchLabels\":{\"app\":\"db\"}},"                                         \
	"\"template\":{\"metadata\":{\"labels\":{\"app\":\"db\"}}," SPEC "}}}"

static const struct core_node *node(struct sim_cluster *c, const char *name)
{
	return FROZEN_AS(sim_get(c, &resource_core_nodes, NULL, name), core_nodes,
			 struct core_node);
}

static const struct core_pod *pod(struct sim_cluster *c, const char *name)
{
	struct frozen *f = sim_get(c, &resource_core_pods, "default", name);

	return f ? FROZEN_AS(f, core_pods, struct core_pod) : NULL;
}

static bool is_ready(struct sim_cluster *c, const char *name)
{
	return str_is(node_condition(node(c, name), STR("Ready"))->status, "True");
}

static bool has_taint(struct sim_cluster *c, const char *name, const char *key, const char *effect)
{
	return node_taint(node(c, name), str_of(key), str_of(effect)) != NULL;
}

struct on_node {
	struct str node;
	int n, ready;
};

static void count_on_node(void *ctx, struct frozen *f)
{
	struct on_node *o = ctx;
	const struct core_pod *p = FROZEN_AS(f, core_pods, struct core_pod);

	if (str_eq(p->spec.node_name, o->node) && !pod_is_terminating(p)) {
		o->n++;
		o->ready += pod_is_ready(p);
	}
}

static struct on_node on_node(struct sim_cluster *c, const char *name)
{
	struct on_node o = {.node = str_of(name)};

	fake_api_each(sim_api(c), &resource_core_pods, STR_NULL, count_on_node, &o);
	return o;
}

TEST(a_silent_node_is_unknown_after_its_grace_period_and_loses_its_pods_after_theirs)
{
	struct sim_cluster *c = sim_cluster_new(&(struct sim_opts){.seed = 1, .nodes = 3});

	sim_create(c, &resource_apps_replicasets, RS(6));
	sim_advance(c, 20 * NS_PER_SEC);
	assert_int_equal(on_node(c, "node-1").n, 2);
	hollow_set_node_up(sim_hollow(c), 1, false);
	sim_advance(c, 38 * NS_PER_SEC);
	assert_true(is_ready(c, "node-1"));
	sim_advance(c, 14 * NS_PER_SEC);
	assert_false(is_ready(c, "node-1"));
	EXPECT_STR(node_condition(node(c, "node-1"), STR("Ready"))->reason, "NodeStatusUnknown");
	EXPECT_STR(node_condition(node(c, "node-1"), STR("DiskPressure"))->reason,
		   "NodeStatusNeverUpdated");
	assert_true(has_taint(c, "node-1", TAINT_UNREACHABLE, "NoSchedule"));
	assert_true(has_taint(c, "node-1", TAINT_UNREACHABLE, "NoExecute"));
	assert_int_equal(sim_count_events(c, "node-1", "NodeNotReady"), 1);
	assert_int_equal(on_node(c, "node-1").n, 2);
	assert_int_equal(on_node(c, "node-1").ready, 0);
	sim_advance(c, 280 * NS_PER_SEC);
	assert_int_equal(on_node(c, "node-1").n, 2);
	sim_advance(c, 30 * NS_PER_SEC);
	assert_int_equal(on_node(c, "node-1").n, 0);
	assert_int_equal(on_node(c, "node-0").ready + on_node(c, "node-2").ready, 6);
	hollow_set_node_up(sim_hollow(c), 1, true);
	sim_advance(c, 30 * NS_PER_SEC);
	assert_true(is_ready(c, "node-1"));
	assert_int_equal(node(c, "node-1")->spec.taints.n, 0);
	sim_cluster_free(c);
}

TEST(when_all_nodes_are_silent_no_pod_is_sent_away)
{
	struct sim_cluster *c = sim_cluster_new(&(struct sim_opts){.seed = 1, .nodes = 2});

	sim_advance(c, 20 * NS_PER_SEC);
	hollow_set_node_up(sim_hollow(c), 0, false);
	hollow_set_node_up(sim_hollow(c), 1, false);
	sim_advance(c, 600 * NS_PER_SEC);
	assert_false(is_ready(c, "node-0"));
	/* The first to fall silent may have been told so before the last did. */
	assert_false(has_taint(c, "node-1", TAINT_UNREACHABLE, "NoExecute"));
	assert_true(has_taint(c, "node-1", TAINT_UNREACHABLE, "NoSchedule"));
	sim_cluster_free(c);
}

TEST(nodes_of_a_zone_are_tainted_one_every_ten_seconds)
{
	struct sim_cluster *c = sim_cluster_new(&(struct sim_opts){.seed = 1, .nodes = 5});

	sim_advance(c, 20 * NS_PER_SEC);
	hollow_set_node_up(sim_hollow(c), 0, false);
	hollow_set_node_up(sim_hollow(c), 1, false);
	sim_advance(c, 45 * NS_PER_SEC);
	assert_int_equal(has_taint(c, "node-0", TAINT_UNREACHABLE, "NoExecute") +
				 has_taint(c, "node-1", TAINT_UNREACHABLE, "NoExecute"),
			 1);
	sim_advance(c, 11 * NS_PER_SEC);
	assert_int_equal(has_taint(c, "node-0", TAINT_UNREACHABLE, "NoExecute") +
				 has_taint(c, "node-1", TAINT_UNREACHABLE, "NoExecute"),
			 2);
	sim_cluster_free(c);
}

TEST(an_out_of_service_node_gives_its_stateful_pod_away)
{
	struct sim_cluster *c = sim_cluster_new(&(struct sim_opts){.seed = 1, .nodes = 2});
	char name[64];
	struct str uid;

	sim_create(c, &resource_apps_statefulsets, SET);
	sim_advance(c, 20 * NS_PER_SEC);
	uid = pod(c, "db-0")->metadata.uid;
	snprintf(name, sizeof(name), "%.*s", STR_ARG(pod(c, "db-0")->spec.node_name));
	hollow_set_node_up(sim_hollow(c), name[5] - '0', false);
	sim_advance(c, 500 * NS_PER_SEC);
	assert_true(str_eq(pod(c, "db-0")->metadata.uid, uid));
	assert_true(pod_is_terminating(pod(c, "db-0")));
	sim_patch(c, &resource_core_nodes, NULL, NULL, name,
		  "{\"spec\":{\"taints\":[{\"key\":\"node.kubernetes.io/"
		  "out-of-service\",\"value\":\"nodeshutdown\",\"effect\":\"NoExecute\"}]}}");
	sim_advance(c, 10 * NS_PER_SEC);
	assert_false(str_eq(pod(c, "db-0")->metadata.uid, uid));
	assert_true(pod_is_ready(pod(c, "db-0")));
	assert_false(str_eq(pod(c, "db-0")->spec.node_name, str_of(name)));
	sim_cluster_free(c);
}

static void init_ranges(struct sim_cluster *c, const char *cidr)
{
	sim_options(c)->cluster_cidr = str_of(cidr);
}

TEST(each_node_gets_a_range_of_its_own)
{
	struct sim_cluster *c = sim_cluster_new(&(struct sim_opts){.seed = 1, .nodes = 0});

	init_ranges(c, "10.244.0.0/23");
	sim_create(c, &resource_core_nodes, "{\"metadata\":{\"name\":\"a\"}}");
	sim_create(c, &resource_core_nodes, "{\"metadata\":{\"name\":\"b\"}}");
	sim_advance(c, NS_PER_SEC);
	EXPECT_STR(node(c, "a")->spec.pod_cidr, "10.244.0.0/24");
	EXPECT_STR(node(c, "b")->spec.pod_cidr, "10.244.1.0/24");
	EXPECT_STR(node(c, "b")->spec.pod_cidrs.p[0], "10.244.1.0/24");
	sim_create(c, &resource_core_nodes, "{\"metadata\":{\"name\":\"c\"}}");
	sim_advance(c, NS_PER_SEC);
	assert_int_equal(node(c, "c")->spec.pod_cidr.n, 0);
	assert_true(sim_count_events(c, "c", "CIDRNotAvailable") >= 1);
	sim_delete(c, &resource_core_nodes, NULL, "a", PROPAGATION_BACKGROUND);
	sim_advance(c, 60 * NS_PER_SEC);
	EXPECT_STR(node(c, "c")->spec.pod_cidr, "10.244.0.0/24");
	sim_cluster_free(c);
}

TEST(pods_of_a_deleted_node_go_after_a_quarantine)
{
	struct sim_cluster *c = sim_cluster_new(&(struct sim_opts){.seed = 1, .nodes = 2});

	sim_create(c, &resource_apps_replicasets, RS(4));
	sim_advance(c, 20 * NS_PER_SEC);
	hollow_set_node_up(sim_hollow(c), 1, false);
	sim_delete(c, &resource_core_nodes, NULL, "node-1", PROPAGATION_BACKGROUND);
	sim_advance(c, 30 * NS_PER_SEC);
	assert_int_equal(on_node(c, "node-1").n, 2);
	sim_advance(c, 30 * NS_PER_SEC);
	assert_int_equal(on_node(c, "node-1").n, 0);
	assert_int_equal(on_node(c, "node-0").ready, 4);
	sim_cluster_free(c);
}

static void plan_finishes(void *ctx UNUSED, const struct core_pod *p UNUSED,
			  struct hollow_timing *timing)
{
	timing->finishes = true;
}

TEST(ended_pods_are_kept_up_to_a_number)
{
	struct sim_cluster *c =
		sim_cluster_new(&(struct sim_opts){.seed = 1, .nodes = 1, .plan = plan_finishes});
	char json[200];

	sim_options(c)->terminated_pod_gc_threshold = 2;
	for (int i = 0; i < 5; i++) {
		snprintf(json, sizeof(json),
			 "{\"metadata\":{\"name\":\"p%d\"},\"spec\":{\"restartPolicy\":\"Never\","
			 "\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}",
			 i);
		sim_create(c, &resource_core_pods, json);
		sim_advance(c, NS_PER_SEC);
	}
	sim_advance(c, 30 * NS_PER_SEC);
	assert_int_equal(sim_count(c, &resource_core_pods, "default"), 2);
	assert_non_null(pod(c, "p4"));
	sim_cluster_free(c);
}

TEST(events_are_forgotten_after_an_hour)
{
	struct sim_cluster *c = sim_cluster_new(&(struct sim_opts){.seed = 1, .nodes = 1});

	sim_create(c, &resource_apps_replicasets, RS(1));
	sim_advance(c, 50 * 60 * NS_PER_SEC);
	assert_int_equal(sim_count_events(c, "web", "SuccessfulCreate"), 1);
	sim_advance(c, 12 * 60 * NS_PER_SEC);
	assert_int_equal(sim_count_events(c, "web", "SuccessfulCreate"), 0);
	sim_cluster_free(c);
}

TEST_MAIN(a_silent_node_is_unknown_after_its_grace_period_and_loses_its_pods_after_theirs,
	  when_all_nodes_are_silent_no_pod_is_sent_away,
	  nodes_of_a_zone_are_tainted_one_every_ten_seconds,
	  an_out_of_service_node_gives_its_stateful_pod_away, each_node_gets_a_range_of_its_own,
	  pods_of_a_deleted_node_go_after_a_quarantine, ended_pods_are_kept_up_to_a_number,
	  events_are_forgotten_after_an_hour)
