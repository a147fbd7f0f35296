/* SPDX-License-Identifier: Apache-2.0 */
/* The Node object: registration, status (on change, or every five minutes), and the lease that says every ten seconds that we live. */
#include <fcntl.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/version.h"
#include "codec/json.h"
#include "kubelet/kubelet_internal.h"
#include "linux/file.h"
#include "object/encode.h"
#include "object/object.h"
#include "object/quantity.h"
#include "rules/condition.h"
#include "rules/resources.h"

enum { LEASE_S = 40, RENEW_S = 10, REPORT_S = 300, RETRY_S = 1 };

struct node_status {
	struct kubelet *k;
	struct env_timer lease_timer, status_timer;
	bool lease_busy, lease_made, status_busy, registering;
	int64_t reported_wall_s;
};

static void report(struct node_status *n);

static const struct core_node *node_of(const struct node_status *n)
{
	struct frozen *f = informer_get(n->k->nodes, STR_NULL, n->k->config.node_name);

	return f ? FROZEN_AS(f, core_nodes, struct core_node) : NULL;
}

/* ---- lease ---- */

static void lease_done(void *ctx, const struct client_result *result)
{
	struct node_status *n = ctx;

	n->k->busy--;
	n->lease_busy = false;
	if (result->code == 0 || result->code == ERR_EXISTS) {
		n->lease_made = true;
	} else {
		n->lease_made = n->lease_made && result->code != ERR_NOT_FOUND;
		log_warning(n->k->config.log, "cannot renew the node's lease: %.*s; trying again",
			    STR_ARG(result->message));
	}
	env_timer_start_in(n->k->config.env, &n->lease_timer,
			   (result->code ? RETRY_S : RENEW_S) * NS_PER_SEC);
}

static void renew(struct env_timer *timer)
{
	struct node_status *n = CONTAINER_OF(timer, struct node_status, lease_timer);
	struct str name = n->k->config.node_name;
	struct str ns = STR("kube-node-lease");
	int64_t wall = env_wall_ns(n->k->config.env);
	struct timestamp now = {
		.sec = wall / NS_PER_SEC, .nsec = (int32_t)(wall % NS_PER_SEC), .set = true};
	int32_t seconds = LEASE_S;
	const struct core_node *node = node_of(n);
	struct meta_owner_reference owner = {
		.api_version = STR("v1"), .kind = STR("Node"), .name = name};
	struct coordination_lease lease = {.metadata = {.name = name, .namespace = ns},
					   .spec = {.holder_identity = &name,
						    .lease_duration_seconds = &seconds,
						    .renew_time = &now}};
	struct buf patch CLEANUP_BUF = {0};
	struct client_request req = {.resource = &resource_coordination_leases, .ns = ns};

	if (n->k->stopping || n->lease_busy) {
		return;
	}
	if (n->lease_made) {
		buf_puts(&patch, "{\"spec\":");
		object_encode(&patch, &type_coordination_lease_spec, &lease.spec, NULL, NULL);
		buf_puts(&patch, "}");
		req.verb = VERB_PATCH;
		req.name = name;
		req.patch_type = PATCH_MERGE;
		req.patch = buf_str(&patch);
	} else {
		if (node) {
			owner.uid = node->metadata.uid;
			lease.metadata.owner_references.p = &owner;
			lease.metadata.owner_references.n = 1;
		}
		req.verb = VERB_CREATE;
		req.body_type = &type_coordination_lease;
		req.body = &lease;
	}
	n->lease_busy = true;
	n->k->busy++;
	client_call(n->k->config.client, &req, lease_done, n);
}

/* ---- what the machine is ---- */

static struct str first_line(struct arena *a, const char *path)
{
	struct buf b CLEANUP_BUF = {0};

	return file_read(AT_FDCWD, path, 4096, &b, NULL) == 0 ? arena_str(a, str_trim(buf_str(&b)))
							      : STR("");
}

static struct str os_image(struct arena *a)
{
	struct buf b CLEANUP_BUF = {0};
	struct str rest;
	struct str line;

	if (file_read(AT_FDCWD, "/etc/os-release", 65536, &b, NULL) == 0) {
		rest = buf_str(&b);
		while (str_cut(&rest, '\n', &line)) {
			if (str_has_prefix(line, STR("PRETTY_NAME=\"")) && line.n > 14) {
				return arena_str(a, str_sub(line, 13, line.n - 14));
			}
		}
	}
	return STR("Linux");
}

