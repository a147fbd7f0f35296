/* SPDX-License-Identifier: Apache-2.0 */
/* LimitRanges and ResourceQuotas. */
#include "object/object.h"
#include "object/quantity.h"
#include "rules/check.h"
#include "rules/pod_spec.h"
#include "rules/resources.h"

/* ---- LimitRange ---- */

static void fill(struct arena *a, struct quantity_map *list, const struct quantity_map *from)
{
	for (size_t i = 0; i < from->n; i++) {
		if (!resource_find(list, from->p[i].key)) {
			resource_set(a, list, from->p[i].key, from->p[i].value);
		}
	}
}

static void limit_range_defaults(struct arena *a, void *obj)
{
	struct core_limit_range *range = obj;

	for (size_t i = 0; i < range->spec.limits.n; i++) {
		struct core_limit_range_item *item = &range->spec.limits.p[i];
		struct quantity_map *const lists[] = {&item->min, &item->max, &item->default_,
						      &item->default_request,
						      &item->max_limit_request_ratio};

		for (size_t j = 0; j < ARRAY_LEN(lists); j++) {
			resources_round(lists[j]);
		}
		if (str_is(item->type, "Container")) {
			fill(a, &item->default_, &item->max);
			fill(a, &item->default_request, &item->default_);
			fill(a, &item->default_request, &item->min);
		}
	}
}

static void check_limit_name(struct field_errors *errs, const struct path *at, struct str type,
			     struct str name)
{
	if (str_is(type, "Pod") || str_is(type, "Container")) {
		validate_container_resource_name(errs, at, name);
	} else {
		validate_resource_name(errs, at, name);
	}
}

static void check_limit_names(struct field_errors *errs, const struct path *at, struct str type,
			      const struct quantity_map *list)
{
	for (size_t i = 0; i < list->n; i++) {
		check_limit_name(errs, AT_KEY(at, list->p[i].key), type, list->p[i].key);
	}
}

/* For each resource in both lists, small is not larger than large. show: whose value the message shows. */
static void check_order(struct field_errors *errs, const struct path *at,
			const struct quantity_map *small, const struct quantity_map *large,
			const struct quantity_map *show, const char *what, const char *than)
{
	for (size_t i = 0; i < small->n; i++) {
		struct str name = small->p[i].key;
		const struct quantity *most = resource_find(large, name);
		struct field_value low;
		struct field_value high;

		if (!most || quantity_cmp(small->p[i].value, *most) <= 0) {
			continue;
		}
		low = quantity_value_text(errs, small->p[i].value);
		high = quantity_value_text(errs, *most);
		field_invalid(errs, AT_KEY(at, name), show == small ? low : high,
			      "%s value %.*s is greater than %s value %.*s", what, STR_ARG(low.str),
			      than, STR_ARG(high.str));
	}
}

static void check_ratios(struct field_errors *errs, const struct path *at,
			 const struct core_limit_range_item *item)
{
	for (size_t i = 0; i < item->max_limit_request_ratio.n; i++) {
		const struct quantity_pair *r = &item->max_limit_request_ratio.p[i];
		const struct quantity *min = resource_find(&item->min, r->key);
		const struct quantity *max = resource_find(&item->max, r->key);
		const struct path *place = AT_KEY(AT(at, "maxLimitRequestRatio"), r->key);
		struct field_value text = quantity_value_text(errs, r->value);
		double most;

		if (quantity_cmp(r->value, quantity_of_int(1, QUANTITY_DECIMAL_SI)) < 0) {
			field_invalid(errs, place, text, "ratio %.*s is less than 1",
				      STR_ARG(text.str));
		}
		if (!min || !max || quantity_sign(*min) <= 0) {
			continue;
		}
		most = quantity_to_double(*max) / quantity_to_double(*min);
		if (quantity_to_double(r->value) > most) {
			field_invalid(errs, place, text, "ratio %.*s is greater than max/min = %f",
				      STR_ARG(text.str), most);
		}
	}
}

static void check_limit_type(struct field_errors *errs, const struct path *at, struct str type)
{
	static const char *const types[] = {"Pod", "Container", "PersistentVolumeClaim", NULL};

	if (!name_is(type, qualified_name_faults)) {
		check_name(errs, at, type, qualified_name_faults);
	} else if (str_find_char(type, '/') < 0 && !is_one_of(type, types)) {
		field_invalid(errs, at, field_str(type),
			      "must be a standard limit type or fully qualified");
	}
}

