/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/x509.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/vec.h"
#include "crypto/digest.h"
#include "crypto/secret.h"
#include "crypto/x509_internal.h"

enum {
	CERTS_MAX = 1000,
	NAMES_MAX = 1000, /* of one certificate, when it is read */
	CLOCK_SKEW_S = 60,
};

void x509_pem_fini(struct x509_pem *pem)
{
	mem_free(pem->cert);
	if (pem->key) {
		secret_wipe(pem->key, strlen(pem->key));
		mem_free(pem->key);
	}
	*pem = (struct x509_pem){0};
}

int x509_err(struct err *err, int code, const char *what)
{
	unsigned long e = ERR_peek_last_error();
	const char *reason = e ? ERR_reason_error_string(e) : NULL;

	err_set(err, code, "%s: %s", what, reason ? reason : "the cryptographic library refused");
	ERR_clear_error();
	return code;
}

/* A passphrase is never asked for on the terminal. */
static int no_passphrase(char *p UNUSED, int n UNUSED, int rw UNUSED, void *ctx UNUSED)
{
	return -1;
}

int x509_parse_key(struct str pem, EVP_PKEY **ret, struct err *err)
{
	BIO *bio CLEANUP_BIO =
		BIO_new_mem_buf(pem.p ? pem.p : "", (int)MIN(pem.n, (size_t)INT32_MAX));
	EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);

	if (!key) {
		return x509_err(err, ERR_INVALID, "no usable private key in the PEM text");
	}
	*ret = key;
	return 0;
}

int x509_parse_certs(struct str pem, STACK_OF(X509) * *ret, struct err *err)
{
	BIO *bio CLEANUP_BIO =
		BIO_new_mem_buf(pem.p ? pem.p : "", (int)MIN(pem.n, (size_t)INT32_MAX));
	STACK_OF(X509) *certs CLEANUP_X509_STACK = sk_X509_new_null();
	X509 *cert;

	while ((cert = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL))) {
		ASSERT(sk_X509_push(certs, cert) > 0);
		if (sk_X509_num(certs) > CERTS_MAX) {
			return err_set(err, ERR_LIMIT, "more than %d certificates in one PEM text",
				       CERTS_MAX);
		}
	}
	/* The end of the text shows as "no start line"; anything else is a broken certificate. */
	if (sk_X509_num(certs) == 0 ||
	    ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) {
		return x509_err(err, ERR_INVALID, "no usable certificate in the PEM text");
	}
	ERR_clear_error();
	*ret = certs;
	certs = NULL;
	return 0;
}

static char *pem_steal(BIO *bio)
{
	char *p;
	long n = BIO_get_mem_data(bio, &p);
	char *text = mem_dup_str(p, (size_t)n);

	secret_wipe(p, (size_t)n);
	return text;
}

static char *key_pem(EVP_PKEY *key)
{
	BIO *bio CLEANUP_BIO = BIO_new(BIO_s_mem());

	return PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1
		       ? pem_steal(bio)
		       : NULL;
}

static char *cert_pem(X509 *cert)
{
	BIO *bio CLEANUP_BIO = BIO_new(BIO_s_mem());

	return PEM_write_bio_X509(bio, cert) == 1 ? pem_steal(bio) : NULL;
}

int x509_make_key(char **ret_pem, struct err *err)
{
	EVP_PKEY *key CLEANUP_PKEY = EVP_EC_gen("P-256");
	char *pem = key ? key_pem(key) : NULL;

	if (!pem) {
		return x509_err(err, ERR_SYSTEM, "cannot make a P-256 key");
	}
	*ret_pem = pem;
	return 0;
}

static bool add_name(X509_NAME *name, int nid, struct str value)
{
	return value.n <= 64 * 1024 &&
	       X509_NAME_add_entry_by_NID(name, nid, MBSTRING_UTF8, (const unsigned char *)value.p,
					  (int)value.n, -1, 0) == 1;
}

static bool add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *ext;
	bool ok;

	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	ok = ext && X509_add_ext(cert, ext, -1) == 1;
	X509_EXTENSION_free(ext);
	return ok;
}

