/* SPDX-License-Identifier: Apache-2.0 */
#include "linux/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/vec.h"
#include "linux/cgroup_internal.h"
#include "linux/file.h"

enum { SMALL_FILE_MAX = 1 << 20, KILL_PATIENCE_MS = 10000, PIDS_MAX = 4 << 20 };

static const struct {
	const char *v1;
	const char *v2; /* NULL: no controller of its own there, always present */
} controllers[CGROUP_CONTROLLERS] = {
	[CGROUP_CPU] = {"cpu", "cpu"},		[CGROUP_CPUACCT] = {"cpuacct", NULL},
	[CGROUP_CPUSET] = {"cpuset", "cpuset"}, [CGROUP_MEMORY] = {"memory", "memory"},
	[CGROUP_PIDS] = {"pids", "pids"},	[CGROUP_BLKIO] = {"blkio", "io"},
	[CGROUP_FREEZER] = {"freezer", NULL},	[CGROUP_DEVICES] = {"devices", NULL},
};

const char *cgroup_mode_name(enum cgroup_mode mode)
{
	static const char *const names[] = {"v1", "hybrid", "v2"};

	return names[mode];
}

static bool has_word(struct str text, const char *word)
{
	struct str head;

	text = str_trim(text);
	while (str_cut(&text, ' ', &head)) {
		if (str_eq(head, str_of(word))) {
			return true;
		}
	}
	return false;
}

static int detect_v2(const char *root, struct cgroup_fs *ret, struct err *err)
{
	struct arena a CLEANUP_ARENA = {0};
	struct buf text CLEANUP_BUF = {0};
	const char *file = arena_printf(&a, "%s/cgroup.controllers", root).p;
	int r = file_read(AT_FDCWD, file, SMALL_FILE_MAX, &text, err);

	if (r < 0) {
		return r;
	}
	ret->mode = CGROUP_V2;
	for (int c = 0; c < CGROUP_CONTROLLERS; c++) {
		ret->dirs[c] = str_dup_cstr(str_of(root));
		ret->enabled[c] = !controllers[c].v2 || has_word(buf_str(&text), controllers[c].v2);
	}
	return 0;
}

int cgroup_detect(const char *root, struct cgroup_fs *ret, struct err *err)
{
	struct arena a CLEANUP_ARENA = {0};
	struct cgroup_fs fs = {0};
	int found = 0;

	if (file_exists(arena_printf(&a, "%s/cgroup.controllers", root).p)) {
		int r = detect_v2(root, &fs, err);

		if (r == 0) {
			*ret = fs;
		}
		return r;
	}
	for (int c = 0; c < CGROUP_CONTROLLERS; c++) {
		const char *dir = arena_printf(&a, "%s/%s", root, controllers[c].v1).p;
		char real[PATH_MAX];

		/* cpu and cpuacct are often one hierarchy under two links */
		if (file_exists(arena_printf(&a, "%s/cgroup.procs", dir).p) &&
		    realpath(dir, real)) {
			fs.dirs[c] = str_dup_cstr(str_of(real));
			fs.enabled[c] = true;
			found++;
		}
	}
	if (!found) {
		return err_set(err, ERR_UNSUPPORTED,
			       "no control groups are mounted at %s; mount cgroup2 there (mount -t "
			       "cgroup2 cgroup2 %s)",
			       root, root);
	}
	fs.mode = file_exists(arena_printf(&a, "%s/unified/cgroup.controllers", root).p)
			  ? CGROUP_HYBRID
			  : CGROUP_V1;
	*ret = fs;
	return 0;
}

void cgroup_fs_fini(struct cgroup_fs *fs)
{
	for (int c = 0; c < CGROUP_CONTROLLERS; c++) {
		mem_free(fs->dirs[c]);
	}
	*fs = (struct cgroup_fs){0};
}

