/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/jwt.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "crypto/base64.h"
#include "crypto/digest.h"
#include "crypto/x509_internal.h"

enum {
	RSA_BITS_MIN = 2048,
	SIG_MAX = 1024, /* RSA of 8,192 bits */
	P256_BYTES = 32,
};

struct jwt_key {
	EVP_PKEY *pkey;
	char *id;
	bool is_ec;
	bool has_private;
};

static EVP_PKEY *load_public(struct str pem)
{
	BIO *bio CLEANUP_BIO =
		BIO_new_mem_buf(pem.p ? pem.p : "", (int)MIN(pem.n, (size_t)INT32_MAX));
	STACK_OF(X509) *certs CLEANUP_X509_STACK = NULL;
	EVP_PKEY *key = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
	struct err ignored CLEANUP_ERR = {0};

	if (!key && x509_parse_certs(pem, &certs, &ignored) == 0) {
		key = X509_get_pubkey(sk_X509_value(certs, 0));
	}
	ERR_clear_error();
	return key;
}

static bool is_p256(EVP_PKEY *pkey)
{
	char group[32] = "";
	size_t n;

	return EVP_PKEY_get_group_name(pkey, group, sizeof(group), &n) == 1 &&
	       str_is(str_of(group), "prime256v1");
}

static char *compute_id(EVP_PKEY *pkey)
{
	unsigned char *der = NULL;
	int n = i2d_PUBKEY(pkey, &der);
	struct buf out = {0};
	struct sha256 h;

	ASSERT(n > 0);
	h = sha256_of(str_make(der, (size_t)n));
	OPENSSL_free(der);
	base64url_encode(&out, sha256_str(&h));
	return buf_steal(&out);
}

int jwt_key_load(struct str pem, struct jwt_key **ret, struct err *err)
{
	EVP_PKEY *pkey CLEANUP_PKEY = NULL;
	struct err ignored CLEANUP_ERR = {0};
	bool has_private = x509_parse_key(pem, &pkey, &ignored) == 0;
	bool is_ec;
	struct jwt_key *key;

	if (!has_private) {
		pkey = load_public(pem);
	}
	if (!pkey) {
		return err_set(err, ERR_INVALID,
			       "no private key, public key or certificate in the PEM text");
	}
	is_ec = EVP_PKEY_is_a(pkey, "EC") == 1;
	if (is_ec ? !is_p256(pkey)
		  : (EVP_PKEY_is_a(pkey, "RSA") != 1 || EVP_PKEY_get_bits(pkey) < RSA_BITS_MIN)) {
		return err_set(err, ERR_UNSUPPORTED,
			       "tokens are signed with P-256 or RSA (at least %d bits) keys only",
			       RSA_BITS_MIN);
	}
	key = NEW(struct jwt_key);
	*key = (struct jwt_key){.pkey = STEAL(pkey), .is_ec = is_ec, .has_private = has_private};
	key->id = compute_id(key->pkey);
	*ret = key;
	return 0;
}

void jwt_key_free(struct jwt_key *key)
{
	if (key) {
		EVP_PKEY_free(key->pkey);
		mem_free(key->id);
		mem_free(key);
	}
}

bool jwt_key_can_sign(const struct jwt_key *key)
{
	return key->has_private;
}

struct str jwt_key_id(const struct jwt_key *key)
{
	return str_of(key->id);
}

static void write_number(EVP_PKEY *pkey, const char *param, size_t pad_to, struct buf *out)
{
	unsigned char bytes[SIG_MAX];
	BIGNUM *bn = NULL;
	int n;

	ASSERT(EVP_PKEY_get_bn_param(pkey, param, &bn) == 1);
	n = pad_to ? (int)pad_to : BN_num_bytes(bn);
	ASSERT(n <= (int)sizeof(bytes) && BN_bn2binpad(bn, bytes, n) == n);
	base64url_encode(out, str_make(bytes, (size_t)n));
	BN_free(bn);
}

void jwt_key_write_jwk(const struct jwt_key *key, struct buf *out)
{
	buf_printf(out, "{\"use\":\"sig\",\"kty\":\"%s\",\"kid\":\"%s\",\"alg\":\"%s\",",
		   key->is_ec ? "EC" : "RSA", key->id, key->is_ec ? "ES256" : "RS256");
	if (key->is_ec) {
		buf_puts(out, "\"crv\":\"P-256\",\"x\":\"");
		write_number(key->pkey, OSSL_PKEY_PARAM_EC_PUB_X, P256_BYTES, out);
		buf_puts(out, "\",\"y\":\"");
		write_number(key->pkey, OSSL_PKEY_PARAM_EC_PUB_Y, P256_BYTES, out);
	} else {
		buf_puts(out, "\"n\":\"");
		write_number(key->pkey, OSSL_PKEY_PARAM_RSA_N, 0, out);
		buf_puts(out, "\",\"e\":\"");
		write_number(key->pkey, OSSL_PKEY_PARAM_RSA_E, 0, out);
	}
	buf_puts(out, "\"}");
}

/* JWS wants r and s side by side where OpenSSL makes an ASN.1 sequence (RFC 7518 §3.4). */
static bool raw_from_der(const unsigned char *der, size_t n, unsigned char raw[2 * P256_BYTES])
{
	const unsigned char *p = der;
	ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &p, (long)n);
	bool ok = sig && BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, P256_BYTES) == P256_BYTES &&
		  BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + P256_BYTES, P256_BYTES) == P256_BYTES;

	ECDSA_SIG_free(sig);
	return ok;
}

