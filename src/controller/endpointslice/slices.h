/* SPDX-License-Identifier: Apache-2.0 */
/* controller/endpointslice/slices.h: spreads wanted endpoints over EndpointSlices with as few writes as possible: what is in a slice stays
 * there, slices that change anyway are filled first, then the fullest one that can take all the rest, then new ones. Pure. */
#pragma once
#include "controller/endpoints/backends.h"

#define SLICE_SERVICE_NAME "kubernetes.io/service-name"
#define SLICE_MANAGED_BY "endpointslice.kubernetes.io/managed-by"
#define SLICE_MANAGER "endpointslice-controller.k8s.io"
#define SLICE_HEADLESS "service.kubernetes.io/headless"

/* Endpoints that share their ports. */
struct slice_group {
	struct str port_key;
	struct discovery_endpoint_port *ports;
	size_t nports;
	struct discovery_endpoint *endpoints;
	size_t n;
};

struct slice_family {
	const struct snapshot *snapshot;
	struct actions *actions;
	const struct frozen *service;
	struct str address_type;
	size_t max; /* endpoints per slice */
	struct slice_group *groups;
	size_t ngroups;
	const struct discovery_endpoint_slice **existing; /* of this Service and address type */
	size_t nexisting;
};

/* Adds creates, updates and deletes. */
void slices_reconcile(struct slice_family *f);
