/* SPDX-License-Identifier: Apache-2.0 */
#include "linux/netlink_nft.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/cleanup.h"

enum {
	LIST_BYTES_MAX = 32768, /* an attribute's length is 16 bits */
	NFT_ERROR_MAX = 2000,
};

static int text_file(struct str text)
{
	int fd CLEANUP_FD = memfd_create("nft", MFD_CLOEXEC);

	while (fd >= 0 && text.n > 0) {
		ssize_t n = write(fd, text.p, text.n);
		if (n < 0 && errno != EINTR) {
			return -1;
		}
		text = str_from(text, n < 0 ? 0 : (size_t)n);
	}
	if (fd < 0 || lseek(fd, 0, SEEK_SET) < 0) {
		return -1;
	}
	return STEAL_FD(fd);
}

/* Files, not pipes: nft can never wait for us nor we for it. */
static int spawn_nft(int input, int errors, pid_t *ret_pid)
{
	char *const argv[] = {(char *)"nft", (char *)"-f", (char *)"-", NULL};
	char *const envp[] = {(char *)"PATH=/usr/sbin:/sbin:/usr/bin:/bin", (char *)"LC_ALL=C",
			      NULL};
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t none;

	sigemptyset(&none);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_adddup2(&files, input, 0);
	posix_spawn_file_actions_adddup2(&files, errors, 1);
	posix_spawn_file_actions_adddup2(&files, errors, 2);
	int r = posix_spawnp(ret_pid, "nft", &files, &attr, argv, envp);
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attr);
	return r;
}

int nft_run(struct str text, struct err *err)
{
	int input CLEANUP_FD = text_file(text);
	int errors CLEANUP_FD = memfd_create("nft-errors", MFD_CLOEXEC);
	char said[NFT_ERROR_MAX];
	int status = 0;
	pid_t pid;

	if (input < 0 || errors < 0) {
		return err_set_errno(err, errno, "cannot write the nftables rules to memory");
	}
	int r = spawn_nft(input, errors, &pid);
	if (r != 0) {
		return err_set_errno(err, r, "cannot run nft (Debian package nftables)");
	}
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR) {
			return err_set_errno(err, errno, "cannot wait for nft");
		}
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		return 0;
	}
	ssize_t n = pread(errors, said, sizeof(said), 0);
	struct str words = str_trim(str_make(said, n < 0 ? 0 : (size_t)n));
	return err_set(err, ERR_INVALID, "nft refused the rules: %.*s", STR_ARG(words));
}

static void put_attr(struct buf *b, uint16_t type, const void *p, size_t n)
{
	struct nlattr a = {.nla_len = (uint16_t)(sizeof(a) + n), .nla_type = type};
	static const char zeros[4];

	buf_add(b, &a, sizeof(a));
	buf_add(b, p, n);
	buf_add(b, zeros, (4 - n % 4) % 4);
}

static size_t open_attr(struct buf *b, uint16_t type)
{
	size_t at = b->n;

	put_attr(b, type | NLA_F_NESTED, NULL, 0);
	return at;
}

static void close_attr(struct buf *b, size_t at)
{
	uint16_t n = (uint16_t)(b->n - at);

	memcpy(b->p + at, &n, sizeof(n));
}

static size_t open_msg(struct nft_batch *b, uint16_t type, uint16_t flags, uint8_t family,
		       uint16_t res_id)
{
	struct nlmsghdr h = {
		.nlmsg_type = type, .nlmsg_flags = NLM_F_REQUEST | flags, .nlmsg_seq = ++b->seq};
	struct nfgenmsg g = {
		.nfgen_family = family, .version = NFNETLINK_V0, .res_id = htobe16(res_id)};
	size_t at = b->bytes.n;

	buf_add(&b->bytes, &h, sizeof(h));
	buf_add(&b->bytes, &g, sizeof(g));
	return at;
}

static void close_msg(struct buf *b, size_t at)
{
	uint32_t n = (uint32_t)(b->n - at);

	memcpy(b->p + at, &n, sizeof(n));
}

static void close_elements(struct nft_batch *b)
{
	if (!b->msg_set) {
		return;
	}
	close_attr(&b->bytes, b->list_at);
	close_msg(&b->bytes, b->msg_at);
	b->msg_set = NULL;
}

static void open_elements(struct nft_batch *b, uint16_t type, const char *set)
{
	if (b->bytes.n == 0) {
		close_msg(&b->bytes,
			  open_msg(b, NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES));
	}
	if (b->msg_set == set && b->msg_type == type && b->bytes.n - b->list_at < LIST_BYTES_MAX) {
		return;
	}
	close_elements(b);
	b->msg_type = type;
	b->msg_set = set;
	b->msg_at = open_msg(b, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type),
			     type == NFT_MSG_NEWSETELEM ? NLM_F_CREATE : 0, b->family, 0);
	put_attr(&b->bytes, NFTA_SET_ELEM_LIST_TABLE, b->table, strlen(b->table) + 1);
	put_attr(&b->bytes, NFTA_SET_ELEM_LIST_SET, set, strlen(set) + 1);
	b->list_at = open_attr(&b->bytes, NFTA_SET_ELEM_LIST_ELEMENTS);
}

static void put_value(struct buf *b, uint16_t type, struct str value)
{
	if (!value.p) {
		return;
	}
	size_t at = open_attr(b, type);
	put_attr(b, NFTA_DATA_VALUE, value.p, value.n);
	close_attr(b, at);
}

