/* SPDX-License-Identifier: Apache-2.0 */
/* scheduler/scheduler_internal.h: the outer loop's state, shared by scheduler.c (decide), intake.c (what informers tell), binding.c (what
 * is written). */
#pragma once
#include "base/buf.h"
#include "base/list.h"
#include "client/event_recorder.h"
#include "scheduler/cycle.h"
#include "scheduler/queue.h"
#include "scheduler/scheduler.h"

struct scheduler {
	struct scheduler_config config;
	struct node_cache cache;
	struct queue queue;
	struct event_recorder *events;
	struct env_timer timer;
	struct list bindings; /* struct binding */
	struct map why;	      /* key -> heap text */
	size_t next_start;
	size_t calls; /* answers to come */
	bool freed;
	struct scheduler_metrics metrics;
};

/* intake.c */
void intake_start(struct scheduler *s);
bool intake_is_ours(const struct scheduler *s, const struct core_pod *pod);
/* binding.c: the pod is assumed on the node; prepares its volumes, binds, reports. */
void binding_start(struct scheduler *s, const struct pod_info *pod, uint32_t slot);
/* Claims or volumes changed: go on with those that wait for them. */
void binding_continue_all(struct scheduler *s);
/* The pod fits nowhere: condition, nominated node and event. */
void binding_report_failure(struct scheduler *s, const struct core_pod *pod, struct str reason,
			    struct str message, struct str nominated);
void binding_evict(struct scheduler *s, const struct pod_info *victim,
		   const struct core_pod *preemptor, struct str node);
void binding_free_all(struct scheduler *s);
/* scheduler.c: something may be ready. */
void scheduler_wake(struct scheduler *s);
void scheduler_drop(struct scheduler *s); /* frees once no answer is to come */
