/* SPDX-License-Identifier: Apache-2.0 */
/* The server over real sockets on loopback, with time and upstreams in the test's hands. */
#include "dns/dns.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../tests/lib/testservice.h"
#include "base/alloc.h"
#include "base/test.h"

enum { TIMERS_MAX = 64, WAIT_MS = 5000 };

struct fake_env {
	struct env env;
	int64_t now;
	uint32_t random;
	struct env_timer *timers[TIMERS_MAX];
};

static int64_t fake_now(struct env *env)
{
	return CONTAINER_OF(env, struct fake_env, env)->now;
}

static void fake_random(struct env *env, void *p, size_t n)
{
	struct fake_env *f = CONTAINER_OF(env, struct fake_env, env);
	for (size_t i = 0; i < n; i++) {
		f->random = f->random * 1103515245U + 12345;
		((uint8_t *)p)[i] = (uint8_t)(f->random >> 16);
	}
}

static void fake_stop(struct env *env, struct env_timer *timer)
{
	struct fake_env *f = CONTAINER_OF(env, struct fake_env, env);
	for (size_t i = 0; i < TIMERS_MAX; i++) {
		f->timers[i] = f->timers[i] == timer ? NULL : f->timers[i];
	}
	timer->at_mono_ns = 0;
}

static void fake_start(struct env *env, struct env_timer *timer, int64_t at)
{
	struct fake_env *f = CONTAINER_OF(env, struct fake_env, env);
	fake_stop(env, timer);
	for (size_t i = 0; i < TIMERS_MAX; i++) {
		if (!f->timers[i]) {
			f->timers[i] = timer;
			timer->at_mono_ns = at;
			return;
		}
	}
	fail();
}

static const struct env_ops fake_ops = {.wall_ns = fake_now,
					.mono_ns = fake_now,
					.random = fake_random,
					.timer_start = fake_start,
					.timer_stop = fake_stop};

static void advance(struct fake_env *f, int64_t ns)
{
	f->now += ns;
	for (size_t i = 0; i < TIMERS_MAX; i++) {
		struct env_timer *t = f->timers[i];
		if (t && t->at_mono_ns <= f->now) {
			fake_stop(&f->env, t);
			t->fn(t);
		}
	}
}

struct server {
	struct fake_env env;
	struct dns *dns;
	int udp, tcp, client;
	struct sockaddr_in addr;
	int upstream[2], upstream_tcp; /* UDP sockets; a TCP listener on the first one's port */
	struct arena arena;
};

static int open_at(int type, uint16_t port, struct sockaddr_in *ret)
{
	struct sockaddr_in sa = {.sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				 .sin_port = htons(port)};
	socklen_t n = sizeof(sa);
	int on = 1;
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
		close(fd);
		return -1;
	}
	if (type == SOCK_STREAM) {
		assert_int_equal(listen(fd, 16), 0);
	}
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &n), 0);
	*ret = sa;
	return fd;
}

/* A UDP and a TCP socket on one port. */
static void open_pair(int *ret_udp, int *ret_tcp, struct sockaddr_in *ret)
{
	for (int i = 0; i < 100; i++) {
		struct sockaddr_in sa;
		*ret_udp = open_at(SOCK_DGRAM, 0, ret);
		*ret_tcp = open_at(SOCK_STREAM, ntohs(ret->sin_port), &sa);
		if (*ret_tcp >= 0) {
			return;
		}
		close(*ret_udp);
	}
	fail();
}

static void start(struct server *s, size_t upstreams, size_t cache_bytes)
{
	struct sockaddr_in up[2];
	*s = (struct server){.env = {.env = {&fake_ops}, .now = NS_PER_SEC, .random = 1}};
	open_pair(&s->udp, &s->tcp, &s->addr);
	open_pair(&s->upstream[0], &s->upstream_tcp, &up[0]);
	s->upstream[1] = open_at(SOCK_DGRAM, 0, &up[1]);
	struct dns_opts opts = {.env = &s->env.env,
				.zone = {.domain = "cluster.local"},
				.udp_fds = &s->udp,
				.tcp_fds = &s->tcp,
				.nudp = 1,
				.ntcp = 1,
				.cache_bytes = cache_bytes};
	assert_int_equal(ip_cidr_parse(STR("10.96.0.0/12"), &opts.zone.service_cidr), 0);
	assert_int_equal(ip_cidr_parse(STR("10.244.0.0/16"), &opts.zone.pod_cidr), 0);
	assert_int_equal(dns_new(&opts, &s->dns, NULL), 0);
	struct forward_upstream list[2];
	for (int i = 0; i < 2; i++) {
		list[i] = (struct forward_upstream){ip_from_v4(INADDR_LOOPBACK),
						    ntohs(up[i].sin_port)};
	}
	assert_int_equal(dns_set_upstreams(s->dns, list, upstreams), upstreams);
	struct core_service *web = testservice_make(
		&s->arena, (struct service_spec){.name = "web", .ip = "10.96.0.80", .port = 80});
	dns_set_service(s->dns, web);
	assert_int_equal(dns_serve(s->dns, true, NULL), 0);
	s->client = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(s->client, (struct sockaddr *)&s->addr, sizeof(s->addr)), 0);
}

