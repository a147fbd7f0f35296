/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/watcher.h"

#include "apiserver/apiserver_internal.h"
#include "apiserver/codec.h"

struct watcher {
	struct apiserver *api;
	struct arena arena; /* selectors */
	struct watcher_opts opts;
	struct request_options options;
	struct store_watch *watch;
	struct env_task initial; /* the first delivery */
	bool initial_pending;	 /* its task is queued */
	bool initial_flushed;
	size_t initial_n; /* versions in out that we hold references on */
	bool stopped;	  /* while a delivery is under way: free afterwards */
	bool delivering;
	bool single; /* a metadata.name selector: one key */
	struct revision from;
	VEC(struct watcher_event) out;
};

static struct selector dup_selector(struct arena *a, const struct selector *s)
{
	struct selector d = {ARENA_ARRAY(a, s->n, struct selector_term), s->n, s->nothing};

	for (size_t i = 0; i < s->n; i++) {
		d.terms[i].key = arena_str(a, s->terms[i].key);
		d.terms[i].op = s->terms[i].op;
		d.terms[i].values = (struct str_list){
			ARENA_ARRAY(a, s->terms[i].values.n, struct str), s->terms[i].values.n};
		for (size_t j = 0; j < s->terms[i].values.n; j++) {
			d.terms[i].values.p[j] = arena_str(a, s->terms[i].values.p[j]);
		}
	}
	return d;
}

static void watcher_free(struct watcher *w)
{
	vec_fini(&w->out);
	arena_fini(&w->arena);
	mem_free(w);
}

/* Runs the consumer on what has been collected; it may stop the watcher, which is gone then. */
static void deliver(struct watcher *w)
{
	if (w->out.n && !w->stopped) {
		w->delivering = true;
		w->opts.events(w->opts.ctx, w->out.p, w->out.n);
		w->delivering = false;
	}
	vec_clear(&w->out);
	if (w->stopped && !w->initial_pending) {
		watcher_free(w);
	}
}

static bool matches(struct watcher *w, struct str key, const struct store_value *value)
{
	return value && codec_matches(w->opts.resource, &w->options,
				      registry_key_tail(w->opts.resource, key), value);
}

static void add_event(struct watcher *w, enum watch_event type, const struct store_value *value,
		      int64_t revision)
{
	*vec_push(&w->out) =
		(struct watcher_event){.type = type, .value = value, .revision = revision};
}

static struct meta_status *too_old(struct watcher *w)
{
	return status_expired(&w->arena,
			      arena_printf(&w->arena, "too old resource version: %lld (%lld)",
					   (long long)w->from.n,
					   (long long)store_oldest(w->api->store).n));
}

static void on_store_ended(void *ctx, int code)
{
	struct watcher *w = ctx;

	w->watch = NULL; /* the store has freed it */
	w->delivering = true;
	w->opts.ended(w->opts.ctx, code == ERR_COMPACTED ? too_old(w) : NULL);
	w->delivering = false;
	if (w->stopped && !w->initial_pending) {
		watcher_free(w);
	}
}

static bool add_initial(void *ctx, const struct store_item *item)
{
	struct watcher *w = ctx;

	if (matches(w, item->key, item->value)) {
		add_event(w, WATCH_ADDED, store_value_ref(item->value),
			  item->value->mod_revision.n);
	}
	return true;
}

/* The state at w->from, as ADDED events, and the bookmark that says it is complete. */
static void flush_initial(struct watcher *w)
{
	size_t n = w->initial_n;

	if (w->options.send_initial_events && w->options.allow_bookmarks) {
		*vec_push(&w->out) = (struct watcher_event){
			.type = WATCH_BOOKMARK, .revision = w->from.n, .initial_end = true};
	}
	w->initial_flushed = true;
	if (w->out.n && !w->stopped) {
		w->delivering = true;
		w->opts.events(w->opts.ctx, w->out.p, w->out.n);
		w->delivering = false;
	}
	for (size_t i = 0; i < n; i++) {
		store_value_unref(w->out.p[i].value);
	}
	vec_clear(&w->out);
}

