/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "loop/loop.h"
#include "net/addr.h"
#include "net/deadline.h"
#include "net/listener.h"
#include "net/slice.h"
#include "net/stream.h"

#include <uv.h>

static const char *const good_addrs[] = {"10.0.0.1:6443", "[::1]:0", "[fe80::1]:65535",
					 "unix:/run/x.sock", "unix:@name"};
static const char *const bad_addrs[] = {
	"",	   ":",		  "1.2.3.4", "1.2.3.4:", "1.2.3.4:65536", "1.2.3.4:-1",
	"host:80", "256.1.1.1:1", "[::1:80", "unix:",	 "1.2.3.4:8 "};

TEST(addresses_read_and_print_the_same)
{
	for (size_t i = 0; i < ARRAY_LEN(good_addrs); i++) {
		struct buf b CLEANUP_BUF = {0};
		struct net_addr addr;

		assert_int_equal(net_addr_parse(str_of(good_addrs[i]), &addr, NULL), 0);
		net_addr_format(&addr, &b);
		EXPECT_STR(buf_str(&b), good_addrs[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad_addrs); i++) {
		struct net_addr addr;

		assert_int_equal(net_addr_parse(str_of(bad_addrs[i]), &addr, NULL), ERR_INVALID);
	}
}

static int released;

static void release(void *owner)
{
	released += (int)(intptr_t)owner;
}

TEST(slices_are_released_with_their_last_byte)
{
	struct slice_pool pool = {0};
	struct slice_queue q;
	struct slice_queue other;
	char room[100];
	const struct slice two[] = {{"abc", 3, release, (void *)1}, {"", 0, release, (void *)10}};
	const struct slice more = {"xyz", 3, release, (void *)100};

	released = 0;
	slice_queue_init(&q, &pool);
	slice_queue_init(&other, &pool);
	slice_queue_add(&q, two, 2);
	assert_int_equal(released, 10);
	slice_queue_add_copy(&q, "12", 2);
	slice_queue_add_copy(&q, "34", 2);
	slice_queue_add(&q, &more, 1);
	assert_int_equal(q.bytes, 10);
	assert_int_equal(slice_queue_take(&q, room, 2), 2);
	assert_int_equal(released, 10);
	assert_int_equal(slice_queue_take(&q, room + 2, 3), 3);
	assert_int_equal(released, 11);
	slice_queue_move(&other, &q);
	assert_int_equal(q.bytes, 0);
	assert_int_equal(slice_queue_take(&other, room + 5, 90), 5);
	assert_memory_equal(room, "abc1234xyz", 10);
	assert_int_equal(released, 111);
	slice_queue_add(&q, &more, 1);
	slice_queue_clear(&q);
	assert_int_equal(released, 211);
	slice_queue_clear(&other);
	slice_pool_fini(&pool);
}

TEST(large_copies_span_chunks)
{
	struct slice_pool pool = {0};
	struct slice_queue q;
	char *in = mem_new(50000);
	char *out = mem_new(50000);

	for (int i = 0; i < 50000; i++) {
		in[i] = (char)(i * 7);
	}
	slice_queue_init(&q, &pool);
	for (int i = 0; i < 50000; i += 5000) {
		slice_queue_add_copy(&q, in + i, 5000);
	}
	for (size_t at = 0; at < 50000;) {
		at += slice_queue_take(&q, out + at, 777);
	}
	assert_memory_equal(in, out, 50000);
	slice_queue_clear(&q);
	slice_pool_fini(&pool);
	mem_free(in);
	mem_free(out);
}

struct rig {
	struct loop *loop;
	struct net *net;
	struct buf log;
};

static void begin(struct rig *rig)
{
	*rig = (struct rig){.loop = loop_new()};
	rig->net = net_new(loop_env(rig->loop), loop_uv(rig->loop));
}

static void end(struct rig *rig)
{
	net_free(rig->net);
	loop_free(rig->loop);
	buf_fini(&rig->log);
}

struct named {
	struct deadline d;
	char name;
};

static void expire(struct deadline_queue *q, struct deadline *d)
{
	struct rig *rig = q->ctx;
	struct named *n = CONTAINER_OF(d, struct named, d);

	buf_add_char(&rig->log, n->name);
	if (n->name == 'a') {
		n->name = 'A';
		deadline_set(q, d);
	}
}

TEST(deadlines_expire_in_the_order_they_were_set)
{
	struct rig rig;
	struct deadline_queue q;
	struct deadline_queue never;
	struct named a = {.name = 'a'}, b = {.name = 'b'}, c = {.name = 'c'}, y = {.name = 'y'};

	begin(&rig);
	deadline_queue_init(&q, loop_env(rig.loop), 5, expire, &rig);
	deadline_queue_init(&never, loop_env(rig.loop), 0, expire, &rig);
	deadline_set(&never, &c.d);
	deadline_set(&q, &b.d);
	deadline_set(&q, &a.d);
	deadline_set(&q, &b.d); /* again: behind a */
	deadline_set(&q, &c.d);
	deadline_clear(&c.d);
	deadline_set(&q, &y.d);
	while (rig.log.n < 4) {
		uv_run(loop_uv(rig.loop), UV_RUN_ONCE);
	}
	EXPECT_STR(buf_str(&rig.log), "abyA");
	deadline_queue_fini(&q);
	deadline_queue_fini(&never);
	end(&rig);
}

/* --- streams: every byte of a large transfer arrives, whatever stalls --- */

struct peer {
	struct net_stream *s;
	struct rig *rig;
	uint64_t received, drains;
	size_t take; /* at most this much per call, then stall; 0: all */
	bool eof, closed;
};

static size_t peer_on_data(struct net_stream *s, const char *p, size_t n)
{
	struct peer *peer = net_stream_ctx(s);
	size_t taken = peer->take ? MIN(n, peer->take) : n;

	for (size_t i = 0; i < taken; i++) {
		assert_int_equal((unsigned char)p[i],
				 (unsigned char)((peer->received + i) * 31 >> 3));
	}
	peer->received += taken;
	if (taken < n) {
		net_stream_resume(s);
	}
	return taken;
}

static void peer_on_eof(struct net_stream *s)
{
	((struct peer *)net_stream_ctx(s))->eof = true;
}

static void peer_on_drain(struct net_stream *s)
{
	((struct peer *)net_stream_ctx(s))->drains++;
}

static void peer_on_close(struct net_stream *s, int code UNUSED, const char *why UNUSED)
{
	((struct peer *)net_stream_ctx(s))->closed = true;
}

static const struct net_stream_ops peer_ops = {.on_data = peer_on_data,
					       .on_eof = peer_on_eof,
					       .on_drain = peer_on_drain,
					       .on_close = peer_on_close};

static void make_pair(struct rig *rig, struct peer *a, struct peer *b)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds),
			 0);
	a->rig = b->rig = rig;
	a->s = net_stream_accept(rig->net, fds[0], NULL, &peer_ops, a);
	b->s = net_stream_accept(rig->net, fds[1], NULL, &peer_ops, b);
}

