/* SPDX-License-Identifier: Apache-2.0 */
/* net/net_internal.h: the shared state, for stream.c and listener.c. */
#pragma once
#include "base/buf.h"
#include "net/net.h"
#include "net/slice.h"

#include <uv.h>

enum {
	NET_READ_BYTES = 65536,	 /* one read(2) */
	NET_WRITE_BYTES = 65536, /* encrypted output is gathered to about this for one write(2) */
};

struct net {
	struct env *env;
	uv_loop_t *loop;
	uv_prepare_t prepare;  /* runs before the loop sleeps: writes what this turn has queued */
	struct list dirty;     /* streams with something to do then */
	struct list streams;   /* all */
	struct list listeners; /* all */
	struct slice_pool pool;
	size_t n_handles; /* not yet closed by libuv */
	/* Scratch of the stream that is being served; never holds anything between two events. */
	struct buf out; /* what goes to the socket */
	char *raw;	/* NET_READ_BYTES: what came from it */
	char *plain;	/* one record, decrypted */
	char *record;	/* one record, to be encrypted */
};

/* listener.c: no delay, keep-alive probes, so that the kernel finds dead peers without waking us. */
void net_set_tcp_options(int fd);
/* stream.c */
void net_run_dirty(struct net *net);
void net_abort_streams(struct net *net);
