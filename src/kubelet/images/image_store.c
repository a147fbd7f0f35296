/* SPDX-License-Identifier: Apache-2.0 */
#include "kubelet/images/image_store.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "codec/json.h"
#include "kubelet/images/digest.h"
#include "kubelet/images/image_store_internal.h"
#include "kubelet/images/reference.h"
#include "linux/file.h"
#include "linux/mounts.h"

enum { NAMES_FILE_MAX = 64 << 20, ID_PREFIX_MIN = 12 };

const char *image_store_path(const struct image_store *store, struct arena *arena, const char *sub,
			     struct str name)
{
	return arena_printf(arena, "%s%s%s%s%.*s", store->root, sub ? "/" : "", sub ? sub : "",
			    name.p ? "/" : "", STR_ARG(name))
		.p;
}

struct str image_store_hex(struct str digest)
{
	return str_from(digest, strlen("sha256:"));
}

struct image *image_ref(struct image *image)
{
	atomic_fetch_add_explicit(&image->refs, 1, memory_order_relaxed);
	return image;
}

void image_unref(struct image *image)
{
	if (image && atomic_fetch_sub_explicit(&image->refs, 1, memory_order_acq_rel) == 1) {
		arena_fini(&image->arena);
		mem_free(image);
	}
}

int image_new(struct str text, struct image **ret, struct err *err)
{
	struct image *image = NEW(struct image);
	int r = oci_record_read(&image->arena, arena_str(&image->arena, text), &image->record, err);

	atomic_init(&image->refs, 1);
	if (r < 0) {
		image_unref(image);
		return r;
	}
	*ret = image;
	return 0;
}

/* ---- names ---- */

static int name_cmp(const void *a, const void *b)
{
	return strcmp(((const struct image_name *)a)->name, ((const struct image_name *)b)->name);
}

static struct image_name *find_name(struct image_store *store, struct str name)
{
	for (size_t i = 0; i < store->names.n; i++) {
		if (str_eq(str_of(store->names.p[i].name), name)) {
			return &store->names.p[i];
		}
	}
	return NULL;
}

void image_store_set_name(struct image_store *store, struct str name, struct str id, bool local)
{
	struct image_name *n = find_name(store, name);

	if (n) {
		mem_free(n->id);
		n->id = str_dup_cstr(id);
		n->local = local;
		return;
	}
	*vec_push(&store->names) = (struct image_name){str_dup_cstr(name), str_dup_cstr(id), local};
	qsort(store->names.p, store->names.n, sizeof(*store->names.p), name_cmp);
}

static void free_name(struct image_name *n)
{
	mem_free(n->name);
	mem_free(n->id);
}

int image_store_save_names(struct image_store *store, struct err *err)
{
	struct arena a CLEANUP_ARENA = {0};
	struct buf out CLEANUP_BUF = {0};

	buf_puts(&out, "{\"version\":1,\"names\":{");
	for (size_t i = 0; i < store->names.n; i++) {
		const struct image_name *n = &store->names.p[i];

		buf_puts(&out, "\n\t");
		json_write_string(&out, str_of(n->name));
		buf_puts(&out, ":{\"id\":");
		json_write_string(&out, str_of(n->id));
		buf_printf(&out, ",\"local\":%s}%s", n->local ? "true" : "false",
			   i + 1 < store->names.n ? "," : "");
	}
	buf_puts(&out, "\n}}\n");
	return file_replace(image_store_path(store, &a, "names.json", STR_NULL), buf_str(&out),
			    0600, true, err);
}

static int read_name(struct image_store *store, const struct json_member *m, struct err *err)
{
	const struct json_value *id = json_get(&m->value, STR("id"));
	const struct json_value *local = json_get(&m->value, STR("local"));

	if (!id || id->kind != JSON_STRING || !reference_is_digest(json_str(id))) {
		return err_set(err, ERR_CORRUPT, "the name %.*s has no image id", STR_ARG(m->key));
	}
	/* a name whose record is gone (deleted by hand) is no longer on this node */
	if (map_find(&store->images, json_str(id))) {
		image_store_set_name(store, m->key, json_str(id),
				     local && local->kind == JSON_BOOL && local->boolean);
	}
	return 0;
}

