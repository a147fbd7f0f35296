/* SPDX-License-Identifier: Apache-2.0 */
/* base/arena.h: memory that lives as long as one request or pass and is freed in one go. `struct arena a = {0};` is ready.
 * Under AddressSanitizer each allocation is a malloc of its own, so that overruns are seen. One thread at a time. */
#pragma once
#include <stdarg.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/str.h"

struct arena_chunk;

struct arena {
	struct arena_chunk *head;
	char *at;  /* next free byte of the newest chunk */
	char *end; /* its end */
	size_t total_bytes;
};

/* Frees everything and makes it usable again; keeps one small chunk, so that a reused arena does not hit the heap. */
void arena_clear(struct arena *a);
void arena_fini(struct arena *a);
/* Zeroed, 16-byte aligned, never NULL. n may be 0. */
void *arena_alloc(struct arena *a, size_t n);
void *arena_alloc_array(struct arena *a, size_t count, size_t size);
#define ARENA_NEW(a, type) ((type *)arena_alloc((a), sizeof(type)))
#define ARENA_ARRAY(a, count, type) ((type *)arena_alloc_array((a), (count), sizeof(type)))
/* Not zeroed, no alignment: for bytes. */
char *arena_bytes(struct arena *a, size_t n);
/* Copy; NUL-terminated behind its end. An unset string stays unset. */
struct str arena_str(struct arena *a, struct str s);
const char *arena_cstr(struct arena *a, struct str s);
struct str arena_printf(struct arena *a, const char *fmt, ...) PRINTF(2, 3);
struct str arena_vprintf(struct arena *a, const char *fmt, va_list ap) PRINTF(2, 0);

#define CLEANUP_ARENA CLEANUP(arena_fini)
