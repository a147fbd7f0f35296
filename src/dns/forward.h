/* SPDX-License-Identifier: Apache-2.0 */
/* dns/forward.h: questions to upstream resolvers: a fresh socket (so a fresh random port) and a random id for each attempt, three attempts of two
 * seconds over the upstreams in turn, TCP when an answer is truncated. Clients that ask the same at once share one question; that also
 * ends every forwarding loop: what comes back to us waits for itself and times out. Loop thread. */
#pragma once
#include <netinet/in.h>

#include "base/ip.h"
#include "base/vec.h"
#include "dns/cache.h"
#include "dns/source.h"
#include "env/env.h"

enum {
	FORWARD_ATTEMPTS = 3,
	FORWARD_TIMEOUT_MS = 2000,
	FORWARD_PENDING_MAX = 1000, /* questions under way */
	FORWARD_WAITERS_MAX = 100,  /* clients of one */
	FORWARD_UPSTREAMS_MAX = 8,
};

/* Whom to answer. */
struct forward_client {
	int udp_fd; /* -1: a connection */
	socklen_t addr_len;
	struct sockaddr_in6 addr; /* room for either family */
	uint64_t conn;
};

struct forward_waiter {
	struct forward_client client;
	struct dns_query query;
};

struct forward_upstream {
	struct ip_addr ip;
	uint16_t port;
};

/* answer NULL: nobody could tell. name: what was asked for, which is not the waiter's own name after a CNAME. Borrowed. */
typedef void (*forward_done_fn)(void *ctx, const struct forward_waiter *waiter,
				const struct dns_name *name, const struct cache_answer *answer);

struct forward {
	struct env *env;
	struct sources *sources;
	struct cache *cache; /* gets what comes back */
	forward_done_fn done;
	void *ctx;
	struct forward_upstream upstreams[FORWARD_UPSTREAMS_MAX];
	size_t nupstreams, preferred;
	struct map pending;
	uint64_t sent, failed, timeouts;
};

void forward_init(struct forward *f, struct env *env, struct sources *sources, struct cache *cache,
		  forward_done_fn done, void *ctx);
/* Waiters are not told. */
void forward_fini(struct forward *f);
/* 0: done comes later; ERR_LIMIT, ERR_NOT_FOUND (no upstream): it does not. Copies the waiter. */
MUST_USE int forward_ask(struct forward *f, const struct dns_name *name, uint16_t type,
			 const struct forward_waiter *waiter);
