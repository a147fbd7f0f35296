/* SPDX-License-Identifier: Apache-2.0 */
/* store/sqlite_file.h: the database file: every live row and the window of history, copied from the
 * commit log in transactions of some size. Nothing reads it after open. One thread at a time.
 *     log    a row per operation, by id (store/row.h says what the columns are). A value that was
 *            replaced stays until no revision in the window can ask for it: so history has the
 *            value before each change
 *     state  one row: cluster uid, the log's key, last id applied, oldest revision, number of rows,
 *            checksum
 *     meta   small values of the store's owner, each with its checksum */
#pragma once
#include <sqlite3.h>

#include "store/row.h"
#include "store/sqlite_vfs.h"

enum {
	STORE_APPLICATION_ID = 0x434f5853, /* "COXS" in the file's header */
	STORE_FORMAT = 1,		   /* user_version; a newer one is refused */
};

struct store_file_state {
	int64_t applied;	/* last id */
	struct revision oldest; /* reads and watches may go back to it */
	int64_t rows;		/* in log: so a page that lost some is noticed */
};

struct store_file {
	sqlite3 *db;
	struct sqlite_vfs *vfs;
	const char *path;
	unsigned char uid[16];
	uint64_t log_key;
	struct store_file_state state; /* what is durable */
	struct store_file_state next;  /* in the transaction under way */
	size_t open_bytes;	       /* of its rows */
	size_t chunk_bytes;	       /* how much one transaction takes */
	sqlite3_stmt *begin, *commit, *insert, *remove, *set_state;
};

struct store_file_sink {
	int (*row)(void *ctx, const struct row *row, struct err *err); /* damaged ones too */
	void (*meta)(void *ctx, struct str name, struct str value);
	void *ctx;
};

/* Makes an empty store in a file that is missing or empty. */
MUST_USE int store_file_create(struct disk *disk, const char *path, atomic_ulong *syncs,
			       const unsigned char uid[16], uint64_t log_key, struct err *err);
/* Opens it and hands out all that it holds, in order. ERR_CORRUPT, ERR_NEWER_FORMAT, ERR_NO_SPACE,
 * ERR_IO: the message names the file and says what to do. */
MUST_USE int store_file_open(struct store_file *file, struct disk *disk, const char *path,
			     atomic_ulong *syncs, const struct store_file_sink *sink,
			     struct err *err);
/* Also after a failed open. */
void store_file_close(struct store_file *file);

/* Rows with ids above `applied`, in order. They are durable after flush, or earlier. After an error
 * everything since the last durable point is undone: go on from file->state.applied again. */
MUST_USE int store_file_add(struct store_file *file, const struct row *row, struct err *err);
/* A record of the log has ended: a good place to commit if chunk_bytes are together. */
MUST_USE int store_file_end_record(struct store_file *file, struct err *err);
MUST_USE int store_file_flush(struct store_file *file, struct err *err);
/* In a transaction of its own. Rows that are not there are fine. */
MUST_USE int store_file_forget(struct store_file *file, const int64_t *ids, size_t n,
			       struct revision oldest, struct err *err);
MUST_USE int store_file_meta_put(struct store_file *file, struct str name, struct str value,
				 struct err *err);
/* Gives free pages back to the disk, a few at a time, while they are more than a quarter of the
 * file. True: there may be more. */
MUST_USE int store_file_shrink(struct store_file *file, bool *ret_more, struct err *err);
