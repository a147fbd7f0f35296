/* SPDX-License-Identifier: Apache-2.0 */
#include "store/commit_log.h"

#include <endian.h>
#include <errno.h>

#include "base/cleanup.h"
#include "store/checksum.h"

struct record {
	uint64_t generation, number;
	int64_t first_id, last_id, prev_id;
	uint64_t bytes; /* of the rows */
	uint64_t rows_sum;
};

enum { HEADER = 72 };

static const char magic[8] = "COXLOG01";

/* magic, sum, then the fields of struct record: the sum covers these, seeded with the key. */
static void put_header(char *p, const struct record *r, uint64_t key)
{
	const uint64_t fields[] = {r->generation,
				   r->number,
				   (uint64_t)r->first_id,
				   (uint64_t)r->last_id,
				   (uint64_t)r->prev_id,
				   r->bytes,
				   r->rows_sum};
	uint64_t sum;

	memcpy(p, magic, sizeof(magic));
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		uint64_t le = htole64(fields[i]);

		memcpy(p + 16 + i * 8, &le, sizeof(le));
	}
	sum = htole64(checksum(str_make(p + 16, HEADER - 16), key));
	memcpy(p + 8, &sum, sizeof(sum));
}

static bool get_header(struct str at, uint64_t key, struct record *ret)
{
	uint64_t fields[8]; /* the sum first */

	if (at.n < HEADER || memcmp(at.p, magic, sizeof(magic)) != 0) {
		return false;
	}
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		memcpy(&fields[i], at.p + 8 + i * 8, 8);
		fields[i] = le64toh(fields[i]);
	}
	*ret = (struct record){fields[1],	   fields[2],	       (int64_t)fields[3],
			       (int64_t)fields[4], (int64_t)fields[5], fields[6],
			       fields[7]};
	return fields[0] == checksum(str_make(at.p + 16, HEADER - 16), key);
}

static size_t record_size(const struct record *r)
{
	return (HEADER + r->bytes + LOG_ALIGN - 1) & ~(size_t)(LOG_ALIGN - 1);
}

static uint64_t add_to_rows_sum(uint64_t rows_sum, uint64_t row_sum)
{
	uint64_t le = htole64(row_sum);

	return checksum(str_make(&le, sizeof(le)), rows_sum);
}

/* The whole record at the start of `at` is as it was written. */
static bool is_record(struct str at, uint64_t key, struct record *ret)
{
	struct str rows;
	uint64_t rows_sum = 0;
	int64_t last = 0;

	if (!get_header(at, key, ret) || ret->bytes > at.n - HEADER) {
		return false;
	}
	rows = str_sub(at, HEADER, ret->bytes);
	last = ret->first_id - 1;
	while (rows.n) {
		struct row row;

		if (row_cut(&rows, &row) < 0 || !row_is_intact(&row) || row.id <= last) {
			return false;
		}
		last = row.id;
		rows_sum = add_to_rows_sum(rows_sum, row.sum);
	}
	return last == ret->last_id && rows_sum == ret->rows_sum;
}

static int fail(const struct log_segment *seg, int r, const char *what, struct err *err)
{
	if (r == -ENOSPC || r == -EDQUOT) {
		return err_set(err, ERR_NO_SPACE,
			       "the disk is full: %s the commit log %s. Free some space; writes "
			       "then go on by themselves",
			       what, seg->path);
	}
	return err_set_errno(err, -r, "%s the commit log %s", what, seg->path);
}

static int open_file(struct log_segment *seg, struct disk *disk, struct err *err)
{
	int r;

	if (disk->ops->exists(disk, seg->path)) {
		r = disk->ops->open(disk, seg->path, 0, &seg->file);
		return r < 0 ? fail(seg, r, "cannot open", err) : 0;
	}
	r = disk->ops->open(disk, seg->path, DISK_CREATE, &seg->file);
	if (r == 0) {
		r = disk->ops->sync_dir(disk, seg->path);
	}
	return r < 0 ? fail(seg, r, "cannot create", err) : 0;
}

static int read_all(struct commit_log *log, const struct log_segment *seg, int64_t size,
		    struct buf *ret, struct err *err)
{
	int64_t n =
		log->disk->ops->read(seg->file, buf_reserve(ret, (size_t)size), (size_t)size, 0);

	if (n < 0) {
		return fail(seg, (int)n, "cannot read", err);
	}
	ret->n = (size_t)n;
	return 0;
}

