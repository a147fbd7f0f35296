/* SPDX-License-Identifier: Apache-2.0 */
/* Cases stand in tests/golden/patch/FORM.json: a list of {name, kind, doc, patch, want} or {...,
 * error}. */
#include <fcntl.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/test.h"
#include "object/patch.h"
#include "types/types.h"

static struct str read_file(struct arena *a, const char *path)
{
	int fd CLEANUP_FD = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	char *p;

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	p = arena_bytes(a, (size_t)st.st_size);
	assert_int_equal(read(fd, p, (size_t)st.st_size), st.st_size);
	return str_make(p, (size_t)st.st_size);
}

static const struct type_desc *find_kind(const struct json_value *kind)
{
	for (size_t i = 0; kind && i < all_resources_n; i++) {
		if (str_eq(str_of(all_resources[i]->kind), json_str(kind))) {
			return all_resources[i]->type;
		}
	}
	return &type_core_pod;
}

static int apply(struct arena *a, struct str form, const struct json_value *c,
		 struct json_value *doc, struct err *e)
{
	struct json_value patch = json_dup(a, json_get(c, STR("patch")));

	if (str_is(form, "json")) {
		return patch_apply_json(a, doc, &patch, e);
	}
	if (str_is(form, "merge")) {
		return patch_apply_merge(a, doc, &patch, e);
	}
	return patch_apply_strategic(a, find_kind(json_get(c, STR("kind"))), doc, &patch, e);
}

static void check_case(struct arena *a, struct str form, const struct json_value *c)
{
	const struct json_value *error = json_get(c, STR("error"));
	const struct json_value *want = json_get(c, STR("want"));
	struct json_value doc = json_dup(a, json_get(c, STR("doc")));
	struct err e CLEANUP_ERR = {0};
	struct buf got CLEANUP_BUF = {0};
	struct buf wanted CLEANUP_BUF = {0};
	int code = apply(a, form, c, &doc, &e);

	if (code < 0) {
		buf_add_str(&got, str_of(err_msg(&e)));
	} else {
		json_write_value(&got, &doc, true);
	}
	if (want) {
		json_write_value(&wanted, want, true);
	} else {
		buf_add_str(&wanted, json_str(error));
	}
	if (!str_eq(buf_str(&got), buf_str(&wanted))) {
		print_error("%.*s: %.*s\n", STR_ARG(form),
			    STR_ARG(json_str(json_get(c, STR("name")))));
	}
	EXPECT_STR(buf_str(&got), buf_cstr(&wanted));
}

static void check_file(const char *form)
{
	struct arena a CLEANUP_ARENA = {0};
	struct str text = read_file(&a, arena_printf(&a, "tests/golden/patch/%s.json", form).p);
	struct json_value cases;

	assert_int_equal(json_parse(&a, text, NULL, &cases, NULL), 0);
	assert_true(cases.n > 10);
	for (uint32_t i = 0; i < cases.n; i++) {
		check_case(&a, str_of(form), &cases.items[i]);
	}
}

TEST(json_patches_apply_as_upstream_applies_them)
{
	check_file("json");
}

TEST(merge_patches_apply_as_upstream_applies_them)
{
	check_file("merge");
}

TEST(strategic_patches_apply_as_upstream_applies_them)
{
	check_file("strategic");
}

/* Types of the test's own: of the descriptors only what the merge looks at. */
static const struct field_desc selector_fields[] = {
	{.name = "labels", .name_len = 6, .type = FIELD_STRING, .shape = SHAPE_MAP},
};
static const uint8_t only_field[] = {0};
static const struct type_desc type_selector = {
	.name = "test/v1.Selector", .nfields = 1, .fields = selector_fields, .by_name = only_field};
static const struct field_desc budget_fields[] = {
	{.name = "selector",
	 .name_len = 8,
	 .type = FIELD_MESSAGE,
	 .shape = SHAPE_PTR,
	 .flags = FIELD_PATCH_REPLACE,
	 .message = &type_selector},
};
static const struct type_desc type_budget = {
	.name = "test/v1.Budget", .nfields = 1, .fields = budget_fields, .by_name = only_field};

