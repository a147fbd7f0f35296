/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/apiserver.h"

#include "apiserver/apiserver_internal.h"
#include "apiserver/bootstrap/bootstrap.h"
#include "apiserver/service_ips.h"
#include "apiserver/token.h"

/* What the server itself looks things up in. */
static const struct resource_desc *const cached[] = {
	&resource_rbac_clusterroles,
	&resource_rbac_clusterrolebindings,
	&resource_rbac_roles,
	&resource_rbac_rolebindings,
	&resource_core_serviceaccounts,
	&resource_core_pods,
	&resource_core_secrets,
	&resource_core_nodes,
	&resource_scheduling_priorityclasses,
	&resource_storage_storageclasses,
	&resource_networking_ingressclasses,
};

static void check_ready(struct apiserver *api)
{
	if (api->ready || !api->bootstrapped || !informers_have_synced(api->informers)) {
		return;
	}
	api->ready = true;
	if (api->on_ready) {
		api->on_ready(api->on_ready_ctx);
	}
}

static void informer_synced(void *ctx)
{
	check_ready(ctx);
}

/* A token that was verified is believed for a few seconds: not beyond the life of what it is bound to. */
static void informer_changed(void *ctx, struct frozen *old, struct frozen *new_)
{
	struct apiserver *api = ctx;

	if (old && !new_ &&
	    (old->resource == &resource_core_serviceaccounts ||
	     old->resource == &resource_core_pods || old->resource == &resource_core_secrets)) {
		token_forget_all(api->token_keys);
	}
}

static void bootstrapped(void *ctx, int code, struct str message)
{
	struct apiserver *api = ctx;

	if (code < 0) {
		log_error(api->log, "cannot create the objects that every cluster has: %.*s",
			  STR_ARG(message));
		return; /* /readyz stays not ready and says so */
	}
	api->bootstrapped = true;
	check_ready(api);
}

int apiserver_new(const struct apiserver_config *config, struct apiserver **ret, struct err *err)
{
	static const struct str masters[] = {STR_INIT("system:masters")};
	struct informer_handler handler = {.changed = informer_changed, .synced = informer_synced};
	struct apiserver *api = NEW(struct apiserver);
	int r;

	api->config = *config;
	api->env = config->env;
	api->store = config->store;
	api->log = config->log;
	registry_init(&api->registry);
	r = token_keys_new(config->service_account_key_pem, config->service_account_issuer,
			   &api->token_keys, err);
	if (r == 0) {
		r = service_ips_new(config->env, config->store, config->service_cidr,
				    config->node_port_min, config->node_port_max, &api->service_ips,
				    err);
	}
	if (r < 0) {
		apiserver_free(api);
		return r;
	}
	api->loopback = apiserver_client(api, STR("system:apiserver"), masters, ARRAY_LEN(masters),
					 "kube-apiserver");
	api->informers = informers_new(api->loopback);
	handler.ctx = api;
	for (size_t i = 0; i < ARRAY_LEN(cached); i++) {
		informer_add_handler(informers_get(api->informers, cached[i], STR_NULL), &handler);
	}
	api->bootstrap = bootstrap_start(api, bootstrapped, api);
	*ret = api;
	return 0;
}

void apiserver_stop(struct apiserver *api)
{
	api->stopping = true;
}

void apiserver_free(struct apiserver *api)
{
	if (!api) {
		return;
	}
	informers_free(api->informers);
	bootstrap_free(api->bootstrap);
	client_free(api->loopback);
	service_ips_free(api->service_ips);
	token_keys_free(api->token_keys);
	registry_fini(&api->registry);
	mem_free(api);
}

bool apiserver_is_ready(const struct apiserver *api)
{
	return api->ready;
}

void apiserver_on_ready(struct apiserver *api, void (*fn)(void *ctx), void *ctx)
{
	api->on_ready = fn;
	api->on_ready_ctx = ctx;
	if (api->ready) {
		fn(ctx);
	}
}
