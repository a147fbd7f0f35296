/* SPDX-License-Identifier: Apache-2.0 */
#include "env/sim_disk.h"

#include <errno.h>
#include <pthread.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/map.h"
#include "base/vec.h"
#include "env/sim_env.h"

struct inode {
	struct buf data;
	struct buf base; /* as it was when recording began */
	size_t number;	 /* in inodes */
	struct disk_file *locked_by;
};

struct record {
	enum sim_disk_op op;
	size_t inode;
	int64_t at; /* of a write; the size, of a truncate */
	char *data;
	size_t n;
	char *path, *to;
};

struct sim_disk {
	struct disk disk;
	pthread_mutex_t lock; /* of everything below */
	struct map names;     /* path -> inode */
	VEC(struct inode *) inodes;
	VEC(struct record) records;
	bool recording;
	struct map base_names;
	const char *ignored; /* files whose name ends so are not synced, whatever we say */
	int64_t capacity;
	sim_disk_fault_fn fault;
	void *fault_ctx;
};

struct disk_file {
	struct sim_disk *sim;
	struct inode *inode;
	char *path;
};

static struct sim_disk *of_disk(struct disk *disk)
{
	return CONTAINER_OF(disk, struct sim_disk, disk);
}

static int ask(struct sim_disk *sim, enum sim_disk_op op, const char *path, size_t n)
{
	return sim->fault ? sim->fault(sim->fault_ctx, op, path, n) : 0;
}

/* NULL: nobody wants to know. */
static struct record *record(struct sim_disk *sim, enum sim_disk_op op, const struct inode *inode)
{
	struct record *r = NULL;

	if (sim->recording) {
		r = vec_push(&sim->records);
		r->op = op;
		r->inode = inode ? inode->number : SIZE_MAX;
	}
	return r;
}

static struct inode *inode_new(struct sim_disk *sim)
{
	struct inode *inode = NEW(struct inode);

	inode->number = sim->inodes.n;
	*vec_push(&sim->inodes) = inode;
	return inode;
}

static int64_t used_bytes(struct sim_disk *sim)
{
	struct str path;
	void *inode;
	int64_t sum = 0;

	for (size_t i = 0; map_next(&sim->names, &i, &path, &inode);) {
		sum += (int64_t)((struct inode *)inode)->data.n;
	}
	return sum;
}

static void resize(struct buf *b, size_t n)
{
	if (n > b->n) {
		memset(buf_reserve(b, n - b->n), 0, n - b->n);
	}
	b->n = n;
}

static int sim_open(struct disk *disk, const char *path, int flags, struct disk_file **ret)
{
	struct sim_disk *sim = of_disk(disk);
	struct inode *inode;
	int r = 0;

	pthread_mutex_lock(&sim->lock);
	inode = map_find(&sim->names, str_of(path));
	pthread_mutex_unlock(&sim->lock);
	if (inode && (flags & DISK_EXCLUSIVE)) {
		return -EEXIST;
	}
	if (!inode && !(flags & DISK_CREATE)) {
		return -ENOENT;
	}
	if (!inode && (r = ask(sim, SIM_DISK_CREATE, path, 0)) < 0) {
		return r;
	}
	pthread_mutex_lock(&sim->lock);
	if (!inode) {
		struct record *rec;

		inode = inode_new(sim);
		map_put(&sim->names, str_of(path), inode);
		rec = record(sim, SIM_DISK_CREATE, inode);
		if (rec) {
			rec->path = str_dup_cstr(str_of(path));
		}
	} else if (flags & DISK_TRUNCATE) {
		record(sim, SIM_DISK_TRUNCATE, inode);
		inode->data.n = 0;
	}
	pthread_mutex_unlock(&sim->lock);
	*ret = NEW(struct disk_file);
	**ret = (struct disk_file){.sim = sim, .inode = inode, .path = str_dup_cstr(str_of(path))};
	return 0;
}

