/* SPDX-License-Identifier: Apache-2.0 */
/* linux/cgroup_internal.h: shared by the files cgroup*.c. */
#pragma once
#include "linux/cgroup.h"

/* "<dir of the controller><path>[/<file>]" in the arena; NULL if the controller is absent. */
const char *cgroup_file(const struct cgroup_fs *fs, enum cgroup_controller c, const char *path,
			const char *file, struct arena *arena);
/* True if this controller's directory was seen before: v2, or v1 controllers mounted together. */
bool cgroup_is_repeat(const struct cgroup_fs *fs, enum cgroup_controller c);
