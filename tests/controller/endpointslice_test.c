/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"
#include "controller/label_map.h"
#include "sim/cluster.h"

#define SERVICE(extra)                                                                             \
	"{\"metadata\":{\"name\":\"web\",\"labels\":{\"team\":\"a\"}},\"spec\":{\"selector\":{"    \
	"\"app\":\"web\"}," extra "\"ports\":[{\"name\":\"http\",\"port\":80,\"targetPort\":"      \
	"\"http\"},{\"name\":\"raw\",\"port\":81,\"targetPort\":9}]}}"
#define POD(name, port)                                                                            \
	"{\"metadata\":{\"name\":\"" name                                                          \
	"\",\"labels\":{\"app\":\"web\"}},\"spec\":{\"hostname\":\"" name                          \
	"\",\"subdomain\":\"web\",\"containers\":[{\"name\":\"c\",\"image\":\"i\",\"ports\":[{"    \
	"\"name\":\"http\",\"containerPort\":" #port "}]}]}}"
#define RS(n)                                                                                      \
	"{\"metadata\":{\"name\":\"web\"},\"spec\":{\"replicas\":" #n                              \
	",\"selector\":{\"matchLabels\":{\"app\":\"web\"}},\"template\":{\"metadata\":{"           \
	"\"labels\":{\"app\":\"web\"}},\"spec\":{"                                                 \
	"\"containers\":[{\"name\":\"c\",\"image\":\"i\",\"ports\":[{\"name\":\"http\","           \
	"\"containerPort\":8080}]}]}}}}"

struct slices {
	struct frozen *p[8];
	size_t n, endpoints, ready, serving, terminating;
};

static void add_slice(void *ctx, struct frozen *f)
{
	struct slices *s = ctx;
	const struct discovery_endpoint_slice *slice =
		FROZEN_AS(f, discovery_endpointslices, struct discovery_endpoint_slice);

	if (!str_is(label_map_get(&slice->metadata.labels, STR("kubernetes.io/service-name")),
		    "web")) {
		return; /* the API server's own */
	}
	assert_true(s->n < ARRAY_LEN(s->p));
	s->p[s->n++] = frozen_ref(f);
	s->endpoints += slice->endpoints.n;
	for (size_t i = 0; i < slice->endpoints.n; i++) {
		s->ready += *slice->endpoints.p[i].conditions.ready;
		s->serving += *slice->endpoints.p[i].conditions.serving;
		s->terminating += *slice->endpoints.p[i].conditions.terminating;
	}
}

static struct slices slices_of(struct sim_cluster *c)
{
	struct slices s = {0};

	fake_api_each(sim_api(c), &resource_discovery_endpointslices, STR("default"), add_slice,
		      &s);
	return s;
}

static void slices_fini(struct slices *s)
{
	for (size_t i = 0; i < s->n; i++) {
		frozen_unref(s->p[i]);
	}
}

static const struct discovery_endpoint_slice *slice(const struct slices *s, size_t i)
{
	return FROZEN_AS(s->p[i], discovery_endpointslices, struct discovery_endpoint_slice);
}

TEST(a_service_without_pods_has_one_empty_slice)
{
	struct sim_cluster *c = sim_cluster_new(&(struct sim_opts){.seed = 1, .nodes = 2});
	struct slices s;

	sim_create(c, &resource_core_services, SERVICE(""));
	sim_advance(c, NS_PER_SEC);
	s = slices_of(c);
	assert_int_equal(s.n, 1);
	assert_int_equal(s.endpoints, 0);
	EXPECT_STR(label_map_get(&slice(&s, 0)->metadata.labels, STR("kubernetes.io/service-name")),
		   "web");
	EXPECT_STR(label_map_get(&slice(&s, 0)->metadata.labels,
				 STR("endpointslice.kubernetes.io/managed-by")),
		   "endpointslice-controller.k8s.io");
	EXPECT_STR(label_map_get(&slice(&s, 0)->metadata.labels, STR("team")), "a");
	EXPECT_STR(slice(&s, 0)->metadata.owner_references.p[0].kind, "Service");
	slices_fini(&s);
	sim_cluster_free(c);
}

TEST(endpoints_say_ready_serving_and_terminating)
{
	struct sim_cluster *c =
		sim_cluster_new(&(struct sim_opts){.seed = 1, .nodes = 2, .zones = 2});
	const struct discovery_endpoint *e;
	struct slices s;

	sim_create(c, &resource_core_services, SERVICE(""));
	sim_create(c, &resource_core_pods, POD("a", 8080));
	sim_advance(c, 3 * NS_PER_SEC + 150 * NS_PER_MS);
	s = slices_of(c);
	assert_int_equal(s.n, 1); /* the empty one has been filled */
	e = &slice(&s, 0)->endpoints.p[0];
	assert_true(*e->conditions.ready && *e->conditions.serving && !*e->conditions.terminating);
	EXPECT_STR(*e->hostname, "a");
	EXPECT_STR(e->target_ref->name, "a");
	assert_non_null(e->zone);
	assert_true(str_has_prefix(*e->node_name, STR("node-")));
	assert_int_equal(slice(&s, 0)->ports.n, 2);
	assert_int_equal(*slice(&s, 0)->ports.p[0].port, 8080);
	assert_int_equal(*slice(&s, 0)->ports.p[1].port, 9);
	slices_fini(&s);
	sim_delete(c, &resource_core_pods, "default", "a", PROPAGATION_DEFAULT);
	sim_advance(c, 20 * NS_PER_MS);
	s = slices_of(c);
	e = &slice(&s, 0)->endpoints.p[0];
	assert_true(!*e->conditions.ready && *e->conditions.serving && *e->conditions.terminating);
	slices_fini(&s);
	sim_advance(c, NS_PER_SEC);
	s = slices_of(c);
	assert_int_equal(s.endpoints, 0);
	slices_fini(&s);
	sim_cluster_free(c);
}

