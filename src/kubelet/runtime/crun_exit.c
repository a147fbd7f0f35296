/* SPDX-License-Identifier: Apache-2.0 */
/* How containers end. conmon writes the exit code to exits/<id> by rename, then exits. We see the rename by inotify on the one directory, and
 * conmon's end by its pidfd. If conmon has ended without an exit file, it was killed: the container has lost its log and standard streams and
 * nobody will learn its exit code, so it is killed too and reported as ContainerStatusUnknown. */
#include "kubelet/runtime/crun_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "kubelet/images/image_store.h"
#include "kubelet/runtime/oci_spec.h"
#include "linux/file.h"

enum { KILLED = 137, EXIT_FILE_MAX = 64 };

struct stop_waiter {
	runtime_done_fn done;
	void *ctx;
	struct stop_waiter *next;
};

int crun_signal_init(const struct container *c, int signum)
{
	int fd CLEANUP_FD = proc_open(c->init.pid, c->init.start_time);

	return fd < 0 || pidfd_send_signal(fd, signum, NULL, 0) < 0 ? ERR_CLOSED : 0;
}

/* ---- the end ---- */

/* The caller hears of it before those who wait for it. The container may be gone afterwards. */
static void announce(struct container *c)
{
	struct crun *rt = c->rt;
	struct arena a CLEANUP_ARENA = {0};
	struct str id = arena_str(&a, c->status.id);
	struct stop_waiter *w = STEAL(c->waiters);

	env_timer_stop(rt->env, &c->kill_timer);
	if (!c->removing && rt->base.exited) {
		rt->base.exited(rt->base.exited_ctx, &c->status);
	}
	while (w) {
		struct stop_waiter *next = w->next;

		w->done(w->ctx, id, NULL);
		mem_free(w);
		w = next;
	}
}

static void mark_ended(struct container *c, int exit_code, const char *reason, const char *message,
		       int64_t at_ns)
{
	struct container_status *st = &c->status;
	struct err err CLEANUP_ERR = {0};

	st->state = CONTAINER_EXITED;
	st->exit_code = exit_code;
	st->reason = str_of(reason);
	st->message = arena_str(&c->arena, str_of(message));
	/* files carry the time of the last tick, which may be before what we saw */
	st->finished_at_ns = MAX(at_ns, MAX(st->created_at_ns, st->started_at_ns));
	st->pid = 0;
	proc_watch_free(STEAL(c->watch));
	if (crun_container_save(c->rt, c, &err) < 0) {
		/* after a restart the exit file in the container's directory still tells it */
		log_warning(c->rt->log, "cannot record the end of container %.*s: %s",
			    STR_ARG(st->name), err_msg(&err));
	}
}

void crun_exits_mark_lost(struct container *c, const char *message)
{
	mark_ended(c, KILLED, "ContainerStatusUnknown", message, env_wall_ns(c->rt->env));
}

/* The code and when it was written; false if there is no such file yet. */
static bool read_exit(const char *path, int *ret_code, int64_t *ret_at_ns)
{
	struct buf text CLEANUP_BUF = {0};
	struct stat st;
	int64_t code;

	if (stat(path, &st) < 0 || file_read(AT_FDCWD, path, EXIT_FILE_MAX, &text, NULL) < 0 ||
	    str_to_int64(str_trim(buf_str(&text)), &code) < 0) {
		return false;
	}
	*ret_code = (int)code;
	*ret_at_ns = st.st_mtim.tv_sec * NS_PER_SEC + st.st_mtim.tv_nsec;
	return true;
}

/* Looks for the exit code in both places that conmon writes to. */
static bool take_exit(struct container *c)
{
	struct arena a CLEANUP_ARENA = {0};
	const char *dir = crun_container_dir(c->rt, c->status.id, &a);
	const char *shared = crun_exit_file(c->rt, c->status.id, &a);
	bool oom = file_exists(arena_printf(&a, "%s/oom", dir).p);
	int64_t at_ns;
	int code;

	if (!read_exit(shared, &code, &at_ns) &&
	    !read_exit(arena_printf(&a, "%s/exit", dir).p, &code, &at_ns)) {
		return false;
	}
	/* the oom mark also stands for children that were killed; only one that took the container with it counts */
	mark_ended(c, code,
		   code == KILLED && oom ? "OOMKilled"
		   : code == 0		 ? "Completed"
					 : "Error",
		   "", at_ns);
	unlink(shared);
	announce(c);
	return true;
}

static void handle_init_gone(void *ctx)
{
	struct container *c = ctx;

	crun_exits_mark_lost(c,
			     "its monitor process (conmon) was killed; the exit code is unknown");
	announce(c);
}

static void lose_conmon(struct container *c)
{
	int pidfd = proc_open(c->init.pid, c->init.start_time);

	c->conmon_lost = true;
	proc_watch_free(STEAL(c->watch));
	if (pidfd < 0) {
		handle_init_gone(c);
		return;
	}
	log_warning(c->rt->log, "conmon of container %.*s is gone; killing the container",
		    STR_ARG(c->status.name));
	c->watch = proc_watch_new(c->rt->uv, pidfd, handle_init_gone, c);
	if (pidfd_send_signal(pidfd, SIGKILL, NULL, 0) < 0) {
		log_debug(c->rt->log, 2, "container %.*s has just ended", STR_ARG(c->status.name));
	}
}

static void handle_conmon_gone(void *ctx)
{
	struct container *c = ctx;

	if (!take_exit(c)) {
		lose_conmon(c);
	}
}

