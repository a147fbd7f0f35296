/* SPDX-License-Identifier: Apache-2.0 */
#include "net/slice.h"

#include "base/alloc.h"

enum {
	CHUNK_BYTES = 2048,
	POOL_MAX = 64,
	ITEMS_MIN = 8,
	ITEMS_KEPT = 32, /* an empty queue with a larger array gives it back */
};

struct slice_chunk {
	struct slice_pool *pool;
	struct slice_chunk *next;
	size_t used;
	char data[CHUNK_BYTES];
};

struct slice slice_copy(struct str s)
{
	char *p = mem_dup(s.p ? s.p : "", s.n);

	return (struct slice){p, s.n, mem_free, p};
}

struct slice slice_steal(struct buf *b)
{
	size_t n = b->n;
	char *p = buf_steal(b);

	return (struct slice){p, n, mem_free, p};
}

void slice_pool_fini(struct slice_pool *pool)
{
	struct slice_chunk *next;

	for (struct slice_chunk *c = pool->free; c; c = next) {
		next = c->next;
		mem_free(c);
	}
	*pool = (struct slice_pool){0};
}

static void chunk_release(void *owner)
{
	struct slice_chunk *c = owner;

	if (c->pool->n_free >= POOL_MAX) {
		mem_free(c);
		return;
	}
	c->next = c->pool->free;
	c->pool->free = c;
	c->pool->n_free++;
}

static struct slice_chunk *chunk_new(struct slice_pool *pool)
{
	struct slice_chunk *c = pool->free;

	if (c) {
		pool->free = c->next;
		pool->n_free--;
	} else {
		c = mem_resize(NULL, sizeof(*c));
		c->pool = pool;
	}
	c->used = 0;
	return c;
}

void slice_queue_init(struct slice_queue *q, struct slice_pool *pool)
{
	*q = (struct slice_queue){.pool = pool};
}

/* Called when nothing is queued. */
static void reset(struct slice_queue *q)
{
	q->head = q->tail = 0;
	q->chunk = NULL;
	if (q->cap > ITEMS_KEPT) {
		mem_free(q->items);
		q->items = NULL;
		q->cap = 0;
	}
}

void slice_queue_clear(struct slice_queue *q)
{
	struct slice *items = q->items;
	size_t head = q->head;
	size_t tail = q->tail;

	*q = (struct slice_queue){.pool = q->pool};
	for (size_t i = head; i < tail; i++) {
		slice_release(&items[i]);
	}
	mem_free(items);
}

static void make_room(struct slice_queue *q, size_t n)
{
	size_t used = q->tail - q->head;

	if (q->tail + n <= q->cap) {
		return;
	}
	if (q->head && used + n <= q->cap / 2) {
		memmove(q->items, q->items + q->head, used * sizeof(*q->items));
	} else {
		size_t want = MAX(q->cap * 2, used + n);
		size_t cap = MAX(want, (size_t)ITEMS_MIN);
		struct slice *items = mem_resize(NULL, cap * sizeof(*items));

		if (used) {
			memcpy(items, q->items + q->head, used * sizeof(*items));
		}
		mem_free(q->items);
		q->items = items;
		q->cap = cap;
	}
	q->head = 0;
	q->tail = used;
}

void slice_queue_add(struct slice_queue *q, const struct slice *slices, size_t n)
{
	make_room(q, n);
	for (size_t i = 0; i < n; i++) {
		struct slice s = slices[i];

		if (s.n == 0) {
			slice_release(&s);
			continue;
		}
		q->items[q->tail++] = s;
		q->bytes += s.n;
		q->chunk = NULL;
	}
}

void slice_queue_add_copy(struct slice_queue *q, const void *p, size_t n)
{
	const char *from = p;

	while (n) {
		struct slice_chunk *c = q->chunk;
		size_t part;

		if (!c) {
			make_room(q, 1);
			c = chunk_new(q->pool);
			q->items[q->tail++] = (struct slice){c->data, 0, chunk_release, c};
		}
		part = MIN(n, sizeof(c->data) - c->used);
		memcpy(c->data + c->used, from, part);
		c->used += part;
		q->items[q->tail - 1].n += part;
		q->bytes += part;
		q->chunk = c->used < sizeof(c->data) ? c : NULL;
		from += part;
		n -= part;
	}
}

size_t slice_queue_take(struct slice_queue *q, char *room, size_t cap)
{
	size_t taken = 0;

	while (q->head < q->tail && taken < cap) {
		struct slice *s = &q->items[q->head];
		size_t part = MIN(s->n, cap - taken);

		memcpy(room + taken, s->p, part);
		taken += part;
		s->p += part;
		s->n -= part;
		if (s->n == 0) {
			struct slice done = *s;

			if (++q->head == q->tail) {
				reset(q);
			}
			slice_release(&done);
		}
	}
	q->bytes -= taken;
	return taken;
}

void slice_queue_move(struct slice_queue *to, struct slice_queue *from)
{
	slice_queue_add(to, from->items + from->head, from->tail - from->head);
	from->bytes = 0;
	from->head = from->tail = 0;
	reset(from);
}
