/* SPDX-License-Identifier: Apache-2.0 */
/* exec over WebSocket, v5.channel.k8s.io and v4: each message is a channel byte and data: 0 stdin, 1 stdout, 2 stderr, 3 the final Status, 4 terminal
 * size, 255 end of a channel (v5). SPDY/3.1 is refused. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "codec/json.h"
#include "http/ws.h"
#include "kubelet/edge_internal.h"
#include "net/net.h"

/* behind ours: it defines MIN and MAX */
#include <uv.h>

enum {
	CH_STDIN,
	CH_STDOUT,
	CH_STDERR,
	CH_ERROR,
	CH_RESIZE,
	CH_CLOSE = 255,
	MESSAGE_MAX = 1 << 20,
	ARGS_MAX = 1024,
	READ = 32768
};

struct exec_stream;

struct reader {
	uv_poll_t poll;
	struct exec_stream *s;
	int fd; /* -1: none */
	int channel;
	bool open; /* the handle is */
};

struct exec_stream {
	struct edge *edge;
	struct ws *ws; /* NULL: gone */
	struct exec_session *session;
	struct reader readers[2]; /* stdout (or the terminal), stderr */
	int input;		  /* -1: none */
	bool done;
	struct buf status;
	int handles;
};

static void maybe_free(struct exec_stream *s)
{
	if (s->done && !s->ws && s->handles == 0) {
		if (s->input >= 0) {
			close(s->input);
		}
		buf_fini(&s->status);
		mem_free(s);
	}
}

static void maybe_finish(struct exec_stream *s)
{
	if (!s->done || s->handles) {
		return;
	}
	if (s->ws) {
		ws_send2(s->ws, false, STR("\x03"), buf_str(&s->status));
		ws_close(s->ws, WS_NORMAL, STR(""));
		return;
	}
	maybe_free(s);
}

static void closed(uv_handle_t *handle)
{
	struct reader *r = CONTAINER_OF((uv_poll_t *)handle, struct reader, poll);

	close(r->fd);
	r->fd = -1;
	r->s->handles--;
	maybe_finish(r->s);
}

static void stop_reader(struct reader *r)
{
	if (r->open) {
		r->open = false;
		uv_poll_stop(&r->poll);
		uv_close((uv_handle_t *)&r->poll, closed);
	}
}

static void readable(uv_poll_t *poll, int status UNUSED, int events UNUSED)
{
	struct reader *r = CONTAINER_OF(poll, struct reader, poll);
	char data[READ];
	char channel = (char)r->channel;
	ssize_t n = read(r->fd, data, sizeof(data));

	if (n > 0) {
		if (r->s->ws) {
			ws_send2(r->s->ws, false, str_make(&channel, 1), str_make(data, (size_t)n));
		}
		return;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		return;
	}
	stop_reader(r);
}

static void start_reader(struct exec_stream *s, struct reader *r, int fd, int channel)
{
	r->s = s;
	r->fd = fd;
	r->channel = channel;
	r->open = true;
	s->handles++;
	ASSERT(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
	ASSERT(uv_poll_init(net_loop(s->edge->config.net), &r->poll, fd) == 0);
	ASSERT(uv_poll_start(&r->poll, UV_READABLE | UV_DISCONNECT, readable) == 0);
}

static void on_terminal(void *ctx, int fd)
{
	struct exec_stream *s = ctx;
	int out = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	start_reader(s, &s->readers[0], out, CH_STDOUT);
	s->input = fd;
}

static void write_status(struct buf *out, const struct exec_result *result, const struct err *err)
{
	buf_clear(out);
	buf_puts(out, "{\"metadata\":{},\"status\":");
	if (err) {
		buf_puts(out, "\"Failure\",\"reason\":\"InternalError\",\"code\":500,\"message\":");
		json_write_string(out, str_of(err_msg(err)));
		buf_puts(out, "}");
	} else if (result->exit_code == 0) {
		buf_puts(out, "\"Success\"}");
	} else {
		buf_printf(
			out,
			"\"Failure\",\"message\":\"command terminated with non-zero exit code: "
			"exit status %d\",\"reason\":\"NonZeroExitCode\","
			"\"details\":{\"causes\":[{\"reason\":\"ExitCode\",\"message\":\"%d\"}]}}",
			result->exit_code, result->exit_code);
	}
}

static void on_done(void *ctx, const struct exec_result *result, const struct err *err)
{
	struct exec_stream *s = ctx;

	s->done = true;
	s->session = NULL;
	write_status(&s->status, result, err);
	maybe_finish(s);
	maybe_free(s);
}

static void close_input(struct exec_stream *s)
{
	if (s->input >= 0) {
		close(s->input);
		s->input = -1;
	}
}

static void take_input(struct exec_stream *s, struct str data)
{
	while (s->input >= 0 && data.n) {
		ssize_t n = write(s->input, data.p, data.n);

		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n <= 0) {
			close_input(s);
			return;
		}
		data = str_from(data, (size_t)n);
	}
}

