/* SPDX-License-Identifier: Apache-2.0 */
/* kubelet/images/layer.h: unpack the tar stream of one image layer into a directory. Runs in the sandboxed child of unpack.h.
 * Every path is resolved by the kernel below the layer's root (linux/path.h): a symbolic link of the layer is followed as the container would
 * follow it, and never leads out. Whiteouts (".wh.name") become overlayfs's (character device 0:0); opaque directories are reported,
 * because their mark needs a privilege that this process does not have. Device nodes below dev/ are left out (a container has its
 * own /dev), elsewhere they are refused. */
#pragma once
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "kubelet/images/digest.h"

struct layer_limits {
	uint64_t bytes; /* of contents */
	uint64_t files;
	uint64_t stream_bytes; /* of the unpacked tar: what a compression bomb grows to */
};

struct layer_result {
	char diff_id[DIGEST_HEX + 1]; /* of the unpacked tar */
	uint64_t bytes, files;
	struct str *opaque; /* directories, relative to the root, in the arena */
	size_t n_opaque;
};

struct archive;

/* Reads a tar (plain, gzip or zstd) from fd and unpacks it below `root` (a directory descriptor). ERR_LIMIT, ERR_INVALID, ERR_NO_SPACE, ...;
 * then what was unpacked so far remains, for the caller to remove. */
MUST_USE int layer_unpack(int fd, int root, const struct layer_limits *limits, struct arena *arena,
			  struct layer_result *ret, struct err *err);

/* "./a//b/" becomes "a/b" in the arena; "" for the root itself. ERR_INVALID for "..", ERR_LIMIT for what is too long. */
MUST_USE int layer_clean_path(struct arena *arena, struct str path, struct str *ret,
			      struct err *err);
