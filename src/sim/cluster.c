/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/cluster.h"

#include "base/vec.h"

struct sim_cluster {
	struct sim_opts opts;
	struct sim_env *sim;
	struct env *env;
	struct store *store;
	struct fake_api *api;
	struct controller_options options;
	const struct faults *faults;
	uint64_t random;
	int epoch; /* of the controllers: one more for each crash */
	struct client *user, *controllers_client;
	struct informers *user_informers, *controllers_informers;
	struct hollow *hollow;
	struct executor *executor;
	VEC(struct client *)
	old_clients; /* of controllers that crashed: watches and calls may still end */
	struct frozen *got[64];
	size_t ngot;
};

static struct client *client_for(void *ctx, const char *service_account)
{
	struct sim_cluster *c = ctx;

	return faulty_client_new(fake_api_client(c->api, service_account), &c->faults, &c->random,
				 &c->epoch);
}

static void start_controllers(struct sim_cluster *c)
{
	struct executor_config config = {
		.env = c->env,
		.client_for = client_for,
		.client_ctx = c,
		.options = &c->options,
		.controllers = c->opts.controllers,
		.ncontrollers = c->opts.ncontrollers,
	};

	c->controllers_client = client_for(c, "controller-manager");
	c->controllers_informers = informers_new(c->controllers_client);
	config.informers = c->controllers_informers;
	config.reader = c->controllers_client;
	c->executor = executor_new(&config);
}

static void stop_controllers(struct sim_cluster *c)
{
	executor_free(c->executor);
	informers_free(c->controllers_informers);
	*vec_push(&c->old_clients) = c->controllers_client;
	c->executor = NULL;
}

void sim_restart_controllers(struct sim_cluster *c)
{
	c->epoch++;
	stop_controllers(c);
	start_controllers(c);
}

struct sim_cluster *sim_cluster_new(const struct sim_opts *opts)
{
	struct sim_cluster *c = NEW(struct sim_cluster);
	struct store_opts store_opts = {0};
	struct hollow_config hollow = {.nodes = opts->nodes,
				       .zones = opts->zones,
				       .plan = opts->plan,
				       .plan_ctx = opts->plan_ctx};
	static const char *const namespaces[] = {"default", "kube-system", "kube-node-lease"};

	c->opts = *opts;
	c->faults = opts->faults;
	c->random = opts->seed * 2654435761U + 1;
	c->sim = sim_env_new(opts->seed);
	c->env = sim_env_env(c->sim);
	c->store = store_open_memory(c->env, &store_opts);
	c->api = fake_api_new(c->env, c->store);
	controller_options_init(&c->options);
	c->user = fake_api_client(c->api, "kubectl");
	c->user_informers = informers_new(c->user);
	for (size_t i = 0; i < ARRAY_LEN(namespaces); i++) {
		char json[64];

		snprintf(json, sizeof(json), "{\"metadata\":{\"name\":\"%s\"}}", namespaces[i]);
		sim_create(c, &resource_core_namespaces, json);
	}
	hollow.env = c->env;
	hollow.client = c->user;
	hollow.informers = c->user_informers;
	c->hollow = hollow_new(&hollow);
	start_controllers(c);
	sim_advance(c, 10 * NS_PER_MS);
	return c;
}

void sim_cluster_free(struct sim_cluster *c)
{
	c->faults = NULL;
	stop_controllers(c);
	hollow_free(c->hollow);
	informers_free(c->user_informers);
	sim_advance(c, 120 * NS_PER_SEC); /* lost answers come in, clients and recorders go */
	for (size_t i = 0; i < c->old_clients.n; i++) {
		client_free(c->old_clients.p[i]);
	}
	vec_fini(&c->old_clients);
	for (size_t i = 0; i < ARRAY_LEN(c->got); i++) {
		frozen_unref(c->got[i]);
	}
	client_free(c->user);
	fake_api_free(c->api);
	store_close(c->store, NULL, NULL);
	sim_env_run_until_idle(c->sim);
	sim_env_free(c->sim);
	mem_free(c);
}

struct env *sim_cluster_env(struct sim_cluster *c)
{
	return c->env;
}

struct controller_options *sim_options(struct sim_cluster *c)
{
	return &c->options;
}

struct fake_api *sim_api(struct sim_cluster *c)
{
	return c->api;
}

struct hollow *sim_hollow(struct sim_cluster *c)
{
	return c->hollow;
}

struct executor *sim_executor(struct sim_cluster *c)
{
	return c->executor;
}

struct client *sim_client(struct sim_cluster *c)
{
	return c->user;
}

