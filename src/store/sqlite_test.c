/* SPDX-License-Identifier: Apache-2.0 */
/* What only the backend on disk can meet: full and broken disks, damaged files, other processes;
 * and the bounds it keeps. */
#include "store/sqlite.h"

#include <errno.h>
#include <sqlite3.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/test.h"
#include "base/vec.h"
#include "env/sim_disk.h"
#include "env/sim_env.h"
#include "store/sqlite_vfs.h"

static const char path[] = "/data/store";

static const struct sqlite_tuning small = {.seal_bytes = 16384,
					   .log_max_bytes = 65536,
					   .chunk_bytes = 4096,
					   .forget_rows = 16,
					   .forget_bytes = 8192};

struct fixture {
	struct sim_env *sim;
	struct sim_disk *disk;
	struct store *store;
	struct store_opts opts;
};

static int try_open(struct fixture *f, struct err *err)
{
	return store_open_sqlite_tuned(sim_env_env(f->sim), sim_disk_disk(f->disk), path, &f->opts,
				       &small, &f->store, err);
}

static void must_open(struct fixture *f)
{
	struct err err CLEANUP_ERR = {0};

	if (try_open(f, &err) < 0) {
		fail_msg("%s", err_msg(&err));
	}
}

static struct fixture make(void)
{
	struct fixture f = {.sim = sim_env_new(1), .disk = sim_disk_new()};

	must_open(&f);
	return f;
}

static void turn(struct fixture *f)
{
	if (!sim_env_turn(f->sim)) {
		sim_env_wait_posted(f->sim);
	}
}

static void set_true(void *ctx)
{
	*(bool *)ctx = true;
}

static void stop(struct fixture *f)
{
	bool closed = false;

	if (f->store) {
		store_close(f->store, set_true, &closed);
		while (!closed) {
			turn(f);
		}
		f->store = NULL;
	}
}

static void fini(struct fixture *f)
{
	stop(f);
	sim_disk_free(f->disk);
	sim_env_free(f->sim);
}

struct answer {
	bool done;
	int code;
	int64_t revision;
	char message[256];
};

static void on_done(void *ctx, const struct store_result *result)
{
	struct answer *a = ctx;

	*a = (struct answer){.done = true, .code = result->code, .revision = result->revision.n};
	snprintf(a->message, sizeof(a->message), "%s", result->message ? result->message : "");
}

static void put_later(struct fixture *f, const char *key, const char *text, struct answer *a)
{
	struct store_op op = {STORE_PUT, str_of(key), store_value_new(str_of(text), STORE_NO_ROOM),
			      STORE_ANY};

	*a = (struct answer){0};
	store_commit(f->store, &op, 1, on_done, a);
}

static struct answer put(struct fixture *f, const char *key, const char *text)
{
	struct answer a;

	put_later(f, key, text, &a);
	while (!a.done) {
		turn(f);
	}
	return a;
}

static void delete_key(struct fixture *f, const char *key)
{
	struct store_op op = {STORE_DELETE, str_of(key), NULL, STORE_ANY};
	struct answer a = {0};

	store_commit(f->store, &op, 1, on_done, &a);
	while (!a.done) {
		turn(f);
	}
	assert_int_equal(a.code, 0);
}

static void expect_text(struct fixture *f, const char *key, const char *want)
{
	const struct store_value *value = store_get(f->store, str_of(key));

	if (!want) {
		assert_null(value);
	} else {
		assert_non_null(value);
		EXPECT_STR(store_value_text(value), want);
	}
}

/* The next open must fail so, with a message that says all of these. */
static void expect_refusal(struct fixture *f, int code, const char *says, const char *says_too)
{
	struct err err CLEANUP_ERR = {0};

	assert_int_equal(try_open(f, &err), code);
	assert_non_null(strstr(err.msg, path));
	assert_non_null(strstr(err.msg, says));
	if (says_too) {
		assert_non_null(strstr(err.msg, says_too));
	}
}

static struct str file_of(struct fixture *f, const char *name)
{
	struct str bytes = STR_NULL;

