/* SPDX-License-Identifier: Apache-2.0 */
/* Each node has a part of the cluster's pod range: the first one that is free. One worker: two nodes never look at once. */
#include "controller/controller.h"
#include "rules/cidr.h"

struct taken {
	const struct cidr *range;
	unsigned prefix;
	bool *parts;
	uint64_t n;
};

/* Every part that the node's ranges touch; they may be of another size, from an earlier configuration. */
static void take(struct taken *t, struct str text)
{
	struct cidr used;

	if (cidr_parse_sloppy(text, &used) < 0 || !cidr_overlaps(t->range, &used)) {
		return;
	}
	for (uint64_t i = 0; i < t->n; i++) {
		struct cidr part;

		t->parts[i] |=
			cidr_part(t->range, t->prefix, i, &part) && cidr_overlaps(&part, &used);
	}
}

static bool take_node(void *ctx, struct frozen *object)
{
	const struct core_node *node = FROZEN_AS(object, core_nodes, struct core_node);

	take(ctx, node->spec.pod_cidr);
	for (size_t i = 0; i < node->spec.pod_cidrs.n; i++) {
		take(ctx, node->spec.pod_cidrs.p[i]);
	}
	return true;
}

enum { PARTS_MAX = 65536 };

static bool find_free(const struct snapshot *snapshot, struct cidr *ret)
{
	struct cidr range;
	struct taken t = {.range = &range, .prefix = (unsigned)snapshot->options->node_cidr_mask};
	unsigned bits;

	if (cidr_parse(snapshot->options->cluster_cidr, &range) < 0 ||
	    t.prefix < cidr_prefix(&range)) {
		return false;
	}
	bits = t.prefix - cidr_prefix(&range);
	t.n = bits < 16 ? 1ULL << bits : PARTS_MAX;
	t.parts = ARENA_ARRAY(snapshot->arena, t.n, bool);
	informer_each(snapshot_informer(snapshot, &resource_core_nodes), STR_NULL, take_node, &t);
	for (uint64_t i = 0; i < t.n; i++) {
		if (!t.parts[i]) {
			return cidr_part(&range, t.prefix, i, ret);
		}
	}
	return false;
}

static void reconcile(const struct snapshot *snapshot, struct str key, struct actions *actions)
{
	struct frozen *f = snapshot_get_key(snapshot, &resource_core_nodes, key);
	const struct core_node *node;
	struct cidr part;
	struct str text;

	if (!f || !snapshot->options->cluster_cidr.n) {
		return;
	}
	node = FROZEN_AS(f, core_nodes, struct core_node);
	if (node->spec.pod_cidr.n || node->metadata.deletion_timestamp) {
		return;
	}
	if (!find_free(snapshot, &part)) {
		actions_event(actions, f, "Normal", "CIDRNotAvailable",
			      "Node %.*s status is now: CIDRNotAvailable", STR_ARG(key));
		actions_fail(actions,
			     "no /%d is left in the cluster's pod range %.*s for node %.*s",
			     snapshot->options->node_cidr_mask,
			     STR_ARG(snapshot->options->cluster_cidr), STR_ARG(key));
		return;
	}
	text = cidr_text(snapshot->arena, &part);
	actions_patch(actions, &resource_core_nodes, NULL, STR_NULL, key, PATCH_MERGE,
		      arena_printf(snapshot->arena,
				   "{\"metadata\":{\"uid\":\"%.*s\"},\"spec\":{\"podCIDR\":\"%.*"
				   "s\",\"podCIDRs\":[\"%.*s\"]}}",
				   STR_ARG(node->metadata.uid), STR_ARG(text), STR_ARG(text)));
}

static const struct controller_watch watches[] = {
	{.resource = &resource_core_nodes, .keys = controller_keys_self},
};

const struct controller_desc node_ipam_controller = {
	.name = "node-ipam-controller",
	.service_account = "node-controller",
	.workers = 1,
	.watches = watches,
	.nwatches = ARRAY_LEN(watches),
	.reconcile = reconcile,
};
