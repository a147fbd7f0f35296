/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/zone.h"

#include <endian.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "dns/zone_internal.h"

enum { CHAIN_MAX = 8, CLUSTER_KEY_MAX = DNS_NAME_MAX + 1 };

static const char spec_version[] = "\0051.1.0";

static void put32(uint8_t *p, uint32_t v)
{
	v = htobe32(v);
	memcpy(p, &v, 4);
}

/* Without names written shorter; refresh, retry and expire are for secondaries, of which there are none. */
static void make_soa(struct zone *zone)
{
	struct dns_name mailbox = zone->apex;
	uint8_t *p = zone->soa;

	(void)dns_name_prepend(&mailbox, STR("hostmaster"));
	memcpy(p, zone->ns_name.b, zone->ns_name.n);
	p += zone->ns_name.n;
	memcpy(p, mailbox.b, mailbox.n);
	p += mailbox.n;
	const uint32_t numbers[] = {zone->opts.serial, 7200, 1800, 86400, zone->opts.ttl};
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		put32(p, numbers[i]);
		p += 4;
	}
	zone->soa_len = (uint16_t)(p - zone->soa);
}

int zone_new(const struct zone_opts *opts, struct zone **ret, struct err *err)
{
	struct dns_name apex;
	uint8_t offsets[DNS_LABELS_MAX];

	if (dns_name_parse(str_of(opts->domain), &apex) < 0 || apex.n <= 1 || apex.n > 200) {
		return err_set(err, ERR_INVALID, "'%s' is no domain for a cluster", opts->domain);
	}
	struct zone *zone = NEW(struct zone);
	zone->opts = *opts;
	zone->apex = apex;
	zone->apex_labels = (uint8_t)dns_name_labels(&apex, offsets);
	zone->ns_name = apex;
	(void)dns_name_prepend(&zone->ns_name, STR("dns"));
	(void)dns_name_prepend(&zone->ns_name, STR("ns"));
	map_init(&zone->services, MAP_BORROW_KEYS);
	map_init(&zone->namespaces, 0);
	map_init(&zone->pointers, MAP_BORROW_KEYS);
	make_soa(zone);
	*ret = zone;
	return 0;
}

void zone_free(struct zone *zone)
{
	struct str key;
	void *value;

	if (!zone) {
		return;
	}
	for (size_t i = 0; map_next(&zone->services, &i, &key, &value);) {
		zone_service_free(value);
	}
	for (size_t i = 0; map_next(&zone->pointers, &i, &key, &value);) {
		zone_pointers_free(value);
	}
	map_fini(&zone->services);
	map_fini(&zone->namespaces);
	map_fini(&zone->pointers);
	mem_free(zone);
}

bool zone_name_of(const struct zone *zone, const struct zone_service *s, const char *host,
		  struct dns_name *ret)
{
	*ret = zone->apex;
	return dns_name_prepend(ret, STR("svc")) && dns_name_prepend(ret, s->ns) &&
	       dns_name_prepend(ret, s->name) && (!host || dns_name_prepend(ret, str_of(host)));
}

/* One question on its way: the name at hand is the query's, later what a CNAME leads to. */
struct ask {
	const struct zone *zone;
	const struct dns_query *query;
	struct dns_out *out;
	uint32_t roll;
	const struct dns_name *name;
	uint8_t offsets[DNS_LABELS_MAX];
	size_t labels;	/* left of the apex */
	uint16_t owner; /* where the name stands in the message */
	unsigned rcode;
	struct dns_name alias; /* set by a CNAME */
	bool has_alias, exists;
};

static struct str label(const struct ask *ask, size_t i)
{
	const uint8_t *p = ask->name->b + ask->offsets[i];

	return str_make(p + 1, *p);
}

static bool wants(const struct ask *ask, uint16_t type)
{
	return ask->query->type == type || ask->query->type == DNS_ANY;
}

