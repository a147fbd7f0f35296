/* SPDX-License-Identifier: Apache-2.0 */
/* Stage options: query parameters and the body of DELETE become r->options. */
#include "apiserver/apiserver_internal.h"
#include "apiserver/codec.h"
#include "apiserver/request.h"

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9') {
		return c - '0';
	}
	if (c >= 'a' && c <= 'f') {
		return c - 'a' + 10;
	}
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* %41 and + as in application/x-www-form-urlencoded; a broken escape is kept as it is. */
struct str query_unescape(struct arena *a, struct str raw)
{
	char *p = arena_bytes(a, raw.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < raw.n; i++) {
		int hi = i + 2 < raw.n ? hex_digit(raw.p[i + 1]) : -1;
		int lo = i + 2 < raw.n ? hex_digit(raw.p[i + 2]) : -1;

		if (raw.p[i] == '%' && hi >= 0 && lo >= 0) {
			p[n++] = (char)(hi * 16 + lo);
			i += 2;
		} else {
			p[n++] = raw.p[i] == '+' ? ' ' : raw.p[i];
		}
	}
	p[n] = '\0';
	return str_make(p, n);
}

typedef struct meta_status *(*option_fn)(struct request *r, struct str value);

static struct meta_status *opt_label_selector(struct request *r, struct str v)
{
	struct err err CLEANUP_ERR = {0};

	if (label_selector_parse(&r->arena, v, &r->options.labels, &err) < 0) {
		return status_bad_request(&r->arena, "unable to parse requirement: %s",
					  err_msg(&err));
	}
	r->options.has_labels = r->options.labels.n > 0;
	return NULL;
}

static bool is_selectable(const struct resource_desc *resource, struct str field)
{
	if (str_is(field, "metadata.name") ||
	    (str_is(field, "metadata.namespace") && resource->namespaced)) {
		return true;
	}
	for (size_t i = 0; resource->selectable && resource->selectable[i]; i++) {
		struct str rest = str_of(resource->selectable[i]);
		struct str label;

		str_cut(&rest, '=', &label); /* the rest says where the value lies */
		if (str_eq(field, label)) {
			return true;
		}
	}
	return false;
}

static struct meta_status *opt_field_selector(struct request *r, struct str v)
{
	struct err err CLEANUP_ERR = {0};
	struct selector *s = &r->options.fields;

	if (field_selector_parse(&r->arena, v, s, &err) < 0) {
		return status_bad_request(&r->arena, "%s", err_msg(&err));
	}
	for (size_t i = 0; r->resource && i < s->n; i++) {
		if (!is_selectable(r->resource, s->terms[i].key)) {
			return status_bad_request(&r->arena, "field label not supported: %.*s",
						  STR_ARG(s->terms[i].key));
		}
	}
	r->options.has_fields = s->n > 0;
	return NULL;
}

static struct meta_status *not_a_number(struct request *r, const char *name, struct str v)
{
	return status_bad_request(&r->arena,
				  "%s: strconv.ParseInt: parsing \"%.*s\": invalid syntax", name,
				  STR_ARG(v));
}

static struct meta_status *opt_limit(struct request *r, struct str v)
{
	return v.n && str_to_int64(v, &r->options.limit) < 0 ? not_a_number(r, "limit", v) : NULL;
}

static struct meta_status *opt_timeout(struct request *r, struct str v)
{
	return v.n && str_to_int64(v, &r->options.timeout_seconds) < 0
		       ? not_a_number(r, "timeoutSeconds", v)
		       : NULL;
}

static struct meta_status *opt_continue(struct request *r, struct str v)
{
	r->options.continue_token = v;
	return NULL;
}

static struct meta_status *opt_resource_version(struct request *r, struct str v)
{
	r->options.resource_version = v;
	r->options.has_resource_version = v.n > 0;
	return NULL;
}

static struct meta_status *opt_resource_version_match(struct request *r, struct str v)
{
	if (v.n && !str_is(v, "Exact") && !str_is(v, "NotOlderThan")) {
		return status_bad_request(&r->arena,
					  "resourceVersionMatch: Unsupported value: \"%.*s\": "
					  "supported values: \"Exact\", "
					  "\"NotOlderThan\", \"\"",
					  STR_ARG(v));
	}
	r->options.resource_version_match = v;
	return NULL;
}

static bool is_true(struct str v)
{
	return !str_is(v, "false") && !str_is(v, "0");
}

static struct meta_status *opt_bookmarks(struct request *r, struct str v)
{
	r->options.allow_bookmarks = is_true(v);
	return NULL;
}

static struct meta_status *opt_initial_events(struct request *r, struct str v)
{
	r->options.send_initial_events = is_true(v);
	return NULL;
}

static struct meta_status *opt_dry_run(struct request *r, struct str v)
{
	if (!str_is(v, "All")) {
		return status_bad_request(
			&r->arena, "dryRun: Unsupported value: \"%.*s\": supported values: \"All\"",
			STR_ARG(v));
	}
	r->options.dry_run = true;
	return NULL;
}

