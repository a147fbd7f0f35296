/* SPDX-License-Identifier: Apache-2.0 */
/* Cases of upstream's pkg/apis/rbac and rbac rule resolver. */
#include "rules/rbac.h"

#include "base/test.h"
#include "object/decode.h"

/* "get pods/log a" in a group, or "get /healthz". */
static struct access_attributes ask(const char *verb, const char *group, const char *resource,
				    const char *name)
{
	struct access_attributes what = {.verb = str_of(verb), .is_resource = resource[0] != '/'};

	if (!what.is_resource) {
		what.path = str_of(resource);
		return what;
	}
	what.group = str_of(group);
	what.subresource = str_of(resource);
	str_cut(&what.subresource, '/', &what.resource);
	what.name = str_of(name);
	return what;
}

TEST(rules_allow)
{
	static const struct {
		const char *rule, *verb, *group, *resource, *name;
		bool allowed;
	} cases[] = {
		{"{\"verbs\":[\"get\"],\"apiGroups\":[\"\"],\"resources\":[\"pods\"]}", "get", "",
		 "pods", "a", true},
		{"{\"verbs\":[\"get\"],\"apiGroups\":[\"\"],\"resources\":[\"pods\"]}", "list", "",
		 "pods", "", false},
		{"{\"verbs\":[\"get\"],\"apiGroups\":[\"\"],\"resources\":[\"pods\"]}", "get",
		 "apps", "pods", "a", false},
		{"{\"verbs\":[\"get\"],\"apiGroups\":[\"\"],\"resources\":[\"pods\"]}", "get", "",
		 "pods/log", "a", false},
		{"{\"verbs\":[\"get\"],\"apiGroups\":[\"\"],\"resources\":[\"pods/log\"]}", "get",
		 "", "pods/log", "a", true},
		{"{\"verbs\":[\"get\"],\"apiGroups\":[\"\"],\"resources\":[\"pods/log\"]}", "get",
		 "", "pods", "a", false},
		{"{\"verbs\":[\"get\"],\"apiGroups\":[\"\"],\"resources\":[\"*/scale\"]}", "get",
		 "", "pods/scale", "a", true},
		{"{\"verbs\":[\"get\"],\"apiGroups\":[\"\"],\"resources\":[\"*/scale\"]}", "get",
		 "", "pods/status", "a", false},
		{"{\"verbs\":[\"get\"],\"apiGroups\":[\"\"],\"resources\":[\"*/scale\"]}", "get",
		 "", "pods", "a", false},
		{"{\"verbs\":[\"get\"],\"apiGroups\":[\"\"],\"resources\":[\"*\"]}", "get", "",
		 "pods/log", "a", true},
		{"{\"verbs\":[\"get\"],\"apiGroups\":[\"\"],\"resources\":[\"pods/*\"]}", "get", "",
		 "pods/log", "a", false},
		{"{\"verbs\":[\"*\"],\"apiGroups\":[\"*\"],\"resources\":[\"*\"]}", "delete",
		 "acme.io", "foos", "a", true},
		{"{\"verbs\":[\"*\"],\"apiGroups\":[\"*\"],\"resources\":[\"*\"]}", "get", "",
		 "/healthz", "", false},
		{"{\"verbs\":[\"get\"],\"apiGroups\":[\"\"],\"resources\":[\"pods\"],"
		 "\"resourceNames\":[\"a\"]}",
		 "get", "", "pods", "a", true},
		{"{\"verbs\":[\"get\"],\"apiGroups\":[\"\"],\"resources\":[\"pods\"],"
		 "\"resourceNames\":[\"a\"]}",
		 "get", "", "pods", "b", false},
		{"{\"verbs\":[\"list\"],\"apiGroups\":[\"\"],\"resources\":[\"pods\"],"
		 "\"resourceNames\":[\"a\"]}",
		 "list", "", "pods", "", false},
		{"{\"verbs\":[\"get\"],\"nonResourceURLs\":[\"/healthz\"]}", "get", "", "/healthz",
		 "", true},
		{"{\"verbs\":[\"get\"],\"nonResourceURLs\":[\"/healthz\"]}", "get", "",
		 "/healthz/x", "", false},
		{"{\"verbs\":[\"get\"],\"nonResourceURLs\":[\"/healthz/*\"]}", "get", "",
		 "/healthz/x", "", true},
		{"{\"verbs\":[\"get\"],\"nonResourceURLs\":[\"/healthz/*\"]}", "get", "",
		 "/healthz", "", false},
		{"{\"verbs\":[\"get\"],\"nonResourceURLs\":[\"*\"]}", "get", "", "/x", "", true},
		{"{\"verbs\":[\"get\"],\"nonResourceURLs\":[\"*\"]}", "post", "", "/x", "", false},
		{"{}", "get", "", "pods", "a", false},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena a CLEANUP_ARENA = {0};
		struct err e CLEANUP_ERR = {0};
		struct rbac_policy_rule rule = {0};
		struct access_attributes what =
			ask(cases[i].verb, cases[i].group, cases[i].resource,
			    cases[i].name ? cases[i].name : "");

		assert_int_equal(object_decode(&a, &type_rbac_policy_rule, str_of(cases[i].rule),
					       &rule, NULL, &e),
				 0);
		if (rbac_rule_allows(&rule, &what) != cases[i].allowed) {
			print_error("%s: %s %s\n", cases[i].rule, cases[i].verb, cases[i].resource);
			fail();
		}
	}
}

TEST(subjects_are_users)
{
	struct str groups[] = {STR("system:authenticated"), STR("devs")};
	struct user_info ann = {.name = STR("ann"), .groups = {groups, 2}};
	struct user_info robot = {.name = STR("system:serviceaccount:web:robot")};
	struct rbac_subject user = {.kind = STR("User"), .name = STR("ann")};
	struct rbac_subject group = {.kind = STR("Group"), .name = STR("devs")};
	struct rbac_subject account = {
		.kind = STR("ServiceAccount"), .name = STR("robot"), .namespace = STR("web")};

	assert_true(rbac_subject_is(&user, STR(""), &ann));
	assert_true(rbac_subject_is(&group, STR(""), &ann));
	assert_false(rbac_subject_is(&user, STR(""), &robot));
	assert_false(rbac_subject_is(&group, STR(""), &robot));
	assert_true(rbac_subject_is(&account, STR(""), &robot));
	assert_true(rbac_subject_is(&account, STR("other"), &robot));
	account.namespace = STR("db");
	assert_false(rbac_subject_is(&account, STR("web"), &robot));
	/* Without a namespace of its own it is the binding's; cluster-wide there is none. */
	account.namespace = STR("");
	assert_true(rbac_subject_is(&account, STR("web"), &robot));
	assert_false(rbac_subject_is(&account, STR(""), &robot));
	assert_false(rbac_subject_is(&account, STR("web"), &ann));
	user.kind = STR("Robot");
	assert_false(rbac_subject_is(&user, STR(""), &ann));
}

TEST_MAIN(rules_allow, subjects_are_users)