static void put_verdict(struct buf *b, const struct nft_elem *elem)
{
	uint32_t code = htobe32((uint32_t)elem->verdict);
	size_t data = open_attr(b, NFTA_SET_ELEM_DATA);
	size_t verdict = open_attr(b, NFTA_DATA_VERDICT);

	put_attr(b, NFTA_VERDICT_CODE, &code, sizeof(code));
	if (elem->chain) {
		put_attr(b, NFTA_VERDICT_CHAIN, elem->chain, strlen(elem->chain) + 1);
	}
	close_attr(b, verdict);
	close_attr(b, data);
}

static void put_elem(struct nft_batch *b, uint16_t type, const char *set,
		     const struct nft_elem *elem)
{
	open_elements(b, type, set);
	size_t at = open_attr(&b->bytes, NFTA_LIST_ELEM);
	put_value(&b->bytes, NFTA_SET_ELEM_KEY, elem->key);
	put_value(&b->bytes, NFTA_SET_ELEM_KEY_END, elem->key_end);
	if (type == NFT_MSG_NEWSETELEM) {
		put_value(&b->bytes, NFTA_SET_ELEM_DATA, elem->data);
		if (elem->has_verdict) {
			put_verdict(&b->bytes, elem);
		}
	}
	close_attr(&b->bytes, at);
	b->changes++;
}

void nft_batch_fini(struct nft_batch *b)
{
	buf_fini(&b->bytes);
}

void nft_batch_add(struct nft_batch *b, const char *set, const struct nft_elem *elem)
{
	put_elem(b, NFT_MSG_NEWSETELEM, set, elem);
}

void nft_batch_delete(struct nft_batch *b, const char *set, const struct nft_elem *elem)
{
	put_elem(b, NFT_MSG_DELSETELEM, set, elem);
}

void nft_batch_flush(struct nft_batch *b, const char *set)
{
	/* A deletion without a list of elements means all of them. */
	open_elements(b, NFT_MSG_DELSETELEM, set);
	if (b->bytes.n > b->list_at + sizeof(struct nlattr)) {
		close_elements(b);
		open_elements(b, NFT_MSG_DELSETELEM, set);
	}
	b->bytes.n = b->list_at;
	close_msg(&b->bytes, b->msg_at);
	b->msg_set = NULL;
	b->changes++;
}

/* The kernel has worked when our send returns; what it has to say is queued. Without errors there is one acknowledgement, of the
 * last message: asking for it on each would fill the receive buffer of a big batch. */
static int read_verdict(struct nft_batch *b, struct netlink *nl, uint32_t last_seq, struct err *err)
{
	char answer[16384] __attribute__((aligned(16)));
	bool acked = false;
	int errnum = 0;

	for (;;) {
		ssize_t len =
			recv(mnl_socket_get_fd(nl->sock), answer, sizeof(answer), MSG_DONTWAIT);
		if (len < 0 && errno == EINTR) {
			continue;
		}
		if (len <= 0) {
			break;
		}
		int n = (int)len;
		for (const struct nlmsghdr *h = (void *)answer; mnl_nlmsg_ok(h, n);
		     h = mnl_nlmsg_next(h, &n)) {
			const struct nlmsgerr *e = mnl_nlmsg_get_payload(h);
			if (h->nlmsg_type != NLMSG_ERROR ||
			    mnl_nlmsg_get_payload_len(h) < sizeof(*e)) {
				continue;
			}
			acked = acked || (e->error == 0 && h->nlmsg_seq == last_seq);
			errnum = errnum == 0 ? -e->error : errnum;
		}
	}
	if (acked && errnum == 0) {
		return 0;
	}
	nl->error = errnum ? errnum : EPROTO;
	nl->reason[0] = 0;
	return netlink_err(nl, err, "cannot change the sets of nftables table %s", b->table);
}

static int send_all(struct nft_batch *b, struct netlink *nl, struct err *err)
{
	int fd = mnl_socket_get_fd(nl->sock);
	int room = b->bytes.n > INT32_MAX / 4 ? INT32_MAX / 2 : (int)b->bytes.n * 2 + 65536;

	/* One transaction is one datagram, however large. Our own process is root; FORCE passes the sysctl's limit. */
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room)) < 0) {
		return err_set_errno(err, errno, "cannot make room for a transaction of %zu bytes",
				     b->bytes.n);
	}
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	ssize_t n =
		sendto(fd, b->bytes.p, b->bytes.n, 0, (struct sockaddr *)&kernel, sizeof(kernel));
	if (n < 0) {
		return err_set_errno(err, errno, "cannot send a transaction to nftables");
	}
	return 0;
}

int nft_batch_commit(struct nft_batch *b, struct netlink *nl, struct err *err)
{
	if (b->changes == 0) {
		return 0;
	}
	close_elements(b);
	struct nlmsghdr *last = (void *)(b->bytes.p + b->msg_at);
	uint32_t last_seq = last->nlmsg_seq;
	last->nlmsg_flags |= NLM_F_ACK;
	close_msg(&b->bytes, open_msg(b, NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES));

	int r = send_all(b, nl, err);
	if (r == 0) {
		r = read_verdict(b, nl, last_seq, err);
	}
	buf_clear(&b->bytes);
	b->changes = 0;
	return r;
}

int nft_has_chain(struct netlink *nl, uint8_t family, const char *table, const char *chain)
{
	struct netlink_msg m;
	struct nfgenmsg g = {.nfgen_family = family, .version = NFNETLINK_V0};
	struct nlmsghdr *nlh = netlink_msg_init(&m, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETCHAIN, 0,
						&g, sizeof(g));

	mnl_attr_put_strz(nlh, NFTA_CHAIN_TABLE, table);
	mnl_attr_put_strz(nlh, NFTA_CHAIN_NAME, chain);
	int r = netlink_talk(nl, nlh, NULL, NULL);
	return r == 0 ? 1 : r == ERR_NOT_FOUND ? 0 : r;
}
