/* SPDX-License-Identifier: Apache-2.0 */
#include "client/remote_client.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/vec.h"
#include "codec/json.h"
#include "object/decode.h"
#include "object/encode.h"

enum {
	ANSWER_MAX = 256 * 1024 * 1024, /* a list of everything */
	EVENT_MAX = 16 * 1024 * 1024,
	CALL_TIMEOUT_MS = 60 * 1000,
	HEADERS_MAX = 5,
};

struct remote_client {
	struct client base;
	struct http_client *http;
	char *authorization; /* NULL: none */
};

struct remote_call {
	struct remote_client *client;
	const struct resource_desc *resource;
	const struct type_desc *body_type; /* of an answer that is not the resource's object */
	bool is_list;
	client_done_fn done;
	void *ctx;
};

struct remote_watch {
	struct client_watch base;
	struct client_watch_opts opts;
	struct http_call *call; /* NULL: ended */
	struct buf line;
	int status;   /* of the response */
	bool stopped; /* by its owner, from inside a callback */
	bool in_event;
};

static void add_escaped(struct buf *b, struct str s)
{
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] && strchr(plain, s.p[i])) {
			buf_add_char(b, s.p[i]);
		} else {
			buf_printf(b, "%%%02X", (unsigned char)s.p[i]);
		}
	}
}

static void add_path(struct buf *b, const struct resource_desc *resource, struct str ns,
		     struct str name, const char *sub)
{
	if (resource->group[0]) {
		buf_printf(b, "/apis/%s/%s", resource->group, resource->version);
	} else {
		buf_printf(b, "/api/%s", resource->version);
	}
	if (resource->namespaced && ns.n) {
		buf_puts(b, "/namespaces/");
		add_escaped(b, ns);
	}
	buf_printf(b, "/%s", resource->resource);
	if (name.n) {
		buf_add_char(b, '/');
		add_escaped(b, name);
	}
	if (sub) {
		buf_printf(b, "/%s", sub);
	}
}

static void add_query(struct buf *b, const char *key, struct str value, bool *first)
{
	if (!value.n) {
		return;
	}
	buf_printf(b, "%c%s=", *first ? '?' : '&', key);
	add_escaped(b, value);
	*first = false;
}

static const struct {
	const char *method;
} methods[] = {
	[VERB_GET] = {"GET"},
	[VERB_LIST] = {"GET"},
	[VERB_CREATE] = {"POST"},
	[VERB_UPDATE] = {"PUT"},
	[VERB_PATCH] = {"PATCH"},
	[VERB_DELETE] = {"DELETE"},
	[VERB_DELETECOLLECTION] = {"DELETE"},
};

static const char *const patch_types[] = {
	[PATCH_JSON] = "application/json-patch+json",
	[PATCH_MERGE] = "application/merge-patch+json",
	[PATCH_STRATEGIC] = "application/strategic-merge-patch+json",
	[PATCH_APPLY] = "application/apply-patch+yaml",
};

static void write_delete_options(struct buf *b, const struct client_request *req)
{
	static const char *const names[] = {NULL, "Orphan", "Background", "Foreground"};
	struct meta_delete_options o = {.kind = STR("DeleteOptions"), .api_version = STR("v1")};
	struct str policy = str_of(names[req->propagation]);
	struct meta_preconditions pre = {0};
	struct str uid = req->precondition_uid;
	struct str version = req->precondition_resource_version;
	int64_t grace = req->grace_period_seconds ? *req->grace_period_seconds : 0;

	o.grace_period_seconds = req->grace_period_seconds ? &grace : NULL;
	o.propagation_policy = policy.n ? &policy : NULL;
	pre.uid = uid.n ? &uid : NULL;
	pre.resource_version = version.n ? &version : NULL;
	o.preconditions = uid.n || version.n ? &pre : NULL;
	object_encode(b, &type_meta_delete_options, &o, NULL, NULL);
}

