/* SPDX-License-Identifier: Apache-2.0 */
/* The in-process transport: calls become requests that run through the same stages under the client's user (invariant I6); only TLS, HTTP
 * and the encoding of answers are left out: stored bytes are shared. */
#include "apiserver/apiserver_internal.h"
#include "apiserver/watcher.h"
#include "object/encode.h"

struct local_client {
	struct client base;
	struct apiserver *api;
	struct arena arena; /* the user */
	struct user_info user;
};

struct local_call {
	struct request request;
	struct env_task start;
	struct local_client *client;
	client_done_fn done;
	void *ctx;
};

struct local_watch {
	struct client_watch base;
	struct watcher *watcher;
	struct client_watch_opts opts;
	struct arena arena;
	struct request_options options;
	struct meta_status *refusal; /* of the start: told on the next turn */
	struct env_task refused;
	bool refused_queued;
	bool stopped;
	int depth; /* of callbacks under way */
};

static const char *const verb_names[] = {
	[VERB_GET] = "get",
	[VERB_LIST] = "list",
	[VERB_CREATE] = "create",
	[VERB_UPDATE] = "update",
	[VERB_PATCH] = "patch",
	[VERB_DELETE] = "delete",
	[VERB_DELETECOLLECTION] = "deletecollection",
};

static const char *const patch_content_types[] = {
	[PATCH_JSON] = "application/json-patch+json",
	[PATCH_MERGE] = "application/merge-patch+json",
	[PATCH_STRATEGIC] = "application/strategic-merge-patch+json",
	[PATCH_APPLY] = "application/apply-patch+yaml",
};

static void release_value(void *owner)
{
	store_value_unref(owner);
}

static struct frozen *freeze(const struct resource_desc *resource, const struct store_value *value)
{
	struct err err CLEANUP_ERR = {0};
	struct frozen *f;
	const struct resource_desc *storage = resource_storage(resource);

	ASSERT(storage == resource); /* components ask for the storage version */
	ASSERT(frozen_borrow(resource, store_value_text(value), release_value,
			     store_value_ref(value), &f, &err) == 0);
	frozen_set_revision(f, value->mod_revision.n);
	return f;
}

static void call_free(struct local_call *c)
{
	request_fini(&c->request);
	mem_free(c);
}

static void tell_list(struct local_call *c, struct client_result *result)
{
	const struct answer_list *list = &c->request.answer.list;
	struct frozen **items = ARENA_ARRAY(&c->request.arena, list->n, struct frozen *);

	for (size_t i = 0; i < list->n; i++) {
		items[i] = freeze(c->request.resource, list->items[i]);
	}
	result->items = items;
	result->nitems = list->n;
	result->resource_version =
		arena_printf(&c->request.arena, "%lld", (long long)list->revision);
	result->continue_token = list->continue_token;
	c->done(c->ctx, result);
	for (size_t i = 0; i < list->n; i++) {
		frozen_unref(items[i]);
	}
}

static void call_answered(struct request *r)
{
	struct local_call *c = CONTAINER_OF(r, struct local_call, request);
	struct client_result result = {.http_status = r->answer.http_status};
	struct frozen *f = NULL;

	switch (r->answer.kind) {
	case ANSWER_LIST:
		tell_list(c, &result);
		call_free(c);
		return;
	case ANSWER_VALUE:
		f = freeze(r->resource, r->answer.value);
		result.object = f;
		break;
	case ANSWER_OBJECT:
		result.body = r->answer.object;
		result.body_type = r->answer.type;
		break;
	case ANSWER_STATUS:
		result.reason = r->answer.status->reason;
		result.message = r->answer.status->message;
		if (r->answer.http_status >= 400) {
			result.code = client_code_of_http(r->answer.http_status, result.reason);
		}
		if (r->answer.status->details) {
			result.retry_after_seconds = r->answer.status->details->retry_after_seconds;
		}
		break;
	default:
		ASSERT(!"components do not ask for this in process");
	}
	c->done(c->ctx, &result);
	frozen_unref(f);
	call_free(c);
}

static void call_start(struct env_task *task)
{
	struct local_call *c = CONTAINER_OF(task, struct local_call, start);

	request_run(&c->request);
}

static void set_selectors(struct arena *a, struct request_options *o, struct str labels,
			  struct str fields)
{
	struct err err CLEANUP_ERR = {0};

