/* SPDX-License-Identifier: Apache-2.0 */
/* kubelet/runtime/cri_log.h: read container logs as `kubectl logs` wants them. A line of the file is
 *     2026-11-21T04:46:13.123456789+00:00 stdout F text
 * with tag P for a part whose line goes on in the next entry (long lines, and short ones at buffer edges): parts are joined.
 *
 *     cri_log_open(path, &opts, &reader, &err);
 *     do { r = cri_log_read(reader, &out, 65536, &err); send out; buf_clear(&out); } while (r > 0);
 *     (following: poll cri_log_fd, then read again)
 *
 * Reads block on the disk only. One thread at a time. Contents are foreign bytes; they are passed on as they are. */
#pragma once
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum cri_stream { CRI_STDOUT = 1, CRI_STDERR = 2 };

struct cri_line {
	int64_t time_ns; /* since the epoch */
	enum cri_stream stream;
	bool partial;
	struct str text; /* without newline; borrowed */
};

/* One line without its newline. ERR_INVALID for anything else. Pure. */
MUST_USE int cri_line_parse(struct str line, struct cri_line *ret);

enum { CRI_LINE_MAX = 1 << 20 }; /* of the file; longer ones are ERR_LIMIT */

struct cri_log_opts {
	int64_t tail_lines;  /* start this many lines before the end; negative: at the beginning */
	int64_t since_ns;    /* only lines not older than this; 0: all */
	int64_t limit_bytes; /* of output; negative: none */
	bool timestamps;     /* put the time before each line */
	bool follow;	     /* go on in a new file when the log is rotated */
	int streams;	     /* CRI_STDOUT | CRI_STDERR; 0: both */
};

struct cri_log;

/* ERR_NOT_FOUND if there is no such file (yet). */
MUST_USE int cri_log_open(const char *path, const struct cri_log_opts *opts, struct cri_log **ret,
			  struct err *err);
void cri_log_free(struct cri_log *log);
/* Appends up to about max_bytes (a line may exceed it). 1: there may be more now; 0: all that there is has been read (or limit_bytes reached: see
 * cri_log_is_done); ERR_*. */
MUST_USE int cri_log_read(struct cri_log *log, struct buf *out, size_t max_bytes, struct err *err);
/* limit_bytes is used up: nothing will ever follow. */
bool cri_log_is_done(const struct cri_log *log);
/* Readable when a follower should read again. -1 without follow. Borrowed. */
int cri_log_fd(const struct cri_log *log);
