/* SPDX-License-Identifier: Apache-2.0 */
#include "net/deadline.h"

#include "base/alloc.h"

/* The timer is not moved when entries are set or cleared: it fires at the time of an entry that may be gone, looks, and sleeps on. */
static void handle_timer(struct env_timer *timer)
{
	struct deadline_queue *q = CONTAINER_OF(timer, struct deadline_queue, timer);
	int64_t now = env_mono_ns(q->env);

	for (;;) {
		struct deadline *d = deadline_first(q);

		if (!d) {
			return;
		}
		if (d->at_mono_ns > now) {
			env_timer_start(q->env, &q->timer, d->at_mono_ns);
			return;
		}
		deadline_clear(d);
		q->expire(q, d);
	}
}

void deadline_queue_init(struct deadline_queue *q, struct env *env, int64_t timeout_ms,
			 void (*expire)(struct deadline_queue *q, struct deadline *d), void *ctx)
{
	*q = (struct deadline_queue){
		.env = env, .timeout_ns = timeout_ms * NS_PER_MS, .expire = expire, .ctx = ctx};
	q->timer.fn = handle_timer;
	list_init(&q->entries);
}

void deadline_queue_fini(struct deadline_queue *q)
{
	if (q->env) {
		env_timer_stop(q->env, &q->timer);
	}
}

void deadline_set(struct deadline_queue *q, struct deadline *d)
{
	list_remove(&d->link);
	if (q->timeout_ns == 0) {
		return;
	}
	d->at_mono_ns = env_mono_ns(q->env) + q->timeout_ns;
	list_add_tail(&q->entries, &d->link);
	if (q->timer.at_mono_ns == 0) {
		env_timer_start(q->env, &q->timer, d->at_mono_ns);
	}
}

void deadline_clear(struct deadline *d)
{
	list_remove(&d->link);
}

struct deadline *deadline_first(struct deadline_queue *q)
{
	return LIST_FIRST(&q->entries, struct deadline, link);
}
