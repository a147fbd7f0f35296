/* SPDX-License-Identifier: Apache-2.0 */
#include "kubelet/images/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/vec.h"
#include "codec/json.h"
#include "kubelet/images/digest.h"
#include "kubelet/images/layer.h"
#include "kubelet/images/oci.h"
#include "kubelet/images/reference.h"
#include "linux/caps.h"
#include "linux/file.h"
#include "linux/path.h"
#include "linux/syscall_filter.h"

enum { INDEX_DEPTH_MAX = 3, HAVE_MAX = 64 << 20, BLOB_STEP = 1 << 18 };

struct layer_done {
	char hex[DIGEST_HEX + 1];
	uint64_t bytes;
};

struct image_done {
	struct str_list names;
	struct oci_record record;
};

struct unpack {
	struct arena arena;
	int staging;	     /* also our root directory */
	int in;		     /* the archive's files */
	struct str override; /* name given by the caller; unset */
	struct buf have;
	VEC(struct layer_done) layers;
	VEC(struct image_done) images;
	struct buf layer_json;
	struct err *err;
};

/* ---- blobs of the archive ---- */

static int open_input(struct unpack *u, const char *path)
{
	int fd = path_open_in_root(u->in, path, O_RDONLY | O_NONBLOCK, 0);
	struct stat st;

	if (fd < 0) {
		return err_set_errno(u->err, -fd, "the archive lacks %s", path);
	}
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return err_set(u->err, ERR_INVALID, "the archive's %s is no regular file", path);
	}
	return fd;
}

static int read_input(struct unpack *u, const char *path, struct str *ret)
{
	struct buf text CLEANUP_BUF = {0};
	int fd CLEANUP_FD = open_input(u, path);
	int r = fd < 0 ? fd : file_read_fd(fd, path, OCI_DOCUMENT_MAX, &text, u->err);

	if (r == 0) {
		*ret = arena_str(&u->arena, buf_str(&text));
	}
	return r;
}

static const char *blob_path(struct unpack *u, struct str digest)
{
	return arena_printf(&u->arena, "blobs/sha256/%.*s",
			    STR_ARG(str_from(digest, strlen("sha256:"))))
		.p;
}

static int check_digest(struct unpack *u, const char *hex, struct str want, const char *what)
{
	if (!str_eq(str_of(hex), str_from(want, strlen("sha256:")))) {
		return err_set(u->err, ERR_CORRUPT,
			       "%s: its digest is sha256:%s, but %.*s was promised", what, hex,
			       STR_ARG(want));
	}
	return 0;
}

static int read_document(struct unpack *u, struct str digest, struct str *ret)
{
	const char *path = blob_path(u, digest);
	char hex[DIGEST_HEX + 1];
	int r = read_input(u, path, ret);

	if (r < 0) {
		return r;
	}
	digest_of(*ret, hex);
	return check_digest(u, hex, digest, path);
}

static int check_blob(struct unpack *u, int fd, struct str digest, const char *what)
{
	struct digest d CLEANUP_DIGEST = {0};
	char *chunk CLEANUP_FREE = mem_new(BLOB_STEP);
	char hex[DIGEST_HEX + 1];
	ssize_t n;

	digest_init(&d);
	while ((n = read(fd, chunk, BLOB_STEP)) > 0) {
		digest_add(&d, chunk, (size_t)n);
	}
	if (n < 0 || lseek(fd, 0, SEEK_SET) < 0) {
		return err_set_errno(u->err, errno, "cannot read %s", what);
	}
	digest_hex(&d, hex);
	return check_digest(u, hex, digest, what);
}

/* ---- layers ---- */

static uint64_t *find_layer(struct unpack *u, struct str hex)
{
	for (size_t i = 0; i < u->layers.n; i++) {
		if (str_eq(str_of(u->layers.p[i].hex), hex)) {
			return &u->layers.p[i].bytes;
		}
	}
	return NULL;
}

static void note_layer(struct unpack *u, const struct layer_result *l)
{
	struct layer_done *done = vec_push(&u->layers);
	struct buf *out = &u->layer_json;

	memcpy(done->hex, l->diff_id, sizeof(done->hex));
	done->bytes = l->bytes;
	buf_printf(out, "%s{\"diffId\":\"%s\",\"bytes\":%llu,\"files\":%llu,\"opaque\":[",
		   out->n ? "," : "", l->diff_id, (unsigned long long)l->bytes,
		   (unsigned long long)l->files);
	for (size_t i = 0; i < l->n_opaque; i++) {
		if (i) {
			buf_add_char(out, ',');
		}
		json_write_string(out, l->opaque[i]);
	}
	buf_puts(out, "]}");
}

