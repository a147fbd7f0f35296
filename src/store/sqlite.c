/* SPDX-License-Identifier: Apache-2.0 */
/* store/sqlite.c: the backend on disk. The writer thread appends each batch to the commit log; the
 * copier thread moves what has gathered there into the SQLite file and removes rows that nobody can
 * ask for any more. SQLite's own WAL would do for throughput, but its checkpoints stop the writer
 * for longer than a commit may take (docs/design/store.md has the figures). */
#include "store/sqlite.h"

#include <signal.h>

#include "base/cleanup.h"
#include "store/sqlite_internal.h"

static struct sqlite_store *of_store(struct store *store)
{
	return CONTAINER_OF(store, struct sqlite_store, store);
}

/* --- copier: from the log into the file --- */

static int copy_row(void *ctx, const struct row *row, struct err *err)
{
	return store_file_add(ctx, row, err);
}

static int copy_record_end(void *ctx, struct err *err)
{
	return store_file_end_record(ctx, err);
}

/* Called and returns with the lock held, as all steps of the copier. */
static void copy_sealed(struct sqlite_store *s)
{
	int sealed = s->sealed;
	struct err err = {0};
	int r;

	s->retry = false;
	pthread_mutex_unlock(&s->lock);
	r = commit_log_read(&s->log, sealed, s->file.state.applied, copy_row, copy_record_end,
			    &s->file, &err);
	r = r < 0 ? r : store_file_flush(&s->file, &err);
	sqlite3_db_release_memory(s->file.db);
	pthread_mutex_lock(&s->lock);
	err_clear(&s->copy_err);
	s->copy_err = err;
	if (r == 0) {
		commit_log_recycle(&s->log, sealed, s->tuning.seal_bytes);
		s->sealed = -1;
	}
	s->tries++;
	pthread_cond_broadcast(&s->copied);
}

/* Rows that are still only in the log wait until they have been copied. */
static void forget_some(struct sqlite_store *s)
{
	store_ids now = {0}, later = {0};
	struct revision oldest = s->oldest;
	struct err err CLEANUP_ERR = {0};
	int r = 0;

	for (size_t i = 0; i < s->gone.n; i++) {
		bool is_ready =
			s->gone.p[i] <= s->file.state.applied && now.n < s->tuning.forget_rows;

		*vec_push(is_ready ? &now : &later) = s->gone.p[i];
	}
	vec_fini(&s->gone);
	s->gone = later;
	s->gone_bytes = 0;
	pthread_mutex_unlock(&s->lock);
	if (now.n) {
		r = store_file_forget(&s->file, now.p, now.n, oldest, &err);
	}
	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; r < 0 && i < now.n; i++) {
		*vec_push(&s->gone) = now.p[i]; /* another time: they only take room */
	}
	s->gone_trigger =
		r < 0 || !now.n ? s->gone.n + s->tuning.forget_rows : s->tuning.forget_rows;
	vec_fini(&now);
}

static void put_meta(struct sqlite_store *s)
{
	struct meta_request *meta = STEAL(s->meta);

	pthread_mutex_unlock(&s->lock);
	meta->code = store_file_meta_put(&s->file, meta->name, meta->value, meta->err);
	pthread_mutex_lock(&s->lock);
	meta->done = true;
	pthread_cond_broadcast(&s->copied);
}

static bool wants_forget(const struct sqlite_store *s)
{
	return s->gone.n >= s->gone_trigger ||
	       (s->gone_bytes >= s->tuning.forget_bytes && s->gone.n);
}

static bool has_work(const struct sqlite_store *s)
{
	return s->meta || (s->sealed >= 0 && (s->copy_err.code == 0 || s->retry)) ||
	       wants_forget(s);
}

