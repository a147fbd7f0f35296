/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/http_front.h"

#include "apiserver/accept.h"
#include "apiserver/apiserver_internal.h"
#include "apiserver/metrics.h"
#include "apiserver/render.h"
#include "apiserver/watcher.h"

enum {
	BODY_MAX = 3 * 1024 * 1024, /* upstream's limit */
	/* A watcher that lets more than this pile up is told 410 and lists again; the store is not held up, nor is memory. */
	WATCH_PENDING_MAX = 8 * 1024 * 1024,
	WATCH_TIMEOUT_MIN_S =
		1800, /* upstream: between 30 and 60 minutes, so that they do not end together */
	BOOKMARK_S = 60,
};

struct front {
	struct request request;
	struct http_request *http;
	struct accepted accepted;
	/* a watch */
	struct watcher *watcher;
	struct env_timer timeout;
	struct env_timer bookmark;
	bool first_sent;
};

static void front_free(struct front *f)
{
	struct apiserver *api = f->request.api;

	env_timer_stop(api->env, &f->timeout);
	env_timer_stop(api->env, &f->bookmark);
	watcher_stop(f->watcher);
	request_fini(&f->request);
	mem_free(f);
}

static bool has_forms(const struct request *r)
{
	return r->answer.kind == ANSWER_VALUE || r->answer.kind == ANSWER_LIST ||
	       r->answer.kind == ANSWER_WATCH;
}

/* Warning: 299 - "text" (RFC 9111 §5.5), quotes and backslashes escaped. */
static struct str warning_header(struct arena *a, struct str text)
{
	struct buf b CLEANUP_BUF = {0};

	buf_puts(&b, "299 - \"");
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '"' || text.p[i] == '\\') {
			buf_add_char(&b, '\\');
		}
		buf_add_char(&b, text.p[i]);
	}
	buf_puts(&b, "\"");
	return arena_str(a, buf_str(&b));
}

static size_t common_headers(struct request *r, struct http_header *h, struct str content_type)
{
	size_t n = 0;

	h[n++] = (struct http_header){
		STR("Audit-Id"),
		arena_printf(&r->arena, "%016llx", (unsigned long long)r->start_mono_ns)};
	h[n++] = (struct http_header){STR("Cache-Control"), STR("no-cache, private")};
	h[n++] = (struct http_header){STR("Content-Type"), content_type};
	if (r->answer.kind == ANSWER_STATUS && r->answer.status->details &&
	    r->answer.status->details->retry_after_seconds) {
		h[n++] = (struct http_header){
			STR("Retry-After"),
			arena_printf(&r->arena, "%d",
				     r->answer.status->details->retry_after_seconds)};
	}
	if (r->answer.kind == ANSWER_BYTES && r->answer.etag) {
		h[n++] = (struct http_header){STR("ETag"), str_of(r->answer.etag)};
	}
	for (size_t i = 0; i < r->warnings.n; i++) {
		h[n++] = (struct http_header){STR("Warning"),
					      warning_header(&r->arena, r->warnings.p[i])};
	}
	return n;
}

enum { COMMON_HEADERS = 5 };

static void send_answer(struct front *f)
{
	struct request *r = &f->request;
	struct http_header *headers =
		ARENA_ARRAY(&r->arena, COMMON_HEADERS + r->warnings.n, struct http_header);
	struct str type = r->answer.kind == ANSWER_BYTES ? str_of(r->answer.content_type)
							 : STR("application/json");
	size_t n = common_headers(r, headers, type);
	slice_vec body = {0};

	metrics_request(r->api, r);
	render_answer(r, &f->accepted, &body);
	http_respond(f->http, r->answer.http_status, headers, n, body.p, body.n);
	vec_fini(&body);
}

static void end_watch(struct front *f)
{
	http_end(f->http);
	front_free(f);
}

static void on_watch_events(void *ctx, const struct watcher_event *events, size_t n)
{
	struct front *f = ctx;
	slice_vec out = {0};

	if (http_pending_bytes(f->http) > WATCH_PENDING_MAX) {
		struct meta_status *gone = status_expired(
			&f->request.arena,
			STR("the watcher fell behind by more than the server keeps; list again"));

		render_event_status(gone, &out);
		http_write(f->http, out.p, out.n);
		vec_fini(&out);
		end_watch(f);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		render_event(f->request.api, f->request.resource, &events[i], f->accepted.form,
			     !f->first_sent, &out);
		f->first_sent = f->first_sent || events[i].type != WATCH_BOOKMARK;
	}
	http_write(f->http, out.p, out.n);
	vec_fini(&out);
}

static void on_watch_ended(void *ctx, struct meta_status *why)
{
	struct front *f = ctx;
	slice_vec out = {0};

	if (why) {
		render_event_status(why, &out);
		http_write(f->http, out.p, out.n);
		vec_fini(&out);
	}
	end_watch(f);
}

static void on_watch_timeout(struct env_timer *timer)
{
	end_watch(CONTAINER_OF(timer, struct front, timeout));
}

static void on_bookmark(struct env_timer *timer)
{
	struct front *f = CONTAINER_OF(timer, struct front, bookmark);
	struct watcher_event event = {.type = WATCH_BOOKMARK,
				      .revision = watcher_revision(f->watcher)};

	env_timer_start_in(f->request.api->env, &f->bookmark, BOOKMARK_S * NS_PER_SEC);
	on_watch_events(f, &event, 1);
}

