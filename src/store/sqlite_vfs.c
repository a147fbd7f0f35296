/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite_vfs.h"

#include <errno.h>
#include <sqlite3.h>

#include "base/alloc.h"
#include "base/str.h"

enum { SECTOR_BYTES = 4096, PATH_MAX_BYTES = 4096 };

struct sqlite_vfs {
	sqlite3_vfs base;
	struct disk *disk;
	atomic_ulong *syncs;
	char name[32];
};

struct vfs_file {
	sqlite3_file base;
	struct sqlite_vfs *vfs;
	struct disk_file *file;
	const char *path; /* SQLite keeps it while the file is open */
	bool is_new;	  /* its name is not durable yet */
};

static struct sqlite_vfs *of_vfs(sqlite3_vfs *base)
{
	return CONTAINER_OF(base, struct sqlite_vfs, base);
}

static const struct disk_ops *ops_of(const struct vfs_file *f)
{
	return f->vfs->disk->ops;
}

static int vfs_close(sqlite3_file *base)
{
	struct vfs_file *f = (struct vfs_file *)base;

	ops_of(f)->close(f->file);
	return SQLITE_OK;
}

static int vfs_read(sqlite3_file *base, void *buf, int n, sqlite3_int64 at)
{
	struct vfs_file *f = (struct vfs_file *)base;
	int64_t got = ops_of(f)->read(f->file, buf, (size_t)n, at);

	if (got < 0) {
		return SQLITE_IOERR_READ;
	}
	if (got < n) {
		memset((char *)buf + got, 0, (size_t)(n - got)); /* SQLite counts on it */
		return SQLITE_IOERR_SHORT_READ;
	}
	return SQLITE_OK;
}

static int vfs_write(sqlite3_file *base, const void *buf, int n, sqlite3_int64 at)
{
	struct vfs_file *f = (struct vfs_file *)base;
	int r = ops_of(f)->write(f->file, buf, (size_t)n, at);

	return r == 0 ? SQLITE_OK : r == -ENOSPC || r == -EDQUOT ? SQLITE_FULL : SQLITE_IOERR_WRITE;
}

static int vfs_truncate(sqlite3_file *base, sqlite3_int64 size)
{
	struct vfs_file *f = (struct vfs_file *)base;

	return ops_of(f)->truncate(f->file, size) == 0 ? SQLITE_OK : SQLITE_IOERR_TRUNCATE;
}

static int vfs_sync(sqlite3_file *base, int flags UNUSED)
{
	struct vfs_file *f = (struct vfs_file *)base;
	int r = ops_of(f)->sync(f->file);

	(*f->vfs->syncs)++;
	if (r == 0 && f->is_new) {
		r = f->vfs->disk->ops->sync_dir(f->vfs->disk, f->path);
		f->is_new = r != 0;
	}
	return r == 0 ? SQLITE_OK : r == -ENOSPC || r == -EDQUOT ? SQLITE_FULL : SQLITE_IOERR_FSYNC;
}

static int vfs_file_size(sqlite3_file *base, sqlite3_int64 *ret)
{
	struct vfs_file *f = (struct vfs_file *)base;
	int64_t size = ops_of(f)->size(f->file);

	*ret = MAX(size, (int64_t)0);
	return size < 0 ? SQLITE_IOERR_FSTAT : SQLITE_OK;
}

static int vfs_lock(sqlite3_file *base UNUSED, int level UNUSED)
{
	return SQLITE_OK;
}

static int vfs_check_reserved_lock(sqlite3_file *base UNUSED, int *ret)
{
	*ret = 0;
	return SQLITE_OK;
}

static int vfs_file_control(sqlite3_file *base UNUSED, int op UNUSED, void *arg UNUSED)
{
	return SQLITE_NOTFOUND;
}

static int vfs_sector_size(sqlite3_file *base UNUSED)
{
	return SECTOR_BYTES;
}

/* Overwriting part of a sector leaves its other bytes alone, also in a power cut; nothing else is
 * promised. */
