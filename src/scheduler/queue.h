/* SPDX-License-Identifier: Apache-2.0 */
/* scheduler/queue.h: pods that wait for a decision. Time comes in as a value (monotonic nanoseconds); nothing here has a clock.
 *     ACTIVE          ready: highest priority first, then longest waiting
 *     BACKOFF         failed lately: 1 s, 2 s, 4 s ... 10 s after its last attempt it becomes active
 *     UNSCHEDULABLE   waits for one of the events that its rejecting plugins named, at most 5 minutes
 *     TAKEN           a decision or binding is under way */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/map.h"
#include "base/vec.h"

enum queue_place { QUEUE_ACTIVE, QUEUE_BACKOFF, QUEUE_UNSCHEDULABLE, QUEUE_TAKEN };

struct queued {
	struct str key; /* owned */
	enum queue_place place;
	int32_t priority;
	uint32_t attempts;
	unsigned events;
	int64_t since_ns; /* when it came to where it is waiting; order among equals */
	int64_t until_ns; /* end of its back-off */
	size_t at;	  /* in its heap */
};

struct queue_heap {
	VEC(struct queued *) items;
	bool (*before)(const struct queued *a, const struct queued *b);
};

struct queue {
	struct map pods;
	struct queue_heap active, backoff;
	size_t nunschedulable;
};

void queue_init(struct queue *q);
void queue_fini(struct queue *q);
/* New ones become active; one that waits is only given its priority. */
void queue_add(struct queue *q, struct str key, int32_t priority, int64_t now_ns);
/* The pod itself changed: whatever it waited for, try again (after its back-off). */
void queue_update(struct queue *q, struct str key, int32_t priority, int64_t now_ns);
void queue_remove(struct queue *q, struct str key);
const struct queued *queue_find(const struct queue *q, struct str key);
/* Moves what is due and takes the first; NULL: nothing is ready. Borrowed until queue_remove. */
const struct queued *queue_take(struct queue *q, int64_t now_ns);
/* A taken pod fits nowhere: waits for one of the events (of enum cluster_event); 0: only for its back-off. */
void queue_fail(struct queue *q, struct str key, unsigned events, int64_t now_ns);
void queue_event(struct queue *q, unsigned event, int64_t now_ns);
/* When something becomes due by itself; INT64_MAX: nothing will. 0: something is ready now. */
int64_t queue_next_ns(const struct queue *q);
