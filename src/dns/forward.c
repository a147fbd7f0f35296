/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/forward.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/err.h"

struct question {
	struct forward *forward;
	struct dns_name name;
	uint16_t type, id;
	unsigned attempt;
	size_t upstream;
	bool tcp;
	struct source source;
	struct env_timer timer;
	struct buf out, in; /* of a TCP attempt */
	VEC(struct forward_waiter) waiters;
	uint8_t key[2 + DNS_NAME_MAX];
	size_t key_len;
};

static void next_attempt(struct question *q);
static bool start(struct question *q);

void forward_init(struct forward *f, struct env *env, struct sources *sources, struct cache *cache,
		  forward_done_fn done, void *ctx)
{
	*f = (struct forward){
		.env = env, .sources = sources, .cache = cache, .done = done, .ctx = ctx};
	map_init(&f->pending, MAP_BORROW_KEYS);
}

static void question_free(struct question *q)
{
	source_close(q->forward->sources, &q->source);
	env_timer_stop(q->forward->env, &q->timer);
	buf_fini(&q->out);
	buf_fini(&q->in);
	vec_fini(&q->waiters);
	mem_free(q);
}

void forward_fini(struct forward *f)
{
	struct str key;
	void *value;

	for (size_t i = 0; map_next(&f->pending, &i, &key, &value);) {
		map_remove(&f->pending, key);
		question_free(value);
	}
	map_fini(&f->pending);
}

/* The waiters are told after the question is gone: what they ask next finds the cache. */
static void finish(struct question *q, const struct cache_answer *answer)
{
	struct forward *f = q->forward;

	map_remove(&f->pending, str_make(q->key, q->key_len));
	source_close(f->sources, &q->source);
	env_timer_stop(f->env, &q->timer);
	if (answer) {
		f->preferred = q->upstream;
		cache_put(f->cache, &q->name, q->type, answer, env_mono_ns(f->env));
	} else {
		f->failed++;
	}
	for (size_t i = 0; i < q->waiters.n; i++) {
		f->done(f->ctx, &q->waiters.p[i], &q->name, answer);
	}
	question_free(q);
}

static socklen_t make_addr(const struct forward_upstream *to, struct sockaddr_in6 *ret)
{
	*ret = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(to->port)};
	if (ip_is_v4(to->ip)) {
		struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(to->port)};
		v4.sin_addr.s_addr = htonl(ip_v4(to->ip));
		memcpy(ret, &v4, sizeof(v4));
		return sizeof(v4);
	}
	memcpy(&ret->sin6_addr, to->ip.b, 16);
	return sizeof(*ret);
}

/* A socket that hears this upstream only, from a port that the kernel picks at random. */
static int open_socket(const struct question *q, int type)
{
	struct sockaddr_in6 addr;
	socklen_t n = make_addr(&q->forward->upstreams[q->upstream], &addr);
	int fd CLEANUP_FD = socket(addr.sin6_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || (connect(fd, (struct sockaddr *)&addr, n) < 0 && errno != EINPROGRESS)) {
		return -1;
	}
	return STEAL_FD(fd);
}

static void handle_timeout(struct env_timer *timer)
{
	struct question *q = CONTAINER_OF(timer, struct question, timer);

	q->forward->timeouts++;
	next_attempt(q);
}

/* What an upstream has said, in full. Returns false if it is not an answer to this question: wait on. */
static bool take_message(struct question *q, const uint8_t *p, size_t n)
{
	struct cache_answer answer = {0};
	struct dns_answer parsed;

	if (dns_answer_parse(p, n, &q->name, q->type, &parsed) < 0 || parsed.id != q->id) {
		return false;
	}
	bool cut = parsed.flags & DNS_TC;
	if (cut && !q->tcp) {
		q->tcp = true; /* the same upstream once more */
		if (!start(q)) {
			next_attempt(q);
		}
		return true;
	}
	bool useless = parsed.rcode != DNS_NOERROR && parsed.rcode != DNS_NXDOMAIN;
	if (cut || (useless && q->attempt < FORWARD_ATTEMPTS && q->forward->nupstreams > 1) ||
	    cache_answer_read(p, n, &parsed, &answer) < 0) {
		next_attempt(q);
	} else {
		finish(q, &answer);
	}
	buf_fini(&answer.records);
	return true;
}

static void handle_udp(struct source *source, uint32_t events UNUSED)
{
	struct question *q = CONTAINER_OF(source, struct question, source);
	uint8_t message[4096];

	for (;;) {
		ssize_t n = recv(source->fd, message, sizeof(message), 0);
		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n < 0) {
			if (errno != EAGAIN) {
				next_attempt(q); /* nobody listens there */
			}
			return;
		}
		if (take_message(q, message, (size_t)n)) {
			return;
		}
	}
}

