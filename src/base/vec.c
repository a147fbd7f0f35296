/* SPDX-License-Identifier: Apache-2.0 */
#include "base/vec.h"

void vec_grow(void **p, size_t n, size_t *cap, size_t size)
{
	size_t bytes;

	if (n < *cap) {
		return;
	}
	*cap = *cap ? *cap * 2 : 8;
	ASSERT(!__builtin_mul_overflow(*cap, size, &bytes));
	*p = mem_resize(*p, bytes);
}
