/* SPDX-License-Identifier: Apache-2.0 */
#include "env/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"

struct disk_file {
	int fd;
};

static int posix_open(struct disk *disk UNUSED, const char *path, int flags, struct disk_file **ret)
{
	int how = O_CLOEXEC | O_NOFOLLOW | ((flags & DISK_READ_ONLY) ? O_RDONLY : O_RDWR);
	int fd;

	how |= (flags & DISK_CREATE) ? O_CREAT : 0;
	how |= (flags & DISK_EXCLUSIVE) ? O_EXCL : 0;
	how |= (flags & DISK_TRUNCATE) ? O_TRUNC : 0;
	fd = open(path, how, 0600);
	if (fd < 0) {
		return -errno;
	}
	*ret = NEW(struct disk_file);
	(*ret)->fd = fd;
	return 0;
}

static void posix_close(struct disk_file *file)
{
	if (file) {
		close(file->fd);
		mem_free(file);
	}
}

static int64_t posix_read(struct disk_file *file, void *buf, size_t n, int64_t at)
{
	size_t done = 0;

	while (done < n) {
		ssize_t got = pread(file->fd, (char *)buf + done, n - done, at + (int64_t)done);

		if (got < 0 && errno == EINTR) {
			continue;
		}
		if (got < 0) {
			return -errno;
		}
		if (got == 0) {
			break;
		}
		done += (size_t)got;
	}
	return (int64_t)done;
}

static int posix_write(struct disk_file *file, const void *buf, size_t n, int64_t at)
{
	size_t done = 0;

	while (done < n) {
		ssize_t put =
			pwrite(file->fd, (const char *)buf + done, n - done, at + (int64_t)done);

		if (put < 0 && errno == EINTR) {
			continue;
		}
		if (put <= 0) {
			return put < 0 ? -errno : -EIO;
		}
		done += (size_t)put;
	}
	return 0;
}

static int posix_truncate(struct disk_file *file, int64_t size)
{
	return ftruncate(file->fd, size) < 0 ? -errno : 0;
}

static int posix_sync(struct disk_file *file)
{
	return fdatasync(file->fd) < 0 ? -errno : 0;
}

static int64_t posix_size(struct disk_file *file)
{
	struct stat st;

	return fstat(file->fd, &st) < 0 ? -errno : st.st_size;
}

/* An open-file-description lock: unlike the older kind it belongs to this file alone, so closing
 * another descriptor of the same file in this process does not drop it. */
static int posix_lock(struct disk_file *file)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	if (fcntl(file->fd, F_OFD_SETLK, &lock) == 0) {
		return 0;
	}
	return errno == EAGAIN || errno == EACCES ? -EBUSY : -errno;
}

static int posix_remove(struct disk *disk UNUSED, const char *path)
{
	return unlink(path) < 0 ? -errno : 0;
}

static int posix_rename(struct disk *disk UNUSED, const char *from, const char *to)
{
	return rename(from, to) < 0 ? -errno : 0;
}

static bool posix_exists(struct disk *disk UNUSED, const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

static char *dir_of(const char *path)
{
	ptrdiff_t slash = str_rfind_char(str_of(path), '/');

	if (slash < 0) {
		return str_dup_cstr(STR("."));
	}
	return str_dup_cstr(slash == 0 ? STR("/") : str_make(path, (size_t)slash));
}

static int posix_sync_dir(struct disk *disk UNUSED, const char *path)
{
	char *dir CLEANUP_FREE = dir_of(path);
	int fd CLEANUP_FD = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) < 0) {
		return -errno;
	}
	return 0;
}

static int64_t posix_free_bytes(struct disk *disk UNUSED, const char *path)
{
	char *dir CLEANUP_FREE = dir_of(path);
	struct statvfs fs;

	if (statvfs(dir, &fs) < 0) {
		return -errno;
	}
	return (int64_t)(fs.f_bavail * fs.f_frsize);
}

struct disk *disk_posix(void)
{
	static const struct disk_ops ops = {
		.open = posix_open,
		.close = posix_close,
		.read = posix_read,
		.write = posix_write,
		.truncate = posix_truncate,
		.sync = posix_sync,
		.size = posix_size,
		.lock = posix_lock,
		.remove = posix_remove,
		.rename = posix_rename,
		.exists = posix_exists,
		.sync_dir = posix_sync_dir,
		.free_bytes = posix_free_bytes,
	};
	static const struct disk disk = {.ops = &ops};

	return (struct disk *)&disk;
}
