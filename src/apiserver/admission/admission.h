/* SPDX-License-Identifier: Apache-2.0 */
/* apiserver/admission/admission.h: what the built-in plugins share. A plugin looks at w->kind, w->obj and w->old (obj is NULL for a
 * delete), may change obj, and returns NULL or a refusal. */
#pragma once
#include "apiserver/apiserver_internal.h"
#include "apiserver/codec.h"
#include "apiserver/verbs/write.h"

/* The object of a write to pods (not to a subresource) of the given kind, else NULL. */
static inline struct core_pod *admitted_pod(const struct write *w, enum write_kind kind)
{
	return w->kind == kind && w->r->resource == &resource_core_pods && !w->r->sub
		       ? (struct core_pod *)(void *)w->obj
		       : NULL;
}

/* The list with room for one more zeroed item at its end. */
#define ADMISSION_APPEND(a, list)                                                                  \
	({                                                                                         \
		__typeof__(&(list)->p[0]) grown_ =                                                 \
			arena_alloc_array((a), (list)->n + 1, sizeof(*(list)->p));                 \
		if ((list)->n) {                                                                   \
			memcpy(grown_, (list)->p, (list)->n * sizeof(*grown_));                    \
		}                                                                                  \
		(list)->p = grown_;                                                                \
		&(list)->p[(list)->n++];                                                           \
	})
