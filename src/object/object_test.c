/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"
#include "object/decode.h"
#include "object/defaults.h"
#include "object/encode.h"
#include "object/field.h"
#include "object/object.h"
#include "object/validate.h"
#include "types/types.h"

static void *decode(struct arena *a, const struct type_desc *type, const char *text)
{
	struct err e CLEANUP_ERR = {0};
	void *obj = arena_alloc(a, type->size);

	/* Borrowed strings are the arena's too. */
	if (object_decode(a, type, arena_str(a, str_of(text)), obj, NULL, &e) < 0) {
		print_error("%s\n", err_msg(&e));
		fail();
	}
	return obj;
}

TEST(every_field_is_found_by_name)
{
	for (size_t i = 0; i < all_types_n; i++) {
		const struct type_desc *type = all_types[i];

		for (size_t j = 0; j < type->nfields; j++) {
			assert_ptr_equal(type_find_field(type, field_name(&type->fields[j])),
					 &type->fields[j]);
		}
		assert_null(type_find_field(type, STR("noSuchField")));
		assert_null(type_find_field(type, STR("")));
	}
}

TEST(equality_is_semantic)
{
	static const struct {
		const char *a, *b;
		bool equal;
	} cases[] = {
		{"{\"spec\":{\"containers\":[]}}", "{\"spec\":{\"containers\":null}}", true},
		{"{\"metadata\":{\"labels\":{}}}", "{}", true},
		{"{\"metadata\":{\"labels\":{\"a\":\"1\",\"b\":\"2\"}}}",
		 "{\"metadata\":{\"labels\":{\"b\":\"2\",\"a\":\"1\"}}}", true},
		{"{\"spec\":{\"overhead\":{\"cpu\":\"1000m\"}}}",
		 "{\"spec\":{\"overhead\":{\"cpu\":1}}}", true},
		{"{\"spec\":{\"overhead\":{\"cpu\":\"1001m\"}}}",
		 "{\"spec\":{\"overhead\":{\"cpu\":1}}}", false},
		{"{\"spec\":{\"securityContext\":{}}}", "{\"spec\":{}}", false},
		{"{\"spec\":{\"containers\":[{\"name\":\"a\"}]}}",
		 "{\"spec\":{\"containers\":[{\"name\":\"b\"}]}}", false},
		{"{\"spec\":{\"containers\":[{\"name\":\"a\"}]}}",
		 "{\"spec\":{\"containers\":[{\"name\":\"a\"},{}]}}", false},
		{"{\"status\":{\"startTime\":\"2020-01-01T00:00:00.5Z\"}}",
		 "{\"status\":{\"startTime\":\"2020-01-01T00:00:00Z\"}}", true},
		{"{\"status\":{\"startTime\":\"2020-01-01T00:00:01Z\"}}",
		 "{\"status\":{\"startTime\":\"2020-01-01T00:00:00Z\"}}", false},
		{"{\"spec\":{\"priority\":0}}", "{\"spec\":{}}", false},
		{"{\"status\":{\"startTime\":\"2020-01-01T00:00:00Z\"}}",
		 "{\"status\":{\"startTime\":\"2020-01-01T01:00:00+01:00\"}}", true},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena a CLEANUP_ARENA = {0};
		void *x = decode(&a, &type_core_pod, cases[i].a);
		void *y = decode(&a, &type_core_pod, cases[i].b);

		assert_int_equal(object_equal(&type_core_pod, x, y), cases[i].equal);
		assert_int_equal(object_equal(&type_core_pod, y, x), cases[i].equal);
	}
}

TEST(copies_share_nothing)
{
	struct arena from CLEANUP_ARENA = {0};
	struct arena to CLEANUP_ARENA = {0};
	struct buf before CLEANUP_BUF = {0};
	struct buf after CLEANUP_BUF = {0};
	struct core_pod *pod = decode(&from, &type_core_pod,
				      "{\"metadata\":{\"labels\":{\"a\":\"b\"},\"finalizers\":["
				      "\"f\"]},\"spec\":{\"nodeName\":\"n\","
				      "\"containers\":[{\"name\":\"c\",\"livenessProbe\":{"
				      "\"httpGet\":{\"port\":\"http\"}}}]}}");
	struct core_pod copy;

	object_encode(&before, &type_core_pod, pod, NULL, NULL);
	object_dup(&to, &type_core_pod, pod, &copy);
	/* What the copy borrowed by mistake is gone now, and the sanitizer tells. */
	arena_fini(&from);
	object_encode(&after, &type_core_pod, &copy, NULL, NULL);
	EXPECT_STR(buf_str(&after), buf_cstr(&before));
}

