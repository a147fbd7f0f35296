/* SPDX-License-Identifier: Apache-2.0 */
#include "ingress/nginx.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <uv.h>

#include "base/cleanup.h"
#include "ingress/control.h"
#include "ingress/nginx_log.h"
#include "ingress/nginx_spawn.h"

#define ANSWER_TIMEOUT_NS (5 * NS_PER_SEC)
#define UPDATE_TIMEOUT_NS (10 * NS_PER_SEC)
#define POLL_NS (20 * NS_PER_MS)
/* A reload that took longer did not happen. */
#define RELOAD_TIMEOUT_NS (20 * NS_PER_SEC)
#define RELOAD_PAUSE_NS NS_PER_SEC
/* One that lived longer was not broken from the start. */
#define LIVED_NS (10 * NS_PER_SEC)
#define BACKOFF_NS (100 * NS_PER_MS)
#define BACKOFF_DOUBLINGS_MAX 7

/* What is under way; at most one thing. step() begins the next. */
enum activity { NOTHING, PROBING, TESTING, STARTING, RELOADING };

/* The loop's view of the master; of its own, because it is freed by the loop. */
struct watch {
	uv_poll_t poll;
	struct nginx *nginx; /* NULL: nobody cares any more */
	int pidfd;
};

struct test {
	struct env_work work;
	struct nginx *nginx; /* NULL: freed meanwhile */
	struct nginx_spawn spawn;
	char *text, *runtime_dir;
	char generation[RENDER_GENERATION_LEN + 1];
	struct buf output;
	int result;
	struct err err;
};

struct nginx {
	struct nginx_opts opts;
	struct env *env;
	char *dir, *control_path;
	struct nginx_log *log;
	enum activity activity;
	bool probed, up, quitting;
	char *text; /* what is wanted; NULL: nothing yet */
	char wanted[RENDER_GENERATION_LEN + 1];
	char rejected[RENDER_GENERATION_LEN + 1];
	char on_disk[RENDER_GENERATION_LEN + 1];
	char running[RENDER_GENERATION_LEN + 1];
	pid_t pid;     /* the master, or 0 */
	pid_t orphans; /* process group of workers whose master died, or 0 */
	struct watch *watch;
	struct test *test;
	struct control *control; /* a status request */
	struct control *update;
	struct env_timer timer; /* of step(), or of the next status request */
	int64_t started_at, reloaded_at, deadline;
	int64_t start_not_before;
	unsigned failures;
};

static void step(struct nginx *n);
static void ask_status(struct nginx *n);

bool nginx_is_up(const struct nginx *n)
{
	return n->up;
}

bool nginx_is_current(const struct nginx *n)
{
	return n->up && n->text && strcmp(n->wanted, n->running) == 0;
}

pid_t nginx_pid(const struct nginx *n)
{
	return n->pid;
}

static int write_file(const char *dir, const char *name, struct str contents, struct err *err)
{
	struct buf path CLEANUP_BUF = {0}, temp CLEANUP_BUF = {0};
	int fd CLEANUP_FD = -1;

	buf_printf(&path, "%s/%s", dir, name);
	buf_printf(&temp, "%s/%s.new", dir, name);
	fd = open(buf_cstr(&temp), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 || write(fd, contents.p, contents.n) != (ssize_t)contents.n ||
	    rename(buf_cstr(&temp), buf_cstr(&path)) < 0) {
		return err_set_errno(err, errno, "%s", buf_cstr(&path));
	}
	return 0;
}

int nginx_write_file(const struct nginx *n, const char *name, struct str contents, struct err *err)
{
	return write_file(n->dir, name, contents, err);
}

/* ---- the process ---- */

static void handle_watch_closed(uv_handle_t *handle)
{
	struct watch *watch = handle->data;

	close(watch->pidfd);
	mem_free(watch);
}

static void drop_watch(struct nginx *n)
{
	if (n->watch) {
		n->watch->nginx = NULL;
		uv_close((uv_handle_t *)&n->watch->poll, handle_watch_closed);
		n->watch = NULL;
	}
}

static void end_activity(struct nginx *n)
{
	env_timer_stop(n->env, &n->timer);
	control_cancel(n->control);
	n->control = NULL;
	if (n->activity != TESTING) {
		n->activity = NOTHING;
	}
}

