/* SPDX-License-Identifier: Apache-2.0 */
#include "rules/cidr.h"

#include <arpa/inet.h>

#include "base/err.h"

static const uint8_t v4_prefix[12] = {[10] = 0xff, [11] = 0xff};

/* Four decimal parts of at most 255; sloppy allows more digits than needed. */
static int parse_v4(struct str text, bool sloppy, struct addr *ret)
{
	struct addr ip;
	struct str part;
	size_t n = 0;

	memcpy(ip.b, v4_prefix, sizeof(v4_prefix));
	while (str_cut(&text, '.', &part)) {
		unsigned v = 0;

		if (n == 4 || part.n == 0 || part.n > (sloppy ? 16 : 3) ||
		    (!sloppy && part.n > 1 && part.p[0] == '0')) {
			return ERR_INVALID;
		}
		for (size_t i = 0; i < part.n; i++) {
			if (part.p[i] < '0' || part.p[i] > '9') {
				return ERR_INVALID;
			}
			v = v * 10 + (unsigned)(part.p[i] - '0');
			if (v > 255) {
				return ERR_INVALID;
			}
		}
		ip.b[12 + n++] = (uint8_t)v;
	}
	if (n != 4) {
		return ERR_INVALID;
	}
	*ret = ip;
	return 0;
}

static int parse(struct str text, bool sloppy, struct addr *ret)
{
	char z[IP_TEXT_MAX + 1];
	struct in6_addr in6;

	if (str_find_char(text, ':') < 0) {
		return parse_v4(text, sloppy, ret);
	}
	if (text.n > IP_TEXT_MAX || memchr(text.p, '\0', text.n)) {
		return ERR_INVALID;
	}
	memcpy(z, text.p, text.n);
	z[text.n] = '\0';
	if (inet_pton(AF_INET6, z, &in6) != 1) {
		return ERR_INVALID;
	}
	memcpy(ret->b, &in6, sizeof(ret->b));
	return 0;
}

int addr_parse(struct str text, struct addr *ret)
{
	return parse(text, false, ret);
}

int addr_parse_sloppy(struct str text, struct addr *ret)
{
	return parse(text, true, ret);
}

bool addr_is_v4(const struct addr *ip)
{
	return memcmp(ip->b, v4_prefix, sizeof(v4_prefix)) == 0;
}

/* inet_ntop writes some IPv6 addresses with a dotted end that RFC 5952 has in hexadecimal, so this is our own. */
static void write_v6(struct buf *out, const uint8_t *b)
{
	unsigned best = 8;
	unsigned best_n = 1;

	for (unsigned i = 0; i < 8; i++) {
		unsigned n = 0;

		while (i + n < 8 && b[(i + n) * 2] == 0 && b[(i + n) * 2 + 1] == 0) {
			n++;
		}
		if (n > best_n) {
			best = i;
			best_n = n;
		}
	}
	for (unsigned i = 0; i < 8; i++) {
		if (i == best) {
			buf_puts(out, "::");
			i += best_n - 1;
			continue;
		}
		if (i && i != best + best_n) {
			buf_add_char(out, ':');
		}
		buf_printf(out, "%x", (unsigned)b[i * 2] << 8 | b[i * 2 + 1]);
	}
}

void addr_write(struct buf *out, const struct addr *ip)
{
	if (addr_is_v4(ip)) {
		buf_printf(out, "%u.%u.%u.%u", ip->b[12], ip->b[13], ip->b[14], ip->b[15]);
	} else {
		write_v6(out, ip->b);
	}
}

struct str addr_text(struct arena *a, const struct addr *ip)
{
	struct buf b CLEANUP_BUF = {0};

	addr_write(&b, ip);
	return arena_str(a, buf_str(&b));
}

bool addr_is_canonical(struct str text)
{
	struct buf b CLEANUP_BUF = {0};
	struct addr ip;

	if (addr_parse(text, &ip) < 0) {
		return false;
	}
	addr_write(&b, &ip);
	return str_eq(text, buf_str(&b));
}

bool addr_eq(const struct addr *a, const struct addr *b)
{
	return addr_cmp(a, b) == 0;
}

int addr_cmp(const struct addr *a, const struct addr *b)
{
	return memcmp(a->b, b->b, sizeof(a->b));
}

struct addr addr_of_v4(uint32_t host_order)
{
	struct addr ip;

	memcpy(ip.b, v4_prefix, sizeof(v4_prefix));
	for (size_t i = 0; i < 4; i++) {
		ip.b[15 - i] = (uint8_t)(host_order >> (8 * i));
	}
	return ip;
}

struct addr addr_add(const struct addr *ip, uint64_t n)
{
	struct addr sum = *ip;
	unsigned carry = 0;

	for (size_t i = 16; i-- > 0;) {
		unsigned v = sum.b[i] + (unsigned)(n & 0xff) + carry;

		sum.b[i] = (uint8_t)v;
		carry = v >> 8;
		n >>= 8;
	}
	return sum;
}

