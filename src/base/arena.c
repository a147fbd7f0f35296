/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <stdint.h>
#include <stdio.h>

#include "base/alloc.h"

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_DEBUG 1
#elif defined(__has_feature)
#define ARENA_DEBUG __has_feature(address_sanitizer)
#else
#define ARENA_DEBUG 0
#endif

enum {
	ARENA_ALIGN = 16,
	ARENA_CHUNK = 8192,
	ARENA_CHUNK_MAX = 256 * 1024,
};

struct arena_chunk {
	struct arena_chunk *next;
	size_t size; /* of data */
	char data[] __attribute__((aligned(ARENA_ALIGN)));
};

static struct arena_chunk *arena_grow(struct arena *a, size_t n)
{
	struct arena_chunk *c;

	ASSERT(n < SIZE_MAX / 2);
	c = mem_resize(NULL, sizeof(*c) + n);
	c->size = n;
	c->next = a->head;
	a->head = c;
	a->total_bytes += n;
	return c;
}

void arena_fini(struct arena *a)
{
	struct arena_chunk *next;

	for (struct arena_chunk *c = a->head; c; c = next) {
		next = c->next;
		mem_free(c);
	}
	*a = (struct arena){0};
}

void arena_clear(struct arena *a)
{
	struct arena_chunk *keep = a->head;

	if (ARENA_DEBUG || !keep || keep->size > ARENA_CHUNK) {
		arena_fini(a);
		return;
	}
	a->head = keep->next;
	arena_fini(a);
	keep->next = NULL;
	*a = (struct arena){keep, keep->data, keep->data + keep->size, keep->size};
}

static char *arena_take(struct arena *a, size_t n, size_t align)
{
	size_t pad = (0 - (uintptr_t)a->at) & (align - 1);
	size_t left = (size_t)(a->end - a->at);
	struct arena_chunk *c;

	if (ARENA_DEBUG) {
		return arena_grow(a, n)->data;
	}
	if (a->at && left >= pad && left - pad >= n) {
		char *p = a->at + pad;

		a->at = p + n;
		return p;
	}
	if (n > ARENA_CHUNK / 4) {
		/* A chunk of its own, behind the current one, whose rest stays in use. */
		c = arena_grow(a, n);
		if (c->next) {
			a->head = c->next;
			c->next = a->head->next;
			a->head->next = c;
		} else {
			a->at = a->end = c->data + c->size;
		}
		return c->data;
	}
	c = arena_grow(a, a->total_bytes < ARENA_CHUNK
				  ? ARENA_CHUNK
				  : MIN(a->total_bytes, (size_t)ARENA_CHUNK_MAX));
	a->at = c->data + n;
	a->end = c->data + c->size;
	return c->data;
}

void *arena_alloc(struct arena *a, size_t n)
{
	return memset(arena_take(a, n, ARENA_ALIGN), 0, n);
}

void *arena_alloc_array(struct arena *a, size_t count, size_t size)
{
	size_t n;

	ASSERT(!__builtin_mul_overflow(count, size, &n));
	return arena_alloc(a, n);
}

char *arena_bytes(struct arena *a, size_t n)
{
	return arena_take(a, n, 1);
}

struct str arena_str(struct arena *a, struct str s)
{
	char *p;

	if (!s.p) {
		return s;
	}
	p = arena_bytes(a, s.n + 1);
	memcpy(p, s.p, s.n);
	p[s.n] = '\0';
	return str_make(p, s.n);
}

const char *arena_cstr(struct arena *a, struct str s)
{
	return arena_str(a, str_make(s.p ? s.p : "", s.n)).p;
}

struct str arena_vprintf(struct arena *a, const char *fmt, va_list ap)
{
	va_list again;
	char *p;
	int n;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	ASSERT(n >= 0);
	p = arena_bytes(a, (size_t)n + 1);
	vsnprintf(p, (size_t)n + 1, fmt, again);
	va_end(again);
	return str_make(p, (size_t)n);
}

struct str arena_printf(struct arena *a, const char *fmt, ...)
{
	struct str s;
	va_list ap;

	va_start(ap, fmt);
	s = arena_vprintf(a, fmt, ap);
	va_end(ap);
	return s;
}
