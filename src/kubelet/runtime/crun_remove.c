/* SPDX-License-Identifier: Apache-2.0 */
/* Taking containers apart, whole ones and what a crash left of them. Every step is idempotent. */
#include "kubelet/runtime/crun_internal.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "kubelet/images/image_store.h"
#include "linux/file.h"

enum { CRUN_TIMEOUT_MS = 60000, MESSAGE_MAX = 16384 };

int crun_run(const struct crun *rt, const char *const *args, struct err *err)
{
	struct arena a CLEANUP_ARENA = {0};
	const char *argv[8] = {rt->crun, arena_printf(&a, "--root=%s/crun", rt->run_dir).p};
	struct proc_result result CLEANUP_PROC_RESULT = {0};
	struct proc_opts opts = {.argv = argv,
				 .stderr_limit_bytes = MESSAGE_MAX,
				 .timeout_ms = CRUN_TIMEOUT_MS,
				 .new_session = true};
	size_t n = 2;
	int r;

	for (; *args; args++) {
		ASSERT(n < ARRAY_LEN(argv) - 1);
		argv[n++] = *args;
	}
	r = proc_run(&opts, &result, err);
	if (r == 0 && result.timed_out) {
		return err_set(err, ERR_TIMEOUT, "crun %s took longer than %d s", argv[2],
			       CRUN_TIMEOUT_MS / 1000);
	}
	if (r == 0 && result.exit_code != 0) {
		return err_set(err, ERR_SYSTEM, "crun %s: %.*s", argv[2],
			       STR_ARG(str_trim(buf_str(&result.err))));
	}
	return r;
}

/* A conmon that a crashed agent left waiting, recognised by the container's id on its command line. */
static void kill_conmon(const char *dir, struct str id)
{
	struct arena a CLEANUP_ARENA = {0};
	struct buf cmdline CLEANUP_BUF = {0};
	int pid = crun_read_pid(arena_printf(&a, "%s/conmon.pid", dir).p);

	if (pid &&
	    file_read(AT_FDCWD, arena_printf(&a, "/proc/%d/cmdline", pid).p, MESSAGE_MAX, &cmdline,
		      NULL) == 0 &&
	    str_contains(buf_str(&cmdline), id)) {
		kill(pid, SIGKILL);
	}
}

static const char *recorded_cgroup(const char *dir, struct arena *arena)
{
	struct buf text CLEANUP_BUF = {0};

	if (file_read(AT_FDCWD, arena_printf(arena, "%s/cgroup", dir).p, 4096, &text, NULL) < 0 ||
	    text.n < 2 || text.p[0] != '/') {
		return NULL;
	}
	return arena_cstr(arena, buf_str(&text));
}

int crun_remove_cgroup(const struct crun *rt, const char *path, struct err *err)
{
	int r = cgroup_kill(&rt->cgroups, path, err);

	return r < 0 ? r : cgroup_remove(&rt->cgroups, path, err);
}

int crun_container_release(const struct crun *rt, struct str id, const char *cgroup_path,
			   struct err *err)
{
	struct arena a CLEANUP_ARENA = {0};
	const char *dir = crun_container_dir(rt, id, &a);
	const char *state = arena_printf(&a, "%s/crun/%.*s", rt->run_dir, STR_ARG(id)).p;
	const char *const args[] = {"delete", "-f", arena_cstr(&a, id), NULL};
	int r = 0;

	if (!cgroup_path) {
		cgroup_path = recorded_cgroup(dir, &a);
	}
	if (file_exists(state) && crun_run(rt, args, NULL) < 0) {
		/* its state may be incomplete after a crash; what it consists of is removed below */
		kill_conmon(dir, id);
	}
	if (!file_exists(arena_printf(&a, "%s/state.json", dir).p)) {
		kill_conmon(dir, id);
	}
	if (cgroup_path) {
		r = crun_remove_cgroup(rt, cgroup_path, err);
	}
	if (r == 0) {
		r = file_tree_remove(state, err);
	}
	if (r == 0) {
		r = image_store_unmount(dir, err);
	}
	if (r == 0) {
		r = file_tree_remove(arena_printf(&a, "%s/attach/%.*s", rt->run_dir, STR_ARG(id)).p,
				     err);
	}
	return r < 0 ? r : file_tree_remove(crun_exit_file(rt, id, &a), err);
}

int crun_container_destroy(const struct crun *rt, struct str id, const char *cgroup_path,
			   struct err *err)
{
	struct arena a CLEANUP_ARENA = {0};
	int r = crun_container_release(rt, id, cgroup_path, err);

	return r < 0 ? r : file_tree_remove(crun_container_dir(rt, id, &a), err);
}

struct remove_job {
	struct job job;
	const char *cgroup_path;
};

static void run_remove(struct job *job)
{
	job->r = crun_container_destroy(job->rt, job->id,
					CONTAINER_OF(job, struct remove_job, job)->cgroup_path,
					&job->err);
}

static void finish_remove(struct job *job)
{
	struct container *c = crun_container(&job->rt->base, job->id);

	ASSERT(c);
	c->busy = false;
	if (job->r == 0) {
		container_free(map_remove(&job->rt->containers, job->id));
	}
	job_done(job);
}

static void remove_ended(void *ctx, struct str id UNUSED, const struct err *err UNUSED)
{
	struct job *job = ctx;
	struct container *c = crun_container(&job->rt->base, job->id);

	if (!c || c->busy) {
		job->r = c ? err_set(&job->err, ERR_BUSY, "the container is being worked on") : 0;
		crun_reply(job->rt, job->id, job->done, job->ctx, &job->err);
		arena_fini(&job->arena);
		mem_free(job);
		return;
	}
	c->busy = true;
	job_start(job);
}

void crun_container_remove(struct runtime *base, struct str id, runtime_done_fn done, void *ctx)
{
	struct crun *rt = crun_of(base);
	struct container *c = crun_container(base, id);
	struct sandbox *sb = c ? map_find(&rt->sandboxes, c->status.sandbox_id) : NULL;
	struct err err CLEANUP_ERR = {0};
	struct job *job;

	if (c && (c->busy || (sb && sb->busy))) {
		err_set(&err, ERR_BUSY, "container %.*s is being worked on",
			STR_ARG(c->status.name));
	}
	if (!c || err.code) {
		crun_reply(rt, id, done, ctx, &err);
		return;
	}
	job = job_new(rt, sizeof(struct remove_job), id, done, ctx);
	CONTAINER_OF(job, struct remove_job, job)->cgroup_path =
		arena_cstr(&job->arena, c->status.cgroup_path);
	job->run = run_remove;
	job->finish = finish_remove;
	c->removing = true; /* its end is no event: nobody cares any more */
	crun_container_stop(base, id, 0, remove_ended, job);
}
