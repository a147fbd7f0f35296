/* SPDX-License-Identifier: Apache-2.0 */
#include "kubelet/runtime/crun_internal.h"

#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "kubelet/images/image_store.h"
#include "kubelet/runtime/oci_spec.h"
#include "linux/file.h"
#include "linux/path.h"

struct create_job {
	struct job job;
	const struct container_spec *spec;
	/* of the sandbox, copied */
	struct str net_ns, ipc_ns, uts_ns, shm_dir, hostname, pod_uid, pod_namespace, pod_name;
	const char *cgroup_path; /* of the container */
	bool host_pid;
	const char *dir;
	struct container *container; /* made by the worker */
	struct str stop_signal;
};

/* ---- the bundle ---- */

static int make_working_dir(struct create_job *c, int root, const struct oci_config *image)
{
	struct str dir = c->spec->working_dir.n ? c->spec->working_dir : image->working_dir;
	int fd;

	if (!dir.n) {
		return 0;
	}
	fd = path_make_dirs_in_root(root, arena_cstr(&c->job.arena, dir), 0755);
	if (fd < 0) {
		return err_set_errno(&c->job.err, -fd, "cannot make the working directory %.*s",
				     STR_ARG(dir));
	}
	close(fd);
	return 0;
}

static int write_config(struct create_job *c, const struct oci_config *image,
			const struct oci_user *user)
{
	struct buf text CLEANUP_BUF = {0};
	struct oci_spec_input in = {
		.spec = c->spec,
		.image = image,
		.user = user,
		.hostname = c->hostname,
		.net_ns = c->net_ns,
		.ipc_ns = c->ipc_ns,
		.uts_ns = c->uts_ns,
		.host_pid = c->host_pid,
		.shm_dir = c->shm_dir,
		.cgroup_path = str_of(c->cgroup_path),
		.cgroup_v2 = c->job.rt->cgroups.mode == CGROUP_V2,
	};
	int r = oci_spec_write(&in, &text, &c->job.err);

	return r < 0 ? r
		     : file_replace(arena_printf(&c->job.arena, "%s/config.json", c->dir).p,
				    buf_str(&text), 0600, false, &c->job.err);
}

static int make_bundle(struct create_job *c, const struct image *image)
{
	struct job *job = &c->job;
	const struct oci_config *config = &image->record.config;
	int root CLEANUP_FD = -1;
	struct oci_user user;
	int r = image_store_mount(job->rt->images, image, c->dir, &job->err);

	if (r < 0) {
		return r;
	}
	root = path_open_root(arena_printf(&job->arena, "%s/rootfs", c->dir).p);
	if (root < 0) {
		return err_set_errno(&job->err, -root, "cannot open the root file system");
	}
	c->stop_signal =
		arena_str(&job->arena, config->stop_signal.p ? config->stop_signal : STR(""));
	if ((r = oci_user_resolve(root, config->user, c->spec->run_as_user, c->spec->run_as_group,
				  &job->arena, &user, &job->err)) < 0 ||
	    (r = make_working_dir(c, root, config)) < 0) {
		return r;
	}
	return write_config(c, config, &user);
}

static int make_log_dir(struct create_job *c)
{
	ptrdiff_t slash = str_rfind_char(c->spec->log_path, '/');

	if (slash <= 0 || c->spec->log_path.p[0] != '/') {
		return err_set(&c->job.err, ERR_INVALID, "the log path \"%.*s\" is not absolute",
			       STR_ARG(c->spec->log_path));
	}
	return dir_make(arena_cstr(&c->job.arena, str_sub(c->spec->log_path, 0, (size_t)slash)),
			0755, &c->job.err);
}

/* ---- creation ---- */

static int run_conmon(struct create_job *c, int *ret_pid)
{
	const struct conmon_opts opts = {
		.rt = c->job.rt,
		.id = c->job.id,
		.dir = c->dir,
		.log_path = c->spec->log_path,
		.tty = c->spec->tty,
		.stdin = c->spec->stdin,
		.stdin_once = c->spec->stdin_once,
	};

	return crun_conmon_start(&opts, &c->job.arena, ret_pid, &c->job.err);
}

