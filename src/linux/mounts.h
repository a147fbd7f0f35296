/* SPDX-License-Identifier: Apache-2.0 */
/* linux/mounts.h: mounts as the node makes them. Everything acts on the mount namespace of the calling process, blocks, and may be
 * called from any thread. (Named in the plural, as <linux/mount.h> is the kernel's.) Unmounting is idempotent, so that cleaning up after a crash is the same code as cleaning up. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "linux/file.h"

enum mount_flag {
	MOUNT_READ_ONLY = 1,
	MOUNT_RECURSIVE = 2,
	MOUNT_NO_EXEC = 4,
	MOUNT_NO_SUID = 8,
	MOUNT_NO_DEV = 16,
};

enum mount_propagation { MOUNT_PRIVATE, MOUNT_RSLAVE, MOUNT_RSHARED };

/* A stack of directories: lowers[0] is the topmost. At most MOUNT_LOWERS_MAX; paths may have any length (the kernel's one page of
 * options is avoided by naming descriptors). Upper and work are directories on one file system. */
enum { MOUNT_LOWERS_MAX = 200 };
MUST_USE int mount_overlay(const char *target, const char *const *lowers, size_t n,
			   const char *upper, const char *work, struct err *err);
/* Makes `source` (file or directory) appear at `target`, which is of the same sort. Read-only applies to the whole tree if recursive. */
MUST_USE int mount_bind(const char *source, const char *target, unsigned flags, struct err *err);
/* The same for a source that was resolved before (linux/path.h), so that nothing is looked up twice. */
MUST_USE int mount_bind_fd(int source, const char *target, unsigned flags, struct err *err);
MUST_USE int mount_propagate(const char *target, enum mount_propagation how, struct err *err);
/* size_bytes 0: the kernel's default (half of memory). */
MUST_USE int mount_tmpfs(const char *target, uint64_t size_bytes, unsigned mode, unsigned flags,
			 struct err *err);
/* Everything stacked at this path. Not mounted or not there: success. `lazy` detaches what is in use. */
MUST_USE int mount_remove(const char *target, bool lazy, struct err *err);
/* Mount points at or below path, deepest first. path must be absolute and without symbolic links. */
MUST_USE int mount_list(const char *path, struct dir_names *ret, struct err *err);
/* mount_remove of all of mount_list. */
MUST_USE int mount_remove_below(const char *path, struct err *err);
bool mount_is_point(const char *path);
