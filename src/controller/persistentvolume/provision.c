/* SPDX-License-Identifier: Apache-2.0 */
/* Volumes that are directories below one path which every node of the cluster sees: of a local cluster because the nodes share a machine.
 * The node that mounts the volume makes its directory; one that sees it being deleted removes it, and then our finalizer. */
#include "controller/label_map.h"
#include "controller/persistentvolume/binder.h"
#include "rules/resources.h"

static struct str *str_box(struct arena *a, struct str s)
{
	struct str *p = ARENA_NEW(a, struct str);

	*p = s;
	return p;
}

/* NULL if we can make it. */
static const char *refusal(const struct binder *b, const struct core_persistent_volume_claim *claim,
			   const struct storage_storage_class *class)
{
	if (!b->snapshot->options->provision_dir.n) {
		return "this cluster has no directory for volumes: set --volume-provision-dir, or "
		       "create the volume by hand";
	}
	if (claim->spec.selector) {
		return "claim.spec.selector is not supported for dynamically provisioned volumes";
	}
	if (claim->spec.data_source || claim->spec.data_source_ref) {
		return "claim.spec.dataSource is not supported by this provisioner";
	}
	if (claim->spec.volume_mode && str_is(*claim->spec.volume_mode, "Block")) {
		return "this provisioner does not support block volume provisioning";
	}
	if (class->parameters.n) {
		return "this provisioner takes no parameters";
	}
	return NULL;
}

static struct core_object_reference
claim_reference(const struct core_persistent_volume_claim *claim)
{
	return (struct core_object_reference){
		.kind = STR("PersistentVolumeClaim"),
		.api_version = STR("v1"),
		.namespace = claim->metadata.namespace,
		.name = claim->metadata.name,
		.uid = claim->metadata.uid,
		.resource_version = claim->metadata.resource_version,
	};
}

static void create_volume(const struct binder *b, const struct frozen *f,
			  const struct storage_storage_class *class, struct str name)
{
	const struct core_persistent_volume_claim *claim =
		FROZEN_AS(f, core_persistentvolumeclaims, struct core_persistent_volume_claim);
	struct arena *a = b->snapshot->arena;
	struct core_object_reference ref = claim_reference(claim);
	struct core_host_path_volume_source path = {
		.path = arena_printf(a, "%.*s/%.*s_%.*s_%.*s",
				     STR_ARG(b->snapshot->options->provision_dir), STR_ARG(name),
				     STR_ARG(claim->metadata.namespace),
				     STR_ARG(claim->metadata.name)),
		.type = str_box(a, STR("DirectoryOrCreate")),
	};
	struct str finalizers[] = {STR(PV_PROTECTION), STR(SHARED_PATH_FINALIZER)};
	struct core_persistent_volume volume = {
		.metadata = {.name = name, .finalizers = {finalizers, ARRAY_LEN(finalizers)}},
		.spec =
			{
				.access_modes = claim->spec.access_modes,
				.claim_ref = &ref,
				.persistent_volume_reclaim_policy = class->reclaim_policy
									    ? *class->reclaim_policy
									    : STR("Delete"),
				.storage_class_name = class->metadata.name,
				.mount_options = class->mount_options,
				.volume_mode = claim->spec.volume_mode,
				.host_path = &path,
			},
	};

	resource_set(a, &volume.spec.capacity, STR("storage"),
		     resource_get(&claim->spec.resources.requests, STR("storage")));
	label_map_set(a, &volume.metadata.annotations, STR(PV_PROVISIONED_BY),
		      b->snapshot->options->provisioner);
	label_map_set(a, &volume.metadata.annotations, STR(PV_BOUND_BY_CONTROLLER), STR("yes"));
	actions_create(b->actions, &resource_core_persistentvolumes, &volume);
	actions_on_success(b->actions, f, "ProvisioningSucceeded",
			   arena_printf(a, "Successfully provisioned volume %.*s using %.*s",
					STR_ARG(name), STR_ARG(b->snapshot->options->provisioner)));
	actions_on_failure(b->actions, f, "ProvisioningFailed",
			   STR("Error creating provisioned PV object for claim: "));
}

/* Provisioners outside look for claims with their name on them. True if that was written. */
static bool annotate(const struct binder *b, const struct core_persistent_volume_claim *claim,
		     struct str provisioner)
{
	struct core_persistent_volume_claim copy = *claim;
	bool changed;

	changed = label_map_set(b->snapshot->arena, &copy.metadata.annotations,
				STR(PVC_PROVISIONER), provisioner);
	changed |= label_map_set(b->snapshot->arena, &copy.metadata.annotations,
				 STR(PVC_PROVISIONER_BETA), provisioner);
	if (changed) {
		actions_update(b->actions, &resource_core_persistentvolumeclaims, &copy);
	}
	return changed;
}

void provision_claim(const struct binder *b, const struct frozen *f,
		     const struct storage_storage_class *class)
{
	const struct core_persistent_volume_claim *claim =
		FROZEN_AS(f, core_persistentvolumeclaims, struct core_persistent_volume_claim);
	struct str name =
		arena_printf(b->snapshot->arena, "pvc-%.*s", STR_ARG(claim->metadata.uid));
	const char *why_not;

	if (str_is(class->provisioner, "kubernetes.io/no-provisioner")) {
		actions_event(b->actions, f, "Normal", "FailedBinding",
			      "no persistent volumes available for this claim and no provisioner "
			      "is set for its storage class");
		return;
	}
	if (annotate(b, claim, class->provisioner)) {
		return;
	}
	if (!str_eq(class->provisioner, b->snapshot->options->provisioner)) {
		actions_event(b->actions, f, "Normal", "ExternalProvisioning",
			      "Waiting for a volume to be created either by the external "
			      "provisioner '%.*s' or manually by the system "
			      "administrator. If volume creation is delayed, please verify that "
			      "the provisioner is running and correctly "
			      "registered.",
			      STR_ARG(class->provisioner));
		return;
	}
	why_not = refusal(b, claim, class);
	if (why_not) {
		actions_event(b->actions, f, "Warning", "ProvisioningFailed",
			      "Failed to provision volume with StorageClass \"%.*s\": %s",
			      STR_ARG(class->metadata.name), why_not);
	} else if (!snapshot_get(b->snapshot, &resource_core_persistentvolumes, STR_NULL, name)) {
		create_volume(b, f, class, name);
	}
}