static struct container *describe(struct create_job *c, int pid)
{
	const struct container_spec *spec = c->spec;
	struct container *ct = NEW(struct container);
	struct container_status *st = &ct->status;
	struct arena *a = &ct->arena;
	int conmon = crun_read_pid(arena_printf(&c->job.arena, "%s/conmon.pid", c->dir).p);

	ct->rt = c->job.rt;
	ct->init = (struct crun_process){pid, proc_start_time(pid)};
	ct->conmon = (struct crun_process){conmon, proc_start_time(conmon)};
	ct->stop_signal = arena_str(a, c->stop_signal);
	ct->host_pid = c->host_pid;
	st->id = arena_str(a, c->job.id);
	st->sandbox_id = arena_str(a, spec->sandbox_id);
	st->pod_uid = arena_str(a, c->pod_uid);
	st->pod_namespace = arena_str(a, c->pod_namespace);
	st->pod_name = arena_str(a, c->pod_name);
	st->name = arena_str(a, spec->name);
	st->attempt = spec->attempt;
	st->state = CONTAINER_CREATED;
	st->created_at_ns = env_wall_ns(c->job.rt->env);
	st->reason = st->message = STR("");
	st->image_id = arena_str(a, spec->image_id);
	st->image_name = arena_str(a, spec->image_name);
	st->log_path = arena_str(a, spec->log_path);
	st->cgroup_path = arena_str(a, str_of(c->cgroup_path));
	st->writable_dir = arena_printf(a, "%s/upper", c->dir);
	st->root_dir = arena_printf(a, "%s/rootfs", c->dir);
	st->pid = pid;
	st->tty = spec->tty;
	st->stdin = spec->stdin;
	st->labels = crun_pairs_dup(a, spec->labels);
	return ct;
}

static int create(struct create_job *c)
{
	struct job *job = &c->job;
	struct image *image;
	int pid = 0;
	int r;

	/* left by a crash, or by an attempt whose clean-up failed */
	if (file_exists(c->dir) &&
	    (r = crun_container_destroy(job->rt, job->id, c->cgroup_path, &job->err)) < 0) {
		return r;
	}
	image = image_store_find(job->rt->images, c->spec->image_id, NULL);
	if (!image) {
		return err_set(&job->err, ERR_NOT_FOUND, "image %.*s is not on this node",
			       STR_ARG(c->spec->image_id));
	}
	if ((r = dir_make(c->dir, 0711, &job->err)) == 0 &&
	    /* what to kill if we crash before state.json is written */
	    (r = file_replace(arena_printf(&job->arena, "%s/cgroup", c->dir).p,
			      str_of(c->cgroup_path), 0600, false, &job->err)) == 0 &&
	    (r = make_log_dir(c)) == 0 && (r = make_bundle(c, image)) == 0 &&
	    (r = run_conmon(c, &pid)) == 0) {
		c->container = describe(c, pid);
		r = crun_container_save(job->rt, c->container, &job->err);
	}
	image_unref(image);
	return r;
}

static void run_create(struct job *job)
{
	struct create_job *c = CONTAINER_OF(job, struct create_job, job);
	int ignored;

	job->r = create(c);
	if (job->r < 0) {
		err_wrap(&job->err, "cannot create container %.*s", STR_ARG(c->spec->name));
		if (c->container) {
			arena_fini(&c->container->arena);
			mem_free(STEAL(c->container));
		}
		/* the first failure is the one to report; what remains is removed by the next attempt or start */
		ignored = crun_container_destroy(job->rt, job->id, c->cgroup_path, NULL);
		(void)ignored;
	}
}

static void finish_create(struct job *job)
{
	struct create_job *c = CONTAINER_OF(job, struct create_job, job);

	if (c->container) {
		struct container *ct = STEAL(c->container);

		map_put(&job->rt->containers, ct->status.id, ct);
		job_done(job);
		if (map_find(&job->rt->containers, job->id) == ct) {
			crun_exits_follow(ct);
		}
		return;
	}
	job_done(job);
}

