/* SPDX-License-Identifier: Apache-2.0 */
/* Namespaces, their default objects, and what goes with its owner. */
#include "base/test.h"
#include "controller/label_map.h"
#include "rules/condition.h"
#include "sim/cluster.h"

#define DEPLOYMENT                                                                                 \
	"{\"metadata\":{\"name\":\"web\",\"namespace\":\"shop\"},\"spec\":{\"replicas\":2,"        \
	"\"selector\":{\"matchLabels\":{\"app\":"                                                  \
	"\"web\"}},\"template\":{\"metadata\":{\"labels\":{\"app\":\"web\"}},\"spec\":{"           \
	"\"containers\":[{\"name\":\"c\",\"image\":"                                               \
	"\"i\"}]}}}}"

static struct sim_cluster *shop(void)
{
	struct sim_cluster *c = sim_cluster_new(&(struct sim_opts){.seed = 1, .nodes = 2});

	sim_options(c)->root_ca = STR("-----BEGIN CERTIFICATE-----\n");
	sim_create(c, &resource_core_namespaces, "{\"metadata\":{\"name\":\"shop\"}}");
	sim_advance(c, NS_PER_SEC);
	return c;
}

TEST(a_namespace_gets_its_account_and_its_root_ca)
{
	struct sim_cluster *c = shop();
	const struct core_config_map *map;

	assert_non_null(sim_get(c, &resource_core_serviceaccounts, "shop", "default"));
	assert_non_null(sim_get(c, &resource_core_serviceaccounts, "kube-system", "default"));
	map = FROZEN_AS(sim_get(c, &resource_core_configmaps, "shop", "kube-root-ca.crt"),
			core_configmaps, struct core_config_map);
	EXPECT_STR(label_map_get(&map->data, STR("ca.crt")), "-----BEGIN CERTIFICATE-----\n");
	/* Both come back, and the text is put right. */
	sim_delete(c, &resource_core_serviceaccounts, "shop", "default", PROPAGATION_DEFAULT);
	sim_patch(c, &resource_core_configmaps, NULL, "shop", "kube-root-ca.crt",
		  "{\"data\":{\"ca.crt\":\"forged\"}}");
	sim_advance(c, NS_PER_SEC);
	assert_non_null(sim_get(c, &resource_core_serviceaccounts, "shop", "default"));
	map = FROZEN_AS(sim_get(c, &resource_core_configmaps, "shop", "kube-root-ca.crt"),
			core_configmaps, struct core_config_map);
	EXPECT_STR(label_map_get(&map->data, STR("ca.crt")), "-----BEGIN CERTIFICATE-----\n");
	sim_cluster_free(c);
}

TEST(a_deleted_namespace_takes_everything_with_it)
{
	struct sim_cluster *c = shop();

	sim_create(c, &resource_apps_deployments, DEPLOYMENT);
	sim_create(c, &resource_core_secrets,
		   "{\"metadata\":{\"name\":\"s\",\"namespace\":\"shop\"}}");
	sim_advance(c, 5 * NS_PER_SEC);
	assert_int_equal(sim_count(c, &resource_core_pods, "shop"), 2);
	sim_delete(c, &resource_core_namespaces, NULL, "shop", PROPAGATION_BACKGROUND);
	sim_advance(c, 30 * NS_PER_SEC);
	assert_null(sim_get(c, &resource_core_namespaces, NULL, "shop"));
	for (size_t i = 0; i < all_resources_n; i++) {
		if (all_resources[i]->namespaced && (all_resources[i]->verbs & VERB_LIST)) {
			assert_int_equal(sim_count(c, all_resources[i], "shop"), 0);
		}
	}
	sim_cluster_free(c);
}