static void write_body(struct buf *b, const struct client_request *req)
{
	if (req->verb == VERB_PATCH) {
		buf_add_str(b, req->patch);
	} else if (req->verb == VERB_DELETE || req->verb == VERB_DELETECOLLECTION) {
		write_delete_options(b, req);
	} else if (req->body) {
		object_encode(b, req->body_type, req->body, NULL, NULL);
	}
}

static void write_target(struct buf *b, const struct client_request *req)
{
	bool first = true;
	char limit[24] = "";

	add_path(b, req->resource, req->ns, req->name, req->subresource);
	if (req->limit > 0) {
		snprintf(limit, sizeof(limit), "%lld", (long long)req->limit);
	}
	add_query(b, "labelSelector", req->label_selector, &first);
	add_query(b, "fieldSelector", req->field_selector, &first);
	add_query(b, "limit", str_of(limit), &first);
	add_query(b, "continue", req->continue_token, &first);
	if (req->verb == VERB_CREATE || req->verb == VERB_UPDATE || req->verb == VERB_PATCH) {
		add_query(b, "fieldManager", req->field_manager, &first);
	}
}

static void tell_failure(struct remote_call *c, int code, int http_status, struct str reason,
			 struct str message, int retry_after)
{
	struct client_result result = {.code = code,
				       .http_status = http_status,
				       .reason = reason,
				       .message = message,
				       .retry_after_seconds = retry_after};

	c->done(c->ctx, &result);
}

/* {"kind":"PodList",...,"metadata":{...},"items":[...]}: each item becomes an object of its own. */
struct list_parts {
	struct meta_list_meta meta;
	VEC(struct frozen *) items;
};

static int read_items(struct remote_call *c, struct json_reader *r, struct list_parts *out,
		      struct err *err)
{
	int more;
	int code = json_begin_array(r);

	while (code == 0 && (more = json_next_item(r)) > 0) {
		struct frozen *f;
		struct str text;

		code = json_skip(r, &text);
		if (code == 0) {
			code = frozen_decode(c->resource, text, &f, err);
		}
		if (code == 0) {
			*vec_push(&out->items) = f;
		}
	}
	return code;
}

static int read_list(struct remote_call *c, struct arena *a, struct str body,
		     struct list_parts *out, struct err *err)
{
	struct json_reader r;
	struct str key;
	int code;

	json_reader_init(&r, body, a);
	code = json_begin_object(&r);
	while (code == 0 && json_next_key(&r, &key) > 0) {
		if (str_is(key, "items") && json_peek(&r) == JSON_ARRAY) {
			code = read_items(c, &r, out, err);
		} else {
			struct str text;

			code = json_skip(&r, &text);
			if (code == 0 && str_is(key, "metadata")) {
				code = object_decode(a, &type_meta_list_meta, text, &out->meta,
						     NULL, err);
			}
		}
	}
	return code ? code : r.code;
}

static void tell_list(struct remote_call *c, struct arena *a, const struct http_response *response)
{
	struct list_parts parts = {0};
	struct err err CLEANUP_ERR = {0};
	int code = read_list(c, a, response->body, &parts, &err);

	if (code < 0) {
		tell_failure(c, ERR_PROTOCOL, response->status, STR_NULL,
			     STR("the API server's list cannot be read"), 0);
	} else {
		struct client_result result = {.http_status = response->status,
					       .items = parts.items.p,
					       .nitems = parts.items.n,
					       .resource_version = parts.meta.resource_version,
					       .continue_token = parts.meta.continue_};

		c->done(c->ctx, &result);
	}
	for (size_t i = 0; i < parts.items.n; i++) {
		frozen_unref(parts.items.p[i]);
	}
	vec_fini(&parts.items);
}

