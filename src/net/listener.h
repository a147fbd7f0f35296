/* SPDX-License-Identifier: Apache-2.0 */
/* net/listener.h: a listening socket. Usually the supervisor made it and handed it down (invariant I2): then clients that come while
 * this process restarts wait in the queue instead of being refused. */
#pragma once
#include "net/addr.h"
#include "net/net.h"

struct net_listener;

/* fd is the new connection's, non-blocking, without Nagle's delay and with keep-alive probes; the callee owns it. */
typedef void (*net_accept_fn)(void *ctx, int fd, const struct net_addr *remote);

/* Takes the descriptor over, also on failure: ERR_INVALID if it does not listen. */
MUST_USE int net_listener_from_fd(struct net *net, int fd, net_accept_fn on_accept, void *ctx,
				  struct net_listener **ret, struct err *err);
/* Binds and listens itself. Port 0 takes a free one; a unix path that exists is replaced if it is a socket nobody listens on. */
MUST_USE int net_listener_open(struct net *net, const struct net_addr *addr,
			       net_accept_fn on_accept, void *ctx, struct net_listener **ret,
			       struct err *err);
/* Stop and go on accepting; connections wait meanwhile. */
void net_listener_pause(struct net_listener *l);
void net_listener_resume(struct net_listener *l);
const struct net_addr *net_listener_addr(const struct net_listener *l);
/* Closes the descriptor (copies elsewhere go on listening). NULL is fine. */
void net_listener_free(struct net_listener *l);
