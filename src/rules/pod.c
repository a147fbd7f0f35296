/* SPDX-License-Identifier: Apache-2.0 */
#include "rules/pod.h"

#include "object/quantity.h"
#include "rules/condition.h"
#include "rules/resources.h"

bool pod_is_terminating(const struct core_pod *pod)
{
	return pod->metadata.deletion_timestamp != NULL;
}

bool pod_is_terminal(const struct core_pod *pod)
{
	return str_is(pod->status.phase, "Succeeded") || str_is(pod->status.phase, "Failed");
}

bool pod_is_active(const struct core_pod *pod)
{
	return !pod_is_terminal(pod) && !pod_is_terminating(pod);
}

bool pod_is_bound(const struct core_pod *pod)
{
	return pod->spec.node_name.n > 0;
}

const struct core_pod_condition *pod_condition(const struct core_pod *pod, struct str type)
{
	return condition_find(&pod->status.conditions, type);
}

bool pod_is_ready(const struct core_pod *pod)
{
	const struct core_pod_condition *c = pod_condition(pod, STR("Ready"));

	return c && str_is(c->status, "True");
}

int64_t pod_available_at(const struct core_pod *pod, int32_t min_ready_s)
{
	const struct core_pod_condition *c = pod_condition(pod, STR("Ready"));

	if (!c || !str_is(c->status, "True")) {
		return -1;
	}
	return c->last_transition_time.sec + min_ready_s;
}

bool pod_is_available(const struct core_pod *pod, int32_t min_ready_s, int64_t now_s)
{
	int64_t at = pod_available_at(pod, min_ready_s);

	return at >= 0 && (min_ready_s == 0 || at <= now_s);
}

bool container_is_sidecar(const struct core_container *c)
{
	return c->restart_policy && str_is(*c->restart_policy, "Always");
}

const struct core_container *pod_container(const struct core_pod *pod, struct str name)
{
	for (size_t i = 0; i < pod->spec.containers.n; i++) {
		if (str_eq(pod->spec.containers.p[i].name, name)) {
			return &pod->spec.containers.p[i];
		}
	}
	for (size_t i = 0; i < pod->spec.init_containers.n; i++) {
		if (str_eq(pod->spec.init_containers.p[i].name, name)) {
			return &pod->spec.init_containers.p[i];
		}
	}
	return NULL;
}

static const struct core_container_status *find_status(const struct core_container_status *p,
						       size_t n, struct str name)
{
	for (size_t i = 0; i < n; i++) {
		if (str_eq(p[i].name, name)) {
			return &p[i];
		}
	}
	return NULL;
}

const struct core_container_status *pod_container_status(const struct core_pod *pod,
							 struct str name)
{
	const struct core_pod_status *s = &pod->status;
	const struct core_container_status *found =
		find_status(s->container_statuses.p, s->container_statuses.n, name);

	if (!found) {
		found = find_status(s->init_container_statuses.p, s->init_container_statuses.n,
				    name);
	}
	if (!found) {
		found = find_status(s->ephemeral_container_statuses.p,
				    s->ephemeral_container_statuses.n, name);
	}
	return found;
}

/* Sums of cpu and memory over the containers, and whether each of them has both limits. */
struct qos {
	struct quantity requests[2];
	struct quantity limits[2];
	bool requested[2];
	bool limited[2];
	bool all_limited;
};

static void qos_add(struct qos *q, const struct core_resource_requirements *r)
{
	static const struct str names[2] = {STR_INIT("cpu"), STR_INIT("memory")};

	for (size_t i = 0; i < 2; i++) {
		struct quantity request = resource_get(&r->requests, names[i]);
		struct quantity limit = resource_get(&r->limits, names[i]);

		if (quantity_sign(request) > 0) {
			q->requests[i] = quantity_add(q->requests[i], request);
			q->requested[i] = true;
		}
		if (quantity_sign(limit) > 0) {
			q->limits[i] = quantity_add(q->limits[i], limit);
			q->limited[i] = true;
		} else {
			q->all_limited = false;
		}
	}
}

