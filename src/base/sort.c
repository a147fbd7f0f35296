/* SPDX-License-Identifier: Apache-2.0 */
#include "base/sort.h"

#include <stdbool.h>
#include <string.h>

#include "base/alloc.h"

typedef int (*cmp_fn)(const void *a, const void *b, void *ctx);

static void sort_part(void **p, void **scratch, size_t n, cmp_fn cmp, void *ctx)
{
	size_t half = n / 2;
	size_t i = 0;
	size_t j = half;

	if (n < 2) {
		return;
	}
	sort_part(p, scratch, half, cmp, ctx);
	sort_part(p + half, scratch, n - half, cmp, ctx);
	for (size_t k = 0; k < n; k++) {
		bool left = i < half && (j == n || cmp(p[i], p[j], ctx) <= 0);

		scratch[k] = left ? p[i++] : p[j++];
	}
	memcpy(p, scratch, n * sizeof(*p));
}

void sort_pointers(void **p, size_t n, cmp_fn cmp, void *ctx)
{
	void **scratch = mem_new_array(n, sizeof(*scratch));

	sort_part(p, scratch, n, cmp, ctx);
	mem_free(scratch);
}
