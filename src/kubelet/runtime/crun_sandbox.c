/* SPDX-License-Identifier: Apache-2.0 */
#include "kubelet/runtime/crun_internal.h"

#include "base/cleanup.h"
#include "base/vec.h"
#include "linux/file.h"
#include "linux/mounts.h"
#include "linux/ns.h"

enum { SHM_BYTES = 64 << 20 };

struct sandbox_job {
	struct job job;
	const struct sandbox_spec *spec;
	struct sandbox *sandbox; /* made by the worker */
};

/* ---- sysctls ---- */

/* Which names live in which namespace of the pod; everything else would change the node. */
static int check_sysctls(const struct sandbox_spec *spec, struct err *err)
{
	static const char *const ipc[] = {
		"kernel.shm_rmid_forced", "kernel.shmmax", "kernel.shmall", "kernel.shmmni",
		"kernel.msgmax",	  "kernel.msgmnb", "kernel.msgmni", "kernel.sem"};

	for (size_t i = 0; i < spec->sysctls.n; i++) {
		struct str name = spec->sysctls.p[i].key;
		bool net = str_has_prefix(name, STR("net."));
		bool own_ipc = str_has_prefix(name, STR("fs.mqueue."));

		for (size_t k = 0; k < ARRAY_LEN(ipc); k++) {
			own_ipc |= str_eq(name, str_of(ipc[k]));
		}
		if (!net && !own_ipc) {
			return err_set(err, ERR_INVALID,
				       "sysctl %.*s does not belong to a pod's namespaces",
				       STR_ARG(name));
		}
		if ((net && spec->host_network) || (own_ipc && spec->host_ipc)) {
			return err_set(err, ERR_INVALID,
				       "sysctl %.*s would change the node: the pod uses the node's "
				       "namespace",
				       STR_ARG(name));
		}
		for (size_t k = 0; k < name.n; k++) {
			char c = name.p[k];

			if (c == '/' && k && (name.p[k - 1] == '.' || name.p[k - 1] == '/')) {
				return err_set(err, ERR_INVALID, "sysctl %.*s is not a name",
					       STR_ARG(name));
			}
		}
		if (str_contains(name, STR(".."))) {
			return err_set(err, ERR_INVALID, "sysctl %.*s is not a name",
				       STR_ARG(name));
		}
	}
	return 0;
}

/* In the new namespaces: /proc/sys shows those of the thread that opens it. */
static int write_sysctls(void *ctx, struct err *err)
{
	const struct sandbox_spec *spec = ctx;
	int r = 0;

	for (size_t i = 0; r == 0 && i < spec->sysctls.n; i++) {
		struct arena a CLEANUP_ARENA = {0};
		struct str path =
			arena_printf(&a, "/proc/sys/%.*s", STR_ARG(spec->sysctls.p[i].key));

		for (size_t k = 0; k < path.n; k++) {
			if (path.p[k] == '.') {
				((char *)path.p)[k] = '/';
			}
		}
		r = file_put(path.p, spec->sysctls.p[i].value, err);
	}
	return r;
}

/* ---- creation ---- */

static int make_namespaces(struct sandbox_job *s, const char *dir)
{
	struct job *job = &s->job;
	struct ns_setup setup = {
		.net = s->spec->host_network ? NULL : arena_printf(&job->arena, "%s/net", dir).p,
		.ipc = s->spec->host_ipc ? NULL : arena_printf(&job->arena, "%s/ipc", dir).p,
		.uts = s->spec->host_network ? NULL : arena_printf(&job->arena, "%s/uts", dir).p,
		.hostname = s->spec->hostname.n ? arena_cstr(&job->arena, s->spec->hostname) : NULL,
		.inside = s->spec->sysctls.n ? write_sysctls : NULL,
		.ctx = (void *)s->spec,
	};

	if (!setup.net && !setup.ipc && !setup.uts) {
		return 0;
	}
	return ns_create(&setup, &job->err);
}

static int make_shm(struct sandbox_job *s, const char *dir)
{
	struct job *job = &s->job;
	const char *shm = arena_printf(&job->arena, "%s/shm", dir).p;
	int r;

	if (s->spec->host_ipc) {
		return 0;
	}
	r = dir_make(shm, 01777, &job->err);
	if (r < 0) {
		return r;
	}
	return mount_tmpfs(shm, s->spec->shm_bytes ? s->spec->shm_bytes : SHM_BYTES, 01777,
			   MOUNT_NO_SUID | MOUNT_NO_EXEC | MOUNT_NO_DEV, &job->err);
}

static struct sandbox *describe(struct sandbox_job *s, const char *run_dir, struct str cgroup_path)
{
	const struct sandbox_spec *spec = s->spec;
	struct sandbox *sb = NEW(struct sandbox);
	struct sandbox_status *st = &sb->status;