static struct meta_status *opt_field_manager(struct request *r, struct str v)
{
	if (v.n > 128) {
		return status_bad_request(&r->arena,
					  "fieldManager: Too long: may not be more than 128 bytes");
	}
	r->options.field_manager = v;
	return NULL;
}

static struct meta_status *opt_field_validation(struct request *r, struct str v)
{
	if (str_is(v, "Strict")) {
		r->options.field_validation = FIELD_VALIDATION_STRICT;
	} else if (str_is(v, "Ignore")) {
		r->options.field_validation = FIELD_VALIDATION_IGNORE;
	} else if (v.n && !str_is(v, "Warn")) {
		return status_bad_request(&r->arena,
					  "fieldValidation: Unsupported value: \"%.*s\": supported "
					  "values: \"Ignore\", \"Strict\", \"Warn\"",
					  STR_ARG(v));
	}
	return NULL;
}

static const struct {
	const char *name;
	option_fn fn;
} table[] = {
	{"labelSelector", opt_label_selector},
	{"fieldSelector", opt_field_selector},
	{"limit", opt_limit},
	{"continue", opt_continue},
	{"resourceVersion", opt_resource_version},
	{"resourceVersionMatch", opt_resource_version_match},
	{"timeoutSeconds", opt_timeout},
	{"allowWatchBookmarks", opt_bookmarks},
	{"sendInitialEvents", opt_initial_events},
	{"dryRun", opt_dry_run},
	{"fieldManager", opt_field_manager},
	{"fieldValidation", opt_field_validation},
};

static struct meta_status *take_option(struct request *r, struct str name, struct str value)
{
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		if (str_eq(name, str_of(table[i].name))) {
			return table[i].fn(r, query_unescape(&r->arena, value));
		}
	}
	return NULL; /* others belong to a subresource, or to nobody: upstream ignores them too */
}

static struct meta_status *check_combinations(const struct request_options *o, struct arena *a)
{
	if (o->resource_version_match.n && !o->has_resource_version && !o->send_initial_events) {
		return status_bad_request(a,
					  "resourceVersionMatch: Forbidden: resourceVersionMatch "
					  "is forbidden unless resourceVersion is "
					  "provided");
	}
	if (o->resource_version_match.n && o->continue_token.n) {
		return status_bad_request(a,
					  "resourceVersionMatch: Forbidden: resourceVersionMatch "
					  "is forbidden when continue is provided");
	}
	if (o->continue_token.n && o->has_resource_version && !str_is(o->resource_version, "0")) {
		return status_bad_request(
			a, "specifying resource version is not allowed when using continue");
	}
	return NULL;
}

/* The body of DELETE, or the same as query parameters. */
static enum stage_result take_delete_options(struct request *r)
{
	struct meta_delete_options *options = ARENA_NEW(&r->arena, struct meta_delete_options);
	struct str raw;
	int64_t grace;

	r->options.delete_options = options;
	if (r->body.n) {
		options = codec_decode_body(r, &type_meta_delete_options, STR_NULL, STR_NULL,
					    STR("DeleteOptions"));
		if (!options) {
			return STAGE_ANSWERED;
		}
		r->options.delete_options = options;
	}
	if (query_find(r->query, STR("gracePeriodSeconds"), &raw)) {
		if (str_to_int64(raw, &grace) < 0) {
			return answer_status(r, not_a_number(r, "gracePeriodSeconds", raw));
		}
		options->grace_period_seconds = ARENA_NEW(&r->arena, int64_t);
		*options->grace_period_seconds = grace;
	}
	if (query_find(r->query, STR("propagationPolicy"), &raw)) {
		options->propagation_policy = ARENA_NEW(&r->arena, struct str);
		*options->propagation_policy = query_unescape(&r->arena, raw);
	}
	if (options->propagation_policy && !str_is(*options->propagation_policy, "Orphan") &&
	    !str_is(*options->propagation_policy, "Background") &&
	    !str_is(*options->propagation_policy, "Foreground")) {
		return answer_status(
			r,
			status_bad_request(
				&r->arena,
				"propagationPolicy: Unsupported value: \"%.*s\": supported values: "
				"\"Foreground\", \"Background\", \"Orphan\"",
				STR_ARG(*options->propagation_policy)));
	}
	for (size_t i = 0; i < options->dry_run.n; i++) {
		r->options.dry_run = true;
	}
	return STAGE_NEXT;
}

enum stage_result stage_options(struct request *r)
{
	struct str query = r->query;
	struct meta_status *refusal;
	struct str pair;

	if (r->is_local) {
		return STAGE_NEXT;
	}
	while (str_cut(&query, '&', &pair)) {
		struct str name;

		str_cut(&pair, '=', &name);
		refusal = take_option(r, name, pair);
		if (refusal) {
			return answer_status(r, refusal);
		}
	}
	refusal = check_combinations(&r->options, &r->arena);
	if (refusal) {
		return answer_status(r, refusal);
	}
	if (r->resource && !r->sub && strncmp(r->info.verb, "delete", 6) == 0) {
		return take_delete_options(r);
	}
	return STAGE_NEXT;
}