TEST(pods_with_other_ports_stand_in_other_slices)
{
	struct sim_cluster *c = sim_cluster_new(&(struct sim_opts){.seed = 1, .nodes = 2});
	struct slices s;

	sim_create(c, &resource_core_services, SERVICE("\"clusterIP\":\"None\","));
	sim_create(c, &resource_core_pods, POD("a", 8080));
	sim_create(c, &resource_core_pods, POD("b", 8080));
	sim_create(c, &resource_core_pods, POD("c", 9090));
	sim_advance(c, 3 * NS_PER_SEC);
	s = slices_of(c);
	assert_int_equal(s.n, 2);
	assert_int_equal(s.ready, 3);
	assert_non_null(
		label_map_get(&slice(&s, 0)->metadata.labels, STR("service.kubernetes.io/headless"))
			.p);
	slices_fini(&s);
	sim_cluster_free(c);
}

TEST(slices_hold_a_hundred_endpoints_and_change_one_at_a_time)
{
	struct sim_cluster *c = sim_cluster_new(&(struct sim_opts){.seed = 1, .nodes = 3});
	struct slices s;
	struct slices after;
	int changed = 0;

	sim_create(c, &resource_core_services, SERVICE(""));
	sim_create(c, &resource_apps_replicasets, RS(250));
	sim_advance(c, 10 * NS_PER_SEC);
	s = slices_of(c);
	assert_int_equal(s.n, 3);
	assert_int_equal(s.ready, 250);
	for (size_t i = 0; i < s.n; i++) {
		assert_true(slice(&s, i)->endpoints.n <= 100);
	}
	sim_patch(c, &resource_apps_replicasets, NULL, "default", "web",
		  "{\"spec\":{\"replicas\":249}}");
	sim_advance(c, 5 * NS_PER_SEC);
	after = slices_of(c);
	assert_int_equal(after.n, 3);
	assert_int_equal(after.ready, 249);
	for (size_t i = 0; i < s.n; i++) {
		changed += s.p[i]->revision != after.p[i]->revision;
	}
	assert_int_equal(changed, 1);
	slices_fini(&s);
	slices_fini(&after);
	sim_cluster_free(c);
}

static void plan_never_ready(void *ctx UNUSED, const struct core_pod *pod UNUSED,
			     struct hollow_timing *timing)
{
	timing->never_ready = true;
}

TEST(endpoints_list_ready_and_other_addresses_apart)
{
	struct sim_cluster *c = sim_cluster_new(
		&(struct sim_opts){.seed = 1, .nodes = 2, .plan = plan_never_ready});
	const struct core_endpoints *e;

	sim_create(c, &resource_core_services, SERVICE(""));
	sim_create(c, &resource_core_pods, POD("a", 8080));
	sim_advance(c, 3 * NS_PER_SEC);
	e = FROZEN_AS(sim_get(c, &resource_core_endpoints, "default", "web"), core_endpoints,
		      struct core_endpoints);
	assert_int_equal(e->subsets.n, 1);
	assert_int_equal(e->subsets.p[0].addresses.n, 0);
	assert_int_equal(e->subsets.p[0].not_ready_addresses.n, 1);
	EXPECT_STR(e->subsets.p[0].not_ready_addresses.p[0].target_ref->name, "a");
	assert_int_equal(e->subsets.p[0].ports.n, 2);
	sim_patch(c, &resource_core_services, NULL, "default", "web",
		  "{\"spec\":{\"publishNotReadyAddresses\":true}}");
	sim_advance(c, NS_PER_SEC);
	e = FROZEN_AS(sim_get(c, &resource_core_endpoints, "default", "web"), core_endpoints,
		      struct core_endpoints);
	assert_int_equal(e->subsets.p[0].addresses.n, 1);
	sim_delete(c, &resource_core_services, "default", "web", PROPAGATION_BACKGROUND);
	sim_advance(c, NS_PER_SEC);
	assert_null(sim_get(c, &resource_core_endpoints, "default", "web"));
	sim_cluster_free(c);
}

TEST_MAIN(a_service_without_pods_has_one_empty_slice, endpoints_say_ready_serving_and_terminating,
	  pods_with_other_ports_stand_in_other_slices,
	  slices_hold_a_hundred_endpoints_and_change_one_at_a_time,
	  endpoints_list_ready_and_other_addresses_apart)