struct informers *sim_informers(struct sim_cluster *c)
{
	return c->user_informers;
}

void sim_set_faults(struct sim_cluster *c, const struct faults *faults)
{
	c->faults = faults;
}

void sim_advance(struct sim_cluster *c, int64_t ns)
{
	sim_env_advance(c->sim, ns);
}

bool sim_run_until(struct sim_cluster *c, bool (*done)(struct sim_cluster *c, void *ctx), void *ctx,
		   int64_t max_ns)
{
	int64_t end = env_mono_ns(c->env) + max_ns;

	for (;;) {
		int64_t next;

		sim_env_run_until_idle(c->sim);
		if (done(c, ctx)) {
			return true;
		}
		next = sim_env_next_timer_mono_ns(c->sim);
		if (!next || next > end) {
			return false;
		}
		sim_env_advance_to_next_timer(c->sim);
	}
}

/* ---- a user ---- */

struct answer {
	bool come;
	int code;
	char *message;
};

static void on_answer(void *ctx, const struct client_result *result)
{
	struct answer *a = ctx;

	a->come = true;
	a->code = result->code;
	a->message = str_dup_cstr(result->message);
}

static void call_and_wait(struct sim_cluster *c, const struct client_request *req, const char *what)
{
	struct answer a = {0};

	client_call(c->user, req, on_answer, &a);
	while (!a.come) {
		ASSERT(sim_env_turn(c->sim));
	}
	if (a.code < 0) {
		fprintf(stderr, "%s: %s\n", what, a.message);
		ASSERT(!"a user's call failed");
	}
	mem_free(a.message);
}

void sim_create(struct sim_cluster *c, const struct resource_desc *resource, const char *json)
{
	struct err err CLEANUP_ERR = {0};
	struct frozen *f = NULL;
	struct client_request req = {
		.verb = VERB_CREATE, .resource = resource, .body_type = resource->type};

	if (frozen_decode(resource, str_of(json), &f, &err) < 0) {
		fprintf(stderr, "%s: %s\n", err_msg(&err), json);
		ASSERT(!"bad JSON in a test");
	}
	req.ns = resource->namespaced && !f->head->metadata.namespace.n
			 ? STR("default")
			 : f->head->metadata.namespace;
	req.body = f->head;
	call_and_wait(c, &req, json);
	frozen_unref(f);
}

void sim_patch(struct sim_cluster *c, const struct resource_desc *resource, const char *subresource,
	       const char *ns, const char *name, const char *merge_patch)
{
	struct client_request req = {
		.verb = VERB_PATCH,
		.resource = resource,
		.subresource = subresource,
		.ns = str_of(ns),
		.name = str_of(name),
		.patch_type = PATCH_MERGE,
		.patch = str_of(merge_patch),
	};

	call_and_wait(c, &req, merge_patch);
}

void sim_delete(struct sim_cluster *c, const struct resource_desc *resource, const char *ns,
		const char *name, enum propagation how)
{
	struct client_request req = {.verb = VERB_DELETE,
				     .resource = resource,
				     .ns = str_of(ns),
				     .name = str_of(name),
				     .propagation = how};

	call_and_wait(c, &req, name);
}

struct frozen *sim_get(struct sim_cluster *c, const struct resource_desc *resource, const char *ns,
		       const char *name)
{
	struct frozen **slot = &c->got[c->ngot++ % ARRAY_LEN(c->got)];

	frozen_unref(*slot);
	*slot = fake_api_get(c->api, resource, str_of(ns), str_of(name));
	return *slot;
}

static void count_one(void *ctx, struct frozen *object UNUSED)
{
	++*(size_t *)ctx;
}

size_t sim_count(struct sim_cluster *c, const struct resource_desc *resource, const char *ns)
{
	size_t n = 0;

	fake_api_each(c->api, resource, str_of(ns), count_one, &n);
	return n;
}

struct event_count {
	struct str name, reason;
	size_t n;
};

static void count_event(void *ctx, struct frozen *object)
{
	struct event_count *e = ctx;
	const struct core_event *event = FROZEN_AS(object, core_events, struct core_event);

	if (str_eq(event->involved_object.name, e->name) && str_eq(event->reason, e->reason)) {
		e->n += (size_t)event->count;
	}
}

size_t sim_count_events(struct sim_cluster *c, const char *name, const char *reason)
{
	struct event_count e = {str_of(name), str_of(reason), 0};

	fake_api_each(c->api, &resource_core_events, STR_NULL, count_event, &e);
	return e.n;
}