static void sim_close(struct disk_file *file)
{
	if (!file) {
		return;
	}
	pthread_mutex_lock(&file->sim->lock);
	if (file->inode->locked_by == file) {
		file->inode->locked_by = NULL;
	}
	pthread_mutex_unlock(&file->sim->lock);
	mem_free(file->path);
	mem_free(file);
}

static int64_t sim_read(struct disk_file *file, void *buf, size_t n, int64_t at)
{
	struct str part;

	pthread_mutex_lock(&file->sim->lock);
	part = str_sub(buf_str(&file->inode->data), (size_t)at, n);
	if (part.n) {
		memcpy(buf, part.p, part.n);
	}
	pthread_mutex_unlock(&file->sim->lock);
	return (int64_t)part.n;
}

/* Grows the file to `end` if there is room. */
static int grow(struct sim_disk *sim, struct inode *inode, size_t end)
{
	if (end <= inode->data.n) {
		return 0;
	}
	if (sim->capacity && used_bytes(sim) + (int64_t)(end - inode->data.n) > sim->capacity) {
		return -ENOSPC;
	}
	resize(&inode->data, end);
	return 0;
}

static int sim_write(struct disk_file *file, const void *buf, size_t n, int64_t at)
{
	struct sim_disk *sim = file->sim;
	int r = ask(sim, SIM_DISK_WRITE, file->path, n);
	struct record *rec;

	if (r < 0) {
		return r;
	}
	pthread_mutex_lock(&sim->lock);
	r = grow(sim, file->inode, (size_t)at + n);
	if (r == 0) {
		memcpy(file->inode->data.p + at, buf, n);
		rec = record(sim, SIM_DISK_WRITE, file->inode);
		if (rec) {
			rec->at = at;
			rec->data = mem_dup(buf, n);
			rec->n = n;
		}
	}
	pthread_mutex_unlock(&sim->lock);
	return r;
}

static int sim_truncate(struct disk_file *file, int64_t size)
{
	struct sim_disk *sim = file->sim;
	int r = ask(sim, SIM_DISK_TRUNCATE, file->path, 0);
	struct record *rec;

	if (r < 0) {
		return r;
	}
	pthread_mutex_lock(&sim->lock);
	r = grow(sim, file->inode, (size_t)size);
	if (r == 0) {
		resize(&file->inode->data, (size_t)size);
		rec = record(sim, SIM_DISK_TRUNCATE, file->inode);
		if (rec) {
			rec->at = size;
		}
	}
	pthread_mutex_unlock(&sim->lock);
	return r;
}

static int sim_sync(struct disk_file *file)
{
	int r = ask(file->sim, SIM_DISK_SYNC, file->path, 0);

	if (r == 0 && !(file->sim->ignored &&
			str_has_suffix(str_of(file->path), str_of(file->sim->ignored)))) {
		pthread_mutex_lock(&file->sim->lock);
		record(file->sim, SIM_DISK_SYNC, file->inode);
		pthread_mutex_unlock(&file->sim->lock);
	}
	return r;
}

static int64_t sim_size(struct disk_file *file)
{
	int64_t n;

	pthread_mutex_lock(&file->sim->lock);
	n = (int64_t)file->inode->data.n;
	pthread_mutex_unlock(&file->sim->lock);
	return n;
}

static int sim_lock(struct disk_file *file)
{
	bool ours;

	pthread_mutex_lock(&file->sim->lock);
	ours = !file->inode->locked_by || file->inode->locked_by == file;
	if (ours) {
		file->inode->locked_by = file;
	}
	pthread_mutex_unlock(&file->sim->lock);
	return ours ? 0 : -EBUSY;
}

