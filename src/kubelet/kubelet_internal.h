/* SPDX-License-Identifier: Apache-2.0 */
/* kubelet/kubelet_internal.h: what the files of the kubelet share: the node, its pods, their containers.
 *
 * A pod worker is level-triggered: whatever happens (watch, exit, timer, probe, an operation's end) asks for a pass (pod_worker_kick), and
 * pod_worker_sync looks at what is wanted and what the runtime has, and starts the next operation. The runtime is the memory: a new kubelet
 * finds in it what the old one did. */
#pragma once
#include "base/err.h"
#include "base/list.h"
#include "base/map.h"
#include "client/event_recorder.h"
#include "client/informer.h"
#include "kubelet/edge.h"
#include "kubelet/kubelet.h"
#include "kubelet/runtime/runtime.h"
#include "types/types.h"

struct node_status;

enum { ID_MAX = 80, BACKOFF_FIRST_S = 10, BACKOFF_MAX_S = 300, BACKOFF_RESET_S = 600 };

/* Doubling delays as upstream's flowcontrol.Backoff: forgotten after twice the longest delay. */
struct backoff {
	int64_t delay_ns;   /* 0: none yet */
	int64_t updated_ns; /* mono */
};

enum container_role { ROLE_INIT, ROLE_SIDECAR, ROLE_MAIN };

/* What a container is being asked to do right now: one thing at a time. */
enum container_op { OP_NONE, OP_PULL, OP_CREATE, OP_START, OP_STOP };

struct pod_container {
	struct pod_worker *w;
	char *name;
	enum container_role role;
	enum container_op op;
	char id[ID_MAX];       /* of the newest attempt; "" before the first */
	char previous[ID_MAX]; /* the one before, kept for lastState and logs */
	uint32_t attempt;      /* of id */
	char *image_id;	       /* found or pulled for the attempt under way */
	/* Why it does not run: status.state.waiting. NULL: ContainerCreating or PodInitializing. */
	char *waiting_reason, *waiting_message;
	struct backoff crash, pull;
	int64_t pull_retry_at, retry_at; /* mono; 0: none */
	char *pull_error;
	/* Stopping. */
	bool stop_wanted, stop_sent;
	int64_t stop_grace_ms, stop_deadline; /* mono of SIGKILL */
	/* Of the running attempt. */
	bool started, ready;
};

struct pod_worker {
	struct kubelet *k;
	struct frozen *pod; /* the newest version seen */
	char *uid;
	bool deleted;  /* gone from the API */
	bool adopted;  /* the runtime was asked what it has */
	bool finished; /* phase Succeeded or Failed: nothing is started any more */
	bool stopped;  /* its sandbox is stopped, volumes are gone */
	bool delete_sent;
	char *reason, *message;
	unsigned busy; /* operations under way: it is not freed before they end */
	/* Sandbox. */
	char sandbox[ID_MAX];
	uint32_t sandbox_attempt;
	bool sandbox_busy, net_attached, volumes_made, stop_begun;
	char ip[POD_IP_MAX];
	char *setup_error; /* FailedMount, FailedCreatePodSandBox...: told once */
	int64_t setup_retry_at;
	struct backoff setup;
	struct pod_container *containers; /* init containers and sidecars first */
	size_t n, n_init;
	/* Status. */
	bool patching;
	int64_t acked_revision;
	int64_t patch_retry_at;
	int64_t start_wall_s; /* status.startTime */
	struct env_task task;
	bool queued;
	struct env_timer timer;
	int64_t wake_at;
};

struct kubelet {
	struct kubelet_config config;
	struct informers *informers;
	struct informer *pods, *nodes, *services;
	struct event_recorder *events;
	struct map workers; /* uid -> struct pod_worker */
	struct node_status *node;
	bool runtime_ready, network_started, orphans_checked;
	char *runtime_problem, *network_problem; /* for the Ready condition */
	struct env_timer runtime_retry, housekeeping;
	bool stopping;
	unsigned busy; /* of what is not a pod's */
	struct edge_node edge_node;
};

static inline const struct core_pod *worker_pod(const struct pod_worker *w)
{
	return FROZEN_AS(w->pod, core_pods, struct core_pod);
}

static inline int64_t kubelet_mono(const struct kubelet *k)
{
	return env_mono_ns(k->config.env);
}

static inline int64_t kubelet_wall_s(const struct kubelet *k)
{
	return env_wall_ns(k->config.env) / NS_PER_SEC;
}

