/* SPDX-License-Identifier: Apache-2.0 */
/* storage.k8s.io/v1 */
#include "object/object.h"
#include "object/quantity.h"
#include "rules/check.h"
#include "rules/metadata.h"
#include "rules/strategy.h"
#include "types/types.h"

enum {
	PARAMETERS_MAX = 512,
	PARAMETERS_BYTES_MAX = 256 * 1024,
	DRIVER_NAME_MAX = 63,
	NODE_ID_MAX = 256
};

static struct str to_lower(struct arena *a, struct str s)
{
	char *p = arena_bytes(a, s.n);

	for (size_t i = 0; i < s.n; i++) {
		p[i] = s.p[i] >= 'A' && s.p[i] <= 'Z' ? (char)(s.p[i] + ('a' - 'A')) : s.p[i];
	}
	return str_make(p, s.n);
}

static void check_parameters(struct field_errors *errs, const struct path *at,
			     const struct str_map *parameters)
{
	size_t bytes = 0;

	if (parameters->n > PARAMETERS_MAX) {
		field_too_long(errs, at, PARAMETERS_MAX);
		return;
	}
	for (size_t i = 0; i < parameters->n; i++) {
		if (!parameters->p[i].key.n) {
			field_invalid(errs, at, field_str(parameters->p[i].key),
				      "field can not be empty.");
		}
		bytes += parameters->p[i].key.n + parameters->p[i].value.n;
	}
	if (bytes > PARAMETERS_BYTES_MAX) {
		field_too_long(errs, at, PARAMETERS_BYTES_MAX);
	}
}

/* CSI drivers: a DNS subdomain in any case, at most 63 characters. */
static void check_driver_name(struct field_errors *errs, const struct path *at, struct str name)
{
	if (name.n > DRIVER_NAME_MAX) {
		field_too_long(errs, at, DRIVER_NAME_MAX);
	}
	if (name.n && !name_is(to_lower(errs->arena, name), dns_subdomain_faults)) {
		check_name(errs, at, name, dns_subdomain_faults);
	}
}

static void class_validate(struct field_errors *errs, const void *obj, const void *old UNUSED)
{
	const struct storage_storage_class *c = obj;
	const struct path *topologies = AT(NULL, "allowedTopologies");

	if (c->provisioner.n &&
	    !name_is(to_lower(errs->arena, c->provisioner), qualified_name_faults)) {
		check_name(errs, AT(NULL, "provisioner"), c->provisioner, qualified_name_faults);
	}
	check_parameters(errs, AT(NULL, "parameters"), &c->parameters);
	for (size_t i = 0; i < c->allowed_topologies.n; i++) {
		const struct core_topology_selector_term *t = &c->allowed_topologies.p[i];
		const struct path *expressions =
			AT(AT_INDEX(topologies, i), "matchLabelExpressions");
		struct str_set keys CLEANUP_STR_SET = {0};

		for (size_t j = 0; j < t->match_label_expressions.n; j++) {
			const struct path *item = AT_INDEX(expressions, j);
			struct str key = t->match_label_expressions.p[j].key;

			if (!t->match_label_expressions.p[j].values.n) {
				field_required(errs, AT(item, "values"), NULL);
			}
			if (key.n) {
				check_name(errs, AT(item, "key"), key, qualified_name_faults);
			}
			if (!str_set_add(&keys, key)) {
				field_duplicate(errs, AT(item, "key"), field_str(key));
			}
		}
	}
}

static void attributes_class_validate(struct field_errors *errs, const void *obj,
				      const void *old UNUSED)
{
	const struct storage_volume_attributes_class *c = obj;

	check_driver_name(errs, AT(NULL, "driverName"), c->driver_name);
	if (!c->parameters.n) {
		field_required(errs, AT(NULL, "parameters"),
			       "must contain at least one key/value pair");
	}
	check_parameters(errs, AT(NULL, "parameters"), &c->parameters);
}

static void driver_validate(struct field_errors *errs, const void *obj, const void *old UNUSED)
{
	static const char *const policies[] = {"File", "None", "ReadWriteOnceWithFSType", NULL};
	static const char *const modes[] = {"Ephemeral", "Persistent", NULL};
	const struct storage_csi_driver *d = obj;
	const struct path *at = AT(NULL, "spec");

	check_driver_name(errs, AT(AT(NULL, "metadata"), "name"), d->metadata.name);
	check_one_of(errs, AT(at, "fsGroupPolicy"), d->spec.fs_group_policy, policies);
	for (size_t i = 0; i < d->spec.volume_lifecycle_modes.n; i++) {
		check_one_of(errs, AT_INDEX(AT(at, "volumeLifecycleModes"), i),
			     &d->spec.volume_lifecycle_modes.p[i], modes);
	}
	for (size_t i = 0; i < d->spec.token_requests.n; i++) {
		const int64_t *s = d->spec.token_requests.p[i].expiration_seconds;

		if (s && *s < 600) {
			field_invalid(
				errs, AT(AT_INDEX(AT(at, "tokenRequests"), i), "expirationSeconds"),
				field_int(*s), "may not specify a duration less than 10 minutes");
		}
	}
}

