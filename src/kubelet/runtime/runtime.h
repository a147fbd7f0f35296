/* SPDX-License-Identifier: Apache-2.0 */
/* kubelet/runtime/runtime.h: pod sandboxes and containers, shaped like the CRI: what the kubelet asks of a container runtime.
 *
 * - One loop thread. Every call returns at once; `done` comes later on the loop, exactly once, never from inside the call.
 * - Specs are borrowed until done. Statuses are borrowed from the runtime until the loop turns.
 * - Sandbox and container ids are functions of (pod uid, attempt) and (pod uid, name, attempt): creating the same again, also after a crash of
 *   the caller in the middle, gives the same id: what exists whole is returned, what is half made is removed and made anew.
 * - One operation at a time per container (ERR_BUSY otherwise); stop may come while nothing else is under way and may be repeated.
 * - Containers do not depend on this process: after a restart runtime_start finds them all, and reports those that ended meanwhile.
 *
 *     runtime_start -> sandbox_create -> (caller: network) -> container_create -> container_start -> event exited
 *       -> container_remove -> sandbox_stop -> sandbox_remove */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "kubelet/runtime/runtime_spec.h"

struct runtime;

/* err is NULL on success; id is the sandbox's or container's. Both borrowed for the call. */
typedef void (*runtime_done_fn)(void *ctx, struct str id, const struct err *err);
typedef void (*runtime_stats_fn)(void *ctx, const struct cgroup_stats *stats,
				 const struct err *err);

/* err is set (and result NULL) if the command could not be run at all. */
typedef void (*exec_done_fn)(void *ctx, const struct exec_result *result, const struct err *err);

struct exec_session;

struct exec_events {
	/* tty: the terminal's other side: read output, write input; the descriptor is yours. Comes before done. */
	void (*terminal)(void *ctx, int fd);
	exec_done_fn done;
	void *ctx;
};

/* ---- the table each runtime fills in; all slots are mandatory ---- */

struct runtime_ops {
	void (*start)(struct runtime *rt, runtime_done_fn done, void *ctx);
	void (*free)(struct runtime *rt);
	void (*sandbox_create)(struct runtime *rt, const struct sandbox_spec *spec,
			       runtime_done_fn done, void *ctx);
	void (*sandbox_stop)(struct runtime *rt, struct str id, runtime_done_fn done, void *ctx);
	void (*sandbox_remove)(struct runtime *rt, struct str id, runtime_done_fn done, void *ctx);
	const struct sandbox_status *(*sandbox_find)(struct runtime *rt, struct str id);
	const struct sandbox_status *(*sandbox_next)(struct runtime *rt, size_t *i);
	void (*container_create)(struct runtime *rt, const struct container_spec *spec,
				 runtime_done_fn done, void *ctx);
	void (*container_start)(struct runtime *rt, struct str id, runtime_done_fn done, void *ctx);
	void (*container_stop)(struct runtime *rt, struct str id, int64_t grace_ms,
			       runtime_done_fn done, void *ctx);
	void (*container_remove)(struct runtime *rt, struct str id, runtime_done_fn done,
				 void *ctx);
	const struct container_status *(*container_find)(struct runtime *rt, struct str id);
	const struct container_status *(*container_next)(struct runtime *rt, size_t *i);
	void (*container_stats)(struct runtime *rt, struct str id, runtime_stats_fn done,
				void *ctx);
	int (*container_update)(struct runtime *rt, struct str id,
				const struct cgroup_limits *limits, struct err *err);
	int (*container_signal)(struct runtime *rt, struct str id, int signum, struct err *err);
	int (*container_reopen_log)(struct runtime *rt, struct str id, struct err *err);
	int (*container_resize)(struct runtime *rt, struct str id, int width, int height,
				struct err *err);
	int (*container_attach)(struct runtime *rt, struct str id, struct err *err);
	void (*exec_sync)(struct runtime *rt, const struct exec_spec *spec, exec_done_fn done,
			  void *ctx);
	int (*exec_start)(struct runtime *rt, const struct exec_spec *spec,
			  const struct exec_events *events, struct exec_session **ret,
			  struct err *err);
	void (*exec_resize)(struct exec_session *session, int width, int height);
	void (*exec_kill)(struct exec_session *session);
};

struct runtime {
	const struct runtime_ops *ops;
	/* Set by the caller before runtime_start: a container ended. Comes once per container, also for those found ended by start. */
	void (*exited)(void *ctx, const struct container_status *status);
	void *exited_ctx;
};

/* Finds what exists. Nothing else may be called before its done. */
static inline void runtime_start(struct runtime *rt, runtime_done_fn done, void *ctx)
{
	rt->ops->start(rt, done, ctx);
}

/* No operation may be under way. Containers go on. */
static inline void runtime_free(struct runtime *rt)
{
	if (rt) {
		rt->ops->free(rt);
	}
}

/* Namespaces, shared memory, cgroup. */
static inline void sandbox_create(struct runtime *rt, const struct sandbox_spec *spec,
				  runtime_done_fn done, void *ctx)
{
	rt->ops->sandbox_create(rt, spec, done, ctx);
}

