/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/request_info.h"
#include "base/test.h"

static const struct {
	const char *method, *path, *query;
	const char *verb, *group, *version, *ns, *resource, *subresource, *name;
} cases[] = {
	{"GET", "/api/v1/namespaces/shop/pods/web-0", "", "get", "", "v1", "shop", "pods", "",
	 "web-0"},
	{"GET", "/api/v1/namespaces/shop/pods/web-0/log", "", "get", "", "v1", "shop", "pods",
	 "log", "web-0"},
	{"GET", "/api/v1/namespaces/shop/pods", "", "list", "", "v1", "shop", "pods", "", ""},
	{"GET", "/api/v1/pods", "watch=true", "watch", "", "v1", "", "pods", "", ""},
	{"GET", "/api/v1/pods", "watch=0", "list", "", "v1", "", "pods", "", ""},
	{"GET", "/api/v1/pods", "fieldSelector=metadata.name%3Dx", "list", "", "v1", "", "pods", "",
	 "x"},
	{"GET", "/api/v1/pods", "fieldSelector=metadata.name%3Dx%2Cspec.nodeName%3Dy", "list", "",
	 "v1", "", "pods", "", ""},
	{"GET", "/api/v1/namespaces", "", "list", "", "v1", "", "namespaces", "", ""},
	{"GET", "/api/v1/namespaces/shop", "", "get", "", "v1", "shop", "namespaces", "", "shop"},
	{"PUT", "/api/v1/namespaces/shop/finalize", "", "update", "", "v1", "shop", "namespaces",
	 "finalize", "shop"},
	{"PATCH", "/api/v1/namespaces/shop/status", "", "patch", "", "v1", "shop", "namespaces",
	 "status", "shop"},
	{"POST", "/apis/apps/v1/namespaces/a/deployments", "", "create", "apps", "v1", "a",
	 "deployments", "", ""},
	{"DELETE", "/apis/apps/v1/namespaces/a/deployments", "", "deletecollection", "apps", "v1",
	 "a", "deployments", "", ""},
	{"DELETE", "/apis/apps/v1/namespaces/a/deployments/d", "", "delete", "apps", "v1", "a",
	 "deployments", "", "d"},
	{"PATCH", "/apis/apps/v1/namespaces/a/deployments/d/scale", "", "patch", "apps", "v1", "a",
	 "deployments", "scale", "d"},
	{"GET", "/api/v1/watch/namespaces/a/pods/p", "", "watch", "", "v1", "a", "pods", "", "p"},
	{"HEAD", "/api/v1/nodes/n", "", "get", "", "v1", "", "nodes", "", "n"},
};

TEST(paths_become_what_upstream_makes_of_them)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct request_info info;

		request_info_parse(str_of(cases[i].method), str_of(cases[i].path),
				   str_of(cases[i].query), &info);
		assert_true(info.is_resource);
		assert_string_equal(info.verb, cases[i].verb);
		EXPECT_STR(info.group, cases[i].group);
		EXPECT_STR(info.version, cases[i].version);
		EXPECT_STR(info.ns, cases[i].ns);
		EXPECT_STR(info.resource, cases[i].resource);
		EXPECT_STR(info.subresource, cases[i].subresource);
		EXPECT_STR(info.name, cases[i].name);
	}
}

TEST(other_paths_are_not_resources)
{
	static const char *const paths[] = {"/",
					    "/healthz",
					    "/api",
					    "/api/v1",
					    "/apis",
					    "/apis/apps",
					    "/apis/apps/v1",
					    "/version",
					    "/openapi/v3/apis/apps/v1",
					    "//",
					    "/metrics"};

	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		struct request_info info;

		request_info_parse(STR("GET"), str_of(paths[i]), STR(""), &info);
		assert_false(info.is_resource);
		assert_string_equal(info.verb, "get");
	}
}

TEST(proxy_paths_keep_count_of_what_follows)
{
	struct request_info info;

	request_info_parse(STR("POST"), STR("/api/v1/namespaces/a/services/http:web:80/proxy/x/y"),
			   STR(""), &info);
	EXPECT_STR(info.name, "http:web:80");
	EXPECT_STR(info.subresource, "proxy");
	assert_int_equal(info.extra_parts, 2);
}

TEST_MAIN(paths_become_what_upstream_makes_of_them, other_paths_are_not_resources,
	  proxy_paths_keep_count_of_what_follows)