static int read_names(struct image_store *store, const char *path, struct err *err)
{
	struct arena a CLEANUP_ARENA = {0};
	struct buf text CLEANUP_BUF = {0};
	const struct json_value *version;
	const struct json_value *names;
	struct json_value doc;
	int r;

	if (!file_exists(path)) {
		return 0;
	}
	if ((r = file_read(AT_FDCWD, path, NAMES_FILE_MAX, &text, err)) < 0) {
		return r;
	}
	if (json_parse(&a, buf_str(&text), NULL, &doc, err) < 0) {
		return err_wrap(err, "%s", path);
	}
	version = json_get(&doc, STR("version"));
	names = json_get(&doc, STR("names"));
	if (!version || version->kind != JSON_INT || !names || names->kind != JSON_OBJECT) {
		return err_set(err, ERR_CORRUPT, "%s has no version or names", path);
	}
	if (version->num != 1) {
		return err_set(err, ERR_NEWER_FORMAT,
			       "%s was written by a newer version (format %lld)", path,
			       (long long)version->num);
	}
	for (size_t i = 0; r == 0 && i < names->n; i++) {
		r = read_name(store, &names->members[i], err);
	}
	return r < 0 ? err_wrap(err, "%s", path) : 0;
}

static int read_images(struct image_store *store, const char *dir, struct err *err)
{
	struct dir_names files CLEANUP_DIR_NAMES = {0};
	struct arena a CLEANUP_ARENA = {0};
	int r = dir_list(dir, &files, err);

	for (size_t i = 0; r == 0 && i < files.n; i++) {
		struct buf text CLEANUP_BUF = {0};
		const char *path = arena_printf(&a, "%s/%s", dir, files.p[i]).p;
		struct image *image = NULL;

		if (!str_has_suffix(str_of(path), STR(".json"))) {
			continue; /* .tmp of a crash */
		}
		r = file_read(AT_FDCWD, path, OCI_DOCUMENT_MAX, &text, err);
		if (r == 0) {
			r = image_new(buf_str(&text), &image, err);
		}
		if (r < 0) {
			return err_wrap(err, "%s", path);
		}
		image_unref(map_put(&store->images, image->record.id, image));
	}
	return r;
}

/* ---- open and close ---- */

static int take_lock(struct image_store *store, struct err *err)
{
	struct arena a CLEANUP_ARENA = {0};
	const char *path = image_store_path(store, &a, "lock", STR_NULL);

	store->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (store->lock_fd < 0) {
		return err_set_errno(err, errno, "cannot open %s", path);
	}
	if (flock(store->lock_fd, LOCK_EX | LOCK_NB) < 0) {
		return err_set(err, ERR_BUSY, "the image store %s is in use by another process",
			       store->root);
	}
	return 0;
}

static int open_dirs(struct image_store *store, struct err *err)
{
	static const char *const subs[] = {"images", "layers", "staging"};
	struct arena a CLEANUP_ARENA = {0};
	int r = dir_make(store->root, 0700, err);

	if (r == 0) {
		r = take_lock(store, err);
	}
	if (r == 0) {
		r = file_tree_remove(image_store_path(store, &a, "staging", STR_NULL), err);
	}
	for (size_t i = 0; r == 0 && i < ARRAY_LEN(subs); i++) {
		r = dir_make(image_store_path(store, &a, subs[i], STR_NULL), 0700, err);
	}
	if (r == 0) {
		r = read_images(store, image_store_path(store, &a, "images", STR_NULL), err);
	}
	return r < 0 ? r
		     : read_names(store, image_store_path(store, &a, "names.json", STR_NULL), err);
}

int image_store_open(const struct image_store_config *config, struct image_store **ret,
		     struct err *err)
{
	struct image_store *store = NEW(struct image_store);
	int r;

	store->root = str_dup_cstr(str_of(config->root));
	store->unpack_argv = config->unpack_argv;
	store->lock_fd = -1;
	map_init(&store->images, MAP_BORROW_KEYS);
	pthread_mutex_init(&store->lock, NULL);
	pthread_mutex_init(&store->load_lock, NULL);
	r = open_dirs(store, err);
	if (r < 0) {
		image_store_close(store);
		return err_wrap(err, "cannot open the image store");
	}
	*ret = store;
	return 0;
}

