/* SPDX-License-Identifier: Apache-2.0 */
/* Objects whose owners have gone: deleted with them (background), before them (foreground), or let loose (orphan).
 *
 * A key is an object: "apps/replicasets|default/web-6d4c". There is no graph: an index over all informers finds the dependents of a uid, and
 * an owner that the informers do not show is looked for in the API before anything is deleted for its absence. */
#include "base/buf.h"
#include "codec/json.h"
#include "controller/controller.h"
#include "object/object.h"
#include "rules/controller_ref.h"

#define ORPHAN "orphan"
#define FOREGROUND "foregroundDeletion"

static void owner_index_keys(const struct frozen *object, void (*add)(void *ctx, struct str key),
			     void *ctx)
{
	for (size_t i = 0; i < object->head->metadata.owner_references.n; i++) {
		add(ctx, object->head->metadata.owner_references.p[i].uid);
	}
}

static const struct informer_index_desc index_by_owner = {"owner", owner_index_keys};

static bool is_collected(const struct resource_desc *resource)
{
	/* Nothing owns an Event, and there are many. */
	return (resource->verbs & VERB_DELETE) && resource != &resource_core_events &&
	       resource != &resource_events_events;
}

/* ---- keys ---- */

static void enqueue_object(const struct frozen *object, enqueue_fn enqueue, void *ctx)
{
	const struct meta_object_meta *meta = &object->head->metadata;
	struct buf b CLEANUP_BUF = {0};

	buf_printf(&b, "%s/%s|", object->resource->group, object->resource->resource);
	if (meta->namespace.n) {
		buf_printf(&b, "%.*s/", STR_ARG(meta->namespace));
	}
	buf_add_str(&b, meta->name);
	enqueue(ctx, buf_str(&b));
}

static const struct resource_desc *find_resource(struct str group, struct str name)
{
	for (size_t i = 0; i < all_resources_n; i++) {
		if (str_eq(name, str_of(all_resources[i]->resource)) &&
		    str_eq(group, str_of(all_resources[i]->group))) {
			return all_resources[i];
		}
	}
	return NULL;
}

static struct frozen *object_of_key(const struct snapshot *snapshot, struct str key)
{
	struct str group;
	struct str resource;

	str_cut(&key, '/', &group);
	str_cut(&key, '|', &resource);
	return snapshot_get_key(snapshot, find_resource(group, resource), key);
}

/* ---- dependents ---- */

static void each_dependent(struct informers *informers, struct str uid, informer_each_fn each,
			   void *ctx)
{
	for (size_t i = 0; i < all_resources_n; i++) {
		struct informer *inf = is_collected(all_resources[i])
					       ? informers_find(informers, all_resources[i])
					       : NULL;

		if (inf && informer_count(inf)) {
			informer_each_indexed(inf, &index_by_owner, uid, each, ctx);
		}
	}
}

struct enqueue_each {
	enqueue_fn enqueue;
	void *ctx;
};

static bool enqueue_dependent(void *ctx, struct frozen *object)
{
	struct enqueue_each *e = ctx;

	enqueue_object(object, e->enqueue, e->ctx);
	return true;
}

static bool has_finalizer(const struct frozen *object, const char *name)
{
	const struct str_list *list = &object->head->metadata.finalizers;

	for (size_t i = 0; i < list->n; i++) {
		if (str_eq(list->p[i], str_of(name))) {
			return true;
		}
	}
	return false;
}

static bool is_deleting(const struct frozen *object)
{
	return object->head->metadata.deletion_timestamp != NULL;
}

static bool is_deleting_dependents(const struct frozen *object)
{
	return is_deleting(object) && has_finalizer(object, FOREGROUND);
}

/* The resource of an owner; NULL: a kind that is not known here. */
static const struct resource_desc *owner_resource(const struct meta_owner_reference *ref)
{
	for (size_t i = 0; i < all_resources_n; i++) {
		const struct resource_desc *r = all_resources[i];

		if (!r->storage && is_collected(r) &&
		    owner_is_kind(ref, str_of(r->group), str_of(r->kind))) {
			return r;
		}
	}
	return NULL;
}

static struct frozen *find_owner(struct informers *informers, const struct frozen *object,
				 const struct meta_owner_reference *ref)
{
	const struct resource_desc *r = owner_resource(ref);
	struct informer *inf = r ? informers_find(informers, r) : NULL;
	struct frozen *owner;

	if (!inf || (r->namespaced && !object->head->metadata.namespace.n)) {
		return NULL;
	}
	owner = informer_get(inf, r->namespaced ? object->head->metadata.namespace : STR_NULL,
			     ref->name);
	return owner && str_eq(owner->head->metadata.uid, ref->uid) ? owner : NULL;
}

static bool same_owners(const struct frozen *a, const struct frozen *b)
{
	const struct meta_object_meta *x = &a->head->metadata;
	const struct meta_object_meta *y = &b->head->metadata;
	bool same = x->owner_references.n == y->owner_references.n;

	for (size_t i = 0; same && i < x->owner_references.n; i++) {
		same = object_equal(&type_meta_owner_reference, &x->owner_references.p[i],
				    &y->owner_references.p[i]);
	}
	return same;
}

