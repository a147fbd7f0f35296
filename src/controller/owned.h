/* SPDX-License-Identifier: Apache-2.0 */
/* controller/owned.h: which objects belong to a controller object (upstream's ControllerRefManager): those whose controller reference
 * names it. Orphans that its selector matches are adopted, what it owns and the selector does not match any more is released. */
#pragma once
#include "controller/controller.h"
#include "rules/selector.h"

/* Objects by the uid of their controller; those without one by "orphan/NAMESPACE". */
extern const struct informer_index_desc index_by_controller;

struct owned {
	struct frozen **p; /* in the snapshot's arena; in order of namespace and name */
	size_t n;
};

/* Objects of `resource` (which needs index_by_controller) that `owner` has from now on. Adds the patches that adopt and release, and ends
 * their stage if there are any. may_adopt: NULL adopts every orphan that matches and is not being deleted. An owner that is being
 * deleted adopts and releases nothing. */
void owned_claim(const struct snapshot *snapshot, struct actions *actions,
		 const struct frozen *owner, const struct selector *selector,
		 const struct resource_desc *resource,
		 bool (*may_adopt)(const struct frozen *object, const struct frozen *owner),
		 struct owned *ret);

/* A keys function's work: the object's controllers (before and after) of kind `owner`, and where it has none every object of that
 * resource whose selector matches its labels. selector_of fills *ret; false: this owner selects nothing. */
typedef bool (*selector_of_fn)(struct arena *a, const struct frozen *owner, struct selector *ret);
void owned_keys(struct informers *informers, const struct resource_desc *owner,
		selector_of_fn selector_of, const struct frozen *old, const struct frozen *new_,
		enqueue_fn enqueue, void *ctx);