static void stop(struct server *s)
{
	dns_free(s->dns);
	/* no timer is left behind */
	for (size_t i = 0; i < TIMERS_MAX; i++) {
		assert_null(s->env.timers[i]);
	}
	const int fds[] = {s->udp,	   s->tcp,	   s->client,
			   s->upstream[0], s->upstream[1], s->upstream_tcp};
	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		close(fds[i]);
	}
	arena_fini(&s->arena);
}

/* Lets the server work until fd is readable. False after the time. */
static bool until(struct server *s, int fd)
{
	for (;;) {
		struct pollfd p[] = {{.fd = fd, .events = POLLIN},
				     {.fd = dns_fd(s->dns), .events = POLLIN}};
		if (poll(p, 2, WAIT_MS) <= 0) {
			return false;
		}
		if (p[0].revents) {
			return true;
		}
		dns_process(s->dns);
	}
}

/* Lets the server take everything that has arrived. */
static void settle(struct server *s)
{
	struct pollfd p = {.fd = dns_fd(s->dns), .events = POLLIN};
	while (poll(&p, 1, 0) > 0) {
		dns_process(s->dns);
	}
}

static size_t question(const char *text, uint16_t type, uint16_t id, uint8_t packet[DNS_UDP_PLAIN])
{
	struct dns_name name;
	assert_int_equal(dns_name_parse(str_of(text), &name), 0);
	return dns_ask(&name, type, id, packet);
}

static void ask(struct server *s, const char *text, uint16_t type, uint16_t id)
{
	uint8_t packet[DNS_UDP_PLAIN];
	size_t n = question(text, type, id, packet);
	assert_int_equal(send(s->client, packet, n, 0), n);
}

struct reply {
	uint8_t p[DNS_MSG_MAX];
	size_t n;
	unsigned id, flags, rcode, answers;
	uint32_t ttl;	 /* of the last record of the answer */
	uint8_t last[4]; /* its first bytes */
};

static void read_reply(struct reply *r, const char *text, uint16_t type)
{
	struct dns_name name;
	struct dns_answer parsed;
	struct dns_walk walk;
	struct dns_rr rr;
	int error;

	assert_int_equal(dns_name_parse(str_of(text), &name), 0);
	assert_int_equal(dns_answer_parse(r->p, r->n, &name, type, &parsed), 0);
	r->id = parsed.id;
	r->flags = parsed.flags;
	r->rcode = parsed.rcode;
	r->answers = parsed.counts[DNS_ANSWER];
	dns_walk_begin(&walk, r->p, r->n, &parsed);
	while (dns_walk_next(&walk, &rr, &error)) {
		if (rr.section == DNS_ANSWER) {
			r->ttl = rr.ttl;
			memcpy(r->last, rr.rdata, rr.rdata_len < 4 ? rr.rdata_len : 4);
		}
	}
	assert_int_equal(error, 0);
}

static void get(struct server *s, struct reply *r, const char *text, uint16_t type)
{
	assert_true(until(s, s->client));
	ssize_t n = recv(s->client, r->p, sizeof(r->p), 0);
	assert_true(n > 0);
	r->n = (size_t)n;
	read_reply(r, text, type);
}

/* The question that has reached an upstream; answered by the text's A record. edit may spoil the answer. */
struct upstream_question {
	uint8_t p[DNS_UDP_PLAIN];
	ssize_t n;
	struct sockaddr_in from;
};

static void upstream_get(struct server *s, int which, struct upstream_question *q)
{
	socklen_t len = sizeof(q->from);
	assert_true(until(s, s->upstream[which]));
	q->n = recvfrom(s->upstream[which], q->p, sizeof(q->p), 0, (struct sockaddr *)&q->from,
			&len);
	assert_true(q->n > DNS_HEADER);
}