static void add(struct ask *ask, uint16_t type, const void *rdata, size_t n)
{
	dns_out_rr_at(ask->out, DNS_ANSWER, ask->owner, type, ask->zone->opts.ttl, rdata, n);
}

static void add_a(struct ask *ask, uint32_t v4)
{
	uint8_t rdata[4];

	if (wants(ask, DNS_A)) {
		put32(rdata, v4);
		add(ask, DNS_A, rdata, sizeof(rdata));
	}
}

/* In an order that differs from query to query, so that clients that take the first one spread. */
static void add_addresses(struct ask *ask, const uint32_t *v4, size_t n)
{
	size_t start = n ? ask->roll % n : 0;

	for (size_t i = 0; i < n; i++) {
		add_a(ask, v4[(start + i) % n]);
	}
}

/* Equal shares of 100, as the cluster DNS servers that clients know have it. */
static void add_srv(struct ask *ask, size_t shares, uint16_t port, const struct dns_name *target)
{
	uint8_t rdata[6 + DNS_NAME_MAX] = {0};
	unsigned weight = shares >= 100 ? 1 : (unsigned)(100 / MAX(shares, (size_t)1));

	rdata[3] = (uint8_t)weight;
	rdata[4] = (uint8_t)(port >> 8);
	rdata[5] = (uint8_t)port;
	memcpy(rdata + 6, target->b, target->n);
	add(ask, DNS_SRV, rdata, 6U + target->n);
}

static bool port_matches(const struct zone_port *p, struct str name, struct str protocol)
{
	return !name.p || (str_eq(str_of(p->name), name) && str_eq(str_of(p->protocol), protocol));
}

/* Addresses of the targets, so that a client need not ask again; they are the first to go when space is short. */
static void add_target_addresses(struct ask *ask, const struct zone_service *s)
{
	struct dns_name target;
	uint8_t rdata[4];

	for (size_t i = 0; i < s->cluster_ips.n && zone_name_of(ask->zone, s, NULL, &target); i++) {
		put32(rdata, s->cluster_ips.p[i]);
		dns_out_rr(ask->out, DNS_ADDITIONAL, &target, DNS_A, ask->zone->opts.ttl, rdata, 4);
	}
	for (size_t i = 0; i < s->hosts.n && !ask->out->full; i++) {
		const struct zone_endpoint *e = s->hosts.p[i].endpoint;
		if (zone_name_of(ask->zone, s, e->host, &target)) {
			put32(rdata, e->v4);
			dns_out_rr(ask->out, DNS_ADDITIONAL, &target, DNS_A, ask->zone->opts.ttl,
				   rdata, 4);
		}
	}
}

/* name unset: all ports. Returns whether there is any such port. */
static bool add_ports(struct ask *ask, const struct zone_service *s, struct str name,
		      struct str protocol, bool answer)
{
	struct dns_name target;
	size_t shares = 0;

	for (int pass = 0; pass < 2; pass++) {
		size_t n = 0;
		for (size_t i = 0; !s->headless && i < s->ports.n; i++) {
			if (port_matches(&s->ports.p[i], name, protocol) && ++n && pass && answer &&
			    zone_name_of(ask->zone, s, NULL, &target)) {
				add_srv(ask, shares, s->ports.p[i].port, &target);
			}
		}
		for (size_t h = 0; h < s->hosts.n; h++) {
			const struct zone_host *host = &s->hosts.p[h];
			for (size_t i = 0; i < host->slice->ports.n; i++) {
				if (port_matches(&host->slice->ports.p[i], name, protocol) && ++n &&
				    pass && answer &&
				    zone_name_of(ask->zone, s, host->endpoint->host, &target)) {
					add_srv(ask, shares, host->slice->ports.p[i].port, &target);
				}
			}
		}
		shares = n;
	}
	if (answer && shares > 0) {
		add_target_addresses(ask, s);
	}
	return shares > 0;
}

