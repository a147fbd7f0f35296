/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/request_info.h"

enum { PARTS_MAX = 16 };

struct parts {
	struct str p[PARTS_MAX];
	size_t n; /* all segments, also those beyond PARTS_MAX */
};

static struct parts split_path(struct str path)
{
	struct parts parts = {0};
	struct str part;

	while (str_cut(&path, '/', &part)) {
		if (part.n) {
			if (parts.n < PARTS_MAX) {
				parts.p[parts.n] = part;
			}
			parts.n++;
		}
	}
	return parts;
}

bool query_find(struct str query, struct str key, struct str *ret_raw)
{
	struct str pair;

	while (str_cut(&query, '&', &pair)) {
		struct str name;

		str_cut(&pair, '=', &name);
		if (str_eq(name, key)) {
			*ret_raw = pair;
			return true;
		}
	}
	return false;
}

static bool query_is_true(struct str query, struct str key)
{
	struct str v;

	/* As Go's conversion of query parameters to bool: anything but "", "0" and "false" is true. */
	return query_find(query, key, &v) && !str_is(v, "0") && !str_is(v, "false") &&
	       (v.n || v.p == NULL);
}

static const struct {
	const char *method, *verb;
} method_verbs[] = {
	{"POST", "create"}, {"GET", "get"},	{"HEAD", "get"},
	{"PUT", "update"},  {"PATCH", "patch"}, {"DELETE", "delete"},
};

static const char *verb_of_method(struct str method)
{
	for (size_t i = 0; i < ARRAY_LEN(method_verbs); i++) {
		if (str_eq(method, str_of(method_verbs[i].method))) {
			return method_verbs[i].verb;
		}
	}
	return "";
}

/* What upstream calls non-resource verbs: the method in lower case. */
static const char *plain_verb(struct str method)
{
	static const char *const verbs[] = {"get",    "head",	 "post",  "put",    "patch",
					    "delete", "options", "trace", "connect"};

	for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
		if (str_eq_nocase(method, str_of(verbs[i]))) {
			return verbs[i];
		}
	}
	return "";
}

/* fieldSelector=metadata.name=x on a collection: the request is about one name (RBAC resourceNames). */
static struct str name_of_selector(struct str query)
{
	static const struct str keys[] = {STR_INIT("metadata.name%3D"),
					  STR_INIT("metadata.name%3d"), STR_INIT("metadata.name=")};
	struct str raw;

	if (!query_find(query, STR("fieldSelector"), &raw)) {
		return STR_NULL;
	}
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (str_has_prefix(raw, keys[i])) {
			struct str name = str_from(raw, keys[i].n);

			/* Names need no escaping; anything else (a second requirement, "==") is not a single name. */
			for (size_t j = 0; j < name.n; j++) {
				if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789-.", name.p[j])) {
					return STR_NULL;
				}
			}
			return name;
		}
	}
	return STR_NULL;
}

static void take_resource(struct parts parts, size_t i, struct request_info *ret)
{
	ret->resource = parts.p[i];
	if (i + 1 < parts.n) {
		ret->name = parts.p[i + 1];
	}
	if (i + 2 < parts.n) {
		ret->subresource = parts.p[i + 2];
		ret->extra_parts = parts.n - (i + 3);
	}
}

/* The segment behind /namespaces/NS/ is a resource, except for the namespace's own subresources. */
static void parse_resource_path(struct parts parts, size_t i, struct request_info *ret)
{
	if (str_is(parts.p[i], "namespaces") && i + 1 < parts.n) {
		ret->ns = parts.p[i + 1];
		if (i + 2 < parts.n && !str_is(parts.p[i + 2], "finalize") &&
		    !str_is(parts.p[i + 2], "status")) {
			i += 2;
		}
	}
	take_resource(parts, i, ret);
}

static void refine_verb(struct str query, struct request_info *ret)
{
	if (ret->name.n) {
		return;
	}
	if (strcmp(ret->verb, "get") == 0) {
		ret->verb = query_is_true(query, STR("watch")) ? "watch" : "list";
		ret->name = name_of_selector(query);
	} else if (strcmp(ret->verb, "delete") == 0) {
		ret->verb = "deletecollection";
	}
}

void request_info_parse(struct str method, struct str path, struct str query,
			struct request_info *ret)
{
	struct parts parts = split_path(path);
	size_t i;

	*ret = (struct request_info){.path = path, .verb = plain_verb(method)};
	if (parts.n < 3 || parts.n > PARTS_MAX * 4) {
		return;
	}
	if (str_is(parts.p[0], "api")) {
		i = 1;
	} else if (str_is(parts.p[0], "apis") && parts.n >= 4) {
		ret->group = parts.p[1];
		i = 2;
	} else {
		return;
	}
	ret->is_resource = true;
	ret->api_prefix = parts.p[0];
	ret->version = parts.p[i++];
	ret->verb = verb_of_method(method);
	if (str_is(parts.p[i], "watch") && i + 1 < parts.n) { /* the old form /api/v1/watch/... */
		parse_resource_path(parts, i + 1, ret);
		ret->verb = "watch";
		return;
	}
	parse_resource_path(parts, i, ret);
	refine_verb(query, ret);
}
