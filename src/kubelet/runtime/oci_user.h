/* SPDX-License-Identifier: Apache-2.0 */
/* kubelet/runtime/oci_user.h: the "user" of an image or container turned into numbers by the /etc/passwd and /etc/group of the container's root
 * file system, which are foreign bytes: opened below the root, at most 1 MiB each, lines that make no sense are skipped. Blocks. */
#pragma once
#include "base/arena.h"
#include "base/err.h"

struct oci_user {
	uint32_t uid, gid;
	uint32_t *groups; /* supplementary, in the arena; those the image lists the user in */
	size_t n_groups;
	struct str home; /* unset if the user is not listed */
};

/* text: "", "name", "uid", "name:group", "uid:gid", ...; run_as_user/group override its parts (negative: unset). Without any the user is root. A
 * number needs no entry; its group is then 0. ERR_INVALID if a name is not listed. */
MUST_USE int oci_user_resolve(int root, struct str text, int64_t run_as_user, int64_t run_as_group,
			      struct arena *arena, struct oci_user *ret, struct err *err);
