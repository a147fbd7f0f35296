/* SPDX-License-Identifier: Apache-2.0 */
/* base/vec.h: a typed growing array: VEC(struct thing) things = {0}; *vec_push(&things) = t; things.p[i], things.n.
 * Elements move when it grows: keep indexes, not pointers. vec_fini frees the array, not what elements own. */
#pragma once
#include <stddef.h>
#include <string.h>

#include "base/alloc.h"

#define VEC(type)                                                                                  \
	struct {                                                                                   \
		type *p;                                                                           \
		size_t n;                                                                          \
		size_t cap;                                                                        \
	}

/* Grows the array so that n + 1 elements fit. */
void vec_grow(void **p, size_t n, size_t *cap, size_t size);

/* Pointer to a new zeroed last element. */
#define vec_push(v)                                                                                \
	({                                                                                         \
		vec_grow((void **)&(v)->p, (v)->n, &(v)->cap, sizeof(*(v)->p));                    \
		memset(&(v)->p[(v)->n], 0, sizeof(*(v)->p));                                       \
		&(v)->p[(v)->n++];                                                                 \
	})
/* Remove element i, keeping the order. */
#define vec_remove(v, i)                                                                           \
	do {                                                                                       \
		size_t vec_i_ = (i);                                                               \
		ASSERT(vec_i_ < (v)->n);                                                           \
		memmove(&(v)->p[vec_i_], &(v)->p[vec_i_ + 1],                                      \
			((v)->n - vec_i_ - 1) * sizeof(*(v)->p));                                  \
		(v)->n--;                                                                          \
	} while (0)
#define vec_clear(v) ((void)((v)->n = 0))
#define vec_fini(v)                                                                                \
	do {                                                                                       \
		mem_free((v)->p);                                                                  \
		(v)->p = NULL;                                                                     \
		(v)->n = (v)->cap = 0;                                                             \
	} while (0)
