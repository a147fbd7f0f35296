/* SPDX-License-Identifier: Apache-2.0 */
#include "rules/hash.h"

#include "object/encode.h"

uint32_t hash_fnv1a(uint32_t seed, const void *p, size_t n)
{
	const unsigned char *b = p;

	for (size_t i = 0; i < n; i++) {
		seed = (seed ^ b[i]) * 0x01000193U;
	}
	return seed;
}

struct str safe_encode(struct arena *a, struct str s)
{
	static const char alphabet[] = "bcdfghjklmnpqrstvwxz2456789";
	char *p = arena_bytes(a, s.n + 1);

	for (size_t i = 0; i < s.n; i++) {
		p[i] = alphabet[(unsigned char)s.p[i] % (sizeof(alphabet) - 1)];
	}
	p[s.n] = '\0';
	return str_make(p, s.n);
}

struct str content_hash(struct arena *a, struct str content, const int32_t *collision_count)
{
	uint32_t sum = hash_fnv1a(HASH_FNV1A_SEED, content.p, content.n);

	if (collision_count) {
		/* Eight bytes, the count in the first four, little-endian. */
		unsigned char b[8] = {0};

		for (size_t i = 0; i < 4; i++) {
			b[i] = (unsigned char)((uint32_t)*collision_count >> (8 * i));
		}
		sum = hash_fnv1a(sum, b, sizeof(b));
	}
	return safe_encode(a, arena_printf(a, "%u", sum));
}

struct str pod_template_hash(struct arena *a, const struct core_pod_template_spec *template,
			     const int32_t *collision_count)
{
	struct buf b CLEANUP_BUF = {0};

	object_encode(&b, &type_core_pod_template_spec, template, NULL, NULL);
	return content_hash(a, buf_str(&b), collision_count);
}