static size_t make_answer(const struct upstream_question *q, uint8_t out[DNS_UDP_PLAIN],
			  uint8_t last_byte, unsigned rcode, unsigned flags)
{
	struct dns_query query;
	struct dns_out o;
	const uint8_t rdata[4] = {192, 0, 2, last_byte};
	static const uint8_t soa[] = "\001a\000\001b\000\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\031";

	assert_int_equal(dns_query_parse(q->p, (size_t)q->n, &query), 0);
	dns_out_begin(&o, &query, out, DNS_UDP_PLAIN);
	if (rcode == DNS_NOERROR && last_byte) {
		dns_out_rr_at(&o, DNS_ANSWER, DNS_HEADER, DNS_A, 60, rdata, 4);
	} else if (rcode != DNS_SERVFAIL) {
		dns_out_rr_at(&o, DNS_AUTHORITY, DNS_HEADER, DNS_SOA, 900, soa, 26);
	}
	return dns_out_end(&o, flags, rcode);
}

static void upstream_answer(struct server *s, int which, const struct upstream_question *q,
			    uint8_t last_byte, unsigned rcode, unsigned flags)
{
	uint8_t out[DNS_UDP_PLAIN];
	size_t n = make_answer(q, out, last_byte, rcode, flags);
	assert_int_equal(sendto(s->upstream[which], out, n, 0, (const struct sockaddr *)&q->from,
				sizeof(q->from)),
			 n);
}

TEST(dns_answers_over_udp_and_tcp)
{
	struct server s;
	struct reply *r = mem_new(sizeof(*r));

	start(&s, 0, 0);
	ask(&s, "web.default.svc.cluster.local", DNS_A, 77);
	get(&s, r, "web.default.svc.cluster.local", DNS_A);
	assert_int_equal(r->id, 77);
	assert_true((r->flags & (DNS_QR | DNS_AA | DNS_RD | DNS_RA)) ==
		    (DNS_QR | DNS_AA | DNS_RD | DNS_RA));
	assert_memory_equal(r->last, ((uint8_t[]){10, 96, 0, 80}), 4);
	assert_int_equal(r->ttl, 5);

	/* two on one connection, cut in an unlucky place */
	int tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(tcp, (struct sockaddr *)&s.addr, sizeof(s.addr)), 0);
	uint8_t both[2 * (DNS_UDP_PLAIN + 2)];
	size_t n = 0, got = 0;
	for (uint16_t i = 0; i < 2; i++) {
		size_t len = question("web.default.svc.cluster.local", DNS_A, i, both + n + 2);
		both[n] = (uint8_t)(len >> 8);
		both[n + 1] = (uint8_t)len;
		n += len + 2;
	}
	assert_int_equal(send(tcp, both, 3, 0), 3);
	settle(&s);
	assert_int_equal(send(tcp, both + 3, n - 3, 0), n - 3);
	uint8_t in[2048];
	for (unsigned i = 0; i < 2; i++) {
		while (got < 2 || got < 2U + (unsigned)(in[0] << 8 | in[1])) {
			assert_true(until(&s, tcp));
			ssize_t len = recv(tcp, in + got, sizeof(in) - got, 0);
			assert_true(len > 0);
			got += (size_t)len;
		}
		r->n = (size_t)(in[0] << 8 | in[1]);
		memcpy(r->p, in + 2, r->n);
		read_reply(r, "web.default.svc.cluster.local", DNS_A);
		assert_int_equal(r->id, i);
		memmove(in, in + 2 + r->n, got -= 2 + r->n);
	}
	/* silent for too long, or from the start */
	int mute = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(mute, (struct sockaddr *)&s.addr, sizeof(s.addr)), 0);
	settle(&s);
	advance(&s.env, 11 * NS_PER_SEC);
	assert_true(until(&s, tcp));
	assert_int_equal(recv(tcp, in, sizeof(in), 0), 0);
	assert_true(until(&s, mute));
	assert_int_equal(recv(mute, in, sizeof(in), 0), 0);
	close(mute);
	close(tcp);
	mem_free(r);
	stop(&s);
}