static void answer_service(struct ask *ask, const struct zone_service *s)
{
	ask->exists = true;
	if (s->external) {
		add(ask, DNS_CNAME, s->target.b, s->target.n);
		ask->alias = s->target;
		ask->has_alias = ask->query->type != DNS_CNAME && ask->query->type != DNS_ANY;
		return;
	}
	if (s->headless) {
		add_addresses(ask, s->addresses.p, s->addresses.n);
	} else {
		add_addresses(ask, s->cluster_ips.p, s->cluster_ips.n);
	}
	if (ask->query->type == DNS_SRV) {
		(void)add_ports(ask, s, STR_NULL, STR_NULL, true);
	}
}

static void answer_host(struct ask *ask, const struct zone_service *s, struct str host)
{
	size_t low = 0, high = s->hosts.n;

	while (low < high) {
		size_t middle = (low + high) / 2;
		if (str_cmp(str_of(s->hosts.p[middle].endpoint->host), host) < 0) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	uint32_t last = 0;
	for (; low < s->hosts.n && str_eq(str_of(s->hosts.p[low].endpoint->host), host); low++) {
		ask->exists = true;
		if (s->hosts.p[low].endpoint->v4 != last) {
			last = s->hosts.p[low].endpoint->v4;
			add_a(ask, last);
		}
	}
}

/* _tcp.svc.ns.svc.ZONE has names below it, so it exists. */
static bool has_protocol(const struct zone_service *s, struct str protocol)
{
	for (size_t i = 0; i < s->ports.n; i++) {
		if (s->ports.p[i].name[0] && str_eq(str_of(s->ports.p[i].protocol), protocol)) {
			return true;
		}
	}
	return false;
}

static bool starts_with_underscore(struct str s)
{
	return s.n > 1 && s.p[0] == '_';
}

static const struct zone_service *find_service(const struct zone *zone, struct str ns,
					       struct str name)
{
	char key[CLUSTER_KEY_MAX];

	memcpy(key, ns.p, ns.n);
	key[ns.n] = '/';
	memcpy(key + ns.n + 1, name.p, name.n);
	const struct zone_service *s = map_find(&zone->services, str_make(key, ns.n + 1 + name.n));
	return s && s->exists ? s : NULL;
}

/* [[_port.]_proto. | host.] service . ns . svc */
static void answer_svc(struct ask *ask)
{
	size_t n = ask->labels;

	if (n <= 2) {
		ask->exists = n == 1 || map_find(&ask->zone->namespaces, label(ask, 0));
		return;
	}
	const struct zone_service *s =
		find_service(ask->zone, label(ask, n - 2), label(ask, n - 3));
	if (!s || n > 5 || (n > 3 && s->external)) {
		return;
	}
	struct str first = label(ask, 0);
	if (n == 3) {
		answer_service(ask, s);
	} else if (n == 4 && starts_with_underscore(first)) {
		ask->exists = has_protocol(s, str_from(first, 1));
	} else if (n == 4) {
		answer_host(ask, s, first);
	} else if (starts_with_underscore(first) && starts_with_underscore(label(ask, 1))) {
		ask->exists = add_ports(ask, s, str_from(first, 1), str_from(label(ask, 1), 1),
					wants(ask, DNS_SRV));
	}
}

/* 1-2-3-4 . ns . pod: the address is in the name; whether such a pod lives is not asked (as upstream's default has it). */
static void answer_pod(struct ask *ask)
{
	char text[16];
	struct str dashed = label(ask, 0);
	struct ip_addr ip;

	if (ask->labels <= 2) {
		ask->exists = true;
		return;
	}
	if (ask->labels != 3 || dashed.n >= sizeof(text)) {
		return;
	}
	for (size_t i = 0; i < dashed.n; i++) {
		text[i] = dashed.p[i] == '-' ? '.' : dashed.p[i] == '.' ? '-' : dashed.p[i];
	}
	if (ip_parse(str_make(text, dashed.n), &ip) == 0 && ip_is_v4(ip)) {
		ask->exists = true;
		add_a(ask, ip_v4(ip));
	}
}

static void answer_apex(struct ask *ask)
{
	ask->exists = true;
	if (wants(ask, DNS_SOA)) {
		add(ask, DNS_SOA, ask->zone->soa, ask->zone->soa_len);
	}
	if (wants(ask, DNS_NS)) {
		add(ask, DNS_NS, ask->zone->ns_name.b, ask->zone->ns_name.n);
	}
}

static void answer_in_zone(struct ask *ask)
{
	struct str last = ask->labels ? label(ask, ask->labels - 1) : STR_NULL;

	if (ask->labels == 0) {
		answer_apex(ask);
	} else if (str_is(last, "svc")) {
		answer_svc(ask);
	} else if (str_is(last, "pod")) {
		answer_pod(ask);
	} else if (ask->labels == 1 && str_is(last, "dns-version")) {
		ask->exists = true;
		if (wants(ask, DNS_TXT)) {
			add(ask, DNS_TXT, spec_version, sizeof(spec_version) - 1);
		}
	} else if (ask->labels == 1 && str_is(last, "dns")) {
		ask->exists = true;
	} else if (ask->labels == 2 && str_is(last, "dns") && str_is(label(ask, 0), "ns")) {
		ask->exists = true;
		if (ip_is_v4(ask->zone->opts.dns_ip)) {
			add_a(ask, ip_v4(ask->zone->opts.dns_ip));
		}
	}
}

/* How many labels stand left of the apex, or -1: not in the zone. */
static int labels_in_zone(const struct zone *zone, const struct dns_name *name,
			  uint8_t offsets[DNS_LABELS_MAX])
{
	size_t n = dns_name_labels(name, offsets);

	if (n < zone->apex_labels || name->n < zone->apex.n) {
		return -1;
	}
	size_t left = n - zone->apex_labels, at = name->n - zone->apex.n;
	return offsets[left] == at && memcmp(name->b + at, zone->apex.b, zone->apex.n) == 0
		       ? (int)left
		       : -1;
}

static void add_soa(struct ask *ask, uint16_t owner)
{
	dns_out_rr_at(ask->out, DNS_AUTHORITY, owner, DNS_SOA, ask->zone->opts.ttl, ask->zone->soa,
		      ask->zone->soa_len);
}

/* 4.3.2.1.in-addr.arpa in one of the two CIDRs, or a suffix of such a name. */
static bool parse_reverse(const struct ask *ask, size_t n, struct ip_addr *ret,
			  unsigned *ret_octets)
{
	uint32_t v4 = 0;

	if (n < 3 || n > 6 || !str_is(label(ask, n - 1), "arpa") ||
	    !str_is(label(ask, n - 2), "in-addr")) {
		return false;
	}
	*ret_octets = (unsigned)n - 2;
	for (size_t i = 0; i < *ret_octets; i++) {
		struct str octet = label(ask, *ret_octets - 1 - i);
		uint64_t v;
		if (octet.n > 3 || str_to_uint64(octet, &v) < 0 || v > 255 ||
		    (octet.n > 1 && octet.p[0] == '0')) {
			return false;
		}
		v4 |= (uint32_t)v << (24 - 8 * i);
	}
	*ret = ip_from_v4(v4);
	return true;
}

/* The reverse zones begin at the first whole octet inside the prefix: 10.96.0.0/12 is served as 96..111.10.in-addr.arpa. */
static unsigned zone_octets(const struct zone *zone, struct ip_addr ip, unsigned octets)
{
	const struct ip_cidr *cidrs[] = {&zone->opts.service_cidr, &zone->opts.pod_cidr};

	for (size_t i = 0; i < ARRAY_LEN(cidrs); i++) {
		unsigned own = (ip_cidr_own_bits(*cidrs[i]) + 7) / 8;
		if (ip_is_v4(cidrs[i]->addr) && octets >= MAX(own, 1U) &&
		    ip_cidr_contains(*cidrs[i], ip)) {
			return MAX(own, 1U);
		}
	}
	return 0;
}

static void add_pointers(struct ask *ask, struct ip_addr ip)
{
	uint32_t v4 = ip_v4(ip);
	const struct zone_pointers *p = map_find(&ask->zone->pointers, str_make(&v4, 4));
	struct dns_name name;

	for (size_t i = 0; p && i < p->list.n; i++) {
		ask->exists = true;
		if (wants(ask, DNS_PTR) &&
		    zone_name_of(ask->zone, p->list.p[i].service, p->list.p[i].host, &name)) {
			add(ask, DNS_PTR, name.b, name.n);
		}
	}
}

static enum zone_result answer_reverse(struct ask *ask, size_t labels, unsigned *ret_rcode)
{
	struct ip_addr ip;
	unsigned octets;

	if (!parse_reverse(ask, labels, &ip, &octets)) {
		return ZONE_FOREIGN;
	}
	unsigned own = zone_octets(ask->zone, ip, octets);
	if (own == 0) {
		return ZONE_FOREIGN;
	}
	if (octets == 4) {
		add_pointers(ask, ip);
	} else {
		ask->exists = true;
	}
	*ret_rcode = ask->exists ? DNS_NOERROR : DNS_NXDOMAIN;
	if (ask->out->counts[DNS_ANSWER] == 0 && !ask->out->full) {
		add_soa(ask, (uint16_t)(DNS_HEADER + ask->offsets[octets - own]));
	}
	return ZONE_ANSWERED;
}

/* Negative answers carry the SOA, whose owner is the suffix of the name that was asked for. After a CNAME it is written out. */
static void finish_negative(struct ask *ask, bool first)
{
	if (ask->out->full) {
		return;
	}
	if (first) {
		add_soa(ask, (uint16_t)(DNS_HEADER + ask->name->n - ask->zone->apex.n));
	} else {
		dns_out_rr(ask->out, DNS_AUTHORITY, &ask->zone->apex, DNS_SOA, ask->zone->opts.ttl,
			   ask->zone->soa, ask->zone->soa_len);
	}
}

enum zone_result zone_answer(const struct zone *zone, const struct dns_query *query,
			     struct dns_out *out, uint32_t roll, unsigned *ret_rcode,
			     struct dns_name *ret_target)
{
	struct ask ask = {.zone = zone,
			  .query = query,
			  .out = out,
			  .roll = roll,
			  .name = &query->lower,
			  .owner = DNS_HEADER};

	int left = labels_in_zone(zone, ask.name, ask.offsets);
	if (left < 0) {
		return answer_reverse(&ask, dns_name_labels(ask.name, ask.offsets), ret_rcode);
	}
	for (int step = 0;; step++) {
		uint16_t before = out->counts[DNS_ANSWER];
		ask.labels = (size_t)left;
		ask.exists = ask.has_alias = false;
		answer_in_zone(&ask);
		if (!ask.has_alias || step == CHAIN_MAX) {
			*ret_rcode = step == CHAIN_MAX ? DNS_SERVFAIL
				     : ask.exists      ? DNS_NOERROR
						       : DNS_NXDOMAIN;
			if (out->counts[DNS_ANSWER] == before) {
				finish_negative(&ask, step == 0);
			}
			return ZONE_ANSWERED;
		}
		*ret_target = ask.alias;
		left = labels_in_zone(zone, ret_target, ask.offsets);
		if (left < 0 || out->full) {
			*ret_rcode = DNS_NOERROR;
			return left < 0 && !out->full ? ZONE_ALIAS : ZONE_ANSWERED;
		}
		ask.name = ret_target;
		ask.owner = out->last_name;
	}
}