static void send_initial(struct env_task *task)
{
	struct watcher *w = CONTAINER_OF(task, struct watcher, initial);

	w->initial_pending = false;
	if (!w->initial_flushed) {
		flush_initial(w);
	}
	if (w->stopped) {
		watcher_free(w);
	}
}

static void on_store_events(void *ctx, const struct store_event *events, size_t n)
{
	struct watcher *w = ctx;

	if (w->initial_pending && !w->initial_flushed) {
		flush_initial(w); /* this change was on its way before our own task */
	}
	for (size_t i = 0; i < n && !w->stopped; i++) {
		const struct store_event *e = &events[i];
		bool now = matches(w, e->key, e->value);
		bool before = matches(w, e->key, e->prev);

		if (now) {
			add_event(w, before ? WATCH_MODIFIED : WATCH_ADDED, e->value,
				  e->revision.n);
		} else if (before) {
			/* Gone, or no longer selected: its last shape, at the revision of the change. */
			add_event(w, WATCH_DELETED, e->prev, e->revision.n);
		}
	}
	deliver(w);
}

/* Where to begin. Without a version, or with "0": with what there is, as synthetic ADDED events. */
static int choose_start(struct watcher *w, struct arena *a, bool *ret_initial,
			struct meta_status **ret_refusal)
{
	struct str version = w->options.resource_version;
	int64_t want = 0;

	*ret_initial = w->options.send_initial_events || !version.n || str_is(version, "0");
	w->from = store_revision(w->api->store);
	if (version.n && str_to_int64(version, &want) < 0) {
		*ret_refusal = status_bad_request(
			a, "resourceVersion: Invalid value: \"%.*s\": it is not a number",
			STR_ARG(version));
		return ERR_INVALID;
	}
	if (want > w->from.n) {
		*ret_refusal = status_timeout(
			a, &(struct status_about){0},
			arena_printf(a, "Too large resource version: %lld, current: %lld",
				     (long long)want, (long long)w->from.n),
			1);
		return ERR_FUTURE;
	}
	if (!*ret_initial) {
		w->from.n = want;
	}
	return 0;
}

int watcher_start(struct apiserver *api, struct arena *a, const struct watcher_opts *opts,
		  struct watcher **ret, struct meta_status **ret_refusal)
{
	struct watcher *w = NEW(struct watcher);
	struct store_watch_opts sopts = {
		.events = on_store_events, .ended = on_store_ended, .ctx = w};
	bool initial;
	int code;

	if (api->stopping) {
		mem_free(w);
		*ret_refusal = status_unavailable(a, STR("the server is shutting down"));
		return ERR_CLOSED;
	}
	w->api = api;
	w->opts = *opts;
	w->options = *opts->options;
	w->options.labels = dup_selector(&w->arena, &opts->options->labels);
	w->options.fields = dup_selector(&w->arena, &opts->options->fields);
	code = choose_start(w, a, &initial, ret_refusal);
	if (code < 0) {
		watcher_free(w);
		return code;
	}
	registry_range(&w->arena, opts->resource, opts->ns, &sopts.start, &sopts.end);
	sopts.after = w->from;
	if (initial) {
		code = store_range(api->store, sopts.start, sopts.end, (struct revision){0},
				   add_initial, w);
		ASSERT(code == 0);
		w->initial.fn = send_initial;
		w->initial_n = w->out.n;
		w->initial_pending = true;
		env_post(api->env, &w->initial);
	}
	code = store_watch(api->store, &sopts, &w->watch);
	if (code < 0) {
		*ret_refusal = too_old(w);
		(*ret_refusal)->message = arena_str(a, (*ret_refusal)->message);
		w->watch = NULL;
		watcher_stop(w);
		return code;
	}
	*ret = w;
	return 0;
}

void watcher_stop(struct watcher *w)
{
	if (!w) {
		return;
	}
	store_watch_stop(w->watch);
	w->watch = NULL;
	w->stopped = true;
	if (!w->delivering && !w->initial_pending) {
		watcher_free(w);
	}
}

int64_t watcher_revision(const struct watcher *w)
{
	return store_revision(w->api->store).n;
}
