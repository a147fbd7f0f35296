/* SPDX-License-Identifier: Apache-2.0 */
/* controller/endpoints/backends.h: which pods stand behind a Service and on which ports: what the EndpointSlice and the Endpoints controller
 * share. */
#pragma once
#include "controller/controller.h"

/* Pods by "NAMESPACE/LABEL=VALUE", for each of their labels. */
extern const struct informer_index_desc index_pods_by_label;

/* A target port of the Service on one pod. */
struct backend_port {
	const struct core_service_port *port;
	int32_t number;
};

struct backend {
	const struct core_pod *pod;
	struct backend_port *ports; /* those that the pod has, in the Service's order */
	size_t nports;
	struct str port_key; /* equal for pods with equal ports */
};

struct backends {
	struct backend *p;
	size_t n;
};

/* False: the Service has no endpoints made by a controller (no selector, or ExternalName). */
bool backends_are_managed(const struct core_service *service);
/* Pods that have an address and are not terminal; terminating ones too. A pod that has none of the Service's ports is left out, unless
 * the Service is headless and has no ports. */
struct backends backends_find(const struct snapshot *snapshot, const struct core_service *service);
bool backends_is_headless(const struct core_service *service);
/* A stateful pod that is addressed by name below this Service. */
bool backends_has_hostname(const struct core_service *service, const struct core_pod *pod);

/* Keys functions: of the Services that select the pod before or after a change that matters. */
void backends_pod_keys(struct informers *informers, const struct frozen *old,
		       const struct frozen *new_, enqueue_fn enqueue, void *ctx);
