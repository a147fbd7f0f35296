/* SPDX-License-Identifier: Apache-2.0 */
/* rules/affinity.h: does a node match what a pod, a volume or a slice asks for? Pure; allocates nothing. */
#pragma once
#include <stdbool.h>

#include "types/types.h"

/* One term: all its expressions (labels) and fields (metadata.name) hold. A term without any matches nothing. */
bool node_selector_term_matches(const struct core_node_selector_term *term,
				const struct meta_object_meta *node);
/* One of the terms matches; without terms, or NULL, none does. */
bool node_selector_matches(const struct core_node_selector *selector,
			   const struct meta_object_meta *node);
/* The pod's nodeSelector and its required node affinity; what it does not ask for holds. */
bool pod_matches_node(const struct core_pod_spec *spec, const struct meta_object_meta *node);
/* Sum of the weights of the preferred terms that match. An empty preference matches every node. */
int64_t node_affinity_weight(const struct core_pod_spec *spec, const struct meta_object_meta *node);
/* A PersistentVolume's nodeAffinity; NULL: every node. */
bool volume_reaches_node(const struct core_volume_node_affinity *affinity,
			 const struct meta_object_meta *node);
/* Namespaces by name (none given: the pod's own, unless a namespaceSelector stands there) or by their labels, and the label
 * selector, as the scheduler's inter-pod affinity has it. ns_labels: those of the other pod's namespace, NULL if unknown. */
bool pod_affinity_term_matches(const struct core_pod_affinity_term *term, struct str own_namespace,
			       const struct meta_object_meta *other,
			       const struct str_map *ns_labels);
