/* SPDX-License-Identifier: Apache-2.0 */
/* base/hash.h: SipHash-1-3 (Aumasson, Bernstein 2012): a keyed hash whose collisions a client cannot aim at. */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct hash_key {
	uint64_t k0, k1;
};

/* Fresh from the kernel's random source. */
struct hash_key hash_key_random(void);
uint64_t hash_bytes(struct hash_key key, const void *p, size_t n);