static void take_size(struct exec_stream *s, struct str text)
{
	const struct edge_node *node = s->edge->config.node;
	struct arena a CLEANUP_ARENA = {0};
	struct json_value v;
	struct json_value *w;
	struct json_value *h;

	if (!s->session || json_parse(&a, text, NULL, &v, NULL) < 0) {
		return;
	}
	w = json_get(&v, STR("Width"));
	h = json_get(&v, STR("Height"));
	if (w && h && w->kind == JSON_INT && h->kind == JSON_INT) {
		node->exec_resize(node->ctx, s->session, (int)w->num, (int)h->num);
	}
}

static void on_message(struct ws *ws, bool is_text UNUSED, struct str message)
{
	struct exec_stream *s = ws_ctx(ws);
	struct str data = str_from(message, 1);

	if (!message.n) {
		return;
	}
	switch ((unsigned char)message.p[0]) {
	case CH_STDIN:
		take_input(s, data);
		break;
	case CH_RESIZE:
		take_size(s, data);
		break;
	case CH_CLOSE:
		if (data.n && data.p[0] == CH_STDIN) {
			close_input(s);
		}
		break;
	default:
		break;
	}
}

static void on_ws_close(struct ws *ws, int code UNUSED, struct str reason UNUSED)
{
	struct exec_stream *s = ws_ctx(ws);
	const struct edge_node *node = s->edge->config.node;

	s->ws = NULL;
	close_input(s);
	if (s->session) {
		node->exec_kill(node->ctx, s->session);
	}
	maybe_free(s);
}

static bool flag(struct http_request *req, const char *name)
{
	struct str s = edge_query(req, name, 0);

	return str_is(s, "true") || str_is(s, "1");
}

/* Pipes for what was asked for; the command's ends go to the spec. */
static void open_pipes(struct exec_stream *s, struct http_request *req, struct exec_spec *spec)
{
	int *ends[] = {&spec->stdout_fd, &spec->stderr_fd};
	int p[2];

	if (flag(req, "input") && pipe2(p, O_CLOEXEC) == 0) {
		spec->stdin_fd = p[0];
		s->input = p[1];
	}
	for (int i = 0; i < 2; i++) {
		if (flag(req, i ? "error" : "output") && pipe2(p, O_CLOEXEC) == 0) {
			*ends[i] = p[1];
			start_reader(s, &s->readers[i], p[0], i ? CH_STDERR : CH_STDOUT);
		}
	}
}

void edge_exec(struct edge *edge, struct http_request *req, const struct edge_target *target)
{
	static const struct str protocols[] = {STR_INIT("v5.channel.k8s.io"),
					       STR_INIT("v4.channel.k8s.io")};
	static const struct ws_ops ops = {.on_message = on_message, .on_close = on_ws_close};
	const struct edge_node *node = edge->config.node;
	struct arena a CLEANUP_ARENA = {0};
	struct err err CLEANUP_ERR = {0};
	struct str *argv = ARENA_ARRAY(&a, ARGS_MAX, struct str);
	struct exec_spec spec = {
		.command = {argv, 0}, .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1};
	struct exec_stream *s;
	struct exec_events events;
	struct edge_target to = {arena_str(&a, target->ns), arena_str(&a, target->pod),
				 arena_str(&a, target->container)};
	struct str arg;

	while (spec.command.n < ARGS_MAX && (arg = edge_query(req, "command", spec.command.n)).p) {
		argv[spec.command.n++] = arena_str(&a, arg);
	}
	if (!spec.command.n || !ws_is_request(req)) {
		err_set(&err, ERR_INVALID, "%s",
			spec.command.n ? "exec needs a WebSocket (v5.channel.k8s.io): SPDY is not "
					 "supported by this node yet"
				       : "you must specify at least 1 container command");
		edge_fail(req, &err);
		return;
	}
	s = NEW(struct exec_stream);
	s->edge = edge;
	s->input = -1;
	spec.tty = flag(req, "tty");
	if (!spec.tty) {
		open_pipes(s, req, &spec);
	}
	events = (struct exec_events){.terminal = on_terminal, .done = on_done, .ctx = s};
	if (ws_accept(req, protocols, ARRAY_LEN(protocols), MESSAGE_MAX, &ops, s, &s->ws, &err) <
	    0) {
		edge_fail(req, &err);
		s->done = true;
	} else if (node->exec(node->ctx, &to, &spec, &events, &s->session, &err) < 0) {
		s->done = true;
		write_status(&s->status, NULL, &err);
	}
	if (s->done) {
		for (int i = 0; i < 2; i++) {
			stop_reader(&s->readers[i]);
		}
		maybe_finish(s);
		maybe_free(s);
	}
}
