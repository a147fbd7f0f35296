/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>

#include "base/buf.h"
#include "linux/cgroup_internal.h"
#include "linux/file.h"

enum { STAT_FILE_MAX = 1 << 20 };

/* One number in a file; "max" is UINT64_MAX; 0 if the file is not there (a controller that is off, the root group). */
static uint64_t read_number(const struct cgroup_fs *fs, enum cgroup_controller c, const char *path,
			    const char *file)
{
	struct arena a CLEANUP_ARENA = {0};
	struct buf text CLEANUP_BUF = {0};
	const char *name = cgroup_file(fs, c, path, file, &a);
	uint64_t v;

	if (!name || file_read(AT_FDCWD, name, STAT_FILE_MAX, &text, NULL) < 0) {
		return 0;
	}
	if (str_is(str_trim(buf_str(&text)), "max")) {
		return UINT64_MAX;
	}
	return str_to_uint64(str_trim(buf_str(&text)), &v) < 0 ? 0 : v;
}

struct wanted {
	const char *key;
	uint64_t *to;
};

/* Lines of "key number". */
static void read_keys(const struct cgroup_fs *fs, enum cgroup_controller c, const char *path,
		      const char *file, const struct wanted *wanted, size_t n)
{
	struct arena a CLEANUP_ARENA = {0};
	struct buf text CLEANUP_BUF = {0};
	const char *name = cgroup_file(fs, c, path, file, &a);
	struct str rest;
	struct str line;

	if (!name || file_read(AT_FDCWD, name, STAT_FILE_MAX, &text, NULL) < 0) {
		return;
	}
	rest = buf_str(&text);
	while (str_cut(&rest, '\n', &line)) {
		struct str key;

		if (!str_cut(&line, ' ', &key)) {
			continue;
		}
		for (size_t i = 0; i < n; i++) {
			uint64_t v;

			if (str_eq(key, str_of(wanted[i].key)) &&
			    str_to_uint64(str_trim(line), &v) == 0) {
				*wanted[i].to = v;
			}
		}
	}
}

static void read_v2(const struct cgroup_fs *fs, const char *path, struct cgroup_stats *s)
{
	uint64_t usage_us = 0;
	uint64_t inactive = 0;
	const struct wanted cpu[] = {{"usage_usec", &usage_us},
				     {"nr_periods", &s->periods},
				     {"nr_throttled", &s->throttled_periods}};
	const struct wanted memory[] = {{"inactive_file", &inactive},
					{"anon", &s->rss_bytes},
					{"pgfault", &s->page_faults},
					{"pgmajfault", &s->major_page_faults}};
	const struct wanted events[] = {{"oom_kill", &s->oom_kills}};

	read_keys(fs, CGROUP_CPU, path, "cpu.stat", cpu, ARRAY_LEN(cpu));
	read_keys(fs, CGROUP_MEMORY, path, "memory.stat", memory, ARRAY_LEN(memory));
	read_keys(fs, CGROUP_MEMORY, path, "memory.events", events, ARRAY_LEN(events));
	s->cpu_ns = usage_us * 1000;
	s->memory_bytes = read_number(fs, CGROUP_MEMORY, path, "memory.current");
	s->memory_limit_bytes = read_number(fs, CGROUP_MEMORY, path, "memory.max");
	s->working_set_bytes = s->memory_bytes > inactive ? s->memory_bytes - inactive : 0;
}

static void read_v1(const struct cgroup_fs *fs, const char *path, struct cgroup_stats *s)
{
	uint64_t inactive = 0;
	const struct wanted cpu[] = {{"nr_periods", &s->periods},
				     {"nr_throttled", &s->throttled_periods}};
	const struct wanted memory[] = {{"total_inactive_file", &inactive},
					{"total_rss", &s->rss_bytes},
					{"total_pgfault", &s->page_faults},
					{"total_pgmajfault", &s->major_page_faults}};
	const struct wanted oom[] = {{"oom_kill", &s->oom_kills}};

	read_keys(fs, CGROUP_CPU, path, "cpu.stat", cpu, ARRAY_LEN(cpu));
	read_keys(fs, CGROUP_MEMORY, path, "memory.stat", memory, ARRAY_LEN(memory));
	read_keys(fs, CGROUP_MEMORY, path, "memory.oom_control", oom, ARRAY_LEN(oom));
	s->cpu_ns = read_number(fs, CGROUP_CPUACCT, path, "cpuacct.usage");
	s->memory_bytes = read_number(fs, CGROUP_MEMORY, path, "memory.usage_in_bytes");
	s->memory_limit_bytes = read_number(fs, CGROUP_MEMORY, path, "memory.limit_in_bytes");
	if (s->memory_limit_bytes >= UINT64_C(1) << 62) {
		s->memory_limit_bytes =
			UINT64_MAX; /* v1 says "none" as the largest multiple of a page */
	}
	s->working_set_bytes = s->memory_bytes > inactive ? s->memory_bytes - inactive : 0;
}

int cgroup_read_stats(const struct cgroup_fs *fs, const char *path, struct cgroup_stats *ret,
		      struct err *err)
{
	struct cgroup_stats s = {0};

	if (!cgroup_exists(fs, path)) {
		return err_set(err, ERR_NOT_FOUND, "cgroup %s does not exist", path);
	}
	(fs->mode == CGROUP_V2 ? read_v2 : read_v1)(fs, path, &s);
	s.pids = read_number(fs, CGROUP_PIDS, path, "pids.current");
	*ret = s;
	return 0;
}

struct str cgroup_oom_file(const struct cgroup_fs *fs, const char *path, struct arena *arena)
{
	return fs->mode == CGROUP_V2
		       ? str_of(cgroup_file(fs, CGROUP_MEMORY, path, "memory.events", arena))
		       : STR_NULL;
}
