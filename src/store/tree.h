/* SPDX-License-Identifier: Apache-2.0 */
/* store/tree.h: an intrusive weight-balanced search tree (Nievergelt and Reingold 1973, with the
 * parameters 3 and 2 that Hirai and Yamamoto proved in 2011). The caller compares; the tree keeps
 * itself shallow and keeps one summary per subtree, which `update` computes from a node and its two
 * children: a count, a maximum. */
#pragma once
#include <stddef.h>

#include "base/attr.h"

struct tree_node {
	struct tree_node *parent, *left, *right;
	size_t size; /* nodes of this subtree */
};

struct tree {
	struct tree_node *root;
	void (*update)(struct tree_node *node); /* may be NULL */
};

/* Insert below `parent` (NULL: as the root) in the free place `link`, which is &parent->left,
 * &parent->right or &tree->root. */
void tree_insert(struct tree *tree, struct tree_node *parent, struct tree_node **link,
		 struct tree_node *node);
void tree_remove(struct tree *tree, struct tree_node *node);
/* The node's own share of the summary has changed. */
void tree_touch(struct tree *tree, struct tree_node *node);
/* In order; NULL at the end, or in an empty tree. */
struct tree_node *tree_first(const struct tree *tree);
struct tree_node *tree_next(const struct tree_node *node);
