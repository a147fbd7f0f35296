/* SPDX-License-Identifier: Apache-2.0 */
/* InterPodAffinity: pods that want to be near, or away from, other pods; "near" is a value of a node label. Anti-affinity counts in both
 * directions: a pod that is there already keeps others away. Preferences of both sides give points; a required affinity of a
 * standing pod counts as a preference of weight 1 for those it likes. */
#include "rules/affinity.h"
#include "rules/selector.h"
#include "scheduler/framework.h"

enum { HARD_AFFINITY_WEIGHT = 1, KEYS_MAX = 64 };

/* Points or counts per value of one topology key. */
struct topology {
	struct str key;
	struct tally values;
};

struct topologies {
	struct topology p[KEYS_MAX];
	size_t n;
};

struct filter_state {
	const struct core_pod_affinity *near;
	const struct core_pod_anti_affinity *away;
	struct tally *near_counts, *away_counts; /* by term */
	struct topologies kept_away;		 /* by the standing pods */
	bool first_of_its_kind;			 /* nobody matches yet, but it would match itself */
};

static const struct str_map *namespace_labels(const struct cycle *c, struct str ns)
{
	struct frozen *f = cycle_get(c, &resource_core_namespaces, STR_NULL, ns);

	return f ? &FROZEN_AS(f, core_namespaces, struct core_namespace)->metadata.labels : NULL;
}

static bool term_matches(const struct cycle *c, const struct core_pod_affinity_term *t,
			 const struct core_pod *asker, const struct core_pod *other)
{
	return pod_affinity_term_matches(t, asker->metadata.namespace, &other->metadata,
					 namespace_labels(c, other->metadata.namespace));
}

static const struct str *label_at(const struct cycle *c, uint32_t slot, struct str key)
{
	return str_map_find(&node_at(c->cache, slot)->metadata.labels, key);
}

static void add_point(struct cycle *c, struct topologies *t, struct str key, uint32_t slot,
		      int64_t points)
{
	const struct str *value = label_at(c, slot, key);
	size_t i = 0;

	while (i < t->n && !str_eq(t->p[i].key, key)) {
		i++;
	}
	if (!value || i == KEYS_MAX) {
		return;
	}
	if (i == t->n) {
		t->p[t->n++].key = key;
	}
	*tally_at(&t->p[i].values, c->arena, *value) += points;
}

static int64_t points_at(const struct cycle *c, const struct topologies *t, uint32_t slot)
{
	int64_t sum = 0;

	for (size_t i = 0; i < t->n; i++) {
		const struct str *value = label_at(c, slot, t->p[i].key);
		const int64_t *n = value ? tally_find(&t->p[i].values, *value) : NULL;

		sum += n ? *n : 0;
	}
	return sum;
}

static void count_kept_away(struct cycle *c, struct filter_state *s, const struct pod_info *there)
{
	const struct core_pod_anti_affinity *anti = there->pod->spec.affinity->pod_anti_affinity;

	for (size_t i = 0; i < anti->required_during_scheduling_ignored_during_execution.n; i++) {
		const struct core_pod_affinity_term *t =
			&anti->required_during_scheduling_ignored_during_execution.p[i];

		if (term_matches(c, t, there->pod, c->pod->pod)) {
			add_point(c, &s->kept_away, t->topology_key, there->slot, 1);
		}
	}
}

static bool matches_all_near(const struct cycle *c, const struct filter_state *s,
			     const struct core_pod *other)
{
	for (size_t i = 0; i < s->near->required_during_scheduling_ignored_during_execution.n;
	     i++) {
		if (!term_matches(
			    c, &s->near->required_during_scheduling_ignored_during_execution.p[i],
			    c->pod->pod, other)) {
			return false;
		}
	}
	return true;
}

static void count_term(struct cycle *c, struct tally *t, const struct core_pod_affinity_term *term,
		       uint32_t slot)
{
	const struct str *value = label_at(c, slot, term->topology_key);

	if (value) {
		++*tally_at(t, c->arena, *value);
	}
}

