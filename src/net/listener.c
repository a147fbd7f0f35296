/* SPDX-License-Identifier: Apache-2.0 */
#include "net/listener.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "net/net_internal.h"

enum {
	ACCEPTS_PER_TURN = 64,
	BACKLOG = 1024,
	RETRY_MS = 100, /* after running out of descriptors */
	KEEPALIVE_IDLE_S = 30,
	KEEPALIVE_INTERVAL_S = 15,
	KEEPALIVE_PROBES = 4,
};

struct net_listener {
	uv_poll_t poll;
	struct net *net;
	struct list link; /* net->listeners */
	int fd;
	bool paused;
	bool freed;
	struct env_timer retry;
	struct net_addr addr;
	net_accept_fn on_accept;
	void *ctx;
};

void net_set_tcp_options(int fd)
{
	const int one = 1;
	const int idle = KEEPALIVE_IDLE_S;
	const int interval = KEEPALIVE_INTERVAL_S;
	const int probes = KEEPALIVE_PROBES;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
}

static void handle_readable(uv_poll_t *poll, int status, int events);

static void update_poll(struct net_listener *l)
{
	if (l->paused || l->retry.at_mono_ns) {
		uv_poll_stop(&l->poll);
	} else {
		uv_poll_start(&l->poll, UV_READABLE, handle_readable);
	}
}

static void handle_retry(struct env_timer *timer)
{
	update_poll(CONTAINER_OF(timer, struct net_listener, retry));
}

static void handle_readable(uv_poll_t *poll, int status UNUSED, int events UNUSED)
{
	struct net_listener *l = poll->data;

	for (int i = 0; i < ACCEPTS_PER_TURN && !l->paused && !l->freed; i++) {
		struct net_addr remote = {.n = sizeof(remote.un)};
		int fd = accept4(l->fd, &remote.sa, &remote.n, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			if (remote.sa.sa_family != AF_UNIX) {
				net_set_tcp_options(fd);
			}
			l->on_accept(l->ctx, fd, &remote);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			/* The connection stays in the queue and the socket readable: wait, or the loop would spin. */
			env_timer_start_in(l->net->env, &l->retry, RETRY_MS * NS_PER_MS);
			update_poll(l);
			return;
		}
		if (errno == EAGAIN) {
			return;
		}
		/* ECONNABORTED, EINTR and network errors of that one connection. */
	}
}

int net_listener_from_fd(struct net *net, int fd, net_accept_fn on_accept, void *ctx,
			 struct net_listener **ret, struct err *err)
{
	int owned CLEANUP_FD = fd;
	struct net_addr addr = {.n = sizeof(addr.un)};
	struct net_listener *l;
	int listens = 0;
	socklen_t n = sizeof(listens);

	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &n) < 0 || !listens) {
		return err_set(err, ERR_INVALID, "descriptor %d is not a listening socket", fd);
	}
	if (getsockname(fd, &addr.sa, &addr.n) < 0) {
		return err_set_errno(err, errno,
				     "cannot find out the address of listening socket %d", fd);
	}
	l = NEW(struct net_listener);
	*l = (struct net_listener){
		.net = net, .fd = fd, .addr = addr, .on_accept = on_accept, .ctx = ctx};
	l->retry.fn = handle_retry;
	/* Sets O_NONBLOCK. */
	if (uv_poll_init(net->loop, &l->poll, fd) < 0) {
		mem_free(l);
		return err_set(err, ERR_SYSTEM, "cannot watch listening socket %d", fd);
	}
	(void)STEAL_FD(owned);
	l->poll.data = l;
	net->n_handles++;
	list_add_tail(&net->listeners, &l->link);
	update_poll(l);
	*ret = l;
	return 0;
}

/* A socket file that outlived its server refuses connections. */
static void remove_dead_socket(const struct net_addr *addr)
{
	int fd CLEANUP_FD = -1;

	if (addr->sa.sa_family != AF_UNIX || addr->un.sun_path[0] == '\0') {
		return;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, &addr->sa, addr->n) < 0 && errno == ECONNREFUSED) {
		unlink(addr->un.sun_path);
	}
}

int net_listener_open(struct net *net, const struct net_addr *addr, net_accept_fn on_accept,
		      void *ctx, struct net_listener **ret, struct err *err)
{
	struct buf text CLEANUP_BUF = {0};
	const int one = 1;
	int fd CLEANUP_FD =
		socket(addr->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	net_addr_format(addr, &text);
	if (fd < 0) {
		return err_set_errno(err, errno, "cannot listen on %s", buf_cstr(&text));
	}
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	remove_dead_socket(addr);
	if (bind(fd, &addr->sa, addr->n) < 0 || listen(fd, BACKLOG) < 0) {
		int e = errno;

		return err_set_errno(err, e, "cannot listen on %s%s", buf_cstr(&text),
				     e == EADDRINUSE ? " (another program listens there)" : "");
	}
	return net_listener_from_fd(net, STEAL_FD(fd), on_accept, ctx, ret, err);
}

void net_listener_pause(struct net_listener *l)
{
	l->paused = true;
	update_poll(l);
}

void net_listener_resume(struct net_listener *l)
{
	if (l->paused) {
		l->paused = false;
		update_poll(l);
	}
}

const struct net_addr *net_listener_addr(const struct net_listener *l)
{
	return &l->addr;
}

static void handle_closed(uv_handle_t *handle)
{
	struct net_listener *l = handle->data;

	l->net->n_handles--;
	mem_free(l);
}

void net_listener_free(struct net_listener *l)
{
	if (!l) {
		return;
	}
	l->freed = true;
	env_timer_stop(l->net->env, &l->retry);
	list_remove(&l->link);
	uv_poll_stop(&l->poll);
	close(l->fd);
	uv_close((uv_handle_t *)&l->poll, handle_closed);
}
