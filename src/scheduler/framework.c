/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/framework.h"

#define PLUGIN(symbol, weight) extern const struct plugin plugin_##symbol;
#include "scheduler/plugins.def"
#undef PLUGIN

#define PLUGIN(symbol, weight) {&plugin_##symbol, weight},
const struct plugin_use plugins[] = {
#include "scheduler/plugins.def"
};
#undef PLUGIN
const size_t nplugins = ARRAY_LEN(plugins);

void reject_amount(struct rejection *ret, struct str text, int64_t wanted, int64_t free)
{
	if (ret->n < REASONS_MAX) {
		ret->reasons[ret->n++] = (struct reason){text, wanted, free};
	}
}

void reject(struct rejection *ret, struct str text)
{
	reject_amount(ret, text, 0, 0);
}

void reject_for_good(struct rejection *ret, struct str text)
{
	reject(ret, text);
	ret->unresolvable = true;
}

void normalize_scores(int64_t *scores, size_t n, bool reverse)
{
	int64_t max = 0;

	for (size_t i = 0; i < n; i++) {
		max = MAX(max, scores[i]);
	}
	for (size_t i = 0; i < n; i++) {
		scores[i] = max ? scores[i] * SCORE_MAX / max : 0;
		if (reverse) {
			scores[i] = SCORE_MAX - scores[i];
		}
	}
}

struct frozen *cycle_get(const struct cycle *c, const struct resource_desc *resource, struct str ns,
			 struct str name)
{
	return c->informers
		       ? informer_get(informers_get(c->informers, resource, STR_NULL), ns, name)
		       : NULL;
}

/* FNV-1a: keys are label values of nodes, which administrators choose. */
static size_t hash_of(struct str key)
{
	uint64_t h = 14695981039346656037ULL;

	for (size_t i = 0; i < key.n; i++) {
		h = (h ^ (unsigned char)key.p[i]) * 1099511628211ULL;
	}
	return (size_t)(h ^ (h >> 32));
}

static struct tally_entry *find_slot(const struct tally *t, struct str key)
{
	size_t i = hash_of(key) & (t->cap - 1);

	while (t->slots[i].key.p && !str_eq(t->slots[i].key, key)) {
		i = (i + 1) & (t->cap - 1);
	}
	return &t->slots[i];
}

static void grow(struct tally *t, struct arena *a)
{
	struct tally old = *t;

	t->cap = old.cap ? old.cap * 2 : 16;
	t->slots = ARENA_ARRAY(a, t->cap, struct tally_entry);
	for (size_t i = 0; i < old.cap; i++) {
		if (old.slots[i].key.p) {
			*find_slot(t, old.slots[i].key) = old.slots[i];
		}
	}
}

int64_t *tally_at(struct tally *t, struct arena *a, struct str key)
{
	struct tally_entry *e;

	if ((t->n + 1) * 2 > t->cap) {
		grow(t, a);
	}
	e = find_slot(t, key);
	if (!e->key.p) {
		e->key = key.p ? key : STR("");
		t->n++;
	}
	return &e->n;
}

const int64_t *tally_find(const struct tally *t, struct str key)
{
	struct tally_entry *e;

	if (!t->cap) {
		return NULL;
	}
	e = find_slot(t, key);
	return e->key.p ? &e->n : NULL;
}
