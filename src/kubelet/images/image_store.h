/* SPDX-License-Identifier: Apache-2.0 */
/* kubelet/images/image_store.h: the images of one node, unpacked once, shared by all containers through overlayfs.
 *
 *     root/lock                held (flock) while the store is open: one process at a time
 *     root/names.json          names -> image ids, with the mark "loaded locally"
 *     root/images/<hex>.json   one record per image (kubelet/images/oci.h)
 *     root/layers/<hex>/       unpacked layers by diff id, never changed once they are here
 *     root/staging/            unpacking in progress; removed when the store is opened
 *
 * What is listed in names.json is complete: layers and records are synced and renamed into place before their name is written. A crash
 * at any point leaves garbage in staging/ or unnamed layers, which image_store_open and image_store_gc remove.
 * Thread-safe; everything but find, list and unref blocks on the disk: call it from workers (env_work). */
#pragma once
#include <stdatomic.h>

#include "base/arena.h"
#include "base/err.h"
#include "kubelet/images/oci.h"

struct image_store;

struct image_store_config {
	const char *root; /* made if missing */
	/* The program (and its first arguments) that ends in image_unpack_main (kubelet/images/unpack.h): {"/proc/self/exe", "image-unpack",
	 * NULL}. It must outlive the store. */
	const char *const *unpack_argv;
};

/* A frozen image. Reference-counted; find and list give a reference each. */
struct image {
	atomic_uint refs;
	struct arena arena;
	struct oci_record record; /* id, digest, size, config */
};

struct image *image_ref(struct image *image);
void image_unref(struct image *image);

/* ERR_BUSY if another process has it open; ERR_CORRUPT names the file that cannot be read. */
MUST_USE int image_store_open(const struct image_store_config *config, struct image_store **ret,
			      struct err *err);
/* Does not touch mounts made from it. NULL is fine. */
void image_store_close(struct image_store *store);

/* By any form of its name ("busybox", "docker.io/library/busybox:latest", "busybox@sha256:.."), its id ("sha256:..") or the first 12 or more
 * digits of that. NULL if it is not on this node. ret_local (may be NULL): that name was loaded by hand and is used under every pull policy. */
struct image *image_store_find(struct image_store *store, struct str name, bool *ret_local);

struct image_list_item {
	struct image *image; /* the list's reference */
	struct str *names;   /* normal form, sorted */
	size_t n_names;
	bool local; /* one of the names */
};

struct image_list {
	struct arena arena;
	struct image_list_item *items; /* sorted by id; unnamed images are listed until collected */
	size_t n;
};

void image_store_list(struct image_store *store, struct image_list *ret);
void image_list_fini(struct image_list *list);

struct image_load_opts {
	struct str name;    /* for an archive with a single image; unset: as the archive says */
	int64_t timeout_ms; /* 0: none */
};

struct image_loaded {
	struct arena arena;
	struct str *names; /* normal form */
	struct str *ids;   /* of each name */
	size_t n;
};

/* Reads an OCI image layout or `docker save` archive (tar; plain, gzip, zstd; layers too) from fd, which need not be seekable, and marks
 * its names as loaded locally. Idempotent. ERR_INVALID, ERR_CORRUPT (digest), ERR_LIMIT, ERR_NO_SPACE, ERR_TIMEOUT, ...: nothing changed. */
MUST_USE int image_store_load(struct image_store *store, int fd, const struct image_load_opts *opts,
			      struct image_loaded *ret, struct err *err);
void image_loaded_fini(struct image_loaded *loaded);

/* Takes a name away, or all names of the image if `name` is an id. ERR_NOT_FOUND. The data goes with image_store_gc. */
MUST_USE int image_store_remove(struct image_store *store, struct str name, struct err *err);
/* Gives an image one more name. */
MUST_USE int image_store_tag(struct image_store *store, struct str existing, struct str name,
			     bool local, struct err *err);

struct image_gc_result {
	size_t images, layers;
	uint64_t bytes; /* as recorded when unpacked; 0 for left-overs without a record */
};

/* Deletes unnamed images whose id is not in in_use ("sha256:..", those of existing containers), and layers of no image. */
MUST_USE int image_store_gc(struct image_store *store, const struct str *in_use, size_t n,
			    struct image_gc_result *ret, struct err *err);
/* Bytes on disk of everything unpacked. */
uint64_t image_store_bytes(struct image_store *store);

/* Mounts the image with a writable layer: dir/upper, dir/work and the mount dir/rootfs are made. Idempotent: what a crashed run left is
 * unmounted first; upper is kept. */
MUST_USE int image_store_mount(struct image_store *store, const struct image *image,
			       const char *dir, struct err *err);
/* Unmounts and removes the three. Nothing there is success. */
MUST_USE int image_store_unmount(const char *dir, struct err *err);

/* Where images come from that are not on the node. The registry client fills this in; a node without one has none. */
struct image_puller {
	/* Blocks until the image is in the store under this name (normal form). */
	int (*pull)(struct image_puller *puller, struct image_store *store, struct str name,
		    struct err *err);
};

/* Without a puller (NULL): ERR_UNSUPPORTED and a message for the pod's event that says how to load the image by hand. The kubelet reports
 * failures as ErrImagePull and ImagePullBackOff. */
MUST_USE int image_pull(struct image_puller *puller, struct image_store *store, struct str name,
			struct err *err);
