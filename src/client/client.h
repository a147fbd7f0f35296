/* SPDX-License-Identifier: Apache-2.0 */
/* client/client.h: how every component talks to the API: one identity, one of two transports (in-process, HTTP/2). All calls are
 * asynchronous, on the loop of the client's env; callbacks run on it too and never from inside the call that started them.
 *
 * Authentication and TLS belong to the transport; in-process calls run through the same stages of the API server under the
 * client's user name and are authorized by RBAC (invariant I6). */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "client/frozen.h"
#include "env/env.h"
#include "object/desc.h"

struct client;
struct client_watch;

enum patch_type { PATCH_JSON, PATCH_MERGE, PATCH_STRATEGIC, PATCH_APPLY };

enum propagation {
	PROPAGATION_DEFAULT,
	PROPAGATION_ORPHAN,
	PROPAGATION_BACKGROUND,
	PROPAGATION_FOREGROUND
};

/* Everything borrowed until the call returns (not until it is answered). */
struct client_request {
	enum verb verb; /* not VERB_WATCH */
	const struct resource_desc *resource;
	const char *subresource; /* "status", or NULL */
	struct str ns, name;	 /* name unset: the collection */
	/* Body of create and update, and of a create on a subresource: a generated struct and its type. kind and apiVersion are filled in. */
	const struct type_desc *body_type;
	const void *body;
	enum patch_type patch_type;
	struct str patch; /* JSON */
	/* list, deletecollection */
	struct str label_selector, field_selector, continue_token;
	int64_t limit;
	/* delete */
	const int64_t *grace_period_seconds; /* NULL: the object's own */
	enum propagation propagation;
	struct str precondition_uid, precondition_resource_version;
	struct str field_manager; /* default: the client's user agent */
};

struct client_result {
	int code; /* 0, or ERR_*: NOT_FOUND, EXISTS, CONFLICT, DENIED, INVALID, AGAIN (429, 503), TIMEOUT, CLOSED, ... */
	int http_status;	    /* 0: no answer arrived */
	struct str reason, message; /* of the metav1.Status, on failure */
	int32_t retry_after_seconds;
	struct frozen *
		object; /* the answered object (single object verbs), borrowed; NULL when the answer is a Status */
	/* An answer that is not an object of the resource (TokenRequest, Scale, a review): its struct, borrowed. */
	const void *body;
	const struct type_desc *body_type;
	/* list: */
	struct frozen *const *items;
	size_t nitems;
	struct str resource_version, continue_token;
};

typedef void (*client_done_fn)(void *ctx, const struct client_result *result);

/* done is called exactly once. */
void client_call(struct client *client, const struct client_request *request, client_done_fn done,
		 void *ctx);

enum watch_event { WATCH_ADDED, WATCH_MODIFIED, WATCH_DELETED, WATCH_BOOKMARK };

struct client_watch_opts {
	const struct resource_desc *resource;
	struct str ns; /* unset: all namespaces */
	struct str label_selector, field_selector;
	struct str resource_version; /* events after it */
	bool send_initial_events; /* list by watch: ADDED for what exists, then a BOOKMARK with the initial-events-end annotation */
	/* object is borrowed (frozen_ref to keep it); a BOOKMARK's object has only a resourceVersion. */
	void (*event)(void *ctx, enum watch_event event, struct frozen *object);
	/* Over: ERR_COMPACTED (410: list again), ERR_CLOSED (resume from the last revision), other errors. The watch is freed after it. */
	void (*ended)(void *ctx, int code, struct str message);
	void *ctx;
};

struct client_watch *client_watch_start(struct client *client,
					const struct client_watch_opts *opts);
/* No callback afterwards. NULL is fine. */
void client_watch_stop(struct client_watch *watch);

/* What a transport has to offer; slots are mandatory. */
struct client_ops {
	void (*call)(struct client *client, const struct client_request *request,
		     client_done_fn done, void *ctx);
	struct client_watch *(*watch_start)(struct client *client,
					    const struct client_watch_opts *opts);
	void (*watch_stop)(struct client_watch *watch);
	void (*free)(struct client *client);
};

/* Base of a transport's client. */
struct client {
	const struct client_ops *ops;
	struct env *env;
	const char *user_agent; /* "kubelet", "kube-scheduler": default field manager; constant */
};

void client_free(struct client *client);

/* The ERR_* of an HTTP status and a Status' reason. */
int client_code_of_http(int http_status, struct str reason);

/* Base of a transport's watch. */
struct client_watch {
	struct client *client;
};
