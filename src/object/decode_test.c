/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"
#include "object/decode.h"
#include "object/encode.h"
#include "object/object.h"
#include "types/types.h"

/* The type a case is about, by the first letters of its name. */
struct decode_case {
	const struct type_desc *type;
	const char *text;
	const char *want;
};

static int decode(struct arena *a, const struct decode_case *c, struct decode_report *report,
		  struct buf *out, struct err *e)
{
	void *obj = arena_alloc(a, c->type->size);
	int code = object_decode(a, c->type, str_of(c->text), obj, report, e);

	if (code == 0) {
		object_encode(out, c->type, obj, NULL, NULL);
	}
	return code;
}

TEST(objects_come_out_as_upstream_writes_them)
{
	static const struct decode_case cases[] = {
		{&type_core_config_map,
		 "{\"data\":{\"b\":\"2\",\"a\":\"1\",\"b\":\"3\"},\"kind\":\"ConfigMap\"}",
		 "{\"kind\":\"ConfigMap\",\"metadata\":{},\"data\":{\"a\":\"1\",\"b\":\"3\"}}"},
		{&type_core_config_map,
		 "{\"data\":{},\"immutable\":false,\"binaryData\":{\"x\":null,\"y\":\"\"}}",
		 "{\"metadata\":{},\"immutable\":false,\"binaryData\":{\"x\":null,\"y\":\"\"}}"},
		{&type_core_config_map, "null", "{\"metadata\":{}}"},
		{&type_core_config_map, "{\"metadata\":null,\"data\":null,\"kind\":null}",
		 "{\"metadata\":{}}"},
		{&type_core_config_map, "{\"DATA\":{\"a\":\"b\"},\"metadata\":{\"Name\":\"x\"}}",
		 "{\"metadata\":{}}"},
		{&type_core_config_map,
		 "{\"metadata\":{\"creationTimestamp\":\"0001-01-01T00:00:00Z\",\"labels\":{}}}",
		 "{\"metadata\":{}}"},
		{&type_core_config_map,
		 "{\"metadata\":{\"deletionTimestamp\":\"2020-01-01T02:00:00.9+02:00\"}}",
		 "{\"metadata\":{\"deletionTimestamp\":\"2020-01-01T00:00:00Z\"}}"},
		{&type_core_pod_spec, "{}", "{\"containers\":null}"},
		{&type_core_pod_spec,
		 "{\"containers\":[{\"resources\":{\"limits\":{\"cpu\":1,\"memory\":\"1024Mi\"}}},"
		 "null]}",
		 "{\"containers\":[{\"name\":\"\",\"resources\":{\"limits\":{\"cpu\":\"1\","
		 "\"memory\":\"1Gi\"}}},"
		 "{\"name\":\"\",\"resources\":{}}]}"},
		{&type_apps_controller_revision,
		 "{\"data\":{\"b\" : [1.0, \"<\"],\n\"a\":null},\"revision\":1}",
		 "{\"metadata\":{},\"data\":{\"b\":[1.0,\"\\u003c\"],\"a\":null},\"revision\":1}"},
		{&type_apps_controller_revision, "{\"data\":null}",
		 "{\"metadata\":{},\"data\":null,\"revision\":0}"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena a CLEANUP_ARENA = {0};
		struct err e CLEANUP_ERR = {0};
		struct buf b CLEANUP_BUF = {0};

		assert_int_equal(decode(&a, &cases[i], NULL, &b, &e), 0);
		EXPECT_STR(buf_str(&b), cases[i].want);
	}
}

TEST(wrong_types_are_told_with_place_and_remedy)
{
	static const struct decode_case cases[] = {
		{&type_networking_ingress,
		 "{\"spec\":{\"rules\":[{\"http\":{\"paths\":[{\"backend\":{\"service\":{\"port\":"
		 "3000}}}]}}]}}",
		 "json: cannot unmarshal number into Go struct field "
		 "IngressServiceBackend.spec.rules.http.paths.backend."
		 "service.port of type v1.ServiceBackendPort "
		 "(spec.rules[0].http.paths[0].backend.service.port: an object "
		 "must stand here, for example {\"number\": 3000})"},
		{&type_networking_ingress, "{\"spec\":{\"defaultBackend\":{\"service\":\"web\"}}}",
		 "json: cannot unmarshal string into Go struct field "
		 "IngressBackend.spec.defaultBackend.service of type "
		 "v1.IngressServiceBackend (spec.defaultBackend.service: an object must stand "
		 "here, for example {\"name\": "
		 "\"web\"})"},
		{&type_core_pod, "{\"spec\":{\"containers\":\"web\"}}",
		 "json: cannot unmarshal string into Go struct field PodSpec.spec.containers of "
		 "type []v1.Container "
		 "(spec.containers: a list must stand here)"},
		{&type_core_pod, "{\"spec\":{\"containers\":[{\"command\":\"sh\"}]}}",
		 "json: cannot unmarshal string into Go struct field "
		 "Container.spec.containers.command of type []string "
		 "(spec.containers[0].command: a list must stand here, for example [\"sh\"])"},
		{&type_core_pod,
		 "{\"spec\":{\"containers\":[{\"env\":[{\"name\":\"P\",\"value\":5432}]}]}}",
		 "json: cannot unmarshal number into Go struct field "
		 "EnvVar.spec.containers.env.value of type string "
		 "(spec.containers[0].env[0].value: a string must stand here, in quotes: "
		 "\"5432\")"},
		{&type_core_config_map, "{\"data\":{\"a\":true}}",
		 "json: cannot unmarshal bool into Go struct field ConfigMap.data of type string "
		 "(data[a]: a string must "
		 "stand here, in quotes: \"true\")"},
		{&type_apps_deployment, "{\"spec\":{\"replicas\":\"3\"}}",
		 "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas "
		 "of type int32 "
		 "(spec.replicas: an integer must stand here, without quotes)"},
		{&type_apps_deployment, "{\"spec\":{\"replicas\":1.0}}",
		 "json: cannot unmarshal number 1.0 into Go struct field "
		 "DeploymentSpec.spec.replicas of type int32 "
		 "(spec.replicas: a whole number between -2147483648 and 2147483647 must stand "
		 "here)"},
		{&type_apps_deployment, "{\"spec\":{\"replicas\":2147483648}}",
		 "json: cannot unmarshal number 2147483648 into Go struct field "
		 "DeploymentSpec.spec.replicas of type int32 "
		 "(spec.replicas: a whole number between -2147483648 and 2147483647 must stand "
		 "here)"},
		{&type_core_pod,
		 "{\"spec\":{\"containers\":[{\"resources\":{\"limits\":{\"cpu\":\"lots\"}}}]}}",
		 "quantities must match the regular expression "
		 "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$' "
		 "(spec.containers[0].resources.limits[cpu]: \"lots\")"},
		{&type_core_secret, "{\"data\":{\"a\":\"x\"}}",
		 "illegal base64 data at input byte 0 (data[a]: \"x\")"},
		{&type_core_pod, "{\"metadata\":{\"creationTimestamp\":\"now\"}}",
		 "parsing time \"now\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \"now\" as "
		 "\"2006\" "
		 "(metadata.creationTimestamp: \"now\")"},
		{&type_core_pod, "[]",
		 "json: cannot unmarshal array into Go value of type v1.Pod (an object must stand "
		 "here)"},
		{&type_core_pod, "{\"spec\":5,\"metadata\":{\"name\":1}",
		 "unexpected end of JSON input"},
		{&type_core_pod, "{\"spec\":5} x",
		 "invalid character 'x' after top-level value (line 1, column 12)"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena a CLEANUP_ARENA = {0};
		struct err e CLEANUP_ERR = {0};
		struct buf b CLEANUP_BUF = {0};

		assert_int_equal(decode(&a, &cases[i], NULL, &b, &e), ERR_INVALID);
		assert_string_equal(err_msg(&e), cases[i].want);
	}
}

TEST(the_first_bad_value_is_reported_for_programs)
{
	static const struct decode_case c = {
		&type_core_pod, "{\"spec\":{\"nodeName\":1,\"containers\":{\"a\":\"b\"}}}", NULL};
	struct arena a CLEANUP_ARENA = {0};
	struct decode_report report = {0};
	struct buf b CLEANUP_BUF = {0};

	assert_int_equal(decode(&a, &c, &report, &b, NULL), ERR_INVALID);
	EXPECT_STR(report.path, "spec.nodeName");
	EXPECT_STR(report.expected, "string");
	EXPECT_STR(report.value, "1");
}

TEST(unknown_and_duplicate_fields_are_noted)
{
	static const struct decode_case c = {
		&type_core_pod,
		"{\"bogus\":1,\"spec\":{\"containers\":[{\"name\":\"a\",\"frob\":[{}],\"name\":"
		"\"b\"}],\"nodeName\":\"x\","
		"\"nodeName\":null},\"metadata\":{\"labels\":{\"a\":\"1\",\"a\":\"2\"},\"Name\":"
		"\"x\"}}",
		NULL};
	struct arena a CLEANUP_ARENA = {0};
	struct decode_report report = {.notes = {.arena = &a}};
	struct buf b CLEANUP_BUF = {0};

	assert_int_equal(decode(&a, &c, &report, &b, NULL), 0);
	EXPECT_STR(buf_str(&b), "{\"metadata\":{\"labels\":{\"a\":\"2\"}},\"spec\":{\"containers\":"
				"[{\"name\":\"b\","
				"\"resources\":{}}]},\"status\":{}}");
	buf_clear(&b);
	strict_notes_write(&b, &report.notes);
	EXPECT_STR(buf_str(&b), "strict decoding error: unknown field \"bogus\", unknown field "
				"\"spec.containers[0].frob\", duplicate "
				"field \"spec.containers[0].name\", duplicate field "
				"\"spec.nodeName\", duplicate field "
				"\"metadata.labels.a\", unknown field \"metadata.Name\"");
}

TEST(notes_are_bounded)
{
	struct arena a CLEANUP_ARENA = {0};
	struct decode_report report = {.notes = {.arena = &a}};
	struct buf b CLEANUP_BUF = {0};
	struct core_pod pod = {0};

	buf_add_char(&b, '{');
	for (int i = 0; i < 500; i++) {
		buf_printf(&b, "%s\"x%d\":1", i ? "," : "", i);
	}
	buf_add_char(&b, '}');
	assert_int_equal(object_decode(&a, &type_core_pod, buf_str(&b), &pod, &report, NULL), 0);
	assert_int_equal(report.notes.n, STRICT_NOTES_MAX);
}

TEST(marks_tell_where_to_splice)
{
	struct arena a CLEANUP_ARENA = {0};
	struct core_config_map m = {0};
	struct encode_opts opts = {.room_for_revision = true};
	struct encode_marks marks;
	struct buf b CLEANUP_BUF = {0};
	struct buf spliced CLEANUP_BUF = {0};
	struct str text;

	assert_int_equal(object_decode(&a, &type_core_config_map,
				       STR("{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\","
					   "\"metadata\":{\"name\":\"x\","
					   "\"resourceVersion\":\"9\",\"managedFields\":[{"
					   "\"manager\":\"m\"}]},\"data\":{\"a\":\"b\"}}"),
				       &m, NULL, NULL),
			 0);
	buf_puts(&b, "junk before");
	object_encode(&b, &type_core_config_map, &m, &opts, &marks);
	text = str_from(buf_str(&b), 11);
	EXPECT_STR(text, "{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":"
			 "\"x\",\"resourceVersion\":\"\","
			 "\"managedFields\":[{\"manager\":\"m\"}]},\"data\":{\"a\":\"b\"}}");
	EXPECT_STR(str_sub(text, marks.type_meta, marks.type_meta_end - marks.type_meta),
		   "\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\",");
	EXPECT_STR(str_sub(text, marks.managed_fields,
			   marks.managed_fields_end - marks.managed_fields),
		   ",\"managedFields\":[{\"manager\":\"m\"}]");
	assert_int_equal(marks.revision, marks.revision_end);
	buf_add_str(&spliced, str_sub(text, 0, marks.revision));
	buf_puts(&spliced, "12345");
	buf_add_str(&spliced, str_from(text, marks.revision));
	EXPECT_STR(
		str_sub(buf_str(&spliced), marks.metadata, marks.metadata_end + 5 - marks.metadata),
		"{\"name\":\"x\",\"resourceVersion\":\"12345\",\"managedFields\":[{\"manager\":"
		"\"m\"}]}");

	buf_clear(&b);
	object_encode(&b, &type_core_config_map, &m, NULL, &marks);
	EXPECT_STR(str_sub(buf_str(&b), marks.revision, marks.revision_end - marks.revision), "9");
	buf_clear(&b);
	object_encode(&b, &type_core_config_map, &(struct core_config_map){0}, &opts, &marks);
	EXPECT_STR(buf_str(&b), "{\"metadata\":{\"resourceVersion\":\"\"}}");
	assert_int_equal(marks.revision, 32);
	assert_int_equal(marks.type_meta_end, 0);
}

TEST(type_meta_is_read_alone)
{
	struct arena a CLEANUP_ARENA = {0};
	struct err e CLEANUP_ERR = {0};
	struct str version, kind;

	assert_int_equal(object_decode_type_meta(&a,
						 STR("{\"spec\":{\"kind\":1},\"kind\":\"Pod\"}"),
						 &version, &kind, &e),
			 0);
	EXPECT_STR(kind, "Pod");
	assert_null(version.p);
	assert_int_equal(object_decode_type_meta(&a, STR("{\"kind\":5}"), &version, &kind, &e),
			 ERR_INVALID);
	assert_int_equal(object_decode_type_meta(&a, STR("{\"kind\":"), &version, &kind, &e),
			 ERR_INVALID);
}

TEST_MAIN(objects_come_out_as_upstream_writes_them, wrong_types_are_told_with_place_and_remedy,
	  the_first_bad_value_is_reported_for_programs, unknown_and_duplicate_fields_are_noted,
	  notes_are_bounded, marks_tell_where_to_splice, type_meta_is_read_alone)
