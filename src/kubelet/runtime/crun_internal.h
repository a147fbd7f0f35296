/* SPDX-License-Identifier: Apache-2.0 */
/* kubelet/runtime/crun_internal.h: shared by the files crun_*.c.
 *     crun.c            construction, recovery, the table
 *     crun_state.c      state.json of sandboxes and containers
 *     crun_sandbox.c    namespaces, shared memory, cgroup of pods
 *     crun_create.c     bundle and creation; start
 *     crun_conmon.c     conmon, which runs crun create
 *     crun_remove.c     taking apart
 *     crun_exit.c       exit files, conmon's death, stopping
 *     crun_exec.c       exec and attach
 * The loop thread owns every struct here. A job's run() is on a worker and touches only its own job and what is constant: the config, the
 * directories, the ids. Its finish() is on the loop. */
#pragma once
#include "base/arena.h"
#include "base/log.h"
#include "base/map.h"
#include "env/env.h"
#include "kubelet/runtime/crun.h"
#include "linux/cgroup.h"
#include "linux/proc.h"

struct uv_poll_s;

struct crun {
	struct runtime base;
	struct env *env;
	struct uv_loop_s *uv;
	const struct log *log;
	struct image_store *images;
	struct arena arena; /* of the strings below */
	const char *state_dir, *run_dir, *cgroup_parent, *conmon_cgroup, *crun, *conmon, *boot_id;
	struct cgroup_fs cgroups;
	struct map sandboxes;  /* id -> struct sandbox */
	struct map containers; /* id -> struct container */
	struct uv_poll_s *inotify;
	int inotify_fd;
	int jobs; /* under way */
	uint64_t exec_serial;
};

struct sandbox {
	struct arena arena; /* of status */
	struct sandbox_status status;
	bool host_pid, host_ipc;
	bool busy;
};

/* Identity of a process over time. */
struct crun_process {
	int pid;
	uint64_t start_time;
};

struct stop_waiter;

struct container {
	struct crun *rt;
	struct arena arena; /* of status and stop_signal */
	struct container_status status;
	struct crun_process init, conmon;
	struct str stop_signal;
	struct proc_watch *watch; /* conmon; once conmon is lost, the container's first process */
	bool conmon_lost;
	bool busy, removing;
	bool host_pid;
	struct env_timer kill_timer;
	struct stop_waiter *waiters;
};

/* Blocking work for one operation. Embed it first; job_start hands it over. */
struct job {
	struct env_work work;
	struct crun *rt;
	struct arena arena;
	struct err err;
	int r;
	void (*run)(struct job *job);
	void (*finish)(struct job *job); /* then the job is freed */
	runtime_done_fn done;
	void *ctx;
	struct str id;
};

/* size: of the struct that embeds it. The id is copied. */
struct job *job_new(struct crun *rt, size_t size, struct str id, runtime_done_fn done, void *ctx);
void job_start(struct job *job);
/* Calls done with the job's err. */
void job_done(struct job *job);
/* Without work: done comes on the next turn. err is taken over (may be NULL). */
void crun_reply(struct crun *rt, struct str id, runtime_done_fn done, void *ctx, struct err *err);

/* Paths, in the arena. */
const char *crun_container_dir(const struct crun *rt, struct str id, struct arena *arena);
const char *crun_sandbox_dir(const struct crun *rt, struct str id, struct arena *arena);
const char *crun_sandbox_run_dir(const struct crun *rt, struct str id, struct arena *arena);
const char *crun_exit_file(const struct crun *rt, struct str id, struct arena *arena);
/* 64 hex digits of the parts. */
struct str crun_make_id(struct arena *arena, struct str pod_uid, struct str name, uint32_t attempt);

/* state.json. Reading fills a new struct; ERR_NOT_FOUND or ERR_CORRUPT mean half made. */
MUST_USE int crun_sandbox_save(const struct crun *rt, const struct sandbox *s, struct err *err);
MUST_USE int crun_sandbox_load(const struct crun *rt, struct str id, struct sandbox **ret,
			       struct err *err);
MUST_USE int crun_container_save(const struct crun *rt, const struct container *c, struct err *err);
/* *ret_same_boot: the machine has not been restarted since. */
MUST_USE int crun_container_load(struct crun *rt, struct str id, struct container **ret,
				 bool *ret_same_boot, struct err *err);