static void handle_death(uv_poll_t *poll, int status UNUSED, int events UNUSED)
{
	struct watch *watch = poll->data;
	struct nginx *n = watch->nginx;
	int64_t now;
	int wstatus;

	if (!n) {
		return;
	}
	now = env_mono_ns(n->env);
	waitpid(n->pid, &wstatus, WNOHANG); /* ECHILD when it was adopted */
	log_write(n->opts.log, n->quitting ? LOG_INFO : LOG_WARNING, "nginx (pid %d) ended",
		  (int)n->pid);
	/* Its workers go on without a master, with what they know. They may until the next nginx is there. */
	n->orphans = kill(-n->pid, 0) == 0 ? n->pid : 0;
	n->pid = 0;
	n->up = false;
	n->running[0] = '\0';
	drop_watch(n);
	end_activity(n);
	n->failures = now - n->started_at > LIVED_NS ? 0 : n->failures + 1;
	n->start_not_before = now;
	if (n->failures > 1) {
		n->start_not_before += BACKOFF_NS
				       << MIN(n->failures - 2, (unsigned)BACKOFF_DOUBLINGS_MAX);
	}
	step(n);
}

static int watch_master(struct nginx *n, pid_t pid, struct err *err)
{
	int pidfd = pidfd_open(pid, 0);

	if (pidfd < 0) {
		return err_set_errno(err, errno, "cannot watch nginx (pid %d)", (int)pid);
	}
	n->pid = pid;
	n->watch = NEW(struct watch);
	n->watch->nginx = n;
	n->watch->pidfd = pidfd;
	ASSERT(uv_poll_init(loop_uv(n->opts.loop), &n->watch->poll, pidfd) == 0);
	n->watch->poll.data = n->watch;
	ASSERT(uv_poll_start(&n->watch->poll, UV_READABLE, handle_death) == 0);
	return 0;
}

static void quit_orphans(struct nginx *n)
{
	if (n->orphans) {
		kill(-n->orphans, SIGQUIT);
		n->orphans = 0;
	}
}

/* ---- status: is it there, and with which configuration ---- */

struct status {
	char generation[RENDER_GENERATION_LEN + 1];
	pid_t master, worker;
	bool former_accept; /* workers of another configuration still take connections */
};

/* "cox-ingress 1 SEQ GENERATION MASTER WORKER FORMER" */
static bool parse_status(struct str line, struct status *ret)
{
	struct str word[7];
	int64_t master, worker;
	struct str rest = line;

	for (size_t i = 0; i < ARRAY_LEN(word); i++) {
		if (!str_cut(&rest, ' ', &word[i])) {
			return false;
		}
	}
	if (rest.p || !str_is(word[0], "cox-ingress") || !str_is(word[1], "1") ||
	    word[3].n != RENDER_GENERATION_LEN || str_to_int64(word[4], &master) < 0 ||
	    str_to_int64(word[5], &worker) < 0 || master < 2 || worker < 2 || master > INT32_MAX ||
	    worker > INT32_MAX) {
		return false;
	}
	memcpy(ret->generation, word[3].p, word[3].n);
	ret->generation[RENDER_GENERATION_LEN] = '\0';
	ret->master = (pid_t)master;
	ret->worker = (pid_t)worker;
	ret->former_accept = !str_is(word[6], "0");
	return true;
}

static void handle_poll_timer(struct env_timer *timer)
{
	struct nginx *n = CONTAINER_OF(timer, struct nginx, timer);

	if (n->activity == NOTHING) {
		step(n);
	} else {
		ask_status(n);
	}
}

/* We came, and one ran already. */
static void adopt(struct nginx *n, const struct status *status)
{
	struct err err CLEANUP_ERR = {0};

	if (watch_master(n, status->master, &err) < 0) {
		/* Only workers are left. */
		n->orphans = getpgid(status->worker) == status->master ? status->master : 0;
		return;
	}
	log_info(n->opts.log, "found nginx running (pid %d)", (int)n->pid);
	memcpy(n->running, status->generation, sizeof(n->running));
	memcpy(n->on_disk, status->generation, sizeof(n->on_disk));
	n->started_at = env_mono_ns(n->env);
	n->up = true;
	n->opts.callbacks->up(n->opts.ctx);
	if (strcmp(n->running, n->wanted) == 0) {
		n->opts.callbacks->applied(n->opts.ctx);
	}
}

static void handle_probe(struct nginx *n, int code, const struct status *status)
{
	n->activity = NOTHING;
	n->probed = true;
	if (status) {
		adopt(n, status);
	} else if (code != ERR_NOT_FOUND) {
		log_warning(n->opts.log,
			    "something holds %s but does not answer as our nginx: starting another "
			    "one beside it",
			    n->control_path);
	}
	step(n);
}