static bool read_tcp(struct question *q)
{
	for (;;) {
		ssize_t n = recv(q->source.fd, buf_reserve(&q->in, 4096), 4096, 0);
		if (n < 0) {
			return errno == EAGAIN || errno == EINTR;
		}
		if (n == 0) {
			return false;
		}
		q->in.n += (size_t)n;
		const uint8_t *p = (const uint8_t *)q->in.p;
		if (q->in.n >= 2 && q->in.n >= 2U + (unsigned)(p[0] << 8 | p[1])) {
			return true;
		}
	}
}

static void handle_tcp(struct source *source, uint32_t events)
{
	struct question *q = CONTAINER_OF(source, struct question, source);

	if (q->out.n > 0 && (events & EPOLLOUT)) {
		ssize_t n = send(source->fd, q->out.p, q->out.n, MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN && errno != EINTR) {
			next_attempt(q);
			return;
		}
		buf_consume(&q->out, n < 0 ? 0 : (size_t)n);
		if (q->out.n == 0) {
			source_want(q->forward->sources, source, EPOLLIN);
		}
		return;
	}
	bool open = read_tcp(q);
	const uint8_t *p = (const uint8_t *)q->in.p;
	size_t want = q->in.n >= 2 ? 2U + (unsigned)(p[0] << 8 | p[1]) : SIZE_MAX;
	if (q->in.n >= want) {
		/* the buffer goes with the question, so the message moves out of it first */
		struct buf message = q->in;
		q->in = (struct buf){0};
		if (!take_message(q, (const uint8_t *)message.p + 2, want - 2)) {
			next_attempt(q);
		}
		buf_fini(&message);
	} else if (!open) {
		next_attempt(q);
	}
}

static bool start_udp(struct question *q)
{
	uint8_t message[DNS_UDP_PLAIN];
	size_t n = dns_ask(&q->name, q->type, q->id, message);
	int fd CLEANUP_FD = open_socket(q, SOCK_DGRAM);

	if (fd < 0 || send(fd, message, n, 0) != (ssize_t)n ||
	    source_open(q->forward->sources, &q->source, fd, EPOLLIN, handle_udp) < 0) {
		return false;
	}
	STEAL_FD(fd);
	return true;
}

static bool start_tcp(struct question *q)
{
	uint8_t message[DNS_UDP_PLAIN];
	size_t n = dns_ask(&q->name, q->type, q->id, message);
	int fd CLEANUP_FD = open_socket(q, SOCK_STREAM);

	buf_clear(&q->in);
	buf_clear(&q->out);
	buf_add_char(&q->out, (char)(n >> 8));
	buf_add_char(&q->out, (char)n);
	buf_add(&q->out, message, n);
	if (fd < 0 || source_open(q->forward->sources, &q->source, fd, EPOLLOUT, handle_tcp) < 0) {
		return false;
	}
	STEAL_FD(fd);
	return true;
}

/* Asks the upstream at hand, by UDP or TCP. */
static bool start(struct question *q)
{
	struct forward *f = q->forward;

	source_close(f->sources, &q->source);
	env_random(f->env, &q->id, sizeof(q->id));
	f->sent++;
	env_timer_start_in(f->env, &q->timer, FORWARD_TIMEOUT_MS * NS_PER_MS);
	return q->tcp ? start_tcp(q) : start_udp(q);
}

/* One more try, with the upstream after the last one; the question may be gone when it returns. */
static void next_attempt(struct question *q)
{
	struct forward *f = q->forward;

	do {
		if (q->attempt >= FORWARD_ATTEMPTS || f->nupstreams == 0) {
			finish(q, NULL);
			return;
		}
		q->tcp = false;
		q->upstream = (f->preferred + q->attempt++) % f->nupstreams;
	} while (!start(q));
}

int forward_ask(struct forward *f, const struct dns_name *name, uint16_t type,
		const struct forward_waiter *waiter)
{
	uint8_t key[2 + DNS_NAME_MAX];
	size_t key_len = 2U + name->n;

	memcpy(key, &type, 2);
	memcpy(key + 2, name->b, name->n);
	struct question *q = map_find(&f->pending, str_make(key, key_len));
	if (q) {
		if (q->waiters.n >= FORWARD_WAITERS_MAX) {
			return ERR_LIMIT;
		}
		*vec_push(&q->waiters) = *waiter;
		return 0;
	}
	if (f->nupstreams == 0) {
		return ERR_NOT_FOUND;
	}
	if (f->pending.n >= FORWARD_PENDING_MAX) {
		return ERR_LIMIT;
	}
	q = NEW(struct question);
	q->forward = f;
	q->name = *name;
	q->type = type;
	q->source.fd = -1;
	q->timer.fn = handle_timeout;
	q->key_len = key_len;
	memcpy(q->key, key, key_len);
	*vec_push(&q->waiters) = *waiter;
	map_put(&f->pending, str_make(q->key, q->key_len), q);
	next_attempt(q);
	return 0;
}
