/* SPDX-License-Identifier: Apache-2.0 */
/* controller/work_queue.h: keys that wait to be reconciled. A key stands in it once however often it is added; one that is added while
 * it is being worked on comes back when that is done. Failed keys wait 5 ms, 10 ms, ... 1000 s (upstream's back-off).
 *     add(k) add(k)  take -> k   add(k)   done(k)   take -> k   done(k)   take -> nothing */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "env/env.h"

struct work_queue;

struct work_queue_stats {
	uint64_t adds, retries;
	size_t depth; /* ready to be taken */
};

/* ready() tells that take() will find something; it is called from inside the functions below and from timers. */
struct work_queue *work_queue_new(struct env *env, void (*ready)(void *ctx), void *ctx);
void work_queue_free(struct work_queue *q);

void work_queue_add(struct work_queue *q, struct str key);
void work_queue_add_after(struct work_queue *q, struct str key, int64_t delay_ns);
/* After a failure: adds with the key's next delay. */
void work_queue_add_rate_limited(struct work_queue *q, struct str key);
/* After a success: the next failure starts again with the shortest delay. */
void work_queue_forget(struct work_queue *q, struct str key);
/* The oldest ready key; borrowed until its done(). waited_ns: how long it stood here. */
bool work_queue_take(struct work_queue *q, struct str *ret_key, int64_t *ret_waited_ns);
void work_queue_done(struct work_queue *q, struct str key);
void work_queue_get_stats(const struct work_queue *q, struct work_queue_stats *ret);
