/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"
#include "rules/pod.h"
#include "sim/cluster.h"

#define RS(name, n)                                                                                \
	"{\"metadata\":{\"name\":\"" name "\"},\"spec\":{\"replicas\":" #n                         \
	",\"selector\":{\"matchLabels\":{\"app\":\"" name                                          \
	"\"}},\"template\":{\"metadata\":{\"labels\":{\"app\":\"" name                             \
	"\"}},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}}}"

static const struct apps_replica_set *get_rs(struct sim_cluster *c, const char *name)
{
	return FROZEN_AS(sim_get(c, &resource_apps_replicasets, "default", name), apps_replicasets,
			 struct apps_replica_set);
}

TEST(replicaset_makes_its_pods_and_counts_them)
{
	struct sim_cluster *c = sim_cluster_new(&(struct sim_opts){.seed = 1, .nodes = 2});
	const struct apps_replica_set *rs;

	sim_create(c, &resource_apps_replicasets, RS("web", 3));
	sim_advance(c, 5 * NS_PER_SEC);
	rs = get_rs(c, "web");
	assert_int_equal(sim_count(c, &resource_core_pods, "default"), 3);
	assert_int_equal(rs->status.replicas, 3);
	assert_int_equal(rs->status.ready_replicas, 3);
	assert_int_equal(rs->status.available_replicas, 3);
	assert_int_equal(rs->status.fully_labeled_replicas, 3);
	assert_int_equal(rs->status.observed_generation, rs->metadata.generation);
	assert_int_equal(sim_count_events(c, "web", "SuccessfulCreate"), 3);
	sim_cluster_free(c);
}

TEST(replicaset_scales_down_to_what_is_wanted)
{
	struct sim_cluster *c = sim_cluster_new(&(struct sim_opts){.seed = 1, .nodes = 2});

	sim_create(c, &resource_apps_replicasets, RS("web", 5));
	sim_advance(c, 5 * NS_PER_SEC);
	sim_patch(c, &resource_apps_replicasets, NULL, "default", "web",
		  "{\"spec\":{\"replicas\":2}}");
	sim_advance(c, 5 * NS_PER_SEC);
	assert_int_equal(sim_count(c, &resource_core_pods, "default"), 2);
	assert_int_equal(get_rs(c, "web")->status.replicas, 2);
	assert_int_equal(sim_count_events(c, "web", "SuccessfulDelete"), 3);
	sim_cluster_free(c);
}

TEST(replicaset_adopts_orphans_and_releases_relabelled_pods)
{
	struct sim_cluster *c = sim_cluster_new(&(struct sim_opts){.seed = 1, .nodes = 2});
	const struct core_pod *pod;

	sim_create(c, &resource_core_pods,
		   "{\"metadata\":{\"name\":\"stray\",\"labels\":{\"app\":\"web\"}},\"spec\":{"
		   "\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}");
	sim_create(c, &resource_apps_replicasets, RS("web", 2));
	sim_advance(c, 5 * NS_PER_SEC);
	assert_int_equal(sim_count(c, &resource_core_pods, "default"), 2);
	pod = FROZEN_AS(sim_get(c, &resource_core_pods, "default", "stray"), core_pods,
			struct core_pod);
	assert_int_equal(pod->metadata.owner_references.n, 1);
	EXPECT_STR(pod->metadata.owner_references.p[0].name, "web");
	sim_patch(c, &resource_core_pods, NULL, "default", "stray",
		  "{\"metadata\":{\"labels\":{\"app\":\"other\"}}}");
	sim_advance(c, 5 * NS_PER_SEC);
	pod = FROZEN_AS(sim_get(c, &resource_core_pods, "default", "stray"), core_pods,
			struct core_pod);
	assert_int_equal(pod->metadata.owner_references.n, 0);
	assert_int_equal(sim_count(c, &resource_core_pods, "default"), 3);
	assert_int_equal(get_rs(c, "web")->status.replicas, 2);
	sim_cluster_free(c);
}

TEST(lost_answers_make_no_extra_pods)
{
	static const struct faults faults = {
		.lose_answer = 400, .max_event_delay_ns = 3 * NS_PER_SEC, .repeat_event = 200};
	struct sim_cluster *c = sim_cluster_new(&(struct sim_opts){.seed = 3, .nodes = 2});

	sim_set_faults(c, &faults);
	sim_create(c, &resource_apps_replicasets, RS("web", 8));
	for (int i = 0; i < 600; i++) {
		sim_advance(c, NS_PER_SEC / 2);
		assert_true(sim_count(c, &resource_core_pods, "default") <= 8);
	}
	assert_int_equal(sim_count(c, &resource_core_pods, "default"), 8);
	sim_cluster_free(c);
}

TEST(replicationcontroller_keeps_its_pods)
{
	struct sim_cluster *c = sim_cluster_new(&(struct sim_opts){.seed = 1, .nodes = 2});
	const struct core_replication_controller *rc;

	sim_create(c, &resource_core_replicationcontrollers,
		   "{\"metadata\":{\"name\":\"old\"},\"spec\":{\"replicas\":2,\"selector\":{"
		   "\"app\":\"old\"},\"template\":{\"metadata\":{"
		   "\"labels\":{\"app\":\"old\"}},\"spec\":{\"containers\":[{\"name\":\"c\","
		   "\"image\":\"i\"}]}}}}");
	sim_advance(c, 5 * NS_PER_SEC);
	rc = FROZEN_AS(sim_get(c, &resource_core_replicationcontrollers, "default", "old"),
		       core_replicationcontrollers, struct core_replication_controller);
	assert_int_equal(rc->status.available_replicas, 2);
	assert_int_equal(sim_count(c, &resource_core_pods, "default"), 2);
	sim_cluster_free(c);
}

TEST_MAIN(replicaset_makes_its_pods_and_counts_them, replicaset_scales_down_to_what_is_wanted,
	  replicaset_adopts_orphans_and_releases_relabelled_pods, lost_answers_make_no_extra_pods,
	  replicationcontroller_keeps_its_pods)