static void enqueue_owners(struct informers *informers, const struct frozen *object,
			   enqueue_fn enqueue, void *ctx)
{
	for (size_t i = 0; i < object->head->metadata.owner_references.n; i++) {
		struct frozen *owner = find_owner(informers, object,
						  &object->head->metadata.owner_references.p[i]);

		if (owner && is_deleting(owner)) {
			enqueue_object(owner, enqueue, ctx);
		}
	}
}

static void object_keys(struct informers *informers, const struct frozen *old,
			const struct frozen *new_, enqueue_fn enqueue, void *ctx)
{
	struct enqueue_each each = {enqueue, ctx};
	bool owners_changed = old && new_ && !same_owners(old, new_);

	if (!new_ || (is_deleting_dependents(new_) && !(old && is_deleting_dependents(old)))) {
		each_dependent(informers, (new_ ? new_ : old)->head->metadata.uid,
			       enqueue_dependent, &each);
	}
	if (old && (!new_ || owners_changed)) {
		enqueue_owners(informers, old, enqueue, ctx); /* may have waited for this one */
	}
	if (new_ && (is_deleting(new_) ? new_->head->metadata.finalizers.n > 0
				       : new_->head->metadata.owner_references.n &&
						 (!old || owners_changed))) {
		enqueue_object(new_, enqueue, ctx);
	}
}

/* ---- patches ---- */

static void remove_finalizer(const struct snapshot *snapshot, struct actions *actions,
			     const struct frozen *object, const char *name)
{
	const struct meta_object_meta *meta = &object->head->metadata;
	struct buf b CLEANUP_BUF = {0};
	bool first = true;

	/* The resourceVersion stands for the finalizers that are kept. */
	buf_printf(&b,
		   "{\"metadata\":{\"uid\":\"%.*s\",\"resourceVersion\":\"%.*s\",\"finalizers\":[",
		   STR_ARG(meta->uid), STR_ARG(meta->resource_version));
	for (size_t i = 0; i < meta->finalizers.n; i++) {
		if (!str_eq(meta->finalizers.p[i], str_of(name))) {
			if (!first) {
				buf_add_char(&b, ',');
			}
			json_write_string(&b, meta->finalizers.p[i]);
			first = false;
		}
	}
	buf_puts(&b, "]}}");
	actions_patch(actions, object->resource, NULL, meta->namespace, meta->name, PATCH_MERGE,
		      arena_str(snapshot->arena, buf_str(&b)));
}

static void patch_references(const struct snapshot *snapshot, struct actions *actions,
			     const struct frozen *object, struct str references)
{
	const struct meta_object_meta *meta = &object->head->metadata;

	actions_patch(actions, object->resource, NULL, meta->namespace, meta->name, PATCH_STRATEGIC,
		      arena_printf(snapshot->arena,
				   "{\"metadata\":{\"uid\":\"%.*s\",\"ownerReferences\":[%.*s]}}",
				   STR_ARG(meta->uid), STR_ARG(references)));
}

static void remove_reference(struct buf *b, struct str uid)
{
	buf_printf(b, "%s{\"$patch\":\"delete\",\"uid\":\"%.*s\"}", b->n ? "," : "", STR_ARG(uid));
}

/* ---- objects that are being deleted ---- */

struct walk {
	const struct snapshot *snapshot;
	struct actions *actions;
	const struct frozen *owner;
	size_t dependents, blocking, deleting_dependents;
};

static bool blocks(const struct frozen *dependent, struct str uid)
{
	for (size_t i = 0; i < dependent->head->metadata.owner_references.n; i++) {
		const struct meta_owner_reference *ref =
			&dependent->head->metadata.owner_references.p[i];

		if (str_eq(ref->uid, uid) && ref->block_owner_deletion &&
		    *ref->block_owner_deletion) {
			return true;
		}
	}
	return false;
}

static bool count_dependent(void *ctx, struct frozen *object)
{
	struct walk *w = ctx;

	w->dependents++;
	w->blocking += blocks(object, w->owner->head->metadata.uid);
	w->deleting_dependents += is_deleting_dependents(object);
	return true;
}

static bool let_loose(void *ctx, struct frozen *object)
{
	struct walk *w = ctx;
	struct buf b CLEANUP_BUF = {0};

	remove_reference(&b, w->owner->head->metadata.uid);
	patch_references(w->snapshot, w->actions, object, buf_str(&b));
	return true;
}

static void reconcile_deleting(struct walk *w)
{
	struct informers *informers = w->snapshot->informers;

	if (has_finalizer(w->owner, ORPHAN)) {
		each_dependent(informers, w->owner->head->metadata.uid, let_loose, w);
		actions_next_stage(w->actions);
		remove_finalizer(w->snapshot, w->actions, w->owner, ORPHAN);
		return;
	}
	if (has_finalizer(w->owner, FOREGROUND)) {
		each_dependent(informers, w->owner->head->metadata.uid, count_dependent, w);
		if (!w->blocking) {
			remove_finalizer(w->snapshot, w->actions, w->owner, FOREGROUND);
		}
	}
}

