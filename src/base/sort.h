/* SPDX-License-Identifier: Apache-2.0 */
/* base/sort.h: a stable merge sort of pointers, with a context for the comparison (qsort has neither). Reentrant. */
#pragma once
#include <stddef.h>

/* cmp: <0, 0, >0; equal ones keep their order. */
void sort_pointers(void **p, size_t n, int (*cmp)(const void *a, const void *b, void *ctx),
		   void *ctx);
