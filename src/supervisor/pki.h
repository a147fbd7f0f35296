/* SPDX-License-Identifier: Apache-2.0 */
/* supervisor/pki.h: the cluster's keys and certificates as files in one directory (mode 0700), made when missing:
 *     ca.crt ca.key                       signs everything below, ten years
 *     apiserver.crt apiserver.key         the server's, for its names and addresses
 *     apiserver-kubelet-client.crt .key   how the API server speaks to nodes
 *     admin.crt admin.key                 group system:masters
 *     sa.key                              signs service account tokens
 *     NODE.crt NODE.key                   system:node:NODE, group system:nodes; serves the kubelet port too
 * A leaf that expires within 30 days, or lacks a name, is made anew; the authority never is. */
#pragma once
#include "base/err.h"
#include "base/str.h"
#include "crypto/x509.h"

struct pki {
	char *dir;
	struct x509_pem ca;
	struct x509_pem apiserver;
	struct x509_pem kubelet_client;
	struct x509_pem admin;
	char *service_account_key;
};

struct pki_opts {
	const char *dir; /* created */
	const struct str *dns_names;
	size_t n_dns_names;
	const struct str *ips;
	size_t n_ips;
	int64_t now_s;
};

MUST_USE int pki_ensure(const struct pki_opts *opts, struct pki *ret, struct err *err);
/* Certificate of a node, with its addresses. */
MUST_USE int pki_ensure_node(const struct pki *pki, struct str node, struct str ip, int64_t now_s,
			     struct x509_pem *ret, struct err *err);
/* A user's: CN and groups. Not kept in a file. */
MUST_USE int pki_issue_user(const struct pki *pki, struct str user, const struct str *groups,
			    size_t ngroups, int64_t now_s, struct x509_pem *ret, struct err *err);
void pki_fini(struct pki *pki);