/* The answer to a verb on one object: the object, a Status, or the body's own kind (TokenRequest, ...). */
static void tell_object(struct remote_call *c, struct arena *a,
			const struct http_response *response)
{
	struct client_result result = {.http_status = response->status};
	struct err err CLEANUP_ERR = {0};
	struct str api_version;
	struct str kind;

	if (object_decode_type_meta(a, response->body, &api_version, &kind, &err) < 0) {
		tell_failure(c, ERR_PROTOCOL, response->status, STR_NULL,
			     STR("the API server's answer cannot be read"), 0);
		return;
	}
	if (str_is(kind, "Status")) {
		c->done(c->ctx, &result);
	} else if (str_eq(kind, str_of(c->resource->kind))) {
		struct frozen *f = NULL;

		if (frozen_decode(c->resource, response->body, &f, &err) < 0) {
			tell_failure(c, ERR_PROTOCOL, response->status, STR_NULL,
				     arena_str(a, str_of(err_msg(&err))), 0);
			return;
		}
		result.object = f;
		c->done(c->ctx, &result);
		frozen_unref(f);
	} else if (c->body_type) {
		void *body = arena_alloc(a, c->body_type->size);

		if (object_decode(a, c->body_type, response->body, body, NULL, &err) < 0) {
			tell_failure(c, ERR_PROTOCOL, response->status, STR_NULL,
				     arena_str(a, str_of(err_msg(&err))), 0);
			return;
		}
		result.body = body;
		result.body_type = c->body_type;
		c->done(c->ctx, &result);
	} else {
		c->done(c->ctx, &result);
	}
}

static void tell_status(struct remote_call *c, struct arena *a,
			const struct http_response *response)
{
	struct meta_status status = {0};
	struct err err CLEANUP_ERR = {0};

	if (object_decode(a, &type_meta_status, response->body, &status, NULL, &err) < 0) {
		status = (struct meta_status){
			.message = arena_printf(a, "the server answered %d", response->status)};
	}
	tell_failure(c, client_code_of_http(response->status, status.reason), response->status,
		     status.reason, status.message,
		     status.details ? status.details->retry_after_seconds : 0);
}

static void call_ended(struct http_call *call, const struct http_response *response, int code,
		       const char *why)
{
	struct remote_call *c = http_call_ctx(call);
	struct arena a CLEANUP_ARENA = {0};

	if (code < 0 || !response) {
		tell_failure(c, code == ERR_TIMEOUT ? ERR_TIMEOUT : ERR_CLOSED, 0, STR_NULL,
			     str_of(why), 0);
	} else if (response->status >= 400) {
		tell_status(c, &a, response);
	} else if (c->is_list) {
		tell_list(c, &a, response);
	} else {
		tell_object(c, &a, response);
	}
	mem_free(c);
}

static size_t add_headers(const struct remote_client *client, struct http_header *h,
			  struct str content_type)
{
	size_t n = 0;

	h[n++] = (struct http_header){STR("Accept"), STR("application/json")};
	h[n++] = (struct http_header){STR("User-Agent"), str_of(client->base.user_agent)};
	if (content_type.n) {
		h[n++] = (struct http_header){STR("Content-Type"), content_type};
	}
	if (client->authorization) {
		h[n++] = (struct http_header){STR("Authorization"), str_of(client->authorization)};
	}
	return n;
}

static void remote_call(struct client *base, const struct client_request *req, client_done_fn done,
			void *ctx)
{
	static const struct http_call_ops ops = {.on_end = call_ended};
	struct remote_client *client = CONTAINER_OF(base, struct remote_client, base);
	struct remote_call *c = NEW(struct remote_call);
	struct buf target CLEANUP_BUF = {0};
	struct buf body = {0};
	struct http_header headers[HEADERS_MAX];
	struct slice slice;
	struct http_call_opts opts = {.method = str_of(methods[req->verb].method),
				      .headers = headers,
				      .buffer_limit = ANSWER_MAX,
				      .timeout_ms = CALL_TIMEOUT_MS};

	c->client = client;
	c->resource = req->resource;
	c->body_type = req->body_type;
	c->is_list = req->verb == VERB_LIST || req->verb == VERB_DELETECOLLECTION;
	c->done = done;
	c->ctx = ctx;
	write_target(&target, req);
	write_body(&body, req);
	opts.path = buf_str(&target);
	opts.n_headers =
		add_headers(client, headers,
			    !body.n		      ? STR_NULL
			    : req->verb == VERB_PATCH ? str_of(patch_types[req->patch_type])
						      : STR("application/json"));
	if (body.n) {
		slice = slice_steal(&body);
		opts.body = &slice;
		opts.n_body = 1;
	}
	http_call_start(client->http, &opts, &ops, c);
}