static void finish_start(struct nginx *n)
{
	struct buf snapshot CLEANUP_BUF = {0};

	n->activity = NOTHING;
	n->up = true;
	buf_printf(&snapshot, "%s/snapshot", n->dir);
	unlink(buf_cstr(&snapshot));
	quit_orphans(n);
	log_info(n->opts.log, "nginx runs (pid %d)", (int)n->pid);
	n->opts.callbacks->up(n->opts.ctx);
	if (strcmp(n->running, n->wanted) == 0) {
		n->opts.callbacks->applied(n->opts.ctx);
	}
	step(n);
}

static void finish_reload(struct nginx *n)
{
	n->activity = NOTHING;
	if (strcmp(n->running, n->wanted) == 0) {
		n->opts.callbacks->applied(n->opts.ctx);
	}
	step(n);
}

static void give_up(struct nginx *n)
{
	if (n->activity == STARTING) {
		log_error(n->opts.log, "nginx (pid %d) does not answer after its start: killed",
			  (int)n->pid);
		n->activity = NOTHING;
		kill(-n->pid, SIGKILL); /* its end brings us on */
		return;
	}
	log_error(n->opts.log,
		  "nginx (pid %d) did not take the new configuration: the former one stays; its "
		  "log says why",
		  (int)n->pid);
	n->activity = NOTHING;
	memcpy(n->rejected, n->on_disk, sizeof(n->rejected));
	memcpy(n->on_disk, n->running, sizeof(n->on_disk));
	step(n);
}

static void handle_status(void *ctx, int code, int http_status, struct str line)
{
	struct nginx *n = ctx;
	struct status status;
	bool ok = code == 0 && http_status == 200 && parse_status(line, &status);

	n->control = NULL;
	if (n->activity == PROBING) {
		handle_probe(n, code, ok ? &status : NULL);
		return;
	}
	if (ok && status.master == n->pid && !status.former_accept &&
	    strcmp(status.generation, n->on_disk) == 0) {
		memcpy(n->running, status.generation, sizeof(n->running));
		(n->activity == STARTING ? finish_start : finish_reload)(n);
		return;
	}
	if (env_mono_ns(n->env) > n->deadline) {
		give_up(n);
		return;
	}
	env_timer_start_in(n->env, &n->timer, POLL_NS);
}

static void ask_status(struct nginx *n)
{
	n->control = control_start(n->opts.loop, n->control_path, "/status", STR_NULL,
				   ANSWER_TIMEOUT_NS, handle_status, n);
}

/* ---- what step() begins ---- */

static void run_test(struct env_work *work)
{
	struct test *t = CONTAINER_OF(work, struct test, work);
	char chunk[4096];
	ssize_t got;
	int fd CLEANUP_FD = -1;
	struct buf path CLEANUP_BUF = {0};

	t->result = write_file(t->runtime_dir, "test.conf", str_of(t->text), &t->err);
	if (t->result < 0) {
		return;
	}
	t->result = nginx_test(&t->spawn, "test.log", &t->err);
	buf_printf(&path, "%s/test.log", t->runtime_dir);
	fd = open(buf_cstr(&path), O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && t->output.n < 65536 && (got = read(fd, chunk, sizeof(chunk))) > 0) {
		buf_add(&t->output, chunk, (size_t)got);
	}
}

static void take_test(struct nginx *n, struct test *t)
{
	struct str message;
	int64_t line;

	if (t->result == 0) {
		t->result = write_file(n->dir, "nginx.conf", str_of(t->text), &t->err);
	}
	if (t->result == 0) {
		memcpy(n->on_disk, t->generation, sizeof(n->on_disk));
		return;
	}
	memcpy(n->rejected, t->generation, sizeof(n->rejected));
	if (t->result != ERR_INVALID) {
		log_error(n->opts.log,
			  "cannot apply the new configuration, the former one stays: %s",
			  err_msg(&t->err));
		return;
	}
	nginx_find_complaint(buf_str(&t->output), &line, &message);
	log_error(n->opts.log, "the new configuration is not applied, the former one stays: %.*s",
		  STR_ARG(message));
	n->opts.callbacks->rejected(n->opts.ctx, str_of(t->text), line, message);
}

