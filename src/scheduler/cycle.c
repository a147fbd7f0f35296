/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/cycle.h"

#include "base/buf.h"
#include "base/sort.h"

enum { NODES_MIN = 100, PERCENT_MIN = 5, PLUGINS_MAX = 32 };

size_t nodes_to_find(size_t nodes, int percentage)
{
	size_t percent = percentage > 0			   ? (size_t)percentage
			 : nodes / 125 >= 50 - PERCENT_MIN ? PERCENT_MIN
							   : 50 - nodes / 125;

	if (nodes < NODES_MIN || percent >= 100) {
		return nodes;
	}
	return MAX(nodes * percent / 100, (size_t)NODES_MIN);
}

enum plugin_answer cycle_prepare(struct cycle *c, bool *skip, struct rejection *ret)
{
	for (size_t i = 0; i < nplugins; i++) {
		const struct plugin *p = plugins[i].plugin;
		enum plugin_answer answer =
			p->pre_filter ? p->pre_filter(c, &c->state[i], ret) : PLUGIN_OK;

		skip[i] = answer == PLUGIN_SKIP || !p->filter;
		if (answer == PLUGIN_REJECT) {
			ret->plugin = (uint8_t)i;
			return answer;
		}
	}
	return PLUGIN_OK;
}

bool cycle_passes(struct cycle *c, const bool *skip, uint32_t slot, struct rejection *ret)
{
	for (size_t i = 0; i < nplugins; i++) {
		if (!skip[i] && !plugins[i].plugin->filter(c, c->state[i], slot, ret)) {
			ret->plugin = (uint8_t)i;
			return false;
		}
	}
	return true;
}

/* Scores of all feasible nodes, summed with weights; NULL if there is one node only. */
static int64_t *score_all(struct cycle *c)
{
	int64_t *total = ARENA_ARRAY(c->arena, c->nfeasible, int64_t);
	int64_t *one = ARENA_ARRAY(c->arena, c->nfeasible, int64_t);

	for (size_t i = 0; i < nplugins; i++) {
		const struct plugin *p = plugins[i].plugin;

		if (!plugins[i].weight || !p->score ||
		    (p->pre_score && p->pre_score(c, &c->score_state[i]) == PLUGIN_SKIP)) {
			continue;
		}
		for (size_t j = 0; j < c->nfeasible; j++) {
			one[j] = p->score(c, c->score_state[i], c->feasible[j]);
		}
		if (p->normalize) {
			p->normalize(c, c->score_state[i], one);
		}
		for (size_t j = 0; j < c->nfeasible; j++) {
			total[j] += plugins[i].weight * one[j];
		}
	}
	return total;
}

/* The best; among equals each has the same chance. */
static uint32_t pick(struct cycle *c, uint64_t random)
{
	const int64_t *scores;
	size_t best = 0;
	size_t equals = 1;

	if (c->nfeasible == 1) {
		return c->feasible[0];
	}
	scores = score_all(c);
	for (size_t i = 1; i < c->nfeasible; i++) {
		if (scores[i] > scores[best]) {
			best = i;
			equals = 1;
		} else if (scores[i] == scores[best]) {
			random = random * 6364136223846793005ULL + 1442695040888963407ULL;
			if ((random >> 33) % ++equals == 0) {
				best = i;
			}
		}
	}
	return c->feasible[best];
}