TEST(paths_lead_to_fields)
{
	struct arena a CLEANUP_ARENA = {0};
	struct core_pod *pod = decode(&a, &type_core_pod,
				      "{\"metadata\":{\"name\":\"x\",\"generation\":3},\"spec\":{"
				      "\"nodeName\":\"n\"},\"status\":{}}");
	static const char *const cases[][2] = {
		{"metadata.name", "x"},	       {"spec.nodeName", "n"},
		{"status.phase", ""},	       {"metadata.generation", "3"},
		{"spec.hostNetwork", "false"}, {"spec.securityContext.runAsUser", ""},
	};
	struct field_path path;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(field_path_compile(&type_core_pod, str_of(cases[i][0]), &path), 0);
		EXPECT_STR(field_path_text(&a, &path, pod), cases[i][1]);
	}
	assert_int_equal(field_path_compile(&type_core_pod, STR("spec.frob"), &path),
			 ERR_NOT_FOUND);
	assert_int_equal(field_path_compile(&type_core_pod, STR("spec.containers.name"), &path),
			 ERR_NOT_FOUND);
	assert_int_equal(field_path_compile(&type_core_pod, STR(""), &path), ERR_NOT_FOUND);
	assert_ptr_equal(object_member(&type_core_pod, pod, STR("metadata")), &pod->metadata);
}

static bool no_gate(void *ctx UNUSED, struct str gate UNUSED)
{
	return false;
}

static bool every_gate(void *ctx UNUSED, struct str gate UNUSED)
{
	return true;
}

TEST(fields_of_disabled_gates_go_unless_they_were_in_use)
{
	static const char text[] = "{\"spec\":{\"hostnameOverride\":\"h\",\"hostname\":\"k\"}}";
	struct arena a CLEANUP_ARENA = {0};
	struct core_pod *old = decode(&a, &type_core_pod, text);
	struct core_pod *pod = decode(&a, &type_core_pod, text);

	object_drop_disabled(&type_core_pod, pod, NULL, every_gate, NULL);
	assert_non_null(pod->spec.hostname_override);
	object_drop_disabled(&type_core_pod, pod, old, no_gate, NULL);
	assert_non_null(pod->spec.hostname_override);
	object_drop_disabled(&type_core_pod, pod, NULL, no_gate, NULL);
	assert_null(pod->spec.hostname_override);
	EXPECT_STR(pod->spec.hostname, "k");
}

/* A type of the test's own, so that the cases do not hang on what api/ says today. */
struct thing {
	struct str name;
	struct str kind;
	struct str fixed;
	LIST(struct thing) parts;
	bool flag;
	struct thing *sub;
};

static const char *const thing_kinds[] = {"A", "B", NULL};
static const char *const thing_keys[] = {"name", NULL};
static const char *const thing_true[] = {"true", NULL};
static const char *const thing_b[] = {"B", NULL};
static const struct type_desc type_thing;
static const struct field_desc thing_fields[] = {
	{.name = "name",
	 .name_len = 4,
	 .type = FIELD_STRING,
	 .flags = FIELD_REQUIRED,
	 .offset = offsetof(struct thing, name),
	 .elem_size = sizeof(struct str)},
	{.name = "kind",
	 .name_len = 4,
	 .type = FIELD_STRING,
	 .flags = FIELD_ENUM_CLOSED,
	 .offset = offsetof(struct thing, kind),
	 .elem_size = sizeof(struct str),
	 .enum_values = thing_kinds,
	 .support = SUPPORT_STORED,
	 .support_values = thing_b,
	 .default_json = "\"A\""},
	{.name = "fixed",
	 .name_len = 5,
	 .type = FIELD_STRING,
	 .flags = FIELD_IMMUTABLE,
	 .support = SUPPORT_STORED,
	 .offset = offsetof(struct thing, fixed),
	 .elem_size = sizeof(struct str)},
	{.name = "parts",
	 .name_len = 5,
	 .type = FIELD_MESSAGE,
	 .shape = SHAPE_LIST,
	 .list = LIST_MAP,
	 .offset = offsetof(struct thing, parts),
	 .elem_size = sizeof(struct thing),
	 .message = &type_thing,
	 .list_keys = thing_keys},
	{.name = "flag",
	 .name_len = 4,
	 .type = FIELD_BOOL,
	 .support = SUPPORT_REFUSED,
	 .offset = offsetof(struct thing, flag),
	 .elem_size = sizeof(bool),
	 .support_values = thing_true},
	{.name = "status",
	 .name_len = 6,
	 .type = FIELD_MESSAGE,
	 .shape = SHAPE_PTR,
	 .offset = offsetof(struct thing, sub),
	 .elem_size = sizeof(struct thing),
	 .message = &type_thing},
};
static const uint8_t thing_order[] = {2, 4, 1, 0, 3, 5};
static const struct type_desc type_thing = {.name = "test/v1.Thing",
					    .size = sizeof(struct thing),
					    .nfields = 6,
					    .fields = thing_fields,
					    .by_name = thing_order};

