/* SPDX-License-Identifier: Apache-2.0 */
/* crypto/base64.h: base64 (RFC 4648 §4, padded) and base64url (§5, unpadded, as JWT writes it). */
#pragma once
#include "base/buf.h"
#include "base/str.h"

/* Appends the encoded bytes. */
void base64_encode(struct buf *out, struct str bytes);
void base64url_encode(struct buf *out, struct str bytes);
/* Append the decoded bytes. Strict: no white space, exact padding (base64) or none (base64url), unused bits zero. 0 or ERR_INVALID;
 * on failure `out` is as before. */
MUST_USE int base64_decode(struct buf *out, struct str text);
MUST_USE int base64url_decode(struct buf *out, struct str text);
