/* SPDX-License-Identifier: Apache-2.0 */
/* The scheduler against the real API server in this process, on the memory store, under virtual time. */
#include "scheduler/scheduler.h"

#include "apiserver/apiserver.h"
#include "base/cleanup.h"
#include "base/test.h"
#include "crypto/x509.h"
#include "env/sim_env.h"
#include "rules/pod.h"

struct rig {
	struct sim_env *sim;
	struct store *store;
	struct apiserver *api;
	struct client *admin, *client;
	struct informers *informers;
	struct scheduler *scheduler;
	char *key_pem;
	struct arena arena;
	int code; /* of the last call */
	struct frozen *answer;
	struct str message;
};

static void settle(struct rig *r)
{
	sim_env_advance(r->sim, NS_PER_SEC / 10);
}

static void on_done(void *ctx, const struct client_result *result)
{
	struct rig *r = ctx;

	r->code = result->code;
	r->message = arena_str(&r->arena, result->message);
	frozen_unref(r->answer);
	r->answer = result->object ? frozen_ref(result->object) : NULL;
	if (result->nitems) {
		r->answer = frozen_ref(result->items[result->nitems - 1]);
	}
}

static void call(struct rig *r, const struct client_request *req)
{
	r->code = 1;
	client_call(r->admin, req, on_done, r);
	settle(r);
	if (r->code < 0) {
		print_error("%.*s\n", STR_ARG(r->message));
	}
	assert_int_equal(r->code, 0);
}

static void create(struct rig *r, const struct resource_desc *resource, const char *ns,
		   const char *fmt, ...) PRINTF(4, 5);

static void start(struct rig *r)
{
	struct err err CLEANUP_ERR = {0};
	const struct str masters = STR("system:masters");
	struct store_opts opts = {0};
	struct apiserver_config config = {
		.service_cidr = STR("10.96.0.0/12"),
		.node_port_min = 30000,
		.node_port_max = 32767,
		.service_account_issuer = STR("https://kubernetes.default.svc.cluster.local"),
		.secure_port = 6443,
	};

	*r = (struct rig){.sim = sim_env_new(7)};
	sim_env_advance(r->sim, 1800000000LL * NS_PER_SEC);
	r->store = store_open_memory(sim_env_env(r->sim), &opts);
	assert_int_equal(x509_make_key(&r->key_pem, &err), 0);
	config.env = sim_env_env(r->sim);
	config.store = r->store;
	config.service_account_key_pem = str_of(r->key_pem);
	if (apiserver_new(&config, &r->api, &err) < 0) {
		print_error("%s\n", err_msg(&err));
		fail();
	}
	for (int i = 0; i < 600 && !apiserver_is_ready(r->api); i++) {
		settle(r);
	}
	assert_true(apiserver_is_ready(r->api));
	r->admin = apiserver_client(r->api, STR("admin"), &masters, 1, "test");
	r->client =
		apiserver_client(r->api, STR("system:kube-scheduler"), NULL, 0, "kube-scheduler");
	r->informers = informers_new(r->client);
	r->scheduler = scheduler_new(&(struct scheduler_config){
		.env = config.env, .client = r->client, .informers = r->informers});
	settle(r);
	assert_true(informers_have_synced(r->informers));
	create(r, &resource_core_serviceaccounts, "default",
	       "{\"kind\":\"ServiceAccount\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":"
	       "\"default\",\"namespace\":\"default\"}}");
}

static void stop(struct rig *r)
{
	informers_free(r->informers);
	scheduler_free(r->scheduler);
	settle(r);
	frozen_unref(r->answer);
	client_free(r->client);
	client_free(r->admin);
	store_close(r->store, NULL, NULL);
	sim_env_run_until_idle(r->sim); /* no timer of the server may fire without its store */
	apiserver_free(r->api);
	sim_env_free(r->sim);
	mem_free(r->key_pem);
	arena_fini(&r->arena);
}

static void create(struct rig *r, const struct resource_desc *resource, const char *ns,
		   const char *fmt, ...)
{
	struct client_request req = {.verb = VERB_CREATE,
				     .resource = resource,
				     .ns = str_of(ns),
				     .body_type = resource->type};
	struct err err CLEANUP_ERR = {0};
	struct frozen *f;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = frozen_decode(resource, arena_vprintf(&r->arena, fmt, ap), &f, &err);
	va_end(ap);
	if (n < 0) {
		print_error("%s\n", err_msg(&err));
		fail();
	}
	req.body = f->head;
	call(r, &req);
	frozen_unref(f);
}