	assert_true(sim_disk_get_file(f->disk, name, &bytes));
	return bytes;
}

/* Changes one byte where `what` stands in the file; false if it is not there. */
static bool damage(struct fixture *f, const char *name, const char *what)
{
	struct str bytes = file_of(f, name);
	ptrdiff_t at = str_find(bytes, str_of(what));

	if (at >= 0) {
		((char *)bytes.p)[at] ^= 1;
	}
	return at >= 0;
}

/* --- others and other formats --- */

TEST(second_opener_is_told_that_the_file_is_in_use)
{
	struct fixture f = make();
	struct fixture other = {.sim = f.sim, .disk = f.disk};

	expect_refusal(&other, ERR_BUSY, "in use by another process", "Stop that one");
	assert_int_equal(put(&f, "a", "1").code, 0);
	fini(&f);
}

TEST(newer_format_is_refused_and_kept)
{
	struct fixture f = make();
	struct str bytes;

	stop(&f);
	bytes = file_of(&f, path);
	((char *)bytes.p)[63] = 9; /* user_version, big-endian at 60 */
	expect_refusal(&f, ERR_NEWER_FORMAT, "format 9", "Start the newer version");
	((char *)bytes.p)[63] = 1;
	must_open(&f);
	fini(&f);
}

TEST(file_of_another_program_is_refused)
{
	struct fixture f = make();

	stop(&f);
	((char *)file_of(&f, path).p)[71] ^= 1; /* application id */
	expect_refusal(&f, ERR_CORRUPT, "not a store of this program", NULL);
	fini(&f);
}

TEST(garbage_is_refused_and_left_alone)
{
	struct fixture f = {.sim = sim_env_new(1), .disk = sim_disk_new()};
	char garbage[30000];
	uint64_t seed = 5;

	for (size_t i = 0; i < sizeof(garbage); i++) {
		garbage[i] = (char)sim_random(&seed);
	}
	for (size_t n = 1; n < sizeof(garbage); n = n * 3 + 1) {
		sim_disk_put_file(f.disk, path, str_make(garbage, n));
		expect_refusal(&f, ERR_CORRUPT, "Restore the data directory from a backup", NULL);
		assert_true(str_eq(file_of(&f, path), str_make(garbage, n)));
	}
	fini(&f);
}

TEST(truncated_file_is_refused)
{
	struct fixture f = make();
	struct buf whole CLEANUP_BUF = {0};

	for (int i = 0; i < 300; i++) {
		char key[16];

		snprintf(key, sizeof(key), "key-%d", i);
		assert_int_equal(
			put(&f, key, "some text that takes a little room in the file").code, 0);
	}
	stop(&f);
	buf_add_str(&whole, file_of(&f, path));
	for (size_t n = 1; n < whole.n; n += 4001) {
		sim_disk_put_file(f.disk, path, str_make(whole.p, n));
		expect_refusal(&f, ERR_CORRUPT, "backup", NULL);
	}
	fini(&f);
}

TEST(missing_or_emptied_file_is_no_new_store)
{
	struct fixture f = make();
	struct disk *disk = sim_disk_disk(f.disk);
	struct buf whole CLEANUP_BUF = {0};
	struct sim_disk *crashed;

	assert_int_equal(put(&f, "a", "1").code, 0);
	crashed = sim_disk_clone(f.disk);
	stop(&f);
	buf_add_str(&whole, file_of(&f, path));
	sim_disk_put_file(f.disk, path, STR(""));
	expect_refusal(&f, ERR_CORRUPT, "backup", NULL);
	assert_int_equal(disk->ops->remove(disk, path), 0);
	must_open(&f); /* this one is new */
	assert_int_equal(store_revision(f.store).n, 1);
	fini(&f);
	f = (struct fixture){.sim = sim_env_new(1), .disk = crashed};
	disk = sim_disk_disk(crashed);
	assert_int_equal(disk->ops->remove(disk, path), 0);
	expect_refusal(&f, ERR_CORRUPT, "is missing", "commit log");
	fini(&f);
}

/* --- damage --- */

