/* SPDX-License-Identifier: Apache-2.0 */
/* Each plugin by a table: nodes, pods that stand there, the pod to place; the node it must get, or the message. */
#include "scheduler/cycle.h"

#include "base/test.h"

enum { ITEMS = 6 };

struct rig {
	struct node_cache cache;
	struct arena arena;
};

static struct frozen *decode(const struct resource_desc *resource, struct str json)
{
	struct err err CLEANUP_ERR = {0};
	struct frozen *f = NULL;

	if (frozen_decode(resource, json, &f, &err) < 0) {
		print_error("%s in %.*s\n", err_msg(&err), STR_ARG(json));
		fail();
	}
	return f;
}

/* "name|labels|spec|status members" */
struct node_case {
	const char *name, *labels, *spec, *status;
};

struct pod_case {
	const char *name, *node, *labels, *spec;
};

struct sched_case {
	const char *what;
	struct node_case nodes[ITEMS];
	struct pod_case there[ITEMS];
	struct pod_case pod;
	const char *node;    /* NULL: nowhere */
	const char *message; /* without the part of preemption */
	const char *victim;  /* the first one */
};

static void add_node(struct rig *r, const struct node_case *n)
{
	struct str json = arena_printf(
		&r->arena,
		"{\"apiVersion\":\"v1\",\"kind\":\"Node\",\"metadata\":{\"name\":\"%s\",\"labels\":"
		"{\"kubernetes.io/hostname\":\"%s\"%s%s}},\"spec\":{%s},"
		"\"status\":{%s}}",
		n->name, n->name, n->labels ? "," : "", n->labels ? n->labels : "",
		n->spec ? n->spec : "",
		n->status ? n->status
			  : "\"allocatable\":{\"cpu\":\"4\",\"memory\":\"8Gi\",\"pods\":\"10\"}");
	struct frozen *f = decode(&resource_core_nodes, json);

	node_cache_set_node(&r->cache, f);
	frozen_unref(f);
}

static struct pod_info *make_pod(struct rig *r, const struct pod_case *p)
{
	struct str json = arena_printf(
		&r->arena,
		"{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"namespace\":\"shop\","
		"\"name\":\"%s\",\"labels\":{%s}},"
		"\"spec\":{%s%s%s%s\"schedulerName\":\"default-scheduler\"}}",
		p->name, p->labels ? p->labels : "", p->spec ? p->spec : "", p->spec ? "," : "",
		p->spec && strstr(p->spec, "containers")
			? ""
			: "\"containers\":[{\"name\":\"c\",\"image\":\"i\"}],",
		"");
	struct frozen *f = decode(&resource_core_pods, json);
	struct pod_info *info = pod_info_new(&r->cache, f);

	frozen_unref(f);
	return info;
}

#define CPU(n)                                                                                     \
	"\"containers\":[{\"name\":\"c\",\"image\":\"i\",\"resources\":{\"requests\":{\"cpu\":"    \
	"\"" n "\"}}}]"
#define PORT(n)                                                                                    \
	"\"containers\":[{\"name\":\"c\",\"image\":\"i\",\"ports\":[{\"containerPort\":1,"         \
	"\"hostPort\":" n ",\"protocol\":\"TCP\"}]}]"
#define TAINT(effect) "\"taints\":[{\"key\":\"gpu\",\"value\":\"yes\",\"effect\":\"" effect "\"}]"
#define TERM(app, key)                                                                             \
	"{\"labelSelector\":{\"matchLabels\":{\"app\":\"" app "\"}},\"topologyKey\":\"" key "\"}"
#define REQUIRED "requiredDuringSchedulingIgnoredDuringExecution"
#define PREFERRED "preferredDuringSchedulingIgnoredDuringExecution"
#define NEAR(app, key) "\"affinity\":{\"podAffinity\":{\"" REQUIRED "\":[" TERM(app, key) "]}}"
#define AWAY(app, key) "\"affinity\":{\"podAntiAffinity\":{\"" REQUIRED "\":[" TERM(app, key) "]}}"
#define ZONE(z) "\"zone\":\"" z "\""
#define SPREAD(when)                                                                               \
	"\"topologySpreadConstraints\":[{\"maxSkew\":1,\"topologyKey\":\"zone\","                  \
	"\"whenUnsatisfiable\":\"" when                                                            \
	"\",\"labelSelector\":{\"matchLabels\":{\"app\":\"web\"}}}]"
