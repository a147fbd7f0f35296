/* SPDX-License-Identifier: Apache-2.0 */
/* PersistentVolumes and PersistentVolumeClaims. */
#include "object/field.h"
#include "object/object.h"
#include "object/quantity.h"
#include "rules/check.h"
#include "rules/metadata.h"
#include "rules/pod_spec.h"
#include "rules/resources.h"
#include "rules/selector.h"

static const struct str storage = STR_INIT("storage");

static void check_access_modes(struct field_errors *errs, const struct path *at,
			       const struct str_list *modes)
{
	bool alone = false;
	bool shared = false;

	for (size_t i = 0; i < modes->n; i++) {
		if (str_is(modes->p[i], "ReadWriteOncePod")) {
			alone = true;
		} else {
			shared = true;
		}
	}
	if (alone && shared) {
		field_forbidden(errs, at, "may not use ReadWriteOncePod with other access modes");
	}
}

/* ---- PersistentVolume ---- */

static void volume_defaults(struct arena *a UNUSED, void *obj)
{
	resources_round(&((struct core_persistent_volume *)obj)->spec.capacity);
}

/* A member of the inlined PersistentVolumeSource. */
static bool is_source(const struct field_desc *f)
{
	return f->shape == SHAPE_PTR && f->type == FIELD_MESSAGE &&
	       f->offset < offsetof(struct core_persistent_volume_spec, access_modes);
}

static void check_capacity(struct field_errors *errs, const struct path *at,
			   const struct quantity_map *capacity)
{
	static const char *const supported[] = {"storage", NULL};

	if (!capacity->n) {
		field_required(errs, at, NULL);
		return;
	}
	if (!resource_find(capacity, storage) || capacity->n > 1) {
		field_not_supported(errs, at, FIELD_NO_VALUE, supported);
	}
	for (size_t i = 0; i < capacity->n; i++) {
		if (quantity_sign(capacity->p[i].value) <= 0) {
			field_invalid(errs, AT_KEY(at, capacity->p[i].key),
				      quantity_value_text(errs, capacity->p[i].value),
				      "must be greater than zero");
		}
	}
}

static void check_source(struct field_errors *errs, const struct path *at,
			 const struct core_persistent_volume_spec *v)
{
	size_t n = 0;

	for (size_t i = 0; i < type_core_persistent_volume_spec.nfields; i++) {
		const struct field_desc *f = &type_core_persistent_volume_spec.fields[i];
		const struct path place = path_field(at, field_name(f));

		if (is_source(f) && !field_is_zero(f, v) && n++ > 0) {
			field_forbidden(errs, &place, "may not specify more than 1 volume type");
		}
	}
	if (n == 0) {
		field_required(errs, at, "must specify a volume type");
	}
	if (v->host_path) {
		validate_host_path(errs, AT(at, "hostPath"), v->host_path);
	}
	if (v->local) {
		check_no_backsteps(errs, AT(AT(at, "local"), "path"), v->local->path);
		if (!v->node_affinity) {
			field_required(errs, AT(at, "nodeAffinity"),
				       "Local volume requires node affinity");
		}
	}
}

static void check_volume_change(struct field_errors *errs,
				const struct core_persistent_volume_spec *v,
				const struct core_persistent_volume_spec *old)
{
	for (size_t i = 0; i < type_core_persistent_volume_spec.nfields; i++) {
		const struct field_desc *f = &type_core_persistent_volume_spec.fields[i];

		if (is_source(f) && !field_equal(f, v, old)) {
			field_forbidden(errs, AT(AT(NULL, "spec"), "persistentvolumesource"),
					"spec.persistentvolumesource is immutable after "
					"creation\nchanged: spec.%s",
					f->name);
			break;
		}
	}
	check_unchanged(errs, AT(NULL, "volumeMode"), &type_core_persistent_volume_spec, v, old,
			"volumeMode");
	if (old->node_affinity &&
	    !field_equal(type_find_field(&type_core_persistent_volume_spec, STR("nodeAffinity")), v,
			 old)) {
		field_invalid(errs, AT(NULL, "nodeAffinity"),
			      value_of(errs, &type_core_persistent_volume_spec, v, "nodeAffinity"),
			      "field is immutable, except for updating from beta label to GA");
	}
}

