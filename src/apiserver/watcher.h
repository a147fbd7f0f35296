/* SPDX-License-Identifier: Apache-2.0 */
/* apiserver/watcher.h: one watch of one resource, for whoever consumes it (a stream over HTTP, an informer in this process). Stored versions
 * are passed on as they are; with selectors an object that stops matching is told as deleted, one that starts as added. */
#pragma once
#include "apiserver/request.h"

struct watcher;

struct watcher_event {
	enum watch_event type;
	const struct store_value *value; /* NULL for a bookmark; the last version for a deletion */
	int64_t revision;		 /* what resourceVersion must say: that of the change */
	bool initial_end;		 /* the bookmark behind the initial events */
};

struct watcher_opts {
	const struct resource_desc *resource;
	struct str ns;
	const struct request_options *
		options; /* selectors, resourceVersion, bookmarks, initial events; copied as far as needed */
	/* Borrowed during the call; never called from inside watcher_start. May stop the watcher. */
	void (*events)(void *ctx, const struct watcher_event *events, size_t n);
	/* Over: the Status to tell (410 Expired), or NULL when the server closes. The watcher is still to be stopped by its owner. */
	void (*ended)(void *ctx, struct meta_status *why);
	void *ctx;
};

/* 0; or the refusal in *ret_refusal (in the arena). */
MUST_USE int watcher_start(struct apiserver *api, struct arena *a, const struct watcher_opts *opts,
			   struct watcher **ret, struct meta_status **ret_refusal);
void watcher_stop(struct watcher *w);
/* The newest revision that this watcher has seen or could have seen: for bookmarks. */
int64_t watcher_revision(const struct watcher *w);
