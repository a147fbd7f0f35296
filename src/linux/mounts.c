/* SPDX-License-Identifier: Apache-2.0 */
#include "linux/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/vec.h"

enum { MOUNTINFO_MAX = 64 << 20, STACK_MAX = 64 };

static void close_all(int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		close(fds[i]);
	}
}

static int add_dir(struct buf *options, int *fds, size_t *n, const char *path, struct err *err)
{
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0) {
		return err_set_errno(err, errno, "cannot open layer directory %s", path);
	}
	fds[(*n)++] = fd;
	buf_printf(options, "/proc/self/fd/%d", fd);
	return 0;
}

int mount_overlay(const char *target, const char *const *lowers, size_t n, const char *upper,
		  const char *work, struct err *err)
{
	struct buf options CLEANUP_BUF = {0};
	int fds[MOUNT_LOWERS_MAX + 2];
	size_t open_n = 0;
	int r = 0;

	if (n == 0 || n > MOUNT_LOWERS_MAX) {
		return err_set(err, ERR_LIMIT, "%zu layers; an overlay has 1 to %d", n,
			       MOUNT_LOWERS_MAX);
	}
	/* fsconfig(lowerdir+) would do without descriptors, but Debian 12's kernel (6.1) does not know it. */
	buf_puts(&options, "index=off,metacopy=off,redirect_dir=off,lowerdir=");
	for (size_t i = 0; r == 0 && i < n; i++) {
		if (i) {
			buf_add_char(&options, ':');
		}
		r = add_dir(&options, fds, &open_n, lowers[i], err);
	}
	if (r == 0) {
		buf_puts(&options, ",upperdir=");
		r = add_dir(&options, fds, &open_n, upper, err);
	}
	if (r == 0) {
		buf_puts(&options, ",workdir=");
		r = add_dir(&options, fds, &open_n, work, err);
	}
	if (r == 0 && mount("overlay", target, "overlay", 0, buf_cstr(&options)) < 0) {
		r = err_set_errno(err, errno, "cannot mount %zu layers with overlayfs at %s", n,
				  target);
	}
	close_all(fds, open_n);
	return r;
}

static int set_attributes(const char *target, unsigned flags, struct err *err)
{
	struct mount_attr attr = {0};
	unsigned how = AT_SYMLINK_NOFOLLOW | ((flags & MOUNT_RECURSIVE) ? AT_RECURSIVE : 0);

	attr.attr_set |= (flags & MOUNT_READ_ONLY) ? MOUNT_ATTR_RDONLY : 0;
	attr.attr_set |= (flags & MOUNT_NO_EXEC) ? MOUNT_ATTR_NOEXEC : 0;
	attr.attr_set |= (flags & MOUNT_NO_SUID) ? MOUNT_ATTR_NOSUID : 0;
	attr.attr_set |= (flags & MOUNT_NO_DEV) ? MOUNT_ATTR_NODEV : 0;
	if (attr.attr_set &&
	    syscall(SYS_mount_setattr, AT_FDCWD, target, how, &attr, sizeof(attr)) < 0) {
		return err_set_errno(err, errno, "cannot set the attributes of mount %s", target);
	}
	return 0;
}

static int attach(int tree, const char *target, unsigned flags, struct err *err)
{
	int r;

	if (move_mount(tree, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH) < 0) {
		return err_set_errno(err, errno, "cannot bind to %s", target);
	}
	r = set_attributes(target, flags, err);
	if (r < 0) {
		umount2(target, MNT_DETACH); /* never leave it writable */
	}
	return r;
}

int mount_bind_fd(int source, const char *target, unsigned flags, struct err *err)
{
	unsigned how = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH |
		       ((flags & MOUNT_RECURSIVE) ? AT_RECURSIVE : 0);
	int tree CLEANUP_FD = open_tree(source, "", how);

	if (tree < 0) {
		return err_set_errno(err, errno, "cannot bind to %s", target);
	}
	return attach(tree, target, flags, err);
}

int mount_bind(const char *source, const char *target, unsigned flags, struct err *err)
{
	unsigned how = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC |
		       ((flags & MOUNT_RECURSIVE) ? AT_RECURSIVE : 0);
	int tree CLEANUP_FD = open_tree(AT_FDCWD, source, how);

	if (tree < 0) {
		return err_set_errno(err, errno, "cannot bind %s", source);
	}
	return attach(tree, target, flags, err);
}

