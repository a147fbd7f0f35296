/* SPDX-License-Identifier: Apache-2.0 */
/* Requests and limits, of containers and of the pod as a whole. */
#include "object/quantity.h"
#include "rules/check.h"
#include "rules/pod.h"
#include "rules/pod_spec.h"
#include "rules/resources.h"

void validate_resource_amount(struct field_errors *errs, const struct path *at, struct str name,
			      struct quantity q)
{
	if (quantity_sign(q) < 0) {
		struct field_value v = quantity_value_text(errs, q);

		field_invalid(errs, at, v, "must be greater than or equal to 0");
	}
	if (resource_name_is_integer(name) && quantity_milli_value(q) % 1000 != 0) {
		struct field_value v = quantity_value_text(errs, q);

		field_invalid(errs, at, v, "must be an integer");
	}
}

void validate_resource_name(struct field_errors *errs, const struct path *at, struct str name)
{
	if (!name_is(name, qualified_name_faults)) {
		check_name(errs, at, name, qualified_name_faults);
	} else if (str_find_char(name, '/') < 0 && !resource_name_is_standard(name)) {
		field_invalid(errs, at, field_str(name),
			      "must be a standard resource type or fully qualified");
	}
}

void validate_container_resource_name(struct field_errors *errs, const struct path *at,
				      struct str name)
{
	validate_resource_name(errs, at, name);
	if (str_find_char(name, '/') < 0) {
		if (!resource_name_is_for_containers(name)) {
			field_invalid(errs, at, field_str(name),
				      "must be a standard resource for containers");
		}
	} else if (!resource_name_is_native(name) && !resource_name_is_extended(name)) {
		field_invalid(errs, at, field_str(name),
			      "doesn't follow extended resource name standard");
	}
}

static void check_name_of(struct field_errors *errs, const struct path *at, struct str name,
			  bool pod_level)
{
	static const char *const supported[] = {"cpu", "hugepages-", "memory", NULL};

	if (!pod_level) {
		validate_container_resource_name(errs, at, name);
	} else if (!str_is(name, "cpu") && !str_is(name, "memory") &&
		   !resource_name_is_hugepages(name)) {
		field_not_supported(errs, at, field_str(name), supported);
	}
}

/* Huge pages come whole. */
static void check_hugepages(struct field_errors *errs, const struct path *at, struct str name,
			    struct quantity q)
{
	struct quantity size;
	struct field_value v;

	if (!resource_name_is_hugepages(name)) {
		return;
	}
	v = quantity_value_text(errs, q);
	if (quantity_read(str_from(name, strlen("hugepages-")), &size, NULL) < 0 ||
	    quantity_value(size) <= 0 || quantity_value(q) % quantity_value(size) != 0) {
		field_invalid(errs, at, v, "%.*s is not positive integer multiple of %.*s",
			      STR_ARG(v.str), STR_ARG(name));
	}
}

static void check_request(struct field_errors *errs, const struct path *at,
			  const struct quantity_pair *request, const struct quantity_map *limits)
{
	const struct quantity *limit = resource_find(limits, request->key);
	bool overcommit = resource_name_allows_overcommit(request->key);
	struct field_value have = quantity_value_text(errs, request->value);
	struct field_value most;

	if (!limit) {
		if (!overcommit) {
			field_required(errs, AT(at, "limits"),
				       "Limit must be set for non overcommitable resources");
		}
		return;
	}
	most = quantity_value_text(errs, *limit);
	if (!overcommit && quantity_cmp(request->value, *limit) != 0) {
		field_invalid(errs, AT(at, "requests"), have, "must be equal to %.*s limit of %.*s",
			      STR_ARG(request->key), STR_ARG(most.str));
	} else if (quantity_cmp(request->value, *limit) > 0) {
		field_invalid(errs, AT(at, "requests"), have,
			      "must be less than or equal to %.*s limit of %.*s",
			      STR_ARG(request->key), STR_ARG(most.str));
	}
}

static bool has_compute(const struct quantity_map *list)
{
	return resource_find(list, STR("cpu")) || resource_find(list, STR("memory"));
}

static bool has_hugepages(const struct quantity_map *list)
{
	for (size_t i = 0; i < list->n; i++) {
		if (resource_name_is_hugepages(list->p[i].key)) {
			return true;
		}
	}
	return false;
}

static void check_claims(struct field_errors *errs, const struct path *at,
			 const struct core_resource_requirements *r,
			 const struct core_pod_spec *spec)
{
	for (size_t i = 0; i < r->claims.n; i++) {
		bool found = false;

		for (size_t j = 0; spec && j < spec->resource_claims.n; j++) {
			found = found ||
				str_eq(spec->resource_claims.p[j].name, r->claims.p[i].name);
		}
		if (!found) {
			field_errors_add(errs, AT_INDEX(at, i), FIELD_ERROR_NOT_FOUND,
					 field_str(r->claims.p[i].name),
					 "must be one of the names in pod.spec.resourceClaims%s",
					 spec && spec->resource_claims.n ? "" : " which is empty");
		}
	}
}

void validate_resource_requirements(struct field_errors *errs, const struct path *at,
				    const struct core_resource_requirements *r,
				    const struct core_pod_spec *spec, bool pod_level)
{
	for (size_t i = 0; i < r->limits.n; i++) {
		const struct quantity_pair *q = &r->limits.p[i];
		const struct path *place = AT_KEY(AT(at, "limits"), q->key);

		check_name_of(errs, place, q->key, pod_level);
		validate_resource_amount(errs, place, q->key, q->value);
		check_hugepages(errs, place, q->key, q->value);
	}
	for (size_t i = 0; i < r->requests.n; i++) {
		const struct quantity_pair *q = &r->requests.p[i];
		const struct path *place = AT_KEY(AT(at, "requests"), q->key);

		check_name_of(errs, place, q->key, pod_level);
		validate_resource_amount(errs, place, q->key, q->value);
		check_request(errs, at, q, &r->limits);
		check_hugepages(errs, place, q->key, q->value);
	}
	if (!has_compute(&r->limits) && !has_compute(&r->requests) &&
	    (has_hugepages(&r->limits) || has_hugepages(&r->requests))) {
		field_forbidden(errs, at, "HugePages require cpu or memory");
	}
	check_claims(errs, AT(at, "claims"), r, spec);
}
