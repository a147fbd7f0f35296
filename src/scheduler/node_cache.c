/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/node_cache.h"

#include "object/quantity.h"
#include "rules/pod.h"
#include "rules/taint.h"

enum { DEFAULT_CPU_MILLI = 100, DEFAULT_MEMORY_BYTES = 200 * 1024 * 1024 };

static uint32_t column_of(struct node_cache *c, struct str name)
{
	uintptr_t id = (uintptr_t)map_find(&c->column_ids, name);
	struct column *col;

	if (id) {
		return (uint32_t)(id - 1);
	}
	col = vec_push(&c->columns);
	col->name = str_of(str_dup_cstr(name));
	col->allocatable = mem_new(MAX(c->cap, (size_t)1) * sizeof(int64_t));
	col->requested = mem_new(MAX(c->cap, (size_t)1) * sizeof(int64_t));
	map_put(&c->column_ids, name, (void *)(uintptr_t)c->columns.n);
	return (uint32_t)(c->columns.n - 1);
}

void node_cache_init(struct node_cache *c)
{
	*c = (struct node_cache){0};
	map_init(&c->slots, 0);
	map_init(&c->pods, 0);
	map_init(&c->column_ids, 0);
	map_init(&c->images, 0);
	column_of(c, STR("cpu"));
	column_of(c, STR("memory"));
	column_of(c, STR("ephemeral-storage"));
	column_of(c, STR("pods"));
}

void node_cache_fini(struct node_cache *c)
{
	struct str key;
	void *pod;

	for (size_t i = 0; map_next(&c->pods, &i, &key, &pod);) {
		pod_info_free(pod);
	}
	for (size_t i = 0; i < c->nodes.n; i++) {
		mem_free(c->nodes.p[i].name);
		frozen_unref(c->nodes.p[i].object);
		vec_fini(&c->nodes.p[i].pods);
	}
	for (size_t i = 0; i < c->columns.n; i++) {
		mem_free((char *)c->columns.p[i].name.p);
		mem_free(c->columns.p[i].allocatable);
		mem_free(c->columns.p[i].requested);
	}
	vec_fini(&c->nodes);
	vec_fini(&c->order);
	vec_fini(&c->columns);
	map_fini(&c->slots);
	map_fini(&c->pods);
	map_fini(&c->column_ids);
	map_fini(&c->images);
}

static int64_t amount_of(uint32_t column, struct quantity q)
{
	return column == COLUMN_CPU ? quantity_milli_value(q) : quantity_value(q);
}

static size_t count_ports(const struct core_pod_spec *spec, struct host_port *ret)
{
	size_t n = 0;

	for (size_t i = 0; i < spec->containers.n; i++) {
		const struct core_container *ct = &spec->containers.p[i];

		for (size_t j = 0; j < ct->ports.n; j++) {
			const struct core_container_port *p = &ct->ports.p[j];

			if (p->host_port <= 0) {
				continue;
			}
			if (ret) {
				ret[n] = (struct host_port){
					p->host_ip.n ? p->host_ip : STR("0.0.0.0"),
					p->protocol.n ? p->protocol : STR("TCP"), p->host_port};
			}
			n++;
		}
	}
	return n;
}

static void compute_affinity(struct pod_info *p)
{
	const struct core_affinity *a = p->pod->spec.affinity;

	if (!a) {
		return;
	}
	p->has_affinity = a->pod_affinity || a->pod_anti_affinity;
	p->has_required_anti =
		a->pod_anti_affinity &&
		a->pod_anti_affinity->required_during_scheduling_ignored_during_execution.n;
}

static int64_t nonzero(const struct core_pod_spec *spec, struct str name, int64_t asked,
		       int64_t otherwise)
{
	size_t silent = 0;

	for (size_t i = 0; i < spec->containers.n; i++) {
		const struct quantity_map *m = &spec->containers.p[i].resources.requests;
		bool said = false;

		for (size_t j = 0; j < m->n; j++) {
			said |= str_eq(m->p[j].key, name);
		}
		silent += !said;
	}
	return asked + (int64_t)silent * otherwise;
}

struct pod_info *pod_info_new(struct node_cache *c, struct frozen *object)
{
	struct pod_info *p = NEW(struct pod_info);
	struct quantity_map asked;

