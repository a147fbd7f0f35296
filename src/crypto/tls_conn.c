/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/err.h>
#include <pthread.h>

#include "base/alloc.h"
#include "crypto/tls_internal.h"
#include "crypto/x509_internal.h"

struct tls_conn {
	SSL *ssl;
	struct tls_ctx *ctx;
	const char *in; /* borrowed ciphertext */
	size_t in_n;
	struct buf *out;
	struct tls_peer *peer; /* one allocation with all it points to */
	bool done;	       /* handshake */
	bool failed;
	bool spoke_http;
};

/* The BIO between OpenSSL and the two windows above. */
static int window_read(BIO *bio, char *p, size_t n, size_t *ret_n)
{
	struct tls_conn *c = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	if (c->in_n == 0) {
		BIO_set_retry_read(bio);
		return 0;
	}
	n = MIN(n, c->in_n);
	memcpy(p, c->in, n);
	c->in += n;
	c->in_n -= n;
	*ret_n = n;
	return 1;
}

static int window_write(BIO *bio, const char *p, size_t n, size_t *ret_n)
{
	struct tls_conn *c = BIO_get_data(bio);

	ASSERT(c->out);
	buf_add(c->out, p, n);
	*ret_n = n;
	return 1;
}

static long window_ctrl(BIO *bio UNUSED, int cmd, long num UNUSED, void *p UNUSED)
{
	return cmd == BIO_CTRL_FLUSH ? 1 : 0;
}

static BIO_METHOD *window_method;

static void make_method(void)
{
	window_method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "memory window");
	ASSERT(window_method && BIO_meth_set_read_ex(window_method, window_read) &&
	       BIO_meth_set_write_ex(window_method, window_write) &&
	       BIO_meth_set_ctrl(window_method, window_ctrl));
}

/* Made once per process and constant from then on, as OpenSSL's own method tables. */
static const BIO_METHOD *get_method(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, make_method);
	return window_method;
}

static struct tls_conn *conn_new(struct tls_ctx *ctx)
{
	struct tls_conn *c = NEW(struct tls_conn);
	BIO *bio = BIO_new(get_method());

	c->ctx = tls_ctx_ref(ctx);
	c->ssl = SSL_new(ctx->ssl);
	ASSERT(c->ssl && bio);
	BIO_set_data(bio, c);
	BIO_set_init(bio, 1);
	SSL_set_bio(c->ssl, bio, bio);
	return c;
}

struct tls_conn *tls_accept(struct tls_ctx *ctx)
{
	struct tls_conn *c = conn_new(ctx);

	SSL_set_accept_state(c->ssl);
	return c;
}

static bool set_expected_name(SSL *ssl, const char *name)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(ssl);

	if (X509_VERIFY_PARAM_set1_ip_asc(param, name) == 1) {
		return true;
	}
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return SSL_set1_host(ssl, name) == 1 && SSL_set_tlsext_host_name(ssl, name) == 1;
}

int tls_connect(struct tls_ctx *ctx, struct str server_name, struct tls_conn **ret, struct err *err)
{
	struct tls_conn *c;
	char *name;
	bool ok;

	if (server_name.n == 0 || server_name.n > 255 || str_find_char(server_name, '\0') >= 0) {
		return err_set(
			err, ERR_INVALID,
			"'%.*s' is not a server name that a certificate can be checked against",
			STR_ARG(server_name));
	}
	c = conn_new(ctx);
	name = str_dup_cstr(server_name);
	ok = set_expected_name(c->ssl, name);
	mem_free(name);
	ERR_clear_error();
	if (!ok) {
		tls_conn_free(c);
		return err_set(err, ERR_INVALID, "'%.*s' is not a usable server name",
			       STR_ARG(server_name));
	}
	SSL_set_connect_state(c->ssl);
	*ret = c;
	return 0;
}

void tls_conn_free(struct tls_conn *c)
{
	if (c) {
		SSL_free(c->ssl);
		tls_ctx_unref(c->ctx);
		mem_free(c->peer);
		mem_free(c);
	}
}

void tls_conn_set_output(struct tls_conn *c, struct buf *out)
{
	c->out = out;
}

void tls_conn_input(struct tls_conn *c, const char *p, size_t n)
{
	ASSERT(c->in_n == 0);
	c->in = p;
	c->in_n = n;
}

size_t tls_conn_input_left(const struct tls_conn *c)
{
	return c->in_n;
}

void tls_conn_steal_input(struct tls_conn *c, struct buf *to)
{
	buf_add(to, c->in, c->in_n);
	c->in_n = 0;
}

static struct str pack(char **at, struct str s)
{
	struct str copy = str_make(memcpy(*at, s.p ? s.p : "", s.n), s.n);

	*at += s.n;
	return copy;
}

