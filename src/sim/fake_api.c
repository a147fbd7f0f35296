/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/fake_api.h"

#include "base/vec.h"
#include "object/decode.h"
#include "object/encode.h"
#include "object/object.h"
#include "rules/selector.h"
#include "sim/fake_api_internal.h"

struct fake_api *fake_api_new(struct env *env, struct store *store)
{
	struct fake_api *api = NEW(struct fake_api);

	api->env = env;
	api->store = store;
	return api;
}

void fake_api_free(struct fake_api *api)
{
	mem_free(api);
}

/* ---- keys and values ---- */

/* name unset: the prefix of the namespace's objects, or of all. */
struct str fake_key(struct arena *a, const struct resource_desc *resource, struct str ns,
		    struct str name)
{
	struct str prefix =
		arena_printf(a, "/registry/%s/%s/", resource->group, resource->resource);

	if (!resource->namespaced) {
		return arena_printf(a, "%.*s%.*s", STR_ARG(prefix), STR_ARG(name));
	}
	if (!ns.n) {
		return prefix;
	}
	return arena_printf(a, "%.*s%.*s/%.*s", STR_ARG(prefix), STR_ARG(ns), STR_ARG(name));
}

/* The first key behind those that begin with the prefix, which ends in '/'. */
static struct str prefix_end(struct arena *a, struct str prefix)
{
	return arena_printf(a, "%.*s0", (int)prefix.n - 1, prefix.p);
}

static void release_value(void *owner)
{
	store_value_unref(owner);
}

struct frozen *fake_freeze(const struct resource_desc *resource, const struct store_value *value)
{
	struct err err CLEANUP_ERR = {0};
	struct frozen *f = NULL;
	int r = frozen_borrow(resource, store_value_text(value), release_value,
			      store_value_ref(value), &f, &err);

	ASSERT(r == 0); /* we have encoded it ourselves */
	frozen_set_revision(f, value->mod_revision.n);
	return f;
}

struct frozen *fake_api_get(struct fake_api *api, const struct resource_desc *resource,
			    struct str ns, struct str name)
{
	struct arena a CLEANUP_ARENA = {0};
	const struct store_value *value = store_get(api->store, fake_key(&a, resource, ns, name));

	return value ? fake_freeze(resource, value) : NULL;
}

struct each_ctx {
	const struct resource_desc *resource;
	void (*each)(void *ctx, struct frozen *object);
	void *ctx;
};

static bool each_item(void *ctx, const struct store_item *item)
{
	struct each_ctx *e = ctx;
	struct frozen *f = fake_freeze(e->resource, item->value);

	e->each(e->ctx, f);
	frozen_unref(f);
	return true;
}

void fake_api_each(struct fake_api *api, const struct resource_desc *resource, struct str ns,
		   void (*each)(void *ctx, struct frozen *object), void *ctx)
{
	struct arena a CLEANUP_ARENA = {0};
	struct str prefix = fake_key(&a, resource, ns, STR_NULL);
	struct each_ctx e = {resource, each, ctx};
	int r = store_range(api->store, prefix, prefix_end(&a, prefix), (struct revision){0},
			    each_item, &e);

	ASSERT(r == 0);
}

/* ---- selectors ---- */

struct filter {
	bool has_labels;
	struct selector labels, fields;
};

static void filter_init(struct arena *a, struct filter *f, struct str labels, struct str fields)
{
	struct err err CLEANUP_ERR = {0};

	f->has_labels = labels.n > 0;
	if (f->has_labels) {
		ASSERT(label_selector_parse(a, arena_str(a, labels), &f->labels, &err) == 0);
	}
	if (fields.n) {
		ASSERT(field_selector_parse(a, arena_str(a, fields), &f->fields, &err) == 0);
	}
}

static bool filter_passes(const struct filter *f, const struct frozen *object)
{
	struct arena a CLEANUP_ARENA = {0};

	if (f->has_labels && !selector_matches(&f->labels, &object->head->metadata.labels)) {
		return false;
	}
	for (size_t i = 0; i < f->fields.n; i++) {
		const struct selector_term *t = &f->fields.terms[i];
		struct field_path path;
		bool same;

		ASSERT(field_path_compile(object->resource->type, t->key, &path) == 0);
		same = str_eq(field_path_text(&a, &path, object->head), t->values.p[0]);
		if (same != (t->op == SELECTOR_IN)) {
			return false;
		}
	}
	return true;
}

/* ---- answers ---- */

static void call_free(struct fake_call *c)
{
	store_value_unref(c->written);
	arena_fini(&c->arena);
	mem_free(c);
}