TEST(damaged_object_is_named_and_never_served)
{
	struct fixture f = make();

	assert_int_equal(put(&f, "/registry/pods/a", "the text of pod a").code, 0);
	assert_int_equal(put(&f, "/registry/pods/b", "the text of pod b").code, 0);
	stop(&f);
	assert_true(damage(&f, path, "text of pod b"));
	expect_refusal(&f, ERR_CORRUPT, "the object /registry/pods/b (revision 3) is damaged",
		       "Restore");
	assert_true(damage(&f, path, "uext of pod b"));
	must_open(&f);
	expect_text(&f, "/registry/pods/b", "the text of pod b");
	stop(&f);
	assert_true(damage(&f, path, "/registry/pods/b"));
	expect_refusal(&f, ERR_CORRUPT, "damaged", "Restore");
	fini(&f);
}

static void run_sql(struct fixture *f, const char *sql)
{
	atomic_ulong syncs = 0;
	struct sqlite_vfs *vfs = sqlite_vfs_new(sim_disk_disk(f->disk), &syncs);
	sqlite3 *db;

	assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, sqlite_vfs_name(vfs)),
			 SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	sqlite_vfs_free(vfs);
}

/* A damaged page may lose rows without looking damaged. */
TEST(missing_row_is_noticed)
{
	struct fixture f = make();

	assert_int_equal(put(&f, "a", "1").code, 0);
	assert_int_equal(put(&f, "b", "1").code, 0);
	stop(&f);
	run_sql(&f, "DELETE FROM log WHERE key = CAST('a' AS BLOB)");
	expect_refusal(&f, ERR_CORRUPT, "there should be 2 rows, but 1 are found", "backup");
	fini(&f);
}

TEST(foreign_tables_and_triggers_are_refused)
{
	struct fixture f = make();

	stop(&f);
	run_sql(&f, "CREATE TRIGGER t AFTER INSERT ON log BEGIN DELETE FROM log; END");
	expect_refusal(&f, ERR_CORRUPT, "its tables are damaged", NULL);
	fini(&f);
}

TEST(damaged_history_only_cuts_history)
{
	struct fixture f = make();
	const struct store_value *value = NULL;

	assert_int_equal(put(&f, "a", "first text of a").code, 0);
	assert_int_equal(put(&f, "b", "text of b").code, 0);
	assert_int_equal(put(&f, "a", "second text of a").code, 0);
	assert_int_equal(put(&f, "b", "last text of b").code, 0);
	stop(&f);
	assert_true(damage(&f, path, "first text of a"));
	for (int i = 0; i < 2; i++) { /* what was damaged is forgotten on disk, too */
		must_open(&f);
		assert_int_equal(store_oldest(f.store).n, 4);
		expect_text(&f, "a", "second text of a");
		assert_int_equal(store_get_at(f.store, STR("b"), (struct revision){4}, &value), 0);
		EXPECT_STR(store_value_text(value), "text of b");
		assert_int_equal(store_get_at(f.store, STR("a"), (struct revision){2}, &value),
				 ERR_COMPACTED);
		stop(&f);
	}
	fini(&f);
}

TEST(damaged_log_is_an_error_if_acknowledged_writes_follow)
{
	struct fixture f = make();
	struct sim_disk *crashed;

	assert_int_equal(put(&f, "a", "first text").code, 0);
	assert_int_equal(put(&f, "a", "second text").code, 0);
	crashed = sim_disk_clone(f.disk);
	fini(&f);
	f = (struct fixture){.sim = sim_env_new(1), .disk = crashed};
	assert_true(damage(&f, "/data/store-log0", "first text") ||
		    damage(&f, "/data/store-log1", "first text"));
	expect_refusal(&f, ERR_CORRUPT, "is damaged at byte 0", "backup");
	assert_true(damage(&f, "/data/store-log0", "girst text") ||
		    damage(&f, "/data/store-log1", "girst text"));
	must_open(&f);
	expect_text(&f, "a", "second text");
	fini(&f);
}

