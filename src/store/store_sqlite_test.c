/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"
#include "env/sim_disk.h"
#include "store/conformance.h"
#include "store/sqlite.h"

static void *ctx_new(void)
{
	return sim_disk_new();
}

static void ctx_free(void *ctx)
{
	sim_disk_free(ctx);
}

static struct store *open_with(struct sim_disk *disk, struct env *env,
			       const struct store_opts *opts, const struct sqlite_tuning *tuning)
{
	struct store *store = NULL;
	struct err err = {0};

	if (store_open_sqlite_tuned(env, sim_disk_disk(disk), "/data/store", opts, tuning, &store,
				    &err) < 0) {
		print_error("%s\n", err_msg(&err));
		fail();
	}
	return store;
}

static struct store *open_sqlite(void *ctx, struct env *env, const struct store_opts *opts)
{
	struct store *store = NULL;
	struct err err = {0};

	if (store_open_sqlite(env, sim_disk_disk(ctx), "/data/store", opts, &store, &err) < 0) {
		print_error("%s\n", err_msg(&err));
		fail();
	}
	return store;
}

/* Everything small: each case copies, forgets and switches segments all the time. */
static struct store *open_restless(void *ctx, struct env *env, const struct store_opts *opts)
{
	static const struct sqlite_tuning tuning = {.seal_bytes = 2048,
						    .log_max_bytes = 16384,
						    .chunk_bytes = 512,
						    .forget_rows = 3,
						    .forget_bytes = 300};

	return open_with(ctx, env, opts, &tuning);
}

static struct store *open_one_thread(void *ctx, struct env *env, const struct store_opts *opts)
{
	static const struct sqlite_tuning tuning = {.seal_bytes = 2048,
						    .log_max_bytes = 8192,
						    .chunk_bytes = 512,
						    .forget_rows = 3,
						    .forget_bytes = 300,
						    .one_thread = true};

	return open_with(ctx, env, opts, &tuning);
}

int main(int argc, char **argv)
{
	static const struct conformance_backend backends[] = {
		{.name = "sqlite",
		 .ctx_new = ctx_new,
		 .ctx_free = ctx_free,
		 .open = open_sqlite,
		 .persists = true},
		{.name = "sqlite, restless",
		 .ctx_new = ctx_new,
		 .ctx_free = ctx_free,
		 .open = open_restless,
		 .persists = true},
		{.name = "sqlite, one thread",
		 .ctx_new = ctx_new,
		 .ctx_free = ctx_free,
		 .open = open_one_thread,
		 .persists = true},
	};
	int failed = 0;

	for (size_t i = 0; i < ARRAY_LEN(backends); i++) {
		failed += conformance_run(&backends[i], argc, argv);
	}
	return failed;
}
