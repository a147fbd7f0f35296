/* SPDX-License-Identifier: Apache-2.0 */
/* store/sqlite_internal.h: the parts of the sqlite backend, for sqlite.c (threads) and
 * sqlite_open.c (what is read at open). */
#pragma once
#include <pthread.h>

#include "store/commit_log.h"
#include "store/sqlite.h"
#include "store/sqlite_file.h"

struct meta_request {
	struct str name, value;
	int code;
	bool done;
	struct err *err;
};

struct sqlite_store {
	struct store store;
	struct disk *disk;
	char *path;
	struct sqlite_tuning tuning;
	struct disk_file *guard; /* holds the lock that keeps other processes out */
	struct commit_log log;	 /* append: writer; the sealed segment: copier */
	struct store_file file;	 /* copier */
	atomic_ulong syncs;
	pthread_t writer, copier;

	pthread_mutex_t
		lock; /* of all below, and of the segments' sizes when they change hands; the only lock */
	pthread_cond_t writer_wake, copier_wake, copied;
	struct store_batch *batch; /* for the writer */
	int sealed;		   /* for the copier, or -1 */
	bool retry;		   /* the writer needs room: try again although it failed */
	unsigned tries;
	struct err copy_err; /* why the last copy failed */
	store_ids gone;	     /* rows to remove */
	size_t gone_bytes;
	size_t gone_trigger; /* remove them when there are so many */
	struct revision oldest;
	struct meta_request *meta;
	bool stop, writer_ended;
	int64_t log_bytes, file_bytes;
	struct env_task space; /* tells the loop how much room there is */
	bool space_posted;
	int64_t free_bytes;
};

/* Locks and opens the files, or makes them, and loads everything into s->store. On failure the
 * caller closes what is open. */
MUST_USE int sqlite_open_files(struct sqlite_store *s, struct err *err);
