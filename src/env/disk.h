/* SPDX-License-Identifier: Apache-2.0 */
/* env/disk.h: files as the store needs them (invariant I8), so that tests can record every write and cut the power between any
 * two of them. All calls block; a disk may be used by one thread at a time per file. The real one is disk_posix(). */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

struct disk;
struct disk_file;

enum disk_open_flag { DISK_CREATE = 1, DISK_EXCLUSIVE = 2, DISK_READ_ONLY = 4, DISK_TRUNCATE = 8 };

/* All return 0 or a negative errno value (-ENOSPC, -EIO, ...): what SQLite's VFS has to tell apart. */
struct disk_ops {
	int (*open)(struct disk *disk, const char *path, int flags, struct disk_file **ret);
	void (*close)(struct disk_file *file);
	/* Bytes read; fewer than n only at the end of the file. */
	int64_t (*read)(struct disk_file *file, void *buf, size_t n, int64_t at);
	/* All or an error. */
	int (*write)(struct disk_file *file, const void *buf, size_t n, int64_t at);
	int (*truncate)(struct disk_file *file, int64_t size);
	int (*sync)(struct disk_file *file); /* fdatasync: data and size are durable */
	int64_t (*size)(struct disk_file *file);
	/* Whole-file lock held until close; -EBUSY if another process holds it. */
	int (*lock)(struct disk_file *file);
	int (*remove)(struct disk *disk, const char *path);
	int (*rename)(struct disk *disk, const char *from, const char *to);
	bool (*exists)(struct disk *disk, const char *path);
	/* Makes creations, removals and renames in the directory of `path` durable. */
	int (*sync_dir)(struct disk *disk, const char *path);
	/* Bytes free for us on the file system of `path`, or negative errno. */
	int64_t (*free_bytes)(struct disk *disk, const char *path);
};

struct disk {
	const struct disk_ops *ops;
};

/* The machine's own; never freed, constant. */
struct disk *disk_posix(void);
