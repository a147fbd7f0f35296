/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/kubeconfig.h"

#include "crypto/base64.h"
#include "crypto/secret.h"

static void add_data(struct buf *out, const char *indent, const char *key, const char *pem)
{
	buf_printf(out, "%s%s: ", indent, key);
	base64_encode(out, str_of(pem));
	buf_puts(out, "\n");
}

void kubeconfig_print(const struct kubeconfig_entry *e, struct buf *out)
{
	buf_puts(out, "apiVersion: v1\nkind: Config\nclusters:\n- cluster:\n");
	add_data(out, "    ", "certificate-authority-data", e->pki->ca.cert);
	buf_printf(out, "    server: https://127.0.0.1:%d\n  name: %s\n", e->port, e->name);
	buf_printf(out,
		   "contexts:\n- context:\n    cluster: %s\n    user: %s\n  name: "
		   "%s\ncurrent-context: %s\n",
		   e->name, e->name, e->name, e->name);
	buf_printf(out, "preferences: {}\nusers:\n- name: %s\n  user:\n", e->name);
	add_data(out, "    ", "client-certificate-data", e->pki->admin.cert);
	add_data(out, "    ", "client-key-data", e->pki->admin.key);
}

int kubeconfig_write(const char *path, const struct kubeconfig_entry *entry, struct err *err)
{
	struct buf b CLEANUP_SECRET_BUF = {0};

	kubeconfig_print(entry, &b);
	return secret_file_write(path, buf_str(&b), false, err);
}
