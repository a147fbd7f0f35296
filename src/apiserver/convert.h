/* SPDX-License-Identifier: Apache-2.0 */
/* apiserver/convert.h: between two versions of one kind: Events (v1, events.k8s.io/v1) and HorizontalPodAutoscalers (v1, v2). */
#pragma once
#include "base/arena.h"
#include "types/types.h"

/* obj is of resource's storage type; the result is of resource->type and shares its parts. */
struct object_head *convert_from_storage(struct arena *a, const struct resource_desc *resource,
					 struct object_head *obj);
/* The other way. old_stored: what is replaced, of the storage type, NULL on create; what the version cannot say is kept from it. */
struct object_head *convert_to_storage(struct arena *a, const struct resource_desc *resource,
				       struct object_head *obj,
				       const struct object_head *old_stored);
