/* SPDX-License-Identifier: Apache-2.0 */
/* resource.k8s.io/v1: dynamic resource allocation. CEL selectors are checked where they are compiled. */
#include "object/quantity.h"
#include "rules/check.h"
#include "rules/names.h"
#include "rules/pod_spec.h"
#include "rules/strategy.h"

enum {
	REQUESTS_MAX = 32,
	SUB_REQUESTS_MAX = 8,
	SELECTORS_MAX = 32,
	DEVICES_MAX = 128,
	DRIVER_NAME_MAX = 63
};

/* ---- defaults ---- */

static void default_count(struct str mode, int64_t *count)
{
	if (!*count && str_is(mode, "ExactCount")) {
		*count = 1;
	}
}

static void claim_spec_defaults(struct resource_resource_claim_spec *spec)
{
	for (size_t i = 0; i < spec->devices.requests.n; i++) {
		struct resource_device_request *r = &spec->devices.requests.p[i];

		if (r->exactly) {
			default_count(r->exactly->allocation_mode, &r->exactly->count);
		}
		for (size_t k = 0; k < r->first_available.n; k++) {
			default_count(r->first_available.p[k].allocation_mode,
				      &r->first_available.p[k].count);
		}
	}
}

static void claim_defaults(struct arena *a UNUSED, void *obj)
{
	claim_spec_defaults(&((struct resource_resource_claim *)obj)->spec);
}

static void template_defaults(struct arena *a UNUSED, void *obj)
{
	claim_spec_defaults(&((struct resource_resource_claim_template *)obj)->spec.spec);
}

static void slice_defaults(struct arena *a, void *obj)
{
	struct resource_resource_slice *s = obj;

	for (size_t i = 0; i < s->spec.devices.n; i++) {
		struct resource_device *d = &s->spec.devices.p[i];

		for (size_t k = 0; k < d->node_allocatable_resource_mappings.n; k++) {
			struct resource_node_allocatable_resource_mapping *m =
				&d->node_allocatable_resource_mappings.p[k].value;

			if (!m->allocation_multiplier) {
				m->allocation_multiplier = ARENA_NEW(a, struct quantity);
				*m->allocation_multiplier = quantity_of_int(1, QUANTITY_DECIMAL_SI);
			}
		}
	}
}

/* ---- ResourceClaim ---- */

static void check_selectors(struct field_errors *errs, const struct path *at,
			    const struct resource_device_selector *selectors, size_t n)
{
	if (n > SELECTORS_MAX) {
		field_too_many(errs, at, n, SELECTORS_MAX);
	}
	for (size_t i = 0; i < n; i++) {
		if (!selectors[i].cel) {
			field_required(errs, AT(AT_INDEX(at, i), "cel"), NULL);
		}
	}
}

static void check_count(struct field_errors *errs, const struct path *at, struct str mode,
			int64_t count)
{
	if (str_is(mode, "All") && count) {
		field_invalid(errs, at, field_int(count),
			      "must not be specified when allocationMode is 'All'");
	} else if (str_is(mode, "ExactCount") && count <= 0) {
		field_invalid(errs, at, field_int(count), "must be greater than zero");
	}
}

static void check_class_name(struct field_errors *errs, const struct path *at, struct str name)
{
	if (name.n) {
		check_name(errs, at, name, dns_subdomain_faults);
	}
}

static void check_sub_requests(struct field_errors *errs, const struct path *at,
			       const struct resource_device_sub_request *subs, size_t n)
{
	struct str_set seen CLEANUP_STR_SET = {0};

	if (n > SUB_REQUESTS_MAX) {
		field_too_many(errs, at, n, SUB_REQUESTS_MAX);
	}
	for (size_t i = 0; i < n; i++) {
		const struct path *item = AT_INDEX(at, i);

		if (subs[i].name.n) {
			check_name(errs, AT(item, "name"), subs[i].name, dns_label_faults);
		}
		if (!str_set_add(&seen, subs[i].name)) {
			field_duplicate(errs, item, field_str(subs[i].name));
		}
		check_class_name(errs, AT(item, "deviceClassName"), subs[i].device_class_name);
		check_selectors(errs, AT(item, "selectors"), subs[i].selectors.p,
				subs[i].selectors.n);
		check_count(errs, AT(item, "count"), subs[i].allocation_mode, subs[i].count);
	}
}

