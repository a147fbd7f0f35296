/* SPDX-License-Identifier: Apache-2.0 */
/* net/deadline.h: one timeout for many things. All entries of a queue wait equally long, so the order in which they were set is
 * the order in which they expire: setting and clearing is a list operation, and one timer serves thousands of connections. Loop
 * thread only. */
#pragma once
#include "env/env.h"

struct deadline {
	struct list link; /* zeroed: not set */
	int64_t at_mono_ns;
};

struct deadline_queue {
	struct env *env;
	struct env_timer timer;
	struct list entries; /* oldest first */
	int64_t timeout_ns;  /* 0: never */
	/* Called once the entry has been taken out; may set or clear any entry and free its own. */
	void (*expire)(struct deadline_queue *q, struct deadline *d);
	void *ctx; /* the owner's */
};

void deadline_queue_init(struct deadline_queue *q, struct env *env, int64_t timeout_ms,
			 void (*expire)(struct deadline_queue *q, struct deadline *d), void *ctx);
/* All entries must have been cleared or are forgotten. */
void deadline_queue_fini(struct deadline_queue *q);
/* Starts, or starts again, the entry's time. */
void deadline_set(struct deadline_queue *q, struct deadline *d);
/* Harmless when not set. */
void deadline_clear(struct deadline *d);
/* The entry that expires first, or NULL. */
struct deadline *deadline_first(struct deadline_queue *q);
