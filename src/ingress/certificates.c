/* SPDX-License-Identifier: Apache-2.0 */
#include "ingress/certificates.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include "base/cleanup.h"

static struct str find_data(const struct core_secret *secret, struct str key)
{
	for (size_t i = 0; i < secret->data.n; i++) {
		if (str_eq(secret->data.p[i].key, key)) {
			return secret->data.p[i].value;
		}
	}
	return STR_NULL;
}

/* Never asks on the terminal for the passphrase of an encrypted key. */
static int no_passphrase(char *out UNUSED, int size UNUSED, int writing UNUSED, void *ctx UNUSED)
{
	return -1;
}

static int check_pair(struct str chain, struct str key, struct err *err)
{
	BIO *chain_bio = BIO_new_mem_buf(chain.p, (int)chain.n),
	    *key_bio = BIO_new_mem_buf(key.p, (int)key.n);
	X509 *leaf = PEM_read_bio_X509(chain_bio, NULL, no_passphrase, NULL);
	EVP_PKEY *private_key = PEM_read_bio_PrivateKey(key_bio, NULL, no_passphrase, NULL);
	int r = 0;

	if (!leaf) {
		r = err_set(err, ERR_INVALID, "tls.crt has no PEM certificate");
	} else if (!private_key) {
		r = err_set(err, ERR_INVALID, "tls.key is not an unencrypted PEM private key");
	} else if (X509_check_private_key(leaf, private_key) != 1) {
		r = err_set(err, ERR_INVALID,
			    "tls.key is not the key of the first certificate in tls.crt");
	}
	EVP_PKEY_free(private_key);
	X509_free(leaf);
	BIO_free(key_bio);
	BIO_free(chain_bio);
	return r;
}

static void add_base64(struct buf *out, struct str s)
{
	char *to = buf_reserve(out, 4 * ((s.n + 2) / 3) + 1);

	out->n +=
		(size_t)EVP_EncodeBlock((unsigned char *)to, (const unsigned char *)s.p, (int)s.n);
}

int certificate_of_secret(const struct core_secret *secret, struct buf *out, struct err *err)
{
	struct str chain = find_data(secret, STR("tls.crt")),
		   key = find_data(secret, STR("tls.key"));
	int r;

	if (!str_is(secret->type, "kubernetes.io/tls")) {
		return err_set(err, ERR_INVALID, "its type is not kubernetes.io/tls");
	}
	if (!chain.n || !key.n) {
		return err_set(err, ERR_INVALID, "it has no %s", chain.n ? "tls.key" : "tls.crt");
	}
	if (chain.n > CERTIFICATE_PEM_MAX || key.n > CERTIFICATE_PEM_MAX) {
		return err_set(err, ERR_INVALID, "tls.crt or tls.key is larger than %d KiB",
			       CERTIFICATE_PEM_MAX / 1024);
	}
	r = check_pair(chain, key, err);
	if (r < 0) {
		return r;
	}
	add_base64(out, chain);
	buf_add_char(out, ' ');
	add_base64(out, key);
	return 0;
}

static X509 *make_certificate(EVP_PKEY *key)
{
	X509 *cert = X509_new();
	X509_NAME *name = X509_get_subject_name(cert);
	X509_EXTENSION *san =
		X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "DNS:ingress.local");
	unsigned char serial[8];
	BIGNUM *number;
	bool ok;

	ok = RAND_bytes(serial, sizeof(serial)) == 1;
	serial[0] &= 0x7f;
	number = BN_bin2bn(serial, sizeof(serial), NULL);
	BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert));
	BN_free(number);
	X509_set_version(cert, X509_VERSION_3);
	/* Clocks of other machines may be a bit behind. */
	X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
	X509_gmtime_adj(X509_getm_notAfter(cert), 10L * 365 * 86400);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
				   (const unsigned char *)"cox ingress default certificate", -1, -1,
				   0);
	X509_set_issuer_name(cert, name);
	X509_set_pubkey(cert, key);
	ok = ok && san && X509_add_ext(cert, san, -1) == 1 &&
	     X509_sign(cert, key, EVP_sha256()) > 0;
	X509_EXTENSION_free(san);
	if (!ok) {
		X509_free(cert);
		return NULL;
	}
	return cert;
}

int certificate_write_default(const char *path, struct err *err)
{
	EVP_PKEY *key = NULL;
	X509 *cert = NULL;
	BIO *bio = NULL;
	char *pem;
	long n;
	int r = 0, fd CLEANUP_FD = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0) {
		return errno == EEXIST ? 0 : err_set_errno(err, errno, "%s", path);
	}
	key = EVP_EC_gen("P-256");
	cert = key ? make_certificate(key) : NULL;
	bio = BIO_new(BIO_s_mem());
	if (!cert || PEM_write_bio_X509(bio, cert) != 1 ||
	    PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) != 1) {
		r = err_set(err, ERR_SYSTEM, "cannot make the default certificate");
	} else {
		n = BIO_get_mem_data(bio, &pem);
		if (write(fd, pem, (size_t)n) != n) {
			r = err_set_errno(err, errno, "%s", path);
		}
	}
	if (r < 0) {
		unlink(path);
	}
	BIO_free(bio);
	X509_free(cert);
	EVP_PKEY_free(key);
	return r;
}
