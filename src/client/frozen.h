/* SPDX-License-Identifier: Apache-2.0 */
/* client/frozen.h: one decoded version of an API object: immutable, reference-counted, shared by everything in the process that
 * looks at it. To change an object: object_dup() it into an arena, edit the copy, send it. In-process its strings point into the
 * stored bytes, which it keeps alive. Single loop thread. */
#pragma once
#include <stdint.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/err.h"
#include "object/desc.h"
#include "types/types.h"

struct frozen {
	uint32_t refs;
	const struct resource_desc *resource;
	const struct object_head
		*head;	    /* the generated struct of resource->type: cast by FROZEN_AS */
	int64_t revision;   /* metadata.resourceVersion as a number; 0 if it is not one */
	struct arena arena; /* what head and its parts live in */
	void (*release)(
		void *owner); /* drops the bytes that head's strings point into; NULL: they are in the arena */
	void *owner;
};

/* Decodes JSON text that is copied into the frozen object. 0 or ERR_*. */
MUST_USE int frozen_decode(const struct resource_desc *resource, struct str json,
			   struct frozen **ret, struct err *err);
/* The same without a copy: the text must stay until release(owner) is called. On failure the owner stays the caller's. */
MUST_USE int frozen_borrow(const struct resource_desc *resource, struct str json,
			   void (*release)(void *owner), void *owner, struct frozen **ret,
			   struct err *err);
/* For a transport that knows better than the text (a deletion's own revision); only before anyone else sees it. */
void frozen_set_revision(struct frozen *f, int64_t revision);
struct frozen *frozen_ref(struct frozen *f);
void frozen_unref(struct frozen *f);

/* const struct core_pod *pod = FROZEN_AS(f, core_pods, struct core_pod);  asserts that f is of that resource. */
#define FROZEN_AS(f, res, type)                                                                    \
	(ASSERT((f)->resource == &resource_##res), (const type *)(const void *)(f)->head)
