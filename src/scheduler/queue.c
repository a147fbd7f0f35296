/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/queue.h"

#define SECOND_NS 1000000000LL
#define BACKOFF_FIRST_NS SECOND_NS
#define BACKOFF_MAX_NS (10 * SECOND_NS)
#define FLUSH_NS (300 * SECOND_NS)

static bool more_urgent(const struct queued *a, const struct queued *b)
{
	return a->priority != b->priority ? a->priority > b->priority : a->since_ns < b->since_ns;
}

static bool sooner(const struct queued *a, const struct queued *b)
{
	return a->until_ns < b->until_ns;
}

static void place(struct queue_heap *h, size_t at, struct queued *e)
{
	h->items.p[at] = e;
	e->at = at;
}

static void sift_up(struct queue_heap *h, size_t at)
{
	struct queued *e = h->items.p[at];

	while (at > 0 && h->before(e, h->items.p[(at - 1) / 2])) {
		place(h, at, h->items.p[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	place(h, at, e);
}

static void sift_down(struct queue_heap *h, size_t at)
{
	struct queued *e = h->items.p[at];

	for (;;) {
		size_t child = 2 * at + 1;

		if (child + 1 < h->items.n && h->before(h->items.p[child + 1], h->items.p[child])) {
			child++;
		}
		if (child >= h->items.n || !h->before(h->items.p[child], e)) {
			break;
		}
		place(h, at, h->items.p[child]);
		at = child;
	}
	place(h, at, e);
}

static void heap_remove(struct queue_heap *h, struct queued *e)
{
	size_t at = e->at;
	struct queued *last = h->items.p[--h->items.n];

	if (last != e) {
		place(h, at, last);
		sift_up(h, at);
		sift_down(h, last->at);
	}
}

static struct queue_heap *heap_of(struct queue *q, enum queue_place where)
{
	return where == QUEUE_ACTIVE ? &q->active : where == QUEUE_BACKOFF ? &q->backoff : NULL;
}

static void leave(struct queue *q, struct queued *e)
{
	struct queue_heap *h = heap_of(q, e->place);

	if (h) {
		heap_remove(h, e);
	}
	q->nunschedulable -= e->place == QUEUE_UNSCHEDULABLE;
}

static void enter(struct queue *q, struct queued *e, enum queue_place where)
{
	struct queue_heap *h = heap_of(q, where);

	e->place = where;
	q->nunschedulable += where == QUEUE_UNSCHEDULABLE;
	if (h) {
		*vec_push(&h->items) = e;
		sift_up(h, h->items.n - 1);
	}
}

static void move(struct queue *q, struct queued *e, enum queue_place where)
{
	leave(q, e);
	enter(q, e, where);
}

static void retry(struct queue *q, struct queued *e, int64_t now_ns)
{
	move(q, e, e->until_ns > now_ns ? QUEUE_BACKOFF : QUEUE_ACTIVE);
}

void queue_init(struct queue *q)
{
	*q = (struct queue){.active.before = more_urgent, .backoff.before = sooner};
	map_init(&q->pods, MAP_BORROW_KEYS);
}

static void queued_free(struct queued *e)
{
	mem_free((char *)e->key.p);
	mem_free(e);
}

void queue_fini(struct queue *q)
{
	struct str key;
	void *e;

	for (size_t i = 0; map_next(&q->pods, &i, &key, &e);) {
		map_remove(&q->pods, key);
		queued_free(e);
	}
	map_fini(&q->pods);
	vec_fini(&q->active.items);
	vec_fini(&q->backoff.items);
}

void queue_add(struct queue *q, struct str key, int32_t priority, int64_t now_ns)
{
	struct queued *e = map_find(&q->pods, key);

	if (e) {
		if (e->priority != priority) {
			e->priority = priority;
			move(q, e, e->place);
		}
		return;
	}
	e = NEW(struct queued);
	e->key = str_make(mem_dup_str(key.p, key.n), key.n);
	e->priority = priority;
	e->since_ns = now_ns;
	map_put(&q->pods, e->key, e);
	enter(q, e, QUEUE_ACTIVE);
}

void queue_update(struct queue *q, struct str key, int32_t priority, int64_t now_ns)
{
	struct queued *e = map_find(&q->pods, key);

	queue_add(q, key, priority, now_ns);
	if (e && e->place == QUEUE_UNSCHEDULABLE) {
		retry(q, e, now_ns);
	}
}

void queue_remove(struct queue *q, struct str key)
{
	struct queued *e = map_find(&q->pods, key);

	if (e) {
		leave(q, e);
		map_remove(&q->pods, e->key);
		queued_free(e);
	}
}

const struct queued *queue_find(const struct queue *q, struct str key)
{
	return map_find(&q->pods, key);
}

static void flush(struct queue *q, int64_t now_ns)
{
	struct str key;
	void *value;

	while (q->backoff.items.n && q->backoff.items.p[0]->until_ns <= now_ns) {
		move(q, q->backoff.items.p[0], QUEUE_ACTIVE);
	}
	for (size_t i = 0; q->nunschedulable && map_next(&q->pods, &i, &key, &value);) {
		struct queued *e = value;

		if (e->place == QUEUE_UNSCHEDULABLE && e->since_ns + FLUSH_NS <= now_ns) {
			retry(q, e, now_ns);
		}
	}
}

const struct queued *queue_take(struct queue *q, int64_t now_ns)
{
	struct queued *e;

	flush(q, now_ns);
	if (!q->active.items.n) {
		return NULL;
	}
	e = q->active.items.p[0];
	move(q, e, QUEUE_TAKEN);
	e->attempts++;
	return e;
}

void queue_fail(struct queue *q, struct str key, unsigned events, int64_t now_ns)
{
	struct queued *e = map_find(&q->pods, key);
	int64_t delay = BACKOFF_FIRST_NS;

	if (!e || e->place != QUEUE_TAKEN) {
		return; /* deleted meanwhile */
	}
	for (uint32_t i = 1; i < e->attempts && delay < BACKOFF_MAX_NS; i++) {
		delay *= 2;
	}
	e->until_ns = now_ns + MIN(delay, (int64_t)BACKOFF_MAX_NS);
	e->since_ns = now_ns;
	e->events = events;
	move(q, e, events ? QUEUE_UNSCHEDULABLE : QUEUE_BACKOFF);
}

void queue_event(struct queue *q, unsigned event, int64_t now_ns)
{
	struct str key;
	void *value;

	for (size_t i = 0; q->nunschedulable && map_next(&q->pods, &i, &key, &value);) {
		struct queued *e = value;

		if (e->place == QUEUE_UNSCHEDULABLE && (e->events & event)) {
			retry(q, e, now_ns);
		}
	}
}

int64_t queue_next_ns(const struct queue *q)
{
	int64_t next = INT64_MAX;
	struct str key;
	void *value;

	if (q->active.items.n) {
		return 0;
	}
	if (q->backoff.items.n) {
		next = q->backoff.items.p[0]->until_ns;
	}
	for (size_t i = 0; q->nunschedulable && map_next(&q->pods, &i, &key, &value);) {
		const struct queued *e = value;

		if (e->place == QUEUE_UNSCHEDULABLE) {
			next = MIN(next, e->since_ns + FLUSH_NS);
		}
	}
	return next;
}
