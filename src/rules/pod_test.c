/* SPDX-License-Identifier: Apache-2.0 */
#include "rules/pod.h"

#include "base/test.h"
#include "object/decode.h"
#include "object/encode.h"
#include "rules/resources.h"

static void decode(struct arena *a, const struct type_desc *type, const char *text, void *obj)
{
	struct err e CLEANUP_ERR = {0};

	if (object_decode(a, type, str_of(text), obj, NULL, &e) < 0) {
		print_error("%s\n", err_msg(&e));
		fail();
	}
}

static void expect_list(struct quantity_map list, const char *want)
{
	struct buf b CLEANUP_BUF = {0};
	const struct core_resource_requirements r = {.limits = list};

	object_encode(&b, &type_core_resource_requirements, &r, NULL, NULL);
	EXPECT_STR(buf_str(&b), want);
}

TEST(classes_of_service)
{
	static const char *const cases[][2] = {
		{"[{}]", "BestEffort"},
		{"[{\"resources\":{\"requests\":{\"cpu\":\"0\"}}}]", "BestEffort"},
		{"[{\"resources\":{\"requests\":{\"example.com/x\":\"1\"}}}]", "BestEffort"},
		{"[{\"resources\":{\"requests\":{\"cpu\":\"1\"}}}]", "Burstable"},
		{"[{\"resources\":{\"limits\":{\"cpu\":\"1\"},\"requests\":{\"cpu\":\"1\"}}}]",
		 "Burstable"},
		{"[{\"resources\":{\"limits\":{\"cpu\":\"1\",\"memory\":\"1\"},\"requests\":{"
		 "\"cpu\":\"1\",\"memory\":\"1\"}}}]",
		 "Guaranteed"},
		{"[{\"resources\":{\"limits\":{\"cpu\":\"1\",\"memory\":\"2\"},\"requests\":{"
		 "\"cpu\":\"1\",\"memory\":\"1\"}}}]",
		 "Burstable"},
		{"[{\"resources\":{\"limits\":{\"cpu\":\"1\",\"memory\":\"1\"},\"requests\":{"
		 "\"cpu\":\"1\",\"memory\":\"1\"}}},{}]",
		 "Burstable"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena a CLEANUP_ARENA = {0};
		struct core_pod_spec spec = {0};

		decode(&a, &type_core_pod_spec,
		       arena_printf(&a, "{\"containers\":%s}", cases[i][0]).p, &spec);
		EXPECT_STR(pod_compute_qos(&spec), cases[i][1]);
	}
}

TEST(requests_of_pods)
{
	static const char *const cases[][2] = {
		/* the sum */
		{"{\"containers\":[{\"resources\":{\"requests\":{\"cpu\":\"100m\",\"memory\":"
		 "\"1Gi\"}}},"
		 "{\"resources\":{\"requests\":{\"cpu\":\"1\"}}}]}",
		 "{\"limits\":{\"cpu\":\"1100m\",\"memory\":\"1Gi\"}}"},
		/* an init container that needs more */
		{"{\"containers\":[{\"resources\":{\"requests\":{\"cpu\":\"1\"}}}],"
		 "\"initContainers\":[{\"resources\":{\"requests\":{\"cpu\":\"3\"}}},{"
		 "\"resources\":{\"requests\":{\"cpu\":\"2\",\"memory\":\"1Mi\"}}}]}",
		 "{\"limits\":{\"cpu\":\"3\",\"memory\":\"1Mi\"}}"},
		/* sidecars run beside what comes after them */
		{"{\"containers\":[{\"resources\":{\"requests\":{\"cpu\":\"1\"}}}],"
		 "\"initContainers\":[{\"restartPolicy\":\"Always\",\"resources\":{\"requests\":{"
		 "\"cpu\":\"1\"}}},"
		 "{\"resources\":{\"requests\":{\"cpu\":\"2\"}}}]}",
		 "{\"limits\":{\"cpu\":\"3\"}}"},
		{"{\"containers\":[{\"resources\":{\"requests\":{\"cpu\":\"1\"}}}],"
		 "\"initContainers\":[{\"resources\":{\"requests\":{\"cpu\":\"1500m\"}}},"
		 "{\"restartPolicy\":\"Always\",\"resources\":{\"requests\":{\"cpu\":\"1\"}}}]}",
		 "{\"limits\":{\"cpu\":\"2\"}}"},
		/* overhead */
		{"{\"containers\":[{\"resources\":{\"requests\":{\"cpu\":\"1\"}}}],\"overhead\":{"
		 "\"cpu\":\"250m\",\"memory\":\"1Mi\"}}",
		 "{\"limits\":{\"cpu\":\"1250m\",\"memory\":\"1Mi\"}}"},
		/* of the pod as a whole */
		{"{\"containers\":[{\"resources\":{\"requests\":{\"cpu\":\"1\"}}}],\"resources\":{"
		 "\"requests\":{\"cpu\":\"5\"}}}",
		 "{\"limits\":{\"cpu\":\"5\"}}"},
		{"{\"containers\":[{}]}", "{}"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena a CLEANUP_ARENA = {0};
		struct core_pod_spec spec = {0};

		decode(&a, &type_core_pod_spec, cases[i][0], &spec);
		expect_list(pod_compute_requests(&a, &spec), cases[i][1]);
	}
}

TEST(phases)
{
	static const struct {
		const char *pod;
		bool terminating, terminal, active, ready;
	} cases[] = {
		{"{}", false, false, true, false},
		{"{\"status\":{\"phase\":\"Succeeded\"}}", false, true, false, false},
		{"{\"status\":{\"phase\":\"Failed\"}}", false, true, false, false},
		{"{\"metadata\":{\"deletionTimestamp\":\"2026-01-01T00:00:00Z\"},\"status\":{"
		 "\"phase\":\"Running\"}}",
		 true, false, false, false},
		{"{\"status\":{\"phase\":\"Running\",\"conditions\":[{\"type\":\"Ready\","
		 "\"status\":\"True\"}]}}",
		 false, false, true, true},
		{"{\"status\":{\"phase\":\"Running\",\"conditions\":[{\"type\":\"Ready\","
		 "\"status\":\"False\"}]}}",
		 false, false, true, false},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena a CLEANUP_ARENA = {0};
		struct core_pod pod = {0};

		decode(&a, &type_core_pod, cases[i].pod, &pod);
		assert_int_equal(pod_is_terminating(&pod), cases[i].terminating);
		assert_int_equal(pod_is_terminal(&pod), cases[i].terminal);
		assert_int_equal(pod_is_active(&pod), cases[i].active);
		assert_int_equal(pod_is_ready(&pod), cases[i].ready);
	}
}

TEST(availability)
{
	struct arena a CLEANUP_ARENA = {0};
	struct core_pod pod = {0};
	int64_t since;

	decode(&a, &type_core_pod,
	       "{\"status\":{\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\","
	       "\"lastTransitionTime\":\"2026-01-01T00:00:00Z\"}]}}",
	       &pod);
	since = pod_available_at(&pod, 0);
	assert_int_equal(pod_available_at(&pod, 10), since + 10);
	assert_true(pod_is_available(&pod, 0, 0));
	assert_false(pod_is_available(&pod, 10, since + 9));
	assert_true(pod_is_available(&pod, 10, since + 10));
	memset(&pod.status.conditions, 0, sizeof(pod.status.conditions));
	assert_int_equal(pod_available_at(&pod, 10), -1);
	assert_false(pod_is_available(&pod, 0, since));
}

TEST(lists_of_resources)
{
	struct arena a CLEANUP_ARENA = {0};
	struct core_resource_requirements r = {0};
	struct quantity_map sum = {0};
	struct str name;

	decode(&a, &type_core_resource_requirements,
	       "{\"limits\":{\"cpu\":\"1\",\"memory\":\"1Gi\"},\"requests\":{\"cpu\":\"500m\","
	       "\"pods\":\"3\"}}",
	       &r);
	resources_add(&a, &sum, &r.limits);
	resources_add(&a, &sum, &r.requests);
	expect_list(sum, "{\"limits\":{\"cpu\":\"1500m\",\"memory\":\"1Gi\",\"pods\":\"3\"}}");
	expect_list(r.limits, "{\"limits\":{\"cpu\":\"1\",\"memory\":\"1Gi\"}}");
	resources_sub(&a, &sum, &r.limits);
	expect_list(sum, "{\"limits\":{\"cpu\":\"500m\",\"memory\":\"0\",\"pods\":\"3\"}}");
	resources_max(&a, &sum, &r.limits);
	expect_list(sum, "{\"limits\":{\"cpu\":\"1\",\"memory\":\"1Gi\",\"pods\":\"3\"}}");
	assert_true(resources_fit(&r.limits, &sum, &name));
	assert_false(resources_fit(&sum, &r.limits, &name));
	EXPECT_STR(name, "pods");
	assert_false(resources_equal(&sum, &r.limits));
	assert_true(resources_equal(&sum, &sum));
	resource_set(&a, &sum, STR("ephemeral-storage"), resource_get(&r.limits, STR("memory")));
	expect_list(sum, "{\"limits\":{\"cpu\":\"1\",\"ephemeral-storage\":\"1Gi\",\"memory\":"
			 "\"1Gi\",\"pods\":\"3\"}}");
	assert_null(resource_find(&r.limits, STR("pods")));
}

TEST(names_of_resources)
{
	assert_true(resource_name_is_native(STR("cpu")));
	assert_true(resource_name_is_native(STR("x.kubernetes.io/y")));
	assert_false(resource_name_is_native(STR("example.com/x")));
	assert_true(resource_name_is_extended(STR("example.com/x")));
	assert_false(resource_name_is_extended(STR("requests.example.com/x")));
	assert_false(resource_name_is_extended(STR("memory")));
	assert_true(resource_name_is_hugepages(STR("hugepages-2Mi")));
	assert_false(resource_name_allows_overcommit(STR("hugepages-2Mi")));
	assert_true(resource_name_allows_overcommit(STR("memory")));
	assert_true(resource_name_is_integer(STR("pods")));
	assert_false(resource_name_is_integer(STR("cpu")));
	assert_true(resource_name_is_for_containers(STR("ephemeral-storage")));
	assert_false(resource_name_is_for_containers(STR("pods")));
	assert_true(resource_name_is_for_quota(STR("requests.cpu")));
	assert_false(resource_name_is_for_quota(STR("bogus")));
}

TEST_MAIN(classes_of_service, requests_of_pods, phases, availability, lists_of_resources,
	  names_of_resources)
