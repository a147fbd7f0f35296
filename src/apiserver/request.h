/* SPDX-License-Identifier: Apache-2.0 */
/* apiserver/request.h: one API request on its way through the stages (stages.def), whoever sent it: a client over HTTP
 * (apiserver/http_front.c) or a component in this process (apiserver/local_client.c). Loop thread only.
 *
 * A stage returns STAGE_NEXT, STAGE_ANSWERED (it filled r->answer) or STAGE_PENDING (it will call request_resume(r, ...) later, with what
 * it would have returned). The front end that made the request sends the answer and frees it. */
#pragma once
#include "apiserver/request_info.h"
#include "apiserver/status.h"
#include "base/arena.h"
#include "base/vec.h"
#include "client/client.h"
#include "rules/rbac.h"
#include "rules/selector.h"
#include "store/store.h"

struct apiserver;
struct request;
struct watcher;
struct http_request;

enum stage_result { STAGE_NEXT, STAGE_ANSWERED, STAGE_PENDING };

typedef enum stage_result (*stage_fn)(struct request *r);

enum answer_kind {
	ANSWER_NONE,
	ANSWER_STATUS, /* status */
	ANSWER_VALUE,  /* a stored version: value */
	ANSWER_OBJECT, /* a generated struct that is not stored: object, type */
	ANSWER_LIST,   /* items of a resource */
	ANSWER_BYTES,  /* ready bytes: discovery, metrics, ... */
	ANSWER_WATCH,  /* the front end starts the watch described in r->options */
	ANSWER_CONNECT, /* the connection is handed over: connect(r) decides what to do with it (logs, exec, proxy) */
};

struct answer_list {
	const struct store_value **items; /* one reference each, dropped with the request */
	size_t n;
	int64_t revision;
	struct str continue_token;
	int64_t remaining; /* -1: not told */
};

struct answer {
	enum answer_kind kind;
	int http_status;
	struct meta_status *status;
	const struct store_value *value; /* one reference */
	const void *object;
	const struct type_desc *type;
	struct answer_list list;
	struct str bytes;
	const char *content_type;
	const char *etag; /* of ANSWER_BYTES, or NULL */
	void (*connect)(
		struct request *r,
		struct http_request *http); /* takes the HTTP request over; r is gone after it */
};

/* How unknown and duplicate fields are met (?fieldValidation=). */
enum field_validation { FIELD_VALIDATION_WARN, FIELD_VALIDATION_STRICT, FIELD_VALIDATION_IGNORE };

/* Decoded query parameters and DeleteOptions. */
struct request_options {
	struct selector labels, fields;
	bool has_labels, has_fields;
	struct str resource_version, resource_version_match, continue_token;
	bool has_resource_version;
	int64_t limit;
	int64_t timeout_seconds; /* 0: the server chooses */
	bool allow_bookmarks, send_initial_events;
	bool dry_run;
	struct str field_manager;
	enum field_validation field_validation;
	const struct meta_delete_options *delete_options; /* never NULL for delete verbs */
};

struct request {
	struct apiserver *api;
	struct arena arena;
	/* As it came; borrowed from the front end for the request's life. */
	struct str method, path, query;
	struct str content_type, accept, user_agent, authorization;
	struct str body;      /* lives as long as the request */
	bool impersonates;    /* it has Impersonate-* headers */
	struct str peer_user; /* of a verified client certificate, or unset */
	struct str_list peer_groups;
	bool peer_refused;	   /* it sent a certificate that is not good */
	struct http_request *http; /* NULL: in-process */
	bool is_local;		   /* in-process: route and options are filled in by the client */
	/* What the stages found out. */
	struct request_info info;
	struct user_info user;
	const struct resource_desc *resource; /* NULL: not a resource request */
	const struct subresource_desc *sub;
	struct request_options options;
	struct str key; /* in the store, of one object */
	/* The answer, and texts for Warning headers. */
	struct answer answer;
	VEC(struct str) warnings;
	/* The machine. */
	size_t stage;
	int tries; /* of a write that lost a race */
	int64_t start_mono_ns;
	bool canceled; /* the client went away; nobody reads the answer */
	/* Called once r->answer is complete. */
	void (*answered)(struct request *r);
	/* For the verb: what it carries from one callback to the next. */
	void *verb_state;
};

/* Prepares an allocated, zeroed request that embeds front-end data around it. */
void request_init(struct request *r, struct apiserver *api);
/* Drops everything; the memory of r itself is the front end's. */
void request_fini(struct request *r);
/* Runs the stages until one answers or waits. */
void request_run(struct request *r);
void request_resume(struct request *r, enum stage_result result);

/* Short ways to answer; all return STAGE_ANSWERED. */
enum stage_result answer_status(struct request *r, struct meta_status *status);
enum stage_result answer_value(struct request *r, int http_status,
			       const struct store_value *value); /* takes its own reference */
enum stage_result answer_object(struct request *r, int http_status, const void *object,
				const struct type_desc *type);
enum stage_result answer_bytes(struct request *r, int http_status, const char *content_type,
			       struct str bytes);
/* What r is about, for refusals. */
struct status_about request_about(const struct request *r);
void request_warn(struct request *r, const char *fmt, ...) PRINTF(2, 3);

/* The stages, in order (stages.def). */
#define STAGE(name) enum stage_result stage_##name(struct request *r);
#include "apiserver/stages.def"
#undef STAGE
