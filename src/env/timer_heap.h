/* SPDX-License-Identifier: Apache-2.0 */
/* env/timer_heap.h: the armed timers of one env, earliest first; timers for the same moment fire in
 * the order they were armed. A binary heap of borrowed env_timers: impl[0] is the place in the
 * heap, impl[1] the order of arming. */
#pragma once
#include <stdbool.h>

#include "base/vec.h"
#include "env/env.h"

struct timer_heap {
	VEC(struct env_timer *) timers;
	uintptr_t armed; /* so far: the next timer's order */
};

void timer_heap_fini(struct timer_heap *heap);
/* Arm, or move an armed one. */
void timer_heap_start(struct timer_heap *heap, struct env_timer *timer, int64_t at_mono_ns);
/* Harmless when not armed. */
void timer_heap_stop(struct timer_heap *heap, struct env_timer *timer);
/* The earliest, or NULL. */
static inline struct env_timer *timer_heap_first(const struct timer_heap *heap)
{
	return heap->timers.n ? heap->timers.p[0] : NULL;
}
/* Fires what is due at `now`. A timer that is armed meanwhile waits for the next call, so that one
 * which re-arms itself for the past does not hold the loop. */
void timer_heap_fire(struct timer_heap *heap, int64_t now_mono_ns);
