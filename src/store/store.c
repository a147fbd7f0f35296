/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store.h"

#include "store/store_internal.h"

/* --- reads --- */

const struct store_value *store_peek(struct store *store, struct str key)
{
	return store_key_pending(store_keys_find(&store->keys, key));
}

const struct store_value *store_get(struct store *store, struct str key)
{
	struct store_key *k = store_keys_find(&store->keys, key);

	return k ? k->durable : NULL;
}

static int check_revision(struct store *store, struct revision at)
{
	if (at.n > store->revision.n) {
		return ERR_FUTURE;
	}
	return at.n && at.n < store->history.oldest.n ? ERR_COMPACTED : 0;
}

int store_get_at(struct store *store, struct str key, struct revision at,
		 const struct store_value **ret)
{
	struct store_key *k = store_keys_find(&store->keys, key);
	int r = check_revision(store, at);

	if (r == 0) {
		*ret = !k ? NULL : at.n ? store_history_value_at(k, at) : k->durable;
	}
	return r;
}

int store_range(struct store *store, struct str start, struct str end, struct revision at,
		store_each_fn each, void *ctx)
{
	int r = check_revision(store, at);

	if (r < 0) {
		return r;
	}
	store->reading = true;
	for (struct store_key *k = store_keys_from(&store->keys, start); k;
	     k = store_keys_next(k)) {
		struct store_item item = {.key = store_key_str(k)};

		if (end.p && str_cmp(item.key, end) >= 0) {
			break;
		}
		item.value = at.n ? store_history_value_at(k, at) : k->durable;
		if (item.value && !each(ctx, &item)) {
			break;
		}
	}
	store->reading = false;
	return 0;
}

size_t store_count(struct store *store, struct str start, struct str end)
{
	size_t before = start.p ? store_keys_live_before(&store->keys, start) : 0;
	size_t upto = store_keys_live_before(&store->keys, end);

	return upto > before ? upto - before : 0;
}

struct revision store_revision(struct store *store)
{
	return store->revision;
}

struct revision store_oldest(struct store *store)
{
	return store->history.oldest;
}

void store_get_stats(struct store *store, struct store_stats *ret)
{
	*ret = (struct store_stats){
		.keys = store_keys_live_before(&store->keys, STR_NULL),
		.live_bytes = store->live_bytes,
		.history_bytes = store->history.bytes,
		.commits = store->commits,
		.batches = store->batches,
	};
	store->backend->stats(store, ret);
}

void store_cluster_uid(struct store *store, unsigned char ret[16])
{
	memcpy(ret, store->uid, sizeof(store->uid));
}

/* --- meta --- */

void store_meta_set(struct store *store, struct str name, struct str value)
{
	struct str *copy = NEW(struct str);
	struct str *old;

	*copy = str_make(mem_dup_str(value.p, value.n), value.n);
	old = map_put(&store->meta, name, copy);
	if (old) {
		mem_free((char *)old->p);
		mem_free(old);
	}
}

int store_meta_get(struct store *store, struct str name, struct str *ret)
{
	const struct str *value = map_find(&store->meta, name);

	if (!value) {
		return ERR_NOT_FOUND;
	}
	*ret = *value;
	return 0;
}

int store_meta_put(struct store *store, struct str name, struct str value, struct err *err)
{
	int r = store->backend->meta_put(store, name, value, err);

	if (r == 0) {
		store_meta_set(store, name, value);
	}
	return r;
}

/* --- open and close --- */

static void handle_closed(struct env_task *task)
{
	struct store *store = CONTAINER_OF(task, struct store, closed);
	void (*done)(void *ctx) = store->close_done;
	void *ctx = store->close_ctx;

	store->backend->free(store);
	if (done) {
		done(ctx);
	}
}

