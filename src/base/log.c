/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <stdarg.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"

static int64_t now_ns(const struct log *log)
{
	struct timespec ts;

	if (log->wall_ns) {
		return log->wall_ns(log->clock_ctx);
	}
	clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

static void add_json_string(struct buf *b, struct str s)
{
	buf_add_char(b, '"');
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c == '"' || c == '\\') {
			buf_printf(b, "\\%c", c);
		} else if (c < 0x20) {
			buf_printf(b, "\\u%04x", c);
		} else {
			buf_add_char(b, (char)c);
		}
	}
	buf_add_char(b, '"');
}

static void add_json(struct buf *b, const struct log *log, enum log_level level, int64_t ns,
		     struct str msg)
{
	static const char *const names[] = {"debug", "info", "warning", "error"};

	buf_printf(b, "{\"ts\":%.3f,\"level\":\"%s\",\"logger\":\"%s\",\"msg\":", (double)ns / 1e6,
		   names[level], log->component ? log->component : "cox");
	add_json_string(b, msg);
	buf_add_char(b, '}');
}

static void add_klog(struct buf *b, const struct log *log, enum log_level level, int64_t ns,
		     struct str msg)
{
	time_t sec = (time_t)(ns / 1000000000);
	struct tm tm;

	gmtime_r(&sec, &tm);
	buf_printf(b, "%c%02d%02d %02d:%02d:%02d.%06d %7d %s] ", "DIWE"[level], tm.tm_mon + 1,
		   tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(ns % 1000000000 / 1000),
		   (int)getpid(), log->component ? log->component : "cox");
	for (size_t i = 0; i < msg.n; i++) { /* one line is one line */
		buf_add_char(b, msg.p[i] == '\n' ? ' ' : msg.p[i]);
	}
}

static void add_cri_prefix(struct buf *b, int64_t ns)
{
	time_t sec = (time_t)(ns / 1000000000);
	struct tm tm;

	gmtime_r(&sec, &tm);
	buf_printf(b, "%04d-%02d-%02dT%02d:%02d:%02d.%09dZ stderr F ", tm.tm_year + 1900,
		   tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
		   (int)(ns % 1000000000));
}

void log_write(const struct log *log, enum log_level level, const char *fmt, ...)
{
	struct buf msg CLEANUP_BUF = {0};
	struct buf line CLEANUP_BUF = {0};
	int64_t ns;
	va_list ap;

	if (!log) {
		return;
	}
	ns = now_ns(log);
	va_start(ap, fmt);
	buf_vprintf(&msg, fmt, ap);
	va_end(ap);
	if (log->cri) {
		add_cri_prefix(&line, ns);
	}
	(log->json ? add_json : add_klog)(&line, log, level, ns, buf_str(&msg));
	buf_add_char(&line, '\n');
	if (write(log->fd, line.p, line.n) < 0) {
		return; /* nowhere left to say so */
	}
}
