/* SPDX-License-Identifier: Apache-2.0 */
#include "kubelet/images/layer.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/vec.h"
#include "linux/file.h"
#include "linux/path.h"

enum { OPAQUE_MAX = 100000, COMPONENT_MAX = 255, IN_BLOCK = 1 << 18 };

struct dir_time {
	const char *path;
	struct timespec mtime;
};

struct unpacker {
	const struct layer_limits *limits;
	struct layer_result *result;
	struct arena *arena;
	struct err *err;
	int root;
	uint64_t stream_bytes;
	struct digest digest;
	struct archive *raw; /* decompresses */
	struct archive *tar; /* reads what raw gives */
	VEC(struct str) opaque;
	VEC(struct dir_time) dirs; /* their times are set last: filling them changes them */
	char *parent_path; /* of the descriptor `parent`: most entries share it with the one before */
	int parent;
};

static void free_archive(struct archive **a)
{
	if (*a) {
		archive_read_free(*a);
	}
}

int layer_clean_path(struct arena *arena, struct str path, struct str *ret, struct err *err)
{
	struct buf out CLEANUP_BUF = {0};
	struct str rest = path;
	struct str part;

	if (path.n >= PATH_MAX) {
		return err_set(err, ERR_LIMIT, "layer: a path of %zu bytes; the limit is %d",
			       path.n, PATH_MAX - 1);
	}
	while (str_cut(&rest, '/', &part)) {
		if (part.n == 0 || str_is(part, ".")) {
			continue;
		}
		if (str_is(part, "..")) {
			return err_set(err, ERR_INVALID, "layer: the path %.*s leads upwards",
				       STR_ARG(path));
		}
		if (part.n > COMPONENT_MAX) {
			return err_set(err, ERR_LIMIT,
				       "layer: a file name of %zu bytes; the limit is %d", part.n,
				       COMPONENT_MAX);
		}
		if (out.n) {
			buf_add_char(&out, '/');
		}
		buf_add_str(&out, part);
	}
	*ret = arena_str(arena, buf_str(&out));
	return 0;
}

static int fail_archive(struct unpacker *u, struct archive *a, const char *what)
{
	if (u->err && u->err->code) {
		return u->err->code; /* set by a callback of ours */
	}
	return err_set(u->err, ERR_INVALID, "layer: %s: %s", what,
		       archive_error_string(a) ? archive_error_string(a) : "truncated");
}

/* Gives tar what raw has decompressed, adding it to the digest. */
static la_ssize_t read_decompressed(struct archive *tar, void *ctx, const void **ret)
{
	struct unpacker *u = ctx;
	la_int64_t offset;
	size_t n = 0;
	int r = archive_read_data_block(u->raw, ret, &n, &offset);

	if (r == ARCHIVE_EOF) {
		return 0;
	}
	if (r < ARCHIVE_WARN) {
		archive_set_error(tar, EIO, "%s", archive_error_string(u->raw));
		return -1;
	}
	u->stream_bytes += n;
	if (u->stream_bytes > u->limits->stream_bytes) {
		err_set(u->err, ERR_LIMIT, "layer: it unpacks to more than %llu bytes",
			(unsigned long long)u->limits->stream_bytes);
		archive_set_error(tar, EFBIG, "too large");
		return -1;
	}
	digest_add(&u->digest, *ret, n);
	return (la_ssize_t)n;
}

static int open_archives(struct unpacker *u, int fd)
{
	struct archive_entry *entry;

	u->raw = archive_read_new();
	ASSERT(u->raw);
	archive_read_support_filter_gzip(u->raw);
	archive_read_support_filter_zstd(u->raw);
	archive_read_support_format_raw(u->raw);
	archive_read_support_format_empty(u->raw);
	if (archive_read_open_fd(u->raw, fd, IN_BLOCK) != ARCHIVE_OK ||
	    archive_read_next_header(u->raw, &entry) != ARCHIVE_OK) {
		return fail_archive(u, u->raw, "cannot decompress it");
	}
	u->tar = archive_read_new();
	ASSERT(u->tar);
	archive_read_support_format_tar(u->tar);
	/* two zero blocks alone are a valid tar: an empty layer */
	archive_read_support_format_empty(u->tar);
	if (archive_read_open(u->tar, u, NULL, read_decompressed, NULL) != ARCHIVE_OK) {
		return fail_archive(u, u->tar, "it is no tar");
	}
	return 0;
}