const char *cgroup_file(const struct cgroup_fs *fs, enum cgroup_controller c, const char *path,
			const char *file, struct arena *arena)
{
	if (!fs->dirs[c]) {
		return NULL;
	}
	return arena_printf(arena, "%s%s%s%s", fs->dirs[c], path, file ? "/" : "", file ? file : "")
		.p;
}

bool cgroup_is_repeat(const struct cgroup_fs *fs, enum cgroup_controller c)
{
	for (int before = 0; before < (int)c; before++) {
		if (fs->dirs[before] && strcmp(fs->dirs[before], fs->dirs[c]) == 0) {
			return true;
		}
	}
	return false;
}

/* A fresh v1 cpuset is empty and takes no process: it gets what its parent has. */
static int fill_cpuset(const struct cgroup_fs *fs, const char *path, const char *parent,
		       struct err *err)
{
	static const char *const files[] = {"cpuset.cpus", "cpuset.mems"};
	struct arena a CLEANUP_ARENA = {0};

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		struct buf own CLEANUP_BUF = {0};
		struct buf above CLEANUP_BUF = {0};
		const char *file = cgroup_file(fs, CGROUP_CPUSET, path, files[i], &a);
		int r = file_read(AT_FDCWD, file, SMALL_FILE_MAX, &own, err);

		if (r == 0 && str_trim(buf_str(&own)).n == 0) {
			r = file_read(AT_FDCWD,
				      cgroup_file(fs, CGROUP_CPUSET, parent, files[i], &a),
				      SMALL_FILE_MAX, &above, err);
			if (r == 0) {
				r = file_put(file, buf_str(&above), err);
			}
		}
		if (r < 0) {
			return r;
		}
	}
	return 0;
}

/* v2: what a group's children may use is enabled in the group above them. */
static int hand_down(const struct cgroup_fs *fs, const char *parent, struct err *err)
{
	struct arena a CLEANUP_ARENA = {0};
	struct buf want CLEANUP_BUF = {0};
	struct buf have CLEANUP_BUF = {0};
	const char *file = cgroup_file(fs, CGROUP_CPU, parent, "cgroup.subtree_control", &a);
	int r = file_read(AT_FDCWD, file, SMALL_FILE_MAX, &have, err);

	for (int c = 0; r == 0 && c < CGROUP_CONTROLLERS; c++) {
		if (controllers[c].v2 && fs->enabled[c] &&
		    !has_word(buf_str(&have), controllers[c].v2)) {
			buf_printf(&want, "%s+%s", want.n ? " " : "", controllers[c].v2);
		}
	}
	if (r == 0 && want.n) {
		r = file_put(file, buf_str(&want), err);
		if (r < 0) {
			err_wrap(err,
				 "cannot enable controllers below cgroup %s (are there processes "
				 "in it?)",
				 parent);
		}
	}
	return r;
}

static int create_one(const struct cgroup_fs *fs, const char *path, const char *parent,
		      struct err *err)
{
	struct arena a CLEANUP_ARENA = {0};

	if (fs->mode == CGROUP_V2) {
		int r = hand_down(fs, parent, err);

		if (r < 0) {
			return r;
		}
	}
	for (int c = 0; c < CGROUP_CONTROLLERS; c++) {
		const char *dir = cgroup_file(fs, c, path, NULL, &a);

		if (!dir || cgroup_is_repeat(fs, c)) {
			continue;
		}
		if (mkdir(dir, 0755) < 0 && errno != EEXIST) {
			return err_set_errno(err, errno, "cannot make cgroup %s", dir);
		}
		if (c == CGROUP_CPUSET && fs->mode != CGROUP_V2) {
			int r = fill_cpuset(fs, path, parent, err);

			if (r < 0) {
				return r;
			}
		}
	}
	return 0;
}

