/* SPDX-License-Identifier: Apache-2.0 */
/* linux/file.h: whole files and trees: small reads with a limit, replacement that survives a power cut, mkdir -p, rm -r that never
 * leaves the mount it started in. Every call blocks; any thread. Paths are trusted: bytes from outside go through linux/path.h. */
#pragma once
#include <stdbool.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

/* Appends the contents to *ret. ERR_LIMIT if there are more than `limit` bytes. `dir` is a descriptor or AT_FDCWD. */
MUST_USE int file_read(int dir, const char *path, size_t limit, struct buf *ret, struct err *err);
/* Reads an open descriptor from its position to the end; `what` names it in errors. */
MUST_USE int file_read_fd(int fd, const char *what, size_t limit, struct buf *ret, struct err *err);
/* Writes to a file that exists (kernel files: cgroup, proc): one write(2), all or an error. */
MUST_USE int file_put(const char *path, struct str data, struct err *err);
/* All bytes, or a negative errno. */
MUST_USE int file_write_all(int fd, const void *p, size_t n);
/* Replaces path by a file with these bytes: temporary file beside it, rename. With `durable` the file and its directory are synced,
 * so that after a power cut there is the old or the new file, never a part. */
MUST_USE int file_replace(const char *path, struct str data, mode_t mode, bool durable,
			  struct err *err);
MUST_USE int file_sync_dir(const char *path, struct err *err);
/* mkdir -p; an existing directory is success (its mode stays). */
MUST_USE int dir_make(const char *path, mode_t mode, struct err *err);
/* rm -r; nothing there is success. Refuses to cross into another mount (ERR_BUSY names it): a mount forgotten inside must not cost its data. */
MUST_USE int file_tree_remove(const char *path, struct err *err);
/* The same for one name (a single component) in an open directory. */
MUST_USE int tree_remove_at(int dir, const char *name, struct err *err);
bool file_exists(const char *path);

/* Names in a directory, sorted, without "." and "..", for iteration while it changes. */
struct dir_names {
	char **p;
	size_t n;
	size_t cap;
};
/* A missing directory gives no names. ERR_LIMIT beyond a million. */
MUST_USE int dir_list(const char *path, struct dir_names *ret, struct err *err);
void dir_names_fini(struct dir_names *names);
#define CLEANUP_DIR_NAMES CLEANUP(dir_names_fini)