	sb->host_pid = spec->host_pid;
	sb->host_ipc = spec->host_ipc;
	st->id = arena_str(&sb->arena, s->job.id);
	st->pod_uid = arena_str(&sb->arena, spec->pod_uid);
	st->pod_namespace = arena_str(&sb->arena, spec->pod_namespace);
	st->pod_name = arena_str(&sb->arena, spec->pod_name);
	st->attempt = spec->attempt;
	st->ready = true;
	st->created_at_ns = env_wall_ns(s->job.rt->env);
	st->hostname = arena_str(&sb->arena, spec->hostname);
	st->cgroup_path = arena_str(&sb->arena, cgroup_path);
	st->labels = crun_pairs_dup(&sb->arena, spec->labels);
	if (!spec->host_network) {
		st->net_ns = arena_printf(&sb->arena, "%s/net", run_dir);
	}
	return sb;
}

static int make_sandbox(struct sandbox_job *s, const char *cgroup_path)
{
	struct job *job = &s->job;
	const char *run_dir = crun_sandbox_run_dir(job->rt, job->id, &job->arena);
	int r;

	if ((r = check_sysctls(s->spec, &job->err)) < 0 ||
	    /* left by a crash */
	    (r = crun_sandbox_release(job->rt, job->id, NULL, &job->err)) < 0 ||
	    (r = dir_make(crun_sandbox_dir(job->rt, job->id, &job->arena), 0700, &job->err)) < 0 ||
	    (r = dir_make(run_dir, 0711, &job->err)) < 0 || (r = make_namespaces(s, run_dir)) < 0 ||
	    (r = make_shm(s, run_dir)) < 0 ||
	    (r = cgroup_create(&job->rt->cgroups, cgroup_path, &job->err)) < 0 ||
	    (r = cgroup_apply(&job->rt->cgroups, cgroup_path, &s->spec->limits, &job->err)) < 0) {
		return r;
	}
	s->sandbox = describe(s, run_dir, str_of(cgroup_path));
	return crun_sandbox_save(job->rt, s->sandbox, &job->err);
}

static void run_create(struct job *job)
{
	struct sandbox_job *s = CONTAINER_OF(job, struct sandbox_job, job);
	struct str path = crun_pod_cgroup(job->rt->cgroup_parent, s->spec->qos, s->spec->pod_uid,
					  &job->arena);
	int ignored;

	job->r = make_sandbox(s, path.p);
	if (job->r < 0) {
		err_wrap(&job->err, "cannot make the sandbox of pod %.*s/%.*s",
			 STR_ARG(s->spec->pod_namespace), STR_ARG(s->spec->pod_name));
		sandbox_free(STEAL(s->sandbox));
		/* the first failure is the one to report; what remains is removed by the next attempt */
		ignored = crun_sandbox_release(job->rt, job->id, path.p, NULL);
		ignored = ignored < 0
				  ? ignored
				  : file_tree_remove(
					    crun_sandbox_dir(job->rt, job->id, &job->arena), NULL);
		(void)ignored;
	}
}

static void finish_create(struct job *job)
{
	struct sandbox_job *s = CONTAINER_OF(job, struct sandbox_job, job);

	if (s->sandbox) {
		sandbox_free(map_put(&job->rt->sandboxes, s->sandbox->status.id, s->sandbox));
	}
	job_done(job);
}

static bool is_uid(struct str uid)
{
	for (size_t i = 0; i < uid.n; i++) {
		char c = uid.p[i];

		if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') &&
		    c != '-' && c != '_') {
			return false;
		}
	}
	return uid.n > 0 && uid.n <= 128;
}

void crun_sandbox_create(struct runtime *base, const struct sandbox_spec *spec,
			 runtime_done_fn done, void *ctx)
{
	struct crun *rt = crun_of(base);
	struct arena a CLEANUP_ARENA = {0};
	struct str id = crun_make_id(&a, spec->pod_uid, STR("/sandbox"), spec->attempt);
	struct sandbox *existing = map_find(&rt->sandboxes, id);
	struct err err CLEANUP_ERR = {0};
	struct sandbox_job *s;

	if (!is_uid(spec->pod_uid)) {
		err_set(&err, ERR_INVALID, "\"%.*s\" is not a pod uid", STR_ARG(spec->pod_uid));
	} else if (spec->share_process_namespace) {
		err_set(&err, ERR_UNSUPPORTED,
			"shareProcessNamespace is not supported by this runtime yet");
	} else if (existing && existing->busy) {
		err_set(&err, ERR_BUSY, "the sandbox is being stopped");
	}
	if (err.code || (existing && existing->status.ready)) {
		crun_reply(rt, id, done, ctx, &err);
		return;
	}
	s = CONTAINER_OF(job_new(rt, sizeof(*s), id, done, ctx), struct sandbox_job, job);
	s->spec = spec;
	s->job.run = run_create;
	s->job.finish = finish_create;
	job_start(&s->job);
}

/* ---- stop and removal ---- */

