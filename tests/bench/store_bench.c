/* SPDX-License-Identifier: Apache-2.0 */
/* store_bench: figures of the sqlite backend on a real disk.
 *     store_bench [directory] everything (the directory must exist; a file is made in it and
 *       removed) */
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "env/disk.h"
#include "env/sim_disk.h"
#include "loop/loop.h"
#include "store/store.h"

struct bench {
	struct loop *loop;
	struct store *store;
	const char *path;
	char *text;
	size_t n;     /* of values */
	size_t total; /* puts */
	size_t started, done;
	size_t keys;	     /* puts go to this many, again and again */
	int64_t *latency_ns; /* of each put */
	int64_t t0;
	double rate; /* open loop: puts/s; 0: closed */
	struct env_timer tick;
};

struct put {
	struct bench *b;
	size_t i;
	int64_t at;
};

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * NS_PER_SEC + ts.tv_nsec;
}

/* --- a disk whose syncs take longer --- */

static int slow_sync(struct disk_file *file)
{
	struct timespec ts = {0, 2000000};
	int r = disk_posix()->ops->sync(file);

	nanosleep(&ts, NULL);
	return r;
}

/* A disk in memory that syncs in 2 ms: what the store itself adds, whatever this machine's disk is
 * busy with. */
static int sync_2_ms(void *ctx UNUSED, enum sim_disk_op op, const char *path UNUSED,
		     size_t n UNUSED)
{
	struct timespec ts = {0, 2000000};

	if (op == SIM_DISK_SYNC) {
		nanosleep(&ts, NULL);
	}
	return 0;
}

/* --- puts --- */

static void put_one(struct bench *b);

static void on_done(void *ctx, const struct store_result *result)
{
	struct put *p = ctx;
	struct bench *b = p->b;

	if (result->code < 0) {
		fprintf(stderr, "put failed: %s\n", result->message);
		exit(1);
	}
	b->latency_ns[p->i] = now_ns() - p->at;
	mem_free(p);
	b->done++;
	if (b->done == b->total) {
		loop_stop(b->loop);
	} else if (b->rate == 0 && b->started < b->total) {
		put_one(b);
	}
}

static void put_one(struct bench *b)
{
	struct put *p = NEW(struct put);
	char key[64];
	int n = snprintf(key, sizeof(key), "/registry/configmaps/default/configmap-%zu",
			 b->started % b->keys);
	struct store_op op = {STORE_PUT, str_make(key, (size_t)n),
			      store_value_new(str_make(b->text, b->n), 40), STORE_ANY};

	p->b = b;
	p->i = b->started++;
	p->at = now_ns();
	store_commit(b->store, &op, 1, on_done, p);
}

static void on_tick(struct env_timer *timer)
{
	struct bench *b = CONTAINER_OF(timer, struct bench, tick);
	size_t due = (size_t)((double)(now_ns() - b->t0) * b->rate / 1e9);

	while (b->started < b->total && b->started < due) {
		put_one(b);
	}
	if (b->started < b->total) {
		env_timer_start_in(loop_env(b->loop), timer, NS_PER_MS / 2);
	}
}

