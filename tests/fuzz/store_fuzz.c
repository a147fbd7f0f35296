/* SPDX-License-Identifier: Apache-2.0 */
/* Damaged store files: whatever the bytes say, opening ends in an error or in data that once were
 * acknowledged, at every revision that can still be asked for; never in a crash, never in anything
 * else.
 *
 * Input: one byte (bit 0: after a clean stop or after a crash; bit 1: write after opening), then 6
 * bytes per change: file, kind, 3 bytes of place, value. With bit 7 of the first byte, the rest is
 * the whole database file; with bit 6, the whole commit log. */
#include "base/buf.h"
#include "base/cleanup.h"
#include "env/sim_disk.h"
#include "env/sim_env.h"
#include "store/sqlite.h"

enum { KEYS = 10, REVISIONS = 60 };

static const char path[] = "/data/store";
static const char *const files[] = {"/data/store", "/data/store-log0", "/data/store-log1",
				    "/data/store-journal"};

static const struct sqlite_tuning tuning = {.seal_bytes = 8192,
					    .log_max_bytes = 65536,
					    .chunk_bytes = 2048,
					    .forget_rows = 4,
					    .forget_bytes = 4096,
					    .one_thread = true};

struct original {
	struct sim_disk *stopped, *crashed;
	int values[REVISIONS + 1]
		  [KEYS]; /* at each revision: the revision that wrote the key, 0: none */
};

static struct store *open_store(struct sim_env *sim, struct sim_disk *disk)
{
	const struct store_opts opts = {.history_bytes = 4000};
	struct err err CLEANUP_ERR = {0};
	struct store *store = NULL;
	int r = store_open_sqlite_tuned(sim_env_env(sim), sim_disk_disk(disk), path, &opts, &tuning,
					&store, &err);

	ASSERT(r < 0 ? err.msg != NULL : store != NULL);
	return r < 0 ? NULL : store;
}

static void turn(struct sim_env *sim)
{
	if (!sim_env_turn(sim)) {
		sim_env_wait_posted(sim);
	}
}

static void set_true(void *ctx)
{
	*(bool *)ctx = true;
}

static void close_store(struct sim_env *sim, struct store *store)
{
	bool closed = false;

	store_close(store, set_true, &closed);
	while (!closed) {
		turn(sim);
	}
}

static void make_text(struct buf *b, int64_t revision)
{
	buf_clear(b);
	buf_printf(b, "%d:%0*d", (int)revision, (int)(revision * 53 % 700), 7);
}

static void on_done(void *ctx, const struct store_result *result)
{
	*(int *)ctx = result->code < 0 ? result->code : 1;
}

/* Keys return every 10 revisions; what these delete was there. */
static bool is_delete(int64_t revision)
{
	return revision > 12 && revision % 6 == 1;
}

static int write_one(struct sim_env *sim, struct store *store, int64_t revision)
{
	struct buf text CLEANUP_BUF = {0};
	char key[16];
	struct store_op op = {.kind = is_delete(revision) ? STORE_DELETE : STORE_PUT,
			      .expect = STORE_ANY};
	int done = 0;

	snprintf(key, sizeof(key), "key%d", (int)(revision * 7 % KEYS));
	op.key = str_of(key);
	make_text(&text, revision);
	if (op.kind == STORE_PUT) {
		op.value = store_value_new(buf_str(&text), STORE_NO_ROOM);
	}
	store_commit(store, &op, 1, on_done, &done);
	while (!done) {
		turn(sim);
	}
	return done;
}

static struct original *original_new(void)
{
	struct original *o = NEW(struct original);
	struct sim_env *sim = sim_env_new(1);
	struct sim_disk *disk = sim_disk_new();
	struct store *store = open_store(sim, disk);

	/* A first part in the file, a second one in the log. */
	for (int64_t r = 2; r <= REVISIONS; r++) {
		int key = (int)(r * 7 % KEYS);

		memcpy(o->values[r], o->values[r - 1], sizeof(o->values[r]));
		o->values[r][key] = is_delete(r) ? 0 : (int)r;
		if (r == REVISIONS / 2) {
			close_store(sim, store);
			store = open_store(sim, disk);
		}
		ASSERT(write_one(sim, store, r) == 1);
		ASSERT(store_revision(store).n == r);
	}
	o->crashed = sim_disk_clone(disk);
	close_store(sim, store);
	o->stopped = sim_disk_clone(disk);
	sim_disk_free(disk);
	sim_env_free(sim);
	return o;
}

struct look {
	const int *want;
	size_t n;
};

static bool look_at(void *ctx, const struct store_item *item)
{
	struct look *look = ctx;
	struct buf text CLEANUP_BUF = {0};

	make_text(&text, look->want[item->key.p[3] - '0']);
	ASSERT(str_eq(store_value_text(item->value), buf_str(&text)));
	look->n++;
	return true;
}

/* all: there is no log whose end may count as torn. */
static void check(const struct original *o, struct store *store, bool all)
{
	int64_t head = store_revision(store).n;

	ASSERT(all ? head == REVISIONS : head <= REVISIONS);
	for (int64_t r = store_oldest(store).n; r <= head; r++) {
		struct look look = {.want = o->values[r]};
		size_t n = 0;

		ASSERT(store_range(store, STR(""), STR_NULL, (struct revision){r}, look_at,
				   &look) == 0);
		for (int k = 0; k < KEYS; k++) {
			n += o->values[r][k] != 0;
		}
		ASSERT(look.n == n);
	}
}

static void change(struct sim_disk *disk, const uint8_t *in)
{
	const char *name = files[in[0] % ARRAY_LEN(files)];
	struct buf b CLEANUP_BUF = {0};
	struct str bytes = STR_NULL;
	size_t at;

	if (!sim_disk_get_file(disk, name, &bytes) || bytes.n == 0) {
		return;
	}
	buf_add_str(&b, bytes);
	at = ((size_t)in[2] << 16 | (size_t)in[3] << 8 | in[4]) % b.n;
	switch (in[1] % 5) {
	case 0:
		b.p[at] = (char)in[5];
		break;
	case 1:
		b.p[at] = (char)(b.p[at] ^ 1 << in[5] % 8);
		break;
	case 2:
		b.n = at;
		break;
	case 3: /* a lost sector */
		at -= at % 512;
		memset(b.p + at, 0, MIN(b.n - at, (size_t)512));
		break;
	default: /* a misplaced one */
		at -= at % 512;
		memmove(b.p + at, b.p + (size_t)in[5] * 512 % b.n,
			MIN(b.n - at, b.n - (size_t)in[5] * 512 % b.n) % 513);
	}
	sim_disk_put_file(disk, name, buf_str(&b));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct original *o;
	struct sim_env *sim;
	struct sim_disk *disk;
	struct store *store;

	o = o ? o : original_new();
	if (size == 0) {
		return 0;
	}
	sim = sim_env_new(2);
	disk = sim_disk_clone(data[0] & 1 ? o->crashed : o->stopped);
	if (data[0] & 0xc0) {
		sim_disk_put_file(disk, files[data[0] & 0x80 ? 0 : 1],
				  str_make(data + 1, size - 1));
	} else {
		for (size_t i = 1; i + 6 <= size; i += 6) {
			change(disk, data + i);
		}
	}
	store = open_store(sim, disk);
	if (store) {
		check(o, store, !(data[0] & 0xc1));
		if (data[0] & 2 && store_revision(store).n == REVISIONS) {
			(void)write_one(sim, store, REVISIONS + 1);
		}
		close_store(sim, store);
	}
	sim_disk_free(disk);
	sim_env_free(sim);
	return 0;
}
