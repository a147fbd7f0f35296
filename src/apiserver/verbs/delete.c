/* SPDX-License-Identifier: Apache-2.0 */
/* delete and deletecollection: upstream's rules of graceful deletion (apiserver registry/rest BeforeDelete) and finalizers. */
#include "apiserver/apiserver_internal.h"
#include "apiserver/codec.h"
#include "apiserver/meta.h"
#include "apiserver/verbs/verbs.h"
#include "apiserver/verbs/write.h"

#define FINALIZER_ORPHAN STR("orphan")
#define FINALIZER_FOREGROUND STR("foregroundDeletion")

static struct meta_status *check_preconditions(struct write *w,
					       const struct meta_delete_options *options)
{
	struct request *r = w->r;
	struct status_about about = request_about(r);
	const struct meta_preconditions *p = options->preconditions;

	if (!p) {
		return NULL;
	}
	if (p->uid && !str_eq(*p->uid, w->old->metadata.uid)) {
		return status_conflict(&r->arena, &about,
				       arena_printf(&r->arena,
						    "Precondition failed: UID in precondition: "
						    "%.*s, UID in object meta: %.*s",
						    STR_ARG(*p->uid),
						    STR_ARG(w->old->metadata.uid)));
	}
	if (p->resource_version &&
	    !str_eq(*p->resource_version, w->old->metadata.resource_version)) {
		return status_conflict(&r->arena, &about,
				       arena_printf(&r->arena,
						    "Precondition failed: ResourceVersion in "
						    "precondition: %.*s, ResourceVersion in "
						    "object meta: %.*s",
						    STR_ARG(*p->resource_version),
						    STR_ARG(w->old->metadata.resource_version)));
	}
	return NULL;
}

/* Seconds that a pod has left to end; 0 for everything else: only pods are deleted gracefully. */
static int64_t grace_of(struct write *w, const struct meta_delete_options *options)
{
	const struct core_pod *pod = (const void *)w->old;
	int64_t grace = 30;

	if (w->r->resource != &resource_core_pods) {
		return 0;
	}
	if (options->grace_period_seconds) {
		grace = *options->grace_period_seconds;
	} else if (pod->spec.termination_grace_period_seconds) {
		grace = *pod->spec.termination_grace_period_seconds;
	}
	if (!pod->spec.node_name.n || str_is(pod->status.phase, "Failed") ||
	    str_is(pod->status.phase, "Succeeded")) {
		return 0; /* nothing runs */
	}
	return grace < 0 ? 1 : grace;
}

static bool has_finalizer(const struct meta_object_meta *m, struct str name)
{
	for (size_t i = 0; i < m->finalizers.n; i++) {
		if (str_eq(m->finalizers.p[i], name)) {
			return true;
		}
	}
	return false;
}

static void set_finalizer(struct arena *a, struct meta_object_meta *m, struct str name, bool wanted)
{
	struct str *p = ARENA_ARRAY(a, m->finalizers.n + 1, struct str);
	size_t n = 0;

	for (size_t i = 0; i < m->finalizers.n; i++) {
		if (!str_eq(m->finalizers.p[i], name)) {
			p[n++] = m->finalizers.p[i];
		}
	}
	if (wanted) {
		p[n++] = name;
	}
	m->finalizers.p = p;
	m->finalizers.n = n;
}

/* The propagation policy is kept as a finalizer that the garbage collector takes off. */
static void apply_propagation(struct write *w, const struct meta_delete_options *options)
{
	struct meta_object_meta *m = &w->obj->metadata;
	bool orphan = has_finalizer(m, FINALIZER_ORPHAN);
	bool foreground = has_finalizer(m, FINALIZER_FOREGROUND);

	if (options->orphan_dependents) {
		orphan = *options->orphan_dependents;
		foreground = false;
	} else if (options->propagation_policy) {
		orphan = str_is(*options->propagation_policy, "Orphan");
		foreground = str_is(*options->propagation_policy, "Foreground");
	}
	if (orphan != has_finalizer(m, FINALIZER_ORPHAN)) {
		set_finalizer(&w->r->arena, m, FINALIZER_ORPHAN, orphan);
	}
	if (foreground != has_finalizer(m, FINALIZER_FOREGROUND)) {
		set_finalizer(&w->r->arena, m, FINALIZER_FOREGROUND, foreground);
	}
}

