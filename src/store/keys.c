/* SPDX-License-Identifier: Apache-2.0 */
#include "store/keys.h"

#include "base/alloc.h"

static struct store_key *of_node(const struct tree_node *node)
{
	return node ? CONTAINER_OF(node, struct store_key, node) : NULL;
}

static size_t live_of(const struct tree_node *node)
{
	return node ? of_node(node)->live : 0;
}

static void update_live(struct tree_node *node)
{
	struct store_key *key = of_node(node);

	key->live = live_of(node->left) + live_of(node->right) + (key->durable ? 1 : 0);
}

void store_keys_init(struct store_keys *keys)
{
	*keys = (struct store_keys){.tree.update = update_live};
}

void store_keys_fini(struct store_keys *keys)
{
	struct tree_node *node;

	while ((node = keys->tree.root)) {
		tree_remove(&keys->tree, node);
		mem_free(of_node(node));
	}
}

struct store_key *store_keys_find(const struct store_keys *keys, struct str name)
{
	struct tree_node *node = keys->tree.root;

	while (node) {
		int cmp = str_cmp(name, store_key_str(of_node(node)));

		if (cmp == 0) {
			break;
		}
		node = cmp < 0 ? node->left : node->right;
	}
	return of_node(node);
}

struct store_key *store_keys_find_or_add(struct store_keys *keys, struct str name)
{
	struct tree_node **link = &keys->tree.root;
	struct tree_node *parent = NULL;
	struct store_key *key;

	while (*link) {
		int cmp = str_cmp(name, store_key_str(of_node(*link)));

		if (cmp == 0) {
			return of_node(*link);
		}
		parent = *link;
		link = cmp < 0 ? &parent->left : &parent->right;
	}
	key = mem_new(sizeof(*key) + name.n);
	key->n = (uint32_t)name.n;
	if (name.n) {
		memcpy(key->bytes, name.p, name.n);
	}
	tree_insert(&keys->tree, parent, link, &key->node);
	return key;
}

struct store_key *store_keys_from(const struct store_keys *keys, struct str name)
{
	struct tree_node *node = keys->tree.root;
	struct tree_node *best = NULL;

	while (node) {
		if (str_cmp(store_key_str(of_node(node)), name) >= 0) {
			best = node;
			node = node->left;
		} else {
			node = node->right;
		}
	}
	return of_node(best);
}

struct store_key *store_keys_next(const struct store_key *key)
{
	return of_node(tree_next(&key->node));
}

size_t store_keys_live_before(const struct store_keys *keys, struct str name)
{
	struct tree_node *node = keys->tree.root;
	size_t sum = 0;

	if (!name.p) {
		return live_of(node);
	}
	while (node) {
		if (str_cmp(store_key_str(of_node(node)), name) < 0) {
			sum += of_node(node)->live - live_of(node->right);
			node = node->right;
		} else {
			node = node->left;
		}
	}
	return sum;
}

const struct store_value *store_key_set_durable(struct store_keys *keys, struct store_key *key,
						const struct store_value *value)
{
	const struct store_value *old = key->durable;

	key->durable = value;
	if (!old != !value) {
		tree_touch(&keys->tree, &key->node);
	}
	return old;
}

void store_keys_drop(struct store_keys *keys, struct store_key *key)
{
	if (!key->durable && !key->queued && !key->newest) {
		tree_remove(&keys->tree, &key->node);
		mem_free(key);
	}
}
