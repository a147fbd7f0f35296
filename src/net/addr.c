/* SPDX-License-Identifier: Apache-2.0 */
#include "net/addr.h"

#include <arpa/inet.h>
#include <netdb.h>

#include "base/alloc.h"

int net_addr_make(struct str ip, uint16_t port, struct net_addr *ret, struct err *err)
{
	struct net_addr addr = {0};
	char text[INET6_ADDRSTRLEN];

	if (ip.n >= sizeof(text)) {
		return err_set(err, ERR_INVALID, "'%.*s' is not an IP address", STR_ARG(ip));
	}
	memcpy(text, ip.p ? ip.p : "", ip.n);
	text[ip.n] = '\0';
	if (inet_pton(AF_INET, text, &addr.in.sin_addr) == 1) {
		addr.in.sin_family = AF_INET;
		addr.in.sin_port = htons(port);
		addr.n = sizeof(addr.in);
	} else if (inet_pton(AF_INET6, text, &addr.in6.sin6_addr) == 1) {
		addr.in6.sin6_family = AF_INET6;
		addr.in6.sin6_port = htons(port);
		addr.n = sizeof(addr.in6);
	} else {
		return err_set(err, ERR_INVALID, "'%.*s' is not an IP address", STR_ARG(ip));
	}
	*ret = addr;
	return 0;
}

static int parse_unix(struct str path, struct net_addr *ret, struct err *err)
{
	struct net_addr addr = {0};

	if (path.n == 0 || path.n >= sizeof(addr.un.sun_path)) {
		return err_set(err, ERR_INVALID, "a unix socket path has 1 to %zu bytes: '%.*s'",
			       sizeof(addr.un.sun_path) - 1, STR_ARG(path));
	}
	addr.un.sun_family = AF_UNIX;
	memcpy(addr.un.sun_path, path.p, path.n);
	addr.n = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path.n);
	if (path.p[0] == '@') {
		addr.un.sun_path[0] = '\0';
	} else {
		addr.n++; /* its NUL */
	}
	*ret = addr;
	return 0;
}

int net_addr_parse(struct str text, struct net_addr *ret, struct err *err)
{
	ptrdiff_t colon = str_rfind_char(text, ':');
	uint64_t port;
	struct str ip;

	if (str_has_prefix(text, STR("unix:"))) {
		return parse_unix(str_from(text, 5), ret, err);
	}
	if (colon < 0 || str_to_uint64(str_from(text, (size_t)colon + 1), &port) < 0 ||
	    port > UINT16_MAX) {
		return err_set(err, ERR_INVALID, "'%.*s' is not of the form address:port",
			       STR_ARG(text));
	}
	ip = str_sub(text, 0, (size_t)colon);
	if (str_has_prefix(ip, STR("[")) && str_has_suffix(ip, STR("]"))) {
		ip = str_sub(ip, 1, ip.n - 2);
	}
	return net_addr_make(ip, (uint16_t)port, ret, err);
}

void net_addr_format_ip(const struct net_addr *addr, struct buf *out)
{
	char text[INET6_ADDRSTRLEN];
	const void *bytes = addr->sa.sa_family == AF_INET6 ? (const void *)&addr->in6.sin6_addr
							   : &addr->in.sin_addr;

	if (addr->n == 0 || (addr->sa.sa_family != AF_INET && addr->sa.sa_family != AF_INET6)) {
		return;
	}
	if (addr->sa.sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&addr->in6.sin6_addr)) {
		inet_ntop(AF_INET, (const char *)bytes + 12, text, sizeof(text));
	} else {
		inet_ntop(addr->sa.sa_family, bytes, text, sizeof(text));
	}
	buf_add_str(out, str_of(text));
}

uint16_t net_addr_port(const struct net_addr *addr)
{
	return addr->n && addr->sa.sa_family == AF_INET	   ? ntohs(addr->in.sin_port)
	       : addr->n && addr->sa.sa_family == AF_INET6 ? ntohs(addr->in6.sin6_port)
							   : 0;
}

void net_addr_format(const struct net_addr *addr, struct buf *out)
{
	size_t n = addr->n > offsetof(struct sockaddr_un, sun_path)
			   ? addr->n - offsetof(struct sockaddr_un, sun_path)
			   : 0;

	if (addr->n && addr->sa.sa_family == AF_UNIX) {
		buf_puts(out, "unix:");
		if (n && addr->un.sun_path[0] == '\0') {
			buf_add_char(out, '@');
			buf_add(out, addr->un.sun_path + 1, n - 1);
		} else {
			buf_add(out, addr->un.sun_path, strnlen(addr->un.sun_path, n));
		}
		return;
	}
	if (addr->n && addr->sa.sa_family == AF_INET6 &&
	    !IN6_IS_ADDR_V4MAPPED(&addr->in6.sin6_addr)) {
		buf_add_char(out, '[');
		net_addr_format_ip(addr, out);
		buf_add_char(out, ']');
	} else {
		net_addr_format_ip(addr, out);
	}
	if (addr->n) {
		buf_printf(out, ":%u", net_addr_port(addr));
	}
}

static void resolve_run(struct env_work *work)
{
	struct net_resolve *r = CONTAINER_OF(work, struct net_resolve, work);
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
	struct addrinfo *list = NULL;
	int rc = getaddrinfo(r->host, NULL, &hints, &list);

	r->why = rc ? gai_strerror(rc) : "no usable address";
	for (struct addrinfo *ai = list; ai && r->n_addrs < ARRAY_LEN(r->addrs); ai = ai->ai_next) {
		struct net_addr *addr = &r->addrs[r->n_addrs];

		if (ai->ai_addrlen > sizeof(addr->in6) ||
		    (ai->ai_family != AF_INET && ai->ai_family != AF_INET6)) {
			continue;
		}
		memcpy(&addr->sa, ai->ai_addr, ai->ai_addrlen);
		addr->n = ai->ai_addrlen;
		if (ai->ai_family == AF_INET) {
			addr->in.sin_port = htons(r->port);
		} else {
			addr->in6.sin6_port = htons(r->port);
		}
		r->n_addrs++;
	}
	if (list) {
		freeaddrinfo(list);
	}
}

static void resolve_done(struct env_work *work)
{
	struct net_resolve *r = CONTAINER_OF(work, struct net_resolve, work);

	r->done(r);
}

int net_resolve_start(struct net_resolve *r, struct env *env, struct str host, uint16_t port,
		      void (*done)(struct net_resolve *r), struct err *err)
{
	if (host.n == 0 || host.n >= sizeof(r->host) || str_find_char(host, '\0') >= 0) {
		return err_set(err, ERR_INVALID, "'%.*s' is not a usable host name", STR_ARG(host));
	}
	*r = (struct net_resolve){.port = port, .done = done};
	memcpy(r->host, host.p, host.n);
	r->work.run = resolve_run;
	r->work.done = resolve_done;
	env_work(env, &r->work);
	return 0;
}
