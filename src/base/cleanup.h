/* SPDX-License-Identifier: Apache-2.0 */
/* base/cleanup.h: locals that clean up after themselves, and STEAL to hand one over. */
#pragma once
#include <unistd.h>

#include "base/alloc.h"
#include "base/attr.h"

static inline void cleanup_free(void *p)
{
	mem_free(*(void **)p);
}

/* Keeps errno, so that it can run on an error path. */
void cleanup_fd(int *fd);

/* char *p CLEANUP_FREE = NULL; int fd CLEANUP_FD = -1; */
#define CLEANUP_FREE CLEANUP(cleanup_free)
#define CLEANUP_FD CLEANUP(cleanup_fd)

#define STEAL(p)                                                                                   \
	({                                                                                         \
		__typeof__(p) steal_ = (p);                                                        \
		(p) = NULL;                                                                        \
		steal_;                                                                            \
	})
#define STEAL_FD(fd)                                                                               \
	({                                                                                         \
		int steal_ = (fd);                                                                 \
		(fd) = -1;                                                                         \
		steal_;                                                                            \
	})
