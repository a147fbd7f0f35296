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

/* Settings of the process, after upstream's flags. controller_options_init gives upstream's defaults. Strings are the caller's. */
struct controller_options {
	struct str root_ca;		      /* PEM text of kube-root-ca.crt */
	struct str cluster_cidr;	      /* 10.244.0.0/16; unset: no pod CIDRs are given out */
	int node_cidr_mask;		      /* 24 */
	int64_t node_monitor_grace_period_ns; /* 50 s */
	int64_t node_monitor_period_ns;	      /* 5 s */
	int64_t node_startup_grace_period_ns; /* 60 s */
	double node_eviction_rate;	      /* 0.1 nodes per second */
	double secondary_node_eviction_rate;  /* 0.01 */
	double unhealthy_zone_threshold;      /* 0.55 */
	int large_cluster_size_threshold;     /* 50 */
	int terminated_pod_gc_threshold;      /* 12500 */
	int max_endpoints_per_slice;	      /* 100 */
	int64_t event_ttl_ns;		      /* 1 h */
	struct str
		provisioner; /* the provisioner of StorageClasses that we serve: cox.dev/shared-path */
	struct str
		provision_dir; /* volumes are directories below it, the same on every node; unset: none are made */
};

void controller_options_init(struct controller_options *options);

/* Why the pass before this one ended early. Text in the snapshot's arena. */
struct pass_failure {
	enum verb verb;
	const struct resource_desc *
		resource; /* of the object that could not be written; NULL: reconcile itself said actions_fail */
	struct str reason, message; /* of the API's answer */
};

/* What reconcile may look at. Everything is borrowed for the pass. */
struct snapshot {
	struct informers *informers; /* only those in the descriptor's watches */
	int64_t now_ns;		     /* wall clock, since the epoch */
	int64_t mono_ns;	     /* for durations that are observed here */
	struct arena *arena;	     /* of the pass: scratch */
	void *memory; /* the controller's own, see controller_desc.memory_new; NULL without it */
	const struct controller_options *options;
	const struct pass_failure *failed; /* NULL: the pass before succeeded */
	uint64_t (*random)(void *ctx);	   /* for names and jitter */
	void *random_ctx;
};

struct informer *snapshot_informer(const struct snapshot *snapshot,
				   const struct resource_desc *resource);
struct frozen *snapshot_get(const struct snapshot *snapshot, const struct resource_desc *resource,
			    struct str ns, struct str name);
/* The object of a key. NULL: there is none. */
struct frozen *snapshot_get_key(const struct snapshot *snapshot,
				const struct resource_desc *resource, struct str key);
/* PREFIX-x4f7z as the API server's generateName makes it. Controllers name what they create themselves, so that an answer that was
 * lost can be asked for again. */
struct str snapshot_random_name(const struct snapshot *snapshot, struct str prefix);

/* Adding actions; arguments are copied. obj: a generated struct of resource->type, with a name. */
void actions_create(struct actions *a, const struct resource_desc *resource, const void *obj);
/* resourceVersion in obj fences the write. */
void actions_update(struct actions *a, const struct resource_desc *resource, const void *obj);
void actions_update_status(struct actions *a, const struct resource_desc *resource,
			   const void *obj);
/* PUT of obj on a subresource that takes the object itself ("finalize"). */
void actions_update_subresource(struct actions *a, const struct resource_desc *resource,
				const char *subresource, const void *obj);
void actions_patch(struct actions *a, const struct resource_desc *resource, const char *subresource,
		   struct str ns, struct str name, enum patch_type type, struct str patch);
struct delete_opts {
	struct str uid;		     /* precondition, always set by controllers */
	struct str resource_version; /* precondition, or unset */
	enum propagation propagation;
	const int64_t *grace_period_seconds;
};
/* An object that has gone, or is another one by now, counts as deleted. */
void actions_delete(struct actions *a, const struct resource_desc *resource, struct str ns,
		    struct str name, const struct delete_opts *opts);
void actions_delete_collection(struct actions *a, const struct resource_desc *resource,
			       struct str ns);
/* Succeeds if a live read finds no object of this name, or one with another uid (unset: any object counts): the informer of an owner may lag behind that of
 * its dependents, and what is deleted for a missing owner does not come back. */
void actions_check_absent(struct actions *a, const struct resource_desc *resource, struct str ns,
			  struct str name, struct str uid);
/* Succeeds if a live read finds no object of the resource in the namespace for which refuses() holds; NULL: no object at all. */
typedef bool (*refuses_fn)(const struct frozen *object, struct str arg);
void actions_check_none(struct actions *a, const struct resource_desc *resource, struct str ns,
			refuses_fn refuses, struct str arg);
/* Succeeds if a live read finds this very object, and its deletion has not begun: before anything is adopted for it. */
void actions_check_present(struct actions *a, const struct resource_desc *resource, struct str ns,
			   struct str name, struct str uid);
/* An event about `about` (type Normal or Warning). Correlated and counted as upstream does; never fails the pass. */
void actions_event(struct actions *a, const struct frozen *about, const char *type,
		   const char *reason, const char *fmt, ...) PRINTF(5, 6);
/* The same about something that no informer holds. */
void actions_event_ref(struct actions *a, const struct core_object_reference *about,
		       const char *type, const char *reason, const char *fmt, ...) PRINTF(5, 6);
/* Event to be sent only when the newest added action succeeds (Normal) / fails (Warning; the API's message stands behind the prefix). */
void actions_on_success(struct actions *a, const struct frozen *about, const char *reason,
			struct str message);
void actions_on_failure(struct actions *a, const struct frozen *about, const char *reason,
			struct str message_prefix);
/* Later actions wait for all earlier ones. */
void actions_next_stage(struct actions *a);
/* Call reconcile for this key again after so long, whatever happens. The shortest one wins. */
void actions_requeue_after(struct actions *a, int64_t delay_ns);
/* Something that reconcile itself noticed: the actions are issued all the same, then the key is retried with back-off. */
void actions_fail(struct actions *a, const char *fmt, ...) PRINTF(2, 3);

/* Which keys of the controller an object's change concerns: call enqueue for each. old or new_ may be NULL. */
typedef void (*enqueue_fn)(void *ctx, struct str key);
struct controller_watch {
	/* NULL: every resource that `wants` accepts, of those that can be listed and watched. */
	const struct resource_desc *resource;
	bool (*wants)(const struct resource_desc *resource);
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
/* Enqueues the key of the object itself (new_, or else old): the keys function of most watches. */
void controller_keys_self(struct informers *informers, const struct frozen *old,
			  const struct frozen *new_, enqueue_fn enqueue, void *ctx);
/* For resources that are only looked up. */
void controller_keys_none(struct informers *informers, const struct frozen *old,
			  const struct frozen *new_, enqueue_fn enqueue, void *ctx);
/* Enqueues ns/name. */
void controller_enqueue(struct str ns, struct str name, enqueue_fn enqueue, void *ctx);
