/* SPDX-License-Identifier: Apache-2.0 */
#include "kubelet/runtime/crun.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#include <uv.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/vec.h"
#include "kubelet/images/digest.h"
#include "kubelet/runtime/crun_internal.h"
#include "linux/file.h"
#include "loop/loop.h"

/* ---- jobs ---- */

struct job *job_new(struct crun *rt, size_t size, struct str id, runtime_done_fn done, void *ctx)
{
	struct job *job = mem_new(size);

	job->rt = rt;
	job->done = done;
	job->ctx = ctx;
	job->id = arena_str(&job->arena, id);
	return job;
}

static void run_job(struct env_work *work)
{
	struct job *job = CONTAINER_OF(work, struct job, work);

	job->run(job);
}

static void end_job(struct env_work *work)
{
	struct job *job = CONTAINER_OF(work, struct job, work);

	job->rt->jobs--;
	job->finish(job);
	err_clear(&job->err);
	arena_fini(&job->arena);
	mem_free(job);
}

void job_start(struct job *job)
{
	job->work.run = run_job;
	job->work.done = end_job;
	job->rt->jobs++;
	env_work(job->rt->env, &job->work);
}

void job_done(struct job *job)
{
	job->done(job->ctx, job->id, job->r < 0 ? &job->err : NULL);
}

struct reply {
	struct env_task task;
	struct crun *rt;
	struct err err;
	runtime_done_fn done;
	void *ctx;
	char *id;
};

static void send_reply(struct env_task *task)
{
	struct reply *reply = CONTAINER_OF(task, struct reply, task);

	reply->rt->jobs--;
	reply->done(reply->ctx, str_of(reply->id), reply->err.code ? &reply->err : NULL);
	err_clear(&reply->err);
	mem_free(reply->id);
	mem_free(reply);
}

void crun_reply(struct crun *rt, struct str id, runtime_done_fn done, void *ctx, struct err *err)
{
	struct reply *reply = NEW(struct reply);

	reply->task.fn = send_reply;
	reply->rt = rt;
	reply->done = done;
	reply->ctx = ctx;
	reply->id = str_dup_cstr(id);
	if (err) {
		reply->err = *err;
		*err = (struct err){0};
	}
	rt->jobs++;
	env_post(rt->env, &reply->task);
}

/* ---- names ---- */

const char *crun_container_dir(const struct crun *rt, struct str id, struct arena *arena)
{
	return arena_printf(arena, "%s/containers/%.*s", rt->state_dir, STR_ARG(id)).p;
}

const char *crun_sandbox_dir(const struct crun *rt, struct str id, struct arena *arena)
{
	return arena_printf(arena, "%s/sandboxes/%.*s", rt->state_dir, STR_ARG(id)).p;
}

const char *crun_sandbox_run_dir(const struct crun *rt, struct str id, struct arena *arena)
{
	return arena_printf(arena, "%s/sandboxes/%.*s", rt->run_dir, STR_ARG(id)).p;
}

const char *crun_exit_file(const struct crun *rt, struct str id, struct arena *arena)
{
	return arena_printf(arena, "%s/exits/%.*s", rt->run_dir, STR_ARG(id)).p;
}

struct str crun_make_id(struct arena *arena, struct str pod_uid, struct str name, uint32_t attempt)
{
	char *hex = arena_alloc(arena, DIGEST_HEX + 1);

	digest_of(arena_printf(arena, "%.*s\n%.*s\n%u", STR_ARG(pod_uid), STR_ARG(name), attempt),
		  hex);
	return str_make(hex, DIGEST_HEX);
}

struct str crun_pod_cgroup(const char *parent, enum runtime_qos qos, struct str pod_uid,
			   struct arena *arena)
{
	static const char *const dirs[] = {[QOS_GUARANTEED] = "",
					   [QOS_BURSTABLE] = "/burstable",
					   [QOS_BEST_EFFORT] = "/besteffort"};

	return arena_printf(arena, "%s/kubepods%s/pod%.*s", parent, dirs[qos], STR_ARG(pod_uid));
}

/* ---- lookups ---- */

void sandbox_free(struct sandbox *s)
{
	if (s) {
		arena_fini(&s->arena);
		mem_free(s);
	}
}

void container_free(struct container *c)
{
	if (c) {
		env_timer_stop(c->rt->env, &c->kill_timer);
		proc_watch_free(c->watch);
		arena_fini(&c->arena);
		mem_free(c);
	}
}