TEST(a_namespace_waits_for_finalizers_and_says_so)
{
	struct sim_cluster *c = shop();
	const struct core_namespace *ns;
	const struct core_namespace_condition *cond;

	sim_create(c, &resource_core_configmaps,
		   "{\"metadata\":{\"name\":\"held\",\"namespace\":\"shop\",\"finalizers\":["
		   "\"example.com/hold\"]}}");
	sim_delete(c, &resource_core_namespaces, NULL, "shop", PROPAGATION_BACKGROUND);
	sim_advance(c, 10 * NS_PER_SEC);
	ns = FROZEN_AS(sim_get(c, &resource_core_namespaces, NULL, "shop"), core_namespaces,
		       struct core_namespace);
	EXPECT_STR(ns->status.phase, "Terminating");
	cond = condition_find(&ns->status.conditions, STR("NamespaceFinalizersRemaining"));
	EXPECT_STR(cond->message, "Some content in the namespace has finalizers remaining: "
				  "example.com/hold in 1 resource instances");
	cond = condition_find(&ns->status.conditions, STR("NamespaceContentRemaining"));
	EXPECT_STR(cond->message,
		   "Some resources are remaining: configmaps. has 1 resource instances");
	sim_patch(c, &resource_core_configmaps, NULL, "shop", "held",
		  "{\"metadata\":{\"finalizers\":[]}}");
	sim_advance(c, 30 * NS_PER_SEC);
	assert_null(sim_get(c, &resource_core_namespaces, NULL, "shop"));
	sim_cluster_free(c);
}

TEST(background_deletion_takes_dependents_afterwards)
{
	struct sim_cluster *c = shop();

	sim_create(c, &resource_apps_deployments, DEPLOYMENT);
	sim_advance(c, 5 * NS_PER_SEC);
	sim_delete(c, &resource_apps_deployments, "shop", "web", PROPAGATION_BACKGROUND);
	assert_null(sim_get(c, &resource_apps_deployments, "shop", "web"));
	sim_advance(c, 10 * NS_PER_SEC);
	assert_int_equal(sim_count(c, &resource_apps_replicasets, "shop"), 0);
	assert_int_equal(sim_count(c, &resource_core_pods, "shop"), 0);
	sim_cluster_free(c);
}

TEST(foreground_deletion_takes_dependents_first)
{
	struct sim_cluster *c = shop();
	bool sets_before_pods = false;

	sim_create(c, &resource_apps_deployments, DEPLOYMENT);
	sim_advance(c, 5 * NS_PER_SEC);
	sim_delete(c, &resource_apps_deployments, "shop", "web", PROPAGATION_FOREGROUND);
	for (int i = 0; i < 500; i++) {
		sim_advance(c, 20 * NS_PER_MS);
		if (sim_count(c, &resource_core_pods, "shop")) {
			assert_non_null(sim_get(c, &resource_apps_deployments, "shop", "web"));
			sets_before_pods |= !sim_count(c, &resource_apps_replicasets, "shop");
		}
	}
	assert_false(sets_before_pods);
	assert_null(sim_get(c, &resource_apps_deployments, "shop", "web"));
	assert_int_equal(sim_count(c, &resource_core_pods, "shop"), 0);
	sim_cluster_free(c);
}

TEST(orphaned_pods_stay_without_an_owner)
{
	struct sim_cluster *c = shop();

	sim_create(c, &resource_apps_replicasets,
		   "{\"metadata\":{\"name\":\"rs\",\"namespace\":\"shop\"},\"spec\":{\"replicas\":"
		   "2,\"selector\":{\"matchLabels\":{\"app\":\"web\"}},"
		   "\"template\":{\"metadata\":{\"labels\":{\"app\":\"web\"}},\"spec\":{"
		   "\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}}}");
	sim_advance(c, 5 * NS_PER_SEC);
	sim_delete(c, &resource_apps_replicasets, "shop", "rs", PROPAGATION_ORPHAN);
	sim_advance(c, 10 * NS_PER_SEC);
	assert_null(sim_get(c, &resource_apps_replicasets, "shop", "rs"));
	assert_int_equal(sim_count(c, &resource_core_pods, "shop"), 2);
	sim_cluster_free(c);
}