/* Built from objects, not from OpenSSL's configuration text, in which a comma in a name would begin another one. */
static bool add_alt_names(X509 *cert, const struct x509_opts *opts)
{
	GENERAL_NAMES *names;
	bool ok = true;

	if (opts->n_dns_names + opts->n_ips == 0) {
		return true;
	}
	names = sk_GENERAL_NAME_new_null();
	for (size_t i = 0; i < opts->n_dns_names; i++) {
		GENERAL_NAME *gn = GENERAL_NAME_new();
		ASN1_IA5STRING *text = ASN1_IA5STRING_new();

		ASN1_STRING_set(text, opts->dns_names[i].p, (int)opts->dns_names[i].n);
		GENERAL_NAME_set0_value(gn, GEN_DNS, text);
		sk_GENERAL_NAME_push(names, gn);
	}
	for (size_t i = 0; ok && i < opts->n_ips; i++) {
		char *text = str_dup_cstr(opts->ips[i]);
		ASN1_OCTET_STRING *bytes = a2i_IPADDRESS(text);

		mem_free(text);
		ok = bytes != NULL;
		if (ok) {
			GENERAL_NAME *gn = GENERAL_NAME_new();

			GENERAL_NAME_set0_value(gn, GEN_IPADD, bytes);
			sk_GENERAL_NAME_push(names, gn);
		}
	}
	ok = ok && X509_add1_ext_i2d(cert, NID_subject_alt_name, names, 0, 0) == 1;
	GENERAL_NAMES_free(names);
	return ok;
}

static bool set_serial(X509 *cert)
{
	unsigned char bytes[16];
	BIGNUM *bn;
	bool ok;

	secret_random(bytes, sizeof(bytes));
	bytes[0] = (unsigned char)((bytes[0] & 0x7f) | 0x40); /* positive, of constant length */
	bn = BN_bin2bn(bytes, sizeof(bytes), NULL);
	ok = bn && BN_to_ASN1_INTEGER(bn, X509_get_serialNumber(cert));
	BN_free(bn);
	return ok;
}

static bool set_times(X509 *cert, int64_t now_s, int64_t lifetime_s)
{
	return ASN1_TIME_set(X509_getm_notBefore(cert), (time_t)(now_s - CLOCK_SKEW_S)) &&
	       ASN1_TIME_set(X509_getm_notAfter(cert), (time_t)(now_s + lifetime_s));
}

/* Everything of a certificate but issuer, extensions and signature. */
static X509 *begin_cert(EVP_PKEY *key, const struct x509_opts *opts)
{
	X509 *cert = X509_new();
	bool ok = cert && X509_set_version(cert, X509_VERSION_3) == 1 && set_serial(cert) &&
		  set_times(cert, opts->now_s, opts->lifetime_s) && X509_set_pubkey(cert, key) == 1;

	for (size_t i = 0; ok && i < opts->n_organizations; i++) {
		ok = add_name(X509_get_subject_name(cert), NID_organizationName,
			      opts->organizations[i]);
	}
	if (ok && opts->common_name.n) {
		ok = add_name(X509_get_subject_name(cert), NID_commonName, opts->common_name);
	}
	if (!ok) {
		X509_free(cert);
		return NULL;
	}
	return cert;
}

static int finish_pair(X509 *cert, EVP_PKEY *key, struct x509_pem *ret, struct err *err)
{
	struct x509_pem pem = {cert_pem(cert), key_pem(key)};

	if (!pem.cert || !pem.key) {
		x509_pem_fini(&pem);
		return x509_err(err, ERR_SYSTEM, "cannot write a certificate as PEM");
	}
	*ret = pem;
	return 0;
}

int x509_make_ca(struct str common_name, int64_t now_s, int64_t lifetime_s, struct x509_pem *ret,
		 struct err *err)
{
	const struct x509_opts opts = {
		.common_name = common_name, .now_s = now_s, .lifetime_s = lifetime_s};
	EVP_PKEY *key CLEANUP_PKEY = EVP_EC_gen("P-256");
	X509 *cert CLEANUP_X509 = key ? begin_cert(key, &opts) : NULL;

