/* SPDX-License-Identifier: Apache-2.0 */
/* store/trim.c: history is kept for a time and up to a size; what falls out is forgotten in memory
 * and on disk. */
#include "store/store_internal.h"

static bool is_over_limits(struct store *store)
{
	const struct store_history *history = &store->history;

	return history->n && (history->bytes > store->history_bytes ||
			      store_history_at(history, 0)->mono_ns + store->opts.history_ns <
				      env_mono_ns(store->env));
}

void store_trim_later(struct store *store)
{
	if (!store->trim_posted) {
		store->trim_posted = true;
		env_post(store->env, &store->trim);
	}
}

void store_cut_history(struct store *store, struct revision revision, store_ids *gone)
{
	struct store_history *history = &store->history;

	while (history->n && store_history_at(history, 0)->revision.n <= revision.n) {
		store_history_remove_oldest(history, &store->keys, gone);
	}
}

static void handle_trim(struct env_task *task)
{
	struct store *store = CONTAINER_OF(task, struct store, trim);
	struct store_history *history = &store->history;
	size_t bytes = history->bytes;
	store_ids gone = {0};

	store->trim_posted = false;
	while (is_over_limits(store)) {
		/* Whole transactions, so that a watch never resumes inside one. */
		store_cut_history(store, store_history_at(history, 0)->revision, &gone);
	}
	if (gone.n) {
		store->backend->forget(store, gone.p, gone.n, bytes - history->bytes,
				       history->oldest);
	}
	vec_fini(&gone);
	store_trim_if_needed(store);
	store_close_if_drained(store);
}

static void handle_trim_timer(struct env_timer *timer)
{
	store_trim_later(CONTAINER_OF(timer, struct store, trim_timer));
}

void store_trim_if_needed(struct store *store)
{
	if (store->closing) {
		return;
	}
	if (is_over_limits(store)) {
		store_trim_later(store);
	} else if (store->history.n && !store->trim_timer.at_mono_ns) {
		/* An eighth of the window late, so that a quiet store wakes up rarely. */
		env_timer_start(store->env, &store->trim_timer,
				store_history_at(&store->history, 0)->mono_ns +
					store->opts.history_ns + store->opts.history_ns / 8);
	}
}

void store_trim_init(struct store *store)
{
	store->trim.fn = handle_trim;
	store->trim_timer.fn = handle_trim_timer;
}
