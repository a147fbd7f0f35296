/* SPDX-License-Identifier: Apache-2.0 */
/* store/memory.c: the backend that keeps nothing: for tests and simulation. */
#include "store/store_internal.h"

static void memory_commit(struct store *store, struct store_batch *batch)
{
	env_post(store->env, &batch->done);
}

static void memory_forget(struct store *store UNUSED, const int64_t *ids UNUSED, size_t n UNUSED,
			  size_t bytes UNUSED, struct revision oldest UNUSED)
{
}

static int memory_meta_put(struct store *store UNUSED, struct str name UNUSED,
			   struct str value UNUSED, struct err *err UNUSED)
{
	return 0; /* the core remembers it */
}

static void memory_stats(struct store *store UNUSED, struct store_stats *ret UNUSED)
{
}

static void memory_close(struct store *store)
{
	env_post(store->env, &store->closed);
}

static void memory_free(struct store *store)
{
	store_fini(store);
	mem_free(store);
}

struct store *store_open_memory(struct env *env, const struct store_opts *opts)
{
	static const struct store_backend backend = {
		.commit = memory_commit,
		.forget = memory_forget,
		.meta_put = memory_meta_put,
		.stats = memory_stats,
		.close = memory_close,
		.free = memory_free,
	};
	struct store *store = NEW(struct store);

	store_init(store, &backend, env, opts);
	store_start(store, (struct revision){1});
	return store;
}