static int vfs_device_characteristics(sqlite3_file *base UNUSED)
{
	return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

static const sqlite3_io_methods methods = {
	.iVersion = 1,
	.xClose = vfs_close,
	.xRead = vfs_read,
	.xWrite = vfs_write,
	.xTruncate = vfs_truncate,
	.xSync = vfs_sync,
	.xFileSize = vfs_file_size,
	.xLock = vfs_lock,
	.xUnlock = vfs_lock,
	.xCheckReservedLock = vfs_check_reserved_lock,
	.xFileControl = vfs_file_control,
	.xSectorSize = vfs_sector_size,
	.xDeviceCharacteristics = vfs_device_characteristics,
};

static int vfs_open(sqlite3_vfs *base, const char *path, sqlite3_file *file, int flags,
		    int *ret_flags)
{
	struct sqlite_vfs *vfs = of_vfs(base);
	struct vfs_file *f = (struct vfs_file *)file;
	bool exists;

	f->base.pMethods = NULL;
	if (!path || !(flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_MAIN_JOURNAL))) {
		return SQLITE_CANTOPEN; /* temporary files are in memory */
	}
	exists = vfs->disk->ops->exists(vfs->disk, path);
	switch (vfs->disk->ops->open(vfs->disk, path,
				     (flags & SQLITE_OPEN_CREATE) ? DISK_CREATE : 0, &f->file)) {
	case 0:
		break;
	case -ENOSPC:
	case -EDQUOT:
		return SQLITE_FULL;
	default:
		return SQLITE_CANTOPEN;
	}
	f->vfs = vfs;
	f->path = path;
	f->is_new = !exists;
	f->base.pMethods = &methods;
	if (ret_flags) {
		*ret_flags = flags;
	}
	return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *base, const char *path, int sync_dir)
{
	struct sqlite_vfs *vfs = of_vfs(base);
	int r = vfs->disk->ops->remove(vfs->disk, path);

	if (r == -ENOENT) {
		return SQLITE_IOERR_DELETE_NOENT;
	}
	if (r == 0 && sync_dir) {
		r = vfs->disk->ops->sync_dir(vfs->disk, path);
	}
	return r == 0 ? SQLITE_OK : SQLITE_IOERR_DELETE;
}

static int vfs_access(sqlite3_vfs *base, const char *path, int flags UNUSED, int *ret)
{
	struct sqlite_vfs *vfs = of_vfs(base);

	*ret = vfs->disk->ops->exists(vfs->disk, path);
	return SQLITE_OK;
}

static int vfs_full_pathname(sqlite3_vfs *base UNUSED, const char *path, int n, char *ret)
{
	struct str s = str_of(path);

	if (s.n >= (size_t)n) {
		return SQLITE_CANTOPEN;
	}
	memcpy(ret, path, s.n + 1);
	return SQLITE_OK;
}

static int vfs_randomness(sqlite3_vfs *base UNUSED, int n, char *ret)
{
	sqlite3_vfs *system = sqlite3_vfs_find("unix");

	return system ? system->xRandomness(system, n, ret) : 0;
}

static int vfs_sleep(sqlite3_vfs *base UNUSED, int us)
{
	return us; /* nobody to wait for */
}

static int vfs_current_time(sqlite3_vfs *base UNUSED, double *ret)
{
	*ret = 2440587.5; /* nothing here asks SQLite what time it is */
	return SQLITE_OK;
}

static int vfs_get_last_error(sqlite3_vfs *base UNUSED, int n UNUSED, char *ret UNUSED)
{
	return 0;
}

struct sqlite_vfs *sqlite_vfs_new(struct disk *disk, atomic_ulong *syncs)
{
	struct sqlite_vfs *vfs = NEW(struct sqlite_vfs);

	vfs->disk = disk;
	vfs->syncs = syncs;
	snprintf(vfs->name, sizeof(vfs->name), "cox-%p", (void *)vfs);
	vfs->base = (sqlite3_vfs){
		.iVersion = 1,
		.szOsFile = sizeof(struct vfs_file),
		.mxPathname = PATH_MAX_BYTES,
		.zName = vfs->name,
		.xOpen = vfs_open,
		.xDelete = vfs_delete,
		.xAccess = vfs_access,
		.xFullPathname = vfs_full_pathname,
		.xRandomness = vfs_randomness,
		.xSleep = vfs_sleep,
		.xCurrentTime = vfs_current_time,
		.xGetLastError = vfs_get_last_error,
	};
	ASSERT(sqlite3_vfs_register(&vfs->base, 0) == SQLITE_OK);
	return vfs;
}

void sqlite_vfs_free(struct sqlite_vfs *vfs)
{
	if (vfs) {
		sqlite3_vfs_unregister(&vfs->base);
		mem_free(vfs);
	}
}

const char *sqlite_vfs_name(const struct sqlite_vfs *vfs)
{
	return vfs->name;
}
