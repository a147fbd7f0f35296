/* SPDX-License-Identifier: Apache-2.0 */
/* apiserver/registry.h: which resources are served, and where their objects lie in the store. Keys are upstream's, so that its tools find
 * their way: /registry/pods/NAMESPACE/NAME, /registry/minions/NAME, /registry/GROUP/RESOURCE/NAME for a few. */
#pragma once
#include <stdbool.h>

#include "base/arena.h"
#include "base/map.h"
#include "object/desc.h"

struct registry {
	struct map by_path; /* "group/version/resource" -> struct resource_desc */
};

void registry_init(struct registry *reg);
void registry_fini(struct registry *reg);
/* NULL if no such resource is served. */
const struct resource_desc *registry_find(const struct registry *reg, struct str group,
					  struct str version, struct str resource);
/* By apiVersion ("apps/v1") and kind; NULL. */
const struct resource_desc *registry_find_kind(struct str api_version, struct str kind);
const struct subresource_desc *resource_find_sub(const struct resource_desc *resource,
						 struct str name);
/* The resource whose keys and bytes hold the objects (itself, but for events.k8s.io and autoscaling/v1). */
const struct resource_desc *resource_storage(const struct resource_desc *resource);

/* "/registry/pods/" */
struct str registry_prefix(struct arena *a, const struct resource_desc *resource);
/* The key of one object. ns unset for cluster-scoped resources. */
struct str registry_key(struct arena *a, const struct resource_desc *resource, struct str ns,
			struct str name);
/* [*ret_start, *ret_end): all objects, or those of one namespace. */
void registry_range(struct arena *a, const struct resource_desc *resource, struct str ns,
		    struct str *ret_start, struct str *ret_end);
/* The part behind the prefix: "ns/name" or "name". */
struct str registry_key_tail(const struct resource_desc *resource, struct str key);
