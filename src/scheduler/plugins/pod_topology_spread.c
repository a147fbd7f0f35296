/* SPDX-License-Identifier: Apache-2.0 */
/* PodTopologySpread: pods of one kind are spread over the values of a node label (zones, nodes). DoNotSchedule constraints decide:
 *     matching pods in the node's domain + this pod - fewest in any domain <= maxSkew
 * ScheduleAnyway ones give points. A pod without constraints has upstream's defaults (nodes: skew 3, zones: skew 5, both soft) for the pods
 * that its Services and its controller select. */
#include <math.h>

#include "rules/affinity.h"
#include "rules/controller_ref.h"
#include "rules/selector.h"
#include "rules/taint.h"
#include "scheduler/framework.h"

enum { CONSTRAINTS_MAX = 16, SELECTORS_MAX = 16 };

struct constraint {
	struct str key;
	int32_t max_skew, min_domains;
	struct selector selectors[SELECTORS_MAX]; /* all must match */
	size_t nselectors;
	bool honor_affinity, honor_taints;
	bool self;	     /* the pod matches its own selector */
	struct tally counts; /* by value of the key */
	int64_t min;
	double weight; /* score: log(domains + 2) */
};

struct spread {
	struct constraint p[CONSTRAINTS_MAX];
	size_t n;
	bool defaults; /* not the pod's own: nodes without a key are kept in */
};

static bool selects(const struct constraint *k, const struct str_map *labels)
{
	for (size_t i = 0; i < k->nselectors; i++) {
		if (!selector_matches(&k->selectors[i], labels)) {
			return false;
		}
	}
	return true;
}

static void add_own(struct cycle *c, struct spread *s,
		    const struct core_topology_spread_constraint *from)
{
	struct constraint *k = &s->p[s->n];
	const struct str_map *labels = &c->pod->pod->metadata.labels;
	struct str_map same = {
		.p = ARENA_ARRAY(c->arena, from->match_label_keys.n, struct str_pair)};
	struct err err CLEANUP_ERR = {0};

	if (s->n == CONSTRAINTS_MAX) {
		return;
	}
	k->key = from->topology_key;
	k->max_skew = from->max_skew;
	k->min_domains = from->min_domains ? *from->min_domains : 1;
	k->honor_affinity =
		!from->node_affinity_policy || str_is(*from->node_affinity_policy, "Honor");
	k->honor_taints = from->node_taints_policy && str_is(*from->node_taints_policy, "Honor");
	if (label_selector_of(c->arena, from->label_selector, &k->selectors[k->nselectors++],
			      &err) < 0) {
		k->selectors[0] = (struct selector){
			.nothing = true}; /* the API server lets none of those in */
	}
	for (size_t i = 0; i < from->match_label_keys.n; i++) {
		const struct str *value = str_map_find(labels, from->match_label_keys.p[i]);

		if (value) {
			same.p[same.n++] = (struct str_pair){from->match_label_keys.p[i], *value};
		}
	}
	if (same.n) {
		label_selector_of_map(c->arena, &same, &k->selectors[k->nselectors++]);
	}
	k->self = selects(k, labels);
	s->n++;
}

static struct spread *own_constraints(struct cycle *c, const char *when)
{
	const struct core_pod_spec *spec = &c->pod->pod->spec;
	struct spread *s = ARENA_NEW(c->arena, struct spread);

	for (size_t i = 0; i < spec->topology_spread_constraints.n; i++) {
		if (str_eq(spec->topology_spread_constraints.p[i].when_unsatisfiable,
			   str_of(when))) {
			add_own(c, s, &spec->topology_spread_constraints.p[i]);
		}
	}
	return s;
}

static bool counts_here(const struct cycle *c, const struct constraint *k,
			const struct core_node *node)
{
	const struct core_pod_spec *spec = &c->pod->pod->spec;

	return (!k->honor_affinity || pod_matches_node(spec, &node->metadata)) &&
	       (!k->honor_taints ||
		!find_untolerated_taint(node->spec.taints.p, node->spec.taints.n, spec,
					TAINT_NO_SCHEDULE | TAINT_NO_EXECUTE));
}

static bool has_all_keys(const struct spread *s, const struct core_node *node)
{
	for (size_t i = 0; i < s->n; i++) {
		if (!str_map_find(&node->metadata.labels, s->p[i].key)) {
			return false;
		}
	}
	return true;
}

static int64_t matching_pods(const struct cycle *c, const struct constraint *k,
			     const struct node_info *n)
{
	int64_t count = 0;

	for (size_t i = 0; i < n->pods.n; i++) {
		const struct core_pod *pod = n->pods.p[i]->pod;

		count += !pod->metadata.deletion_timestamp &&
			 str_eq(pod->metadata.namespace, c->pod->pod->metadata.namespace) &&
			 selects(k, &pod->metadata.labels);
	}
	return count;
}

