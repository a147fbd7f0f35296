/* SPDX-License-Identifier: Apache-2.0 */
/* object/patch_internal.h: lists whose items have keys, for the strategic merge. Lookups are by
 * hash: a list may hold as many items as a request has bytes. For object/patch_*.c only. */
#pragma once
#include <stddef.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/map.h"
#include "codec/json.h"

struct strategic {
	struct arena *arena;
	struct err *err; /* never NULL */
};

/* go_print for messages: cut after 1 KiB. */
void patch_print(struct buf *out, const struct json_value *v);

/* The keys of a list's items as text, and where each first occurs. Zeroed is nothing to free. */
struct keyed {
	struct str *keys;
	struct map first; /* key -> position + 1 */
	size_t n;
};

/* merge_key NULL: scalars are their own keys. ERR_CONFLICT if an item is no map or lacks the key;
 * fini either way. */
MUST_USE int keyed_init(struct strategic *s, struct keyed *k, const struct json_value *items,
			size_t n, const char *merge_key);
void keyed_fini(struct keyed *k);
/* Position of the first item with that key, or -1. */
ptrdiff_t keyed_find(const struct keyed *k, struct str key);
/* Removes from the list, whose keys are `keys`, the items that `drop` has. */
void keyed_drop(struct json_value *list, const struct keyed *keys, const struct keyed *drop);
/* Puts a merged list into order: items that the list `order` names stand in its order; the others
 * keep the order of `live`, the list before the merge, and stay before the first named item that
 * they preceded there; new ones that nobody has placed come last. */
MUST_USE int keyed_reorder(struct strategic *s, struct json_value *merged,
			   const struct json_value *order, const struct keyed *live,
			   const char *merge_key);
