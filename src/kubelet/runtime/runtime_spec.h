/* SPDX-License-Identifier: Apache-2.0 */
/* kubelet/runtime/runtime_spec.h: what a sandbox, a container and a command in it are asked to be, and what is known of them. Data only; who owns and
 * borrows what is said in runtime.h. Unset strings and zero mean "not given" unless said otherwise. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "linux/cgroup.h"

enum runtime_qos { QOS_GUARANTEED, QOS_BURSTABLE, QOS_BEST_EFFORT };

struct runtime_pair {
	struct str key, value;
};

struct runtime_pairs {
	const struct runtime_pair *p;
	size_t n;
};

struct runtime_strings {
	const struct str *p;
	size_t n;
};

/* ---- pods ---- */

struct sandbox_spec {
	struct str pod_uid, pod_namespace, pod_name;
	uint32_t attempt;
	struct str
		hostname; /* of the pod's uts namespace; unused with host_network (the node's is seen then) */
	bool host_network, host_pid, host_ipc;
	bool share_process_namespace; /* refused: ERR_UNSUPPORTED */
	enum runtime_qos qos;
	struct cgroup_limits limits; /* of the pod's cgroup; zero: none */
	uint64_t shm_bytes;	     /* of /dev/shm; 0: 64 MiB */
	struct runtime_pairs
		sysctls; /* net.* and kernel.* / fs.mqueue.* of own namespaces; ERR_INVALID for others */
	struct runtime_pairs labels; /* the caller's; kept and given back */
};

struct sandbox_status {
	struct str id; /* 64 hex digits */
	struct str pod_uid, pod_namespace, pod_name;
	uint32_t attempt;
	bool ready;	       /* its namespaces and cgroup exist */
	int64_t created_at_ns; /* wall clock */
	struct str
		net_ns; /* file to enter by setns(2) or give to the pod network; unset with host_network */
	struct str hostname;
	struct str cgroup_path; /* "/kubepods/burstable/pod<uid>" */
	struct runtime_pairs labels;
};

/* ---- containers ---- */

enum runtime_propagation {
	PROPAGATION_PRIVATE,
	PROPAGATION_HOST_TO_CONTAINER,
	PROPAGATION_BIDIRECTIONAL
};

struct runtime_mount {
	struct str
		host_path; /* exists; sub-paths and symbolic links were resolved by the caller (linux/path.h) */
	struct str
		container_path; /* absolute; made if missing, resolved inside the container's root */
	bool read_only;
	bool recursive_read_only; /* also what is mounted below */
	enum runtime_propagation propagation;
};

struct runtime_device {
	struct str host_path, container_path;
	struct str permissions; /* of "rwm" */
};

struct runtime_rlimit {
	struct str name;     /* "nofile" */
	uint64_t soft, hard; /* clamped to our own */
};

enum runtime_seccomp { SECCOMP_RUNTIME_DEFAULT, SECCOMP_UNCONFINED, SECCOMP_LOCALHOST };

#define RUNTIME_ID_UNSET (-1)

struct container_spec {
	struct str sandbox_id;
	struct str name;
	uint32_t attempt;
	struct str image_id;   /* "sha256:.." in the node's image store */
	struct str image_name; /* as the user wrote it; for statuses */
	struct runtime_strings command,
		args; /* override entrypoint and cmd as Kubernetes says (command alone drops the image's cmd) */
	struct runtime_pairs env; /* over the image's */
	struct str working_dir;	  /* unset: the image's, or "/"; made if missing */
	struct runtime_mount *
		mounts; /* in order; those of /etc/hosts, /etc/resolv.conf, /etc/hostname are the caller's */
	size_t n_mounts;
	const struct runtime_device *devices;
	size_t n_devices;
	struct str log_path; /* absolute; directories made */
	bool stdin, stdin_once, tty;
	struct cgroup_limits limits;
	int oom_score_adj; /* raised only: never below our own */
	/* security */
	int64_t run_as_user, run_as_group;  /* RUNTIME_ID_UNSET: the image's. Mind: zero is root */
	const int64_t *supplemental_groups; /* fsGroup included by the caller */
	size_t n_supplemental_groups;
	struct runtime_strings capabilities_add, capabilities_drop; /* "NET_ADMIN", "ALL" */
	bool privileged, read_only_rootfs, no_new_privileges;
	bool unmasked_proc; /* procMount: Unmasked */
	enum runtime_seccomp seccomp;
	struct str
		seccomp_profile; /* localhost: the file's contents (an OCI seccomp object, checked by crun) */
	const struct runtime_rlimit *rlimits;
	size_t n_rlimits;
	struct runtime_pairs annotations; /* of the OCI bundle */
	struct runtime_pairs labels;
};

enum container_state { CONTAINER_CREATED, CONTAINER_RUNNING, CONTAINER_EXITED };

struct container_status {
	struct str id; /* 64 hex digits */
	struct str sandbox_id, pod_uid, pod_namespace, pod_name, name;
	uint32_t attempt;
	enum container_state state;
	int64_t created_at_ns, started_at_ns, finished_at_ns; /* wall clock; 0: not yet */
	int exit_code;					      /* of an exited one */
	/* Of an exited one: "Completed", "Error", "OOMKilled", or "ContainerStatusUnknown" (137: its end was not seen: the machine or
	 * its monitor died). */
	struct str reason, message;
	struct str image_id, image_name, log_path;
	struct str cgroup_path;
	struct str
		writable_dir; /* holds what the container wrote over its image: for disk accounting */
	struct str
		root_dir; /* its root file system on this node while not removed; look into it by linux/path.h only */
	int pid; /* of its first process; 0 unless created or running */
	bool tty, stdin;
	struct runtime_pairs labels;
};

/* ---- running commands in containers ---- */

struct exec_spec {
	struct str container_id;
	struct runtime_strings command;
	bool tty;
	/* Streaming without tty: descriptors for the command, taken over (also on failure); -1: /dev/null. Pipes are better than sockets: a program
	 * may reopen /dev/stdout. */
	int stdin_fd, stdout_fd, stderr_fd;
	size_t output_limit_bytes; /* exec_sync: of each of stdout and stderr; more is dropped */
	int64_t timeout_ms;	   /* 0: none. At the end the command is killed */
};

struct exec_result {
	int exit_code; /* 128 + signal */
	bool timed_out;
	struct str out, err; /* exec_sync; borrowed for the call */
};
