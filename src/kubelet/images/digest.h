/* SPDX-License-Identifier: Apache-2.0 */
/* kubelet/images/digest.h: SHA-256 over a stream, as lower-case hex. One thread at a time. */
#pragma once
#include <stddef.h>

#include "base/str.h"

enum { DIGEST_HEX = 64 };

struct evp_md_ctx_st;

struct digest {
	struct evp_md_ctx_st *ctx;
};

void digest_init(struct digest *d);
void digest_add(struct digest *d, const void *p, size_t n);
/* Ends it; hex is NUL-terminated. */
void digest_hex(struct digest *d, char hex[DIGEST_HEX + 1]);
void digest_fini(struct digest *d);
void digest_of(struct str data, char hex[DIGEST_HEX + 1]);
#define CLEANUP_DIGEST CLEANUP(digest_fini)
