/* SPDX-License-Identifier: Apache-2.0 */
#include "store/conformance.h"

#include "base/cleanup.h"
#include "store/conformance_internal.h"

void world_turn(struct world *w)
{
	if (!sim_env_turn(w->sim)) {
		sim_env_wait_posted(w->sim); /* the backend's thread has the word */
	}
}

struct world world_new(void **state)
{
	struct world w = {.backend = *state, .sim = sim_env_new(1)};

	w.ctx = w.backend->ctx_new();
	return w;
}

void world_open(struct world *w, struct store_opts opts)
{
	w->store = w->backend->open(w->ctx, sim_env_env(w->sim), &opts);
}

void conf_set_true(void *ctx)
{
	*(bool *)ctx = true;
}

void world_close(struct world *w)
{
	bool closed = false;

	store_close(w->store, conf_set_true, &closed);
	while (!closed) {
		world_turn(w);
	}
	w->store = NULL;
}

void world_free(struct world *w)
{
	if (w->store) {
		world_close(w);
	}
	w->backend->ctx_free(w->ctx);
	sim_env_free(w->sim);
}

struct world world_start(void **state)
{
	struct world w = world_new(state);

	world_open(&w, (struct store_opts){0});
	return w;
}

void conf_on_done(void *ctx, const struct store_result *result)
{
	struct answer *a = ctx;

	assert_false(a->done);
	a->done = true;
	a->code = result->code;
	a->revision = result->revision.n;
	a->failed_op = result->failed_op;
	a->durable = store_revision(a->store).n;
	assert_true(result->code == 0 || result->message);
	if (result->current) {
		struct str text = store_value_text(result->current);

		snprintf(a->current, sizeof(a->current), "%.*s", STR_ARG(text));
	}
}

struct store_op op_put(const char *key, const char *text, int64_t expect)
{
	return (struct store_op){
		STORE_PUT, str_of(key), store_value_new(str_of(text), STORE_NO_ROOM), {expect}};
}

struct store_op op_delete(const char *key, int64_t expect)
{
	return (struct store_op){STORE_DELETE, str_of(key), NULL, {expect}};
}

struct store_op op_check(const char *key, int64_t expect)
{
	return (struct store_op){STORE_CHECK, str_of(key), NULL, {expect}};
}

void world_commit_later(struct world *w, const struct store_op *ops, size_t n, struct answer *a)
{
	*a = (struct answer){.store = w->store};
	store_commit(w->store, ops, n, conf_on_done, a);
	assert_false(a->done);
}

struct answer world_commit(struct world *w, const struct store_op *ops, size_t n)
{
	struct answer a;

	world_commit_later(w, ops, n, &a);
	while (!a.done) {
		world_turn(w);
	}
	return a;
}

int64_t conf_must(struct answer a)
{
	assert_int_equal(a.code, 0);
	assert_true(a.revision > 0 && a.durable >= a.revision);
	return a.revision;
}

void conf_expect_text(const struct store_value *value, const char *want)
{
	if (!want) {
		assert_null(value);
	} else {
		assert_non_null(value);
		EXPECT_STR(store_value_text(value), want);
	}
}

bool conf_add_item(void *ctx, const struct store_item *item)
{
	struct buf *b = ctx;

	buf_add_str(b, item->key);
	buf_add_char(b, '=');
	buf_add_str(b, store_value_text(item->value));
	buf_add_char(b, ' ');
	return true;
}

void world_expect_range(struct world *w, struct str start_key, struct str end, int64_t at,
			const char *want)
{
	struct buf b CLEANUP_BUF = {0};

	assert_int_equal(
		store_range(w->store, start_key, end, (struct revision){at}, conf_add_item, &b), 0);
	EXPECT_STR(buf_str(&b), want);
}

static void on_events(void *ctx, const struct store_event *events, size_t n)
{
	struct seen *s = ctx;

	for (size_t i = 0; i < n; i++) {
		const struct store_event *e = &events[i];

		/* In order, and a transaction is never split over two calls. */
		assert_true(i ? e->revision.n >= s->last : e->revision.n > s->last);
		s->last = e->revision.n;
		buf_printf(&s->text, "%d %.*s", (int)e->revision.n, STR_ARG(e->key));
		if (e->value) {
			buf_printf(&s->text, "=%.*s", STR_ARG(store_value_text(e->value)));
		}
		if (e->prev) {
			buf_printf(&s->text, "(was %.*s)", STR_ARG(store_value_text(e->prev)));
		}
		buf_puts(&s->text, " ");
	}
	buf_puts(&s->text, "| ");
	s->n += n;
	if (s->react) {
		s->react(s);
	}
}

static void on_ended(void *ctx, int code)
{
	struct seen *s = ctx;

	assert_int_equal(s->ended, 0);
	s->ended = code;
	s->watch = NULL;
}

int world_try_watch(struct world *w, struct seen *s, struct str from, struct str to, int64_t after)
{
	*s = (struct seen){.store = w->store, .react = s->react, .victim = s->victim};
	return store_watch(w->store,
			   &(struct store_watch_opts){.start = from,
						      .end = to,
						      .after = {after},
						      .events = on_events,
						      .ended = on_ended,
						      .ctx = s},
			   &s->watch);
}

void world_watch(struct world *w, struct seen *s, struct str from, struct str to, int64_t after)
{
	assert_int_equal(world_try_watch(w, s, from, to, after), 0);
	assert_int_equal(s->text.n, 0);
}

void conf_seen_fini(struct seen *s)
{
	store_watch_stop(s->watch);
	buf_fini(&s->text);
}

int conformance_run(const struct conformance_backend *backend, int argc, char **argv)
{
	struct conformance_cases cases = {.backend = backend};
	char pattern[256];
	int failed;

	conformance_add_data(&cases);
	conformance_add_watch(&cases);
	conformance_add_life(&cases);
	if (argc > 1) {
		snprintf(pattern, sizeof(pattern), "*%s*", argv[1]);
		cmocka_set_test_filter(pattern);
	}
	failed = _cmocka_run_group_tests(backend->name, cases.list.p, cases.list.n, NULL, NULL);
	vec_fini(&cases.list);
	return failed;
}
