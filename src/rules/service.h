/* SPDX-License-Identifier: Apache-2.0 */
/* rules/service.h: what kind of Service it is, and how its linked and allocated fields are filled in and kept. Addresses and node
 * ports are given out by the API server, which knows what is free. Facts: pkg/registry/core/service/strategy.go, storage/alloc.go. */
#pragma once
#include <stdbool.h>

#include "base/arena.h"
#include "types/types.h"

bool service_is_type(const struct core_service *s, const char *type);
/* clusterIP: None */
bool service_is_headless(const struct core_service *s);
/* ClusterIP, NodePort or LoadBalancer: has an address of the cluster, or None. */
bool service_takes_address(const struct core_service *s);
/* NodePort, or LoadBalancer unless allocateLoadBalancerNodePorts is false. */
bool service_takes_node_ports(const struct core_service *s);
/* LoadBalancer with externalTrafficPolicy Local. */
bool service_takes_health_port(const struct core_service *s);
bool service_is_reachable_from_outside(const struct core_service *s);

/* As in struct strategy. After prepare_create and prepare_update the fields that are to be allocated are "" or 0, those that go
 * together (clusterIP and clusterIPs, ipFamilies and ipFamilyPolicy) fit. */
void service_set_defaults(struct arena *a, void *obj);
void service_prepare_create(struct arena *a, void *obj);
void service_prepare_update(struct arena *a, void *obj, const void *old);
