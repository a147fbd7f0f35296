/* SPDX-License-Identifier: Apache-2.0 */
/* Collection of what no name, container or image refers to. Records go before layers, so that no record ever lacks a layer. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/buf.h"
#include "kubelet/images/digest.h"
#include "kubelet/images/image_store_internal.h"
#include "linux/file.h"

static bool is_wanted(struct image_store *store, struct str id, const struct str *in_use, size_t n)
{
	for (size_t i = 0; i < store->names.n; i++) {
		if (str_eq(str_of(store->names.p[i].id), id)) {
			return true;
		}
	}
	for (size_t i = 0; i < n; i++) {
		if (str_eq(in_use[i], id)) {
			return true;
		}
	}
	return false;
}

static int drop_images(struct image_store *store, const struct str *in_use, size_t n,
		       struct image_gc_result *ret, struct err *err)
{
	struct arena a CLEANUP_ARENA = {0};
	struct str id;
	void *value;

	for (size_t i = 0; map_next(&store->images, &i, &id, &value);) {
		const char *path;

		if (is_wanted(store, id, in_use, n)) {
			continue;
		}
		path = image_store_path(
			store, &a, "images",
			arena_printf(&a, "%.*s.json", STR_ARG(image_store_hex(id))));
		if (unlink(path) < 0 && errno != ENOENT) {
			return err_set_errno(err, errno, "cannot remove %s", path);
		}
		map_remove(&store->images, id);
		image_unref(value);
		ret->images++;
	}
	return 0;
}

static void collect_layers(struct image_store *store, struct map *used)
{
	struct str id;
	void *value;

	for (size_t i = 0; map_next(&store->images, &i, &id, &value);) {
		const struct str_list *ids = &((struct image *)value)->record.config.diff_ids;

		for (size_t k = 0; k < ids->n; k++) {
			map_put(used, image_store_hex(ids->p[k]), value);
		}
	}
}

static uint64_t read_size(const char *path)
{
	struct buf text CLEANUP_BUF = {0};
	uint64_t v;

	return file_read(AT_FDCWD, path, 64, &text, NULL) < 0 ||
			       str_to_uint64(str_trim(buf_str(&text)), &v) < 0
		       ? 0
		       : v;
}

static int drop_layers(struct image_store *store, const struct map *used,
		       struct image_gc_result *ret, struct err *err)
{
	struct arena a CLEANUP_ARENA = {0};
	struct dir_names names CLEANUP_DIR_NAMES = {0};
	int r = dir_list(image_store_path(store, &a, "layers", STR_NULL), &names, err);

	for (size_t i = 0; r == 0 && i < names.n; i++) {
		struct str name = str_of(names.p[i]);
		const char *path = image_store_path(store, &a, "layers", name);

		if (map_find(used, str_sub(name, 0, DIGEST_HEX))) {
			continue;
		}
		if (str_has_suffix(name, STR(".size"))) {
			ret->bytes += read_size(path);
		} else {
			ret->layers++;
		}
		r = file_tree_remove(path, err);
	}
	return r;
}

int image_store_gc(struct image_store *store, const struct str *in_use, size_t n,
		   struct image_gc_result *ret, struct err *err)
{
	struct map used;
	int r;

	*ret = (struct image_gc_result){0};
	map_init(&used, 0);
	pthread_mutex_lock(&store->load_lock);
	pthread_mutex_lock(&store->lock);
	r = drop_images(store, in_use, n, ret, err);
	collect_layers(store, &used);
	pthread_mutex_unlock(&store->lock);
	/* what is not used now cannot become so: only a load adds layers, and it waits for load_lock */
	if (r == 0) {
		r = drop_layers(store, &used, ret, err);
	}
	pthread_mutex_unlock(&store->load_lock);
	map_fini(&used);
	return r;
}

uint64_t image_store_bytes(struct image_store *store)
{
	struct arena a CLEANUP_ARENA = {0};
	struct dir_names names CLEANUP_DIR_NAMES = {0};
	uint64_t sum = 0;

	if (dir_list(image_store_path(store, &a, "layers", STR_NULL), &names, NULL) < 0) {
		return 0;
	}
	for (size_t i = 0; i < names.n; i++) {
		if (str_has_suffix(str_of(names.p[i]), STR(".size"))) {
			sum += read_size(image_store_path(store, &a, "layers", str_of(names.p[i])));
		}
	}
	return sum;
}