#define WEB "\"app\":\"web\""
#define DB "\"app\":\"db\""
#define WANTS_DISK                                                                                 \
	"\"affinity\":{\"nodeAffinity\":{\"" REQUIRED                                              \
	"\":{\"nodeSelectorTerms\":[{\"matchExpressions\":[{\"key\":\"disk\",\"operator\":\"In\"," \
	"\"values\":[\"ssd\"]}]}]}}}"
#define LIKES_DISK                                                                                 \
	"\"affinity\":{\"nodeAffinity\":{\"" PREFERRED                                             \
	"\":[{\"weight\":1,\"preference\":{\"matchExpressions\":[{\"key\":\"disk\",\"operator\":"  \
	"\"In\",\"values\":[\"ssd\"]}]}}]}}"

static const struct sched_case cases[] = {
	{.what = "no nodes", .pod = {"p"}, .message = "no nodes available to schedule pods"},
	{.what = "NodeName: another node",
	 .nodes = {{"a"}},
	 .pod = {"p", .spec = "\"nodeName\":\"b\""},
	 .message = "0/1 nodes are available: 1 node(s) didn't match the requested node name."},
	{.what = "NodeUnschedulable",
	 .nodes = {{"a", .spec = "\"unschedulable\":true"}, {"b"}},
	 .pod = {"p"},
	 .node = "b"},
	{.what = "NodeUnschedulable: all",
	 .nodes = {{"a", .spec = "\"unschedulable\":true"}},
	 .pod = {"p"},
	 .message = "0/1 nodes are available: 1 node(s) were unschedulable."},
	{.what = "NodeUnschedulable: tolerated",
	 .nodes = {{"a", .spec = "\"unschedulable\":true"}},
	 .pod = {"p", .spec = "\"tolerations\":[{\"operator\":\"Exists\"}]"},
	 .node = "a"},
	{.what = "TaintToleration: hard",
	 .nodes = {{"a", .spec = TAINT("NoSchedule")}, {"b", .spec = TAINT("NoExecute")}},
	 .pod = {"p"},
	 .message = "0/2 nodes are available: 2 node(s) had untolerated taint(s)."},
	{.what = "TaintToleration: tolerated",
	 .nodes = {{"a", .spec = TAINT("NoSchedule")}},
	 .pod = {"p", .spec = "\"tolerations\":[{\"key\":\"gpu\",\"operator\":\"Equal\",\"value\":"
			      "\"yes\",\"effect\":\"NoSchedule\"}]"},
	 .node = "a"},
	{.what = "TaintToleration: soft",
	 .nodes = {{"a", .spec = TAINT("PreferNoSchedule")}, {"b"}},
	 .pod = {"p"},
	 .node = "b"},
	{.what = "NodeAffinity: nodeSelector",
	 .nodes = {{"a"}, {"b", .labels = "\"disk\":\"ssd\""}},
	 .pod = {"p", .spec = "\"nodeSelector\":{\"disk\":\"ssd\"}"},
	 .node = "b"},
	{.what = "NodeAffinity: required",
	 .nodes = {{"a"}},
	 .pod = {"p", .spec = WANTS_DISK},
	 .message =
		 "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector."},
	{.what = "NodeAffinity: preferred",
	 .nodes = {{"a"}, {"b", .labels = "\"disk\":\"ssd\""}},
	 .pod = {"p", .spec = LIKES_DISK},
	 .node = "b"},
	{.what = "NodePorts: taken",
	 .nodes = {{"a"}},
	 .there = {{"x", "a", .spec = PORT("80")}},
	 .pod = {"p", .spec = PORT("80")},
	 .message = "0/1 nodes are available: 1 node(s) didn't have free ports for the requested "
		    "pod ports."},
	{.what = "NodePorts: another",
	 .nodes = {{"a"}},
	 .there = {{"x", "a", .spec = PORT("80")}},
	 .pod = {"p", .spec = PORT("81")},
	 .node = "a"},
	{.what = "Fit: cpu",
	 .nodes = {{"a"}, {"b", .spec = TAINT("NoSchedule")}, {"c", .spec = TAINT("NoSchedule")}},
	 .there = {{"x", "a", .spec = CPU("3500m")}},
	 .pod = {"p", .spec = CPU("600m")},
	 .message = "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had untolerated "
		    "taint(s)."},
	{.what = "Fit: exactly",
	 .nodes = {{"a"}},
	 .there = {{"x", "a", .spec = CPU("3500m")}},
	 .pod = {"p", .spec = CPU("500m")},
	 .node = "a"},
	{.what = "Fit: pods",
	 .nodes = {{"a",
		    .status = "\"allocatable\":{\"cpu\":\"4\",\"memory\":\"1Gi\",\"pods\":\"1\"}"}},
	 .there = {{"x", "a"}},
	 .pod = {"p"},
	 .message = "0/1 nodes are available: 1 Too many pods."},
	{.what = "Fit: extended resource",
	 .nodes = {{"a"}},
	 .pod = {"p", .spec = "\"containers\":[{\"name\":\"c\",\"image\":\"i\",\"resources\":{"
			      "\"requests\":{\"example.com/gpu\":\"1\"}}}]"},
	 .message = "0/1 nodes are available: 1 Insufficient example.com/gpu."},
	{.what = "LeastAllocated",
	 .nodes = {{"a"}, {"b"}},
	 .there = {{"x", "a", .spec = CPU("2")}},
	 .pod = {"p"},
	 .node = "b"},
	{.what = "BalancedAllocation",
	 .nodes =
		 {{"a",
		   .status = "\"allocatable\":{\"cpu\":\"4\",\"memory\":\"4Gi\",\"pods\":\"10\"}"},
		  {"b",
		   .status =
			   "\"allocatable\":{\"cpu\":\"4\",\"memory\":\"400Gi\",\"pods\":\"10\"}"}},
	 .pod = {"p", .spec = "\"containers\":[{\"name\":\"c\",\"image\":\"i\",\"resources\":{"
			      "\"requests\":{\"cpu\":\"3\",\"memory\":\"100Mi\"}}}]"},
	 .node = "b"},
	{.what = "ImageLocality",
	 .nodes = {{"a"},
		   {"b",
		    .status = "\"allocatable\":{\"cpu\":\"4\",\"memory\":\"8Gi\",\"pods\":\"10\"},"
			      "\"images\":[{\"names\":[\"i:latest\"],\"sizeBytes\":900000000}]"}},
	 .pod = {"p"},
	 .node = "b"},
	{.what = "PodAffinity",
	 .nodes = {{"a", .labels = ZONE("1")}, {"b", .labels = ZONE("2")}},
	 .there = {{"x", "b", .labels = DB}},
	 .pod = {"p", .spec = NEAR("db", "zone")},
	 .node = "b"},
	{.what = "PodAffinity: nobody",
	 .nodes = {{"a", .labels = ZONE("1")}},
	 .pod = {"p", .spec = NEAR("db", "zone")},
	 .message = "0/1 nodes are available: 1 node(s) didn't match pod affinity rules."},
	{.what = "PodAffinity: the first of its kind",
	 .nodes = {{"a", .labels = ZONE("1")}},
	 .pod = {"p", .labels = DB, .spec = NEAR("db", "zone")},
	 .node = "a"},
	{.what = "PodAntiAffinity",
	 .nodes = {{"a"}, {"b"}},
	 .there = {{"x", "a", .labels = WEB}},
	 .pod = {"p", .labels = WEB, .spec = AWAY("web", "kubernetes.io/hostname")},
	 .node = "b"},
	{.what = "PodAntiAffinity: all taken",
	 .nodes = {{"a"}},
	 .there = {{"x", "a", .labels = WEB}},
	 .pod = {"p", .spec = AWAY("web", "kubernetes.io/hostname")},
	 .message = "0/1 nodes are available: 1 node(s) didn't match pod anti-affinity rules."},
	{.what = "PodAntiAffinity: of who is there",
	 .nodes = {{"a"}},
	 .there = {{"x", "a", .spec = AWAY("web", "kubernetes.io/hostname")}},
	 .pod = {"p", .labels = WEB},
	 .message = "0/1 nodes are available: 1 node(s) didn't satisfy existing pods anti-affinity "
		    "rules."},
	{.what = "PodAffinity: preferred",
	 .nodes = {{"a"}, {"b"}},
	 .there = {{"x", "b", .labels = DB}},
	 .pod = {"p", .spec = "\"affinity\":{\"podAffinity\":{\"" PREFERRED
			      "\":[{\"weight\":100,\"podAffinityTerm\":" TERM(
				      "db", "kubernetes.io/hostname") "}]}}"},
	 .node = "b"},
	{.what = "PodTopologySpread: hard",
	 .nodes = {{"a", .labels = ZONE("1")}, {"b", .labels = ZONE("2")}},
	 .there = {{"x", "a", .labels = WEB}},
	 .pod = {"p", .labels = WEB, .spec = SPREAD("DoNotSchedule")},
	 .node = "b"},
	{.what = "PodTopologySpread: no label",
	 .nodes = {{"a"}},
	 .pod = {"p", .labels = WEB, .spec = SPREAD("DoNotSchedule")},
	 .message = "0/1 nodes are available: 1 node(s) didn't match pod topology spread "
		    "constraints (missing required label)."},
	{.what = "PodTopologySpread: too skewed",
	 .nodes = {{"a", .labels = ZONE("1")},
		   {"b", .labels = ZONE("2"), .spec = TAINT("NoSchedule")}},
	 .there = {{"x", "a", .labels = WEB}},
	 .pod = {"p", .labels = WEB, .spec = SPREAD("DoNotSchedule")},
	 .message = "0/2 nodes are available: 1 node(s) didn't match pod topology spread "
		    "constraints, 1 node(s) had untolerated taint(s)."},
	{.what = "PodTopologySpread: soft",
	 .nodes = {{"a", .labels = ZONE("1")}, {"b", .labels = ZONE("2")}},
	 .there = {{"x", "a", .labels = WEB}, {"y", "a", .labels = WEB}},
	 .pod = {"p", .labels = WEB, .spec = SPREAD("ScheduleAnyway")},
	 .node = "b"},
	{.what = "preemption takes the lowest",
	 .nodes = {{"a"}, {"b"}},
	 .there = {{"x", "a", .spec = "\"priority\":5," CPU("4")},
		   {"y", "b", .spec = "\"priority\":1," CPU("4")}},
	 .pod = {"p", .spec = "\"priority\":10," CPU("1")},
	 .message = "0/2 nodes are available: 2 Insufficient cpu.",
	 .victim = "shop/y"},
	{.what = "preemption puts back whom it can",
	 .nodes = {{"a"}},
	 .there = {{"x", "a", .spec = "\"priority\":5," CPU("2")},
		   {"y", "a", .spec = "\"priority\":1," CPU("2")}},
	 .pod = {"p", .spec = "\"priority\":10," CPU("1")},
	 .message = "0/1 nodes are available: 1 Insufficient cpu.",
	 .victim = "shop/y"},
	{.what = "unbound claim",
	 .nodes = {{"a"}},
	 .pod = {"p", .spec = "\"volumes\":[{\"name\":\"v\",\"persistentVolumeClaim\":{"
			      "\"claimName\":\"data\"}}]"},
	 .message = "0/1 nodes are available: persistentvolumeclaim \"data\" not found."},
};

