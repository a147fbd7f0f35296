/* SPDX-License-Identifier: Apache-2.0 */
/* kubelet/kubelet.h: the node agent: registers the node, keeps its status and lease, and runs the pods that are bound to it. One loop thread.
 *
 * Containers do not depend on it: after kubelet_free, or a crash, the next kubelet_new takes over what runs (invariant I2). */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/log.h"
#include "client/client.h"
#include "env/env.h"
#include "kubelet/network.h"
#include "object/scalar.h"

struct kubelet;
struct runtime;
struct image_store;
struct image_puller;
struct net;
struct edge;

struct kubelet_config {
	struct env *env;
	const struct log *log;
	struct client *client; /* as system:node:NAME */
	struct net *net; /* for HTTP and TCP probes and hooks; NULL (tests): such probes fail */
	struct runtime *runtime; /* not started yet; outlives the kubelet */
	struct image_store *images;
	struct image_puller *puller; /* NULL: only images that were loaded by hand */
	struct pod_network *network; /* NULL: only pods of the host network run */

	struct str node_name, node_ip;
	struct str_map node_labels; /* beside those that describe the machine */
	bool register_node;
	const char *root_dir; /* volumes and files of pods: root_dir/pods/UID; exists */
	const char *log_dir;  /* container logs: log_dir/NS_POD_UID/CONTAINER/N.log */
	struct str cluster_dns, cluster_domain;
	const char *resolv_conf; /* the node's file: /etc/resolv.conf */
	int64_t max_pods;	 /* 110 */
	/* What of the machine belongs to this node, in thousandths of a core and bytes; 0: all of it. */
	int64_t cpu_milli, memory_bytes;
	int port;	       /* of the edge server, for status.daemonEndpoints */
	int64_t log_max_bytes; /* containerLogMaxSize, 10 MiB */
	int log_max_files;     /* containerLogMaxFiles, 5 */
};

/* Strings of the config are borrowed for the kubelet's life. Failures of what it needs (runtime, API server) do not end it: it reports NotReady
 * and tries again. */
struct kubelet *kubelet_new(const struct kubelet_config *config);
/* Forgets; containers go on. No operation may be under way. */
void kubelet_free(struct kubelet *k);
/* The edge server's view of the node (kubelet/edge.h). */
struct edge_node;
const struct edge_node *kubelet_edge_node(struct kubelet *k);
