/* SPDX-License-Identifier: Apache-2.0 */
/* controller/executor_internal.h: executor.c has the queues and the life of a pass, pass.c issues its actions. */
#pragma once
#include "base/list.h"
#include "base/map.h"
#include "base/vec.h"
#include "controller/actions.h"
#include "controller/executor.h"
#include "controller/work_queue.h"

struct runner;
struct event_recorder;

struct target {
	struct runner *runner;
	const struct controller_watch *watch;
};

/* One informer and who wants to hear of it. */
struct source {
	struct executor *ex;
	const struct resource_desc *resource;
	struct informer *informer;
	VEC(struct target) targets;
};

struct identity {
	const char *service_account;
	struct client *client;
	struct event_recorder *recorder;
};

struct executor {
	struct executor_config config;
	VEC(struct runner *) runners;
	VEC(struct source *) sources;
	VEC(struct identity *) identities;
	struct list calls; /* of struct call */
	struct env_task wake;
	struct env_timer linger;
	bool wake_posted, started, closed;
	size_t pending; /* calls and tasks that will come back */
};

/* Why the newest pass of a key failed; until one succeeds. */
struct failure_note {
	struct arena arena;
	struct pass_failure failure;
};

struct runner {
	struct executor *ex;
	const struct controller_desc *desc;
	struct client *client;
	struct event_recorder *recorder;
	struct work_queue *queue;
	void *memory;
	struct map failures; /* key -> struct failure_note */
	struct list passes;
	size_t active;
	struct controller_metrics metrics;
};

/* A write that an informer has not shown yet. */
struct fence {
	struct informer *informer;
	int64_t revision;	  /* of what was written; 0: a deletion, */
	struct str ns, name, uid; /* shown by this one being gone or on its way */
};

struct pass {
	struct runner *runner;
	struct str key; /* the queue's, until done */
	struct list link;
	struct actions actions;
	size_t next; /* first action that has not been issued */
	size_t pods_batch;
	size_t in_flight;
	bool failed;
	bool settling; /* all is issued and answered: waiting for the informers */
	struct env_timer timer;
	int64_t started_ns;
	VEC(struct fence) fences;
};

void pass_fail(struct pass *p, const struct pass_failure *failure);
void pass_go_on(struct pass *p);
void pass_settle(struct pass *p);
void pass_end(struct pass *p);
void calls_abandon(struct executor *ex);
void executor_drop_if_done(struct executor *ex);
void failure_free(struct failure_note *note);
void failure_forget(struct runner *r, struct str key);
