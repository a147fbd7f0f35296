/* SPDX-License-Identifier: Apache-2.0 */
/* Twenty seeds of a small cluster in trouble: controllers that crash between two writes, lost and late messages, watches that break, nodes that
 * are cut off or die, while a Deployment is rolled out again and again beside a StatefulSet with volumes. SIM_SEED=n runs one seed, SIM_SEEDS=n
 * that many. */
#include <stdlib.h>

#include "base/test.h"
#include "rules/controller_ref.h"
#include "rules/pod.h"
#include "sim/cluster.h"

enum { SEEDS = 20, NODES = 4, ORDINALS = 3 };

#define STEP_NS (100 * NS_PER_MS)

struct world {
	struct sim_cluster *c;
	uint64_t seed, random;
	int replicas, surge, unavailable;
	int image; /* the newest */
	bool nodes_are_well;
	bool has_been_up; /* enough pods are available again since the last trouble with nodes */
	struct str volumes[ORDINALS]; /* the volume of each claim, once bound */
	struct arena arena;
	int step;
};

#define CHECK(w, x)                                                                                \
	do {                                                                                       \
		if (!(x)) {                                                                        \
			print_error("seed %llu, step %d: %s does not hold (SIM_SEED=%llu replays " \
				    "it)\n",                                                       \
				    (unsigned long long)(w)->seed, (w)->step, #x,                  \
				    (unsigned long long)(w)->seed);                                \
			fail();                                                                    \
		}                                                                                  \
	} while (0)

static uint64_t choose(struct world *w, uint64_t n)
{
	return sim_random(&w->random) % n;
}

static void plan(void *ctx, const struct core_pod *pod UNUSED, struct hollow_timing *timing)
{
	struct world *w = ctx;

	timing->start_ns = (int64_t)(50 + choose(w, 1000)) * NS_PER_MS;
	timing->ready_ns = (int64_t)(50 + choose(w, 2000)) * NS_PER_MS;
	timing->stop_ns = (int64_t)(50 + choose(w, 3000)) * NS_PER_MS;
}

/* ---- what must hold at any moment ---- */

struct count {
	int pods, available, newest;
	struct str image;
	struct str owner;
	int owners;
};

static bool count_pod(void *ctx, struct frozen *f)
{
	struct count *n = ctx;
	const struct core_pod *pod = FROZEN_AS(f, core_pods, struct core_pod);
	const struct meta_owner_reference *ref = controller_of(&pod->metadata);

	if (!str_has_prefix(pod->metadata.name, STR("web-"))) {
		return true;
	}
	if (pod_is_active(pod)) {
		n->pods++;
		n->available += pod_is_ready(pod);
	}
	n->newest += str_eq(pod->spec.containers.p[0].image, n->image);
	if (ref && !str_eq(ref->uid, n->owner)) {
		n->owner = ref->uid;
		n->owners++;
	}
	return true;
}

static struct count count(struct world *w)
{
	struct count n = {.image = arena_printf(&w->arena, "v%d", w->image)};

	informer_each(informers_get(sim_informers(w->c), &resource_core_pods, STR_NULL),
		      STR("default"), count_pod, &n);
	return n;
}

static void check_claims(struct world *w)
{
	struct informer *claims =
		informers_get(sim_informers(w->c), &resource_core_persistentvolumeclaims, STR_NULL);

	for (int i = 0; i < ORDINALS; i++) {
		struct frozen *f = informer_get(claims, STR("default"),
						arena_printf(&w->arena, "data-db-%d", i));
		const struct core_persistent_volume_claim *claim =
			f ? FROZEN_AS(f, core_persistentvolumeclaims,
				      struct core_persistent_volume_claim)
			  : NULL;

		if (w->volumes[i].n) {
			CHECK(w, claim && str_eq(claim->spec.volume_name, w->volumes[i]));
			CHECK(w, str_is(claim->status.phase, "Bound"));
		} else if (claim && str_is(claim->status.phase, "Bound")) {
			w->volumes[i] = arena_str(&w->arena, claim->spec.volume_name);
		}
	}
}

