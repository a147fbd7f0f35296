/* SPDX-License-Identifier: Apache-2.0 */
#include "store/conformance.h"

#include "base/attr.h"

static void *ctx_new(void)
{
	return NULL;
}

static void ctx_free(void *ctx UNUSED)
{
}

static struct store *open_memory(void *ctx UNUSED, struct env *env, const struct store_opts *opts)
{
	return store_open_memory(env, opts);
}

int main(int argc, char **argv)
{
	static const struct conformance_backend backend = {
		.name = "memory", .ctx_new = ctx_new, .ctx_free = ctx_free, .open = open_memory};

	return conformance_run(&backend, argc, argv);
}
