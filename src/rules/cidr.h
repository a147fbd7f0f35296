/* SPDX-License-Identifier: Apache-2.0 */
/* rules/cidr.h: addresses and ranges of addresses, IPv4 and IPv6 alike: 16 bytes, IPv4 as ::ffff:a.b.c.d. Pure values. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/attr.h"
#include "base/buf.h"

enum { IP_TEXT_MAX = 45 };

struct addr {
	uint8_t b[16];
};

/* The first address of the range and how many bits all its addresses share: 0..128, an IPv4 /24 is 120. */
struct cidr {
	struct addr base;
	uint8_t bits;
};

/* "10.0.0.1", "2001:db8::1". 0 or ERR_INVALID. Sloppy: zeros in front of an IPv4 part are passed over, as Go once did; what is
 * stored may look so. */
MUST_USE int addr_parse(struct str text, struct addr *ret);
MUST_USE int addr_parse_sloppy(struct str text, struct addr *ret);
/* RFC 5952 */
void addr_write(struct buf *out, const struct addr *ip);
struct str addr_text(struct arena *a, const struct addr *ip);
/* The text is what addr_write() would make of it. */
bool addr_is_canonical(struct str text);
bool addr_is_v4(const struct addr *ip);
bool addr_eq(const struct addr *a, const struct addr *b);
int addr_cmp(const struct addr *a, const struct addr *b);
struct addr addr_of_v4(uint32_t host_order);
/* The address n further on; past the last one it begins again at zero. */
struct addr addr_add(const struct addr *ip, uint64_t n);

enum addr_scope { IP_GLOBAL, IP_UNSPECIFIED, IP_LOOPBACK, IP_LINK_LOCAL, IP_LINK_LOCAL_MULTICAST };

enum addr_scope addr_scope(const struct addr *ip);

/* "10.96.0.0/12". 0 or ERR_INVALID. Bits behind the prefix are cleared in *ret. */
MUST_USE int cidr_parse(struct str text, struct cidr *ret);
MUST_USE int cidr_parse_sloppy(struct str text, struct cidr *ret);
void cidr_write(struct buf *out, const struct cidr *c);
struct str cidr_text(struct arena *a, const struct cidr *c);
bool cidr_is_v4(const struct cidr *c);
/* As people write it: 24 for 10.244.0.0/24. */
unsigned cidr_prefix(const struct cidr *c);
bool cidr_contains(const struct cidr *c, const struct addr *ip);
bool cidr_overlaps(const struct cidr *a, const struct cidr *b);
/* Number of addresses, at most 2^63. */
uint64_t cidr_size(const struct cidr *c);
/* The n-th address, beginning with base at 0. */
struct addr cidr_nth(const struct cidr *c, uint64_t n);
/* The n-th part of the range that is `prefix` (as people write it) long: 10.244.0.0/16 cut at /24 has 10.244.3.0/24 as its fourth.
 * False if there is no such part. */
bool cidr_part(const struct cidr *c, unsigned prefix, uint64_t n, struct cidr *ret);
