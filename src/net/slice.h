/* SPDX-License-Identifier: Apache-2.0 */
/* net/slice.h: output as a list of pieces that others own, so that a stored object reaches the TLS record without a copy. A slice in
 * a queue keeps its owner alive until its last byte was taken; then release(owner) is called, on the loop, and must not call
 * back into the stream.
 *     struct slice s = {text.p, text.n, release_value, value};     bytes of a reference-counted buffer
 *     struct slice s = slice_static(STR("]}"));                    bytes that outlive everything */
#pragma once
#include <stddef.h>

#include "base/buf.h"
#include "base/str.h"

struct slice {
	const char *p;
	size_t n;
	void (*release)(void *owner); /* NULL: nothing to release */
	void *owner;
};

static inline struct slice slice_static(struct str s)
{
	return (struct slice){s.p, s.n, NULL, NULL};
}

/* A copy on the heap. */
struct slice slice_copy(struct str s);
/* Takes the buffer's memory. */
struct slice slice_steal(struct buf *b);
static inline void slice_release(struct slice *s)
{
	if (s->release) {
		s->release(s->owner);
	}
}

/* Chunks for small copies, kept for reuse; one per loop. Zeroed is ready. */
struct slice_pool {
	struct slice_chunk *free;
	size_t n_free;
};

void slice_pool_fini(struct slice_pool *pool);

struct slice_queue {
	struct slice *items;
	size_t head, tail, cap;	   /* items[head..tail) are queued */
	size_t bytes;		   /* of all of them */
	struct slice_chunk *chunk; /* the last item's, while it has room */
	struct slice_pool *pool;
};

void slice_queue_init(struct slice_queue *q, struct slice_pool *pool);
/* Releases what is queued. The queue stays usable and holds no memory. */
void slice_queue_clear(struct slice_queue *q);
/* Takes the slices over; empty ones are released at once. */
void slice_queue_add(struct slice_queue *q, const struct slice *slices, size_t n);
/* Copies: small pieces (headers, chunk sizes) are gathered in shared chunks. */
void slice_queue_add_copy(struct slice_queue *q, const void *p, size_t n);
/* Moves up to cap bytes into `room`, releasing what is used up; returns how many. */
size_t slice_queue_take(struct slice_queue *q, char *room, size_t cap);
/* Moves everything behind the end of `to`. */
void slice_queue_move(struct slice_queue *to, struct slice_queue *from);
