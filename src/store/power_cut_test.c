/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a random workload on a disk that remembers every operation, then cuts the power behind each
 * of them, in several ways, and opens what is left. Whatever was acknowledged by then must be
 * there; the rest in whole transactions and in order: so the store must stand exactly at one of the
 * revisions that the model knows, at or behind the last acknowledged one, and its history must lead
 * there.
 *
 * SEED=n runs another workload, BURSTS=n a longer one (80: some minutes); a failure prints the seed
 * and the cut. */
#include <malloc.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/test.h"
#include "env/sim_disk.h"
#include "env/sim_env.h"
#include "store/sqlite.h"

enum { KEYS = 12, REVISIONS_MAX = 400 };

static const char path[] = "/data/store";

/* What happened, and what the data were at each revision: the number of the write that made the
 * value, 0: none. */
struct model {
	int values[REVISIONS_MAX][KEYS];
	int64_t head; /* the last one that was asked for */
	size_t acked_at
		[REVISIONS_MAX]; /* operations that the disk had seen when it was acknowledged; 0: never */
	int writes;
};

struct run {
	struct model *model;
	struct sim_disk *disk;
	struct sim_env *sim;
	struct store *store;
	struct sqlite_tuning tuning;
	struct store_opts opts;
	uint64_t seed;
	size_t waiting;
	char problem[256];
};

static const struct sqlite_tuning restless = {.seal_bytes = 4096,
					      .log_max_bytes = 32768,
					      .chunk_bytes = 2048,
					      .forget_rows = 4,
					      .forget_bytes = 2000,
					      .one_thread = true};

static int problem(struct run *run, const char *what, int64_t a, int64_t b)
{
	if (!run->problem[0]) {
		snprintf(run->problem, sizeof(run->problem), "%s (%d, %d)", what, (int)a, (int)b);
	}
	return -1;
}

static void turn(struct run *run)
{
	if (!sim_env_turn(run->sim)) {
		sim_env_wait_posted(run->sim);
	}
}

static int start(struct run *run)
{
	struct err err CLEANUP_ERR = {0};
	int r = store_open_sqlite_tuned(sim_env_env(run->sim), sim_disk_disk(run->disk), path,
					&run->opts, &run->tuning, &run->store, &err);

	if (r < 0) {
		problem(run, err_msg(&err), r, 0);
	}
	return r;
}

static void set_true(void *ctx)
{
	*(bool *)ctx = true;
}

static void stop(struct run *run)
{
	bool closed = false;

	store_close(run->store, set_true, &closed);
	while (!closed) {
		turn(run);
	}
}

/* --- values that can be recognised --- */

static size_t text_size(int number)
{
	return number % 50 == 0 ? 20000 : number % 9 == 0 ? 1500 : 20 + (size_t)(number * 37 % 150);
}

static void make_text(struct buf *b, int number)
{
	size_t n = text_size(number);

	buf_clear(b);
	buf_printf(b, "%d:", number);
	while (b->n < n) {
		buf_add_char(b, (char)('a' + (b->n * 31 + (size_t)number) % 26));
	}
}

/* The number of the write, or -1 if this is no text of ours. */
static int number_of(const struct store_value *value)
{
	struct buf want CLEANUP_BUF = {0};
	struct str rest = store_value_text(value), head;
	int64_t number = 0;

	if (!str_cut(&rest, ':', &head) || str_to_int64(head, &number) < 0) {
		return -1;
	}
	make_text(&want, (int)number);
	return str_eq(buf_str(&want), store_value_text(value)) ? (int)number : -1;
}

static int key_of(struct str name)
{
	return name.p[name.n - 1] - 'a';
}

/* --- the workload --- */

struct pending {
	struct run *run;
	int64_t revision;
};

