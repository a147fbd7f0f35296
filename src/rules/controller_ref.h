/* SPDX-License-Identifier: Apache-2.0 */
/* rules/controller_ref.h: which controller an object belongs to (upstream's metav1.GetControllerOf and NewControllerRef). */
#pragma once
#include <stdbool.h>

#include "base/arena.h"
#include "object/desc.h"
#include "types/types.h"

/* The owner reference with controller: true, or NULL. */
const struct meta_owner_reference *controller_of(const struct meta_object_meta *meta);
bool is_controlled_by(const struct meta_object_meta *meta, struct str uid);
/* A reference to owner (of resource), as its controller that blocks foreground deletion. Strings are copied to the arena. */
struct meta_owner_reference controller_ref_make(struct arena *a,
						const struct resource_desc *resource,
						const struct meta_object_meta *owner);
/* The group of apiVersion: "apps" of "apps/v1", "" of "v1". */
struct str owner_group(const struct meta_owner_reference *ref);
/* The reference means objects of that group and kind. */
bool owner_is_kind(const struct meta_owner_reference *ref, struct str group, struct str kind);
/* "namespace/name", or "name" where there is no namespace: the key of a work queue. */
struct str object_key(struct arena *a, const struct meta_object_meta *meta);
/* "namespace/owner's name". */
struct str owner_key(struct arena *a, const struct meta_object_meta *meta,
		     const struct meta_owner_reference *ref);
/* "apps/v1", "v1". */
struct str api_version_of(struct arena *a, const struct resource_desc *resource);
