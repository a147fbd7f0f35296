/* SPDX-License-Identifier: Apache-2.0 */
/* The actions of one pass, from the first write to the last fence. */
#include "base/buf.h"
#include "client/event_recorder.h"
#include "controller/executor_internal.h"

#define FENCE_TIMEOUT_NS (300 * NS_PER_SEC) /* upstream's expectations expire after as long */
#define ASK_MIN_NS (100 * NS_PER_MS)
#define ASK_MAX_NS (30 * NS_PER_SEC)

/* One action under way. */
struct call {
	struct executor *ex;
	struct pass *pass; /* NULL: the executor has been freed */
	struct action *action;
	struct list link;
	struct env_timer retry;
	int64_t ask_ns;
};

/* ---- failures ---- */

void failure_free(struct failure_note *note)
{
	if (note) {
		arena_fini(&note->arena);
		mem_free(note);
	}
}

void failure_forget(struct runner *r, struct str key)
{
	failure_free(map_remove(&r->failures, key));
}

void pass_fail(struct pass *p, const struct pass_failure *failure)
{
	struct failure_note *note = NEW(struct failure_note);
	struct runner *r = p->runner;

	p->failed = true;
	note->failure = *failure;
	note->failure.reason = arena_str(&note->arena, failure->reason);
	note->failure.message = arena_str(&note->arena, failure->message);
	failure_free(map_put(&r->failures, p->key, note));
	log_debug(r->ex->config.log, 2, "%s: %.*s: %.*s", r->desc->name, STR_ARG(p->key),
		  STR_ARG(failure->message));
}

/* ---- fences ---- */

static bool fence_is_seen(const struct fence *f)
{
	const struct frozen *object;

	if (f->revision) {
		return informer_revision(f->informer) >= f->revision;
	}
	object = informer_get(f->informer, f->ns, f->name);
	return !object || object->head->metadata.deletion_timestamp ||
	       !str_eq(object->head->metadata.uid, f->uid);
}

static void add_fence(struct pass *p, const struct action *action, int64_t revision)
{
	struct informer *inf = informers_find(p->runner->ex->config.informers, action->resource);

	if (inf) {
		*vec_push(&p->fences) =
			(struct fence){inf, revision, action->ns, action->name, action->uid};
	}
}

static void on_fence_timeout(struct env_timer *timer)
{
	struct pass *p = CONTAINER_OF(timer, struct pass, timer);

	log_warning(p->runner->ex->config.log,
		    "%s: %.*s: a write was not seen within 5 minutes, going on without",
		    p->runner->desc->name, STR_ARG(p->key));
	pass_end(p);
}

void pass_settle(struct pass *p)
{
	if (!p->settling) {
		return;
	}
	while (p->fences.n && fence_is_seen(&p->fences.p[p->fences.n - 1])) {
		p->fences.n--;
	}
	if (!p->fences.n) {
		pass_end(p);
	}
}

static void start_settling(struct pass *p)
{
	p->settling = true;
	p->timer.fn = on_fence_timeout;
	env_timer_start_in(p->runner->ex->config.env, &p->timer, FENCE_TIMEOUT_NS);
	pass_settle(p);
}

/* ---- calls ---- */

static void call_ask(struct call *c);

static void call_free(struct call *c)
{
	list_remove(&c->link);
	mem_free(c);
}

/* The answer does not say whether the write took place. */
static bool is_unknown(const struct client_result *result)
{
	return result->code < 0 &&
	       (result->http_status == 0 || result->code == ERR_TIMEOUT || result->code == ERR_IO);
}

static void send_event(struct runner *r, const struct action_event *e, const char *type,
		       struct str more)
{
	struct buf b CLEANUP_BUF = {0};

	if (e->reason) {
		buf_add_str(&b, e->message);
		buf_add_str(&b, more);
		event_recorder_record(r->recorder, &e->about, type, e->reason, buf_str(&b));
	}
}

static void action_succeeded(struct call *c, int64_t revision)
{
	struct pass *p = c->pass;

	if (c->action->kind == ACTION_DELETE) {
		add_fence(p, c->action, 0);
	} else if (revision) {
		add_fence(p, c->action, revision);
	}
	send_event(p->runner, &c->action->on_success, "Normal", STR_NULL);
}

static void action_failed(struct call *c, enum verb verb, struct str reason, struct str message)
{
	send_event(c->pass->runner, &c->action->on_failure, "Warning", message);
	pass_fail(c->pass, &(struct pass_failure){verb, c->action->resource, reason, message});
}

