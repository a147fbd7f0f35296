/* SPDX-License-Identifier: Apache-2.0 */
/* object/quantity.h: arithmetic and text of struct quantity (resource.Quantity): "100m", "1.5Gi",
 * "12e6".
 *
 * Canonical text (what is stored and compared by clients): the longest suffix that leaves an
 * integer, so 1.5Gi is 1536Mi and 0.1 is 100m; a binary quantity below 1024 or with a fraction
 * prints as decimal. Rounding is away from zero ("who asks for a little gets a little"): below one
 * nano when read, as upstream, and where a result has more significant digits than 63 bits hold
 * (upstream is unbounded there). A binary quantity is capped at 2^63-1 when read; sums beyond
 * 9.2e36 saturate. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "object/scalar.h"

enum { QUANTITY_TEXT_MAX = 128 }; /* bytes of text that are looked at */

/* 0 or ERR_INVALID with upstream's words: "quantities must match the regular expression ..." and
 * the like. White space at both ends is ignored. */
MUST_USE int quantity_read(struct str text, struct quantity *ret, struct err *err);
/* For constants in code: aborts if the text is bad. */
struct quantity quantity_of(const char *text);
/* Canonical, without quotes. */
void quantity_write(struct buf *out, struct quantity q);
struct quantity quantity_of_int(int64_t value, enum quantity_format format);
struct quantity quantity_of_milli(int64_t milli, enum quantity_format format);

int quantity_sign(struct quantity q); /* -1, 0, 1 */
/* By value: 1Gi equals 1073741824. <0, 0, >0. */
int quantity_cmp(struct quantity a, struct quantity b);
/* The sum or difference has a's format, b's if a is zero. */
struct quantity quantity_add(struct quantity a, struct quantity b);
struct quantity quantity_sub(struct quantity a, struct quantity b);
struct quantity quantity_neg(struct quantity q);
/* In units or thousandths, rounded away from zero, saturating (upstream's Value and MilliValue). */
int64_t quantity_value(struct quantity q);
int64_t quantity_milli_value(struct quantity q);
/* Nearest double. */
double quantity_to_double(struct quantity q);
