/* SPDX-License-Identifier: Apache-2.0 */
#include "base/map.h"

#include "base/alloc.h"

struct map_entry {
	struct str key;
	void *value; /* NULL: removed */
	uint64_t hash;
};

/* A slot whose entry was removed keeps its number, so that probing goes on past it; rehash drops both. */

void map_init(struct map *m, unsigned flags)
{
	*m = (struct map){.flags = flags, .key = hash_key_random()};
}

static void free_key(struct map *m, struct map_entry *e)
{
	if (!(m->flags & MAP_BORROW_KEYS)) {
		mem_free((char *)e->key.p);
	}
	e->key = STR_NULL;
}

void map_fini(struct map *m)
{
	for (size_t i = 0; i < m->used; i++) {
		if (m->entries[i].value) {
			free_key(m, &m->entries[i]);
		}
	}
	mem_free(m->entries);
	mem_free(m->slots);
	*m = (struct map){0};
}

static void slot_add(struct map *m, uint64_t hash, size_t index)
{
	size_t mask = m->cap * 2 - 1;
	size_t at = hash & mask;

	while (m->slots[at]) {
		at = (at + 1) & mask;
	}
	m->slots[at] = (uint32_t)index + 1;
}

static void rehash(struct map *m)
{
	size_t cap = 8;
	struct map_entry *entries;
	size_t used = 0;

	while (cap < m->n * 2) {
		cap *= 2;
	}
	ASSERT(cap < UINT32_MAX / 2);
	entries = mem_new_array(cap, sizeof(*entries));
	mem_free(m->slots);
	m->slots = mem_new_array(cap * 2, sizeof(*m->slots));
	m->cap = cap;
	for (size_t i = 0; i < m->used; i++) {
		if (m->entries[i].value) {
			entries[used] = m->entries[i];
			slot_add(m, entries[used].hash, used);
			used++;
		}
	}
	mem_free(m->entries);
	m->entries = entries;
	m->used = used;
}

static struct map_entry *find_entry(const struct map *m, struct str key, uint64_t hash)
{
	size_t mask = m->cap * 2 - 1;

	if (!m->cap) {
		return NULL;
	}
	for (size_t at = hash & mask; m->slots[at]; at = (at + 1) & mask) {
		struct map_entry *e = &m->entries[m->slots[at] - 1];

		if (e->value && e->hash == hash && str_eq(e->key, key)) {
			return e;
		}
	}
	return NULL;
}

void *map_find(const struct map *m, struct str key)
{
	struct map_entry *e = find_entry(m, key, hash_bytes(m->key, key.p, key.n));

	return e ? e->value : NULL;
}

void *map_put(struct map *m, struct str key, void *value)
{
	uint64_t hash = hash_bytes(m->key, key.p, key.n);
	struct map_entry *e = find_entry(m, key, hash);
	bool borrow = m->flags & MAP_BORROW_KEYS;

	ASSERT(value);
	if (e) {
		void *old = e->value;

		e->value = value;
		e->key = borrow ? key : e->key;
		return old;
	}
	if (m->used == m->cap) {
		rehash(m);
	}
	e = &m->entries[m->used];
	*e = (struct map_entry){borrow ? key : str_make(mem_dup_str(key.p, key.n), key.n), value,
				hash};
	slot_add(m, hash, m->used);
	m->used++;
	m->n++;
	return NULL;
}

void *map_remove(struct map *m, struct str key)
{
	struct map_entry *e = find_entry(m, key, hash_bytes(m->key, key.p, key.n));
	void *old;

	if (!e) {
		return NULL;
	}
	old = e->value;
	e->value = NULL;
	free_key(m, e);
	m->n--;
	return old;
}

bool map_next(const struct map *m, size_t *i, struct str *ret_key, void **ret_value)
{
	while (*i < m->used) {
		struct map_entry *e = &m->entries[(*i)++];

		if (e->value) {
			*ret_key = e->key;
			*ret_value = e->value;
			return true;
		}
	}
	return false;
}
