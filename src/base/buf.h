/* SPDX-License-Identifier: Apache-2.0 */
/* base/buf.h: a growing byte buffer on the heap. `struct buf b = {0};` is ready to use; buf_fini frees.
 * Always room for a NUL behind the contents once anything was added; buf_cstr writes it. */
#pragma once
#include <stdarg.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/str.h"

struct buf {
	char *p;
	size_t n;
	size_t cap;
};

void buf_fini(struct buf *b);
/* Empties, keeps the memory. */
void buf_clear(struct buf *b);
/* Room for at least n more bytes; returns the place to write them (then add to b->n). */
char *buf_reserve(struct buf *b, size_t n);
void buf_add(struct buf *b, const void *p, size_t n);
void buf_add_char(struct buf *b, char c);
static inline void buf_add_str(struct buf *b, struct str s)
{
	buf_add(b, s.p, s.n);
}
/* buf_puts(b, "literal") */
#define buf_puts(b, lit) buf_add((b), "" lit, sizeof(lit) - 1)
void buf_add_int64(struct buf *b, int64_t v);
void buf_add_uint64(struct buf *b, uint64_t v);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF(2, 3);
void buf_vprintf(struct buf *b, const char *fmt, va_list ap) PRINTF(2, 0);
/* Drops the first n bytes. */
void buf_consume(struct buf *b, size_t n);
static inline struct str buf_str(const struct buf *b)
{
	return str_make(b->p ? b->p : "", b->n);
}
/* NUL-terminated view, valid until the next change. */
const char *buf_cstr(struct buf *b);
/* Hands the memory over, NUL-terminated; the buffer is empty afterwards. */
char *buf_steal(struct buf *b);

#define CLEANUP_BUF CLEANUP(buf_fini)