TEST(dns_tells_bad_questions_apart)
{
	static const struct {
		const char *what;
		int offset;
		uint8_t value;
		int want; /* rcode, -1: silence */
	} cases[] = {
		{"answer bit", 2, 0x81, -1},	       {"opcode notify", 2, 0x20, DNS_NOTIMP},
		{"two questions", 5, 2, DNS_FORMERR},  {"an answer", 7, 1, DNS_FORMERR},
		{"long label", 12, 0x7f, DNS_FORMERR}, {"pointer", 12, 0xc0, DNS_FORMERR},
		{"class chaos", -12, 3, DNS_REFUSED},  {"axfr", -14, DNS_AXFR, DNS_REFUSED},
		{"edns version", -5, 1, DNS_BADVERS},  {"as it was", 0, 0, DNS_NOERROR},
	};
	struct server s;
	uint8_t packet[DNS_UDP_PLAIN], out[DNS_UDP_PLAIN];

	start(&s, 0, 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		size_t n = question("web.default.svc.cluster.local", DNS_A, 0, packet);
		/* negative: from the end of the question or of OPT */
		packet[cases[i].offset >= 0 ? cases[i].offset : (int)n + cases[i].offset] =
			cases[i].value;
		assert_int_equal(send(s.client, packet, n, 0), n);
		settle(&s);
		ssize_t len = recv(s.client, out, sizeof(out), MSG_DONTWAIT);
		if (cases[i].want < 0) {
			assert_int_equal(len, -1);
			continue;
		}
		assert_true(len >= DNS_HEADER);
		/* OPT, where there is one, ends the answer: eleven bytes, the sixth of them is the rcode's upper part */
		int rcode = (out[3] & 15) | (out[11] ? out[len - 6] << 4 : 0);
		if (rcode != cases[i].want) {
			print_error("%s: rcode %d\n", cases[i].what, rcode);
			fail();
		}
	}
	for (size_t n = 0; n < DNS_HEADER; n++) {
		assert_int_equal(send(s.client, packet, n, 0), n);
	}
	settle(&s);
	assert_int_equal(recv(s.client, out, sizeof(out), MSG_DONTWAIT), -1);
	stop(&s);
}

TEST(dns_asks_upstream_once_and_remembers)
{
	struct server s;
	struct reply *r = mem_new(sizeof(*r));
	struct upstream_question q;
	struct dns_counters c;

	start(&s, 1, 0);
	/* two clients at once: one question */
	ask(&s, "www.example.com", DNS_A, 1);
	ask(&s, "WWW.example.com", DNS_A, 2);
	upstream_get(&s, 0, &q);
	settle(&s);
	assert_int_equal(recv(s.upstream[0], q.p, sizeof(q.p), MSG_DONTWAIT), -1);
	upstream_answer(&s, 0, &q, 7, DNS_NOERROR, 0);
	for (int i = 0; i < 2; i++) {
		get(&s, r, "www.example.com", DNS_A);
		assert_int_equal(r->rcode, DNS_NOERROR);
		assert_int_equal(r->last[3], 7);
		assert_int_equal(r->ttl, 60);
		assert_false(r->flags & DNS_AA);
	}
	advance(&s.env, 20 * NS_PER_SEC);
	ask(&s, "www.example.com", DNS_A, 3);
	get(&s, r, "www.example.com", DNS_A);
	assert_int_equal(r->ttl, 40);
	/* after its time it is asked for again */
	advance(&s.env, 41 * NS_PER_SEC);
	ask(&s, "www.example.com", DNS_A, 4);
	upstream_get(&s, 0, &q);
	upstream_answer(&s, 0, &q, 8, DNS_NOERROR, 0);
	get(&s, r, "www.example.com", DNS_A);
	assert_int_equal(r->last[3], 8);
	/* what does not exist is remembered as well, as long as the SOA says (25 s) */
	for (int round = 0; round < 2; round++) {
		ask(&s, "no.example.com", DNS_A, 5);
		upstream_get(&s, 0, &q);
		upstream_answer(&s, 0, &q, 0, DNS_NXDOMAIN, 0);
		get(&s, r, "no.example.com", DNS_A);
		assert_int_equal(r->rcode, DNS_NXDOMAIN);
		advance(&s.env, 24 * NS_PER_SEC);
		ask(&s, "no.example.com", DNS_A, 6);
		get(&s, r, "no.example.com", DNS_A);
		assert_int_equal(r->rcode, DNS_NXDOMAIN);
		advance(&s.env, 2 * NS_PER_SEC);
	}
	dns_count(s.dns, &c);
	assert_int_equal(c.cached, 3);
	assert_int_equal(c.upstream_sent, 4);
	mem_free(r);
	stop(&s);
}

