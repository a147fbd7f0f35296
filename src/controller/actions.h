/* SPDX-License-Identifier: Apache-2.0 */
/* controller/actions.h: what one pass of a reconcile function asked for; made by the functions of controller.h, read by the executor and
 * by tests. Everything lives in its own arena, so that the objects it was made from may change meanwhile. */
#pragma once
#include "base/vec.h"
#include "controller/controller.h"

enum action_kind {
	ACTION_CREATE,
	ACTION_UPDATE,
	ACTION_PATCH,
	ACTION_DELETE,
	ACTION_DELETE_COLLECTION,
	ACTION_CHECK_ABSENT,
	ACTION_CHECK_PRESENT,
	ACTION_CHECK_NONE,
};

struct action_event {
	const char *reason; /* NULL: none */
	struct core_object_reference about;
	struct str message;
};

struct action {
	enum action_kind kind;
	int stage;   /* from 0 */
	bool issued; /* the executor's */
	const struct resource_desc *resource;
	const char *subresource;
	struct str ns, name, uid;
	const void *obj; /* create, update */
	enum patch_type patch_type;
	struct str patch;
	struct delete_opts opts;
	refuses_fn refuses; /* of a check; its argument is `uid` */
	struct action_event on_success, on_failure;
};

struct plain_event {
	struct core_object_reference about;
	const char *type, *reason;
	struct str message;
};

struct actions {
	struct arena arena;
	VEC(struct action) list;
	VEC(struct plain_event) events;
	int stage;
	int64_t requeue_after_ns; /* -1: not asked for */
	struct str failure;	  /* unset: none */
};

void actions_init(struct actions *a);
void actions_fini(struct actions *a);
/* The reference that events about the object carry. In the arena. */
struct core_object_reference reference_of(struct arena *arena, const struct frozen *f);
