/* SPDX-License-Identifier: Apache-2.0 */
/* crypto/secret.h: random secrets, comparing and wiping them, and files that hold them. */
#pragma once
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

/* From the kernel-seeded generator; aborts if there is none. Never for anything that the simulator must replay: that is env_random. */
void secret_random(void *p, size_t n);
/* Appends a token of n random bytes in base64url (n = 32: 43 characters). */
void secret_token(struct buf *out, size_t n);
/* Takes the same time wherever the texts differ; lengths are no secret. */
bool secret_eq(struct str a, struct str b);
/* Overwrites before freeing. */
void secret_wipe(void *p, size_t n);
void secret_buf_fini(struct buf *b);
#define CLEANUP_SECRET_BUF CLEANUP(secret_buf_fini)

/* Writes the file atomically (a new file beside it, synced, renamed over it, directory synced) with mode 0600 or, for public
 * things such as certificates, 0644. Blocks. */
MUST_USE int secret_file_write(const char *path, struct str data, bool is_public, struct err *err);
/* Appends the whole file; ERR_LIMIT above max_bytes. Blocks. */
MUST_USE int secret_file_read(const char *path, size_t max_bytes, struct buf *out, struct err *err);
