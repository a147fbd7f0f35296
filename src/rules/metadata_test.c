/* SPDX-License-Identifier: Apache-2.0 */
#include "rules/metadata.h"

#include "base/test.h"
#include "object/decode.h"
#include "rules/check.h"

static void expect(struct field_errors *errs, const char *want)
{
	struct buf b CLEANUP_BUF = {0};

	for (size_t i = 0; i < errs->n; i++) {
		buf_add_str(&b, i ? STR("\n") : STR(""));
		field_error_write(&b, &errs->p[i]);
	}
	EXPECT_STR(buf_str(&b), want);
}

static struct meta_object_meta meta_of(struct arena *a, const char *text)
{
	struct err e CLEANUP_ERR = {0};
	struct meta_object_meta meta = {0};

	if (object_decode(a, &type_meta_object_meta, str_of(text), &meta, NULL, &e) < 0) {
		print_error("%s\n", err_msg(&e));
		fail();
	}
	return meta;
}

TEST(keys_of_labels_and_annotations)
{
	struct arena a CLEANUP_ARENA = {0};
	struct field_errors errs = {.arena = &a};
	struct field_errors more = {.arena = &a};
	struct meta_object_meta meta =
		meta_of(&a, "{\"labels\":{\"a/b\":\"-\",\"ok\":\"\"},\"annotations\":{\"X.io/"
			    "b\":\"-\",\"/a\":\"\"}}");

	validate_labels(&errs, AT(NULL, "labels"), &meta.labels);
	expect(&errs,
	       "labels: Invalid value: \"-\": a valid label must be an empty string or consist of "
	       "alphanumeric characters, '-', '_' or '.', and must start and end with an "
	       "alphanumeric "
	       "character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation "
	       "is "
	       "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')");
	validate_annotations(&more, AT(NULL, "annotations"), &meta.annotations);
	expect(&more, "annotations: Invalid value: \"/a\": prefix part must be non-empty");
}

TEST(annotations_are_bounded)
{
	for (size_t extra = 0; extra < 2; extra++) {
		struct arena a CLEANUP_ARENA = {0};
		struct field_errors errs = {.arena = &a};
		size_t n = ANNOTATIONS_BYTES_MAX - 1 + extra;
		struct str_pair pair = {STR("a"), {arena_alloc(&a, n), n}};
		struct str_map map = {&pair, 1};

		validate_annotations(&errs, AT(NULL, "annotations"), &map);
		expect(&errs,
		       extra ? "annotations: Too long: may not be more than 262144 bytes" : "");
	}
}

TEST(owners)
{
	static const char *const cases[][2] = {
		{"{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"name\":\"p\",\"uid\":\"1\"}", ""},
		{"{\"kind\":\"Pod\",\"name\":\"p\",\"uid\":\"1\"}", "version must not be empty"},
		{"{\"apiVersion\":\"v1\",\"name\":\"p\",\"uid\":\"1\"}", "kind"},
		{"{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"uid\":\"1\"}", "name"},
		{"{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"name\":\"p\"}", "uid"},
		{"{\"apiVersion\":\"v1\",\"kind\":\"Event\",\"name\":\"p\",\"uid\":\"1\"}",
		 "is disallowed from being an owner"},
		{"{\"apiVersion\":\"v1\",\"kind\":\"A\",\"name\":\"p\",\"uid\":\"1\","
		 "\"controller\":true},"
		 "{\"apiVersion\":\"v1\",\"kind\":\"B\",\"name\":\"q\",\"uid\":\"2\","
		 "\"controller\":true}",
		 "Only one reference can have Controller set to true. Found \"true\" in references "
		 "for A/p and B/q"},
		{"{\"apiVersion\":\"v1\",\"kind\":\"A\",\"name\":\"p\",\"uid\":\"1\","
		 "\"controller\":true},"
		 "{\"apiVersion\":\"v1\",\"kind\":\"B\",\"name\":\"q\",\"uid\":\"2\","
		 "\"controller\":false}",
		 ""},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena a CLEANUP_ARENA = {0};
		struct buf b CLEANUP_BUF = {0};
		struct field_errors errs = {.arena = &a};
		struct meta_object_meta meta =
			meta_of(&a, arena_printf(&a, "{\"ownerReferences\":[%s]}", cases[i][0]).p);

		validate_owner_references(&errs, AT(NULL, "ownerReferences"), &meta);
		field_errors_write(&b, &errs);
		if (cases[i][1][0] ? !str_contains(buf_str(&b), str_of(cases[i][1]))
				   : errs.n != 0) {
			print_error("%s: %s\n", cases[i][0], buf_cstr(&b));
			fail();
		}
	}
}

TEST(finalizers)
{
	struct arena a CLEANUP_ARENA = {0};
	struct field_errors errs = {.arena = &a};
	struct field_errors added = {.arena = &a};
	struct str before[] = {STR("acme.io/a")};
	struct str now[] = {STR("acme.io/a"), STR("acme.io/b")};
	struct str bad[] = {STR("a b"), STR("plain"), STR("orphan"), STR("foregroundDeletion")};
	struct str_list before_list = {before, 1};
	struct str_list now_list = {now, 2};
	struct str_list bad_list = {bad, 4};

	validate_no_new_finalizers(&added, AT(NULL, "finalizers"), &now_list, &before_list);
	expect(&added, "finalizers: Forbidden: no new finalizers can be added if the object is "
		       "being deleted, "
		       "found new finalizers []string{\"acme.io/b\"}");
	added.n = 0;
	validate_no_new_finalizers(&added, AT(NULL, "finalizers"), &before_list, &now_list);
	validate_finalizers(&added, AT(NULL, "finalizers"), &now_list);
	expect(&added, "");
	validate_finalizers(&errs, AT(NULL, "finalizers"), &bad_list);
	assert_true(errs.n >= 3);
}

TEST_MAIN(keys_of_labels_and_annotations, annotations_are_bounded, owners, finalizers)
