/* SPDX-License-Identifier: Apache-2.0 */
/* crypto/tls_internal.h: shared by tls_ctx.c and tls_conn.c. */
#pragma once
#include <openssl/ssl.h>
#include <stdatomic.h>

#include "crypto/tls.h"

struct tls_ctx {
	atomic_uint refs;
	SSL_CTX *ssl;
	bool h2;
};
