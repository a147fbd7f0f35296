/* SPDX-License-Identifier: Apache-2.0 */
#include "linux/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/vec.h"
#include "linux/path.h"

enum { READ_STEP = 16384, DIR_NAMES_MAX = 1000000, TREE_DEPTH_MAX = 2048 };

int file_read_fd(int fd, const char *what, size_t limit, struct buf *ret, struct err *err)
{
	size_t start = ret->n;

	for (;;) {
		ssize_t n = read(fd, buf_reserve(ret, READ_STEP), READ_STEP);

		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n < 0) {
			return err_set_errno(err, errno, "cannot read %s", what);
		}
		if (n == 0) {
			return 0;
		}
		ret->n += (size_t)n;
		if (ret->n - start > limit) {
			return err_set(err, ERR_LIMIT, "%s is longer than %zu bytes", what, limit);
		}
	}
}

int file_read(int dir, const char *path, size_t limit, struct buf *ret, struct err *err)
{
	int fd CLEANUP_FD = openat(dir, path, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		return err_set_errno(err, errno, "cannot open %s", path);
	}
	return file_read_fd(fd, path, limit, ret, err);
}

int file_put(const char *path, struct str data, struct err *err)
{
	int fd CLEANUP_FD = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0) {
		return err_set_errno(err, errno, "cannot open %s", path);
	}
	do {
		n = write(fd, data.p, data.n);
	} while (n < 0 && errno == EINTR);
	if (n < 0 || (size_t)n != data.n) {
		return err_set_errno(err, n < 0 ? errno : EIO, "cannot write \"%.*s\" to %s",
				     STR_ARG(str_trim(data)), path);
	}
	return 0;
}

int file_write_all(int fd, const void *p, size_t n)
{
	const char *at = p;

	while (n) {
		ssize_t w = write(fd, at, n);

		if (w < 0 && errno == EINTR) {
			continue;
		}
		if (w < 0) {
			return -errno;
		}
		at += w;
		n -= (size_t)w;
	}
	return 0;
}

int file_sync_dir(const char *path, struct err *err)
{
	int fd CLEANUP_FD = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) < 0) {
		return err_set_errno(err, errno, "cannot sync directory %s", path);
	}
	return 0;
}

static int sync_parent(const char *path, struct err *err)
{
	const char *slash = strrchr(path, '/');
	char *dir CLEANUP_FREE = !slash		 ? mem_dup_str(".", 1)
				 : slash == path ? mem_dup_str("/", 1)
						 : mem_dup_str(path, (size_t)(slash - path));

	return file_sync_dir(dir, err);
}

int file_replace(const char *path, struct str data, mode_t mode, bool durable, struct err *err)
{
	struct buf tmp CLEANUP_BUF = {0};
	int fd CLEANUP_FD = -1;
	int r;

	/* One writer per path is the caller's business; a left-over of a crash is overwritten. */
	buf_printf(&tmp, "%s.tmp", path);
	fd = open(buf_cstr(&tmp), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0) {
		return err_set_errno(err, errno, "cannot create %s", buf_cstr(&tmp));
	}
	r = file_write_all(fd, data.p, data.n);
	if (r == 0 && (fchmod(fd, mode) < 0 || (durable && fsync(fd) < 0))) {
		r = -errno;
	}
	if (r == 0 && rename(buf_cstr(&tmp), path) < 0) {
		r = -errno;
	}
	if (r < 0) {
		unlink(buf_cstr(&tmp));
		return err_set_errno(err, -r, "cannot write %s", path);
	}
	return durable ? sync_parent(path, err) : 0;
}

