/* SPDX-License-Identifier: Apache-2.0 */
/* dns/dns_internal.h: what the server's files share: dns.c (questions to answers), udp.c and tcp.c (sockets). */
#pragma once
#include "base/vec.h"
#include "dns/dns.h"

/* One of the sockets that were handed in. */
struct listener {
	struct source source;
	struct dns *dns;
	int fd;
};

struct dns_batch;

struct dns {
	struct env *env;
	const struct log *log;
	struct zone *zone;
	bool serving, synced;
	struct cache cache;
	struct forward forward;
	struct sources sources;
	VEC(struct listener *) udp;
	VEC(struct listener *) listeners;
	struct list conns; /* oldest first */
	size_t nconns;
	uint64_t next_conn;
	uint64_t rolls;
	uint8_t *message; /* DNS_MSG_MAX bytes */
	struct dns_batch *batch;
	struct dns_counters counters;
};

/* The answer to a message, in p; 0: none, or later. */
size_t dns_respond(struct dns *dns, const uint8_t *bytes, size_t n,
		   const struct forward_client *client, uint8_t *p, size_t cap);

/* udp.c */
struct dns_batch *dns_batch_new(void);
void dns_batch_free(struct dns_batch *batch);
void dns_udp_ready(struct source *source, uint32_t events);

/* tcp.c */
void dns_tcp_ready(struct source *source, uint32_t events);
/* If the connection still stands. */
void dns_tcp_send(struct dns *dns, uint64_t conn, const uint8_t *p, size_t n);
void dns_tcp_close_all(struct dns *dns);
