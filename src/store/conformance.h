/* SPDX-License-Identifier: Apache-2.0 */
/* store/conformance.h: what every backend of store.h keeps, as tests. x_test.c of a backend is a
 * main() that calls conformance_run(). */
#pragma once
#include "env/sim_env.h"
#include "store/store.h"

struct conformance_backend {
	const char *name;
	/* ctx is made anew for each case; a second open on it finds the data of the first. */
	void *(*ctx_new)(void);
	void (*ctx_free)(void *ctx);
	struct store *(*open)(void *ctx, struct env *env, const struct store_opts *opts);
	bool persists; /* data survive store_close */
};

/* Returns what main() returns. argv[1]: only cases whose name contains it. */
int conformance_run(const struct conformance_backend *backend, int argc, char **argv);
