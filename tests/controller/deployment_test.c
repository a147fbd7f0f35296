/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"
#include "controller/deployment/rollout.h"
#include "controller/label_map.h"
#include "rules/condition.h"
#include "rules/controller_ref.h"
#include "rules/pod.h"
#include "sim/cluster.h"

#define DEPLOYMENT(n, strategy, image)                                                             \
	"{\"metadata\":{\"name\":\"web\",\"annotations\":{\"kubernetes.io/"                        \
	"change-cause\":\"first\"}},\"spec\":{\"replicas\":" #n                                    \
	",\"selector\":{\"matchLabels\":{\"app\":\"web\"}}," strategy                              \
	"\"progressDeadlineSeconds\":60,\"revisionHistoryLimit\":2,\"template\":{\"metadata\":{"   \
	"\"labels\":{\"app\":\"web\"}},"                                                           \
	"\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"" image "\"}]}}}}"
#define ROLLING(surge, unavailable)                                                                \
	"\"strategy\":{\"type\":\"RollingUpdate\",\"rollingUpdate\":{\"maxSurge\":" surge          \
	",\"maxUnavailable\":" unavailable "}},"
#define RECREATE "\"strategy\":{\"type\":\"Recreate\"},"
#define IMAGE(i)                                                                                   \
	"{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"" i        \
	"\"}]}}}}"

static const struct apps_deployment *get_web(struct sim_cluster *c)
{
	return FROZEN_AS(sim_get(c, &resource_apps_deployments, "default", "web"), apps_deployments,
			 struct apps_deployment);
}

struct tally {
	int pods, ready, old_running, new_running;
	struct str image;
};

static void tally_pod(void *ctx, struct frozen *f)
{
	struct tally *t = ctx;
	const struct core_pod *pod = FROZEN_AS(f, core_pods, struct core_pod);
	bool is_new = str_eq(pod->spec.containers.p[0].image, t->image);

	t->old_running += !is_new;
	t->new_running += is_new;
	if (pod_is_active(pod)) {
		t->pods++;
		t->ready += pod_is_ready(pod);
	}
}

static struct tally tally(struct sim_cluster *c, const char *image)
{
	struct tally t = {.image = str_of(image)};

	fake_api_each(sim_api(c), &resource_core_pods, STR("default"), tally_pod, &t);
	return t;
}

static const struct apps_deployment_condition *condition(struct sim_cluster *c, const char *type)
{
	const struct apps_deployment *d = get_web(c);

	return condition_find(&d->status.conditions, str_of(type));
}

struct find_set {
	struct str image;
	struct frozen *found;
};

static void find_set(void *ctx, struct frozen *f)
{
	struct find_set *s = ctx;
	const struct apps_replica_set *rs = FROZEN_AS(f, apps_replicasets, struct apps_replica_set);

	if (str_eq(rs->spec.template.spec.containers.p[0].image, s->image)) {
		frozen_unref(s->found);
		s->found = frozen_ref(f);
	}
}

/* The newest set of that image; the caller's. */
static struct frozen *set_of(struct sim_cluster *c, const char *image)
{
	struct find_set s = {.image = str_of(image)};

	fake_api_each(sim_api(c), &resource_apps_replicasets, STR("default"), find_set, &s);
	assert_non_null(s.found);
	return s.found;
}

static int32_t size_of(struct sim_cluster *c, const char *image)
{
	struct frozen *f = set_of(c, image);
	int32_t n = *FROZEN_AS(f, apps_replicasets, struct apps_replica_set)->spec.replicas;

	frozen_unref(f);
	return n;
}