static void on_client_gone(struct http_request *http)
{
	end_watch(http->data);
}

static int64_t watch_seconds(struct request *r)
{
	uint32_t random;

	if (r->options.timeout_seconds > 0) {
		return r->options.timeout_seconds;
	}
	env_random(r->api->env, &random, sizeof(random));
	return WATCH_TIMEOUT_MIN_S + random % WATCH_TIMEOUT_MIN_S;
}

static void start_watch(struct front *f)
{
	struct request *r = &f->request;
	struct watcher_opts opts = {.resource = r->resource,
				    .ns = r->info.ns,
				    .options = &r->options,
				    .events = on_watch_events,
				    .ended = on_watch_ended,
				    .ctx = f};
	struct http_header *headers =
		ARENA_ARRAY(&r->arena, COMMON_HEADERS + r->warnings.n, struct http_header);
	struct meta_status *refusal = NULL;
	size_t n;

	if (str_eq(r->info.resource, STR("namespaces")) && r->info.ns.n) {
		opts.ns = STR_NULL; /* the namespace named in the path is the object itself */
	}
	if (watcher_start(r->api, &r->arena, &opts, &f->watcher, &refusal) < 0) {
		answer_status(r, refusal);
		send_answer(f);
		front_free(f);
		return;
	}
	metrics_request(r->api, r);
	n = common_headers(r, headers, STR("application/json"));
	http_respond_start(f->http, 200, headers, n);
	f->http->data = f;
	http_on_close(f->http, on_client_gone);
	f->timeout.fn = on_watch_timeout;
	env_timer_start_in(r->api->env, &f->timeout, watch_seconds(r) * NS_PER_SEC);
	if (r->options.allow_bookmarks) {
		f->bookmark.fn = on_bookmark;
		env_timer_start_in(r->api->env, &f->bookmark, BOOKMARK_S * NS_PER_SEC);
	}
}

static void answered(struct request *r)
{
	struct front *f = CONTAINER_OF(r, struct front, request);

	if (!accept_choose(r->accept, has_forms(r), &f->accepted)) {
		if (r->answer.kind != ANSWER_STATUS && r->answer.kind != ANSWER_BYTES &&
		    r->answer.kind != ANSWER_CONNECT) {
			answer_status(r, status_not_acceptable(&r->arena, STR("application/json")));
		}
		f->accepted = (struct accepted){ANSWER_PLAIN, false};
	}
	if (r->answer.kind == ANSWER_WATCH) {
		start_watch(f);
		return;
	}
	if (r->answer.kind == ANSWER_CONNECT) {
		struct http_request *http = f->http;

		r->answer.connect(r, http);
		front_free(f);
		return;
	}
	send_answer(f);
	front_free(f);
}

static void on_body(struct http_request *http, int code, struct str body)
{
	struct front *f = http->data;
	struct request *r = &f->request;

	if (code == ERR_LIMIT) {
		answer_status(r, status_too_large(&r->arena, BODY_MAX));
		answered(r);
		return;
	}
	if (code < 0) {
		http_abort(http);
		front_free(f);
		return;
	}
	r->body = body;
	request_run(r);
}

/* A certificate counts if its chain is ours and it has not expired since the handshake. */
static void take_peer(struct request *r, const struct tls_peer *peer)
{
	if (!peer) {
		return;
	}
	if (!peer->verified || peer->not_after_s < env_wall_ns(r->api->env) / NS_PER_SEC) {
		r->peer_refused = true;
		return;
	}
	/* Copies: the connection may go while the request waits. */
	r->peer_user = arena_str(&r->arena, peer->common_name);
	r->peer_groups = (struct str_list){
		ARENA_ARRAY(&r->arena, peer->n_organizations, struct str), peer->n_organizations};
	for (size_t i = 0; i < peer->n_organizations; i++) {
		r->peer_groups.p[i] = arena_str(&r->arena, peer->organizations[i]);
	}
}

static bool impersonates(const struct http_request *http)
{
	for (size_t i = 0; i < http->n_headers; i++) {
		if (str_has_prefix(http->headers[i].name, STR("impersonate-"))) {
			return true;
		}
	}
	return false;
}

void http_front_request(void *ctx, struct http_request *http)
{
	struct front *f = NEW(struct front);
	struct request *r = &f->request;

	request_init(r, ctx);
	f->http = http;
	http->data = f;
	r->method = http->method;
	r->path = http->path;
	r->query = http->query.p ? http->query : STR("");
	r->content_type = http_get_header(http, STR("content-type"));
	r->accept = http_get_header(http, STR("accept"));
	r->user_agent = http_get_header(http, STR("user-agent"));
	r->authorization = http_get_header(http, STR("authorization"));
	take_peer(r, http->peer);
	r->impersonates = impersonates(http);
	r->answered = answered;
	r->http = http;
	if (http->has_body && !str_is(http->method, "GET") && !str_is(http->method, "HEAD")) {
		http_read_body(http, BODY_MAX, on_body);
	} else {
		request_run(r);
	}
}