/* Kills what still runs in it, gives back mounts, namespaces and cgroups; statuses and logs stay. Idempotent, unknown ids are success. */
static inline void sandbox_stop(struct runtime *rt, struct str id, runtime_done_fn done, void *ctx)
{
	rt->ops->sandbox_stop(rt, id, done, ctx);
}

/* Stop, then forget it and all its containers. Idempotent. */
static inline void sandbox_remove(struct runtime *rt, struct str id, runtime_done_fn done,
				  void *ctx)
{
	rt->ops->sandbox_remove(rt, id, done, ctx);
}

static inline const struct sandbox_status *sandbox_find(struct runtime *rt, struct str id)
{
	return rt->ops->sandbox_find(rt, id);
}

/* for (size_t i = 0; (s = sandbox_next(rt, &i));) */
static inline const struct sandbox_status *sandbox_next(struct runtime *rt, size_t *i)
{
	return rt->ops->sandbox_next(rt, i);
}

/* The sandbox must be ready. Failures: ERR_NOT_FOUND (image; command: the message says which), ERR_INVALID (spec, user), others. Nothing remains
 * of a container whose creation failed. */
static inline void container_create(struct runtime *rt, const struct container_spec *spec,
				    runtime_done_fn done, void *ctx)
{
	rt->ops->container_create(rt, spec, done, ctx);
}

static inline void container_start(struct runtime *rt, struct str id, runtime_done_fn done,
				   void *ctx)
{
	rt->ops->container_start(rt, id, done, ctx);
}

/* The image's stop signal, after grace_ms SIGKILL (0: at once). done when it has ended, after the exited event. A later call may shorten the
 * grace. Unknown and ended containers are success. */
static inline void container_stop(struct runtime *rt, struct str id, int64_t grace_ms,
				  runtime_done_fn done, void *ctx)
{
	rt->ops->container_stop(rt, id, grace_ms, done, ctx);
}

/* Kills if need be, without an event then. The log stays. Idempotent. */
static inline void container_remove(struct runtime *rt, struct str id, runtime_done_fn done,
				    void *ctx)
{
	rt->ops->container_remove(rt, id, done, ctx);
}

static inline const struct container_status *container_find(struct runtime *rt, struct str id)
{
	return rt->ops->container_find(rt, id);
}

static inline const struct container_status *container_next(struct runtime *rt, size_t *i)
{
	return rt->ops->container_next(rt, i);
}

static inline void container_stats(struct runtime *rt, struct str id, runtime_stats_fn done,
				   void *ctx)
{
	rt->ops->container_stats(rt, id, done, ctx);
}

/* The following act at once: 0 or ERR_*, ERR_NOT_FOUND for unknown ids, ERR_CLOSED for ended containers. */
MUST_USE static inline int container_update(struct runtime *rt, struct str id,
					    const struct cgroup_limits *limits, struct err *err)
{
	return rt->ops->container_update(rt, id, limits, err);
}

MUST_USE static inline int container_signal(struct runtime *rt, struct str id, int signum,
					    struct err *err)
{
	return rt->ops->container_signal(rt, id, signum, err);
}

/* After renaming log_path: go on in a new file of that name. */
MUST_USE static inline int container_reopen_log(struct runtime *rt, struct str id, struct err *err)
{
	return rt->ops->container_reopen_log(rt, id, err);
}

MUST_USE static inline int container_resize(struct runtime *rt, struct str id, int width,
					    int height, struct err *err)
{
	return rt->ops->container_resize(rt, id, width, height, err);
}

/* A connected SOCK_SEQPACKET socket, the caller's: each packet received is one byte (2 stdout, 3 stderr) and at most 8192 bytes of output; what is
 * sent is input (if spec.stdin). shutdown(SHUT_WR) ends the input. Output of before is in the log only. */
MUST_USE static inline int container_attach(struct runtime *rt, struct str id, struct err *err)
{
	return rt->ops->container_attach(rt, id, err);
}

/* Runs the command as the container's user with its environment and restrictions, without input. */
static inline void exec_sync(struct runtime *rt, const struct exec_spec *spec, exec_done_fn done,
			     void *ctx)
{
	rt->ops->exec_sync(rt, spec, done, ctx);
}

/* The spec is not needed afterwards. The session is valid until events.done, which does not come if this fails. */
MUST_USE static inline int exec_start(struct runtime *rt, const struct exec_spec *spec,
				      const struct exec_events *events, struct exec_session **ret,
				      struct err *err)
{
	return rt->ops->exec_start(rt, spec, events, ret, err);
}

/* Harmless without a tty. */
static inline void exec_resize(struct runtime *rt, struct exec_session *session, int width,
			       int height)
{
	rt->ops->exec_resize(session, width, height);
}

/* SIGKILL for the command; done comes as usual. */
static inline void exec_kill(struct runtime *rt, struct exec_session *session)
{
	rt->ops->exec_kill(session);
}
