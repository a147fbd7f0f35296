/* SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

NORETURN static void die_oom(size_t n)
{
	fprintf(stderr, "cox: out of memory asking for %zu bytes\n", n);
	abort();
}

void *mem_new(size_t n)
{
	void *p = calloc(1, n ? n : 1);

	if (!p) {
		die_oom(n);
	}
	return p;
}

void *mem_new_array(size_t count, size_t size)
{
	size_t n;

	if (__builtin_mul_overflow(count, size, &n)) {
		die_oom((size_t)-1);
	}
	return mem_new(n);
}

void *mem_resize(void *p, size_t n)
{
	void *q = realloc(p, n ? n : 1);

	if (!q) {
		die_oom(n);
	}
	return q;
}

void *mem_dup(const void *p, size_t n)
{
	void *q = malloc(n ? n : 1);

	if (!q) {
		die_oom(n);
	}
	if (n) {
		memcpy(q, p, n);
	}
	return q;
}

char *mem_dup_str(const char *p, size_t n)
{
	char *q = malloc(n + 1);

	if (!q) {
		die_oom(n + 1);
	}
	if (n) {
		memcpy(q, p, n);
	}
	q[n] = '\0';
	return q;
}

void mem_free(void *p)
{
	free(p);
}

void die_assert(const char *file, int line, const char *what)
{
	fprintf(stderr, "cox: bug at %s:%d: %s does not hold\n", file, line, what);
	abort();
}
