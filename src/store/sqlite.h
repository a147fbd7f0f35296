/* SPDX-License-Identifier: Apache-2.0 */
/* store/sqlite.h: how the sqlite backend paces itself. store_open_sqlite() has values for use;
 * tests make everything small, so that each thing happens often. */
#pragma once
#include "store/store.h"

struct sqlite_tuning {
	int64_t seal_bytes;    /* a log segment of this size is copied into the file */
	int64_t log_max_bytes; /* both segments together */
	size_t chunk_bytes;    /* of rows in one transaction of the file */
	size_t forget_rows;    /* this many rows that nobody needs are removed ... */
	size_t forget_bytes;   /* ... or this much, at once */
	/* The writer copies too, between batches: slow, but the order of all disk operations
	 * depends on the commits alone. */
	bool one_thread;
};

MUST_USE int store_open_sqlite_tuned(struct env *env, struct disk *disk, const char *path,
				     const struct store_opts *opts,
				     const struct sqlite_tuning *tuning, struct store **ret,
				     struct err *err);
