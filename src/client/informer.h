/* SPDX-License-Identifier: Apache-2.0 */
/* client/informer.h: a local, always current copy of one resource (all namespaces or what a selector lets through), kept by list-watch;
 * one per process and resource, shared by all who ask. Events come in order of revision; after a break the difference is delivered as
 * ordinary events. Loop thread only. */
#pragma once
#include <stdbool.h>

#include "client/client.h"

struct informer;
struct informers;

struct informers *informers_new(struct client *client);
void informers_free(struct informers *all);
/* The informer of a resource, started on first use. field_selector may be unset (e.g. spec.nodeName=worker-1); it must be the same for every
 * caller of one resource. */
struct informer *informers_get(struct informers *all, const struct resource_desc *resource,
			       struct str field_selector);
/* NULL: nobody has asked for it yet. */
struct informer *informers_find(const struct informers *all, const struct resource_desc *resource);
/* True once every informer that was asked for has delivered its first list. */
bool informers_have_synced(const struct informers *all);

struct informer_handler {
	/* old NULL: added; new NULL: deleted. Both borrowed. */
	void (*changed)(void *ctx, struct frozen *old, struct frozen *new_);
	void (*synced)(void *ctx);   /* the first list is complete; may be NULL */
	void (*advanced)(void *ctx); /* informer_revision has moved without a change; may be NULL */
	void *ctx;
};

/* What is there already is delivered as added, on the loop's next turn. */
void informer_add_handler(struct informer *informer, const struct informer_handler *handler);
/* Those with this ctx are not called any more. */
void informer_remove_handlers(struct informer *informer, const void *ctx);
bool informer_has_synced(const struct informer *informer);
/* The newest revision that is reflected here; 0 while the state is being listed again. */
int64_t informer_revision(const struct informer *informer);

/* Borrowed until the loop's next turn; NULL: no such object. ns unset for cluster-scoped ones. */
struct frozen *informer_get(const struct informer *informer, struct str ns, struct str name);

typedef bool (*informer_each_fn)(void *ctx, struct frozen *object);
/* ns unset: all. In order of namespace and name. */
void informer_each(const struct informer *informer, struct str ns, informer_each_fn each,
		   void *ctx);
size_t informer_count(const struct informer *informer);

/* An index: objects found by a derived key (the controller's uid, the node's name, ...). keys() calls add for each key of the object. */
struct informer_index_desc {
	const char *name;
	void (*keys)(const struct frozen *object, void (*add)(void *ctx, struct str key),
		     void *ctx);
};
/* Idempotent by desc pointer. */
void informer_add_index(struct informer *informer, const struct informer_index_desc *desc);
/* In order of namespace and name. */
void informer_each_indexed(const struct informer *informer, const struct informer_index_desc *desc,
			   struct str key, informer_each_fn each, void *ctx);
