/* SPDX-License-Identifier: Apache-2.0 */
#include "client/informer.h"

#include "base/buf.h"
#include "base/test.h"
#include "env/sim_env.h"

/* A client whose watches the test plays by hand. */
struct script {
	struct client base;
	struct client_watch watch;
	struct client_watch_opts opts;
	char version[32]; /* of the newest start; "" for a list */
	int starts;
	bool open;
};

static void no_call(struct client *client UNUSED, const struct client_request *request UNUSED,
		    client_done_fn done UNUSED, void *ctx UNUSED)
{
	fail_msg("an informer only watches");
}

static struct client_watch *script_start(struct client *client,
					 const struct client_watch_opts *opts)
{
	struct script *s = CONTAINER_OF(client, struct script, base);

	s->opts = *opts;
	snprintf(s->version, sizeof(s->version), "%.*s", STR_ARG(opts->resource_version));
	assert_int_equal(opts->send_initial_events, !opts->resource_version.n);
	s->watch.client = client;
	s->starts++;
	s->open = true;
	return &s->watch;
}

static void script_stop(struct client_watch *watch)
{
	CONTAINER_OF(watch, struct script, watch)->open = false;
}

static void script_free(struct client *client UNUSED)
{
}

static const struct client_ops script_ops = {no_call, script_start, script_stop, script_free};

static void play(struct script *s, enum watch_event event, const char *ns, const char *name,
		 int revision)
{
	struct buf b CLEANUP_BUF = {0};
	struct frozen *f;

	buf_printf(
		&b,
		"{\"metadata\":{\"namespace\":\"%s\",\"name\":\"%s\",\"resourceVersion\":\"%d\"}}",
		ns, name, revision);
	assert_int_equal(frozen_decode(&resource_core_configmaps, buf_str(&b), &f, NULL), 0);
	s->opts.event(s->opts.ctx, event, f);
	frozen_unref(f);
}

static void play_end(struct script *s, int code)
{
	s->open = false;
	s->opts.ended(s->opts.ctx, code, STR("ended"));
}

struct fixture {
	struct sim_env *sim;
	struct script script;
	struct informers *all;
	struct informer *informer;
	struct buf log; /* +ns/name ~ns/name -ns/name, ! for synced, ^ for advanced */
};

static void on_changed(void *ctx, struct frozen *old, struct frozen *new_)
{
	struct fixture *f = ctx;
	const struct meta_object_meta *meta = &(new_ ? new_ : old)->head->metadata;

	buf_printf(&f->log, "%c%.*s/%.*s ",
		   !old	  ? '+'
		   : new_ ? '~'
			  : '-',
		   STR_ARG(meta->namespace), STR_ARG(meta->name));
}

static void on_synced(void *ctx)
{
	buf_puts(&((struct fixture *)ctx)->log, "! ");
}

static void on_advanced(void *ctx)
{
	buf_puts(&((struct fixture *)ctx)->log, "^ ");
}

static void fixture_init(struct fixture *f)
{
	struct informer_handler handler = {on_changed, on_synced, on_advanced, f};

	*f = (struct fixture){.sim = sim_env_new(1)};
	f->script.base = (struct client){&script_ops, sim_env_env(f->sim), "test"};
	f->all = informers_new(&f->script.base);
	f->informer = informers_get(f->all, &resource_core_configmaps, STR_NULL);
	informer_add_handler(f->informer, &handler);
	sim_env_run_until_idle(f->sim);
}

static void fixture_fini(struct fixture *f)
{
	informers_free(f->all);
	sim_env_run_until_idle(f->sim);
	sim_env_free(f->sim);
	buf_fini(&f->log);
}

static void expect_log(struct fixture *f, const char *want)
{
	EXPECT_STR(buf_str(&f->log), want);
	buf_clear(&f->log);
}

TEST(informer_tells_the_list_then_the_changes)
{
	struct fixture f;

	fixture_init(&f);
	assert_false(informers_have_synced(f.all));
	play(&f.script, WATCH_ADDED, "a", "x", 3);
	play(&f.script, WATCH_ADDED, "b", "y", 5);
	assert_int_equal(informer_revision(f.informer),
			 0); /* nothing can be said before the list is complete */
	play(&f.script, WATCH_BOOKMARK, "", "", 7);
	assert_true(informers_have_synced(f.all));
	assert_int_equal(informer_revision(f.informer), 7);
	play(&f.script, WATCH_MODIFIED, "a", "x", 8);
	play(&f.script, WATCH_DELETED, "b", "y", 9);
	play(&f.script, WATCH_BOOKMARK, "", "", 12);
	assert_int_equal(informer_revision(f.informer), 12);
	assert_int_equal(informer_count(f.informer), 1);
	expect_log(&f, "+a/x +b/y ! ^ ~a/x -b/y ^ ");
	fixture_fini(&f);
}

TEST(informer_resumes_where_it_was)
{
	struct fixture f;

	fixture_init(&f);
	play(&f.script, WATCH_ADDED, "a", "x", 3);
	play(&f.script, WATCH_BOOKMARK, "", "", 7);
	play_end(&f.script, ERR_CLOSED);
	sim_env_advance(f.sim, NS_PER_SEC);
	assert_true(f.script.open);
	assert_string_equal(f.script.version, "7");
	fixture_fini(&f);
}

