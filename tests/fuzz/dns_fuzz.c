/* SPDX-License-Identifier: Apache-2.0 */
/* DNS from both sides: what clients ask (parse, answer from a zone, read the own answer back), what upstreams answer (parse, cache, write out), and
 * resolv.conf. The first byte chooses. */
#include <stdlib.h>

#include "../tests/lib/testservice.h"
#include "base/alloc.h"
#include "dns/cache.h"
#include "dns/resolv_conf.h"
#include "dns/zone.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct zone *make_zone(struct arena *a)
{
	struct zone_opts opts = {.domain = "cluster.local", .ttl = 5};
	struct core_service *ext =
		testservice_make(a, (struct service_spec){.name = "e", .type = "ExternalName"});
	struct zone *zone = NULL;

	ASSERT(ip_cidr_parse(STR("10.96.0.0/12"), &opts.service_cidr) == 0);
	ASSERT(ip_cidr_parse(STR("10.244.0.0/16"), &opts.pod_cidr) == 0);
	ASSERT(zone_new(&opts, &zone, NULL) == 0);
	ext->spec.external_name = STR("w.example");
	zone_set_service(zone, ext);
	zone_set_service(zone,
			 testservice_make(a, (struct service_spec){
						     .name = "w", .ip = "10.96.0.80", .port = 80}));
	zone_set_service(zone, testservice_make(a, (struct service_spec){
							   .name = "h", .ip = "None", .port = 80}));
	zone_set_slice(zone,
		       testservice_slice(a, "h", "TCP", 80, "10.244.1.2 10.244.1.3 10.244.1.4"));
	return zone;
}

static void check_own(const uint8_t *p, size_t n, const struct dns_query *q)
{
	struct dns_answer parsed;
	struct dns_walk walk;
	struct dns_rr rr;
	int error;

	ASSERT(dns_answer_parse(p, n, &q->lower, q->type, &parsed) == 0);
	dns_walk_begin(&walk, p, n, &parsed);
	while (dns_walk_next(&walk, &rr, &error)) {
	}
	ASSERT(error == 0);
}

static void fuzz_query(const struct zone *zone, const uint8_t *data, size_t size)
{
	static uint8_t out[DNS_UDP_SAFE];
	struct dns_name target;
	struct dns_query q;
	struct dns_out o;
	unsigned rcode = 0;

	int r = dns_query_parse(data, size, &q);
	if (r > 0) {
		ASSERT(dns_out_error(&q, out, q.udp_size, (unsigned)r) <= q.udp_size);
	}
	if (r != 0) {
		return;
	}
	dns_out_begin(&o, &q, out, q.udp_size);
	enum zone_result result = zone_answer(zone, &q, &o, (uint32_t)size, &rcode, &target);
	size_t n = dns_out_end(&o, 0, rcode);
	ASSERT(n <= q.udp_size);
	if (result != ZONE_FOREIGN && q.class == DNS_IN) {
		check_own(out, n, &q);
	}
}

static void fuzz_answer(const uint8_t *data, size_t size)
{
	static uint8_t out[DNS_MSG_MAX], packet[DNS_UDP_PLAIN];
	struct cache_answer answer = {0};
	struct dns_answer parsed;
	struct dns_name name;
	struct dns_query q;
	struct dns_out o;
	unsigned rcode;

	ASSERT(dns_name_parse(STR("a.b"), &name) == 0);
	if (dns_answer_parse(data, size, &name, DNS_A, &parsed) == 0 &&
	    cache_answer_read(data, size, &parsed, &answer) == 0) {
		struct cache cache;
		cache_init(&cache, 65536);
		cache_put(&cache, &name, DNS_A, &answer, 0);
		ASSERT(dns_query_parse(packet, dns_ask(&name, DNS_A, 1, packet), &q) == 0);
		for (size_t cap = DNS_UDP_PLAIN; cap <= sizeof(out);
		     cap += sizeof(out) - DNS_UDP_PLAIN) {
			dns_out_begin(&o, &q, out, cap);
			if (cache_get(&cache, &name, DNS_A, 1, &o, &rcode)) {
				check_own(out, dns_out_end(&o, 0, rcode), &q);
			}
		}
		cache_fini(&cache);
	}
	buf_fini(&answer.records);
}

static void fuzz_resolv_conf(const uint8_t *data, size_t size)
{
	struct arena a = {0};
	struct resolv_conf host;
	struct str text, warning;

	if (resolv_conf_parse(&a, str_make(data, size), &host) == 0) {
		struct resolv_conf_pod pod = {.host = &host,
					      .cluster_dns = STR("10.96.0.10"),
					      .cluster_domain = STR("c")};
		(void)resolv_conf_render(&a, &pod, &text, &warning, NULL);
	}
	arena_fini(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct zone *zone;
	static struct arena arena;

	if (!zone) {
		zone = make_zone(&arena);
	}
	if (size == 0 || size > DNS_MSG_MAX) {
		return 0;
	}
	if (data[0] % 3 == 0) {
		fuzz_query(zone, data + 1, size - 1);
	} else if (data[0] % 3 == 1) {
		fuzz_answer(data + 1, size - 1);
	} else {
		fuzz_resolv_conf(data + 1, size - 1);
	}
	return 0;
}