static void check_request(struct field_errors *errs, const struct path *at,
			  const struct resource_device_request *r)
{
	const struct path *exactly = AT(at, "exactly");

	if (r->name.n) {
		check_name(errs, AT(at, "name"), r->name, dns_label_faults);
	}
	if (!r->exactly && !r->first_available.n) {
		field_required(errs, at,
			       "exactly one of `exactly` or `firstAvailable` is required");
	} else if (r->exactly && r->first_available.n) {
		field_invalid(errs, at, field_json(STR("null")),
			      "exactly one of `exactly` or `firstAvailable` is required, but "
			      "multiple fields are set");
	} else if (r->exactly) {
		check_class_name(errs, AT(exactly, "deviceClassName"),
				 r->exactly->device_class_name);
		check_selectors(errs, AT(exactly, "selectors"), r->exactly->selectors.p,
				r->exactly->selectors.n);
		check_count(errs, AT(exactly, "count"), r->exactly->allocation_mode,
			    r->exactly->count);
	} else {
		check_sub_requests(errs, AT(at, "firstAvailable"), r->first_available.p,
				   r->first_available.n);
	}
}

/* "request" or "request/subrequest". */
static bool names_request(const struct resource_device_claim *claim, struct str name)
{
	ptrdiff_t slash = str_find_char(name, '/');
	struct str request = {name.p, slash < 0 ? name.n : (size_t)slash};
	struct str sub = slash < 0 ? STR("") : str_from(name, (size_t)slash + 1);

	for (size_t i = 0; i < claim->requests.n; i++) {
		const struct resource_device_request *r = &claim->requests.p[i];

		if (!str_eq(r->name, request)) {
			continue;
		}
		for (size_t k = 0; slash >= 0 && k < r->first_available.n; k++) {
			if (str_eq(r->first_available.p[k].name, sub)) {
				return true;
			}
		}
		return slash < 0;
	}
	return false;
}

static void check_request_refs(struct field_errors *errs, const struct path *at,
			       const struct resource_device_claim *claim,
			       const struct str_list *names)
{
	for (size_t i = 0; i < names->n; i++) {
		if (!names_request(claim, names->p[i])) {
			field_invalid(errs, AT_INDEX(at, i), field_str(names->p[i]),
				      "must be the name of a request in the claim or the name of a "
				      "request and a "
				      "subrequest separated by '/'");
		}
	}
}

static void check_claim(struct field_errors *errs, const struct path *at,
			const struct resource_device_claim *claim)
{
	struct str_set seen CLEANUP_STR_SET = {0};

	if (claim->requests.n > REQUESTS_MAX) {
		field_too_many(errs, AT(at, "requests"), claim->requests.n, REQUESTS_MAX);
	}
	for (size_t i = 0; i < claim->requests.n; i++) {
		check_request(errs, AT_INDEX(AT(at, "requests"), i), &claim->requests.p[i]);
		if (!str_set_add(&seen, claim->requests.p[i].name)) {
			field_duplicate(errs, AT_INDEX(AT(at, "requests"), i),
					field_str(claim->requests.p[i].name));
		}
	}
	for (size_t i = 0; i < claim->constraints.n; i++) {
		const struct resource_device_constraint *c = &claim->constraints.p[i];
		const struct path *item = AT_INDEX(AT(at, "constraints"), i);

		check_request_refs(errs, AT(item, "requests"), claim, &c->requests);
		if (!c->match_attribute && !c->distinct_attribute) {
			field_required(errs, AT(item, "matchAttribute"), NULL);
		}
	}
	for (size_t i = 0; i < claim->config.n; i++) {
		const struct path *item = AT_INDEX(AT(at, "config"), i);

		check_request_refs(errs, AT(item, "requests"), claim, &claim->config.p[i].requests);
		if (!claim->config.p[i].opaque) {
			field_required(errs, AT(item, "opaque"), NULL);
		}
	}
}

static void claim_validate(struct field_errors *errs, const void *obj, const void *old)
{
	const struct resource_resource_claim *c = obj;

	if (!old) {
		check_claim(errs, AT(AT(NULL, "spec"), "devices"), &c->spec.devices);
	}
}

static void template_validate(struct field_errors *errs, const void *obj, const void *old)
{
	const struct resource_resource_claim_template *t = obj;

	if (!old) {
		check_claim(errs, AT(AT(AT(NULL, "spec"), "spec"), "devices"),
			    &t->spec.spec.devices);
	}
}

