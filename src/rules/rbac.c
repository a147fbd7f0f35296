/* SPDX-License-Identifier: Apache-2.0 */
#include "rules/rbac.h"

bool user_in_group(const struct user_info *user, struct str group)
{
	for (size_t i = 0; i < user->groups.n; i++) {
		if (str_eq(user->groups.p[i], group)) {
			return true;
		}
	}
	return false;
}

static bool list_has(const struct str *p, size_t n, struct str want)
{
	for (size_t i = 0; i < n; i++) {
		if (str_eq(p[i], want)) {
			return true;
		}
	}
	return false;
}

static bool list_has_or_star(const struct str *p, size_t n, struct str want)
{
	return list_has(p, n, STR("*")) || list_has(p, n, want);
}

/* "pods", "pods/log", "*", and "*" + "/log" for the subresource of any resource. */
static bool resource_matches(const struct rbac_policy_rule *rule,
			     const struct access_attributes *what)
{
	for (size_t i = 0; i < rule->resources.n; i++) {
		struct str r = rule->resources.p[i];
		struct str head;

		if (str_is(r, "*")) {
			return true;
		}
		if (!what->subresource.n) {
			if (str_eq(r, what->resource)) {
				return true;
			}
			continue;
		}
		if (str_cut(&r, '/', &head) && r.p && str_eq(r, what->subresource) &&
		    (str_eq(head, what->resource) || str_is(head, "*"))) {
			return true;
		}
	}
	return false;
}

/* "/healthz", "/healthz/" + "*", "*" */
static bool path_matches(const struct rbac_policy_rule *rule, struct str path)
{
	for (size_t i = 0; i < rule->non_resource_urls.n; i++) {
		struct str url = rule->non_resource_urls.p[i];

		if (str_eq(url, path)) {
			return true;
		}
		if (str_has_suffix(url, STR("*")) &&
		    str_has_prefix(path, str_make(url.p, url.n - 1))) {
			return true;
		}
	}
	return false;
}

bool rbac_rule_allows(const struct rbac_policy_rule *rule, const struct access_attributes *what)
{
	if (!list_has_or_star(rule->verbs.p, rule->verbs.n, what->verb)) {
		return false;
	}
	if (!what->is_resource) {
		return path_matches(rule, what->path);
	}
	return list_has_or_star(rule->api_groups.p, rule->api_groups.n, what->group) &&
	       resource_matches(rule, what) &&
	       (rule->resource_names.n == 0 ||
		list_has(rule->resource_names.p, rule->resource_names.n, what->name));
}

static bool service_account_is(struct str name, struct str ns, struct str user)
{
	static const struct str prefix = STR_INIT("system:serviceaccount:");
	struct str head;

	if (!str_has_prefix(user, prefix)) {
		return false;
	}
	user = str_from(user, prefix.n);
	return str_cut(&user, ':', &head) && str_eq(head, ns) && str_eq(user, name);
}

bool rbac_subject_is(const struct rbac_subject *subject, struct str binding_ns,
		     const struct user_info *user)
{
	if (str_is(subject->kind, "User")) {
		return str_eq(subject->name, user->name);
	}
	if (str_is(subject->kind, "Group")) {
		return user_in_group(user, subject->name);
	}
	if (str_is(subject->kind, "ServiceAccount")) {
		struct str ns = subject->namespace.n ? subject->namespace : binding_ns;

		return ns.n && service_account_is(subject->name, ns, user->name);
	}
	return false;
}