static void check_limit(struct field_errors *errs, const struct path *at,
			const struct core_limit_range_item *item)
{
	static const struct str storage = STR_INIT("storage");

	check_limit_type(errs, AT(at, "type"), item->type);
	check_limit_names(errs, AT(at, "max"), item->type, &item->max);
	check_limit_names(errs, AT(at, "min"), item->type, &item->min);
	if (str_is(item->type, "Pod")) {
		if (item->default_.n) {
			field_forbidden(errs, AT(at, "default"),
					"may not be specified when `type` is 'Pod'");
		}
		if (item->default_request.n) {
			field_forbidden(errs, AT(at, "defaultRequest"),
					"may not be specified when `type` is 'Pod'");
		}
	} else {
		check_limit_names(errs, AT(at, "default"), item->type, &item->default_);
		check_limit_names(errs, AT(at, "defaultRequest"), item->type,
				  &item->default_request);
	}
	if (str_is(item->type, "PersistentVolumeClaim") && !resource_find(&item->min, storage) &&
	    !resource_find(&item->max, storage)) {
		field_required(errs, AT(at, "limits"),
			       "either minimum or maximum storage value is required, but neither "
			       "was provided");
	}
	check_limit_names(errs, AT(at, "maxLimitRequestRatio"), item->type,
			  &item->max_limit_request_ratio);
	check_order(errs, AT(at, "min"), &item->min, &item->max, &item->min, "min", "max");
	check_order(errs, AT(at, "defaultRequest"), &item->min, &item->default_request,
		    &item->default_request, "min", "default request");
	check_order(errs, AT(at, "defaultRequest"), &item->default_request, &item->max,
		    &item->default_request, "default request", "max");
	check_order(errs, AT(at, "defaultRequest"), &item->default_request, &item->default_,
		    &item->default_request, "default request", "default limit");
	check_order(errs, AT(at, "default"), &item->min, &item->default_, &item->min, "min",
		    "default");
	check_order(errs, AT(at, "default"), &item->default_, &item->max, &item->max, "default",
		    "max");
	check_ratios(errs, at, item);
}

static void limit_range_validate(struct field_errors *errs, const void *obj, const void *old UNUSED)
{
	const struct core_limit_range *range = obj;
	const struct path *at = AT(AT(NULL, "spec"), "limits");
	struct str_set types CLEANUP_STR_SET = {0};

	for (size_t i = 0; i < range->spec.limits.n; i++) {
		const struct core_limit_range_item *item = &range->spec.limits.p[i];

		check_limit(errs, AT_INDEX(at, i), item);
		if (!str_set_add(&types, item->type)) {
			field_duplicate(errs, AT(AT_INDEX(at, i), "type"), field_str(item->type));
		}
	}
}

/* ---- ResourceQuota ---- */

static void quota_defaults(struct arena *a UNUSED, void *obj)
{
	struct core_resource_quota *q = obj;

	resources_round(&q->spec.hard);
	resources_round(&q->status.hard);
	resources_round(&q->status.used);
}

static void check_amounts(struct field_errors *errs, const struct path *at,
			  const struct quantity_map *list)
{
	for (size_t i = 0; i < list->n; i++) {
		struct str name = list->p[i].key;
		const struct path *place = AT_KEY(at, name);

		/* count/deployments.apps counts any kind. */
		validate_resource_name(errs, place, name);
		if (str_find_char(name, '/') < 0 && name_is(name, qualified_name_faults) &&
		    !resource_name_is_for_quota(name)) {
			field_invalid(errs, place, field_str(name),
				      "must be a standard resource for quota");
		}
		validate_resource_amount(errs, place, name, list->p[i].value);
	}
}

static bool has(const struct str_list *list, struct str want)
{
	for (size_t i = 0; i < list->n; i++) {
		if (str_eq(list->p[i], want)) {
			return true;
		}
	}
	return false;
}

/* Which scopes make sense for a resource that Kubernetes counts itself. */
static bool scope_fits(struct str scope, struct str resource)
{
	static const char *const compute[] = {
		"cpu",		"memory",	   "limits.cpu", "limits.memory",
		"requests.cpu", "requests.memory", "pods",	 NULL};

	if (str_is(scope, "BestEffort")) {
		return str_is(resource, "pods");
	}
	if (str_is(scope, "Terminating") || str_is(scope, "NotTerminating") ||
	    str_is(scope, "NotBestEffort") || str_is(scope, "PriorityClass") ||
	    str_is(scope, "CrossNamespacePodAffinity")) {
		return is_one_of(resource, compute);
	}
	return true;
}

