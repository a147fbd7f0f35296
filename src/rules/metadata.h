/* SPDX-License-Identifier: Apache-2.0 */
/* rules/metadata.h: what labels, annotations, owner references, finalizers and label selectors may be (apimachinery
 * api/validation and apis/meta/v1/validation), with upstream's texts. All append to errs; `at` is the place of the field. */
#pragma once
#include "object/field_error.h"
#include "types/types.h"

enum { ANNOTATIONS_BYTES_MAX = 256 * 1024 };

/* Labels, and maps of labels such as nodeSelector and matchLabels. */
void validate_labels(struct field_errors *errs, const struct path *at,
		     const struct str_map *labels);
/* Keys (in any case) and the total size. */
void validate_annotations(struct field_errors *errs, const struct path *at,
			  const struct str_map *annotations);
/* version, kind, name and uid are there; no Event owns anything; one controller at most. */
void validate_owner_references(struct field_errors *errs, const struct path *at,
			       const struct meta_object_meta *meta);
/* Qualified names; orphan and foregroundDeletion exclude each other; short names of kinds in `standard` groups are those that
 * Kubernetes knows (upstream asks this of built-in kinds). */
void validate_finalizers(struct field_errors *errs, const struct path *at,
			 const struct str_list *finalizers);
/* None but those of the old object, which is being deleted. */
void validate_no_new_finalizers(struct field_errors *errs, const struct path *at,
				const struct str_list *finalizers, const struct str_list *old);
/* Operators, their values, keys and label values. selector may be NULL. */
void validate_label_selector(struct field_errors *errs, const struct path *at,
			     const struct meta_label_selector *selector);
/* metav1.Condition lists: type, status, reason, times. */
void validate_conditions(struct field_errors *errs, const struct path *at,
			 const struct meta_condition *conditions, size_t n);