static void check(struct world *w)
{
	struct count n = count(w);
	int least = w->replicas - w->unavailable;

	CHECK(w, n.pods <= w->replicas + w->surge);
	w->has_been_up |= n.available >= least;
	if (w->nodes_are_well && w->has_been_up) {
		CHECK(w, n.available >= least);
	}
	for (int i = 0; i < ORDINALS; i++) {
		CHECK(w, hollow_count_processes(sim_hollow(w->c), STR("default"),
						arena_printf(&w->arena, "db-%d", i)) <= 1);
	}
	check_claims(w);
}

static void run(struct world *w, int64_t ns)
{
	for (int64_t t = 0; t < ns; t += STEP_NS, w->step++) {
		sim_advance(w->c, STEP_NS);
		check(w);
	}
}

/* ---- what happens ---- */

static void create_all(struct world *w)
{
	static const char class[] =
		"{\"metadata\":{\"name\":\"standard\",\"annotations\":{\"storageclass.kubernetes."
		"io/is-default-class\":\"true\"}},"
		"\"provisioner\":\"cox.dev/"
		"shared-path\",\"reclaimPolicy\":\"Delete\",\"volumeBindingMode\":\"Immediate\"}";
	static const char set[] =
		"{\"metadata\":{\"name\":\"db\"},\"spec\":{\"replicas\":3,\"serviceName\":\"db\","
		"\"selector\":{\"matchLabels\":{\"app\":\"db\"}},"
		"\"template\":{\"metadata\":{\"labels\":{\"app\":\"db\"}},\"spec\":{\"containers\":"
		"[{\"name\":\"c\",\"image\":\"db\"}]}},"
		"\"volumeClaimTemplates\":[{\"metadata\":{\"name\":\"data\"},\"spec\":{"
		"\"accessModes\":[\"ReadWriteOnce\"],\"resources\":{"
		"\"requests\":{\"storage\":\"1Gi\"}}}}]}}";
	char json[800];

	snprintf(json, sizeof(json),
		 "{\"metadata\":{\"name\":\"web\"},\"spec\":{\"replicas\":%d,\"strategy\":{"
		 "\"type\":\"RollingUpdate\",\"rollingUpdate\":{"
		 "\"maxSurge\":%d,\"maxUnavailable\":%d}},\"selector\":{\"matchLabels\":{\"app\":"
		 "\"web\"}},\"template\":{\"metadata\":{"
		 "\"labels\":{\"app\":\"web\"}},\"spec\":{\"containers\":[{\"name\":\"c\","
		 "\"image\":\"v%d\"}]}}}}",
		 w->replicas, w->surge, w->unavailable, w->image);
	sim_create(w->c, &resource_storage_storageclasses, class);
	sim_create(w->c, &resource_apps_statefulsets, set);
	sim_create(w->c, &resource_apps_deployments, json);
}

static void new_image(struct world *w)
{
	char patch[200];

	snprintf(patch, sizeof(patch),
		 "{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"v%"
		 "d\"}]}}}}",
		 ++w->image);
	sim_patch(w->c, &resource_apps_deployments, NULL, "default", "web", patch);
}

/* The control plane in trouble, the nodes well. */
static void trouble_above(struct world *w)
{
	struct faults faults = {
		.lose_call = (int)choose(w, 60),
		.lose_answer = (int)choose(w, 60),
		.refuse = (int)choose(w, 60),
		.max_call_delay_ns = (int64_t)choose(w, 300) * NS_PER_MS,
		.max_event_delay_ns = (int64_t)choose(w, 3000) * NS_PER_MS,
		.repeat_event = (int)choose(w, 100),
		.break_watch = (int)choose(w, 20),
	};

	sim_set_faults(w->c, &faults);
	for (int i = 0; i < 8; i++) {
		if (choose(w, 2)) {
			new_image(w);
		}
		/* A short time later they crash: mostly in the middle of a few writes. */
		run(w, (int64_t)choose(w, 12) * STEP_NS);
		sim_restart_controllers(w->c);
		run(w, (int64_t)choose(w, 100) * STEP_NS);
	}
	sim_set_faults(w->c, NULL);
}