TEST(deployment_creates_a_set_that_is_its_own)
{
	struct sim_cluster *c = sim_cluster_new(&(struct sim_opts){.seed = 1, .nodes = 2});
	const struct apps_deployment *d;
	const struct apps_replica_set *rs;
	struct frozen *f;
	struct str hash;

	sim_create(c, &resource_apps_deployments, DEPLOYMENT(3, ROLLING("1", "0"), "v1"));
	sim_advance(c, 10 * NS_PER_SEC);
	d = get_web(c);
	f = set_of(c, "v1");
	rs = FROZEN_AS(f, apps_replicasets, struct apps_replica_set);
	hash = label_map_get(&rs->metadata.labels, STR("pod-template-hash"));
	assert_true(hash.n >= 6);
	assert_true(str_has_suffix(rs->metadata.name, hash));
	assert_true(str_eq(
		label_map_get(&rs->spec.selector->match_labels, STR("pod-template-hash")), hash));
	assert_true(is_controlled_by(&rs->metadata, d->metadata.uid));
	EXPECT_STR(label_map_get(&rs->metadata.annotations, STR(DEPLOYMENT_REVISION)), "1");
	EXPECT_STR(label_map_get(&rs->metadata.annotations, STR(DEPLOYMENT_DESIRED)), "3");
	EXPECT_STR(label_map_get(&rs->metadata.annotations, STR(DEPLOYMENT_MAX)), "4");
	EXPECT_STR(label_map_get(&rs->metadata.annotations, STR("kubernetes.io/change-cause")),
		   "first");
	EXPECT_STR(label_map_get(&d->metadata.annotations, STR(DEPLOYMENT_REVISION)), "1");
	assert_int_equal(d->status.available_replicas, 3);
	assert_int_equal(d->status.updated_replicas, 3);
	assert_int_equal(d->status.unavailable_replicas, 0);
	assert_int_equal(d->status.observed_generation, d->metadata.generation);
	EXPECT_STR(condition(c, "Progressing")->reason, "NewReplicaSetAvailable");
	EXPECT_STR(condition(c, "Available")->reason, "MinimumReplicasAvailable");
	assert_int_equal(sim_count_events(c, "web", "ScalingReplicaSet"), 1);
	frozen_unref(f);
	sim_cluster_free(c);
}

TEST(rolling_keeps_its_bounds_at_every_step)
{
	struct sim_cluster *c = sim_cluster_new(&(struct sim_opts){.seed = 1, .nodes = 2});
	struct tally t;

	sim_create(c, &resource_apps_deployments, DEPLOYMENT(4, ROLLING("1", "0"), "v1"));
	sim_advance(c, 10 * NS_PER_SEC);
	sim_patch(c, &resource_apps_deployments, NULL, "default", "web", IMAGE("v2"));
	for (int i = 0; i < 1000; i++) {
		sim_advance(c, 10 * NS_PER_MS);
		t = tally(c, "v2");
		assert_true(t.pods <= 5);
		assert_true(t.ready >= 4);
	}
	assert_int_equal(t.new_running, 4);
	assert_int_equal(t.old_running, 0);
	EXPECT_STR(label_map_get(&get_web(c)->metadata.annotations, STR(DEPLOYMENT_REVISION)), "2");
	assert_int_equal(sim_count(c, &resource_apps_replicasets, "default"), 2);
	sim_cluster_free(c);
}

TEST(recreate_starts_nothing_before_all_old_pods_have_stopped)
{
	struct sim_cluster *c = sim_cluster_new(&(struct sim_opts){.seed = 1, .nodes = 2});
	struct tally t;

	sim_create(c, &resource_apps_deployments, DEPLOYMENT(3, RECREATE, "v1"));
	sim_advance(c, 10 * NS_PER_SEC);
	sim_patch(c, &resource_apps_deployments, NULL, "default", "web", IMAGE("v2"));
	for (int i = 0; i < 500; i++) {
		sim_advance(c, 10 * NS_PER_MS);
		t = tally(c, "v2");
		assert_true(!t.new_running || !t.old_running);
	}
	assert_int_equal(t.new_running, 3);
	EXPECT_STR(condition(c, "Progressing")->reason, "NewReplicaSetAvailable");
	sim_cluster_free(c);
}

TEST(paused_deployment_scales_but_does_not_roll)
{
	struct sim_cluster *c = sim_cluster_new(&(struct sim_opts){.seed = 1, .nodes = 2});

	sim_create(c, &resource_apps_deployments, DEPLOYMENT(2, ROLLING("1", "0"), "v1"));
	sim_advance(c, 10 * NS_PER_SEC);
	sim_patch(c, &resource_apps_deployments, NULL, "default", "web",
		  "{\"spec\":{\"paused\":true}}");
	sim_patch(c, &resource_apps_deployments, NULL, "default", "web", IMAGE("v2"));
	sim_patch(c, &resource_apps_deployments, NULL, "default", "web",
		  "{\"spec\":{\"replicas\":4}}");
	sim_advance(c, 10 * NS_PER_SEC);
	assert_int_equal(tally(c, "v1").new_running, 4);
	assert_int_equal(tally(c, "v2").new_running, 0);
	EXPECT_STR(condition(c, "Progressing")->reason, "DeploymentPaused");
	sim_patch(c, &resource_apps_deployments, NULL, "default", "web",
		  "{\"spec\":{\"paused\":false}}");
	sim_advance(c, 20 * NS_PER_SEC);
	assert_int_equal(tally(c, "v2").new_running, 4);
	EXPECT_STR(condition(c, "Progressing")->reason, "NewReplicaSetAvailable");
	sim_cluster_free(c);
}