/* In a turn of its own: callers of store_close may be inside callbacks. */
static void handle_drained(struct env_task *task)
{
	struct store *store = CONTAINER_OF(task, struct store, closed);

	store_watchers_close(store);
	if (store->in_flight || !list_is_empty(&store->queue)) {
		store->closed.fn =
			NULL; /* late commits wait for their ERR_CLOSED; the batch that tells them brings us back */
		return;
	}
	if (store->start_posted || store->trim_posted || store->watchers.posted) {
		env_post(store->env, &store->closed); /* behind them */
		return;
	}
	env_timer_stop(store->env, &store->trim_timer);
	store->closed.fn = handle_closed;
	store->backend->close(store);
}

void store_close_if_drained(struct store *store)
{
	if (store->closing && !store->in_flight && list_is_empty(&store->queue) &&
	    !store->closed.fn) {
		store->closed.fn = handle_drained;
		env_post(store->env, &store->closed);
	}
}

void store_close(struct store *store, void (*done)(void *ctx), void *ctx)
{
	ASSERT(!store->closing);
	store->closing = true;
	store->close_done = done;
	store->close_ctx = ctx;
	store_close_if_drained(store);
}

void store_init(struct store *store, const struct store_backend *backend, struct env *env,
		const struct store_opts *opts)
{
	*store = (struct store){
		.backend = backend, .env = env, .opts = opts ? *opts : (struct store_opts){0}};
	store->opts.history_ns = store->opts.history_ns ? store->opts.history_ns : 300 * NS_PER_SEC;
	store->opts.history_bytes =
		store->opts.history_bytes ? store->opts.history_bytes : 32 * 1024 * 1024;
	store->history_bytes = store->opts.history_bytes;
	store_keys_init(&store->keys);
	store_watchers_init(store);
	map_init(&store->meta, 0);
	store_commit_init(store);
	store_trim_init(store);
	store->revision = store->last_revision = store->history.oldest = (struct revision){1};
	env_random(env, store->uid, sizeof(store->uid));
}

void store_load(struct store *store, int64_t id, struct str name, struct store_value *value,
		int64_t wall_ns, store_ids *gone)
{
	struct revision revision = {id / STORE_TXN_MAX};
	uint32_t op = (uint32_t)(id % STORE_TXN_MAX);
	struct store_key *key = store_keys_find_or_add(&store->keys, name);
	const struct store_value *prev;
	int64_t age_ns = MAX(env_wall_ns(store->env) - wall_ns, (int64_t)0);

	if (value) {
		store_value_fill(value, revision);
		value->op = (uint8_t)op;
	}
	store->live_bytes += store_value_size(value);
	prev = store_key_set_durable(&store->keys, key, value);
	store->live_bytes -= store_value_size(prev);
	store->revision = store->last_revision = revision;
	if (revision.n > store->history.oldest.n) {
		store_history_add(
			&store->history,
			(struct store_change){.revision = revision,
					      .key = key,
					      .value = value ? store_value_ref(value) : NULL,
					      .prev = prev,
					      .mono_ns = env_mono_ns(store->env) - age_ns,
					      .op = op});
		return;
	}
	if (prev) {
		*vec_push(gone) = store_row_id(prev->mod_revision, prev->op);
		store_value_unref(prev);
	}
	if (!value) {
		*vec_push(gone) = id;
		store_keys_drop(&store->keys, key);
	}
}

void store_start(struct store *store, struct revision revision)
{
	revision.n = MAX(revision.n, store->history.oldest.n);
	store->revision.n = MAX(store->revision.n, revision.n);
	store->last_revision = store->revision;
	if (store->history.n) {
		store_trim_later(store);
	}
}

void store_fini(struct store *store)
{
	struct str name;
	void *value;

	store_history_fini(&store->history);
	for (struct store_key *k = store_keys_from(&store->keys, STR_NULL); k;
	     k = store_keys_next(k)) {
		store_value_unref(k->durable);
	}
	store_keys_fini(&store->keys);
	for (size_t i = 0; map_next(&store->meta, &i, &name, &value);) {
		mem_free((char *)((struct str *)value)->p);
		mem_free(value);
	}
	map_fini(&store->meta);
	vec_fini(&store->batch.rows);
	err_clear(&store->batch.err);
}
