/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ip.h"

#include <arpa/inet.h>

#include "base/alloc.h"
#include "base/err.h"

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

struct ip_addr ip_from_v4(uint32_t v4)
{
	struct ip_addr ip;
	memcpy(ip.b, mapped, 12);
	ip.b[12] = (uint8_t)(v4 >> 24);
	ip.b[13] = (uint8_t)(v4 >> 16);
	ip.b[14] = (uint8_t)(v4 >> 8);
	ip.b[15] = (uint8_t)v4;
	return ip;
}

bool ip_is_v4(struct ip_addr ip)
{
	return memcmp(ip.b, mapped, 12) == 0;
}

uint32_t ip_v4(struct ip_addr ip)
{
	ASSERT(ip_is_v4(ip));
	return (uint32_t)ip.b[12] << 24 | (uint32_t)ip.b[13] << 16 | (uint32_t)ip.b[14] << 8 |
	       ip.b[15];
}

bool ip_is_unset(struct ip_addr ip)
{
	static const struct ip_addr unset;
	return ip_eq(ip, unset);
}

bool ip_eq(struct ip_addr a, struct ip_addr b)
{
	return memcmp(a.b, b.b, 16) == 0;
}

int ip_cmp(struct ip_addr a, struct ip_addr b)
{
	return memcmp(a.b, b.b, 16);
}

int ip_parse(struct str s, struct ip_addr *ret)
{
	char text[IP_TEXT_MAX];
	struct in_addr v4;
	struct in6_addr v6;

	if (s.n == 0 || s.n >= sizeof(text) || memchr(s.p, 0, s.n)) {
		return ERR_INVALID;
	}
	memcpy(text, s.p, s.n);
	text[s.n] = 0;
	if (inet_pton(AF_INET, text, &v4) == 1) {
		*ret = ip_from_v4(ntohl(v4.s_addr));
		return 0;
	}
	if (inet_pton(AF_INET6, text, &v6) == 1) {
		memcpy(ret->b, &v6, 16);
		return 0;
	}
	return ERR_INVALID;
}

int ip_cidr_parse(struct str s, struct ip_cidr *ret)
{
	ptrdiff_t slash = str_find_char(s, '/');
	struct ip_addr addr;
	uint64_t bits;

	if (slash < 0 || ip_parse(str_sub(s, 0, (size_t)slash), &addr) < 0) {
		return ERR_INVALID;
	}
	struct str tail = str_from(s, (size_t)slash + 1);
	if (tail.n == 0 || tail.n > 3 || tail.p[0] < '0' || tail.p[0] > '9' ||
	    (tail.n > 1 && tail.p[0] == '0') || str_to_uint64(tail, &bits) < 0) {
		return ERR_INVALID;
	}
	bool v4 = ip_is_v4(addr) && str_find_char(s, ':') < 0;
	if (bits > (v4 ? 32 : 128)) {
		return ERR_INVALID;
	}
	*ret = (struct ip_cidr){addr, (uint8_t)(v4 ? 96 + bits : bits)};
	return 0;
}

const char *ip_format(struct ip_addr ip, char out[IP_TEXT_MAX])
{
	const char *text = ip_is_v4(ip) ? inet_ntop(AF_INET, ip.b + 12, out, IP_TEXT_MAX)
					: inet_ntop(AF_INET6, ip.b, out, IP_TEXT_MAX);
	ASSERT(text);
	return text;
}

unsigned ip_cidr_own_bits(struct ip_cidr cidr)
{
	return ip_is_v4(cidr.addr) && cidr.bits >= 96 ? cidr.bits - 96U : cidr.bits;
}

const char *ip_cidr_format(struct ip_cidr cidr, char out[IP_TEXT_MAX])
{
	char addr[IP_TEXT_MAX];
	/* an address has at most 45 characters, "/128" four more */
	snprintf(out, IP_TEXT_MAX, "%.46s/%u", ip_format(cidr.addr, addr), ip_cidr_own_bits(cidr));
	return out;
}

static uint8_t host_mask(struct ip_cidr cidr, unsigned byte)
{
	if (cidr.bits >= byte * 8 + 8) {
		return 0;
	}
	return cidr.bits <= byte * 8 ? 0xff : (uint8_t)(0xff >> (cidr.bits - byte * 8));
}

bool ip_cidr_contains(struct ip_cidr cidr, struct ip_addr ip)
{
	for (unsigned i = 0; i < 16; i++) {
		if ((cidr.addr.b[i] ^ ip.b[i]) & (uint8_t)~host_mask(cidr, i)) {
			return false;
		}
	}
	return true;
}

struct ip_addr ip_cidr_first(struct ip_cidr cidr)
{
	for (unsigned i = 0; i < 16; i++) {
		cidr.addr.b[i] &= (uint8_t)~host_mask(cidr, i);
	}
	return cidr.addr;
}

struct ip_addr ip_cidr_last(struct ip_cidr cidr)
{
	for (unsigned i = 0; i < 16; i++) {
		cidr.addr.b[i] |= host_mask(cidr, i);
	}
	return cidr.addr;
}
