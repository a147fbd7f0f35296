/* SPDX-License-Identifier: Apache-2.0 */
/* base/log.h: one sink per component. Lines in klog's text form (upstream's default)
 *     I1121 04:46:13.123456    1234 kubelet] "started container" pod="default/web" container="app"
 * or JSON (--logging-format=json). Foundation and cluster code logs nothing above debug: a function logs or returns its error,
 * never both. log may be NULL: nothing is written. Thread-safe: one write(2) per line. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/str.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR };

struct log {
	int fd;
	const char *component;
	int verbosity; /* klog's -v: debug lines with a level above it are dropped */
	bool json;
	/* CRI log format ("2026-11-21T04:46:13.123456789Z stderr F ...") for files that kubectl logs reads. */
	bool cri;
	int64_t (*wall_ns)(void *ctx); /* NULL: the system's clock */
	void *clock_ctx;
};

void log_write(const struct log *log, enum log_level level, const char *fmt, ...) PRINTF(3, 4);

#define log_error(log, ...) log_write((log), LOG_ERROR, __VA_ARGS__)
#define log_warning(log, ...) log_write((log), LOG_WARNING, __VA_ARGS__)
#define log_info(log, ...) log_write((log), LOG_INFO, __VA_ARGS__)
/* log_debug(log, 4, "..."): shown with -v=4 and above. */
#define log_debug(log, v, ...)                                                                     \
	((log) && (log)->verbosity >= (v) ? log_write((log), LOG_DEBUG, __VA_ARGS__) : (void)0)
