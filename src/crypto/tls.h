/* SPDX-License-Identifier: Apache-2.0 */
/* crypto/tls.h: TLS 1.2 and 1.3 as a machine in memory: ciphertext and plaintext go in and out by call, sockets are the business of
 * net/. A context holds configuration, is immutable and reference-counted; to change certificates make a new context and give it to
 * whoever accepts: connections keep the one they began with, and tickets of the old one are no longer honoured. Contexts that ask for client certificates issue no tickets.
 *
 * An idle connection keeps no record buffers: they are made for a record and released behind it. Contexts may be shared between
 * threads, a connection belongs to one. */
#pragma once
#include "base/buf.h"
#include "base/err.h"
#include "crypto/x509.h"

struct tls_ctx;
struct tls_conn;

enum tls_client_auth {
	TLS_CLIENT_CERT_NONE,	 /* not asked for */
	TLS_CLIENT_CERT_REQUEST, /* asked for; the handshake succeeds also without or with one that does not verify: tls_peer.verified says.
				   * What upstream's servers do: a bad certificate is answered with 401, not with a TLS alert. */
	TLS_CLIENT_CERT_IF_GIVEN, /* asked for; none is fine, one that does not verify fails the handshake */
	TLS_CLIENT_CERT_REQUIRE,
};

struct tls_server_opts {
	struct str cert_pem; /* leaf first, then intermediates */
	struct str key_pem;
	enum tls_client_auth client_auth;
	struct str client_ca_pem; /* unless NONE */
	bool h2;		  /* offer "h2" before "http/1.1" */
};

/* The opts' texts are not kept. ERR_INVALID with the reason. One reference, the caller's. */
MUST_USE int tls_server_new(const struct tls_server_opts *opts, struct tls_ctx **ret,
			    struct err *err);

struct tls_client_opts {
	struct str ca_pem;   /* unset: the system's authorities */
	struct str cert_pem; /* unset: no client certificate */
	struct str key_pem;
	bool insecure_skip_verify; /* as the kubeconfig field of that name */
	bool h2;
};

MUST_USE int tls_client_new(const struct tls_client_opts *opts, struct tls_ctx **ret,
			    struct err *err);
struct tls_ctx *tls_ctx_ref(struct tls_ctx *ctx);
/* NULL is fine. */
void tls_ctx_unref(struct tls_ctx *ctx);

/* Whom the other side's certificate names. Lives as long as the connection. */
struct tls_peer {
	bool verified;		  /* its chain leads to one of our authorities */
	const char *verify_error; /* why not; constant text */
	struct str common_name;
	const struct str *organizations;
	size_t n_organizations;
	int64_t not_after_s; /* check it per request: connections outlive certificates */
	uint8_t fingerprint[32];
	struct str serial;
};

/* A connection writes ciphertext by appending to *out, which may be changed between calls with tls_conn_set_output. */
struct tls_conn *tls_accept(struct tls_ctx *ctx);
/* server_name (DNS name or IP address) is verified and, if a name, sent as SNI. */
MUST_USE int tls_connect(struct tls_ctx *ctx, struct str server_name, struct tls_conn **ret,
			 struct err *err);
void tls_conn_free(struct tls_conn *c);
void tls_conn_set_output(struct tls_conn *c, struct buf *out);

/* Ciphertext that came in. Borrowed until tls_conn_input_left() is 0 or tls_conn_steal_input() takes the rest. Only one at a time. */
void tls_conn_input(struct tls_conn *c, const char *p, size_t n);
size_t tls_conn_input_left(const struct tls_conn *c);
/* Appends the unread ciphertext to *to and forgets it. */
void tls_conn_steal_input(struct tls_conn *c, struct buf *to);

/* 1 done, 0 more input wanted, or ERR_PROTOCOL / ERR_DENIED (certificate not accepted) with the reason. Output may have come in any case
 * (alerts). Call until it is 1. */
MUST_USE int tls_conn_handshake(struct tls_conn *c, struct err *err);
/* True if the handshake failed because the peer spoke plain HTTP. */
bool tls_conn_peer_spoke_http(const struct tls_conn *c);
/* Plaintext bytes (> 0), 0 when all input is used up, ERR_CLOSED when the peer has said goodbye, ERR_PROTOCOL. */
MUST_USE int tls_conn_read(struct tls_conn *c, void *p, size_t cap);
/* Encrypts all n bytes (one record per 16 KB). 0 or ERR_PROTOCOL after an earlier failure. */
MUST_USE int tls_conn_write(struct tls_conn *c, const void *p, size_t n);
/* Says goodbye; harmless before the handshake and after errors. */
void tls_conn_shutdown(struct tls_conn *c);

/* After the handshake. */
bool tls_conn_is_h2(const struct tls_conn *c);
/* NULL: the peer sent no certificate (or resumed a session without one). */
const struct tls_peer *tls_conn_peer(const struct tls_conn *c);
/* "TLSv1.3" */
const char *tls_conn_version(const struct tls_conn *c);
