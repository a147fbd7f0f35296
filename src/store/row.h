/* SPDX-License-Identifier: Apache-2.0 */
/* store/row.h: one operation as it stands on disk, in the commit log and in the file alike. Its
 * checksum is made once, when the batch is written, and travels with it. */
#pragma once
#include "base/buf.h"
#include "store/store_internal.h"

struct row {
	int64_t id; /* store_row_id() */
	int64_t wall_ns;
	struct str key;
	struct str text; /* without the revision's digits; unset: deleted */
	uint32_t room_at;
	uint32_t tag;
	uint32_t
		codec; /* which transformer made `text`; 0: none. Others are refused until there are some */
	int64_t create_revision, version;
	/* Upper half: of id and key. Lower half: of everything. So a damaged value still has a
	 * name. */
	uint64_t sum;
};

enum { ROW_CODEC_NONE = 0 };

/* Appends the row of an operation, summed, padded to 8 bytes; returns its sum. */
uint64_t row_add(struct buf *b, const struct store_batch_row *op, int64_t wall_ns);
/* Takes the first row off *rest; it borrows from there. 0, or ERR_CORRUPT if it is no whole row
 * (sums are not looked at). */
MUST_USE int row_cut(struct str *rest, struct row *ret);
bool row_is_intact(const struct row *row);
/* The id and key can be trusted, whatever has happened to the rest. */
bool row_has_intact_key(const struct row *row);
/* The value without its revision (store_load fills it in), or NULL for a deletion. One
 * reference. */
struct store_value *row_value(const struct row *row);
