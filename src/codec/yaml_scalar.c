/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/yaml_scalar.h"

#include <math.h>

#include "base/buf.h"
#include "codec/base64.h"

#define TAG_PREFIX "tag:yaml.org,2002:"

struct word {
	struct str text;
	struct json_value value;
};

#define WORD_BOOL(text, b)                                                                         \
	{                                                                                          \
		STR_INIT(text),                                                                    \
		{                                                                                  \
			.kind = JSON_BOOL, .boolean = b                                            \
		}                                                                                  \
	}
#define WORD_NULL(text)                                                                            \
	{                                                                                          \
		STR_INIT(text),                                                                    \
		{                                                                                  \
			.kind = JSON_NULL                                                          \
		}                                                                                  \
	}
#define WORD_DOUBLE(text, d)                                                                       \
	{                                                                                          \
		STR_INIT(text),                                                                    \
		{                                                                                  \
			.kind = JSON_DOUBLE, .dbl = d                                              \
		}                                                                                  \
	}

static const struct word words[] = {
	WORD_BOOL("y", true),
	WORD_BOOL("Y", true),
	WORD_BOOL("yes", true),
	WORD_BOOL("Yes", true),
	WORD_BOOL("YES", true),
	WORD_BOOL("true", true),
	WORD_BOOL("True", true),
	WORD_BOOL("TRUE", true),
	WORD_BOOL("on", true),
	WORD_BOOL("On", true),
	WORD_BOOL("ON", true),
	WORD_BOOL("n", false),
	WORD_BOOL("N", false),
	WORD_BOOL("no", false),
	WORD_BOOL("No", false),
	WORD_BOOL("NO", false),
	WORD_BOOL("false", false),
	WORD_BOOL("False", false),
	WORD_BOOL("FALSE", false),
	WORD_BOOL("off", false),
	WORD_BOOL("Off", false),
	WORD_BOOL("OFF", false),
	WORD_NULL(""),
	WORD_NULL("~"),
	WORD_NULL("null"),
	WORD_NULL("Null"),
	WORD_NULL("NULL"),
	WORD_DOUBLE(".nan", NAN),
	WORD_DOUBLE(".NaN", NAN),
	WORD_DOUBLE(".NAN", NAN),
	WORD_DOUBLE(".inf", INFINITY),
	WORD_DOUBLE(".Inf", INFINITY),
	WORD_DOUBLE(".INF", INFINITY),
	WORD_DOUBLE("+.inf", INFINITY),
	WORD_DOUBLE("+.Inf", INFINITY),
	WORD_DOUBLE("+.INF", INFINITY),
	WORD_DOUBLE("-.inf", -INFINITY),
	WORD_DOUBLE("-.Inf", -INFINITY),
	WORD_DOUBLE("-.INF", -INFINITY),
};

static bool find_word(struct str s, struct json_value *ret)
{
	if (s.n > 5) {
		return false;
	}
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (str_eq(words[i].text, s)) {
			*ret = words[i].value;
			return true;
		}
	}
	return false;
}

static int digit_of(char c)
{
	return c >= '0' && c <= '9'		    ? c - '0'
	       : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10
						    : 16;
}

/* An integer in Go's notation; beyond 64 bits with sign it becomes a double, as long as it fits
 * without. */
static bool read_int(struct str s, struct json_value *ret)
{
	bool negative = s.n && s.p[0] == '-';
	uint64_t v = 0;
	int base = 10;

	if (s.n && (s.p[0] == '-' || s.p[0] == '+')) {
		s = str_from(s, 1);
	}
	if (s.n >= 2 && s.p[0] == '0') {
		char c = (char)(s.p[1] | 32);

		base = c == 'x' ? 16 : c == 'b' ? 2 : 8;
		s = str_from(s, c == 'x' || c == 'b' || c == 'o' ? 2 : 1);
	}
	if (s.n == 0) {
		return false;
	}
	for (size_t i = 0; i < s.n; i++) {
		int d = digit_of(s.p[i]);

		if (d >= base || __builtin_mul_overflow(v, (uint64_t)base, &v) ||
		    __builtin_add_overflow(v, (uint64_t)d, &v)) {
			return false;
		}
	}
	if (negative && v > (uint64_t)INT64_MAX + 1) {
		return false;
	}
	*ret = !negative && v > INT64_MAX ? json_make_double((double)v)
					  : json_make_int((int64_t)(negative ? 0 - v : v));
	return true;
}

