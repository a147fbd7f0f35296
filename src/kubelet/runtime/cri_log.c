/* SPDX-License-Identifier: Apache-2.0 */
#include "kubelet/runtime/cri_log.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "codec/time.h"

enum { READ_STEP = 65536, PREFIX_MAX = 64 };

struct cri_log {
	struct cri_log_opts opts;
	char *path, *dir;
	int fd;
	int inotify_fd;
	int file_watch;
	struct buf raw; /* read, not yet parsed; begins at a line */
	bool mid_line;	/* the last part written was partial */
	int64_t written;
	bool done;
};

int cri_line_parse(struct str line, struct cri_line *ret)
{
	struct cri_line l = {0};
	struct str time;
	struct str stream;
	struct str tag;
	int64_t sec;
	int32_t nsec;

	if (!line.p || !str_cut(&line, ' ', &time) || !str_cut(&line, ' ', &stream)) {
		return ERR_INVALID;
	}
	/* "F" alone is an empty line; the format allows more tags behind it, "F:x" */
	if (!str_cut(&line, ' ', &tag)) {
		return ERR_INVALID;
	}
	l.text = line.p ? line : STR("");
	if (str_is(stream, "stdout")) {
		l.stream = CRI_STDOUT;
	} else if (str_is(stream, "stderr")) {
		l.stream = CRI_STDERR;
	} else {
		return ERR_INVALID;
	}
	if (!str_has_prefix(tag, STR("F")) && !str_has_prefix(tag, STR("P"))) {
		return ERR_INVALID;
	}
	l.partial = tag.p[0] == 'P';
	if (time_read(time, &sec, &nsec, NULL) < 0 || sec < 0 || sec > INT64_MAX / 1000000000 - 1) {
		return ERR_INVALID;
	}
	l.time_ns = sec * 1000000000 + nsec;
	*ret = l;
	return 0;
}

/* ---- where to begin ---- */

/* True if the entry at this offset ends a line of output. */
static bool is_full_line(int fd, off_t at)
{
	char text[PREFIX_MAX];
	ssize_t n = pread(fd, text, sizeof(text), at);
	struct str rest = str_make(text, n > 0 ? (size_t)n : 0);
	struct str part = STR_NULL;

	for (int i = 0; i < 3; i++) {
		if (!str_cut(&rest, ' ', &part)) {
			return true;
		}
	}
	return !str_has_prefix(part, STR("P"));
}

/* Goes back over the entries from the end; the one before the wanted lines is a full line that is not wanted. */
static int find_tail(struct cri_log *log, off_t size, off_t *ret, struct err *err)
{
	char *block CLEANUP_FREE = mem_new(READ_STEP);
	off_t end = size; /* of the entry being looked for, behind its newline */
	int64_t full = 0;
	off_t at = size;

	while (at > 0) {
		off_t from = at > READ_STEP ? at - READ_STEP : 0;
		ssize_t n = pread(log->fd, block, (size_t)(at - from), from);

		if (n != at - from) {
			return err_set_errno(err, n < 0 ? errno : EIO, "cannot read %s", log->path);
		}
		for (ssize_t i = n; i-- > 0;) {
			off_t begin = from + i + 1;

			if (block[i] != '\n' || begin >= end) {
				continue;
			}
			/* parts at the very end are a line too, one that is still being written */
			if (is_full_line(log->fd, begin) || end == size) {
				full++;
			}
			if (full > log->opts.tail_lines) {
				*ret = end;
				return 0;
			}
			end = begin;
		}
		at = from;
	}
	full += end > 0 && (is_full_line(log->fd, 0) || end == size);
	*ret = full > log->opts.tail_lines ? end : 0;
	return 0;
}

/* ---- files ---- */

static int open_file(struct cri_log *log, struct err *err)
{
	int fd = open(log->path, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		return err_set_errno(err, errno, "cannot open %s", log->path);
	}
	cleanup_fd(&log->fd);
	log->fd = fd;
	if (log->opts.follow) {
		if (log->file_watch >= 0) {
			inotify_rm_watch(log->inotify_fd, log->file_watch);
		}
		log->file_watch = inotify_add_watch(log->inotify_fd, log->path, IN_MODIFY);
		if (log->file_watch < 0) {
			return err_set_errno(err, errno, "cannot watch %s", log->path);
		}
	}
	return 0;
}

static int watch_dir(struct cri_log *log, struct err *err)
{
	ptrdiff_t slash = str_rfind_char(str_of(log->path), '/');

	log->dir = slash < 0 ? mem_dup_str(".", 1)
			     : mem_dup_str(log->path, (size_t)MAX(slash, (ptrdiff_t)1));
	log->inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (log->inotify_fd < 0 ||
	    inotify_add_watch(log->inotify_fd, log->dir, IN_CREATE | IN_MOVED_TO) < 0) {
		return err_set_errno(err, errno, "cannot watch %s", log->dir);
	}
	return 0;
}

static int open_at(struct cri_log *log, struct err *err)
{
	struct stat st;
	off_t at = 0;
	int r;

	if (log->opts.follow && (r = watch_dir(log, err)) < 0) {
		return r;
	}
	r = open_file(log, err);
	if (r < 0 || log->opts.tail_lines < 0) {
		return r;
	}
	if (fstat(log->fd, &st) < 0) {
		return err_set_errno(err, errno, "cannot read %s", log->path);
	}
	r = find_tail(log, st.st_size, &at, err);
	if (r == 0 && lseek(log->fd, at, SEEK_SET) < 0) {
		r = err_set_errno(err, errno, "cannot read %s", log->path);
	}
	return r;
}