/* Told to the loop, which keeps less history when little is left. */
static void look_at_space(struct sqlite_store *s)
{
	int64_t free_bytes, size;

	pthread_mutex_unlock(&s->lock);
	size = s->disk->ops->size(s->guard);
	free_bytes = s->disk->ops->free_bytes(s->disk, s->path);
	pthread_mutex_lock(&s->lock);
	s->file_bytes = MAX(size, (int64_t)0);
	if (free_bytes >= 0) {
		s->free_bytes = free_bytes;
		if (!s->space_posted && !s->stop) {
			s->space_posted = true;
			env_post(s->store.env, &s->space);
		}
	}
}

static void shrink(struct sqlite_store *s)
{
	bool more = true;

	while (more && !has_work(s) && !s->stop) {
		pthread_mutex_unlock(&s->lock);
		if (store_file_shrink(&s->file, &more, NULL) < 0) {
			more = false; /* only room is lost; the next copy tries again */
		}
		pthread_mutex_lock(&s->lock);
	}
}

static void do_work(struct sqlite_store *s)
{
	while (has_work(s)) {
		if (s->meta) {
			put_meta(s);
		} else if (s->sealed >= 0 && (s->copy_err.code == 0 || s->retry)) {
			copy_sealed(s);
		} else {
			forget_some(s);
		}
	}
	shrink(s);
	look_at_space(s);
}

/* --- writer: batches into the log --- */

static size_t estimate(const struct store_batch *batch)
{
	size_t n = 2 * LOG_ALIGN;

	for (size_t i = 0; i < batch->rows.n; i++) {
		n += 72 + batch->rows.p[i].key->n +
		     (batch->rows.p[i].value ? batch->rows.p[i].value->n : 0);
	}
	return n;
}

static void seal_if_full(struct sqlite_store *s)
{
	if (s->sealed < 0 && s->log.segments[s->log.active].size >= s->tuning.seal_bytes) {
		s->sealed = commit_log_seal(&s->log);
		pthread_cond_signal(&s->copier_wake);
	}
}

/* Lets the copier have another try at what it has, and waits for the outcome. */
static void wait_for_copier(struct sqlite_store *s)
{
	unsigned tries = s->tries;

	s->retry = true;
	if (s->tuning.one_thread) {
		do_work(s);
		return;
	}
	pthread_cond_signal(&s->copier_wake);
	while (s->tries == tries) {
		pthread_cond_wait(&s->copied, &s->lock);
	}
}

static void count_log_bytes(struct sqlite_store *s)
{
	s->log_bytes = 0;
	for (int i = 0; i < LOG_SEGMENTS; i++) {
		s->log_bytes += s->log.segments[i].size;
	}
}

/* Waits while the log is as long as it may become: the disk cannot follow. */
static int make_room(struct sqlite_store *s, int64_t n, struct err *err)
{
	for (;;) {
		seal_if_full(s);
		count_log_bytes(s);
		if (s->log_bytes + n <= s->tuning.log_max_bytes || s->sealed < 0) {
			return 0;
		}
		wait_for_copier(s);
		if (s->sealed >= 0 && s->copy_err.code) {
			return err_set(err, s->copy_err.code,
				       "the commit log is full and cannot be emptied: %s",
				       err_msg(&s->copy_err));
		}
	}
}

static void write_batch(struct sqlite_store *s, struct store_batch *batch)
{
	int r = make_room(s, (int64_t)estimate(batch), &batch->err);

	pthread_mutex_unlock(&s->lock);
	if (r == 0) {
		r = commit_log_append(&s->log, batch, &batch->err);
	}
	batch->code = r;
	env_post(s->store.env, &batch->done);
	pthread_mutex_lock(&s->lock);
	count_log_bytes(s);
	seal_if_full(s);
	if (s->sealed >= 0 && s->copy_err.code) {
		s->retry = true; /* a full disk may have room again */
		pthread_cond_signal(&s->copier_wake);
	}
}

/* --- threads --- */

static void finish(struct sqlite_store *s);

