/* SPDX-License-Identifier: Apache-2.0 */
#include "linux/path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/str.h"

static int open_with(int dir, const char *path, int flags, mode_t mode, uint64_t resolve)
{
	struct open_how how = {
		.flags = (uint64_t)(unsigned)flags | O_CLOEXEC,
		.mode = (flags & O_CREAT) ? mode : 0,
		.resolve = resolve,
	};
	long fd;

	do {
		fd = syscall(SYS_openat2, dir, path, &how, sizeof(how));
		/* EAGAIN: a rename raced with ".." below the root; the kernel asks to try again */
	} while (fd < 0 && (errno == EINTR || errno == EAGAIN));
	return fd < 0 ? -errno : (int)fd;
}

int path_open_root(const char *path)
{
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int path_open_in_root(int root, const char *path, int flags, mode_t mode)
{
	return open_with(root, *path ? path : ".", flags, mode,
			 RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

int path_open_beneath(int dir, const char *path, int flags, mode_t mode)
{
	/* AT_FDCWD with an absolute path is the start of a tree of ours: there is nothing to stay beneath */
	uint64_t beneath =
		dir == AT_FDCWD ? 0 : RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS;

	return open_with(dir, path, flags, mode, beneath | RESOLVE_NO_MAGICLINKS);
}

enum { LINKS_MAX = 16 };

static int make_dirs(int root, const char *path, mode_t mode, int links);

/* The last component of prefix is a link to nowhere: makes what it points to, inside the root. */
static int make_link_target(int root, const char *prefix, int parent, const char *name, mode_t mode,
			    int links)
{
	struct buf target CLEANUP_BUF = {0};
	char text[PATH_MAX];
	ssize_t n = readlinkat(parent, name, text, sizeof(text));
	size_t dir_n = strlen(prefix) - strlen(name);

	if (n < 0 || links >= LINKS_MAX) {
		return n < 0 ? -errno : -ELOOP;
	}
	if (n == 0 || text[0] != '/') {
		buf_add(&target, prefix, dir_n);
	}
	buf_add(&target, text, (size_t)n);
	return make_dirs(root, buf_cstr(&target), mode, links + 1);
}

/* One component below an O_PATH descriptor of the parent, made when missing. */
static int step_into(int root, const char *prefix, int parent, const char *name, mode_t mode,
		     int links)
{
	int fd = path_open_in_root(root, prefix, O_PATH | O_DIRECTORY, 0);

	if (fd != -ENOENT) {
		return fd;
	}
	if (mkdirat(parent, name, mode) == 0) {
		return path_open_in_root(root, prefix, O_PATH | O_DIRECTORY, 0);
	}
	return errno == EEXIST ? make_link_target(root, prefix, parent, name, mode, links) : -errno;
}

static int make_dirs(int root, const char *path, mode_t mode, int links)
{
	int parent CLEANUP_FD = path_open_in_root(root, ".", O_PATH | O_DIRECTORY, 0);
	struct str rest = str_of(path);
	struct str name;

	while (parent >= 0 && str_cut(&rest, '/', &name)) {
		char *prefix CLEANUP_FREE = mem_dup_str(path, (size_t)(name.p - path) + name.n);
		char *last CLEANUP_FREE = str_dup_cstr(name);
		int fd;

		if (name.n == 0 || str_is(name, ".")) {
			continue;
		}
		fd = step_into(root, prefix, parent, last, mode, links);
		close(parent);
		parent = fd;
	}
	return STEAL_FD(parent);
}

int path_make_dirs_in_root(int root, const char *path, mode_t mode)
{
	return make_dirs(root, path, mode, 0);
}

int path_make_file_in_root(int root, const char *path, mode_t mode)
{
	struct str s = str_of(path);
	ptrdiff_t slash = str_rfind_char(s, '/');
	char *dir CLEANUP_FREE = mem_dup_str(path, slash < 0 ? 0 : (size_t)slash);
	int parent CLEANUP_FD = path_make_dirs_in_root(root, dir, 0755);
	int fd CLEANUP_FD = -1;

	if (parent < 0) {
		return STEAL_FD(parent);
	}
	fd = path_open_in_root(root, path, O_PATH, 0);
	if (fd == -ENOENT) {
		fd = path_open_in_root(root, path, O_RDONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode);
		if (fd >= 0) {
			close(fd);
			fd = path_open_in_root(root, path, O_PATH, 0);
		}
	}
	return STEAL_FD(fd);
}
