/* SPDX-License-Identifier: Apache-2.0 */
/* object/decode_internal.h: the decoder's state and how it refuses a value. For object/decode*.c
 * only. Decoding functions return nothing: bad syntax sticks to the reader, a value that does not
 * fit sticks here, and reading goes on so that the syntax of the whole text and all its unknown
 * fields are known at the end. */
#pragma once
#include "object/decode.h"

struct decoder {
	struct json_reader r;
	struct arena *arena;
	struct decode_report *report;
	const struct type_desc *owner; /* of the innermost object */
	struct err failed;	       /* the first value that does not fit */
};

void decode_note(struct decoder *d, enum strict_kind kind, const struct path *at);
/* Passes over the value that comes next, whose kind is not what f (one of its elements) takes. */
void decode_mismatch(struct decoder *d, const struct field_desc *f, const struct path *at);
/* The same where a list or map must stand. */
void decode_mismatch_of(struct decoder *d, const struct field_desc *f, enum field_shape shape,
			const struct path *at);
/* A number that is too large or not whole; it has been read. */
void decode_bad_number(struct decoder *d, const struct field_desc *f, struct str number,
		       const struct path *at);
/* A value in the wrong notation; it has been read. The message is the words of its parser. */
void decode_refuse(struct decoder *d, const struct field_desc *f, struct str value,
		   const struct path *at, const char *fmt, ...) PRINTF(5, 6);
