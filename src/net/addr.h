/* SPDX-License-Identifier: Apache-2.0 */
/* net/addr.h: socket addresses: IPv4, IPv6, unix paths (and abstract names, "unix:@name"). A plain value. */
#pragma once
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "env/env.h"

struct net_addr {
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_un un;
	};
	socklen_t n; /* 0: unset */
};

/* "10.0.0.1:6443", "[::1]:6443", "unix:/run/x.sock", "unix:@abstract". Names are not resolved. */
MUST_USE int net_addr_parse(struct str text, struct net_addr *ret, struct err *err);
/* Address and port apart. */
MUST_USE int net_addr_make(struct str ip, uint16_t port, struct net_addr *ret, struct err *err);
/* Appends in the form that net_addr_parse reads. */
void net_addr_format(const struct net_addr *addr, struct buf *out);
/* Appends the address without port; nothing for unix. */
void net_addr_format_ip(const struct net_addr *addr, struct buf *out);
/* 0 for unix. */
uint16_t net_addr_port(const struct net_addr *addr);

/* Looks a host name up on another thread. Embed or allocate it; it must live until `done`, which runs on the loop. */
struct net_resolve {
	char host[256];
	uint16_t port;
	void (*done)(struct net_resolve *r);
	struct net_addr addrs[8]; /* in the order to try */
	size_t n_addrs;		  /* 0: failed */
	const char *why;	  /* then the reason; constant text */
	struct env_work work;
};

/* ERR_INVALID for an unusable name; `done` is not called then. A numeric address also goes through here. */
MUST_USE int net_resolve_start(struct net_resolve *r, struct env *env, struct str host,
			       uint16_t port, void (*done)(struct net_resolve *r), struct err *err);
