/* SPDX-License-Identifier: Apache-2.0 */
/* rules/pod_spec.h: defaults, validation and warnings of pod specs, wherever they stand: in pods and in the templates of everything that
 * makes pods. Facts: pkg/apis/core/validation, pkg/apis/core/v1/defaults.go, pkg/api/pod/warnings.go. */
#pragma once
#include <stdbool.h>

#include "rules/strategy.h"
#include "types/types.h"

/* What the tables cannot say of a spec: pull policies by image tag, emptyDir for a volume without source, both names of the service
 * account, quantities rounded to thousandths. */
void pod_spec_set_defaults(struct arena *a, struct core_pod_spec *spec);
/* And what holds for pods but not for templates: requests from limits, host ports on the host network, service links. */
void pod_set_defaults(struct arena *a, struct core_pod_spec *spec);
void volume_claim_spec_set_defaults(struct core_persistent_volume_claim_spec *spec);

struct pod_spec_opts {
	/* Of a pod, not of a template: stricter about images, host ports and service account tokens. */
	bool is_pod;
	/* Volumes that containers may mount although the spec has none of that name: those of volumeClaimTemplates. */
	const struct core_persistent_volume_claim *claims;
	size_t nclaims;
};

/* meta: of the pod or template. */
void validate_pod_spec(struct field_errors *errs, const struct path *at,
		       const struct core_pod_spec *spec, const struct meta_object_meta *meta,
		       const struct pod_spec_opts *opts);
/* Labels, annotations and spec of a template. opts may be NULL. */
void validate_pod_template(struct field_errors *errs, const struct path *at,
			   const struct core_pod_template_spec *template,
			   const struct pod_spec_opts *opts);
/* Annotations that mean something to pods. at: the annotations. */
void validate_pod_annotations(struct field_errors *errs, const struct path *at,
			      const struct str_map *annotations, const struct core_pod_spec *spec);

/* at: NULL for a pod, where the template stands otherwise. */
void warn_pod_template(const struct warn_sink *sink, const struct path *at,
		       const struct meta_object_meta *meta, const struct core_pod_spec *spec);

/* ---- parts that stand elsewhere too ---- */

/* lax_values: label values may be anything (preferred terms). */
void validate_node_selector(struct field_errors *errs, const struct path *at,
			    const struct core_node_selector *selector, bool lax_values);
void validate_tolerations(struct field_errors *errs, const struct path *at,
			  const struct core_toleration *p, size_t n);
void validate_host_path(struct field_errors *errs, const struct path *at,
			const struct core_host_path_volume_source *source);
/* One amount of one resource: not negative, whole where it is counted. */
void validate_resource_amount(struct field_errors *errs, const struct path *at, struct str name,
			      struct quantity q);
void validate_resource_name(struct field_errors *errs, const struct path *at, struct str name);
void validate_container_resource_name(struct field_errors *errs, const struct path *at,
				      struct str name);
void validate_resource_requirements(struct field_errors *errs, const struct path *at,
				    const struct core_resource_requirements *r,
				    const struct core_pod_spec *spec, bool pod_level);
void validate_claim_spec(struct field_errors *errs, const struct path *at,
			 const struct core_persistent_volume_claim_spec *spec);
