/* SPDX-License-Identifier: Apache-2.0 */
/* crypto/x509_internal.h: what the files of crypto/ share about OpenSSL's objects. */
#pragma once
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "crypto/x509.h"

static inline void cleanup_pkey(EVP_PKEY **p)
{
	EVP_PKEY_free(*p);
}

static inline void cleanup_x509(X509 **p)
{
	X509_free(*p);
}

static inline void cleanup_bio(BIO **p)
{
	BIO_free(*p);
}

static inline void cleanup_x509_stack(STACK_OF(X509) * *p)
{
	sk_X509_pop_free(*p, X509_free);
}

#define CLEANUP_PKEY CLEANUP(cleanup_pkey)
#define CLEANUP_X509 CLEANUP(cleanup_x509)
#define CLEANUP_BIO CLEANUP(cleanup_bio)
#define CLEANUP_X509_STACK CLEANUP(cleanup_x509_stack)

/* Sets err to `what` and OpenSSL's newest reason; empties its error queue. */
int x509_err(struct err *err, int code, const char *what);
/* The caller's. */
MUST_USE int x509_parse_key(struct str pem, EVP_PKEY **ret, struct err *err);
/* All certificates of a PEM text, at least one, at most 1,000. */
MUST_USE int x509_parse_certs(struct str pem, STACK_OF(X509) * *ret, struct err *err);
/* Copies into `a`. */
void x509_info_fill(X509 *cert, struct arena *a, struct x509_info *ret);