TEST(dns_takes_an_answer_from_the_one_it_asked_only)
{
	struct server s;
	struct reply *r = mem_new(sizeof(*r));
	struct upstream_question q, forged;

	start(&s, 1, 0);
	ask(&s, "www.example.com", DNS_A, 1);
	upstream_get(&s, 0, &q);
	forged = q;
	forged.p[1] ^= 1; /* another id */
	upstream_answer(&s, 0, &forged, 66, DNS_NOERROR, 0);
	forged = q;
	forged.p[DNS_HEADER + 1] ^= 1; /* another name */
	upstream_answer(&s, 0, &forged, 66, DNS_NOERROR, 0);
	upstream_answer(&s, 1, &q, 66, DNS_NOERROR, 0); /* from elsewhere */
	settle(&s);
	upstream_answer(&s, 0, &q, 7, DNS_NOERROR, 0);
	get(&s, r, "www.example.com", DNS_A);
	assert_int_equal(r->last[3], 7);
	mem_free(r);
	stop(&s);
}

TEST(dns_turns_to_the_next_upstream_and_gives_up_in_the_end)
{
	struct server s;
	struct reply *r = mem_new(sizeof(*r));
	struct upstream_question q;

	start(&s, 2, 0);
	ask(&s, "www.example.com", DNS_A, 1);
	upstream_get(&s, 0, &q);
	advance(&s.env, FORWARD_TIMEOUT_MS * NS_PER_MS);
	upstream_get(&s, 1, &q);
	upstream_answer(&s, 1, &q, 9, DNS_NOERROR, 0);
	get(&s, r, "www.example.com", DNS_A);
	assert_int_equal(r->last[3], 9);
	/* the one that answers is asked first from now on; SERVFAIL of one is not the last word */
	ask(&s, "w3.example.com", DNS_A, 2);
	upstream_get(&s, 1, &q);
	upstream_answer(&s, 1, &q, 0, DNS_SERVFAIL, 0);
	upstream_get(&s, 0, &q);
	upstream_answer(&s, 0, &q, 5, DNS_NOERROR, 0);
	get(&s, r, "w3.example.com", DNS_A);
	assert_int_equal(r->last[3], 5);
	/* silence everywhere */
	ask(&s, "w4.example.com", DNS_A, 3);
	for (int i = 0; i < FORWARD_ATTEMPTS; i++) {
		upstream_get(&s, i % 2, &q);
		advance(&s.env, FORWARD_TIMEOUT_MS * NS_PER_MS);
	}
	get(&s, r, "w4.example.com", DNS_A);
	assert_int_equal(r->rcode, DNS_SERVFAIL);
	mem_free(r);
	stop(&s);
}

TEST(dns_fetches_a_truncated_answer_by_tcp)
{
	struct server s;
	struct reply *r = mem_new(sizeof(*r));
	struct upstream_question q;
	uint8_t buffer[DNS_UDP_PLAIN + 2];

	start(&s, 1, 0);
	ask(&s, "www.example.com", DNS_A, 1);
	upstream_get(&s, 0, &q);
	upstream_answer(&s, 0, &q, 7, DNS_NOERROR, DNS_TC);
	assert_true(until(&s, s.upstream_tcp));
	int conn = accept(s.upstream_tcp, NULL, NULL);
	assert_true(until(&s, conn));
	q.n = recv(conn, buffer, sizeof(buffer), 0) - 2;
	assert_true(q.n > 0);
	memcpy(q.p, buffer + 2, (size_t)q.n);
	size_t n = make_answer(&q, buffer + 2, 8, DNS_NOERROR, 0);
	buffer[0] = (uint8_t)(n >> 8);
	buffer[1] = (uint8_t)n;
	assert_int_equal(send(conn, buffer, 5, 0), 5);
	settle(&s);
	assert_int_equal(send(conn, buffer + 5, n - 3, 0), n - 3);
	get(&s, r, "www.example.com", DNS_A);
	assert_int_equal(r->last[3], 8);
	close(conn);
	mem_free(r);
	stop(&s);
}

