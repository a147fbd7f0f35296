/* SPDX-License-Identifier: Apache-2.0 */
/* serviceaccounts/token (TokenRequest) and tokenreviews. */
#include "apiserver/token.h"

#include "apiserver/apiserver_internal.h"
#include "apiserver/codec.h"
#include "apiserver/subresources/subresources.h"

enum { EXPIRATION_MIN_S = 600, EXPIRATION_DEFAULT_S = 3600 };
static const int64_t EXPIRATION_MAX_S = 1LL << 32;

static struct meta_status *invalid(struct request *r, const char *parent, const char *name,
				   struct field_value value, const char *why)
{
	struct field_errors errs = {.arena = &r->arena};
	struct path up = path_field(NULL, str_of(parent));
	struct path at = path_field(&up, str_of(name));

	field_invalid(&errs, &at, value, "%s", why);
	return status_invalid(&r->arena, STR("authentication.k8s.io"), STR("TokenRequest"),
			      r->info.name, &errs);
}

/* Fills in what the token is bound to; it must exist, and be the one meant. */
static struct meta_status *bind_to(struct request *r,
				   const struct authentication_bound_object_reference *ref,
				   struct token_request *t)
{
	bool pod = str_is(ref->kind, "Pod");
	const struct resource_desc *resource = pod ? &resource_core_pods : &resource_core_secrets;
	struct status_about about = {STR_NULL, str_of(resource->resource), ref->name};
	struct frozen *f;

	if (!pod && !str_is(ref->kind, "Secret")) {
		return status_bad_request(
			&r->arena, "cannot bind token for serviceaccount to object of kind %.*s",
			STR_ARG(ref->kind));
	}
	f = informer_get(informers_get(r->api->informers, resource, STR_NULL), r->info.ns,
			 ref->name);
	if (!f) {
		return status_not_found(&r->arena, &about);
	}
	if (ref->uid.n && !str_eq(ref->uid, f->head->metadata.uid)) {
		return status_conflict(
			&r->arena, &about,
			arena_printf(&r->arena,
				     "the UID in the bound object reference (%.*s) does not match "
				     "the UID in record. "
				     "The object might have been deleted and then recreated",
				     STR_ARG(ref->uid)));
	}
	if (!pod) {
		t->secret = f->head->metadata.name;
		t->secret_uid = f->head->metadata.uid;
		return NULL;
	}
	t->pod = arena_str(&r->arena, f->head->metadata.name);
	t->pod_uid = arena_str(&r->arena, f->head->metadata.uid);
	if (!str_eq(FROZEN_AS(f, core_pods, struct core_pod)->spec.service_account_name,
		    r->info.name)) {
		return status_bad_request(&r->arena,
					  "cannot bind token for serviceaccount \"%.*s\" to pod "
					  "running with different serviceaccount name.",
					  STR_ARG(r->info.name));
	}
	t->node = arena_str(&r->arena, FROZEN_AS(f, core_pods, struct core_pod)->spec.node_name);
	if (t->node.n) {
		struct frozen *node = informer_get(
			informers_get(r->api->informers, &resource_core_nodes, STR_NULL), STR_NULL,
			t->node);

		t->node_uid = node ? arena_str(&r->arena, node->head->metadata.uid) : STR_NULL;
	}
	return NULL;
}

static struct meta_status *take_expiration(struct request *r,
					   struct authentication_token_request *body,
					   struct token_request *t)
{
	int64_t seconds = body->spec.expiration_seconds ? *body->spec.expiration_seconds
							: EXPIRATION_DEFAULT_S;

	if (seconds < EXPIRATION_MIN_S) {
		return invalid(r, "spec", "expirationSeconds", field_int(seconds),
			       "may not specify a duration less than 10 minutes");
	}
	if (seconds > EXPIRATION_MAX_S) {
		return invalid(r, "spec", "expirationSeconds", field_int(seconds),
			       "may not specify a duration larger than 2^32 seconds");
	}
	t->now_sec = env_wall_ns(r->api->env) / NS_PER_SEC;
	t->expires_sec = t->now_sec + seconds;
	body->spec.expiration_seconds = ARENA_NEW(&r->arena, int64_t);
	*body->spec.expiration_seconds = seconds;
	body->status.expiration_timestamp = (struct timestamp){.sec = t->expires_sec, .set = true};
	return NULL;
}

