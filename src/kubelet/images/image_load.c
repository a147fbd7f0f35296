/* SPDX-License-Identifier: Apache-2.0 */
/* Loading: a child unpacks into staging/, this side checks its result and moves complete things into place, names last. */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "codec/json.h"
#include "kubelet/images/digest.h"
#include "kubelet/images/image_store_internal.h"
#include "kubelet/images/reference.h"
#include "kubelet/images/unpack.h"
#include "linux/file.h"
#include "linux/path.h"
#include "linux/proc.h"

enum { RESULT_MAX = 64 << 20, ARGV_MAX = 8, MESSAGE_MAX = 4096 };

struct load {
	struct image_store *store;
	struct arena arena;
	const char *staging;
	struct err *err;
};

static int write_have(struct load *l)
{
	struct dir_names have CLEANUP_DIR_NAMES = {0};
	struct buf text CLEANUP_BUF = {0};
	int r = dir_list(image_store_path(l->store, &l->arena, "layers", STR_NULL), &have, l->err);

	for (size_t i = 0; i < have.n; i++) {
		if (strlen(have.p[i]) == DIGEST_HEX) { /* the others are sizes */
			buf_printf(&text, "%s\n", have.p[i]);
		}
	}
	return r < 0 ? r
		     : file_replace(arena_printf(&l->arena, "%s/have", l->staging).p,
				    buf_str(&text), 0600, false, l->err);
}