static void check_scope_resources(struct field_errors *errs, const struct path *at,
				  struct field_value shown, struct str scope,
				  const struct quantity_map *hard)
{
	for (size_t i = 0; i < hard->n; i++) {
		if (resource_name_is_for_quota(hard->p[i].key) &&
		    !scope_fits(scope, hard->p[i].key)) {
			field_invalid(errs, at, shown, "unsupported scope applied to resource");
		}
	}
}

static void check_scopes(struct field_errors *errs, const struct path *at,
			 const struct core_resource_quota_spec *spec)
{
	const struct str_list *scopes = &spec->scopes;
	struct field_value shown = strings_json(errs, scopes);

	for (size_t i = 0; i < scopes->n; i++) {
		check_scope_resources(errs, at, shown, scopes->p[i], &spec->hard);
	}
	if ((has(scopes, STR("BestEffort")) && has(scopes, STR("NotBestEffort"))) ||
	    (has(scopes, STR("Terminating")) && has(scopes, STR("NotTerminating")))) {
		field_invalid(errs, at, shown, "conflicting scopes");
	}
}

static void check_scope_selector(struct field_errors *errs, const struct path *at,
				 const struct core_resource_quota_spec *spec)
{
	for (size_t i = 0; i < spec->scope_selector->match_expressions.n; i++) {
		const struct core_scoped_resource_selector_requirement *r =
			&spec->scope_selector->match_expressions.p[i];
		bool only_exists = !str_is(r->scope_name, "PriorityClass") &&
				   !str_is(r->scope_name, "VolumeAttributesClass");

		if (only_exists && !str_is(r->operator, "Exists")) {
			field_invalid(
				errs, AT(at, "operator"), field_str(r->operator),
				"must be 'Exists' when scope is any of "
				"ResourceQuotaScopeTerminating, "
				"ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, "
				"ResourceQuotaScopeNotBestEffort or "
				"ResourceQuotaScopeCrossNamespacePodAffinity");
		}
		if ((str_is(r->operator, "In") || str_is(r->operator, "NotIn")) && !r->values.n) {
			field_required(errs, AT(at, "values"),
				       "must be at least one value when `operator` is 'In' or "
				       "'NotIn' for scope "
				       "selector");
		} else if ((str_is(r->operator, "Exists") || str_is(r->operator, "DoesNotExist")) &&
			   r->values.n) {
			field_invalid(errs, AT(at, "values"), strings_json(errs, &r->values),
				      "must be no value when `operator` is 'Exist' or "
				      "'DoesNotExist' for scope "
				      "selector");
		}
	}
}

static bool same_set(const struct str_list *a, const struct str_list *b)
{
	for (size_t i = 0; i < a->n; i++) {
		if (!has(b, a->p[i])) {
			return false;
		}
	}
	return true;
}

static void quota_validate(struct field_errors *errs, const void *obj, const void *old_obj)
{
	const struct core_resource_quota_spec *spec =
		&((const struct core_resource_quota *)obj)->spec;
	const struct core_resource_quota *old = old_obj;
	const struct path *at = AT(NULL, "spec");

	check_amounts(errs, AT(at, "hard"), &spec->hard);
	check_scopes(errs, AT(at, "scopes"), spec);
	if (spec->scope_selector) {
		check_scope_selector(errs, AT(AT(at, "scopeSelector"), "matchExpressions"), spec);
	}
	if (old && (!same_set(&spec->scopes, &old->spec.scopes) ||
		    !same_set(&old->spec.scopes, &spec->scopes))) {
		field_invalid(errs, AT(at, "scopes"), strings_json(errs, &spec->scopes),
			      "field is immutable");
	}
}

static void quota_validate_status(struct field_errors *errs, const void *obj,
				  const void *old UNUSED)
{
	const struct core_resource_quota_status *s =
		&((const struct core_resource_quota *)obj)->status;

	check_amounts(errs, AT(AT(NULL, "status"), "hard"), &s->hard);
	check_amounts(errs, AT(AT(NULL, "status"), "used"), &s->used);
}

static const struct strategy list[] = {
	{
		.resource = &resource_core_limitranges,
		.create_on_update = true,
		.set_defaults = limit_range_defaults,
		.validate = limit_range_validate,
	},
	{
		.resource = &resource_core_resourcequotas,
		.set_defaults = quota_defaults,
		.validate = quota_validate,
		.validate_status = quota_validate_status,
	},
};

const struct strategy_list strategies_core_limits = {list, ARRAY_LEN(list)};