static enum plugin_answer pre_filter(struct cycle *c, void **state, struct rejection *ret UNUSED)
{
	struct spread *s;

	if (!c->pod->pod->spec.topology_spread_constraints.n) {
		return PLUGIN_SKIP;
	}
	*state = s = own_constraints(c, "DoNotSchedule");
	for (size_t i = 0; i < c->cache->order.n; i++) {
		const struct node_info *n = &c->cache->nodes.p[c->cache->order.p[i]];

		for (size_t j = 0; has_all_keys(s, n->node) && j < s->n; j++) {
			struct constraint *k = &s->p[j];

			if (counts_here(c, k, n->node)) {
				*tally_at(&k->counts, c->arena,
					  *str_map_find(&n->node->metadata.labels, k->key)) +=
					matching_pods(c, k, n);
			}
		}
	}
	for (size_t i = 0; i < s->n; i++) {
		struct constraint *k = &s->p[i];

		k->min = k->counts.n < (size_t)k->min_domains ? 0 : INT64_MAX;
		for (size_t j = 0; j < k->counts.cap; j++) {
			if (k->counts.slots[j].key.p) {
				k->min = MIN(k->min, k->counts.slots[j].n);
			}
		}
	}
	return s->n ? PLUGIN_OK : PLUGIN_SKIP;
}

static bool filter(const struct cycle *c, const void *state, uint32_t slot, struct rejection *ret)
{
	const struct spread *s = state;

	for (size_t i = 0; i < s->n; i++) {
		const struct constraint *k = &s->p[i];
		const struct str *value =
			str_map_find(&node_at(c->cache, slot)->metadata.labels, k->key);
		const int64_t *n = value ? tally_find(&k->counts, *value) : NULL;

		if (!value) {
			reject_for_good(ret, STR("node(s) didn't match pod topology spread "
						 "constraints (missing required label)"));
			return false;
		}
		if ((n ? *n : 0) + k->self - (k->min == INT64_MAX ? 0 : k->min) > k->max_skew) {
			reject(ret, STR("node(s) didn't match pod topology spread constraints"));
			return false;
		}
	}
	return true;
}

/* ---- score ---- */

struct defaults {
	struct cycle *c;
	struct selector *selectors;
	size_t n;
};

static bool add_service(void *ctx, struct frozen *f)
{
	struct defaults *d = ctx;
	const struct core_service *svc = FROZEN_AS(f, core_services, struct core_service);
	struct selector s;

	if (svc->spec.selector.n && d->n < SELECTORS_MAX - 1) {
		label_selector_of_map(d->c->arena, &svc->spec.selector, &s);
		if (selector_matches(&s, &d->c->pod->pod->metadata.labels)) {
			d->selectors[d->n++] = s;
		}
	}
	return true;
}

static void add_controller(struct defaults *d)
{
	const struct core_pod *pod = d->c->pod->pod;
	const struct meta_owner_reference *ref = controller_of(&pod->metadata);
	const struct meta_label_selector *ls = NULL;
	struct err err CLEANUP_ERR = {0};
	struct frozen *f;

	if (!ref) {
		return;
	}
	if (owner_is_kind(ref, STR("apps"), STR("ReplicaSet"))) {
		f = cycle_get(d->c, &resource_apps_replicasets, pod->metadata.namespace, ref->name);
		ls = f ? FROZEN_AS(f, apps_replicasets, struct apps_replica_set)->spec.selector
		       : NULL;
	} else if (owner_is_kind(ref, STR("apps"), STR("StatefulSet"))) {
		f = cycle_get(d->c, &resource_apps_statefulsets, pod->metadata.namespace,
			      ref->name);
		ls = f ? FROZEN_AS(f, apps_statefulsets, struct apps_stateful_set)->spec.selector
		       : NULL;
	} else if (owner_is_kind(ref, STR(""), STR("ReplicationController"))) {
		f = cycle_get(d->c, &resource_core_replicationcontrollers, pod->metadata.namespace,
			      ref->name);
		if (f) {
			label_selector_of_map(d->c->arena,
					      &FROZEN_AS(f, core_replicationcontrollers,
							 struct core_replication_controller)
						       ->spec.selector,
					      &d->selectors[d->n++]);
		}
	}
	if (ls && label_selector_of(d->c->arena, ls, &d->selectors[d->n], &err) == 0) {
		d->n++;
	}
}