static enum verb action_verb(const struct action *action)
{
	static const enum verb verbs[] = {
		[ACTION_CREATE] = VERB_CREATE,
		[ACTION_UPDATE] = VERB_UPDATE,
		[ACTION_PATCH] = VERB_PATCH,
		[ACTION_DELETE] = VERB_DELETE,
		[ACTION_CHECK_ABSENT] = VERB_LIST,
		[ACTION_CHECK_PRESENT] = VERB_LIST,
		[ACTION_CHECK_NONE] = VERB_LIST,
		[ACTION_DELETE_COLLECTION] = VERB_DELETECOLLECTION,
	};

	return verbs[action->kind];
}

static void call_over(struct call *c)
{
	struct pass *p = c->pass;

	call_free(c);
	p->in_flight--;
	pass_go_on(p);
}

/* True if the executor has been freed meanwhile; the call is gone then. */
static bool call_came_back_late(struct call *c)
{
	struct executor *ex = c->ex;

	ex->pending--;
	if (c->pass) {
		return false;
	}
	call_free(c);
	executor_drop_if_done(ex);
	return true;
}

/* The one object that a live read was to find, or NULL. */
static struct frozen *found_object(const struct client_result *result)
{
	return result->code == 0 && result->nitems ? result->items[0] : NULL;
}

/* Reads the action's object past the informers: a list, because that is what every reader of informers may do. */
static void call_read(struct call *c, client_done_fn done)
{
	struct client_request req = {.verb = VERB_LIST,
				     .resource = c->action->resource,
				     .ns = c->action->ns,
				     .limit = c->action->refuses ? 0 : 1};

	if (c->action->name.n) {
		req.field_selector = arena_printf(&c->pass->actions.arena, "metadata.name=%.*s",
						  STR_ARG(c->action->name));
	}
	c->ex->pending++;
	client_call(c->ex->config.reader, &req, done, c);
}

static bool is_check(const struct action *action)
{
	return action->kind == ACTION_CHECK_ABSENT || action->kind == ACTION_CHECK_PRESENT ||
	       action->kind == ACTION_CHECK_NONE;
}

static bool finds_any(const struct action *action, const struct client_result *result)
{
	if (!action->refuses) {
		return result->nitems > 0;
	}
	for (size_t i = 0; i < result->nitems; i++) {
		if (action->refuses(result->items[i], action->uid)) {
			return true;
		}
	}
	return false;
}

static void on_checked(void *ctx, const struct client_result *result)
{
	struct call *c = ctx;
	struct frozen *found = found_object(result);
	bool same;

	if (call_came_back_late(c)) {
		return;
	}
	same = found && (!c->action->uid.n || str_eq(found->head->metadata.uid, c->action->uid));
	if (result->code < 0) {
		action_failed(c, VERB_LIST, result->reason, result->message);
	} else if (c->action->kind == ACTION_CHECK_ABSENT && same) {
		action_failed(c, VERB_LIST, STR("StillThere"),
			      STR("the owner exists, but has not been seen here yet"));
	} else if (c->action->kind == ACTION_CHECK_PRESENT &&
		   (!same || found->head->metadata.deletion_timestamp)) {
		action_failed(c, VERB_LIST, STR("Gone"),
			      STR("the owner is being deleted: nothing is adopted for it"));
	} else if (c->action->kind == ACTION_CHECK_NONE && finds_any(c->action, result)) {
		action_failed(c, VERB_LIST, STR("StillThere"),
			      STR("the API has something that has not been seen here yet"));
	}
	call_over(c);
}

static void on_done(void *ctx, const struct client_result *result)
{
	struct call *c = ctx;

	if (call_came_back_late(c)) {
		return;
	}
	if (is_unknown(result) && c->action->kind != ACTION_DELETE_COLLECTION) {
		call_ask(c);
		return;
	} else if (c->action->kind == ACTION_DELETE &&
		   (result->code == ERR_NOT_FOUND ||
		    (result->code == ERR_CONFLICT && !c->action->opts.resource_version.n))) {
		action_succeeded(c, 0); /* gone, or another object by now */
	} else if (result->code < 0) {
		action_failed(c, action_verb(c->action), result->reason, result->message);
	} else {
		action_succeeded(c, result->object ? result->object->revision : 0);
	}
	call_over(c);
}

static struct client_request request_of(const struct action *action)
{
	struct client_request req = {
		.verb = action_verb(action),
		.resource = action->resource,
		.subresource = action->subresource,
		.ns = action->ns,
		.name = action->name,
	};