static int make_dir(struct unpack *u, const char *path)
{
	if (mkdirat(u->staging, path, 0755) < 0 && errno != EEXIST) {
		return err_set_errno(u->err, errno, "cannot make directory %s", path);
	}
	return 0;
}

static int unpack_layer(struct unpack *u, const char *path, struct str digest, struct str diff_id)
{
	static const struct layer_limits limits = {UNPACK_LAYER_BYTES_MAX, UNPACK_FILES_MAX,
						   UNPACK_LAYER_BYTES_MAX * 2};
	struct str hex = str_from(diff_id, strlen("sha256:"));
	const char *dir = arena_printf(&u->arena, "layers/%.*s", STR_ARG(hex)).p;
	struct layer_result result;
	int fd CLEANUP_FD = -1;
	int root CLEANUP_FD = -1;
	int r;

	if (find_layer(u, hex) || str_contains(buf_str(&u->have), hex)) {
		return 0;
	}
	fd = open_input(u, path);
	if (fd < 0) {
		return fd;
	}
	r = digest.p ? check_blob(u, fd, digest, path) : 0;
	if (r < 0 || (r = make_dir(u, dir)) < 0) {
		return r;
	}
	root = path_open_root(dir);
	if (root < 0) {
		return err_set_errno(u->err, -root, "cannot open %s", dir);
	}
	r = layer_unpack(fd, root, &limits, &u->arena, &result, u->err);
	if (r == 0) {
		r = check_digest(u, result.diff_id, diff_id, path);
	}
	if (r < 0) {
		return err_wrap(u->err, "layer %.*s", STR_ARG(diff_id));
	}
	note_layer(u, &result);
	return 0;
}

/* ---- images ---- */

static int add_names(struct unpack *u, struct image_done *image, const struct str *names, size_t n)
{
	image->names.p = ARENA_ARRAY(&u->arena, n, struct str);
	for (size_t i = 0; i < n; i++) {
		struct reference ref;
		int r = reference_parse(&u->arena, names[i], &ref, u->err);

		if (r < 0) {
			return r;
		}
		image->names.p[image->names.n++] = ref.name;
	}
	return 0;
}

static int check_platform(struct unpack *u, const struct oci_config *c)
{
	if ((c->os.n && !str_is(c->os, "linux")) ||
	    (c->architecture.n && !str_is(c->architecture, "amd64"))) {
		return err_set(u->err, ERR_UNSUPPORTED,
			       "the image is for %.*s/%.*s, this node is linux/amd64",
			       STR_ARG(c->os), STR_ARG(c->architecture));
	}
	return 0;
}

static int64_t size_of(struct unpack *u, const struct oci_config *c)
{
	int64_t sum = 0;

	for (size_t i = 0; i < c->diff_ids.n; i++) {
		uint64_t *bytes = find_layer(u, str_from(c->diff_ids.p[i], strlen("sha256:")));

		sum += bytes ? (int64_t)*bytes : 0; /* the store adds layers that it had before */
	}
	return sum;
}

static int finish_image(struct unpack *u, struct str id, struct str digest,
			const struct oci_config *config, const struct str *names, size_t n_names)
{
	struct image_done *image = vec_push(&u->images);

	if (u->override.p) {
		names = &u->override;
		n_names = 1;
	}
	if (n_names == 0) {
		return err_set(u->err, ERR_INVALID,
			       "the archive does not name its image; give it a name");
	}
	image->record = (struct oci_record){
		.id = id, .digest = digest, .size_bytes = size_of(u, config), .config = *config};
	return add_names(u, image, names, n_names);
}

static int load_manifest(struct unpack *u, struct str digest, struct str ref_name)
{
	struct oci_manifest manifest;
	struct oci_config config;
	struct str text;
	int r;

	if ((r = read_document(u, digest, &text)) < 0 ||
	    (r = oci_manifest_parse(&u->arena, text, &manifest, u->err)) < 0 ||
	    (r = read_document(u, manifest.config.digest, &text)) < 0 ||
	    (r = oci_config_parse(&u->arena, text, &config, u->err)) < 0 ||
	    (r = check_platform(u, &config)) < 0) {
		return r;
	}
	if (config.diff_ids.n != manifest.n_layers) {
		return err_set(u->err, ERR_INVALID,
			       "the image's config knows %zu layers, its manifest %zu",
			       config.diff_ids.n, manifest.n_layers);
	}
	for (size_t i = 0; i < manifest.n_layers; i++) {
		struct str layer = manifest.layers[i].digest;

		r = unpack_layer(u, blob_path(u, layer), layer, config.diff_ids.p[i]);
		if (r < 0) {
			return r;
		}
	}
	return finish_image(u, manifest.config.digest, digest, &config, &ref_name,
			    ref_name.p ? 1 : 0);
}