enum stage_result service_account_token(struct request *r)
{
	struct authentication_token_request *body =
		codec_decode_body(r, &type_authentication_token_request,
				  STR("authentication.k8s.io"), STR("v1"), STR("TokenRequest"));
	struct status_about about = request_about(r);
	struct token_request t = {.ns = r->info.ns, .account = r->info.name};
	struct meta_status *refusal = NULL;
	struct err err CLEANUP_ERR = {0};
	struct buf token CLEANUP_BUF = {0};
	struct frozen *account;

	if (!body) {
		return STAGE_ANSWERED;
	}
	account = informer_get(
		informers_get(r->api->informers, &resource_core_serviceaccounts, STR_NULL),
		r->info.ns, r->info.name);
	if (!account) {
		return answer_status(r, status_not_found(&r->arena, &about));
	}
	t.account_uid = account->head->metadata.uid;
	t.audiences = body->spec.audiences;
	t.id = request_new_uid(r);
	if (body->spec.bound_object_ref) {
		refusal = bind_to(r, body->spec.bound_object_ref, &t);
	}
	if (!refusal) {
		refusal = take_expiration(r, body, &t);
	}
	if (refusal) {
		return answer_status(r, refusal);
	}
	if (token_issue(r->api->token_keys, &t, &token, &err) < 0) {
		return answer_status(
			r, status_internal(&r->arena, arena_str(&r->arena, str_of(err_msg(&err)))));
	}
	body->kind = STR("TokenRequest");
	body->api_version = STR("authentication.k8s.io/v1");
	body->metadata.name = r->info.name;
	body->metadata.namespace = r->info.ns;
	body->metadata.creation_timestamp = (struct timestamp){.sec = t.now_sec, .set = true};
	body->status.token = arena_str(&r->arena, buf_str(&token));
	return answer_object(r, 201, body, &type_authentication_token_request);
}

static void fill_user(struct arena *a, const struct user_info *user,
		      struct authentication_user_info *ret)
{
	ret->username = user->name;
	ret->uid = user->uid;
	ret->groups = user->groups;
	ret->extra.p = arena_alloc_array(a, user->nextra, sizeof(*ret->extra.p));
	ret->extra.n = user->nextra;
	for (size_t i = 0; i < user->nextra; i++) {
		ret->extra.p[i].key = user->extra[i].key;
		ret->extra.p[i].value = user->extra[i].values;
	}
}

enum stage_result token_review(struct request *r)
{
	struct authentication_token_review *body =
		codec_decode_body(r, &type_authentication_token_review,
				  STR("authentication.k8s.io"), STR("v1"), STR("TokenReview"));
	struct err err CLEANUP_ERR = {0};
	struct user_info user = {0};
	struct str_list audiences = {0};

	if (!body) {
		return STAGE_ANSWERED;
	}
	if (!body->spec.token.n) {
		return answer_status(
			r,
			status_bad_request(&r->arena,
					   "token is required for TokenReview in authentication"));
	}
	memset(&body->status, 0, sizeof(body->status));
	if (token_authenticate(r->api, body->spec.token, body->spec.audiences, &r->arena, &user,
			       &audiences, &err) < 0) {
		body->status.error = arena_str(&r->arena, str_of(err_msg(&err)));
	} else {
		body->status.authenticated = true;
		body->status.audiences = audiences;
		fill_user(&r->arena, &user, &body->status.user);
	}
	body->spec.token = STR(""); /* never echoed */
	body->kind = STR("TokenReview");
	body->api_version = STR("authentication.k8s.io/v1");
	return answer_object(r, 201, body, &type_authentication_token_review);
}

enum stage_result self_subject_review(struct request *r)
{
	struct authentication_self_subject_review *body = codec_decode_body(
		r, &type_authentication_self_subject_review, STR("authentication.k8s.io"),
		STR("v1"), STR("SelfSubjectReview"));

	if (!body) {
		return STAGE_ANSWERED;
	}
	body->kind = STR("SelfSubjectReview");
	body->api_version = STR("authentication.k8s.io/v1");
	body->metadata.creation_timestamp =
		(struct timestamp){.sec = env_wall_ns(r->api->env) / NS_PER_SEC, .set = true};
	fill_user(&r->arena, &r->user, &body->status.user_info);
	return answer_object(r, 201, body, &type_authentication_self_subject_review);
}
