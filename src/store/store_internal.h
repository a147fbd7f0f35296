/* SPDX-License-Identifier: Apache-2.0 */
/* store/store_internal.h: what the backends share: the MVCC core in memory. The core compares,
 * numbers, queues, publishes, and answers; a backend only makes batches durable.
 *
 * A transaction's way (all on the loop but the third step):
 *   store_commit   compared against pending, given its revision, queued
 *   start_batch everything queued becomes the batch in flight (one at a time; the next one collects
 *     meanwhile)
 *   backend        writes the batch's rows and syncs once
 *   batch_done     published to the durable head, answered, shown to watches */
#pragma once
#include "base/list.h"
#include "base/map.h"
#include "base/vec.h"
#include "store/keys.h"
#include "store/store.h"

/* --- history: the newest changes, in order of revision --- */

struct store_change {
	struct revision revision;
	struct store_key *key;
	const struct store_value *value, *prev; /* a reference each, or NULL */
	struct store_change *newer, *older;	/* of the same key */
	int64_t mono_ns;
	uint32_t op;
};

struct store_history {
	struct store_change **ring; /* the i-th oldest is ring[(first + i) & (cap - 1)] */
	size_t first, n, cap;
	size_t bytes;
	struct revision oldest; /* every change above it is here */
};

void store_history_fini(struct store_history *history);
/* Takes over the references. The change is the newest of all. */
void store_history_add(struct store_history *history, struct store_change change);
static inline struct store_change *store_history_at(const struct store_history *history, size_t i)
{
	return history->ring[(history->first + i) & (history->cap - 1)];
}
/* Index of the first change above `after`; history->n if there is none. */
size_t store_history_find(const struct store_history *history, struct revision after);
/* The value that the key had at that revision, which history must reach. */
const struct store_value *store_history_value_at(const struct store_key *key, struct revision at);
/* Takes out the oldest change and its references, and drops them. Its rows go to *gone: see
 * store_backend.forget. */
typedef VEC(int64_t) store_ids;
void store_history_remove_oldest(struct store_history *history, struct store_keys *keys,
				 store_ids *gone);

/* --- watches --- */

struct store_watchers {
	struct tree groups;	 /* of live watches, by range */
	struct list all;	 /* every watch */
	struct list catching_up; /* watches that still read history */
	struct env_task task;	 /* posted while there are such */
	bool posted;
	bool dispatching; /* callbacks run: stopped watches are freed afterwards */
	bool any_stopped;
};

void store_watchers_init(struct store *store);
/* Show the changes [from, n) of history, one batch, to live watches. */
void store_watchers_dispatch(struct store *store, size_t from);
/* Ends them all. */
void store_watchers_close(struct store *store);

/* --- the file's rows --- */

/* A row is one operation. Its id rises with the revision: 16 operations at most share one. */
static inline int64_t store_row_id(struct revision revision, uint32_t op)
{
	return revision.n * STORE_TXN_MAX + op;
}

struct store_batch_row {
	int64_t id;
	const struct store_key *key;
	const struct store_value *value; /* NULL: deleted */
};

/* What a backend makes durable at once. It may read the rows, and what they point to, on another
 * thread until it posts `done`. */
struct store_batch {
	struct env_task done; /* the backend posts it, code and err set */
	struct store *store;
	struct list txns; /* the core's */
	VEC(struct store_batch_row) rows;
	int64_t wall_ns;
	int code;
	struct err err;
};

/* On the loop unless it says otherwise. */
struct store_backend {
	/* Never called while another batch is under way. */
	void (*commit)(struct store *store, struct store_batch *batch);
	/* No read or watch can ask for these rows any more, nor for a revision before `oldest`.
	 * bytes: about what they take. */
	void (*forget)(struct store *store, const int64_t *ids, size_t n, size_t bytes,
		       struct revision oldest);
	/* Blocks. */
	int (*meta_put)(struct store *store, struct str name, struct str value, struct err *err);
	/* Adds what only the backend knows. */
	void (*stats)(struct store *store, struct store_stats *ret);
	/* Nothing is under way and nothing comes any more: release files and threads, then post
	 * store->closed. */
	void (*close)(struct store *store);
	/* The last call. */
	void (*free)(struct store *store);
};

enum {
	STORE_BATCH_ROWS_MAX = 1024,
	STORE_BATCH_BYTES_MAX = 4 * 1024 * 1024, /* or one larger transaction */
};

/* A backend embeds it. */
struct store {
	const struct store_backend *backend;
	struct env *env;
	struct store_opts opts;
	struct store_keys keys;
	struct store_history history;
	struct store_watchers watchers;
	struct map meta; /* name -> struct str * */
	unsigned char uid[16];

	struct revision revision;      /* the durable head */
	struct revision last_revision; /* the last one given out */
	struct list queue;	       /* transactions that wait for the next batch */
	struct store_batch batch;
	bool in_flight; /* the batch */
	struct env_task start;
	bool start_posted;

	/* History is trimmed in a turn of its own: what callbacks have borrowed stays valid until
	 * they return. */
	struct env_task trim;
	bool trim_posted;
	struct env_timer trim_timer;
	/* The bound that counts now: less than opts.history_bytes when the disk is filling. */
	size_t history_bytes;

	size_t live_bytes;
	uint64_t commits, batches;
	bool reading; /* inside store_range: no commit */
	bool closing;
	struct env_task closed;
	void (*close_done)(void *ctx);
	void *close_ctx;
};

/* For a backend's open. uid and meta may be set and rows loaded between init and start. */
void store_init(struct store *store, const struct store_backend *backend, struct env *env,
		const struct store_opts *opts);
/* One row of the file, in order of id. It takes over the reference to the value (NULL: a deletion).
 * Changes at or below history.oldest only replace what was there; the id of a row that nobody needs
 * any more goes to *gone. */
void store_load(struct store *store, int64_t id, struct str key, struct store_value *value,
		int64_t wall_ns, store_ids *gone);
/* After the last store_load: the head, at least. */
void store_start(struct store *store, struct revision revision);
/* Frees everything in memory; also after a failed open. Posted tasks and timers must be gone. */
void store_fini(struct store *store);
void store_meta_set(struct store *store, struct str name, struct str value);

void store_commit_init(struct store *store);
/* After each batch: the store is closed once nothing is under way. */
void store_close_if_drained(struct store *store);
void store_trim_init(struct store *store);
/* Forget all changes up to this one (the rows go to *gone). */
void store_cut_history(struct store *store, struct revision revision, store_ids *gone);
/* Trim soon, or set the timer for it. */
void store_trim_if_needed(struct store *store);
void store_trim_later(struct store *store);

/* Sets mod_revision and inserts the digits. */
void store_value_fill(struct store_value *value, struct revision revision);
static inline size_t store_value_size(const struct store_value *value)
{
	return value ? sizeof(*value) + value->n : 0;
}
/* The two parts of the text as it is stored: without the digits. */
static inline struct str store_value_head(const struct store_value *value)
{
	return str_make(value->bytes + value->start,
			value->room_at == STORE_NO_ROOM ? value->n : value->room_at);
}
static inline struct str store_value_tail(const struct store_value *value)
{
	return str_from(store_value_text(value), (size_t)store_value_head(value).n + value->room_n);
}