	if (labels.n) {
		ASSERT(label_selector_parse(a, arena_str(a, labels), &o->labels, &err) == 0);
		o->has_labels = o->labels.n > 0;
	}
	if (fields.n) {
		ASSERT(field_selector_parse(a, arena_str(a, fields), &o->fields, &err) == 0);
		o->has_fields = o->fields.n > 0;
	}
}

static struct str *optional_str(struct arena *a, struct str s)
{
	struct str *p = NULL;

	if (s.n) {
		p = ARENA_NEW(a, struct str);
		*p = arena_str(a, s);
	}
	return p;
}

static struct meta_delete_options *delete_options(struct arena *a, const struct client_request *req)
{
	static const char *const names[] = {NULL, "Orphan", "Background", "Foreground"};
	struct meta_delete_options *o = ARENA_NEW(a, struct meta_delete_options);

	if (req->grace_period_seconds) {
		o->grace_period_seconds = ARENA_NEW(a, int64_t);
		*o->grace_period_seconds = *req->grace_period_seconds;
	}
	o->propagation_policy = optional_str(a, str_of(names[req->propagation]));
	if (req->precondition_uid.n || req->precondition_resource_version.n) {
		o->preconditions = ARENA_NEW(a, struct meta_preconditions);
		o->preconditions->uid = optional_str(a, req->precondition_uid);
		o->preconditions->resource_version =
			optional_str(a, req->precondition_resource_version);
	}
	return o;
}

static void local_call(struct client *base, const struct client_request *req, client_done_fn done,
		       void *ctx)
{
	struct local_client *client = CONTAINER_OF(base, struct local_client, base);
	struct local_call *c = NEW(struct local_call);
	struct request *r = &c->request;
	struct arena *a = &r->arena;

	request_init(r, client->api);
	c->client = client;
	c->done = done;
	c->ctx = ctx;
	r->user = client->user;
	r->user_agent = str_of(base->user_agent);
	r->resource = req->resource;
	r->info = (struct request_info){
		.is_resource = true,
		.verb = verb_names[req->verb],
		.group = str_of(req->resource->group),
		.version = str_of(req->resource->version),
		.resource = str_of(req->resource->resource),
		.subresource = arena_str(a, str_of(req->subresource)),
		.ns = arena_str(a, req->ns),
		.name = arena_str(a, req->name),
	};
	if (req->subresource) {
		r->sub = resource_find_sub(req->resource, str_of(req->subresource));
		ASSERT(r->sub);
	}
	if (r->info.name.n) {
		r->key = registry_key(a, r->resource, r->info.ns, r->info.name);
	}
	if (req->verb == VERB_PATCH) {
		r->content_type = str_of(patch_content_types[req->patch_type]);
		r->body = arena_str(a, req->patch);
	} else if (req->body) {
		struct buf b CLEANUP_BUF = {0};

		object_encode(&b, req->body_type, req->body, NULL, NULL);
		r->body = arena_str(a, buf_str(&b));
	}
	set_selectors(a, &r->options, req->label_selector, req->field_selector);
	r->options.limit = req->limit;
	r->options.continue_token = arena_str(a, req->continue_token);
	r->options.field_validation = FIELD_VALIDATION_STRICT;
	r->options.field_manager =
		req->field_manager.n ? arena_str(a, req->field_manager) : str_of(base->user_agent);
	r->options.delete_options = delete_options(a, req);
	r->is_local = true;
	r->answered = call_answered;
	c->start.fn = call_start;
	env_post(base->env, &c->start);
}

static void watch_free(struct local_watch *w)
{
	arena_fini(&w->arena);
	mem_free(w);
}

static void watch_leave(struct local_watch *w)
{
	if (--w->depth == 0 && w->stopped && !w->refused_queued) {
		watch_free(w);
	}
}

static void on_events(void *ctx, const struct watcher_event *events, size_t n)
{
	struct local_watch *w = ctx;

	w->depth++;
	for (size_t i = 0; i < n && !w->stopped; i++) {
		struct frozen *f;

		if (events[i].type == WATCH_BOOKMARK) {
			char text[128];

			snprintf(text, sizeof(text),
				 "{\"metadata\":{\"resourceVersion\":\"%lld\"}}",
				 (long long)events[i].revision);
			ASSERT(frozen_decode(w->opts.resource, str_of(text), &f, NULL) == 0);
		} else {
			f = freeze(w->opts.resource, events[i].value);
			frozen_set_revision(f, events[i].revision);
		}
		w->opts.event(w->opts.ctx, events[i].type, f);
		frozen_unref(f);
	}
	watch_leave(w);
}

