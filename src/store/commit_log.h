/* SPDX-License-Identifier: Apache-2.0 */
/* store/commit_log.h: what is durable but not yet in the file: batches, appended with one write and
 * one sync each. Two segments take turns: while one is written, the other, sealed, is copied into
 * the file and then used again from its start.
 *
 * A record (all little-endian, at a multiple of 512 bytes, so that writing one never touches a
 * sector of another):
 *   magic "COXLOG01", sum of the header, secret key and position in the log (generation of the
 *     segment, number), first and last row id,
 *   last row id of the record before, length, sum of the rows' sums; then the rows (row.h).
 * A record counts as written when every sum is right and it follows the one before. Only the newest
 * record can be torn by a power cut, because each is synced before the next is written. So a record
 * that does not follow, with rows that the file lacks, proves that what was acknowledged is
 * damaged: that is an error, never a silent end of the log. The key is random and never shown, so
 * nobody can make a value that looks like a record.
 *
 * Threads: append, seal and room on the writer; read and recycle on the one that copies; a segment
 * belongs to one of them at a time. */
#pragma once
#include <stdatomic.h>

#include "env/disk.h"
#include "store/row.h"

enum { LOG_SEGMENTS = 2, LOG_ALIGN = 512 };

struct log_segment {
	struct disk_file *file;
	char *path;
	int64_t size;	     /* end of the last record; 0: free */
	uint64_t generation; /* of its records; rises by one with each seal */
};

struct commit_log {
	struct disk *disk;
	struct log_segment segments[LOG_SEGMENTS];
	int active;	     /* the one that is written */
	uint64_t generation; /* of the active one */
	uint64_t number;     /* of the next record */
	uint64_t key;
	int64_t last_id; /* of the last record */
	struct buf buf;	 /* the record being written */
	atomic_ulong *syncs;
};

typedef int (*log_row_fn)(void *ctx, const struct row *row, struct err *err);

/* Opens or creates both files and calls `each` for every row above `applied` (the last id that the
 * file has), in order. The segments keep what they hold; the newest goes on being written.
 * ERR_CORRUPT, ERR_IO, ...: the message names the file. */
MUST_USE int commit_log_open(struct commit_log *log, struct disk *disk, const char *path,
			     uint64_t key, int64_t applied, atomic_ulong *syncs, log_row_fn each,
			     void *ctx, struct err *err);
/* Closes the files. `remove`: their contents are not needed any more. Also after a failed open. */
void commit_log_close(struct commit_log *log, bool remove);

/* The batch's rows are durable when it returns 0. On failure nothing of them is in the log (as far
 * as the disk still obeys). */
MUST_USE int commit_log_append(struct commit_log *log, const struct store_batch *batch,
			       struct err *err);
/* The other segment must be free: it becomes the active one. Returns the index of the sealed
 * one. */
int commit_log_seal(struct commit_log *log);
/* Any segment that holds records: their rows above `after`, in order; each record is offered as a
 * whole: `end` is called behind it. */
typedef int (*log_record_end_fn)(void *ctx, struct err *err);
MUST_USE int commit_log_read(struct commit_log *log, int segment, int64_t after, log_row_fn each,
			     log_record_end_fn end, void *ctx, struct err *err);
/* Its rows are in the file: free. Cut to keep_bytes if it has grown beyond. */
void commit_log_recycle(struct commit_log *log, int segment, int64_t keep_bytes);
