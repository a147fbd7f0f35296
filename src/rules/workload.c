/* SPDX-License-Identifier: Apache-2.0 */
#include "rules/workload.h"

#include "rules/check.h"
#include "rules/metadata.h"
#include "rules/pod_spec.h"
#include "rules/selector.h"

void validate_workload_selector(struct field_errors *errs, const struct path *at,
				const struct meta_label_selector *selector, const char *empty_text)
{
	if (!selector) {
		return;
	}
	validate_label_selector(errs, at, selector);
	if (selector->match_labels.n + selector->match_expressions.n == 0) {
		field_invalid(errs, at, value_json(errs, &type_meta_label_selector, selector), "%s",
			      empty_text);
	}
}

void validate_workload_template(struct field_errors *errs, const struct path *at,
				const struct core_pod_template_spec *template,
				const struct meta_label_selector *selector, const char *kind)
{
	static const char *const policies[] = {"Always", NULL};
	const struct path *spec = AT(at, "spec");

	if (selector && selector->match_labels.n + selector->match_expressions.n > 0 &&
	    !label_selector_matches(selector, &template->metadata.labels)) {
		field_invalid(errs, AT(AT(at, "metadata"), "labels"),
			      value_of(errs, &type_meta_object_meta, &template->metadata, "labels"),
			      "`selector` does not match template `labels`");
	}
	validate_pod_template(errs, at, template, NULL);
	check_one_of(errs, AT(spec, "restartPolicy"), &template->spec.restart_policy, policies);
	if (template->spec.active_deadline_seconds) {
		field_forbidden(errs, AT(spec, "activeDeadlineSeconds"),
				"activeDeadlineSeconds in %s is not Supported", kind);
	}
}

void check_not_more(struct field_errors *errs, const struct path *at, int32_t n, int32_t max,
		    const char *max_name)
{
	if (n > max) {
		field_invalid(errs, at, field_int(n), "cannot be greater than %s", max_name);
	}
}

void check_collision_count(struct field_errors *errs, const struct path *at, const int32_t *n,
			   const int32_t *old)
{
	check_not_negative_ptr(errs, at, n);
	if (old && (!n || *n < *old)) {
		field_invalid(errs, at, field_int(n ? *n : 0), "cannot be decremented");
	}
}

void validate_replica_counts(struct field_errors *errs, const struct path *at,
			     const struct replica_counts *counts)
{
	check_not_negative(errs, AT(at, "replicas"), counts->replicas);
	check_not_negative(errs, AT(at, "fullyLabeledReplicas"), counts->fully_labeled);
	check_not_negative(errs, AT(at, "readyReplicas"), counts->ready);
	check_not_negative(errs, AT(at, "availableReplicas"), counts->available);
	check_not_negative(errs, AT(at, "observedGeneration"), counts->observed_generation);
	check_not_more(errs, AT(at, "fullyLabeledReplicas"), counts->fully_labeled,
		       counts->replicas, "status.replicas");
	check_not_more(errs, AT(at, "readyReplicas"), counts->ready, counts->replicas,
		       "status.replicas");
	check_not_more(errs, AT(at, "availableReplicas"), counts->available, counts->replicas,
		       "status.replicas");
	check_not_more(errs, AT(at, "availableReplicas"), counts->available, counts->ready,
		       "readyReplicas");
}
