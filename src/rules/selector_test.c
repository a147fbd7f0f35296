/* SPDX-License-Identifier: Apache-2.0 */
/* Cases of apimachinery's labels and fields packages. */
#include "rules/selector.h"

#include "base/test.h"
#include "object/decode.h"

/* {"a": "x"} as JSON is written shorter as a=x,b=y. */
static struct str_map labels_of(struct arena *a, const char *text)
{
	struct str rest = str_of(text);
	struct str_map map = {ARENA_ARRAY(a, 8, struct str_pair), 0};
	struct str pair;

	while (rest.n && str_cut(&rest, ',', &pair)) {
		struct str key;

		str_cut(&pair, '=', &key);
		map.p[map.n++] = (struct str_pair){key, pair.p ? pair : STR("")};
	}
	return map;
}

TEST(label_selectors_match)
{
	static const struct {
		const char *selector, *labels;
		bool matches;
	} cases[] = {
		{"", "x=y", true},
		{"x=y", "x=y", true},
		{"x==y", "x=y", true},
		{"x=y,z=w", "x=y,z=w", true},
		{"x!=y,z!=w", "x=z,z=a", true},
		{"notin=in", "notin=in", true},
		{"x", "x=z", true},
		{"!x", "y=z", true},
		{"!x", "x=z", false},
		{"x>1", "x=2", true},
		{"x<1", "x=0", true},
		{"x>1", "x=1", false},
		{"x>1", "x=a", false},
		{"x>1", "", false},
		{"x=z", "", false},
		{"x=y", "x=z", false},
		{"x=y,z=w", "x=w,z=w", false},
		{"x!=y,z!=w", "x=z,z=w", false},
		{"x!=y", "", true},
		{"x=", "x=", true},
		{"x= ", "x=", true},
		{"x=,z= ", "x=,z=", true},
		{"x= ,z= ", "x=,z=", true},
		{"x in (a,b)", "x=b", true},
		{"x in (a,b)", "x=c", false},
		{"x in ()", "x=", true},
		{"x in (a,)", "x=", true},
		{"x in (,a)", "x=a", true},
		{"x notin (a,b)", "x=c", true},
		{"x notin (a,b)", "", true},
		{"x notin (a,b)", "x=a", false},
		{"x notin (a,b),y,!z", "x=c,y=", true},
		{"example.com/x=1", "example.com/x=1", true},
		{"  x  =  y  ", "x=y", true},
		{"\tx\n in\r(a)", "x=a", true},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena a CLEANUP_ARENA = {0};
		struct err e CLEANUP_ERR = {0};
		struct str_map labels = labels_of(&a, cases[i].labels);
		struct selector s;

		if (label_selector_parse(&a, str_of(cases[i].selector), &s, &e) < 0 ||
		    selector_matches(&s, &labels) != cases[i].matches) {
			print_error("%s on %s: %s\n", cases[i].selector, cases[i].labels,
				    err_msg(&e));
			fail();
		}
	}
}

TEST(bad_label_selectors_are_refused)
{
	static const struct {
		const char *text, *message; /* the message begins so; NULL: whatever it is */
	} cases[] = {
		{"x=a||y=b", "unable to parse requirement: values[0][x]: Invalid value: \"a||y\""},
		{"x==a==b", "found '==', expected: ',' or 'end of string'"},
		{"!x=a",
		 "unable to parse requirement: found '=', expected: ',' or 'end of string'"},
		{"x<a", NULL},
		{"x>1.5", NULL},
		{"x in a", "unable to parse requirement: found 'a', expected: '('"},
		{"x in (a", "unable to parse requirement: found '', expected: ',' or ')'"},
		{"x in (a b)", NULL},
		{"x in", NULL},
		{"x near (a)", "unable to parse requirement: found 'near', expected: in, notin, =, "
			       "==, !=, gt, lt"},
		{",", NULL},
		{"x=a,", "found '', expected: identifier after ','"},
		{"x,,y", NULL},
		{"=a", NULL},
		{"(x)", NULL},
		{"x y", NULL},
		{"!", NULL},
		{"a@b=c", "unable to parse requirement: key: Invalid value: \"a@b\": name part "
			  "must consist of"},
		{"/b=c", "unable to parse requirement: key: Invalid value: \"/b\": prefix part "
			 "must be non-empty"},
		{"x=-", NULL},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena a CLEANUP_ARENA = {0};
		struct err e CLEANUP_ERR = {0};
		struct selector s;

		if (label_selector_parse(&a, str_of(cases[i].text), &s, &e) != ERR_INVALID ||
		    (cases[i].message &&
		     !str_has_prefix(str_of(err_msg(&e)), str_of(cases[i].message)))) {
			print_error("%s: %s\n", cases[i].text, err_msg(&e));
			fail();
		}
	}
}

