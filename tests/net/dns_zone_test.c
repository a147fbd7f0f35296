/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/zone.h"

#include "../tests/lib/testservice.h"
#include "base/alloc.h"
#include "base/test.h"

static const struct {
	const char *name;
	uint16_t type;
} types[] = {{"A", DNS_A},     {"AAAA", DNS_AAAA},   {"SRV", DNS_SRV}, {"TXT", DNS_TXT},
	     {"PTR", DNS_PTR}, {"CNAME", DNS_CNAME}, {"SOA", DNS_SOA}, {"NS", DNS_NS},
	     {"ANY", DNS_ANY}, {"MX", DNS_MX}};

static uint16_t type_number(struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		if (str_eq(str_of(types[i].name), name)) {
			return types[i].type;
		}
	}
	fail();
	return 0;
}

static void print_rdata(struct buf *out, const struct dns_rr *rr)
{
	struct dns_name name;

	if (rr->type == DNS_A) {
		buf_printf(out, "%u.%u.%u.%u", rr->rdata[0], rr->rdata[1], rr->rdata[2],
			   rr->rdata[3]);
	} else if (rr->type == DNS_TXT) {
		buf_add(out, rr->rdata + 1, rr->rdata_len - 1U);
	} else if (rr->type == DNS_SOA) {
		buf_puts(out, "soa");
	} else {
		size_t skip = rr->type == DNS_SRV ? 6 : 0;
		if (skip) {
			buf_printf(out, "%u %u %u ", rr->rdata[1], rr->rdata[3],
				   rr->rdata[4] << 8 | rr->rdata[5]);
		}
		name.n = (uint8_t)(rr->rdata_len - skip);
		memcpy(name.b, rr->rdata + skip, name.n);
		dns_name_format(&name, out);
	}
}

/* Asks, and writes the answer as "rcode[+aa-less additions]: owner type rdata; ..." with authority behind a '|'. The whole way over the wire. */
static void ask_text(struct zone *zone, const char *question, uint32_t roll, size_t cap,
		     struct buf *out)
{
	static const char *const rcodes[] = {"ok",	 "formerr", "servfail",
					     "nxdomain", "notimp",  "refused"};
	struct str rest = str_of(question), type, name;
	struct dns_name wire, target;
	uint8_t packet[DNS_UDP_PLAIN], answer[4096];
	struct dns_query q;
	struct dns_out o;
	unsigned rcode = 0;
	int error;

	assert_true(str_cut(&rest, ' ', &type) && str_cut(&rest, ' ', &name));
	assert_int_equal(dns_name_parse(name, &wire), 0);
	size_t n = dns_ask(&wire, type_number(type), 7, packet);
	packet[DNS_HEADER + 1] ^= wire.b[1] >= 'a' && wire.b[1] <= 'z'
					  ? 0x20
					  : 0; /* the case of a letter is no part of a name */
	assert_int_equal(dns_query_parse(packet, n, &q), 0);
	dns_out_begin(&o, &q, answer, cap);
	enum zone_result r = zone_answer(zone, &q, &o, roll, &rcode, &target);
	if (r == ZONE_FOREIGN) {
		buf_puts(out, "foreign");
		return;
	}
	n = dns_out_end(&o, DNS_AA, rcode);
	assert_memory_equal(answer + DNS_HEADER, q.name.b, q.name.n);
	struct dns_answer parsed;
	struct dns_walk walk;
	struct dns_rr rr;
	assert_int_equal(dns_answer_parse(answer, n, &q.lower, q.type, &parsed), 0);
	buf_printf(out, "%s%s", rcodes[parsed.rcode], parsed.flags & DNS_TC ? " cut" : "");
	dns_walk_begin(&walk, answer, n, &parsed);
	while (dns_walk_next(&walk, &rr, &error)) {
		buf_puts(out, "; ");
		assert_int_equal(rr.ttl, 5);
		if (!dns_name_eq(&rr.owner, &q.lower)) {
			dns_name_format(&rr.owner, out);
			buf_puts(out, " ");
		}
		print_rdata(out, &rr);
	}
	assert_int_equal(error, 0);
	if (r == ZONE_ALIAS) {
		buf_puts(out, " -> ");
		dns_name_format(&target, out);
	}
}