TEST(dns_follows_an_external_name_to_its_address)
{
	struct server s;
	struct reply *r = mem_new(sizeof(*r));
	struct upstream_question q;

	start(&s, 1, 0);
	struct core_service *ext = testservice_make(
		&s.arena, (struct service_spec){.name = "ext", .type = "ExternalName"});
	ext->spec.external_name = STR("www.example.com");
	dns_set_service(s.dns, ext);
	for (int round = 0; round < 2; round++) {
		ask(&s, "ext.default.svc.cluster.local", DNS_A, 1);
		if (round == 0) {
			upstream_get(&s, 0, &q);
			upstream_answer(&s, 0, &q, 7, DNS_NOERROR, 0);
		}
		get(&s, r, "ext.default.svc.cluster.local", DNS_A);
		assert_int_equal(r->answers, 2);
		assert_int_equal(r->last[3], 7);
	}
	mem_free(r);
	stop(&s);
}

TEST(dns_without_upstream_fails_at_once_and_never_asks_itself)
{
	struct server s;
	struct reply *r = mem_new(sizeof(*r));

	start(&s, 0, 0);
	struct forward_upstream self = {ip_from_v4(INADDR_LOOPBACK), ntohs(s.addr.sin_port)};
	assert_int_equal(dns_set_upstreams(s.dns, &self, 1), 0);
	ask(&s, "www.example.com", DNS_A, 1);
	get(&s, r, "www.example.com", DNS_A);
	assert_int_equal(r->rcode, DNS_SERVFAIL);
	mem_free(r);
	stop(&s);
}

TEST(dns_waits_for_the_api_before_it_says_no)
{
	struct server s;
	struct reply *r = mem_new(sizeof(*r));
	struct dns *restarted = NULL;

	/* the old server goes, a question comes, the new one starts: it is answered */
	start(&s, 0, 0);
	struct dns_opts opts = {.env = &s.env.env,
				.zone = {.domain = "cluster.local"},
				.udp_fds = &s.udp,
				.nudp = 1};
	dns_free(s.dns);
	ask(&s, "web.default.svc.cluster.local", DNS_A, 1);
	assert_int_equal(dns_new(&opts, &restarted, NULL), 0);
	s.dns = restarted;
	settle(&s);
	assert_int_equal(recv(s.client, r->p, sizeof(r->p), MSG_DONTWAIT), -1);
	/* the API stays silent: no lies about what it may know */
	assert_int_equal(dns_serve(s.dns, false, NULL), 0);
	get(&s, r, "web.default.svc.cluster.local", DNS_A);
	assert_int_equal(r->rcode, DNS_SERVFAIL);
	dns_set_service(s.dns, testservice_make(&s.arena, (struct service_spec){.name = "web",
										.ip = "10.96.0.80",
										.port = 80}));
	assert_int_equal(dns_serve(s.dns, true, NULL), 0);
	ask(&s, "web.default.svc.cluster.local", DNS_A, 2);
	get(&s, r, "web.default.svc.cluster.local", DNS_A);
	assert_int_equal(r->rcode, DNS_NOERROR);
	mem_free(r);
	stop(&s);
}

TEST(dns_cache_stays_within_its_bytes)
{
	struct server s;
	struct reply *r = mem_new(sizeof(*r));
	struct upstream_question q;
	struct dns_counters c;
	char name[32];

	start(&s, 1, 4096);
	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "w%d.example.com", i);
		ask(&s, name, DNS_A, 1);
		upstream_get(&s, 0, &q);
		upstream_answer(&s, 0, &q, 7, DNS_NOERROR, 0);
		get(&s, r, name, DNS_A);
		dns_count(s.dns, &c);
		assert_true(c.cache_bytes <= 4096);
	}
	assert_true(c.cache_entries >= 5 && c.cache_entries < 40);
	/* the newest is there */
	ask(&s, "w39.example.com", DNS_A, 1);
	get(&s, r, "w39.example.com", DNS_A);
	dns_count(s.dns, &c);
	assert_int_equal(c.cached, 1);
	mem_free(r);
	stop(&s);
}

TEST_MAIN(dns_answers_over_udp_and_tcp, dns_tells_bad_questions_apart,
	  dns_asks_upstream_once_and_remembers, dns_takes_an_answer_from_the_one_it_asked_only,
	  dns_turns_to_the_next_upstream_and_gives_up_in_the_end,
	  dns_fetches_a_truncated_answer_by_tcp, dns_follows_an_external_name_to_its_address,
	  dns_without_upstream_fails_at_once_and_never_asks_itself,
	  dns_waits_for_the_api_before_it_says_no, dns_cache_stays_within_its_bytes)