/* Packed into one small block: a connection that idles for days should not hold an arena's chunk. */
static struct tls_peer *peer_new(X509 *cert, long verify_code)
{
	struct arena a CLEANUP_ARENA = {0};
	struct x509_info info;
	struct tls_peer *peer;
	struct str *orgs;
	size_t bytes;
	char *at;

	x509_info_fill(cert, &a, &info);
	bytes = info.common_name.n + info.serial.n;
	for (size_t i = 0; i < info.n_organizations; i++) {
		bytes += info.organizations[i].n;
	}
	peer = mem_new(sizeof(*peer) + info.n_organizations * sizeof(*orgs) + bytes);
	orgs = (struct str *)(peer + 1);
	at = (char *)(orgs + info.n_organizations);
	for (size_t i = 0; i < info.n_organizations; i++) {
		orgs[i] = pack(&at, info.organizations[i]);
	}
	peer->organizations = orgs;
	peer->n_organizations = info.n_organizations;
	peer->common_name = pack(&at, info.common_name);
	peer->serial = pack(&at, info.serial);
	peer->not_after_s = info.not_after_s;
	memcpy(peer->fingerprint, info.fingerprint, sizeof(peer->fingerprint));
	peer->verified = verify_code == X509_V_OK;
	peer->verify_error = peer->verified ? NULL : X509_verify_cert_error_string(verify_code);
	return peer;
}

static int handshake_failed(struct tls_conn *c, struct err *err)
{
	long verify = SSL_get_verify_result(c->ssl);
	unsigned long e = ERR_peek_error();
	int reason = ERR_GET_REASON(e);

	c->failed = true;
	c->spoke_http = ERR_GET_LIB(e) == ERR_LIB_SSL &&
			(reason == SSL_R_HTTP_REQUEST || reason == SSL_R_HTTPS_PROXY_REQUEST);
	if (verify != X509_V_OK && reason == SSL_R_CERTIFICATE_VERIFY_FAILED) {
		ERR_clear_error();
		return err_set(err, ERR_DENIED, "the other side's certificate is not accepted: %s",
			       X509_verify_cert_error_string(verify));
	}
	return x509_err(err, ERR_PROTOCOL, "TLS handshake failed");
}

int tls_conn_handshake(struct tls_conn *c, struct err *err)
{
	X509 *cert;
	int rc;
	int why;

	if (c->done) {
		return 1;
	}
	if (c->failed) {
		return err_set(err, ERR_PROTOCOL, "TLS handshake failed");
	}
	ERR_clear_error();
	rc = SSL_do_handshake(c->ssl);
	if (rc != 1) {
		why = SSL_get_error(c->ssl, rc);
		return why == SSL_ERROR_WANT_READ ? 0 : handshake_failed(c, err);
	}
	c->done = true;
	cert = SSL_get0_peer_certificate(c->ssl);
	if (cert) {
		c->peer = peer_new(cert, SSL_get_verify_result(c->ssl));
	}
	return 1;
}

bool tls_conn_peer_spoke_http(const struct tls_conn *c)
{
	return c->spoke_http;
}

int tls_conn_read(struct tls_conn *c, void *p, size_t cap)
{
	size_t n;
	int rc;

	if (c->failed) {
		return ERR_PROTOCOL;
	}
	ERR_clear_error();
	rc = SSL_read_ex(c->ssl, p, cap, &n);
	if (rc == 1) {
		return (int)n;
	}
	switch (SSL_get_error(c->ssl, rc)) {
	case SSL_ERROR_WANT_READ:
		return 0;
	case SSL_ERROR_ZERO_RETURN:
		return ERR_CLOSED;
	default:
		c->failed = true;
		ERR_clear_error();
		return ERR_PROTOCOL;
	}
}

int tls_conn_write(struct tls_conn *c, const void *p, size_t n)
{
	size_t written;

	if (c->failed || !c->done) {
		return ERR_PROTOCOL;
	}
	ERR_clear_error();
	if (n && SSL_write_ex(c->ssl, p, n, &written) != 1) {
		c->failed = true;
		ERR_clear_error();
		return ERR_PROTOCOL;
	}
	return 0;
}

void tls_conn_shutdown(struct tls_conn *c)
{
	if (c->done && !c->failed) {
		ERR_clear_error();
		SSL_shutdown(c->ssl);
		ERR_clear_error();
	}
}

bool tls_conn_is_h2(const struct tls_conn *c)
{
	const unsigned char *name;
	unsigned n;

	SSL_get0_alpn_selected(c->ssl, &name, &n);
	return str_is(str_make(name, n), "h2");
}

const struct tls_peer *tls_conn_peer(const struct tls_conn *c)
{
	return c->peer;
}

const char *tls_conn_version(const struct tls_conn *c)
{
	return SSL_get_version(c->ssl);
}
