/* SPDX-License-Identifier: Apache-2.0 */
/* kubelet/network.h: what the kubelet asks of the pod network, as a table (podnet and CNI fill it in; tests bring their own). Calls come
 * from the loop's thread and block for the kernel only, some milliseconds. */
#pragma once
#include "base/err.h"
#include "base/str.h"

struct pod_network;

enum { POD_IP_MAX = 56, POD_PORTS_MAX = 64 };

struct pod_network_port {
	struct str protocol; /* TCP, UDP, SCTP */
	int host_port, container_port;
	struct str host_ip; /* unset: all addresses of the node */
};

struct pod_network_pod {
	struct str sandbox;
	struct str net_ns; /* file to enter */
	const struct pod_network_port *ports;
	size_t n_ports;
};

struct pod_network_ops {
	/* The node has got its pod CIDR. Idempotent; before it nothing else is called. */
	int (*start)(struct pod_network *network, struct str pod_cidr, struct err *err);
	/* Idempotent: an attached pod keeps its address. */
	int (*attach)(struct pod_network *network, const struct pod_network_pod *pod,
		      char ret_ip[POD_IP_MAX], struct err *err);
	/* Idempotent, also when the namespace is gone. */
	int (*detach)(struct pod_network *network, struct str sandbox, struct err *err);
	/* ERR_NOT_FOUND if it is not attached. */
	int (*find)(struct pod_network *network, struct str sandbox, char ret_ip[POD_IP_MAX]);
	/* Another node's pods; again when something changes. */
	int (*set_node)(struct pod_network *network, struct str name, struct str node_ip,
			struct str pod_cidr, struct err *err);
	int (*remove_node)(struct pod_network *network, struct str name, struct err *err);
};

struct pod_network {
	const struct pod_network_ops *ops;
};
