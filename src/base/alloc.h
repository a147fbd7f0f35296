/* SPDX-License-Identifier: Apache-2.0 */
/* base/alloc.h: heap memory. Out of memory aborts with a message: limits on every input make sure that no client can
 * cause it, so nobody has to test a result. Thread-safe. */
#pragma once
#include <stddef.h>

#include "base/attr.h"

/* Zeroed memory, the caller's; free with mem_free. n may be 0. */
void *mem_new(size_t n) __attribute__((malloc, returns_nonnull));
/* Zeroed array of `count` items; aborts if count * size overflows. */
void *mem_new_array(size_t count, size_t size) __attribute__((malloc, returns_nonnull));
/* Like realloc; bytes beyond the old size are undefined. */
void *mem_resize(void *p, size_t n) __attribute__((returns_nonnull));
void *mem_dup(const void *p, size_t n) __attribute__((malloc, returns_nonnull));
/* NUL-terminated copy of n bytes. */
char *mem_dup_str(const char *p, size_t n) __attribute__((malloc, returns_nonnull));
void mem_free(void *p);

/* A broken invariant is a bug, in release builds too: says where and aborts. */
NORETURN void die_assert(const char *file, int line, const char *what);
#define ASSERT(x) ((x) ? (void)0 : die_assert(__FILE__, __LINE__, #x))

#define NEW(type) ((type *)mem_new(sizeof(type)))
