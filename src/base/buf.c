/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <stdio.h>

#include "base/alloc.h"

void buf_fini(struct buf *b)
{
	mem_free(b->p);
	*b = (struct buf){0};
}

void buf_clear(struct buf *b)
{
	b->n = 0;
}

char *buf_reserve(struct buf *b, size_t n)
{
	size_t want;

	ASSERT(!__builtin_add_overflow(b->n, n, &want) && want < SIZE_MAX / 2);
	want++; /* room for a NUL */
	if (want > b->cap) {
		size_t cap = b->cap ? b->cap * 2 : 64;

		b->cap = cap > want ? cap : want;
		b->p = mem_resize(b->p, b->cap);
	}
	return b->p + b->n;
}

void buf_add(struct buf *b, const void *p, size_t n)
{
	if (n) {
		memcpy(buf_reserve(b, n), p, n);
		b->n += n;
	}
}

void buf_add_char(struct buf *b, char c)
{
	*buf_reserve(b, 1) = c;
	b->n++;
}

void buf_add_uint64(struct buf *b, uint64_t v)
{
	char digits[20];
	size_t i = sizeof(digits);

	do {
		digits[--i] = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	buf_add(b, digits + i, sizeof(digits) - i);
}

void buf_add_int64(struct buf *b, int64_t v)
{
	if (v < 0) {
		buf_add_char(b, '-');
	}
	buf_add_uint64(b, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

void buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
	va_list again;
	int n;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	ASSERT(n >= 0);
	vsnprintf(buf_reserve(b, (size_t)n), (size_t)n + 1, fmt, again);
	va_end(again);
	b->n += (size_t)n;
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(b, fmt, ap);
	va_end(ap);
}

void buf_consume(struct buf *b, size_t n)
{
	ASSERT(n <= b->n);
	if (n && n < b->n) {
		memmove(b->p, b->p + n, b->n - n);
	}
	b->n -= n;
}

const char *buf_cstr(struct buf *b)
{
	*buf_reserve(b, 0) = '\0';
	return b->p;
}

char *buf_steal(struct buf *b)
{
	char *p;

	buf_cstr(b);
	p = b->p;
	*b = (struct buf){0};
	return p;
}
