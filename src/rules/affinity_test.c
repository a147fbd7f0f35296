/* SPDX-License-Identifier: Apache-2.0 */
#include "rules/affinity.h"

#include "base/test.h"
#include "object/decode.h"
#include "rules/taint.h"

static void decode(struct arena *a, const struct type_desc *type, const char *text, void *obj)
{
	struct err e CLEANUP_ERR = {0};

	if (object_decode(a, type, str_of(text), obj, NULL, &e) < 0) {
		print_error("%s\n", err_msg(&e));
		fail();
	}
}

TEST(nodes_are_selected)
{
	static const struct {
		const char *selector;
		bool matches;
	} cases[] = {
		{"{}", false},
		{"{\"nodeSelectorTerms\":[{}]}", false},
		{"{\"nodeSelectorTerms\":[{\"matchExpressions\":[{\"key\":\"zone\",\"operator\":"
		 "\"In\",\"values\":[\"a\",\"b\"]}]}]}",
		 true},
		{"{\"nodeSelectorTerms\":[{\"matchExpressions\":[{\"key\":\"zone\",\"operator\":"
		 "\"NotIn\",\"values\":[\"a\"]}]}]}",
		 false},
		{"{\"nodeSelectorTerms\":[{\"matchExpressions\":[{\"key\":\"nope\",\"operator\":"
		 "\"NotIn\",\"values\":[\"a\"]}]}]}",
		 true},
		{"{\"nodeSelectorTerms\":[{\"matchExpressions\":[{\"key\":\"zone\",\"operator\":"
		 "\"Exists\"}]}]}",
		 true},
		{"{\"nodeSelectorTerms\":[{\"matchExpressions\":[{\"key\":\"zone\",\"operator\":"
		 "\"DoesNotExist\"}]}]}",
		 false},
		{"{\"nodeSelectorTerms\":[{\"matchExpressions\":[{\"key\":\"cores\",\"operator\":"
		 "\"Gt\",\"values\":[\"3\"]}]}]}",
		 true},
		{"{\"nodeSelectorTerms\":[{\"matchExpressions\":[{\"key\":\"cores\",\"operator\":"
		 "\"Lt\",\"values\":[\"3\"]}]}]}",
		 false},
		{"{\"nodeSelectorTerms\":[{\"matchExpressions\":[{\"key\":\"zone\",\"operator\":"
		 "\"Gt\",\"values\":[\"3\"]}]}]}",
		 false},
		{"{\"nodeSelectorTerms\":[{\"matchFields\":[{\"key\":\"metadata.name\","
		 "\"operator\":\"In\",\"values\":[\"n1\"]}]}]}",
		 true},
		{"{\"nodeSelectorTerms\":[{\"matchFields\":[{\"key\":\"metadata.name\","
		 "\"operator\":\"NotIn\",\"values\":[\"n1\"]}]}]}",
		 false},
		/* all of one term, one of the terms */
		{"{\"nodeSelectorTerms\":[{\"matchExpressions\":[{\"key\":\"zone\",\"operator\":"
		 "\"Exists\"},{\"key\":\"nope\",\"operator\":\"Exists\"}]}]}",
		 false},
		{"{\"nodeSelectorTerms\":[{\"matchExpressions\":[{\"key\":\"nope\",\"operator\":"
		 "\"Exists\"}]},{\"matchExpressions\":[{\"key\":\"zone\",\"operator\":\"Exists\"}]}"
		 "]}",
		 true},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena a CLEANUP_ARENA = {0};
		struct meta_object_meta node = {0};
		struct core_node_selector selector = {0};

		decode(&a, &type_meta_object_meta,
		       "{\"name\":\"n1\",\"labels\":{\"zone\":\"a\",\"cores\":\"4\"}}", &node);
		decode(&a, &type_core_node_selector, cases[i].selector, &selector);
		if (node_selector_matches(&selector, &node) != cases[i].matches) {
			print_error("%s\n", cases[i].selector);
			fail();
		}
	}
}

TEST(pods_match_nodes)
{
	static const struct {
		const char *spec;
		bool matches;
		int weight;
	} cases[] = {
		{"{}", true, 0},
		{"{\"nodeSelector\":{\"zone\":\"a\"}}", true, 0},
		{"{\"nodeSelector\":{\"zone\":\"b\"}}", false, 0},
		{"{\"affinity\":{\"nodeAffinity\":{"
		 "\"requiredDuringSchedulingIgnoredDuringExecution\":{\"nodeSelectorTerms\":[{"
		 "\"matchExpressions\":[{\"key\":\"zone\",\"operator\":\"In\",\"values\":[\"b\"]}]}"
		 "]}}}}",
		 false, 0},
		{"{\"affinity\":{\"nodeAffinity\":{"
		 "\"preferredDuringSchedulingIgnoredDuringExecution\":[{\"weight\":5,"
		 "\"preference\":{\"matchExpressions\":[{\"key\":\"zone\",\"operator\":\"Exists\"}]"
		 "}},{\"weight\":7,\"preference\":{\"matchExpressions\":[{\"key\":\"nope\","
		 "\"operator\":\"Exists\"}]}}]}}}",
		 true, 5},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena a CLEANUP_ARENA = {0};
		struct meta_object_meta node = {0};
		struct core_pod_spec spec = {0};

		decode(&a, &type_meta_object_meta, "{\"name\":\"n1\",\"labels\":{\"zone\":\"a\"}}",
		       &node);
		decode(&a, &type_core_pod_spec, cases[i].spec, &spec);
		assert_int_equal(pod_matches_node(&spec, &node), cases[i].matches);
		assert_int_equal(node_affinity_weight(&spec, &node), cases[i].weight);
	}
}

