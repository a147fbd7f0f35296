/* SPDX-License-Identifier: Apache-2.0 */
/* kubelet/images/image_store_internal.h: shared by image_store.c (names and records), image_load.c and image_gc.c. */
#pragma once
#include <pthread.h>

#include "base/map.h"
#include "base/vec.h"
#include "kubelet/images/image_store.h"

struct image_name {
	char *name;
	char *id;
	bool local;
};

struct image_store {
	char *root;
	const char *const *unpack_argv;
	int lock_fd;
	pthread_mutex_t
		load_lock;    /* taken before `lock`: loads and collections exclude each other */
	pthread_mutex_t lock; /* of what follows; held for short, never across unpacking */
	struct map images;    /* id -> struct image *, a reference each */
	VEC(struct image_name) names; /* sorted */
};

/* root/<sub>/<name> in the arena; sub or name may be NULL. */
const char *image_store_path(const struct image_store *store, struct arena *arena, const char *sub,
			     struct str name);
/* The hex digits of "sha256:<hex>". */
struct str image_store_hex(struct str digest);
/* With `lock` held: sets a name; the caller saves. */
void image_store_set_name(struct image_store *store, struct str name, struct str id, bool local);
/* With `lock` held: writes names.json durably. */
MUST_USE int image_store_save_names(struct image_store *store, struct err *err);
/* Parses a record into a new image with one reference. */
MUST_USE int image_new(struct str text, struct image **ret, struct err *err);
/* With `lock` held: what find does, for a name, id or id prefix; borrowed. */
struct image *image_store_lookup(struct image_store *store, struct str name, bool *ret_local);
