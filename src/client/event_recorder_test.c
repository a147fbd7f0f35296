/* SPDX-License-Identifier: Apache-2.0 */
#include "client/event_recorder.h"

#include "base/test.h"
#include "env/sim_env.h"

/* Answers every write with success, or as told, on the next turn. */
struct sink {
	struct client base;
	struct env_task task;
	client_done_fn done;
	void *ctx;
	int creates, patches, code;
	int32_t count;	 /* of the newest create */
	char text[1200]; /* message or patch */
};

static void answer(struct env_task *task)
{
	struct sink *s = CONTAINER_OF(task, struct sink, task);
	struct client_result result = {.code = s->code, .http_status = s->code ? 404 : 200};

	s->code = 0;
	s->done(s->ctx, &result);
}

static void sink_call(struct client *client, const struct client_request *req, client_done_fn done,
		      void *ctx)
{
	struct sink *s = CONTAINER_OF(client, struct sink, base);

	s->done = done;
	s->ctx = ctx;
	s->task.fn = answer;
	if (req->verb == VERB_CREATE) {
		const struct core_event *e = req->body;

		s->creates++;
		s->count = e->count;
		EXPECT_STR(e->source.component, "replicaset-controller");
		EXPECT_STR(e->reporting_component, "replicaset-controller");
		EXPECT_STR(e->metadata.namespace, "shop");
		assert_true(str_has_prefix(e->metadata.name, STR("web.")));
		snprintf(s->text, sizeof(s->text), "%.*s", STR_ARG(e->message));
	} else {
		s->patches++;
		snprintf(s->text, sizeof(s->text), "%.*s", STR_ARG(req->patch));
	}
	env_post(client->env, &s->task);
}

static struct client_watch *no_watch(struct client *client UNUSED,
				     const struct client_watch_opts *opts UNUSED)
{
	return NULL;
}

static void no_stop(struct client_watch *watch UNUSED)
{
}

static void no_free(struct client *client UNUSED)
{
}

static const struct client_ops sink_ops = {sink_call, no_watch, no_stop, no_free};

static const struct core_object_reference web = {.kind = STR_INIT("ReplicaSet"),
						 .namespace = STR_INIT("shop"),
						 .name = STR_INIT("web"),
						 .uid = STR_INIT("u")};

TEST(an_event_that_comes_again_is_counted_in_the_same_object)
{
	struct sim_env *sim = sim_env_new(1);
	struct sink s = {.base = {&sink_ops, sim_env_env(sim), "t"}};
	struct event_recorder *r =
		event_recorder_new(&s.base, STR("replicaset-controller"), STR_NULL);

	event_recorder_record(r, &web, "Warning", "FailedCreate", STR("quota"));
	event_recorder_record(r, &web, "Warning", "FailedCreate",
			      STR("quota")); /* while the first is under way */
	sim_env_run_until_idle(sim);
	assert_int_equal(s.creates, 1);
	assert_int_equal(s.patches, 1);
	assert_non_null(strstr(s.text, "\"count\":2"));
	/* The object has expired meanwhile: a new one takes the count over. */
	s.code = ERR_NOT_FOUND;
	event_recorder_record(r, &web, "Warning", "FailedCreate", STR("quota"));
	sim_env_run_until_idle(sim);
	assert_int_equal(s.creates, 2);
	assert_int_equal(s.count, 3);
	event_recorder_free(r);
	sim_env_free(sim);
}

TEST(many_similar_events_become_one)
{
	struct sim_env *sim = sim_env_new(1);
	struct sink s = {.base = {&sink_ops, sim_env_env(sim), "t"}};
	struct event_recorder *r =
		event_recorder_new(&s.base, STR("replicaset-controller"), STR_NULL);
	char message[32];

	for (int i = 0; i < 15; i++) {
		snprintf(message, sizeof(message), "Created pod: web-%d", i);
		event_recorder_record(r, &web, "Normal", "SuccessfulCreate", str_of(message));
		sim_env_run_until_idle(sim);
	}
	assert_int_equal(s.creates, 11);
	assert_int_equal(s.patches, 4);
	assert_non_null(strstr(s.text, "(combined from similar events): Created pod: web-14"));
	event_recorder_free(r);
	sim_env_free(sim);
}

TEST(one_object_gets_25_events_and_then_one_every_five_minutes)
{
	struct sim_env *sim = sim_env_new(1);
	struct sink s = {.base = {&sink_ops, sim_env_env(sim), "t"}};
	struct event_recorder *r =
		event_recorder_new(&s.base, STR("replicaset-controller"), STR_NULL);

	for (int i = 0; i < 40; i++) {
		event_recorder_record(r, &web, "Normal", "Same", STR("same"));
		sim_env_run_until_idle(sim);
	}
	assert_int_equal(s.creates + s.patches, 25);
	sim_env_advance(sim, 301 * NS_PER_SEC);
	event_recorder_record(r, &web, "Normal", "Same", STR("same"));
	event_recorder_record(r, &web, "Normal", "Same", STR("same"));
	sim_env_run_until_idle(sim);
	assert_int_equal(s.creates + s.patches, 26);
	event_recorder_record(r, &web, "Normal", "Same", STR("same"));
	event_recorder_free(r);
	sim_env_free(sim);
}

TEST_MAIN(an_event_that_comes_again_is_counted_in_the_same_object, many_similar_events_become_one,
	  one_object_gets_25_events_and_then_one_every_five_minutes)
