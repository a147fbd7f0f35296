/* SPDX-License-Identifier: Apache-2.0 */
/* apiserver/status.h: refusals as metav1.Status, in upstream's form (apimachinery's api/errors): the one place where errors become
 * answers. All are allocated in the arena and borrow their arguments. Clients match code, reason and details; people read the message. */
#pragma once
#include "base/arena.h"
#include "object/field_error.h"
#include "types/types.h"

/* What the request was about, for details and message: resource "pods", group "" and name. */
struct status_about {
	struct str group, resource, name;
};

struct meta_status *status_new(struct arena *a, int code, const char *reason, struct str message);
struct meta_status *status_bad_request(struct arena *a, const char *fmt, ...)
	PRINTF(2, 3);					  /* 400 */
struct meta_status *status_unauthorized(struct arena *a); /* 401 */
struct meta_status *status_forbidden(struct arena *a, const struct status_about *about,
				     struct str why);	    /* 403 */
struct meta_status *status_path_not_found(struct arena *a); /* 404, no such route */
struct meta_status *status_not_found(struct arena *a, const struct status_about *about); /* 404 */
struct meta_status *status_method_not_allowed(struct arena *a, const struct status_about *about,
					      struct str verb);			 /* 405 */
struct meta_status *status_not_acceptable(struct arena *a, struct str accepted); /* 406 */
struct meta_status *status_already_exists(struct arena *a,
					  const struct status_about *about); /* 409 */
struct meta_status *status_conflict(struct arena *a, const struct status_about *about,
				    struct str why); /* 409 */
struct meta_status *
status_modified(struct arena *a,
		const struct status_about *about); /* 409, "the object has been modified; ..." */
struct meta_status *status_expired(struct arena *a, struct str message);		 /* 410 */
struct meta_status *status_too_large(struct arena *a, int64_t limit_bytes);		 /* 413 */
struct meta_status *status_unsupported_media_type(struct arena *a, struct str accepted); /* 415 */
/* kind: group and kind as in `Deployment.apps "x" is invalid`. errs borrowed. */
struct meta_status *status_invalid(struct arena *a, struct str group, struct str kind,
				   struct str name, const struct field_errors *errs); /* 422 */
struct meta_status *status_too_many_requests(struct arena *a, struct str message,
					     int retry_after_seconds);	     /* 429 */
struct meta_status *status_internal(struct arena *a, struct str message);    /* 500 */
struct meta_status *status_unavailable(struct arena *a, struct str message); /* 503 */
struct meta_status *status_timeout(struct arena *a, const struct status_about *about,
				   struct str what, int retry_after_seconds); /* 504 */
/* Success answer of deletions. */
struct meta_status *status_success(struct arena *a, const struct status_about *about,
				   struct str uid);
