/* SPDX-License-Identifier: Apache-2.0 */
/* base/map.h: hash map from byte strings to pointers. Iteration is in order of insertion, so nothing depends on the hash's
 * random key. Keys are copied unless MAP_BORROW_KEYS: then they must live as long as the entry (usually inside the value).
 * Values are borrowed. Not thread-safe.
 *     for (size_t i = 0; map_next(&m, &i, &key, &value);) { ... }     (removing the entry just seen is allowed) */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/hash.h"
#include "base/str.h"

enum map_flags {
	MAP_BORROW_KEYS = 1,
};

struct map_entry;

struct map {
	struct map_entry *entries; /* in order of insertion; removed ones have no value */
	uint32_t *slots;	   /* index into entries + 1; 0 is free */
	size_t n;		   /* live entries */
	size_t used;		   /* entries including removed ones */
	size_t cap;		   /* of entries; slots has twice as many, a power of two */
	struct hash_key key;
	unsigned flags;
};

void map_init(struct map *m, unsigned flags);
void map_fini(struct map *m);
/* The value or NULL. */
void *map_find(const struct map *m, struct str key);
/* Sets the value (not NULL), returns the one it replaces or NULL. With MAP_BORROW_KEYS a replaced entry takes the new key. */
void *map_put(struct map *m, struct str key, void *value);
/* Removes, returns the value or NULL. */
void *map_remove(struct map *m, struct str key);
bool map_next(const struct map *m, size_t *i, struct str *ret_key, void **ret_value);
