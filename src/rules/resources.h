/* SPDX-License-Identifier: Apache-2.0 */
/* rules/resources.h: lists of resources (cpu: 100m, memory: 64Mi): sums, maxima, what fits, and what the names mean. Lists are
 * sorted by name, as all maps of the API. Functions that change a list make its entries anew in the arena. */
#pragma once
#include <stdbool.h>

#include "base/arena.h"
#include "object/scalar.h"

/* NULL if the list does not have it. */
const struct quantity *resource_find(const struct quantity_map *list, struct str name);
/* "0" if the list does not have it. */
struct quantity resource_get(const struct quantity_map *list, struct str name);
void resource_set(struct arena *a, struct quantity_map *list, struct str name, struct quantity q);
/* list += more, list -= less, list = max(list, other), each by name; what `list` does not have counts as 0. */
void resources_add(struct arena *a, struct quantity_map *list, const struct quantity_map *more);
void resources_sub(struct arena *a, struct quantity_map *list, const struct quantity_map *less);
void resources_max(struct arena *a, struct quantity_map *list, const struct quantity_map *other);
/* Every resource asked for is there in that amount; zero always fits. ret_name (may be NULL): the first that is not. */
bool resources_fit(const struct quantity_map *wanted, const struct quantity_map *there,
		   struct str *ret_name);
/* By value, in both directions. */
bool resources_equal(const struct quantity_map *a, const struct quantity_map *b);

/* Everything finer than a thousandth is rounded up, as upstream's defaulting does. */
void resources_round(struct quantity_map *list);

/* ---- names ---- */

/* Without a prefix, or below kubernetes.io. */
bool resource_name_is_native(struct str name);
/* example.com/device */
bool resource_name_is_extended(struct str name);
bool resource_name_is_hugepages(struct str name);
/* Requests may be below limits. */
bool resource_name_allows_overcommit(struct str name);
/* Counted, not measured: pods, services, example.com/device. */
bool resource_name_is_integer(struct str name);
/* What containers may ask for, beyond extended ones: cpu, memory, ephemeral-storage, hugepages-*. */
bool resource_name_is_for_containers(struct str name);
/* What quotas may bound: those and counts of objects. */
bool resource_name_is_for_quota(struct str name);
/* Any name without a prefix that Kubernetes knows. */
bool resource_name_is_standard(struct str name);
