/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "codec/json.h"
#include "codec/json_internal.h"
#include "codec/json_scan.h"

void json_reader_init(struct json_reader *r, struct str text, struct arena *arena)
{
	const char *p = text.p ? text.p : "";

	*r = (struct json_reader){.start = p, .p = p, .end = p + text.n, .arena = arena};
}

/* Sticks: from here on every call fails. */
static int fail(struct json_reader *r, const char *at, int code, const char *what)
{
	if (!r->code) {
		r->code = code;
		r->what = what;
		r->p = at;
	}
	return r->code;
}

static int fail_char(struct json_reader *r, const char *at, const char *what)
{
	return fail(r, at, ERR_INVALID, what);
}

static inline char peek_char(struct json_reader *r)
{
	while (r->p < r->end && (*r->p == ' ' || *r->p == '\n' || *r->p == '\r' || *r->p == '\t')) {
		r->p++;
	}
	/* A NUL byte in the text fails like any other character that cannot stand there. */
	return r->p < r->end ? *r->p : '\0';
}

int json_peek(struct json_reader *r)
{
	static const uint8_t kinds[256] = {
		['n'] = JSON_NULL + 1,	 ['t'] = JSON_BOOL + 1,	 ['f'] = JSON_BOOL + 1,
		['"'] = JSON_STRING + 1, ['['] = JSON_ARRAY + 1, ['{'] = JSON_OBJECT + 1,
		['-'] = JSON_INT + 1,	 ['0'] = JSON_INT + 1,	 ['1'] = JSON_INT + 1,
		['2'] = JSON_INT + 1,	 ['3'] = JSON_INT + 1,	 ['4'] = JSON_INT + 1,
		['5'] = JSON_INT + 1,	 ['6'] = JSON_INT + 1,	 ['7'] = JSON_INT + 1,
		['8'] = JSON_INT + 1,	 ['9'] = JSON_INT + 1,
	};
	uint8_t kind;

	if (r->code) {
		return r->code;
	}
	kind = kinds[(unsigned char)peek_char(r)];
	return kind ? kind - 1 : fail_char(r, r->p, "looking for beginning of value");
}

static int count_value(struct json_reader *r)
{
	if (r->code) {
		return r->code;
	}
	if (++r->values > JSON_VALUES_MAX) {
		return fail(r, r->p, ERR_LIMIT, "too many values in one document");
	}
	return 0;
}

struct literal {
	const char *text;
	const char *what[5]; /* said when letter i is wrong */
};

static const struct literal literal_null = {
	"null",
	{NULL, "in literal null (expecting 'u')", "in literal null (expecting 'l')",
	 "in literal null (expecting 'l')"},
};
static const struct literal literal_true = {
	"true",
	{NULL, "in literal true (expecting 'r')", "in literal true (expecting 'u')",
	 "in literal true (expecting 'e')"},
};
static const struct literal literal_false = {
	"false",
	{NULL, "in literal false (expecting 'a')", "in literal false (expecting 'l')",
	 "in literal false (expecting 's')", "in literal false (expecting 'e')"},
};

static int read_literal(struct json_reader *r, const struct literal *literal)
{
	if (count_value(r) < 0) {
		return r->code;
	}
	peek_char(r);
	for (size_t i = 0; literal->text[i]; i++, r->p++) {
		if (r->p == r->end || *r->p != literal->text[i]) {
			return fail_char(r, r->p,
					 i ? literal->what[i] : "looking for beginning of value");
		}
	}
	return 0;
}

int json_read_null(struct json_reader *r)
{
	return read_literal(r, &literal_null);
}

int json_read_bool(struct json_reader *r, bool *ret)
{
	bool value = peek_char(r) == 't';
	int code = read_literal(r, value ? &literal_true : &literal_false);

	if (code == 0) {
		*ret = value;
	}
	return code;
}

static inline bool is_digit(const char *p, const char *end)
{
	return p < end && *p >= '0' && *p <= '9';
}

static const char *skip_digits(const char *p, const char *end)
{
	while (is_digit(p, end)) {
		p++;
	}
	return p;
}

/* At least one digit must stand at *p. */
static int need_digits(struct json_reader *r, const char **p, const char *what)
{
	if (!is_digit(*p, r->end)) {
		return fail_char(r, *p, what);
	}
	*p = skip_digits(*p, r->end);
	return 0;
}

