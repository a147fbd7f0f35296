/* SPDX-License-Identifier: Apache-2.0 */
/* apiserver/apiserver_internal.h: the server's state and what its files share. */
#pragma once
#include "apiserver/apiserver.h"
#include "apiserver/registry.h"
#include "apiserver/request.h"
#include "client/informer.h"

enum { METRIC_VERBS = 9 };
extern const char *const metric_verb_names[METRIC_VERBS];

struct apiserver {
	struct apiserver_config config;
	struct env *env;
	struct store *store;
	struct log *log;
	struct registry registry;
	/* The server's own view of the API: RBAC objects, namespaces, service accounts, ... (user system:apiserver). */
	struct client *loopback;
	struct informers *informers;
	struct bootstrap *bootstrap;
	bool bootstrapped;
	bool stopping; /* the store may be gone */
	bool ready;
	void (*on_ready)(void *ctx);
	void *on_ready_ctx;
	struct service_ips *service_ips; /* ClusterIPs and node ports in use */
	struct token_keys *token_keys;
	uint64_t requests[METRIC_VERBS][6]; /* answered, by verb and hundreds of the HTTP status */
};

/* VERB_* of "get", ...; 0 for others. */
unsigned verb_flag(const char *name);

/* True if the user may; *ret_reason (in the arena) is for the 403's message. */
bool authorize(struct apiserver *api, const struct user_info *user,
	       const struct access_attributes *what, struct arena *a, struct str *ret_reason);
/* Every rule that applies to the user in a namespace, cluster-wide ones included. */
void authorizer_each_rule(struct apiserver *api, const struct user_info *user, struct str ns,
			  void (*fn)(void *ctx, const struct rbac_policy_rule *rule), void *ctx);

/* A random UUID (RFC 9562, version 4), in the request's arena. */
struct str request_new_uid(struct request *r);
