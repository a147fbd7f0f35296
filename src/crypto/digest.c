/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/digest.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include "base/alloc.h"

struct sha256 sha256_of(struct str data)
{
	struct sha256 h;

	SHA256((const unsigned char *)(data.p ? data.p : ""), data.n, h.bytes);
	return h;
}

struct sha256 hmac_sha256(struct str key, struct str data)
{
	struct sha256 h;
	unsigned n = sizeof(h.bytes);

	ASSERT(key.n <= INT32_MAX);
	ASSERT(HMAC(EVP_sha256(), key.p ? key.p : "", (int)key.n,
		    (const unsigned char *)(data.p ? data.p : ""), data.n, h.bytes, &n));
	return h;
}

void hex_encode(struct buf *out, const void *p, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *from = p;
	char *to = buf_reserve(out, n * 2);

	for (size_t i = 0; i < n; i++) {
		*to++ = digits[from[i] >> 4];
		*to++ = digits[from[i] & 15];
	}
	out->n += n * 2;
}