static int cmp_ns(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static double cpu_s(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static long rss_kb(void)
{
	long pages = 0, rss = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	if (f) {
		if (fscanf(f, "%ld %ld", &pages, &rss) != 2) {
			rss = 0;
		}
		fclose(f);
	}
	return rss * (sysconf(_SC_PAGESIZE) / 1024);
}

static void must_open(struct bench *b, struct disk *disk)
{
	struct err err CLEANUP_ERR = {0};

	if (store_open_sqlite(loop_env(b->loop), disk, b->path, NULL, &b->store, &err) < 0) {
		fprintf(stderr, "%s\n", err_msg(&err));
		exit(1);
	}
}

static void stop_loop(void *ctx)
{
	loop_stop(ctx);
}

static void close_store(struct bench *b)
{
	store_close(b->store, stop_loop, b->loop);
	loop_run(b->loop);
}

static void remove_files(const char *path)
{
	static const char *const suffixes[] = {"", "-journal", "-log0", "-log1"};

	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
		struct buf name CLEANUP_BUF = {0};

		buf_printf(&name, "%s%s", path, suffixes[i]);
		unlink(buf_cstr(&name));
	}
}

static void run(struct bench *b, const char *what, struct disk *disk, size_t clients, double rate,
		size_t total, size_t keys)
{
	struct store_stats stats;
	double cpu = cpu_s();
	int64_t t;

	remove_files(b->path);
	must_open(b, disk);
	b->total = total;
	b->keys = keys;
	b->rate = rate;
	b->started = b->done = 0;
	b->latency_ns = mem_new_array(total, sizeof(int64_t));
	b->t0 = now_ns();
	b->tick.fn = on_tick;
	if (rate > 0) {
		env_timer_start_in(loop_env(b->loop), &b->tick, 0);
	}
	for (size_t i = 0; rate == 0 && i < clients; i++) {
		put_one(b);
	}
	loop_run(b->loop);
	t = now_ns() - b->t0;
	store_get_stats(b->store, &stats);
	qsort(b->latency_ns, total, sizeof(int64_t), cmp_ns);
	printf("%-34s %8.0f puts/s  %5.1f per sync  ms: p50 %6.2f  p99 %6.2f  p99.9 %6.2f  max "
	       "%6.2f  cpu us/put %4.1f  log %3.0f MB  file %4.0f MB\n",
	       what, (double)total * 1e9 / (double)t, (double)total / (double)stats.batches,
	       (double)b->latency_ns[total / 2] / 1e6,
	       (double)b->latency_ns[total * 99 / 100] / 1e6,
	       (double)b->latency_ns[total * 999 / 1000] / 1e6,
	       (double)b->latency_ns[total - 1] / 1e6, (cpu_s() - cpu) * 1e6 / (double)total,
	       (double)stats.wal_bytes / 1e6, (double)stats.file_bytes / 1e6);
	fflush(stdout);
	mem_free(b->latency_ns);
	close_store(b);
}

static void fill(struct bench *b, size_t keys, size_t size)
{
	b->n = size;
	remove_files(b->path);
	must_open(b, disk_posix());
	b->total = b->keys = keys;
	b->rate = 0;
	b->started = b->done = 0;
	b->latency_ns = mem_new_array(keys, sizeof(int64_t));
	for (size_t i = 0; i < 256; i++) {
		put_one(b);
	}
	loop_run(b->loop);
	mem_free(b->latency_ns);
	close_store(b);
}

static void open_times(struct bench *b, size_t keys, size_t size)
{
	struct store_stats stats;
	long before = rss_kb();
	int64_t t = now_ns();

	must_open(b, disk_posix());
	t = now_ns() - t;
	store_get_stats(b->store, &stats);
	printf("open %zu objects of %zu bytes: %.1f ms, memory %.2f KB per object (history %.1f "
	       "MB), file %.2f x live\n",
	       keys, size, (double)t / 1e6, (double)(rss_kb() - before) / (double)keys,
	       (double)stats.history_bytes / 1e6, (double)stats.file_bytes / (double)(keys * size));
	fflush(stdout);
	close_store(b);
}

/* In a process of its own, because the heap of this one has been used. */
static void open_times_apart(struct bench *b, const char *self, const char *dir, size_t keys,
			     size_t size)
{
	char keys_text[24], size_text[24];
	pid_t child;

	fill(b, keys, size);
	snprintf(keys_text, sizeof(keys_text), "%zu", keys);
	snprintf(size_text, sizeof(size_text), "%zu", size);
	child = fork();
	if (child == 0) {
		execl(self, self, dir, keys_text, size_text, (char *)NULL);
		_exit(127);
	}
	waitpid(child, NULL, 0);
}

int main(int argc, char **argv)
{
	struct disk_ops slow_ops = *disk_posix()->ops;
	struct disk slow = {.ops = &slow_ops};
	struct buf path CLEANUP_BUF = {0};
	struct bench b = {.n = 1024};

	slow_ops.sync = slow_sync;
	buf_printf(&path, "%s/store-bench", argc > 1 ? argv[1] : ".");
	b.path = buf_cstr(&path);
	b.text = mem_new(65536);
	for (size_t i = 0; i < 65536; i++) {
		b.text[i] = (char)('a' + i * 7 % 26);
	}
	b.loop = loop_new();
	if (argc > 3) {
		open_times(&b, strtoul(argv[2], NULL, 10), strtoul(argv[3], NULL, 10));
		loop_free(b.loop);
		return 0;
	}
	run(&b, "1 client, create 1 KB", disk_posix(), 1, 0, 4000, SIZE_MAX);
	run(&b, "16 clients, create 1 KB", disk_posix(), 16, 0, 60000, SIZE_MAX);
	run(&b, "64 clients, create 1 KB", disk_posix(), 64, 0, 200000, SIZE_MAX);
	run(&b, "512 clients, create 1 KB", disk_posix(), 512, 0, 300000, SIZE_MAX);
	run(&b, "64 clients, update 1000 keys", disk_posix(), 64, 0, 200000, 1000);
	run(&b, "5000/s create", disk_posix(), 0, 5000, 50000, SIZE_MAX);
	run(&b, "5000/s create, sync + 2 ms", &slow, 0, 5000, 50000, SIZE_MAX);
	run(&b, "5000/s update 1000 keys, + 2 ms", &slow, 0, 5000, 50000, 1000);
	for (int i = 0; i < 2; i++) {
		struct sim_disk *sim = sim_disk_new();

		sim_disk_set_fault(sim, sync_2_ms, NULL);
		run(&b,
		    i ? "5000/s update, 2 ms sync in memory" : "5000/s create, 2 ms sync in memory",
		    sim_disk_disk(sim), 0, 5000, 50000, i ? 1000 : SIZE_MAX);
		sim_disk_free(sim);
	}
	open_times_apart(&b, "/proc/self/exe", argc > 1 ? argv[1] : ".", 25000, 1024);
	open_times_apart(&b, "/proc/self/exe", argc > 1 ? argv[1] : ".", 10000, 4096);
	open_times_apart(&b, "/proc/self/exe", argc > 1 ? argv[1] : ".", 50000, 200);
	remove_files(b.path);
	mem_free(b.text);
	loop_free(b.loop);
	return 0;
}