static void expect(struct zone *zone, const char *question, const char *want)
{
	struct buf out CLEANUP_BUF = {0};

	ask_text(zone, question, 0, 4096, &out);
	if (!str_eq(buf_str(&out), str_of(want))) {
		print_error("%s\n", question);
	}
	EXPECT_STR(buf_str(&out), want);
}

static struct zone *make_zone(void)
{
	struct zone_opts opts = {.domain = "cluster.local", .ttl = 5, .serial = 1};
	struct zone *zone = NULL;
	assert_int_equal(ip_parse(STR("10.96.0.10"), &opts.dns_ip), 0);
	assert_int_equal(ip_cidr_parse(STR("10.96.0.0/12"), &opts.service_cidr), 0);
	assert_int_equal(ip_cidr_parse(STR("10.244.0.0/16"), &opts.pod_cidr), 0);
	assert_int_equal(zone_new(&opts, &zone, NULL), 0);
	return zone;
}

/* web: ClusterIP; db: headless with db-0, db-1 and a third that is not ready; ext, in: ExternalNames. */
static struct zone *filled(struct arena *a)
{
	struct zone *zone = make_zone();
	struct core_service *web = testservice_make(
		a, (struct service_spec){.name = "web", .ip = "10.96.0.80", .port = 80});
	struct core_service *db = testservice_make(
		a, (struct service_spec){.name = "db", .ip = "None", .port = 5432});
	struct core_service *ext =
		testservice_make(a, (struct service_spec){.name = "ext", .type = "ExternalName"});
	struct core_service *in =
		testservice_make(a, (struct service_spec){.name = "in", .type = "ExternalName"});
	struct discovery_endpoint_slice *slice = testservice_slice(
		a, "db", "TCP", 5432, "10.244.1.2@n1 10.244.2.3@n2 10.244.1.9@n1!");
	static const char *const hosts[] = {"db-0", "db-1", "db-2"};

	web->spec.ports.p[0].name = STR("http");
	db->spec.ports.p[0].name = STR("pg");
	ext->spec.external_name = STR("www.example.com");
	in->spec.external_name = STR("web.default.svc.cluster.local.");
	slice->ports.p[0].name = ARENA_NEW(a, struct str);
	*slice->ports.p[0].name = STR("pg");
	for (size_t i = 0; i < 3; i++) {
		slice->endpoints.p[i].hostname = ARENA_NEW(a, struct str);
		*slice->endpoints.p[i].hostname = str_of(hosts[i]);
	}
	zone_set_slice(zone, slice); /* slices may come first */
	zone_set_service(zone, web);
	zone_set_service(zone, db);
	zone_set_service(zone, ext);
	zone_set_service(zone, in);
	return zone;
}

#define SOA "; cluster.local. soa"

