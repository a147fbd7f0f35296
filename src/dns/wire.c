/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/wire.h"

#include "base/alloc.h"
#include "base/err.h"

enum { OPT_SIZE = 11, POINTERS_MAX = 32 };

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static void put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v & 0xffff);
}

static uint8_t lower_byte(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

/* --- names --- */

void dns_name_lower(struct dns_name *name)
{
	/* Label lengths are below 64, so below 'A': the whole can be folded at once. */
	for (size_t i = 0; i < name->n; i++) {
		name->b[i] = lower_byte(name->b[i]);
	}
}

bool dns_name_eq(const struct dns_name *a, const struct dns_name *b)
{
	return a->n == b->n && memcmp(a->b, b->b, a->n) == 0;
}

int dns_name_parse(struct str text, struct dns_name *ret)
{
	struct dns_name name = {0};
	struct str label;

	if (str_is(text, ".")) {
		text.n = 0;
	} else if (str_has_suffix(text, STR("."))) {
		text.n--;
		if (text.n == 0) {
			return ERR_INVALID;
		}
	}
	while (text.n > 0 && str_cut(&text, '.', &label)) {
		if (label.n == 0 || label.n > DNS_LABEL_MAX ||
		    (size_t)name.n + label.n + 2 > DNS_NAME_MAX || (text.p && text.n == 0)) {
			return ERR_INVALID;
		}
		name.b[name.n++] = (uint8_t)label.n;
		memcpy(name.b + name.n, label.p, label.n);
		name.n += (uint8_t)label.n;
	}
	name.b[name.n++] = 0;
	dns_name_lower(&name);
	*ret = name;
	return 0;
}

void dns_name_format(const struct dns_name *name, struct buf *out)
{
	if (name->n <= 1) {
		buf_add_char(out, '.');
	}
	for (size_t at = 0; at < name->n && name->b[at]; at += name->b[at] + 1U) {
		for (size_t i = 1; i <= name->b[at]; i++) {
			uint8_t c = name->b[at + i];
			if (c > ' ' && c < 0x7f && c != '.' && c != '\\') {
				buf_add_char(out, (char)c);
			} else {
				buf_printf(out, "\\%03u", c);
			}
		}
		buf_add_char(out, '.');
	}
}

size_t dns_name_labels(const struct dns_name *name, uint8_t offsets[DNS_LABELS_MAX])
{
	size_t n = 0;

	for (size_t at = 0; at < name->n && name->b[at] && n < DNS_LABELS_MAX;
	     at += name->b[at] + 1U) {
		offsets[n++] = (uint8_t)at;
	}
	return n;
}

bool dns_name_prepend(struct dns_name *name, struct str label)
{
	if (label.n == 0 || label.n > DNS_LABEL_MAX || name->n + label.n + 1 > DNS_NAME_MAX) {
		return false;
	}
	memmove(name->b + label.n + 1, name->b, name->n);
	name->b[0] = (uint8_t)label.n;
	memcpy(name->b + 1, label.p, label.n);
	name->n = (uint8_t)(name->n + label.n + 1);
	return true;
}

/* Reads a possibly compressed name at *at, moves behind it. Pointers must go backwards, which ends every loop; the count bounds the work. */
static bool read_name(const uint8_t *p, size_t n, size_t *at, struct dns_name *ret)
{
	size_t i = *at, limit = *at;
	bool jumped = false;
	int pointers = 0;

	ret->n = 0;
	for (;;) {
		if (i >= n) {
			return false;
		}
		uint8_t len = p[i];
		if ((len & 0xc0) == 0xc0) {
			if (i + 2 > n || ++pointers > POINTERS_MAX) {
				return false;
			}
			size_t target = get16(p + i) & 0x3fff;
			if (!jumped) {
				*at = i + 2;
			}
			if (target >= limit) {
				return false;
			}
			jumped = true;
			i = limit = target;
			continue;
		}
		if (len > DNS_LABEL_MAX || i + 1 + len > n ||
		    (size_t)ret->n + len + 1 > DNS_NAME_MAX - (len != 0)) {
			return false;
		}
		memcpy(ret->b + ret->n, p + i, len + 1U);
		ret->n = (uint8_t)(ret->n + len + 1);
		i += len + 1U;
		if (len == 0) {
			break;
		}
	}
	if (!jumped) {
		*at = i;
	}
	return true;
}

/* --- queries --- */

static int read_question(const uint8_t *p, size_t n, size_t *at, struct dns_query *q)
{
	size_t i = *at;

	q->name.n = 0;
	for (;;) {
		if (i >= n || p[i] > DNS_LABEL_MAX || i + 1 + p[i] + 4 > n ||
		    (size_t)q->name.n + p[i] + 1 > DNS_NAME_MAX - (p[i] != 0)) {
			return DNS_FORMERR;
		}
		uint8_t len = p[i];
		memcpy(q->name.b + q->name.n, p + i, len + 1U);
		q->name.n = (uint8_t)(q->name.n + len + 1);
		i += len + 1U;
		if (len == 0) {
			break;
		}
	}
	if (i + 4 > n) {
		return DNS_FORMERR;
	}
	q->type = get16(p + i);
	q->class = get16(p + i + 2);
	q->lower = q->name;
	dns_name_lower(&q->lower);
	q->has_question = true;
	*at = i + 4;
	return 0;
}

/* The additional section: OPT counts, everything else (TSIG, cookies inside OPT) is passed over. */
static int read_additional(const uint8_t *p, size_t n, size_t at, unsigned count,
			   struct dns_query *q)
{
	struct dns_name owner;
	int rcode = 0;

	while (count-- > 0) {
		if (!read_name(p, n, &at, &owner) || at + 10 > n ||
		    at + 10 + get16(p + at + 8) > n) {
			return DNS_FORMERR;
		}
		if (get16(p + at) == DNS_OPT) {
			if (q->edns || owner.n != 1) {
				return DNS_FORMERR;
			}
			q->edns = true;
			uint16_t size = MAX(get16(p + at + 2), (uint16_t)DNS_UDP_PLAIN);
			q->udp_size = MIN(size, (uint16_t)DNS_UDP_SAFE);
			q->dnssec_ok = p[at + 6] & 0x80;
			rcode = p[at + 5] ? DNS_BADVERS : rcode;
		}
		at += 10U + get16(p + at + 8);
	}
	return rcode;
}

int dns_query_parse(const uint8_t *p, size_t n, struct dns_query *ret)
{
	size_t at = DNS_HEADER;

	/* The names are written before they are read; clearing half a kilobyte per query would show. */
	ret->edns = ret->dnssec_ok = ret->has_question = false;
	ret->udp_size = DNS_UDP_PLAIN;
	ret->type = ret->class = 0;
	if (n < DNS_HEADER) {
		return ERR_PROTOCOL;
	}
	ret->id = get16(p);
	ret->flags = get16(p + 2);
	if (ret->flags & DNS_QR) {
		return ERR_PROTOCOL;
	}
	if ((ret->flags >> 11 & 15) != 0) {
		return DNS_NOTIMP;
	}
	if (get16(p + 4) != 1 || get16(p + 6) != 0 || get16(p + 8) != 0 || get16(p + 10) > 4) {
		return DNS_FORMERR;
	}
	int r = read_question(p, n, &at, ret);
	return r ? r : read_additional(p, n, at, get16(p + 10), ret);
}

/* --- answers --- */

void dns_out_begin(struct dns_out *out, const struct dns_query *query, uint8_t *p, size_t cap)
{
	*out = (struct dns_out){.p = p, .cap = cap, .n = DNS_HEADER, .query = query};
	if (query->has_question) {
		memcpy(p + out->n, query->name.b, query->name.n);
		out->n += query->name.n;
		put16(p + out->n, query->type);
		put16(p + out->n + 2, query->class);
		out->n += 4;
	}
	if (query->edns) {
		out->cap -= OPT_SIZE;
	}
}

/* The names in rdata that a record of this type ends with or holds: where the first stands, or -1. */
static int name_in_rdata(uint16_t type)
{
	switch (type) {
	case DNS_NS:
	case DNS_CNAME:
	case DNS_PTR:
	case DNS_DNAME:
	case DNS_SOA:
		return 0;
	case DNS_MX:
		return 2;
	case DNS_SRV:
		return 6;
	default:
		return -1;
	}
}

static void add_rr(struct dns_out *out, enum dns_section section, const uint8_t *owner,
		   size_t owner_len, uint16_t type, uint32_t ttl, const void *rdata,
		   size_t rdata_len)
{
	size_t need = owner_len + 10 + rdata_len;

	if (out->full || out->n + need > out->cap) {
		out->full = true;
		out->truncated = out->truncated || section == DNS_ANSWER;
		return;
	}
	uint8_t *p = out->p + out->n;
	memcpy(p, owner, owner_len);
	p += owner_len;
	put16(p, type);
	put16(p + 2, DNS_IN);
	put32(p + 4, ttl);
	put16(p + 8, (unsigned)rdata_len);
	memcpy(p + 10, rdata, rdata_len);
	if (type == DNS_CNAME && out->n + owner_len + 10 < 0x3fff) {
		out->last_name = (uint16_t)(out->n + owner_len + 10);
	}
	out->n += need;
	out->counts[section]++;
}

void dns_out_rr_at(struct dns_out *out, enum dns_section section, uint16_t owner, uint16_t type,
		   uint32_t ttl, const void *rdata, size_t rdata_len)
{
	uint8_t pointer[2];

	put16(pointer, 0xc000U | owner);
	add_rr(out, section, pointer, 2, type, ttl, rdata, rdata_len);
}

void dns_out_rr(struct dns_out *out, enum dns_section section, const struct dns_name *owner,
		uint16_t type, uint32_t ttl, const void *rdata, size_t rdata_len)
{
	if (dns_name_eq(owner, &out->query->lower)) {
		dns_out_rr_at(out, section, DNS_HEADER, type, ttl, rdata, rdata_len);
	} else if (out->last_name && out->last_name + owner->n <= out->n &&
		   memcmp(out->p + out->last_name, owner->b, owner->n) == 0) {
		dns_out_rr_at(out, section, out->last_name, type, ttl, rdata, rdata_len);
	} else {
		add_rr(out, section, owner->b, owner->n, type, ttl, rdata, rdata_len);
	}
}

size_t dns_out_end(struct dns_out *out, unsigned flags, unsigned rcode)
{
	const struct dns_query *q = out->query;
	uint8_t *p = out->p;

	if (q->edns) {
		uint8_t *opt = p + out->n;
		memset(opt, 0, OPT_SIZE);
		put16(opt + 1, DNS_OPT);
		put16(opt + 3, DNS_UDP_SAFE);
		opt[5] = (uint8_t)(rcode >> 4);
		opt[7] = q->dnssec_ok ? 0x80 : 0;
		out->n += OPT_SIZE;
		out->counts[DNS_ADDITIONAL]++;
	}
	put16(p, q->id);
	put16(p + 2, DNS_QR | (q->flags & (0x7800 | DNS_RD | DNS_CD)) | DNS_RA | flags |
			     (out->truncated ? DNS_TC : 0) | (rcode & 15));
	put16(p + 4, q->has_question);
	for (int i = 0; i < DNS_SECTIONS; i++) {
		put16(p + 6 + i * 2, out->counts[i]);
	}
	return out->n;
}

size_t dns_out_error(const struct dns_query *query, uint8_t *p, size_t cap, unsigned rcode)
{
	struct dns_out out;

	dns_out_begin(&out, query, p, cap);
	return dns_out_end(&out, 0, rcode);
}

size_t dns_ask(const struct dns_name *name, uint16_t type, uint16_t id, uint8_t p[DNS_UDP_PLAIN])
{
	size_t n = DNS_HEADER;

	memset(p, 0, DNS_HEADER);
	put16(p, id);
	put16(p + 2, DNS_RD);
	put16(p + 4, 1);
	put16(p + 10, 1);
	memcpy(p + n, name->b, name->n);
	n += name->n;
	put16(p + n, type);
	put16(p + n + 2, DNS_IN);
	n += 4;
	memset(p + n, 0, OPT_SIZE);
	put16(p + n + 1, DNS_OPT);
	put16(p + n + 3, DNS_UDP_SAFE);
	return n + OPT_SIZE;
}

int dns_answer_parse(const uint8_t *p, size_t n, const struct dns_name *name, uint16_t type,
		     struct dns_answer *ret)
{
	struct dns_name asked;
	size_t at = DNS_HEADER;

	if (n < DNS_HEADER || !(get16(p + 2) & DNS_QR) || (get16(p + 2) >> 11 & 15) != 0 ||
	    get16(p + 4) != 1) {
		return ERR_PROTOCOL;
	}
	if (!read_name(p, n, &at, &asked) || at + 4 > n || get16(p + at) != type ||
	    get16(p + at + 2) != DNS_IN) {
		return ERR_PROTOCOL;
	}
	dns_name_lower(&asked);
	if (!dns_name_eq(&asked, name)) {
		return ERR_PROTOCOL;
	}
	ret->id = get16(p);
	ret->flags = get16(p + 2);
	ret->rcode = ret->flags & 15;
	ret->body = at + 4;
	for (int i = 0; i < DNS_SECTIONS; i++) {
		ret->counts[i] = get16(p + 6 + i * 2);
	}
	return 0;
}

void dns_walk_begin(struct dns_walk *w, const uint8_t *p, size_t n, const struct dns_answer *answer)
{
	w->p = p;
	w->n = n;
	w->at = answer->body;
	w->section = DNS_ANSWER;
	w->left = answer->counts[DNS_ANSWER];
	w->answer = answer;
}

/* Writes rdata with its names written out into scratch; false if malformed or too long for it. */
static bool expand_rdata(struct dns_walk *w, size_t at, size_t len, struct dns_rr *rr)
{
	int first = name_in_rdata(rr->type);
	size_t names = rr->type == DNS_SOA ? 2 : 1, n, end = at + len;

	if (first < 0) {
		rr->rdata = w->p + at;
		rr->rdata_len = (uint16_t)len;
		return true;
	}
	if ((size_t)first > len) {
		return false;
	}
	memcpy(w->scratch, w->p + at, (size_t)first);
	n = (size_t)first;
	at += (size_t)first;
	while (names-- > 0) {
		struct dns_name name;
		if (!read_name(w->p, end, &at, &name) || at > end) {
			return false;
		}
		dns_name_lower(&name);
		memcpy(w->scratch + n, name.b, name.n);
		n += name.n;
	}
	if ((rr->type == DNS_SOA && end - at != 20) || (rr->type != DNS_SOA && at != end)) {
		return false;
	}
	memcpy(w->scratch + n, w->p + at, end - at);
	rr->rdata = w->scratch;
	rr->rdata_len = (uint16_t)(n + (end - at));
	return true;
}

bool dns_walk_next(struct dns_walk *w, struct dns_rr *ret, int *ret_error)
{
	*ret_error = 0;
	for (;;) {
		while (w->left == 0) {
			if (++w->section >= DNS_ADDITIONAL) {
				return false;
			}
			w->left = w->answer->counts[w->section];
		}
		w->left--;
		size_t at = w->at;
		if (!read_name(w->p, w->n, &at, &ret->owner) || at + 10 > w->n ||
		    at + 10 + get16(w->p + at + 8) > w->n) {
			break;
		}
		size_t len = get16(w->p + at + 8);
		ret->type = get16(w->p + at);
		ret->ttl = get32(w->p + at + 4);
		ret->ttl = ret->ttl > INT32_MAX ? 0 : ret->ttl; /* RFC 2181, 8 */
		ret->section = (uint8_t)w->section;
		w->at = at + 10 + len;
		if (get16(w->p + at + 2) != DNS_IN || ret->type == DNS_OPT) {
			continue;
		}
		dns_name_lower(&ret->owner);
		if (!expand_rdata(w, at + 10, len, ret)) {
			break;
		}
		return true;
	}
	*ret_error = ERR_PROTOCOL;
	return false;
}
