/* SPDX-License-Identifier: Apache-2.0 */
#include "linux/sysctl.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/cleanup.h"

enum { VALUE_MAX = 256 };

/* Reads a short file whole; the length, or -1 with errno. */
static ssize_t read_value(int dir, const char *path, char out[VALUE_MAX])
{
	int fd CLEANUP_FD = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n = fd < 0 ? -1 : read(fd, out, VALUE_MAX - 1);

	if (n >= 0) {
		out[n] = 0;
	}
	return n;
}

static int write_value(int dir, const char *path, int flags, struct str value)
{
	int fd CLEANUP_FD = openat(dir, path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | flags, 0600);
	ssize_t n = fd < 0 ? -1 : write(fd, value.p, value.n);

	if (n >= 0 && (size_t)n != value.n) {
		errno = ENOSPC;
		return -1;
	}
	return n < 0 ? -1 : 0;
}

static int record(const char *record_dir, const char *path, struct str was, struct err *err)
{
	struct buf name CLEANUP_BUF = {0};

	buf_printf(&name, "%s", path);
	for (size_t i = 0; i < name.n; i++) {
		name.p[i] = name.p[i] == '/' ? '~' : name.p[i];
	}
	int dir CLEANUP_FD = open(record_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0) {
		return err_set_errno(err, errno, "cannot open %s", record_dir);
	}
	if (write_value(dir, buf_cstr(&name), O_CREAT | O_EXCL, was) < 0 && errno != EEXIST) {
		return err_set_errno(err, errno, "cannot record the old value of %s in %s", path,
				     record_dir);
	}
	return 0;
}

static int open_sys(struct err *err)
{
	int fd = open("/proc/sys", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? err_set_errno(err, errno, "cannot open /proc/sys") : fd;
}

int sysctl_ensure(const struct sysctl *s, const char *record_dir, struct err *err)
{
	char now[VALUE_MAX];
	int sys CLEANUP_FD = open_sys(err);

	if (sys < 0) {
		return sys;
	}
	ssize_t n = read_value(sys, s->path, now);
	if (n < 0) {
		return err_set_errno(err, errno, "cannot read the kernel setting %s", s->path);
	}
	struct str was = str_trim(str_make(now, (size_t)n));
	if (str_eq(was, str_of(s->value))) {
		return 0;
	}
	if (record_dir) {
		int r = record(record_dir, s->path, was, err);
		if (r < 0) {
			return r;
		}
	}
	if (write_value(sys, s->path, 0, str_of(s->value)) < 0) {
		return err_set_errno(err, errno, "cannot set the kernel setting %s to %s", s->path,
				     s->value);
	}
	return 0;
}

static int restore_one(int sys, int dir, const char *name, struct err *err)
{
	struct buf path CLEANUP_BUF = {0};
	char value[VALUE_MAX];

	buf_printf(&path, "%s", name);
	for (size_t i = 0; i < path.n; i++) {
		path.p[i] = path.p[i] == '~' ? '/' : path.p[i];
	}
	ssize_t n = read_value(dir, name, value);
	if (n < 0) {
		return err_set_errno(err, errno, "cannot read the recorded value of %s",
				     buf_cstr(&path));
	}
	if (write_value(sys, buf_cstr(&path), 0, str_make(value, (size_t)n)) < 0 &&
	    errno != ENOENT) {
		return err_set_errno(err, errno, "cannot restore the kernel setting %s",
				     buf_cstr(&path));
	}
	if (unlinkat(dir, name, 0) < 0 && errno != ENOENT) {
		return err_set_errno(err, errno, "cannot delete the record of %s", buf_cstr(&path));
	}
	return 0;
}

static void close_dir(DIR **d)
{
	if (*d) {
		closedir(*d);
	}
}

int sysctl_restore(const char *record_dir, struct err *err)
{
	int sys CLEANUP_FD = open_sys(err);
	DIR *d CLEANUP(close_dir) = opendir(record_dir);
	const struct dirent *e;
	int r = sys < 0 ? sys : 0;

	if (!d) {
		return errno == ENOENT ? r
				       : err_set_errno(err, errno, "cannot open %s", record_dir);
	}
	while (r == 0 && (e = readdir(d))) {
		if (str_has_prefix(str_of(e->d_name), STR("net~"))) {
			r = restore_one(sys, dirfd(d), e->d_name, err);
		}
	}
	return r;
}