int dir_make(const char *path, mode_t mode, struct err *err)
{
	char *copy CLEANUP_FREE = mem_dup_str(path, strlen(path));

	for (char *p = copy + 1; copy[0]; p++) {
		char c = *p;

		if (c != '/' && c != '\0') {
			continue;
		}
		*p = '\0';
		if (mkdir(copy, mode) < 0 && errno != EEXIST) {
			int errnum = errno;
			struct stat st;

			/* mkdir of an existing directory on a read-only file system says EROFS */
			if (stat(copy, &st) < 0 || !S_ISDIR(st.st_mode)) {
				return err_set_errno(err, errnum, "cannot make directory %s", copy);
			}
		}
		*p = c;
		if (c == '\0') {
			break;
		}
	}
	return 0;
}

static int remove_entry(int dir, const char *name, int depth, const char *what, struct err *err);

static int remove_children(int fd, int depth, const char *what, struct err *err)
{
	DIR *d = fdopendir(fd);
	struct dirent *e;
	int r = 0;

	if (!d) {
		close(fd);
		return err_set_errno(err, errno, "cannot list %s", what);
	}
	while (r == 0 && (e = readdir(d))) {
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) {
			r = remove_entry(dirfd(d), e->d_name, depth + 1, what, err);
		}
	}
	closedir(d);
	return r;
}

static int remove_entry(int dir, const char *name, int depth, const char *what, struct err *err)
{
	int fd;
	int r;

	if (unlinkat(dir, name, 0) == 0 || errno == ENOENT) {
		return 0;
	}
	if (errno != EISDIR && errno != EPERM && errno != ENOTEMPTY) {
		return err_set_errno(err, errno, "cannot remove %s below %s", name, what);
	}
	if (unlinkat(dir, name, AT_REMOVEDIR) == 0 || errno == ENOENT) {
		return 0;
	}
	if (errno == EBUSY) {
		return err_set(err, ERR_BUSY, "%s below %s is a mount point; unmount it first",
			       name, what);
	}
	if (depth > TREE_DEPTH_MAX) {
		return err_set(err, ERR_LIMIT, "%s is nested deeper than %d directories", what,
			       TREE_DEPTH_MAX);
	}
	fd = path_open_beneath(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	if (fd == -EXDEV) {
		return err_set(err, ERR_BUSY, "%s below %s is a mount point; unmount it first",
			       name, what);
	}
	if (fd < 0) {
		return err_set_errno(err, -fd, "cannot open %s below %s", name, what);
	}
	r = remove_children(fd, depth, what, err);
	if (r == 0 && unlinkat(dir, name, AT_REMOVEDIR) < 0 && errno != ENOENT) {
		r = errno == EBUSY
			    ? err_set(err, ERR_BUSY,
				      "%s below %s is a mount point; unmount it first", name, what)
			    : err_set_errno(err, errno, "cannot remove %s below %s", name, what);
	}
	return r;
}

int file_tree_remove(const char *path, struct err *err)
{
	return remove_entry(AT_FDCWD, path, 0, path, err);
}

int tree_remove_at(int dir, const char *name, struct err *err)
{
	return remove_entry(dir, name, 0, name, err);
}

bool file_exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

static int name_cmp(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int dir_list(const char *path, struct dir_names *ret, struct err *err)
{
	DIR *d = opendir(path);
	struct dirent *e;
	int r = 0;

	if (!d) {
		return errno == ENOENT ? 0 : err_set_errno(err, errno, "cannot list %s", path);
	}
	while (r == 0 && (errno = 0, e = readdir(d))) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) {
			continue;
		}
		*vec_push(ret) = mem_dup_str(e->d_name, strlen(e->d_name));
		if (ret->n > DIR_NAMES_MAX) {
			r = err_set(err, ERR_LIMIT, "%s has more than %d entries", path,
				    DIR_NAMES_MAX);
		}
	}
	if (r == 0 && errno) {
		r = err_set_errno(err, errno, "cannot list %s", path);
	}
	closedir(d);
	if (ret->n) {
		qsort(ret->p, ret->n, sizeof(*ret->p), name_cmp);
	}
	return r;
}

void dir_names_fini(struct dir_names *names)
{
	for (size_t i = 0; i < names->n; i++) {
		mem_free(names->p[i]);
	}
	vec_fini(names);
}
