/* SPDX-License-Identifier: Apache-2.0 */
/* rules/workload.h: what everything that keeps pods running has in common. `kind` stands in messages. */
#pragma once
#include "object/field_error.h"
#include "types/types.h"

/* The selector of a kind that must have one: there (the table has said so if it is not), well-formed, not empty. */
void validate_workload_selector(struct field_errors *errs, const struct path *at,
				const struct meta_label_selector *selector, const char *empty_text);
/* The template; its labels match the selector (NULL: not asked); its pods are restarted always and have no deadline. */
void validate_workload_template(struct field_errors *errs, const struct path *at,
				const struct core_pod_template_spec *template,
				const struct meta_label_selector *selector, const char *kind);

/* Of a ReplicaSet or ReplicationController. */
struct replica_counts {
	int32_t replicas;
	int32_t fully_labeled;
	int32_t ready;
	int32_t available;
	int64_t observed_generation;
};

void validate_replica_counts(struct field_errors *errs, const struct path *at,
			     const struct replica_counts *counts);
/* Appends if n > max: "cannot be greater than status.replicas". */
void check_not_more(struct field_errors *errs, const struct path *at, int32_t n, int32_t max,
		    const char *max_name);
/* A collision count only grows. */
void check_collision_count(struct field_errors *errs, const struct path *at, const int32_t *n,
			   const int32_t *old);