/* ---- DeviceClass, ResourceSlice ---- */

static void class_validate(struct field_errors *errs, const void *obj, const void *old UNUSED)
{
	const struct resource_device_class *c = obj;
	const struct path *at = AT(NULL, "spec");

	check_selectors(errs, AT(at, "selectors"), c->spec.selectors.p, c->spec.selectors.n);
	for (size_t i = 0; i < c->spec.config.n; i++) {
		if (!c->spec.config.p[i].opaque) {
			field_required(errs, AT(AT_INDEX(AT(at, "config"), i), "opaque"), NULL);
		}
	}
}

static void check_slice_nodes(struct field_errors *errs, const struct path *at,
			      const struct resource_resource_slice_spec *spec)
{
	const char *which = "exactly one of `nodeName`, `nodeSelector`, `allNodes`, "
			    "`perDeviceNodeSelection` is required";
	int n = (spec->node_name && spec->node_name->n) + (spec->node_selector != NULL) +
		(spec->all_nodes && *spec->all_nodes) +
		(spec->per_device_node_selection && *spec->per_device_node_selection);

	if (!n) {
		field_required(errs, at, "%s", which);
	} else if (n > 1) {
		field_invalid(errs, at, field_json(STR("null")), "%s, but multiple fields are set",
			      which);
	}
	if (spec->node_name && spec->node_name->n) {
		check_name(errs, AT(at, "nodeName"), *spec->node_name, dns_subdomain_faults);
	}
	if (spec->node_selector) {
		validate_node_selector(errs, AT(at, "nodeSelector"), spec->node_selector, false);
	}
}

static void slice_validate(struct field_errors *errs, const void *obj, const void *old)
{
	const struct resource_resource_slice_spec *spec =
		&((const struct resource_resource_slice *)obj)->spec;
	const struct path *at = AT(NULL, "spec");
	struct str_set seen CLEANUP_STR_SET = {0};

	if (spec->driver.n > DRIVER_NAME_MAX) {
		field_too_long(errs, AT(at, "driver"), DRIVER_NAME_MAX);
	} else if (spec->driver.n) {
		check_name(errs, AT(at, "driver"), spec->driver, dns_subdomain_faults);
	}
	if (spec->pool.resource_slice_count <= 0) {
		field_invalid(errs, AT(AT(at, "pool"), "resourceSliceCount"),
			      field_int(spec->pool.resource_slice_count),
			      "must be greater than zero");
	}
	if (spec->pool.generation < 0) {
		field_invalid(errs, AT(AT(at, "pool"), "generation"),
			      field_int(spec->pool.generation),
			      "must be greater than or equal to zero");
	}
	check_slice_nodes(errs, at, spec);
	if (spec->devices.n > DEVICES_MAX) {
		field_too_many(errs, AT(at, "devices"), spec->devices.n, DEVICES_MAX);
	}
	for (size_t i = 0; i < spec->devices.n; i++) {
		const struct path *name = AT(AT_INDEX(AT(at, "devices"), i), "name");

		if (spec->devices.p[i].name.n) {
			check_name(errs, name, spec->devices.p[i].name, dns_label_faults);
		}
		if (!str_set_add(&seen, spec->devices.p[i].name)) {
			field_duplicate(errs, name, field_str(spec->devices.p[i].name));
		}
	}
	if (old) {
		const struct resource_resource_slice *was = old;

		check_unchanged(errs, AT(at, "driver"), &type_resource_resource_slice_spec, spec,
				&was->spec, "driver");
		check_unchanged(errs, AT(at, "nodeName"), &type_resource_resource_slice_spec, spec,
				&was->spec, "nodeName");
	}
}

static const struct strategy list[] = {
	{
		.resource = &resource_resource_resourceclaims,
		.set_defaults = claim_defaults,
		.validate = claim_validate,
	},
	{
		.resource = &resource_resource_resourceclaimtemplates,
		.set_defaults = template_defaults,
		.validate = template_validate,
	},
	{.resource = &resource_resource_deviceclasses,
	 .generation = true,
	 .validate = class_validate},
	{
		.resource = &resource_resource_resourceslices,
		.generation = true,
		.set_defaults = slice_defaults,
		.validate = slice_validate,
	},
};

const struct strategy_list strategies_resource = {list, ARRAY_LEN(list)};