int crun_sandbox_release(const struct crun *rt, struct str id, const char *cgroup_path,
			 struct err *err)
{
	static const char *const pins[] = {"net", "ipc", "uts"};
	struct arena a CLEANUP_ARENA = {0};
	const char *dir = crun_sandbox_run_dir(rt, id, &a);
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_LEN(pins); i++) {
		r = ns_remove(arena_printf(&a, "%s/%s", dir, pins[i]).p, err);
	}
	if (r == 0) {
		r = mount_remove(arena_printf(&a, "%s/shm", dir).p, true, err);
	}
	if (r == 0) {
		r = file_tree_remove(dir, err);
	}
	if (r == 0 && cgroup_path) {
		r = crun_remove_cgroup(rt, cgroup_path, err);
	}
	return r;
}

struct member {
	struct str id;
	const char *cgroup_path;
};

struct stop_job {
	struct job job;
	const char *cgroup_path;
	bool remove;
	VEC(struct member) members;
	size_t waiting; /* containers still ending */
};

static void run_stop(struct job *job)
{
	struct stop_job *s = CONTAINER_OF(job, struct stop_job, job);

	for (size_t i = 0; job->r == 0 && i < s->members.n; i++) {
		const struct member *m = &s->members.p[i];

		job->r =
			s->remove
				? crun_container_destroy(job->rt, m->id, m->cgroup_path, &job->err)
				: crun_container_release(job->rt, m->id, m->cgroup_path, &job->err);
	}
	if (job->r == 0) {
		job->r = crun_sandbox_release(job->rt, job->id, s->cgroup_path, &job->err);
	}
	if (job->r == 0 && s->remove) {
		job->r = file_tree_remove(crun_sandbox_dir(job->rt, job->id, &job->arena),
					  &job->err);
	}
}

static void finish_stop(struct job *job)
{
	struct stop_job *s = CONTAINER_OF(job, struct stop_job, job);
	struct sandbox *sb = map_find(&job->rt->sandboxes, job->id);

	if (sb) {
		sb->busy = false;
	}
	if (sb && job->r == 0 && s->remove) {
		for (size_t i = 0; i < s->members.n; i++) {
			container_free(map_remove(&job->rt->containers, s->members.p[i].id));
		}
		sandbox_free(map_remove(&job->rt->sandboxes, job->id));
	} else if (sb && job->r == 0) {
		sb->status.ready = false;
		job->r = crun_sandbox_save(job->rt, sb, &job->err);
	}
	vec_fini(&s->members);
	job_done(job);
}

static void container_ended(void *ctx, struct str id UNUSED, const struct err *err UNUSED)
{
	struct stop_job *s = ctx;

	if (--s->waiting == 0) {
		job_start(&s->job);
	}
}

static void note_member(struct stop_job *s, struct container *c)
{
	*vec_push(&s->members) = (struct member){
		arena_str(&s->job.arena, c->status.id),
		arena_cstr(&s->job.arena, c->status.cgroup_path),
	};
}

static void stop(struct crun *rt, struct str id, bool remove, runtime_done_fn done, void *ctx)
{
	struct sandbox *sb = map_find(&rt->sandboxes, id);
	struct err err CLEANUP_ERR = {0};
	struct stop_job *s;
	struct str key;
	void *value;

	if (sb && sb->busy) {
		err_set(&err, ERR_BUSY, "the sandbox is being stopped already");
	}
	for (size_t i = 0; sb && map_next(&rt->containers, &i, &key, &value);) {
		struct container *c = value;

		if (str_eq(c->status.sandbox_id, id) && c->busy) {
			err_set(&err, ERR_BUSY, "container %.*s is being worked on",
				STR_ARG(c->status.name));
		}
	}
	if (!sb || err.code) {
		crun_reply(rt, id, done, ctx, &err);
		return;
	}
	sb->busy = true;
	s = CONTAINER_OF(job_new(rt, sizeof(*s), id, done, ctx), struct stop_job, job);
	s->job.run = run_stop;
	s->job.finish = finish_stop;
	s->remove = remove;
	s->cgroup_path = arena_cstr(&s->job.arena, sb->status.cgroup_path);
	s->waiting = 1; /* ourselves, until all are asked */
	for (size_t i = 0; map_next(&rt->containers, &i, &key, &value);) {
		struct container *c = value;

		if (str_eq(c->status.sandbox_id, id)) {
			note_member(s, c);
			s->waiting++;
			crun_container_stop(&rt->base, c->status.id, 0, container_ended, s);
		}
	}
	container_ended(s, STR_NULL, NULL);
}

void crun_sandbox_stop(struct runtime *rt, struct str id, runtime_done_fn done, void *ctx)
{
	stop(crun_of(rt), id, false, done, ctx);
}

void crun_sandbox_remove(struct runtime *rt, struct str id, runtime_done_fn done, void *ctx)
{
	stop(crun_of(rt), id, true, done, ctx);
}
