/* SPDX-License-Identifier: Apache-2.0 */
/* kubelet/runtime/oci_spec.h: the config.json of an OCI bundle from what the kubelet asks for and what the image says. Pure but for reading our own
 * limits (bounding set, rlimits, oom score) and listing /dev for privileged containers. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "kubelet/images/oci.h"
#include "kubelet/runtime/oci_user.h"
#include "kubelet/runtime/runtime.h"

struct oci_spec_input {
	const struct container_spec *spec;
	const struct oci_config *image;
	const struct oci_user *user;
	struct str hostname;
	struct str net_ns, ipc_ns, uts_ns; /* files; unset: the node's own */
	bool host_pid;
	struct str shm_dir;	/* bound to /dev/shm */
	struct str cgroup_path; /* of the container */
	bool cgroup_v2;
};

/* Appends the document. ERR_INVALID for a spec that makes no sense (no command, unknown capability, relative path). */
MUST_USE int oci_spec_write(const struct oci_spec_input *in, struct buf *out, struct err *err);

/* The command that runs: command + args over the image's entrypoint + cmd. In the arena. */
struct runtime_strings oci_spec_args(const struct container_spec *spec,
				     const struct oci_config *image, struct arena *arena);

/* The "process" of a written config.json changed to run another command: for exec. */
MUST_USE int oci_spec_exec(struct str config_json, struct runtime_strings command, bool tty,
			   struct buf *out, struct err *err);

/* A name ("SIGTERM", "TERM", "15", "RTMIN+3") to its number; SIGTERM for what is unset or unknown. */
int oci_spec_signal(struct str name);
