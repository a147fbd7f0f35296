/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/dns.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "dns/dns_internal.h"

enum {
	DEFAULT_TTL = 5,
	DEFAULT_CACHE_BYTES = 4 << 20,
	RECEIVE_BUFFER = 4 << 20, /* questions that wait while we are being restarted */
};

static void finish_rcode(struct dns *dns, unsigned rcode)
{
	if (rcode < DNS_RCODES) {
		dns->counters.rcodes[rcode]++;
	}
}

static size_t end(struct dns *dns, struct dns_out *out, unsigned flags, unsigned rcode)
{
	finish_rcode(dns, rcode);
	return dns_out_end(out, flags, rcode);
}

static size_t refuse(struct dns *dns, const struct dns_query *q, uint8_t *p, size_t cap,
		     unsigned rcode)
{
	finish_rcode(dns, rcode);
	return dns_out_error(q, p, cap, rcode);
}

/* A cheap number that need not be secret. */
static uint32_t roll(struct dns *dns)
{
	dns->rolls = dns->rolls * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(dns->rolls >> 33);
}

static size_t ask_upstream(struct dns *dns, const struct dns_name *name, const struct dns_query *q,
			   const struct forward_client *client, uint8_t *p, size_t cap)
{
	struct forward_waiter waiter = {.client = *client, .query = *q};

	if (!(q->flags & DNS_RD)) {
		return refuse(dns, q, p, cap, DNS_REFUSED);
	}
	if (forward_ask(&dns->forward, name, q->type, &waiter) < 0) {
		return refuse(dns, q, p, cap, DNS_SERVFAIL);
	}
	dns->counters.forwarded++;
	return 0;
}

size_t dns_respond(struct dns *dns, const uint8_t *bytes, size_t n,
		   const struct forward_client *client, uint8_t *p, size_t cap)
{
	struct dns_query q;
	struct dns_out out;
	struct dns_name target;
	unsigned rcode = 0;

	int r = dns_query_parse(bytes, n, &q);
	if (r < 0) {
		dns->counters.malformed++;
		return 0;
	}
	cap = client->udp_fd >= 0 ? MIN(cap, (size_t)q.udp_size) : cap;
	if (r > 0) {
		dns->counters.malformed++;
		return refuse(dns, &q, p, cap, (unsigned)r);
	}
	if (q.class != DNS_IN || q.type == DNS_AXFR || q.type == DNS_IXFR) {
		return refuse(dns, &q, p, cap, DNS_REFUSED);
	}
	dns_out_begin(&out, &q, p, cap);
	enum zone_result result = zone_answer(dns->zone, &q, &out, roll(dns), &rcode, &target);
	if (result != ZONE_FOREIGN && !dns->synced) {
		return refuse(dns, &q, p, cap, DNS_SERVFAIL);
	}
	if (result == ZONE_ANSWERED) {
		dns->counters.own++;
		return end(dns, &out, DNS_AA, rcode);
	}
	const struct dns_name *name = result == ZONE_ALIAS ? &target : &q.lower;
	if (cache_get(&dns->cache, name, q.type, env_mono_ns(dns->env), &out, &rcode)) {
		dns->counters.cached++;
		return end(dns, &out, 0, rcode);
	}
	return ask_upstream(dns, name, &q, client, p, cap);
}

/* A foreign answer has come, or will not. The zone's part of an alias is made anew: it may have changed meanwhile. */
static size_t respond_late(struct dns *dns, const struct forward_waiter *w,
			   const struct dns_name *name, const struct cache_answer *answer,
			   uint8_t *p, size_t cap)
{
	struct dns_out out;
	struct dns_name target;
	unsigned rcode = 0;

	if (!answer) {
		return refuse(dns, &w->query, p, cap, DNS_SERVFAIL);
	}
	dns_out_begin(&out, &w->query, p, cap);
	enum zone_result result =
		zone_answer(dns->zone, &w->query, &out, roll(dns), &rcode, &target);
	if (result == ZONE_ANSWERED) {
		return end(dns, &out, DNS_AA, rcode);
	}
	if (!dns_name_eq(result == ZONE_ALIAS ? &target : &w->query.lower, name)) {
		return refuse(dns, &w->query, p, cap, DNS_SERVFAIL);
	}
	cache_answer_write(buf_str(&answer->records), 0, &out);
	return end(dns, &out, 0, answer->rcode);
}

static void handle_answer(void *ctx, const struct forward_waiter *w, const struct dns_name *name,
			  const struct cache_answer *answer)
{
	struct dns *dns = ctx;
	uint8_t *p = dns->message;

	if (w->client.udp_fd < 0) {
		dns_tcp_send(dns, w->client.conn, p,
			     respond_late(dns, w, name, answer, p, DNS_MSG_MAX));
		return;
	}
	size_t n = respond_late(dns, w, name, answer, p, w->query.udp_size);
	if (sendto(w->client.udp_fd, p, n, MSG_DONTWAIT, (const struct sockaddr *)&w->client.addr,
		   w->client.addr_len) < 0) {
		dns->counters.dropped++;
	}
}

static struct listener *add_listener(struct dns *dns, int fd)
{
	struct listener *l = NEW(struct listener);

	l->dns = dns;
	l->fd = fd;
	l->source.fd = -1;
	return l;
}

static int open_listener(struct dns *dns, struct listener *l, source_fn ready, struct err *err)
{
	if (fcntl(l->fd, F_SETFL, O_NONBLOCK) < 0 ||
	    source_open(&dns->sources, &l->source, l->fd, EPOLLIN, ready) < 0) {
		return err_set_errno(err, errno, "cannot serve DNS on descriptor %d", l->fd);
	}
	return 0;
}

