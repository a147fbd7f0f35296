/* SPDX-License-Identifier: Apache-2.0 */
#include "env/timer_heap.h"

static bool is_before(const struct env_timer *a, const struct env_timer *b)
{
	if (a->at_mono_ns != b->at_mono_ns) {
		return a->at_mono_ns < b->at_mono_ns;
	}
	return (uintptr_t)a->impl[1] < (uintptr_t)b->impl[1];
}

static void set(struct timer_heap *heap, size_t i, struct env_timer *timer)
{
	heap->timers.p[i] = timer;
	timer->impl[0] = (void *)i;
}

static void move_up(struct timer_heap *heap, size_t i, struct env_timer *timer)
{
	while (i > 0 && is_before(timer, heap->timers.p[(i - 1) / 2])) {
		set(heap, i, heap->timers.p[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	set(heap, i, timer);
}

static void move_down(struct timer_heap *heap, size_t i, struct env_timer *timer)
{
	for (;;) {
		size_t child = 2 * i + 1;

		if (child >= heap->timers.n) {
			break;
		}
		if (child + 1 < heap->timers.n &&
		    is_before(heap->timers.p[child + 1], heap->timers.p[child])) {
			child++;
		}
		if (!is_before(heap->timers.p[child], timer)) {
			break;
		}
		set(heap, i, heap->timers.p[child]);
		i = child;
	}
	set(heap, i, timer);
}

void timer_heap_fini(struct timer_heap *heap)
{
	vec_fini(&heap->timers);
}

void timer_heap_start(struct timer_heap *heap, struct env_timer *timer, int64_t at_mono_ns)
{
	timer_heap_stop(heap, timer);
	timer->at_mono_ns = MAX(at_mono_ns, 1); /* 0 says "not armed" */
	timer->impl[1] = (void *)heap->armed++;
	*vec_push(&heap->timers) = timer;
	move_up(heap, heap->timers.n - 1, timer);
}

void timer_heap_stop(struct timer_heap *heap, struct env_timer *timer)
{
	size_t i = (size_t)timer->impl[0];
	struct env_timer *last;

	if (!timer->at_mono_ns) {
		return;
	}
	ASSERT(i < heap->timers.n && heap->timers.p[i] == timer);
	timer->at_mono_ns = 0;
	last = heap->timers.p[--heap->timers.n];
	if (last == timer) {
		return;
	}
	if (i > 0 && is_before(last, heap->timers.p[(i - 1) / 2])) {
		move_up(heap, i, last);
	} else {
		move_down(heap, i, last);
	}
}

void timer_heap_fire(struct timer_heap *heap, int64_t now_mono_ns)
{
	uintptr_t limit = heap->armed;
	struct env_timer *timer;

	while ((timer = timer_heap_first(heap)) && timer->at_mono_ns <= now_mono_ns &&
	       (uintptr_t)timer->impl[1] < limit) {
		timer_heap_stop(heap, timer);
		timer->fn(timer);
	}
}