/* ---- objects that live ---- */

struct owners {
	size_t solid;
	size_t waiting; /* the owner deletes its dependents first */
	size_t gone;
};

/* An absence is looked into past the informers: adds the check. */
static void note_gone(struct actions *actions, const struct frozen *object,
		      const struct meta_owner_reference *ref)
{
	const struct resource_desc *r = owner_resource(ref);

	actions_check_absent(actions, r,
			     r->namespaced ? object->head->metadata.namespace : STR_NULL, ref->name,
			     ref->uid);
}

static void sort_owners(const struct snapshot *snapshot, struct actions *actions,
			const struct frozen *object, struct owners *o, struct buf *removal)
{
	const struct meta_object_meta *meta = &object->head->metadata;

	for (size_t i = 0; i < meta->owner_references.n; i++) {
		const struct meta_owner_reference *ref = &meta->owner_references.p[i];
		const struct resource_desc *r = owner_resource(ref);
		struct frozen *owner = find_owner(snapshot->informers, object, ref);

		if (!r) {
			o->solid++; /* of a kind that is not known here: not ours to judge */
		} else if (r->namespaced && !meta->namespace.n) {
			actions_event(actions, object, "Warning", "OwnerRefInvalidNamespace",
				      "ownerRef [%.*s/%.*s, name: %.*s, uid: %.*s] does not exist: "
				      "a cluster-scoped object cannot have an "
				      "owner in a namespace",
				      STR_ARG(ref->api_version), STR_ARG(ref->kind),
				      STR_ARG(ref->name), STR_ARG(ref->uid));
			o->solid++;
		} else if (!owner) {
			o->gone++;
			note_gone(actions, object, ref);
			remove_reference(removal, ref->uid);
		} else if (is_deleting_dependents(owner)) {
			o->waiting++;
			remove_reference(removal, ref->uid);
		} else {
			o->solid++;
		}
	}
	actions_next_stage(actions);
}

/* A circle of owners that all wait for each other is broken by not blocking any more. */
static void unblock(struct walk *w)
{
	const struct meta_object_meta *meta = &w->owner->head->metadata;
	struct buf b CLEANUP_BUF = {0};

	for (size_t i = 0; i < meta->owner_references.n; i++) {
		buf_printf(&b, "%s{\"uid\":\"%.*s\",\"blockOwnerDeletion\":false}", i ? "," : "",
			   STR_ARG(meta->owner_references.p[i].uid));
	}
	patch_references(w->snapshot, w->actions, w->owner, buf_str(&b));
	actions_next_stage(w->actions);
}

static void delete_object(struct walk *w, enum propagation how)
{
	const struct meta_object_meta *meta = &w->owner->head->metadata;
	/* Not fenced by resourceVersion: a status that changes meanwhile changes nothing. But owners may be added: those come with
	 * their own event, and what is deleted stays deleted, as upstream. */
	struct delete_opts opts = {.uid = meta->uid, .propagation = how};

	actions_delete(w->actions, w->owner->resource, meta->namespace, meta->name, &opts);
}

static void reconcile_living(struct walk *w)
{
	struct buf removal CLEANUP_BUF = {0};
	struct owners o = {0};

	if (!w->owner->head->metadata.owner_references.n) {
		return;
	}
	sort_owners(w->snapshot, w->actions, w->owner, &o, &removal);
	if (!o.gone && !o.waiting) {
		return;
	}
	if (o.solid) {
		patch_references(w->snapshot, w->actions, w->owner, buf_str(&removal));
		return;
	}
	each_dependent(w->snapshot->informers, w->owner->head->metadata.uid, count_dependent, w);
	if (o.waiting && w->dependents) {
		if (w->deleting_dependents) {
			unblock(w);
		}
		delete_object(w, PROPAGATION_FOREGROUND);
	} else if (has_finalizer(w->owner, ORPHAN)) {
		delete_object(w, PROPAGATION_ORPHAN);
	} else if (has_finalizer(w->owner, FOREGROUND)) {
		delete_object(w, PROPAGATION_FOREGROUND);
	} else {
		delete_object(w, PROPAGATION_BACKGROUND);
	}
}

static void reconcile(const struct snapshot *snapshot, struct str key, struct actions *actions)
{
	struct walk w = {
		.snapshot = snapshot, .actions = actions, .owner = object_of_key(snapshot, key)};

	if (!w.owner) {
		return;
	}
	if (is_deleting(w.owner)) {
		reconcile_deleting(&w);
	} else {
		reconcile_living(&w);
	}
}

static const struct informer_index_desc *const indexes[] = {&index_by_owner, NULL};

static const struct controller_watch watches[] = {
	{.wants = is_collected, .keys = object_keys, .indexes = indexes},
};

const struct controller_desc garbage_collector_controller = {
	.name = "garbage-collector-controller",
	.service_account = "generic-garbage-collector",
	.workers = 20,
	.watches = watches,
	.nwatches = ARRAY_LEN(watches),
	.reconcile = reconcile,
};
