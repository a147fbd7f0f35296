/* SPDX-License-Identifier: Apache-2.0 */
/* base/ip.h: IP addresses and prefixes, 16 bytes wide throughout so that one code path serves both families. An IPv4 address
 * is held in its mapped form (::ffff:a.b.c.d) and its prefix length counts all 128 bits: 10.0.0.0/8 has bits == 104. The zeroed
 * address means "none". Values, no ownership. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/str.h"

struct ip_addr {
	uint8_t b[16];
};

struct ip_cidr {
	struct ip_addr addr;
	uint8_t bits; /* 0..128 */
};

enum { IP_TEXT_MAX = 56 }; /* longest text of an address or prefix, with its NUL */

/* From and to host byte order. ip_v4 of something else than IPv4 is a bug. */
struct ip_addr ip_from_v4(uint32_t v4);
uint32_t ip_v4(struct ip_addr ip);
bool ip_is_v4(struct ip_addr ip);
bool ip_is_unset(struct ip_addr ip);
bool ip_eq(struct ip_addr a, struct ip_addr b);
/* Numeric order. */
int ip_cmp(struct ip_addr a, struct ip_addr b);

/* Strict: whole string, no leading zeros, no zone. 0 or ERR_INVALID. */
MUST_USE int ip_parse(struct str s, struct ip_addr *ret);
/* "address/bits", bits of the family as written; host bits may be set. 0 or ERR_INVALID. */
MUST_USE int ip_cidr_parse(struct str s, struct ip_cidr *ret);
/* Write the usual text into out, return it. */
const char *ip_format(struct ip_addr ip, char out[IP_TEXT_MAX]);
const char *ip_cidr_format(struct ip_cidr cidr, char out[IP_TEXT_MAX]);

bool ip_cidr_contains(struct ip_cidr cidr, struct ip_addr ip);
/* The lowest and the highest address of the prefix. */
struct ip_addr ip_cidr_first(struct ip_cidr cidr);
struct ip_addr ip_cidr_last(struct ip_cidr cidr);
/* The prefix length as written in the address' own family: 24 for 10.244.1.0/24. */
unsigned ip_cidr_own_bits(struct ip_cidr cidr);