void crun_exits_follow(struct container *c)
{
	int pidfd;

	if (c->status.state == CONTAINER_EXITED || c->watch) {
		return;
	}
	pidfd = proc_open(c->conmon.pid, c->conmon.start_time);
	if (pidfd >= 0) {
		c->watch = proc_watch_new(c->rt->uv, pidfd, handle_conmon_gone, c);
		return;
	}
	handle_conmon_gone(c);
}

/* ---- inotify ---- */

static void handle_exit_file(struct crun *rt, struct str name)
{
	struct container *c = map_find(&rt->containers, name);

	/* names with a suffix are the temporary files of conmon; unknown ones belong to containers being created or removed, which clean up */
	if (c && c->status.state != CONTAINER_EXITED) {
		take_exit(c);
	}
}

static void handle_inotify(uv_poll_t *poll, int status UNUSED, int events UNUSED)
{
	struct crun *rt = poll->data;
	char raw[16384] __attribute__((aligned(8)));
	ssize_t n = read(rt->inotify_fd, raw, sizeof(raw));

	for (ssize_t at = 0; n > 0 && at < n;) {
		const struct inotify_event *e = (const struct inotify_event *)(raw + at);

		if (e->mask & IN_Q_OVERFLOW) { /* 16384 ends at once: look at everybody */
			struct str id;
			void *value;

			for (size_t i = 0; map_next(&rt->containers, &i, &id, &value);) {
				handle_exit_file(rt, id);
			}
		} else if (e->len) {
			handle_exit_file(rt, str_of(e->name));
		}
		at += (ssize_t)(sizeof(*e) + e->len);
	}
}

int crun_exits_open(struct crun *rt, struct err *err)
{
	struct arena a CLEANUP_ARENA = {0};
	const char *dir = arena_printf(&a, "%s/exits", rt->run_dir).p;

	rt->inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (rt->inotify_fd < 0 ||
	    inotify_add_watch(rt->inotify_fd, dir, IN_MOVED_TO | IN_CLOSE_WRITE | IN_ONLYDIR) < 0) {
		return err_set_errno(err, errno, "cannot watch %s", dir);
	}
	rt->inotify = NEW(uv_poll_t);
	ASSERT(uv_poll_init(rt->uv, rt->inotify, rt->inotify_fd) == 0);
	rt->inotify->data = rt;
	ASSERT(uv_poll_start(rt->inotify, UV_READABLE, handle_inotify) == 0);
	return 0;
}

static void free_handle(uv_handle_t *handle)
{
	mem_free(handle);
}

void crun_exits_close(struct crun *rt)
{
	if (rt->inotify) {
		uv_close((uv_handle_t *)rt->inotify, free_handle);
		rt->inotify = NULL;
	}
	cleanup_fd(&rt->inotify_fd);
}

/* ---- stopping ---- */

struct kill_job {
	struct job job;
	const char *cgroup_path;
};

static void run_kill(struct job *job)
{
	job->r = cgroup_kill(&job->rt->cgroups,
			     CONTAINER_OF(job, struct kill_job, job)->cgroup_path, &job->err);
}

static void finish_kill(struct job *job)
{
	if (job->r < 0) {
		log_warning(job->rt->log, "cannot kill all processes of a container: %s",
			    err_msg(&job->err));
	}
}

/* The first process takes all others of its pid namespace along. In the node's own pid namespace the cgroup names them. */
static void kill_container(struct container *c)
{
	if (c->host_pid) {
		struct job *job = job_new(c->rt, sizeof(struct kill_job), c->status.id, NULL, NULL);

		CONTAINER_OF(job, struct kill_job, job)->cgroup_path =
			arena_cstr(&job->arena, c->status.cgroup_path);
		job->run = run_kill;
		job->finish = finish_kill;
		job_start(job);
		return;
	}
	if (crun_signal_init(c, SIGKILL) < 0) {
		log_debug(c->rt->log, 2, "container %.*s has ended by itself",
			  STR_ARG(c->status.name));
	}
}

static void handle_grace_over(struct env_timer *timer)
{
	kill_container(CONTAINER_OF(timer, struct container, kill_timer));
}

void crun_container_stop(struct runtime *base, struct str id, int64_t grace_ms,
			 runtime_done_fn done, void *ctx)
{
	struct crun *rt = crun_of(base);
	struct container *c = crun_container(base, id);
	struct stop_waiter *waiter;
	int64_t at;

	if (!c || c->status.state == CONTAINER_EXITED) {
		crun_reply(rt, id, done, ctx, NULL);
		return;
	}
	waiter = NEW(struct stop_waiter);
	*waiter = (struct stop_waiter){done, ctx, c->waiters};
	if (!c->waiters && grace_ms > 0 && c->status.state == CONTAINER_RUNNING) {
		int r = crun_signal_init(c, oci_spec_signal(c->stop_signal));

		log_debug(rt->log, 4, "container %.*s: stop signal %s", STR_ARG(c->status.name),
			  r < 0 ? "came too late" : "sent");
	}
	c->waiters = waiter;
	if (grace_ms <= 0 || c->status.state == CONTAINER_CREATED) {
		env_timer_stop(rt->env, &c->kill_timer);
		kill_container(c);
		return;
	}
	at = env_mono_ns(rt->env) + grace_ms * NS_PER_MS;
	if (!c->kill_timer.at_mono_ns || at < c->kill_timer.at_mono_ns) {
		c->kill_timer.fn = handle_grace_over;
		env_timer_start(rt->env, &c->kill_timer, at);
	}
}
