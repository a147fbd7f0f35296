/* SPDX-License-Identifier: Apache-2.0 */
/* Each active namespace has a ServiceAccount "default". */
#include "controller/controller.h"

static void account_keys(struct informers *informers UNUSED, const struct frozen *old,
			 const struct frozen *new_, enqueue_fn enqueue, void *ctx)
{
	if (!new_ && str_is(old->head->metadata.name, "default")) {
		enqueue(ctx, old->head->metadata.namespace);
	}
}

static void reconcile(const struct snapshot *snapshot, struct str key, struct actions *actions)
{
	struct frozen *ns = snapshot_get_key(snapshot, &resource_core_namespaces, key);
	struct core_service_account account = {
		.metadata = {.name = STR("default"), .namespace = key}};

	if (ns && !ns->head->metadata.deletion_timestamp &&
	    !snapshot_get(snapshot, &resource_core_serviceaccounts, key, STR("default"))) {
		actions_create(actions, &resource_core_serviceaccounts, &account);
	}
}

static const struct controller_watch watches[] = {
	{.resource = &resource_core_namespaces, .keys = controller_keys_self},
	{.resource = &resource_core_serviceaccounts, .keys = account_keys},
};

const struct controller_desc serviceaccount_controller = {
	.name = "serviceaccount-controller",
	.service_account = "service-account-controller",
	.workers = 1,
	.watches = watches,
	.nwatches = ARRAY_LEN(watches),
	.reconcile = reconcile,
};
