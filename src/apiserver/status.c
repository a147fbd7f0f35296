/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/status.h"

#include <stdarg.h>

struct meta_status *status_new(struct arena *a, int code, const char *reason, struct str message)
{
	struct meta_status *s = ARENA_NEW(a, struct meta_status);

	s->kind = STR("Status");
	s->api_version = STR("v1");
	s->status = STR("Failure");
	s->code = code;
	s->reason = str_of(reason);
	s->message = message;
	return s;
}

static struct meta_status *with_details(struct arena *a, struct meta_status *s,
					const struct status_about *about)
{
	s->details = ARENA_NEW(a, struct meta_status_details);
	if (about) {
		s->details->name = about->name;
		s->details->group = about->group;
		s->details->kind = about->resource; /* upstream puts the resource here */
	}
	return s;
}

/* pods, or deployments.apps */
static struct str qualified(struct arena *a, struct str resource, struct str group)
{
	return group.n ? arena_printf(a, "%.*s.%.*s", STR_ARG(resource), STR_ARG(group)) : resource;
}

static struct str about_text(struct arena *a, const struct status_about *about)
{
	struct str q = qualified(a, about->resource, about->group);

	return arena_printf(a, "%.*s \"%.*s\"", STR_ARG(q), STR_ARG(about->name));
}

struct meta_status *status_bad_request(struct arena *a, const char *fmt, ...)
{
	struct str message;
	va_list ap;

	va_start(ap, fmt);
	message = arena_vprintf(a, fmt, ap);
	va_end(ap);
	return status_new(a, 400, "BadRequest", message);
}

struct meta_status *status_unauthorized(struct arena *a)
{
	return status_new(a, 401, "Unauthorized", STR("Unauthorized"));
}

struct meta_status *status_forbidden(struct arena *a, const struct status_about *about,
				     struct str why)
{
	struct str q = qualified(a, about->resource, about->group);
	struct str message;

	if (!about->resource.n) {
		message = arena_printf(a, "forbidden: %.*s", STR_ARG(why));
	} else if (!about->name.n) {
		message = arena_printf(a, "%.*s is forbidden: %.*s", STR_ARG(q), STR_ARG(why));
	} else {
		message = arena_printf(a, "%.*s \"%.*s\" is forbidden: %.*s", STR_ARG(q),
				       STR_ARG(about->name), STR_ARG(why));
	}
	return with_details(a, status_new(a, 403, "Forbidden", message), about);
}

struct meta_status *status_path_not_found(struct arena *a)
{
	return with_details(a,
			    status_new(a, 404, "NotFound",
				       STR("the server could not find the requested resource")),
			    NULL);
}

struct meta_status *status_not_found(struct arena *a, const struct status_about *about)
{
	struct str text = about_text(a, about);

	return with_details(
		a, status_new(a, 404, "NotFound", arena_printf(a, "%.*s not found", STR_ARG(text))),
		about);
}

struct meta_status *status_method_not_allowed(struct arena *a, const struct status_about *about,
					      struct str verb)
{
	struct str q = qualified(a, about->resource, about->group);
	struct str message =
		q.n ? arena_printf(a, "%.*s is not supported on resources of kind \"%.*s\"",
				   STR_ARG(verb), STR_ARG(q))
		    : STR("the server does not allow this method on the requested resource");

	return with_details(a, status_new(a, 405, "MethodNotAllowed", message), about);
}

struct meta_status *status_not_acceptable(struct arena *a, struct str accepted)
{
	return status_new(a, 406, "NotAcceptable",
			  arena_printf(a, "only the following media types are accepted: %.*s",
				       STR_ARG(accepted)));
}

struct meta_status *status_already_exists(struct arena *a, const struct status_about *about)
{
	struct str text = about_text(a, about);

	return with_details(a,
			    status_new(a, 409, "AlreadyExists",
				       arena_printf(a, "%.*s already exists", STR_ARG(text))),
			    about);
}

