/* SPDX-License-Identifier: Apache-2.0 */
/* An annotation that tells kubelets how long they may keep Secrets and ConfigMaps without asking again: longer in larger clusters. */
#include "controller/controller.h"
#include "controller/label_map.h"

#define TTL_ANNOTATION "node.alpha.kubernetes.io/ttl"

static int ttl_seconds(size_t nodes)
{
	static const struct {
		size_t nodes;
		int seconds;
	} steps[] = {{100, 0}, {500, 15}, {1000, 30}, {2000, 60}};

	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		if (nodes <= steps[i].nodes) {
			return steps[i].seconds;
		}
	}
	return 300;
}

static void reconcile(const struct snapshot *snapshot, struct str key, struct actions *actions)
{
	struct frozen *node = snapshot_get_key(snapshot, &resource_core_nodes, key);
	int ttl = ttl_seconds(informer_count(snapshot_informer(snapshot, &resource_core_nodes)));
	struct str text = arena_printf(snapshot->arena, "%d", ttl);

	if (node &&
	    !str_eq(label_map_get(&node->head->metadata.annotations, STR(TTL_ANNOTATION)), text)) {
		actions_patch(
			actions, &resource_core_nodes, NULL, STR_NULL, key, PATCH_STRATEGIC,
			arena_printf(
				snapshot->arena,
				"{\"metadata\":{\"uid\":\"%.*s\",\"annotations\":{\"" TTL_ANNOTATION
				"\":\"%d\"}}}",
				STR_ARG(node->head->metadata.uid), ttl));
	}
}

static const struct controller_watch watches[] = {
	{.resource = &resource_core_nodes, .keys = controller_keys_self},
};

const struct controller_desc ttl_controller = {
	.name = "ttl-controller",
	.service_account = "ttl-controller",
	.workers = 1,
	.watches = watches,
	.nwatches = ARRAY_LEN(watches),
	.reconcile = reconcile,
};