static void run(const struct sched_case *c)
{
	struct rig r = {0};
	struct decision_opts opts = {.random = 7};
	struct decision d;
	struct pod_info *pod;
	const char *got;

	node_cache_init(&r.cache);
	for (size_t i = 0; i < ITEMS && c->nodes[i].name; i++) {
		add_node(&r, &c->nodes[i]);
	}
	for (size_t i = 0; i < ITEMS && c->there[i].name; i++) {
		node_cache_put_pod(&r.cache, make_pod(&r, &c->there[i]), str_of(c->there[i].node));
	}
	pod = make_pod(&r, &c->pod);
	schedule(&r.cache, pod, &opts, &r.arena, &d);
	got = d.slot == NO_SLOT ? "nowhere" : r.cache.nodes.p[d.slot].name;
	if (strcmp(got, c->node ? c->node : "nowhere") != 0 ||
	    (c->message && !str_has_prefix(d.message, str_of(c->message)))) {
		print_error("%s: %s, %.*s\n", c->what, got, STR_ARG(d.message));
		fail();
	}
	if (c->victim) {
		assert_int_equal(d.nvictims, 1);
		EXPECT_STR(d.victims[0]->key, c->victim);
	} else {
		assert_int_equal(d.nvictims, 0);
	}
	pod_info_free(pod);
	node_cache_fini(&r.cache);
	arena_fini(&r.arena);
}

