/* SPDX-License-Identifier: Apache-2.0 */
/* codec/time.h: the API's times and durations as text. Times are seconds since the Unix epoch (UTC,
 * years 0 to 9999) plus nanoseconds 0..999,999,999, read and refused as Go's time.Parse does.
 * Durations are nanoseconds in Go's notation: "1h2m3.5s", "300ms". */
#pragma once
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

/* Year 1, which Go's zero time stands for: reads as null in the API. */
#define TIME_GO_ZERO INT64_C(-62135596800)

/* RFC 3339, fraction allowed: metav1.Time. 0 or ERR_INVALID: `parsing time "x" as
 * "2006-01-02T15:04:05Z07:00": ...`. */
MUST_USE int time_read(struct str s, int64_t *ret_sec, int32_t *ret_nsec, struct err *err);
/* RFC 3339 with exactly six digits of fraction: metav1.MicroTime. */
MUST_USE int time_read_micro(struct str s, int64_t *ret_sec, int32_t *ret_nsec, struct err *err);
/* 2006-01-02T15:04:05Z */
void time_write(struct buf *out, int64_t sec);
/* 2006-01-02T15:04:05.000000Z; what is below a microsecond is cut off. */
void time_write_micro(struct buf *out, int64_t sec, int32_t nsec);

MUST_USE int duration_read(struct str s, int64_t *ret_ns, struct err *err);
void duration_write(struct buf *out, int64_t ns);
