/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/go_text.h"

#include <stdlib.h>

#include "base/alloc.h"

static uint32_t code_point(const char *p, size_t len)
{
	const unsigned char *u = (const unsigned char *)p;
	uint32_t c = len == 1	? u[0]
		     : len == 2 ? u[0] & 0x1f
		     : len == 3 ? u[0] & 0x0f
				: u[0] & 0x07;

	for (size_t i = 1; i < len; i++) {
		c = c << 6 | (u[i] & 0x3f);
	}
	return c;
}

/* Controls, format characters and spaces other than ' ', as far as they are likely to be met. */
static bool is_printable(uint32_t c)
{
	static const struct {
		uint32_t from, to;
	} not_printable[] = {
		{0x00, 0x1f},	  {0x7f, 0xa0},	       {0xad, 0xad},	 {0x1680, 0x1680},
		{0x180e, 0x180e}, {0x2000, 0x200f},    {0x2028, 0x202f}, {0x205f, 0x206f},
		{0x3000, 0x3000}, {0xd800, 0xf8ff},    {0xfeff, 0xfeff}, {0xfff0, 0xfffb},
		{0xfffe, 0xffff}, {0xe0000, 0x10ffff},
	};

	for (size_t i = 0; i < ARRAY_LEN(not_printable); i++) {
		if (c >= not_printable[i].from && c <= not_printable[i].to) {
			return false;
		}
	}
	return true;
}

static void quote_one(struct buf *out, const char *p, size_t len)
{
	static const char short_escapes[] = "abtnvfr"; /* from 7 on */
	uint32_t c;

	if (len == 0) {
		buf_printf(out, "\\x%02x", (unsigned char)*p);
		return;
	}
	c = code_point(p, len);
	if (c == '"' || c == '\\') {
		buf_printf(out, "\\%c", (int)c);
	} else if (is_printable(c)) {
		buf_add(out, p, len);
	} else if (c >= 7 && c <= 13) {
		buf_printf(out, "\\%c", short_escapes[c - 7]);
	} else if (c < 0x80) {
		buf_printf(out, "\\x%02x", c);
	} else {
		buf_printf(out, c < 0x10000 ? "\\u%04x" : "\\U%08x", c);
	}
}

void go_quote(struct buf *out, struct str s)
{
	buf_add_char(out, '"');
	for (size_t i = 0; i < s.n;) {
		size_t len = str_utf8_len(str_from(s, i));

		quote_one(out, s.p + i, len);
		i += len ? len : 1;
	}
	buf_add_char(out, '"');
}

static int compare_members(const void *a, const void *b)
{
	const struct json_member *const *x = a;
	const struct json_member *const *y = b;

	return str_cmp((*x)->key, (*y)->key);
}

static void print_map(struct buf *out, const struct json_value *v)
{
	const struct json_member **order = mem_new_array(v->n, sizeof(const struct json_member *));

	for (uint32_t i = 0; i < v->n; i++) {
		order[i] = &v->members[i];
	}
	qsort(order, v->n, sizeof(const struct json_member *), compare_members);
	buf_puts(out, "map[");
	for (uint32_t i = 0; i < v->n; i++) {
		if (i) {
			buf_add_char(out, ' ');
		}
		buf_add_str(out, order[i]->key);
		buf_add_char(out, ':');
		go_print(out, &order[i]->value);
	}
	buf_add_char(out, ']');
	mem_free(order);
}

void go_print(struct buf *out, const struct json_value *v)
{
	switch ((enum json_kind)v->kind) {
	case JSON_NULL:
		buf_puts(out, "<nil>");
		break;
	case JSON_STRING:
		buf_add_str(out, json_str(v));
		break;
	case JSON_ARRAY:
		buf_add_char(out, '[');
		for (uint32_t i = 0; i < v->n; i++) {
			if (i) {
				buf_add_char(out, ' ');
			}
			go_print(out, &v->items[i]);
		}
		buf_add_char(out, ']');
		break;
	case JSON_OBJECT:
		print_map(out, v);
		break;
	default:
		json_write_value(out, v, false);
		break;
	}
}