TEST(going_back_reuses_the_old_set_under_a_new_revision)
{
	struct sim_cluster *c = sim_cluster_new(&(struct sim_opts){.seed = 1, .nodes = 2});
	struct frozen *f;

	sim_create(c, &resource_apps_deployments, DEPLOYMENT(2, ROLLING("1", "0"), "v1"));
	sim_advance(c, 10 * NS_PER_SEC);
	sim_patch(c, &resource_apps_deployments, NULL, "default", "web", IMAGE("v2"));
	sim_advance(c, 10 * NS_PER_SEC);
	sim_patch(c, &resource_apps_deployments, NULL, "default", "web", IMAGE("v1"));
	sim_advance(c, 10 * NS_PER_SEC);
	assert_int_equal(sim_count(c, &resource_apps_replicasets, "default"), 2);
	f = set_of(c, "v1");
	EXPECT_STR(label_map_get(&f->head->metadata.annotations, STR(DEPLOYMENT_REVISION)), "3");
	EXPECT_STR(label_map_get(&f->head->metadata.annotations, STR(DEPLOYMENT_REVISION_HISTORY)),
		   "1");
	EXPECT_STR(label_map_get(&get_web(c)->metadata.annotations, STR(DEPLOYMENT_REVISION)), "3");
	assert_int_equal(tally(c, "v1").new_running, 2);
	frozen_unref(f);
	sim_cluster_free(c);
}

TEST(history_keeps_as_many_old_sets_as_it_may)
{
	static const char *const images[] = {IMAGE("v2"), IMAGE("v3"), IMAGE("v4"), IMAGE("v5")};
	struct sim_cluster *c = sim_cluster_new(&(struct sim_opts){.seed = 1, .nodes = 2});

	sim_create(c, &resource_apps_deployments, DEPLOYMENT(2, ROLLING("1", "0"), "v1"));
	sim_advance(c, 10 * NS_PER_SEC);
	for (size_t i = 0; i < ARRAY_LEN(images); i++) {
		sim_patch(c, &resource_apps_deployments, NULL, "default", "web", images[i]);
		sim_advance(c, 10 * NS_PER_SEC);
	}
	assert_int_equal(sim_count(c, &resource_apps_replicasets, "default"),
			 3); /* two old ones and the new one */
	frozen_unref(set_of(c, "v3"));
	sim_cluster_free(c);
}

static void plan_broken(void *ctx UNUSED, const struct core_pod *pod, struct hollow_timing *timing)
{
	timing->never_ready = str_is(pod->spec.containers.p[0].image, "broken");
}

TEST(a_rollout_that_stands_still_exceeds_its_deadline_and_keeps_the_old_pods)
{
	struct sim_cluster *c =
		sim_cluster_new(&(struct sim_opts){.seed = 1, .nodes = 2, .plan = plan_broken});
	struct tally t;

	sim_create(c, &resource_apps_deployments,
		   DEPLOYMENT(4, ROLLING("\"25%\"", "\"25%\""), "v1"));
	sim_advance(c, 10 * NS_PER_SEC);
	sim_patch(c, &resource_apps_deployments, NULL, "default", "web", IMAGE("broken"));
	sim_advance(c, 50 * NS_PER_SEC);
	EXPECT_STR(condition(c, "Progressing")->reason, "ReplicaSetUpdated");
	sim_advance(c, 20 * NS_PER_SEC);
	EXPECT_STR(condition(c, "Progressing")->reason, "ProgressDeadlineExceeded");
	EXPECT_STR(condition(c, "Progressing")->status, "False");
	t = tally(c, "broken");
	assert_int_equal(t.ready, 3);
	assert_int_equal(t.pods, 5);
	/* A new template starts the clock again. */
	sim_patch(c, &resource_apps_deployments, NULL, "default", "web", IMAGE("v3"));
	sim_advance(c, 20 * NS_PER_SEC);
	EXPECT_STR(condition(c, "Progressing")->reason, "NewReplicaSetAvailable");
	assert_int_equal(tally(c, "v3").new_running, 4);
	assert_int_equal(tally(c, "v3").old_running, 0);
	sim_cluster_free(c);
}

