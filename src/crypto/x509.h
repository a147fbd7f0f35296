/* SPDX-License-Identifier: Apache-2.0 */
/* crypto/x509.h: certificates and keys as PEM text: make a certificate authority, issue server and client certificates (P-256,
 * ECDSA with SHA-256), read who a certificate speaks for. Kubernetes reads the common name as user and the organizations as groups.
 *     struct x509_pem ca = {0}, leaf = {0};
 *     x509_make_ca(STR("kubernetes-ca"), now_s, 10 * 365 * 86400LL, &ca, &err);
 *     x509_issue(&ca, &(struct x509_opts){.common_name = STR("admin"), .client = true, ...}, &leaf, &err);
 * Any thread; issuing takes about 0.1 ms. */
#pragma once
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

struct x509_pem {
	char *cert; /* one certificate; heap */
	char *key;  /* PKCS #8; heap, wiped by x509_pem_fini */
};

void x509_pem_fini(struct x509_pem *pem);
#define CLEANUP_X509_PEM CLEANUP(x509_pem_fini)

struct x509_opts {
	struct str common_name;
	const struct str *organizations;
	size_t n_organizations;
	bool server; /* extended key usage; both may be set */
	bool client;
	const struct str *dns_names; /* subject alternative names */
	size_t n_dns_names;
	const struct str *ips; /* as text, "10.96.0.1" or "::1" */
	size_t n_ips;
	int64_t now_s; /* seconds since the epoch; valid from a minute before it */
	int64_t lifetime_s;
};

/* A self-signed authority, path length 0. *ret is untouched on failure (here and below). */
MUST_USE int x509_make_ca(struct str common_name, int64_t now_s, int64_t lifetime_s,
			  struct x509_pem *ret, struct err *err);
/* A fresh key and its certificate, signed by `ca`. */
MUST_USE int x509_issue(const struct x509_pem *ca, const struct x509_opts *opts,
			struct x509_pem *ret, struct err *err);
/* A private key alone (P-256, PKCS #8 PEM, heap; the caller's, wipe it). */
MUST_USE int x509_make_key(char **ret_pem, struct err *err);

/* What a certificate says. */
struct x509_info {
	struct str common_name; /* unset: none */
	const struct str *organizations;
	size_t n_organizations;
	const struct str *dns_names;
	size_t n_dns_names;
	const struct str *ips; /* as text */
	size_t n_ips;
	struct str serial; /* lower-case hexadecimal */
	int64_t not_before_s;
	int64_t not_after_s;
	bool is_ca;
	uint8_t fingerprint[32]; /* SHA-256 of the DER form */
};

/* Reads the first certificate of a PEM text; everything in *ret lives in `a`. */
MUST_USE int x509_read(struct str pem, struct arena *a, struct x509_info *ret, struct err *err);
/* 0 if key and certificate belong together. */
MUST_USE int x509_check_pair(struct str cert_pem, struct str key_pem, struct err *err);
/* 0 if `cert_pem` (with intermediates behind it, if any) is signed by one of `ca_pem` and valid at now_s. */
MUST_USE int x509_verify(struct str cert_pem, struct str ca_pem, int64_t now_s, struct err *err);
