/* SPDX-License-Identifier: Apache-2.0 */
/* linux/ns.h: namespaces that live without a process, held by a bind mount on a file, and functions run inside of one.
 * Both use a thread made for the purpose: namespaces belong to threads, and a thread costs a tenth of a forked child and shares memory.
 * A pid namespace cannot be kept this way (it dies with its first process). Blocking, any thread, needs CAP_SYS_ADMIN. */
#pragma once
#include <sys/types.h>

#include "base/err.h"

struct ns_setup {
	const char *net, *ipc,
		*uts; /* files to pin a new namespace of that kind to (made if missing); NULL: none of that kind */
	const char *hostname; /* for the new uts namespace; NULL: inherited */
	/* Runs inside the new namespaces before they are pinned, e.g. to write sysctls. May be NULL. */
	int (*inside)(void *ctx, struct err *err);
	void *ctx;
};

/* All or nothing. A pin that exists already (of a crashed run) is replaced. A new net namespace has its loopback up. */
MUST_USE int ns_create(const struct ns_setup *setup, struct err *err);
/* Unpins; the namespace goes when its last process does. Idempotent; removes the file too. */
MUST_USE int ns_remove(const char *path, struct err *err);

/* Runs fn in a thread that has entered the namespace pinned at path (or /proc/PID/ns/x): net, ipc or uts. Returns what fn returned, or
 * the failure to enter. Sockets that fn opens stay in the namespace. */
MUST_USE int ns_enter(const char *path, int (*fn)(void *ctx, struct err *err), void *ctx,
		      struct err *err);
