/* SPDX-License-Identifier: Apache-2.0 */
/* proxy/nft.h: writes rules into the kernel: the fixed part of table ip cox_services as text through nft, balancing chains as they are needed,
 * elements by netlink. Each nft_apply is one transaction, or one nft run before it when a number of endpoints occurs for the first time. */
#pragma once
#include "linux/netlink_nft.h"
#include "proxy/rules.h"

/* Something on this node that listens on a Service's address itself (cluster DNS): its packets are neither translated nor refused. */
struct proxy_local {
	struct ip_addr ip;
	uint8_t protocol;
	uint16_t port;
};

struct nft_opts {
	struct ip_cidr pod_cidr; /* of the whole cluster */
	struct ip_cidr service_cidr;
	const struct proxy_local *locals;
	size_t nlocals;
};

struct nft;

/* Borrows opts' arrays. */
MUST_USE int nft_new(const struct nft_opts *opts, struct nft **ret, struct err *err);
void nft_free(struct nft *nft);
/* Brings the table to exactly what rules want, whatever it held; one transaction when a table of this layout is there, so that a restart
 * loses nothing. Commits rules on success. */
MUST_USE int nft_reload(struct nft *nft, struct rules *rules, struct err *err);
/* Applies what has changed. On failure nothing has, and nft_reload is the way. Commits rules on success. */
MUST_USE int nft_apply(struct nft *nft, struct rules *rules, size_t *ret_changes, struct err *err);
/* 1: the table stands; 0: somebody has removed it. */
MUST_USE int nft_is_loaded(struct nft *nft);
/* For conntrack; the same bus. */
struct netlink *nft_netlink(struct nft *nft);
MUST_USE int nft_remove_table(struct err *err);
/* Called for each change of nft_apply, before it is made. */
void nft_on_change(struct nft *nft, rules_change_fn fn, void *ctx);