static void end_watch(struct local_watch *w, int code, struct str message)
{
	w->depth++;
	w->stopped = true;
	watcher_stop(w->watcher);
	w->watcher = NULL;
	w->opts.ended(w->opts.ctx, code, message);
	watch_leave(w);
}

static void on_ended(void *ctx, struct meta_status *why)
{
	end_watch(ctx, why ? client_code_of_http(why->code, why->reason) : ERR_CLOSED,
		  why ? why->message : STR("the server is closing"));
}

static void on_refused(struct env_task *task)
{
	struct local_watch *w = CONTAINER_OF(task, struct local_watch, refused);

	w->refused_queued = false;
	if (w->stopped) {
		watch_free(w);
		return;
	}
	end_watch(w, client_code_of_http(w->refusal->code, w->refusal->reason),
		  w->refusal->message);
}

/* A watch is authorized like any other request. */
static struct meta_status *check_access(struct local_client *client, struct local_watch *w)
{
	const struct resource_desc *resource = w->opts.resource;
	struct access_attributes what = {.is_resource = true,
					 .verb = STR("watch"),
					 .group = str_of(resource->group),
					 .resource = str_of(resource->resource),
					 .ns = w->opts.ns};
	struct status_about about = {what.group, what.resource, STR_NULL};
	struct str reason;

	if (authorize(client->api, &client->user, &what, &w->arena, &reason)) {
		return NULL;
	}
	return status_forbidden(&w->arena, &about, reason);
}

static struct client_watch *local_watch_start(struct client *base,
					      const struct client_watch_opts *opts)
{
	struct local_client *client = CONTAINER_OF(base, struct local_client, base);
	struct local_watch *w = NEW(struct local_watch);
	struct watcher_opts wopts = {
		.resource = opts->resource, .events = on_events, .ended = on_ended, .ctx = w};

	w->base.client = base;
	w->opts = *opts;
	w->opts.ns = arena_str(&w->arena, opts->ns);
	set_selectors(&w->arena, &w->options, opts->label_selector, opts->field_selector);
	w->options.resource_version = arena_str(&w->arena, opts->resource_version);
	w->options.send_initial_events = opts->send_initial_events;
	w->options.allow_bookmarks = true;
	wopts.ns = w->opts.ns;
	wopts.options = &w->options;
	w->refusal = check_access(client, w);
	if (w->refusal ||
	    watcher_start(client->api, &w->arena, &wopts, &w->watcher, &w->refusal) < 0) {
		w->refused.fn = on_refused;
		w->refused_queued = true;
		env_post(base->env, &w->refused);
	}
	return &w->base;
}

static void local_watch_stop(struct client_watch *base)
{
	struct local_watch *w = CONTAINER_OF(base, struct local_watch, base);

	watcher_stop(w->watcher);
	w->watcher = NULL;
	w->stopped = true;
	if (!w->depth && !w->refused_queued) {
		watch_free(w);
	}
}

static void local_free(struct client *base)
{
	struct local_client *client = CONTAINER_OF(base, struct local_client, base);

	arena_fini(&client->arena);
	mem_free(client);
}

static const struct client_ops local_ops = {.call = local_call,
					    .watch_start = local_watch_start,
					    .watch_stop = local_watch_stop,
					    .free = local_free};

struct client *apiserver_client(struct apiserver *api, struct str user, const struct str *groups,
				size_t ngroups, const char *user_agent)
{
	struct local_client *c = NEW(struct local_client);

	c->base = (struct client){&local_ops, api->env, user_agent};
	c->api = api;
	c->user.name = arena_str(&c->arena, user);
	c->user.groups =
		(struct str_list){ARENA_ARRAY(&c->arena, ngroups + 1, struct str), ngroups + 1};
	for (size_t i = 0; i < ngroups; i++) {
		c->user.groups.p[i] = arena_str(&c->arena, groups[i]);
	}
	c->user.groups.p[ngroups] = STR("system:authenticated");
	return &c->base;
}

struct client *apiserver_client_service_account(struct apiserver *api, const char *name,
						const char *user_agent)
{
	static const struct str groups[] = {STR_INIT("system:serviceaccounts"),
					    STR_INIT("system:serviceaccounts:kube-system")};
	char user[128];

	snprintf(user, sizeof(user), "system:serviceaccount:kube-system:%s", name);
	return apiserver_client(api, str_of(user), groups, ARRAY_LEN(groups), user_agent);
}