struct container *crun_container(struct runtime *rt, struct str id)
{
	return map_find(&crun_of(rt)->containers, id);
}

static const struct sandbox_status *find_sandbox(struct runtime *rt, struct str id)
{
	struct sandbox *s = map_find(&crun_of(rt)->sandboxes, id);

	return s ? &s->status : NULL;
}

static const struct container_status *find_container(struct runtime *rt, struct str id)
{
	struct container *c = crun_container(rt, id);

	return c ? &c->status : NULL;
}

static const struct sandbox_status *next_sandbox(struct runtime *rt, size_t *i)
{
	struct str id;
	void *s;

	return map_next(&crun_of(rt)->sandboxes, i, &id, &s) ? &((struct sandbox *)s)->status
							     : NULL;
}

static const struct container_status *next_container(struct runtime *rt, size_t *i)
{
	struct str id;
	void *c;

	return map_next(&crun_of(rt)->containers, i, &id, &c) ? &((struct container *)c)->status
							      : NULL;
}

static int find_live(struct runtime *rt, struct str id, struct container **ret, struct err *err)
{
	struct container *c = crun_container(rt, id);

	if (!c) {
		return err_set(err, ERR_NOT_FOUND, "there is no container %.*s", STR_ARG(id));
	}
	if (c->status.state == CONTAINER_EXITED) {
		return err_set(err, ERR_CLOSED, "container %.*s has ended",
			       STR_ARG(c->status.name));
	}
	*ret = c;
	return 0;
}

static int update_container(struct runtime *rt, struct str id, const struct cgroup_limits *limits,
			    struct err *err)
{
	struct arena a CLEANUP_ARENA = {0};
	struct container *c = NULL;
	int r = find_live(rt, id, &c, err);

	return r < 0 ? r
		     : cgroup_apply(&crun_of(rt)->cgroups, arena_cstr(&a, c->status.cgroup_path),
				    limits, err);
}

static int signal_container(struct runtime *rt, struct str id, int signum, struct err *err)
{
	struct container *c = NULL;
	int r = find_live(rt, id, &c, err);

	if (r == 0) {
		r = crun_signal_init(c, signum);
		if (r < 0) {
			err_set(err, r, "container %.*s has ended", STR_ARG(c->status.name));
		}
	}
	return r;
}

struct stats_job {
	struct job job;
	const char *cgroup_path;
	struct cgroup_stats stats;
	runtime_stats_fn done;
	void *ctx;
};

static void run_stats(struct job *job)
{
	struct stats_job *s = CONTAINER_OF(job, struct stats_job, job);

	job->r = s->cgroup_path ? cgroup_read_stats(&job->rt->cgroups, s->cgroup_path, &s->stats,
						    &job->err)
				: err_set(&job->err, ERR_NOT_FOUND, "there is no container %.*s",
					  STR_ARG(job->id));
}

static void finish_stats(struct job *job)
{
	struct stats_job *s = CONTAINER_OF(job, struct stats_job, job);

	s->done(s->ctx, job->r < 0 ? NULL : &s->stats, job->r < 0 ? &job->err : NULL);
}

static void read_stats(struct runtime *rt, struct str id, runtime_stats_fn done, void *ctx)
{
	struct job *job = job_new(crun_of(rt), sizeof(struct stats_job), id, NULL, NULL);
	struct stats_job *s = CONTAINER_OF(job, struct stats_job, job);
	const struct container_status *status = find_container(rt, id);

	s->cgroup_path = status ? arena_cstr(&job->arena, status->cgroup_path) : NULL;
	s->done = done;
	s->ctx = ctx;
	job->run = run_stats;
	job->finish = finish_stats;
	job_start(job);
}

/* ---- recovery: what is on the disk is sorted out before anything else happens ---- */

struct found {
	struct container *container;
	bool same_boot;
};

struct recover_job {
	struct job job;
	VEC(struct found) containers;
	VEC(struct sandbox *) sandboxes;
};

