/* SPDX-License-Identifier: Apache-2.0 */
/* DNS over TCP (RFC 7766): several questions on one connection, answers in any order; silent ones are closed after ten seconds, and when there are
 * too many the oldest goes. */
#include <errno.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "dns/dns_internal.h"

enum { CONNS_MAX = 256, IDLE_S = 10, OUT_MAX = 256 * 1024, ACCEPTS = 32 };

struct conn {
	struct source source;
	struct list link;
	struct dns *dns;
	struct env_timer idle;
	uint64_t id;
	struct buf in, out;
};

static void conn_close(struct conn *c)
{
	struct dns *dns = c->dns;

	source_close(&dns->sources, &c->source);
	env_timer_stop(dns->env, &c->idle);
	list_remove(&c->link);
	dns->nconns--;
	buf_fini(&c->in);
	buf_fini(&c->out);
	mem_free(c);
}

static void handle_idle(struct env_timer *timer)
{
	conn_close(CONTAINER_OF(timer, struct conn, idle));
}

void dns_tcp_close_all(struct dns *dns)
{
	while (!list_is_empty(&dns->conns)) {
		conn_close(CONTAINER_OF(dns->conns.next, struct conn, link));
	}
}

/* False: the connection is broken. While answers wait, no more questions are read. */
static bool flush(struct conn *c)
{
	while (c->out.n > 0) {
		ssize_t n = send(c->source.fd, c->out.p, c->out.n, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n < 0) {
			source_want(&c->dns->sources, &c->source, EPOLLOUT);
			return errno == EAGAIN;
		}
		buf_consume(&c->out, (size_t)n);
	}
	source_want(&c->dns->sources, &c->source, EPOLLIN);
	return true;
}

static void put(struct conn *c, const uint8_t *p, size_t n)
{
	buf_add_char(&c->out, (char)(n >> 8));
	buf_add_char(&c->out, (char)n);
	buf_add(&c->out, p, n);
}

/* Answers the complete questions in the buffer. False: too long a question. */
static bool take_questions(struct conn *c)
{
	struct forward_client client = {.udp_fd = -1, .conn = c->id};
	size_t at = 0;

	while (c->in.n - at >= 2 && c->out.n < OUT_MAX) {
		const uint8_t *p = (const uint8_t *)c->in.p + at;
		size_t len = (size_t)p[0] << 8 | p[1];
		if (len > DNS_QUERY_MAX) {
			return false;
		}
		if (c->in.n - at < 2 + len) {
			break;
		}
		at += 2 + len;
		c->dns->counters.queries_tcp++;
		size_t n = dns_respond(c->dns, p + 2, len, &client, c->dns->message, DNS_MSG_MAX);
		if (n > 0) {
			put(c, c->dns->message, n);
		}
	}
	buf_consume(&c->in, at);
	return true;
}

static void handle_conn(struct source *source, uint32_t events)
{
	struct conn *c = CONTAINER_OF(source, struct conn, source);
	bool open = true;

	env_timer_start_in(c->dns->env, &c->idle, IDLE_S * NS_PER_SEC);
	if (events & EPOLLOUT) {
		open = flush(c);
	} else {
		ssize_t n = recv(source->fd, buf_reserve(&c->in, DNS_QUERY_MAX), DNS_QUERY_MAX,
				 MSG_DONTWAIT);
		if (n > 0) {
			c->in.n += (size_t)n;
		}
		open = n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
	}
	if (!open || !take_questions(c) || !flush(c)) {
		conn_close(c);
	}
}

void dns_tcp_send(struct dns *dns, uint64_t id, const uint8_t *p, size_t n)
{
	LIST_FOR_EACH(l, &dns->conns)
	{
		struct conn *c = CONTAINER_OF(l, struct conn, link);
		if (c->id == id) {
			put(c, p, n);
			/* sent from the loop, so that a broken connection is closed in one place */
			source_want(&dns->sources, &c->source, EPOLLOUT);
			return;
		}
	}
}

void dns_tcp_ready(struct source *source, uint32_t events UNUSED)
{
	struct dns *dns = CONTAINER_OF(source, struct listener, source)->dns;
	int on = 1;

	for (int i = 0; i < ACCEPTS; i++) {
		int fd = accept4(source->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd < 0) {
			return;
		}
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		if (dns->nconns >= CONNS_MAX) {
			conn_close(CONTAINER_OF(dns->conns.next, struct conn, link));
		}
		struct conn *c = NEW(struct conn);
		c->dns = dns;
		c->id = ++dns->next_conn;
		c->idle.fn = handle_idle;
		list_add_tail(&dns->conns, &c->link);
		dns->nconns++;
		if (source_open(&dns->sources, &c->source, fd, EPOLLIN, handle_conn) < 0) {
			close(fd);
			conn_close(c);
			continue;
		}
		env_timer_start_in(dns->env, &c->idle, IDLE_S * NS_PER_SEC);
	}
}