static int read_fraction_and_exponent(struct json_reader *r, const char **at, bool *is_int)
{
	const char *p = *at;

	if (p < r->end && *p == '.') {
		*is_int = false;
		p++;
		if (need_digits(r, &p, "after decimal point in numeric literal") < 0) {
			return r->code;
		}
	}
	if (p < r->end && (*p == 'e' || *p == 'E')) {
		*is_int = false;
		p++;
		if (p < r->end && (*p == '+' || *p == '-')) {
			p++;
		}
		if (need_digits(r, &p, "in exponent of numeric literal") < 0) {
			return r->code;
		}
	}
	*at = p;
	return 0;
}

int json_read_number(struct json_reader *r, struct json_number *ret)
{
	const char *start, *p;
	bool is_int = true;
	int64_t i = 0;

	if (count_value(r) < 0) {
		return r->code;
	}
	peek_char(r);
	start = p = r->p;
	if (p < r->end && *p == '-') {
		p++;
	}
	if (p < r->end && *p == '0') {
		p++;
	} else if (need_digits(r, &p,
			       p > start ? "in numeric literal"
					 : "looking for beginning of value") < 0) {
		return r->code;
	}
	if (read_fraction_and_exponent(r, &p, &is_int) < 0) {
		return r->code;
	}
	r->p = p;
	*ret = (struct json_number){.text = str_make(start, (size_t)(p - start))};
	if (is_int && str_to_int64(ret->text, &i) == 0) {
		ret->is_int = true;
		ret->i = i;
	}
	return 0;
}

int json_number_to_double(struct str text, double *ret)
{
	char small[64];
	char *large = NULL;
	char *copy = small;
	double d;

	if (text.n >= sizeof(small)) {
		copy = large = str_dup_cstr(text);
	} else {
		memcpy(small, text.p, text.n);
		small[text.n] = '\0';
	}
	d = strtod(copy, NULL);
	mem_free(large);
	if (d > 1.7976931348623157e308 || d < -1.7976931348623157e308) {
		return ERR_RANGE;
	}
	*ret = d;
	return 0;
}

static int check_escape(struct json_reader *r, const char **at)
{
	const char *p = *at + 1;

	if (p == r->end) {
		return fail_char(r, p, "in string escape code");
	}
	if (*p != 'u') {
		if (!strchr("\"\\/bfnrt", *p) || *p == '\0') {
			return fail_char(r, p, "in string escape code");
		}
		*at = p + 1;
		return 0;
	}
	p++;
	for (int i = 0; i < 4; i++, p++) {
		if (p == r->end || json_hex_digit(*p) < 0) {
			return fail_char(r, p, "in \\u hexadecimal character escape");
		}
	}
	*at = p;
	return 0;
}

/* The rest of a string from `start`, whose plain part ends at p. */
static int read_special_string(struct json_reader *r, const char *start, const char *p,
			       struct str *ret)
{
	bool escapes = false;
	size_t ill_formed = 0;

	for (;; p = json_scan_plain(p, r->end)) {
		size_t len;

		if (p == r->end) {
			return fail_char(r, p, "in string literal");
		}
		if (*p == '"') {
			break;
		}
		if (*p == '\\') {
			escapes = true;
			if (check_escape(r, &p) < 0) {
				return r->code;
			}
			continue;
		}
		if ((unsigned char)*p < ' ') {
			return fail_char(r, p, "in string literal");
		}
		len = str_utf8_len(str_make(p, (size_t)(r->end - p)));
		ill_formed += len == 0;
		p += len ? len : 1;
	}
	r->p = p + 1;
	if (!escapes && !ill_formed) {
		*ret = str_make(start, (size_t)(p - start));
	} else {
		/* An escape is never shorter than what it stands for; an ill-formed byte becomes
		 * three. */
		*ret = json_unescape(r->arena, start, p, (size_t)(p - start) + 2 * ill_formed);
	}
	return 0;
}

static inline int read_string_at(struct json_reader *r, struct str *ret)
{
	const char *start = r->p + 1;
	const char *p = json_scan_plain(start, r->end);

	if (p < r->end && *p == '"') {
		*ret = str_make(start, (size_t)(p - start));
		r->p = p + 1;
		return 0;
	}
	return read_special_string(r, start, p, ret);
}

int json_read_string(struct json_reader *r, struct str *ret)
{
	if (count_value(r) < 0) {
		return r->code;
	}
	if (peek_char(r) != '"') {
		return fail_char(r, r->p, "looking for beginning of value");
	}
	return read_string_at(r, ret);
}

static int begin(struct json_reader *r, char open)
{
	if (count_value(r) < 0) {
		return r->code;
	}
	if (peek_char(r) != open) {
		return fail_char(r, r->p, "looking for beginning of value");
	}
	if (r->depth == JSON_DEPTH_MAX) {
		return fail(r, r->p, ERR_LIMIT, "exceeded max depth");
	}
	r->p++;
	r->depth++;
	r->first = true;
	return 0;
}