	if (!cert || X509_set_issuer_name(cert, X509_get_subject_name(cert)) != 1 ||
	    !add_extension(cert, cert, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
	    !add_extension(cert, cert, NID_key_usage,
			   "critical,digitalSignature,keyEncipherment,keyCertSign,cRLSign") ||
	    !add_extension(cert, cert, NID_subject_key_identifier, "hash") ||
	    X509_sign(cert, key, EVP_sha256()) == 0) {
		return x509_err(err, ERR_SYSTEM, "cannot make a certificate authority");
	}
	return finish_pair(cert, key, ret, err);
}

static const char *key_usage(const struct x509_opts *opts)
{
	return opts->server && opts->client ? "serverAuth,clientAuth"
	       : opts->server		    ? "serverAuth"
					    : "clientAuth";
}

int x509_issue(const struct x509_pem *ca, const struct x509_opts *opts, struct x509_pem *ret,
	       struct err *err)
{
	STACK_OF(X509) *ca_certs CLEANUP_X509_STACK = NULL;
	EVP_PKEY *ca_key CLEANUP_PKEY = NULL;
	EVP_PKEY *key CLEANUP_PKEY = NULL;
	X509 *cert CLEANUP_X509 = NULL;
	X509 *issuer;
	int rc;

	ASSERT(opts->server || opts->client);
	if ((rc = x509_parse_certs(str_of(ca->cert), &ca_certs, err)) < 0 ||
	    (rc = x509_parse_key(str_of(ca->key), &ca_key, err)) < 0) {
		return err_wrap(err, "cannot use the certificate authority");
	}
	issuer = sk_X509_value(ca_certs, 0);
	key = EVP_EC_gen("P-256");
	cert = key ? begin_cert(key, opts) : NULL;
	if (!cert || X509_set_issuer_name(cert, X509_get_subject_name(issuer)) != 1 ||
	    !add_extension(cert, issuer, NID_basic_constraints, "critical,CA:FALSE") ||
	    !add_extension(cert, issuer, NID_key_usage,
			   "critical,digitalSignature,keyEncipherment") ||
	    !add_extension(cert, issuer, NID_ext_key_usage, key_usage(opts)) ||
	    !add_extension(cert, issuer, NID_authority_key_identifier, "keyid") ||
	    !add_alt_names(cert, opts) || X509_sign(cert, ca_key, EVP_sha256()) == 0) {
		err_set(err, ERR_INVALID,
			"cannot issue a certificate for '%.*s': a name or address in it is not "
			"usable",
			STR_ARG(opts->common_name));
		ERR_clear_error();
		return ERR_INVALID;
	}
	return finish_pair(cert, key, ret, err);
}

static struct str asn1_text(const ASN1_STRING *s, struct arena *a)
{
	unsigned char *utf8 = NULL;
	int n = ASN1_STRING_to_UTF8(&utf8, s);
	struct str text = n < 0 ? STR_NULL : arena_str(a, str_make(utf8, (size_t)n));

	OPENSSL_free(utf8);
	/* A NUL inside a name is how "admin\0.example.com" once passed for "admin". */
	return n < 0 || str_find_char(text, '\0') >= 0 ? STR_NULL : text;
}

static void fill_subject(X509 *cert, struct arena *a, struct x509_info *ret)
{
	const X509_NAME *name = X509_get_subject_name(cert);
	int n = MIN(X509_NAME_entry_count(name), (int)NAMES_MAX);
	struct str *orgs = ARENA_ARRAY(a, (size_t)MAX(n, 0), struct str);

	for (int i = 0; i < n; i++) {
		const X509_NAME_ENTRY *entry = X509_NAME_get_entry(name, i);
		int nid = OBJ_obj2nid(X509_NAME_ENTRY_get_object(entry));
		struct str text;

		if (nid != NID_commonName && nid != NID_organizationName) {
			continue;
		}
		text = asn1_text(X509_NAME_ENTRY_get_data(entry), a);
		if (!text.p) {
			continue;
		}
		if (nid == NID_commonName) {
			ret->common_name = text; /* the last one, as Go's crypto/x509 */
		} else {
			orgs[ret->n_organizations++] = text;
		}
	}
	ret->organizations = orgs;
}

static void fill_alt_names(X509 *cert, struct arena *a, struct x509_info *ret)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	int n = MIN(sk_GENERAL_NAME_num(names), (int)NAMES_MAX);
	struct str *dns = ARENA_ARRAY(a, (size_t)MAX(n, 0), struct str);
	struct str *ips = ARENA_ARRAY(a, (size_t)MAX(n, 0), struct str);

