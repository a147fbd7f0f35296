/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "base/alloc.h"
#include "base/test.h"
#include "codec/json.h"

static struct json_value parse(struct arena *a, const char *text)
{
	struct err e CLEANUP_ERR = {0};
	struct json_value v = {0};

	if (json_parse(a, str_of(text), NULL, &v, &e) < 0) {
		print_error("%s: %s\n", text, err_msg(&e));
		fail();
	}
	return v;
}

/* The document as written again. */
static void expect_roundtrip(const char *text, const char *want)
{
	struct arena a CLEANUP_ARENA = {0};
	struct buf b CLEANUP_BUF = {0};
	struct json_value v = parse(&a, text);

	json_write_value(&b, &v, false);
	EXPECT_STR(buf_str(&b), want);
}

TEST(documents_survive_reading_and_writing)
{
	static const char *const cases[][2] = {
		{"{}", "{}"},
		{" [ 1 , -2 , 3.5 , true , false , null , \"x\" ] ",
		 "[1,-2,3.5,true,false,null,\"x\"]"},
		{"{\"b\":{\"c\":[]},\"a\":[{}]}", "{\"b\":{\"c\":[]},\"a\":[{}]}"},
		{"\"\\u0041\\n\\t\\\"\\\\\\/\\b\\f\\r\"", "\"A\\n\\t\\\"\\\\/\\b\\f\\r\""},
		{"\"\\ud83d\\ude00\"", "\"\xf0\x9f\x98\x80\""},
		{"\"\\ud83d\"", "\"\xef\xbf\xbd\""},
		{"\"\\ud83dx\\u0041\"", "\"\xef\xbf\xbdxA\""},
		{"\"\\udc00\\udc00\"", "\"\xef\xbf\xbd\xef\xbf\xbd\""},
		{"\"\\ude00\\ud83d\\ude00\"", "\"\xef\xbf\xbd\xf0\x9f\x98\x80\""},
		{"\"<a href='x'>&</a>\"", "\"\\u003ca href='x'\\u003e\\u0026\\u003c/a\\u003e\""},
		{"\"a\xe2\x80\xa8"
		 "b\xe2\x80\xa9\"",
		 "\"a\\u2028b\\u2029\""},
		{"\"\xff\xc3\xa4\xed\xa0\x80\"",
		 "\"\xef\xbf\xbd\xc3\xa4\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
		{"\"\\u0000\\u001f\x7f\"", "\"\\u0000\\u001f\x7f\""},
		{"{\"a\":1,\"b\":2,\"a\":3}", "{\"a\":3,\"b\":2}"},
		{"-0", "0"},
		{"9223372036854775807", "9223372036854775807"},
		{"-9223372036854775808", "-9223372036854775808"},
		{"9223372036854775808", "9223372036854776000"},
		{"1e3", "1000"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		expect_roundtrip(cases[i][0], cases[i][1]);
	}
}

TEST(numbers_are_written_as_javascript_does)
{
	static const struct {
		double d;
		const char *want;
	} cases[] = {
		{0, "0"},
		{1, "1"},
		{-1.5, "-1.5"},
		{0.1, "0.1"},
		{1e20, "100000000000000000000"},
		{1e21, "1e+21"},
		{1e-6, "0.000001"},
		{1e-7, "1e-7"},
		{1.5e300, "1.5e+300"},
		{5e-324, "5e-324"},
		{1.7976931348623157e308, "1.7976931348623157e+308"},
		{0.30000000000000004, "0.30000000000000004"},
		{123456.789, "123456.789"},
		{1e100, "1e+100"},
		{2.5e-10, "2.5e-10"},
		{9007199254740993.0, "9007199254740992"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf b CLEANUP_BUF = {0};

		json_write_double(&b, cases[i].d);
		EXPECT_STR(buf_str(&b), cases[i].want);
	}
}

TEST(bad_syntax_is_told_in_the_words_clients_know)
{
	static const char *const cases[][2] = {
		{"", "unexpected end of JSON input"},
		{"{", "unexpected end of JSON input"},
		{"[1,", "unexpected end of JSON input"},
		{"\"abc", "unexpected end of JSON input"},
		{"tru", "unexpected end of JSON input"},
		{"x", "invalid character 'x' looking for beginning of value (line 1, column 1)"},
		{"{\n \"a\": 'b'}",
		 "invalid character '\\'' looking for beginning of value (line 2, column 7)"},
		{"{a:1}", "invalid character 'a' looking for beginning of object key string (line "
			  "1, column 2)"},
		{"{\"a\" 1}", "invalid character '1' after object key (line 1, column 6)"},
		{"{\"a\":1 \"b\":2}",
		 "invalid character '\"' after object key:value pair (line 1, column 8)"},
		{"{\"a\":1,}", "invalid character '}' looking for beginning of object key string "
			       "(line 1, column 8)"},
		{"[1 2]", "invalid character '2' after array element (line 1, column 4)"},
		{"[1,]", "invalid character ']' looking for beginning of value (line 1, column 4)"},
		{"{} {}", "invalid character '{' after top-level value (line 1, column 4)"},
		{"01", "invalid character '1' after top-level value (line 1, column 2)"},
		{"-x", "invalid character 'x' in numeric literal (line 1, column 2)"},
		{"1.x",
		 "invalid character 'x' after decimal point in numeric literal (line 1, column 3)"},
		{"1ex", "invalid character 'x' in exponent of numeric literal (line 1, column 3)"},
		{"nulx",
		 "invalid character 'x' in literal null (expecting 'l') (line 1, column 4)"},
		{"\"a\nb\"", "invalid character '\\n' in string literal (line 1, column 3)"},
		{"\"\\x\"", "invalid character 'x' in string escape code (line 1, column 3)"},
		{"\"\\u12g4\"",
		 "invalid character 'g' in \\u hexadecimal character escape (line 1, column 6)"},
		{"\xe4",
		 "invalid character '\xc3\xa4' looking for beginning of value (line 1, column 1)"},
		{"1e999", "json: cannot unmarshal number 1e999 into Go value of type float64"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena a CLEANUP_ARENA = {0};
		struct err e CLEANUP_ERR = {0};
		struct json_value v;

		assert_int_equal(json_parse(&a, str_of(cases[i][0]), NULL, &v, &e), ERR_INVALID);
		assert_string_equal(err_msg(&e), cases[i][1]);
	}
}

TEST(depth_and_number_of_values_are_limited)
{
	struct arena a CLEANUP_ARENA = {0};
	struct err e CLEANUP_ERR = {0};
	struct buf b CLEANUP_BUF = {0};
	struct json_value v;

	for (int i = 0; i < JSON_DEPTH_MAX; i++) {
		buf_add_char(&b, '[');
	}
	for (int i = 0; i < JSON_DEPTH_MAX; i++) {
		buf_add_char(&b, ']');
	}
	assert_int_equal(json_parse(&a, buf_str(&b), NULL, &v, &e), 0);
	buf_add_char(&b, ']');
	b.p[0] = '[';
	memmove(b.p + 1, b.p, b.n - 1);
	assert_int_equal(json_parse(&a, buf_str(&b), NULL, &v, &e), ERR_LIMIT);
	assert_non_null(strstr(err_msg(&e), "exceeded max depth"));

	buf_clear(&b);
	buf_add_char(&b, '[');
	for (int i = 0; i < JSON_VALUES_MAX; i++) {
		buf_puts(&b, "0,");
	}
	buf_puts(&b, "0]");
	assert_int_equal(json_parse(&a, buf_str(&b), NULL, &v, &e), ERR_LIMIT);
}

TEST(plain_strings_are_borrowed_and_others_made)
{
	struct arena a CLEANUP_ARENA = {0};
	static const char text[] =
		"[\"plain text that is longer than sixteen bytes \xc3\xa4\",\"esc\\u0061ped\"]";
	struct json_reader r;
	struct str s;

	json_reader_init(&r, str_make(text, sizeof(text) - 1), &a);
	assert_int_equal(json_begin_array(&r), 0);
	assert_int_equal(json_next_item(&r), 1);
	assert_int_equal(json_read_string(&r, &s), 0);
	assert_true(s.p == text + 2);
	assert_int_equal(json_next_item(&r), 1);
	assert_int_equal(json_read_string(&r, &s), 0);
	EXPECT_STR(s, "escaped");
	assert_true(s.p < text || s.p >= text + sizeof(text));
	assert_int_equal(json_next_item(&r), 0);
	assert_int_equal(json_end(&r), 0);
}

TEST(special_bytes_are_found_at_every_offset)
{
	static const char *const specials[] = {"\"", "\\", "\n", "<", "&", ">", "\xff", "\x01"};

	for (size_t n = 0; n < 40; n++) {
		for (size_t k = 0; k < ARRAY_LEN(specials); k++) {
			struct arena a CLEANUP_ARENA = {0};
			struct buf raw CLEANUP_BUF = {0};
			struct buf text CLEANUP_BUF = {0};
			struct json_value v;

			for (size_t i = 0; i < n; i++) {
				buf_add_char(&raw, 'a');
			}
			buf_add_str(&raw, str_of(specials[k]));
			for (size_t i = n; i < 40; i++) {
				buf_add_char(&raw, 'b');
			}
			json_write_string(&text, buf_str(&raw));
			assert_int_equal(json_parse(&a, buf_str(&text), NULL, &v, NULL), 0);
			if (specials[k][0] == '\xff') {
				assert_int_equal(v.n, raw.n + 2);
			} else {
				assert_true(str_eq(json_str(&v), buf_str(&raw)));
			}
		}
	}
}

TEST(duplicate_names_are_noted_once_with_their_place)
{
	struct arena a CLEANUP_ARENA = {0};
	struct strict_notes notes = {.arena = &a};
	struct buf b CLEANUP_BUF = {0};
	struct json_value v;

	assert_int_equal(
		json_parse(&a, STR("{\"a\":[{\"b\":1,\"b\":2,\"b\":3}],\"a\":[{\"c\":1,\"c\":1}]}"),
			   &notes, &v, NULL),
		0);
	strict_notes_write(&b, &notes);
	EXPECT_STR(buf_str(&b), "strict decoding error: duplicate field \"a[0].b\", duplicate "
				"field \"a[0].c\", duplicate field \"a\"");
}

TEST(objects_find_keys_whatever_their_size)
{
	struct arena a CLEANUP_ARENA = {0};
	struct json_value o = json_make(JSON_OBJECT);

	for (int i = 0; i < 3000; i++) {
		json_set(&a, &o, arena_printf(&a, "k%d", i), json_make_int(i));
	}
	for (int i = 0; i < 3000; i += 7) {
		assert_true(json_remove(&o, arena_printf(&a, "k%d", i)));
		assert_false(json_remove(&o, arena_printf(&a, "k%d", i)));
	}
	for (int i = 0; i < 3000; i++) {
		struct json_value *v = json_get(&o, arena_printf(&a, "k%d", i));

		assert_int_equal(v != NULL, i % 7 != 0);
		assert_true(!v || v->num == i);
	}
	json_set(&a, &o, STR("k1"), json_make_int(-1));
	assert_true(json_get(&o, STR("k1"))->num == -1);
	assert_true(json_get(&o, STR("k2999"))->num == 2999);
}

TEST(equality_is_deep_and_forgives_order)
{
	static const struct {
		const char *a, *b;
		bool equal;
	} cases[] = {
		{"{\"a\":1,\"b\":[true,null]}", "{\"b\":[true,null],\"a\":1}", true},
		{"{\"a\":1}", "{\"a\":1.0}", true},
		{"{\"a\":1}", "{\"a\":\"1\"}", false},
		{"[1,2]", "[2,1]", false},
		{"{\"a\":null}", "{}", false},
		{"{\"a\":1}", "{\"b\":1}", false},
		{"\"x\"", "\"x\"", true},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena a CLEANUP_ARENA = {0};
		struct json_value x = parse(&a, cases[i].a);
		struct json_value y = parse(&a, cases[i].b);
		struct json_value copy = json_dup(&a, &x);

		assert_int_equal(json_equal(&x, &y), cases[i].equal);
		assert_true(json_equal(&copy, &x));
	}
}

TEST(text_is_compacted_and_spread)
{
	struct buf b CLEANUP_BUF = {0};

	json_write_compact(&b, STR(" { \"a b\" : [ 1.0 , \"<\\u00e4>\" ] }\n"));
	EXPECT_STR(buf_str(&b), "{\"a b\":[1.0,\"\\u003c\\u00e4\\u003e\"]}");
	assert_true(json_is_compact(STR("{\"a\":[1.0,\"x\\n\"]}")));
	assert_false(json_is_compact(STR("{\"a\": 1}")));
	assert_false(json_is_compact(STR("\"0123456789abcdef<\"")));
	buf_clear(&b);
	json_write_indented(&b, STR("{\"a\":[1,{}],\"b\":[],\"c\":{\"d\":\"x:y,\"}}"), "  ");
	EXPECT_STR(buf_str(&b), "{\n  \"a\": [\n    1,\n    {}\n  ],\n  \"b\": [],\n  \"c\": {\n   "
				" \"d\": \"x:y,\"\n  }\n}");
}

TEST_MAIN(documents_survive_reading_and_writing, numbers_are_written_as_javascript_does,
	  bad_syntax_is_told_in_the_words_clients_know, depth_and_number_of_values_are_limited,
	  plain_strings_are_borrowed_and_others_made, special_bytes_are_found_at_every_offset,
	  duplicate_names_are_noted_once_with_their_place, objects_find_keys_whatever_their_size,
	  equality_is_deep_and_forgives_order, text_is_compacted_and_spread)