static void mark(struct write *w, int64_t grace)
{
	struct arena *a = &w->r->arena;
	struct meta_object_meta *m = &w->obj->metadata;

	m->deletion_timestamp = ARENA_NEW(a, struct timestamp);
	*m->deletion_timestamp = (struct timestamp){
		.sec = env_wall_ns(w->r->api->env) / NS_PER_SEC + grace, .set = true};
	m->deletion_grace_period_seconds = ARENA_NEW(a, int64_t);
	*m->deletion_grace_period_seconds = grace;
	if (m->generation > 0) {
		m->generation++;
	}
	if (w->r->resource == &resource_core_namespaces) {
		((struct core_namespace *)(void *)w->obj)->status.phase = STR("Terminating");
	}
}

static void stored(void *ctx, const struct store_result *result)
{
	struct write *w = ctx;
	struct request *r = w->r;
	enum stage_result done;

	if (result->code == 0) {
		done = answer_value(r, 200, w->value);
	} else {
		done = answer_status(
			r,
			status_internal(&r->arena, arena_str(&r->arena, str_of(result->message))));
	}
	store_value_unref(w->base);
	store_value_unref(w->value);
	request_resume(r, done);
}

static enum stage_result store_marked(struct write *w)
{
	struct request *r = w->r;
	struct store_op op = {.kind = STORE_PUT, .key = r->key, .expect = w->base->mod_revision};

	w->value = codec_encode_value(r->resource, w->obj, w->base);
	if (r->options.dry_run) {
		answer_value(r, 200, w->value);
		store_value_unref(w->base);
		store_value_unref(w->value);
		return STAGE_ANSWERED;
	}
	op.value = store_value_ref(w->value);
	store_commit(r->api->store, &op, 1, stored, w);
	return STAGE_PENDING;
}

/* A second DELETE while the first one waits may only shorten the time. */
static enum stage_result delete_again(struct write *w, int64_t grace)
{
	struct meta_object_meta *m = &w->obj->metadata;
	int64_t left = m->deletion_grace_period_seconds ? *m->deletion_grace_period_seconds : 0;

	if (grace < left) {
		int64_t *shorter = ARENA_NEW(&w->r->arena, int64_t);
		struct timestamp *at = ARENA_NEW(&w->r->arena, struct timestamp);

		*shorter = grace;
		*at = *m->deletion_timestamp;
		at->sec -= left - grace;
		m->deletion_grace_period_seconds = shorter;
		m->deletion_timestamp = at;
	}
	return store_marked(w);
}

enum stage_result delete_object(struct write *w, const struct meta_delete_options *options)
{
	struct meta_status *refusal = check_preconditions(w, options);
	int64_t grace;

	if (refusal) {
		return write_refuse(w, refusal);
	}
	w->obj = codec_decode_value(&w->r->arena, w->r->resource, w->base);
	apply_propagation(w, options);
	grace = grace_of(w, options);
	if (w->obj->metadata.deletion_timestamp) {
		if (grace == 0 && w->obj->metadata.finalizers.n == 0 &&
		    !meta_has_spec_finalizers(w->r->resource, w->obj)) {
			return write_delete_now(w);
		}
		return delete_again(w, grace);
	}
	if (grace == 0 && w->obj->metadata.finalizers.n == 0 &&
	    !meta_has_spec_finalizers(w->r->resource, w->obj)) {
		return write_delete_now(w);
	}
	mark(w, grace);
	return store_marked(w);
}

enum stage_result verb_delete(struct request *r)
{
	struct write *w = write_new(r, WRITE_DELETE);
	struct status_about about = request_about(r);
	struct meta_status *refusal;

