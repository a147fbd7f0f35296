/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/work_queue.h"

#include "base/alloc.h"
#include "base/list.h"
#include "base/map.h"

#define RETRY_MIN_NS (5 * NS_PER_MS)
#define RETRY_MAX_NS (1000 * NS_PER_SEC)

struct item {
	struct work_queue *queue;
	struct str key;	   /* owned */
	struct list ready; /* linked: may be taken */
	struct env_timer timer;
	int64_t ready_ns; /* since when */
	unsigned failures;
	bool dirty;	 /* added and not taken yet */
	bool processing; /* between take and done */
};

struct work_queue {
	struct env *env;
	void (*ready)(void *ctx);
	void *ctx;
	struct map items;
	struct list ready_list;
	struct work_queue_stats stats;
};

struct work_queue *work_queue_new(struct env *env, void (*ready)(void *ctx), void *ctx)
{
	struct work_queue *q = NEW(struct work_queue);

	q->env = env;
	q->ready = ready;
	q->ctx = ctx;
	map_init(&q->items, MAP_BORROW_KEYS);
	list_init(&q->ready_list);
	return q;
}

static void item_free(struct item *item)
{
	env_timer_stop(item->queue->env, &item->timer);
	list_remove(&item->ready);
	mem_free((char *)item->key.p);
	mem_free(item);
}

void work_queue_free(struct work_queue *q)
{
	struct str key;
	void *value;

	if (!q) {
		return;
	}
	for (size_t i = 0; map_next(&q->items, &i, &key, &value);) {
		item_free(value);
	}
	map_fini(&q->items);
	mem_free(q);
}

static void item_drop_if_idle(struct item *item)
{
	if (!item->dirty && !item->processing && !item->failures && !item->timer.at_mono_ns) {
		map_remove(&item->queue->items, item->key);
		item_free(item);
	}
}

static void make_ready(struct item *item)
{
	item->ready_ns = env_mono_ns(item->queue->env);
	list_add_tail(&item->queue->ready_list, &item->ready);
	item->queue->stats.depth++;
	item->queue->ready(item->queue->ctx);
}

static void item_add(struct item *item)
{
	if (item->dirty) {
		return;
	}
	item->dirty = true;
	item->queue->stats.adds++;
	if (!item->processing) {
		make_ready(item);
	}
}

static void on_timer(struct env_timer *timer)
{
	item_add(CONTAINER_OF(timer, struct item, timer));
}

static struct item *item_get(struct work_queue *q, struct str key)
{
	struct item *item = map_find(&q->items, key);

	if (!item) {
		item = NEW(struct item);
		item->queue = q;
		item->key = str_make(mem_dup_str(key.p, key.n), key.n);
		item->timer.fn = on_timer;
		map_put(&q->items, item->key, item);
	}
	return item;
}

void work_queue_add(struct work_queue *q, struct str key)
{
	item_add(item_get(q, key));
}

void work_queue_add_after(struct work_queue *q, struct str key, int64_t delay_ns)
{
	struct item *item = item_get(q, key);
	int64_t at = env_mono_ns(q->env) + MAX(delay_ns, (int64_t)1); /* 0 would be "not armed" */

	/* An earlier one is kept: what it brings about asks again for what is still to come. */
	if (!item->timer.at_mono_ns || at < item->timer.at_mono_ns) {
		env_timer_start(q->env, &item->timer, at);
	}
}

void work_queue_add_rate_limited(struct work_queue *q, struct str key)
{
	struct item *item = item_get(q, key);
	int64_t delay = item->failures < 18 ? RETRY_MIN_NS << item->failures : RETRY_MAX_NS;

	item->failures++;
	q->stats.retries++;
	work_queue_add_after(q, key, MIN(delay, RETRY_MAX_NS));
}

void work_queue_forget(struct work_queue *q, struct str key)
{
	struct item *item = map_find(&q->items, key);

	if (item) {
		item->failures = 0;
		item_drop_if_idle(item);
	}
}

bool work_queue_take(struct work_queue *q, struct str *ret_key, int64_t *ret_waited_ns)
{
	struct item *item = LIST_FIRST(&q->ready_list, struct item, ready);

	if (!item) {
		return false;
	}
	list_remove(&item->ready);
	q->stats.depth--;
	item->dirty = false;
	item->processing = true;
	*ret_key = item->key;
	*ret_waited_ns = env_mono_ns(q->env) - item->ready_ns;
	return true;
}

void work_queue_done(struct work_queue *q, struct str key)
{
	struct item *item = map_find(&q->items, key);

	ASSERT(item && item->processing);
	item->processing = false;
	if (item->dirty) {
		make_ready(item);
	} else {
		item_drop_if_idle(item);
	}
}

void work_queue_get_stats(const struct work_queue *q, struct work_queue_stats *ret)
{
	*ret = q->stats;
}