/* Kubernetes' documentation, "Proportional scaling": 10 replicas, surge 3, unavailable 2: 8 old and 5 new; scaled to 15: 11 old, 7 new. */
TEST(scaling_in_the_middle_gives_each_set_its_share)
{
	struct sim_cluster *c =
		sim_cluster_new(&(struct sim_opts){.seed = 1, .nodes = 2, .plan = plan_broken});

	sim_create(c, &resource_apps_deployments, DEPLOYMENT(10, ROLLING("3", "2"), "v1"));
	sim_advance(c, 10 * NS_PER_SEC);
	sim_patch(c, &resource_apps_deployments, NULL, "default", "web", IMAGE("broken"));
	sim_advance(c, 10 * NS_PER_SEC);
	assert_int_equal(size_of(c, "v1"), 8);
	assert_int_equal(size_of(c, "broken"), 5);
	sim_patch(c, &resource_apps_deployments, NULL, "default", "web",
		  "{\"spec\":{\"replicas\":15}}");
	sim_advance(c, 10 * NS_PER_SEC);
	assert_int_equal(size_of(c, "v1"), 11);
	assert_int_equal(size_of(c, "broken"), 7);
	sim_cluster_free(c);
}

TEST(fenceposts_round_as_upstream_does)
{
	static const struct {
		const char *surge, *unavailable;
		int replicas, want_surge, want_unavailable;
	} cases[] = {
		{"25%", "25%", 10, 3, 2}, {"25%", "25%", 1, 1, 0}, {"0%", "1%", 10, 0, 1},
		{"0", "0", 10, 0, 1},	  {"100%", "0", 4, 4, 0},  {"1", "5", 3, 1, 3},
		{"0", "0", 0, 0, 0},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct int_or_string surge = {.kind = IOS_STRING, .str = str_of(cases[i].surge)};
		struct int_or_string unavailable = {.kind = IOS_STRING,
						    .str = str_of(cases[i].unavailable)};
		struct apps_rolling_update_deployment rolling = {&unavailable, &surge};
		struct apps_deployment d = {.spec.strategy.rolling_update = &rolling};
		int32_t s;
		int32_t u;

		if (!str_has_suffix(surge.str, STR("%"))) {
			surge = (struct int_or_string){.num = cases[i].surge[0] - '0'};
		}
		if (!str_has_suffix(unavailable.str, STR("%"))) {
			unavailable = (struct int_or_string){.num = cases[i].unavailable[0] - '0'};
		}
		rolling_resolve(&d, cases[i].replicas, &s, &u);
		assert_int_equal(s, cases[i].want_surge);
		assert_int_equal(u, cases[i].want_unavailable);
	}
}

TEST(a_set_of_another_owner_with_the_name_raises_the_collision_count)
{
	struct sim_cluster *c = sim_cluster_new(&(struct sim_opts){.seed = 1, .nodes = 2});
	struct frozen *f;
	char json[400];

	sim_create(c, &resource_apps_deployments, DEPLOYMENT(1, ROLLING("1", "0"), "v1"));
	sim_advance(c, 10 * NS_PER_SEC);
	f = set_of(c, "v1");
	sim_delete(c, &resource_apps_deployments, "default", "web", PROPAGATION_BACKGROUND);
	sim_advance(c, 10 * NS_PER_SEC);
	if (sim_get(c, &resource_apps_replicasets, "default",
		    arena_cstr(&f->arena, f->head->metadata.name))) {
		sim_delete(c, &resource_apps_replicasets, "default",
			   arena_cstr(&f->arena, f->head->metadata.name), PROPAGATION_BACKGROUND);
	}
	snprintf(json, sizeof(json),
		 "{\"metadata\":{\"name\":\"%.*s\"},\"spec\":{\"replicas\":0,\"selector\":{"
		 "\"matchLabels\":{\"a\":\"b\"}},\"template\":{"
		 "\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{\"containers\":[{\"name\":"
		 "\"c\",\"image\":\"x\"}]}}}}",
		 STR_ARG(f->head->metadata.name));
	sim_create(c, &resource_apps_replicasets, json);
	sim_create(c, &resource_apps_deployments, DEPLOYMENT(1, ROLLING("1", "0"), "v1"));
	sim_advance(c, 10 * NS_PER_SEC);
	assert_int_equal(*get_web(c)->status.collision_count, 1);
	assert_int_equal(get_web(c)->status.available_replicas, 1);
	frozen_unref(f);
	sim_cluster_free(c);
}

TEST_MAIN(deployment_creates_a_set_that_is_its_own, rolling_keeps_its_bounds_at_every_step,
	  recreate_starts_nothing_before_all_old_pods_have_stopped,
	  paused_deployment_scales_but_does_not_roll,
	  going_back_reuses_the_old_set_under_a_new_revision,
	  history_keeps_as_many_old_sets_as_it_may,
	  a_rollout_that_stands_still_exceeds_its_deadline_and_keeps_the_old_pods,
	  scaling_in_the_middle_gives_each_set_its_share, fenceposts_round_as_upstream_does,
	  a_set_of_another_owner_with_the_name_raises_the_collision_count)
