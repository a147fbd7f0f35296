/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/verbs/write.h"

#include "apiserver/apiserver_internal.h"
#include "apiserver/codec.h"
#include "apiserver/meta.h"
#include "object/defaults.h"
#include "object/object.h"
#include "object/validate.h"

struct write *write_new(struct request *r, enum write_kind kind)
{
	struct write *w = ARENA_NEW(&r->arena, struct write);

	w->r = r;
	w->kind = kind;
	w->strategy = strategy_find(r->resource);
	w->http_status = kind == WRITE_CREATE ? 201 : 200;
	r->verb_state = w;
	if (kind != WRITE_CREATE) {
		const struct store_value *base = store_peek(r->api->store, r->key);

		if (base) {
			w->base = store_value_ref(base);
			w->old = codec_decode_value(&r->arena, r->resource, base);
		}
	}
	return w;
}

static enum stage_result answer_stored(struct write *w, const struct store_value *value)
{
	return w->answer ? w->answer(w->r, value) : answer_value(w->r, w->http_status, value);
}

static void write_failed(struct write *w)
{
	if (w->on_failure) {
		w->on_failure(w);
		w->on_failure = NULL;
	}
}

static void write_drop(struct write *w)
{
	store_value_unref(w->base);
	store_value_unref(w->value);
	w->base = NULL;
	w->value = NULL;
}

static struct meta_status *store_failure(struct request *r, const struct store_result *result)
{
	struct str why = str_of(result->message ? result->message : err_text(result->code));

	if (result->code == ERR_CLOSED) {
		return status_unavailable(&r->arena, STR("the server is shutting down"));
	}
	return status_internal(&r->arena, arena_str(&r->arena, why));
}

/* A comparison against the store failed: only possible when what we built on was lost with a failed batch, or for a create. */
static struct meta_status *lost_race(struct write *w)
{
	struct status_about about = request_about(w->r);

	if (w->kind == WRITE_CREATE) {
		about.name = w->obj->metadata.name;
		return status_already_exists(&w->r->arena, &about);
	}
	return status_modified(&w->r->arena, &about);
}

static void committed(void *ctx, const struct store_result *result)
{
	struct write *w = ctx;
	struct request *r = w->r;
	enum stage_result done;

	if (result->code == 0) {
		done = answer_stored(w, w->value);
	} else {
		write_failed(w);
		done = answer_status(r, result->code == ERR_CONFLICT ? lost_race(w)
								     : store_failure(r, result));
	}
	write_drop(w);
	request_resume(r, done);
}

static enum stage_result commit(struct write *w)
{
	struct request *r = w->r;
	struct store_op op = {
		.kind = STORE_PUT,
		.key = r->key,
		.value = store_value_ref(w->value),
		.expect = w->base ? w->base->mod_revision : (struct revision){0},
	};

	store_commit(r->api->store, &op, 1, committed, w);
	return STAGE_PENDING;
}

/* What was decided from a pending version may be told once that version is durable. */
static void base_durable(void *ctx, const struct store_result *result)
{
	struct write *w = ctx;
	struct request *r = w->r;
	enum stage_result done;

	if (w->refusal) {
		done = answer_status(r, w->refusal);
	} else if (result->code == 0) {
		done = answer_stored(w, w->base);
	} else {
		done = answer_status(r, store_failure(r, result));
	}
	write_drop(w);
	request_resume(r, done);
}

static enum stage_result wait_for_base(struct write *w)
{
	struct store_op op = {
		.kind = STORE_CHECK,
		.key = w->r->key,
		.expect = w->base ? w->base->mod_revision : (struct revision){0},
	};

	store_commit(w->r->api->store, &op, 1, base_durable, w);
	return STAGE_PENDING;
}

enum stage_result write_refuse(struct write *w, struct meta_status *refusal)
{
	write_failed(w);
	if (!w->base) {
		return answer_status(w->r, refusal);
	}
	w->refusal = refusal;
	return wait_for_base(w);
}

struct meta_status *admit(struct write *w)
{
	static struct meta_status *(*const plugins[])(struct write *) = {
#define ADMISSION(name) admit_##name,
#include "apiserver/admission.def"
#undef ADMISSION
	};

	for (size_t i = 0; i < ARRAY_LEN(plugins); i++) {
		struct meta_status *refusal = plugins[i](w);

		if (refusal) {
			return refusal;
		}
	}
	return NULL;
}

static void set_defaults(struct write *w)
{
	object_apply_defaults(&w->r->arena, w->r->resource->type, w->obj);
	if (w->strategy->set_defaults) {
		w->strategy->set_defaults(&w->r->arena, w->obj);
	}
}

static struct meta_status *validate(struct write *w)
{
	struct request *r = w->r;
	const struct strategy *s = w->strategy;
	struct field_errors errs = {.arena = &r->arena};

	meta_validate(r->resource, s, w->obj, w->old, &errs);
	object_validate(&errs, r->resource->type, w->obj, w->old, VALIDATE_BUILTIN);
	if (w->kind == WRITE_STATUS) {
		if (s->validate_status) {
			s->validate_status(&errs, w->obj, w->old);
		}
	} else if (s->validate) {
		s->validate(&errs, w->obj, w->old);
	}
	if (errs.n) {
		return status_invalid(&r->arena, str_of(r->resource->group),
				      str_of(r->resource->kind), w->obj->metadata.name, &errs);
	}
	return NULL;
}

enum { UNSUPPORTED_MAX = 50 };

