/* SPDX-License-Identifier: Apache-2.0 */
/* rules/selector.h: label selectors (the string form of queries and metav1.LabelSelector) and field selectors. Pure; a parsed selector
 * lives in its arena. Grammar: apimachinery pkg/labels and pkg/fields. */
#pragma once
#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"
#include "types/types.h"

enum selector_op {
	SELECTOR_IN,
	SELECTOR_NOT_IN,
	SELECTOR_EXISTS,
	SELECTOR_NOT_EXISTS,
	SELECTOR_GREATER,
	SELECTOR_LESS
};

struct selector_term {
	struct str key;
	enum selector_op op;
	struct str_list values; /* sorted */
};

/* All terms must hold. nothing: matches no object at all (a nil metav1.LabelSelector); no terms: matches everything. */
struct selector {
	struct selector_term *terms;
	size_t n;
	bool nothing;
};

enum { SELECTOR_TERMS_MAX = 1000, SELECTOR_VALUES_MAX = 10000 };

/* "app=web,tier in (a,b),!canary,x!=y,n>3". The message is upstream's. */
MUST_USE int label_selector_parse(struct arena *a, struct str text, struct selector *ret,
				  struct err *err);
/* NULL selector: nothing; empty one: everything. ERR_INVALID for an operator that does not exist or values that do not fit it. */
MUST_USE int label_selector_of(struct arena *a, const struct meta_label_selector *ls,
			       struct selector *ret, struct err *err);
/* {k: v, ...} as a Service or ReplicationController has it. An empty map matches everything; callers mostly mean "nothing" then. */
void label_selector_of_map(struct arena *a, const struct str_map *map, struct selector *ret);
bool selector_matches(const struct selector *s, const struct str_map *labels);
/* The same without parsing first, for a selector that is asked once. NULL, an operator that does not exist: nothing matches. */
bool label_selector_matches(const struct meta_label_selector *ls, const struct str_map *labels);
/* "app=web,tier in (a,b)": the canonical text, in the arena. */
struct str selector_text(struct arena *a, const struct selector *s);

/* "metadata.name=x,status.phase!=Running": terms with SELECTOR_IN and SELECTOR_NOT_IN of one value each. */
MUST_USE int field_selector_parse(struct arena *a, struct str text, struct selector *ret,
				  struct err *err);

/* Labels of the map by key; NULL: not there. The map is sorted. */
const struct str *str_map_find(const struct str_map *map, struct str key);