static void csi_node_validate(struct field_errors *errs, const void *obj, const void *old UNUSED)
{
	const struct storage_csi_node *node = obj;
	const struct path *at = AT(AT(NULL, "spec"), "drivers");
	struct str_set names CLEANUP_STR_SET = {0};

	for (size_t i = 0; i < node->spec.drivers.n; i++) {
		const struct storage_csi_node_driver *d = &node->spec.drivers.p[i];
		const struct path *item = AT_INDEX(at, i);

		check_driver_name(errs, AT(item, "name"), d->name);
		if (!str_set_add(&names, d->name)) {
			field_duplicate(errs, AT(item, "name"), field_str(d->name));
		}
		if (d->node_id.n > NODE_ID_MAX) {
			field_invalid(errs, AT(item, "nodeID"), field_str(d->node_id),
				      "must be %d characters or less", NODE_ID_MAX);
		}
		if (d->allocatable) {
			check_not_negative_ptr(errs, AT(AT(item, "allocatable"), "count"),
					       d->allocatable->count);
		}
		for (size_t j = 0; j < d->topology_keys.n; j++) {
			check_name(errs, AT_INDEX(AT(item, "topologyKeys"), j),
				   d->topology_keys.p[j], qualified_name_faults);
		}
	}
}

static void capacity_validate(struct field_errors *errs, const void *obj, const void *old UNUSED)
{
	const struct storage_csi_storage_capacity *c = obj;

	validate_label_selector(errs, AT(NULL, "nodeTopology"), c->node_topology);
	if (c->storage_class_name.n) {
		check_name(errs, AT(NULL, "storageClassName"), c->storage_class_name,
			   dns_subdomain_faults);
	}
	if (c->capacity && quantity_sign(*c->capacity) < 0) {
		field_invalid(errs, AT(NULL, "capacity"), quantity_value_text(errs, *c->capacity),
			      "must be greater than or equal to 0");
	}
	if (c->maximum_volume_size && quantity_sign(*c->maximum_volume_size) < 0) {
		field_invalid(errs, AT(NULL, "maximumVolumeSize"),
			      quantity_value_text(errs, *c->maximum_volume_size),
			      "must be greater than or equal to 0");
	}
}

static void attachment_validate(struct field_errors *errs, const void *obj, const void *old UNUSED)
{
	const struct storage_volume_attachment *v = obj;
	const struct path *at = AT(NULL, "spec");

	if (v->spec.attacher.n) {
		check_driver_name(errs, AT(at, "attacher"), v->spec.attacher);
	}
	if (v->spec.node_name.n) {
		check_name(errs, AT(at, "nodeName"), v->spec.node_name, dns_subdomain_faults);
	}
	if (!v->spec.source.inline_volume_spec && !v->spec.source.persistent_volume_name) {
		field_required(errs, AT(at, "source"),
			       "must specify exactly one of inlineVolumeSpec and "
			       "persistentVolumeName");
	} else if (v->spec.source.inline_volume_spec && v->spec.source.persistent_volume_name) {
		field_forbidden(errs, AT(at, "source"),
				"must specify exactly one of inlineVolumeSpec and "
				"persistentVolumeName");
	}
}

static const struct strategy list[] = {
	{.resource = &resource_storage_storageclasses, .validate = class_validate},
	{.resource = &resource_storage_volumeattributesclasses,
	 .validate = attributes_class_validate},
	{.resource = &resource_storage_csidrivers,
	 .must_send_version = true,
	 .validate = driver_validate},
	{.resource = &resource_storage_csinodes,
	 .must_send_version = true,
	 .validate = csi_node_validate},
	{.resource = &resource_storage_csistoragecapacities,
	 .must_send_version = true,
	 .validate = capacity_validate},
	{.resource = &resource_storage_volumeattachments,
	 .must_send_version = true,
	 .validate = attachment_validate},
};

const struct strategy_list strategies_storage = {list, ARRAY_LEN(list)};
