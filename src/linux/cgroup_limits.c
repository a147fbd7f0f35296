/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "linux/cgroup_internal.h"
#include "linux/file.h"

enum { SHARES_MIN = 2, SHARES_MAX = 262144, QUOTA_MIN_US = 1000, PERIOD_US = 100000 };

uint64_t cgroup_shares_of_milli_cpu(int64_t milli)
{
	uint64_t shares = milli <= 0 ? SHARES_MIN : (uint64_t)milli * 1024 / 1000;

	return MIN(MAX(shares, (uint64_t)SHARES_MIN), (uint64_t)SHARES_MAX);
}

int64_t cgroup_quota_of_milli_cpu(int64_t milli, uint64_t period_us)
{
	if (milli <= 0) {
		return -1;
	}
	return MAX(milli * (int64_t)period_us / 1000, (int64_t)QUOTA_MIN_US);
}

uint64_t cgroup_weight_of_shares(uint64_t shares)
{
	shares = MIN(MAX(shares, (uint64_t)SHARES_MIN), (uint64_t)SHARES_MAX);
	return 1 + (shares - 2) * 9999 / 262142;
}

static int put(const struct cgroup_fs *fs, enum cgroup_controller c, const char *path,
	       const char *file, struct err *err, const char *fmt, ...) PRINTF(6, 7);
static int put(const struct cgroup_fs *fs, enum cgroup_controller c, const char *path,
	       const char *file, struct err *err, const char *fmt, ...)
{
	struct arena a CLEANUP_ARENA = {0};
	va_list ap;
	struct str text;

	if (!fs->enabled[c]) {
		return err_set(err, ERR_UNSUPPORTED,
			       "cannot set %s of cgroup %s: the kernel's controller for it is not "
			       "available here",
			       file, path);
	}
	va_start(ap, fmt);
	text = arena_vprintf(&a, fmt, ap);
	va_end(ap);
	return file_put(cgroup_file(fs, c, path, file, &a), text, err);
}

static int apply_cpu(const struct cgroup_fs *fs, const char *path, const struct cgroup_limits *l,
		     struct err *err)
{
	unsigned long long period = l->cpu_period_us ? l->cpu_period_us : PERIOD_US;
	bool v2 = fs->mode == CGROUP_V2;
	int r = 0;

	if (l->cpu_shares) {
		unsigned long long weight = cgroup_weight_of_shares(l->cpu_shares);

		r = v2 ? put(fs, CGROUP_CPU, path, "cpu.weight", err, "%llu", weight)
		       : put(fs, CGROUP_CPU, path, "cpu.shares", err, "%llu",
			     (unsigned long long)l->cpu_shares);
	}
	if (r < 0 || l->cpu_quota_us == 0) {
		return r;
	}
	if (v2) {
		return l->cpu_quota_us < 0
			       ? put(fs, CGROUP_CPU, path, "cpu.max", err, "max %llu", period)
			       : put(fs, CGROUP_CPU, path, "cpu.max", err, "%lld %llu",
				     (long long)l->cpu_quota_us, period);
	}
	r = put(fs, CGROUP_CPU, path, "cpu.cfs_period_us", err, "%llu", period);
	return r < 0 ? r
		     : put(fs, CGROUP_CPU, path, "cpu.cfs_quota_us", err, "%lld",
			   (long long)l->cpu_quota_us);
}

/* v1 with swap accounting keeps memory <= memory+swap at every moment, so which of the two goes first depends on the direction. Both are
 * made equal: no swap beyond the limit. */
static int apply_memory_v1(const struct cgroup_fs *fs, const char *path, int64_t bytes,
			   struct err *err)
{
	struct arena a CLEANUP_ARENA = {0};
	const char *both = cgroup_file(fs, CGROUP_MEMORY, path, "memory.memsw.limit_in_bytes", &a);
	bool swap = both && file_exists(both);
	int first = put(fs, CGROUP_MEMORY, path, "memory.limit_in_bytes", swap ? NULL : err, "%lld",
			(long long)bytes);
	int r;

	if (!swap) {
		return first;
	}
	r = put(fs, CGROUP_MEMORY, path, "memory.memsw.limit_in_bytes", err, "%lld",
		(long long)bytes);
	return r < 0 || first == 0 ? r
				   : put(fs, CGROUP_MEMORY, path, "memory.limit_in_bytes", err,
					 "%lld", (long long)bytes);
}

static int apply_memory(const struct cgroup_fs *fs, const char *path, int64_t bytes,
			struct err *err)
{
	if (fs->mode != CGROUP_V2) {
		return apply_memory_v1(fs, path, bytes, err);
	}
	return bytes < 0
		       ? put(fs, CGROUP_MEMORY, path, "memory.max", err, "max")
		       : put(fs, CGROUP_MEMORY, path, "memory.max", err, "%lld", (long long)bytes);
}

int cgroup_apply(const struct cgroup_fs *fs, const char *path, const struct cgroup_limits *l,
		 struct err *err)
{
	int r = apply_cpu(fs, path, l, err);

	if (r == 0 && l->memory_bytes) {
		r = apply_memory(fs, path, l->memory_bytes, err);
	}
	if (r == 0 && l->pids) {
		r = l->pids < 0 ? put(fs, CGROUP_PIDS, path, "pids.max", err, "max")
				: put(fs, CGROUP_PIDS, path, "pids.max", err, "%lld",
				      (long long)l->pids);
	}
	return r;
}
