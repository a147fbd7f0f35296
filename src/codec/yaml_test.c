/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"
#include "codec/yaml.h"

static const char *const good[][2] = {
	{"a: yes\nb: on\nc: y\nd: No\ne: OFF\nf: n\ng: \"yes\"",
	 "{\"a\":true,\"b\":true,\"c\":true,\"d\":false,\"e\":false,\"f\":false,\"g\":\"yes\"}"},
	{"a: 0o17\nb: 017\nc: 0x1F\nd: 0b11\ne: 1_000\nf: 08\ng: 1e3\nh: .5\ni: -0x10",
	 "{\"a\":15,\"b\":15,\"c\":31,\"d\":3,\"e\":1000,\"f\":8,\"g\":1000,\"h\":0.5,\"i\":-16}"},
	{"a: ~\nb: null\nc:\nd: \"\"", "{\"a\":null,\"b\":null,\"c\":null,\"d\":\"\"}"},
	{"a: 2001-01-01\nb: 12:30:45\nc: 1.2.3",
	 "{\"a\":\"2001-01-01\",\"b\":\"12:30:45\",\"c\":\"1.2.3\"}"},
	{"1: a\n2.5: b\ntrue: c\n1e6: d\n0.1: e",
	 "{\"1\":\"a\",\"2.5\":\"b\",\"true\":\"c\",\"1e+06\":\"d\",\"0.1\":\"e\"}"},
	{"a: &x {b: 1}\nc: *x\nd:\n  <<: *x\n  e: 2",
	 "{\"a\":{\"b\":1},\"c\":{\"b\":1},\"d\":{\"b\":1,\"e\":2}}"},
	{"d:\n  <<: [{a: 1, b: 2}, {b: 3, c: 4}]\n  a: 9", "{\"d\":{\"b\":2,\"c\":4,\"a\":9}}"},
	{"a: !!binary /2E=", "{\"a\":\"\xef\xbf\xbd"
			     "a\"}"}, /* bytes that are no UTF-8 */
	{"a: !!str 123\nb: !!int \"3\"\nc: !!float 3\nd: !!binary aGVsbG8=\ne: !foo x",
	 "{\"a\":\"123\",\"b\":3,\"c\":3,\"d\":\"hello\",\"e\":\"x\"}"},
	{"a: |\n  x\n  y\nb: >-\n  x\n  y\n- ", NULL},
	{"a: |\n  x\n  y\nb: >-\n  x\n  y\n", "{\"a\":\"x\\ny\\n\",\"b\":\"x y\"}"},
	{"- a\n- - b\n- {d: e}", "[\"a\",[\"b\"],{\"d\":\"e\"}]"},
	{"a: 1\na: 2", "{\"a\":2}"},
	{"", "null"},
	{"# nothing", "null"},
	{"a: 1\n---\nb: 2", "{\"a\":1}"},
};

TEST(documents_become_the_json_that_kubectl_makes_of_them)
{
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct arena a CLEANUP_ARENA = {0};
		struct buf b CLEANUP_BUF = {0};
		struct err e CLEANUP_ERR = {0};
		struct json_value v;
		int code = yaml_parse(&a, str_of(good[i][0]), false, &v, &e);

		assert_int_equal(code, good[i][1] ? 0 : ERR_INVALID);
		if (code == 0) {
			json_write_value(&b, &v, false);
			EXPECT_STR(buf_str(&b), good[i][1]);
		}
	}
}

TEST(bad_documents_are_refused_with_the_line)
{
	static const char *const cases[][2] = {
		{"a: 1\nb: 2\na: 3",
		 "yaml: unmarshal errors:\n  line 3: key \"a\" already set in map"},
		{"a: *unknown", "yaml: unknown anchor 'unknown' referenced"},
		{"a: &a [*a]", "yaml: anchor 'a' value contains itself"},
		{"a:\n  - b\n c: d", "yaml: line 2: did not find expected key"},
		{"a: b: c", "yaml: mapping values are not allowed in this context"},
		{"a: [1, 2", "yaml: line 1: did not find expected ',' or ']'"},
		{"? [a]\n: b", "yaml: line 1: invalid map key: array"},
		{"a: .inf", "json: unsupported value: +Inf"},
		{"<<: 5", "yaml: line 1: map merge requires map or sequence of maps as the value"},
		{"a: !!int foo", "yaml: line 1: cannot decode !!str `foo` as a !!int"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena a CLEANUP_ARENA = {0};
		struct err e CLEANUP_ERR = {0};
		struct json_value v;

		assert_int_equal(yaml_parse(&a, str_of(cases[i][0]), true, &v, &e), ERR_INVALID);
		assert_string_equal(err_msg(&e), cases[i][1]);
	}
}

TEST(streams_give_each_document_and_its_line)
{
	struct arena a CLEANUP_ARENA = {0};
	struct yaml_stream *s = yaml_stream_new(
		&a, STR("a: 1\n---\n---\n- b\n...\n# end\n---\nc: [\n"), true, NULL);
	struct err e CLEANUP_ERR = {0};
	struct json_value v;

	assert_int_equal(yaml_stream_next(s, &v, &e), 1);
	assert_int_equal(v.kind, JSON_OBJECT);
	assert_int_equal(yaml_stream_line(s), 1);
	assert_int_equal(yaml_stream_next(s, &v, &e), 1);
	assert_int_equal(v.kind, JSON_NULL);
	assert_int_equal(yaml_stream_next(s, &v, &e), 1);
	assert_int_equal(v.kind, JSON_ARRAY);
	assert_int_equal(yaml_stream_line(s), 3);
	assert_int_equal(yaml_stream_next(s, &v, &e), ERR_INVALID);
	assert_int_equal(yaml_stream_next(s, &v, &e), 0);
	yaml_stream_free(s);
}

TEST(aliases_cannot_multiply_without_end)
{
	struct arena a CLEANUP_ARENA = {0};
	struct err e CLEANUP_ERR = {0};
	struct buf b CLEANUP_BUF = {0};
	struct json_value v;

	buf_puts(&b, "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
	for (int i = 1; i < 10; i++) {
		buf_printf(&b, "a%d: &a%d [*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d]\n", i, i,
			   i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
	}
	assert_int_equal(yaml_parse(&a, buf_str(&b), false, &v, &e), ERR_LIMIT);
	assert_string_equal(err_msg(&e), "yaml: document contains excessive aliasing");
}

TEST(depth_and_length_are_limited)
{
	struct arena a CLEANUP_ARENA = {0};
	struct buf b CLEANUP_BUF = {0};
	struct json_value v;

	for (int i = 0; i < JSON_DEPTH_MAX + 1; i++) {
		buf_add_char(&b, '[');
	}
	for (int i = 0; i < JSON_DEPTH_MAX + 1; i++) {
		buf_add_char(&b, ']');
	}
	assert_int_equal(yaml_parse(&a, buf_str(&b), false, &v, NULL), ERR_LIMIT);
	buf_clear(&b);
	memset(buf_reserve(&b, YAML_BYTES_MAX + 1), ' ', YAML_BYTES_MAX + 1);
	b.n = YAML_BYTES_MAX + 1;
	assert_int_equal(yaml_parse(&a, buf_str(&b), false, &v, NULL), ERR_LIMIT);
}

TEST_MAIN(documents_become_the_json_that_kubectl_makes_of_them,
	  bad_documents_are_refused_with_the_line, streams_give_each_document_and_its_line,
	  aliases_cannot_multiply_without_end, depth_and_length_are_limited)