static void finish_test(struct env_work *work)
{
	struct test *t = CONTAINER_OF(work, struct test, work);
	struct nginx *n = t->nginx;

	if (n) {
		n->test = NULL;
		n->activity = NOTHING;
		take_test(n, t);
		step(n);
	}
	mem_free(t->text);
	mem_free(t->runtime_dir);
	buf_fini(&t->output);
	err_clear(&t->err);
	mem_free(t);
}

static void begin_test(struct nginx *n)
{
	struct test *t = NEW(struct test);

	t->nginx = n;
	t->work.run = run_test;
	t->work.done = finish_test;
	t->text = str_dup_cstr(str_of(n->text));
	t->runtime_dir = str_dup_cstr(str_of(n->dir));
	memcpy(t->generation, n->wanted, sizeof(t->generation));
	t->spawn = (struct nginx_spawn){.path = n->opts.path,
					.runtime_dir = t->runtime_dir,
					.conf = "test.conf",
					.fds = n->opts.fds,
					.nfds = n->opts.nfds,
					.extra_fd = -1};
	n->test = t;
	n->activity = TESTING;
	env_work(n->env, &t->work);
}

/* A fresh one for each start: what a dead nginx left in its queue is refused, so that we notice. */
static int open_control(struct nginx *n, struct err *err)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd CLEANUP_FD = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", n->control_path);
	unlink(n->control_path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(fd, 64) < 0) {
		return err_set_errno(err, errno, "%s", n->control_path);
	}
	return STEAL_FD(fd);
}

static int try_start(struct nginx *n, struct err *err)
{
	struct buf snapshot CLEANUP_BUF = {0};
	int control CLEANUP_FD = open_control(n, err);
	struct nginx_spawn spawn = {.path = n->opts.path,
				    .runtime_dir = n->dir,
				    .conf = "nginx.conf",
				    .fds = n->opts.fds,
				    .nfds = n->opts.nfds,
				    .extra_fd = control,
				    .output_fd = n->opts.log ? n->opts.log->fd : -1};
	pid_t pid;
	int r;

	if (control < 0) {
		return control;
	}
	n->opts.callbacks->snapshot(n->opts.ctx, &snapshot);
	r = nginx_write_file(n, "snapshot", buf_str(&snapshot), err);
	if (r < 0) {
		return r;
	}
	pid = nginx_spawn(&spawn, err);
	return pid < 0 ? pid : watch_master(n, pid, err);
}

static void begin_start(struct nginx *n)
{
	struct err err CLEANUP_ERR = {0};

	n->started_at = env_mono_ns(n->env);
	if (try_start(n, &err) < 0) {
		log_error(n->opts.log, "cannot start nginx: %s", err_msg(&err));
		n->failures++;
		n->start_not_before =
			n->started_at +
			(BACKOFF_NS << MIN(n->failures, (unsigned)BACKOFF_DOUBLINGS_MAX));
		step(n);
		return;
	}
	n->activity = STARTING;
	n->reloaded_at = n->started_at;
	n->deadline = n->started_at + RELOAD_TIMEOUT_NS;
	ask_status(n);
}

static void begin_reload(struct nginx *n)
{
	n->activity = RELOADING;
	n->reloaded_at = env_mono_ns(n->env);
	n->deadline = n->reloaded_at + RELOAD_TIMEOUT_NS;
	pidfd_send_signal(n->watch->pidfd, SIGHUP, NULL, 0);
	ask_status(n);
}

static void wait_until(struct nginx *n, int64_t at)
{
	env_timer_start(n->env, &n->timer, at);
}

/* Compares what should be with what is, and begins the next thing to do. Called whenever something ended or changed. */
static void step(struct nginx *n)
{
	int64_t now = env_mono_ns(n->env);

	if (n->activity != NOTHING || !n->text || n->quitting) {
		return;
	}
	if (!n->probed) {
		n->activity = PROBING;
		ask_status(n);
	} else if (strcmp(n->wanted, n->on_disk) != 0 && strcmp(n->wanted, n->rejected) != 0) {
		if (n->pid && now < n->reloaded_at + RELOAD_PAUSE_NS) {
			wait_until(n, n->reloaded_at + RELOAD_PAUSE_NS);
			return;
		}
		begin_test(n);
	} else if (!n->on_disk[0]) {
		return; /* nothing that nginx would take */
	} else if (!n->pid) {
		if (now < n->start_not_before) {
			wait_until(n, n->start_not_before);
			return;
		}
		begin_start(n);
	} else if (strcmp(n->running, n->on_disk) != 0) {
		begin_reload(n);
	}
}

