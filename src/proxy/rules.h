/* SPDX-License-Identifier: Apache-2.0 */
/* proxy/rules.h: from Services and EndpointSlices to elements of nftables maps. Pure: it holds what it was told and what was applied, and says
 * what to change; nft.c does it. A change of one Service or slice computes that Service's elements only.
 *
 *     rules_set_slice(rules, slice);
 *     rules_diff(rules, add_to_batch, batch);      elements to remove first, then those to add
 *     if (commit succeeded) rules_commit(rules);   else rules_all(...) into emptied maps, then rules_commit
 *
 * How a packet finds its endpoint (see docs/design/network.md):  svc: 10.96.0.1 . tcp . 80 : goto svc_3;  chain svc_3 rolls one of three
 * into the packet's mark;  eps: 10.96.0.1 . tcp . 80 . mark : 10.244.1.2 . 8080. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/ip.h"
#include "base/log.h"
#include "types/core_v1.h"
#include "types/discovery_v1.h"

/* A set or map of the table: name, bytes of its key, what an element carries. Keys are made of 4-byte fields: address (A), protocol (P), port (T),
 * mark (M); so are values. */
enum rules_value { VALUE_NONE, VALUE_VERDICT, VALUE_ENDPOINT, VALUE_MARK, VALUE_RANGE };
#define RULES_SETS(SET)                                                                            \
	SET(SVC, "svc", 12, VALUE_VERDICT)  /* A.P.T of the VIP */                                 \
	SET(EPS, "eps", 16, VALUE_ENDPOINT) /* A.P.T.M */                                          \
	SET(IDS, "ids", 16, VALUE_MARK)	    /* with affinity: A.P.T.M: rolled -> stable */         \
	SET(EXT_LOCAL, "ext_local", 12, VALUE_VERDICT) /* VIPs of policy Local, from outside */    \
	SET(NOEP, "noep", 12, VALUE_VERDICT)	       /* VIPs that nobody serves */               \
	SET(NP, "np", 8, VALUE_VERDICT)		       /* P.T of a node port, and so on */         \
	SET(NP_EPS, "np_eps", 12, VALUE_ENDPOINT)                                                  \
	SET(NP_IDS, "np_ids", 12, VALUE_MARK)                                                      \
	SET(NP_LOCAL, "np_local", 8, VALUE_VERDICT)                                                \
	SET(NP_NOEP, "np_noep", 8, VALUE_VERDICT)                                                  \
	SET(HAIRPIN, "hairpin", 8, VALUE_NONE)	   /* A.A of a local endpoint */                   \
	SET(FW, "fw", 12, VALUE_NONE)		   /* VIPs with loadBalancerSourceRanges */        \
	SET(FW_ALLOW, "fw_allow", 16, VALUE_RANGE) /* A.P.T.A-A: who may */

enum rules_set {
#define SET_ENUM(name, text, key, value) RULES_##name,
	RULES_SETS(SET_ENUM)
#undef SET_ENUM
		RULES_SETS_N
};

struct rules_set_desc {
	const char *name;
	uint8_t key_len;
	uint8_t value;
};
extern const struct rules_set_desc rules_sets[RULES_SETS_N];

/* Marks say whether the source is kept (policy Local) in their top byte; below it stands the endpoint. */
#define RULES_MARK_CLUSTER 0xc1000000U
#define RULES_MARK_LOCAL 0xd1000000U
#define RULES_MARK_MASK 0xff000000U

enum rules_verdict { RULES_DROP = 1, RULES_REJECT, RULES_CHAIN };

/* Which balancing chain a verdict goes to. Chains depend on nothing else, so all Services share them. */
struct rules_chain {
	uint32_t count;	       /* of endpoints */
	uint32_t affinity_sec; /* 0: none */
	bool node_port;
	bool local;
};

struct rules_elem {
	uint8_t set;
	uint8_t verdict; /* VALUE_VERDICT */
	uint8_t key[16];
	uint8_t value[8]; /* endpoint, mark, or the last address of the range */
	struct rules_chain chain;
};

struct rules;

enum { RULES_ENDPOINTS_MAX = 5000, RULES_FRONTENDS_MAX = 512, RULES_RANGES_MAX = 256 };

/* node_name: which endpoints are local. log may be NULL; both must outlive it. */
struct rules *rules_new(const char *node_name, const struct log *log);
void rules_free(struct rules *rules);

/* Copies what it needs. Service types without a VIP, IPv6 addresses and FQDN slices count as absent. More than RULES_ENDPOINTS_MAX endpoints of a port
 * (upstream's limit of a slice group is far below): the rest is left out, with a line in the log. */
void rules_set_service(struct rules *rules, const struct core_service *service);
void rules_remove_service(struct rules *rules, struct str ns, struct str name);
void rules_set_slice(struct rules *rules, const struct discovery_endpoint_slice *slice);
void rules_remove_slice(struct rules *rules, const struct discovery_endpoint_slice *slice);

typedef void (*rules_change_fn)(void *ctx, bool add, const struct rules_elem *elem);
/* What leads from what is applied to what is wanted. A changed value is a removal and an addition. */
void rules_diff(struct rules *rules, rules_change_fn change, void *ctx);
/* Everything that is wanted, as additions to empty maps. */
void rules_all(struct rules *rules, rules_change_fn change, void *ctx);
/* The last rules_diff or rules_all has been done. */
void rules_commit(struct rules *rules);
/* Nothing to do since the last commit. */
bool rules_is_clean(const struct rules *rules);
size_t rules_count(const struct rules *rules); /* Services that are proxied */

/* A UDP flow through a VIP or node port (dst, port) that goes to somebody who is no endpoint of it now. What matches no VIP and no node port is
 * never stale. source_translated: it left masqueraded. *ret_known tells whether anybody has the VIP or node port. */
bool rules_is_stale(const struct rules *rules, uint8_t protocol, struct ip_addr dst, uint16_t port,
		    struct ip_addr reply_src, uint16_t reply_port, bool source_translated,
		    bool *ret_known);