TEST(a_large_transfer_survives_stalls_and_is_flushed_before_the_end)
{
	static const size_t takes[] = {0, 1000, 40000};

	for (size_t k = 0; k < ARRAY_LEN(takes); k++) {
		struct rig rig;
		struct peer a = {0}, b = {.take = takes[k]};
		size_t n = takes[k] == 1000 ? 400000 : 5000000;
		char *data = mem_new(n);
		struct slice s = {data, n, NULL, NULL};

		for (size_t i = 0; i < n; i++) {
			data[i] = (char)(i * 31 >> 3);
		}
		begin(&rig);
		make_pair(&rig, &a, &b);
		net_stream_write(a.s, &s, 1);
		assert_int_equal(net_stream_pending_bytes(a.s), n);
		if (k == 0) {
			while (a.drains == 0) {
				uv_run(loop_uv(rig.loop), UV_RUN_ONCE);
			}
		}
		net_stream_close(a.s);
		while (!b.eof) {
			uv_run(loop_uv(rig.loop), UV_RUN_ONCE);
		}
		assert_int_equal(b.received, n);
		net_stream_close(b.s);
		end(&rig);
		mem_free(data);
	}
}

TEST(a_paused_stream_still_tells_of_the_end_and_delivers_the_rest_later)
{
	struct rig rig;
	struct peer a = {0}, b = {0};
	char data[100];

	for (size_t i = 0; i < sizeof(data); i++) {
		data[i] = (char)(i * 31 >> 3);
	}
	begin(&rig);
	make_pair(&rig, &a, &b);
	net_stream_pause(b.s);
	net_stream_write_copy(a.s, data, sizeof(data));
	net_stream_close(a.s);
	while (!b.eof) {
		uv_run(loop_uv(rig.loop), UV_RUN_ONCE);
	}
	assert_int_equal(b.received, 0);
	b.eof = false;
	net_stream_resume(b.s);
	while (!b.eof) {
		uv_run(loop_uv(rig.loop), UV_RUN_ONCE);
	}
	assert_int_equal(b.received, sizeof(data));
	net_stream_abort(b.s);
	end(&rig);
}