TEST(informer_that_breaks_in_the_middle_of_a_second_list_lists_again)
{
	struct fixture f;

	fixture_init(&f);
	play(&f.script, WATCH_ADDED, "a", "gone", 3);
	play(&f.script, WATCH_ADDED, "a", "kept", 4);
	play(&f.script, WATCH_BOOKMARK, "", "", 7);
	play_end(&f.script, ERR_COMPACTED);
	assert_string_equal(f.script.version, "");
	play(&f.script, WATCH_ADDED, "a", "kept", 4);
	play(&f.script, WATCH_ADDED, "b", "new", 20);
	play_end(&f.script, ERR_CLOSED);
	sim_env_advance(f.sim, NS_PER_SEC);
	assert_string_equal(f.script.version,
			    ""); /* not from 20: what comes before it has not all been told */
	buf_clear(&f.log);
	play(&f.script, WATCH_ADDED, "a", "kept", 4);
	play(&f.script, WATCH_ADDED, "b", "new", 20);
	play(&f.script, WATCH_ADDED, "c", "missed", 15);
	play(&f.script, WATCH_BOOKMARK, "", "", 21);
	expect_log(&f, "+c/missed -a/gone ^ ");
	fixture_fini(&f);
}

TEST(informer_ignores_what_it_was_told_before)
{
	struct fixture f;

	fixture_init(&f);
	play(&f.script, WATCH_BOOKMARK, "", "", 1);
	play(&f.script, WATCH_ADDED, "a", "x", 2);
	play(&f.script, WATCH_MODIFIED, "a", "x", 3);
	play(&f.script, WATCH_ADDED, "a", "x", 2);
	play(&f.script, WATCH_DELETED, "a", "x", 4);
	play(&f.script, WATCH_MODIFIED, "a", "x", 3); /* must not raise the dead */
	assert_int_equal(informer_count(f.informer), 0);
	expect_log(&f, "! ^ +a/x ~a/x -a/x ");
	fixture_fini(&f);
}

static bool append(void *ctx, struct frozen *object)
{
	buf_printf(ctx, "%.*s/%.*s ", STR_ARG(object->head->metadata.namespace),
		   STR_ARG(object->head->metadata.name));
	return true;
}

static void by_name(const struct frozen *object, void (*add)(void *ctx, struct str key), void *ctx)
{
	add(ctx, object->head->metadata.name);
	add(ctx, object->head->metadata.name); /* twice does not matter */
}

TEST(informer_finds_by_namespace_and_by_index)
{
	static const struct informer_index_desc index = {"name", by_name};
	struct buf b CLEANUP_BUF = {0};
	struct fixture f;

	fixture_init(&f);
	play(&f.script, WATCH_ADDED, "a-b", "x", 1);
	play(&f.script, WATCH_ADDED, "a", "x", 2);
	informer_add_index(f.informer, &index);
	play(&f.script, WATCH_ADDED, "a", "b", 3);
	informer_each(f.informer, STR("a"), append, &b);
	EXPECT_STR(buf_str(&b), "a/b a/x ");
	buf_clear(&b);
	informer_each_indexed(f.informer, &index, STR("x"), append, &b);
	EXPECT_STR(buf_str(&b), "a/x a-b/x ");
	play(&f.script, WATCH_BOOKMARK, "", "", 4);
	play(&f.script, WATCH_DELETED, "a", "x", 5);
	buf_clear(&b);
	informer_each_indexed(f.informer, &index, STR("x"), append, &b);
	EXPECT_STR(buf_str(&b), "a-b/x ");
	assert_non_null(informer_get(f.informer, STR("a"), STR("b")));
	assert_null(informer_get(f.informer, STR("a"), STR("x")));
	fixture_fini(&f);
}

TEST(late_handlers_hear_what_is_there_and_removed_ones_nothing)
{
	struct informer_handler handler;
	struct fixture f;

	fixture_init(&f);
	play(&f.script, WATCH_ADDED, "a", "x", 1);
	play(&f.script, WATCH_BOOKMARK, "", "", 2);
	buf_clear(&f.log);
	handler = (struct informer_handler){on_changed, on_synced, NULL, &f};
	informer_remove_handlers(f.informer, &f);
	informer_add_handler(f.informer, &handler);
	sim_env_run_until_idle(f.sim);
	expect_log(&f, "+a/x ! ");
	informer_remove_handlers(f.informer, &f);
	play(&f.script, WATCH_DELETED, "a", "x", 3);
	expect_log(&f, "");
	informer_add_handler(f.informer, &handler); /* freed before its turn */
	fixture_fini(&f);
}

TEST_MAIN(informer_tells_the_list_then_the_changes, informer_resumes_where_it_was,
	  informer_that_breaks_in_the_middle_of_a_second_list_lists_again,
	  informer_ignores_what_it_was_told_before, informer_finds_by_namespace_and_by_index,
	  late_handlers_hear_what_is_there_and_removed_ones_nothing)
