/* SPDX-License-Identifier: Apache-2.0 */
/* linux/cgroup.h: control groups, v1, hybrid and v2 behind one set of calls. A group is named by a path like
 * "/kubepods/burstable/pod1234"; on v1 it stands for the directory of that name in every controller's hierarchy.
 * `struct cgroup_fs` is constant after cgroup_detect; all calls block shortly and may come from any thread. A controller that the machine
 * lacks makes limits of its kind fail with ERR_UNSUPPORTED, never silently. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

enum cgroup_mode {
	CGROUP_V1,
	CGROUP_HYBRID, /* v1 controllers, and a v2 tree without any */
	CGROUP_V2,
};

enum cgroup_controller {
	CGROUP_CPU,
	CGROUP_CPUACCT,
	CGROUP_CPUSET,
	CGROUP_MEMORY,
	CGROUP_PIDS,
	CGROUP_BLKIO, /* "io" on v2 */
	CGROUP_FREEZER,
	CGROUP_DEVICES,
	CGROUP_CONTROLLERS, /* how many */
};

struct cgroup_fs {
	enum cgroup_mode mode;
	char *dirs
		[CGROUP_CONTROLLERS]; /* where each is mounted; on v2 all the same; NULL: absent */
	bool enabled[CGROUP_CONTROLLERS];
};

/* Looks below root (/sys/fs/cgroup; tests give a directory of their own). */
MUST_USE int cgroup_detect(const char *root, struct cgroup_fs *ret, struct err *err);
void cgroup_fs_fini(struct cgroup_fs *fs);
const char *cgroup_mode_name(enum cgroup_mode mode);

/* Makes the group and its parents; on v2 hands the controllers down to it, on v1 fills in cpuset. Idempotent. */
MUST_USE int cgroup_create(const struct cgroup_fs *fs, const char *path, struct err *err);
/* Removes the group and all below it, leaf first. Nothing there is success; ERR_BUSY while processes are inside. */
MUST_USE int cgroup_remove(const struct cgroup_fs *fs, const char *path, struct err *err);
bool cgroup_exists(const struct cgroup_fs *fs, const char *path);
/* Names of the groups directly below, e.g. to find those of pods that are gone. */
struct dir_names;
MUST_USE int cgroup_list(const struct cgroup_fs *fs, const char *path, struct dir_names *ret,
			 struct err *err);

struct cgroup_limits {
	uint64_t cpu_shares;	/* v1 unit, 2..262144; becomes cpu.weight on v2. 0: leave */
	int64_t cpu_quota_us;	/* per period; -1: no limit; 0: leave */
	uint64_t cpu_period_us; /* 0: 100000 */
	int64_t memory_bytes;	/* -1: no limit; 0: leave */
	int64_t pids;		/* -1: no limit; 0: leave */
};

MUST_USE int cgroup_apply(const struct cgroup_fs *fs, const char *path,
			  const struct cgroup_limits *limits, struct err *err);
/* Upstream's formulas: request in thousandths of a core to shares, limit to quota per period (at least 1 ms). */
uint64_t cgroup_shares_of_milli_cpu(int64_t milli);
int64_t cgroup_quota_of_milli_cpu(int64_t milli, uint64_t period_us);
/* 2..262144 to 1..10000, as every OCI runtime converts it. */
uint64_t cgroup_weight_of_shares(uint64_t shares);

struct cgroup_stats {
	uint64_t cpu_ns;	    /* used since the group was made */
	uint64_t memory_bytes;	    /* charged now, page cache included */
	uint64_t working_set_bytes; /* without inactive page cache: what eviction looks at */
	uint64_t rss_bytes;
	uint64_t page_faults, major_page_faults;
	uint64_t memory_limit_bytes; /* UINT64_MAX: none */
	uint64_t pids;
	uint64_t oom_kills;
	uint64_t throttled_periods, periods;
};

/* Whatever is absent stays 0. ERR_NOT_FOUND if the group does not exist. */
MUST_USE int cgroup_read_stats(const struct cgroup_fs *fs, const char *path,
			       struct cgroup_stats *ret, struct err *err);
/* The file whose change says that something was killed for lack of memory (v2: memory.events, watch with inotify). Unset on v1. */
struct str cgroup_oom_file(const struct cgroup_fs *fs, const char *path, struct arena *arena);

/* Kills everything in the group and below it and waits for its end (at most 10 s: ERR_TIMEOUT). Nobody there is success. */
MUST_USE int cgroup_kill(const struct cgroup_fs *fs, const char *path, struct err *err);
/* Pids inside, those of groups below included, in the arena. */
MUST_USE int cgroup_pids(const struct cgroup_fs *fs, const char *path, struct arena *arena,
			 int **ret_pids, size_t *ret_n, struct err *err);
/* Moves a process. pid 0 is the caller. */
MUST_USE int cgroup_enter(const struct cgroup_fs *fs, const char *path, int pid, struct err *err);
