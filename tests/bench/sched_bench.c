/* SPDX-License-Identifier: Apache-2.0 */
/* Decisions per second of the pure core: 5,000 small pods, each assumed where it was placed. Prints figures, checks nothing. */
#include <stdio.h>
#include <time.h>

#include "scheduler/cycle.h"

enum { PODS = 5000 };

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct frozen *decode(const struct resource_desc *resource, struct str json)
{
	struct frozen *f;

	ASSERT(frozen_decode(resource, json, &f, NULL) == 0);
	return f;
}

static void fill(struct node_cache *cache, struct arena *a, int nodes)
{
	for (int i = 0; i < nodes; i++) {
		struct frozen *f = decode(
			&resource_core_nodes,
			arena_printf(
				a,
				"{\"kind\":\"Node\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":"
				"\"node-%d\",\"labels\":"
				"{\"kubernetes.io/hostname\":\"node-%d\",\"topology.kubernetes.io/"
				"zone\":\"z%d\"}},\"status\":"
				"{\"allocatable\":{\"cpu\":\"4\",\"memory\":\"32Gi\",\"pods\":"
				"\"110\"}}}",
				i, i, i % 3));

		node_cache_set_node(cache, f);
		frozen_unref(f);
	}
}

static void run(int nodes)
{
	struct node_cache cache;
	struct arena a = {0};
	struct decision_opts opts = {0};
	static struct frozen *pods[PODS];
	int placed = 0;
	double t;

	node_cache_init(&cache);
	fill(&cache, &a, nodes);
	for (int i = 0; i < PODS; i++) {
		pods[i] = decode(
			&resource_core_pods,
			arena_printf(&a,
				     "{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{"
				     "\"name\":\"p-%d\",\"namespace\":\"shop\",\"labels\":"
				     "{\"app\":\"web\"}},\"spec\":{\"containers\":[{\"name\":\"c\","
				     "\"image\":\"i\",\"resources\":{\"requests\":"
				     "{\"cpu\":\"100m\",\"memory\":\"500Mi\"}}}]}}",
				     i));
	}
	t = now_s();
	for (int i = 0; i < PODS; i++) {
		struct arena pass = {0};
		struct decision d;
		struct pod_info *pod = pod_info_new(&cache, pods[i]);

		opts.random = (uint64_t)i * 2654435761u;
		schedule(&cache, pod, &opts, &pass, &d);
		opts.start = d.next_start;
		placed += d.slot != NO_SLOT;
		if (d.slot == NO_SLOT) {
			pod_info_free(pod);
		} else {
			node_cache_put_pod(&cache, pod, str_of(cache.nodes.p[d.slot].name));
		}
		arena_fini(&pass);
	}
	t = now_s() - t;
	printf("schedule: %5d nodes, %d of %d pods placed: %8.0f decisions/s\n", nodes, placed,
	       PODS, PODS / t);
	for (int i = 0; i < PODS; i++) {
		frozen_unref(pods[i]);
	}
	node_cache_fini(&cache);
	arena_fini(&a);
}

int main(void)
{
	run(1000);
	run(5000);
	return 0;
}