int cgroup_create(const struct cgroup_fs *fs, const char *path, struct err *err)
{
	struct arena a CLEANUP_ARENA = {0};
	struct str rest = str_from(str_of(path), 1);
	struct str part;
	const char *parent = "";

	ASSERT(path[0] == '/' && path[1]);
	while (str_cut(&rest, '/', &part)) {
		const char *next = arena_printf(&a, "%s/%.*s", parent, STR_ARG(part)).p;
		int r = create_one(fs, next, parent, err);

		if (r < 0) {
			return r;
		}
		parent = next;
	}
	return 0;
}

static int remove_dirs(const char *dir, struct err *err)
{
	struct dir_names names CLEANUP_DIR_NAMES = {0};
	struct arena a CLEANUP_ARENA = {0};
	int r = dir_list(dir, &names, err);

	for (size_t i = 0; r == 0 && i < names.n; i++) {
		const char *below = arena_printf(&a, "%s/%s", dir, names.p[i]).p;
		struct stat st;

		if (lstat(below, &st) == 0 && S_ISDIR(st.st_mode)) {
			r = remove_dirs(below, err);
		}
	}
	if (r == 0 && rmdir(dir) < 0 && errno != ENOENT) {
		r = errno == EBUSY ? err_set(err, ERR_BUSY, "cgroup %s still has processes", dir)
				   : err_set_errno(err, errno, "cannot remove cgroup %s", dir);
	}
	return r;
}

int cgroup_remove(const struct cgroup_fs *fs, const char *path, struct err *err)
{
	struct arena a CLEANUP_ARENA = {0};

	ASSERT(path[0] == '/' && path[1]);
	for (int c = 0; c < CGROUP_CONTROLLERS; c++) {
		const char *dir = cgroup_file(fs, c, path, NULL, &a);
		int r = dir && !cgroup_is_repeat(fs, c) ? remove_dirs(dir, err) : 0;

		if (r < 0) {
			return r;
		}
	}
	return 0;
}

/* The controller to look into: every group has a directory there. */
static enum cgroup_controller any_of(const struct cgroup_fs *fs)
{
	static const enum cgroup_controller order[] = {CGROUP_PIDS, CGROUP_MEMORY, CGROUP_CPU,
						       CGROUP_FREEZER, CGROUP_CPUACCT};

	for (size_t i = 0; i < ARRAY_LEN(order); i++) {
		if (fs->dirs[order[i]]) {
			return order[i];
		}
	}
	for (int c = 0; c < CGROUP_CONTROLLERS; c++) {
		if (fs->dirs[c]) {
			return c;
		}
	}
	ASSERT(!"cgroup_detect found a controller");
}

bool cgroup_exists(const struct cgroup_fs *fs, const char *path)
{
	struct arena a CLEANUP_ARENA = {0};

	return file_exists(cgroup_file(fs, any_of(fs), path, NULL, &a));
}

int cgroup_list(const struct cgroup_fs *fs, const char *path, struct dir_names *ret,
		struct err *err)
{
	struct arena a CLEANUP_ARENA = {0};
	struct dir_names all CLEANUP_DIR_NAMES = {0};
	int r = dir_list(cgroup_file(fs, any_of(fs), path, NULL, &a), &all, err);