void image_store_close(struct image_store *store)
{
	struct str id;
	void *image;

	if (!store) {
		return;
	}
	for (size_t i = 0; map_next(&store->images, &i, &id, &image);) {
		image_unref(image);
	}
	map_fini(&store->images);
	for (size_t i = 0; i < store->names.n; i++) {
		free_name(&store->names.p[i]);
	}
	vec_fini(&store->names);
	pthread_mutex_destroy(&store->lock);
	pthread_mutex_destroy(&store->load_lock);
	cleanup_fd(&store->lock_fd);
	mem_free(store->root);
	mem_free(store);
}

/* ---- queries ---- */

static bool is_hex(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (!strchr("0123456789abcdef", s.p[i]) || s.p[i] == '\0') {
			return false;
		}
	}
	return true;
}

/* By id or a prefix of it that fits one image only. */
static struct image *lookup_id(struct image_store *store, struct str name)
{
	struct str hex = str_has_prefix(name, STR("sha256:")) ? image_store_hex(name) : name;
	struct image *found = NULL;
	struct str id;
	void *image;

	if (hex.n < ID_PREFIX_MIN || hex.n > DIGEST_HEX || !is_hex(hex)) {
		return NULL;
	}
	for (size_t i = 0; map_next(&store->images, &i, &id, &image);) {
		if (str_has_prefix(image_store_hex(id), hex)) {
			if (found) {
				return NULL;
			}
			found = image;
		}
	}
	return found;
}

/* name@digest: the image may be here under any name of the same repository; the digest says that it is the one. */
static struct image *lookup_digest(struct image_store *store, struct str digest)
{
	struct str id;
	void *value;

	for (size_t i = 0; map_next(&store->images, &i, &id, &value);) {
		struct image *image = value;

		if (str_eq(image->record.digest, digest)) {
			return image;
		}
	}
	return NULL;
}

struct image *image_store_lookup(struct image_store *store, struct str name, bool *ret_local)
{
	struct arena a CLEANUP_ARENA = {0};
	struct image *image = lookup_id(store, name);
	struct reference ref;
	struct image_name *n;

	*ret_local = false;
	if (image || reference_parse(&a, name, &ref, NULL) < 0) {
		return image;
	}
	n = find_name(store, ref.name);
	if (n) {
		*ret_local = n->local;
		return map_find(&store->images, str_of(n->id));
	}
	return ref.digest.p ? lookup_digest(store, ref.digest) : NULL;
}

struct image *image_store_find(struct image_store *store, struct str name, bool *ret_local)
{
	struct image *image;
	bool local;

	pthread_mutex_lock(&store->lock);
	image = image_store_lookup(store, name, &local);
	if (image) {
		image_ref(image);
	}
	pthread_mutex_unlock(&store->lock);
	if (ret_local) {
		*ret_local = local;
	}
	return image;
}

static int item_cmp(const void *a, const void *b)
{
	return str_cmp(((const struct image_list_item *)a)->image->record.id,
		       ((const struct image_list_item *)b)->image->record.id);
}

static void fill_names(struct image_store *store, struct image_list_item *item, struct arena *arena)
{
	item->names = ARENA_ARRAY(arena, store->names.n, struct str);
	for (size_t i = 0; i < store->names.n; i++) {
		const struct image_name *n = &store->names.p[i];

		if (str_eq(str_of(n->id), item->image->record.id)) {
			item->names[item->n_names++] = arena_str(arena, str_of(n->name));
			item->local |= n->local;
		}
	}
}

void image_store_list(struct image_store *store, struct image_list *ret)
{
	struct str id;
	void *image;

	*ret = (struct image_list){0};
	pthread_mutex_lock(&store->lock);
	ret->items = ARENA_ARRAY(&ret->arena, store->images.n, struct image_list_item);
	for (size_t i = 0; map_next(&store->images, &i, &id, &image);) {
		struct image_list_item *item = &ret->items[ret->n++];

		item->image = image_ref(image);
		fill_names(store, item, &ret->arena);
	}
	pthread_mutex_unlock(&store->lock);
	if (ret->n) {
		qsort(ret->items, ret->n, sizeof(*ret->items), item_cmp);
	}
}

void image_list_fini(struct image_list *list)
{
	for (size_t i = 0; i < list->n; i++) {
		image_unref(list->items[i].image);
	}
	arena_fini(&list->arena);
	*list = (struct image_list){0};
}

/* ---- changes of names ---- */