TEST(selectors_have_a_canonical_text)
{
	static const char *const cases[][2] = {
		{"z=w , x == y", "x=y,z=w"},
		{"x in (b,a),!y", "x in (a,b),!y"},
		{"x notin (c)", "x!=c"},
		{"x>3,a", "a,x>3"},
		{"", ""},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena a CLEANUP_ARENA = {0};
		struct err e CLEANUP_ERR = {0};
		struct selector s;

		assert_int_equal(label_selector_parse(&a, str_of(cases[i][0]), &s, &e), 0);
		EXPECT_STR(selector_text(&a, &s), cases[i][1]);
	}
}

TEST(a_selector_of_many_terms_is_refused)
{
	struct arena a CLEANUP_ARENA = {0};
	struct err e CLEANUP_ERR = {0};
	struct buf b CLEANUP_BUF = {0};
	struct selector s;

	for (int i = 0; i <= SELECTOR_TERMS_MAX; i++) {
		buf_printf(&b, "%sk%d=v", i ? "," : "", i);
	}
	assert_int_equal(label_selector_parse(&a, buf_str(&b), &s, &e), ERR_LIMIT);
}

/* Both ways of asking a metav1.LabelSelector agree. */
TEST(label_selectors_of_objects_match)
{
	static const struct {
		const char *selector, *labels;
		int matches; /* -1: not a selector */
	} cases[] = {
		{NULL, "a=b", 0},
		{"{}", "a=b", 1},
		{"{\"matchLabels\":{\"a\":\"b\"}}", "a=b,c=d", 1},
		{"{\"matchLabels\":{\"a\":\"b\",\"c\":\"x\"}}", "a=b,c=d", 0},
		{"{\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"In\",\"values\":[\"x\","
		 "\"b\"]}]}",
		 "a=b", 1},
		{"{\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"NotIn\",\"values\":[\"b\"]}]"
		 "}",
		 "a=b", 0},
		{"{\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"NotIn\",\"values\":[\"b\"]}]"
		 "}",
		 "", 1},
		{"{\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"Exists\"}]}", "a=b", 1},
		{"{\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"DoesNotExist\"}]}", "a=b",
		 0},
		{"{\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"Near\"}]}", "a=b", -1},
		{"{\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"In\"}]}", "a=b", -1},
		{"{\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"Exists\",\"values\":[\"x\"]}"
		 "]}",
		 "a=b", -1},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena a CLEANUP_ARENA = {0};
		struct err e CLEANUP_ERR = {0};
		struct str_map labels = labels_of(&a, cases[i].labels);
		struct meta_label_selector ls = {0};
		struct selector s;
		int code;

		if (cases[i].selector) {
			assert_int_equal(object_decode(&a, &type_meta_label_selector,
						       str_of(cases[i].selector), &ls, NULL, &e),
					 0);
		}
		code = label_selector_of(&a, cases[i].selector ? &ls : NULL, &s, &e);
		if (cases[i].matches < 0) {
			assert_int_equal(code, ERR_INVALID);
			continue;
		}
		assert_int_equal(code, 0);
		assert_int_equal(selector_matches(&s, &labels), cases[i].matches);
		assert_int_equal(label_selector_matches(cases[i].selector ? &ls : NULL, &labels),
				 cases[i].matches);
	}
}

TEST(maps_select)
{
	struct arena a CLEANUP_ARENA = {0};
	struct str_map map = labels_of(&a, "a=b");
	struct str_map none = {0};
	struct selector s;

	label_selector_of_map(&a, &map, &s);
	assert_true(selector_matches(&s, &map));
	assert_false(selector_matches(&s, &none));
	label_selector_of_map(&a, &none, &s);
	assert_true(selector_matches(&s, &map));
}

TEST(field_selectors_are_parsed)
{
	static const char *const cases[][2] = {
		{"", ""},
		{"metadata.name=x", "metadata.name=x"},
		{"metadata.name==x", "metadata.name=x"},
		{"status.phase!=Running,spec.nodeName=", "status.phase!=Running,spec.nodeName="},
		{"a=b,", "a=b"},
		{"a=b=c", "a=b=c"},
	};
	struct arena a CLEANUP_ARENA = {0};
	struct err e CLEANUP_ERR = {0};
	struct selector s;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(field_selector_parse(&a, str_of(cases[i][0]), &s, &e), 0);
		EXPECT_STR(selector_text(&a, &s), cases[i][1]);
	}
	assert_int_equal(field_selector_parse(&a, STR("abc"), &s, &e), ERR_INVALID);
	EXPECT_STR(str_of(err_msg(&e)), "invalid field selector: \"abc\"; can't understand 'abc'");
}

TEST_MAIN(label_selectors_match, bad_label_selectors_are_refused, selectors_have_a_canonical_text,
	  a_selector_of_many_terms_is_refused, label_selectors_of_objects_match, maps_select,
	  field_selectors_are_parsed)