/* The directory that holds `path`, made when missing; *ret_name is the last component. The descriptor belongs to u. */
static int open_parent(struct unpacker *u, struct str path, const char **ret_name)
{
	ptrdiff_t slash = str_rfind_char(path, '/');
	struct str dir = str_sub(path, 0, slash < 0 ? 0 : (size_t)slash);
	const char *dir_c;

	*ret_name = arena_cstr(u->arena, str_from(path, (size_t)(slash + 1)));
	if (u->parent >= 0 && str_eq(str_of(u->parent_path), dir)) {
		return 0;
	}
	dir_c = arena_cstr(u->arena, dir);
	cleanup_fd(&u->parent);
	mem_free(u->parent_path);
	u->parent_path = str_dup_cstr(dir);
	u->parent = path_make_dirs_in_root(u->root, dir_c, 0755);
	if (u->parent < 0) {
		return err_set_errno(u->err, -u->parent, "layer: cannot make directory %s", dir_c);
	}
	return 0;
}

/* A later entry replaces an earlier one of the same name, and a path may now mean something else. */
static int clear_place(struct unpacker *u, const char *name)
{
	return tree_remove_at(u->parent, name, u->err);
}

static int copy_data(struct unpacker *u, int fd, const char *path)
{
	const void *p;
	size_t n;
	la_int64_t offset;
	int r;

	while ((r = archive_read_data_block(u->tar, &p, &n, &offset)) == ARCHIVE_OK) {
		u->result->bytes += n;
		if (u->result->bytes > u->limits->bytes) {
			return err_set(u->err, ERR_LIMIT,
				       "layer: its files have more than %llu bytes",
				       (unsigned long long)u->limits->bytes);
		}
		for (size_t done = 0; done < n;) {
			ssize_t w = pwrite(fd, (const char *)p + done, n - done,
					   offset + (la_int64_t)done);

			if (w < 0 && errno != EINTR) {
				return err_set_errno(u->err, errno, "layer: cannot write %s", path);
			}
			done += w > 0 ? (size_t)w : 0;
		}
	}
	return r == ARCHIVE_EOF ? 0 : fail_archive(u, u->tar, path);
}

/* File capabilities and user attributes; all others belong to the machine that made the image. */
static int set_xattrs(struct unpacker *u, struct archive_entry *e, int fd, const char *path)
{
	const char *name;
	const void *value;
	size_t n;

	archive_entry_xattr_reset(e);
	while (archive_entry_xattr_next(e, &name, &value, &n) == ARCHIVE_OK) {
		bool wanted = strcmp(name, "security.capability") == 0 ||
			      str_has_prefix(str_of(name), STR("user."));

		if (wanted && fsetxattr(fd, name, value, n, 0) < 0 && errno != EOPNOTSUPP) {
			return err_set_errno(u->err, errno, "layer: cannot set attribute %s of %s",
					     name, path);
		}
	}
	return 0;
}

static struct timespec mtime_of(struct archive_entry *e)
{
	return (struct timespec){.tv_sec = archive_entry_mtime(e),
				 .tv_nsec = archive_entry_mtime_nsec(e)};
}

/* Owner first: changing it clears the set-uid bits. */
static int set_owner_and_mode(struct unpacker *u, struct archive_entry *e, const char *name,
			      const char *path)
{
	mode_t mode = archive_entry_perm(e) & 07777;
	struct timespec times[2] = {mtime_of(e), mtime_of(e)};
	bool is_link = archive_entry_filetype(e) == AE_IFLNK;

	if (fchownat(u->parent, name, (uid_t)archive_entry_uid(e), (gid_t)archive_entry_gid(e),
		     AT_SYMLINK_NOFOLLOW) < 0) {
		return err_set_errno(u->err, errno, "layer: cannot set the owner of %s", path);
	}
	if (!is_link && fchmodat(u->parent, name, mode, 0) < 0) {
		return err_set_errno(u->err, errno, "layer: cannot set the mode of %s", path);
	}
	if (utimensat(u->parent, name, times, AT_SYMLINK_NOFOLLOW) < 0) {
		return err_set_errno(u->err, errno, "layer: cannot set the time of %s", path);
	}
	return 0;
}

