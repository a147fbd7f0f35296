/* SPDX-License-Identifier: Apache-2.0 */
/* kubelet/runtime/crun.h: the runtime of runtime.h by crun, one conmon per container, and the node's own image store.
 *
 *     state_dir/sandboxes/<id>/state.json
 *     state_dir/containers/<id>/   state.json config.json upper/ work/ rootfs/ exit oom conmon.log attach ctl  (conmon's bundle)
 *     run_dir/crun/                crun's own state
 *     run_dir/sandboxes/<id>/      net ipc uts (namespaces) shm/
 *     run_dir/exits/<id>           exit codes, written by conmon, watched with inotify
 *     run_dir/attach/<id>/         sockets
 *
 * state_dir is on a disk and survives a reboot (exited containers and their logs are still known then), run_dir is a tmpfs. */
#pragma once
#include "kubelet/runtime/runtime.h"

struct loop;
struct log;
struct image_store;

struct runtime_config {
	struct loop *loop;
	const struct log *log;		 /* may be NULL */
	struct image_store *images;	 /* outlives the runtime */
	const char *state_dir, *run_dir; /* absolute, made if missing */
	const char *cgroup_root;	 /* NULL: /sys/fs/cgroup */
	const char *cgroup_parent;	 /* below which /kubepods stands; "" or "/path" */
	const char *
		conmon_cgroup; /* where conmons go; NULL: they stay in the cgroup of this process */
	const char *crun, *conmon; /* programs; NULL: looked up */
};

/* ERR_NOT_FOUND names the program that is missing and how to install it. Strings of the config are copied. */
MUST_USE int crun_new(const struct runtime_config *config, struct runtime **ret, struct err *err);

/* "/kubepods/burstable/pod<uid>" below the configured parent, as statuses have it. */
struct arena;
struct str crun_pod_cgroup(const char *parent, enum runtime_qos qos, struct str pod_uid,
			   struct arena *arena);
