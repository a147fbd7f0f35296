/* SPDX-License-Identifier: Apache-2.0 */
/* base/err.h: error codes (0 or positive is success, negative is ERR_*) and errors with a message for people.
 * A function that takes `struct err *err` sets it on failure only; callers on the way up wrap it with context:
 *     if (open_db(path, &err) < 0) return err_wrap(&err, "cannot start the store");
 * gives "cannot start the store: /var/lib/cox/db: no space left on device". `struct err e = {0};` is ready. */
#pragma once
#include "base/attr.h"
#include "base/str.h"

enum err_code {
#define ERR(name, number, text) ERR_##name = -(number),
#include "base/errors.def"
#undef ERR
};

struct err {
	int code;  /* 0 when unset */
	char *msg; /* heap, owned */
};

/* The text of a code, "not found". Never NULL. */
const char *err_text(int code);
/* Set code and message, replacing what was there; returns the code. err may be NULL. */
int err_set(struct err *err, int code, const char *fmt, ...) PRINTF(3, 4);
/* Like err_set, with ": strerror(errno)" behind it; ENOSPC and EDQUOT become ERR_NO_SPACE, ENOENT ERR_NOT_FOUND, EEXIST ERR_EXISTS,
 * EACCES/EPERM ERR_DENIED, EIO ERR_IO, others ERR_SYSTEM. */
int err_set_errno(struct err *err, int errnum, const char *fmt, ...) PRINTF(3, 4);
/* Put "prefix: " before the message; returns the code. */
int err_wrap(struct err *err, const char *fmt, ...) PRINTF(2, 3);
/* The message, or the code's text. */
const char *err_msg(const struct err *err);
void err_clear(struct err *err);

#define CLEANUP_ERR CLEANUP(err_clear)
