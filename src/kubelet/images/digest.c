/* SPDX-License-Identifier: Apache-2.0 */
#include "kubelet/images/digest.h"

#include <openssl/evp.h>

#include "base/alloc.h"

void digest_init(struct digest *d)
{
	d->ctx = EVP_MD_CTX_new();
	ASSERT(d->ctx && EVP_DigestInit_ex(d->ctx, EVP_sha256(), NULL) == 1);
}

void digest_add(struct digest *d, const void *p, size_t n)
{
	ASSERT(EVP_DigestUpdate(d->ctx, p, n) == 1);
}

void digest_hex(struct digest *d, char hex[DIGEST_HEX + 1])
{
	unsigned char raw[DIGEST_HEX / 2];

	ASSERT(EVP_DigestFinal_ex(d->ctx, raw, NULL) == 1);
	for (size_t i = 0; i < sizeof(raw); i++) {
		snprintf(hex + 2 * i, 3, "%02x", raw[i]);
	}
}

void digest_fini(struct digest *d)
{
	EVP_MD_CTX_free(d->ctx);
	d->ctx = NULL;
}

void digest_of(struct str data, char hex[DIGEST_HEX + 1])
{
	struct digest d CLEANUP_DIGEST = {0};

	digest_init(&d);
	digest_add(&d, data.p, data.n);
	digest_hex(&d, hex);
}