int json_begin_object(struct json_reader *r)
{
	return begin(r, '{');
}

int json_begin_array(struct json_reader *r)
{
	return begin(r, '[');
}

static int close_container(struct json_reader *r)
{
	ASSERT(r->depth > 0);
	r->p++;
	r->depth--;
	r->first = false;
	return 0;
}

int json_next_key(struct json_reader *r, struct str *ret_key)
{
	char c;

	if (r->code) {
		return r->code;
	}
	c = peek_char(r);
	if (c == '}' && r->p < r->end) {
		return close_container(r);
	}
	if (!r->first) {
		if (c != ',') {
			return fail_char(r, r->p, "after object key:value pair");
		}
		r->p++;
		c = peek_char(r);
	}
	if (c != '"') {
		return fail_char(r, r->p, "looking for beginning of object key string");
	}
	if (read_string_at(r, ret_key) < 0) {
		return r->code;
	}
	if (peek_char(r) != ':') {
		return fail_char(r, r->p, "after object key");
	}
	r->p++;
	r->first = false;
	return 1;
}

int json_next_item(struct json_reader *r)
{
	char c;

	if (r->code) {
		return r->code;
	}
	c = peek_char(r);
	if (c == ']') {
		return close_container(r);
	}
	if (!r->first) {
		if (c != ',') {
			return fail_char(r, r->p, "after array element");
		}
		r->p++;
	}
	r->first = false;
	return 1;
}

static int skip_value(struct json_reader *r)
{
	struct json_number number;
	struct str s;
	bool b;
	int more;

	switch (json_peek(r)) {
	case JSON_NULL:
		return json_read_null(r);
	case JSON_BOOL:
		return json_read_bool(r, &b);
	case JSON_INT:
		return json_read_number(r, &number);
	case JSON_STRING:
		return json_read_string(r, &s);
	case JSON_ARRAY:
		if (json_begin_array(r) < 0) {
			return r->code;
		}
		while ((more = json_next_item(r)) > 0) {
			if (skip_value(r) < 0) {
				return r->code;
			}
		}
		return more;
	case JSON_OBJECT:
		if (json_begin_object(r) < 0) {
			return r->code;
		}
		while ((more = json_next_key(r, &s)) > 0) {
			if (skip_value(r) < 0) {
				return r->code;
			}
		}
		return more;
	default:
		return r->code;
	}
}

int json_skip(struct json_reader *r, struct str *ret_text)
{
	const char *start;
	int code;

	peek_char(r);
	start = r->p;
	code = skip_value(r);
	if (code == 0 && ret_text) {
		*ret_text = str_make(start, (size_t)(r->p - start));
	}
	return code;
}

int json_end(struct json_reader *r)
{
	if (r->code) {
		return r->code;
	}
	peek_char(r);
	return r->p == r->end ? 0 : fail_char(r, r->p, "after top-level value");
}

/* The byte as Go quotes it: as the Latin-1 character of that number. */
static void quote_char(char out[16], unsigned char c)
{
	static const char short_escapes[] = "abtnvfr"; /* from 7 on */

	if (c == '\'' || c == '\\') {
		snprintf(out, 16, "'\\%c'", c);
	} else if (c >= 7 && c <= 13) {
		snprintf(out, 16, "'\\%c'", short_escapes[c - 7]);
	} else if (c < ' ' || c == 0x7f) {
		snprintf(out, 16, "'\\x%02x'", c);
	} else if (c < 0x80) {
		snprintf(out, 16, "'%c'", c);
	} else if (c < 0xa1 || c == 0xad) {
		snprintf(out, 16, "'\\u%04x'", c);
	} else {
		snprintf(out, 16, "'%c%c'", 0xc0 | c >> 6, 0x80 | (c & 0x3f));
	}
}

int json_reader_error(const struct json_reader *r, struct err *err)
{
	size_t line = 1;
	const char *line_start = r->start;
	char quoted[16];

	if (!r->code) {
		return 0;
	}
	for (const char *p = r->start; p < r->p; p++) {
		if (*p == '\n') {
			line++;
			line_start = p + 1;
		}
	}
	if (r->code == ERR_INVALID && r->p == r->end) {
		return err_set(err, r->code, "unexpected end of JSON input");
	}
	if (r->code == ERR_INVALID) {
		quote_char(quoted, (unsigned char)*r->p);
		return err_set(err, r->code, "invalid character %s %s (line %zu, column %zu)",
			       quoted, r->what, line, (size_t)(r->p - line_start) + 1);
	}
	return err_set(err, r->code, "%s (line %zu, column %zu)", r->what, line,
		       (size_t)(r->p - line_start) + 1);
}
