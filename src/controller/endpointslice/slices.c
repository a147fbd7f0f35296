/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/endpointslice/slices.h"

#include "base/map.h"
#include "controller/label_map.h"
#include "object/object.h"
#include "rules/controller_ref.h"
#include "rules/selector.h"

/* A slice as it should be. */
struct plan {
	const struct discovery_endpoint_slice *old; /* NULL: to be created */
	const struct slice_group *group;	    /* NULL: to be deleted */
	struct discovery_endpoint *endpoints;	    /* room for max */
	size_t n;
	bool changed;
};

struct planner {
	struct slice_family *f;
	struct plan *plans;
	size_t n;
};

/* ---- comparison ---- */

static bool same_target(const struct discovery_endpoint *a, const struct discovery_endpoint *b)
{
	return a->target_ref && b->target_ref && str_eq(a->target_ref->uid, b->target_ref->uid);
}

static bool same_ports(const struct discovery_endpoint_slice *slice, const struct slice_group *g)
{
	bool same = slice->ports.n == g->nports;

	for (size_t i = 0; same && i < g->nports; i++) {
		bool found = false;

		for (size_t j = 0; j < slice->ports.n && !found; j++) {
			found = object_equal(&type_discovery_endpoint_port, &slice->ports.p[j],
					     &g->ports[i]);
		}
		same = found;
	}
	return same;
}

/* ---- metadata ---- */

static struct str_map wanted_labels(struct slice_family *f)
{
	const struct core_service *service =
		FROZEN_AS(f->service, core_services, struct core_service);
	struct arena *a = f->snapshot->arena;
	struct str_map map = service->metadata.labels;

	label_map_remove(a, &map, STR(SLICE_HEADLESS));
	label_map_set(a, &map, STR(SLICE_SERVICE_NAME), service->metadata.name);
	label_map_set(a, &map, STR(SLICE_MANAGED_BY), STR(SLICE_MANAGER));
	if (backends_is_headless(service)) {
		label_map_set(a, &map, STR(SLICE_HEADLESS), STR(""));
	}
	return map;
}

static bool same_labels(const struct str_map *a, const struct str_map *b)
{
	bool same = a->n == b->n;

	for (size_t i = 0; same && i < a->n; i++) {
		same = str_eq(a->p[i].key, b->p[i].key) && str_eq(a->p[i].value, b->p[i].value);
	}
	return same;
}

/* ---- planning ---- */

static const struct slice_group *group_of(struct slice_family *f,
					  const struct discovery_endpoint_slice *slice)
{
	for (size_t i = 0; i < f->ngroups; i++) {
		if (same_ports(slice, &f->groups[i])) {
			return &f->groups[i];
		}
	}
	return NULL;
}

/* Endpoints of the group by the uid of their pod, to find each in constant time. */
struct wanted {
	struct discovery_endpoint *endpoint;
	bool placed;
};

static void keep_present(struct planner *p, struct plan *plan, struct map *wanted)
{
	for (size_t i = 0; i < plan->old->endpoints.n; i++) {
		const struct discovery_endpoint *was = &plan->old->endpoints.p[i];
		struct wanted *w = was->target_ref ? map_find(wanted, was->target_ref->uid) : NULL;

		if (!w || w->placed || plan->n == p->f->max) {
			plan->changed = true;
			continue;
		}
		w->placed = true;
		plan->endpoints[plan->n++] = *w->endpoint;
		plan->changed |= !same_target(was, w->endpoint) ||
				 !object_equal(&type_discovery_endpoint, was, w->endpoint);
	}
}

static void put(struct plan *plan, struct wanted *w)
{
	plan->endpoints[plan->n++] = *w->endpoint;
	plan->changed = true;
	w->placed = true;
}

/* The slice that the next of `left` endpoints goes to. */
static struct plan *choose(struct planner *p, const struct slice_group *g, size_t left)
{
	struct plan *best = NULL;

	for (size_t i = 0; i < p->n; i++) {
		struct plan *plan = &p->plans[i];

		if (plan->group != g || plan->n == p->f->max) {
			continue;
		}
		if (plan->changed) {
			return plan;
		}
		if (p->f->max - plan->n >= left && (!best || plan->n > best->n)) {
			best = plan;
		}
	}
	if (!best) {
		best = &p->plans[p->n++];
		*best = (struct plan){.group = g, .changed = true};
		best->endpoints =
			ARENA_ARRAY(p->f->snapshot->arena, p->f->max, struct discovery_endpoint);
	}
	return best;
}

