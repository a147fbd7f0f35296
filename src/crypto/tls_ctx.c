/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/err.h>
#include <stdatomic.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "crypto/tls_internal.h"
#include "crypto/x509_internal.h"

enum {
	TICKET_LIFETIME_S = 3600,
};

struct tls_ctx *tls_ctx_ref(struct tls_ctx *ctx)
{
	atomic_fetch_add(&ctx->refs, 1);
	return ctx;
}

void tls_ctx_unref(struct tls_ctx *ctx)
{
	if (ctx && atomic_fetch_sub(&ctx->refs, 1) == 1) {
		SSL_CTX_free(ctx->ssl);
		mem_free(ctx);
	}
}

static struct tls_ctx *ctx_new(const SSL_METHOD *method)
{
	struct tls_ctx *ctx = NEW(struct tls_ctx);

	atomic_init(&ctx->refs, 1);
	ctx->ssl = SSL_CTX_new(method);
	ASSERT(ctx->ssl);
	SSL_CTX_set_min_proto_version(ctx->ssl, TLS1_2_VERSION);
	SSL_CTX_set_options(ctx->ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
					      SSL_OP_CIPHER_SERVER_PREFERENCE |
					      SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(ctx->ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_session_cache_mode(ctx->ssl, SSL_SESS_CACHE_OFF);
	/* AES-128 first: as strong as the P-256 around it and a third faster than AES-256. */
	ASSERT(SSL_CTX_set_ciphersuites(ctx->ssl, "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:"
						  "TLS_CHACHA20_POLY1305_SHA256") == 1);
	ASSERT(SSL_CTX_set_cipher_list(ctx->ssl, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1);
	return ctx;
}

static int use_pair(struct tls_ctx *ctx, struct str cert_pem, struct str key_pem, struct err *err)
{
	STACK_OF(X509) *certs CLEANUP_X509_STACK = NULL;
	EVP_PKEY *key CLEANUP_PKEY = NULL;
	int rc;

	if ((rc = x509_parse_certs(cert_pem, &certs, err)) < 0 ||
	    (rc = x509_parse_key(key_pem, &key, err)) < 0) {
		return rc;
	}
	if (SSL_CTX_use_certificate(ctx->ssl, sk_X509_value(certs, 0)) != 1) {
		return x509_err(err, ERR_INVALID, "cannot use the certificate");
	}
	for (int i = 1; i < sk_X509_num(certs); i++) {
		if (SSL_CTX_add1_chain_cert(ctx->ssl, sk_X509_value(certs, i)) != 1) {
			return x509_err(err, ERR_INVALID, "cannot use an intermediate certificate");
		}
	}
	if (SSL_CTX_use_PrivateKey(ctx->ssl, key) != 1 ||
	    SSL_CTX_check_private_key(ctx->ssl) != 1) {
		return x509_err(err, ERR_INVALID,
				"cannot use the private key with the certificate");
	}
	return 0;
}

/* `names` also announces the authorities' subjects to clients, so that browsers offer the right certificate. */
static int use_authorities(struct tls_ctx *ctx, struct str pem, bool names, struct err *err)
{
	STACK_OF(X509) *certs CLEANUP_X509_STACK = NULL;
	X509_STORE *store = X509_STORE_new();
	int rc = x509_parse_certs(pem, &certs, err);

	if (rc < 0) {
		X509_STORE_free(store);
		return err_wrap(err, "cannot use the certificate authorities");
	}
	for (int i = 0; i < sk_X509_num(certs); i++) {
		X509_STORE_add_cert(store, sk_X509_value(certs, i));
		if (names) {
			SSL_CTX_add_client_CA(ctx->ssl, sk_X509_value(certs, i));
		}
	}
	/* An authority given by hand is trusted though it is not self-signed, as Go does. */
	X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
	SSL_CTX_set_cert_store(ctx->ssl, store);
	ERR_clear_error();
	return 0;
}

/* The result stays in the connection's verify result. */
static int accept_unverified(int ok UNUSED, X509_STORE_CTX *store UNUSED)
{
	return 1;
}

static const unsigned char alpn_h2[] = "\x02h2\x08http/1.1";
static const unsigned char alpn_h1[] = "\x08http/1.1";

static int choose_alpn(SSL *ssl UNUSED, const unsigned char **out, unsigned char *out_n,
		       const unsigned char *in, unsigned in_n, void *arg)
{
	const struct tls_ctx *ctx = arg;
	const unsigned char *ours = ctx->h2 ? alpn_h2 : alpn_h1;
	unsigned ours_n = (unsigned)(ctx->h2 ? sizeof(alpn_h2) : sizeof(alpn_h1)) - 1;
	unsigned char *chosen;

	/* A client that offers only protocols of its own is served HTTP/1.1 without one, as Go does for "no overlap" with h1. */
	if (SSL_select_next_proto(&chosen, out_n, ours, ours_n, in, in_n) !=
	    OPENSSL_NPN_NEGOTIATED) {
		return SSL_TLSEXT_ERR_NOACK;
	}
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

static void set_client_auth(struct tls_ctx *ctx, enum tls_client_auth auth)
{
	static const int modes[] = {
		[TLS_CLIENT_CERT_NONE] = SSL_VERIFY_NONE,
		[TLS_CLIENT_CERT_REQUEST] = SSL_VERIFY_PEER,
		[TLS_CLIENT_CERT_IF_GIVEN] = SSL_VERIFY_PEER,
		[TLS_CLIENT_CERT_REQUIRE] = SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
	};

	SSL_CTX_set_verify(ctx->ssl, modes[auth],
			   auth == TLS_CLIENT_CERT_REQUEST ? accept_unverified : NULL);
}

int tls_server_new(const struct tls_server_opts *opts, struct tls_ctx **ret, struct err *err)
{
	struct tls_ctx *ctx = ctx_new(TLS_server_method());
	int rc = use_pair(ctx, opts->cert_pem, opts->key_pem, err);

	if (rc == 0 && opts->client_auth != TLS_CLIENT_CERT_NONE) {
		rc = use_authorities(ctx, opts->client_ca_pem, true, err);
	}
	if (rc < 0) {
		tls_ctx_unref(ctx);
		return rc;
	}
	ctx->h2 = opts->h2;
	set_client_auth(ctx, opts->client_auth);
	SSL_CTX_set_alpn_select_cb(ctx->ssl, choose_alpn, ctx);
	SSL_CTX_set_session_id_context(ctx->ssl, (const unsigned char *)"cox", 3);
	if (opts->client_auth == TLS_CLIENT_CERT_NONE) {
		SSL_CTX_set_num_tickets(ctx->ssl, 1);
		SSL_CTX_set_timeout(ctx->ssl, TICKET_LIFETIME_S);
	} else {
		/* A ticket would carry the client's certificate past changes of the authorities; a full handshake with P-256 is cheap. */
		SSL_CTX_set_num_tickets(ctx->ssl, 0);
		SSL_CTX_set_options(ctx->ssl, SSL_OP_NO_TICKET);
	}
	*ret = ctx;
	return 0;
}

int tls_client_new(const struct tls_client_opts *opts, struct tls_ctx **ret, struct err *err)
{
	struct tls_ctx *ctx = ctx_new(TLS_client_method());
	int rc = 0;

	if (opts->ca_pem.p) {
		rc = use_authorities(ctx, opts->ca_pem, false, err);
	} else if (!opts->insecure_skip_verify && SSL_CTX_set_default_verify_paths(ctx->ssl) != 1) {
		rc = x509_err(err, ERR_SYSTEM, "cannot load the system's certificate authorities");
	}
	if (rc == 0 && opts->cert_pem.p) {
		rc = use_pair(ctx, opts->cert_pem, opts->key_pem, err);
	}
	if (rc < 0) {
		tls_ctx_unref(ctx);
		return rc;
	}
	ctx->h2 = opts->h2;
	SSL_CTX_set_verify(ctx->ssl, opts->insecure_skip_verify ? SSL_VERIFY_NONE : SSL_VERIFY_PEER,
			   NULL);
	if (opts->h2) {
		SSL_CTX_set_alpn_protos(ctx->ssl, alpn_h2, sizeof(alpn_h2) - 1);
	} else {
		SSL_CTX_set_alpn_protos(ctx->ssl, alpn_h1, sizeof(alpn_h1) - 1);
	}
	*ret = ctx;
	return 0;
}