static int recover_containers(struct recover_job *rec)
{
	struct job *job = &rec->job;
	struct dir_names names CLEANUP_DIR_NAMES = {0};
	int r = dir_list(arena_printf(&job->arena, "%s/containers", job->rt->state_dir).p, &names,
			 &job->err);

	for (size_t i = 0; r == 0 && i < names.n; i++) {
		struct err why CLEANUP_ERR = {0};
		struct found found = {0};

		r = crun_container_load(job->rt, str_of(names.p[i]), &found.container,
					&found.same_boot, &why);
		if (r == 0) {
			*vec_push(&rec->containers) = found;
		} else {
			/* of a creation that the crash cut off: nobody was told about it */
			log_debug(job->rt->log, 2, "removing half-made container %s: %s",
				  names.p[i], err_msg(&why));
			r = crun_container_destroy(job->rt, str_of(names.p[i]), NULL, &job->err);
		}
	}
	return r;
}

static int recover_sandboxes(struct recover_job *rec)
{
	struct job *job = &rec->job;
	struct dir_names names CLEANUP_DIR_NAMES = {0};
	int r = dir_list(arena_printf(&job->arena, "%s/sandboxes", job->rt->state_dir).p, &names,
			 &job->err);

	for (size_t i = 0; r == 0 && i < names.n; i++) {
		struct err why CLEANUP_ERR = {0};
		struct sandbox *s;

		r = crun_sandbox_load(job->rt, str_of(names.p[i]), &s, &why);
		if (r == 0) {
			*vec_push(&rec->sandboxes) = s;
			continue;
		}
		log_debug(job->rt->log, 2, "removing half-made sandbox %s: %s", names.p[i],
			  err_msg(&why));
		r = crun_sandbox_release(job->rt, str_of(names.p[i]), NULL, &job->err);
		if (r == 0) {
			r = file_tree_remove(
				crun_sandbox_dir(job->rt, str_of(names.p[i]), &job->arena),
				&job->err);
		}
	}
	return r;
}

static void run_recover(struct job *job)
{
	static const char *const subs[] = {"containers", "sandboxes"};
	static const char *const run_subs[] = {"crun", "sandboxes", "exits", "attach", "exec"};
	struct recover_job *rec = CONTAINER_OF(job, struct recover_job, job);

	for (size_t i = 0; job->r == 0 && i < ARRAY_LEN(subs); i++) {
		job->r = dir_make(arena_printf(&job->arena, "%s/%s", job->rt->state_dir, subs[i]).p,
				  0711, &job->err);
	}
	for (size_t i = 0; job->r == 0 && i < ARRAY_LEN(run_subs); i++) {
		job->r = dir_make(
			arena_printf(&job->arena, "%s/%s", job->rt->run_dir, run_subs[i]).p, 0711,
			&job->err);
	}
	if (job->r == 0) {
		job->r = crun_exec_recover(job->rt, &job->err);
	}
	if (job->r == 0) {
		job->r = recover_containers(rec);
	}
	if (job->r == 0) {
		job->r = recover_sandboxes(rec);
	}
}

static void adopt(struct crun *rt, struct found found)
{
	struct container *c = found.container;

	map_put(&rt->containers, c->status.id, c);
	if (c->status.state == CONTAINER_EXITED) {
		return;
	}
	if (!found.same_boot) {
		crun_exits_mark_lost(c,
				     "the machine was restarted while the container was running");
		if (rt->base.exited) {
			rt->base.exited(rt->base.exited_ctx, &c->status);
		}
		return;
	}
	crun_exits_follow(c);
}

static void finish_recover(struct job *job)
{
	struct recover_job *rec = CONTAINER_OF(job, struct recover_job, job);

	for (size_t i = 0; i < rec->sandboxes.n; i++) {
		map_put(&job->rt->sandboxes, rec->sandboxes.p[i]->status.id, rec->sandboxes.p[i]);
	}
	/* watched before adoption: an end in between is seen by one or the other */
	if (job->r == 0) {
		job->r = crun_exits_open(job->rt, &job->err);
	}
	for (size_t i = 0; i < rec->containers.n; i++) {
		adopt(job->rt, rec->containers.p[i]);
	}
	vec_fini(&rec->containers);
	vec_fini(&rec->sandboxes);
	job_done(job);
}

static void start(struct runtime *rt, runtime_done_fn done, void *ctx)
{
	struct job *job = job_new(crun_of(rt), sizeof(struct recover_job), STR(""), done, ctx);

	job->run = run_recover;
	job->finish = finish_recover;
	job_start(job);
}

/* ---- construction ---- */