static int run_child(struct load *l, int fd, const struct image_load_opts *opts)
{
	const char *argv[ARGV_MAX + 2];
	int staging CLEANUP_FD = open(l->staging, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct proc_result result CLEANUP_PROC_RESULT = {0};
	struct proc_opts child = {
		.argv = argv,
		.fds = {{fd, 0}, {staging, UNPACK_STAGING_FD}},
		.n_fds = 2,
		.stderr_limit_bytes = MESSAGE_MAX,
		.timeout_ms = opts->timeout_ms,
		.new_session = true,
	};
	size_t n = 0;
	int r;

	for (; l->store->unpack_argv[n]; n++) {
		ASSERT(n < ARGV_MAX);
		argv[n] = l->store->unpack_argv[n];
	}
	if (opts->name.p) {
		argv[n++] = arena_cstr(&l->arena, opts->name);
	}
	argv[n] = NULL;
	if (staging < 0) {
		return err_set_errno(l->err, errno, "cannot open %s", l->staging);
	}
	r = proc_run(&child, &result, l->err);
	if (r < 0) {
		return r;
	}
	if (result.timed_out) {
		return err_set(l->err, ERR_TIMEOUT, "unpacking took longer than %lld ms",
			       (long long)opts->timeout_ms);
	}
	if (result.exit_code != 0) {
		return result.err.n ? err_set(l->err, ERR_INVALID, "%s", buf_cstr(&result.err))
				    : err_set(l->err, ERR_INVALID,
					      "the unpacking process was stopped (exit status %d)",
					      result.exit_code);
	}
	return 0;
}

static bool is_hex_digest(struct str s)
{
	char text[sizeof("sha256:") + DIGEST_HEX];

	if (s.n != DIGEST_HEX) {
		return false;
	}
	snprintf(text, sizeof(text), "sha256:%.*s", STR_ARG(s));
	return reference_is_digest(str_of(text));
}

/* The mark that the child may not set: what lies below this directory in lower layers is hidden. */
static int mark_opaque(struct load *l, int root, struct str dir)
{
	int fd CLEANUP_FD =
		path_open_in_root(root, arena_cstr(&l->arena, dir), O_RDONLY | O_DIRECTORY, 0);

	if (fd < 0 || fsetxattr(fd, "trusted.overlay.opaque", "y", 1, 0) < 0) {
		return err_set_errno(l->err, fd < 0 ? -fd : errno,
				     "cannot mark directory %.*s as opaque", STR_ARG(dir));
	}
	return 0;
}

static int take_layer(struct load *l, const struct json_value *v)
{
	const struct json_value *id = json_get(v, STR("diffId"));
	const struct json_value *opaque = json_get(v, STR("opaque"));
	const char *from;
	const char *to;
	int root CLEANUP_FD = -1;
	int r = 0;

	if (!id || id->kind != JSON_STRING || !is_hex_digest(json_str(id)) || !opaque ||
	    opaque->kind != JSON_ARRAY) {
		return err_set(l->err, ERR_PROTOCOL,
			       "the unpacking process reported a layer that makes no sense");
	}
	from = arena_printf(&l->arena, "%s/layers/%.*s", l->staging, STR_ARG(json_str(id))).p;
	to = image_store_path(l->store, &l->arena, "layers", json_str(id));
	root = path_open_root(from);
	if (root < 0) {
		return err_set_errno(l->err, -root, "cannot open %s", from);
	}
	for (size_t i = 0; r == 0 && i < opaque->n; i++) {
		r = opaque->items[i].kind == JSON_STRING
			    ? mark_opaque(l, root, json_str(&opaque->items[i]))
			    : ERR_PROTOCOL;
	}
	if (r == 0 && !file_exists(to) && rename(from, to) < 0) {
		r = err_set_errno(l->err, errno, "cannot move a layer to %s", to);
	}
	return r;
}

/* Sizes: the child does not know those of layers that were here before, so a record's size is counted over all its layers here. */
static int64_t image_bytes(struct load *l, const struct oci_record *record,
			   const struct json_value *layers)
{
	int64_t sum = 0;

	for (size_t i = 0; i < record->config.diff_ids.n; i++) {
		struct str hex = image_store_hex(record->config.diff_ids.p[i]);
		const char *path =
			image_store_path(l->store, &l->arena, "layers",
					 arena_printf(&l->arena, "%.*s.size", STR_ARG(hex)));
		struct buf text CLEANUP_BUF = {0};
		int64_t bytes = 0;

		for (size_t k = 0; k < layers->n; k++) {
			const struct json_value *b = json_get(&layers->items[k], STR("bytes"));

			if (str_eq(json_str(json_get(&layers->items[k], STR("diffId"))), hex) &&
			    b && b->kind == JSON_INT) {
				bytes = b->num;
			}
		}
		if (!bytes && file_exists(path) &&
		    file_read(AT_FDCWD, path, 64, &text, NULL) == 0 &&
		    str_to_int64(str_trim(buf_str(&text)), &bytes) < 0) {
			bytes = 0;
		}
		sum += bytes;
	}
	return sum;
}

static int write_layer_size(struct load *l, const struct json_value *v)
{
	const struct json_value *bytes = json_get(v, STR("bytes"));
	struct str name =
		arena_printf(&l->arena, "%.*s.size", STR_ARG(json_str(json_get(v, STR("diffId")))));

	if (!bytes || bytes->kind != JSON_INT || bytes->num < 0) {
		return err_set(l->err, ERR_PROTOCOL,
			       "the unpacking process reported a layer without a size");
	}
	return file_replace(image_store_path(l->store, &l->arena, "layers", name),
			    arena_printf(&l->arena, "%lld\n", (long long)bytes->num), 0600, false,
			    l->err);
}

/* With every layer in place: reads the record, fixes its size, writes it, and hands back the image. */
static int take_record(struct load *l, const struct json_value *v, const struct json_value *layers,
		       struct image **ret)
{
	struct buf text CLEANUP_BUF = {0};
	struct oci_record record;
	const char *path;
	int r;

	json_write_value(&text, v, false);
	r = oci_record_read(&l->arena, arena_str(&l->arena, buf_str(&text)), &record, l->err);
	if (r < 0) {
		return r;
	}
	for (size_t i = 0; i < record.config.diff_ids.n; i++) {
		struct str hex = image_store_hex(record.config.diff_ids.p[i]);

		if (!file_exists(image_store_path(l->store, &l->arena, "layers", hex))) {
			return err_set(l->err, ERR_PROTOCOL, "layer %.*s was not unpacked",
				       STR_ARG(hex));
		}
	}
	record.size_bytes = image_bytes(l, &record, layers);
	buf_clear(&text);
	oci_record_write(&text, &record);
	path = image_store_path(
		l->store, &l->arena, "images",
		arena_printf(&l->arena, "%.*s.json", STR_ARG(image_store_hex(record.id))));
	r = file_replace(path, buf_str(&text), 0600, true, l->err);
	return r < 0 ? r : image_new(buf_str(&text), ret, l->err);
}

static int take_image(struct load *l, const struct json_value *v, const struct json_value *layers,
		      struct image_loaded *ret)
{
	const struct json_value *names = json_get(v, STR("names"));
	const struct json_value *record = json_get(v, STR("record"));
	struct image *image = NULL;
	int r;

	if (!names || names->kind != JSON_ARRAY || !record) {
		return err_set(l->err, ERR_PROTOCOL,
			       "the unpacking process reported an image that makes no sense");
	}
	r = take_record(l, record, layers, &image);
	for (size_t i = 0; r == 0 && i < names->n; i++) {
		struct reference ref;

		r = names->items[i].kind == JSON_STRING
			    ? reference_parse(&ret->arena, json_str(&names->items[i]), &ref, l->err)
			    : err_set(l->err, ERR_PROTOCOL, "a name of an image is no string");
		if (r == 0) {
			ret->names[ret->n] = ref.name;
			ret->ids[ret->n++] = arena_str(&ret->arena, image->record.id);
		}
	}
	if (r < 0) {
		image_unref(image);
		return r;
	}
	pthread_mutex_lock(&l->store->lock);
	if (map_find(&l->store->images, image->record.id)) {
		image_unref(image); /* the same digest: the same image */
	} else {
		map_put(&l->store->images, image->record.id, image);
	}
	pthread_mutex_unlock(&l->store->lock);
	return 0;
}

static int read_result(struct load *l, struct json_value *ret_images, struct json_value *ret_layers)
{
	struct buf text CLEANUP_BUF = {0};
	const struct json_value *images;
	const struct json_value *layers;
	struct json_value doc;
	int r = file_read(AT_FDCWD, arena_printf(&l->arena, "%s/result", l->staging).p, RESULT_MAX,
			  &text, l->err);

	if (r < 0 || (r = json_parse(&l->arena, arena_str(&l->arena, buf_str(&text)), NULL, &doc,
				     l->err)) < 0) {
		return err_wrap(l->err, "the unpacking process left no result");
	}
	images = json_get(&doc, STR("images"));
	layers = json_get(&doc, STR("layers"));
	if (!images || images->kind != JSON_ARRAY || !layers || layers->kind != JSON_ARRAY) {
		return err_set(l->err, ERR_PROTOCOL,
			       "the unpacking process left a result that makes no sense");
	}
	*ret_images = *images;
	*ret_layers = *layers;
	return 0;
}

static size_t count_names(const struct json_value *images)
{
	size_t n = 0;

	for (size_t i = 0; i < images->n; i++) {
		const struct json_value *names = json_get(&images->items[i], STR("names"));

		n += names && names->kind == JSON_ARRAY ? names->n : 0;
	}
	return n;
}

/* Everything that the moved layers consist of is on the disk before a record mentions them. */
static int sync_layers(struct load *l)
{
	const char *path = image_store_path(l->store, &l->arena, "layers", STR_NULL);
	int fd CLEANUP_FD = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 || syncfs(fd) < 0 ? err_set_errno(l->err, errno, "cannot sync %s", path) : 0;
}

static int take_all(struct load *l, struct image_loaded *ret)
{
	struct json_value images = json_make(JSON_ARRAY);
	struct json_value layers = json_make(JSON_ARRAY);
	int r = read_result(l, &images, &layers);

	for (size_t i = 0; r == 0 && i < layers.n; i++) {
		r = take_layer(l, &layers.items[i]);
		if (r == 0) {
			r = write_layer_size(l, &layers.items[i]);
		}
	}
	if (r == 0 && layers.n) {
		r = sync_layers(l);
	}
	if (r < 0) {
		return r;
	}
	ret->names = ARENA_ARRAY(&ret->arena, count_names(&images), struct str);
	ret->ids = ARENA_ARRAY(&ret->arena, count_names(&images), struct str);
	for (size_t i = 0; r == 0 && i < images.n; i++) {
		r = take_image(l, &images.items[i], &layers, ret);
	}
	if (r < 0) {
		return r;
	}
	pthread_mutex_lock(&l->store->lock);
	for (size_t i = 0; i < ret->n; i++) {
		image_store_set_name(l->store, ret->names[i], ret->ids[i], true);
	}
	r = image_store_save_names(l->store, l->err);
	pthread_mutex_unlock(&l->store->lock);
	return r;
}

static int load_locked(struct load *l, int fd, const struct image_load_opts *opts,
		       struct image_loaded *ret)
{
	int r;

	l->staging = image_store_path(l->store, &l->arena, "staging", STR("load"));
	if ((r = file_tree_remove(l->staging, l->err)) < 0 ||
	    (r = dir_make(l->staging, 0700, l->err)) < 0 || (r = write_have(l)) < 0 ||
	    (r = run_child(l, fd, opts)) < 0) {
		return r;
	}
	return take_all(l, ret);
}

int image_store_load(struct image_store *store, int fd, const struct image_load_opts *opts,
		     struct image_loaded *ret, struct err *err)
{
	struct err own CLEANUP_ERR = {0};
	struct load l = {.store = store, .err = err ? err : &own};
	int r;

	*ret = (struct image_loaded){0};
	pthread_mutex_lock(&store->load_lock);
	r = load_locked(&l, fd, opts, ret);
	if (l.staging && file_tree_remove(l.staging, NULL) < 0) {
		/* nothing depends on it: the next load or the next start removes it */
		r = r < 0 ? r : 0;
	}
	pthread_mutex_unlock(&store->load_lock);
	arena_fini(&l.arena);
	if (r < 0) {
		image_loaded_fini(ret);
		return err_wrap(l.err, "cannot load the image");
	}
	return 0;
}

void image_loaded_fini(struct image_loaded *loaded)
{
	arena_fini(&loaded->arena);
	*loaded = (struct image_loaded){0};
}
