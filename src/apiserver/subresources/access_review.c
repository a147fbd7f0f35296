/* SPDX-License-Identifier: Apache-2.0 */
/* subjectaccessreviews and their kin: what may somebody do? Asked of the same authorizer that guards requests. */
#include "apiserver/apiserver_internal.h"
#include "apiserver/codec.h"
#include "apiserver/subresources/subresources.h"

static bool attributes_of(const struct authorization_resource_attributes *res,
			  const struct authorization_non_resource_attributes *path,
			  struct access_attributes *ret)
{
	*ret = (struct access_attributes){0};
	if (res) {
		ret->is_resource = true;
		ret->verb = res->verb;
		ret->group = res->group;
		ret->resource = res->resource;
		ret->subresource = res->subresource;
		ret->name = res->name;
		ret->ns = res->namespace;
	} else if (path) {
		ret->verb = path->verb;
		ret->path = path->path;
	}
	return (res != NULL) != (path != NULL);
}

static void decide(struct request *r, const struct user_info *user,
		   const struct access_attributes *what,
		   struct authorization_subject_access_review_status *ret)
{
	struct str reason = STR_NULL;

	*ret = (struct authorization_subject_access_review_status){0};
	ret->allowed = authorize(r->api, user, what, &r->arena, &reason);
}

static enum stage_result exactly_one(struct request *r)
{
	return answer_status(r, status_bad_request(&r->arena,
						   "spec: exactly one of nonResourceAttributes or "
						   "resourceAttributes must be specified"));
}

enum stage_result subject_access_review(struct request *r)
{
	/* Both kinds have the same shape; the local one must stay in its namespace. */
	bool local = r->resource->namespaced;
	struct authorization_subject_access_review *body =
		codec_decode_body(r, r->resource->type, STR("authorization.k8s.io"), STR("v1"),
				  str_of(r->resource->kind));
	struct access_attributes what;
	struct user_info user = {0};
	struct user_extra *extra;

	if (!body) {
		return STAGE_ANSWERED;
	}
	if (!attributes_of(body->spec.resource_attributes, body->spec.non_resource_attributes,
			   &what)) {
		return exactly_one(r);
	}
	if (!body->spec.user.n && !body->spec.groups.n) {
		return answer_status(
			r, status_bad_request(
				   &r->arena,
				   "spec: at least one of user or group must be specified"));
	}
	if (local && !str_eq(what.ns, r->info.ns)) {
		return answer_status(
			r, status_bad_request(
				   &r->arena,
				   "spec.resourceAttributes.namespace must match namespace: %.*s",
				   STR_ARG(r->info.ns)));
	}
	extra = ARENA_ARRAY(&r->arena, body->spec.extra.n, struct user_extra);
	for (size_t i = 0; i < body->spec.extra.n; i++) {
		extra[i] =
			(struct user_extra){body->spec.extra.p[i].key, body->spec.extra.p[i].value};
	}
	user = (struct user_info){body->spec.user, body->spec.uid, body->spec.groups, extra,
				  body->spec.extra.n};
	decide(r, &user, &what, &body->status);
	body->kind = str_of(r->resource->kind);
	body->api_version = STR("authorization.k8s.io/v1");
	return answer_object(r, 201, body, r->resource->type);
}

_Static_assert(offsetof(struct authorization_subject_access_review, status) ==
		       offsetof(struct authorization_local_subject_access_review, status),
	       "both reviews have the same shape");

enum stage_result self_subject_access_review(struct request *r)
{
	struct authorization_self_subject_access_review *body = codec_decode_body(
		r, &type_authorization_self_subject_access_review, STR("authorization.k8s.io"),
		STR("v1"), STR("SelfSubjectAccessReview"));
	struct access_attributes what;

	if (!body) {
		return STAGE_ANSWERED;
	}
	if (!attributes_of(body->spec.resource_attributes, body->spec.non_resource_attributes,
			   &what)) {
		return exactly_one(r);
	}
	decide(r, &r->user, &what, &body->status);
	body->kind = STR("SelfSubjectAccessReview");
	body->api_version = STR("authorization.k8s.io/v1");
	return answer_object(r, 201, body, &type_authorization_self_subject_access_review);
}

struct rules_collector {
	VEC(struct authorization_resource_rule) resources;
	VEC(struct authorization_non_resource_rule) paths;
};

static void collect_rule(void *ctx, const struct rbac_policy_rule *rule)
{
	struct rules_collector *c = ctx;

	if (rule->resources.n) {
		*vec_push(&c->resources) = (struct authorization_resource_rule){
			.verbs = rule->verbs,
			.api_groups = rule->api_groups,
			.resources = rule->resources,
			.resource_names = rule->resource_names,
		};
	}
	if (rule->non_resource_urls.n) {
		*vec_push(&c->paths) = (struct authorization_non_resource_rule){
			.verbs = rule->verbs, .non_resource_urls = rule->non_resource_urls};
	}
}

enum stage_result self_subject_rules_review(struct request *r)
{
	struct authorization_self_subject_rules_review *body = codec_decode_body(
		r, &type_authorization_self_subject_rules_review, STR("authorization.k8s.io"),
		STR("v1"), STR("SelfSubjectRulesReview"));
	struct rules_collector c = {0};

	if (!body) {
		return STAGE_ANSWERED;
	}
	if (!body->spec.namespace.n) {
		return answer_status(r, status_bad_request(&r->arena, "no namespace on request"));
	}
	authorizer_each_rule(r->api, &r->user, body->spec.namespace, collect_rule, &c);
	memset(&body->status, 0, sizeof(body->status));
	body->status.resource_rules.p =
		ARENA_ARRAY(&r->arena, c.resources.n, struct authorization_resource_rule);
	body->status.resource_rules.n = c.resources.n;
	body->status.non_resource_rules.p =
		ARENA_ARRAY(&r->arena, c.paths.n, struct authorization_non_resource_rule);
	body->status.non_resource_rules.n = c.paths.n;
	if (c.resources.n) {
		memcpy(body->status.resource_rules.p, c.resources.p,
		       c.resources.n * sizeof(*c.resources.p));
	}
	if (c.paths.n) {
		memcpy(body->status.non_resource_rules.p, c.paths.p,
		       c.paths.n * sizeof(*c.paths.p));
	}
	vec_fini(&c.resources);
	vec_fini(&c.paths);
	body->kind = STR("SelfSubjectRulesReview");
	body->api_version = STR("authorization.k8s.io/v1");
	return answer_object(r, 201, body, &type_authorization_self_subject_rules_review);
}
