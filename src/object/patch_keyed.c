/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "codec/go_text.h"
#include "object/patch_internal.h"

enum { PRINTED_MAX = 1024 };

void patch_print(struct buf *out, const struct json_value *v)
{
	size_t start = out->n;

	go_print(out, v);
	if (out->n - start > PRINTED_MAX) {
		out->n = start + PRINTED_MAX;
		buf_puts(out, "...");
	}
}

static int no_merge_key(struct strategic *s, const struct json_value *item, const char *merge_key)
{
	struct buf b CLEANUP_BUF = {0};

	patch_print(&b, item);
	return err_set(s->err, ERR_CONFLICT, "map: %s does not contain declared merge key: %s",
		       buf_cstr(&b), merge_key);
}

void keyed_fini(struct keyed *k)
{
	if (k->keys) {
		map_fini(&k->first);
	}
	k->keys = NULL;
}

int keyed_init(struct strategic *s, struct keyed *k, const struct json_value *items, size_t n,
	       const char *merge_key)
{
	struct buf b CLEANUP_BUF = {0};

	k->n = n;
	k->keys = ARENA_ARRAY(s->arena, n, struct str);
	map_init(&k->first, MAP_BORROW_KEYS);
	for (size_t i = 0; i < n; i++) {
		const struct json_value *key = &items[i];

		if (merge_key && key->kind != JSON_OBJECT) {
			return err_set(s->err, ERR_CONFLICT, "value for key %zu is not a map", i);
		}
		key = merge_key ? json_get(key, str_of(merge_key)) : key;
		if (!key) {
			return no_merge_key(s, &items[i], merge_key);
		}
		buf_clear(&b);
		json_write_value(&b, key, true);
		k->keys[i] = arena_str(s->arena, buf_str(&b));
		if (!map_find(&k->first, k->keys[i])) {
			map_put(&k->first, k->keys[i], (void *)(i + 1));
		}
	}
	return 0;
}

ptrdiff_t keyed_find(const struct keyed *k, struct str key)
{
	return (ptrdiff_t)(size_t)map_find(&k->first, key) - 1;
}

struct ranked {
	struct json_value value;
	ptrdiff_t rank; /* in the order that decides, -1: unknown to it */
	ptrdiff_t live; /* in the live list, -1: not there */
	size_t at;	/* keeps the sort stable */
};

static int compare_ranked(const void *a, const void *b)
{
	const struct ranked *x = a;
	const struct ranked *y = b;

	if (x->rank != y->rank) {
		return x->rank < y->rank ? -1 : 1;
	}
	return (x->at > y->at) - (x->at < y->at);
}

/* Weaves two ordered lists together: an item of `left` goes before the first of `right` that stood
 * behind it in the live list. */
static void weave(struct json_value *ret, const struct ranked *left, size_t nleft,
		  const struct ranked *right, size_t nright)
{
	size_t i = 0;
	size_t j = 0;

	ret->n = 0;
	while (i < nleft || j < nright) {
		bool take_left =
			j == nright || (i < nleft && left[i].live >= 0 && right[j].live >= 0 &&
					left[i].live < right[j].live);

		ret->items[ret->n++] = take_left ? left[i++].value : right[j++].value;
	}
}

int keyed_reorder(struct strategic *s, struct json_value *merged, const struct json_value *order,
		  const struct keyed *live, const char *merge_key)
{
	struct ranked *named = ARENA_ARRAY(s->arena, merged->n, struct ranked);
	struct ranked *others = ARENA_ARRAY(s->arena, merged->n, struct ranked);
	struct keyed by_order CLEANUP(keyed_fini) = {0};
	struct keyed keys CLEANUP(keyed_fini) = {0};
	size_t nnamed = 0;
	size_t nothers = 0;
	struct json_value result;

	if (keyed_init(s, &by_order, order->items, order->n, merge_key) < 0 ||
	    keyed_init(s, &keys, merged->items, merged->n, merge_key) < 0) {
		return s->err->code;
	}
	for (size_t i = 0; i < merged->n; i++) {
		ptrdiff_t rank = keyed_find(&by_order, keys.keys[i]);
		ptrdiff_t at = keyed_find(live, keys.keys[i]);

		if (rank >= 0) {
			named[nnamed++] = (struct ranked){merged->items[i], rank, at, i};
		} else {
			/* New ones that nobody has placed come last. */
			others[nothers++] =
				(struct ranked){merged->items[i], at < 0 ? PTRDIFF_MAX : at, at, i};
		}
	}
	qsort(named, nnamed, sizeof(*named), compare_ranked);
	qsort(others, nothers, sizeof(*others), compare_ranked);
	result = (struct json_value){.kind = JSON_ARRAY, .cap = merged->n};
	result.items = ARENA_ARRAY(s->arena, merged->n, struct json_value);
	weave(&result, others, nothers, named, nnamed);
	*merged = result;
	return 0;
}

void keyed_drop(struct json_value *list, const struct keyed *keys, const struct keyed *drop)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < list->n; i++) {
		if (keyed_find(drop, keys->keys[i]) < 0) {
			list->items[n++] = list->items[i];
		}
	}
	list->n = n;
}
