/* SPDX-License-Identifier: Apache-2.0 */
#include "env/disk.h"

#include <errno.h>
#include <fcntl.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/test.h"
#include "env/sim_disk.h"

/* What every disk keeps. */
static void check_contract(struct disk *disk, const char *dir)
{
	const struct disk_ops *ops = disk->ops;
	struct buf path CLEANUP_BUF = {0};
	struct buf other CLEANUP_BUF = {0};
	struct disk_file *f, *g;
	char got[16] = {0};

	buf_printf(&path, "%s/a", dir);
	buf_printf(&other, "%s/b", dir);
	assert_int_equal(ops->open(disk, buf_cstr(&path), 0, &f), -ENOENT);
	assert_int_equal(ops->open(disk, buf_cstr(&path), DISK_CREATE | DISK_EXCLUSIVE, &f), 0);
	assert_int_equal(ops->open(disk, buf_cstr(&path), DISK_CREATE | DISK_EXCLUSIVE, &g),
			 -EEXIST);
	assert_int_equal(ops->write(f, "hello", 5, 3), 0);
	assert_int_equal(ops->size(f), 8);
	assert_int_equal(ops->read(f, got, 16, 0), 8);
	assert_memory_equal(got, "\0\0\0hello", 8);
	assert_int_equal(ops->read(f, got, 16, 100), 0);
	assert_int_equal(ops->truncate(f, 4), 0);
	assert_int_equal(ops->truncate(f, 6), 0);
	assert_int_equal(ops->read(f, got, 16, 2), 4);
	assert_memory_equal(got, "\0h\0\0", 4);
	assert_int_equal(ops->sync(f), 0);
	assert_int_equal(ops->lock(f), 0);
	assert_int_equal(ops->open(disk, buf_cstr(&path), 0, &g), 0);
	assert_int_equal(ops->lock(g), -EBUSY);
	ops->close(f);
	assert_int_equal(ops->lock(g), 0);
	ops->close(g);
	assert_true(ops->exists(disk, buf_cstr(&path)));
	assert_int_equal(ops->rename(disk, buf_cstr(&path), buf_cstr(&other)), 0);
	assert_false(ops->exists(disk, buf_cstr(&path)));
	assert_int_equal(ops->sync_dir(disk, buf_cstr(&other)), 0);
	assert_true(ops->free_bytes(disk, buf_cstr(&other)) > 0);
	assert_int_equal(ops->open(disk, buf_cstr(&other), DISK_TRUNCATE, &f), 0);
	assert_int_equal(ops->size(f), 0);
	ops->close(f);
	assert_int_equal(ops->remove(disk, buf_cstr(&other)), 0);
	assert_int_equal(ops->remove(disk, buf_cstr(&other)), -ENOENT);
}

TEST(posix_disk_keeps_the_contract)
{
	char dir[] = "/tmp/cox-disk-test-XXXXXX";

	assert_non_null(mkdtemp(dir));
	check_contract(disk_posix(), dir);
	assert_int_equal(rmdir(dir), 0);
}

TEST(simulated_disk_keeps_the_contract)
{
	struct sim_disk *sim = sim_disk_new();

	check_contract(sim_disk_disk(sim), "/data");
	sim_disk_free(sim);
}

static struct disk_file *create(struct sim_disk *sim, const char *path)
{
	struct disk_file *f;

	assert_int_equal(sim_disk_disk(sim)->ops->open(sim_disk_disk(sim), path, DISK_CREATE, &f),
			 0);
	return f;
}

static void expect_cut(struct sim_disk *sim, size_t nops, enum sim_disk_loss loss, const char *want)
{
	struct sim_disk *cut = sim_disk_cut(sim, nops, loss, 1);
	struct str got;

	if (!want) {
		assert_false(sim_disk_get_file(cut, "f", &got));
	} else {
		assert_true(sim_disk_get_file(cut, "f", &got));
		EXPECT_STR(got, want);
	}
	sim_disk_free(cut);
}

