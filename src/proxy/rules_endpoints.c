/* SPDX-License-Identifier: Apache-2.0 */
/* Which endpoints of a Service's port serve, and in which places they stand. */
#include <stdlib.h>

#include "base/alloc.h"
#include "proxy/rules_internal.h"

static int compare_endpoints(const void *a, const void *b)
{
	const struct endpoint *x = a, *y = b;

	if (x->v4 != y->v4) {
		return x->v4 < y->v4 ? -1 : 1;
	}
	return (int)x->port - (int)y->port;
}

/* Slices may name an endpoint twice while it moves from one to another. */
static void sort_unique(struct endpoints *list)
{
	size_t n = 0;

	if (list->n > 1) {
		qsort(list->p, list->n, sizeof(*list->p), compare_endpoints);
	}
	for (size_t i = 0; i < list->n; i++) {
		if (n == 0 || compare_endpoints(&list->p[n - 1], &list->p[i]) != 0) {
			list->p[n++] = list->p[i];
		}
	}
	list->n = n;
}

static const struct endpoint *find_endpoint(const struct endpoints *sorted,
					    const struct endpoint *e)
{
	return sorted->n ? bsearch(e, sorted->p, sorted->n, sizeof(*e), compare_endpoints) : NULL;
}

/* Makes `places` hold what is in `now` (sorted): who stays keeps its place, who is new takes one that is free, and if there are more free
 * places than new ones, the last move into them. */
static void update_places(struct endpoints *places, const struct endpoints *now)
{
	bool *kept = mem_new(now->n);
	size_t next = 0;

	for (size_t i = 0; i < places->n; i++) {
		const struct endpoint *e = find_endpoint(now, &places->p[i]);
		if (e) {
			kept[e - now->p] = true;
		}
	}
	for (size_t i = 0; i < places->n;) {
		while (next < now->n && kept[next]) {
			next++;
		}
		if (find_endpoint(now, &places->p[i])) {
			i++;
		} else if (next < now->n) {
			places->p[i++] = now->p[next++];
		} else {
			places->p[i] = places->p[--places->n];
		}
	}
	for (; next < now->n; next++) {
		if (!kept[next]) {
			*vec_push(places) = now->p[next];
		}
	}
	mem_free(kept);
}

enum { LISTED_READY, LISTED_TERMINATING, LISTED_N };

struct listing {
	struct endpoints cluster[LISTED_N], local[LISTED_N];
};

static void list_slice(struct listing *l, const struct slice *slice, uint16_t target)
{
	for (size_t i = 0; i < slice->nendpoints; i++) {
		const struct slice_endpoint *e = &slice->endpoints[i];
		int state = e->ready ? LISTED_READY : LISTED_TERMINATING;
		if (!e->ready && !e->serving_terminating) {
			continue;
		}
		*vec_push(&l->cluster[state]) = (struct endpoint){e->v4, target};
		if (e->local) {
			*vec_push(&l->local[state]) = (struct endpoint){e->v4, target};
		}
	}
}

/* KEP-1669: while nobody is ready, those that terminate but still serve are better than nothing; decided for the cluster and for the
 * node separately. */
static void choose(const struct rules *rules, const struct service *s, struct endpoints *places,
		   struct endpoints listed[LISTED_N])
{
	sort_unique(&listed[LISTED_READY]);
	sort_unique(&listed[LISTED_TERMINATING]);
	struct endpoints *now = &listed[listed[LISTED_READY].n ? LISTED_READY : LISTED_TERMINATING];
	if (now->n > RULES_ENDPOINTS_MAX) {
		log_warning(rules->log, "service %s has %zu endpoints, %d of them are used", s->key,
			    now->n, RULES_ENDPOINTS_MAX);
		now->n = RULES_ENDPOINTS_MAX;
	}
	update_places(places, now);
	vec_fini(&listed[LISTED_READY]);
	vec_fini(&listed[LISTED_TERMINATING]);
}

void service_compute_endpoints(const struct rules *rules, struct service *s,
			       struct service_port *port)
{
	struct listing l = {0};

	LIST_FOR_EACH(at, &s->slices)
	{
		const struct slice *slice = CONTAINER_OF(at, struct slice, link);
		for (size_t i = 0; i < slice->nports; i++) {
			if (slice->ports[i].protocol == port->protocol &&
			    strcmp(slice->ports[i].name, port->name) == 0) {
				list_slice(&l, slice, slice->ports[i].port);
			}
		}
	}
	choose(rules, s, &port->cluster, l.cluster);
	choose(rules, s, &port->local, l.local);
}
