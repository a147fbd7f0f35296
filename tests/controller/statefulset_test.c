/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"
#include "controller/label_map.h"
#include "rules/pod.h"
#include "sim/cluster.h"

#define SET(n, extra)                                                                              \
	"{\"metadata\":{\"name\":\"db\"},\"spec\":{\"replicas\":" #n                               \
	",\"serviceName\":\"db\"," extra                                                           \
	"\"selector\":{\"matchLabels\":{\"app\":\"db\"}},\"template\":{\"metadata\":{\"labels\":{" \
	"\"app\":\"db\"}},\"spec\":{"                                                              \
	"\"containers\":[{\"name\":\"c\",\"image\":\"v1\"}]}},\"volumeClaimTemplates\":[{"         \
	"\"metadata\":{\"name\":\"data\"},\"spec\":{"                                              \
	"\"accessModes\":[\"ReadWriteOnce\"],\"resources\":{\"requests\":{\"storage\":\"1Gi\"}}}}" \
	"]}}"
#define PARALLEL "\"podManagementPolicy\":\"Parallel\","
#define IMAGE(i)                                                                                   \
	"{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"" i        \
	"\"}]}}}}"

static const struct core_pod *pod(struct sim_cluster *c, const char *name)
{
	struct frozen *f = sim_get(c, &resource_core_pods, "default", name);

	return f ? FROZEN_AS(f, core_pods, struct core_pod) : NULL;
}

static const struct apps_stateful_set *db(struct sim_cluster *c)
{
	return FROZEN_AS(sim_get(c, &resource_apps_statefulsets, "default", "db"),
			 apps_statefulsets, struct apps_stateful_set);
}

TEST(pods_come_in_order_with_name_labels_and_claims)
{
	struct sim_cluster *c = sim_cluster_new(&(struct sim_opts){.seed = 1, .nodes = 2});
	const struct core_pod *p;

	sim_create(c, &resource_apps_statefulsets, SET(3, ""));
	for (int i = 0; i < 300; i++) {
		sim_advance(c, 10 * NS_PER_MS);
		assert_true(!pod(c, "db-1") || pod_is_ready(pod(c, "db-0")));
		assert_true(!pod(c, "db-2") || pod_is_ready(pod(c, "db-1")));
	}
	sim_advance(c, 5 * NS_PER_SEC);
	p = pod(c, "db-2");
	EXPECT_STR(label_map_get(&p->metadata.labels, STR("statefulset.kubernetes.io/pod-name")),
		   "db-2");
	EXPECT_STR(label_map_get(&p->metadata.labels, STR("apps.kubernetes.io/pod-index")), "2");
	assert_true(str_eq(label_map_get(&p->metadata.labels, STR("controller-revision-hash")),
			   db(c)->status.update_revision));
	EXPECT_STR(p->spec.hostname, "db-2");
	EXPECT_STR(p->spec.subdomain, "db");
	EXPECT_STR(p->spec.volumes.p[0].persistent_volume_claim->claim_name, "data-db-2");
	assert_non_null(sim_get(c, &resource_core_persistentvolumeclaims, "default", "data-db-2"));
	assert_int_equal(sim_count(c, &resource_core_persistentvolumeclaims, "default"), 3);
	assert_int_equal(db(c)->status.ready_replicas, 3);
	assert_int_equal(db(c)->status.current_replicas, 3);
	assert_true(str_eq(db(c)->status.current_revision, db(c)->status.update_revision));
	sim_cluster_free(c);
}

TEST(parallel_pods_come_together)
{
	struct sim_cluster *c = sim_cluster_new(&(struct sim_opts){.seed = 1, .nodes = 2});

	sim_create(c, &resource_apps_statefulsets, SET(3, PARALLEL));
	sim_advance(c, 50 * NS_PER_MS);
	assert_int_equal(sim_count(c, &resource_core_pods, "default"), 3);
	sim_cluster_free(c);
}

TEST(scaling_down_takes_the_highest_first_and_keeps_claims)
{
	struct sim_cluster *c = sim_cluster_new(&(struct sim_opts){.seed = 1, .nodes = 2});

	sim_create(c, &resource_apps_statefulsets, SET(3, ""));
	sim_advance(c, 10 * NS_PER_SEC);
	sim_patch(c, &resource_apps_statefulsets, NULL, "default", "db",
		  "{\"spec\":{\"replicas\":1}}");
	for (int i = 0; i < 200; i++) {
		sim_advance(c, 10 * NS_PER_MS);
		assert_non_null(pod(c, "db-0"));
		assert_true(!pod(c, "db-2") || !pod_is_terminating(pod(c, "db-1")));
	}
	assert_int_equal(sim_count(c, &resource_core_pods, "default"), 1);
	assert_int_equal(sim_count(c, &resource_core_persistentvolumeclaims, "default"), 3);
	sim_cluster_free(c);
}