TEST(tables_say_what_is_valid)
{
	static const struct {
		const char *obj, *old, *want;
	} cases[] = {
		{"{\"name\":\"x\",\"kind\":\"B\"}", NULL, ""},
		{"{}", NULL, "name: Required value"},
		{"{\"name\":\"x\",\"kind\":\"C\"}", NULL,
		 "kind: Unsupported value: \"C\": supported values: \"A\", \"B\""},
		{"{\"parts\":[{\"kind\":\"\\u0001\"}]}", NULL,
		 "[name: Required value, parts[0].name: Required value, parts[0].kind: Unsupported "
		 "value: \"\\x01\": supported "
		 "values: \"A\", \"B\"]"},
		{"{\"name\":\"x\",\"parts\":[{\"name\":\"a\"},{\"name\":\"b\"},{\"name\":\"a\"}]}",
		 NULL, "parts[2]: Duplicate value: {\"name\":\"a\"}"},
		{"{\"name\":\"x\",\"fixed\":\"2\"}", "{\"name\":\"x\",\"fixed\":\"1\"}",
		 "fixed: Invalid value: \"2\": field is immutable"},
		{"{\"name\":\"x\",\"parts\":[{\"name\":\"b\"},{\"name\":\"a\",\"fixed\":\"2\"}]}",
		 "{\"name\":\"x\",\"parts\":[{\"name\":\"a\",\"fixed\":\"1\"}]}",
		 "parts[1].fixed: Invalid value: \"2\": field is immutable"},
		{"{\"kind\":\"C\"}", "{\"kind\":\"C\",\"parts\":[]}", ""},
		{"{\"name\":\"x\",\"status\":{\"kind\":\"A\"}}", NULL, ""},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena a CLEANUP_ARENA = {0};
		struct field_errors errs = {.arena = &a};
		struct buf b CLEANUP_BUF = {0};
		void *obj = decode(&a, &type_thing, cases[i].obj);
		void *old = cases[i].old ? decode(&a, &type_thing, cases[i].old) : NULL;

		object_validate(&errs, &type_thing, obj, old,
				VALIDATE_BUILTIN | VALIDATE_LIST_KEYS);
		field_errors_write(&b, &errs);
		EXPECT_STR(buf_str(&b), cases[i].want);
	}
}

TEST(defaults_fill_what_is_zero_at_any_depth)
{
	struct arena a CLEANUP_ARENA = {0};
	struct buf b CLEANUP_BUF = {0};
	struct thing *t =
		decode(&a, &type_thing, "{\"name\":\"x\",\"parts\":[{\"kind\":\"B\"},{}]}");

	object_apply_defaults(&a, &type_thing, t);
	object_encode(&b, &type_thing, t, NULL, NULL);
	EXPECT_STR(buf_str(&b),
		   "{\"name\":\"x\",\"kind\":\"A\",\"parts\":[{\"kind\":\"B\"},{\"kind\":\"A\"}]}");
}

TEST(every_default_of_the_tables_fits_its_field)
{
	for (size_t i = 0; i < all_types_n; i++) {
		for (size_t j = 0; j < all_types[i]->nfields; j++) {
			const struct field_desc *f = &all_types[i]->fields[j];
			struct arena a CLEANUP_ARENA = {0};
			struct err e CLEANUP_ERR = {0};

			if (f->default_json &&
			    object_decode_field(&a, f, str_of(f->default_json),
						arena_alloc(&a, all_types[i]->size), &e) < 0) {
				print_error("%s.%s: %s\n", all_types[i]->name, f->name,
					    err_msg(&e));
				fail();
			}
		}
	}
}

