/* SPDX-License-Identifier: Apache-2.0 */
/* containerLogs: the CRI log of a container ("TIME STREAM TAG TEXT" lines) as text. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "codec/time.h"
#include "kubelet/edge_internal.h"
#include "net/net.h"

enum { FOLLOW_MS = 200, CHUNK = 64 * 1024, PENDING_MAX = 256 * 1024 };

struct follow {
	struct edge *edge;
	struct http_request *req; /* NULL: ended */
	struct env_timer timer;
	struct buf line; /* not complete yet */
	int fd;
	char container_id[80];
	bool timestamps, follow;
	int64_t since_s, left; /* left: of limitBytes; -1: no limit */
	bool in_part;	       /* the line before was a piece: no time in front of the next */
};

static void end(struct follow *f)
{
	env_timer_stop(net_env(f->edge->config.net), &f->timer);
	http_end(f->req);
	close(f->fd);
	buf_fini(&f->line);
	mem_free(f);
}

static void add_line(struct follow *f, struct str line, struct buf *out)
{
	struct str rest = line;
	struct str when, stream, tag;
	int64_t sec = 0;
	int32_t nsec;

	str_cut(&rest, ' ', &when);
	str_cut(&rest, ' ', &stream);
	str_cut(&rest, ' ', &tag);
	if (f->since_s && (time_read(when, &sec, &nsec, NULL) < 0 || sec < f->since_s)) {
		return;
	}
	if (f->timestamps && !f->in_part) {
		buf_add_str(out, when);
		buf_puts(out, " ");
	}
	buf_add_str(out, rest);
	f->in_part = str_is(tag, "P");
	if (!f->in_part) {
		buf_puts(out, "\n");
	}
}

static void write_lines(struct follow *f)
{
	struct buf out CLEANUP_BUF = {0};
	struct str rest = buf_str(&f->line);
	ptrdiff_t at;

	while ((at = str_find_char(rest, '\n')) >= 0) {
		add_line(f, str_sub(rest, 0, (size_t)at), &out);
		rest = str_from(rest, (size_t)at + 1);
	}
	buf_consume(&f->line, f->line.n - rest.n);
	if (f->left >= 0) {
		out.n = MIN(out.n, (size_t)f->left);
		f->left -= (int64_t)out.n;
	}
	if (out.n) {
		http_write_copy(f->req, buf_str(&out));
	}
}

static void on_timer(struct env_timer *timer)
{
	struct follow *f = CONTAINER_OF(timer, struct follow, timer);
	const struct edge_node *node = f->edge->config.node;
	bool running =
		f->follow &&
		node->is_running(
			node->ctx,
			str_of(f->container_id)); /* asked before reading: nothing is missed */
	ssize_t n = 0;

	if (http_is_closed(f->req)) {
		end(f);
		return;
	}
	while (http_pending_bytes(f->req) < PENDING_MAX &&
	       (n = read(f->fd, buf_reserve(&f->line, CHUNK), CHUNK)) > 0) {
		f->line.n += (size_t)n;
		write_lines(f);
	}
	if ((n <= 0 && !running) || f->left == 0) {
		end(f);
		return;
	}
	env_timer_start_in(net_env(f->edge->config.net), &f->timer, FOLLOW_MS * NS_PER_MS);
}

/* Position of the last n lines; pieces (P) belong to the line they end in. */
static off_t tail_offset(int fd, int64_t lines)
{
	off_t end_at = lseek(fd, 0, SEEK_END);
	off_t at = end_at;
	struct buf chunk CLEANUP_BUF = {0};
	off_t start_of_line = end_at;

	while (at > 0) {
		size_t n = (size_t)MIN(at, (off_t)CHUNK);

		at -= (off_t)n;
		buf_clear(&chunk);
		if (pread(fd, buf_reserve(&chunk, n), n, at) != (ssize_t)n) {
			return 0;
		}
		for (size_t i = n; i-- > 0;) {
			if (chunk.p[i] == '\n' && at + (off_t)i + 1 < end_at) {
				start_of_line = at + (off_t)i + 1;
				if (--lines <= 0) {
					return start_of_line;
				}
			}
		}
	}
	return 0;
}

static int64_t number(struct http_request *req, const char *name, int64_t otherwise)
{
	struct str s = edge_query(req, name, 0);
	int64_t n;

	return s.n && str_to_int64(s, &n) == 0 && n >= 0 ? n : otherwise;
}

static bool flag(struct http_request *req, const char *name)
{
	struct str s = edge_query(req, name, 0);

	return str_is(s, "true") || str_is(s, "1");
}

static int64_t since(struct http_request *req, struct env *env)
{
	struct str when = edge_query(req, "sinceTime", 0);
	int64_t seconds = number(req, "sinceSeconds", -1);
	int64_t sec;
	int32_t nsec;

	if (when.n && time_read(when, &sec, &nsec, NULL) == 0) {
		return sec;
	}
	return seconds >= 0 ? env_wall_ns(env) / NS_PER_SEC - seconds : 0;
}

void edge_logs(struct edge *edge, struct http_request *req, const struct edge_target *target)
{
	const struct edge_node *node = edge->config.node;
	struct env *env = net_env(edge->config.net);
	struct http_header type = HTTP_HEADER("Content-Type", STR("text/plain"));
	struct err err CLEANUP_ERR = {0};
	int64_t tail = number(req, "tailLines", -1);
	struct edge_log log;
	struct follow *f;
	int fd;

	if (node->find_log(node->ctx, target, flag(req, "previous"), &log, &err) < 0) {
		edge_fail(req, &err);
		return;
	}
	fd = open(log.path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		err_set_errno(&err, errno, "cannot open the log");
		edge_fail(req, &err);
		return;
	}
	f = NEW(struct follow);
	f->edge = edge;
	f->req = req;
	f->fd = fd;
	f->timer.fn = on_timer;
	memcpy(f->container_id, log.container_id, sizeof(f->container_id));
	f->timestamps = flag(req, "timestamps");
	f->follow = flag(req, "follow");
	f->since_s = since(req, env);
	f->left = number(req, "limitBytes", -1);
	lseek(fd,
	      tail == 0	 ? lseek(fd, 0, SEEK_END)
	      : tail > 0 ? tail_offset(fd, tail)
			 : 0,
	      SEEK_SET);
	http_respond_start(req, 200, &type, 1);
	env_timer_start_in(env, &f->timer, 0);
}