TEST(an_update_goes_from_the_highest_down_and_stops_at_the_partition)
{
	struct sim_cluster *c = sim_cluster_new(&(struct sim_opts){.seed = 1, .nodes = 2});

	sim_create(c, &resource_apps_statefulsets,
		   SET(3, "\"updateStrategy\":{\"type\":\"RollingUpdate\",\"rollingUpdate\":{"
			  "\"partition\":1}},"));
	sim_advance(c, 10 * NS_PER_SEC);
	sim_patch(c, &resource_apps_statefulsets, NULL, "default", "db", IMAGE("v2"));
	sim_advance(c, 20 * NS_PER_SEC);
	EXPECT_STR(pod(c, "db-0")->spec.containers.p[0].image, "v1");
	EXPECT_STR(pod(c, "db-1")->spec.containers.p[0].image, "v2");
	EXPECT_STR(pod(c, "db-2")->spec.containers.p[0].image, "v2");
	assert_int_equal(db(c)->status.updated_replicas, 2);
	assert_int_equal(db(c)->status.current_replicas, 1);
	/* A pod below the partition comes back at the revision it had. */
	sim_delete(c, &resource_core_pods, "default", "db-0", PROPAGATION_DEFAULT);
	sim_advance(c, 5 * NS_PER_SEC);
	EXPECT_STR(pod(c, "db-0")->spec.containers.p[0].image, "v1");
	sim_patch(c, &resource_apps_statefulsets, NULL, "default", "db",
		  "{\"spec\":{\"updateStrategy\":{\"rollingUpdate\":{\"partition\":0}}}}");
	sim_advance(c, 10 * NS_PER_SEC);
	EXPECT_STR(pod(c, "db-0")->spec.containers.p[0].image, "v2");
	assert_true(str_eq(db(c)->status.current_revision, db(c)->status.update_revision));
	assert_int_equal(sim_count(c, &resource_apps_controllerrevisions, "default"), 2);
	/* Back to what was before: no third revision. */
	sim_patch(c, &resource_apps_statefulsets, NULL, "default", "db", IMAGE("v1"));
	sim_advance(c, 20 * NS_PER_SEC);
	EXPECT_STR(pod(c, "db-2")->spec.containers.p[0].image, "v1");
	assert_int_equal(sim_count(c, &resource_apps_controllerrevisions, "default"), 2);
	sim_cluster_free(c);
}

TEST(ondelete_replaces_only_what_somebody_deletes)
{
	struct sim_cluster *c = sim_cluster_new(&(struct sim_opts){.seed = 1, .nodes = 2});

	sim_create(c, &resource_apps_statefulsets,
		   SET(2, "\"updateStrategy\":{\"type\":\"OnDelete\"},"));
	sim_advance(c, 10 * NS_PER_SEC);
	sim_patch(c, &resource_apps_statefulsets, NULL, "default", "db", IMAGE("v2"));
	sim_advance(c, 10 * NS_PER_SEC);
	EXPECT_STR(pod(c, "db-1")->spec.containers.p[0].image, "v1");
	sim_delete(c, &resource_core_pods, "default", "db-1", PROPAGATION_DEFAULT);
	sim_advance(c, 10 * NS_PER_SEC);
	EXPECT_STR(pod(c, "db-1")->spec.containers.p[0].image, "v2");
	EXPECT_STR(pod(c, "db-0")->spec.containers.p[0].image, "v1");
	sim_cluster_free(c);
}

TEST(a_pod_on_a_dead_node_keeps_its_name_until_it_is_gone)
{
	struct sim_cluster *c = sim_cluster_new(&(struct sim_opts){.seed = 1, .nodes = 1});
	struct str uid;

	sim_create(c, &resource_apps_statefulsets, SET(1, ""));
	sim_advance(c, 10 * NS_PER_SEC);
	uid = pod(c, "db-0")->metadata.uid;
	hollow_set_node_up(sim_hollow(c), 0, false);
	sim_delete(c, &resource_core_pods, "default", "db-0", PROPAGATION_DEFAULT);
	sim_advance(c, 600 * NS_PER_SEC);
	assert_true(pod(c, "db-0") && str_eq(pod(c, "db-0")->metadata.uid, uid));
	sim_cluster_free(c);
}

TEST(retention_policy_lets_claims_go_with_their_pods)
{
	struct sim_cluster *c = sim_cluster_new(&(struct sim_opts){.seed = 1, .nodes = 2});

	sim_create(c, &resource_apps_statefulsets,
		   SET(3, "\"persistentVolumeClaimRetentionPolicy\":{\"whenDeleted\":\"Delete\","
			  "\"whenScaled\":\"Delete\"},"));
	sim_advance(c, 10 * NS_PER_SEC);
	sim_patch(c, &resource_apps_statefulsets, NULL, "default", "db",
		  "{\"spec\":{\"replicas\":2}}");
	sim_advance(c, 10 * NS_PER_SEC);
	assert_null(sim_get(c, &resource_core_persistentvolumeclaims, "default", "data-db-2"));
	assert_non_null(sim_get(c, &resource_core_persistentvolumeclaims, "default", "data-db-1"));
	sim_patch(c, &resource_apps_statefulsets, NULL, "default", "db",
		  "{\"spec\":{\"replicas\":3}}");
	sim_advance(c, 10 * NS_PER_SEC);
	assert_non_null(pod(c, "db-2"));
	sim_delete(c, &resource_apps_statefulsets, "default", "db", PROPAGATION_BACKGROUND);
	sim_advance(c, 10 * NS_PER_SEC);
	assert_int_equal(sim_count(c, &resource_core_persistentvolumeclaims, "default"), 0);
	sim_cluster_free(c);
}

TEST_MAIN(pods_come_in_order_with_name_labels_and_claims, parallel_pods_come_together,
	  scaling_down_takes_the_highest_first_and_keeps_claims,
	  an_update_goes_from_the_highest_down_and_stops_at_the_partition,
	  ondelete_replaces_only_what_somebody_deletes,
	  a_pod_on_a_dead_node_keeps_its_name_until_it_is_gone,
	  retention_policy_lets_claims_go_with_their_pods)