struct runtime_pairs crun_pairs_dup(struct arena *arena, struct runtime_pairs pairs);

void sandbox_free(struct sandbox *s);
void container_free(struct container *c);
struct container *crun_container(struct runtime *rt, struct str id);
static inline struct crun *crun_of(struct runtime *rt)
{
	return CONTAINER_OF(rt, struct crun, base);
}

/* crun_sandbox.c */
void crun_sandbox_create(struct runtime *rt, const struct sandbox_spec *spec, runtime_done_fn done,
			 void *ctx);
void crun_sandbox_stop(struct runtime *rt, struct str id, runtime_done_fn done, void *ctx);
void crun_sandbox_remove(struct runtime *rt, struct str id, runtime_done_fn done, void *ctx);
/* Worker: unmounts and removes what lives outside of state_dir. Idempotent. */
MUST_USE int crun_sandbox_release(const struct crun *rt, struct str id, const char *cgroup_path,
				  struct err *err);

/* crun_create.c */
void crun_container_create(struct runtime *rt, const struct container_spec *spec,
			   runtime_done_fn done, void *ctx);
void crun_container_start(struct runtime *rt, struct str id, runtime_done_fn done, void *ctx);

/* crun_conmon.c */
struct conmon_opts {
	const struct crun *rt;
	struct str id;
	const char *dir; /* the bundle */
	struct str log_path;
	bool tty, stdin, stdin_once;
};
/* Worker: returns when the container is created, with the pid of its first process. ERR_NOT_FOUND if its command does not exist. */
MUST_USE int crun_conmon_start(const struct conmon_opts *opts, struct arena *arena, int *ret_pid,
			       struct err *err);
/* 0 if the file is missing or holds no pid. */
int crun_read_pid(const char *path);

/* crun_remove.c */
void crun_container_remove(struct runtime *rt, struct str id, runtime_done_fn done, void *ctx);
/* Worker: `crun ARGS...` (NULL-terminated), an error with its message unless it succeeds. */
MUST_USE int crun_run(const struct crun *rt, const char *const *args, struct err *err);
/* Worker: kills and removes the group with all below it. */
MUST_USE int crun_remove_cgroup(const struct crun *rt, const char *path, struct err *err);
/* Worker: kills what runs, lets crun forget it, unmounts. Status and log stay. cgroup_path may be NULL if unknown. Idempotent. */
MUST_USE int crun_container_release(const struct crun *rt, struct str id, const char *cgroup_path,
				    struct err *err);
/* Worker: release, then the directory. */
MUST_USE int crun_container_destroy(const struct crun *rt, struct str id, const char *cgroup_path,
				    struct err *err);

/* crun_exit.c */
MUST_USE int crun_exits_open(struct crun *rt, struct err *err);
void crun_exits_close(struct crun *rt);
/* A container that was created: wait for its end. If it has ended already, the event comes from here. */
void crun_exits_follow(struct container *c);
void crun_container_stop(struct runtime *rt, struct str id, int64_t grace_ms, runtime_done_fn done,
			 void *ctx);
/* Marks it as ended without having been seen; saves, no event. */
void crun_exits_mark_lost(struct container *c, const char *message);
/* Signals the container's first process. ERR_CLOSED if it has ended. */
MUST_USE int crun_signal_init(const struct container *c, int signum);

/* crun_exec.c */
/* Worker: ends commands whose session died with an earlier process of ours. */
MUST_USE int crun_exec_recover(const struct crun *rt, struct err *err);
void crun_exec_sync(struct runtime *rt, const struct exec_spec *spec, exec_done_fn done, void *ctx);
MUST_USE int crun_exec_start(struct runtime *rt, const struct exec_spec *spec,
			     const struct exec_events *events, struct exec_session **ret,
			     struct err *err);
void crun_exec_resize(struct exec_session *session, int width, int height);
void crun_exec_kill(struct exec_session *session);
MUST_USE int crun_container_attach(struct runtime *rt, struct str id, struct err *err);
MUST_USE int crun_container_reopen_log(struct runtime *rt, struct str id, struct err *err);
MUST_USE int crun_container_resize(struct runtime *rt, struct str id, int width, int height,
				   struct err *err);