void fake_answer_error(struct fake_call *c, int code, int http_status, const char *reason,
		       const char *fmt, ...)
{
	struct client_result result = {
		.code = code, .http_status = http_status, .reason = str_of(reason)};
	va_list ap;

	va_start(ap, fmt);
	result.message = arena_vprintf(&c->arena, fmt, ap);
	va_end(ap);
	c->done(c->ctx, &result);
	call_free(c);
}

void fake_answer_value(struct fake_call *c, const struct store_value *value)
{
	struct client_result result = {.http_status = 200};
	struct frozen *f = value ? fake_freeze(c->req.resource, value) : NULL;

	result.object = f;
	c->done(c->ctx, &result);
	frozen_unref(f);
	call_free(c);
}

static void answer_get(struct fake_call *c)
{
	const struct store_value *value = store_get(c->api->store, c->key);

	if (value) {
		fake_answer_value(c, value);
	} else {
		fake_answer_error(c, ERR_NOT_FOUND, 404, "NotFound", "%s \"%.*s\" not found",
				  c->req.resource->resource, STR_ARG(c->req.name));
	}
}

struct list_ctx {
	struct filter filter;
	VEC(struct frozen *) items;
};

static void list_item_add(void *ctx, struct frozen *object)
{
	struct list_ctx *l = ctx;

	if (filter_passes(&l->filter, object)) {
		*vec_push(&l->items) = frozen_ref(object);
	}
}

static void answer_list(struct fake_call *c)
{
	struct client_result result = {.http_status = 200};
	struct list_ctx l = {0};

	filter_init(&c->arena, &l.filter, c->req.label_selector, c->req.field_selector);
	fake_api_each(c->api, c->req.resource, c->req.ns, list_item_add, &l);
	result.items = l.items.p;
	result.nitems = l.items.n;
	result.resource_version =
		arena_printf(&c->arena, "%lld", (long long)store_revision(c->api->store).n);
	c->done(c->ctx, &result);
	for (size_t i = 0; i < l.items.n; i++) {
		frozen_unref(l.items.p[i]);
	}
	vec_fini(&l.items);
	call_free(c);
}

static void on_start(struct env_task *task)
{
	struct fake_call *c = CONTAINER_OF(task, struct fake_call, start);

	switch (c->req.verb) {
	case VERB_GET:
		answer_get(c);
		break;
	case VERB_LIST:
		answer_list(c);
		break;
	case VERB_DELETECOLLECTION:
		fake_delete_collection(c);
		break;
	default:
		fake_write(c);
	}
}

static void copy_body(struct fake_call *c, const struct type_desc *type, const void *body)
{
	void *copy = arena_alloc(&c->arena, type->size);

	object_dup(&c->arena, type, body, copy);
	c->req.body = copy;
}

static void fake_call(struct client *client, const struct client_request *req, client_done_fn done,
		      void *ctx);

/* ---- watches ---- */

struct fake_watch {
	struct client_watch base;
	struct fake_api *api;
	struct client_watch_opts opts;
	struct arena arena;
	struct filter filter;
	struct store_watch *watch;
	struct env_task start;
	bool posted, stopped;
	int depth; /* of callbacks */
	int64_t after;
};

static void watch_drop(struct fake_watch *w)
{
	if (w->stopped && !w->depth && !w->posted) {
		store_watch_stop(w->watch);
		arena_fini(&w->arena);
		mem_free(w);
	}
}

static void watch_tell(struct fake_watch *w, enum watch_event event, struct frozen *object)
{
	if (!w->stopped) {
		w->opts.event(w->opts.ctx, event, object);
	}
}

static void watch_event(struct fake_watch *w, const struct store_event *e)
{
	struct frozen *new_ = e->value ? fake_freeze(w->opts.resource, e->value) : NULL;
	struct frozen *old = e->prev ? fake_freeze(w->opts.resource, e->prev) : NULL;
	bool was = old && filter_passes(&w->filter, old);
	bool is = new_ && filter_passes(&w->filter, new_);

	if (is) {
		watch_tell(w, was ? WATCH_MODIFIED : WATCH_ADDED, new_);
	} else if (was) {
		frozen_set_revision(old, e->revision.n);
		watch_tell(w, WATCH_DELETED, old);
	}
	frozen_unref(new_);
	frozen_unref(old);
}

static void on_events(void *ctx, const struct store_event *events, size_t n)
{
	struct fake_watch *w = ctx;

	w->depth++;
	for (size_t i = 0; i < n && !w->stopped; i++) {
		watch_event(w, &events[i]);
	}
	w->depth--;
	watch_drop(w);
}

static void watch_end(struct fake_watch *w, int code)
{
	w->stopped = true;
	w->depth++;
	w->opts.ended(w->opts.ctx, code, STR("the watch has ended"));
	w->depth--;
	watch_drop(w);
}

