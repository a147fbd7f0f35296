/* SPDX-License-Identifier: Apache-2.0 */
/* controller/controller.h: what a controller is: a descriptor and a pure function (invariant I7).
 *
 *     reconcile(snapshot, key, actions)    reads the snapshot, says what to do, touches nothing
 *
 * One executor (controller/executor.h) runs them all: it keeps a rate-limited work queue of keys, calls reconcile for one key at a time,
 * issues the actions as the controller's own user (independent ones in parallel, in slow start for creates and deletes of pods; fenced by
 * resourceVersion) and holds the key until the informers have seen its writes, so that no controller acts on its own stale past. A failed
 * action is reported as an event where upstream does so, and the key comes back after a back-off (5 ms .. 1000 s, doubled each time).
 *
 * Order of actions: those of one `stage` are issued together; the next stage starts when all of the one before succeeded; after a
 * failure the rest is dropped. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "client/client.h"
#include "client/informer.h"

struct actions;

/* What reconcile may look at. Everything is borrowed for the pass. */
struct snapshot {
	struct informers *informers; /* only those in the descriptor's watches */
	int64_t now_ns;		     /* wall clock, since the epoch */
	struct arena *arena;	     /* of the pass: scratch and everything that actions refer to */
	void *memory; /* the controller's own, see controller_desc.memory_new; NULL without it */
	uint64_t (*random)(void *ctx); /* for names and jitter */
	void *random_ctx;
};

struct informer *snapshot_informer(const struct snapshot *snapshot,
				   const struct resource_desc *resource);
struct frozen *snapshot_get(const struct snapshot *snapshot, const struct resource_desc *resource,
			    struct str ns, struct str name);

/* Adding actions; all arguments must live as long as the pass (in the snapshot or its arena). obj: a generated struct of resource->type. */
void actions_create(struct actions *a, const struct resource_desc *resource, const void *obj);
/* resourceVersion in obj fences the write. */
void actions_update(struct actions *a, const struct resource_desc *resource, const void *obj);
void actions_update_status(struct actions *a, const struct resource_desc *resource,
			   const void *obj);
void actions_patch(struct actions *a, const struct resource_desc *resource, const char *subresource,
		   struct str ns, struct str name, enum patch_type type, struct str patch);
struct delete_opts {
	struct str uid;		     /* precondition, always set by controllers */
	struct str resource_version; /* precondition, or unset */
	enum propagation propagation;
	const int64_t *grace_period_seconds;
};
void actions_delete(struct actions *a, const struct resource_desc *resource, struct str ns,
		    struct str name, const struct delete_opts *opts);
/* An event about `about` (type Normal or Warning). Correlated and counted as upstream does; never fails the pass. */
void actions_event(struct actions *a, const struct frozen *about, const char *type,
		   const char *reason, const char *fmt, ...) PRINTF(5, 6);
/* Event text to be sent only when the newest added action succeeds / fails ("%s" is the API's message), as upstream words it. */
void actions_on_success(struct actions *a, const struct frozen *about, const char *reason,
			struct str message);
void actions_on_failure(struct actions *a, const struct frozen *about, const char *reason,
			struct str message_prefix);
/* Later actions wait for all earlier ones. */
void actions_next_stage(struct actions *a);
/* Call reconcile for this key again after so long, whatever happens. The shortest one wins. */
void actions_requeue_after(struct actions *a, int64_t delay_ns);
/* Something that reconcile itself noticed; logged, and the key is retried with back-off. */
void actions_fail(struct actions *a, const char *fmt, ...) PRINTF(2, 3);

/* Which keys of the controller an object's change concerns: call enqueue for each. old or new_ may be NULL. */
typedef void (*enqueue_fn)(void *ctx, struct str key);
struct controller_watch {
	const struct resource_desc *resource;
	void (*keys)(struct informers *informers, const struct frozen *old,
		     const struct frozen *new_, enqueue_fn enqueue, void *ctx);
	const struct informer_index_desc *const *indexes; /* NULL-terminated, or NULL */
};

struct controller_desc {
	const char *
		name; /* "replicaset-controller": upstream's name in --controllers, logs, metrics */
	const char *
		service_account; /* "replicaset-controller": writes as system:serviceaccount:kube-system:NAME; source of its events */
	int workers; /* keys reconciled at the same time; upstream's --concurrent-*-syncs */
	const struct controller_watch *watches;
	size_t nwatches;
	void (*reconcile)(const struct snapshot *snapshot, struct str key, struct actions *actions);
	/* Observations that are not in the API (when a heartbeat was last seen): heap, may be NULL. Rebuilt from nothing after a restart. */
	void *(*memory_new)(void);
	void (*memory_free)(void *memory);
	/* Keys to reconcile once after all informers have synced (periodic ones requeue themselves); may be NULL. */
	void (*start)(struct informers *informers, enqueue_fn enqueue, void *ctx);
};

/* controllers.def lists them all. */
extern const struct controller_desc *const all_controllers[];
extern const size_t all_controllers_n;

/* key "ns/name", or "name" for cluster-scoped objects. */
struct str controller_key_ns(struct str key);
struct str controller_key_name(struct str key);