static void on_accept(void *ctx, int fd, const struct net_addr *remote UNUSED)
{
	close(fd);
	(*(int *)ctx)++;
}

TEST(a_listening_descriptor_can_be_handed_down)
{
	struct rig rig;
	struct net_listener *l, *again;
	struct err err CLEANUP_ERR = {0};
	struct net_addr addr;
	int accepted = 0;
	int fd, client, other;

	begin(&rig);
	assert_int_equal(net_listener_from_fd(rig.net, open("/dev/null", O_RDONLY), on_accept, NULL,
					      &l, &err),
			 ERR_INVALID);
	assert_int_equal(net_addr_parse(STR("127.0.0.1:0"), &addr, NULL), 0);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, &addr.sa, addr.n), 0);
	assert_int_equal(listen(fd, 10), 0);
	other = dup(fd); /* the supervisor's */
	assert_int_equal(net_listener_from_fd(rig.net, fd, on_accept, &accepted, &l, &err), 0);
	addr = *net_listener_addr(l);
	assert_int_equal(net_listener_open(rig.net, &addr, on_accept, &accepted, &again, &err),
			 ERR_SYSTEM);
	assert_true(str_contains(str_of(err.msg), STR("another program listens there")));
	client = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(client, &addr.sa, addr.n), 0);
	while (accepted < 1) {
		uv_run(loop_uv(rig.loop), UV_RUN_ONCE);
	}
	close(client);
	net_listener_free(l);
	/* the process is gone, the socket is not: a client waits, and its successor finds it */
	client = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(client, &addr.sa, addr.n), 0);
	assert_int_equal(net_listener_from_fd(rig.net, other, on_accept, &accepted, &l, &err), 0);
	while (accepted < 2) {
		uv_run(loop_uv(rig.loop), UV_RUN_ONCE);
	}
	close(client);
	net_listener_free(l);
	end(&rig);
}

TEST(a_dead_unix_socket_is_replaced_and_a_live_one_is_not)
{
	struct rig rig;
	struct net_listener *l, *again;
	struct err err CLEANUP_ERR = {0};
	struct net_addr addr;
	char path[64];
	int accepted = 0;

	begin(&rig);
	snprintf(path, sizeof(path), "unix:/tmp/net_test-%d.sock", getpid());
	assert_int_equal(net_addr_parse(str_of(path), &addr, NULL), 0);
	assert_int_equal(net_listener_open(rig.net, &addr, on_accept, &accepted, &l, &err), 0);
	assert_int_equal(net_listener_open(rig.net, &addr, on_accept, &accepted, &again, &err),
			 ERR_SYSTEM);
	net_listener_free(l);
	assert_int_equal(net_listener_open(rig.net, &addr, on_accept, &accepted, &l, &err), 0);
	net_listener_free(l);
	unlink(path + 5);
	end(&rig);
}

TEST_MAIN(addresses_read_and_print_the_same, slices_are_released_with_their_last_byte,
	  large_copies_span_chunks, deadlines_expire_in_the_order_they_were_set,
	  a_large_transfer_survives_stalls_and_is_flushed_before_the_end,
	  a_paused_stream_still_tells_of_the_end_and_delivers_the_rest_later,
	  a_listening_descriptor_can_be_handed_down,
	  a_dead_unix_socket_is_replaced_and_a_live_one_is_not)