static void volume_validate(struct field_errors *errs, const void *obj, const void *old)
{
	const struct core_persistent_volume_spec *v =
		&((const struct core_persistent_volume *)obj)->spec;
	const struct path *at = AT(NULL, "spec");
	const struct path *affinity = AT(at, "nodeAffinity");

	if (!v->access_modes.n) {
		field_required(errs, AT(at, "accessModes"), NULL);
	}
	check_access_modes(errs, AT(at, "accessModes"), &v->access_modes);
	check_capacity(errs, AT(at, "capacity"), &v->capacity);
	if (v->node_affinity && v->node_affinity->required) {
		validate_node_selector(errs, AT(affinity, "required"), v->node_affinity->required,
				       false);
	} else if (v->node_affinity) {
		field_required(errs, AT(affinity, "required"),
			       "must specify required node constraints");
	}
	check_source(errs, at, v);
	if (v->storage_class_name.n) {
		check_name(errs, AT(at, "storageClassName"), v->storage_class_name,
			   dns_subdomain_faults);
	}
	if (old) {
		check_volume_change(errs, v, &((const struct core_persistent_volume *)old)->spec);
	}
}

static void volume_warn(const struct warn_sink *sink, const void *obj, const void *old UNUSED)
{
	const struct core_persistent_volume *v = obj;

	if (str_map_find(&v->metadata.annotations,
			 STR("volume.beta.kubernetes.io/storage-class"))) {
		warn_at(sink,
			AT_KEY(AT(AT(NULL, "metadata"), "annotations"),
			       STR("volume.beta.kubernetes.io/storage-class")),
			"deprecated since v1.8; use \"storageClassName\" attribute instead");
	}
	if (str_is(v->spec.persistent_volume_reclaim_policy, "Recycle")) {
		warn_at(sink, AT(AT(NULL, "spec"), "persistentVolumeReclaimPolicy"),
			"The Recycle reclaim policy is deprecated. Instead, the recommended "
			"approach is to use dynamic "
			"provisioning.");
	}
}

/* ---- PersistentVolumeClaim ---- */

static void claim_defaults(struct arena *a UNUSED, void *obj)
{
	struct core_persistent_volume_claim *claim = obj;

	volume_claim_spec_set_defaults(&claim->spec);
	resources_round(&claim->status.capacity);
	resources_round(&claim->status.allocated_resources);
}

/* dataSource and dataSourceRef say the same, where the old field can say it. */
static void link_data_sources(struct arena *a, struct core_persistent_volume_claim_spec *spec)
{
	if (spec->data_source && !spec->data_source_ref) {
		spec->data_source_ref = ARENA_NEW(a, struct core_typed_object_reference);
		spec->data_source_ref->api_group = spec->data_source->api_group;
		spec->data_source_ref->kind = spec->data_source->kind;
		spec->data_source_ref->name = spec->data_source->name;
	} else if (!spec->data_source && spec->data_source_ref &&
		   (!spec->data_source_ref->namespace || !spec->data_source_ref->namespace->n)) {
		spec->data_source = ARENA_NEW(a, struct core_typed_local_object_reference);
		spec->data_source->api_group = spec->data_source_ref->api_group;
		spec->data_source->kind = spec->data_source_ref->kind;
		spec->data_source->name = spec->data_source_ref->name;
	}
}

static void claim_prepare_create(struct arena *a, void *obj)
{
	struct core_persistent_volume_claim *claim = obj;

	claim->status = (struct core_persistent_volume_claim_status){.phase = STR("Pending")};
	link_data_sources(a, &claim->spec);
}

void validate_claim_spec(struct field_errors *errs, const struct path *at,
			 const struct core_persistent_volume_claim_spec *spec)
{
	const struct path *size_at = AT_KEY(AT(at, "resources"), storage);
	const struct quantity *size = resource_find(&spec->resources.requests, storage);

	if (!spec->access_modes.n) {
		field_required(errs, AT(at, "accessModes"), "at least 1 access mode is required");
	}
	validate_label_selector(errs, AT(at, "selector"), spec->selector);
	check_access_modes(errs, AT(at, "accessModes"), &spec->access_modes);
	if (!size) {
		field_required(errs, size_at, NULL);
	} else if (quantity_sign(*size) <= 0) {
		field_invalid(errs, size_at, quantity_value_text(errs, *size),
			      "must be greater than zero");
	}
	if (spec->storage_class_name && spec->storage_class_name->n) {
		check_name(errs, AT(at, "storageClassName"), *spec->storage_class_name,
			   dns_subdomain_faults);
	}
	if (spec->volume_attributes_class_name && spec->volume_attributes_class_name->n) {
		check_name(errs, AT(at, "volumeAttributesClassName"),
			   *spec->volume_attributes_class_name, dns_subdomain_faults);
	}
	if (spec->data_source &&
	    (!spec->data_source->api_group || !spec->data_source->api_group->n) &&
	    !str_is(spec->data_source->kind, "PersistentVolumeClaim")) {
		field_invalid(
			errs, AT(at, "dataSource"), field_str(spec->data_source->kind),
			"must be 'PersistentVolumeClaim' when referencing the default apiGroup");
	}
}

