/* SPDX-License-Identifier: Apache-2.0 */
#include "ingress/nginx_log.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <uv.h>

#include "base/cleanup.h"

#define LINE_MAX_BYTES 4096

struct nginx_log {
	uv_poll_t poll;
	const struct log *log;
	int fd;
};

bool nginx_log_parse(struct str datagram, enum log_level *ret_level, struct str *ret_text)
{
	ptrdiff_t close = str_find_char(datagram, '>'), text = str_find(datagram, STR("nginx: "));
	int64_t priority;

	if (!datagram.n || datagram.p[0] != '<' || close < 2 || text < close ||
	    str_to_int64(str_sub(datagram, 1, (size_t)close - 1), &priority) < 0 || priority < 0 ||
	    priority > 191) {
		return false;
	}
	/* 5 is nginx's chatter about itself, 6 the access log. */
	switch (priority % 8) {
	case 4:
		*ret_level = LOG_WARNING;
		break;
	case 5:
		*ret_level = LOG_DEBUG;
		break;
	case 6:
		*ret_level = LOG_INFO;
		break;
	default:
		*ret_level = priority % 8 < 4 ? LOG_ERROR : LOG_DEBUG;
	}
	*ret_text = str_trim(str_from(datagram, (size_t)text + 7));
	/* The error log repeats the time: "2026/11/21 05:38:11 [error] ..." */
	if (ret_text->n > 20 && ret_text->p[4] == '/' && ret_text->p[7] == '/' &&
	    ret_text->p[20] == '[') {
		*ret_text = str_from(*ret_text, 20);
	}
	return true;
}

static void write_line(const struct nginx_log *nl, char *p, size_t n)
{
	enum log_level level;
	struct str text;

	for (size_t i = 0; i < n; i++) {
		p[i] = (unsigned char)p[i] < 0x20 || p[i] == 0x7f ? ' ' : p[i];
	}
	if (!nginx_log_parse(str_make(p, n), &level, &text)) {
		return;
	}
	if (level == LOG_DEBUG) {
		log_debug(nl->log, 2, "nginx: %.*s", STR_ARG(text));
	} else {
		log_write(nl->log, level, "nginx: %.*s", STR_ARG(text));
	}
}

static void handle_readable(uv_poll_t *poll, int status UNUSED, int events UNUSED)
{
	struct nginx_log *nl = poll->data;
	char line[LINE_MAX_BYTES];
	ssize_t n;

	while ((n = recv(nl->fd, line, sizeof(line), MSG_DONTWAIT)) > 0) {
		write_line(nl, line, (size_t)n);
	}
}

struct nginx_log *nginx_log_new(struct loop *loop, const struct log *log, const char *path,
				struct err *err)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd CLEANUP_FD = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct nginx_log *nl;

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	unlink(path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		err_set_errno(err, errno, "%s", path);
		return NULL;
	}
	nl = NEW(struct nginx_log);
	nl->log = log;
	nl->fd = STEAL_FD(fd);
	ASSERT(uv_poll_init(loop_uv(loop), &nl->poll, nl->fd) == 0);
	nl->poll.data = nl;
	ASSERT(uv_poll_start(&nl->poll, UV_READABLE, handle_readable) == 0);
	return nl;
}

static void handle_closed(uv_handle_t *handle)
{
	struct nginx_log *nl = handle->data;

	close(nl->fd);
	mem_free(nl);
}

void nginx_log_free(struct nginx_log *nl)
{
	if (nl) {
		uv_close((uv_handle_t *)&nl->poll, handle_closed);
	}
}
