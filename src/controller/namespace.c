/* SPDX-License-Identifier: Apache-2.0 */
/* Namespaces that are being deleted: their content goes first, then the finalizer "kubernetes". */
#include "base/buf.h"
#include "controller/controller.h"
#include "object/object.h"
#include "rules/condition.h"

#define SECOND 1000000000LL
#define FINALIZER "kubernetes"

static bool is_content(const struct resource_desc *resource)
{
	return resource->namespaced && (resource->verbs & VERB_DELETE);
}

static bool is_terminating(const struct frozen *ns)
{
	return ns && ns->head->metadata.deletion_timestamp;
}

/* Something in a namespace has gone or is about to. */
static void content_keys(struct informers *informers, const struct frozen *old,
			 const struct frozen *new_, enqueue_fn enqueue, void *ctx)
{
	struct str ns = (new_ ? new_ : old)->head->metadata.namespace;

	if (is_terminating(informer_get(informers_find(informers, &resource_core_namespaces),
					STR_NULL, ns))) {
		enqueue(ctx, ns);
	}
}

/* ---- what is left ---- */

struct rest {
	const struct resource_desc *resource;
	size_t n, not_deleted;
};

struct finalizer_count {
	struct str name;
	size_t n;
};

struct content {
	struct arena *arena;
	struct rest *rests;
	size_t n;
	struct finalizer_count *finalizers;
	size_t nfinalizers;
};

enum { FINALIZERS_TOLD = 32 };

static void count_finalizer(struct content *c, struct str name)
{
	for (size_t i = 0; i < c->nfinalizers; i++) {
		if (str_eq(c->finalizers[i].name, name)) {
			c->finalizers[i].n++;
			return;
		}
	}
	if (c->nfinalizers < FINALIZERS_TOLD) {
		c->finalizers[c->nfinalizers++] = (struct finalizer_count){name, 1};
	}
}

static bool count_object(void *ctx, struct frozen *object)
{
	struct content *c = ctx;
	struct rest *rest = &c->rests[c->n];

	rest->n++;
	rest->not_deleted += !object->head->metadata.deletion_timestamp;
	for (size_t i = 0; i < object->head->metadata.finalizers.n; i++) {
		count_finalizer(c, object->head->metadata.finalizers.p[i]);
	}
	return true;
}

static void find_content(const struct snapshot *snapshot, struct str ns, struct content *c)
{
	c->arena = snapshot->arena;
	c->rests = ARENA_ARRAY(c->arena, all_resources_n, struct rest);
	c->finalizers = ARENA_ARRAY(c->arena, FINALIZERS_TOLD, struct finalizer_count);
	for (size_t i = 0; i < all_resources_n; i++) {
		struct informer *inf =
			is_content(all_resources[i])
				? informers_find(snapshot->informers, all_resources[i])
				: NULL;

		if (!inf) {
			continue;
		}
		c->rests[c->n] = (struct rest){.resource = all_resources[i]};
		informer_each(inf, ns, count_object, c);
		c->n += c->rests[c->n].n > 0;
	}
}

/* ---- conditions ---- */

static void set_condition(const struct snapshot *snapshot, struct core_namespace *ns,
			  const char *type, const char *status, const char *reason,
			  struct str message)
{
	struct core_namespace_condition c = {
		.type = str_of(type),
		.status = str_of(status),
		.reason = str_of(reason),
		.message = message,
		.last_transition_time = {.sec = snapshot->now_ns / SECOND, .set = true},
	};

	condition_set(snapshot->arena, &ns->status.conditions, &c);
}

static struct str remaining_text(const struct content *c)
{
	struct buf b CLEANUP_BUF = {0};

	buf_puts(&b, "Some resources are remaining: ");
	for (size_t i = 0; i < c->n; i++) {
		const struct resource_desc *r = c->rests[i].resource;

		buf_printf(&b, "%s%s.%s has %zu resource instances", i ? ", " : "", r->resource,
			   r->group, c->rests[i].n);
	}
	return arena_str(c->arena, buf_str(&b));
}

static struct str finalizers_text(const struct content *c)
{
	struct buf b CLEANUP_BUF = {0};

	buf_puts(&b, "Some content in the namespace has finalizers remaining: ");
	for (size_t i = 0; i < c->nfinalizers; i++) {
		buf_printf(&b, "%s%.*s in %zu resource instances", i ? ", " : "",
			   STR_ARG(c->finalizers[i].name), c->finalizers[i].n);
	}
	return arena_str(c->arena, buf_str(&b));
}