static void on_done(void *ctx, const struct store_result *result)
{
	struct pending *p = ctx;
	struct run *run = p->run;

	if (result->code < 0) {
		problem(run, result->message, p->revision, 0);
	} else if (p->revision != result->revision.n) {
		problem(run, "the model has another revision", p->revision, result->revision.n);
	} else if (run->disk && !run->model->acked_at[p->revision]) {
		run->model->acked_at[p->revision] = sim_disk_recorded(run->disk);
	}
	run->waiting--;
	mem_free(p);
}

static void commit_random(struct run *run)
{
	struct model *m = run->model;
	struct pending *p = NEW(struct pending);
	struct store_op ops[4];
	char names[4][16];
	size_t n = 1 + sim_random(&run->seed) % 4;
	size_t base = sim_random(&run->seed);
	bool any = false;
	int *next = m->values[m->head + 1];

	memcpy(next, m->values[m->head], sizeof(m->values[0]));
	for (size_t i = 0; i < n; i++) {
		size_t k = (base + i * 5) % KEYS;

		snprintf(names[i], sizeof(names[i]), "/key/%c", (char)('a' + k));
		ops[i] = (struct store_op){.key = str_of(names[i]), .expect = STORE_ANY};
		if (sim_random(&run->seed) % 4) {
			struct buf text CLEANUP_BUF = {0};

			next[k] = ++m->writes;
			make_text(&text, next[k]);
			ops[i].kind = STORE_PUT;
			ops[i].value = store_value_new(buf_str(&text), STORE_NO_ROOM);
			any = true;
		} else {
			ops[i].kind = STORE_DELETE;
			any |= next[k] != 0;
			next[k] = 0;
		}
	}
	m->head += any;
	*p = (struct pending){run, m->head};
	run->waiting++;
	store_commit(run->store, ops, n, on_done, p);
}

static void settle(struct run *run)
{
	while (run->waiting) {
		turn(run);
	}
}

/* Bursts of commits, with a restart now and then. */
static void work(struct run *run, int bursts)
{
	for (int i = 0; i < bursts && !run->problem[0]; i++) {
		size_t burst = 1 + sim_random(&run->seed) % 6;

		for (size_t j = 0; j < burst; j++) {
			commit_random(run);
		}
		settle(run);
		if (sim_random(&run->seed) % 25 == 0) {
			stop(run);
			if (start(run) < 0) {
				return;
			}
		}
	}
}

/* --- what is left after a cut --- */

struct view {
	struct run *run;
	int values[KEYS];
	int64_t last;
	struct store_watch *watch;
};

static bool see_item(void *ctx, const struct store_item *item)
{
	struct view *v = ctx;

	v->values[key_of(item->key)] = number_of(item->value);
	return true;
}

static void see_events(void *ctx, const struct store_event *events, size_t n)
{
	struct view *v = ctx;

	for (size_t i = 0; i < n; i++) {
		int *value = &v->values[key_of(events[i].key)];

		if ((events[i].prev ? number_of(events[i].prev) : 0) != *value) {
			problem(v->run, "an event has another previous value than history",
				events[i].revision.n, *value);
		}
		*value = events[i].value ? number_of(events[i].value) : 0;
		v->last = events[i].revision.n;
	}
}

static void see_end(void *ctx, int code)
{
	struct view *v = ctx;

	v->watch = NULL;
	problem(v->run, "the watch of history ended", code, 0);
}

static int check_at(struct run *run, int64_t at, struct view *v)
{
	*v = (struct view){.run = run};
	if (store_range(run->store, STR(""), STR_NULL, (struct revision){at}, see_item, v) < 0) {
		return problem(run, "history cannot be read", at, 0);
	}
	for (int k = 0; k < KEYS; k++) {
		if (v->values[k] != run->model->values[at][k]) {
			return problem(run, "a revision does not read as it was", at, k);
		}
	}
	return 0;
}