int cri_log_open(const char *path, const struct cri_log_opts *opts, struct cri_log **ret,
		 struct err *err)
{
	struct cri_log *log = NEW(struct cri_log);
	int r;

	log->opts = *opts;
	log->path = str_dup_cstr(str_of(path));
	log->fd = log->inotify_fd = log->file_watch = -1;
	log->done = opts->limit_bytes == 0;
	r = open_at(log, err);
	if (r < 0) {
		cri_log_free(log);
		return r;
	}
	*ret = log;
	return 0;
}

void cri_log_free(struct cri_log *log)
{
	if (log) {
		cleanup_fd(&log->fd);
		cleanup_fd(&log->inotify_fd);
		buf_fini(&log->raw);
		mem_free(log->path);
		mem_free(log->dir);
		mem_free(log);
	}
}

bool cri_log_is_done(const struct cri_log *log)
{
	return log->done;
}

int cri_log_fd(const struct cri_log *log)
{
	return log->inotify_fd;
}

/* ---- output ---- */

static void add_limited(struct cri_log *log, struct buf *out, const void *p, size_t n)
{
	if (log->opts.limit_bytes >= 0 && (int64_t)n >= log->opts.limit_bytes - log->written) {
		n = (size_t)(log->opts.limit_bytes - log->written);
		log->done = true;
	}
	buf_add(out, p, n);
	log->written += (int64_t)n;
}

static void write_line(struct cri_log *log, const struct cri_line *l, struct buf *out)
{
	int streams = log->opts.streams ? log->opts.streams : CRI_STDOUT | CRI_STDERR;
	char stamp[64];

	if (!(streams & (int)l->stream) || l->time_ns < log->opts.since_ns) {
		return;
	}
	if (log->opts.timestamps && !log->mid_line) {
		time_t sec = (time_t)(l->time_ns / 1000000000);
		struct tm tm;
		size_t n;

		gmtime_r(&sec, &tm);
		n = strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &tm);
		n += (size_t)snprintf(stamp + n, sizeof(stamp) - n, ".%09dZ ",
				      (int)(l->time_ns % 1000000000));
		add_limited(log, out, stamp, n);
	}
	if (!log->done) {
		add_limited(log, out, l->text.p, l->text.n);
	}
	if (!log->done && !l->partial) {
		add_limited(log, out, "\n", 1);
	}
	log->mid_line = l->partial;
}

static void write_raw(struct cri_log *log, struct buf *out, size_t max_bytes)
{
	size_t start = out->n;
	size_t used = 0;

	while (!log->done && out->n - start < max_bytes) {
		struct str rest = str_from(buf_str(&log->raw), used);
		ptrdiff_t at = str_find_char(rest, '\n');
		struct cri_line line;

		if (at < 0) {
			break;
		}
		if (cri_line_parse(str_sub(rest, 0, (size_t)at), &line) ==
		    0) { /* others are noise of a crash, as for upstream */
			write_line(log, &line, out);
		}
		used += (size_t)at + 1;
	}
	buf_consume(&log->raw, used);
}

static void drain_events(struct cri_log *log)
{
	char events[4096] __attribute__((aligned(8)));

	while (log->inotify_fd >= 0 && read(log->inotify_fd, events, sizeof(events)) > 0) {
	}
}

/* A new file stands at the path: nothing is written to ours any more. */
static bool is_rotated(const struct cri_log *log)
{
	struct stat now;
	struct stat ours;

	return log->opts.follow && stat(log->path, &now) == 0 && fstat(log->fd, &ours) == 0 &&
	       (now.st_ino != ours.st_ino || now.st_dev != ours.st_dev);
}

/* The end of the file: 1 if there is another to go on with. *rotated: seen before; then the old file has been read to its end since. */
static int at_end(struct cri_log *log, bool *rotated, struct err *err)
{
	int r;

	if (!*rotated) {
		*rotated = is_rotated(
			log); /* then once more: ours may have grown before the new one appeared */
		return *rotated;
	}
	*rotated = false;
	buf_clear(&log->raw); /* a torn last line */
	r = open_file(log, err);
	drain_events(log); /* the old watch said good-bye; reading follows, so nothing is missed */
	return r < 0 ? r : 1;
}

int cri_log_read(struct cri_log *log, struct buf *out, size_t max_bytes, struct err *err)
{
	size_t start = out->n;
	bool rotated = false;

	if (log->done) {
		return 0;
	}
	drain_events(
		log); /* before reading: what comes later makes the descriptor readable again */
	for (;;) {
		ssize_t n;
		int r;

		write_raw(log, out, max_bytes - MIN(out->n - start, max_bytes));
		if (log->done || out->n - start >= max_bytes) {
			return !log->done;
		}
		if (log->raw.n > CRI_LINE_MAX) {
			return err_set(err, ERR_LIMIT, "%s has a line of more than %d bytes",
				       log->path, CRI_LINE_MAX);
		}
		n = read(log->fd, buf_reserve(&log->raw, READ_STEP), READ_STEP);
		if (n < 0 && errno != EINTR) {
			return err_set_errno(err, errno, "cannot read %s", log->path);
		}
		log->raw.n += n > 0 ? (size_t)n : 0;
		if (n == 0 && (r = at_end(log, &rotated, err)) <= 0) {
			return r;
		}
	}
}
