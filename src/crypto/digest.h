/* SPDX-License-Identifier: Apache-2.0 */
/* crypto/digest.h: SHA-256 and HMAC-SHA-256 in one call, and hexadecimal text. Any thread. */
#pragma once
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

struct sha256 {
	uint8_t bytes[32];
};

struct sha256 sha256_of(struct str data);
struct sha256 hmac_sha256(struct str key, struct str data);
/* Appends lower-case hexadecimal digits. */
void hex_encode(struct buf *out, const void *p, size_t n);
static inline struct str sha256_str(const struct sha256 *h)
{
	return str_make(h->bytes, sizeof(h->bytes));
}
