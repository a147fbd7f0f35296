/* SPDX-License-Identifier: Apache-2.0 */
/* store/keys.h: every key that has a value now, a queued one, or one in history, in bytewise order.
 * Loop thread only, except that a key's bytes never change and may be read by the committing thread
 * while one of its operations is queued. */
#pragma once
#include "store/store.h"
#include "store/tree.h"

struct store_change;

struct store_key {
	struct tree_node node;
	const struct store_value *durable; /* one reference; NULL: does not exist */
	/* What the newest of `queued` operations leaves; borrowed from its transaction. NULL:
	 * nothing. */
	const struct store_value *pending;
	struct store_change *newest; /* of this key in history */
	size_t live;		     /* keys of this subtree that have a durable value */
	uint32_t queued;
	uint32_t n;
	char bytes[];
};

struct store_keys {
	struct tree tree;
};

void store_keys_init(struct store_keys *keys);
/* Frees the keys (values must be gone). */
void store_keys_fini(struct store_keys *keys);
static inline struct str store_key_str(const struct store_key *key)
{
	return str_make(key->bytes, key->n);
}
/* What a writer compares against. key may be NULL. */
static inline const struct store_value *store_key_pending(const struct store_key *key)
{
	if (!key) {
		return NULL;
	}
	return key->queued ? key->pending : key->durable;
}
/* NULL if there is none. */
struct store_key *store_keys_find(const struct store_keys *keys, struct str name);
struct store_key *store_keys_find_or_add(struct store_keys *keys, struct str name);
/* The first key at or behind `name`, and the one behind a key; NULL at the end. */
struct store_key *store_keys_from(const struct store_keys *keys, struct str name);
struct store_key *store_keys_next(const struct store_key *key);
/* Number of durable keys before `name`; unset: of all. */
size_t store_keys_live_before(const struct store_keys *keys, struct str name);
/* Change the durable value, taking over a reference to it; returns the old one with its
 * reference. */
const struct store_value *store_key_set_durable(struct store_keys *keys, struct store_key *key,
						const struct store_value *value);
/* Frees the key if nothing is known about it any more. */
void store_keys_drop(struct store_keys *keys, struct store_key *key);