static size_t digits_at(struct str s, size_t i)
{
	size_t n = 0;

	while (i + n < s.n && s.p[i + n] >= '0' && s.p[i + n] <= '9') {
		n++;
	}
	return n;
}

/* [-+]? ( .digits | digits [.digits?] ) ( [eE] [-+]? digits )? */
static bool is_float(struct str s)
{
	size_t i = s.n && (s.p[0] == '-' || s.p[0] == '+');
	size_t whole = digits_at(s, i);

	i += whole;
	if (i < s.n && s.p[i] == '.') {
		size_t fraction = digits_at(s, i + 1);

		if (whole == 0 && fraction == 0) {
			return false;
		}
		i += 1 + fraction;
	} else if (whole == 0) {
		return false;
	}
	if (i < s.n && (s.p[i] | 32) == 'e') {
		size_t n;

		i++;
		i += i < s.n && (s.p[i] == '-' || s.p[i] == '+');
		n = digits_at(s, i);
		if (n == 0) {
			return false;
		}
		i += n;
	}
	return i == s.n;
}

static struct str without_underscores(struct arena *arena, struct str s)
{
	char *p;
	size_t n = 0;

	if (str_find_char(s, '_') < 0) {
		return s;
	}
	p = arena_bytes(arena, s.n);
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] != '_') {
			p[n++] = s.p[i];
		}
	}
	return str_make(p, n);
}

static bool read_number(struct arena *arena, struct str s, struct json_value *ret)
{
	bool digit = s.p[0] >= '0' && s.p[0] <= '9';
	double d;

	if (!digit && s.p[0] != '-' && s.p[0] != '+' && s.p[0] != '.') {
		return false;
	}
	if (s.p[0] != '.') {
		s = without_underscores(arena, s);
		if (read_int(s, ret)) {
			return true;
		}
	}
	if (is_float(s) && json_number_to_double(s, &d) == 0) {
		*ret = json_make_double(d);
		return true;
	}
	return false;
}

static void resolve_plain(struct arena *arena, struct str text, struct json_value *ret)
{
	if (!find_word(text, ret) && !read_number(arena, text, ret)) {
		*ret = json_make_string(text);
	}
}

static const char *tag_of(const struct json_value *v)
{
	static const char *const tags[] = {"!!null", "!!bool", "!!int", "!!float", "!!str"};

	return tags[v->kind];
}

/* A JSON string is UTF-8: bytes that are none become U+FFFD, one each, as on their way through Go's encoder. */
static struct str as_utf8(struct arena *arena, struct str s)
{
	struct buf b CLEANUP_BUF = {0};

	if (str_is_utf8(s)) {
		return s;
	}
	for (size_t i = 0; i < s.n;) {
		size_t len = str_utf8_len(str_from(s, i));

		if (len) {
			buf_add(&b, s.p + i, len);
		} else {
			buf_puts(&b, "\xef\xbf\xbd");
		}
		i += len ? len : 1;
	}
	return arena_str(arena, buf_str(&b));
}

int yaml_resolve(struct arena *arena, const char *tag, struct str text, struct json_value *ret,
		 struct err *err)
{
	struct str core = str_of(tag);
	struct json_value v;
	struct str bytes;

	if (!tag) {
		resolve_plain(arena, text, ret);
		return 0;
	}
	core = str_has_prefix(core, STR(TAG_PREFIX)) ? str_from(core, sizeof(TAG_PREFIX) - 1)
						     : STR("");
	if (str_is(core, "binary")) {
		if (base64_read(arena, text, &bytes, NULL) < 0) {
			return err_set(err, ERR_INVALID,
				       "!!binary value contains invalid base64 data");
		}
		*ret = json_make_string(as_utf8(arena, bytes));
		return 0;
	}
	if (!str_is(core, "bool") && !str_is(core, "int") && !str_is(core, "float") &&
	    !str_is(core, "null")) {
		*ret = json_make_string(text);
		return 0;
	}
	resolve_plain(arena, text, &v);
	if (str_is(core, "float") && v.kind == JSON_INT) {
		v = json_make_double((double)v.num);
	}
	if (!str_eq(core, str_of(tag_of(&v) + 2))) {
		return err_set(err, ERR_INVALID, "cannot decode %s `%.*s` as a !!%.*s", tag_of(&v),
			       STR_ARG(text), STR_ARG(core));
	}
	*ret = v;
	return 0;
}