static void on_ended(void *ctx, int code)
{
	struct fake_watch *w = ctx;

	w->watch = NULL;
	if (!w->stopped) {
		watch_end(w, code);
	}
}

static void initial_event(void *ctx, struct frozen *object)
{
	struct fake_watch *w = ctx;

	if (filter_passes(&w->filter, object)) {
		watch_tell(w, WATCH_ADDED, object);
	}
}

static void initial_events(struct fake_watch *w)
{
	struct frozen *bookmark = NULL;
	struct buf b CLEANUP_BUF = {0};

	w->after = store_revision(w->api->store).n;
	w->depth++;
	fake_api_each(w->api, w->opts.resource, w->opts.ns, initial_event, w);
	buf_printf(&b, "{\"metadata\":{\"resourceVersion\":\"%lld\"}}", (long long)w->after);
	ASSERT(frozen_decode(w->opts.resource, buf_str(&b), &bookmark, NULL) == 0);
	watch_tell(w, WATCH_BOOKMARK, bookmark);
	frozen_unref(bookmark);
	w->depth--;
}

static void on_watch_start(struct env_task *task)
{
	struct fake_watch *w = CONTAINER_OF(task, struct fake_watch, start);
	struct store_watch_opts opts = {.events = on_events, .ended = on_ended, .ctx = w};
	struct str prefix = fake_key(&w->arena, w->opts.resource, w->opts.ns, STR_NULL);
	int r;

	w->posted = false;
	if (!w->stopped && w->opts.send_initial_events) {
		initial_events(w);
	}
	if (w->stopped) {
		watch_drop(w);
		return;
	}
	opts.start = prefix;
	opts.end = prefix_end(&w->arena, prefix);
	opts.after.n = w->after;
	r = store_watch(w->api->store, &opts, &w->watch);
	if (r < 0) {
		watch_end(w, r);
	}
}

struct fake_client {
	struct client base;
	struct fake_api *api;
};

static struct client_watch *fake_watch_start(struct client *client,
					     const struct client_watch_opts *opts)
{
	struct fake_watch *w = NEW(struct fake_watch);

	w->base.client = client;
	w->api = CONTAINER_OF(client, struct fake_client, base)->api;
	w->opts = *opts;
	w->opts.ns = arena_str(&w->arena, opts->ns);
	filter_init(&w->arena, &w->filter, opts->label_selector, opts->field_selector);
	if (opts->resource_version.n) {
		ASSERT(str_to_int64(opts->resource_version, &w->after) == 0);
	}
	w->start.fn = on_watch_start;
	w->posted = true;
	env_post(client->env, &w->start);
	return &w->base;
}

static void fake_watch_stop(struct client_watch *base)
{
	struct fake_watch *w = CONTAINER_OF(base, struct fake_watch, base);

	w->stopped = true;
	watch_drop(w);
}

static void fake_free(struct client *client)
{
	mem_free(CONTAINER_OF(client, struct fake_client, base));
}

static const struct client_ops fake_ops = {.call = fake_call,
					   .watch_start = fake_watch_start,
					   .watch_stop = fake_watch_stop,
					   .free = fake_free};

struct client *fake_api_client(struct fake_api *api, const char *user_agent)
{
	struct fake_client *c = NEW(struct fake_client);

	c->base = (struct client){&fake_ops, api->env, user_agent};
	c->api = api;
	return &c->base;
}

static void fake_call(struct client *client, const struct client_request *req, client_done_fn done,
		      void *ctx)
{
	struct fake_call *c = NEW(struct fake_call);
	struct arena *a = &c->arena;

	c->client = client;
	c->api = CONTAINER_OF(client, struct fake_client, base)->api;
	c->req = *req;
	c->done = done;
	c->ctx = ctx;
	c->req.ns = arena_str(a, req->ns);
	c->req.name = arena_str(a, req->name);
	c->req.patch = arena_str(a, req->patch);
	c->req.label_selector = arena_str(a, req->label_selector);
	c->req.field_selector = arena_str(a, req->field_selector);
	c->req.precondition_uid = arena_str(a, req->precondition_uid);
	c->req.precondition_resource_version = arena_str(a, req->precondition_resource_version);
	if (req->grace_period_seconds) {
		int64_t *grace = ARENA_NEW(a, int64_t);

		*grace = *req->grace_period_seconds;
		c->req.grace_period_seconds = grace;
	}
	if (req->body) {
		copy_body(c, req->body_type, req->body);
	}
	if (c->req.name.n) {
		c->key = fake_key(a, req->resource, req->ns, req->name);
	}
	c->start.fn = on_start;
	env_post(client->env, &c->start);
}
