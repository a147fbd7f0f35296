/* SPDX-License-Identifier: Apache-2.0 */
/* net/net.h: what all sockets of one loop share: record buffers (so that an idle connection has none), the list of streams with
 * something to write, the time limit for closing. Everything in net/ belongs to the loop's thread. */
#pragma once
#include "env/env.h"

struct net;
struct slice_pool;
struct uv_loop_s;

/* The loop must outlive it. */
struct net *net_new(struct env *env, struct uv_loop_s *loop);
/* Aborts the streams that are still open (their owners are not told: free them first) and runs the loop until their handles are closed. */
void net_free(struct net *net);
struct env *net_env(struct net *net);
struct uv_loop_s *net_loop(struct net *net);
/* For slice queues of the same loop. */
struct slice_pool *net_slice_pool(struct net *net);