TEST(log_without_its_beginning_does_not_fit)
{
	struct fixture f = make();
	struct buf old CLEANUP_BUF = {0};
	struct sim_disk *crashed;
	struct str log;

	stop(&f);
	buf_add_str(&old, file_of(&f, path));
	must_open(&f);
	assert_int_equal(put(&f, "a", "1").code, 0);
	stop(&f);
	must_open(&f);
	assert_int_equal(put(&f, "a", "2").code, 0);
	crashed = sim_disk_clone(f.disk);
	fini(&f);
	f = (struct fixture){.sim = sim_env_new(1), .disk = crashed};
	assert_true(sim_disk_get_file(f.disk, "/data/store-log0", &log));
	sim_disk_put_file(f.disk, path,
			  buf_str(&old)); /* an older copy of the file beside a newer log */
	expect_refusal(&f, ERR_CORRUPT, "damaged", "backup");
	fini(&f);
}

/* --- full and broken disks --- */

TEST(full_disk_fails_writes_until_there_is_room)
{
	struct fixture f = make();
	char big[3001];
	int64_t last;
	struct answer a, queued;

	memset(big, 'x', 3000);
	big[3000] = 0;
	assert_int_equal(put(&f, "a", "kept").code, 0);
	sim_disk_set_capacity(f.disk, 1);
	do {
		a = put(&f, "b", big);
	} while (a.code == 0);
	assert_int_equal(a.code, ERR_NO_SPACE);
	assert_non_null(strstr(a.message, "disk is full"));
	assert_non_null(strstr(a.message, "/data/store"));
	last = store_revision(f.store).n;
	put_later(&f, "c", big, &a);
	sim_env_turn(f.sim);
	put_later(&f, "c", "on top of it", &queued);
	while (!a.done || !queued.done) {
		turn(&f);
	}
	assert_int_equal(a.code, ERR_NO_SPACE);
	expect_text(&f, "a", "kept");
	assert_null(store_peek(f.store, STR("c")));
	assert_int_equal(store_revision(f.store).n, queued.code == 0 ? queued.revision : last);
	sim_disk_set_capacity(f.disk, 0);
	a = put(&f, "d", "again");
	assert_int_equal(a.code, 0);
	assert_true(a.revision > last + 2); /* those of the failed ones are not used again */
	stop(&f);
	must_open(&f);
	expect_text(&f, "a", "kept");
	expect_text(&f, "c", NULL);
	expect_text(&f, "d", "again");
	assert_int_equal(store_revision(f.store).n, a.revision);
	fini(&f);
}

struct fault {
	enum sim_disk_op op;
	const char *name_end;
	int code;
	_Atomic int left; /* so many times */
};

static int inject(void *ctx, enum sim_disk_op op, const char *name, size_t n UNUSED)
{
	struct fault *fault = ctx;

	if (op == fault->op && str_has_suffix(str_of(name), str_of(fault->name_end)) &&
	    fault->left > 0) {
		fault->left--;
		return fault->code;
	}
	return 0;
}

TEST(failed_sync_fails_the_batch_and_all_that_was_built_on_it)
{
	struct fixture f = make();
	struct fault fault = {SIM_DISK_SYNC, "-log0", -EIO, 0};
	struct answer a, on_top, after;
	struct sim_disk *crashed;

	sim_disk_set_fault(f.disk, inject, &fault);
	assert_int_equal(put(&f, "a", "1").code, 0);
	fault.name_end = "";
	fault.left = 1;
	put_later(&f, "a", "2", &a);
	sim_env_turn(f.sim); /* on its way */
	put_later(&f, "a", "3", &on_top);
	while (!on_top.done) {
		turn(&f);
	}
	assert_int_equal(a.code, ERR_IO);
	assert_non_null(strstr(a.message, "/data/store-log"));
	assert_int_equal(on_top.code, ERR_IO);
	expect_text(&f, "a", "1");
	EXPECT_STR(store_value_text(store_peek(f.store, STR("a"))), "1");
	/* The failed record was complete; it does not come back. */
	crashed = sim_disk_clone(f.disk);
	after = put(&f, "a", "4");
	assert_int_equal(after.code, 0);
	assert_true(after.revision > 4);
	fini(&f);
	f = (struct fixture){.sim = sim_env_new(1), .disk = crashed};
	must_open(&f);
	expect_text(&f, "a", "1");
	fini(&f);
}

