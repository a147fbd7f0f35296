/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite_file.h"

#include <inttypes.h>

#include "base/cleanup.h"
#include "store/checksum.h"

enum {
	PAGE_BYTES = 16384,
	CACHE_KB = 2048,
	SHRINK_PAGES = 64,
	SHRINK_MIN_PAGES = 128, /* 1 MB of free pages is not worth the work */
};

static const char schema[] = "CREATE TABLE log(id INTEGER PRIMARY KEY, time INTEGER, key BLOB, "
			     "text BLOB, room INTEGER, tag INTEGER, codec "
			     "INTEGER, created INTEGER, version INTEGER, sum INTEGER)\n"
			     "CREATE TABLE meta(name BLOB PRIMARY KEY, value BLOB, sum INTEGER)\n"
			     "CREATE TABLE state(id INTEGER PRIMARY KEY, uid BLOB, key INTEGER, "
			     "applied INTEGER, oldest INTEGER, rows INTEGER, "
			     "sum INTEGER)\n";

/* --- errors --- */

static int corrupt(const struct store_file *file, const char *what, struct err *err)
{
	return err_set(err, ERR_CORRUPT,
		       "%s: %s. Restore the data directory from a backup, or move it away to start "
		       "with an empty cluster; nothing was changed",
		       file->path, what);
}

static int db_error(struct store_file *file, int rc, const char *what, struct err *err)
{
	switch (rc & 0xff) {
	case SQLITE_FULL:
		return err_set(err, ERR_NO_SPACE, "%s: %s: no space left on device", file->path,
			       what);
	case SQLITE_ERROR: /* our statements are right, so what they met is not */
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_SCHEMA:
	case SQLITE_TOOBIG:
		return corrupt(file, sqlite3_errmsg(file->db), err);
	case SQLITE_NOMEM: /* which is also what SQLite says of a damaged length */
		return corrupt(file, "a length in it is impossible, or memory has run out", err);
	default:
		return err_set(err, ERR_IO, "%s: %s: %s", file->path, what,
			       sqlite3_errmsg(file->db));
	}
}

