/* SPDX-License-Identifier: Apache-2.0 */
/* Stage authorize: RBAC over the server's own copy of roles and bindings; system:masters may do everything (as upstream's
 * privileged-group authorizer, which stands before RBAC). */
#include "apiserver/apiserver_internal.h"
#include "apiserver/request.h"

typedef bool (*rules_fn)(void *ctx, const struct rbac_policy_rule *rules, size_t n);

/* Walks the rules of all roles that are bound to a user, cluster-wide ones first; fn returns false to stop. */
struct rule_walk {
	struct apiserver *api;
	const struct user_info *user;
	rules_fn fn;
	void *ctx;
	bool stopped;
};

static struct informer *cache(struct apiserver *api, const struct resource_desc *resource)
{
	return informers_get(api->informers, resource, STR_NULL);
}

static bool walk_role(struct rule_walk *w, const struct rbac_role_ref *ref, struct str ns)
{
	if (str_is(ref->kind, "ClusterRole")) {
		struct frozen *f = informer_get(cache(w->api, &resource_rbac_clusterroles),
						STR_NULL, ref->name);
		const struct rbac_cluster_role *role =
			f ? FROZEN_AS(f, rbac_clusterroles, struct rbac_cluster_role) : NULL;

		return !role || w->fn(w->ctx, role->rules.p, role->rules.n);
	}
	if (str_is(ref->kind, "Role") && ns.n) {
		struct frozen *f = informer_get(cache(w->api, &resource_rbac_roles), ns, ref->name);
		const struct rbac_role *role =
			f ? FROZEN_AS(f, rbac_roles, struct rbac_role) : NULL;

		return !role || w->fn(w->ctx, role->rules.p, role->rules.n);
	}
	return true;
}

static bool binds_user(const struct rule_walk *w, const struct rbac_subject *subjects, size_t n,
		       struct str ns)
{
	for (size_t i = 0; i < n; i++) {
		if (rbac_subject_is(&subjects[i], ns, w->user)) {
			return true;
		}
	}
	return false;
}

static bool walk_cluster_role_binding(void *ctx, struct frozen *f)
{
	const struct rbac_cluster_role_binding *b =
		FROZEN_AS(f, rbac_clusterrolebindings, struct rbac_cluster_role_binding);
	struct rule_walk *w = ctx;

	if (binds_user(w, b->subjects.p, b->subjects.n, STR_NULL)) {
		w->stopped = !walk_role(w, &b->role_ref, STR_NULL);
	}
	return !w->stopped;
}

static bool walk_role_binding(void *ctx, struct frozen *f)
{
	const struct rbac_role_binding *b =
		FROZEN_AS(f, rbac_rolebindings, struct rbac_role_binding);
	struct rule_walk *w = ctx;

	if (binds_user(w, b->subjects.p, b->subjects.n, b->metadata.namespace)) {
		w->stopped = !walk_role(w, &b->role_ref, b->metadata.namespace);
	}
	return !w->stopped;
}

static void walk_rules(struct apiserver *api, const struct user_info *user, struct str ns,
		       rules_fn fn, void *ctx)
{
	struct rule_walk w = {api, user, fn, ctx, false};

	informer_each(cache(api, &resource_rbac_clusterrolebindings), STR_NULL,
		      walk_cluster_role_binding, &w);
	if (!w.stopped && ns.n) {
		informer_each(cache(api, &resource_rbac_rolebindings), ns, walk_role_binding, &w);
	}
}

struct question {
	const struct access_attributes *what;
	bool allowed;
};

static bool try_rules(void *ctx, const struct rbac_policy_rule *rules, size_t n)
{
	struct question *q = ctx;

	for (size_t i = 0; i < n && !q->allowed; i++) {
		q->allowed = rbac_rule_allows(&rules[i], q->what);
	}
	return !q->allowed;
}

struct rule_list {
	void (*fn)(void *ctx, const struct rbac_policy_rule *rule);
	void *ctx;
};

static bool tell_rules(void *ctx, const struct rbac_policy_rule *rules, size_t n)
{
	struct rule_list *list = ctx;

	for (size_t i = 0; i < n; i++) {
		list->fn(list->ctx, &rules[i]);
	}
	return true;
}

void authorizer_each_rule(struct apiserver *api, const struct user_info *user, struct str ns,
			  void (*fn)(void *ctx, const struct rbac_policy_rule *rule), void *ctx)
{
	static const struct str star[] = {STR_INIT("*")};
	static const struct rbac_policy_rule everything = {.verbs = {(struct str *)star, 1},
							   .api_groups = {(struct str *)star, 1},
							   .resources = {(struct str *)star, 1}};
	static const struct rbac_policy_rule all_paths = {
		.verbs = {(struct str *)star, 1}, .non_resource_urls = {(struct str *)star, 1}};
	struct rule_list list = {fn, ctx};

	if (user_in_group(user, STR("system:masters"))) {
		fn(ctx, &everything);
		fn(ctx, &all_paths);
	}
	walk_rules(api, user, ns, tell_rules, &list);
}

/* User "x" cannot list resource "pods" in API group "" in the namespace "y" */
static struct str denial(struct arena *a, const struct user_info *user,
			 const struct access_attributes *what)
{
	struct str resource = what->resource;

	if (!what->is_resource) {
		return arena_printf(a, "User \"%.*s\" cannot %.*s path \"%.*s\"",
				    STR_ARG(user->name), STR_ARG(what->verb), STR_ARG(what->path));
	}
	if (what->subresource.n) {
		resource =
			arena_printf(a, "%.*s/%.*s", STR_ARG(resource), STR_ARG(what->subresource));
	}
	if (what->ns.n) {
		return arena_printf(a,
				    "User \"%.*s\" cannot %.*s resource \"%.*s\" in API group "
				    "\"%.*s\" in the namespace \"%.*s\"",
				    STR_ARG(user->name), STR_ARG(what->verb), STR_ARG(resource),
				    STR_ARG(what->group), STR_ARG(what->ns));
	}
	return arena_printf(a,
			    "User \"%.*s\" cannot %.*s resource \"%.*s\" in API group \"%.*s\" at "
			    "the cluster scope",
			    STR_ARG(user->name), STR_ARG(what->verb), STR_ARG(resource),
			    STR_ARG(what->group));
}

bool authorize(struct apiserver *api, const struct user_info *user,
	       const struct access_attributes *what, struct arena *a, struct str *ret_reason)
{
	struct question q = {what, user_in_group(user, STR("system:masters"))};

	if (!q.allowed) {
		walk_rules(api, user, what->is_resource ? what->ns : STR_NULL, try_rules, &q);
	}
	if (!q.allowed) {
		*ret_reason = denial(a, user, what);
	}
	return q.allowed;
}

enum stage_result stage_authorize(struct request *r)
{
	struct access_attributes what = {
		.is_resource = r->info.is_resource,
		.verb = str_of(r->info.verb),
		.group = r->info.group,
		.resource = r->info.resource,
		.subresource = r->info.subresource,
		.name = r->info.name,
		.ns = r->info.ns,
		.path = r->info.path,
	};
	struct status_about about = request_about(r);
	struct str reason;

	if (authorize(r->api, &r->user, &what, &r->arena, &reason)) {
		return STAGE_NEXT;
	}
	return answer_status(r, status_forbidden(&r->arena, &about, reason));
}