static int sim_remove(struct disk *disk, const char *path)
{
	struct sim_disk *sim = of_disk(disk);
	int r = ask(sim, SIM_DISK_REMOVE, path, 0);
	struct record *rec;

	if (r < 0) {
		return r;
	}
	pthread_mutex_lock(&sim->lock);
	if (!map_remove(&sim->names, str_of(path))) {
		r = -ENOENT;
	} else if ((rec = record(sim, SIM_DISK_REMOVE, NULL))) {
		rec->path = str_dup_cstr(str_of(path));
	}
	pthread_mutex_unlock(&sim->lock);
	return r;
}

static int sim_rename(struct disk *disk, const char *from, const char *to)
{
	struct sim_disk *sim = of_disk(disk);
	int r = ask(sim, SIM_DISK_RENAME, from, 0);
	struct inode *inode;
	struct record *rec;

	if (r < 0) {
		return r;
	}
	pthread_mutex_lock(&sim->lock);
	inode = map_remove(&sim->names, str_of(from));
	if (!inode) {
		r = -ENOENT;
	} else {
		map_put(&sim->names, str_of(to), inode);
		if ((rec = record(sim, SIM_DISK_RENAME, inode))) {
			rec->path = str_dup_cstr(str_of(from));
			rec->to = str_dup_cstr(str_of(to));
		}
	}
	pthread_mutex_unlock(&sim->lock);
	return r;
}

static bool sim_exists(struct disk *disk, const char *path)
{
	struct sim_disk *sim = of_disk(disk);
	bool found;

	pthread_mutex_lock(&sim->lock);
	found = map_find(&sim->names, str_of(path)) != NULL;
	pthread_mutex_unlock(&sim->lock);
	return found;
}

static int sim_sync_dir(struct disk *disk, const char *path)
{
	struct sim_disk *sim = of_disk(disk);
	int r = ask(sim, SIM_DISK_SYNC_DIR, path, 0);

	if (r == 0) {
		pthread_mutex_lock(&sim->lock);
		record(sim, SIM_DISK_SYNC_DIR, NULL);
		pthread_mutex_unlock(&sim->lock);
	}
	return r;
}

static int64_t sim_free_bytes(struct disk *disk, const char *path UNUSED)
{
	struct sim_disk *sim = of_disk(disk);
	int64_t n;

	pthread_mutex_lock(&sim->lock);
	n = sim->capacity ? MAX(sim->capacity - used_bytes(sim), (int64_t)0) : INT64_C(1) << 40;
	pthread_mutex_unlock(&sim->lock);
	return n;
}

static const struct disk_ops sim_ops = {
	.open = sim_open,
	.close = sim_close,
	.read = sim_read,
	.write = sim_write,
	.truncate = sim_truncate,
	.sync = sim_sync,
	.size = sim_size,
	.lock = sim_lock,
	.remove = sim_remove,
	.rename = sim_rename,
	.exists = sim_exists,
	.sync_dir = sim_sync_dir,
	.free_bytes = sim_free_bytes,
};

struct sim_disk *sim_disk_new(void)
{
	struct sim_disk *sim = NEW(struct sim_disk);

	sim->disk.ops = &sim_ops;
	pthread_mutex_init(&sim->lock, NULL);
	map_init(&sim->names, 0);
	map_init(&sim->base_names, 0);
	return sim;
}

void sim_disk_free(struct sim_disk *sim)
{
	if (!sim) {
		return;
	}
	for (size_t i = 0; i < sim->inodes.n; i++) {
		buf_fini(&sim->inodes.p[i]->data);
		buf_fini(&sim->inodes.p[i]->base);
		mem_free(sim->inodes.p[i]);
	}
	for (size_t i = 0; i < sim->records.n; i++) {
		mem_free(sim->records.p[i].data);
		mem_free(sim->records.p[i].path);
		mem_free(sim->records.p[i].to);
	}
	vec_fini(&sim->inodes);
	vec_fini(&sim->records);
	map_fini(&sim->names);
	map_fini(&sim->base_names);
	pthread_mutex_destroy(&sim->lock);
	mem_free(sim);
}

struct disk *sim_disk_disk(struct sim_disk *sim)
{
	return &sim->disk;
}

