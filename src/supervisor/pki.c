/* SPDX-License-Identifier: Apache-2.0 */
#include "supervisor/pki.h"

#include <errno.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "crypto/secret.h"

#define YEAR_S (365LL * 86400)
#define RENEW_S (30LL * 86400)
enum { FILE_MAX = 1024 * 1024 };

static int read_file(const char *path, char **ret, struct err *err)
{
	struct buf b CLEANUP_SECRET_BUF = {0};
	int r = secret_file_read(path, FILE_MAX, &b, err);

	if (r == 0) {
		*ret = buf_steal(&b);
	}
	return r;
}

static const char *file_in(struct arena *a, const char *dir, struct str name, const char *ext)
{
	return arena_printf(a, "%s/%.*s.%s", dir, STR_ARG(name), ext).p;
}

static int read_pair(struct arena *a, const char *dir, struct str name, struct x509_pem *ret,
		     struct err *err)
{
	struct x509_pem pem = {0};
	int r = read_file(file_in(a, dir, name, "crt"), &pem.cert, err);

	if (r == 0) {
		r = read_file(file_in(a, dir, name, "key"), &pem.key, err);
	}
	if (r < 0) {
		x509_pem_fini(&pem);
		return r;
	}
	*ret = pem;
	return 0;
}

static int write_pair(struct arena *a, const char *dir, struct str name, const struct x509_pem *pem,
		      struct err *err)
{
	int r = secret_file_write(file_in(a, dir, name, "key"), str_of(pem->key), false, err);

	return r < 0 ? r
		     : secret_file_write(file_in(a, dir, name, "crt"), str_of(pem->cert), true,
					 err);
}

static bool has_all(const struct str *have, size_t n_have, const struct str *want, size_t n_want)
{
	for (size_t i = 0; i < n_want; i++) {
		bool found = false;

		for (size_t j = 0; j < n_have; j++) {
			found = found || str_eq(have[j], want[i]);
		}
		if (!found) {
			return false;
		}
	}
	return true;
}

/* Still good for what is asked? */
static bool is_good(struct arena *a, const struct x509_pem *ca, const struct x509_pem *pem,
		    const struct x509_opts *opts)
{
	struct x509_info info;

	return x509_check_pair(str_of(pem->cert), str_of(pem->key), NULL) == 0 &&
	       x509_verify(str_of(pem->cert), str_of(ca->cert), opts->now_s, NULL) == 0 &&
	       x509_read(str_of(pem->cert), a, &info, NULL) == 0 &&
	       info.not_after_s > opts->now_s + RENEW_S &&
	       has_all(info.dns_names, info.n_dns_names, opts->dns_names, opts->n_dns_names) &&
	       has_all(info.ips, info.n_ips, opts->ips, opts->n_ips);
}

static int ensure_leaf(const char *dir, struct str name, const struct x509_pem *ca,
		       struct x509_opts *opts, struct x509_pem *ret, struct err *err)
{
	struct arena a CLEANUP_ARENA = {0};
	struct x509_pem pem = {0};
	int r;

	opts->lifetime_s = YEAR_S;
	if (read_pair(&a, dir, name, &pem, NULL) == 0) {
		if (is_good(&a, ca, &pem, opts)) {
			*ret = pem;
			return 0;
		}
		x509_pem_fini(&pem);
		pem = (struct x509_pem){0};
	}
	r = x509_issue(ca, opts, &pem, err);
	if (r == 0) {
		r = write_pair(&a, dir, name, &pem, err);
	}
	if (r < 0) {
		x509_pem_fini(&pem);
		return r;
	}
	*ret = pem;
	return 0;
}

static int ensure_ca(const char *dir, int64_t now_s, struct x509_pem *ret, struct err *err)
{
	struct arena a CLEANUP_ARENA = {0};
	struct err missing CLEANUP_ERR = {0};
	int r = read_pair(&a, dir, STR("ca"), ret, &missing);

	if (r == 0) {
		return 0;
	}
	if (r != ERR_NOT_FOUND) {
		return err_set(err, r, "%s", err_msg(&missing));
	}
	r = x509_make_ca(STR("kubernetes-ca"), now_s, 10 * YEAR_S, ret, err);
	return r < 0 ? r : write_pair(&a, dir, STR("ca"), ret, err);
}