	p->object = frozen_ref(object);
	p->pod = FROZEN_AS(object, core_pods, struct core_pod);
	p->key = arena_printf(&p->arena, "%.*s/%.*s", STR_ARG(p->pod->metadata.namespace),
			      STR_ARG(p->pod->metadata.name));
	p->slot = NO_SLOT;
	p->priority = p->pod->spec.priority ? *p->pod->spec.priority : 0;
	asked = pod_compute_requests(&p->arena, &p->pod->spec);
	p->demands = ARENA_ARRAY(&p->arena, asked.n, struct demand);
	for (size_t i = 0; i < asked.n; i++) {
		uint32_t column = column_of(c, asked.p[i].key);
		int64_t amount = amount_of(column, asked.p[i].value);

		if (column == COLUMN_CPU) {
			p->nonzero_cpu_milli = amount;
		} else if (column == COLUMN_MEMORY) {
			p->nonzero_memory_bytes = amount;
		}
		if (amount > 0) {
			p->demands[p->ndemands++] = (struct demand){column, amount};
		}
	}
	p->nonzero_cpu_milli =
		nonzero(&p->pod->spec, STR("cpu"), p->nonzero_cpu_milli, DEFAULT_CPU_MILLI);
	p->nonzero_memory_bytes = nonzero(&p->pod->spec, STR("memory"), p->nonzero_memory_bytes,
					  DEFAULT_MEMORY_BYTES);
	p->nports = count_ports(&p->pod->spec, NULL);
	p->ports = ARENA_ARRAY(&p->arena, p->nports, struct host_port);
	count_ports(&p->pod->spec, p->ports);
	for (size_t i = 0; i < p->pod->spec.volumes.n; i++) {
		p->has_claims |= p->pod->spec.volumes.p[i].persistent_volume_claim ||
				 p->pod->spec.volumes.p[i].ephemeral;
	}
	compute_affinity(p);
	return p;
}

void pod_info_free(struct pod_info *p)
{
	if (p) {
		frozen_unref(p->object);
		arena_fini(&p->arena);
		mem_free(p);
	}
}

static void grow_columns(struct node_cache *c)
{
	size_t cap = c->cap ? c->cap * 2 : 16;

	for (size_t i = 0; i < c->columns.n; i++) {
		int64_t **arrays[] = {&c->columns.p[i].allocatable, &c->columns.p[i].requested};

		for (size_t j = 0; j < ARRAY_LEN(arrays); j++) {
			int64_t *bigger = mem_new(cap * sizeof(int64_t));

			memcpy(bigger, *arrays[j], c->cap * sizeof(int64_t));
			mem_free(*arrays[j]);
			*arrays[j] = bigger;
		}
	}
	c->cap = cap;
}

static uint32_t slot_of(struct node_cache *c, struct str name)
{
	uintptr_t slot = (uintptr_t)map_find(&c->slots, name);

	if (slot) {
		return (uint32_t)(slot - 1);
	}
	if (c->nodes.n == c->cap) {
		grow_columns(c);
	}
	vec_push(&c->nodes)->name = str_dup_cstr(name);
	map_put(&c->slots, name, (void *)(uintptr_t)c->nodes.n);
	return (uint32_t)(c->nodes.n - 1);
}

uint32_t node_cache_find(const struct node_cache *c, struct str name)
{
	uintptr_t slot = (uintptr_t)map_find(&c->slots, name);

	return slot && c->nodes.p[slot - 1].node ? (uint32_t)(slot - 1) : NO_SLOT;
}

static void count_images(struct node_cache *c, const struct core_node *node, intptr_t by)
{
	for (size_t i = 0; node && i < node->status.images.n; i++) {
		const struct str_list *names = &node->status.images.p[i].names;

		for (size_t j = 0; j < names->n; j++) {
			intptr_t n = (intptr_t)map_find(&c->images, names->p[j]) + by;

			if (n > 0) {
				map_put(&c->images, names->p[j], (void *)n);
			} else {
				map_remove(&c->images, names->p[j]);
			}
		}
	}
}