TEST(log_takes_writes_while_the_file_cannot_and_has_a_bound)
{
	struct fixture f = make();
	struct fault fault = {SIM_DISK_WRITE, path, -ENOSPC, 1 << 30};
	struct store_stats stats;
	char text[2001];
	struct answer a;
	int n = 0;

	memset(text, 'x', 2000);
	text[2000] = 0;
	sim_disk_set_fault(f.disk, inject, &fault);
	while ((a = put(&f, "a", text)).code == 0) {
		n++;
	}
	assert_int_equal(a.code, ERR_NO_SPACE);
	assert_non_null(strstr(a.message, "commit log is full"));
	assert_in_range(n, 20, 35);
	store_get_stats(f.store, &stats);
	assert_in_range(stats.wal_bytes, 50000, 65536);
	expect_text(&f, "a", text);
	fault.left = 0;
	assert_int_equal(put(&f, "b", "again").code, 0);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(put(&f, "a", text).code, 0);
	}
	stop(&f);
	must_open(&f);
	expect_text(&f, "b", "again");
	fini(&f);
}

TEST(copying_is_tried_again_with_the_next_commits)
{
	struct fixture f = {.sim = sim_env_new(1), .disk = sim_disk_new()};
	struct sqlite_tuning tuning = small;
	struct fault fault = {SIM_DISK_WRITE, path, -ENOSPC, 1};
	struct store_stats stats;
	char text[2001];

	tuning.one_thread = true; /* so that copying keeps up whatever the machine does */
	assert_int_equal(store_open_sqlite_tuned(sim_env_env(f.sim), sim_disk_disk(f.disk), path,
						 NULL, &tuning, &f.store, NULL),
			 0);
	memset(text, 'x', 2000);
	text[2000] = 0;
	sim_disk_set_fault(f.disk, inject, &fault);
	for (int i = 0; i < 22; i++) { /* 56 KB with padding, all of which the log could take */
		assert_int_equal(put(&f, "a", text).code, 0);
	}
	assert_int_equal(fault.left, 0);
	store_get_stats(f.store, &stats);
	assert_in_range(stats.wal_bytes, 0, 45000);
	fini(&f);
}

TEST(close_keeps_the_log_if_the_file_cannot_take_it)
{
	struct fixture f = make();
	struct fault fault = {SIM_DISK_SYNC, path, -EIO, 1 << 30};

	assert_int_equal(put(&f, "a", "1").code, 0);
	sim_disk_set_fault(f.disk, inject, &fault);
	stop(&f);
	fault.left = 0;
	must_open(&f);
	expect_text(&f, "a", "1");
	stop(&f);
	assert_false(sim_disk_disk(f.disk)->ops->exists(sim_disk_disk(f.disk), "/data/store-log0"));
	assert_false(sim_disk_disk(f.disk)->ops->exists(sim_disk_disk(f.disk), "/data/store-log1"));
	fini(&f);
}

TEST(history_shrinks_when_the_disk_is_filling)
{
	struct fixture f = make();
	struct store_stats stats;
	char text[1001];

	memset(text, 'x', 1000);
	text[1000] = 0;
	for (int i = 0; i < 300; i++) {
		assert_int_equal(put(&f, "a", text).code, 0);
	}
	store_get_stats(f.store, &stats);
	assert_true(stats.history_bytes > 250000);
	sim_disk_set_capacity(f.disk, 900000); /* a quarter of what is free is less than 100 KB */
	for (int i = 0; i < 100; i++) {
		assert_int_equal(put(&f, "a", text).code, 0);
	}
	store_get_stats(f.store, &stats);
	assert_true(stats.history_bytes < 250000);
	fini(&f);
}

/* --- bounds --- */

