/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "codec/json.h"
#include "codec/json_scan.h"

/* What must not stand in a string as it is. Returns the bytes of input that it stands for. */
static size_t write_special(struct buf *out, const char *p, const char *end)
{
	static const char hex[] = "0123456789abcdef";
	unsigned char c = (unsigned char)*p;
	size_t len;

	switch (c) {
	case '"':
		buf_puts(out, "\\\"");
		return 1;
	case '\\':
		buf_puts(out, "\\\\");
		return 1;
	case '\b':
		buf_puts(out, "\\b");
		return 1;
	case '\f':
		buf_puts(out, "\\f");
		return 1;
	case '\n':
		buf_puts(out, "\\n");
		return 1;
	case '\r':
		buf_puts(out, "\\r");
		return 1;
	case '\t':
		buf_puts(out, "\\t");
		return 1;
	}
	if (c < 0x80) {
		char escape[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};

		buf_add(out, escape, sizeof(escape));
		return 1;
	}
	len = str_utf8_len(str_make(p, (size_t)(end - p)));
	if (len == 0) {
		buf_puts(out, "\\ufffd");
		return 1;
	}
	/* U+2028 and U+2029 end a line in JavaScript. */
	if (len == 3 && c == 0xe2 && (unsigned char)p[1] == 0x80 &&
	    ((unsigned char)p[2] | 1) == 0xa9) {
		buf_add(out, (unsigned char)p[2] == 0xa8 ? "\\u2028" : "\\u2029", 6);
		return 3;
	}
	buf_add(out, p, len);
	return len;
}

void json_write_string(struct buf *out, struct str s)
{
	const char *p = s.p ? s.p : "";
	const char *end = p + s.n;

	/* One reservation serves the common string that needs no escape. */
	buf_reserve(out, s.n + 2);
	out->p[out->n++] = '"';
	while (p < end) {
		const char *stop = json_scan_copyable(p, end);

		buf_add(out, p, (size_t)(stop - p));
		p = stop;
		while (p < end && (p == stop || (signed char)*p < 0)) {
			size_t len = write_special(out, p, end);

			p += len;
		}
	}
	buf_add_char(out, '"');
}

/* Fewest digits that read back as d: at most 15 always survive the way there and back, 17 always
 * suffice. Subnormal numbers have fewer than 15 significant ones, so there the search begins at
 * one. */
static int shortest(char text[32], double d)
{
	int precision = fabs(d) < 2.3e-308 ? 1 : 15;

	for (; precision < 17; precision++) {
		snprintf(text, 32, "%.*e", precision - 1, d);
		if (strtod(text, NULL) == d) {
			return precision;
		}
	}
	snprintf(text, 32, "%.16e", d);
	return 17;
}

void json_write_double(struct buf *out, double d)
{
	char text[32];
	char digits[18];
	int n = 0;
	int exp10;

	ASSERT(isfinite(d));
	if (d == 0) {
		buf_add_str(out, signbit(d) ? STR("-0") : STR("0"));
		return;
	}
	shortest(text, d);
	for (const char *p = text; *p != 'e'; p++) {
		if (*p >= '0' && *p <= '9') {
			digits[n++] = *p;
		}
	}
	exp10 = (int)strtol(strchr(text, 'e') + 1, NULL, 10);
	while (n > 1 && digits[n - 1] == '0') {
		n--;
	}
	if (d < 0) {
		buf_add_char(out, '-');
	}
	if (exp10 < -6 || exp10 >= 21) {
		buf_add_char(out, digits[0]);
		if (n > 1) {
			buf_add_char(out, '.');
			buf_add(out, digits + 1, (size_t)n - 1);
		}
		/* Go drops the leading zero of a negative exponent only. */
		buf_printf(out, exp10 < 0 ? "e-%d" : "e+%02d", abs(exp10));
		return;
	}
	if (exp10 < 0) {
		buf_puts(out, "0.");
		for (int i = -1; i > exp10; i--) {
			buf_add_char(out, '0');
		}
		buf_add(out, digits, (size_t)n);
		return;
	}
	for (int i = 0; i < n || i <= exp10; i++) {
		if (i == exp10 + 1) {
			buf_add_char(out, '.');
		}
		buf_add_char(out, i < n ? digits[i] : '0');
	}
}

/* A string of checked text from its opening quote; returns what follows its closing one. Escapes
 * stay as they are. */
static const char *copy_string(struct buf *out, const char *p, const char *end)
{
	buf_add_char(out, '"');
	p++;
	for (;;) {
		const char *stop = json_scan_copyable(p, end);

		buf_add(out, p, (size_t)(stop - p));
		p = stop;
		ASSERT(p < end);
		if (*p == '"') {
			buf_add_char(out, '"');
			return p + 1;
		}
		if (*p == '\\') {
			buf_add(out, p, 2);
			p += 2;
		} else {
			p += write_special(out, p, end);
		}
	}
}

static bool is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

void json_write_compact(struct buf *out, struct str text)
{
	const char *p = text.p;
	const char *end = text.p + text.n;

	buf_reserve(out, text.n);
	while (p < end) {
		if (*p == '"') {
			p = copy_string(out, p, end);
		} else {
			if (!is_space(*p)) {
				buf_add_char(out, *p);
			}
			p++;
		}
	}
}

bool json_is_compact(struct str text)
{
	return json_scan_compact(text.p, text.p + text.n) == text.p + text.n;
}

static void new_line(struct buf *out, const char *indent, size_t depth)
{
	buf_add_char(out, '\n');
	while (depth--) {
		buf_add_str(out, str_of(indent));
	}
}

void json_write_indented(struct buf *out, struct str text, const char *indent)
{
	const char *p = text.p;
	const char *end = text.p + text.n;
	size_t depth = 0;
	bool opened = false;

	while (p < end) {
		char c = *p;

		if (is_space(c)) {
			p++;
			continue;
		}
		if (opened && c != ']' && c != '}') {
			new_line(out, indent, depth);
		}
		if (c == '"') {
			opened = false;
			p = copy_string(out, p, end);
			continue;
		}
		if (c == ']' || c == '}') {
			depth--;
			if (!opened) {
				new_line(out, indent, depth);
			}
		}
		buf_add_char(out, c);
		p++;
		opened = c == '[' || c == '{';
		depth += opened;
		if (c == ',') {
			new_line(out, indent, depth);
		} else if (c == ':') {
			buf_add_char(out, ' ');
		}
	}
}