void sim_disk_set_fault(struct sim_disk *sim, sim_disk_fault_fn fault, void *ctx)
{
	sim->fault = fault;
	sim->fault_ctx = ctx;
}

void sim_disk_set_capacity(struct sim_disk *sim, int64_t bytes)
{
	pthread_mutex_lock(&sim->lock);
	sim->capacity = bytes;
	pthread_mutex_unlock(&sim->lock);
}

void sim_disk_record(struct sim_disk *sim)
{
	struct str path;
	void *inode;

	ASSERT(!sim->recording);
	sim->recording = true;
	for (size_t i = 0; map_next(&sim->names, &i, &path, &inode);) {
		struct inode *f = inode;

		map_put(&sim->base_names, path, f);
		buf_add_str(&f->base, buf_str(&f->data));
	}
}

void sim_disk_ignore_syncs(struct sim_disk *sim, const char *name_end)
{
	sim->ignored = name_end;
}

size_t sim_disk_recorded(struct sim_disk *sim)
{
	size_t n;

	pthread_mutex_lock(&sim->lock);
	n = sim->records.n;
	pthread_mutex_unlock(&sim->lock);
	return n;
}

enum sim_disk_op sim_disk_op_at(struct sim_disk *sim, size_t i)
{
	ASSERT(i < sim->records.n);
	return sim->records.p[i].op;
}

/* One file while operations are replayed: what is durable, and the operations since its last
 * sync. */
struct replay {
	struct buf durable;
	VEC(const struct record *) unsynced;
};

/* Does one write or truncation to those bytes of the file that lie in [from, to). */
static void apply_part(struct buf *b, const struct record *r, size_t from, size_t to)
{
	size_t start = MAX((size_t)r->at, from);
	size_t end = MIN(r->op == SIM_DISK_TRUNCATE ? b->n : (size_t)r->at + r->n, to);

	if (start >= end) {
		return;
	}
	if (r->op == SIM_DISK_TRUNCATE) {
		memset(b->p + start, 0, end - start);
	} else {
		memcpy(b->p + start, r->data + (start - (size_t)r->at), end - start);
	}
}

static size_t size_after(const struct replay *f, size_t nops)
{
	size_t size = f->durable.n;

	for (size_t i = 0; i < nops; i++) {
		const struct record *r = f->unsynced.p[i];

		size = r->op == SIM_DISK_TRUNCATE ? (size_t)r->at : MAX(size, (size_t)r->at + r->n);
	}
	return size;
}

static void make_durable(struct replay *f)
{
	for (size_t i = 0; i < f->unsynced.n; i++) {
		const struct record *r = f->unsynced.p[i];

		if (r->op == SIM_DISK_TRUNCATE) {
			resize(&f->durable, (size_t)r->at);
		} else {
			resize(&f->durable, MAX(f->durable.n, (size_t)r->at + r->n));
			apply_part(&f->durable, r, 0, SIZE_MAX);
		}
	}
	vec_clear(&f->unsynced);
}

/* Each sector gets its own number of the unsynced operations. */
static void tear(struct replay *f, uint64_t *seed)
{
	size_t max = f->durable.n;
	size_t size = size_after(f, sim_random(seed) % (f->unsynced.n + 1));

	for (size_t i = 0; i <= f->unsynced.n; i++) {
		max = MAX(max, size_after(f, i));
	}
	resize(&f->durable, max);
	for (size_t at = 0; at < max; at += SIM_DISK_SECTOR) {
		size_t keep = sim_random(seed) % (f->unsynced.n + 1);

		for (size_t i = 0; i < keep; i++) {
			apply_part(&f->durable, f->unsynced.p[i], at, at + SIM_DISK_SECTOR);
		}
	}
	resize(&f->durable, size);
}