/* Replaces a heap string by a copy; NULL clears. */
void set_text(char **to, const char *text);
/* type: Normal or Warning. */
void pod_event(struct pod_worker *w, const char *container, const char *type, const char *reason,
	       const char *fmt, ...) PRINTF(5, 6);

/* ---- backoff.c, pure ---- */
/* Nanoseconds still to wait at `now` after something that ended at `since`; 0: go. */
int64_t backoff_left(const struct backoff *b, int64_t since, int64_t now);
void backoff_next(struct backoff *b, int64_t now);

/* ---- pod_worker.c ---- */
struct pod_worker *pod_worker_new(struct kubelet *k, struct frozen *pod);
/* A newer version, or NULL: it has been deleted. */
void pod_worker_update(struct pod_worker *w, struct frozen *pod);
void pod_worker_kick(struct pod_worker *w);
/* Also later: at the moment `mono` at the latest. */
void pod_worker_wake(struct pod_worker *w, int64_t mono);
void pod_worker_free(struct pod_worker *w);
void pod_worker_exited(struct pod_worker *w, const struct container_status *status);
bool pod_worker_is_stopping(const struct pod_worker *w);
struct pod_container *pod_worker_container(struct pod_worker *w, struct str name);
/* Directory of the pod's files, in the arena. */
struct str pod_dir(struct arena *a, const struct pod_worker *w);
struct str pod_log_dir(struct arena *a, const struct pod_worker *w);
struct str container_log_path(struct arena *a, const struct pod_container *c, uint32_t attempt);

/* ---- pod_setup.c ---- */
/* True when sandbox, network and volumes are there; else the next step is under way or waits. */
bool pod_setup_step(struct pod_worker *w);
/* True when nothing of them is left (files and logs stay). */
bool pod_teardown_step(struct pod_worker *w);
/* Removes what the runtime and the disk keep of it; w is freed at the end. */
void pod_remove(struct pod_worker *w);

/* ---- container.c ---- */
const struct core_container *container_spec_of(const struct pod_container *c);
const struct container_status *container_runtime_status(const struct pod_container *c);
bool container_is_running(const struct pod_container *c);
bool container_has_exited(const struct pod_container *c);
/* Will not run again under the pod's restart policy. */
bool container_is_done(const struct pod_container *c);
/* True when nothing is left to do for it now: it runs (with postStart behind it), waits for a timer, or is done. */
bool container_step(struct pod_container *c);
void container_fini(struct pod_container *c);
void container_wait_for(struct pod_container *c, const char *reason, const char *message);

/* Idempotent; a later call may shorten the grace. why: for the event, NULL: "Stopping container x". */
void container_request_stop(struct pod_container *c, int64_t grace_ms, const char *why);
/* Goes on with a stop that was asked for. True: it has ended. */
bool container_stop_step(struct pod_container *c);

/* ---- container_spec.c ---- */
struct container_build {
	struct arena arena;
	struct container_spec spec;
};
/* Everything the runtime has to know about the attempt. Failures are CreateContainerConfigError. */
MUST_USE int container_build(struct pod_container *c, uint32_t attempt, struct container_build *out,
			     struct err *err);

/* ---- volumes.c ---- */
/* What of the pod this node cannot do: ERR_UNSUPPORTED and which field. */
MUST_USE int pod_check_supported(const struct core_pod *pod, struct err *err);
/* Makes the directories of its volumes. Blocking for the file system only. */
MUST_USE int volumes_make(struct pod_worker *w, struct err *err);
/* Where the volume lies on the node, in the arena. */
MUST_USE int volume_find(struct arena *a, const struct pod_worker *w, struct str name,
			 struct str *ret, struct err *err);

/* ---- env_vars.c, pure ---- */
struct env_list {
	struct runtime_pair *p;
	size_t n;
};
/* $(NAME) by the variables so far, $$ is $; what is not known stays as it is. */
struct str env_expand(struct arena *a, struct str text, const struct env_list *vars);

/* ---- pod_status.c ---- */
/* Computes the status and sends what changed. True when the API has it. */
bool pod_status_step(struct pod_worker *w);
/* The phase as things stand. */
struct str pod_compute_phase(const struct pod_worker *w);

/* ---- edge_node.c ---- */
void edge_node_init(struct kubelet *k);

/* ---- node_status.c ---- */
struct node_status *node_status_new(struct kubelet *k);
void node_status_free(struct node_status *n);
/* Conditions may have changed. */
void node_status_kick(struct node_status *n);