static void set_conditions(const struct snapshot *snapshot, struct core_namespace *ns,
			   const struct content *c)
{
	const struct pass_failure *failed = snapshot->failed;

	set_condition(snapshot, ns, "NamespaceDeletionDiscoveryFailure", "False",
		      "ResourcesDiscovered", STR("All resources successfully discovered"));
	set_condition(snapshot, ns, "NamespaceDeletionGroupVersionParsingFailure", "False",
		      "ParsedGroupVersions", STR("All legacy kube types successfully parsed"));
	if (failed && failed->verb == VERB_DELETECOLLECTION) {
		set_condition(
			snapshot, ns, "NamespaceDeletionContentFailure", "True",
			"ContentDeletionFailed",
			arena_printf(snapshot->arena,
				     "Failed to delete all resource types, %zu remaining: %.*s",
				     c->n, STR_ARG(failed->message)));
	} else {
		set_condition(
			snapshot, ns, "NamespaceDeletionContentFailure", "False", "ContentDeleted",
			STR("All content successfully deleted, may be waiting on finalization"));
	}
	if (c->n) {
		set_condition(snapshot, ns, "NamespaceContentRemaining", "True",
			      "SomeResourcesRemain", remaining_text(c));
	} else {
		set_condition(snapshot, ns, "NamespaceContentRemaining", "False", "ContentRemoved",
			      STR("All content successfully removed"));
	}
	if (c->nfinalizers) {
		set_condition(snapshot, ns, "NamespaceFinalizersRemaining", "True",
			      "SomeFinalizersRemain", finalizers_text(c));
	} else {
		set_condition(snapshot, ns, "NamespaceFinalizersRemaining", "False",
			      "ContentHasNoFinalizers",
			      STR("All content-preserving finalizers finished"));
	}
}

/* ---- reconcile ---- */

static bool has_finalizer(const struct core_namespace *ns)
{
	for (size_t i = 0; i < ns->spec.finalizers.n; i++) {
		if (str_is(ns->spec.finalizers.p[i], FINALIZER)) {
			return true;
		}
	}
	return false;
}

/* The informers show nothing: look once more past them, for what was created last, then let go. */
static void finish(const struct snapshot *snapshot, struct actions *actions,
		   const struct core_namespace *ns)
{
	struct core_namespace copy = *ns;

	for (size_t i = 0; i < all_resources_n; i++) {
		if (is_content(all_resources[i]) &&
		    informers_find(snapshot->informers, all_resources[i])) {
			actions_check_none(actions, all_resources[i], ns->metadata.name, NULL,
					   STR_NULL);
		}
	}
	actions_next_stage(actions);
	copy.spec.finalizers.p = ARENA_ARRAY(snapshot->arena, ns->spec.finalizers.n, struct str);
	copy.spec.finalizers.n = 0;
	for (size_t i = 0; i < ns->spec.finalizers.n; i++) {
		if (!str_is(ns->spec.finalizers.p[i], FINALIZER)) {
			copy.spec.finalizers.p[copy.spec.finalizers.n++] = ns->spec.finalizers.p[i];
		}
	}
	actions_update_subresource(actions, &resource_core_namespaces, "finalize", &copy);
}

static void reconcile(const struct snapshot *snapshot, struct str key, struct actions *actions)
{
	struct frozen *f = snapshot_get_key(snapshot, &resource_core_namespaces, key);
	struct content content = {0};
	const struct core_namespace *ns;
	struct core_namespace copy;

	if (!is_terminating(f)) {
		return;
	}
	ns = FROZEN_AS(f, core_namespaces, struct core_namespace);
	if (!has_finalizer(ns)) {
		return;
	}
	find_content(snapshot, key, &content);
	copy = *ns;
	copy.status.phase = STR("Terminating");
	set_conditions(snapshot, &copy, &content);
	if (!content.n) {
		finish(snapshot, actions, ns);
		return;
	}
	for (size_t i = 0; i < content.n; i++) {
		if (content.rests[i].not_deleted) {
			actions_delete_collection(actions, content.rests[i].resource, key);
		}
	}
	if (!object_equal(&type_core_namespace, &copy, ns)) {
		actions_update_status(actions, &resource_core_namespaces, &copy);
	}
	/* Deletions tell; this is for finalizers that hang, so that the conditions stay true. */
	actions_requeue_after(actions, 15 * SECOND);
}

static const struct controller_watch watches[] = {
	{.resource = &resource_core_namespaces, .keys = controller_keys_self},
	{.wants = is_content, .keys = content_keys},
};

const struct controller_desc namespace_controller = {
	.name = "namespace-controller",
	.service_account = "namespace-controller",
	.workers = 10,
	.watches = watches,
	.nwatches = ARRAY_LEN(watches),
	.reconcile = reconcile,
};
