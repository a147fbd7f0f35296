/* SPDX-License-Identifier: Apache-2.0 */
/* ingress/certificates.h: TLS Secrets checked, and the default certificate. */
#pragma once
#include "base/buf.h"
#include "base/err.h"
#include "types/core_v1.h"

/* Of a chain and of a key, PEM. */
#define CERTIFICATE_PEM_MAX (256 * 1024)

/* Appends "BASE64(chain) BASE64(key)" of a kubernetes.io/tls Secret. ERR_INVALID with what is wrong: type, missing parts, not PEM, key of
 * another certificate. An expired certificate is served: clients say best what they think of it. */
MUST_USE int certificate_of_secret(const struct core_secret *secret, struct buf *out,
				   struct err *err);

/* Writes key and self-signed certificate (P-256, ten years) as one PEM file, mode 0600, unless it exists. It serves hosts without a certificate of
 * their own. ERR_*. */
MUST_USE int certificate_write_default(const char *path, struct err *err);