static void free_runtime(struct runtime *base)
{
	struct crun *rt = crun_of(base);
	struct str id;
	void *value;

	ASSERT(rt->jobs == 0);
	crun_exits_close(rt);
	for (size_t i = 0; map_next(&rt->containers, &i, &id, &value);) {
		container_free(value);
	}
	for (size_t i = 0; map_next(&rt->sandboxes, &i, &id, &value);) {
		sandbox_free(value);
	}
	map_fini(&rt->containers);
	map_fini(&rt->sandboxes);
	cgroup_fs_fini(&rt->cgroups);
	arena_fini(&rt->arena);
	mem_free(rt);
}

static const struct runtime_ops crun_ops = {
	.start = start,
	.free = free_runtime,
	.sandbox_create = crun_sandbox_create,
	.sandbox_stop = crun_sandbox_stop,
	.sandbox_remove = crun_sandbox_remove,
	.sandbox_find = find_sandbox,
	.sandbox_next = next_sandbox,
	.container_create = crun_container_create,
	.container_start = crun_container_start,
	.container_stop = crun_container_stop,
	.container_remove = crun_container_remove,
	.container_find = find_container,
	.container_next = next_container,
	.container_stats = read_stats,
	.container_update = update_container,
	.container_signal = signal_container,
	.container_reopen_log = crun_container_reopen_log,
	.container_resize = crun_container_resize,
	.container_attach = crun_container_attach,
	.exec_sync = crun_exec_sync,
	.exec_start = crun_exec_start,
	.exec_resize = crun_exec_resize,
	.exec_kill = crun_exec_kill,
};

/* The first place where it can be executed; conmon wants a full path of the runtime. */
static int find_program(const char *configured, const char *name, struct arena *arena,
			const char **ret, struct err *err)
{
	static const char *const dirs[] = {"/usr/local/sbin", "/usr/local/bin", "/usr/sbin",
					   "/usr/bin",	      "/sbin",		"/bin"};

	for (size_t i = 0; !configured && i < ARRAY_LEN(dirs); i++) {
		const char *path = arena_printf(arena, "%s/%s", dirs[i], name).p;

		if (access(path, X_OK) == 0) {
			*ret = path;
			return 0;
		}
	}
	if (!configured || access(configured, X_OK) < 0) {
		return err_set(err, ERR_NOT_FOUND,
			       "the program %s is not installed (apt-get install %s)",
			       configured ? configured : name, name);
	}
	*ret = arena_cstr(arena, str_of(configured));
	return 0;
}

static const char *copy_cstr(struct crun *rt, const char *s)
{
	return s ? arena_cstr(&rt->arena, str_of(s)) : NULL;
}

static int init(struct crun *rt, const struct runtime_config *config, struct err *err)
{
	struct buf boot_id CLEANUP_BUF = {0};
	int r;

	rt->state_dir = copy_cstr(rt, config->state_dir);
	rt->run_dir = copy_cstr(rt, config->run_dir);
	rt->cgroup_parent = config->cgroup_parent ? copy_cstr(rt, config->cgroup_parent) : "";
	rt->conmon_cgroup = copy_cstr(rt, config->conmon_cgroup);
	if ((r = find_program(config->crun, "crun", &rt->arena, &rt->crun, err)) < 0 ||
	    (r = find_program(config->conmon, "conmon", &rt->arena, &rt->conmon, err)) < 0 ||
	    (r = file_read(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 128, &boot_id, err)) < 0) {
		return r;
	}
	rt->boot_id = arena_cstr(&rt->arena, str_trim(buf_str(&boot_id)));
	r = cgroup_detect(config->cgroup_root ? config->cgroup_root : "/sys/fs/cgroup",
			  &rt->cgroups, err);
	if (r == 0 && rt->conmon_cgroup) {
		r = cgroup_create(&rt->cgroups, rt->conmon_cgroup, err);
	}
	return r;
}

int crun_new(const struct runtime_config *config, struct runtime **ret, struct err *err)
{
	struct crun *rt = NEW(struct crun);
	int r;

	rt->base.ops = &crun_ops;
	rt->env = loop_env(config->loop);
	rt->uv = loop_uv(config->loop);
	rt->log = config->log;
	rt->images = config->images;
	rt->inotify_fd = -1;
	map_init(&rt->sandboxes, MAP_BORROW_KEYS);
	map_init(&rt->containers, MAP_BORROW_KEYS);
	r = init(rt, config, err);
	if (r < 0) {
		free_runtime(&rt->base);
		return err ? err_wrap(err, "cannot start the container runtime") : r;
	}
	*ret = &rt->base;
	return 0;
}