enum addr_scope addr_scope(const struct addr *ip)
{
	static const struct addr zero = {{0}};
	static const struct addr one = {{[15] = 1}};

	if (addr_is_v4(ip)) {
		if (ip->b[12] == 127) {
			return IP_LOOPBACK;
		}
		if (ip->b[12] == 169 && ip->b[13] == 254) {
			return IP_LINK_LOCAL;
		}
		if (ip->b[12] == 224 && ip->b[13] == 0 && ip->b[14] == 0) {
			return IP_LINK_LOCAL_MULTICAST;
		}
		return ip->b[12] | ip->b[13] | ip->b[14] | ip->b[15] ? IP_GLOBAL : IP_UNSPECIFIED;
	}
	if (addr_eq(ip, &zero)) {
		return IP_UNSPECIFIED;
	}
	if (addr_eq(ip, &one)) {
		return IP_LOOPBACK;
	}
	if (ip->b[0] == 0xfe && (ip->b[1] & 0xc0) == 0x80) {
		return IP_LINK_LOCAL;
	}
	return ip->b[0] == 0xff && (ip->b[1] & 0x0f) == 0x02 ? IP_LINK_LOCAL_MULTICAST : IP_GLOBAL;
}

static struct addr mask(const struct addr *ip, unsigned bits)
{
	struct addr m = *ip;

	for (unsigned i = 0; i < 16; i++) {
		if (bits < (i + 1) * 8) {
			unsigned keep = bits > i * 8 ? bits - i * 8 : 0;

			m.b[i] &= (uint8_t)(0xff00 >> keep);
		}
	}
	return m;
}

static int parse_cidr(struct str text, bool sloppy, struct cidr *ret)
{
	struct str bits = text;
	struct str addr;
	struct addr ip;
	uint64_t n;
	unsigned width;

	str_cut(&bits, '/', &addr);
	if (!bits.n || bits.n > 3 || bits.p[0] == '+' || parse(addr, sloppy, &ip) < 0 ||
	    str_to_uint64(bits, &n) < 0) {
		return ERR_INVALID;
	}
	/* ::ffff:10.0.0.0/104 is counted over all bits, 10.0.0.0/8 over the last 32. */
	width = str_find_char(addr, ':') < 0 ? 32 : 128;
	if (n > width || (!sloppy && bits.n > 1 && bits.p[0] == '0')) {
		return ERR_INVALID;
	}
	ret->bits = (uint8_t)(128 - width + n);
	ret->base = mask(&ip, ret->bits);
	return 0;
}

int cidr_parse(struct str text, struct cidr *ret)
{
	return parse_cidr(text, false, ret);
}

int cidr_parse_sloppy(struct str text, struct cidr *ret)
{
	return parse_cidr(text, true, ret);
}

bool cidr_is_v4(const struct cidr *c)
{
	return c->bits >= 96 && addr_is_v4(&c->base);
}

unsigned cidr_prefix(const struct cidr *c)
{
	return cidr_is_v4(c) ? c->bits - 96U : c->bits;
}

void cidr_write(struct buf *out, const struct cidr *c)
{
	addr_write(out, &c->base);
	buf_printf(out, "/%u", cidr_prefix(c));
}

struct str cidr_text(struct arena *a, const struct cidr *c)
{
	struct buf b CLEANUP_BUF = {0};

	cidr_write(&b, c);
	return arena_str(a, buf_str(&b));
}

bool cidr_contains(const struct cidr *c, const struct addr *ip)
{
	struct addr m = mask(ip, c->bits);

	return addr_eq(&m, &c->base);
}

bool cidr_overlaps(const struct cidr *a, const struct cidr *b)
{
	return cidr_contains(a, &b->base) || cidr_contains(b, &a->base);
}

uint64_t cidr_size(const struct cidr *c)
{
	return c->bits <= 65 ? (uint64_t)1 << 63 : (uint64_t)1 << (128 - c->bits);
}

struct addr cidr_nth(const struct cidr *c, uint64_t n)
{
	return addr_add(&c->base, n);
}

bool cidr_part(const struct cidr *c, unsigned prefix, uint64_t n, struct cidr *ret)
{
	unsigned bits = cidr_is_v4(c) ? prefix + 96 : prefix;
	struct addr ip = c->base;

	if (bits < c->bits || bits > 128 || (bits - c->bits < 64 && n >> (bits - c->bits) != 0)) {
		return false;
	}
	/* Add n at the bit where parts end, byte by byte from there upwards. */
	for (unsigned i = 0; i < bits && n; i++, n >>= 1) {
		unsigned bit = bits - 1 - i;

		if (n & 1) {
			ip.b[bit / 8] |= (uint8_t)(0x80 >> (bit % 8));
		}
	}
	*ret = (struct cidr){ip, (uint8_t)bits};
	return true;
}
