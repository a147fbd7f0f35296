/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/owned.h"

#include "base/buf.h"
#include "codec/json.h"
#include "object/encode.h"
#include "rules/controller_ref.h"

static void controller_index_keys(const struct frozen *object,
				  void (*add)(void *ctx, struct str key), void *ctx)
{
	const struct meta_owner_reference *ref = controller_of(&object->head->metadata);
	struct buf b CLEANUP_BUF = {0};

	if (ref) {
		add(ctx, ref->uid);
		return;
	}
	buf_printf(&b, "orphan/%.*s", STR_ARG(object->head->metadata.namespace));
	add(ctx, buf_str(&b));
}

const struct informer_index_desc index_by_controller = {"controller", controller_index_keys};

struct claim {
	const struct snapshot *snapshot;
	struct actions *actions;
	const struct frozen *owner;
	const struct selector *selector;
	const struct resource_desc *resource;
	bool (*may_adopt)(const struct frozen *object, const struct frozen *owner);
	bool patched;
	struct owned list;
	size_t cap;
};

static void claim_add(struct claim *c, struct frozen *object)
{
	if (c->list.n == c->cap) {
		struct frozen **old = c->list.p;

		c->cap = c->cap ? c->cap * 2 : 16;
		c->list.p = ARENA_ARRAY(c->snapshot->arena, c->cap, struct frozen *);
		if (c->list.n) {
			memcpy(c->list.p, old, c->list.n * sizeof(*old));
		}
	}
	c->list.p[c->list.n++] = object;
}

/* {"metadata":{"uid":..,"ownerReferences":[..]}}: the uid fences it against another object of the name. */
static void patch_owner(struct claim *c, const struct frozen *object, struct str reference)
{
	const struct meta_object_meta *meta = &object->head->metadata;
	struct str patch = arena_printf(
		c->snapshot->arena, "{\"metadata\":{\"uid\":\"%.*s\",\"ownerReferences\":[%.*s]}}",
		STR_ARG(meta->uid), STR_ARG(reference));

	actions_patch(c->actions, c->resource, NULL, meta->namespace, meta->name, PATCH_STRATEGIC,
		      patch);
	c->patched = true;
}

static void release(struct claim *c, const struct frozen *object)
{
	patch_owner(c, object,
		    arena_printf(c->snapshot->arena, "{\"$patch\":\"delete\",\"uid\":\"%.*s\"}",
				 STR_ARG(c->owner->head->metadata.uid)));
}

static void adopt(struct claim *c, const struct frozen *object)
{
	const struct meta_object_meta *owner = &c->owner->head->metadata;
	struct meta_owner_reference ref =
		controller_ref_make(c->snapshot->arena, c->owner->resource, owner);
	struct buf b CLEANUP_BUF = {0};

	if (!c->patched) {
		actions_check_present(c->actions, c->owner->resource, owner->namespace, owner->name,
				      owner->uid);
		actions_next_stage(c->actions);
	}
	object_encode(&b, &type_meta_owner_reference, &ref, NULL, NULL);
	patch_owner(c, object, arena_str(c->snapshot->arena, buf_str(&b)));
}

static bool claim_owned(void *ctx, struct frozen *object)
{
	struct claim *c = ctx;
	bool matches = selector_matches(c->selector, &object->head->metadata.labels);

	if (matches || object->head->metadata.deletion_timestamp ||
	    c->owner->head->metadata.deletion_timestamp) {
		if (matches) {
			claim_add(c, object);
		}
		return true;
	}
	release(c, object);
	return true;
}

static bool claim_orphan(void *ctx, struct frozen *object)
{
	struct claim *c = ctx;

	if (object->head->metadata.deletion_timestamp ||
	    !selector_matches(c->selector, &object->head->metadata.labels) ||
	    (c->may_adopt && !c->may_adopt(object, c->owner))) {
		return true;
	}
	adopt(c, object);
	claim_add(c, object);
	return true;
}

void owned_claim(const struct snapshot *snapshot, struct actions *actions,
		 const struct frozen *owner, const struct selector *selector,
		 const struct resource_desc *resource,
		 bool (*may_adopt)(const struct frozen *object, const struct frozen *owner),
		 struct owned *ret)
{
	const struct meta_object_meta *meta = &owner->head->metadata;
	struct informer *inf = snapshot_informer(snapshot, resource);
	struct claim c = {snapshot, actions, owner, selector, resource, may_adopt};

	informer_each_indexed(inf, &index_by_controller, meta->uid, claim_owned, &c);
	if (!meta->deletion_timestamp && !selector->nothing) {
		struct str orphans =
			arena_printf(snapshot->arena, "orphan/%.*s", STR_ARG(meta->namespace));

		informer_each_indexed(inf, &index_by_controller, orphans, claim_orphan, &c);
	}
	if (c.patched) {
		actions_next_stage(actions);
	}
	*ret = c.list;
}

/* ---- keys ---- */

struct match {
	selector_of_fn selector_of;
	const struct frozen *object;
	enqueue_fn enqueue;
	void *ctx;
};

static bool enqueue_if_selected(void *ctx, struct frozen *owner)
{
	struct match *m = ctx;
	struct arena a CLEANUP_ARENA = {0};
	struct selector selector;

	if (m->selector_of(&a, owner, &selector) &&
	    selector_matches(&selector, &m->object->head->metadata.labels)) {
		controller_enqueue(owner->head->metadata.namespace, owner->head->metadata.name,
				   m->enqueue, m->ctx);
	}
	return true;
}

static bool enqueue_owner(const struct resource_desc *owner, const struct frozen *object,
			  enqueue_fn enqueue, void *ctx)
{
	const struct meta_owner_reference *ref = controller_of(&object->head->metadata);

	if (!ref) {
		return false;
	}
	if (owner_is_kind(ref, str_of(owner->group), str_of(owner->kind))) {
		controller_enqueue(object->head->metadata.namespace, ref->name, enqueue, ctx);
	}
	return true;
}

void owned_keys(struct informers *informers, const struct resource_desc *owner,
		selector_of_fn selector_of, const struct frozen *old, const struct frozen *new_,
		enqueue_fn enqueue, void *ctx)
{
	if (old) {
		enqueue_owner(owner, old, enqueue, ctx);
	}
	if (new_ && !enqueue_owner(owner, new_, enqueue, ctx)) {
		struct match m = {selector_of, new_, enqueue, ctx};

		informer_each(informers_find(informers, owner), new_->head->metadata.namespace,
			      enqueue_if_selected, &m);
	}
}
