/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/cache.h"

#include "base/alloc.h"
#include "base/err.h"
#include "env/env.h"

struct record {
	uint32_t ttl;
	uint16_t type, rdata_len;
	uint8_t section, owner_len;
	/* owner, rdata */
};

struct entry {
	struct list link;
	int64_t stored_ns, expires_ns;
	unsigned rcode;
	size_t n;
	uint16_t key_len; /* up to 257 */
	uint8_t key[2 + DNS_NAME_MAX];
	char records[];
};

/* The name without its case, and the type. */
static struct str make_key(const struct dns_name *name, uint16_t type,
			   uint8_t out[2 + DNS_NAME_MAX])
{
	memcpy(out, &type, 2);
	memcpy(out + 2, name->b, name->n);
	return str_make(out, 2U + name->n);
}

/* RFC 2308, 5: a negative answer lives as long as the SOA with it says: the lesser of its TTL and its last field. */
static uint32_t negative_ttl(const struct dns_rr *soa)
{
	const uint8_t *p = soa->rdata + soa->rdata_len - 4;
	uint32_t minimum = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];

	minimum = MIN(minimum, soa->ttl);
	return MIN(minimum, (uint32_t)CACHE_NEGATIVE_MAX_S);
}

int cache_answer_read(const uint8_t *p, size_t n, const struct dns_answer *parsed,
		      struct cache_answer *ret)
{
	struct dns_walk walk;
	struct dns_rr rr;
	uint32_t positive = CACHE_TTL_MAX_S, negative = 0;
	bool any = false;
	int error;

	buf_clear(&ret->records);
	dns_walk_begin(&walk, p, n, parsed);
	while (dns_walk_next(&walk, &rr, &error)) {
		struct record r = {rr.ttl, rr.type, rr.rdata_len, rr.section, rr.owner.n};
		if (rr.section == DNS_AUTHORITY && rr.type != DNS_SOA) {
			continue; /* a stub has no use for referrals */
		}
		if (ret->records.n + sizeof(r) + r.owner_len + r.rdata_len > CACHE_RECORDS_MAX) {
			return ERR_PROTOCOL;
		}
		buf_add(&ret->records, &r, sizeof(r));
		buf_add(&ret->records, rr.owner.b, rr.owner.n);
		buf_add(&ret->records, rr.rdata, rr.rdata_len);
		if (rr.section == DNS_ANSWER) {
			any = true;
			positive = MIN(positive, rr.ttl);
		} else if (rr.rdata_len >= 20) {
			negative = negative_ttl(&rr);
		}
	}
	ret->rcode = parsed->rcode;
	ret->ttl_s = parsed->rcode == DNS_NOERROR && any ? positive : negative;
	if (parsed->rcode != DNS_NOERROR && parsed->rcode != DNS_NXDOMAIN) {
		ret->ttl_s = 0;
	}
	return error;
}

void cache_answer_write(struct str records, uint32_t age_s, struct dns_out *out)
{
	while (records.n > 0) {
		struct record r;
		struct dns_name owner;
		memcpy(&r, records.p, sizeof(r));
		owner.n = r.owner_len;
		memcpy(owner.b, records.p + sizeof(r), r.owner_len);
		dns_out_rr(out, r.section, &owner, r.type, r.ttl > age_s ? r.ttl - age_s : 0,
			   records.p + sizeof(r) + r.owner_len, r.rdata_len);
		records = str_from(records, sizeof(r) + r.owner_len + r.rdata_len);
	}
}

void cache_init(struct cache *cache, size_t max_bytes)
{
	*cache = (struct cache){.max_bytes = max_bytes};
	map_init(&cache->entries, MAP_BORROW_KEYS);
	list_init(&cache->lru);
}

static size_t cost(const struct entry *e)
{
	return sizeof(*e) + e->n + 64; /* and its place in the map */
}

static void drop(struct cache *cache, struct entry *e)
{
	map_remove(&cache->entries, str_make(e->key, e->key_len));
	list_remove(&e->link);
	cache->bytes -= cost(e);
	mem_free(e);
}

void cache_fini(struct cache *cache)
{
	while (cache->lru.next && !list_is_empty(&cache->lru)) {
		drop(cache, CONTAINER_OF(cache->lru.next, struct entry, link));
	}
	map_fini(&cache->entries);
}

void cache_put(struct cache *cache, const struct dns_name *name, uint16_t type,
	       const struct cache_answer *answer, int64_t now_ns)
{
	uint8_t key[2 + DNS_NAME_MAX];
	struct str k = make_key(name, type, key);
	struct entry *old = map_find(&cache->entries, k);

	if (old) {
		drop(cache, old);
	}
	if (answer->ttl_s == 0) {
		return;
	}
	struct entry *e = mem_new(sizeof(*e) + answer->records.n);
	e->stored_ns = now_ns;
	e->expires_ns = now_ns + answer->ttl_s * NS_PER_SEC;
	e->rcode = answer->rcode;
	e->n = answer->records.n;
	e->key_len = (uint16_t)k.n;
	memcpy(e->key, k.p, k.n);
	if (e->n) {
		memcpy(e->records, answer->records.p, e->n);
	}
	map_put(&cache->entries, str_make(e->key, e->key_len), e);
	list_add_head(&cache->lru, &e->link);
	cache->bytes += cost(e);
	while (cache->bytes > cache->max_bytes && !list_is_empty(&cache->lru)) {
		drop(cache, CONTAINER_OF(cache->lru.prev, struct entry, link));
	}
}

bool cache_get(struct cache *cache, const struct dns_name *name, uint16_t type, int64_t now_ns,
	       struct dns_out *out, unsigned *ret_rcode)
{
	uint8_t key[2 + DNS_NAME_MAX];
	struct entry *e = map_find(&cache->entries, make_key(name, type, key));

	if (!e) {
		return false;
	}
	if (now_ns >= e->expires_ns) {
		drop(cache, e);
		return false;
	}
	list_remove(&e->link);
	list_add_head(&cache->lru, &e->link);
	cache_answer_write(str_make(e->records, e->n),
			   (uint32_t)((now_ns - e->stored_ns) / NS_PER_SEC), out);
	*ret_rcode = e->rcode;
	return true;
}