TEST(cycle_decides_as_the_table_says)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		run(&cases[i]);
	}
}

TEST(cycle_says_why_preemption_does_not_help)
{
	struct rig r = {0};
	struct decision_opts opts = {0};
	struct decision d;
	struct pod_info *pod;

	node_cache_init(&r.cache);
	add_node(&r, &(struct node_case){"a"});
	add_node(&r, &(struct node_case){"b", .spec = TAINT("NoSchedule")});
	node_cache_put_pod(&r.cache, make_pod(&r, &(struct pod_case){"x", .spec = CPU("4")}),
			   STR("a"));
	pod = make_pod(&r, &(struct pod_case){"p", .spec = CPU("1")});
	schedule(&r.cache, pod, &opts, &r.arena, &d);
	EXPECT_STR(d.message, "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) had "
			      "untolerated taint(s). preemption: 0/2 nodes are "
			      "available: 1 No preemption victims found for incoming pod, 1 "
			      "Preemption is not helpful for scheduling.");
	assert_int_equal(d.rejections[0].reasons[0].wanted, 1000);
	assert_int_equal(d.rejections[0].reasons[0].free, 0);
	pod_info_free(pod);
	node_cache_fini(&r.cache);
	arena_fini(&r.arena);
}

TEST(cycle_samples_nodes_as_upstream)
{
	assert_int_equal(nodes_to_find(10, 0), 10);
	assert_int_equal(nodes_to_find(99, 0), 99);
	assert_int_equal(nodes_to_find(1000, 0), 420);
	assert_int_equal(nodes_to_find(5000, 0), 500);
	assert_int_equal(nodes_to_find(6000, 0), 300);
	assert_int_equal(nodes_to_find(1000, 1), 100);
	assert_int_equal(nodes_to_find(1000, 100), 1000);
}

