/* SPDX-License-Identifier: Apache-2.0 */
/* dns/cache.h: answers of upstream resolvers, taken apart: nothing of a foreign message is passed on but its records. Bounded by bytes; the least
 * recently used goes first. Times are env_mono_ns. Single thread. */
#pragma once
#include "base/buf.h"
#include "base/list.h"
#include "base/map.h"
#include "dns/wire.h"

enum {
	CACHE_TTL_MAX_S = 300,	   /* answers */
	CACHE_NEGATIVE_MAX_S = 30, /* NXDOMAIN, NODATA */
	CACHE_RECORDS_MAX = 32768, /* bytes of one answer */
};

/* One answer: a result code and records, packed. */
struct cache_answer {
	unsigned rcode;
	uint32_t ttl_s; /* how long it may be kept; 0: not at all */
	struct buf records;
};

/* Reads an upstream's message. ERR_PROTOCOL: malformed or too big. The answer's buffer is the caller's, emptied before. */
MUST_USE int cache_answer_read(const uint8_t *p, size_t n, const struct dns_answer *parsed,
			       struct cache_answer *ret);
/* Adds the records to out, their TTLs lowered by age_s. */
void cache_answer_write(struct str records, uint32_t age_s, struct dns_out *out);

struct cache {
	struct map entries;
	struct list lru; /* most recent first */
	size_t bytes, max_bytes;
};

void cache_init(struct cache *cache, size_t max_bytes);
void cache_fini(struct cache *cache);
void cache_put(struct cache *cache, const struct dns_name *name, uint16_t type,
	       const struct cache_answer *answer, int64_t now_ns);
/* Adds what is known and still valid to out. True if there was something. Does not allocate. */
bool cache_get(struct cache *cache, const struct dns_name *name, uint16_t type, int64_t now_ns,
	       struct dns_out *out, unsigned *ret_rcode);