static void add_node(struct rig *r, const char *name, const char *spec, const char *cpu)
{
	struct client_request req = {.verb = VERB_PATCH,
				     .resource = &resource_core_nodes,
				     .name = str_of(name),
				     .patch_type = PATCH_STRATEGIC};

	create(r, &resource_core_nodes, NULL,
	       "{\"kind\":\"Node\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"%s\",\"labels\":{"
	       "\"kubernetes.io/hostname\":\"%s\"}},\"spec\":{%s}}",
	       name, name, spec);
	req.subresource = "status";
	req.patch = arena_printf(
		&r->arena,
		"{\"status\":{\"allocatable\":{\"cpu\":\"%s\",\"memory\":\"8Gi\",\"pods\":\"110\"},"
		"\"capacity\":{\"cpu\":\"%s\",\"memory\":\"8Gi\",\"pods\":\"110\"}}}",
		cpu, cpu);
	call(r, &req);
	/* The admission taints new nodes as not ready; the node lifecycle controller would take that away. */
	req.subresource = NULL;
	req.patch_type = PATCH_MERGE;
	req.patch =
		arena_printf(&r->arena, "{\"spec\":{%s%s}}", *spec ? "" : "\"taints\":null", spec);
	call(r, &req);
}

static void add_pod(struct rig *r, const char *name, const char *spec, const char *cpu)
{
	create(r, &resource_core_pods, "default",
	       "{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"%s\","
	       "\"namespace\":\"default\",\"labels\":{\"app\":\"%c\"}},"
	       "\"spec\":{%s%s\"automountServiceAccountToken\":false,\"containers\":[{\"name\":"
	       "\"c\",\"image\":\"i\",\"resources\":{\"requests\":"
	       "{\"cpu\":\"%s\"}}}]}}",
	       name, name[0], spec, *spec ? "," : "", cpu);
	sim_env_advance(r->sim, NS_PER_SEC);
}

static const struct core_pod *get_pod(struct rig *r, const char *name)
{
	struct client_request req = {.verb = VERB_GET,
				     .resource = &resource_core_pods,
				     .ns = STR("default"),
				     .name = str_of(name)};

	call(r, &req);
	return FROZEN_AS(r->answer, core_pods, struct core_pod);
}

static void expect_event(struct rig *r, const char *reason, const char *message)
{
	struct client_request req = {
		.verb = VERB_LIST, .resource = &resource_core_events, .ns = STR("default")};
	const struct core_event *e;

	req.field_selector = arena_printf(&r->arena, "reason=%s", reason);
	frozen_unref(r->answer);
	r->answer = NULL;
	call(r, &req);
	assert_non_null(r->answer);
	e = FROZEN_AS(r->answer, core_events, struct core_event);
	EXPECT_STR(e->message, message);
	EXPECT_STR(e->source.component, "default-scheduler");
}

TEST(scheduler_binds_and_says_so)
{
	struct rig r;

	start(&r);
	add_node(&r, "worker-1", "", "4");
	add_pod(&r, "web", "", "1");
	EXPECT_STR(get_pod(&r, "web")->spec.node_name, "worker-1");
	EXPECT_STR(pod_condition(get_pod(&r, "web"), STR("PodScheduled"))->status, "True");
	expect_event(&r, "Scheduled", "Successfully assigned default/web to worker-1");
	stop(&r);
}

TEST(scheduler_says_why_not_and_tries_again_when_that_changes)
{
	static const char why[] = "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had "
				  "untolerated taint(s). preemption: 0/3 nodes are "
				  "available: 3 Preemption is not helpful for scheduling.";
	struct rig r;
	struct scheduler_metrics m;
	const struct core_pod_condition *c;

	start(&r);
	add_node(&r, "worker-1", "", "1");
	add_node(&r, "worker-2", "\"taints\":[{\"key\":\"a\",\"effect\":\"NoSchedule\"}]", "4");
	add_node(&r, "worker-3", "\"taints\":[{\"key\":\"a\",\"effect\":\"NoSchedule\"}]", "4");
	add_pod(&r, "web", "", "2");
	c = pod_condition(get_pod(&r, "web"), STR("PodScheduled"));
	assert_non_null(c);
	EXPECT_STR(c->status, "False");
	EXPECT_STR(c->reason, "Unschedulable");
	EXPECT_STR(c->message, why);
	expect_event(&r, "FailedScheduling", why);
	assert_true(str_contains(
		scheduler_why(r.scheduler, STR("default"), STR("web")),
		STR("worker-1: Insufficient cpu (1000 free, 2000 wanted) [NodeResourcesFit]")));
	scheduler_get_metrics(r.scheduler, &m);
	assert_int_equal(m.waiting, 1);
	add_node(&r, "worker-4", "", "4");
	sim_env_advance(r.sim, 11 * NS_PER_SEC);
	EXPECT_STR(get_pod(&r, "web")->spec.node_name, "worker-4");
	scheduler_get_metrics(r.scheduler, &m);
	assert_int_equal(m.waiting + m.active + m.backoff, 0);
	stop(&r);
}