static int compare_lines(const void *a, const void *b, void *ctx UNUSED)
{
	return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

struct str rejections_text(struct arena *a, const struct node_cache *cache,
			   const struct rejection *rejections, size_t n)
{
	struct tally reasons = {0};
	struct buf out CLEANUP_BUF = {0};
	void **lines;
	size_t nlines = 0;

	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < rejections[i].n; j++) {
			++*tally_at(&reasons, a, rejections[i].reasons[j].text);
		}
	}
	lines = ARENA_ARRAY(a, reasons.n, void *);
	for (size_t i = 0; i < reasons.cap; i++) {
		if (reasons.slots[i].key.p) {
			struct str *line = ARENA_NEW(a, struct str);

			*line = arena_printf(a, "%lld %.*s", (long long)reasons.slots[i].n,
					     STR_ARG(reasons.slots[i].key));
			lines[nlines++] = line;
		}
	}
	sort_pointers(lines, nlines, compare_lines, NULL);
	buf_printf(&out, "0/%zu nodes are available:", cache->order.n);
	for (size_t i = 0; i < nlines; i++) {
		buf_printf(&out, "%s%.*s", i ? ", " : " ", STR_ARG(*(struct str *)lines[i]));
	}
	if (nlines) {
		buf_add_char(&out, '.');
	}
	return arena_str(a, buf_str(&out));
}

static void explain(struct cycle *c, struct decision *d, uint64_t random)
{
	struct str text;
	struct str more;

	for (size_t i = 0; i < d->nevaluated; i++) {
		d->events |= plugins[d->rejections[i].plugin].plugin->events;
	}
	if (d->rejected_everywhere) {
		text = arena_printf(c->arena, "0/%zu nodes are available: %.*s.", c->cache->order.n,
				    STR_ARG(d->rejections[0].reasons[0].text));
		d->events = plugins[d->rejections[0].plugin].plugin->events;
	} else {
		text = rejections_text(c->arena, c->cache, d->rejections, d->nevaluated);
	}
	more = preempt(c, d, random);
	d->message = more.n ? arena_printf(c->arena, "%.*s preemption: %.*s", STR_ARG(text),
					   STR_ARG(more))
			    : text;
}

/* Nodes from `start` on, round and round, until enough are found. */
static void find_feasible(struct cycle *c, const bool *skip, const struct decision_opts *opts,
			  struct decision *d)
{
	size_t n = c->cache->order.n;
	size_t enough = nodes_to_find(n, opts->percentage_of_nodes);
	uint32_t *feasible = ARENA_ARRAY(c->arena, enough, uint32_t);

	while (d->nevaluated < n && c->nfeasible < enough) {
		uint32_t slot = c->cache->order.p[(opts->start + d->nevaluated) % n];
		struct rejection why;

		why.n = 0;
		why.unresolvable = false;
		if (cycle_passes(c, skip, slot, &why)) {
			feasible[c->nfeasible++] = slot;
		} else if (!c->nfeasible) {
			if (!d->rejections) {
				d->rejections = ARENA_ARRAY(c->arena, n, struct rejection);
			}
			d->rejections[(opts->start + d->nevaluated) % n] = why;
		}
		d->nevaluated++;
	}
	c->feasible = feasible;
	d->next_start = n ? (opts->start + d->nevaluated) % n : 0;
}

void schedule(struct node_cache *cache, const struct pod_info *pod,
	      const struct decision_opts *opts, struct arena *arena, struct decision *ret)
{
	struct cycle c = {.cache = cache, .informers = opts->informers, .pod = pod, .arena = arena};
	bool skip[PLUGINS_MAX];
	struct rejection everywhere = {0};

	ASSERT(nplugins <= PLUGINS_MAX);
	*ret = (struct decision){.slot = NO_SLOT, .nominated = NO_SLOT};
	if (!cache->order.n) {
		ret->message = STR("no nodes available to schedule pods");
		ret->events = EVENT_NODE_ADD;
		return;
	}
	if (cycle_prepare(&c, skip, &everywhere) == PLUGIN_REJECT) {
		ret->rejected_everywhere = true;
		ret->rejections = ARENA_NEW(arena, struct rejection);
		*ret->rejections = everywhere;
		ret->next_start = opts->start;
	} else {
		find_feasible(&c, skip, opts, ret);
	}
	ret->nfeasible = c.nfeasible;
	if (c.nfeasible) {
		ret->slot = pick(&c, opts->random);
	} else {
		explain(&c, ret, opts->random);
	}
}
