/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/actions.h"

#include "object/object.h"

void actions_init(struct actions *a)
{
	*a = (struct actions){.requeue_after_ns = -1};
}

void actions_fini(struct actions *a)
{
	vec_fini(&a->list);
	vec_fini(&a->events);
	arena_fini(&a->arena);
}

struct core_object_reference reference_of(struct arena *arena, const struct frozen *f)
{
	const struct resource_desc *r = f->resource;
	const struct meta_object_meta *meta = &f->head->metadata;

	return (struct core_object_reference){
		.kind = str_of(r->kind),
		.api_version = r->group[0] ? arena_printf(arena, "%s/%s", r->group, r->version)
					   : str_of(r->version),
		.namespace = arena_str(arena, meta->namespace),
		.name = arena_str(arena, meta->name),
		.uid = arena_str(arena, meta->uid),
		.resource_version = arena_str(arena, meta->resource_version),
	};
}

static struct action *add(struct actions *a, enum action_kind kind,
			  const struct resource_desc *resource, struct str ns, struct str name)
{
	struct action *action = vec_push(&a->list);

	action->kind = kind;
	action->stage = a->stage;
	action->resource = resource;
	action->ns = arena_str(&a->arena, ns);
	action->name = arena_str(&a->arena, name);
	return action;
}

static struct action *add_object(struct actions *a, enum action_kind kind,
				 const struct resource_desc *resource, const void *obj)
{
	const struct object_head *head = obj;
	struct action *action =
		add(a, kind, resource, head->metadata.namespace, head->metadata.name);
	void *copy = arena_alloc(&a->arena, resource->type->size);

	ASSERT(action->name.n);
	object_dup(&a->arena, resource->type, obj, copy);
	action->obj = copy;
	action->uid = ((const struct object_head *)copy)->metadata.uid;
	return action;
}

void actions_create(struct actions *a, const struct resource_desc *resource, const void *obj)
{
	add_object(a, ACTION_CREATE, resource, obj);
}

void actions_update(struct actions *a, const struct resource_desc *resource, const void *obj)
{
	add_object(a, ACTION_UPDATE, resource, obj);
}

void actions_update_subresource(struct actions *a, const struct resource_desc *resource,
				const char *subresource, const void *obj)
{
	add_object(a, ACTION_UPDATE, resource, obj)->subresource = subresource;
}

void actions_update_status(struct actions *a, const struct resource_desc *resource, const void *obj)
{
	actions_update_subresource(a, resource, "status", obj);
}

void actions_patch(struct actions *a, const struct resource_desc *resource, const char *subresource,
		   struct str ns, struct str name, enum patch_type type, struct str patch)
{
	struct action *action = add(a, ACTION_PATCH, resource, ns, name);

	action->subresource = subresource;
	action->patch_type = type;
	action->patch = arena_str(&a->arena, patch);
}

void actions_delete(struct actions *a, const struct resource_desc *resource, struct str ns,
		    struct str name, const struct delete_opts *opts)
{
	struct action *action = add(a, ACTION_DELETE, resource, ns, name);

	ASSERT(opts->uid.n);
	action->opts = *opts;
	action->uid = action->opts.uid = arena_str(&a->arena, opts->uid);
	action->opts.resource_version = arena_str(&a->arena, opts->resource_version);
	if (opts->grace_period_seconds) {
		int64_t *grace = ARENA_NEW(&a->arena, int64_t);

		*grace = *opts->grace_period_seconds;
		action->opts.grace_period_seconds = grace;
	}
}

void actions_delete_collection(struct actions *a, const struct resource_desc *resource,
			       struct str ns)
{
	add(a, ACTION_DELETE_COLLECTION, resource, ns, STR_NULL);
}

void actions_check_absent(struct actions *a, const struct resource_desc *resource, struct str ns,
			  struct str name, struct str uid)
{
	add(a, ACTION_CHECK_ABSENT, resource, ns, name)->uid = arena_str(&a->arena, uid);
}

void actions_check_present(struct actions *a, const struct resource_desc *resource, struct str ns,
			   struct str name, struct str uid)
{
	add(a, ACTION_CHECK_PRESENT, resource, ns, name)->uid = arena_str(&a->arena, uid);
}

void actions_check_none(struct actions *a, const struct resource_desc *resource, struct str ns,
			refuses_fn refuses, struct str arg)
{
	struct action *action = add(a, ACTION_CHECK_NONE, resource, ns, STR_NULL);

	action->refuses = refuses;
	action->uid = arena_str(&a->arena, arg);
}

static struct core_object_reference dup_reference(struct arena *arena,
						  const struct core_object_reference *ref)
{
	struct core_object_reference copy;

	object_dup(arena, &type_core_object_reference, ref, &copy);
	return copy;
}

static void add_event(struct actions *a, const struct core_object_reference *about,
		      const char *type, const char *reason, struct str message)
{
	*vec_push(&a->events) = (struct plain_event){*about, type, reason, message};
}

void actions_event(struct actions *a, const struct frozen *about, const char *type,
		   const char *reason, const char *fmt, ...)
{
	struct core_object_reference ref = reference_of(&a->arena, about);
	va_list ap;

	va_start(ap, fmt);
	add_event(a, &ref, type, reason, arena_vprintf(&a->arena, fmt, ap));
	va_end(ap);
}

void actions_event_ref(struct actions *a, const struct core_object_reference *about,
		       const char *type, const char *reason, const char *fmt, ...)
{
	struct core_object_reference ref = dup_reference(&a->arena, about);
	va_list ap;

	va_start(ap, fmt);
	add_event(a, &ref, type, reason, arena_vprintf(&a->arena, fmt, ap));
	va_end(ap);
}

static struct action *newest(struct actions *a)
{
	ASSERT(a->list.n);
	return &a->list.p[a->list.n - 1];
}

void actions_on_success(struct actions *a, const struct frozen *about, const char *reason,
			struct str message)
{
	newest(a)->on_success = (struct action_event){reason, reference_of(&a->arena, about),
						      arena_str(&a->arena, message)};
}

void actions_on_failure(struct actions *a, const struct frozen *about, const char *reason,
			struct str message_prefix)
{
	newest(a)->on_failure = (struct action_event){reason, reference_of(&a->arena, about),
						      arena_str(&a->arena, message_prefix)};
}

void actions_next_stage(struct actions *a)
{
	if (a->list.n && newest(a)->stage == a->stage) {
		a->stage++;
	}
}

void actions_requeue_after(struct actions *a, int64_t delay_ns)
{
	delay_ns = MAX(delay_ns, (int64_t)0);
	if (a->requeue_after_ns < 0 || delay_ns < a->requeue_after_ns) {
		a->requeue_after_ns = delay_ns;
	}
}

void actions_fail(struct actions *a, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	a->failure = arena_vprintf(&a->arena, fmt, ap);
	va_end(ap);
}