TEST(cache_sums_are_those_of_the_pods_that_are_left)
{
	struct rig r = {0};

	node_cache_init(&r.cache);
	add_node(&r, &(struct node_case){"a"});
	node_cache_put_pod(&r.cache, make_pod(&r, &(struct pod_case){"x", .spec = CPU("1")}),
			   STR("a"));
	node_cache_put_pod(&r.cache, make_pod(&r, &(struct pod_case){"y", .spec = CPU("2")}),
			   STR("a"));
	node_cache_put_pod(&r.cache, make_pod(&r, &(struct pod_case){"x", .spec = CPU("1500m")}),
			   STR("a"));
	assert_int_equal(r.cache.columns.p[COLUMN_CPU].requested[0], 3500);
	assert_int_equal(r.cache.columns.p[COLUMN_PODS].requested[0], 2);
	node_cache_remove_pod(&r.cache, STR("shop/x"));
	assert_int_equal(r.cache.columns.p[COLUMN_CPU].requested[0], 2000);
	node_cache_remove_node(&r.cache, STR("a"));
	assert_int_equal(node_cache_find(&r.cache, STR("a")), NO_SLOT);
	add_node(&r, &(struct node_case){"a"});
	assert_int_equal(r.cache.columns.p[COLUMN_CPU].requested[0], 2000);
	node_cache_fini(&r.cache);
	arena_fini(&r.arena);
}

TEST_MAIN(cycle_decides_as_the_table_says, cycle_says_why_preemption_does_not_help,
	  cycle_samples_nodes_as_upstream, cache_sums_are_those_of_the_pods_that_are_left)