TEST(zone_answers_what_the_specification_says)
{
	static const struct {
		const char *question, *want;
	} cases[] = {
		{"A web.default.svc.cluster.local", "ok; 10.96.0.80"},
		{"AAAA web.default.svc.cluster.local", "ok" SOA},
		{"MX web.default.svc.cluster.local", "ok" SOA},
		{"ANY web.default.svc.cluster.local", "ok; 10.96.0.80"},
		{"SRV _http._tcp.web.default.svc.cluster.local",
		 "ok; 0 100 80 web.default.svc.cluster.local."},
		{"SRV web.default.svc.cluster.local",
		 "ok; 0 100 80 web.default.svc.cluster.local."},
		{"A _http._tcp.web.default.svc.cluster.local", "ok" SOA},
		{"A _tcp.web.default.svc.cluster.local", "ok" SOA},
		{"A _udp.web.default.svc.cluster.local", "nxdomain" SOA},
		{"SRV _x._tcp.web.default.svc.cluster.local", "nxdomain" SOA},
		{"SRV _http._udp.web.default.svc.cluster.local", "nxdomain" SOA},
		{"A db.default.svc.cluster.local", "ok; 10.244.1.2; 10.244.2.3"},
		{"A db-1.db.default.svc.cluster.local", "ok; 10.244.2.3"},
		{"A db-2.db.default.svc.cluster.local", "nxdomain" SOA},
		{"AAAA db-0.db.default.svc.cluster.local", "ok" SOA},
		{"SRV _pg._tcp.db.default.svc.cluster.local",
		 "ok; 0 50 5432 db-0.db.default.svc.cluster.local.; 0 50 5432 "
		 "db-1.db.default.svc.cluster.local."},
		{"A ext.default.svc.cluster.local", "ok; www.example.com. -> www.example.com."},
		{"CNAME ext.default.svc.cluster.local", "ok; www.example.com."},
		{"A in.default.svc.cluster.local",
		 "ok; web.default.svc.cluster.local.; web.default.svc.cluster.local. 10.96.0.80"},
		{"AAAA in.default.svc.cluster.local", "ok; web.default.svc.cluster.local." SOA},
		{"A x.ext.default.svc.cluster.local", "nxdomain" SOA},
		{"A nothing.default.svc.cluster.local", "nxdomain" SOA},
		{"A web.other.svc.cluster.local", "nxdomain" SOA},
		{"A default.svc.cluster.local", "ok" SOA},
		{"A other.svc.cluster.local", "nxdomain" SOA},
		{"A svc.cluster.local", "ok" SOA},
		{"A a.b.c.web.default.svc.cluster.local", "nxdomain" SOA},
		{"A 10-244-1-2.default.pod.cluster.local", "ok; 10.244.1.2"},
		{"A 10-244-1.default.pod.cluster.local", "nxdomain" SOA},
		{"A 10-244-1-256.default.pod.cluster.local", "nxdomain" SOA},
		{"AAAA 10-244-1-2.default.pod.cluster.local", "ok" SOA},
		{"A default.pod.cluster.local", "ok" SOA},
		{"TXT dns-version.cluster.local", "ok; 1.1.0"},
		{"SOA cluster.local", "ok; soa"},
		{"NS cluster.local", "ok; ns.dns.cluster.local."},
		{"A ns.dns.cluster.local", "ok; 10.96.0.10"},
		{"A cluster.local", "ok; soa"},
		{"A www.cluster.local", "nxdomain" SOA},
		{"A xcluster.local", "foreign"},
		{"A local", "foreign"},
		{"PTR 80.0.96.10.in-addr.arpa", "ok; web.default.svc.cluster.local."},
		{"PTR 3.2.244.10.in-addr.arpa", "ok; db-1.db.default.svc.cluster.local."},
		{"A 80.0.96.10.in-addr.arpa", "ok; 96.10.in-addr.arpa. soa"},
		{"PTR 81.0.96.10.in-addr.arpa", "nxdomain; 96.10.in-addr.arpa. soa"},
		{"PTR 9.1.244.10.in-addr.arpa", "nxdomain; 244.10.in-addr.arpa. soa"},
		{"PTR 96.10.in-addr.arpa", "ok; soa"},
		{"PTR 10.in-addr.arpa", "foreign"},
		{"PTR 8.8.8.8.in-addr.arpa", "foreign"},
		{"A www.example.com", "foreign"},
	};
	struct arena a CLEANUP_ARENA = {0};
	struct zone *zone = filled(&a);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		expect(zone, cases[i].question, cases[i].want);
	}
	zone_free(zone);
}