TEST(an_object_lives_as_long_as_one_of_its_owners)
{
	struct sim_cluster *c = shop();
	const struct meta_object_meta *meta;
	char json[600];
	struct str a;
	struct str b;

	sim_create(c, &resource_core_configmaps,
		   "{\"metadata\":{\"name\":\"a\",\"namespace\":\"shop\"}}");
	sim_create(c, &resource_core_configmaps,
		   "{\"metadata\":{\"name\":\"b\",\"namespace\":\"shop\"}}");
	a = sim_get(c, &resource_core_configmaps, "shop", "a")->head->metadata.uid;
	b = sim_get(c, &resource_core_configmaps, "shop", "b")->head->metadata.uid;
	snprintf(json, sizeof(json),
		 "{\"metadata\":{\"name\":\"child\",\"namespace\":\"shop\",\"ownerReferences\":[{"
		 "\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\","
		 "\"name\":\"a\",\"uid\":\"%.*s\"},{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\","
		 "\"name\":\"b\",\"uid\":\"%.*s\"}]}}",
		 STR_ARG(a), STR_ARG(b));
	sim_create(c, &resource_core_secrets, json);
	sim_delete(c, &resource_core_configmaps, "shop", "a", PROPAGATION_BACKGROUND);
	sim_advance(c, 5 * NS_PER_SEC);
	meta = &sim_get(c, &resource_core_secrets, "shop", "child")->head->metadata;
	assert_int_equal(meta->owner_references.n, 1);
	EXPECT_STR(meta->owner_references.p[0].name, "b");
	sim_delete(c, &resource_core_configmaps, "shop", "b", PROPAGATION_BACKGROUND);
	sim_advance(c, 5 * NS_PER_SEC);
	assert_null(sim_get(c, &resource_core_secrets, "shop", "child"));
	sim_cluster_free(c);
}

TEST(an_owner_that_never_was_counts_as_gone_and_an_unknown_kind_does_not)
{
	struct sim_cluster *c = shop();

	sim_create(c, &resource_core_secrets,
		   "{\"metadata\":{\"name\":\"lost\",\"namespace\":\"shop\",\"ownerReferences\":[{"
		   "\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\","
		   "\"name\":\"never\",\"uid\":\"u-1\"}]}}");
	sim_create(c, &resource_core_secrets,
		   "{\"metadata\":{\"name\":\"kept\",\"namespace\":\"shop\",\"ownerReferences\":[{"
		   "\"apiVersion\":\"example.com/v1\",\"kind\":"
		   "\"Boat\",\"name\":\"never\",\"uid\":\"u-2\"}]}}");
	sim_advance(c, 5 * NS_PER_SEC);
	assert_null(sim_get(c, &resource_core_secrets, "shop", "lost"));
	assert_non_null(sim_get(c, &resource_core_secrets, "shop", "kept"));
	sim_cluster_free(c);
}

TEST(a_dependent_that_is_seen_before_its_owner_stays)
{
	static const struct faults late = {.max_event_delay_ns = 5 * NS_PER_SEC};
	struct sim_cluster *c = shop();
	char json[400];
	char name[16];

	sim_set_faults(c, &late);
	for (int i = 0; i < 20; i++) {
		struct str uid;

		snprintf(name, sizeof(name), "o%d", i);
		snprintf(json, sizeof(json),
			 "{\"metadata\":{\"name\":\"%s\",\"namespace\":\"shop\"}}", name);
		sim_create(c, &resource_core_configmaps, json);
		uid = sim_get(c, &resource_core_configmaps, "shop", name)->head->metadata.uid;
		snprintf(json, sizeof(json),
			 "{\"metadata\":{\"name\":\"child-%d\",\"namespace\":\"shop\","
			 "\"ownerReferences\":[{\"apiVersion\":\"v1\","
			 "\"kind\":\"ConfigMap\",\"name\":\"%s\",\"uid\":\"%.*s\"}]}}",
			 i, name, STR_ARG(uid));
		sim_create(c, &resource_core_secrets, json);
		sim_advance(c, 7 * NS_PER_SEC);
	}
	sim_advance(c, 60 * NS_PER_SEC);
	assert_int_equal(sim_count(c, &resource_core_secrets, "shop"), 20);
	sim_cluster_free(c);
}

TEST_MAIN(a_dependent_that_is_seen_before_its_owner_stays,
	  a_namespace_gets_its_account_and_its_root_ca,
	  a_deleted_namespace_takes_everything_with_it,
	  a_namespace_waits_for_finalizers_and_says_so,
	  background_deletion_takes_dependents_afterwards,
	  foreground_deletion_takes_dependents_first, orphaned_pods_stay_without_an_owner,
	  an_object_lives_as_long_as_one_of_its_owners,
	  an_owner_that_never_was_counts_as_gone_and_an_unknown_kind_does_not)
