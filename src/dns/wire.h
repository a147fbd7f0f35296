/* SPDX-License-Identifier: Apache-2.0 */
/* dns/wire.h: DNS messages (RFC 1035, 6891, 2308): read a query, write an answer, take an upstream's answer apart. Nothing allocates, nothing trusts a
 * length. Names are in wire form (length-prefixed labels, ended by 0), at most 255 bytes. ldns was measured at 3 us and 30 allocations for
 * what this does in 0.1 us with none. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"

enum {
	DNS_NAME_MAX = 255,
	DNS_LABEL_MAX = 63,
	DNS_LABELS_MAX = 127,
	DNS_HEADER = 12,
	DNS_MSG_MAX = 65535,
	DNS_UDP_PLAIN = 512, /* without EDNS */
	DNS_UDP_SAFE =
		1232, /* fits every path unfragmented (DNS flag day 2020); what we offer and at most send */
	DNS_QUERY_MAX = 4096,
};

enum dns_type {
	DNS_A = 1,
	DNS_NS = 2,
	DNS_CNAME = 5,
	DNS_SOA = 6,
	DNS_PTR = 12,
	DNS_MX = 15,
	DNS_TXT = 16,
	DNS_AAAA = 28,
	DNS_SRV = 33,
	DNS_DNAME = 39,
	DNS_OPT = 41,
	DNS_IXFR = 251,
	DNS_AXFR = 252,
	DNS_ANY = 255,
};

enum { DNS_IN = 1 };

enum dns_rcode {
	DNS_NOERROR = 0,
	DNS_FORMERR = 1,
	DNS_SERVFAIL = 2,
	DNS_NXDOMAIN = 3,
	DNS_NOTIMP = 4,
	DNS_REFUSED = 5,
	DNS_BADVERS = 16,
};

enum dns_flag {
	DNS_QR = 0x8000,
	DNS_AA = 0x0400,
	DNS_TC = 0x0200,
	DNS_RD = 0x0100,
	DNS_RA = 0x0080,
	DNS_CD = 0x0010
};

struct dns_name {
	uint8_t n; /* with the closing 0 */
	uint8_t b[DNS_NAME_MAX];
};

struct dns_query {
	uint16_t id, flags;
	uint16_t type, class;
	uint16_t udp_size; /* what the client takes: 512..1232 */
	bool edns, dnssec_ok;
	bool has_question;     /* false: the answer is a header */
	struct dns_name name;  /* as asked: goes back in the same case (0x20) */
	struct dns_name lower; /* for comparing */
};

/* 0: a query. Positive: answer with this rcode. ERR_PROTOCOL: no query at all, stay silent. */
MUST_USE int dns_query_parse(const uint8_t *p, size_t n, struct dns_query *ret);

/* Text, with or without the closing dot, into wire form in lower case. 0 or ERR_INVALID. Labels may hold any byte but '.'. */
MUST_USE int dns_name_parse(struct str text, struct dns_name *ret);
/* Appends the text form with closing dot; bytes that are not printable as \ddd. */
void dns_name_format(const struct dns_name *name, struct buf *out);
bool dns_name_eq(const struct dns_name *a, const struct dns_name *b);
void dns_name_lower(struct dns_name *name);
/* Offsets of the labels, at most DNS_LABELS_MAX; returns how many. */
size_t dns_name_labels(const struct dns_name *name, uint8_t offsets[DNS_LABELS_MAX]);
/* Appends a label; false if the name gets too long or the label is no label. name must be complete; stays so. */
bool dns_name_prepend(struct dns_name *name, struct str label);

enum dns_section { DNS_ANSWER, DNS_AUTHORITY, DNS_ADDITIONAL, DNS_SECTIONS };

/* An answer under construction, in the caller's buffer. Records must come in order of sections. One that does not fit is left out, and all that follow;
 * `truncated` is set if it was in the answer section. */
struct dns_out {
	uint8_t *p;
	size_t cap, n;
	uint16_t counts[DNS_SECTIONS];
	bool full, truncated;
	/* compression: where the last name in rdata stands (CNAME chains), 0: nowhere */
	uint16_t last_name;
	const struct dns_query *query;
};

/* Starts an answer to query (borrowed until dns_out_end) of at most cap bytes; cap is at least DNS_UDP_PLAIN. */
void dns_out_begin(struct dns_out *out, const struct dns_query *query, uint8_t *p, size_t cap);
/* Where a record's owner stands in the message: the question is at DNS_HEADER; a suffix of it further right. */
void dns_out_rr_at(struct dns_out *out, enum dns_section section, uint16_t owner, uint16_t type,
		   uint32_t ttl, const void *rdata, size_t rdata_len);
/* With the owner written out, or as a pointer where it is the question or the last name. */
void dns_out_rr(struct dns_out *out, enum dns_section section, const struct dns_name *owner,
		uint16_t type, uint32_t ttl, const void *rdata, size_t rdata_len);
/* Adds OPT if the query had it, fills in the header. Returns the length. flags: DNS_AA etc. rcode may be extended. */
size_t dns_out_end(struct dns_out *out, unsigned flags, unsigned rcode);
/* A whole answer of header and question only. */
size_t dns_out_error(const struct dns_query *query, uint8_t *p, size_t cap, unsigned rcode);

/* An upstream's query for a name and type: header, question, OPT. Returns the length (at most DNS_UDP_PLAIN). */
size_t dns_ask(const struct dns_name *name, uint16_t type, uint16_t id, uint8_t p[DNS_UDP_PLAIN]);

struct dns_rr {
	struct dns_name owner; /* lower case */
	uint16_t type;
	uint32_t ttl;
	uint8_t section;
	/* Names in it written out. */
	uint16_t rdata_len;
	const uint8_t *rdata;
};

struct dns_answer {
	uint16_t id, flags;
	unsigned rcode;
	size_t body; /* offset behind the question */
	uint16_t counts[DNS_SECTIONS];
};

/* Checks that p is an answer to (name, type), and nothing else. 0 or ERR_PROTOCOL. */
MUST_USE int dns_answer_parse(const uint8_t *p, size_t n, const struct dns_name *name,
			      uint16_t type, struct dns_answer *ret);
/* Walks answer and authority section (records of class IN). False: no more. ERR_PROTOCOL in *ret_error if the message is malformed: nothing of it
 * may be used. scratch holds rdata until the next call. */
struct dns_walk {
	const uint8_t *p;
	size_t n, at;
	unsigned section, left;
	const struct dns_answer *answer;
	uint8_t scratch[1024];
};
void dns_walk_begin(struct dns_walk *w, const uint8_t *p, size_t n,
		    const struct dns_answer *answer);
bool dns_walk_next(struct dns_walk *w, struct dns_rr *ret, int *ret_error);