static int der_from_raw(struct str raw, unsigned char **ret_der)
{
	ECDSA_SIG *sig;
	int n;

	if (raw.n != 2 * P256_BYTES) {
		return -1;
	}
	sig = ECDSA_SIG_new();
	ECDSA_SIG_set0(sig, BN_bin2bn((const unsigned char *)raw.p, P256_BYTES, NULL),
		       BN_bin2bn((const unsigned char *)raw.p + P256_BYTES, P256_BYTES, NULL));
	n = i2d_ECDSA_SIG(sig, ret_der);
	ECDSA_SIG_free(sig);
	return n;
}

int jwt_sign(const struct jwt_key *key, struct str claims, struct buf *out, struct err *err)
{
	struct buf header CLEANUP_BUF = {0};
	unsigned char sig[SIG_MAX];
	unsigned char raw[2 * P256_BYTES];
	size_t sig_n = sizeof(sig);
	size_t start = out->n;
	EVP_MD_CTX *ctx;
	bool ok;

	if (!key->has_private) {
		return err_set(err, ERR_UNSUPPORTED, "a public key cannot sign tokens");
	}
	buf_printf(&header, "{\"alg\":\"%s\",\"kid\":\"%s\"}", key->is_ec ? "ES256" : "RS256",
		   key->id);
	base64url_encode(out, buf_str(&header));
	buf_add_char(out, '.');
	base64url_encode(out, claims);
	ctx = EVP_MD_CTX_new();
	ok = EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key->pkey) == 1 &&
	     EVP_DigestSign(ctx, sig, &sig_n, (const unsigned char *)out->p + start,
			    out->n - start) == 1 &&
	     (!key->is_ec || raw_from_der(sig, sig_n, raw));
	EVP_MD_CTX_free(ctx);
	if (!ok) {
		out->n = start;
		return x509_err(err, ERR_SYSTEM, "cannot sign a token");
	}
	buf_add_char(out, '.');
	base64url_encode(out, key->is_ec ? str_make(raw, sizeof(raw)) : str_make(sig, sig_n));
	return 0;
}

struct jwt_parts {
	struct str header, claims, signature, signed_text;
};

static bool split(struct str token, struct jwt_parts *ret)
{
	struct str rest = token;

	if (!str_cut(&rest, '.', &ret->header) || !str_cut(&rest, '.', &ret->claims) || !rest.p) {
		return false;
	}
	ret->signature = rest;
	ret->signed_text = str_sub(token, 0, ret->header.n + 1 + ret->claims.n);
	return ret->header.n && ret->claims.n && ret->signature.n && str_find_char(rest, '.') < 0;
}

static bool signature_matches(const struct jwt_key *key, struct str text, struct str sig)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned char *der = NULL;
	bool ok;

	if (key->is_ec) {
		int n = der_from_raw(sig, &der);

		sig = n > 0 ? str_make(der, (size_t)n) : STR_NULL;
	}
	ok = sig.n && EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key->pkey) == 1 &&
	     EVP_DigestVerify(ctx, (const unsigned char *)sig.p, sig.n,
			      (const unsigned char *)text.p, text.n) == 1;
	OPENSSL_free(der);
	EVP_MD_CTX_free(ctx);
	ERR_clear_error();
	return ok;
}

/* The header says which key ("kid"); a wrong hint can only make verification fail, so a plain text search is enough and no JSON
 * parser stands before the signature check. */
static bool names_key(struct str header, const struct jwt_key *key)
{
	struct buf want CLEANUP_BUF = {0};

	buf_printf(&want, "\"%s\"", key->id);
	return str_contains(header, buf_str(&want));
}

int jwt_verify(struct jwt_key *const *keys, size_t n_keys, struct str token, struct buf *out,
	       struct err *err)
{
	struct buf header CLEANUP_BUF = {0};
	struct buf sig CLEANUP_BUF = {0};
	struct jwt_parts parts;
	bool has_kid;

	if (token.n > JWT_MAX_BYTES) {
		return err_set(err, ERR_LIMIT, "the token is longer than %d bytes", JWT_MAX_BYTES);
	}
	if (!split(token, &parts) || base64url_decode(&header, parts.header) < 0 ||
	    base64url_decode(&sig, parts.signature) < 0) {
		return err_set(err, ERR_UNAUTHORIZED,
			       "the bearer token is not a signed JSON web token");
	}
	has_kid = str_contains(buf_str(&header), STR("\"kid\""));
	for (size_t i = 0; i < n_keys; i++) {
		if (has_kid && !names_key(buf_str(&header), keys[i])) {
			continue;
		}
		if (!signature_matches(keys[i], parts.signed_text, buf_str(&sig))) {
			continue;
		}
		if (base64url_decode(out, parts.claims) < 0) {
			return err_set(err, ERR_UNAUTHORIZED,
				       "the claims of the token are not base64url");
		}
		return 0;
	}
	return err_set(err, ERR_UNAUTHORIZED, "no known key has signed the token");
}

int jwt_peek_claims(struct str token, struct buf *out)
{
	struct jwt_parts parts;

	return token.n <= JWT_MAX_BYTES && split(token, &parts)
		       ? base64url_decode(out, parts.claims)
		       : ERR_INVALID;
}