static void set_node_info(struct arena *a, struct core_node_status *st)
{
	struct utsname u;

	uname(&u);
	st->node_info = (struct core_node_system_info){
		.machine_id = first_line(a, "/etc/machine-id"),
		.system_uuid = first_line(a, "/sys/class/dmi/id/product_uuid"),
		.boot_id = first_line(a, "/proc/sys/kernel/random/boot_id"),
		.kernel_version = arena_str(a, str_of(u.release)),
		.os_image = os_image(a),
		.container_runtime_version = STR("cox://" COX_VERSION),
		.kubelet_version = STR(KUBERNETES_VERSION),
		.kube_proxy_version = STR(""),
		.operating_system = STR("linux"),
		.architecture = STR("amd64"),
	};
}

static void set_capacity(struct arena *a, const struct kubelet *k, struct core_node_status *st)
{
	struct quantity_map *c = &st->capacity;
	struct statvfs disk;

	*c = (struct quantity_map){0};
	resource_set(a, c, STR("cpu"), quantity_of_milli(k->config.cpu_milli, QUANTITY_DECIMAL_SI));
	resource_set(a, c, STR("memory"),
		     quantity_of_int(k->config.memory_bytes, QUANTITY_BINARY_SI));
	resource_set(a, c, STR("pods"), quantity_of_int(k->config.max_pods, QUANTITY_DECIMAL_SI));
	if (statvfs(k->config.root_dir, &disk) == 0) {
		resource_set(a, c, STR("ephemeral-storage"),
			     quantity_of_int((int64_t)(disk.f_blocks * disk.f_frsize / 1024 * 1024),
					     QUANTITY_BINARY_SI));
	}
	st->allocatable = *c;
}

static void set_condition(struct arena *a, const struct node_status *n, struct core_node_status *st,
			  const char *type, bool value, const char *reason, const char *message)
{
	struct timestamp now = {.sec = kubelet_wall_s(n->k), .set = true};
	struct core_node_condition c = {.type = str_of(type),
					.status = value ? STR("True") : STR("False"),
					.reason = str_of(reason),
					.message = str_of(message),
					.last_heartbeat_time = now,
					.last_transition_time = now};

	(void)condition_set(a, &st->conditions, &c);
}

static void set_conditions(struct arena *a, const struct node_status *n,
			   struct core_node_status *st)
{
	const char *problem =
		!n->k->runtime_ready ? (n->k->runtime_problem ? n->k->runtime_problem
							      : "container runtime is starting")
		: n->k->config.network && !n->k->network_started
			? (n->k->network_problem ? n->k->network_problem
						 : "container runtime network not ready: the node "
						   "has no podCIDR yet")
			: NULL;

	set_condition(a, n, st, "MemoryPressure", false, "KubeletHasSufficientMemory",
		      "kubelet has sufficient memory available");
	set_condition(a, n, st, "DiskPressure", false, "KubeletHasNoDiskPressure",
		      "kubelet has no disk pressure");
	set_condition(a, n, st, "PIDPressure", false, "KubeletHasSufficientPID",
		      "kubelet has sufficient PID available");
	set_condition(a, n, st, "Ready", !problem, problem ? "KubeletNotReady" : "KubeletReady",
		      problem ? problem : "kubelet is posting ready status");
}

static void compute(struct arena *a, const struct node_status *n,
		    const struct core_node_status *now, struct core_node_status *st)
{
	const struct kubelet *k = n->k;

	object_dup(a, &type_core_node_status, now, st);
	st->addresses.p = ARENA_ARRAY(a, 2, struct core_node_address);
	st->addresses.p[0] = (struct core_node_address){STR("InternalIP"), k->config.node_ip};
	st->addresses.p[1] = (struct core_node_address){STR("Hostname"), k->config.node_name};
	st->addresses.n = 2;
	st->daemon_endpoints.kubelet_endpoint.port = k->config.port;
	set_node_info(a, st);
	set_capacity(a, k, st);
	set_conditions(a, n, st);
}

/* ---- registration ---- */

static void registered(void *ctx, const struct client_result *result)
{
	struct node_status *n = ctx;

	n->k->busy--;
	n->registering = false;
	if (result->code < 0 && result->code != ERR_EXISTS) {
		log_warning(n->k->config.log, "cannot register node %.*s: %.*s; trying again",
			    STR_ARG(n->k->config.node_name), STR_ARG(result->message));
	}
	env_timer_start_in(n->k->config.env, &n->status_timer, RETRY_S * NS_PER_SEC);
}

