/* SPDX-License-Identifier: Apache-2.0 */
#include "store/tree.h"

enum {
	TREE_DELTA = 3, /* a side may weigh this many times the other */
	TREE_GAMMA = 2, /* how heavy the inner grandchild may be for a single rotation */
};

static size_t weight(const struct tree_node *node)
{
	return node ? node->size + 1 : 1;
}

static void update(struct tree *tree, struct tree_node *node)
{
	node->size = weight(node->left) + weight(node->right) - 1;
	if (tree->update) {
		tree->update(node);
	}
}

/* Put `node` (may be NULL) where `old` hangs. */
static void replace(struct tree *tree, struct tree_node *old, struct tree_node *node)
{
	struct tree_node *parent = old->parent;

	if (!parent) {
		tree->root = node;
	} else if (parent->left == old) {
		parent->left = node;
	} else {
		parent->right = node;
	}
	if (node) {
		node->parent = parent;
	}
}

static void set_left(struct tree_node *node, struct tree_node *child)
{
	node->left = child;
	if (child) {
		child->parent = node;
	}
}

static void set_right(struct tree_node *node, struct tree_node *child)
{
	node->right = child;
	if (child) {
		child->parent = node;
	}
}

static struct tree_node *rotate_left(struct tree *tree, struct tree_node *node)
{
	struct tree_node *top = node->right;

	replace(tree, node, top);
	set_right(node, top->left);
	set_left(top, node);
	update(tree, node);
	update(tree, top);
	return top;
}

static struct tree_node *rotate_right(struct tree *tree, struct tree_node *node)
{
	struct tree_node *top = node->left;

	replace(tree, node, top);
	set_left(node, top->right);
	set_right(top, node);
	update(tree, node);
	update(tree, top);
	return top;
}

static struct tree_node *balance(struct tree *tree, struct tree_node *node)
{
	if (weight(node->right) > TREE_DELTA * weight(node->left)) {
		if (weight(node->right->left) >= TREE_GAMMA * weight(node->right->right)) {
			rotate_right(tree, node->right);
		}
		return rotate_left(tree, node);
	}
	if (weight(node->left) > TREE_DELTA * weight(node->right)) {
		if (weight(node->left->right) >= TREE_GAMMA * weight(node->left->left)) {
			rotate_left(tree, node->left);
		}
		return rotate_right(tree, node);
	}
	return node;
}

static void repair_upwards(struct tree *tree, struct tree_node *node)
{
	for (; node; node = node->parent) {
		update(tree, node);
		node = balance(tree, node);
	}
}

void tree_insert(struct tree *tree, struct tree_node *parent, struct tree_node **link,
		 struct tree_node *node)
{
	*node = (struct tree_node){.parent = parent};
	*link = node;
	repair_upwards(tree, node);
}

void tree_remove(struct tree *tree, struct tree_node *node)
{
	struct tree_node *from;

	if (node->left && node->right) {
		struct tree_node *next = tree_next(node);

		/* The successor has no left child: take it out, then let it stand in for the
		 * node. */
		from = next->parent == node ? next : next->parent;
		replace(tree, next, next->right);
		replace(tree, node, next);
		set_left(next, node->left);
		set_right(next, node->right);
	} else {
		from = node->parent;
		replace(tree, node, node->left ? node->left : node->right);
	}
	repair_upwards(tree, from);
}

void tree_touch(struct tree *tree, struct tree_node *node)
{
	for (; node; node = node->parent) {
		tree->update(node);
	}
}

struct tree_node *tree_first(const struct tree *tree)
{
	struct tree_node *node = tree->root;

	while (node && node->left) {
		node = node->left;
	}
	return node;
}

struct tree_node *tree_next(const struct tree_node *node)
{
	const struct tree_node *up;

	if (node->right) {
		const struct tree_node *next = node->right;

		while (next->left) {
			next = next->left;
		}
		return (struct tree_node *)next;
	}
	for (up = node->parent; up && up->right == node; up = up->parent) {
		node = up;
	}
	return (struct tree_node *)up;
}