static int run(struct store_file *file, const char *sql, struct err *err)
{
	int rc = sqlite3_exec(file->db, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : db_error(file, rc, sql, err);
}

/* For statements without results. */
static int step(struct store_file *file, sqlite3_stmt *stmt, const char *what, struct err *err)
{
	int rc = sqlite3_step(stmt);
	int r = rc == SQLITE_DONE ? 0 : db_error(file, rc, what, err);

	sqlite3_reset(stmt);
	return r;
}

static int prepare(struct store_file *file, const char *sql, sqlite3_stmt **ret, struct err *err)
{
	int rc = sqlite3_prepare_v3(file->db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL);

	return rc == SQLITE_OK ? 0 : db_error(file, rc, "cannot read the tables", err);
}

static int get_number(struct store_file *file, const char *sql, int64_t *ret, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	int r = prepare(file, sql, &stmt, err);

	if (r == 0) {
		int rc = sqlite3_step(stmt);

		if (rc == SQLITE_ROW) {
			*ret = sqlite3_column_int64(stmt, 0);
		} else {
			r = db_error(file, rc, sql, err);
		}
	}
	sqlite3_finalize(stmt);
	return r;
}

/* --- state --- */

static uint64_t sum_of_state(const struct store_file *file, const struct store_file_state *state)
{
	char text[128];
	int n = snprintf(text, sizeof(text), "%" PRIu64 " %" PRId64 " %" PRId64 " %" PRId64,
			 file->log_key, state->applied, state->oldest.n, state->rows);

	return checksum(str_make(text, (size_t)n),
			checksum(str_make(file->uid, sizeof(file->uid)), 0));
}

static int put_state(struct store_file *file, const struct store_file_state *state, struct err *err)
{
	sqlite3_stmt *s = file->set_state;

	sqlite3_bind_blob(s, 1, file->uid, sizeof(file->uid), SQLITE_STATIC);
	sqlite3_bind_int64(s, 2, (int64_t)file->log_key);
	sqlite3_bind_int64(s, 3, state->applied);
	sqlite3_bind_int64(s, 4, state->oldest.n);
	sqlite3_bind_int64(s, 5, state->rows);
	sqlite3_bind_int64(s, 6, (int64_t)sum_of_state(file, state));
	return step(file, s, "cannot write", err);
}

static int load_state(struct store_file *file, struct err *err)
{
	sqlite3_stmt *s = NULL;
	int r = prepare(file, "SELECT uid, key, applied, oldest, rows, sum FROM state WHERE id = 1",
			&s, err);
	int rc;

	if (r < 0) {
		return r;
	}
	rc = sqlite3_step(s);
	if (rc != SQLITE_ROW) {
		r = rc == SQLITE_DONE ? corrupt(file, "the state row is missing", err)
				      : db_error(file, rc, "cannot read", err);
	} else if (sqlite3_column_bytes(s, 0) != sizeof(file->uid)) {
		r = corrupt(file, "the state row is damaged", err);
	} else {
		memcpy(file->uid, sqlite3_column_blob(s, 0), sizeof(file->uid));
		file->log_key = (uint64_t)sqlite3_column_int64(s, 1);
		file->state.applied = sqlite3_column_int64(s, 2);
		file->state.oldest.n = sqlite3_column_int64(s, 3);
		file->state.rows = sqlite3_column_int64(s, 4);
		if ((uint64_t)sqlite3_column_int64(s, 5) != sum_of_state(file, &file->state)) {
			r = corrupt(file, "the state row is damaged", err);
		}
	}
	sqlite3_finalize(s);
	return r;
}

/* --- load --- */

static struct str column_str(sqlite3_stmt *s, int column)
{
	const void *p;

	if (sqlite3_column_type(s, column) == SQLITE_NULL) {
		return STR_NULL;
	}
	p = sqlite3_column_blob(s, column);
	return str_make(p ? p : "", (size_t)sqlite3_column_bytes(s, column));
}

static int load_rows(struct store_file *file, const struct store_file_sink *sink, struct err *err)
{
	sqlite3_stmt *s = NULL;
	int64_t n = 0, last = 0;
	int rc = SQLITE_DONE;
	int r = prepare(file,
			"SELECT id, time, key, text, room, tag, codec, created, version, sum FROM "
			"log ORDER BY id",
			&s, err);

	while (r == 0 && (rc = sqlite3_step(s)) == SQLITE_ROW) {
		struct row row = {
			.id = sqlite3_column_int64(s, 0),
			.wall_ns = sqlite3_column_int64(s, 1),
			.key = column_str(s, 2),
			.text = column_str(s, 3),
			.room_at = (uint32_t)sqlite3_column_int64(s, 4),
			.tag = (uint32_t)sqlite3_column_int64(s, 5),
			.codec = (uint32_t)sqlite3_column_int64(s, 6),
			.create_revision = sqlite3_column_int64(s, 7),
			.version = sqlite3_column_int64(s, 8),
			.sum = (uint64_t)sqlite3_column_int64(s, 9),
		};

		if (row.id <= last || row.id > file->state.applied) {
			r = corrupt(file, "the rows are not in order", err);
		} else {
			r = sink->row(sink->ctx, &row, err);
		}
		last = row.id;
		n++;
	}
	if (r == 0 && rc != SQLITE_DONE) {
		r = db_error(file, rc, "cannot read", err);
	}
	if (r == 0 && n != file->state.rows) {
		r = err_set(err, ERR_CORRUPT,
			    "%s: there should be %" PRId64 " rows, but %" PRId64
			    " are found. Restore the data directory from a backup; "
			    "nothing was changed",
			    file->path, file->state.rows, n);
	}
	sqlite3_finalize(s);
	return r;
}

static int load_meta(struct store_file *file, const struct store_file_sink *sink, struct err *err)
{
	sqlite3_stmt *s = NULL;
	int rc = SQLITE_DONE;
	int r = prepare(file, "SELECT name, value, sum FROM meta", &s, err);

	while (r == 0 && (rc = sqlite3_step(s)) == SQLITE_ROW) {
		struct str name = column_str(s, 0);
		struct str value = column_str(s, 1);

		if ((uint64_t)sqlite3_column_int64(s, 2) != checksum(value, checksum(name, 0))) {
			r = corrupt(file, "a row of the table meta is damaged", err);
		} else {
			sink->meta(sink->ctx, name, value);
		}
	}
	if (r == 0 && rc != SQLITE_DONE) {
		r = db_error(file, rc, "cannot read", err);
	}
	sqlite3_finalize(s);
	return r;
}

/* --- open --- */

static int prepare_all(struct store_file *file, struct err *err)
{
	const struct {
		const char *sql;
		sqlite3_stmt **stmt;
	} list[] = {
		{"BEGIN IMMEDIATE", &file->begin},
		{"COMMIT", &file->commit},
		{"INSERT INTO log VALUES(?,?,?,?,?,?,?,?,?,?)", &file->insert},
		{"DELETE FROM log WHERE id = ?", &file->remove},
		{"INSERT OR REPLACE INTO state VALUES(1,?,?,?,?,?,?)", &file->set_state},
	};

	for (size_t i = 0; i < ARRAY_LEN(list); i++) {
		int r = prepare(file, list[i].sql, list[i].stmt, err);

		if (r < 0) {
			return r;
		}
	}
	return 0;
}

static int create(struct store_file *file, struct err *err)
{
	char *ids;
	int r;

	r = run(file, "BEGIN IMMEDIATE", err);
	for (struct str rest = str_of(schema), line;
	     r == 0 && str_cut(&rest, '\n', &line) && line.n;) {
		char *sql CLEANUP_FREE = str_dup_cstr(line);

		r = run(file, sql, err);
	}
	if (r < 0) {
		return r;
	}
	ids = sqlite3_mprintf("PRAGMA application_id = %d; PRAGMA user_version = %d",
			      STORE_APPLICATION_ID, STORE_FORMAT);
	r = run(file, ids, err);
	sqlite3_free(ids);
	r = r < 0 ? r : prepare_all(file, err);
	file->state.oldest.n = 1;
	r = r < 0 ? r : put_state(file, &file->state, err);
	return r < 0 ? r : run(file, "COMMIT", err);
}

static int check_format(struct store_file *file, struct err *err)
{
	int64_t application = 0, format = 0;
	int r = get_number(file, "PRAGMA application_id", &application, err);

	r = r < 0 ? r : get_number(file, "PRAGMA user_version", &format, err);
	if (r < 0) {
		return r;
	}
	if (application != STORE_APPLICATION_ID) {
		return corrupt(file, "it is not a store of this program", err);
	}
	if (format > STORE_FORMAT) {
		return err_set(err, ERR_NEWER_FORMAT,
			       "%s: written in format %" PRId64
			       " by a newer version; this one knows formats up to %d. Start the "
			       "newer version "
			       "again; nothing was changed",
			       file->path, format, STORE_FORMAT);
	}
	return format == STORE_FORMAT ? 0 : corrupt(file, "the format number is damaged", err);
}

/* Exactly our tables: no trigger or view of somebody else's runs when we write. */
static int check_schema(struct store_file *file, struct err *err)
{
	struct buf got CLEANUP_BUF = {0};
	sqlite3_stmt *s = NULL;
	int rc = SQLITE_DONE;
	int r = prepare(file, "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name",
			&s, err);

	while (r == 0 && (rc = sqlite3_step(s)) == SQLITE_ROW) {
		buf_add_str(&got, column_str(s, 0));
		buf_add_char(&got, '\n');
	}
	sqlite3_finalize(s);
	if (r < 0) {
		return r;
	}
	if (rc != SQLITE_DONE) {
		return db_error(file, rc, "cannot read", err);
	}
	return str_eq(buf_str(&got), str_of(schema)) ? 0
						     : corrupt(file, "its tables are damaged", err);
}

static int configure(struct store_file *file, struct err *err)
{
	char *sql;
	int r;

	sqlite3_extended_result_codes(file->db, 1);
	sqlite3_db_config(file->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(file->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_db_config(file->db, SQLITE_DBCONFIG_LOOKASIDE, NULL, 0, 0);
	sqlite3_limit(file->db, SQLITE_LIMIT_LENGTH, STORE_VALUE_MAX + 65536);
	sql = sqlite3_mprintf("PRAGMA page_size = %d; PRAGMA auto_vacuum = INCREMENTAL; PRAGMA "
			      "synchronous = EXTRA; PRAGMA temp_store = MEMORY; "
			      "PRAGMA cell_size_check = ON; PRAGMA cache_size = -%d; PRAGMA "
			      "journal_mode = DELETE",
			      PAGE_BYTES, CACHE_KB);
	r = run(file, sql, err);
	sqlite3_free(sql);
	return r;
}

static int open_db(struct store_file *file, struct disk *disk, const char *path, int flags,
		   atomic_ulong *syncs, struct err *err)
{
	int rc;

	*file = (struct store_file){.path = path, .chunk_bytes = 1024 * 1024};
	file->vfs = sqlite_vfs_new(disk, syncs);
	rc = sqlite3_open_v2(path, &file->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | flags,
			     sqlite_vfs_name(file->vfs));
	return rc == SQLITE_OK ? configure(file, err) : db_error(file, rc, "cannot open", err);
}

int store_file_create(struct disk *disk, const char *path, atomic_ulong *syncs,
		      const unsigned char uid[16], uint64_t log_key, struct err *err)
{
	struct store_file file;
	int r = open_db(&file, disk, path, SQLITE_OPEN_CREATE, syncs, err);

	memcpy(file.uid, uid, sizeof(file.uid));
	file.log_key = log_key;
	r = r < 0 ? r : create(&file, err);
	store_file_close(&file);
	return r;
}

int store_file_open(struct store_file *file, struct disk *disk, const char *path,
		    atomic_ulong *syncs, const struct store_file_sink *sink, struct err *err)
{
	int r = open_db(file, disk, path, 0, syncs, err);

	r = r < 0 ? r : check_format(file, err);
	r = r < 0 ? r : check_schema(file, err);
	r = r < 0 ? r : prepare_all(file, err);
	r = r < 0 ? r : load_state(file, err);
	r = r < 0 ? r : load_meta(file, sink, err);
	r = r < 0 ? r : load_rows(file, sink, err);
	sqlite3_db_release_memory(file->db);
	return r;
}

void store_file_close(struct store_file *file)
{
	sqlite3_stmt *const stmts[] = {file->begin, file->commit, file->insert, file->remove,
				       file->set_state};

	for (size_t i = 0; i < ARRAY_LEN(stmts); i++) {
		sqlite3_finalize(stmts[i]);
	}
	sqlite3_close(file->db);
	sqlite_vfs_free(file->vfs);
	*file = (struct store_file){0};
}

/* --- write --- */

static int begin(struct store_file *file, struct err *err)
{
	if (!sqlite3_get_autocommit(file->db)) {
		return 0;
	}
	file->next = file->state;
	file->open_bytes = 0;
	return step(file, file->begin, "cannot write", err);
}

/* Undoes what is under way: file->state is what the disk has. */
static int give_up(struct store_file *file, int r)
{
	if (!sqlite3_get_autocommit(file->db)) {
		sqlite3_exec(file->db, "ROLLBACK", NULL, NULL, NULL);
	}
	return r;
}

static int bind_and_insert(struct store_file *file, const struct row *row, struct err *err)
{
	sqlite3_stmt *s = file->insert;

	sqlite3_bind_int64(s, 1, row->id);
	sqlite3_bind_int64(s, 2, row->wall_ns);
	sqlite3_bind_blob64(s, 3, row->key.p, row->key.n, SQLITE_STATIC);
	if (row->text.p) {
		sqlite3_bind_blob64(s, 4, row->text.p, row->text.n, SQLITE_STATIC);
	} else {
		sqlite3_bind_null(s, 4);
	}
	sqlite3_bind_int64(s, 5, row->room_at);
	sqlite3_bind_int64(s, 6, row->tag);
	sqlite3_bind_int64(s, 7, row->codec);
	sqlite3_bind_int64(s, 8, row->create_revision);
	sqlite3_bind_int64(s, 9, row->version);
	sqlite3_bind_int64(s, 10, (int64_t)row->sum);
	return step(file, s, "cannot write", err);
}

int store_file_add(struct store_file *file, const struct row *row, struct err *err)
{
	int r = begin(file, err);

	r = r < 0 ? r : bind_and_insert(file, row, err);
	if (r < 0) {
		return give_up(file, r);
	}
	file->next.applied = row->id;
	file->next.rows++;
	file->open_bytes += row->key.n + row->text.n;
	return 0;
}

int store_file_flush(struct store_file *file, struct err *err)
{
	int r;

	if (sqlite3_get_autocommit(file->db)) {
		return 0;
	}
	r = put_state(file, &file->next, err);
	r = r < 0 ? r : step(file, file->commit, "cannot write", err);
	if (r < 0) {
		return give_up(file, r);
	}
	file->state = file->next;
	return 0;
}

int store_file_end_record(struct store_file *file, struct err *err)
{
	return file->open_bytes >= file->chunk_bytes ? store_file_flush(file, err) : 0;
}

int store_file_forget(struct store_file *file, const int64_t *ids, size_t n, struct revision oldest,
		      struct err *err)
{
	int r = begin(file, err);

	for (size_t i = 0; r == 0 && i < n; i++) {
		sqlite3_bind_int64(file->remove, 1, ids[i]);
		r = step(file, file->remove, "cannot write", err);
		file->next.rows -= r == 0 ? sqlite3_changes(file->db) : 0;
	}
	if (r < 0) {
		return give_up(file, r);
	}
	file->next.oldest.n = MAX(file->next.oldest.n, oldest.n);
	return store_file_flush(file, err);
}

int store_file_meta_put(struct store_file *file, struct str name, struct str value, struct err *err)
{
	sqlite3_stmt *s = NULL;
	int r = prepare(file, "INSERT OR REPLACE INTO meta VALUES(?,?,?)", &s, err);

	if (r == 0) {
		sqlite3_bind_blob64(s, 1, name.p ? name.p : "", name.n, SQLITE_STATIC);
		sqlite3_bind_blob64(s, 2, value.p ? value.p : "", value.n, SQLITE_STATIC);
		sqlite3_bind_int64(s, 3, (int64_t)checksum(value, checksum(name, 0)));
		r = step(file, s, "cannot write", err);
	}
	sqlite3_finalize(s);
	return r;
}

int store_file_shrink(struct store_file *file, bool *ret_more, struct err *err)
{
	int64_t unused = 0, pages = 0;
	char sql[64];
	int r = get_number(file, "PRAGMA freelist_count", &unused, err);

	r = r < 0 ? r : get_number(file, "PRAGMA page_count", &pages, err);
	if (r < 0) {
		return r;
	}
	*ret_more = unused > SHRINK_MIN_PAGES && unused > pages / 4;
	if (*ret_more) {
		snprintf(sql, sizeof(sql), "PRAGMA incremental_vacuum(%d)", SHRINK_PAGES);
		r = run(file, sql, err);
	}
	return r;
}