struct meta_status *status_conflict(struct arena *a, const struct status_about *about,
				    struct str why)
{
	struct str text = about_text(a, about);
	struct str message = arena_printf(a, "Operation cannot be fulfilled on %.*s: %.*s",
					  STR_ARG(text), STR_ARG(why));

	return with_details(a, status_new(a, 409, "Conflict", message), about);
}

struct meta_status *status_modified(struct arena *a, const struct status_about *about)
{
	return status_conflict(a, about,
			       STR("the object has been modified; please apply your changes to the "
				   "latest version and try again"));
}

struct meta_status *status_expired(struct arena *a, struct str message)
{
	return status_new(a, 410, "Expired", message);
}

struct meta_status *status_too_large(struct arena *a, int64_t limit_bytes)
{
	return status_new(
		a, 413, "RequestEntityTooLarge",
		arena_printf(a, "Request entity too large: limit is %lld", (long long)limit_bytes));
}

struct meta_status *status_unsupported_media_type(struct arena *a, struct str accepted)
{
	return status_new(a, 415, "UnsupportedMediaType",
			  arena_printf(a,
				       "the body of the request was in an unknown format - "
				       "accepted media types include: %.*s",
				       STR_ARG(accepted)));
}

struct meta_status *status_invalid(struct arena *a, struct str group, struct str kind,
				   struct str name, const struct field_errors *errs)
{
	struct str q = qualified(a, kind, group);
	struct buf text CLEANUP_BUF = {0};
	struct meta_status *s;

	field_errors_write(&text, errs);
	s = status_new(a, 422, "Invalid",
		       arena_printf(a, "%.*s \"%.*s\" is invalid: %.*s", STR_ARG(q), STR_ARG(name),
				    STR_ARG(buf_str(&text))));
	with_details(a, s, NULL);
	s->details->group = group;
	s->details->kind = kind;
	s->details->name = name;
	s->details->causes.p = ARENA_ARRAY(a, errs->n, struct meta_status_cause);
	s->details->causes.n = errs->n;
	for (size_t i = 0; i < errs->n; i++) {
		s->details->causes.p[i] = (struct meta_status_cause){
			.reason = str_of(field_error_reason(errs->p[i].type)),
			.message = errs->p[i].body,
			.field = errs->p[i].path,
		};
	}
	return s;
}

struct meta_status *status_too_many_requests(struct arena *a, struct str message,
					     int retry_after_seconds)
{
	struct meta_status *s =
		with_details(a, status_new(a, 429, "TooManyRequests", message), NULL);

	s->details->retry_after_seconds = retry_after_seconds;
	return s;
}

struct meta_status *status_internal(struct arena *a, struct str message)
{
	struct meta_status *s = with_details(
		a,
		status_new(a, 500, "InternalError",
			   arena_printf(a, "Internal error occurred: %.*s", STR_ARG(message))),
		NULL);

	s->details->causes.p = ARENA_NEW(a, struct meta_status_cause);
	s->details->causes.n = 1;
	s->details->causes.p[0].message = message;
	return s;
}

struct meta_status *status_unavailable(struct arena *a, struct str message)
{
	return status_new(a, 503, "ServiceUnavailable", message);
}

struct meta_status *status_timeout(struct arena *a, const struct status_about *about,
				   struct str what, int retry_after_seconds)
{
	struct meta_status *s = with_details(
		a, status_new(a, 504, "Timeout", arena_printf(a, "Timeout: %.*s", STR_ARG(what))),
		about);

	s->details->retry_after_seconds = retry_after_seconds;
	return s;
}

struct meta_status *status_success(struct arena *a, const struct status_about *about,
				   struct str uid)
{
	struct meta_status *s = status_new(a, 0, "", STR(""));

	s->status = STR("Success");
	with_details(a, s, about);
	s->details->uid = uid;
	return s;
}