static struct meta_status *refuse_fields(struct request *r, const struct object_head *obj,
					 const struct unsupported *found, size_t n)
{
	struct field_errors errs = {.arena = &r->arena};

	for (size_t i = 0; i < n; i++) {
		if (found[i].support == SUPPORT_REFUSED) {
			struct path at = path_field(NULL, found[i].path);

			field_forbidden(&errs, &at,
					"this server does not support the field yet, and ignoring "
					"it would not be safe");
		}
	}
	return errs.n ? status_invalid(&r->arena, str_of(r->resource->group),
				       str_of(r->resource->kind), obj->metadata.name, &errs)
		      : NULL;
}

/* I12: what the table calls only stored answers with a warning; what it refuses is refused. */
static struct meta_status *check_support(struct write *w)
{
	struct request *r = w->r;
	struct unsupported found[UNSUPPORTED_MAX];
	struct meta_status *refusal;
	size_t n;

	if (w->kind == WRITE_STATUS || w->kind == WRITE_FINALIZE) {
		return NULL;
	}
	if (r->resource->support == SUPPORT_STORED) {
		if (w->kind == WRITE_CREATE) {
			request_warn(r, "%s is stored, but nothing in this server acts on it yet",
				     r->resource->kind);
		}
		return NULL;
	}
	n = object_find_unsupported(&r->arena, r->resource->type, SUPPORT_ACTS, w->obj, w->old,
				    found, ARRAY_LEN(found));
	refusal = refuse_fields(r, w->obj, found, n);
	for (size_t i = 0; !refusal && i < n; i++) {
		request_warn(r, "%.*s is stored, but nothing in this server acts on it yet",
			     STR_ARG(found[i].path));
	}
	return refusal;
}

static void add_warning(void *ctx, struct str text)
{
	request_warn(ctx, "%.*s", STR_ARG(text));
}

/* An object that only waited for its finalizers goes as soon as the last one is gone. */
static bool is_done_for(const struct write *w)
{
	const struct meta_object_meta *m = &w->obj->metadata;

	return w->kind != WRITE_CREATE && m->deletion_timestamp && m->finalizers.n == 0 &&
	       (!m->deletion_grace_period_seconds || *m->deletion_grace_period_seconds == 0) &&
	       !meta_has_spec_finalizers(w->r->resource, w->obj);
}

enum stage_result write_finish(struct write *w)
{
	struct request *r = w->r;
	struct meta_status *refusal;

	set_defaults(w);
	if (w->kind == WRITE_CREATE) {
		meta_prepare_create(r, w->strategy, w->obj);
		if (w->strategy->prepare_create) {
			w->strategy->prepare_create(&r->arena, w->obj);
		}
	} else if (w->kind == WRITE_UPDATE) {
		meta_prepare_update(r, w->obj, w->old);
		if (w->strategy->prepare_update) {
			w->strategy->prepare_update(&r->arena, w->obj, w->old);
		}
	} else if (w->kind == WRITE_STATUS) {
		meta_prepare_status(r, w->obj, w->old);
		if (w->strategy->prepare_status) {
			w->strategy->prepare_status(&r->arena, w->obj, w->old);
		}
	}
	refusal = admit(w);
	if (!refusal) {
		set_defaults(
			w); /* admission may have added parts that have defaults of their own */
		if (w->old && w->strategy->generation) {
			meta_bump_generation(r->resource, w->strategy, w->obj, w->old);
		}
		refusal = validate(w);
	}
	if (!refusal) {
		refusal = check_support(w);
	}
	if (refusal) {
		return write_refuse(w, refusal);
	}
	if (w->strategy->warn) {
		w->strategy->warn(&(struct warn_sink){&r->arena, add_warning, r}, w->obj, w->old);
	}
	if (is_done_for(w)) {
		return write_delete_now(w);
	}
	if (w->kind == WRITE_CREATE) {
		r->key = registry_key(&r->arena, r->resource, w->obj->metadata.namespace,
				      w->obj->metadata.name);
	}
	w->value = codec_encode_value(r->resource, w->obj, w->base);
	if (r->options.dry_run) {
		if (w->kind == WRITE_CREATE && store_peek(r->api->store, r->key)) {
			store_value_unref(w->value);
			w->value = NULL;
			return answer_status(r, lost_race(w));
		}
		answer_stored(w, w->value);
		write_drop(w);
		return STAGE_ANSWERED;
	}
	if (w->base && codec_same_text(w->value, w->base)) {
		store_value_unref(w->value);
		w->value = NULL;
		return wait_for_base(w);
	}
	return commit(w);
}

static void deleted(void *ctx, const struct store_result *result)
{
	struct write *w = ctx;
	struct request *r = w->r;
	struct status_about about = request_about(r);
	enum stage_result done;

	if (result->code == 0 && meta_answers_deleted_object(r->resource)) {
		done = answer_value(r, 200, w->base);
	} else if (result->code == 0) {
		done = answer_status(r, status_success(&r->arena, &about, w->old->metadata.uid));
	} else if (result->code == ERR_CONFLICT) {
		done = answer_status(r, status_modified(&r->arena, &about));
	} else {
		done = answer_status(r, store_failure(r, result));
	}
	write_drop(w);
	request_resume(r, done);
}

enum stage_result write_delete_now(struct write *w)
{
	struct request *r = w->r;
	struct store_op op = {.kind = STORE_DELETE, .key = r->key, .expect = w->base->mod_revision};
	struct status_about about = request_about(r);

	if (r->options.dry_run) {
		enum stage_result done =
			meta_answers_deleted_object(r->resource)
				? answer_value(r, 200, w->base)
				: answer_status(r, status_success(&r->arena, &about,
								  w->old->metadata.uid));

		write_drop(w);
		return done;
	}
	store_commit(r->api->store, &op, 1, deleted, w);
	return STAGE_PENDING;
}
