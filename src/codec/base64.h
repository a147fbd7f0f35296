/* SPDX-License-Identifier: Apache-2.0 */
/* codec/base64.h: RFC 4648 §4 (standard alphabet, padded), as Go's StdEncoding: CR and LF are
 * skipped on the way in, bits beyond the last byte are not looked at. */
#pragma once
#include "base/arena.h"
#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"

void base64_write(struct buf *out, struct str bytes);
/* Decodes into the arena. 0, or ERR_INVALID with the position of the offending character in *ret_at
 * (may be NULL): "illegal base64 data at input byte N". */
MUST_USE int base64_read(struct arena *arena, struct str text, struct str *ret, size_t *ret_at);
