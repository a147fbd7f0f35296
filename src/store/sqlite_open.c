/* SPDX-License-Identifier: Apache-2.0 */
/* store/sqlite_open.c: finds or makes the files, keeps other processes out, and reads everything
 * into memory. */
#include <errno.h>
#include <inttypes.h>

#include "base/cleanup.h"
#include "store/sqlite_internal.h"

struct damaged_row {
	int64_t id;
	char *key;
	size_t key_n;
};

struct loader {
	struct sqlite_store *s;
	VEC(struct damaged_row) damaged;
};

static int load_row(void *ctx, const struct row *row, struct err *err)
{
	struct loader *l = ctx;
	struct store *store = &l->s->store;

	if (!store->history.n) {
		store->history.oldest = l->s->file.state.oldest;
	}
	if (!row_is_intact(row)) {
		if (!row_has_intact_key(row)) {
			return err_set(err, ERR_CORRUPT,
				       "%s: row %" PRId64
				       " is damaged, and so is the name of its key. Restore the "
				       "data directory from a backup; "
				       "nothing was changed",
				       l->s->path, row->id);
		}
		*vec_push(&l->damaged) = (struct damaged_row){
			row->id, mem_dup_str(row->key.p, row->key.n), row->key.n};
		return 0;
	}
	if (row->codec != ROW_CODEC_NONE) {
		return err_set(err, ERR_NEWER_FORMAT,
			       "%s: the value of %.*s is written with transformer %u, which this "
			       "version does not know. Start the newer version again; "
			       "nothing was changed",
			       l->s->path, STR_ARG(row->key), row->codec);
	}
	store_load(store, row->id, row->key, row_value(row), row->wall_ns, &l->s->gone);
	return 0;
}

static void load_meta(void *ctx, struct str name, struct str value)
{
	struct loader *l = ctx;

	store_meta_set(&l->s->store, name, value);
}

/* A damaged row that a later one of its key replaces is history: that ends behind the replacement.
 * Otherwise a live object is damaged, and that is for people to decide. */
static int settle_damage(struct sqlite_store *s, const struct damaged_row *row, struct err *err)
{
	struct revision revision = {row->id / STORE_TXN_MAX};
	struct str name = str_make(row->key, row->key_n);
	const struct store_key *key = store_keys_find(&s->store.keys, name);
	const struct store_change *next = NULL;

	for (const struct store_change *c = key ? key->newest : NULL;
	     c && c->revision.n > revision.n; c = c->older) {
		next = c;
	}
	if (!next && !(key && key->durable && key->durable->mod_revision.n > revision.n)) {
		return err_set(err, ERR_CORRUPT,
			       "%s: the object %.*s (revision %" PRId64
			       ") is damaged. Restore the data directory from a backup; nothing "
			       "was changed",
			       s->path, STR_ARG(name), revision.n);
	}
	if (next) {
		log_warning(s->store.opts.log,
			    "%s: the history of %.*s is damaged: history now begins at revision "
			    "%" PRId64,
			    s->path, STR_ARG(name), next->revision.n);
		store_cut_history(&s->store, next->revision, &s->gone);
	}
	*vec_push(&s->gone) = row->id;
	return 0;
}

static int lock_file(struct sqlite_store *s, const char *name, int flags, struct err *err)
{
	int r = s->disk->ops->open(s->disk, name, flags, &s->guard);

	if (r < 0) {
		return err_set_errno(err, -r, "cannot open %s", name);
	}
	r = s->disk->ops->lock(s->guard);
	if (r == -EBUSY) {
		return err_set(err, ERR_BUSY,
			       "%s is in use by another process. Stop that one first, or choose "
			       "another data directory",
			       s->path);
	}
	return r < 0 ? err_set_errno(err, -r, "cannot lock %s", name) : 0;
}

static int check_no_log(struct sqlite_store *s, struct err *err)
{
	for (int i = 0; i < LOG_SEGMENTS; i++) {
		struct buf name CLEANUP_BUF = {0};

		buf_printf(&name, "%s-log%d", s->path, i);
		if (s->disk->ops->exists(s->disk, buf_cstr(&name))) {
			return err_set(err, ERR_CORRUPT,
				       "%s is missing, but its commit log %s is there. Restore the "
				       "data directory from a backup, or move it away to "
				       "start with an empty cluster; nothing was changed",
				       s->path, buf_cstr(&name));
		}
	}
	return 0;
}

/* Under another name first: so an empty or half-made file at `path` is always damage, never a new
 * store. */
static int create_file(struct sqlite_store *s, struct err *err)
{
	struct buf name CLEANUP_BUF = {0}, journal CLEANUP_BUF = {0};
	uint64_t log_key;
	int r = check_no_log(s, err);

	buf_printf(&name, "%s-new", s->path);
	buf_printf(&journal, "%s-new-journal", s->path);
	r = r < 0 ? r : lock_file(s, buf_cstr(&name), DISK_CREATE, err);
	if (r < 0) {
		return r;
	}
	if (s->disk->ops->exists(s->disk, s->path)) {
		return err_set(err, ERR_BUSY, "%s is being made by another process at this moment",
			       s->path);
	}
	r = s->disk->ops->truncate(s->guard, 0);
	if (r < 0) {
		return err_set_errno(err, -r, "cannot create %s", s->path);
	}
	(void)s->disk->ops->remove(s->disk,
				   buf_cstr(&journal)); /* of an attempt that was cut off */
	env_random(s->store.env, &log_key, sizeof(log_key));
	r = store_file_create(s->disk, buf_cstr(&name), &s->syncs, s->store.uid, log_key, err);
	if (r < 0) {
		return r;
	}
	r = s->disk->ops->rename(s->disk, buf_cstr(&name), s->path);
	r = r < 0 ? r : s->disk->ops->sync_dir(s->disk, s->path);
	return r < 0 ? err_set_errno(err, -r, "cannot create %s", s->path) : 0;
}

static int load(struct sqlite_store *s, struct loader *l, struct err *err)
{
	const struct store_file_sink sink = {.row = load_row, .meta = load_meta, .ctx = l};
	int r;

	r = s->disk->ops->exists(s->disk, s->path) ? lock_file(s, s->path, 0, err)
						   : create_file(s, err);
	r = r < 0 ? r : store_file_open(&s->file, s->disk, s->path, &s->syncs, &sink, err);
	if (r < 0) {
		return r;
	}
	memcpy(s->store.uid, s->file.uid, sizeof(s->store.uid));
	s->file.chunk_bytes = s->tuning.chunk_bytes;
	if (!s->store.history.n) {
		s->store.history.oldest = s->file.state.oldest;
	}
	r = commit_log_open(&s->log, s->disk, s->path, s->file.log_key, s->file.state.applied,
			    &s->syncs, load_row, l, err);
	for (size_t i = 0; r == 0 && i < l->damaged.n; i++) {
		r = settle_damage(s, &l->damaged.p[i], err);
	}
	return r;
}

int sqlite_open_files(struct sqlite_store *s, struct err *err)
{
	struct loader l = {.s = s};
	int r = load(s, &l, err);

	for (size_t i = 0; i < l.damaged.n; i++) {
		mem_free(l.damaged.p[i].key);
	}
	vec_fini(&l.damaged);
	return r;
}