int dns_serve(struct dns *dns, bool synced, struct err *err)
{
	int room = RECEIVE_BUFFER, r = 0;

	dns->synced = dns->synced || synced;
	for (size_t i = 0; r == 0 && !dns->serving && i < dns->udp.n; i++) {
		/* the kernel grants what net.core.rmem_max allows */
		(void)setsockopt(dns->udp.p[i]->fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
		r = open_listener(dns, dns->udp.p[i], dns_udp_ready, err);
	}
	for (size_t i = 0; r == 0 && !dns->serving && i < dns->listeners.n; i++) {
		r = open_listener(dns, dns->listeners.p[i], dns_tcp_ready, err);
	}
	dns->serving = r == 0;
	return r;
}

static int open_all(struct dns *dns, const struct dns_opts *opts, struct err *err)
{
	struct zone_opts zone = opts->zone;

	zone.ttl = zone.ttl ? zone.ttl : DEFAULT_TTL;
	zone.serial = zone.serial ? zone.serial : (uint32_t)(env_wall_ns(opts->env) / NS_PER_SEC);
	if (sources_init(&dns->sources) < 0) {
		return err_set_errno(err, errno, "cannot make an epoll descriptor");
	}
	for (size_t i = 0; i < opts->nudp; i++) {
		*vec_push(&dns->udp) = add_listener(dns, opts->udp_fds[i]);
	}
	for (size_t i = 0; i < opts->ntcp; i++) {
		*vec_push(&dns->listeners) = add_listener(dns, opts->tcp_fds[i]);
	}
	return zone_new(&zone, &dns->zone, err);
}

int dns_new(const struct dns_opts *opts, struct dns **ret, struct err *err)
{
	struct dns *dns = NEW(struct dns);

	dns->env = opts->env;
	dns->log = opts->log;
	dns->message = mem_new(DNS_MSG_MAX);
	list_init(&dns->conns);
	env_random(dns->env, &dns->rolls, sizeof(dns->rolls));
	cache_init(&dns->cache, opts->cache_bytes ? opts->cache_bytes : DEFAULT_CACHE_BYTES);
	forward_init(&dns->forward, dns->env, &dns->sources, &dns->cache, handle_answer, dns);
	dns->batch = dns_batch_new();
	int r = open_all(dns, opts, err);
	if (r < 0) {
		dns_free(dns);
		return r;
	}
	*ret = dns;
	return 0;
}

void dns_free(struct dns *dns)
{
	if (!dns) {
		return;
	}
	dns_tcp_close_all(dns);
	for (size_t i = 0; i < dns->udp.n; i++) {
		source_release(&dns->sources, &dns->udp.p[i]->source);
		mem_free(dns->udp.p[i]);
	}
	for (size_t i = 0; i < dns->listeners.n; i++) {
		source_release(&dns->sources, &dns->listeners.p[i]->source);
		mem_free(dns->listeners.p[i]);
	}
	vec_fini(&dns->udp);
	vec_fini(&dns->listeners);
	forward_fini(&dns->forward);
	cache_fini(&dns->cache);
	zone_free(dns->zone);
	sources_fini(&dns->sources);
	dns_batch_free(dns->batch);
	mem_free(dns->message);
	mem_free(dns);
}

int dns_fd(const struct dns *dns)
{
	return dns->sources.epoll;
}

void dns_process(struct dns *dns)
{
	sources_turn(&dns->sources);
}

static bool listens_on(const struct dns *dns, const struct forward_upstream *to)
{
	for (size_t i = 0; i < dns->udp.n; i++) {
		struct sockaddr_in own;
		socklen_t n = sizeof(own);
		if (getsockname(dns->udp.p[i]->fd, (struct sockaddr *)&own, &n) == 0 &&
		    own.sin_family == AF_INET && ip_is_v4(to->ip) &&
		    ntohl(own.sin_addr.s_addr) == ip_v4(to->ip) &&
		    ntohs(own.sin_port) == to->port) {
			return true;
		}
	}
	return false;
}

size_t dns_set_upstreams(struct dns *dns, const struct forward_upstream *upstreams, size_t n)
{
	char text[IP_TEXT_MAX];

	dns->forward.nupstreams = dns->forward.preferred = 0;
	for (size_t i = 0; i < n && dns->forward.nupstreams < FORWARD_UPSTREAMS_MAX; i++) {
		if (listens_on(dns, &upstreams[i])) {
			log_warning(dns->log,
				    "upstream resolver %s is this server itself: left out",
				    ip_format(upstreams[i].ip, text));
		} else {
			dns->forward.upstreams[dns->forward.nupstreams++] = upstreams[i];
		}
	}
	return dns->forward.nupstreams;
}

void dns_set_service(struct dns *dns, const struct core_service *service)
{
	zone_set_service(dns->zone, service);
}

void dns_remove_service(struct dns *dns, struct str ns, struct str name)
{
	zone_remove_service(dns->zone, ns, name);
}

void dns_set_slice(struct dns *dns, const struct discovery_endpoint_slice *slice)
{
	zone_set_slice(dns->zone, slice);
}

void dns_remove_slice(struct dns *dns, const struct discovery_endpoint_slice *slice)
{
	zone_remove_slice(dns->zone, slice);
}

void dns_count(const struct dns *dns, struct dns_counters *ret)
{
	*ret = dns->counters;
	ret->upstream_sent = dns->forward.sent;
	ret->upstream_failed = dns->forward.failed;
	ret->upstream_timeouts = dns->forward.timeouts;
	ret->cache_bytes = dns->cache.bytes;
	ret->cache_entries = dns->cache.entries.n;
	ret->connections = dns->nconns;
}