int image_store_remove(struct image_store *store, struct str name, struct err *err)
{
	struct arena a CLEANUP_ARENA = {0};
	struct reference ref = {0};
	struct image *by_id;
	size_t removed = 0;
	int r;

	pthread_mutex_lock(&store->lock);
	by_id = lookup_id(store, name);
	r = by_id ? 0 : reference_parse(&a, name, &ref, err);
	for (size_t i = store->names.n; r == 0 && i-- > 0;) {
		struct image_name *n = &store->names.p[i];

		if (by_id ? str_eq(str_of(n->id), by_id->record.id)
			  : str_eq(str_of(n->name), ref.name)) {
			free_name(n);
			vec_remove(&store->names, i);
			removed++;
		}
	}
	if (r == 0 && !removed && !by_id) {
		r = err_set(err, ERR_NOT_FOUND, "image %.*s is not on this node", STR_ARG(name));
	}
	if (r == 0 && removed) {
		r = image_store_save_names(store, err);
	}
	pthread_mutex_unlock(&store->lock);
	return r;
}

int image_store_tag(struct image_store *store, struct str existing, struct str name, bool local,
		    struct err *err)
{
	struct arena a CLEANUP_ARENA = {0};
	struct reference ref;
	struct image *image;
	bool ignored;
	int r = reference_parse(&a, name, &ref, err);

	if (r < 0) {
		return r;
	}
	pthread_mutex_lock(&store->lock);
	image = image_store_lookup(store, existing, &ignored);
	if (image) {
		image_store_set_name(store, ref.name, image->record.id, local);
		r = image_store_save_names(store, err);
	} else {
		r = err_set(err, ERR_NOT_FOUND, "image %.*s is not on this node",
			    STR_ARG(existing));
	}
	pthread_mutex_unlock(&store->lock);
	return r;
}

/* ---- root file systems ---- */

static int mount_image(struct image_store *store, const struct image *image, const char *dir,
		       struct arena *a, struct err *err)
{
	const struct str_list *ids = &image->record.config.diff_ids;
	const char *lowers[OCI_LAYERS_MAX + 1];
	const char *upper = arena_printf(a, "%s/upper", dir).p;
	const char *work = arena_printf(a, "%s/work", dir).p;
	const char *rootfs = arena_printf(a, "%s/rootfs", dir).p;
	size_t n = 0;
	int r;

	for (size_t i = ids->n; i-- > 0;) { /* overlayfs wants the topmost first */
		lowers[n++] = image_store_path(store, a, "layers", image_store_hex(ids->p[i]));
	}
	if (n == 0) { /* an image of no layers at all */
		lowers[n++] = arena_printf(a, "%s/empty", dir).p;
		if ((r = dir_make(lowers[0], 0755, err)) < 0) {
			return r;
		}
	}
	if ((r = mount_remove(rootfs, true, err)) < 0 || (r = dir_make(upper, 0755, err)) < 0 ||
	    (r = dir_make(work, 0700, err)) < 0 || (r = dir_make(rootfs, 0755, err)) < 0) {
		return r;
	}
	return mount_overlay(rootfs, lowers, n, upper, work, err);
}

int image_store_mount(struct image_store *store, const struct image *image, const char *dir,
		      struct err *err)
{
	struct arena a CLEANUP_ARENA = {0};
	int r = mount_image(store, image, dir, &a, err);

	return r < 0 ? err_wrap(err, "cannot make the root file system of image %.*s",
				STR_ARG(image->record.id))
		     : 0;
}

int image_store_unmount(const char *dir, struct err *err)
{
	static const char *const subs[] = {"rootfs", "upper", "work", "empty"};
	struct arena a CLEANUP_ARENA = {0};
	int r = mount_remove_below(arena_printf(&a, "%s/rootfs", dir).p, err);

	for (size_t i = 0; r == 0 && i < ARRAY_LEN(subs); i++) {
		r = file_tree_remove(arena_printf(&a, "%s/%s", dir, subs[i]).p, err);
	}
	return r;
}

int image_pull(struct image_puller *puller, struct image_store *store, struct str name,
	       struct err *err)
{
	if (!puller) {
		return err_set(err, ERR_UNSUPPORTED,
			       "image %.*s is not on this node and pulling from registries is not "
			       "supported yet: load it with `cox image load`",
			       STR_ARG(name));
	}
	return puller->pull(puller, store, name, err);
}
