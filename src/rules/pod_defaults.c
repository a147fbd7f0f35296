/* SPDX-License-Identifier: Apache-2.0 */
#include "object/object.h"
#include "object/quantity.h"
#include "rules/image.h"
#include "rules/pod.h"
#include "rules/pod_spec.h"
#include "rules/resources.h"

static bool volume_has_source(const struct core_volume *v)
{
	for (size_t i = 0; i < type_core_volume.nfields; i++) {
		const struct field_desc *f = &type_core_volume.fields[i];

		if (f->shape == SHAPE_PTR && !field_is_zero(f, v)) {
			return true;
		}
	}
	return false;
}

void volume_claim_spec_set_defaults(struct core_persistent_volume_claim_spec *spec)
{
	resources_round(&spec->resources.requests);
	resources_round(&spec->resources.limits);
}

static void default_volume(struct arena *a, struct core_volume *v)
{
	if (!volume_has_source(v)) {
		v->empty_dir = ARENA_NEW(a, struct core_empty_dir_volume_source);
	}
	if (v->image && !v->image->pull_policy.n) {
		v->image->pull_policy = image_default_pull_policy(v->image->reference);
	}
	if (v->ephemeral && v->ephemeral->volume_claim_template) {
		volume_claim_spec_set_defaults(&v->ephemeral->volume_claim_template->spec);
	}
}

static void default_image_and_resources(struct str image, struct str *policy,
					struct core_resource_requirements *r)
{
	if (!policy->n) {
		*policy = image_default_pull_policy(image);
	}
	resources_round(&r->limits);
	resources_round(&r->requests);
}

static void default_containers(struct core_container *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		default_image_and_resources(p[i].image, &p[i].image_pull_policy, &p[i].resources);
	}
}

void pod_spec_set_defaults(struct arena *a, struct core_pod_spec *spec)
{
	for (size_t i = 0; i < spec->volumes.n; i++) {
		default_volume(a, &spec->volumes.p[i]);
	}
	default_containers(spec->containers.p, spec->containers.n);
	default_containers(spec->init_containers.p, spec->init_containers.n);
	for (size_t i = 0; i < spec->ephemeral_containers.n; i++) {
		struct core_ephemeral_container *c = &spec->ephemeral_containers.p[i];

		default_image_and_resources(c->image, &c->image_pull_policy, &c->resources);
	}
	resources_round(&spec->overhead);
	/* serviceAccount is the old name of serviceAccountName; upstream answers with both. */
	if (!spec->service_account_name.n) {
		spec->service_account_name = spec->service_account;
	}
	spec->service_account = spec->service_account_name;
}

/* Who only says how much it may use needs as much. */
static void default_requests(struct arena *a, struct core_resource_requirements *r)
{
	for (size_t i = 0; i < r->limits.n; i++) {
		if (!resource_find(&r->requests, r->limits.p[i].key)) {
			resource_set(a, &r->requests, r->limits.p[i].key, r->limits.p[i].value);
		}
	}
}

static void default_pod_containers(struct arena *a, const struct core_pod_spec *spec,
				   struct core_container *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		default_requests(a, &p[i].resources);
		for (size_t j = 0; spec->host_network && j < p[i].ports.n; j++) {
			if (p[i].ports.p[j].host_port == 0) {
				p[i].ports.p[j].host_port = p[i].ports.p[j].container_port;
			}
		}
	}
}

/* Resources of the pod as a whole: what is not said follows from the containers, then from the pod's limits. */
static void default_pod_level_resources(struct arena *a, struct core_pod_spec *spec)
{
	struct core_resource_requirements *r = spec->resources;
	struct quantity_map sums;

	if (!r || (!r->limits.n && !r->requests.n)) {
		return;
	}
	sums = pod_compute_container_limits(a, spec);
	for (size_t i = 0; i < sums.n; i++) {
		struct str name = sums.p[i].key;

		if (resource_name_is_hugepages(name) && !resource_find(&r->limits, name) &&
		    !resource_find(&r->requests, name)) {
			resource_set(a, &r->limits, name, sums.p[i].value);
		}
	}
	if (!r->limits.n) {
		return;
	}
	sums = pod_compute_container_requests(a, spec);
	for (size_t i = 0; i < sums.n; i++) {
		struct str name = sums.p[i].key;

		if ((str_is(name, "cpu") || str_is(name, "memory")) &&
		    !resource_find(&r->requests, name)) {
			resource_set(a, &r->requests, name, sums.p[i].value);
		}
	}
	for (size_t i = 0; i < r->limits.n; i++) {
		struct str name = r->limits.p[i].key;

		if ((str_is(name, "cpu") || str_is(name, "memory") ||
		     resource_name_is_hugepages(name)) &&
		    !resource_find(&r->requests, name)) {
			resource_set(a, &r->requests, name, r->limits.p[i].value);
		}
	}
}

void pod_set_defaults(struct arena *a, struct core_pod_spec *spec)
{
	pod_spec_set_defaults(a, spec);
	default_pod_containers(a, spec, spec->containers.p, spec->containers.n);
	default_pod_containers(a, spec, spec->init_containers.p, spec->init_containers.n);
	if (!spec->enable_service_links) {
		spec->enable_service_links = ARENA_NEW(a, bool);
		*spec->enable_service_links = true;
	}
	default_pod_level_resources(a, spec);
}
