/* SPDX-License-Identifier: Apache-2.0 */
/* ingress/problem.h: what is wrong with one Ingress, in words for its owner: becomes a Warning event on it. Collected by pure code, sent
 * by ingress.c. */
#pragma once
#include "base/arena.h"
#include "base/vec.h"

struct problem {
	const char *reason; /* constant, CamelCase: the event's reason */
	struct str message; /* in the arena */
};

struct problems {
	struct arena *arena; /* of the messages; set before the first problem_add */
	VEC(struct problem) list;
};

/* At most PROBLEMS_MAX are kept, so that one Ingress cannot fill the event log; the last one then says so. */
#define PROBLEMS_MAX 32
void problem_add(struct problems *problems, const char *reason, const char *fmt, ...) PRINTF(3, 4);
