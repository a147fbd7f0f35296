/* SPDX-License-Identifier: Apache-2.0 */
/* store/store.h: the MVCC contract that every backend keeps (sqlite, memory; later etcd). It knows
 * keys, bytes and revisions, never kinds. One conformance suite (store/conformance) runs on all
 * backends.
 *
 * Two heads (invariant I5). Writers compare against `pending`: everything queued so far, in order.
 * Everybody else sees `durable` only: reads, watches and every answer, refusals included. A commit
 * is answered after it is durable; if its batch fails, it and all that was built on it fail, and
 * their revisions are never used again. Revisions are one rising sequence, one per transaction.
 *
 * Threads: everything here is called on, and every callback runs on, the loop of the env given at
 * open. A backend does its I/O on a thread of its own. Reads and watches never block: the live set
 * and the recent history are in memory. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "env/env.h"

struct store;

/* 0 is "none": the revision of a key that does not exist. */
struct revision {
	int64_t n;
};

enum {
	STORE_KEY_MAX = 2048,		   /* bytes */
	STORE_VALUE_MAX = 8 * 1024 * 1024, /* bytes; the API server's own limit is lower */
	STORE_TXN_MAX = 16, /* operations in one transaction, each on a key of its own */
	STORE_TXN_BYTES_MAX = 12 * 1024 * 1024, /* keys and values of one transaction */
};

/* One immutable, reference-counted version of a value; the one copy that store, watchers and
 * in-process readers share.
 *
 * The writer may leave room for its own revision: `room_at` is where in the text the decimal digits
 * belong (between two quotes, say). store_commit inserts them when it gives the transaction its
 * revision, before anyone sees the value, by moving the text before room_at to the front of the
 * spare room: so bytes + start .. + n is always the finished text. (It happens on the loop, not on
 * the committing thread, because store_peek shows the value before that thread is done with it.)
 * What is stored on disk does not contain the digits. References are dropped on the store's
 * loop. */
struct store_value {
	_Atomic uint32_t refs;
	uint32_t start;	  /* first byte of the text in bytes[] */
	uint32_t n;	  /* length of the text, digits included once filled */
	uint32_t room_at; /* offset in the text of the digits; STORE_NO_ROOM: none */
	uint32_t tag;	  /* the writer's; stored (e.g. schema generation) */
	uint8_t room_n;	  /* number of digits once filled, 0 before */
	uint8_t op;	  /* the store's: which operation of its transaction wrote it */
	struct revision create_revision;
	struct revision mod_revision;
	int64_t version; /* 1 for the first write since the key was created */
	/* The writer's derived data about this version (a decoded form, a selector index); freed
	 * with the value. */
	void *derived;
	void (*free_derived)(void *derived);
	char bytes[];
};

enum { STORE_NO_ROOM = UINT32_MAX, STORE_ROOM = 20 /* digits of the largest revision */ };

/* Copy of `text` with room for the revision before offset room_at (or STORE_NO_ROOM). One
 * reference, the caller's. */
struct store_value *store_value_new(struct str text, uint32_t room_at);
/* The same with n bytes of text that the caller writes to bytes + start before anything else. */
struct store_value *store_value_new_empty(size_t n, uint32_t room_at);
struct store_value *store_value_ref(const struct store_value *value);
void store_value_unref(const struct store_value *value);
static inline struct str store_value_text(const struct store_value *value)
{
	return str_make(value->bytes + value->start, value->n);
}

enum store_op_kind { STORE_PUT, STORE_DELETE, STORE_CHECK /* compare only */ };

struct store_op {
	enum store_op_kind kind;
	struct str key; /* copied */
	/* Of a PUT: never committed before; one reference is taken over, also on failure. Its
	 * revisions and version are set. */
	struct store_value *value;
	/* What the key's mod_revision must be; 0: it must not exist; STORE_ANY: no comparison. */
	struct revision expect;
};

#define STORE_ANY ((struct revision){-1})

struct store_result {
	/* 0; ERR_CONFLICT: a comparison failed (failed_op says which; current is the durable value
	 * it met, borrowed, NULL: no such key); ERR_NO_SPACE, ERR_IO, ERR_CORRUPT: the batch could
	 * not be made durable, nothing of it happened (after ERR_IO, if even erasing it failed, the
	 * disk may bring it back as a whole at the next open); ERR_INVALID, ERR_LIMIT: not a
	 * transaction as above; ERR_CLOSED. */
	int code;
	/* Of the transaction, on success. One that changes nothing (checks; deletions of keys that
	 * do not exist) gets no revision of its own and tells the newest one that it was compared
	 * against. */
	struct revision revision;
	size_t failed_op;
	const struct store_value *current;
	const char *message; /* for people, on failure; borrowed */
};

typedef void (*store_done_fn)(void *ctx, const struct store_result *result);

/* Compare against pending and queue. done is called exactly once, never from inside this call. A
 * transaction that only checks, or whose comparison fails, is answered once everything it saw is
 * durable. */
void store_commit(struct store *store, const struct store_op *ops, size_t nops, store_done_fn done,
		  void *ctx);