static int ensure_service_account_key(const char *dir, char **ret, struct err *err)
{
	struct arena a CLEANUP_ARENA = {0};
	const char *path = file_in(&a, dir, STR("sa"), "key");
	struct err missing CLEANUP_ERR = {0};
	int r = read_file(path, ret, &missing);

	if (r == 0) {
		return 0;
	}
	if (r != ERR_NOT_FOUND) {
		return err_set(err, r, "%s", err_msg(&missing));
	}
	r = x509_make_key(ret, err);
	return r < 0 ? r : secret_file_write(path, str_of(*ret), false, err);
}

int pki_ensure(const struct pki_opts *opts, struct pki *ret, struct err *err)
{
	static const struct str masters[] = {STR_INIT("system:masters")};
	struct x509_opts server = {.common_name = STR("kube-apiserver"),
				   .server = true,
				   .dns_names = opts->dns_names,
				   .n_dns_names = opts->n_dns_names,
				   .ips = opts->ips,
				   .n_ips = opts->n_ips,
				   .now_s = opts->now_s};
	struct x509_opts client = {.common_name = STR("kube-apiserver-kubelet-client"),
				   .organizations = masters,
				   .n_organizations = 1,
				   .client = true,
				   .now_s = opts->now_s};
	struct x509_opts admin = client;
	struct pki pki = {.dir = mem_dup_str(opts->dir, strlen(opts->dir))};
	int r = 0;

	admin.common_name = STR("kubernetes-admin");
	if (mkdir(opts->dir, 0700) < 0 && errno != EEXIST) {
		r = err_set_errno(err, errno, "cannot create %s", opts->dir);
	}
	if (r == 0) {
		r = ensure_ca(opts->dir, opts->now_s, &pki.ca, err);
	}
	if (r == 0) {
		r = ensure_leaf(opts->dir, STR("apiserver"), &pki.ca, &server, &pki.apiserver, err);
	}
	if (r == 0) {
		r = ensure_leaf(opts->dir, STR("apiserver-kubelet-client"), &pki.ca, &client,
				&pki.kubelet_client, err);
	}
	if (r == 0) {
		r = ensure_leaf(opts->dir, STR("admin"), &pki.ca, &admin, &pki.admin, err);
	}
	if (r == 0) {
		r = ensure_service_account_key(opts->dir, &pki.service_account_key, err);
	}
	if (r < 0) {
		pki_fini(&pki);
		return err_wrap(err, "keys and certificates");
	}
	*ret = pki;
	return 0;
}

int pki_ensure_node(const struct pki *pki, struct str node, struct str ip, int64_t now_s,
		    struct x509_pem *ret, struct err *err)
{
	static const struct str nodes[] = {STR_INIT("system:nodes")};
	struct arena a CLEANUP_ARENA = {0};
	struct x509_opts opts = {.common_name = arena_printf(&a, "system:node:%.*s", STR_ARG(node)),
				 .organizations = nodes,
				 .n_organizations = 1,
				 .server = true,
				 .client = true,
				 .dns_names = &node,
				 .n_dns_names = 1,
				 .ips = &ip,
				 .n_ips = 1,
				 .now_s = now_s};

	return ensure_leaf(pki->dir, node, &pki->ca, &opts, ret, err);
}

int pki_issue_user(const struct pki *pki, struct str user, const struct str *groups, size_t ngroups,
		   int64_t now_s, struct x509_pem *ret, struct err *err)
{
	struct x509_opts opts = {.common_name = user,
				 .organizations = groups,
				 .n_organizations = ngroups,
				 .client = true,
				 .now_s = now_s,
				 .lifetime_s = YEAR_S};

	return x509_issue(&pki->ca, &opts, ret, err);
}

void pki_fini(struct pki *pki)
{
	x509_pem_fini(&pki->ca);
	x509_pem_fini(&pki->apiserver);
	x509_pem_fini(&pki->kubelet_client);
	x509_pem_fini(&pki->admin);
	if (pki->service_account_key) {
		secret_wipe(pki->service_account_key, strlen(pki->service_account_key));
	}
	mem_free(pki->service_account_key);
	mem_free(pki->dir);
	*pki = (struct pki){0};
}
