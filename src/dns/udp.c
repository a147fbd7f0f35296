/* SPDX-License-Identifier: Apache-2.0 */
/* Datagrams in batches: one system call brings up to 32 questions, one takes their answers. */
#include <errno.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "dns/dns_internal.h"

enum { BATCH = 32, ROUNDS = 8, QUESTION_MAX = 1500 };

struct dns_batch {
	struct mmsghdr in[BATCH], out[BATCH];
	struct iovec in_iov[BATCH], out_iov[BATCH];
	struct sockaddr_in6 from[BATCH];
	uint8_t questions[BATCH][QUESTION_MAX];
	uint8_t answers[BATCH][DNS_UDP_SAFE];
};

struct dns_batch *dns_batch_new(void)
{
	struct dns_batch *b = NEW(struct dns_batch);

	for (int i = 0; i < BATCH; i++) {
		b->in_iov[i] = (struct iovec){b->questions[i], QUESTION_MAX};
		b->in[i].msg_hdr = (struct msghdr){
			.msg_name = &b->from[i], .msg_iov = &b->in_iov[i], .msg_iovlen = 1};
		b->out[i].msg_hdr = (struct msghdr){.msg_iov = &b->out_iov[i], .msg_iovlen = 1};
	}
	return b;
}

void dns_batch_free(struct dns_batch *b)
{
	mem_free(b);
}

static int receive(struct dns_batch *b, int fd)
{
	for (int i = 0; i < BATCH; i++) {
		b->in[i].msg_hdr.msg_namelen = sizeof(b->from[i]);
	}
	for (;;) {
		int n = recvmmsg(fd, b->in, BATCH, MSG_DONTWAIT, NULL);
		/* an ICMP error of an earlier answer is reported here; it says nothing about the questions */
		if (n >= 0 || (errno != EINTR && errno != ECONNREFUSED)) {
			return n;
		}
	}
}

static void send_all(struct dns *dns, struct dns_batch *b, int fd, int n)
{
	for (int sent = 0; sent < n;) {
		int r = sendmmsg(fd, b->out + sent, (unsigned)(n - sent), MSG_DONTWAIT);
		if (r < 0 && errno == EINTR) {
			continue;
		}
		if (r < 0) {
			dns->counters.dropped++;
			r = 1; /* this one cannot be sent; the others can */
		}
		sent += r;
	}
}

void dns_udp_ready(struct source *source, uint32_t events UNUSED)
{
	struct listener *u = CONTAINER_OF(source, struct listener, source);
	struct dns *dns = u->dns;
	struct dns_batch *b = dns->batch;
	int n = BATCH;

	for (int round = 0; round < ROUNDS && n == BATCH; round++) {
		int answers = 0;
		n = receive(b, source->fd);
		for (int i = 0; i < n; i++) {
			struct forward_client client = {.udp_fd = source->fd,
							.addr_len = b->in[i].msg_hdr.msg_namelen,
							.addr = b->from[i]};
			dns->counters.queries_udp++;
			size_t len = dns_respond(dns, b->questions[i], b->in[i].msg_len, &client,
						 b->answers[answers], DNS_UDP_SAFE);
			if (len > 0) {
				b->out_iov[answers] = (struct iovec){b->answers[answers], len};
				b->out[answers].msg_hdr.msg_name = &b->from[i];
				b->out[answers].msg_hdr.msg_namelen = b->in[i].msg_hdr.msg_namelen;
				answers++;
			}
		}
		send_all(dns, b, source->fd, answers);
	}
}