void nginx_configure(struct nginx *n, struct str text, const char *generation)
{
	if (n->text && strcmp(n->wanted, generation) == 0) {
		return;
	}
	mem_free(n->text);
	n->text = str_dup_cstr(text);
	snprintf(n->wanted, sizeof(n->wanted), "%s", generation);
	if (n->up && strcmp(n->wanted, n->running) == 0 && strcmp(n->wanted, n->on_disk) == 0) {
		n->opts.callbacks->applied(n->opts.ctx); /* there and back again */
		return;
	}
	step(n);
}

static void handle_update(void *ctx, int code, int http_status, struct str line)
{
	struct nginx *n = ctx;

	n->update = NULL;
	n->opts.callbacks->updated(n->opts.ctx, code < 0 ? 0 : http_status,
				   code < 0 ? str_of(err_text(code)) : line);
}

void nginx_update(struct nginx *n, struct str body)
{
	ASSERT(!n->update && n->up);
	n->update = control_start(n->opts.loop, n->control_path, "/update", body, UPDATE_TIMEOUT_NS,
				  handle_update, n);
}

void nginx_quit(struct nginx *n)
{
	n->quitting = true;
	end_activity(n);
	quit_orphans(n);
	if (n->watch) {
		pidfd_send_signal(n->watch->pidfd, SIGQUIT, NULL, 0);
	}
}

static int prepare_dir(const char *dir, struct err *err)
{
	struct buf temp CLEANUP_BUF = {0};
	struct stat st;

	if (dir[0] != '/' || strlen(dir) > NGINX_DIR_MAX || strpbrk(dir, " \t\r\n\"'\\;{}$?%")) {
		return err_set(err, ERR_INVALID,
			       "runtime directory '%s' must be absolute, at most %d bytes, of "
			       "plain characters",
			       dir, NGINX_DIR_MAX);
	}
	buf_printf(&temp, "%s/temp", dir);
	if ((mkdir(dir, 0700) < 0 && errno != EEXIST) || lstat(dir, &st) < 0) {
		return err_set_errno(err, errno, "%s", dir);
	}
	if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077)) {
		return err_set(err, ERR_DENIED,
			       "%s must be a directory of uid %u with mode 0700: keys lie there",
			       dir, (unsigned)geteuid());
	}
	if (mkdir(buf_cstr(&temp), 0700) < 0 && errno != EEXIST) {
		return err_set_errno(err, errno, "%s", buf_cstr(&temp));
	}
	return 0;
}

/* nginx takes inherited sockets as they are: on a blocking one a worker that lost the race for a connection hangs in accept. */
static int prepare_sockets(const struct nginx_opts *opts, struct err *err)
{
	for (size_t i = 0; i < opts->nfds; i++) {
		int flags = fcntl(opts->fds[i], F_GETFL);

		if (flags < 0 || fcntl(opts->fds[i], F_SETFL, flags | O_NONBLOCK) < 0) {
			return err_set_errno(err, errno, "listening socket %d", opts->fds[i]);
		}
	}
	return 0;
}

struct nginx *nginx_new(const struct nginx_opts *opts, struct err *err)
{
	struct buf path CLEANUP_BUF = {0};
	struct nginx *n;

	if (geteuid() == 0) {
		err_set(err, ERR_DENIED,
			"the ingress does not run as root; start it as another user and hand it "
			"its listening sockets");
		return NULL;
	}
	if (prepare_dir(opts->runtime_dir, err) < 0 || prepare_sockets(opts, err) < 0) {
		return NULL;
	}
	n = NEW(struct nginx);
	n->opts = *opts;
	n->env = loop_env(opts->loop);
	n->timer.fn = handle_poll_timer;
	n->dir = str_dup_cstr(str_of(opts->runtime_dir));
	buf_printf(&path, "%s/control.sock", n->dir);
	n->control_path = str_dup_cstr(buf_str(&path));
	buf_clear(&path);
	buf_printf(&path, "%s/log.sock", n->dir);
	n->log = nginx_log_new(opts->loop, opts->log, buf_cstr(&path), err);
	if (!n->log) {
		nginx_free(n);
		return NULL;
	}
	return n;
}

void nginx_free(struct nginx *n)
{
	if (!n) {
		return;
	}
	end_activity(n);
	control_cancel(n->update);
	if (n->test) {
		n->test->nginx = NULL;
	}
	drop_watch(n);
	nginx_log_free(n->log);
	mem_free(n->text);
	mem_free(n->dir);
	mem_free(n->control_path);
	mem_free(n);
}