static bool is_ours(const struct oci_descriptor *d)
{
	bool os = !d->os.n || str_is(d->os, "linux");
	bool arch = !d->architecture.n || str_is(d->architecture, "amd64");

	return os && arch && !d->is_attestation;
}

static int load_index(struct unpack *u, struct str text, struct str ref_name, int depth);

static int load_descriptor(struct unpack *u, const struct oci_descriptor *d, struct str ref_name,
			   int depth)
{
	struct str text;
	int r;

	if (!oci_is_index(d->media_type)) {
		return load_manifest(u, d->digest, ref_name);
	}
	if (depth >= INDEX_DEPTH_MAX) {
		return err_set(u->err, ERR_LIMIT, "image indexes are nested deeper than %d",
			       INDEX_DEPTH_MAX);
	}
	r = read_document(u, d->digest, &text);
	return r < 0 ? r : load_index(u, text, ref_name, depth + 1);
}

/* The layout's own index lists images; one below it lists the same image for several machines, of which the first that fits counts. */
static int load_index(struct unpack *u, struct str text, struct str ref_name, int depth)
{
	struct oci_index index;
	size_t fitting = 0;
	int r = oci_index_parse(&u->arena, text, &index, u->err);

	for (size_t i = 0; r == 0 && i < index.n; i++) {
		struct oci_descriptor *d = &index.manifests[i];

		if (!is_ours(d) || (depth > 0 && fitting)) {
			continue;
		}
		fitting++;
		r = load_descriptor(u, d, depth > 0 ? ref_name : d->ref_name, depth);
	}
	if (r == 0 && fitting == 0) {
		return err_set(u->err, ERR_NOT_FOUND, "the archive holds no image for linux/amd64");
	}
	return r;
}

static int load_docker_image(struct unpack *u, const struct oci_docker_image *image)
{
	struct oci_config config;
	char hex[DIGEST_HEX + 1];
	struct str text;
	struct str id;
	int r;

	if ((r = read_input(u, arena_cstr(&u->arena, image->config), &text)) < 0 ||
	    (r = oci_config_parse(&u->arena, text, &config, u->err)) < 0 ||
	    (r = check_platform(u, &config)) < 0) {
		return r;
	}
	digest_of(text, hex);
	id = arena_printf(&u->arena, "sha256:%s", hex);
	if (config.diff_ids.n != image->layers.n) {
		return err_set(u->err, ERR_INVALID,
			       "image %.*s: its config knows %zu layers, manifest.json %zu",
			       STR_ARG(id), config.diff_ids.n, image->layers.n);
	}
	for (size_t i = 0; i < image->layers.n; i++) {
		r = unpack_layer(u, arena_cstr(&u->arena, image->layers.p[i]), STR_NULL,
				 config.diff_ids.p[i]);
		if (r < 0) {
			return r;
		}
	}
	return finish_image(u, id, id, &config, image->names.p, image->names.n);
}

