/* SPDX-License-Identifier: Apache-2.0 */
/* flowcontrol.apiserver.k8s.io/v1 */
#include "base/str.h"
#include "rules/check.h"
#include "rules/names.h"
#include "rules/strategy.h"
#include "types/types.h"

enum { PRECEDENCE_MAX = 10000, QUEUES_MAX = 10 * 1000 * 1000 };

/* ---- FlowSchema ---- */

static void check_subject(struct field_errors *errs, const struct path *at,
			  const struct flowcontrol_subject *s)
{
	static const char *const kinds[] = {"Group", "ServiceAccount", "User", NULL};

	if (str_is(s->kind, "ServiceAccount") && !s->service_account) {
		field_required(errs, AT(at, "serviceAccount"),
			       "serviceAccount is required when subject kind is 'ServiceAccount'");
	} else if (str_is(s->kind, "User") && !s->user) {
		field_required(errs, AT(at, "user"),
			       "user is required when subject kind is 'User'");
	} else if (str_is(s->kind, "Group") && !s->group) {
		field_required(errs, AT(at, "group"),
			       "group is required when subject kind is 'Group'");
	} else if (s->kind.n) {
		check_one_of(errs, AT(at, "kind"), &s->kind, kinds);
	}
	if (s->service_account && str_is(s->kind, "ServiceAccount")) {
		const struct path *account = AT(at, "serviceAccount");

		if (s->service_account->name.n && !str_is(s->service_account->name, "*")) {
			check_name(errs, AT(account, "name"), s->service_account->name,
				   dns_subdomain_faults);
		}
		if (s->service_account->namespace.n) {
			check_name(errs, AT(account, "namespace"), s->service_account->namespace,
				   dns_label_faults);
		} else {
			field_required(errs, AT(account, "namespace"),
				       "must specify namespace for service account");
		}
	}
}

static void check_rule(struct field_errors *errs, const struct path *at,
		       const struct flowcontrol_policy_rules_with_subjects *r)
{
	if (!r->subjects.n) {
		field_required(errs, AT(at, "subjects"),
			       "subjects must contain at least one value");
	}
	for (size_t i = 0; i < r->subjects.n; i++) {
		check_subject(errs, AT_INDEX(AT(at, "subjects"), i), &r->subjects.p[i]);
	}
	if (!r->resource_rules.n && !r->non_resource_rules.n) {
		field_required(
			errs, at,
			"at least one of resourceRules and nonResourceRules has to be non-empty");
	}
	for (size_t i = 0; i < r->resource_rules.n; i++) {
		const struct flowcontrol_resource_policy_rule *rule = &r->resource_rules.p[i];
		const struct path *item = AT_INDEX(AT(at, "resourceRules"), i);

		if (!rule->cluster_scope && !rule->namespaces.n) {
			field_required(errs, AT(item, "namespaces"),
				       "resource rules that are not cluster scoped must supply at "
				       "least one namespace");
		}
	}
}

static void schema_validate(struct field_errors *errs, const void *obj, const void *old UNUSED)
{
	static const char *const methods[] = {"ByNamespace", "ByUser", NULL};
	const struct flowcontrol_flow_schema *s = obj;
	const struct path *at = AT(NULL, "spec");

	if (s->spec.matching_precedence <= 0) {
		field_invalid(errs, AT(at, "matchingPrecedence"),
			      field_int(s->spec.matching_precedence), "must be a positive value");
	} else if (s->spec.matching_precedence > PRECEDENCE_MAX) {
		field_invalid(errs, AT(at, "matchingPrecedence"),
			      field_int(s->spec.matching_precedence), "must not be greater than %d",
			      PRECEDENCE_MAX);
	} else if (s->spec.matching_precedence == 1 && !str_is(s->metadata.name, "exempt")) {
		field_invalid(errs, AT(at, "matchingPrecedence"), field_int(1),
			      "only the schema named 'exempt' may have matchingPrecedence 1");
	}
	if (s->spec.distinguisher_method) {
		check_one_of(errs, AT(AT(at, "distinguisherMethod"), "type"),
			     &s->spec.distinguisher_method->type, methods);
	}
	if (s->spec.priority_level_configuration.name.n) {
		check_name(errs, AT(AT(at, "priorityLevelConfiguration"), "name"),
			   s->spec.priority_level_configuration.name, dns_subdomain_faults);
	}
	for (size_t i = 0; i < s->spec.rules.n; i++) {
		check_rule(errs, AT_INDEX(AT(at, "rules"), i), &s->spec.rules.p[i]);
	}
}

