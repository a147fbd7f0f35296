/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/base64.h"

#include "base/err.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_write(struct buf *out, struct str bytes)
{
	const unsigned char *p = (const unsigned char *)bytes.p;
	char *o = buf_reserve(out, (bytes.n + 2) / 3 * 4);
	size_t i = 0;

	for (; i + 3 <= bytes.n; i += 3, o += 4) {
		uint32_t v = (uint32_t)p[i] << 16 | (uint32_t)p[i + 1] << 8 | p[i + 2];

		o[0] = alphabet[v >> 18];
		o[1] = alphabet[v >> 12 & 63];
		o[2] = alphabet[v >> 6 & 63];
		o[3] = alphabet[v & 63];
	}
	if (i < bytes.n) {
		bool two = bytes.n - i == 2;
		uint32_t v = (uint32_t)p[i] << 16 | (two ? (uint32_t)p[i + 1] << 8 : 0);

		o[0] = alphabet[v >> 18];
		o[1] = alphabet[v >> 12 & 63];
		o[2] = two ? alphabet[v >> 6 & 63] : '=';
		o[3] = '=';
	}
	out->n += (bytes.n + 2) / 3 * 4;
}

static int digit(char c)
{
	if (c >= 'A' && c <= 'Z') {
		return c - 'A';
	}
	if (c >= 'a' && c <= 'z') {
		return c - 'a' + 26;
	}
	if (c >= '0' && c <= '9') {
		return c - '0' + 52;
	}
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static size_t skip_breaks(struct str text, size_t i)
{
	while (i < text.n && (text.p[i] == '\n' || text.p[i] == '\r')) {
		i++;
	}
	return i;
}

/* After `have` digits of a group came a '=' at i. Returns 0 if the padding ends the text
 * properly. */
static int check_padding(struct str text, size_t i, unsigned have, size_t *ret_at)
{
	*ret_at = i;
	if (have < 2) {
		return ERR_INVALID;
	}
	i = skip_breaks(text, i + 1);
	if (have == 2) {
		if (i == text.n || text.p[i] != '=') {
			*ret_at = i;
			return ERR_INVALID;
		}
		i = skip_breaks(text, i + 1);
	}
	*ret_at = i;
	return i == text.n ? 0 : ERR_INVALID;
}

int base64_read(struct arena *arena, struct str text, struct str *ret, size_t *ret_at)
{
	char *out = arena_bytes(arena, text.n / 4 * 3 + 3);
	char *o = out;
	uint32_t v = 0;
	unsigned have = 0;
	size_t at = 0;
	size_t i;

	for (i = skip_breaks(text, 0); i < text.n; i = skip_breaks(text, i + 1)) {
		int d = digit(text.p[i]);

		if (d < 0) {
			break;
		}
		v = v << 6 | (uint32_t)d;
		if (++have == 4) {
			*o++ = (char)(v >> 16);
			*o++ = (char)(v >> 8);
			*o++ = (char)v;
			have = 0;
			v = 0;
		}
	}
	at = i;
	if (i < text.n ? text.p[i] != '=' || check_padding(text, i, have, &at) < 0 : have != 0) {
		if (ret_at) {
			*ret_at = i < text.n ? at : text.n - have;
		}
		return ERR_INVALID;
	}
	if (have >= 2) {
		*o++ = (char)(v >> (have == 2 ? 4 : 10));
	}
	if (have == 3) {
		*o++ = (char)(v >> 2);
	}
	*ret = str_make(out, (size_t)(o - out));
	return 0;
}