	if (!w->base) {
		return answer_status(r, status_not_found(&r->arena, &about));
	}
	refusal = admit(w);
	if (refusal) {
		return write_refuse(w, refusal);
	}
	return delete_object(w, r->options.delete_options);
}

/* deletecollection: each object on its own, in order; an object that is gone already is no failure. */
struct collection {
	struct request *r;
	const struct store_value **items;
	struct str *names, *namespaces;
	size_t n, left;
	struct meta_status *failure;
	int64_t revision;
};

struct one_delete {
	struct request request; /* of its own: arena, answer */
	struct collection *all;
};

static void finish_collection(struct collection *c)
{
	struct request *r = c->r;

	if (c->failure) {
		answer_status(r, c->failure);
		return;
	}
	/* Upstream answers with the list of what was deleted. */
	r->answer.kind = ANSWER_LIST;
	r->answer.http_status = 200;
	r->answer.list = (struct answer_list){.items = c->items,
					      .n = c->n,
					      .revision = store_revision(r->api->store).n,
					      .remaining = -1};
}

static void one_deleted(struct request *sub)
{
	struct one_delete *one = CONTAINER_OF(sub, struct one_delete, request);
	struct collection *c = one->all;

	if (sub->answer.kind == ANSWER_STATUS && sub->answer.http_status >= 400 &&
	    sub->answer.http_status != 404 && !c->failure) {
		c->failure = status_new(&c->r->arena, sub->answer.http_status,
					arena_cstr(&c->r->arena, sub->answer.status->reason),
					arena_str(&c->r->arena, sub->answer.status->message));
	}
	request_fini(sub);
	mem_free(one);
	if (--c->left == 0) {
		finish_collection(c);
		request_resume(c->r, STAGE_ANSWERED);
	}
}

static void delete_one(struct collection *c, size_t i)
{
	struct one_delete *one = NEW(struct one_delete);
	struct request *sub = &one->request;
	enum stage_result result;

	request_init(sub, c->r->api);
	one->all = c;
	sub->info = c->r->info;
	sub->info.name = c->names[i];
	sub->info.ns = c->namespaces[i];
	sub->user = c->r->user;
	sub->resource = c->r->resource;
	sub->options = c->r->options;
	sub->key = registry_key(&sub->arena, sub->resource, sub->info.ns, sub->info.name);
	sub->answered = one_deleted;
	result = verb_delete(sub);
	if (result != STAGE_PENDING) {
		sub->answered(sub);
	}
}

enum stage_result verb_deletecollection(struct request *r)
{
	struct collection *c = ARENA_NEW(&r->arena, struct collection);
	enum stage_result result = verb_list(r);

	if (result != STAGE_ANSWERED || r->answer.kind != ANSWER_LIST) {
		return result;
	}
	c->r = r;
	c->items = r->answer.list.items;
	c->n = r->answer.list.n;
	r->answer = (struct answer){0};
	if (!c->n) {
		r->answer.kind = ANSWER_LIST;
		r->answer.http_status = 200;
		r->answer.list = (struct answer_list){.revision = store_revision(r->api->store).n,
						      .remaining = -1};
		return STAGE_ANSWERED;
	}
	c->names = ARENA_ARRAY(&r->arena, c->n, struct str);
	c->namespaces = ARENA_ARRAY(&r->arena, c->n, struct str);
	for (size_t i = 0; i < c->n; i++) {
		const struct object_head *obj =
			codec_decode_value(&r->arena, r->resource, c->items[i]);

		c->names[i] = obj->metadata.name;
		c->namespaces[i] = obj->metadata.namespace;
	}
	c->left = c->n + 1; /* the one is ours, so that nothing ends before all have begun */
	for (size_t i = 0; i < c->n; i++) {
		delete_one(c, i);
	}
	if (--c->left == 0) {
		finish_collection(c);
		return STAGE_ANSWERED;
	}
	return STAGE_PENDING;
}