TEST(zone_follows_changes)
{
	struct arena a CLEANUP_ARENA = {0};
	struct zone *zone = filled(&a);

	assert_int_equal(zone_count(zone), 4);
	zone_set_slice(zone, testservice_slice(&a, "db", "TCP", 5432, "10.244.7.7@n1"));
	expect(zone, "A db.default.svc.cluster.local", "ok; 10.244.7.7");
	expect(zone, "A 10-244-7-7.db.default.svc.cluster.local", "ok; 10.244.7.7");
	expect(zone, "A db-0.db.default.svc.cluster.local", "nxdomain" SOA);
	expect(zone, "PTR 2.1.244.10.in-addr.arpa", "nxdomain; 244.10.in-addr.arpa. soa");
	zone_remove_slice(zone, testservice_slice(&a, "db", "TCP", 5432, ""));
	expect(zone, "A db.default.svc.cluster.local", "ok" SOA);
	/* what is not ready counts if the Service says so */
	zone_set_slice(zone, testservice_slice(&a, "db", "TCP", 5432, "10.244.7.7@n1!"));
	expect(zone, "A db.default.svc.cluster.local", "ok" SOA);
	struct core_service *db = testservice_make(
		&a, (struct service_spec){.name = "db", .ip = "None", .port = 5432});
	db->spec.publish_not_ready_addresses = true;
	zone_set_service(zone, db);
	expect(zone, "A db.default.svc.cluster.local", "ok; 10.244.7.7");
	static const char *const names[] = {"web", "db", "ext", "in"};
	for (size_t i = 0; i < 4; i++) {
		zone_remove_service(zone, STR("default"), str_of(names[i]));
	}
	expect(zone, "A db.default.svc.cluster.local", "nxdomain" SOA);
	expect(zone, "A default.svc.cluster.local", "nxdomain" SOA);
	expect(zone, "PTR 80.0.96.10.in-addr.arpa", "nxdomain; 96.10.in-addr.arpa. soa");
	assert_int_equal(zone_count(zone), 0);
	zone_free(zone);
}

TEST(zone_turns_the_order_and_cuts_what_does_not_fit)
{
	struct arena a CLEANUP_ARENA = {0};
	struct zone *zone = filled(&a);
	struct buf text CLEANUP_BUF = {0}, first CLEANUP_BUF = {0}, second CLEANUP_BUF = {0};

	ask_text(zone, "A db.default.svc.cluster.local", 1, 4096, &first);
	EXPECT_STR(buf_str(&first), "ok; 10.244.2.3; 10.244.1.2");
	for (int i = 1; i <= 100; i++) {
		buf_printf(&text, "10.244.3.%d ", i);
	}
	zone_set_slice(zone, testservice_slice(&a, "db", "TCP", 5432, buf_cstr(&text)));
	ask_text(zone, "A db.default.svc.cluster.local", 0, DNS_UDP_PLAIN, &second);
	assert_true(str_has_prefix(buf_str(&second), STR("ok cut; 10.244.3.1; ")));
	zone_free(zone);
}

TEST(zone_stops_at_aliases_that_go_in_circles)
{
	struct arena a CLEANUP_ARENA = {0};
	struct zone *zone = make_zone();
	struct core_service *x =
		testservice_make(&a, (struct service_spec){.name = "x", .type = "ExternalName"});
	struct core_service *y =
		testservice_make(&a, (struct service_spec){.name = "y", .type = "ExternalName"});
	struct buf out CLEANUP_BUF = {0};

	x->spec.external_name = STR("y.default.svc.cluster.local");
	y->spec.external_name = STR("x.default.svc.cluster.local");
	zone_set_service(zone, x);
	zone_set_service(zone, y);
	ask_text(zone, "A x.default.svc.cluster.local", 0, 4096, &out);
	assert_true(str_has_prefix(buf_str(&out), STR("servfail")));
	zone_free(zone);
}

TEST_MAIN(zone_answers_what_the_specification_says, zone_follows_changes,
	  zone_turns_the_order_and_cuts_what_does_not_fit, zone_stops_at_aliases_that_go_in_circles)