TEST(power_cut_keeps_what_was_synced_and_may_lose_the_rest)
{
	struct sim_disk *sim = sim_disk_new();
	const struct disk_ops *ops = sim_disk_disk(sim)->ops;
	struct disk_file *f;

	sim_disk_record(sim);
	f = create(sim, "f");					     /* 1 */
	ops->write(f, "one", 3, 0);				     /* 2 */
	assert_int_equal(ops->sync(f), 0);			     /* 3 */
	assert_int_equal(ops->sync_dir(sim_disk_disk(sim), "f"), 0); /* 4 */
	ops->write(f, "two", 3, 0);				     /* 5 */
	ops->truncate(f, 2);					     /* 6 */
	assert_int_equal(sim_disk_recorded(sim), 6);
	expect_cut(sim, 3, SIM_DISK_ALL_LOST, NULL); /* the name was not synced */
	expect_cut(sim, 3, SIM_DISK_ALL_KEPT, "one");
	expect_cut(sim, 4, SIM_DISK_ALL_LOST, "one");
	expect_cut(sim, 6, SIM_DISK_ALL_LOST, "one");
	expect_cut(sim, 5, SIM_DISK_ALL_KEPT, "two");
	expect_cut(sim, 6, SIM_DISK_ALL_KEPT, "tw");
	ops->close(f);
	sim_disk_free(sim);
}

TEST(power_cut_tears_at_sectors_and_nowhere_else)
{
	struct sim_disk *sim = sim_disk_new();
	const struct disk_ops *ops = sim_disk_disk(sim)->ops;
	struct disk_file *f;
	char block[8 * SIM_DISK_SECTOR];
	bool torn = false;

	sim_disk_record(sim);
	f = create(sim, "f");
	memset(block, 'a', sizeof(block));
	ops->write(f, block, sizeof(block), 0);
	ops->sync(f);
	ops->sync_dir(sim_disk_disk(sim), "f");
	memset(block, 'b', sizeof(block));
	ops->write(f, block, sizeof(block), 0);
	for (uint64_t seed = 0; seed < 20; seed++) {
		struct sim_disk *cut =
			sim_disk_cut(sim, sim_disk_recorded(sim), SIM_DISK_RANDOM, seed);
		struct str got;

		assert_true(sim_disk_get_file(cut, "f", &got));
		assert_int_equal(got.n, sizeof(block));
		for (size_t i = 1; i < got.n; i++) {
			torn |= got.p[i] != got.p[0];
			assert_true(i % SIM_DISK_SECTOR == 0 || got.p[i] == got.p[i - 1]);
		}
		sim_disk_free(cut);
	}
	assert_true(torn);
	ops->close(f);
	sim_disk_free(sim);
}

static int no_writes(void *ctx UNUSED, enum sim_disk_op op, const char *path UNUSED,
		     size_t n UNUSED)
{
	return op == SIM_DISK_WRITE ? -EIO : 0;
}

TEST(simulated_disk_fails_as_told)
{
	struct sim_disk *sim = sim_disk_new();
	const struct disk_ops *ops = sim_disk_disk(sim)->ops;
	struct disk_file *f = create(sim, "f");
	char block[100] = {0};

	sim_disk_set_capacity(sim, 150);
	assert_int_equal(ops->write(f, block, 100, 0), 0);
	assert_int_equal(ops->write(f, block, 100, 0), 0);
	assert_int_equal(ops->write(f, block, 100, 100), -ENOSPC);
	assert_int_equal(ops->free_bytes(sim_disk_disk(sim), "f"), 50);
	sim_disk_set_fault(sim, no_writes, NULL);
	assert_int_equal(ops->write(f, block, 10, 0), -EIO);
	ops->close(f);
	sim_disk_free(sim);
}

TEST_MAIN(posix_disk_keeps_the_contract, simulated_disk_keeps_the_contract,
	  power_cut_keeps_what_was_synced_and_may_lose_the_rest,
	  power_cut_tears_at_sectors_and_nowhere_else, simulated_disk_fails_as_told)
