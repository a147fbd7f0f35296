/* SPDX-License-Identifier: Apache-2.0 */
/* Each active namespace has the ConfigMap kube-root-ca.crt, by which pods know the API server. */
#include "controller/controller.h"
#include "controller/label_map.h"

#define NAME "kube-root-ca.crt"
#define FILE_KEY "ca.crt"

static void map_keys(struct informers *informers UNUSED, const struct frozen *old,
		     const struct frozen *new_, enqueue_fn enqueue, void *ctx)
{
	const struct meta_object_meta *meta = &(new_ ? new_ : old)->head->metadata;

	if (str_is(meta->name, NAME)) {
		enqueue(ctx, meta->namespace);
	}
}

static void reconcile(const struct snapshot *snapshot, struct str key, struct actions *actions)
{
	struct frozen *ns = snapshot_get_key(snapshot, &resource_core_namespaces, key);
	struct frozen *old = snapshot_get(snapshot, &resource_core_configmaps, key, STR(NAME));
	struct core_config_map map = {.metadata = {.name = STR(NAME), .namespace = key}};

	if (!ns || ns->head->metadata.deletion_timestamp || !snapshot->options->root_ca.n) {
		return;
	}
	if (old) {
		map = *FROZEN_AS(old, core_configmaps, struct core_config_map);
		if (map.data.n == 1 &&
		    str_eq(label_map_get(&map.data, STR(FILE_KEY)), snapshot->options->root_ca)) {
			return;
		}
		map.data = (struct str_map){0};
	}
	label_map_set(snapshot->arena, &map.metadata.annotations, STR("kubernetes.io/description"),
		      STR("The certificate authority of this cluster's API server, as clients "
			  "inside the cluster reach it."));
	label_map_set(snapshot->arena, &map.data, STR(FILE_KEY), snapshot->options->root_ca);
	if (old) {
		actions_update(actions, &resource_core_configmaps, &map);
	} else {
		actions_create(actions, &resource_core_configmaps, &map);
	}
}

static const struct controller_watch watches[] = {
	{.resource = &resource_core_namespaces, .keys = controller_keys_self},
	{.resource = &resource_core_configmaps, .keys = map_keys},
};

const struct controller_desc root_ca_controller = {
	.name = "root-ca-certificate-publisher-controller",
	.service_account = "root-ca-cert-publisher",
	.workers = 1,
	.watches = watches,
	.nwatches = ARRAY_LEN(watches),
	.reconcile = reconcile,
};