/* Once made, a claim may be bound, get a class it had not, and grow while it is bound. */
static void check_claim_change(struct field_errors *errs,
			       const struct core_persistent_volume_claim *claim,
			       const struct core_persistent_volume_claim *old)
{
	const struct path *at = AT(NULL, "spec");
	const struct path *size_at = AT(AT(AT(at, "resources"), "requests"), "storage");
	struct core_persistent_volume_claim_spec copy = claim->spec;
	struct quantity size = resource_get(&claim->spec.resources.requests, storage);
	struct quantity before = resource_get(&old->spec.resources.requests, storage);

	if (!old->spec.volume_name.n) {
		copy.volume_name = old->spec.volume_name;
	}
	if (!old->spec.storage_class_name) {
		copy.storage_class_name = NULL;
	}
	if (str_is(claim->status.phase, "Bound") && copy.resources.requests.n) {
		resource_set(errs->arena, &copy.resources.requests, storage, before);
	}
	if (str_is(claim->status.phase, "Bound") && copy.volume_attributes_class_name) {
		copy.volume_attributes_class_name = old->spec.volume_attributes_class_name;
	}
	if (!object_equal(&type_core_persistent_volume_claim_spec, &copy, &old->spec)) {
		field_forbidden(errs, at,
				"spec is immutable after creation except resources.requests and "
				"volumeAttributesClassName for bound claims");
	}
	if (quantity_cmp(size, before) < 0 &&
	    quantity_cmp(size, resource_get(&old->status.capacity, storage)) <= 0) {
		field_forbidden(errs, size_at, "field can not be less than status.capacity");
	}
	check_unchanged(errs, AT(NULL, "volumeMode"), &type_core_persistent_volume_claim_spec,
			&claim->spec, &old->spec, "volumeMode");
}

static void claim_validate(struct field_errors *errs, const void *obj, const void *old)
{
	const struct core_persistent_volume_claim *claim = obj;

	validate_claim_spec(errs, AT(NULL, "spec"), &claim->spec);
	if (old) {
		check_claim_change(errs, claim, old);
	}
}

static void claim_validate_status(struct field_errors *errs, const void *obj,
				  const void *old UNUSED)
{
	const struct core_persistent_volume_claim_status *s =
		&((const struct core_persistent_volume_claim *)obj)->status;
	const struct path *at = AT(AT(NULL, "status"), "capacity");

	for (size_t i = 0; i < s->capacity.n; i++) {
		if (quantity_sign(s->capacity.p[i].value) < 0) {
			field_invalid(errs, AT_KEY(at, s->capacity.p[i].key),
				      field_int(quantity_value(s->capacity.p[i].value)),
				      "must be a valid resource quantity");
		}
	}
}

static void claim_warn(const struct warn_sink *sink, const void *obj, const void *old UNUSED)
{
	const struct core_persistent_volume_claim *claim = obj;
	const struct quantity *size = resource_find(&claim->spec.resources.requests, storage);

	if (str_map_find(&claim->metadata.annotations,
			 STR("volume.beta.kubernetes.io/storage-class"))) {
		warn_at(sink,
			AT_KEY(AT(AT(NULL, "metadata"), "annotations"),
			       STR("volume.beta.kubernetes.io/storage-class")),
			"deprecated since v1.8; use \"storageClassName\" attribute instead");
	}
	if (size && quantity_milli_value(*size) % 1000 != 0) {
		struct buf b CLEANUP_BUF = {0};

		quantity_write(&b, *size);
		warn_at(sink, AT_KEY(AT(AT(AT(NULL, "spec"), "resources"), "requests"), storage),
			"fractional byte value \"%.*s\" is invalid, must be an integer",
			STR_ARG(buf_str(&b)));
	}
}

static const struct strategy list[] = {
	{
		.resource = &resource_core_persistentvolumes,
		.set_defaults = volume_defaults,
		.validate = volume_validate,
		.warn = volume_warn,
	},
	{
		.resource = &resource_core_persistentvolumeclaims,
		.set_defaults = claim_defaults,
		.prepare_create = claim_prepare_create,
		.validate = claim_validate,
		.validate_status = claim_validate_status,
		.warn = claim_warn,
	},
};

const struct strategy_list strategies_core_volume = {list, ARRAY_LEN(list)};
