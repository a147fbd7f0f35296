/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/controller.h"

#include "base/buf.h"

#define CONTROLLER(name) extern const struct controller_desc name##_controller;
#include "controller/controllers.def"
#undef CONTROLLER

const struct controller_desc *const all_controllers[] = {
#define CONTROLLER(name) &name##_controller,
#include "controller/controllers.def"
#undef CONTROLLER
};
const size_t all_controllers_n = ARRAY_LEN(all_controllers);

void controller_options_init(struct controller_options *options)
{
	*options = (struct controller_options){
		.node_cidr_mask = 24,
		.node_monitor_grace_period_ns = 50 * NS_PER_SEC,
		.node_monitor_period_ns = 5 * NS_PER_SEC,
		.node_startup_grace_period_ns = 60 * NS_PER_SEC,
		.node_eviction_rate = 0.1,
		.secondary_node_eviction_rate = 0.01,
		.unhealthy_zone_threshold = 0.55,
		.large_cluster_size_threshold = 50,
		.terminated_pod_gc_threshold = 12500,
		.max_endpoints_per_slice = 100,
		.event_ttl_ns = 3600 * NS_PER_SEC,
		.provisioner = STR("cox.dev/shared-path"),
	};
}

struct informer *snapshot_informer(const struct snapshot *snapshot,
				   const struct resource_desc *resource)
{
	struct informer *inf = informers_find(snapshot->informers, resource);

	ASSERT(inf); /* it is missing in the descriptor's watches */
	return inf;
}

struct frozen *snapshot_get(const struct snapshot *snapshot, const struct resource_desc *resource,
			    struct str ns, struct str name)
{
	return informer_get(snapshot_informer(snapshot, resource), ns, name);
}

struct frozen *snapshot_get_key(const struct snapshot *snapshot,
				const struct resource_desc *resource, struct str key)
{
	return snapshot_get(snapshot, resource, controller_key_ns(key), controller_key_name(key));
}

struct str snapshot_random_name(const struct snapshot *snapshot, struct str prefix)
{
	/* apimachinery's alphabet: no vowels, nothing that looks like something else. */
	static const char letters[] = "bcdfghjklmnpqrstvwxz2456789";
	enum { SUFFIX = 5, NAME_MAX_BYTES = 63 };
	uint64_t r = snapshot->random(snapshot->random_ctx);
	char suffix[SUFFIX];

	for (int i = 0; i < SUFFIX; i++) {
		suffix[i] = letters[r % (sizeof(letters) - 1)];
		r /= sizeof(letters) - 1;
	}
	prefix = str_sub(prefix, 0, NAME_MAX_BYTES - SUFFIX);
	return arena_printf(snapshot->arena, "%.*s%.*s", STR_ARG(prefix), SUFFIX, suffix);
}

struct str controller_key_ns(struct str key)
{
	ptrdiff_t at = str_find_char(key, '/');

	return at < 0 ? STR_NULL : str_sub(key, 0, (size_t)at);
}

struct str controller_key_name(struct str key)
{
	return str_from(key, (size_t)(str_find_char(key, '/') + 1));
}

void controller_enqueue(struct str ns, struct str name, enqueue_fn enqueue, void *ctx)
{
	struct buf b CLEANUP_BUF = {0};

	if (ns.n) {
		buf_add_str(&b, ns);
		buf_add_char(&b, '/');
	}
	buf_add_str(&b, name);
	enqueue(ctx, buf_str(&b));
}

void controller_keys_self(struct informers *informers UNUSED, const struct frozen *old,
			  const struct frozen *new_, enqueue_fn enqueue, void *ctx)
{
	const struct meta_object_meta *meta = new_ ? &new_->head->metadata : &old->head->metadata;

	controller_enqueue(meta->namespace, meta->name, enqueue, ctx);
}

void controller_keys_none(struct informers *informers UNUSED, const struct frozen *old UNUSED,
			  const struct frozen *new_ UNUSED, enqueue_fn enqueue UNUSED,
			  void *ctx UNUSED)
{
}
