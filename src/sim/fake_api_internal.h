/* SPDX-License-Identifier: Apache-2.0 */
/* sim/fake_api_internal.h: fake_api.c has reads, watches and the life of a call, fake_write.c makes new versions of objects. */
#pragma once
#include "sim/fake_api.h"

struct fake_api {
	struct env *env;
	struct store *store;
};

/* One request under way. */
struct fake_call {
	struct env_task start;
	struct client *client;
	struct fake_api *api;
	struct arena arena;
	struct client_request req; /* everything in the arena; body decoded anew */
	client_done_fn done;
	void *ctx;
	struct str key;
	struct store_value *written; /* the answer of a put */
	size_t waiting;		     /* deletions of a collection */
};

struct str fake_key(struct arena *a, const struct resource_desc *resource, struct str ns,
		    struct str name);
struct frozen *fake_freeze(const struct resource_desc *resource, const struct store_value *value);
void fake_answer_error(struct fake_call *c, int code, int http_status, const char *reason,
		       const char *fmt, ...) PRINTF(5, 6);
/* value may be NULL: a Status of success. */
void fake_answer_value(struct fake_call *c, const struct store_value *value);
void fake_write(struct fake_call *c);
void fake_delete_collection(struct fake_call *c);
