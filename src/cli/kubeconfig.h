/* SPDX-License-Identifier: Apache-2.0 */
/* cli/kubeconfig.h: kubectl's configuration files: cluster, user and context of ours. */
#pragma once
#include "base/buf.h"
#include "supervisor/pki.h"

struct kubeconfig_entry {
	const char *name; /* of cluster, user and context */
	int port;	  /* on 127.0.0.1 */
	const struct pki *pki;
};

/* The whole document, as YAML. */
void kubeconfig_print(const struct kubeconfig_entry *entry, struct buf *out);
MUST_USE int kubeconfig_write(const char *path, const struct kubeconfig_entry *entry,
			      struct err *err);