static void count_wanted(struct cycle *c, struct filter_state *s, const struct pod_info *there)
{
	if (s->near && matches_all_near(c, s, there->pod)) {
		for (size_t i = 0;
		     i < s->near->required_during_scheduling_ignored_during_execution.n; i++) {
			count_term(
				c, &s->near_counts[i],
				&s->near->required_during_scheduling_ignored_during_execution.p[i],
				there->slot);
		}
	}
	for (size_t i = 0;
	     s->away && i < s->away->required_during_scheduling_ignored_during_execution.n; i++) {
		const struct core_pod_affinity_term *t =
			&s->away->required_during_scheduling_ignored_during_execution.p[i];

		if (term_matches(c, t, c->pod->pod, there->pod)) {
			count_term(c, &s->away_counts[i], t, there->slot);
		}
	}
}

static void count_node(struct cycle *c, struct filter_state *s, const struct node_info *n)
{
	for (size_t i = 0; i < n->pods.n; i++) {
		if (n->pods.p[i]->has_required_anti) {
			count_kept_away(c, s, n->pods.p[i]);
		}
		if (s->near || s->away) {
			count_wanted(c, s, n->pods.p[i]);
		}
	}
}

static bool nobody_matches(const struct filter_state *s)
{
	for (size_t i = 0; i < s->near->required_during_scheduling_ignored_during_execution.n;
	     i++) {
		if (s->near_counts[i].n) {
			return false;
		}
	}
	return true;
}

static enum plugin_answer pre_filter(struct cycle *c, void **state, struct rejection *ret UNUSED)
{
	const struct core_affinity *a = c->pod->pod->spec.affinity;
	struct filter_state *s;
	bool asks = a &&
		    ((a->pod_affinity &&
		      a->pod_affinity->required_during_scheduling_ignored_during_execution.n) ||
		     (a->pod_anti_affinity &&
		      a->pod_anti_affinity->required_during_scheduling_ignored_during_execution.n));

	if (!asks && !c->cache->nanti_nodes) {
		return PLUGIN_SKIP;
	}
	*state = s = ARENA_NEW(c->arena, struct filter_state);
	if (asks) {
		s->near = a->pod_affinity;
		s->away = a->pod_anti_affinity;
	}
	if (s->near) {
		s->near_counts = ARENA_ARRAY(
			c->arena, s->near->required_during_scheduling_ignored_during_execution.n,
			struct tally);
	}
	if (s->away) {
		s->away_counts = ARENA_ARRAY(
			c->arena, s->away->required_during_scheduling_ignored_during_execution.n,
			struct tally);
	}
	for (size_t i = 0; i < c->cache->order.n; i++) {
		const struct node_info *n = &c->cache->nodes.p[c->cache->order.p[i]];

		if (asks || n->nanti) {
			count_node(c, s, n);
		}
	}
	s->first_of_its_kind = s->near && nobody_matches(s) && matches_all_near(c, s, c->pod->pod);
	return asks || s->kept_away.n ? PLUGIN_OK : PLUGIN_SKIP;
}

static bool is_near(const struct cycle *c, const struct filter_state *s, uint32_t slot)
{
	bool all = true;

	for (size_t i = 0;
	     s->near && i < s->near->required_during_scheduling_ignored_during_execution.n; i++) {
		const struct str *value =
			label_at(c, slot,
				 s->near->required_during_scheduling_ignored_during_execution.p[i]
					 .topology_key);

		if (!value) {
			return false; /* also for the first of its kind */
		}
		all = all && tally_find(&s->near_counts[i], *value);
	}
	return all || s->first_of_its_kind;
}

static bool is_away(const struct cycle *c, const struct filter_state *s, uint32_t slot)
{
	for (size_t i = 0;
	     s->away && i < s->away->required_during_scheduling_ignored_during_execution.n; i++) {
		const struct str *value =
			label_at(c, slot,
				 s->away->required_during_scheduling_ignored_during_execution.p[i]
					 .topology_key);

		if (value && tally_find(&s->away_counts[i], *value)) {
			return false;
		}
	}
	return true;
}

static bool filter(const struct cycle *c, const void *state, uint32_t slot, struct rejection *ret)
{
	const struct filter_state *s = state;

	if (!is_near(c, s, slot)) {
		reject_for_good(ret, STR("node(s) didn't match pod affinity rules"));
	} else if (!is_away(c, s, slot)) {
		reject(ret, STR("node(s) didn't match pod anti-affinity rules"));
	} else if (points_at(c, &s->kept_away, slot)) {
		reject(ret, STR("node(s) didn't satisfy existing pods anti-affinity rules"));
	}
	return ret->n == 0;
}