static void note_taints(struct node_info *n)
{
	n->cordoned = n->node->spec.unschedulable;
	n->has_hard_taints = n->has_soft_taints = false;
	for (size_t i = 0; i < n->node->spec.taints.n; i++) {
		bool soft = str_is(n->node->spec.taints.p[i].effect, "PreferNoSchedule");

		n->has_soft_taints |= soft;
		n->has_hard_taints |= !soft;
	}
}

void node_cache_set_node(struct node_cache *c, struct frozen *object)
{
	const struct core_node *node = FROZEN_AS(object, core_nodes, struct core_node);
	uint32_t slot = slot_of(c, node->metadata.name);
	struct node_info *n = &c->nodes.p[slot];

	if (!n->node) {
		*vec_push(&c->order) = slot;
	}
	count_images(c, n->node, -1);
	frozen_ref(object);
	frozen_unref(n->object);
	n->object = object;
	n->node = node;
	count_images(c, node, 1);
	note_taints(n);
	for (size_t i = 0; i < c->columns.n; i++) {
		c->columns.p[i].allocatable[slot] = 0;
	}
	for (size_t i = 0; i < node->status.allocatable.n; i++) {
		uint32_t column = column_of(c, node->status.allocatable.p[i].key);

		c->columns.p[column].allocatable[slot] =
			amount_of(column, node->status.allocatable.p[i].value);
	}
}

void node_cache_remove_node(struct node_cache *c, struct str name)
{
	uint32_t slot = node_cache_find(c, name);

	if (slot == NO_SLOT) {
		return;
	}
	count_images(c, c->nodes.p[slot].node, -1);
	frozen_unref(c->nodes.p[slot].object);
	c->nodes.p[slot].object = NULL;
	c->nodes.p[slot].node = NULL;
	for (size_t i = 0; i < c->order.n; i++) {
		if (c->order.p[i] == slot) {
			vec_remove(&c->order, i);
			break;
		}
	}
}

static void count(struct node_cache *c, struct pod_info *p, uint32_t slot, int by)
{
	struct node_info *n = &c->nodes.p[slot];

	for (size_t i = 0; i < p->ndemands; i++) {
		c->columns.p[p->demands[i].column].requested[slot] += by * p->demands[i].amount;
	}
	c->columns.p[COLUMN_PODS].requested[slot] += by;
	n->nonzero_cpu_milli += by * p->nonzero_cpu_milli;
	n->nonzero_memory_bytes += by * p->nonzero_memory_bytes;
	n->nports += (uint32_t)(p->nports ? by : 0);
	c->nanti_nodes -= n->nanti > 0;
	c->naffinity_nodes -= n->naffinity > 0;
	n->nanti += (uint32_t)(p->has_required_anti ? by : 0);
	n->naffinity += (uint32_t)(p->has_affinity ? by : 0);
	c->nanti_nodes += n->nanti > 0;
	c->naffinity_nodes += n->naffinity > 0;
}

void node_cache_lift(struct node_cache *c, struct pod_info *pod)
{
	struct node_info *n;

	if (pod->slot == NO_SLOT) {
		return;
	}
	n = &c->nodes.p[pod->slot];
	count(c, pod, pod->slot, -1);
	for (size_t i = 0; i < n->pods.n; i++) {
		if (n->pods.p[i] == pod) {
			n->pods.p[i] = n->pods.p[--n->pods.n];
			break;
		}
	}
	pod->slot = NO_SLOT;
}

void node_cache_drop(struct node_cache *c, struct pod_info *pod, uint32_t slot)
{
	ASSERT(pod->slot == NO_SLOT);
	*vec_push(&c->nodes.p[slot].pods) = pod;
	pod->slot = slot;
	count(c, pod, slot, 1);
}

void node_cache_put_pod(struct node_cache *c, struct pod_info *pod, struct str node_name)
{
	node_cache_remove_pod(c, pod->key);
	map_put(&c->pods, pod->key, pod);
	node_cache_drop(c, pod, slot_of(c, node_name));
}

void node_cache_remove_pod(struct node_cache *c, struct str key)
{
	struct pod_info *pod = map_find(&c->pods, key);

	if (pod) {
		node_cache_lift(c, pod);
		map_remove(&c->pods, pod->key);
		pod_info_free(pod);
	}
}

struct pod_info *node_cache_find_pod(const struct node_cache *c, struct str key)
{
	return map_find(&c->pods, key);
}
