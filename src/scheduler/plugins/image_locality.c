/* SPDX-License-Identifier: Apache-2.0 */
/* ImageLocality: points for images that the node has already: their sizes, each weighed by how many nodes have it, so that not all
 * pods of a new image run to the one node that pulled it first. 23 MB give nothing, 1000 MB per container everything. */
#include "scheduler/framework.h"

#define MB (1024LL * 1024)
#define BYTES_MIN (23 * MB)
#define BYTES_MAX_PER_CONTAINER (1000 * MB)

/* Nodes report names with a tag or digest; a bare name means :latest. */
static struct str normalized(struct arena *a, struct str image)
{
	ptrdiff_t colon = str_rfind_char(image, ':');

	return colon > str_rfind_char(image, '/') ? image
						  : arena_printf(a, "%.*s:latest", STR_ARG(image));
}

struct images {
	struct str_list names;
};

static enum plugin_answer pre_score(struct cycle *c, void **state)
{
	const struct core_pod_spec *spec = &c->pod->pod->spec;
	struct images *images = ARENA_NEW(c->arena, struct images);
	bool known = false;

	images->names.p =
		ARENA_ARRAY(c->arena, spec->containers.n + spec->init_containers.n, struct str);
	for (size_t i = 0; i < spec->init_containers.n + spec->containers.n; i++) {
		const struct core_container *ct =
			i < spec->init_containers.n
				? &spec->init_containers.p[i]
				: &spec->containers.p[i - spec->init_containers.n];
		struct str name = normalized(c->arena, ct->image);

		images->names.p[images->names.n++] = name;
		known |= map_find(&c->cache->images, name) != NULL;
	}
	*state = images;
	return known ? PLUGIN_OK : PLUGIN_SKIP; /* nobody has them: all nodes would get 0 */
}

static int64_t bytes_there(const struct cycle *c, const struct core_node *node, struct str name)
{
	for (size_t i = 0; i < node->status.images.n; i++) {
		const struct core_container_image *im = &node->status.images.p[i];

		for (size_t j = 0; j < im->names.n; j++) {
			if (str_eq(im->names.p[j], name)) {
				double spread =
					(double)(intptr_t)map_find(&c->cache->images, name) /
					(double)c->cache->order.n;

				return (int64_t)((double)im->size_bytes * spread);
			}
		}
	}
	return 0;
}

static int64_t score(const struct cycle *c, const void *state, uint32_t slot)
{
	const struct images *images = state;
	int64_t max = BYTES_MAX_PER_CONTAINER * (int64_t)images->names.n;
	int64_t sum = 0;

	for (size_t i = 0; i < images->names.n; i++) {
		sum += bytes_there(c, node_at(c->cache, slot), images->names.p[i]);
	}
	sum = MIN(MAX(sum, (int64_t)BYTES_MIN), max);
	return SCORE_MAX * (sum - BYTES_MIN) / (max - BYTES_MIN);
}

extern const struct plugin plugin_image_locality;
const struct plugin plugin_image_locality = {
	.name = "ImageLocality",
	.pre_score = pre_score,
	.score = score,
};
