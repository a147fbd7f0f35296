/* SPDX-License-Identifier: Apache-2.0 */
#include "ingress/problem.h"

void problem_add(struct problems *problems, const char *reason, const char *fmt, ...)
{
	struct problem *p;
	va_list ap;

	if (problems->list.n >= PROBLEMS_MAX) {
		problems->list.p[PROBLEMS_MAX - 1].message =
			arena_printf(problems->arena, "and more; mend the ones above first");
		return;
	}
	p = vec_push(&problems->list);
	p->reason = reason;
	va_start(ap, fmt);
	p->message = arena_vprintf(problems->arena, fmt, ap);
	va_end(ap);
}