	for (int i = 0; i < n; i++) {
		const GENERAL_NAME *gn = sk_GENERAL_NAME_value(names, i);
		char text[INET6_ADDRSTRLEN];

		if (gn->type == GEN_DNS) {
			struct str s = asn1_text(gn->d.dNSName, a);

			if (s.p) {
				dns[ret->n_dns_names++] = s;
			}
		} else if (gn->type == GEN_IPADD) {
			int len = ASN1_STRING_length(gn->d.iPAddress);

			if ((len == 4 || len == 16) &&
			    inet_ntop(len == 4 ? AF_INET : AF_INET6,
				      ASN1_STRING_get0_data(gn->d.iPAddress), text, sizeof(text))) {
				ips[ret->n_ips++] = arena_str(a, str_of(text));
			}
		}
	}
	GENERAL_NAMES_free(names);
	ret->dns_names = dns;
	ret->ips = ips;
}

static int64_t asn1_seconds(const ASN1_TIME *t)
{
	struct tm tm;

	return ASN1_TIME_to_tm(t, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

void x509_info_fill(X509 *cert, struct arena *a, struct x509_info *ret)
{
	const ASN1_INTEGER *serial = X509_get0_serialNumber(cert);
	struct buf hex CLEANUP_BUF = {0};
	unsigned n = sizeof(ret->fingerprint);

	*ret = (struct x509_info){0};
	fill_subject(cert, a, ret);
	fill_alt_names(cert, a, ret);
	hex_encode(&hex, ASN1_STRING_get0_data(serial),
		   (size_t)MIN(ASN1_STRING_length(serial), 64));
	ret->serial = arena_str(a, buf_str(&hex));
	ret->not_before_s = asn1_seconds(X509_get0_notBefore(cert));
	ret->not_after_s = asn1_seconds(X509_get0_notAfter(cert));
	ret->is_ca = X509_check_ca(cert) == 1;
	X509_digest(cert, EVP_sha256(), ret->fingerprint, &n);
	ERR_clear_error();
}

int x509_read(struct str pem, struct arena *a, struct x509_info *ret, struct err *err)
{
	STACK_OF(X509) *certs CLEANUP_X509_STACK = NULL;
	int rc = x509_parse_certs(pem, &certs, err);

	if (rc < 0) {
		return rc;
	}
	x509_info_fill(sk_X509_value(certs, 0), a, ret);
	return 0;
}

int x509_check_pair(struct str cert, struct str key, struct err *err)
{
	STACK_OF(X509) *certs CLEANUP_X509_STACK = NULL;
	EVP_PKEY *pkey CLEANUP_PKEY = NULL;
	int rc;

	if ((rc = x509_parse_certs(cert, &certs, err)) < 0 ||
	    (rc = x509_parse_key(key, &pkey, err)) < 0) {
		return rc;
	}
	if (X509_check_private_key(sk_X509_value(certs, 0), pkey) != 1) {
		return x509_err(err, ERR_INVALID,
				"the private key does not belong to the certificate");
	}
	return 0;
}

int x509_verify(struct str cert, struct str ca, int64_t now_s, struct err *err)
{
	STACK_OF(X509) *certs CLEANUP_X509_STACK = NULL;
	STACK_OF(X509) *cas CLEANUP_X509_STACK = NULL;
	X509_STORE_CTX *ctx = NULL;
	X509_STORE *store;
	int rc;

	if ((rc = x509_parse_certs(cert, &certs, err)) < 0 ||
	    (rc = x509_parse_certs(ca, &cas, err)) < 0) {
		return rc;
	}
	store = X509_STORE_new();
	for (int i = 0; i < sk_X509_num(cas); i++) {
		X509_STORE_add_cert(store, sk_X509_value(cas, i));
	}
	ctx = X509_STORE_CTX_new();
	X509_STORE_CTX_init(ctx, store, sk_X509_value(certs, 0), certs);
	X509_STORE_CTX_set_time(ctx, 0, (time_t)now_s);
	if (X509_verify_cert(ctx) != 1) {
		rc = err_set(err, ERR_DENIED, "certificate not accepted: %s",
			     X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx)));
	}
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(store);
	ERR_clear_error();
	return rc;
}
