/* SPDX-License-Identifier: Apache-2.0 */
/* sim/cluster.h: a whole control plane under virtual time on a memory store: API, controllers, hollow nodes, and faults by seed. The same
 * seed gives the same run.
 *     struct sim_cluster *c = sim_cluster_new(&(struct sim_opts){.seed = 7, .nodes = 3});
 *     sim_create(c, &resource_apps_deployments, "{...}");
 *     sim_advance(c, 60 * NS_PER_SEC); */
#pragma once
#include "controller/executor.h"
#include "env/sim_env.h"
#include "sim/fake_api.h"
#include "sim/faulty_client.h"
#include "sim/hollow.h"

struct sim_cluster;

struct sim_opts {
	uint64_t seed;
	int nodes, zones;
	const struct faults *faults; /* of the controllers' clients; NULL: none */
	/* Default: all. */
	const struct controller_desc *const *controllers;
	size_t ncontrollers;
	void (*plan)(void *ctx, const struct core_pod *pod, struct hollow_timing *timing);
	void *plan_ctx;
};

struct sim_cluster *sim_cluster_new(const struct sim_opts *opts);
void sim_cluster_free(struct sim_cluster *c);

struct env *sim_cluster_env(struct sim_cluster *c);
struct controller_options *sim_options(struct sim_cluster *c);
struct fake_api *sim_api(struct sim_cluster *c);
struct hollow *sim_hollow(struct sim_cluster *c);
struct executor *sim_executor(struct sim_cluster *c);
struct client *sim_client(struct sim_cluster *c);
/* Of the user: without faults, current at any moment the loop is idle. */
struct informers *sim_informers(struct sim_cluster *c);

/* All that happens in so much virtual time. */
void sim_advance(struct sim_cluster *c, int64_t ns);
/* Until done() holds; false if it does not within max_ns. */
bool sim_run_until(struct sim_cluster *c, bool (*done)(struct sim_cluster *c, void *ctx), void *ctx,
		   int64_t max_ns);
/* The controllers lose their memory between two writes and start again from the API. */
void sim_restart_controllers(struct sim_cluster *c);
/* Faults end (or begin). NULL: none. */
void sim_set_faults(struct sim_cluster *c, const struct faults *faults);

/* What a user does, without faults; answered when they return. Objects are JSON; the first failure aborts, with its message. */
void sim_create(struct sim_cluster *c, const struct resource_desc *resource, const char *json);
void sim_patch(struct sim_cluster *c, const struct resource_desc *resource, const char *subresource,
	       const char *ns, const char *name, const char *merge_patch);
void sim_delete(struct sim_cluster *c, const struct resource_desc *resource, const char *ns,
		const char *name, enum propagation how);
/* The object as it is now, owned by the cluster until the next sim_get of any object... at most 64 at a time; NULL: none. */
struct frozen *sim_get(struct sim_cluster *c, const struct resource_desc *resource, const char *ns,
		       const char *name);
size_t sim_count(struct sim_cluster *c, const struct resource_desc *resource, const char *ns);
/* Events with this reason about an object of this name. */
size_t sim_count_events(struct sim_cluster *c, const char *name, const char *reason);