static struct spread *default_constraints(struct cycle *c)
{
	static const struct constraint both[] = {
		{.key = STR_INIT("kubernetes.io/hostname"), .max_skew = 3, .honor_affinity = true},
		{.key = STR_INIT("topology.kubernetes.io/zone"),
		 .max_skew = 5,
		 .honor_affinity = true},
	};
	struct spread *s = ARENA_NEW(c->arena, struct spread);
	struct defaults d = {.c = c, .selectors = s->p[0].selectors};

	s->defaults = true;
	if (c->informers) {
		informer_each(informers_get(c->informers, &resource_core_services, STR_NULL),
			      c->pod->pod->metadata.namespace, add_service, &d);
		add_controller(&d);
	}
	for (size_t i = 0; d.n && i < ARRAY_LEN(both); i++) {
		s->p[i].key = both[i].key;
		s->p[i].max_skew = both[i].max_skew;
		s->p[i].honor_affinity = both[i].honor_affinity;
		memcpy(s->p[i].selectors, d.selectors, d.n * sizeof(struct selector));
		s->p[i].nselectors = d.n;
		s->n++;
	}
	return s;
}

/* Domains are those of the nodes that passed; pods are counted on all nodes of these domains. */
static void count_domains(struct cycle *c, struct spread *s)
{
	for (size_t i = 0; i < c->nfeasible; i++) {
		const struct core_node *node = node_at(c->cache, c->feasible[i]);

		for (size_t j = 0; (s->defaults || has_all_keys(s, node)) && j < s->n; j++) {
			const struct str *value = str_map_find(&node->metadata.labels, s->p[j].key);

			if (value) {
				tally_at(&s->p[j].counts, c->arena, *value);
			}
		}
	}
	for (size_t i = 0; i < s->n; i++) {
		s->p[i].weight = log((double)s->p[i].counts.n + 2);
	}
}

static enum plugin_answer pre_score(struct cycle *c, void **state)
{
	bool own = c->pod->pod->spec.topology_spread_constraints.n;
	struct spread *s = own ? own_constraints(c, "ScheduleAnyway") : default_constraints(c);

	*state = s;
	if (!s->n) {
		return PLUGIN_SKIP;
	}
	count_domains(c, s);
	for (size_t i = 0; i < c->cache->order.n; i++) {
		const struct node_info *n = &c->cache->nodes.p[c->cache->order.p[i]];

		for (size_t j = 0;
		     n->pods.n && (s->defaults || has_all_keys(s, n->node)) && j < s->n; j++) {
			struct constraint *k = &s->p[j];
			const struct str *value = str_map_find(&n->node->metadata.labels, k->key);

			if (value && tally_find(&k->counts, *value) && counts_here(c, k, n->node)) {
				*tally_at(&k->counts, c->arena, *value) += matching_pods(c, k, n);
			}
		}
	}
	return PLUGIN_OK;
}

/* Fewer pods is better; -1: the node has not all keys and gets nothing. */
static int64_t score(const struct cycle *c, const void *state, uint32_t slot)
{
	const struct spread *s = state;
	const struct core_node *node = node_at(c->cache, slot);
	double sum = 0;

	if (!s->defaults && !has_all_keys(s, node)) {
		return -1;
	}
	for (size_t i = 0; i < s->n; i++) {
		const struct str *value = str_map_find(&node->metadata.labels, s->p[i].key);
		const int64_t *n = value ? tally_find(&s->p[i].counts, *value) : NULL;

		if (n) {
			sum += (double)*n * s->p[i].weight + (double)(s->p[i].max_skew - 1);
		}
	}
	return (int64_t)(sum + 0.5);
}

static void normalize(const struct cycle *c, const void *state UNUSED, int64_t *scores)
{
	int64_t min = INT64_MAX;
	int64_t max = 0;

	for (size_t i = 0; i < c->nfeasible; i++) {
		if (scores[i] >= 0) {
			min = MIN(min, scores[i]);
			max = MAX(max, scores[i]);
		}
	}
	for (size_t i = 0; i < c->nfeasible; i++) {
		scores[i] = scores[i] < 0 ? 0
			    : max == 0	  ? SCORE_MAX
					  : SCORE_MAX * (max + min - scores[i]) / max;
	}
}

extern const struct plugin plugin_pod_topology_spread;
const struct plugin plugin_pod_topology_spread = {
	.name = "PodTopologySpread",
	.events = EVENT_NODE_ADD | EVENT_NODE_LABEL | EVENT_NODE_TAINT | EVENT_POD_ADD |
		  EVENT_POD_LABEL | EVENT_POD_DELETE,
	.pre_filter = pre_filter,
	.filter = filter,
	.pre_score = pre_score,
	.score = score,
	.normalize = normalize,
	.looks_around = true,
};
