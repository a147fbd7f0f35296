/* SPDX-License-Identifier: Apache-2.0 */
/* apiserver/verbs/write.h: the one write path (invariant I6), shared by all verbs that change an object:
 *
 *   base (the pending version) -> new object -> defaults -> admission -> prepare -> validation -> encode -> commit -> answer
 *
 * Between reading the base and queueing the commit nothing else runs on the loop, so a commit loses no race; what a client's
 * resourceVersion contradicts is found here. Every answer waits for the disk, refusals that rest on a pending version included. */
#pragma once
#include "apiserver/request.h"
#include "rules/strategy.h"

enum write_kind { WRITE_CREATE, WRITE_UPDATE, WRITE_STATUS, WRITE_FINALIZE, WRITE_DELETE };

struct write {
	struct request *r;
	const struct strategy *strategy;
	enum write_kind kind;
	const struct store_value *base; /* one reference; NULL on create */
	struct object_head *old;	/* decoded base; NULL on create */
	struct object_head *obj;	/* what is to be stored */
	struct store_value
		*value;	 /* its stored form, while the commit is under way (one reference) */
	int http_status; /* of the success */
	struct meta_status *refusal; /* to be answered once what it rests on is durable */
	/* Called when nothing was stored after all: gives back what admission has taken. NULL: nothing. */
	void (*on_failure)(struct write *w);
	/* How to answer with the version that is now stored; NULL: as it is. */
	enum stage_result (*answer)(struct request *r, const struct store_value *value);
};

/* A write in the request's arena, with the base read and decoded (kinds other than create). base stays NULL if there is no such object. */
struct write *write_new(struct request *r, enum write_kind kind);

/* The rest of the path for w->obj. */
enum stage_result write_finish(struct write *w);
/* Deletes the base now. The answer is the deleted object for kinds where upstream does so, a Status otherwise. */
enum stage_result write_delete_now(struct write *w);
/* Answers `refusal` once the base (or its absence) is durable. */
enum stage_result write_refuse(struct write *w, struct meta_status *refusal);

/* The object is in the namespace of the path (filled in when unset). NULL: fine. */
struct meta_status *check_namespace(struct request *r, struct object_head *obj);

struct json_value;
/* The kind of patch by the request's Content-Type; ERR_UNSUPPORTED: answered (415). */
MUST_USE int patch_type_of(struct request *r, enum patch_type *ret);
/* Applies the request's body to a tree of the given type, in place. ERR_*: answered. */
MUST_USE int apply_patch(struct request *r, enum patch_type type, const struct type_desc *of,
			 struct json_value *doc);

/* Admission plugins built into the server, in the order of admission.def; each may change obj, or refuse. NULL: admitted. */
struct meta_status *admit(struct write *w);
#define ADMISSION(name) struct meta_status *admit_##name(struct write *w);
#include "apiserver/admission.def"
#undef ADMISSION

/* Applies deletion rules to the base: decides between marking and deleting (finalizers, grace, propagation). */
enum stage_result delete_object(struct write *w, const struct meta_delete_options *options);
