/* SPDX-License-Identifier: Apache-2.0 */
/* apiserver/token.h: service account tokens (KEP-1205, KEP-2799): made for TokenRequest, verified on every request that brings one.
 * Bound to an account and perhaps a pod: when these go, the token dies with them, although its signature is still good. Verified
 * ones are remembered by their hash for at most TOKEN_CACHE_NS, and forgotten at once when an account or a pod is deleted. */
#pragma once
#include "apiserver/request.h"

struct token_keys;

#define TOKEN_CACHE_NS (10 * NS_PER_SEC)

MUST_USE int token_keys_new(struct str key_pem, struct str issuer, struct token_keys **ret,
			    struct err *err);
void token_keys_free(struct token_keys *keys);

struct token_request {
	struct str ns, account, account_uid;
	struct str pod, pod_uid;   /* bound object, or unset */
	struct str node, node_uid; /* of the pod, for the claims */
	struct str secret, secret_uid;
	struct str_list audiences; /* empty: the API server's own */
	int64_t now_sec, expires_sec;
	struct str id; /* jti: a UUID */
};

/* Appends the token. */
MUST_USE int token_issue(const struct token_keys *keys, const struct token_request *request,
			 struct buf *out, struct err *err);

/* Who the bearer is, in the arena. audiences empty: the API server's own. ret_audiences (may be NULL): those that matched. ERR_UNAUTHORIZED, with
 * a reason that belongs into the log, not into the answer. */
MUST_USE int token_authenticate(struct apiserver *api, struct str token, struct str_list audiences,
				struct arena *a, struct user_info *ret,
				struct str_list *ret_audiences, struct err *err);
/* An account, pod, node or secret was deleted. */
void token_forget_all(struct token_keys *keys);
/* The public key as JWKS, and the issuer: /openid/v1/jwks, /.well-known/openid-configuration. */
const struct jwt_key *token_key(const struct token_keys *keys);
struct str token_issuer(const struct token_keys *keys);