static void lose(struct replay *f, enum sim_disk_loss loss, uint64_t *seed)
{
	switch (loss == SIM_DISK_RANDOM ? sim_random(seed) % 4 : (uint64_t)loss) {
	case SIM_DISK_ALL_LOST:
		break;
	case SIM_DISK_ALL_KEPT:
		make_durable(f);
		break;
	default:
		tear(f, seed);
	}
	vec_clear(&f->unsynced);
}

static void apply_name(struct sim_disk *sim, const struct record *r)
{
	struct inode *inode = r->inode == SIZE_MAX ? NULL : sim->inodes.p[r->inode];

	switch (r->op) {
	case SIM_DISK_CREATE:
		map_put(&sim->names, str_of(r->path), inode);
		break;
	case SIM_DISK_REMOVE:
		map_remove(&sim->names, str_of(r->path));
		break;
	default:
		map_remove(&sim->names, str_of(r->path));
		map_put(&sim->names, str_of(r->to), inode);
	}
}

struct sim_disk *sim_disk_cut(struct sim_disk *sim, size_t nops, enum sim_disk_loss loss,
			      uint64_t seed)
{
	struct sim_disk *cut = sim_disk_new();
	struct replay *files = mem_new_array(sim->inodes.n, sizeof(*files));
	VEC(const struct record *) names = {0};
	struct str path;
	void *inode;
	size_t keep;

	ASSERT(nops <= sim->records.n);
	for (size_t i = 0; i < sim->inodes.n; i++) {
		inode_new(cut);
		buf_add_str(&files[i].durable, buf_str(&sim->inodes.p[i]->base));
	}
	for (size_t i = 0; map_next(&sim->base_names, &i, &path, &inode);) {
		map_put(&cut->names, path, cut->inodes.p[((struct inode *)inode)->number]);
	}
	for (size_t i = 0; i < nops; i++) {
		const struct record *r = &sim->records.p[i];

		switch (r->op) {
		case SIM_DISK_WRITE:
		case SIM_DISK_TRUNCATE:
			*vec_push(&files[r->inode].unsynced) = r;
			break;
		case SIM_DISK_SYNC:
			make_durable(&files[r->inode]);
			break;
		case SIM_DISK_SYNC_DIR:
			for (size_t j = 0; j < names.n; j++) {
				apply_name(cut, names.p[j]);
			}
			vec_clear(&names);
			break;
		default:
			*vec_push(&names) = r;
		}
	}
	keep = loss == SIM_DISK_ALL_LOST   ? 0
	       : loss == SIM_DISK_ALL_KEPT ? names.n
					   : sim_random(&seed) % (names.n + 1);
	for (size_t j = 0; j < keep; j++) {
		apply_name(cut, names.p[j]);
	}
	for (size_t i = 0; i < sim->inodes.n; i++) {
		lose(&files[i], loss, &seed);
		cut->inodes.p[i]->data = files[i].durable;
		vec_fini(&files[i].unsynced);
	}
	vec_fini(&names);
	mem_free(files);
	return cut;
}

bool sim_disk_get_file(struct sim_disk *sim, const char *path, struct str *ret)
{
	struct inode *inode = map_find(&sim->names, str_of(path));

	if (inode) {
		*ret = buf_str(&inode->data);
	}
	return inode != NULL;
}

void sim_disk_put_file(struct sim_disk *sim, const char *path, struct str bytes)
{
	struct inode *inode = map_find(&sim->names, str_of(path));

	if (!inode) {
		inode = inode_new(sim);
		map_put(&sim->names, str_of(path), inode);
	}
	buf_clear(&inode->data);
	buf_add_str(&inode->data, bytes);
}

struct sim_disk *sim_disk_clone(struct sim_disk *sim)
{
	struct sim_disk *copy = sim_disk_new();
	struct str path;
	void *inode;

	for (size_t i = 0; map_next(&sim->names, &i, &path, &inode);) {
		char *name CLEANUP_FREE = str_dup_cstr(path);

		sim_disk_put_file(copy, name, buf_str(&((struct inode *)inode)->data));
	}
	return copy;
}
