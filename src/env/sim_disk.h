/* SPDX-License-Identifier: Apache-2.0 */
/* env/sim_disk.h: a simulated disk in memory that remembers every write, so that the power can be
 * cut between any two of them; it can also be full, slow or broken. Thread-safe.
 *
 * What a power cut leaves of the operations that no sync covers (the durable rest is always there):
 *   each 512-byte sector holds what it held after some number of the unsynced writes to it,
 *     independently of other sectors: so
 *   writes are lost, kept, torn or reordered; the size is what it was after some number of them;
 *     creations, removals and
 *   renames survive in order up to some point. A file that was synced but whose directory was not
 *     may be gone as a whole. */
#pragma once
#include "base/str.h"
#include "env/disk.h"

enum { SIM_DISK_SECTOR = 512 };

enum sim_disk_op {
	SIM_DISK_WRITE,
	SIM_DISK_TRUNCATE,
	SIM_DISK_SYNC,
	SIM_DISK_CREATE,
	SIM_DISK_REMOVE,
	SIM_DISK_RENAME,
	SIM_DISK_SYNC_DIR,
};

struct sim_disk;

struct sim_disk *sim_disk_new(void);
/* All files must be closed. NULL is fine. */
void sim_disk_free(struct sim_disk *sim);
struct disk *sim_disk_disk(struct sim_disk *sim);

/* Asked before each operation, on the calling thread: 0, or the negative errno it fails with (it
 * then has no effect; a failed sync makes nothing durable). May sleep. Set it while nobody uses the
 * disk. */
typedef int (*sim_disk_fault_fn)(void *ctx, enum sim_disk_op op, const char *path, size_t n);
void sim_disk_set_fault(struct sim_disk *sim, sim_disk_fault_fn fault, void *ctx);
/* Growth beyond it fails with ENOSPC. */
void sim_disk_set_capacity(struct sim_disk *sim, int64_t bytes);

/* Remember all operations from now on. What is there already counts as durable. */
void sim_disk_record(struct sim_disk *sim);
/* A lying disk: syncs of files whose name ends so succeed and do nothing. For proving that a test
 * notices. Borrowed. */
void sim_disk_ignore_syncs(struct sim_disk *sim, const char *name_end);
/* Number of operations remembered so far, and what the i-th was. */
size_t sim_disk_recorded(struct sim_disk *sim);
enum sim_disk_op sim_disk_op_at(struct sim_disk *sim, size_t i);

enum sim_disk_loss { SIM_DISK_ALL_LOST, SIM_DISK_ALL_KEPT, SIM_DISK_RANDOM /* by the seed */ };
/* The disk as it is found after the power went away behind the first nops operations. */
struct sim_disk *sim_disk_cut(struct sim_disk *sim, size_t nops, enum sim_disk_loss loss,
			      uint64_t seed);

/* Whole files, for tests that damage them. get: false if there is none; borrowed until the next
 * change. */
bool sim_disk_get_file(struct sim_disk *sim, const char *path, struct str *ret);
void sim_disk_put_file(struct sim_disk *sim, const char *path, struct str bytes);
/* A copy of the files alone. */
struct sim_disk *sim_disk_clone(struct sim_disk *sim);
