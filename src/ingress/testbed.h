/* SPDX-License-Identifier: Apache-2.0 */
/* ingress/testbed.h: for the tests with a real nginx: the controller on a loop, small backends in threads, a blocking HTTP client. Everything
 * listens on loopback, on ports the kernel chose; as root the test becomes nobody first, as the product does. */
#pragma once
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/test.h"
#include "base/vec.h"
#include "ingress/fixture.h"
#include "ingress/ingress.h"

/* behind base/, whose MIN must come first */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <uv.h>

#define PATIENCE_NS (20 * NS_PER_SEC)

/* ---- sockets ---- */

static inline int listen_loopback(int *ret_port)
{
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(addr);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0 && bind(fd, (struct sockaddr *)&addr, n) == 0 && listen(fd, 511) == 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &n), 0);
	*ret_port = ntohs(addr.sin_port);
	return fd;
}

/* From the loopback address `from` (NULL: 127.0.0.1). -1: refused. */
static inline int dial(int port, const char *from)
{
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_port = htons((uint16_t)port),
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_in local = {.sin_family = AF_INET};
	struct timeval patience = {.tv_sec = PATIENCE_NS / NS_PER_SEC};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	inet_pton(AF_INET, from ? from : "127.0.0.1", &local.sin_addr);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (bind(fd, (struct sockaddr *)&local, sizeof(local)) < 0 ||
	    connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static inline bool send_all(int fd, struct str s)
{
	return send(fd, s.p, s.n, MSG_NOSIGNAL) == (ssize_t)s.n;
}

/* Adds what arrives to `in` until it holds a whole message (head and Content-Length bytes). Returns its length, 0 at the end or on error. */
static inline size_t read_message(int fd, struct buf *in)
{
	for (;;) {
		ptrdiff_t head = str_find(buf_str(in), STR("\r\n\r\n"));
		int64_t length = 0;
		char chunk[16384];
		ssize_t got;

		if (head >= 0) {
			struct str lines = str_sub(buf_str(in), 0, (size_t)head), line;

			while (str_cut(&lines, '\n', &line)) {
				if (line.n > 15 &&
				    str_eq_nocase(str_sub(line, 0, 15), STR("Content-Length:"))) {
					assert_int_equal(
						str_to_int64(str_trim(str_from(line, 15)), &length),
						0);
				}
			}
			if (in->n >= (size_t)head + 4 + (size_t)length) {
				return (size_t)head + 4 + (size_t)length;
			}
		}
		got = recv(fd, chunk, sizeof(chunk), 0);
		if (got <= 0) {
			return 0;
		}
		buf_add(in, chunk, (size_t)got);
	}
}

/* ---- backend: answers with its name, the request line and the headers it got ---- */

struct backend {
	const char *name;
	int fd, port;
	int stop_fd; /* readable: ends */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int connections, holding; /* under the lock; holding: requests for /hold */
	bool released;
};

struct backend_conn {
	struct backend *backend;
	int fd;
};

static inline bool serve_one(struct backend *b, int fd, struct str request)
{
	struct buf out CLEANUP_BUF = {0};
	struct str line, rest = request;
	bool ok;

	str_cut(&rest, '\r', &line);
	if (str_contains(line, STR("/hold"))) {
		pthread_mutex_lock(&b->lock);
		b->holding++;
		pthread_cond_broadcast(&b->changed);
		while (!b->released) {
			pthread_cond_wait(&b->changed, &b->lock);
		}
		b->holding--;
		pthread_mutex_unlock(&b->lock);
	}
	if (str_contains(line, STR("/ws")) &&
	    str_contains(request, STR("\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"))) {
		char c;

		buf_puts(&out, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: "
			       "websocket\r\nConnection: Upgrade\r\n\r\n");
		for (ok = send_all(fd, buf_str(&out)); ok && recv(fd, &c, 1, 0) == 1;) {
			ok = send_all(fd, str_make(&c, 1));
		}
		return false;
	}
	buf_printf(&out,
		   "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\nAccess-Control-Allow-Origin: "
		   "backend\r\n\r\n%s %.*s",
		   strlen(b->name) + 1 + request.n, b->name, STR_ARG(request));
	return send_all(fd, buf_str(&out));
}

/* There is a request, rather than an idle connection of a backend that ends. */
static inline bool wait_request(const struct backend *b, int fd)
{
	struct pollfd fds[] = {{.fd = fd, .events = POLLIN}, {.fd = b->stop_fd, .events = POLLIN}};

	poll(fds, 2, -1);
	return fds[0].revents;
}

static inline void *serve_conn(void *arg)
{
	struct backend_conn conn = *(struct backend_conn *)arg;
	struct backend *b = conn.backend;
	struct buf in CLEANUP_BUF = {0};
	size_t n;

	mem_free(arg);
	while (wait_request(b, conn.fd) && (n = read_message(conn.fd, &in)) > 0 &&
	       serve_one(b, conn.fd, str_sub(buf_str(&in), 0, n))) {
		buf_consume(&in, n);
	}
	close(conn.fd);
	pthread_mutex_lock(&b->lock);
	b->connections--;
	pthread_cond_broadcast(&b->changed);
	pthread_mutex_unlock(&b->lock);
	return NULL;
}

static inline void *accept_conns(void *arg)
{
	struct backend *b = arg;
	int fd;

	while ((fd = accept4(b->fd, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		struct backend_conn *conn = NEW(struct backend_conn);
		pthread_t thread;

		*conn = (struct backend_conn){b, fd};
		pthread_mutex_lock(&b->lock);
		b->connections++;
		pthread_mutex_unlock(&b->lock);
		assert_int_equal(pthread_create(&thread, NULL, serve_conn, conn), 0);
		pthread_detach(thread);
	}
	return NULL;
}

static inline void backend_start(struct backend *b, const char *name)
{
	*b = (struct backend){.name = name};
	pthread_mutex_init(&b->lock, NULL);
	pthread_cond_init(&b->changed, NULL);
	b->fd = listen_loopback(&b->port);
	b->stop_fd = eventfd(0, EFD_CLOEXEC);
	assert_int_equal(pthread_create(&b->thread, NULL, accept_conns, b), 0);
}

/* As a server that ends well: no new connections, idle ones closed, the others after their request. */
static inline void backend_stop(struct backend *b)
{
	eventfd_write(b->stop_fd, 1);
	shutdown(b->fd, SHUT_RDWR);
	pthread_join(b->thread, NULL);
	close(b->fd);
	pthread_mutex_lock(&b->lock);
	b->released = true;
	pthread_cond_broadcast(&b->changed);
	while (b->connections) {
		pthread_cond_wait(&b->changed, &b->lock);
	}
	pthread_mutex_unlock(&b->lock);
	close(b->stop_fd);
	pthread_mutex_destroy(&b->lock);
	pthread_cond_destroy(&b->changed);
}

static inline void backend_wait_holding(struct backend *b, int n)
{
	pthread_mutex_lock(&b->lock);
	while (b->holding < n) {
		pthread_cond_wait(&b->changed, &b->lock);
	}
	pthread_mutex_unlock(&b->lock);
}

static inline void backend_release(struct backend *b)
{
	pthread_mutex_lock(&b->lock);
	b->released = true;
	pthread_cond_broadcast(&b->changed);
	pthread_mutex_unlock(&b->lock);
}

/* ---- client ---- */

struct ask {
	const char *method, *host, *path; /* NULL: GET, a.example, / */
	const char *headers;		  /* each with \r\n */
	struct str body;
	const char *from;
};

struct reply {
	int status; /* 0: no answer */
	struct buf text;
};

static inline void format_ask(struct buf *out, const struct ask *ask, bool keep_alive)
{
	buf_printf(out, "%s %s HTTP/1.1\r\nHost: %s\r\n%s%s", ask->method ? ask->method : "GET",
		   ask->path ? ask->path : "/", ask->host ? ask->host : "a.example",
		   ask->headers ? ask->headers : "", keep_alive ? "" : "Connection: close\r\n");
	if (ask->body.p) {
		buf_printf(out, "Content-Length: %zu\r\n", ask->body.n);
	}
	buf_puts(out, "\r\n");
	buf_add_str(out, ask->body);
}

static inline int status_of(struct str text)
{
	int64_t status = 0;

	return str_has_prefix(text, STR("HTTP/1.1 ")) &&
			       str_to_int64(str_sub(text, 9, 3), &status) == 0
		       ? (int)status
		       : 0;
}

static inline void fetch(int port, const struct ask *ask, struct reply *ret)
{
	struct buf out CLEANUP_BUF = {0};
	int fd CLEANUP_FD = dial(port, ask->from);
	char chunk[16384];
	ssize_t n;

	*ret = (struct reply){0};
	assert_true(fd >= 0);
	format_ask(&out, ask, false);
	send_all(fd, buf_str(&out)); /* refused bodies are answered before they are read */
	while ((n = recv(fd, chunk, sizeof(chunk), 0)) > 0) {
		buf_add(&ret->text, chunk, (size_t)n);
	}
	ret->status = status_of(buf_str(&ret->text));
}

static inline int fetch_status(int port, const struct ask *ask)
{
	struct reply reply;

	fetch(port, ask, &reply);
	buf_fini(&reply.text);
	return reply.status;
}

static inline bool reply_has(const struct reply *reply, const char *text)
{
	return str_contains(buf_str(&reply->text), str_of(text));
}

/* ---- the controller ---- */

struct rig {
	struct loop *loop;
	struct log log;
	struct ingress *ic;
	struct arena arena;
	char dir[64];
	int http_fd, https_fd, http, https;
	int64_t revision;
	struct env_timer tick;
	struct buf events; /* "ns/name reason message\n" */
	struct buf statuses;
	int64_t applied;
	const char *nginx_path; /* NULL: the real one */
};

static inline void rig_event(void *ctx, const struct ingress_ref *about, const char *reason,
			     struct str message)
{
	struct rig *rig = ctx;

	buf_printf(&rig->events, "%.*s/%.*s %s %.*s\n", STR_ARG(about->ns), STR_ARG(about->name),
		   reason, STR_ARG(message));
}

static inline void rig_status(void *ctx, const struct ingress_ref *about,
			      const struct str *addresses, size_t n)
{
	struct rig *rig = ctx;

	buf_printf(&rig->statuses, "%.*s/%.*s@%.*s %.*s\n", STR_ARG(about->ns),
		   STR_ARG(about->name), STR_ARG(about->resource_version),
		   STR_ARG(n ? addresses[0] : STR("none")));
}

static inline void rig_applied(void *ctx, int64_t revision)
{
	struct rig *rig = ctx;

	assert_true(revision > rig->applied);
	rig->applied = revision;
}

static inline void rig_tick(struct env_timer *timer)
{
	struct rig *rig = CONTAINER_OF(timer, struct rig, tick);

	env_timer_start_in(loop_env(rig->loop), timer, 2 * NS_PER_MS);
}

/* Turns the loop until the condition holds. */
#define WAIT(rig, condition)                                                                       \
	do {                                                                                       \
		int64_t deadline_ = env_mono_ns(loop_env((rig)->loop)) + PATIENCE_NS;              \
		rig_tick(&(rig)->tick);                                                            \
		while (!(condition)) {                                                             \
			uv_run(loop_uv((rig)->loop), UV_RUN_ONCE);                                 \
			assert_true(env_mono_ns(loop_env((rig)->loop)) < deadline_);               \
		}                                                                                  \
		env_timer_stop(loop_env((rig)->loop), &(rig)->tick);                               \
	} while (0)

static inline void become_nobody(void)
{
	if (geteuid() == 0) {
		assert_int_equal(setgroups(0, NULL), 0);
		assert_int_equal(setgid(65534), 0);
		assert_int_equal(setuid(65534), 0);
		prctl(PR_SET_DUMPABLE, 1); /* for the leak checker */
	}
}

static inline void rig_open(struct rig *rig)
{
	static const struct str address = STR_INIT("192.0.2.1");
	struct ingress_opts opts = {
		.loop = rig->loop,
		.log = &rig->log,
		.runtime_dir = rig->dir,
		.nginx_path = rig->nginx_path,
		.http_fds = &rig->http_fd,
		.nhttp = 1,
		.https_fds = &rig->https_fd,
		.nhttps = 1,
		.addresses = &address,
		.naddresses = 1,
		.connections = 1024,
		.callbacks = {rig_event, rig_status, rig_applied},
		.ctx = rig,
	};
	struct err err CLEANUP_ERR = {0};

	rig->applied = 0;
	rig->ic = ingress_new(&opts, &err);
	if (!rig->ic) {
		print_error("%s\n", err_msg(&err));
		fail();
	}
}

static inline void rig_remove_dir(const char *dir)
{
	const char *argv[] = {"rm", "-rf", dir, NULL};
	pid_t pid = fork();

	if (pid == 0) {
		execvp("rm", (char *const *)argv);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
}

/* nginx outlives the controller: what a failed test left is ended with the process, by the pid in its file. */
static char rig_dir[64];

static inline void rig_clean_up(void)
{
	char path[96], text[32] = "";
	int64_t pid;
	FILE *file;

	if (!rig_dir[0]) {
		return;
	}
	snprintf(path, sizeof(path), "%s/nginx.pid", rig_dir);
	file = fopen(path, "r");
	if (file && fgets(text, sizeof(text), file) &&
	    str_to_int64(str_trim(str_of(text)), &pid) == 0 && pid > 1) {
		kill(-(pid_t)pid, SIGKILL);
	}
	if (file) {
		fclose(file);
	}
	rig_remove_dir(rig_dir);
	rig_dir[0] = '\0';
}

static inline void rig_start(struct rig *rig)
{
	become_nobody();
	rig_clean_up();
	atexit(rig_clean_up);
	/* COX_VERBOSE=1 shows what controller and nginx say. */
	*rig = (struct rig){
		.log = {.fd = getenv("COX_VERBOSE") ? 2 : open("/dev/null", O_WRONLY | O_CLOEXEC),
			.component = "ingress",
			.verbosity = 2}};
	rig->loop = loop_new();
	rig->tick.fn = rig_tick;
	rig->http_fd = listen_loopback(&rig->http);
	rig->https_fd = listen_loopback(&rig->https);
	snprintf(rig->dir, sizeof(rig->dir), "/tmp/cox-ingress-XXXXXX");
	assert_non_null(mkdtemp(rig->dir));
	memcpy(rig_dir, rig->dir, sizeof(rig_dir));
	rig_open(rig);
}

static inline void rig_stop(struct rig *rig)
{
	ingress_quit(rig->ic);
	WAIT(rig, ingress_nginx_pid(rig->ic) == 0);
	ingress_free(rig->ic);
	loop_free(rig->loop);
	close(rig->http_fd);
	close(rig->https_fd);
	rig_clean_up();
	if (rig->log.fd != 2) {
		close(rig->log.fd);
	}
	buf_fini(&rig->events);
	buf_fini(&rig->statuses);
	arena_fini(&rig->arena);
}

static inline void rig_set_class(struct rig *rig, const char *name, const char *controller,
				 bool is_default)
{
	struct networking_ingress_class *class =
		ARENA_NEW(&rig->arena, struct networking_ingress_class);

	class->metadata.name = str_of(name);
	class->spec.controller = str_of(controller);
	class->metadata.annotations.p = ARENA_NEW(&rig->arena, struct str_pair);
	class->metadata.annotations.p[0] =
		(struct str_pair){STR("ingressclass.kubernetes.io/is-default-class"), STR("true")};
	class->metadata.annotations.n = is_default ? 1 : 0;
	ingress_set_class(rig->ic, class);
}

static inline void rig_set(struct rig *rig, const struct ingress_case *c)
{
	ingress_set_ingress(rig->ic, make_ingress(&rig->arena, c));
}

/* Service `name` with port 80 and these ready backends. Returns the revision of the change. */
static inline int64_t rig_serve(struct rig *rig, const char *name, struct backend *const *backends,
				size_t n)
{
	ingress_set_service(rig->ic, make_service(&rig->arena, "default", name, 80, "http"));
	for (size_t i = 0; i < 4; i++) {
		static const struct endpoint_case endpoint[] = {{"127.0.0.1", "r"}, {NULL, NULL}};
		struct str slice = arena_printf(&rig->arena, "%s-%zu", name, i);

		/* All share one address here, so each has a slice for its port. */
		rig->revision++;
		if (i < n) {
			ingress_set_slice(rig->ic,
					  make_slice(&rig->arena, "default",
						     arena_cstr(&rig->arena, slice), name,
						     backends[i]->port, "http", endpoint),
					  rig->revision);
		} else {
			ingress_remove_slice(rig->ic, STR("default"), slice, rig->revision);
		}
	}
	return rig->revision;
}
