/* SPDX-License-Identifier: Apache-2.0 */
/* kubelet/images/unpack.h: the short-lived child that reads image archives (invariant I1): it is executed afresh (so that it holds nothing of
 * the agent's memory), rooted in the staging directory, keeps only the capabilities that unpacking needs, and runs under a system call
 * filter. The image store starts it and reads its result file.
 *
 * Protocol: descriptor 0 the archive, 3 the staging directory, 2 one line about the failure. In the staging directory the file `have`
 * lists layers (hex, one a line) that need no unpacking. The child writes in/ (the archive's files), layers/<hex>/ and `result`:
 *     {"images":[{"names":["docker.io/library/x:latest"],"record":{..oci.h..}}],
 *      "layers":[{"diffId":"<hex>","bytes":1,"files":1,"opaque":["a/b"]}]}
 * Exit status 0, or 1 with the line on descriptor 2. */
#pragma once
#include "base/arena.h"
#include "base/err.h"

/* The applet: argv[1], if given, is the name for the archive's only image. Never returns to normal operation: exits. */
NORETURN void image_unpack_main(int argc, char **argv);

enum { UNPACK_STAGING_FD = 3 };

/* What stands between the child and its work: limits of one archive. */
#define UNPACK_ARCHIVE_BYTES_MAX (UINT64_C(64) << 30)
#define UNPACK_LAYER_BYTES_MAX (UINT64_C(32) << 30)
#define UNPACK_FILES_MAX UINT64_C(2000000)
