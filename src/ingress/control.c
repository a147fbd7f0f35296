/* SPDX-License-Identifier: Apache-2.0 */
#include "ingress/control.h"

#include <uv.h>

#include "base/alloc.h"
#include "base/err.h"

struct control {
	uv_pipe_t pipe;
	uv_connect_t connecting;
	uv_write_t writing;
	struct env *env;
	struct env_timer timer;
	struct buf request, answer;
	control_done_fn done; /* NULL: was called, or cancelled */
	void *ctx;
	char space[CONTROL_ANSWER_MAX];
};

int control_parse_answer(struct str answer, int *ret_status, struct str *ret_line)
{
	ptrdiff_t head_end = str_find(answer, STR("\r\n\r\n"));
	struct str body, line;
	int64_t status;

	if (head_end < 0 ||
	    !(str_has_prefix(answer, STR("HTTP/1.1 ")) ||
	      str_has_prefix(answer, STR("HTTP/1.0 "))) ||
	    str_to_int64(str_sub(answer, 9, 3), &status) < 0 || status < 100 || status > 599) {
		return ERR_PROTOCOL;
	}
	body = str_from(answer, (size_t)head_end + 4);
	str_cut(&body, '\n', &line);
	*ret_status = (int)status;
	*ret_line = line;
	return 0;
}

static void handle_closed(uv_handle_t *handle)
{
	struct control *c = handle->data;

	buf_fini(&c->request);
	buf_fini(&c->answer);
	mem_free(c);
}

static void end(struct control *c, int code, int status, struct str line)
{
	control_done_fn done = c->done;

	if (uv_is_closing((uv_handle_t *)&c->pipe)) {
		return;
	}
	env_timer_stop(c->env, &c->timer);
	c->done = NULL;
	uv_close((uv_handle_t *)&c->pipe, handle_closed);
	if (done) {
		done(c->ctx, code, status, line);
	}
}

static void handle_timeout(struct env_timer *timer)
{
	end(CONTAINER_OF(timer, struct control, timer), ERR_TIMEOUT, 0, STR_NULL);
}

static void handle_alloc(uv_handle_t *handle, size_t n UNUSED, uv_buf_t *buf)
{
	struct control *c = handle->data;

	*buf = uv_buf_init(c->space, sizeof(c->space));
}

static void handle_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct control *c = stream->data;
	struct str line;
	int status;

	if (n > 0 && c->answer.n + (size_t)n <= CONTROL_ANSWER_MAX) {
		buf_add(&c->answer, buf->base, (size_t)n);
	} else if (n > 0) {
		end(c, ERR_PROTOCOL, 0, STR_NULL);
	} else if (n == UV_EOF) {
		int r = control_parse_answer(buf_str(&c->answer), &status, &line);

		end(c, r, r < 0 ? 0 : status, r < 0 ? STR_NULL : line);
	} else if (n < 0) {
		end(c, ERR_IO, 0, STR_NULL);
	}
}

static void handle_written(uv_write_t *req, int r)
{
	if (r < 0) {
		end(req->handle->data, ERR_IO, 0, STR_NULL);
	}
}

static void handle_connected(uv_connect_t *req, int r)
{
	struct control *c = req->handle->data;
	uv_buf_t buf = uv_buf_init(c->request.p, (unsigned)c->request.n);

	if (r < 0) {
		end(c, r == UV_ENOENT || r == UV_ECONNREFUSED ? ERR_NOT_FOUND : ERR_IO, 0,
		    STR_NULL);
		return;
	}
	if (uv_read_start((uv_stream_t *)&c->pipe, handle_alloc, handle_read) < 0 ||
	    uv_write(&c->writing, (uv_stream_t *)&c->pipe, &buf, 1, handle_written) < 0) {
		end(c, ERR_IO, 0, STR_NULL);
	}
}

struct control *control_start(struct loop *loop, const char *socket_path, const char *target,
			      struct str body, int64_t timeout_ns, control_done_fn done, void *ctx)
{
	struct control *c = NEW(struct control);

	c->env = loop_env(loop);
	c->done = done;
	c->ctx = ctx;
	c->timer.fn = handle_timeout;
	buf_printf(&c->request, "%s %s HTTP/1.0\r\nHost: control\r\n", body.p ? "POST" : "GET",
		   target);
	if (body.p) {
		buf_printf(&c->request, "Content-Length: %zu\r\n", body.n);
	}
	buf_puts(&c->request, "\r\n");
	buf_add_str(&c->request, body);
	ASSERT(uv_pipe_init(loop_uv(loop), &c->pipe, 0) == 0);
	c->pipe.data = c;
	env_timer_start_in(c->env, &c->timer, timeout_ns);
	uv_pipe_connect(&c->connecting, &c->pipe, socket_path, handle_connected);
	return c;
}

void control_cancel(struct control *c)
{
	if (c) {
		c->done = NULL;
		end(c, ERR_CANCELED, 0, STR_NULL);
	}
}
