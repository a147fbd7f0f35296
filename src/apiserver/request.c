/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/request.h"

#include <stdarg.h>

#include "apiserver/apiserver_internal.h"

static const stage_fn stages[] = {
#define STAGE(name) stage_##name,
#include "apiserver/stages.def"
#undef STAGE
};

void request_init(struct request *r, struct apiserver *api)
{
	r->api = api;
	r->start_mono_ns = env_mono_ns(api->env);
}

void request_fini(struct request *r)
{
	store_value_unref(r->answer.value);
	for (size_t i = 0; i < r->answer.list.n; i++) {
		store_value_unref(r->answer.list.items[i]);
	}
	vec_fini(&r->warnings);
	arena_fini(&r->arena);
}

void request_run(struct request *r)
{
	while (r->stage < ARRAY_LEN(stages)) {
		enum stage_result result = stages[r->stage](r);

		if (result == STAGE_PENDING) {
			return;
		}
		if (result == STAGE_ANSWERED) {
			break;
		}
		r->stage++;
	}
	ASSERT(r->answer.kind != ANSWER_NONE);
	r->answered(r);
}

void request_resume(struct request *r, enum stage_result result)
{
	if (result == STAGE_PENDING) {
		return;
	}
	if (result == STAGE_ANSWERED) {
		ASSERT(r->answer.kind != ANSWER_NONE);
		r->answered(r);
		return;
	}
	r->stage++;
	request_run(r);
}

enum stage_result answer_status(struct request *r, struct meta_status *status)
{
	r->answer.kind = ANSWER_STATUS;
	r->answer.status = status;
	r->answer.http_status = status->code ? status->code : 200;
	return STAGE_ANSWERED;
}

enum stage_result answer_value(struct request *r, int http_status, const struct store_value *value)
{
	r->answer.kind = ANSWER_VALUE;
	r->answer.http_status = http_status;
	r->answer.value = store_value_ref(value);
	return STAGE_ANSWERED;
}

enum stage_result answer_object(struct request *r, int http_status, const void *object,
				const struct type_desc *type)
{
	r->answer.kind = ANSWER_OBJECT;
	r->answer.http_status = http_status;
	r->answer.object = object;
	r->answer.type = type;
	return STAGE_ANSWERED;
}

enum stage_result answer_bytes(struct request *r, int http_status, const char *content_type,
			       struct str bytes)
{
	r->answer.kind = ANSWER_BYTES;
	r->answer.http_status = http_status;
	r->answer.content_type = content_type;
	r->answer.bytes = bytes;
	return STAGE_ANSWERED;
}

struct status_about request_about(const struct request *r)
{
	return (struct status_about){r->info.group, r->info.resource, r->info.name};
}

void request_warn(struct request *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	*vec_push(&r->warnings) = arena_vprintf(&r->arena, fmt, ap);
	va_end(ap);
}