static int check_watch(struct run *run, int64_t oldest, int64_t head)
{
	struct view v;

	if (check_at(run, oldest, &v) < 0) {
		return -1;
	}
	if (store_watch(run->store,
			&(struct store_watch_opts){.after = {oldest},
						   .start = STR(""),
						   .events = see_events,
						   .ended = see_end,
						   .ctx = &v},
			&v.watch) < 0) {
		return problem(run, "history cannot be watched", oldest, head);
	}
	while (oldest < head && v.last < head && !run->problem[0]) {
		turn(run);
	}
	store_watch_stop(v.watch);
	for (int k = 0; k < KEYS; k++) {
		if (v.values[k] != run->model->values[head][k]) {
			return problem(run, "history does not lead to the present", head, k);
		}
	}
	return 0;
}

static int check_store(struct run *run, int64_t acked)
{
	int64_t head = store_revision(run->store).n;
	int64_t oldest;
	struct view v;

	sim_env_run_until_idle(run->sim); /* history is trimmed to its limits */
	oldest = store_oldest(run->store).n;
	if (head < acked) {
		return problem(run, "acknowledged revisions are lost", acked, head);
	}
	if (head > run->model->head) {
		return problem(run, "a revision that nobody asked for", run->model->head, head);
	}
	for (int64_t at = oldest; at <= head; at++) {
		if (check_at(run, at, &v) < 0) {
			return -1;
		}
	}
	return check_watch(run, oldest, head);
}

static int64_t acked_before(const struct model *m, size_t nops)
{
	int64_t acked = 1;

	for (int64_t r = 2; r <= m->head; r++) {
		if (m->acked_at[r] && m->acked_at[r] <= nops) {
			acked = r;
		}
	}
	return acked;
}

enum depth {
	LOOK,	   /* open what is left, and check it */
	GO_ON,	   /* write more, close, open and check once more */
	CUT_AGAIN, /* and cut the power a second time during all that */
};

/* Takes the disk over. */
static int check_cut(const struct model *before, struct sim_disk *disk, int64_t acked,
		     uint64_t seed, enum depth depth, char *ret_problem, size_t n)
{
	struct model *m = mem_dup(before, sizeof(*before));
	struct run run = {.model = m,
			  .disk = disk,
			  .sim = sim_env_new(seed),
			  .tuning = restless,
			  .seed = seed};
	int64_t head = 0;

	run.opts.history_bytes = 3000;
	memset(m->acked_at, 0, sizeof(m->acked_at));
	if (depth == CUT_AGAIN) {
		sim_disk_record(disk);
	}
	if (start(&run) == 0) {
		head = store_revision(run.store).n;
		if (check_store(&run, acked) == 0) {
			m->head = head;
			work(&run, depth == CUT_AGAIN ? 6 : depth == GO_ON ? 1 : 0);
		}
		settle(&run);
		stop(&run);
	}
	if (depth != LOOK && !run.problem[0] && start(&run) == 0) {
		check_store(&run, m->head);
		stop(&run);
	}
	sim_env_free(run.sim);
	if (depth == CUT_AGAIN && !run.problem[0]) {
		size_t at = sim_random(&seed) % (sim_disk_recorded(disk) + 1);

		/* What the first opening found stays, acknowledged or not. */
		check_cut(m, sim_disk_cut(disk, at, SIM_DISK_RANDOM, seed),
			  MAX(acked_before(m, at), head), seed, LOOK, run.problem,
			  sizeof(run.problem));
	}
	sim_disk_free(disk);
	mem_free(m);
	snprintf(ret_problem, n, "%s", run.problem);
	return run.problem[0] ? -1 : 0;
}

struct tally {
	size_t cuts, opens, failures;
	char first[512];
};