/* ---- watch ---- */

static void watch_free(struct remote_watch *w)
{
	buf_fini(&w->line);
	mem_free(w);
}

static void watch_over(struct remote_watch *w, int code, struct str message)
{
	w->call = NULL;
	w->in_event = true;
	w->opts.ended(w->opts.ctx, code, message);
	watch_free(w);
}

static int event_type(struct str text, enum watch_event *ret)
{
	static const char *const names[] = {[WATCH_ADDED] = "ADDED",
					    [WATCH_MODIFIED] = "MODIFIED",
					    [WATCH_DELETED] = "DELETED",
					    [WATCH_BOOKMARK] = "BOOKMARK"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (str_eq(text, str_of(names[i]))) {
			*ret = (enum watch_event)i;
			return 0;
		}
	}
	return ERR_INVALID;
}

/* {"type":"ADDED","object":{...}} */
static int split_event(struct arena *a, struct str line, struct str *ret_type,
		       struct str *ret_object)
{
	struct json_reader r;
	struct str key;
	int code;

	json_reader_init(&r, line, a);
	code = json_begin_object(&r);
	while (code == 0 && json_next_key(&r, &key) > 0) {
		code = str_is(key, "type")     ? json_read_string(&r, ret_type)
		       : str_is(key, "object") ? json_skip(&r, ret_object)
					       : json_skip(&r, NULL);
	}
	return code ? code : r.code;
}

/* 0, or the code that ends the watch with *ret_why. */
static int take_event(struct remote_watch *w, struct arena *a, struct str line, struct str *ret_why)
{
	struct str type = STR_NULL;
	struct str object = STR_NULL;
	struct err err CLEANUP_ERR = {0};
	enum watch_event event;
	struct frozen *f;

	*ret_why = STR("the API server's event cannot be read");
	if (split_event(a, line, &type, &object) < 0) {
		return ERR_PROTOCOL;
	}
	if (str_is(type, "ERROR")) {
		struct meta_status status = {0};

		if (object_decode(a, &type_meta_status, object, &status, NULL, &err) < 0) {
			return ERR_PROTOCOL;
		}
		*ret_why = status.message;
		return client_code_of_http(status.code, status.reason);
	}
	if (event_type(type, &event) < 0 || frozen_decode(w->opts.resource, object, &f, &err) < 0) {
		return ERR_PROTOCOL;
	}
	w->opts.event(w->opts.ctx, event, f);
	frozen_unref(f);
	return 0;
}

static void watch_headers(struct http_call *call, const struct http_response *response)
{
	struct remote_watch *w = http_call_ctx(call);

	w->status = response->status;
}

static void watch_data(struct http_call *call, const char *p, size_t n)
{
	struct remote_watch *w = http_call_ctx(call);
	size_t done = 0;

	buf_add(&w->line, p, n);
	if (w->status >= 400) {
		return; /* a Status: told at the end */
	}
	w->in_event = true;
	for (;;) {
		struct str rest = str_from(buf_str(&w->line), done);
		ptrdiff_t end = str_find_char(rest, '\n');
		struct arena a CLEANUP_ARENA = {0};
		struct str why;
		int code = 0;

		if (end < 0 && rest.n <= EVENT_MAX) {
			break;
		}
		why = STR("an event of the API server is too large");
		code = end < 0 ? ERR_LIMIT : take_event(w, &a, str_sub(rest, 0, (size_t)end), &why);
		if (w->stopped) {
			http_call_cancel(call);
			watch_free(w);
			return;
		}
		if (code < 0) {
			http_call_cancel(call);
			watch_over(w, code, why);
			return;
		}
		done += (size_t)end + 1;
	}
	w->in_event = false;
	buf_consume(&w->line, done);
}