TEST(objects_marked_so_are_replaced_whole)
{
	struct arena a CLEANUP_ARENA = {0};
	struct buf b CLEANUP_BUF = {0};
	struct json_value doc, patch;

	assert_int_equal(json_parse(&a,
				    STR("{\"selector\":{\"labels\":{\"a\":\"1\",\"b\":\"2\"}}}"),
				    NULL, &doc, NULL),
			 0);
	assert_int_equal(json_parse(&a, STR("{\"selector\":{\"labels\":{\"a\":\"3\"}}}"), NULL,
				    &patch, NULL),
			 0);
	assert_int_equal(patch_apply_strategic(&a, &type_budget, &doc, &patch, NULL), 0);
	json_write_value(&b, &doc, false);
	EXPECT_STR(buf_str(&b), "{\"selector\":{\"labels\":{\"a\":\"3\"}}}");
}

/* `items` times the item, as a list. */
static struct json_value many(struct arena *a, size_t items, const char *item)
{
	struct buf b CLEANUP_BUF = {0};
	struct json_value v;

	buf_add_char(&b, '[');
	for (size_t i = 0; i < items; i++) {
		buf_printf(&b, "%s%s", i ? "," : "", item);
	}
	buf_add_char(&b, ']');
	assert_int_equal(json_parse(a, arena_str(a, buf_str(&b)), NULL, &v, NULL), 0);
	return v;
}

TEST(json_patches_have_limits)
{
	struct arena a CLEANUP_ARENA = {0};
	struct err e CLEANUP_ERR = {0};
	struct json_value doc = json_make(JSON_OBJECT);
	struct json_value patch =
		many(&a, PATCH_OPERATIONS_MAX + 1, "{\"op\":\"add\",\"path\":\"/a\",\"value\":1}");

	assert_int_equal(patch_apply_json(&a, &doc, &patch, &e), ERR_LIMIT);
	assert_string_equal(err_msg(&e),
			    "The allowed maximum operations in a JSON patch is 10000, got 10001");

	json_set(&a, &doc, STR("a"), many(&a, 10, "1"));
	patch = many(&a, 100, "{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"/a/0\"}");
	assert_int_equal(patch_apply_json(&a, &doc, &patch, &e), ERR_LIMIT);

	json_set(&a, &doc, STR("a"), many(&a, 100 * 1000, "1"));
	patch = many(&a, PATCH_OPERATIONS_MAX, "{\"op\":\"add\",\"path\":\"/a/0\",\"value\":1}");
	assert_int_equal(patch_apply_json(&a, &doc, &patch, &e), ERR_LIMIT);
}

TEST(removing_very_many_members_is_no_attack)
{
	struct arena a CLEANUP_ARENA = {0};

	for (int form = 0; form < 2; form++) {
		struct json_value spec = json_make(JSON_OBJECT);
		struct json_value change = json_make(JSON_OBJECT);
		struct json_value doc = json_make(JSON_OBJECT);
		struct json_value patch = json_make(JSON_OBJECT);

		for (int i = 0; i < 200 * 1000; i++) {
			struct str key = arena_printf(&a, "k%d", i);

			json_set(&a, &spec, key, json_make_int(i));
			json_set(&a, &change, key,
				 i % 2 ? json_make(JSON_NULL) : json_make_int(i + 1));
		}
		json_set(&a, &doc, STR("data"), spec);
		json_set(&a, &patch, STR("data"), change);
		assert_int_equal(
			form ? patch_apply_strategic(&a, &type_core_config_map, &doc, &patch, NULL)
			     : patch_apply_merge(&a, &doc, &patch, NULL),
			0);
		assert_int_equal(json_get(&doc, STR("data"))->n, 100 * 1000);
	}
}

TEST_MAIN(json_patches_apply_as_upstream_applies_them, merge_patches_apply_as_upstream_applies_them,
	  strategic_patches_apply_as_upstream_applies_them, objects_marked_so_are_replaced_whole,
	  json_patches_have_limits, removing_very_many_members_is_no_attack)