	for (size_t i = 0; r == 0 && i < all.n; i++) {
		struct stat st;

		if (lstat(cgroup_file(fs, any_of(fs), path, all.p[i], &a), &st) == 0 &&
		    S_ISDIR(st.st_mode)) {
			*vec_push(ret) = str_dup_cstr(str_of(all.p[i]));
		}
	}
	return r;
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

struct pid_list {
	VEC(int) pids;
};

static int collect_pids(const char *dir, int depth, struct pid_list *list, struct err *err)
{
	struct dir_names names CLEANUP_DIR_NAMES = {0};
	struct buf text CLEANUP_BUF = {0};
	struct arena a CLEANUP_ARENA = {0};
	struct str rest;
	struct str line;
	int r = file_read(AT_FDCWD, arena_printf(&a, "%s/cgroup.procs", dir).p, PIDS_MAX, &text,
			  err);

	if (r == ERR_NOT_FOUND) {
		return 0; /* removed meanwhile */
	}
	rest = buf_str(&text);
	while (r == 0 && str_cut(&rest, '\n', &line)) {
		int64_t pid;

		if (line.n && str_to_int64(line, &pid) == 0) {
			*vec_push(&list->pids) = (int)pid;
		}
	}
	if (r == 0) {
		r = dir_list(dir, &names, err);
	}
	for (size_t i = 0; r == 0 && i < names.n; i++) {
		const char *below = arena_printf(&a, "%s/%s", dir, names.p[i]).p;
		struct stat st;

		if (lstat(below, &st) == 0 && S_ISDIR(st.st_mode) && depth < 32) {
			r = collect_pids(below, depth + 1, list, err);
		}
	}
	return r;
}

int cgroup_pids(const struct cgroup_fs *fs, const char *path, struct arena *arena, int **ret_pids,
		size_t *ret_n, struct err *err)
{
	struct pid_list list = {0};
	int r = collect_pids(cgroup_file(fs, any_of(fs), path, NULL, arena), 0, &list, err);

	if (r == 0) {
		*ret_pids = ARENA_ARRAY(arena, list.pids.n, int);
		if (list.pids.n) {
			memcpy(*ret_pids, list.pids.p, list.pids.n * sizeof(int));
		}
		*ret_n = list.pids.n;
	}
	vec_fini(&list.pids);
	return r;
}

/* Kills these and waits until they have ended: a pidfd says so also for what is not our child, and for zombies. */
static int kill_and_wait(const int *pids, size_t n, int64_t deadline_ms)
{
	VEC(struct pollfd) waiting = {0};
	bool late = false;

	for (size_t i = 0; i < n; i++) {
		int fd = pidfd_open(pids[i], 0);

		if (fd >= 0) {
			*vec_push(&waiting) = (struct pollfd){fd, POLLIN, 0};
			pidfd_send_signal(fd, SIGKILL, NULL, 0); /* fails for what has just ended */
		}
	}
	for (size_t i = 0; i < waiting.n; i++) {
		int64_t left = deadline_ms - now_ms();

		late |= poll(&waiting.p[i], 1, left > 0 ? (int)left : 0) == 0;
		close(waiting.p[i].fd);
	}
	vec_fini(&waiting);
	return late ? ERR_TIMEOUT : 0;
}

int cgroup_kill(const struct cgroup_fs *fs, const char *path, struct err *err)
{
	struct arena a CLEANUP_ARENA = {0};
	int64_t deadline_ms = now_ms() + KILL_PATIENCE_MS;
	const char *kernels = cgroup_file(fs, any_of(fs), path, "cgroup.kill",
					  &a); /* v2, Linux 5.14: leaves no gap for forks */
	int r = file_exists(kernels) ? file_put(kernels, STR("1"), err) : 0;

	while (r == 0) {
		int *pids;
		size_t n;

		r = cgroup_pids(fs, path, &a, &pids, &n, err);
		if (r < 0 || n == 0) {
			return r;
		}
		r = kill_and_wait(
			pids, n, deadline_ms); /* what was being forked shows up in the next look */
	}
	return r == ERR_TIMEOUT
		       ? err_set(err, r, "cgroup %s: processes do not end within %d s of SIGKILL",
				 path, KILL_PATIENCE_MS / 1000)
		       : r;
}

int cgroup_enter(const struct cgroup_fs *fs, const char *path, int pid, struct err *err)
{
	struct arena a CLEANUP_ARENA = {0};
	struct str text = arena_printf(&a, "%d", pid);

	for (int c = 0; c < CGROUP_CONTROLLERS; c++) {
		const char *file = cgroup_file(fs, c, path, "cgroup.procs", &a);
		int r = file && !cgroup_is_repeat(fs, c) ? file_put(file, text, err) : 0;

		if (r < 0) {
			return r;
		}
	}
	return 0;
}