static void cut_everywhere(const struct run *run, size_t stride, struct tally *t)
{
	uint64_t seed = run->seed;

	for (size_t at = 0; at <= sim_disk_recorded(run->disk); at += stride) {
		int64_t acked = acked_before(run->model, at);

		t->cuts++;
		for (int way = 0; way < 4; way++) {
			static const enum sim_disk_loss losses[] = {
				SIM_DISK_ALL_LOST, SIM_DISK_ALL_KEPT, SIM_DISK_RANDOM,
				SIM_DISK_RANDOM};
			static const enum depth depths[] = {LOOK, LOOK, GO_ON, CUT_AGAIN};
			uint64_t cut_seed = sim_random(&seed);
			char what[256];

			t->opens++;
			if (check_cut(run->model,
				      sim_disk_cut(run->disk, at, losses[way], cut_seed), acked,
				      cut_seed, depths[way], what, sizeof(what)) < 0) {
				if (t->failures++ == 0) {
					snprintf(t->first, sizeof(t->first),
						 "cut behind operation %zu, way %d: %s", at, way,
						 what);
				}
			}
		}
		if (t->failures > 20) {
			return;
		}
	}
}

static struct tally run_workload(uint64_t seed, int bursts, bool one_thread, const char *lie,
				 size_t stride)
{
	struct model *m = NEW(struct model);
	struct run run = {.model = m,
			  .disk = sim_disk_new(),
			  .sim = sim_env_new(seed),
			  .tuning = restless,
			  .seed = seed};
	struct tally t = {0};

	/* Thousands of disks come and go: without this most of the time goes to the kernel. */
	mallopt(M_ARENA_MAX, 1);
	mallopt(M_MMAP_THRESHOLD, 64 * 1024 * 1024);
	mallopt(M_TRIM_THRESHOLD, 256 * 1024 * 1024);
	m->head = 1;
	run.opts.history_bytes = 3000;
	run.tuning.one_thread = one_thread;
	sim_disk_record(run.disk);
	sim_disk_ignore_syncs(run.disk, lie);
	assert_int_equal(start(&run), 0);
	work(&run, bursts);
	stop(&run);
	assert_string_equal(run.problem, "");
	assert_true(m->head < REVISIONS_MAX - 50);
	cut_everywhere(&run, stride, &t);
	print_message("seed %u: %d revisions, %zu disk operations, %zu cuts, %zu reopened, %zu "
		      "failures\n",
		      (unsigned)seed, (int)m->head, sim_disk_recorded(run.disk), t.cuts, t.opens,
		      t.failures);
	sim_disk_free(run.disk);
	sim_env_free(run.sim);
	mem_free(m);
	return t;
}

static int64_t chosen(const char *name, int64_t normal)
{
	if (getenv(name) && str_to_int64(str_of(getenv(name)), &normal) < 0) {
		fail_msg("%s must be a number", name);
	}
	return normal;
}

static uint64_t chosen_seed(void)
{
	return (uint64_t)chosen("SEED", 1);
}

static void expect_no_loss(struct tally t, uint64_t seed)
{
	if (t.failures) {
		print_error("SEED=%u: %s\n", (unsigned)seed, t.first);
		fail();
	}
}

TEST(power_cut_at_any_operation_loses_nothing_acknowledged)
{
	uint64_t seed = chosen_seed();

	expect_no_loss(run_workload(seed, (int)chosen("BURSTS", 16), true, NULL, 1), seed);
}

TEST(power_cut_loses_nothing_while_two_threads_write)
{
	uint64_t seed = chosen_seed() + 1000;

	expect_no_loss(run_workload(seed, (int)chosen("BURSTS", 16), false, NULL, 3), seed);
}

/* The suite itself: on a disk whose syncs do nothing it must find losses. */
TEST(suite_notices_a_disk_that_does_not_sync)
{
	static const char *const lies[] = {"-log0", "/store", "-journal"};

	for (size_t i = 0; i < ARRAY_LEN(lies); i++) {
		struct tally t = run_workload(chosen_seed() + 2000, 40, true, lies[i], 1);

		print_message("%s is not synced: %s\n", lies[i], t.first);
		assert_true(t.failures > 0);
	}
}

TEST_MAIN(power_cut_at_any_operation_loses_nothing_acknowledged,
	  power_cut_loses_nothing_while_two_threads_write, suite_notices_a_disk_that_does_not_sync)