static void *run_writer(void *arg)
{
	struct sqlite_store *s = arg;

	pthread_mutex_lock(&s->lock);
	for (;;) {
		if (s->tuning.one_thread && has_work(s)) {
			do_work(s);
		} else if (s->batch) {
			write_batch(s, STEAL(s->batch));
		} else if (s->stop) {
			break;
		} else {
			pthread_cond_wait(&s->writer_wake, &s->lock);
		}
	}
	s->writer_ended = true;
	pthread_cond_signal(&s->copier_wake);
	if (s->tuning.one_thread) {
		finish(s);
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

static void *run_copier(void *arg)
{
	struct sqlite_store *s = arg;

	pthread_mutex_lock(&s->lock);
	while (!s->writer_ended || has_work(s)) {
		if (has_work(s)) {
			do_work(s);
		} else {
			pthread_cond_wait(&s->copier_wake, &s->lock);
		}
	}
	finish(s);
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

/* Moves everything into the file, so that it alone is the store, and lets go of the disk. */
static void finish(struct sqlite_store *s)
{
	bool all;

	for (int i = 0; i < LOG_SEGMENTS; i++) {
		if (s->sealed < 0 && s->log.segments[s->log.active].size > 0) {
			s->sealed = commit_log_seal(&s->log);
		}
		if (s->sealed >= 0) {
			copy_sealed(s);
		}
	}
	all = s->sealed < 0;
	while (all && s->gone.n) {
		forget_some(s);
		all = s->gone_trigger == s->tuning.forget_rows;
	}
	/* What could not be copied stays in the log; the next open reads it. */
	commit_log_close(&s->log, s->sealed < 0);
	store_file_close(&s->file);
	s->disk->ops->close(s->guard);
	s->guard = NULL;
	env_post(s->store.env, &s->store.closed);
}

static void start_thread(pthread_t *thread, void *(*run)(void *), struct sqlite_store *s,
			 const char *name)
{
	sigset_t all, old;

	/* Signals belong to the loop. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	ASSERT(pthread_create(thread, NULL, run, s) == 0);
	pthread_setname_np(*thread, name);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

/* --- the core's calls, on the loop --- */

static void sqlite_commit(struct store *store, struct store_batch *batch)
{
	struct sqlite_store *s = of_store(store);

	pthread_mutex_lock(&s->lock);
	ASSERT(!s->batch);
	s->batch = batch;
	pthread_cond_signal(&s->writer_wake);
	pthread_mutex_unlock(&s->lock);
}

static void sqlite_forget(struct store *store, const int64_t *ids, size_t n, size_t bytes,
			  struct revision oldest)
{
	struct sqlite_store *s = of_store(store);

	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < n; i++) {
		*vec_push(&s->gone) = ids[i];
	}
	s->gone_bytes += bytes;
	s->oldest = oldest;
	if (wants_forget(s)) {
		pthread_cond_signal(s->tuning.one_thread ? &s->writer_wake : &s->copier_wake);
	}
	pthread_mutex_unlock(&s->lock);
}

static int sqlite_meta_put(struct store *store, struct str name, struct str value, struct err *err)
{
	struct sqlite_store *s = of_store(store);
	struct meta_request meta = {.name = name, .value = value, .err = err};

	pthread_mutex_lock(&s->lock);
	s->meta = &meta;
	pthread_cond_signal(s->tuning.one_thread ? &s->writer_wake : &s->copier_wake);
	while (!meta.done) {
		pthread_cond_wait(&s->copied, &s->lock);
	}
	pthread_mutex_unlock(&s->lock);
	return meta.code;
}

static void sqlite_stats(struct store *store, struct store_stats *ret)
{
	struct sqlite_store *s = of_store(store);

	pthread_mutex_lock(&s->lock);
	ret->wal_bytes = s->log_bytes;
	ret->file_bytes = s->file_bytes;
	pthread_mutex_unlock(&s->lock);
	ret->syncs = atomic_load(&s->syncs);
}

static void set_history_bytes(struct sqlite_store *s, int64_t free_bytes)
{
	s->store.history_bytes = MIN(s->store.opts.history_bytes, (size_t)free_bytes / 4);
}

static void handle_space(struct env_task *task)
{
	struct sqlite_store *s = CONTAINER_OF(task, struct sqlite_store, space);

	pthread_mutex_lock(&s->lock);
	s->space_posted = false;
	set_history_bytes(s, s->free_bytes);
	pthread_mutex_unlock(&s->lock);
	store_trim_if_needed(&s->store);
}

static void sqlite_close(struct store *store)
{
	struct sqlite_store *s = of_store(store);

	pthread_mutex_lock(&s->lock);
	s->stop = true;
	pthread_cond_signal(&s->writer_wake);
	pthread_mutex_unlock(&s->lock);
}

static void free_parts(struct sqlite_store *s)
{
	if (s->guard) {
		s->disk->ops->close(s->guard);
	}
	err_clear(&s->copy_err);
	vec_fini(&s->gone);
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->writer_wake);
	pthread_cond_destroy(&s->copier_wake);
	pthread_cond_destroy(&s->copied);
	store_fini(&s->store);
	mem_free(s->path);
	mem_free(s);
}

static void sqlite_free(struct store *store)
{
	struct sqlite_store *s = of_store(store);

	pthread_join(s->writer, NULL);
	if (!s->tuning.one_thread) {
		pthread_join(s->copier, NULL);
	}
	free_parts(s);
}

/* --- open --- */

/* A segment behind the active one was sealed when the power went. */
static void find_sealed(struct sqlite_store *s)
{
	int other = (s->log.active + 1) % LOG_SEGMENTS;

	s->sealed = s->log.segments[other].size > 0 ? other : -1;
}

static void start(struct sqlite_store *s)
{
	int64_t last = MAX(s->file.state.applied, s->log.last_id);
	int64_t free_bytes = s->disk->ops->free_bytes(s->disk, s->path);

	find_sealed(s);
	s->oldest = s->store.history.oldest;
	s->gone_trigger = s->tuning.forget_rows;
	s->space.fn = handle_space;
	s->file_bytes = s->disk->ops->size(s->guard);
	if (free_bytes >= 0) {
		set_history_bytes(s, free_bytes);
	}
	store_start(&s->store, (struct revision){last / STORE_TXN_MAX});
	start_thread(&s->writer, run_writer, s, "store-writer");
	if (!s->tuning.one_thread) {
		start_thread(&s->copier, run_copier, s, "store-copier");
	}
}

static const struct store_backend sqlite_backend = {
	.commit = sqlite_commit,
	.forget = sqlite_forget,
	.meta_put = sqlite_meta_put,
	.stats = sqlite_stats,
	.close = sqlite_close,
	.free = sqlite_free,
};

int store_open_sqlite_tuned(struct env *env, struct disk *disk, const char *path,
			    const struct store_opts *opts, const struct sqlite_tuning *tuning,
			    struct store **ret, struct err *err)
{
	struct sqlite_store *s = NEW(struct sqlite_store);
	int r;

	store_init(&s->store, &sqlite_backend, env, opts);
	s->disk = disk;
	s->path = str_dup_cstr(str_of(path));
	s->tuning = *tuning;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->writer_wake, NULL);
	pthread_cond_init(&s->copier_wake, NULL);
	pthread_cond_init(&s->copied, NULL);
	r = sqlite_open_files(s, err);
	if (r < 0) {
		commit_log_close(&s->log, false);
		store_file_close(&s->file);
		free_parts(s);
		return r;
	}
	start(s);
	*ret = &s->store;
	return 0;
}

int store_open_sqlite(struct env *env, struct disk *disk, const char *path,
		      const struct store_opts *opts, struct store **ret, struct err *err)
{
	static const struct sqlite_tuning tuning = {
		.seal_bytes = 8 * 1024 * 1024,
		.log_max_bytes = 64 * 1024 * 1024,
		.chunk_bytes = 1024 * 1024,
		.forget_rows = 2048,
		.forget_bytes = 4 * 1024 * 1024,
	};

	return store_open_sqlite_tuned(env, disk, path, opts, &tuning, ret, err);
}