/* The pending value: what a writer builds its next version on. NULL: no such key. Borrowed, as
 * everything below, until the caller returns to the loop: ref it to keep it. */
const struct store_value *store_peek(struct store *store, struct str key);

/* The durable value. NULL: no such key. */
const struct store_value *store_get(struct store *store, struct str key);
/* At an older revision (0: the durable head). 0 and *ret (NULL: did not exist); ERR_COMPACTED;
 * ERR_FUTURE. */
MUST_USE int store_get_at(struct store *store, struct str key, struct revision at,
			  const struct store_value **ret);

struct store_item {
	struct str key;
	const struct store_value *value;
};

/* Called for each key of [start, end) in order; return false to stop. Nothing may be committed from
 * inside (asserted). */
typedef bool (*store_each_fn)(void *ctx, const struct store_item *item);
/* end unset: to the end. at 0: the durable head. 0, ERR_COMPACTED or ERR_FUTURE. */
MUST_USE int store_range(struct store *store, struct str start, struct str end, struct revision at,
			 store_each_fn each, void *ctx);
/* Number of keys of [start, end) at the durable head; does not visit each of them. */
size_t store_count(struct store *store, struct str start, struct str end);

struct store_event {
	struct revision revision;
	struct str key;
	const struct store_value *value; /* NULL: deleted */
	const struct store_value
		*prev; /* before this change; NULL: created. Always there for a delete. */
};

struct store_watch;

struct store_watch_opts {
	struct str start, end; /* [start, end), as for store_range; copied */
	struct revision after; /* events with a revision above this one */
	/* Events in order of revision, several at once; borrowed during the call (ref values to
	 * keep them). A transaction's events are never split over two calls. Never called from
	 * inside store_watch(). Must not block; may stop the watch. */
	void (*events)(void *ctx, const struct store_event *events, size_t n);
	/* The watch ended by itself: ERR_COMPACTED (after is too old, or it fell behind by more
	 * than history keeps), ERR_CLOSED. Its last callback: the watch is freed behind it
	 * (stopping it from inside is harmless). Never called from inside store_watch(). */
	void (*ended)(void *ctx, int code);
	void *ctx;
};

/* Watches resume across restarts: history is on disk, and loaded at open. ERR_FUTURE if `after`
 * lies beyond the durable head. Compaction is told by ended(). */
MUST_USE int store_watch(struct store *store, const struct store_watch_opts *opts,
			 struct store_watch **ret);
/* No callback runs afterwards; frees it. NULL is fine. */
void store_watch_stop(struct store_watch *watch);

/* Newest durable revision; the oldest one that reads and watches may still ask for. */
struct revision store_revision(struct store *store);
struct revision store_oldest(struct store *store);

struct store_stats {
	size_t keys;
	size_t live_bytes;    /* of the live values */
	size_t history_bytes; /* in memory */
	uint64_t commits, batches,
		syncs;		       /* since open; syncs counts fdatasync calls on all files */
	int64_t file_bytes, wal_bytes; /* of the file, of its commit log */
};

void store_get_stats(struct store *store, struct store_stats *ret);

/* Opaque identity of the data: made when the file was made. 16 bytes. */
void store_cluster_uid(struct store *store, unsigned char ret[16]);

/* Small values of the store's owner that live beside the data, not in its revisions (e.g. the
 * schema's generation). put blocks until it is durable: start-up only. get: ERR_NOT_FOUND; *ret is
 * borrowed until the name is put again. */
MUST_USE int store_meta_get(struct store *store, struct str name, struct str *ret);
MUST_USE int store_meta_put(struct store *store, struct str name, struct str value,
			    struct err *err);

/* Makes everything queued durable, ends watches (ERR_CLOSED), frees. done may be NULL; it is called
 * on the loop when no file is open any more. Commits that come later than this call are answered
 * with ERR_CLOSED; none may come from the last callbacks of watches. May be called from a
 * callback. */
void store_close(struct store *store, void (*done)(void *ctx), void *ctx);

/* How much history reads and watches may ask for, in memory and on disk alike. It shrinks before
 * the disk fills. 0: the default. */
struct store_opts {
	int64_t history_ns;   /* default 5 minutes, as upstream's --etcd-compaction-interval */
	size_t history_bytes; /* default 32 MB */
	struct log *log;      /* may be NULL */
};

/* Backend `memory`: tests and simulation. Commits become durable on the next turn of the loop. */
struct store *store_open_memory(struct env *env, const struct store_opts *opts);

struct disk;
/* Backend `sqlite`: the file at `path` on `disk` (env/disk.h) with a commit log beside it
 * (`path`-log0, `path`-log1; docs/design/store.md says why), synchronous=FULL, group commit by one
 * writer thread; after store_close the file alone holds everything. Creates it when missing. disk
 * and path must outlive the store. Blocking. ERR_CORRUPT, ERR_NEWER_FORMAT, ERR_NO_SPACE, ERR_BUSY
 * (another process holds it), ...: the message names the file and says what to do. A damaged row is
 * found by its checksum and never served. */
MUST_USE int store_open_sqlite(struct env *env, struct disk *disk, const char *path,
			       const struct store_opts *opts, struct store **ret, struct err *err);
