/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/base64.h"

#include "base/err.h"

static const char std_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void encode(struct buf *out, struct str in, const char *digits, bool pad)
{
	const unsigned char *p = (const unsigned char *)in.p;
	char *to = buf_reserve(out, in.n / 3 * 4 + 4);
	size_t left = in.n;

	for (; left >= 3; left -= 3, p += 3) {
		uint32_t v = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];

		*to++ = digits[v >> 18];
		*to++ = digits[v >> 12 & 63];
		*to++ = digits[v >> 6 & 63];
		*to++ = digits[v & 63];
	}
	if (left) {
		uint32_t v = (uint32_t)p[0] << 16 | (left == 2 ? (uint32_t)p[1] << 8 : 0);

		*to++ = digits[v >> 18];
		*to++ = digits[v >> 12 & 63];
		if (left == 2) {
			*to++ = digits[v >> 6 & 63];
		} else if (pad) {
			*to++ = '=';
		}
		if (pad) {
			*to++ = '=';
		}
	}
	out->n = (size_t)(to - out->p);
}

void base64_encode(struct buf *out, struct str bytes)
{
	encode(out, bytes, std_digits, true);
}

void base64url_encode(struct buf *out, struct str bytes)
{
	encode(out, bytes, url_digits, false);
}

static int digit_value(char c, const char *digits)
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
	return c == digits[62] ? 62 : c == digits[63] ? 63 : -1;
}

/* `in` is without padding. */
static int decode(struct buf *out, struct str in, const char *digits)
{
	char *start = buf_reserve(out, in.n / 4 * 3 + 3);
	char *to = start;
	uint32_t v = 0;
	unsigned bits = 0;

	if (in.n % 4 == 1) {
		return ERR_INVALID;
	}
	for (size_t i = 0; i < in.n; i++) {
		int d = digit_value(in.p[i], digits);

		if (d < 0) {
			return ERR_INVALID;
		}
		v = (v << 6 | (uint32_t)d) & 0xffffff;
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			*to++ = (char)(v >> bits);
		}
	}
	if (v & ((1U << bits) - 1)) {
		return ERR_INVALID;
	}
	out->n += (size_t)(to - start);
	return 0;
}

int base64_decode(struct buf *out, struct str text)
{
	size_t pad = 0;

	if (text.n % 4) {
		return ERR_INVALID;
	}
	while (pad < 2 && text.n > pad && text.p[text.n - 1 - pad] == '=') {
		pad++;
	}
	return decode(out, str_sub(text, 0, text.n - pad), std_digits);
}

int base64url_decode(struct buf *out, struct str text)
{
	return decode(out, text, url_digits);
}