/* A node goes, and is back later, or is dead and said to be. */
static void trouble_below(struct world *w)
{
	int node = (int)choose(w, NODES);
	bool dies = choose(w, 2);
	char name[16];

	w->nodes_are_well = false;
	if (dies) {
		hollow_kill_node(sim_hollow(w->c), node);
	} else {
		hollow_set_node_up(sim_hollow(w->c), node, false);
	}
	run(w, (int64_t)(20 + choose(w, 60)) * NS_PER_SEC);
	new_image(w);
	if (dies) {
		snprintf(name, sizeof(name), "node-%d", node);
		sim_patch(w->c, &resource_core_nodes, NULL, NULL, name,
			  "{\"spec\":{\"taints\":[{\"key\":\"node.kubernetes.io/"
			  "out-of-service\",\"effect\":\"NoExecute\"}]}}");
		run(w, 30 * NS_PER_SEC);
		sim_patch(w->c, &resource_core_nodes, NULL, NULL, name,
			  "{\"spec\":{\"taints\":[]}}");
	}
	run(w, (int64_t)choose(w, 60) * NS_PER_SEC);
	hollow_set_node_up(sim_hollow(w->c), node, true);
}

static bool has_settled(struct sim_cluster *c, void *ctx)
{
	struct world *w = ctx;
	struct frozen *d = sim_get(c, &resource_apps_deployments, "default", "web");
	struct frozen *s = sim_get(c, &resource_apps_statefulsets, "default", "db");
	const struct apps_deployment_status *ds =
		&FROZEN_AS(d, apps_deployments, struct apps_deployment)->status;
	const struct apps_stateful_set_status *ss =
		&FROZEN_AS(s, apps_statefulsets, struct apps_stateful_set)->status;
	struct count n = count(w);

	return ds->observed_generation == d->head->metadata.generation &&
	       ds->available_replicas == w->replicas && ds->updated_replicas == w->replicas &&
	       ds->replicas == w->replicas && ss->ready_replicas == ORDINALS &&
	       n.pods == w->replicas && n.newest == w->replicas;
}

static void settle(struct world *w)
{
	struct count n;

	CHECK(w, sim_run_until(w->c, has_settled, w, 1200 * NS_PER_SEC));
	run(w, 10 * NS_PER_SEC);
	n = count(w);
	/* All of them, no more, of the one new set, nothing left over and nothing without an owner. */
	CHECK(w, has_settled(w->c, w));
	CHECK(w, n.owners == 1);
	w->nodes_are_well = w->has_been_up = true;
}

static void run_seed(uint64_t seed)
{
	struct world w = {.seed = seed, .random = seed * 7919, .image = 1, .nodes_are_well = true};

	w.replicas = 2 + (int)choose(&w, 7);
	w.surge = (int)choose(&w, 4);
	w.unavailable = w.surge ? (int)choose(&w, 3) : 1;
	w.unavailable = w.unavailable < w.replicas ? w.unavailable : w.replicas;
	w.c = sim_cluster_new(&(struct sim_opts){
		.seed = seed, .nodes = NODES, .zones = 3, .plan = plan, .plan_ctx = &w});
	sim_options(w.c)->provision_dir = STR("/volumes");
	informers_get(sim_informers(w.c), &resource_core_persistentvolumeclaims, STR_NULL);
	create_all(&w);
	settle(&w);
	trouble_above(&w);
	settle(&w);
	trouble_below(&w);
	settle(&w);
	CHECK(&w, w.volumes[0].n && w.volumes[ORDINALS - 1].n);
	sim_cluster_free(w.c);
	arena_fini(&w.arena);
}

TEST(twenty_seeds_keep_their_promises_and_settle)
{
	const char *one = getenv("SIM_SEED");
	const char *many = getenv("SIM_SEEDS");
	uint64_t seeds = SEEDS;
	uint64_t seed;

	if (many) {
		assert_int_equal(str_to_uint64(str_of(many), &seeds), 0);
	}
	if (one) {
		assert_int_equal(str_to_uint64(str_of(one), &seed), 0);
		run_seed(seed);
		return;
	}
	for (seed = 1; seed <= seeds; seed++) {
		run_seed(seed);
	}
}

TEST_MAIN(twenty_seeds_keep_their_promises_and_settle)
