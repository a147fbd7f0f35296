/* SPDX-License-Identifier: Apache-2.0 */
/* Container logs: the line parser, and the reader over a file of these bytes with options from the first ones. What tail gives must be the end of what
 * reading everything gives. */
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "kubelet/runtime/cri_log.h"
#include "linux/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static int read_all(const char *path, const struct cri_log_opts *opts, size_t step, struct buf *out)
{
	struct cri_log *log;
	int r;

	if (cri_log_open(path, opts, &log, NULL) < 0) {
		return -1;
	}
	while ((r = cri_log_read(log, out, step, NULL)) > 0) {
	}
	cri_log_free(log);
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	int fd CLEANUP_FD = memfd_create("log", MFD_CLOEXEC);
	struct cri_log_opts opts = {.tail_lines = -1, .limit_bytes = -1};
	struct buf whole CLEANUP_BUF = {0};
	struct buf tail CLEANUP_BUF = {0};
	struct buf limited CLEANUP_BUF = {0};
	struct cri_line line;
	char path[64];

	if (n < 3 || fd < 0) {
		return 0;
	}
	if (cri_line_parse(str_make(p, n), &line) == 0) {
		ASSERT(line.time_ns >= 0 && line.text.n < n);
	}
	ASSERT(file_write_all(fd, p + 3, n - 3) == 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	opts.timestamps = p[0] & 1;
	ASSERT(read_all(path, &opts, 1 + p[1], &whole) == 0);
	opts.tail_lines = p[2];
	ASSERT(read_all(path, &opts, 100000, &tail) == 0);
	ASSERT(tail.n <= whole.n ||
	       opts.timestamps); /* a tail may begin in the middle of parts whose line has no end */
	opts.tail_lines = -1;
	opts.limit_bytes = p[1];
	ASSERT(read_all(path, &opts, 100000, &limited) == 0);
	ASSERT(limited.n <= p[1] && str_has_prefix(buf_str(&whole), buf_str(&limited)));
	return 0;
}