struct str pod_compute_qos(const struct core_pod_spec *spec)
{
	struct qos q = {.all_limited = true};

	if (spec->resources && (spec->resources->limits.n || spec->resources->requests.n)) {
		qos_add(&q, spec->resources);
	} else {
		for (size_t i = 0; i < spec->containers.n; i++) {
			qos_add(&q, &spec->containers.p[i].resources);
		}
		for (size_t i = 0; i < spec->init_containers.n; i++) {
			qos_add(&q, &spec->init_containers.p[i].resources);
		}
	}
	if (!q.requested[0] && !q.requested[1] && !q.limited[0] && !q.limited[1]) {
		return STR("BestEffort");
	}
	if (q.all_limited && q.requested[0] && q.requested[1] &&
	    quantity_cmp(q.requests[0], q.limits[0]) == 0 &&
	    quantity_cmp(q.requests[1], q.limits[1]) == 0) {
		return STR("Guaranteed");
	}
	return STR("Burstable");
}

typedef const struct quantity_map *(*pick_fn)(const struct core_resource_requirements *r);

static const struct quantity_map *requests_of(const struct core_resource_requirements *r)
{
	return &r->requests;
}

static const struct quantity_map *limits_of(const struct core_resource_requirements *r)
{
	return &r->limits;
}

static struct quantity_map sum_containers(struct arena *a, const struct core_pod_spec *spec,
					  pick_fn pick)
{
	struct quantity_map sum = {0};
	struct quantity_map sidecars = {0};
	struct quantity_map init = {0};

	for (size_t i = 0; i < spec->containers.n; i++) {
		resources_add(a, &sum, pick(&spec->containers.p[i].resources));
	}
	for (size_t i = 0; i < spec->init_containers.n; i++) {
		const struct core_container *c = &spec->init_containers.p[i];
		struct quantity_map at_once = sidecars;

		resources_add(a, &at_once, pick(&c->resources));
		if (container_is_sidecar(c)) {
			sidecars = at_once;
			resources_add(a, &sum, pick(&c->resources));
		}
		resources_max(a, &init, &at_once);
	}
	resources_max(a, &sum, &init);
	return sum;
}

static struct quantity_map compute(struct arena *a, const struct core_pod_spec *spec, pick_fn pick)
{
	struct quantity_map sum = sum_containers(a, spec, pick);

	if (spec->resources) {
		const struct quantity_map *whole = pick(spec->resources);

		for (size_t i = 0; i < whole->n; i++) {
			resource_set(a, &sum, whole->p[i].key, whole->p[i].value);
		}
	}
	return sum;
}

struct quantity_map pod_compute_container_requests(struct arena *a,
						   const struct core_pod_spec *spec)
{
	return sum_containers(a, spec, requests_of);
}

struct quantity_map pod_compute_container_limits(struct arena *a, const struct core_pod_spec *spec)
{
	return sum_containers(a, spec, limits_of);
}

struct quantity_map pod_compute_requests(struct arena *a, const struct core_pod_spec *spec)
{
	struct quantity_map sum = compute(a, spec, requests_of);

	resources_add(a, &sum, &spec->overhead);
	return sum;
}

struct quantity_map pod_compute_limits(struct arena *a, const struct core_pod_spec *spec)
{
	struct quantity_map sum = compute(a, spec, limits_of);

	/* Overhead raises a limit that there is, it does not make one. */
	for (size_t i = 0; i < spec->overhead.n; i++) {
		const struct quantity *limit = resource_find(&sum, spec->overhead.p[i].key);

		if (limit) {
			resource_set(a, &sum, spec->overhead.p[i].key,
				     quantity_add(*limit, spec->overhead.p[i].value));
		}
	}
	return sum;
}