static int damaged(const struct log_segment *seg, size_t at, struct err *err)
{
	return err_set(err, ERR_CORRUPT,
		       "the commit log %s is damaged at byte %zu: acknowledged writes follow that "
		       "cannot be read. Restore the data directory "
		       "from a backup; nothing was changed",
		       seg->path, at);
}

/* What the search for records knows. */
struct scan {
	struct commit_log *log;
	int64_t applied;
	int64_t last_id; /* of the last record that follows, at least `applied` */
	log_row_fn each;
	void *ctx;
};

/* Nothing that the file lacks may stand behind the end of the chain. */
static int check_rest(struct scan *scan, const struct log_segment *seg, struct str bytes,
		      size_t from, struct err *err)
{
	struct record r;

	for (size_t at = from; at < bytes.n; at += LOG_ALIGN) {
		/* At the very end of the chain stands the record that a power cut may have torn. */
		bool may_be_torn = at == from;

		if (get_header(str_from(bytes, at), scan->log->key, &r) &&
		    r.last_id > scan->last_id && !may_be_torn) {
			return damaged(seg, from, err);
		}
	}
	return 0;
}

static int give_rows(struct scan *scan, struct str record, const struct record *r, struct err *err)
{
	struct str rows = str_sub(record, HEADER, r->bytes);
	int result = 0;

	while (rows.n && result == 0) {
		struct row row;

		ASSERT(row_cut(&rows, &row) == 0);
		if (row.id > scan->applied) {
			result = scan->each(scan->ctx, &row, err);
		}
	}
	return result;
}

static int scan_segment(struct scan *scan, struct log_segment *seg, struct str bytes,
			struct err *err)
{
	struct commit_log *log = scan->log;
	size_t at = 0;
	struct record r;

	while (is_record(str_from(bytes, at), log->key, &r) &&
	       (at == 0 || (r.generation == seg->generation && r.number == log->number))) {
		int result = 0;

		if (r.last_id > scan->applied && r.prev_id > scan->last_id) {
			return damaged(seg, at, err); /* one before it is missing */
		}
		result = give_rows(scan, str_from(bytes, at), &r, err);
		if (result < 0) {
			return result;
		}
		seg->generation = log->generation = r.generation;
		log->number = r.number + 1;
		scan->last_id = MAX(scan->last_id, r.last_id);
		at += record_size(&r);
	}
	seg->size = (int64_t)at;
	return check_rest(scan, seg, bytes, at, err);
}

static uint64_t first_generation(struct str bytes, uint64_t key)
{
	struct record r;

	return is_record(bytes, key, &r) ? r.generation : 0;
}

static int scan_all(struct scan *scan, struct buf bytes[LOG_SEGMENTS], struct err *err)
{
	struct commit_log *log = scan->log;
	uint64_t generations[LOG_SEGMENTS];
	int first, r;

	for (int i = 0; i < LOG_SEGMENTS; i++) {
		struct log_segment *seg = &log->segments[i];
		int64_t size = log->disk->ops->size(seg->file);

		r = size < 0 ? fail(seg, (int)size, "cannot read", err)
			     : read_all(log, seg, size, &bytes[i], err);
		if (r < 0) {
			return r;
		}
		generations[i] = first_generation(buf_str(&bytes[i]), log->key);
	}
	first = generations[0] <= generations[1] ? 0 : 1;
	for (int i = 0; i < LOG_SEGMENTS; i++) {
		log->active = i == 0 ? first : 1 - first;
		r = scan_segment(scan, &log->segments[log->active], buf_str(&bytes[log->active]),
				 err);
		if (r < 0) {
			return r;
		}
	}
	return 0;
}

int commit_log_open(struct commit_log *log, struct disk *disk, const char *path, uint64_t key,
		    int64_t applied, atomic_ulong *syncs, log_row_fn each, void *ctx,
		    struct err *err)
{
	struct scan scan = {log, applied, applied, each, ctx};
	struct buf bytes[LOG_SEGMENTS] = {0};
	int r = 0;

	*log = (struct commit_log){.disk = disk, .key = key, .syncs = syncs, .generation = 1};
	for (int i = 0; i < LOG_SEGMENTS && r == 0; i++) {
		struct buf name = {0};

		buf_printf(&name, "%s-log%d", path, i);
		log->segments[i].path = buf_steal(&name);
		r = open_file(&log->segments[i], disk, err);
	}
	if (r == 0) {
		r = scan_all(&scan, bytes, err);
	}
	for (int i = 0; i < LOG_SEGMENTS; i++) {
		buf_fini(&bytes[i]);
		if (scan.last_id == applied) {
			log->segments[i].size = 0; /* nothing that the file lacks */
		}
	}
	if (log->segments[log->active].size == 0) {
		log->generation++;
	}
	log->last_id = scan.last_id;
	return r;
}