static int load_archive(struct unpack *u)
{
	struct oci_docker_manifest docker;
	struct str text;
	int r;

	if (faccessat(u->in, "index.json", F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
		r = read_input(u, "index.json", &text);
		return r < 0 ? r : load_index(u, text, STR_NULL, 0);
	}
	if (faccessat(u->in, "manifest.json", F_OK, AT_SYMLINK_NOFOLLOW) < 0) {
		return err_set(u->err, ERR_INVALID,
			       "the archive is no image: it has neither index.json (OCI layout) "
			       "nor manifest.json (docker save)");
	}
	if ((r = read_input(u, "manifest.json", &text)) < 0 ||
	    (r = oci_docker_manifest_parse(&u->arena, text, &docker, u->err)) < 0) {
		return r;
	}
	for (size_t i = 0; r == 0 && i < docker.n; i++) {
		r = load_docker_image(u, &docker.images[i]);
	}
	return r;
}

static int write_result(struct unpack *u)
{
	struct buf out CLEANUP_BUF = {0};

	buf_puts(&out, "{\"images\":[");
	for (size_t i = 0; i < u->images.n; i++) {
		const struct image_done *image = &u->images.p[i];

		buf_printf(&out, "%s{\"names\":[", i ? "," : "");
		for (size_t k = 0; k < image->names.n; k++) {
			if (k) {
				buf_add_char(&out, ',');
			}
			json_write_string(&out, image->names.p[k]);
		}
		buf_puts(&out, "],\"record\":");
		oci_record_write(&out, &image->record);
		buf_add_char(&out, '}');
	}
	buf_puts(&out, "],\"layers\":[");
	buf_add_str(&out, buf_str(&u->layer_json));
	buf_puts(&out, "]}");
	return file_replace("result", buf_str(&out), 0600, false, u->err);
}

static int unpack_archive(struct unpack *u)
{
	static const struct layer_limits limits = {UNPACK_ARCHIVE_BYTES_MAX, UNPACK_FILES_MAX,
						   UNPACK_ARCHIVE_BYTES_MAX};
	struct layer_result ignored;
	int r;

	if ((r = file_read(AT_FDCWD, "have", HAVE_MAX, &u->have, u->err)) < 0 ||
	    (r = make_dir(u, "in")) < 0 || (r = make_dir(u, "layers")) < 0) {
		return r;
	}
	u->in = path_open_root("in");
	if (u->in < 0) {
		return err_set_errno(u->err, -u->in, "cannot open the staging directory");
	}
	r = layer_unpack(STDIN_FILENO, u->in, &limits, &u->arena, &ignored, u->err);
	if (r < 0) {
		return err_wrap(u->err, "cannot read the image archive");
	}
	r = load_archive(u);
	if (r < 0) {
		return r;
	}
	if (u->override.p && u->images.n != 1) {
		return err_set(u->err, ERR_INVALID,
			       "the archive holds %zu images, so that one name does not fit them",
			       u->images.n);
	}
	return write_result(u);
}

/* ---- the cage ---- */

static const char *const allowed_calls[] = {
	"read",
	"readv",
	"pread64",
	"write",
	"writev",
	"pwrite64",
	"lseek",
	"open",
	"openat",
	"openat2",
	"close",
	"stat",
	"fstat",
	"lstat",
	"newfstatat",
	"statx",
	"access",
	"faccessat",
	"faccessat2",
	"getdents64",
	"readlink",
	"readlinkat",
	"mkdir",
	"mkdirat",
	"mknodat",
	"symlinkat",
	"linkat",
	"unlink",
	"unlinkat",
	"rmdir",
	"rename",
	"renameat",
	"renameat2",
	"chmod",
	"fchmod",
	"fchmodat",
	"fchmodat2",
	"fchownat",
	"fchown",
	"utimensat",
	"fsetxattr",
	"ftruncate",
	"fsync",
	"umask",
	"fcntl",
	"dup",
	"getcwd",
	"mmap",
	"munmap",
	"mprotect",
	"mremap",
	"madvise",
	"brk",
	"getrandom",
	"clock_gettime",
	"gettimeofday",
	"time",
	"getpid",
	"gettid",
	"getuid",
	"geteuid",
	"getgid",
	"getegid",
	"futex",
	"rt_sigaction",
	"rt_sigprocmask",
	"rt_sigreturn",
	"sigaltstack",
	"tgkill",
	"sched_yield",
	"sched_getaffinity",
	"sysinfo",
	"prlimit64",
	"getrlimit",
	"restart_syscall",
	"exit",
	"exit_group",
};

static int enter_cage(struct err *err)
{
	const uint64_t caps = 1U << CAP_CHOWN | 1U << CAP_DAC_OVERRIDE | 1U << CAP_FOWNER |
			      1U << CAP_FSETID | 1U << CAP_MKNOD | UINT64_C(1) << CAP_SETFCAP;
	const struct rlimit none = {0, 0};
	int r;

	umask(0);
	if (setrlimit(RLIMIT_CORE, &none) < 0 || fchdir(UNPACK_STAGING_FD) < 0 || chroot(".") < 0 ||
	    chdir("/") < 0) {
		return err_set_errno(err, errno,
				     "cannot root the unpacking process in the staging directory");
	}
	if (unshare(CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) < 0) {
		return err_set_errno(err, errno,
				     "cannot cut the unpacking process off the network");
	}
	r = caps_keep_only(caps & caps_bounding());
	if (r == 0) {
		r = syscall_filter_allow_only(allowed_calls, ARRAY_LEN(allowed_calls));
	}
	return r < 0 ? err_set_errno(err, -r, "cannot lock the unpacking process down") : 0;
}

NORETURN void image_unpack_main(int argc, char **argv)
{
	struct err err = {0};
	struct unpack u = {.staging = AT_FDCWD, .in = -1, .err = &err};
	struct buf line = {0};
	int r;

	u.override = argc > 1 ? str_of(argv[1]) : STR_NULL;
	r = enter_cage(&err);
	if (r == 0) {
		r = unpack_archive(&u);
	}
	if (r < 0) {
		buf_printf(&line, "%s", err_msg(&err));
		if (file_write_all(STDERR_FILENO, line.p, line.n) < 0) {
			_exit(2);
		}
	}
	_exit(r < 0); /* nothing to tidy: the memory goes with the process */
}