TEST(scheduler_keeps_replicas_apart_that_ask_for_it)
{
	static const char apart[] =
		"\"affinity\":{\"podAntiAffinity\":{"
		"\"requiredDuringSchedulingIgnoredDuringExecution\":[{\"labelSelector\":"
		"{\"matchLabels\":{\"app\":\"w\"}},\"topologyKey\":\"kubernetes.io/hostname\"}]}}";
	struct rig r;
	struct str one;

	start(&r);
	add_node(&r, "worker-1", "", "4");
	add_node(&r, "worker-2", "", "4");
	add_pod(&r, "w1", apart, "1");
	add_pod(&r, "w2", apart, "1");
	add_pod(&r, "w3", apart, "1");
	one = arena_str(&r.arena, get_pod(&r, "w1")->spec.node_name);
	assert_true(one.n > 0);
	assert_true(get_pod(&r, "w2")->spec.node_name.n > 0);
	assert_false(str_eq(get_pod(&r, "w2")->spec.node_name, one));
	assert_int_equal(get_pod(&r, "w3")->spec.node_name.n, 0);
	stop(&r);
}

TEST(scheduler_leaves_pods_of_others_alone)
{
	struct rig r;

	start(&r);
	add_node(&r, "worker-1", "", "4");
	add_pod(&r, "web", "\"schedulerName\":\"mine\"", "1");
	assert_int_equal(get_pod(&r, "web")->spec.node_name.n, 0);
	assert_null(pod_condition(get_pod(&r, "web"), STR("PodScheduled")));
	stop(&r);
}

TEST(scheduler_makes_room_for_the_more_important)
{
	struct rig r;

	start(&r);
	create(&r, &resource_scheduling_priorityclasses, NULL,
	       "{\"kind\":\"PriorityClass\",\"apiVersion\":\"scheduling.k8s.io/"
	       "v1\",\"metadata\":{\"name\":\"high\"},\"value\":1000}");
	add_node(&r, "worker-1", "", "1");
	add_pod(&r, "low", "\"terminationGracePeriodSeconds\":30", "1");
	EXPECT_STR(get_pod(&r, "low")->spec.node_name, "worker-1");
	add_pod(&r, "important", "\"priorityClassName\":\"high\"", "1");
	EXPECT_STR(get_pod(&r, "important")->status.nominated_node_name, "worker-1");
	assert_non_null(get_pod(&r, "low")->metadata.deletion_timestamp);
	call(&r, &(struct client_request){.verb = VERB_DELETE,
					  .resource = &resource_core_pods,
					  .ns = STR("default"),
					  .name = STR("low"),
					  .grace_period_seconds = &(int64_t){0}});
	sim_env_advance(r.sim, 11 * NS_PER_SEC);
	EXPECT_STR(get_pod(&r, "important")->spec.node_name, "worker-1");
	stop(&r);
}

TEST(scheduler_waits_for_claims)
{
	struct rig r;

	start(&r);
	add_node(&r, "worker-1", "", "4");
	create(&r, &resource_core_persistentvolumeclaims, "default",
	       "{\"kind\":\"PersistentVolumeClaim\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":"
	       "\"data\",\"namespace\":\"default\"},\"spec\":"
	       "{\"storageClassName\":\"\",\"accessModes\":[\"ReadWriteOnce\"],\"resources\":{"
	       "\"requests\":{\"storage\":\"1Gi\"}}}}");
	add_pod(&r, "db",
		"\"volumes\":[{\"name\":\"v\",\"persistentVolumeClaim\":{\"claimName\":\"data\"}}]",
		"1");
	EXPECT_STR(pod_condition(get_pod(&r, "db"), STR("PodScheduled"))->message,
		   "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims. "
		   "preemption: 0/1 nodes are available: 1 "
		   "Preemption is not helpful for scheduling.");
	stop(&r);
}

TEST_MAIN(scheduler_binds_and_says_so, scheduler_says_why_not_and_tries_again_when_that_changes,
	  scheduler_keeps_replicas_apart_that_ask_for_it, scheduler_leaves_pods_of_others_alone,
	  scheduler_makes_room_for_the_more_important, scheduler_waits_for_claims)