/* ---- score ---- */

typedef LIST(struct core_weighted_pod_affinity_term) weighted_terms;

static void prefer(struct cycle *c, struct topologies *t, const void *list, int sign,
		   const struct core_pod *asker, const struct core_pod *other, uint32_t slot)
{
	const weighted_terms *terms = list;

	for (size_t i = 0; i < terms->n; i++) {
		if (term_matches(c, &terms->p[i].pod_affinity_term, asker, other)) {
			add_point(c, t, terms->p[i].pod_affinity_term.topology_key, slot,
				  sign * terms->p[i].weight);
		}
	}
}

static void prefer_both(struct cycle *c, struct topologies *t, const struct core_pod *asker,
			const struct core_pod *other, uint32_t slot)
{
	const struct core_affinity *a = asker->spec.affinity;

	if (a && a->pod_affinity) {
		prefer(c, t, &a->pod_affinity->preferred_during_scheduling_ignored_during_execution,
		       1, asker, other, slot);
	}
	if (a && a->pod_anti_affinity) {
		prefer(c, t,
		       &a->pod_anti_affinity->preferred_during_scheduling_ignored_during_execution,
		       -1, asker, other, slot);
	}
}

static void prefer_required(struct cycle *c, struct topologies *t, const struct pod_info *there)
{
	const struct core_pod_affinity *near = there->pod->spec.affinity->pod_affinity;

	for (size_t i = 0; near && i < near->required_during_scheduling_ignored_during_execution.n;
	     i++) {
		const struct core_pod_affinity_term *term =
			&near->required_during_scheduling_ignored_during_execution.p[i];

		if (term_matches(c, term, there->pod, c->pod->pod)) {
			add_point(c, t, term->topology_key, there->slot, HARD_AFFINITY_WEIGHT);
		}
	}
}

static bool has_preferences(const struct core_affinity *a)
{
	return a &&
	       ((a->pod_affinity &&
		 a->pod_affinity->preferred_during_scheduling_ignored_during_execution.n) ||
		(a->pod_anti_affinity &&
		 a->pod_anti_affinity->preferred_during_scheduling_ignored_during_execution.n));
}

static enum plugin_answer pre_score(struct cycle *c, void **state)
{
	bool prefers = has_preferences(c->pod->pod->spec.affinity);
	struct topologies *t;

	if (!prefers && !c->cache->naffinity_nodes) {
		return PLUGIN_SKIP;
	}
	*state = t = ARENA_NEW(c->arena, struct topologies);
	for (size_t i = 0; i < c->cache->order.n; i++) {
		uint32_t slot = c->cache->order.p[i];
		const struct node_info *n = &c->cache->nodes.p[slot];

		for (size_t j = 0; (prefers || n->naffinity) && j < n->pods.n; j++) {
			prefer_both(c, t, c->pod->pod, n->pods.p[j]->pod, slot);
			if (n->pods.p[j]->has_affinity) {
				prefer_both(c, t, n->pods.p[j]->pod, c->pod->pod, slot);
				prefer_required(c, t, n->pods.p[j]);
			}
		}
	}
	return t->n ? PLUGIN_OK : PLUGIN_SKIP;
}

static int64_t score(const struct cycle *c, const void *state, uint32_t slot)
{
	return points_at(c, state, slot);
}

static void normalize(const struct cycle *c, const void *state UNUSED, int64_t *scores)
{
	int64_t min = INT64_MAX;
	int64_t max = INT64_MIN;

	for (size_t i = 0; i < c->nfeasible; i++) {
		min = MIN(min, scores[i]);
		max = MAX(max, scores[i]);
	}
	for (size_t i = 0; i < c->nfeasible; i++) {
		scores[i] = max > min ? (int64_t)((double)SCORE_MAX *
						  ((double)(scores[i] - min) / (double)(max - min)))
				      : 0;
	}
}

extern const struct plugin plugin_inter_pod_affinity;
const struct plugin plugin_inter_pod_affinity = {
	.name = "InterPodAffinity",
	.events = EVENT_NODE_ADD | EVENT_NODE_LABEL | EVENT_POD_ADD | EVENT_POD_LABEL |
		  EVENT_POD_DELETE,
	.pre_filter = pre_filter,
	.filter = filter,
	.pre_score = pre_score,
	.score = score,
	.normalize = normalize,
	.looks_around = true,
};