static int unpack_file(struct unpacker *u, struct archive_entry *e, const char *name,
		       const char *path)
{
	int fd CLEANUP_FD =
		openat(u->parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int r;

	if (fd < 0) {
		return err_set_errno(u->err, errno, "layer: cannot create %s", path);
	}
	r = copy_data(u, fd, path);
	if (r == 0 && archive_entry_size_is_set(e) &&
	    ftruncate(fd, archive_entry_size(e)) < 0) { /* a sparse end */
		r = err_set_errno(u->err, errno, "layer: cannot size %s", path);
	}
	/* attributes after the owner: chown drops file capabilities */
	if (r == 0) {
		r = set_owner_and_mode(u, e, name, path);
	}
	return r < 0 ? r : set_xattrs(u, e, fd, path);
}

static int unpack_dir(struct unpacker *u, struct archive_entry *e, const char *name,
		      const char *path)
{
	int fd CLEANUP_FD = -1;
	int r;

	if (mkdirat(u->parent, name, 0700) < 0) {
		struct stat st;

		if (errno != EEXIST || fstatat(u->parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
			return err_set_errno(u->err, errno, "layer: cannot make directory %s",
					     path);
		}
		if (!S_ISDIR(st.st_mode) &&
		    ((r = clear_place(u, name)) < 0 || mkdirat(u->parent, name, 0700) < 0)) {
			return r < 0 ? r
				     : err_set_errno(u->err, errno,
						     "layer: cannot make directory %s", path);
		}
	}
	r = set_owner_and_mode(u, e, name, path);
	fd = openat(u->parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (r == 0 && fd >= 0) {
		r = set_xattrs(u, e, fd, path);
	}
	*vec_push(&u->dirs) = (struct dir_time){path, mtime_of(e)};
	return r;
}

static int unpack_hardlink(struct unpacker *u, struct archive_entry *e, const char *name,
			   const char *path)
{
	struct str target;
	ptrdiff_t slash;
	const char *dir;
	int from CLEANUP_FD = -1;
	int r = layer_clean_path(u->arena, str_of(archive_entry_hardlink(e)), &target, u->err);

	if (r < 0) {
		return r;
	}
	slash = str_rfind_char(target, '/');
	dir = arena_cstr(u->arena, str_sub(target, 0, slash < 0 ? 0 : (size_t)slash));
	from = path_open_in_root(u->root, dir, O_PATH | O_DIRECTORY, 0);
	if (from < 0 || linkat(from, arena_cstr(u->arena, str_from(target, (size_t)(slash + 1))),
			       u->parent, name, 0) < 0) {
		return err_set_errno(u->err, from < 0 ? -from : errno,
				     "layer: cannot link %s to %.*s", path, STR_ARG(target));
	}
	return 0;
}

static int unpack_node(struct unpacker *u, struct archive_entry *e, const char *name,
		       const char *path)
{
	mode_t type = archive_entry_filetype(e);

	if (type == AE_IFIFO) {
		if (mknodat(u->parent, name, S_IFIFO | 0600, 0) < 0) {
			return err_set_errno(u->err, errno, "layer: cannot make the fifo %s", path);
		}
		return set_owner_and_mode(u, e, name, path);
	}
	if (str_has_prefix(str_of(path), STR("dev/")) || type == AE_IFSOCK) {
		return 0;
	}
	return err_set(u->err, ERR_DENIED,
		       "layer: %s is a device node; images may not bring devices", path);
}

static int whiteout(struct unpacker *u, const char *name, const char *path)
{
	const char *hidden = name + strlen(".wh.");
	int r;

	if (strcmp(name, ".wh..wh..opq") == 0) {
		if (u->opaque.n >= OPAQUE_MAX) {
			return err_set(u->err, ERR_LIMIT, "layer: more than %d opaque directories",
				       OPAQUE_MAX);
		}
		*vec_push(&u->opaque) = arena_str(u->arena, str_of(u->parent_path));
		return 0;
	}
	if (str_has_prefix(str_of(hidden), STR(".wh."))) {
		return 0; /* private marks of the old aufs */
	}
	if (hidden[0] == '\0' || strcmp(hidden, ".") == 0 || strcmp(hidden, "..") == 0) {
		return err_set(u->err, ERR_INVALID, "layer: the whiteout %s hides nothing", path);
	}
	r = clear_place(u, hidden);
	if (r == 0 && mknodat(u->parent, hidden, S_IFCHR, makedev(0, 0)) < 0) {
		r = err_set_errno(u->err, errno, "layer: cannot make the whiteout of %s", path);
	}
	return r;
}

static int unpack_entry(struct unpacker *u, struct archive_entry *e)
{
	const char *raw_path = archive_entry_pathname(e) ? archive_entry_pathname(e)
							 : archive_entry_pathname_utf8(e);
	mode_t type = archive_entry_filetype(e);
	struct str clean;
	const char *path;
	const char *name;
	int r;

	if (!raw_path) {
		return err_set(u->err, ERR_INVALID, "layer: an entry has no readable name");
	}
	if (++u->result->files > u->limits->files) {
		return err_set(u->err, ERR_LIMIT, "layer: more than %llu files",
			       (unsigned long long)u->limits->files);
	}
	r = layer_clean_path(u->arena, str_of(raw_path), &clean, u->err);
	if (r < 0 || clean.n == 0) {
		return r; /* the root itself: a container sees owner and mode of its own writable layer there */
	}
	path = arena_cstr(u->arena, clean);
	r = open_parent(u, clean, &name);
	if (r < 0) {
		return r;
	}
	if (strncmp(name, ".wh.", 4) == 0) {
		return whiteout(u, name, path);
	}
	if (!archive_entry_hardlink(e) && type == AE_IFDIR) {
		return unpack_dir(u, e, name, path);
	}
	r = clear_place(u, name);
	if (r < 0) {
		return r;
	}
	if (archive_entry_hardlink(e)) {
		return unpack_hardlink(u, e, name, path);
	}
	switch (type) {
	case AE_IFREG:
		return unpack_file(u, e, name, path);
	case AE_IFLNK:
		if (!archive_entry_symlink(e) ||
		    symlinkat(archive_entry_symlink(e), u->parent, name) < 0) {
			return err_set_errno(u->err, errno,
					     "layer: cannot make the symbolic link %s", path);
		}
		return set_owner_and_mode(u, e, name, path);
	default:
		return unpack_node(u, e, name, path);
	}
}

/* The digest covers the padding behind the last entry too. */
static int drain(struct unpacker *u)
{
	const void *p;
	la_ssize_t n;

	while ((n = read_decompressed(u->tar, u, &p)) > 0) {
	}
	return n < 0 ? fail_archive(u, u->tar, "its end") : 0;
}

static int set_dir_times(struct unpacker *u)
{
	for (size_t i = 0; i < u->dirs.n; i++) {
		struct timespec times[2] = {u->dirs.p[i].mtime, u->dirs.p[i].mtime};
		int fd CLEANUP_FD =
			path_open_in_root(u->root, u->dirs.p[i].path, O_RDONLY | O_DIRECTORY, 0);

		if (fd >= 0 && futimens(fd, times) < 0) { /* it may have been replaced since */
			return err_set_errno(u->err, errno, "layer: cannot set the time of %s",
					     u->dirs.p[i].path);
		}
	}
	return 0;
}

static int unpack_all(struct unpacker *u, int fd)
{
	struct archive_entry *e;
	int r = open_archives(u, fd);
	int code;

	while (r == 0 && (code = archive_read_next_header(u->tar, &e)) != ARCHIVE_EOF) {
		r = code < ARCHIVE_WARN ? fail_archive(u, u->tar, "cannot read it")
					: unpack_entry(u, e);
	}
	if (r == 0) {
		r = drain(u);
	}
	if (r == 0) {
		r = set_dir_times(u);
	}
	return r;
}

int layer_unpack(int fd, int root, const struct layer_limits *limits, struct arena *arena,
		 struct layer_result *ret, struct err *err)
{
	struct err own = {0};
	struct unpacker u = {.limits = limits,
			     .result = ret,
			     .arena = arena,
			     .err = err ? err : &own,
			     .root = root,
			     .parent = -1};
	int r;

	*ret = (struct layer_result){0};
	digest_init(&u.digest);
	r = unpack_all(&u, fd);
	digest_hex(&u.digest, ret->diff_id);
	ret->n_opaque = u.opaque.n;
	ret->opaque = ARENA_ARRAY(arena, u.opaque.n, struct str);
	for (size_t i = 0; i < u.opaque.n; i++) {
		ret->opaque[i] = u.opaque.p[i];
	}
	free_archive(&u.tar);
	free_archive(&u.raw);
	digest_fini(&u.digest);
	vec_fini(&u.opaque);
	vec_fini(&u.dirs);
	cleanup_fd(&u.parent);
	mem_free(u.parent_path);
	err_clear(&own);
	return r;
}
