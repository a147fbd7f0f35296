/* SPDX-License-Identifier: Apache-2.0 */
/* DNS questions per second, three ways: the answer alone (no sockets), over loopback UDP with one client thread that keeps a window of questions under
 * way while the server runs on the real loop in another, and from the cache. 10,000 Services. */
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "../tests/lib/testservice.h"
#include "base/alloc.h"
#include "dns/dns.h"
#include "loop/loop.h"

/* after base: it brings macros of its own */
#include <uv.h>

enum { SERVICES = 10000, BATCH = 32, WINDOW = 256, SECONDS = 3, DIRECT = 2000000 };

static double now_s(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

struct server {
	pthread_t thread;
	int fd, wake;
	struct sockaddr_in addr;
	struct loop *loop;
	struct dns *dns;
	uv_poll_t poll;
	uv_async_t stop;
	double cpu_s; /* of the server's thread */
};

static double thread_cpu_s(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	dns_process(poll->data);
}

static void on_stop(uv_async_t *async)
{
	struct server *s = async->data;
	uv_close((uv_handle_t *)&s->poll, NULL);
	uv_close((uv_handle_t *)&s->stop, NULL);
	loop_stop(s->loop);
}

static void *serve(void *arg)
{
	struct server *s = arg;
	loop_run(s->loop);
	s->cpu_s = thread_cpu_s();
	return NULL;
}

static void fill(struct dns *dns)
{
	struct arena a = {0};
	for (int i = 0; i < SERVICES; i++) {
		char name[16], ip[32];
		snprintf(name, sizeof(name), "s%d", i);
		snprintf(ip, sizeof(ip), "10.96.%d.%d", i / 250, i % 250 + 1);
		dns_set_service(dns,
				testservice_make(&a, (struct service_spec){
							     .name = name, .ip = ip, .port = 80}));
		arena_clear(&a);
	}
	arena_fini(&a);
}

static void start(struct server *s)
{
	socklen_t n = sizeof(s->addr);
	struct dns_opts opts = {.zone = {.domain = "cluster.local"}, .udp_fds = &s->fd, .nudp = 1};
	struct err err = {0};

	s->addr = (struct sockaddr_in){.sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	s->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (bind(s->fd, (struct sockaddr *)&s->addr, sizeof(s->addr)) < 0 ||
	    getsockname(s->fd, (struct sockaddr *)&s->addr, &n) < 0 ||
	    ip_cidr_parse(STR("10.96.0.0/12"), &opts.zone.service_cidr) < 0 ||
	    ip_cidr_parse(STR("10.244.0.0/16"), &opts.zone.pod_cidr) < 0) {
		exit(1);
	}
	s->loop = loop_new();
	opts.env = loop_env(s->loop);
	if (dns_new(&opts, &s->dns, &err) < 0) {
		fprintf(stderr, "dns_bench: %s\n", err_msg(&err));
		exit(1);
	}
	fill(s->dns);
	if (dns_serve(s->dns, true, &err) < 0) {
		exit(1);
	}
	uv_poll_init(loop_uv(s->loop), &s->poll, dns_fd(s->dns));
	s->poll.data = s->dns;
	uv_poll_start(&s->poll, UV_READABLE, on_readable);
	uv_async_init(loop_uv(s->loop), &s->stop, on_stop);
	s->stop.data = s;
	pthread_create(&s->thread, NULL, serve, s);
}

static size_t question(int i, uint8_t p[DNS_UDP_PLAIN])
{
	char text[64];
	struct dns_name name;
	snprintf(text, sizeof(text), "s%d.default.svc.cluster.local", i % SERVICES);
	return dns_name_parse(str_of(text), &name) == 0 ? dns_ask(&name, DNS_A, (uint16_t)i, p) : 0;
}

/* One client: a window of questions under way, refilled as answers come. */
static void load(const struct server *s)
{
	static uint8_t packets[SERVICES][80];
	static uint16_t lens[SERVICES];
	static uint8_t in[BATCH][DNS_UDP_SAFE];
	struct mmsghdr out_msgs[BATCH] = {0}, in_msgs[BATCH] = {0};
	struct iovec out_iov[BATCH], in_iov[BATCH];
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), next = 0, under_way = 0;
	uint64_t answers = 0, wrong = 0;

	for (int i = 0; i < SERVICES; i++) {
		uint8_t p[DNS_UDP_PLAIN];
		lens[i] = (uint16_t)question(i, p);
		memcpy(packets[i], p, lens[i]);
	}
	for (int i = 0; i < BATCH; i++) {
		in_iov[i] = (struct iovec){in[i], sizeof(in[i])};
		in_msgs[i].msg_hdr = (struct msghdr){.msg_iov = &in_iov[i], .msg_iovlen = 1};
		out_msgs[i].msg_hdr = (struct msghdr){.msg_iov = &out_iov[i], .msg_iovlen = 1};
	}
	if (connect(fd, (const struct sockaddr *)&s->addr, sizeof(s->addr)) < 0) {
		exit(1);
	}
	double begin = now_s(), end = begin + SECONDS, cpu = thread_cpu_s();
	while (now_s() < end) {
		while (under_way + BATCH <= WINDOW) {
			for (int i = 0; i < BATCH; i++, next = (next + 1) % SERVICES) {
				out_iov[i] = (struct iovec){packets[next], lens[next]};
			}
			int sent = sendmmsg(fd, out_msgs, BATCH, 0);
			under_way += sent > 0 ? sent : 0;
		}
		struct pollfd p = {.fd = fd, .events = POLLIN};
		if (poll(&p, 1, 100) == 0) {
			under_way = 0; /* lost: counted by what is missing */
			continue;
		}
		int got = recvmmsg(fd, in_msgs, BATCH, MSG_DONTWAIT, NULL);
		for (int i = 0; i < got; i++) {
			wrong += (in[i][3] & 15) != 0 || in[i][7] != 1;
		}
		answers += got > 0 ? (uint64_t)got : 0;
		under_way -= got > 0 ? got : 0;
	}
	printf("over loopback UDP, one client and one server thread: %.0f/s (%llu wrong), client "
	       "%.1f us of CPU each\n",
	       (double)answers / (now_s() - begin), (unsigned long long)wrong,
	       (thread_cpu_s() - cpu) * 1e6 / (double)answers);
	close(fd);
}

static void direct(void)
{
	struct zone_opts opts = {.domain = "cluster.local", .ttl = 5};
	struct zone *zone = NULL;
	struct arena a = {0};
	uint8_t p[DNS_UDP_PLAIN], out[DNS_UDP_SAFE];
	struct dns_name target;
	size_t bytes = 0;

	if (zone_new(&opts, &zone, NULL) < 0) {
		exit(1);
	}
	zone_set_service(zone, testservice_make(&a, (struct service_spec){.name = "s0",
									  .ip = "10.96.0.1",
									  .port = 80}));
	size_t n = question(0, p);
	double begin = now_s();
	for (int i = 0; i < DIRECT; i++) {
		struct dns_query q;
		struct dns_out o;
		unsigned rcode = 0;
		if (dns_query_parse(p, n, &q) == 0) {
			dns_out_begin(&o, &q, out, q.udp_size);
			if (zone_answer(zone, &q, &o, (uint32_t)i, &rcode, &target) ==
			    ZONE_ANSWERED) {
				bytes += dns_out_end(&o, DNS_AA, rcode);
			}
		}
	}
	double took = now_s() - begin;
	printf("parse, look up, answer: %.0f ns (%.1f million/s on one core)\n",
	       took / DIRECT * 1e9, DIRECT / took / 1e6);
	if (bytes == 0) {
		exit(1);
	}
	zone_free(zone);
	arena_fini(&a);
}

int main(void)
{
	struct server s = {0};

	direct();
	start(&s);
	load(&s);
	uv_async_send(&s.stop);
	pthread_join(s.thread, NULL);
	struct dns_counters c;
	dns_count(s.dns, &c);
	printf("server: %llu questions, %.2f us of CPU each (what one core could do: %.0f/s), %llu "
	       "dropped\n",
	       (unsigned long long)c.queries_udp, s.cpu_s * 1e6 / (double)c.queries_udp,
	       (double)c.queries_udp / s.cpu_s, (unsigned long long)c.dropped);
	dns_free(s.dns);
	loop_free(s.loop);
	close(s.fd);
	return 0;
}
