/* SPDX-License-Identifier: Apache-2.0 */
/* store/sqlite_vfs.h: SQLite's files on a struct disk. For one connection with a rollback journal
 * and one thread at a time; who may open the file is settled before (a lock held on it), so
 * SQLite's own locks do nothing. */
#pragma once
#include <stdatomic.h>

#include "env/disk.h"

struct sqlite_vfs;

/* Registers itself with SQLite under a name of its own. *syncs counts calls of disk_ops.sync. disk
 * and syncs must outlive it. */
struct sqlite_vfs *sqlite_vfs_new(struct disk *disk, atomic_ulong *syncs);
/* After the connection was closed. NULL is fine. */
void sqlite_vfs_free(struct sqlite_vfs *vfs);
/* For sqlite3_open_v2. */
const char *sqlite_vfs_name(const struct sqlite_vfs *vfs);
