/* SPDX-License-Identifier: Apache-2.0 */
/* crypto/jwt.h: signed JSON web tokens in compact form (RFC 7515, 7519), ES256 and RS256. Claims are JSON text that others make and
 * read: here are header, base64url and signature only. The algorithm follows from the key, never from the token: "none" and
 * HMAC tokens are refused whatever they say.
 * A key set verifies; a key with its private part also signs. Immutable after loading, any thread. */
#pragma once
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

struct jwt_key;

/* From PEM: a private key (PKCS #8, SEC 1 or PKCS #1), a public key, or a certificate. P-256 or RSA of 2,048 bits and more. Its key id is
 * base64url(SHA-256(DER SubjectPublicKeyInfo)), as upstream computes it. */
MUST_USE int jwt_key_load(struct str pem, struct jwt_key **ret, struct err *err);
void jwt_key_free(struct jwt_key *key);
bool jwt_key_can_sign(const struct jwt_key *key);
struct str jwt_key_id(const struct jwt_key *key);
/* Appends the public key as a JSON web key object with "use", "kty", "kid" and "alg" (RFC 7517): an element of /openid/v1/jwks. */
void jwt_key_write_jwk(const struct jwt_key *key, struct buf *out);

/* Appends header.claims.signature. ERR_UNSUPPORTED for a public key. */
MUST_USE int jwt_sign(const struct jwt_key *key, struct str claims, struct buf *out,
		      struct err *err);

enum {
	JWT_MAX_BYTES = 16 * 1024,
};

/* Checks the signature by the key whose id the token names, or by each key when it names none, and appends the claims' JSON text to
 * *out. Times, issuer and audience are the caller's to check. ERR_UNAUTHORIZED (with the reason in err), ERR_LIMIT. */
MUST_USE int jwt_verify(struct jwt_key *const *keys, size_t n_keys, struct str token,
			struct buf *out, struct err *err);
/* Appends the claims without looking at the signature: to find out whether a token is one of ours at all. */
MUST_USE int jwt_peek_claims(struct str token, struct buf *out);