static void watch_ended(struct http_call *call, const struct http_response *response, int code,
			const char *why)
{
	struct remote_watch *w = http_call_ctx(call);
	struct meta_status status = {0};
	struct arena a CLEANUP_ARENA = {0};

	if (response && response->status >= 400) {
		if (object_decode(&a, &type_meta_status, buf_str(&w->line), &status, NULL, NULL) <
		    0) {
			status.message = STR("the API server refused the watch");
		}
		watch_over(w, client_code_of_http(response->status, status.reason), status.message);
		return;
	}
	watch_over(w, ERR_CLOSED, code < 0 ? str_of(why) : STR("the API server ended the watch"));
}

static struct client_watch *remote_watch_start(struct client *base,
					       const struct client_watch_opts *opts)
{
	static const struct http_call_ops ops = {
		.on_headers = watch_headers, .on_data = watch_data, .on_end = watch_ended};
	struct remote_client *client = CONTAINER_OF(base, struct remote_client, base);
	struct remote_watch *w = NEW(struct remote_watch);
	struct buf target CLEANUP_BUF = {0};
	struct http_header headers[HEADERS_MAX];
	struct http_call_opts call = {.method = STR("GET"), .headers = headers};
	bool first = true;

	w->base.client = base;
	w->opts = *opts;
	add_path(&target, opts->resource, opts->ns, STR_NULL, NULL);
	add_query(&target, "watch", STR("true"), &first);
	add_query(&target, "allowWatchBookmarks", STR("true"), &first);
	add_query(&target, "labelSelector", opts->label_selector, &first);
	add_query(&target, "fieldSelector", opts->field_selector, &first);
	add_query(&target, "resourceVersion", opts->resource_version, &first);
	if (opts->send_initial_events) {
		add_query(&target, "sendInitialEvents", STR("true"), &first);
		add_query(&target, "resourceVersionMatch", STR("NotOlderThan"), &first);
	}
	call.path = buf_str(&target);
	call.n_headers = add_headers(client, headers, STR_NULL);
	w->call = http_call_start(client->http, &call, &ops, w);
	return &w->base;
}

static void remote_watch_stop(struct client_watch *base)
{
	struct remote_watch *w = CONTAINER_OF(base, struct remote_watch, base);

	if (w->in_event) {
		w->stopped = true; /* freed when the callback returns */
		return;
	}
	http_call_cancel(w->call);
	watch_free(w);
}

static void remote_free(struct client *base)
{
	struct remote_client *client = CONTAINER_OF(base, struct remote_client, base);

	http_client_free(client->http);
	mem_free(client->authorization);
	mem_free(client);
}

static const struct client_ops remote_ops = {.call = remote_call,
					     .watch_start = remote_watch_start,
					     .watch_stop = remote_watch_stop,
					     .free = remote_free};

struct client *remote_client_new(const struct remote_client_opts *opts)
{
	struct remote_client *client = NEW(struct remote_client);
	struct http_client_opts http = {
		.addr = opts->addr, .tls = opts->tls, .server_name = opts->server_name};

	client->base = (struct client){&remote_ops, net_env(opts->net), opts->user_agent};
	client->http = http_client_new(opts->net, &http);
	if (opts->bearer_token.n) {
		struct buf b = {0};

		buf_printf(&b, "Bearer %.*s", STR_ARG(opts->bearer_token));
		client->authorization = buf_steal(&b);
	}
	return &client->base;
}
