/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "codec/json_internal.h"
#include "codec/json_scan.h"

int json_hex_digit(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

/* Four hex digits at p, which the first pass has checked; -1 if there is no \uXXXX. */
static int read_unicode_escape(const char *p, const char *end)
{
	int v = 0;

	if (end - p < 6 || p[0] != '\\' || p[1] != 'u') {
		return -1;
	}
	for (int i = 2; i < 6; i++) {
		int h = json_hex_digit(p[i]);

		if (h < 0) {
			return -1;
		}
		v = v * 16 + h;
	}
	return v;
}

static char *put_utf8(char *out, uint32_t c)
{
	if (c < 0x80) {
		*out++ = (char)c;
	} else if (c < 0x800) {
		*out++ = (char)(0xc0 | c >> 6);
		*out++ = (char)(0x80 | (c & 0x3f));
	} else if (c < 0x10000) {
		*out++ = (char)(0xe0 | c >> 12);
		*out++ = (char)(0x80 | (c >> 6 & 0x3f));
		*out++ = (char)(0x80 | (c & 0x3f));
	} else {
		*out++ = (char)(0xf0 | c >> 18);
		*out++ = (char)(0x80 | (c >> 12 & 0x3f));
		*out++ = (char)(0x80 | (c >> 6 & 0x3f));
		*out++ = (char)(0x80 | (c & 0x3f));
	}
	return out;
}

/* The character of the checked escape at *p, which is advanced. */
static uint32_t take_escape(const char **p, const char *end)
{
	int high, low;

	switch ((*p)[1]) {
	case 'u':
		high = read_unicode_escape(*p, end);
		*p += 6;
		if (high < 0xd800 || high > 0xdfff) {
			return (uint32_t)high;
		}
		low = read_unicode_escape(*p, end);
		if (high >= 0xdc00 || low < 0xdc00 || low > 0xdfff) {
			return 0xfffd;
		}
		*p += 6;
		return 0x10000 + ((uint32_t)(high - 0xd800) << 10) + (uint32_t)(low - 0xdc00);
	case 'b':
		*p += 2;
		return '\b';
	case 'f':
		*p += 2;
		return '\f';
	case 'n':
		*p += 2;
		return '\n';
	case 'r':
		*p += 2;
		return '\r';
	case 't':
		*p += 2;
		return '\t';
	default:
		*p += 2;
		return (unsigned char)(*p)[-1];
	}
}

struct str json_unescape(struct arena *arena, const char *p, const char *end, size_t room)
{
	char *out = arena_bytes(arena, room);
	char *o = out;

	while (p < end) {
		const char *stop = json_scan_plain(p, end);
		size_t len = (size_t)(stop - p);

		if (len == 0 && *p == '\\') {
			o = put_utf8(o, take_escape(&p, end));
			continue;
		}
		if (len == 0) {
			len = str_utf8_len(str_make(p, (size_t)(end - p)));
		}
		if (len == 0) {
			o = put_utf8(o, 0xfffd);
			p++;
		}
		memcpy(o, p, len);
		o += len;
		p += len;
	}
	return str_make(out, (size_t)(o - out));
}
