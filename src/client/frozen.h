/* SPDX-License-Identifier: Apache-2.0 */
/* client/frozen.h: one decoded version of an API object: immutable, reference-counted, shared by everything in the process that
 * looks at it. To change an object: object_dup() it into an arena, edit the copy, send it. In-process its strings point into the
 * store's buffer, which it keeps alive. Single loop thread. */
#pragma once
#include <stdint.h>

#include "base/arena.h"
#include "object/desc.h"
#include "types/types.h"

struct store_value;

struct frozen {
	uint32_t refs;
	const struct resource_desc *resource;
	const struct object_head *head; /* the generated struct of resource->type: cast by FROZEN_AS */
	int64_t revision;		/* metadata.resourceVersion as a number; 0 if it is not one */
	struct arena arena;		/* what head and its parts live in */
	const struct store_value *value; /* the bytes they borrow from (one reference), or NULL: bytes are in the arena */
};

/* Decodes JSON text that is copied into the frozen object. 0 or ERR_*. */
MUST_USE int frozen_decode(const struct resource_desc *resource, struct str json, struct frozen **ret, struct err *err);
/* Decodes a stored version; takes a reference on it. */
MUST_USE int frozen_of_value(const struct resource_desc *resource, const struct store_value *value, struct frozen **ret,
			     struct err *err);
struct frozen *frozen_ref(struct frozen *f);
void frozen_unref(struct frozen *f);

/* const struct core_pod *pod = FROZEN_AS(f, core_pods, struct core_pod);  asserts that f is of that resource. */
#define FROZEN_AS(f, res, type)                                                                    \
	(ASSERT((f)->resource == &resource_##res), (const type *)(const void *)(f)->head)
