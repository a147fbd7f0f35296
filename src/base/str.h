/* SPDX-License-Identifier: Apache-2.0 */
/* base/str.h: a borrowed piece of text or bytes: pointer and length, not NUL-terminated, never owned.
 * { NULL, 0 } is "unset"; { non-NULL, 0 } is "empty". str_eq treats both alike. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/attr.h"
#include "base/banned.h"

struct str {
	const char *p;
	size_t n;
};

/* For string literals only, also in static initialisers: struct str s = STR("x"); static: STR_INIT("x"). */
#define STR(lit) ((struct str){("" lit), sizeof(lit) - 1})
#define STR_INIT(lit)                                                                              \
	{                                                                                          \
		("" lit), sizeof(lit) - 1                                                          \
	}
#define STR_NULL ((struct str){NULL, 0})
/* printf("%.*s", STR_ARG(s)) */
#define STR_ARG(s) (int)(s).n, (s).p ? (s).p : ""

/* A NULL pointer gives the unset string. */
static inline struct str str_of(const char *cstr)
{
	return (struct str){cstr, cstr ? strlen(cstr) : 0};
}

static inline struct str str_make(const void *p, size_t n)
{
	return (struct str){(const char *)p, n};
}

static inline bool str_is_empty(struct str s)
{
	return s.n == 0;
}

static inline bool str_eq(struct str a, struct str b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* str_is(s, "literal") */
#define str_is(s, lit) str_eq((s), STR(lit))

/* Bytewise order, as Go's string comparison: <0, 0, >0. */
int str_cmp(struct str a, struct str b);
bool str_has_prefix(struct str s, struct str prefix);
bool str_has_suffix(struct str s, struct str suffix);
/* Position of the first c, or -1. */
ptrdiff_t str_find_char(struct str s, char c);
ptrdiff_t str_rfind_char(struct str s, char c);
/* Position of the first occurrence of needle (the empty one is at 0), or -1. */
ptrdiff_t str_find(struct str s, struct str needle);
static inline bool str_contains(struct str s, struct str needle)
{
	return str_find(s, needle) >= 0;
}
/* The part from `from` to the end / of at most n bytes; out-of-range arguments are clamped. */
struct str str_from(struct str s, size_t from);
struct str str_sub(struct str s, size_t from, size_t n);
/* Without white space (space, tab, CR, LF) at both ends. */
struct str str_trim(struct str s);
bool str_eq_nocase(struct str a, struct str b); /* ASCII only */

/* Split at the first sep: *ret_head is what stands before it, *rest what follows. Without a sep the head is everything and
 * rest becomes unset. Returns false once *rest is unset, so:  while (str_cut(&rest, ',', &head)) { ... }  */
bool str_cut(struct str *rest, char sep, struct str *ret_head);

/* Decimal, optional sign, whole string. 0, ERR_INVALID or ERR_RANGE. */
MUST_USE int str_to_int64(struct str s, int64_t *ret);
MUST_USE int str_to_uint64(struct str s, uint64_t *ret);

/* Well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms). */
bool str_is_utf8(struct str s);
/* Length (1-4) of the well-formed UTF-8 sequence that s begins with; 0 if it begins with none or is empty. */
size_t str_utf8_len(struct str s);
/* NUL-terminated copy, the caller's; free with mem_free. */
char *str_dup_cstr(struct str s);
