/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store_internal.h"

/* What a change costs in memory: itself, its place in the ring, and the value that only it keeps
 * alive. */
static size_t cost(const struct store_change *change)
{
	return sizeof(*change) + sizeof(void *) + store_value_size(change->prev);
}

static void free_change(struct store_change *change)
{
	store_value_unref(change->value);
	store_value_unref(change->prev);
	mem_free(change);
}

void store_history_fini(struct store_history *history)
{
	for (size_t i = 0; i < history->n; i++) {
		free_change(store_history_at(history, i));
	}
	mem_free(history->ring);
	*history = (struct store_history){0};
}

static void grow(struct store_history *history)
{
	size_t cap = history->cap ? history->cap * 2 : 64;
	struct store_change **ring = mem_new_array(cap, sizeof(*ring));

	for (size_t i = 0; i < history->n; i++) {
		ring[i] = store_history_at(history, i);
	}
	mem_free(history->ring);
	history->ring = ring;
	history->cap = cap;
	history->first = 0;
}

void store_history_add(struct store_history *history, struct store_change change)
{
	struct store_change *c = mem_dup(&change, sizeof(change));

	if (history->n == history->cap) {
		grow(history);
	}
	c->newer = NULL;
	c->older = c->key->newest;
	if (c->older) {
		c->older->newer = c;
	}
	c->key->newest = c;
	history->ring[(history->first + history->n++) & (history->cap - 1)] = c;
	history->bytes += cost(c);
}

size_t store_history_find(const struct store_history *history, struct revision after)
{
	size_t low = 0, high = history->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (store_history_at(history, mid)->revision.n <= after.n) {
			low = mid + 1;
		} else {
			high = mid;
		}
	}
	return low;
}

const struct store_value *store_history_value_at(const struct store_key *key, struct revision at)
{
	const struct store_value *value = key->durable;

	for (const struct store_change *c = key->newest; c && c->revision.n > at.n; c = c->older) {
		value = c->prev;
	}
	return value;
}

void store_history_remove_oldest(struct store_history *history, struct store_keys *keys,
				 store_ids *gone)
{
	struct store_change *c = store_history_at(history, 0);
	struct store_key *key = c->key;

	ASSERT(!c->older);
	history->first = (history->first + 1) & (history->cap - 1);
	history->n--;
	history->bytes -= cost(c);
	history->oldest = c->revision;
	if (c->newer) {
		c->newer->older = NULL;
	} else {
		key->newest = NULL;
	}
	if (c->prev) {
		*vec_push(gone) = store_row_id(c->prev->mod_revision, c->prev->op);
	}
	if (!c->value) {
		*vec_push(gone) = store_row_id(c->revision, c->op);
	}
	free_change(c);
	store_keys_drop(keys, key);
}
