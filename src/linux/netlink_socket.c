/* SPDX-License-Identifier: Apache-2.0 */
#include "linux/netlink_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <sched.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/cleanup.h"

int netns_run(int netns_fd, netns_fn fn, void *ctx, struct err *err)
{
	int home CLEANUP_FD = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);

	if (home < 0) {
		return err_set_errno(err, errno,
				     "cannot open the network namespace of this thread");
	}
	if (setns(netns_fd, CLONE_NEWNET) < 0) {
		return err_set_errno(err, errno, "cannot enter the network namespace");
	}
	int r = fn(ctx, err);
	ASSERT(setns(home, CLONE_NEWNET) == 0);
	return r;
}

struct open_args {
	struct netlink *nl;
	int bus;
};

static int open_here(void *ctx, struct err *err)
{
	const struct open_args *args = ctx;
	struct netlink *nl = args->nl;
	int on = 1;

	*nl = (struct netlink){.seq = 1};
	nl->sock = mnl_socket_open2(args->bus, SOCK_CLOEXEC);
	if (!nl->sock) {
		return err_set_errno(err, errno, "cannot open a netlink socket");
	}
	if (mnl_socket_bind(nl->sock, 0, MNL_SOCKET_AUTOPID) < 0) {
		int code = err_set_errno(err, errno, "cannot bind a netlink socket");
		netlink_close(nl);
		return code;
	}
	/* Both only make error messages better; old kernels that lack them still work. */
	(void)mnl_socket_setsockopt(nl->sock, NETLINK_EXT_ACK, &on, sizeof(on));
	(void)mnl_socket_setsockopt(nl->sock, NETLINK_CAP_ACK, &on, sizeof(on));
	return 0;
}

int netlink_open(struct netlink *nl, int bus, int netns_fd, struct err *err)
{
	struct open_args args = {nl, bus};

	*nl = (struct netlink){0};
	return netns_fd < 0 ? open_here(&args, err) : netns_run(netns_fd, open_here, &args, err);
}

void netlink_close(struct netlink *nl)
{
	if (nl->sock) {
		mnl_socket_close(nl->sock);
	}
	nl->sock = NULL;
}

struct nlmsghdr *netlink_msg_init(struct netlink_msg *m, uint16_t type, uint16_t flags,
				  const void *header, size_t header_len)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(m->bytes);

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
	memcpy(mnl_nlmsg_put_extra_header(nlh, header_len), header, header_len);
	return nlh;
}

int netlink_code(int errnum)
{
	switch (errnum) {
	case EEXIST:
		return ERR_EXISTS;
	case ENOENT:
	case ENODEV:
	case ESRCH:
	case ENXIO:
	case EADDRNOTAVAIL:
	case ENETUNREACH:
	case EHOSTUNREACH:
		return ERR_NOT_FOUND;
	case EPERM:
	case EACCES:
		return ERR_DENIED;
	case EBUSY:
		return ERR_BUSY;
	case EOPNOTSUPP:
	case EAFNOSUPPORT:
		return ERR_UNSUPPORTED;
	case EINTR:
	case EAGAIN:
		return ERR_AGAIN;
	default:
		return ERR_SYSTEM;
	}
}

int netlink_err(const struct netlink *nl, struct err *err, const char *fmt, ...)
{
	struct buf text CLEANUP_BUF = {0};
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	return err_set(err, netlink_code(nl->error), "%s: %s%s%s", buf_cstr(&text),
		       strerror(nl->error), nl->reason[0] ? ": " : "", nl->reason);
}

static int keep_reason(const struct nlattr *attr, void *data)
{
	struct netlink *nl = data;

	if (mnl_attr_get_type(attr) == NLMSGERR_ATTR_MSG &&
	    mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) == 0) {
		snprintf(nl->reason, sizeof(nl->reason), "%s", mnl_attr_get_str(attr));
	}
	return MNL_CB_OK;
}

static int failed(struct netlink *nl, int errnum)
{
	nl->error = errnum;
	return netlink_code(errnum);
}

/* An NLMSG_ERROR: 0 is the acknowledgement. The request follows only as its header (CAP_ACK), then attributes. */
static int handle_error(struct netlink *nl, const struct nlmsghdr *nlh)
{
	const struct nlmsgerr *e = mnl_nlmsg_get_payload(nlh);

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*e)) {
		return failed(nl, EBADMSG);
	}
	if (e->error == 0) {
		return 0;
	}
	if (nlh->nlmsg_flags & NLM_F_ACK_TLVS) {
		bool whole =
			!(nlh->nlmsg_flags & NLM_F_CAPPED) && e->msg.nlmsg_len >= sizeof(e->msg);
		size_t skip = sizeof(*e) + (whole ? e->msg.nlmsg_len - sizeof(e->msg) : 0);
		if (skip < mnl_nlmsg_get_payload_len(nlh)) {
			(void)mnl_attr_parse(nlh, (unsigned)skip, keep_reason, nl);
		}
	}
	return failed(nl, e->error < 0 && e->error > -4096 ? -e->error : EBADMSG);
}

int netlink_read(struct netlink *nl, const void *p, int n, uint32_t portid, netlink_each_fn each,
		 void *ctx, int *each_result)
{
	const struct nlmsghdr *nlh = p;

	/* libmnl compares the length as a signed number */
	for (; mnl_nlmsg_ok(nlh, n) && nlh->nlmsg_len <= (uint32_t)n;
	     nlh = mnl_nlmsg_next(nlh, &n)) {
		if (!mnl_nlmsg_seq_ok(nlh, nl->seq) || !mnl_nlmsg_portid_ok(nlh, portid)) {
			continue;
		}
		if (nlh->nlmsg_flags & NLM_F_DUMP_INTR) {
			*each_result = *each_result < 0 ? *each_result : failed(nl, EINTR);
		}
		if (nlh->nlmsg_type == NLMSG_ERROR) {
			int r = handle_error(nl, nlh);
			return r < 0 ? r : 1;
		}
		if (nlh->nlmsg_type == NLMSG_DONE) {
			return 1;
		}
		if (each && *each_result >= 0) {
			*each_result = each(ctx, nlh);
		}
	}
	return 0;
}

int netlink_talk(struct netlink *nl, struct nlmsghdr *nlh, netlink_each_fn each, void *ctx)
{
	char answer[32768] __attribute__((aligned(16)));
	uint32_t portid = mnl_socket_get_portid(nl->sock);
	int each_result = 0;

	nl->error = 0;
	nl->reason[0] = 0;
	nlh->nlmsg_seq = ++nl->seq;
	if (mnl_socket_sendto(nl->sock, nlh, nlh->nlmsg_len) < 0) {
		return failed(nl, errno);
	}
	for (;;) {
		ssize_t n = mnl_socket_recvfrom(nl->sock, answer, sizeof(answer));
		if (n < 0) {
			if (errno == EINTR) {
				continue;
			}
			return failed(nl, errno);
		}
		int r = netlink_read(nl, answer, (int)n, portid, each, ctx, &each_result);
		if (r != 0) {
			return r < 0 ? r : each_result;
		}
	}
}
