/* SPDX-License-Identifier: Apache-2.0 */
/* rules/pod_spec_internal.h: the parts of validate_pod_spec. For rules/pod_*.c only. */
#pragma once
#include "rules/check.h"
#include "rules/pod_spec.h"

struct pod_check {
	struct field_errors *errs;
	const struct core_pod_spec *spec;
	bool is_pod;
	/* Volumes that are fine so far: what mounts may name. */
	struct str_set volumes;
};

void pod_check_volumes(struct pod_check *c, const struct path *at);
void pod_check_containers(struct pod_check *c, const struct path *at);
void pod_check_init_containers(struct pod_check *c, const struct path *at);
void pod_check_scheduling(struct pod_check *c, const struct path *at);
void pod_check_security(struct pod_check *c, const struct path *at);
void pod_check_container_security(struct pod_check *c, const struct path *at,
				  const struct core_security_context *sc);
/* A probe of that kind; NULL is fine. */
enum probe_kind { PROBE_LIVENESS, PROBE_READINESS, PROBE_STARTUP };
void pod_check_probe(struct pod_check *c, const struct path *at, const struct core_probe *probe,
		     enum probe_kind kind);
void pod_check_lifecycle(struct pod_check *c, const struct path *at,
			 const struct core_lifecycle *lifecycle);
void pod_check_env(struct pod_check *c, const struct path *at, const struct core_container *ctr);

/* fieldRef: paths is what may be named there, sorted, NULL-terminated. */
void check_field_ref(struct field_errors *errs, const struct path *at,
		     const struct core_object_field_selector *ref, const char *const *paths);
void check_resource_field_ref(struct field_errors *errs, const struct path *at,
			      const struct core_resource_field_selector *ref, bool in_volume);
