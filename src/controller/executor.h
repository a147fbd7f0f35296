/* SPDX-License-Identifier: Apache-2.0 */
/* controller/executor.h: runs controllers: the only part of them that does anything (invariant I7). One loop thread.
 *
 *   informers --changed--> keys() --> work queue --> reconcile() --> actions --> client
 *                                        ^                             |
 *                                        +-- the key is held until ----+
 *                                            the informers show every write
 *
 * Within a stage, writes of pods go out 1, 2, 4, ... at a time and stop at the first batch with a failure (a full quota is not asked a
 * thousand times); all others go out together. If no answer arrived (time-out, lost connection), the object is read until its state
 * is known: a write is never repeated blindly. */
#pragma once
#include "base/log.h"
#include "controller/controller.h"

struct executor;

struct executor_config {
	struct env *env;
	struct log *log; /* may be NULL */
	/* Shared by all controllers, and with other components of the process; must outlive the executor. */
	struct informers *informers;
	struct client *
		reader; /* may list everything: the client of the informers; it must outlive the calls under way */
	/* The client of one identity ("replicaset-controller"); the executor owns what it gets. Called once per identity. */
	struct client *(*client_for)(void *ctx, const char *service_account);
	void *client_ctx;
	const struct controller_options *options; /* borrowed */
	/* Default: all_controllers. */
	const struct controller_desc *const *controllers;
	size_t ncontrollers;
};

/* Starts the informers that are missing; reconciling begins when all of them have their first list. */
struct executor *executor_new(const struct executor_config *config);
/* No reconcile and no new call afterwards; what waits is dropped. Calls under way are let run out, then the clients are freed. */
void executor_free(struct executor *ex);

/* True when no key is ready, being worked on or held: what remains waits for time to pass. */
bool executor_is_idle(const struct executor *ex);

enum { EXECUTOR_BUCKETS = 10 };

/* A histogram with upstream's bounds: 1e-8 s, 1e-7 s, ... 10 s, and +Inf. */
struct duration_histogram {
	uint64_t buckets[EXECUTOR_BUCKETS + 1]; /* not cumulative */
	uint64_t count;
	int64_t sum_ns;
};

struct controller_metrics {
	const char *name;	   /* the label `name` */
	uint64_t adds, retries;	   /* workqueue_adds_total, workqueue_retries_total */
	size_t depth;		   /* workqueue_depth */
	size_t unfinished;	   /* keys between take and done */
	uint64_t passes, failures; /* reconcile calls; those that ended early */
	uint64_t writes;	   /* calls to the API, events not counted */
	struct duration_histogram queued,
		worked; /* workqueue_queue_duration_seconds, workqueue_work_duration_seconds */
};

size_t executor_metrics_count(const struct executor *ex);
void executor_get_metrics(const struct executor *ex, size_t i, struct controller_metrics *ret);
