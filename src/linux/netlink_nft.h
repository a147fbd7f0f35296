/* SPDX-License-Identifier: Apache-2.0 */
/* linux/netlink_nft.h: nftables. What is fixed (tables, chains, rules, empty sets) is text for the nft program, run once; what changes
 * (elements of sets and maps) goes by netlink messages of our own, so that a change costs microseconds and no process. libnftables is
 * GPL-2 and stays out of this process. A batch is one transaction: all of it or nothing. */
#pragma once
#include "base/buf.h"
#include "linux/netlink_socket.h"

/* Runs `nft -f -` on the text in the caller's network namespace and waits (some 10 ms). 0, or ERR_INVALID with nft's words, or
 * ERR_NOT_FOUND when there is no nft. */
MUST_USE int nft_run(struct str text, struct err *err);

/* A key or a value is its fields in network byte order one after the other, each padded to 4 bytes; marks in host order. */
struct nft_elem {
	struct str key;
	struct str key_end; /* of a range; unset: none */
	struct str data;    /* a map's value; unset: none */
	/* A verdict map's value: NF_DROP, NF_ACCEPT or NFT_GOTO to a chain. */
	bool has_verdict;
	int32_t verdict;
	const char *chain;
};

/* `struct nft_batch b = {.family = NFPROTO_IPV4, .table = "t"};` is ready; nft_batch_fini frees. */
struct nft_batch {
	uint8_t family;
	const char *table; /* constant, as are the set names below */
	struct buf bytes;
	uint32_t seq;
	size_t changes; /* elements and flushes so far */
	/* the open message */
	size_t msg_at, list_at;
	uint16_t msg_type;
	const char *msg_set;
};

void nft_batch_fini(struct nft_batch *b);
void nft_batch_add(struct nft_batch *b, const char *set, const struct nft_elem *elem);
void nft_batch_delete(struct nft_batch *b, const char *set, const struct nft_elem *elem);
/* Removes all elements of the set. */
void nft_batch_flush(struct nft_batch *b, const char *set);
/* Sends the whole as one transaction over a NETLINK_NETFILTER socket and empties the batch. An empty one is success without a
 * message. ERR_NOT_FOUND: a table, set, chain or element that was named does not exist; ERR_EXISTS: an element is there with another value. */
MUST_USE int nft_batch_commit(struct nft_batch *b, struct netlink *nl, struct err *err);

/* Whether the chain exists; ERR_* if that cannot be told. */
MUST_USE int nft_has_chain(struct netlink *nl, uint8_t family, const char *table,
			   const char *chain);
