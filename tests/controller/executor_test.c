/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/executor.h"

#include "base/test.h"
#include "sim/cluster.h"

/* A controller of the test's own: keys are ConfigMaps, what it does is a function that the test gives it by the object's name. */
static int passes, seen_failures;
static struct str seen_reason;

static void create(struct actions *a, const char *name)
{
	struct core_config_map map = {
		.metadata = {.name = str_of(name), .namespace = STR("default")}};

	actions_create(a, &resource_core_configmaps, &map);
}

static void reconcile(const struct snapshot *snapshot, struct str key, struct actions *a)
{
	struct str name = controller_key_name(key);

	if (!snapshot_get_key(snapshot, &resource_core_configmaps, key)) {
		return;
	}
	passes++;
	if (snapshot->failed) {
		seen_failures++;
		seen_reason =
			str_of(str_is(snapshot->failed->reason, "AlreadyExists") ? "AlreadyExists"
										 : "another");
	}
	if (str_is(name, "stages")) {
		create(a, "stages"); /* is there already */
		actions_next_stage(a);
		create(a, "second");
	} else if (str_is(name, "one") &&
		   informer_count(snapshot_informer(snapshot, &resource_core_secrets)) < 1) {
		struct core_secret secret = {.metadata = {.namespace = STR("default")}};

		secret.metadata.name = snapshot_random_name(snapshot, STR("s-"));
		actions_create(a, &resource_core_secrets, &secret);
		actions_requeue_after(a, 1000000);
	} else if (str_is(name, "pods")) {
		struct core_pod pod = {.metadata = {.namespace = STR("default")}};

		for (int i = 0; i < 16; i++) {
			pod.metadata.name = snapshot_random_name(snapshot, STR("p-"));
			actions_create(a, &resource_core_pods, &pod);
		}
	} else if (str_is(name, "fails")) {
		create(a, "made-all-the-same");
		actions_fail(a, "something is not right");
	}
}

static const struct controller_watch watches[] = {
	{.resource = &resource_core_configmaps, .keys = controller_keys_self},
	{.resource = &resource_core_secrets, .keys = controller_keys_none},
	{.resource = &resource_core_pods, .keys = controller_keys_none},
};

static const struct controller_desc desc = {
	.name = "test-controller",
	.service_account = "test",
	.workers = 2,
	.watches = watches,
	.nwatches = ARRAY_LEN(watches),
	.reconcile = reconcile,
};
static const struct controller_desc *const controllers[] = {&desc};

static struct sim_cluster *cluster(void)
{
	passes = seen_failures = 0;
	return sim_cluster_new(
		&(struct sim_opts){.seed = 1, .controllers = controllers, .ncontrollers = 1});
}

static struct controller_metrics metrics(struct sim_cluster *c)
{
	struct controller_metrics m;

	executor_get_metrics(sim_executor(c), 0, &m);
	return m;
}

TEST(a_failed_stage_drops_the_rest_and_the_next_pass_knows_why)
{
	struct sim_cluster *c = cluster();

	sim_create(c, &resource_core_configmaps, "{\"metadata\":{\"name\":\"stages\"}}");
	sim_advance(c, 100 * NS_PER_MS);
	assert_null(sim_get(c, &resource_core_configmaps, "default", "second"));
	assert_true(seen_failures >= 3); /* 5, 10, 20, 40 ms */
	assert_true(passes <= 6);
	EXPECT_STR(seen_reason, "AlreadyExists");
	assert_int_equal(metrics(c).failures, passes);
	sim_cluster_free(c);
}

TEST(a_key_is_held_until_its_writes_have_been_seen)
{
	static const struct faults late = {.max_event_delay_ns = 5 * NS_PER_SEC};
	struct sim_cluster *c = cluster();

	sim_create(c, &resource_core_configmaps, "{\"metadata\":{\"name\":\"one\"}}");
	sim_set_faults(c, &late);
	for (int i = 0; i < 100; i++) {
		sim_advance(c, 200 * NS_PER_MS);
		assert_true(sim_count(c, &resource_core_secrets, "default") <= 1);
	}
	assert_int_equal(sim_count(c, &resource_core_secrets, "default"), 1);
	assert_true(executor_is_idle(sim_executor(c)));
	sim_cluster_free(c);
}

TEST(pods_go_out_in_growing_batches_until_one_is_refused)
{
	static const struct faults refuse = {.refuse = 1000};
	struct sim_cluster *c = cluster();
	struct controller_metrics m;

	sim_set_faults(c, &refuse);
	sim_create(c, &resource_core_configmaps, "{\"metadata\":{\"name\":\"pods\"}}");
	sim_advance(c, NS_PER_SEC);
	m = metrics(c);
	assert_true(m.passes >= 3);
	assert_int_equal(m.writes, m.passes); /* one is tried, not sixteen */
	sim_set_faults(c, NULL);
	sim_advance(c, 10 * NS_PER_SEC);
	assert_int_equal(sim_count(c, &resource_core_pods, "default"), 16);
	sim_cluster_free(c);
}

TEST(what_reconcile_calls_a_failure_is_retried_and_its_actions_done)
{
	struct sim_cluster *c = cluster();

	sim_create(c, &resource_core_configmaps, "{\"metadata\":{\"name\":\"fails\"}}");
	sim_advance(c, 3 * NS_PER_MS);
	assert_non_null(sim_get(c, &resource_core_configmaps, "default", "made-all-the-same"));
	sim_advance(c, NS_PER_SEC);
	assert_true(passes > 2);
	sim_cluster_free(c);
}

TEST_MAIN(a_failed_stage_drops_the_rest_and_the_next_pass_knows_why,
	  a_key_is_held_until_its_writes_have_been_seen,
	  pods_go_out_in_growing_batches_until_one_is_refused,
	  what_reconcile_calls_a_failure_is_retried_and_its_actions_done)
