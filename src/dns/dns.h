/* SPDX-License-Identifier: Apache-2.0 */
/* dns/dns.h: the cluster's DNS server: answers for the cluster's own names (zone.h), asks upstream resolvers for the rest and remembers (forward.h,
 * cache.h). Serves on sockets that it is given, so a restart loses no question: they wait in the sockets' queues. Owns one epoll descriptor; the loop
 * watches it and calls dns_process:
 *
 *     uv_poll_init(loop_uv(loop), &poll, dns_fd(dns));  uv_poll_start(&poll, UV_READABLE, on_readable);  on_readable: dns_process(dns)
 *
 * Everything runs on the env's loop thread. Needs no privilege. */
#pragma once
#include "base/log.h"
#include "dns/forward.h"
#include "dns/zone.h"
#include "env/env.h"

struct dns;

struct dns_opts {
	struct env *env;
	struct zone_opts zone; /* ttl 0: 5; serial 0: the time */
	/* Bound UDP sockets and listening TCP sockets, borrowed, made non-blocking. Bound to one address each (10.96.0.10:53): from a socket on all
	 * addresses an answer could leave with another source than was asked. */
	const int *udp_fds, *tcp_fds;
	size_t nudp, ntcp;
	size_t cache_bytes; /* 0: 4 MB */
	const struct log *log;
};

enum { DNS_RCODES = 6 };

struct dns_counters {
	uint64_t queries_udp, queries_tcp, own, cached, forwarded, malformed, dropped;
	uint64_t rcodes[DNS_RCODES]; /* by enum dns_rcode; others count nowhere */
	uint64_t upstream_sent, upstream_failed, upstream_timeouts;
	size_t cache_bytes, cache_entries, connections;
};

/* Does not touch the sockets yet: questions wait in them until dns_serve. */
MUST_USE int dns_new(const struct dns_opts *opts, struct dns **ret, struct err *err);
/* Begins to answer. synced: what the API knows has been told, so that absence means absence. Called without it (the API has been silent for some
 * seconds), foreign names are served and own ones get SERVFAIL; then again with it. */
MUST_USE int dns_serve(struct dns *dns, bool synced, struct err *err);
void dns_free(struct dns *dns);
/* Readable when there is work. */
int dns_fd(const struct dns *dns);
/* Does what is ready, at most some hundred questions; the descriptor stays readable while there is more. */
void dns_process(struct dns *dns);

/* Resolvers for foreign names, in order of preference, usually of the host's resolv.conf; may change at any time. Addresses that this server itself
 * listens on are left out, with a line in the log. Returns how many are used; with none, foreign names get SERVFAIL. */
size_t dns_set_upstreams(struct dns *dns, const struct forward_upstream *upstreams, size_t n);

/* As zone.h says. */
void dns_set_service(struct dns *dns, const struct core_service *service);
void dns_remove_service(struct dns *dns, struct str ns, struct str name);
void dns_set_slice(struct dns *dns, const struct discovery_endpoint_slice *slice);
void dns_remove_slice(struct dns *dns, const struct discovery_endpoint_slice *slice);

void dns_count(const struct dns *dns, struct dns_counters *ret);