TEST(file_stays_within_three_times_live_data_and_history)
{
	struct fixture f = {
		.sim = sim_env_new(1), .disk = sim_disk_new(), .opts.history_bytes = 200000};
	struct store_stats stats;
	struct buf text CLEANUP_BUF = {0};
	uint64_t seed = 8;

	must_open(&f);
	for (int i = 0; i < 6000; i++) {
		char key[16];

		buf_clear(&text);
		buf_printf(&text, "%0*d", 500 + (int)(sim_random(&seed) % 3000), i);
		snprintf(key, sizeof(key), "key-%d", (int)(sim_random(&seed) % 400));
		assert_int_equal(put(&f, key, buf_cstr(&text)).code, 0);
		if (i % 500 == 499) {
			store_get_stats(f.store, &stats);
			assert_true((size_t)stats.file_bytes <=
				    3 * stats.live_bytes + stats.history_bytes + 1500000);
			assert_true(stats.wal_bytes <= 65536);
		}
	}
	fini(&f);
}

TEST(deleted_data_give_their_room_back)
{
	struct fixture f = {
		.sim = sim_env_new(1), .disk = sim_disk_new(), .opts.history_bytes = 100000};
	struct store_stats stats;
	struct buf text CLEANUP_BUF = {0};
	char key[16];
	int left = 20000;

	must_open(&f);
	memset(buf_reserve(&text, 100000), 'x', 100000);
	text.n = 100000;
	for (int i = 0; i < 80; i++) {
		snprintf(key, sizeof(key), "key-%d", i);
		assert_int_equal(put(&f, key, buf_cstr(&text)).code, 0);
	}
	for (int i = 0; i < 80; i++) {
		snprintf(key, sizeof(key), "key-%d", i);
		delete_key(&f, key);
	}
	do {
		assert_int_equal(put(&f, "last", "one").code, 0);
		store_get_stats(f.store, &stats);
		assert_true(left-- > 0);
	} while (stats.file_bytes == 0 || stats.file_bytes > 3000000);
	stop(&f);
	must_open(&f);
	store_get_stats(f.store, &stats);
	assert_int_equal(stats.keys, 1);
	fini(&f);
}

TEST(large_values_survive)
{
	struct fixture f = {.sim = sim_env_new(1), .disk = sim_disk_new()};
	struct buf text CLEANUP_BUF = {0};
	struct err err CLEANUP_ERR = {0};

	assert_int_equal(store_open_sqlite(sim_env_env(f.sim), sim_disk_disk(f.disk), path, NULL,
					   &f.store, &err),
			 0);
	memset(buf_reserve(&text, STORE_VALUE_MAX), 'x', STORE_VALUE_MAX);
	text.n = STORE_VALUE_MAX;
	assert_int_equal(put(&f, "a", buf_cstr(&text)).code, 0);
	for (int again = 0; again < 2; again++) {
		stop(&f);
		must_open(&f);
		assert_true(str_eq(store_value_text(store_get(f.store, STR("a"))), buf_str(&text)));
		assert_int_equal(put(&f, "b", buf_cstr(&text)).code,
				 0); /* longer than the small log may become */
	}
	fini(&f);
}

TEST_MAIN(second_opener_is_told_that_the_file_is_in_use, newer_format_is_refused_and_kept,
	  file_of_another_program_is_refused, garbage_is_refused_and_left_alone,
	  truncated_file_is_refused, missing_or_emptied_file_is_no_new_store,
	  damaged_object_is_named_and_never_served, missing_row_is_noticed,
	  foreign_tables_and_triggers_are_refused, damaged_history_only_cuts_history,
	  damaged_log_is_an_error_if_acknowledged_writes_follow,
	  log_without_its_beginning_does_not_fit, full_disk_fails_writes_until_there_is_room,
	  failed_sync_fails_the_batch_and_all_that_was_built_on_it,
	  log_takes_writes_while_the_file_cannot_and_has_a_bound,
	  copying_is_tried_again_with_the_next_commits,
	  close_keeps_the_log_if_the_file_cannot_take_it, history_shrinks_when_the_disk_is_filling,
	  file_stays_within_three_times_live_data_and_history, deleted_data_give_their_room_back,
	  large_values_survive)