void commit_log_close(struct commit_log *log, bool remove)
{
	for (int i = 0; i < LOG_SEGMENTS; i++) {
		struct log_segment *seg = &log->segments[i];

		if (seg->file) {
			log->disk->ops->close(seg->file);
			if (remove) {
				/* One that stays is found empty of news, and used again. */
				(void)log->disk->ops->remove(log->disk, seg->path);
			}
		}
		mem_free(seg->path);
	}
	buf_fini(&log->buf);
	*log = (struct commit_log){0};
}

static void encode(struct commit_log *log, const struct store_batch *batch)
{
	struct buf *b = &log->buf;
	struct record r = {
		.generation = log->generation,
		.number = log->number,
		.first_id = batch->rows.p[0].id,
		.last_id = batch->rows.p[batch->rows.n - 1].id,
		.prev_id = log->last_id,
	};
	size_t size;

	buf_clear(b);
	buf_reserve(b, HEADER);
	b->n = HEADER;
	for (size_t i = 0; i < batch->rows.n; i++) {
		r.rows_sum =
			add_to_rows_sum(r.rows_sum, row_add(b, &batch->rows.p[i], batch->wall_ns));
	}
	r.bytes = b->n - HEADER;
	size = record_size(&r);
	memset(buf_reserve(b, size - b->n), 0, size - b->n);
	b->n = size;
	put_header(b->p, &r, log->key);
}

/* A record whose write or sync failed may still reach the disk, whole, and come back at the next
 * open although its writers were told that nothing happened. So its header is wiped; the next
 * append overwrites it in any case. */
static void wipe(struct commit_log *log, const struct log_segment *seg)
{
	static const char zeros[LOG_ALIGN];

	if (log->disk->ops->write(seg->file, zeros, sizeof(zeros), seg->size) == 0) {
		(void)log->disk->ops->sync(seg->file);
		(*log->syncs)++;
	}
}

int commit_log_append(struct commit_log *log, const struct store_batch *batch, struct err *err)
{
	struct log_segment *seg = &log->segments[log->active];
	const char *what = "cannot write to";
	int r;

	encode(log, batch);
	r = log->disk->ops->write(seg->file, log->buf.p, log->buf.n, seg->size);
	if (r == 0) {
		what = "cannot sync";
		r = log->disk->ops->sync(seg->file);
		(*log->syncs)++;
	}
	if (r < 0) {
		wipe(log, seg);
		r = fail(seg, r, what, err);
	} else {
		seg->size += (int64_t)log->buf.n;
		seg->generation = log->generation;
		log->number++;
		log->last_id = batch->rows.p[batch->rows.n - 1].id;
	}
	if (log->buf.cap > 1024 * 1024) {
		buf_fini(&log->buf); /* a large batch is rare: give the memory back */
	}
	return r;
}

int commit_log_seal(struct commit_log *log)
{
	int sealed = log->active;

	log->active = (log->active + 1) % LOG_SEGMENTS;
	ASSERT(log->segments[log->active].size == 0);
	log->generation++;
	return sealed;
}

int commit_log_read(struct commit_log *log, int segment, int64_t after, log_row_fn each,
		    log_record_end_fn end, void *ctx, struct err *err)
{
	struct log_segment *seg = &log->segments[segment];
	struct scan scan = {.log = log, .applied = after, .each = each, .ctx = ctx};
	struct buf b CLEANUP_BUF = {0};
	struct record record;
	int r = read_all(log, seg, seg->size, &b, err);

	for (size_t at = 0; r == 0 && at < (size_t)seg->size; at += record_size(&record)) {
		if (!is_record(str_from(buf_str(&b), at), log->key, &record)) {
			return damaged(seg, at, err);
		}
		if (record.last_id > after) {
			r = give_rows(&scan, str_from(buf_str(&b), at), &record, err);
			r = r < 0 ? r : end(ctx, err);
		}
	}
	return r;
}

void commit_log_recycle(struct commit_log *log, int segment, int64_t keep_bytes)
{
	struct log_segment *seg = &log->segments[segment];

	if (seg->size > keep_bytes) {
		(void)log->disk->ops->truncate(seg->file, keep_bytes); /* only to save room */
	}
	seg->size = 0;
}