static void register_node(struct node_status *n)
{
	const struct kubelet_config *config = &n->k->config;
	struct arena a CLEANUP_ARENA = {0};
	struct core_node node = {.metadata = {.name = config->node_name}};
	static const struct core_node_status nothing;
	const struct str_pair fixed[] = {{STR("beta.kubernetes.io/arch"), STR("amd64")},
					 {STR("beta.kubernetes.io/os"), STR("linux")},
					 {STR("kubernetes.io/arch"), STR("amd64")},
					 {STR("kubernetes.io/hostname"), config->node_name},
					 {STR("kubernetes.io/os"), STR("linux")}};

	struct client_request req = {.verb = VERB_CREATE,
				     .resource = &resource_core_nodes,
				     .body_type = &type_core_node,
				     .body = &node};

	node.metadata.labels.p =
		ARENA_ARRAY(&a, ARRAY_LEN(fixed) + config->node_labels.n, struct str_pair);
	for (size_t i = 0; i < ARRAY_LEN(fixed); i++) {
		node.metadata.labels.p[node.metadata.labels.n++] = fixed[i];
	}
	for (size_t i = 0; i < config->node_labels.n; i++) {
		node.metadata.labels.p[node.metadata.labels.n++] = config->node_labels.p[i];
	}
	compute(&a, n, &nothing, &node.status);
	n->registering = true;
	n->k->busy++;
	client_call(config->client, &req, registered, n);
}

/* ---- status ---- */

static void reported(void *ctx, const struct client_result *result)
{
	struct node_status *n = ctx;
	int64_t next = REPORT_S;

	n->k->busy--;
	n->status_busy = false;
	if (result->code < 0) {
		next = RETRY_S;
		log_warning(n->k->config.log, "cannot report the node's status: %.*s; trying again",
			    STR_ARG(result->message));
	} else {
		n->reported_wall_s = kubelet_wall_s(n->k);
	}
	env_timer_start_in(n->k->config.env, &n->status_timer, next * NS_PER_SEC);
}

static void send_status(struct node_status *n, const struct core_node_status *st)
{
	struct buf patch CLEANUP_BUF = {0};
	struct client_request req = {.verb = VERB_PATCH,
				     .resource = &resource_core_nodes,
				     .subresource = "status",
				     .name = n->k->config.node_name,
				     .patch_type = PATCH_STRATEGIC};

	buf_puts(&patch, "{\"status\":");
	object_encode(&patch, &type_core_node_status, st, NULL, NULL);
	buf_puts(&patch, "}");
	req.patch = buf_str(&patch);
	n->status_busy = true;
	n->k->busy++;
	client_call(n->k->config.client, &req, reported, n);
}

static void report(struct node_status *n)
{
	const struct core_node *node = node_of(n);
	struct arena a CLEANUP_ARENA = {0};
	struct core_node_status st;

	if (n->k->stopping || n->status_busy || n->registering ||
	    !informer_has_synced(n->k->nodes)) {
		return;
	}
	if (!node) {
		if (n->k->config.register_node) {
			register_node(n);
		}
		return;
	}
	compute(&a, n, &node->status, &st);
	if (!object_equal(&type_core_node_status, &st, &node->status) ||
	    kubelet_wall_s(n->k) - n->reported_wall_s >= REPORT_S) {
		for (size_t i = 0; i < st.conditions.n; i++) {
			st.conditions.p[i].last_heartbeat_time =
				(struct timestamp){.sec = kubelet_wall_s(n->k), .set = true};
		}
		send_status(n, &st);
	}
}

static void on_status_timer(struct env_timer *timer)
{
	report(CONTAINER_OF(timer, struct node_status, status_timer));
}

void node_status_kick(struct node_status *n)
{
	env_timer_start_in(n->k->config.env, &n->status_timer, 0);
}

struct node_status *node_status_new(struct kubelet *k)
{
	struct node_status *n = NEW(struct node_status);

	n->k = k;
	n->lease_timer.fn = renew;
	n->status_timer.fn = on_status_timer;
	env_timer_start_in(k->config.env, &n->lease_timer, 0);
	return n;
}

void node_status_free(struct node_status *n)
{
	env_timer_stop(n->k->config.env, &n->lease_timer);
	env_timer_stop(n->k->config.env, &n->status_timer);
	mem_free(n);
}
