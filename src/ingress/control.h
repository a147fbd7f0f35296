/* SPDX-License-Identifier: Apache-2.0 */
/* ingress/control.h: one request to the control server inside nginx over its unix socket. The other side is our own script in a process
 * of our own user, yet the answer is bounded and parsed strictly. Loop thread only. */
#pragma once
#include "base/buf.h"
#include "loop/loop.h"

#define CONTROL_ANSWER_MAX 4096

struct control;

/* code: 0 when an answer came, then status is HTTP's and line its body's first line (borrowed); else ERR_NOT_FOUND (nobody listens), ERR_TIMEOUT,
 * ERR_IO, ERR_PROTOCOL. Called exactly once unless control_cancel came first. */
typedef void (*control_done_fn)(void *ctx, int code, int status, struct str line);

/* GET (body unset) or POST. body is copied. Freed after done. */
struct control *control_start(struct loop *loop, const char *socket_path, const char *target,
			      struct str body, int64_t timeout_ns, control_done_fn done, void *ctx);
/* No callback afterwards. NULL is fine. */
void control_cancel(struct control *control);

/* For the fuzzer: an answer as it came until the end of the stream. 0 or ERR_PROTOCOL. */
MUST_USE int control_parse_answer(struct str answer, int *ret_status, struct str *ret_line);