static void place_group(struct planner *p, const struct slice_group *g)
{
	struct wanted *wanted = ARENA_ARRAY(p->f->snapshot->arena, g->n, struct wanted);
	struct plan *plan = NULL;
	struct map by_uid;
	size_t left = 0;

	map_init(&by_uid, MAP_BORROW_KEYS);
	for (size_t i = 0; i < g->n; i++) {
		wanted[i].endpoint = &g->endpoints[i];
		map_put(&by_uid, g->endpoints[i].target_ref->uid, &wanted[i]);
	}
	for (size_t i = 0; i < p->n; i++) {
		if (p->plans[i].group == g) {
			keep_present(p, &p->plans[i], &by_uid);
		}
	}
	for (size_t i = 0; i < g->n; i++) {
		left += !wanted[i].placed;
	}
	for (size_t i = 0; i < g->n; i++) {
		if (wanted[i].placed) {
			continue;
		}
		if (!plan || plan->n == p->f->max) {
			plan = choose(p, g, left);
		}
		put(plan, &wanted[i]);
		left--;
	}
	map_fini(&by_uid);
}

/* ---- writing ---- */

static void fill_in(struct slice_family *f, const struct plan *plan,
		    struct discovery_endpoint_slice *slice)
{
	slice->address_type = f->address_type;
	slice->endpoints.p = plan->endpoints;
	slice->endpoints.n = plan->n;
	slice->ports.p = plan->group->ports;
	slice->ports.n = plan->group->nports;
	slice->metadata.labels = wanted_labels(f);
}

static void note_failure(struct slice_family *f)
{
	const struct meta_object_meta *meta = &f->service->head->metadata;

	actions_on_failure(f->actions, f->service, "FailedToUpdateEndpointSlices",
			   arena_printf(f->snapshot->arena,
					"Error updating Endpoint Slices for Service %.*s/%.*s: ",
					STR_ARG(meta->namespace), STR_ARG(meta->name)));
}

static void write_new(struct slice_family *f, const struct plan *plan)
{
	struct arena *a = f->snapshot->arena;
	const struct meta_object_meta *meta = &f->service->head->metadata;
	struct meta_owner_reference ref = controller_ref_make(a, &resource_core_services, meta);
	struct discovery_endpoint_slice slice = {0};

	fill_in(f, plan, &slice);
	slice.metadata.namespace = meta->namespace;
	slice.metadata.generate_name = arena_printf(a, "%.*s-", STR_ARG(meta->name));
	slice.metadata.name = snapshot_random_name(f->snapshot, slice.metadata.generate_name);
	slice.metadata.owner_references.p = &ref;
	slice.metadata.owner_references.n = 1;
	actions_create(f->actions, &resource_discovery_endpointslices, &slice);
	note_failure(f);
}

static void write_plan(struct slice_family *f, const struct plan *plan)
{
	struct discovery_endpoint_slice slice;
	struct str_map labels;

	if (!plan->old) {
		write_new(f, plan);
		return;
	}
	labels = wanted_labels(f);
	if (!plan->group) {
		struct delete_opts opts = {.uid = plan->old->metadata.uid};

		actions_delete(f->actions, &resource_discovery_endpointslices,
			       plan->old->metadata.namespace, plan->old->metadata.name, &opts);
		note_failure(f);
	} else if (plan->changed || !same_labels(&labels, &plan->old->metadata.labels)) {
		slice = *plan->old;
		fill_in(f, plan, &slice);
		actions_update(f->actions, &resource_discovery_endpointslices, &slice);
		note_failure(f);
	}
}

/* A slice that is not needed any more takes the place of one that would be created. */
static void reuse(struct planner *p)
{
	for (size_t i = 0; i < p->n; i++) {
		struct plan *gone = &p->plans[i];

		for (size_t j = 0; j < p->n && !gone->group; j++) {
			struct plan *made = &p->plans[j];

			if (!made->old && made->group) {
				made->old = gone->old;
				gone->old = NULL;
				break;
			}
		}
	}
}

void slices_reconcile(struct slice_family *f)
{
	struct slice_group empty = {
		.port_key = STR(""),
		.ports = ARENA_NEW(f->snapshot->arena, struct discovery_endpoint_port)};
	struct planner p = {.f = f};
	size_t total = 0;

	for (size_t i = 0; i < f->ngroups; i++) {
		total += f->groups[i].n;
	}
	p.plans = ARENA_ARRAY(f->snapshot->arena, f->nexisting + total + 1, struct plan);
	for (size_t i = 0; i < f->nexisting; i++) {
		struct plan *plan = &p.plans[p.n++];

		plan->old = f->existing[i];
		plan->group = group_of(f, plan->old);
		plan->endpoints =
			ARENA_ARRAY(f->snapshot->arena, f->max, struct discovery_endpoint);
	}
	for (size_t i = 0; i < f->ngroups; i++) {
		place_group(&p, &f->groups[i]);
	}
	for (size_t i = 0; i < p.n; i++) {
		if (!p.plans[i].n) {
			p.plans[i].group = NULL;
		}
	}
	if (!total) {
		/* One empty slice says that the controller has looked. */
		struct plan *plan = p.n ? &p.plans[0] : &p.plans[p.n++];

		plan->group = &empty;
		plan->changed = !plan->old || plan->old->endpoints.n || plan->old->ports.n;
	}
	reuse(&p);
	for (size_t i = 0; i < p.n; i++) {
		if (p.plans[i].old || p.plans[i].group) {
			write_plan(f, &p.plans[i]);
		}
	}
}