TEST(pods_match_pods)
{
	static const struct {
		const char *term;
		bool same, other; /* in the pod's own namespace, in another */
	} cases[] = {
		{"{\"labelSelector\":{\"matchLabels\":{\"app\":\"a\"}}}", true, false},
		{"{\"labelSelector\":{\"matchLabels\":{\"app\":\"b\"}}}", false, false},
		{"{\"labelSelector\":{},\"namespaces\":[\"there\"]}", false, true},
		{"{\"labelSelector\":{},\"namespaceSelector\":{}}", true, true},
		{"{\"labelSelector\":{},\"namespaceSelector\":{\"matchLabels\":{\"team\":\"x\"}}}",
		 false, false},
		{"{\"labelSelector\":{},\"namespaceSelector\":{\"matchLabels\":{\"team\":\"t\"}}}",
		 true, true},
		{"{}", false, false},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena a CLEANUP_ARENA = {0};
		struct core_pod_affinity_term term = {0};
		struct meta_object_meta pod = {0};
		struct meta_object_meta ns = {0};

		decode(&a, &type_core_pod_affinity_term, cases[i].term, &term);
		decode(&a, &type_meta_object_meta,
		       "{\"namespace\":\"here\",\"labels\":{\"app\":\"a\"}}", &pod);
		decode(&a, &type_meta_object_meta, "{\"labels\":{\"team\":\"t\"}}", &ns);
		assert_int_equal(pod_affinity_term_matches(&term, STR("here"), &pod, &ns.labels),
				 cases[i].same);
		pod.namespace = STR("there");
		assert_int_equal(pod_affinity_term_matches(&term, STR("here"), &pod, &ns.labels),
				 cases[i].other);
	}
}

TEST(taints_are_tolerated)
{
	static const struct {
		const char *tolerations;
		bool tolerated;
		int64_t seconds;
	} cases[] = {
		{"[]", false, -1},
		{"[{\"operator\":\"Exists\"}]", true, INT64_MAX},
		{"[{\"key\":\"k\",\"operator\":\"Exists\"}]", true, INT64_MAX},
		{"[{\"key\":\"k\",\"operator\":\"Equal\",\"value\":\"v\"}]", true, INT64_MAX},
		{"[{\"key\":\"k\",\"value\":\"v\"}]", true, INT64_MAX},
		{"[{\"key\":\"k\",\"value\":\"w\"}]", false, -1},
		{"[{\"key\":\"other\",\"operator\":\"Exists\"}]", false, -1},
		{"[{\"key\":\"k\",\"operator\":\"Exists\",\"effect\":\"NoSchedule\"}]", false, -1},
		{"[{\"key\":\"k\",\"operator\":\"Exists\",\"effect\":\"NoExecute\","
		 "\"tolerationSeconds\":30}]",
		 true, 30},
		{"[{\"key\":\"k\",\"operator\":\"Exists\",\"tolerationSeconds\":30},{\"operator\":"
		 "\"Exists\",\"tolerationSeconds\":10}]",
		 true, 10},
		{"[{\"key\":\"k\",\"operator\":\"Exists\",\"tolerationSeconds\":-5}]", true, 0},
	};
	struct core_taint taint = {.key = STR("k"), .value = STR("v"), .effect = STR("NoExecute")};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena a CLEANUP_ARENA = {0};
		struct core_pod_spec spec = {0};

		decode(&a, &type_core_pod_spec,
		       arena_printf(&a, "{\"tolerations\":%s}", cases[i].tolerations).p, &spec);
		assert_int_equal(taint_is_tolerated(&taint, &spec), cases[i].tolerated);
		assert_int_equal(taint_toleration_s(&taint, &spec), cases[i].seconds);
		assert_ptr_equal(find_untolerated_taint(&taint, 1, &spec, TAINT_NO_EXECUTE),
				 cases[i].tolerated ? NULL : &taint);
		assert_null(find_untolerated_taint(&taint, 1, &spec, TAINT_NO_SCHEDULE));
	}
}

TEST_MAIN(nodes_are_selected, pods_match_nodes, pods_match_pods, taints_are_tolerated)