/* ---- PriorityLevelConfiguration ---- */

static void check_queuing(struct field_errors *errs, const struct path *at,
			  const struct flowcontrol_queuing_configuration *q)
{
	if (q->queues <= 0) {
		field_invalid(errs, AT(at, "queues"), field_int(q->queues), "must be positive");
	} else if (q->queues > QUEUES_MAX) {
		field_invalid(errs, AT(at, "queues"), field_int(q->queues),
			      "must not be greater than %d", QUEUES_MAX);
	}
	if (q->queue_length_limit <= 0) {
		field_invalid(errs, AT(at, "queueLengthLimit"), field_int(q->queue_length_limit),
			      "must be positive");
	}
	if (q->hand_size <= 0) {
		field_invalid(errs, AT(at, "handSize"), field_int(q->hand_size),
			      "must be positive");
	} else if (q->hand_size > q->queues) {
		field_invalid(errs, AT(at, "handSize"), field_int(q->hand_size),
			      "should not be greater than queues (%d)", q->queues);
	}
}

static void check_limited(struct field_errors *errs, const struct path *at,
			  const struct flowcontrol_limited_priority_level_configuration *l)
{
	static const char *const types[] = {"Queue", "Reject", NULL};
	const struct path *response = AT(at, "limitResponse");

	if (l->nominal_concurrency_shares && *l->nominal_concurrency_shares < 0) {
		field_invalid(errs, AT(at, "nominalConcurrencyShares"),
			      field_int(*l->nominal_concurrency_shares),
			      "must be a non-negative integer");
	}
	if (l->lendable_percent && (*l->lendable_percent < 0 || *l->lendable_percent > 100)) {
		field_invalid(errs, AT(at, "lendablePercent"), field_int(*l->lendable_percent),
			      "must be between 0 and 100, inclusive");
	}
	if (l->borrowing_limit_percent && *l->borrowing_limit_percent < 0) {
		field_invalid(errs, AT(at, "borrowingLimitPercent"),
			      field_int(*l->borrowing_limit_percent),
			      "if specified, must be a non-negative integer");
	}
	if (l->limit_response.type.n) {
		check_one_of(errs, AT(response, "type"), &l->limit_response.type, types);
	}
	if (str_is(l->limit_response.type, "Reject") && l->limit_response.queuing) {
		field_forbidden(errs, AT(response, "queuing"),
				"must be nil if limited.limitResponse.type is not Limited");
	} else if (str_is(l->limit_response.type, "Queue") && !l->limit_response.queuing) {
		field_required(errs, AT(response, "queuing"),
			       "must not be empty if limited.limitResponse.type is Limited");
	} else if (l->limit_response.queuing) {
		check_queuing(errs, AT(response, "queuing"), l->limit_response.queuing);
	}
}

static void level_validate(struct field_errors *errs, const void *obj, const void *old UNUSED)
{
	static const char *const types[] = {"Exempt", "Limited", NULL};
	const struct flowcontrol_priority_level_configuration_spec *spec =
		&((const struct flowcontrol_priority_level_configuration *)obj)->spec;
	const struct path *at = AT(NULL, "spec");

	if (str_is(spec->type, "Exempt")) {
		if (spec->limited) {
			field_forbidden(errs, AT(at, "limited"),
					"must be nil if the type is not Limited");
		}
	} else if (str_is(spec->type, "Limited")) {
		if (spec->exempt) {
			field_forbidden(errs, AT(at, "exempt"),
					"must be nil if the type is Limited");
		}
		if (spec->limited) {
			check_limited(errs, AT(at, "limited"), spec->limited);
		} else {
			field_required(errs, AT(at, "limited"),
				       "must not be empty when type is Limited");
		}
	} else if (spec->type.n) {
		check_one_of(errs, AT(at, "type"), &spec->type, types);
	}
}

static const struct strategy list[] = {
	{.resource = &resource_flowcontrol_flowschemas,
	 .generation = true,
	 .validate = schema_validate},
	{.resource = &resource_flowcontrol_prioritylevelconfigurations,
	 .generation = true,
	 .validate = level_validate},
};

const struct strategy_list strategies_flowcontrol = {list, ARRAY_LEN(list)};