	switch (action->kind) {
	case ACTION_CREATE:
		/* The name stands in the body. */
		req.name = STR_NULL;
		__attribute__((fallthrough));
	case ACTION_UPDATE:
		req.body = action->obj;
		req.body_type = action->resource->type;
		break;
	case ACTION_PATCH:
		req.patch_type = action->patch_type;
		req.patch = action->patch;
		break;
	case ACTION_DELETE:
		req.precondition_uid = action->opts.uid;
		req.precondition_resource_version = action->opts.resource_version;
		req.propagation = action->opts.propagation;
		req.grace_period_seconds = action->opts.grace_period_seconds;
		break;
	case ACTION_DELETE_COLLECTION:
		req.propagation = PROPAGATION_BACKGROUND;
		break;
	case ACTION_CHECK_ABSENT:
	case ACTION_CHECK_PRESENT:
	case ACTION_CHECK_NONE:
		break;
	}
	return req;
}

static void call_issue(struct call *c)
{
	struct client_request req;

	if (is_check(c->action)) {
		call_read(c, on_checked);
		return;
	}
	req = request_of(c->action);
	c->ex->pending++;
	c->pass->runner->metrics.writes++;
	client_call(c->pass->runner->client, &req, on_done, c);
}

/* ---- after a lost answer ---- */

static void on_asked(void *ctx, const struct client_result *result)
{
	struct call *c = ctx;
	struct frozen *found = found_object(result);

	if (call_came_back_late(c)) {
		return;
	}
	if (result->code < 0) {
		env_timer_start_in(c->ex->config.env, &c->retry, c->ask_ns);
		c->ask_ns = MIN(c->ask_ns * 2, ASK_MAX_NS);
		return;
	}
	/* Whatever happened is known once the informer shows what was read. The pass ends as failed in any case: the next one
	 * looks at the result and does what is still missing. */
	if (found) {
		add_fence(c->pass, c->action, found->revision);
	} else if (c->action->uid.n) {
		add_fence(c->pass, c->action, 0);
	}
	pass_fail(c->pass, &(struct pass_failure){
				   action_verb(c->action), NULL, STR("Timeout"),
				   STR("no answer to a write; its object has been read again")});
	call_over(c);
}

static void on_ask_again(struct env_timer *timer)
{
	call_read(CONTAINER_OF(timer, struct call, retry), on_asked);
}

static void call_ask(struct call *c)
{
	c->ask_ns = ASK_MIN_NS;
	c->retry.fn = on_ask_again;
	on_ask_again(&c->retry);
}

void calls_abandon(struct executor *ex)
{
	LIST_FOR_EACH_SAFE(l, &ex->calls)
	{
		struct call *c = CONTAINER_OF(l, struct call, link);

		c->pass = NULL;
		c->action = NULL;
		if (c->retry.at_mono_ns) {
			env_timer_stop(ex->config.env, &c->retry);
			call_free(c);
		}
	}
}

/* ---- stages ---- */

static bool is_pod_write(const struct action *action)
{
	return action->resource == &resource_core_pods &&
	       (action->kind == ACTION_CREATE || action->kind == ACTION_DELETE);
}

static void action_issue(struct pass *p, struct action *action)
{
	struct call *c = NEW(struct call);

	c->ex = p->runner->ex;
	c->pass = p;
	c->action = action;
	list_add_tail(&c->ex->calls, &c->link);
	p->in_flight++;
	call_issue(c);
}

/* Issues what may go out now of the current stage: everything but pods beyond the batch. */
static void stage_issue(struct pass *p)
{
	int stage = p->actions.list.p[p->next].stage;
	size_t pods = 0;

	for (size_t i = p->next; i < p->actions.list.n && p->actions.list.p[i].stage == stage;
	     i++) {
		struct action *action = &p->actions.list.p[i];

		if (action->issued || (is_pod_write(action) && pods++ >= p->pods_batch)) {
			continue;
		}
		action->issued = true;
		action_issue(p, action);
	}
	while (p->next < p->actions.list.n && p->actions.list.p[p->next].issued) {
		p->next++;
	}
}

/* Called whenever something may have become possible. */
void pass_go_on(struct pass *p)
{
	if (p->in_flight || p->settling) {
		return;
	}
	if (p->failed || p->next == p->actions.list.n) {
		if (!p->failed && p->actions.failure.n) {
			pass_fail(p, &(struct pass_failure){.message = p->actions.failure});
		}
		start_settling(p);
		return;
	}
	/* Everything so far has succeeded: twice as much next time. */
	p->pods_batch = p->pods_batch ? p->pods_batch * 2 : 1;
	stage_issue(p);
}