TEST(what_does_not_act_is_named_once)
{
	struct arena a CLEANUP_ARENA = {0};
	struct thing *t = decode(&a, &type_thing,
				 "{\"fixed\":\"1\",\"parts\":[{},{\"fixed\":\"2\",\"flag\":true}],"
				 "\"flag\":false,\"kind\":\"A\","
				 "\"status\":{\"fixed\":\"3\"}}");
	struct thing *old =
		decode(&a, &type_thing, "{\"fixed\":\"1\",\"status\":{\"fixed\":\"4\"}}");
	struct unsupported found[8];

	assert_int_equal(object_find_unsupported(&a, &type_thing, SUPPORT_ACTS, t, NULL, found, 8),
			 4);
	EXPECT_STR(found[0].path, "fixed");
	EXPECT_STR(found[1].path, "parts[1].fixed");
	EXPECT_STR(found[2].path, "parts[1].flag");
	assert_int_equal(found[2].support, SUPPORT_REFUSED);
	EXPECT_STR(found[3].path, "status.fixed");
	assert_int_equal(
		object_find_unsupported(&a, &type_thing, SUPPORT_STORED, t, NULL, found, 8), 1);
	assert_int_equal(object_find_unsupported(&a, &type_thing, SUPPORT_ACTS, t, old, found, 8),
			 3);
	assert_int_equal(object_find_unsupported(&a, &type_thing, SUPPORT_ACTS, t, NULL, found, 2),
			 2);
}

TEST(field_errors_read_as_upstreams)
{
	struct arena a CLEANUP_ARENA = {0};
	struct field_errors errs = {.arena = &a};
	struct buf all CLEANUP_BUF = {0};
	struct path spec = path_field(NULL, STR("spec"));
	struct path containers = path_field(&spec, STR("containers"));
	struct path item = path_index(&containers, 0);
	struct path image = path_field(&item, STR("image"));
	struct path labels = path_field(&spec, STR("labels"));
	struct path label = path_key(&labels, STR("a/b"));
	static const char *const want[] = {
		"spec.containers[0].image: Required value",
		"spec.containers[0].image: Required value: must be 5 long",
		"spec.containers[0].image: Invalid value: \"v\": detail",
		"spec.containers[0]: Invalid value: 5: must be less",
		"spec.labels[a/b]: Forbidden: no",
		"spec: Not found: \"x\"",
		"spec: Duplicate value: {\"a\":1}",
		"spec: Too long: may not be more than 63 bytes",
		"spec: Too many: 5: must have at most 3 items",
		"spec: Invalid value: true: bad type",
	};

	field_required(&errs, &image, NULL);
	field_required(&errs, &image, "must be %d long", 5);
	field_invalid(&errs, &image, field_str(STR("v")), "detail");
	field_invalid(&errs, &item, field_int(5), "must be less");
	field_forbidden(&errs, &label, "no");
	field_not_found(&errs, &spec, field_str(STR("x")));
	field_duplicate(&errs, &spec, field_json(STR("{\"a\":1}")));
	field_too_long(&errs, &spec, 63);
	field_too_many(&errs, &spec, 5, 3);
	field_type_invalid(&errs, &spec, field_bool(true), "bad type");
	assert_int_equal(errs.n, ARRAY_LEN(want));
	for (size_t i = 0; i < errs.n; i++) {
		struct buf b CLEANUP_BUF = {0};

		field_error_write(&b, &errs.p[i]);
		EXPECT_STR(buf_str(&b), want[i]);
	}
	assert_string_equal(field_error_reason(errs.p[0].type), "FieldValueRequired");
	assert_string_equal(field_error_reason(FIELD_ERROR_TYPE_INVALID), "FieldValueTypeInvalid");
	errs.n = 2;
	field_required(&errs, &image, NULL);
	field_errors_write(&all, &errs);
	EXPECT_STR(buf_str(&all), "[spec.containers[0].image: Required value, "
				  "spec.containers[0].image: Required value: must be 5 long]");
	for (size_t i = 0; i < 2 * FIELD_ERRORS_MAX; i++) {
		field_required(&errs, &spec, NULL);
	}
	assert_int_equal(errs.n, FIELD_ERRORS_MAX);
}

TEST_MAIN(every_field_is_found_by_name, equality_is_semantic, copies_share_nothing,
	  paths_lead_to_fields, fields_of_disabled_gates_go_unless_they_were_in_use,
	  tables_say_what_is_valid, defaults_fill_what_is_zero_at_any_depth,
	  every_default_of_the_tables_fits_its_field, what_does_not_act_is_named_once,
	  field_errors_read_as_upstreams)