static void copy_sandbox(struct create_job *c, const struct sandbox *sb)
{
	struct arena *a = &c->job.arena;
	const struct crun *rt = c->job.rt;
	const struct sandbox_status *st = &sb->status;

	c->pod_uid = arena_str(a, st->pod_uid);
	c->pod_namespace = arena_str(a, st->pod_namespace);
	c->pod_name = arena_str(a, st->pod_name);
	c->hostname = arena_str(a, st->hostname);
	c->host_pid = sb->host_pid;
	c->cgroup_path =
		arena_printf(a, "%.*s/%.*s", STR_ARG(st->cgroup_path), STR_ARG(c->job.id)).p;
	c->dir = crun_container_dir(rt, c->job.id, a);
	if (st->net_ns.n) {
		c->net_ns = arena_str(a, st->net_ns);
		c->uts_ns = arena_printf(a, "%s/uts", crun_sandbox_run_dir(rt, st->id, a));
	}
	c->shm_dir = STR("/dev/shm");
	if (!sb->host_ipc) {
		c->ipc_ns = arena_printf(a, "%s/ipc", crun_sandbox_run_dir(rt, st->id, a));
		c->shm_dir = arena_printf(a, "%s/shm", crun_sandbox_run_dir(rt, st->id, a));
	}
}

void crun_container_create(struct runtime *base, const struct container_spec *spec,
			   runtime_done_fn done, void *ctx)
{
	struct crun *rt = crun_of(base);
	struct sandbox *sb = map_find(&rt->sandboxes, spec->sandbox_id);
	struct arena a CLEANUP_ARENA = {0};
	struct err err CLEANUP_ERR = {0};
	struct str id = STR("");
	struct create_job *c;

	if (!sb || !sb->status.ready || sb->busy) {
		err_set(&err, ERR_NOT_FOUND, "there is no running sandbox %.*s",
			STR_ARG(spec->sandbox_id));
	} else {
		id = crun_make_id(&a, sb->status.pod_uid, spec->name, spec->attempt);
	}
	if (err.code || map_find(&rt->containers, id)) {
		crun_reply(rt, id, done, ctx, &err);
		return;
	}
	c = CONTAINER_OF(job_new(rt, sizeof(*c), id, done, ctx), struct create_job, job);
	c->spec = spec;
	copy_sandbox(c, sb);
	c->job.run = run_create;
	c->job.finish = finish_create;
	job_start(&c->job);
}

/* ---- start ---- */

static void run_start(struct job *job)
{
	const char *id = arena_cstr(&job->arena, job->id);
	const char *const args[] = {"start", id, NULL};

	job->r = crun_run(job->rt, args, &job->err);
}

static void finish_start(struct job *job)
{
	struct container *c = crun_container(&job->rt->base, job->id);

	ASSERT(c);
	c->busy = false;
	/* a short one may have ended before we get to say that it runs */
	if (job->r == 0) {
		c->status.started_at_ns = env_wall_ns(job->rt->env);
		if (c->status.state == CONTAINER_CREATED) {
			c->status.state = CONTAINER_RUNNING;
		} else {
			c->status.started_at_ns =
				MIN(c->status.started_at_ns, c->status.finished_at_ns);
		}
		/* not fatal: a restart takes a container without crun's fifo for a started one */
		if (crun_container_save(job->rt, c, &job->err) < 0) {
			log_warning(job->rt->log, "cannot record that a container was started: %s",
				    err_msg(&job->err));
		}
	}
	job_done(job);
}

static struct container *find_idle(struct crun *rt, struct str id, struct err *err)
{
	struct container *c = crun_container(&rt->base, id);

	if (!c) {
		err_set(err, ERR_NOT_FOUND, "there is no container %.*s", STR_ARG(id));
	} else if (c->busy) {
		err_set(err, ERR_BUSY, "container %.*s is being worked on",
			STR_ARG(c->status.name));
	}
	return err->code ? NULL : c;
}

void crun_container_start(struct runtime *base, struct str id, runtime_done_fn done, void *ctx)
{
	struct crun *rt = crun_of(base);
	struct err err CLEANUP_ERR = {0};
	struct container *c = find_idle(rt, id, &err);
	struct job *job;

	if (c && c->status.state == CONTAINER_EXITED) {
		err_set(&err, ERR_CLOSED, "container %.*s has ended", STR_ARG(c->status.name));
	}
	if (err.code || c->status.state == CONTAINER_RUNNING) {
		crun_reply(rt, id, done, ctx, &err);
		return;
	}
	c->busy = true;
	job = job_new(rt, sizeof(*job), id, done, ctx);
	job->run = run_start;
	job->finish = finish_start;
	job_start(job);
}