int mount_propagate(const char *target, enum mount_propagation how, struct err *err)
{
	static const unsigned long flags[] = {
		[MOUNT_PRIVATE] = MS_REC | MS_PRIVATE,
		[MOUNT_RSLAVE] = MS_REC | MS_SLAVE,
		[MOUNT_RSHARED] = MS_REC | MS_SHARED,
	};

	if (mount(NULL, target, NULL, flags[how], NULL) < 0) {
		return err_set_errno(err, errno, "cannot change the propagation of %s", target);
	}
	return 0;
}

int mount_tmpfs(const char *target, uint64_t size_bytes, unsigned mode, unsigned flags,
		struct err *err)
{
	unsigned long ms = ((flags & MOUNT_READ_ONLY) ? MS_RDONLY : 0) |
			   ((flags & MOUNT_NO_EXEC) ? MS_NOEXEC : 0) |
			   ((flags & MOUNT_NO_SUID) ? MS_NOSUID : 0) |
			   ((flags & MOUNT_NO_DEV) ? MS_NODEV : 0);
	struct buf options CLEANUP_BUF = {0};

	buf_printf(&options, "mode=%o", mode);
	if (size_bytes) {
		buf_printf(&options, ",size=%llu", (unsigned long long)size_bytes);
	}
	if (mount("tmpfs", target, "tmpfs", ms, buf_cstr(&options)) < 0) {
		return err_set_errno(err, errno, "cannot mount a tmpfs at %s", target);
	}
	return 0;
}

int mount_remove(const char *target, bool lazy, struct err *err)
{
	for (int i = 0; i < STACK_MAX; i++) {
		if (umount2(target, UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0)) < 0) {
			if (errno == EINVAL || errno == ENOENT) {
				return 0;
			}
			return err_set_errno(err, errno, "cannot unmount %s", target);
		}
	}
	return err_set(err, ERR_LIMIT, "more than %d mounts are stacked at %s", STACK_MAX, target);
}

/* mountinfo writes space, tab, newline and backslash as \ooo. */
static char *unescape(struct str s)
{
	struct buf out = {0};

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\\' && i + 3 < s.n) {
			buf_add_char(&out, (char)((s.p[i + 1] - '0') * 64 + (s.p[i + 2] - '0') * 8 +
						  (s.p[i + 3] - '0')));
			i += 3;
		} else {
			buf_add_char(&out, s.p[i]);
		}
	}
	return buf_steal(&out);
}

static bool is_at_or_below(struct str path, struct str top)
{
	return str_has_prefix(path, top) &&
	       (path.n == top.n || path.p[top.n] == '/' || str_is(top, "/"));
}

static int deepest_first(const void *a, const void *b)
{
	return -strcmp(*(char *const *)a, *(char *const *)b);
}

int mount_list(const char *path, struct dir_names *ret, struct err *err)
{
	struct buf text CLEANUP_BUF = {0};
	int r = file_read(AT_FDCWD, "/proc/self/mountinfo", MOUNTINFO_MAX, &text, err);
	struct str rest = buf_str(&text);
	struct str line;

	if (r < 0) {
		return r;
	}
	while (str_cut(&rest, '\n', &line)) {
		struct str field = STR_NULL;

		for (int i = 0; i < 5; i++) { /* the fifth is the mount point */
			if (!str_cut(&line, ' ', &field)) {
				field = STR_NULL;
			}
		}
		if (field.n) {
			char *point CLEANUP_FREE = unescape(field);

			if (is_at_or_below(str_of(point), str_of(path))) {
				*vec_push(ret) = STEAL(point);
			}
		}
	}
	if (ret->n) {
		qsort(ret->p, ret->n, sizeof(*ret->p), deepest_first);
	}
	return 0;
}

int mount_remove_below(const char *path, struct err *err)
{
	struct dir_names points CLEANUP_DIR_NAMES = {0};
	int r = mount_list(path, &points, err);

	for (size_t i = 0; r == 0 && i < points.n; i++) {
		r = mount_remove(points.p[i], true, err);
	}
	return r;
}

bool mount_is_point(const char *path)
{
	struct statx stx;

	return statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, 0, &stx) == 0 &&
	       (stx.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) &&
	       (stx.stx_attributes & STATX_ATTR_MOUNT_ROOT);
}
