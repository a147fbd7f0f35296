/* SPDX-License-Identifier: Apache-2.0 */
/* linux/path.h: paths that somebody else may have prepared (inside containers, volumes, image layers), resolved by the kernel below a
 * root descriptor with openat2(2), so that neither "..", symbolic links nor a rename in flight lead out. A container's own absolute
 * symbolic links keep their meaning: they start at the root descriptor.
 * All return descriptors (close-on-exec) or 0, or a negative errno value. Any thread; may block on slow file systems. */
#pragma once
#include <sys/types.h>

#include "base/attr.h"

/* A descriptor of the directory itself (O_PATH), to be the root of the others. */
MUST_USE int path_open_root(const char *path);
/* As if chrooted to `root`: "/" and ".." stop there. Magic links (/proc/x/fd) are refused with -ELOOP. */
MUST_USE int path_open_in_root(int root, const char *path, int flags, mode_t mode);
/* Below dir in the same mount, no symbolic link at any step, no "..": -ELOOP, -EXDEV. For trees that we own. */
MUST_USE int path_open_beneath(int dir, const char *path, int flags, mode_t mode);
/* mkdir -p inside the root; existing parts may be symbolic links that stay inside; what a dangling one points to is made. Returns a descriptor (O_PATH) of the last one. */
MUST_USE int path_make_dirs_in_root(int root, const char *path, mode_t mode);
/* A regular file exists at path inside the root, empty if it was missing, parents made: what a file bind mount needs. Returns O_PATH. */
MUST_USE int path_make_file_in_root(int root, const char *path, mode_t mode);
