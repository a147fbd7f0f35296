/* SPDX-License-Identifier: Apache-2.0 */
/* Owners, and the other small helpers of controllers: conditions, hashes, image names. */
#include "rules/controller_ref.h"

#include <string.h>

#include "base/test.h"
#include "object/decode.h"
#include "rules/condition.h"
#include "rules/hash.h"
#include "rules/image.h"

static void decode(struct arena *a, const struct type_desc *type, const char *text, void *obj)
{
	struct err e CLEANUP_ERR = {0};

	if (object_decode(a, type, str_of(text), obj, NULL, &e) < 0) {
		print_error("%s\n", err_msg(&e));
		fail();
	}
}

TEST(controllers_own)
{
	struct arena a CLEANUP_ARENA = {0};
	struct meta_object_meta owner = {0};
	struct meta_object_meta owned = {.name = STR("p"), .namespace = STR("web")};
	struct meta_owner_reference ref;

	decode(&a, &type_meta_object_meta, "{\"name\":\"d\",\"namespace\":\"web\",\"uid\":\"u1\"}",
	       &owner);
	assert_null(controller_of(&owned));
	ref = controller_ref_make(&a, &resource_apps_deployments, &owner);
	EXPECT_STR(ref.api_version, "apps/v1");
	EXPECT_STR(ref.kind, "Deployment");
	EXPECT_STR(ref.name, "d");
	EXPECT_STR(ref.uid, "u1");
	assert_true(ref.controller && *ref.controller);
	assert_true(ref.block_owner_deletion && *ref.block_owner_deletion);
	owned.owner_references.p = &ref;
	owned.owner_references.n = 1;
	assert_ptr_equal(controller_of(&owned), &ref);
	assert_true(is_controlled_by(&owned, STR("u1")));
	assert_false(is_controlled_by(&owned, STR("u2")));
	assert_true(owner_is_kind(&ref, STR("apps"), STR("Deployment")));
	assert_false(owner_is_kind(&ref, STR(""), STR("Deployment")));
	EXPECT_STR(owner_group(&ref), "apps");
	EXPECT_STR(owner_key(&a, &owned, &ref), "web/d");
	EXPECT_STR(object_key(&a, &owned), "web/p");
	owned.namespace = STR("");
	EXPECT_STR(object_key(&a, &owned), "p");
	EXPECT_STR(api_version_of(&a, &resource_core_pods), "v1");
	*ref.controller = false;
	assert_null(controller_of(&owned));
}

TEST(conditions_are_set)
{
	struct arena a CLEANUP_ARENA = {0};
	struct core_node_status status = {0};
	struct core_node_condition ready = {
		.type = STR("Ready"), .status = STR("True"), .reason = STR("Ok")};
	struct core_node_condition *first;

	ready.last_transition_time.sec = 100;
	assert_true(condition_set(&a, &status.conditions, &ready));
	assert_int_equal(status.conditions.n, 1);
	assert_true(condition_is_true(&status.conditions, STR("Ready")));
	/* nothing new */
	ready.last_transition_time.sec = 200;
	assert_false(condition_set(&a, &status.conditions, &ready));
	assert_int_equal(status.conditions.p[0].last_transition_time.sec, 100);
	/* another reason, the same status: since when stays */
	first = status.conditions.p;
	ready.reason = STR("Better");
	assert_true(condition_set(&a, &status.conditions, &ready));
	assert_int_equal(status.conditions.p[0].last_transition_time.sec, 100);
	EXPECT_STR(status.conditions.p[0].reason, "Better");
	EXPECT_STR(first[0].reason, "Ok");
	ready.status = STR("False");
	assert_true(condition_set(&a, &status.conditions, &ready));
	assert_int_equal(status.conditions.p[0].last_transition_time.sec, 200);
	assert_false(condition_is_true(&status.conditions, STR("Ready")));
	ready.type = STR("Other");
	assert_true(condition_set(&a, &status.conditions, &ready));
	assert_int_equal(status.conditions.n, 2);
	assert_null(condition_find(&status.conditions, STR("Third")));
}

/* The values are part of object names that are stored: they must never change. */
TEST(hashes_are_stable)
{
	struct arena a CLEANUP_ARENA = {0};
	struct core_pod_template_spec one = {0};
	struct core_pod_template_spec two = {0};
	int32_t collisions = 0;
	struct str plain;

	EXPECT_STR(safe_encode(&a, STR("0123456789")), "456789bcdf");
	assert_int_equal(hash_fnv1a(HASH_FNV1A_SEED, "foobar", 6), 0xbf9cf968);
	decode(&a, &type_core_pod_template_spec,
	       "{\"metadata\":{\"labels\":{\"a\":\"1\",\"b\":\"2\"}},\"spec\":{\"containers\":[{"
	       "\"name\":\"c\"}]}}",
	       &one);
	decode(&a, &type_core_pod_template_spec,
	       "{\"spec\":{\"containers\":[{\"name\":\"c\"}]},\"metadata\":{\"labels\":{\"b\":"
	       "\"2\",\"a\":\"1\"}}}",
	       &two);
	plain = pod_template_hash(&a, &one, NULL);
	EXPECT_STR(plain, "f6d4bd94c");
	assert_true(str_eq(plain, pod_template_hash(&a, &two, NULL)));
	assert_false(str_eq(plain, pod_template_hash(&a, &one, &collisions)));
	two.spec.containers.p[0].image = STR("x");
	assert_false(str_eq(plain, pod_template_hash(&a, &two, NULL)));
	EXPECT_STR(content_hash(&a, STR("{}"), NULL), "5859f96865");
}

TEST(image_names)
{
	static const struct {
		const char *text, *repository, *tag, *digest, *policy;
	} cases[] = {
		{"nginx", "nginx", "", "", "Always"},
		{"nginx:1", "nginx", "1", "", "IfNotPresent"},
		{"nginx:latest", "nginx", "latest", "", "Always"},
		{"h:5000/a/b", "h:5000/a/b", "", "", "Always"},
		{"h:5000/a/b:v1.2_3", "h:5000/a/b", "v1.2_3", "", "IfNotPresent"},
		{"a@sha256:0123456789012345678901234567890123456789012345678901234567890123", "a",
		 "", "sha256:0123456789012345678901234567890123456789012345678901234567890123",
		 "IfNotPresent"},
	};
	static const char *const bad[] = {"", "A", "a b", "a:", "/a", "a/", "a::b", "a:-x"};
	struct image_name name;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_true(image_name_parse(str_of(cases[i].text), &name));
		EXPECT_STR(name.repository, cases[i].repository);
		EXPECT_STR(name.tag, cases[i].tag);
		EXPECT_STR(name.digest, cases[i].digest);
		EXPECT_STR(image_default_pull_policy(str_of(cases[i].text)), cases[i].policy);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (image_name_parse(str_of(bad[i]), &name)) {
			print_error("%s was taken\n", bad[i]);
			fail();
		}
	}
}

TEST_MAIN(controllers_own, conditions_are_set, hashes_are_stable, image_names)
