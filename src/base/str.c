/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"

#include "base/alloc.h"
#include "base/err.h"

int str_cmp(struct str a, struct str b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int c = n ? memcmp(a.p, b.p, n) : 0;

	if (c) {
		return c;
	}
	return a.n < b.n ? -1 : a.n > b.n;
}

bool str_has_prefix(struct str s, struct str prefix)
{
	return s.n >= prefix.n && str_eq(str_make(s.p, prefix.n), prefix);
}

bool str_has_suffix(struct str s, struct str suffix)
{
	return s.n >= suffix.n && str_eq(str_from(s, s.n - suffix.n), suffix);
}

ptrdiff_t str_find_char(struct str s, char c)
{
	const char *p = s.n ? memchr(s.p, c, s.n) : NULL;

	return p ? p - s.p : -1;
}

ptrdiff_t str_rfind_char(struct str s, char c)
{
	const char *p = s.n ? memrchr(s.p, c, s.n) : NULL;

	return p ? p - s.p : -1;
}

ptrdiff_t str_find(struct str s, struct str needle)
{
	const char *p;

	if (needle.n == 0) {
		return 0;
	}
	if (s.n < needle.n) {
		return -1;
	}
	p = memmem(s.p, s.n, needle.p, needle.n);
	return p ? p - s.p : -1;
}

struct str str_from(struct str s, size_t from)
{
	from = MIN(from, s.n);
	return str_make(s.p ? s.p + from : NULL, s.n - from);
}

struct str str_sub(struct str s, size_t from, size_t n)
{
	s = str_from(s, from);
	s.n = MIN(s.n, n);
	return s;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct str str_trim(struct str s)
{
	while (s.n && is_space(s.p[0])) {
		s = str_from(s, 1);
	}
	while (s.n && is_space(s.p[s.n - 1])) {
		s.n--;
	}
	return s;
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

bool str_eq_nocase(struct str a, struct str b)
{
	if (a.n != b.n) {
		return false;
	}
	for (size_t i = 0; i < a.n; i++) {
		if (lower(a.p[i]) != lower(b.p[i])) {
			return false;
		}
	}
	return true;
}

bool str_cut(struct str *rest, char sep, struct str *ret_head)
{
	ptrdiff_t at;

	if (!rest->p) {
		return false;
	}
	at = str_find_char(*rest, sep);
	if (at < 0) {
		*ret_head = *rest;
		*rest = STR_NULL;
		return true;
	}
	*ret_head = str_make(rest->p, (size_t)at);
	*rest = str_from(*rest, (size_t)at + 1);
	return true;
}

int str_to_uint64(struct str s, uint64_t *ret)
{
	uint64_t v = 0;

	if (s.n == 0) {
		return ERR_INVALID;
	}
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9') {
			return ERR_INVALID;
		}
	}
	for (size_t i = 0; i < s.n; i++) {
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(s.p[i] - '0'), &v)) {
			return ERR_RANGE;
		}
	}
	*ret = v;
	return 0;
}

int str_to_int64(struct str s, int64_t *ret)
{
	bool neg = s.n && s.p[0] == '-';
	uint64_t limit = neg ? (uint64_t)INT64_MAX + 1 : (uint64_t)INT64_MAX;
	uint64_t v;
	int r;

	if (s.n && (s.p[0] == '-' || s.p[0] == '+')) {
		s = str_from(s, 1);
	}
	r = str_to_uint64(s, &v);
	if (r < 0) {
		return r;
	}
	if (v > limit) {
		return ERR_RANGE;
	}
	*ret = neg ? (int64_t)(0 - v) : (int64_t)v;
	return 0;
}

/* Table 3-7 of the Unicode standard. */
size_t str_utf8_len(struct str s)
{
	const unsigned char *p = (const unsigned char *)s.p;
	unsigned char lo = 0x80;
	unsigned char hi = 0xbf;
	size_t len;

	if (s.n == 0) {
		return 0;
	}
	if (p[0] < 0x80) {
		return 1;
	}
	if (p[0] < 0xc2 || p[0] > 0xf4) {
		return 0;
	}
	len = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (s.n < len) {
		return 0;
	}
	lo = p[0] == 0xe0 ? 0xa0 : p[0] == 0xf0 ? 0x90 : lo;
	hi = p[0] == 0xed ? 0x9f : p[0] == 0xf4 ? 0x8f : hi;
	if (p[1] < lo || p[1] > hi) {
		return 0;
	}
	for (size_t i = 2; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80) {
			return 0;
		}
	}
	return len;
}

bool str_is_utf8(struct str s)
{
	size_t i = 0;

	while (i < s.n) {
		size_t len = str_utf8_len(str_from(s, i));

		if (!len) {
			return false;
		}
		i += len;
	}
	return true;
}

char *str_dup_cstr(struct str s)
{
	return mem_dup_str(s.p, s.n);
}
