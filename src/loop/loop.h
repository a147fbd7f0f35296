/* SPDX-License-Identifier: Apache-2.0 */
/* loop/loop.h: the real env, over libuv: one loop per thread. Everything here is called on the
 * loop's own thread, except env_post and the clocks. An idle loop sleeps in epoll without any
 * wake-up of its own. */
#pragma once
#include "env/env.h"

struct loop;
struct uv_loop_s;

struct loop *loop_new(void);
/* Not from a callback. Waits for env_work that is under way; tasks posted before are run. Timers
 * must be stopped, and what others opened on loop_uv() closed, before. NULL is fine. */
void loop_free(struct loop *loop);
/* Until loop_stop(), which may have been called before. */
void loop_run(struct loop *loop);
/* Ends loop_run() after the callbacks of this turn. Other threads post a task that calls it. */
void loop_stop(struct loop *loop);
struct env *loop_env(struct loop *loop);
/* For the network code, which opens its own handles on it. */
struct uv_loop_s *loop_uv(struct loop *loop);

typedef void (*loop_signal_fn)(void *ctx, int signum);
/* Call fn on the loop whenever the process gets the signal, until loop_free. */
void loop_on_signal(struct loop *loop, int signum, loop_signal_fn fn, void *ctx);
