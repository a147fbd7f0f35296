/* SPDX-License-Identifier: Apache-2.0 */
/* rbac.authorization.k8s.io/v1: what roles and bindings may be. What they let through: rules/rbac.h. */
#include "object/object.h"
#include "rules/check.h"
#include "rules/metadata.h"
#include "rules/strategy.h"
#include "types/types.h"

#define RBAC_GROUP "rbac.authorization.k8s.io"

/* Of a role binding or cluster role binding. */
struct subjects {
	struct rbac_subject *p;
	size_t n;
};

static void default_subjects(struct subjects s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (!s.p[i].api_group.n &&
		    (str_is(s.p[i].kind, "User") || str_is(s.p[i].kind, "Group"))) {
			s.p[i].api_group = STR(RBAC_GROUP);
		}
	}
}

static void binding_defaults(struct arena *a UNUSED, void *obj)
{
	struct rbac_role_binding *b = obj;

	default_subjects((struct subjects){b->subjects.p, b->subjects.n});
}

static void cluster_binding_defaults(struct arena *a UNUSED, void *obj)
{
	struct rbac_cluster_role_binding *b = obj;

	default_subjects((struct subjects){b->subjects.p, b->subjects.n});
}

static void check_policy_rule(struct field_errors *errs, const struct path *at,
			      const struct rbac_policy_rule *r, bool namespaced)
{
	const struct path *urls = AT(at, "nonResourceURLs");

	if (!r->verbs.n) {
		field_required(errs, AT(at, "verbs"), "verbs must contain at least one value");
	}
	if (r->non_resource_urls.n) {
		if (namespaced) {
			field_invalid(errs, urls, strings_json(errs, &r->non_resource_urls),
				      "namespaced rules cannot apply to non-resource URLs");
		}
		if (r->api_groups.n || r->resources.n || r->resource_names.n) {
			field_invalid(errs, urls, strings_json(errs, &r->non_resource_urls),
				      "rules cannot apply to both regular resources and "
				      "non-resource URLs");
		}
		return;
	}
	if (!r->api_groups.n) {
		field_required(errs, AT(at, "apiGroups"),
			       "resource rules must supply at least one api group");
	}
	if (!r->resources.n) {
		field_required(errs, AT(at, "resources"),
			       "resource rules must supply at least one resource");
	}
}

static void role_validate(struct field_errors *errs, const void *obj, const void *old UNUSED)
{
	const struct rbac_role *role = obj;

	for (size_t i = 0; i < role->rules.n; i++) {
		check_policy_rule(errs, AT_INDEX(AT(NULL, "rules"), i), &role->rules.p[i], true);
	}
}

static void cluster_role_validate(struct field_errors *errs, const void *obj,
				  const void *old UNUSED)
{
	const struct rbac_cluster_role *role = obj;
	const struct path *selectors = AT(AT(NULL, "aggregationRule"), "clusterRoleSelectors");

	for (size_t i = 0; i < role->rules.n; i++) {
		check_policy_rule(errs, AT_INDEX(AT(NULL, "rules"), i), &role->rules.p[i], false);
	}
	if (!role->aggregation_rule) {
		return;
	}
	if (!role->aggregation_rule->cluster_role_selectors.n) {
		field_required(
			errs, selectors,
			"at least one clusterRoleSelector required if aggregationRule is non-nil");
	}
	for (size_t i = 0; i < role->aggregation_rule->cluster_role_selectors.n; i++) {
		validate_label_selector(errs, AT_INDEX(selectors, i),
					&role->aggregation_rule->cluster_role_selectors.p[i]);
	}
}

static void check_group(struct field_errors *errs, const struct path *at, struct str group,
			const char *want)
{
	const char *const supported[] = {want, NULL};

	check_one_of(errs, AT(at, "apiGroup"), &group, supported);
}

static void check_subject(struct field_errors *errs, const struct path *at,
			  const struct rbac_subject *s, bool namespaced)
{
	static const char *const kinds[] = {"ServiceAccount", "User", "Group", NULL};

	if (str_is(s->kind, "ServiceAccount")) {
		if (s->name.n) {
			check_name(errs, AT(at, "name"), s->name, dns_subdomain_faults);
		}
		check_group(errs, at, s->api_group, "");
		if (!namespaced && !s->namespace.n) {
			field_required(errs, AT(at, "namespace"), NULL);
		}
	} else if (str_is(s->kind, "User") || str_is(s->kind, "Group")) {
		check_group(errs, at, s->api_group, RBAC_GROUP);
	} else if (s->kind.n) {
		field_not_supported(errs, AT(at, "kind"), field_str(s->kind), kinds);
	}
}

static void check_role_ref(struct field_errors *errs, const struct rbac_role_ref *ref,
			   bool namespaced)
{
	static const char *const both[] = {"Role", "ClusterRole", NULL};
	const struct path *at = AT(NULL, "roleRef");

	check_group(errs, at, ref->api_group, RBAC_GROUP);
	if (ref->kind.n) {
		check_one_of(errs, AT(at, "kind"), &ref->kind, namespaced ? both : both + 1);
	}
	if (ref->name.n) {
		check_name(errs, AT(at, "name"), ref->name, path_segment_faults);
	}
}

static void check_subjects(struct field_errors *errs, struct subjects s, bool namespaced)
{
	for (size_t i = 0; i < s.n; i++) {
		check_subject(errs, AT_INDEX(AT(NULL, "subjects"), i), &s.p[i], namespaced);
	}
}

static void binding_validate(struct field_errors *errs, const void *obj, const void *old UNUSED)
{
	const struct rbac_role_binding *b = obj;

	check_role_ref(errs, &b->role_ref, true);
	check_subjects(errs, (struct subjects){b->subjects.p, b->subjects.n}, true);
}

static void cluster_binding_validate(struct field_errors *errs, const void *obj,
				     const void *old UNUSED)
{
	const struct rbac_cluster_role_binding *b = obj;

	check_role_ref(errs, &b->role_ref, false);
	check_subjects(errs, (struct subjects){b->subjects.p, b->subjects.n}, false);
}

static const struct strategy list[] = {
	{
		.resource = &resource_rbac_roles,
		.name = NAME_PATH_SEGMENT,
		.create_on_update = true,
		.validate = role_validate,
	},
	{
		.resource = &resource_rbac_clusterroles,
		.name = NAME_PATH_SEGMENT,
		.create_on_update = true,
		.validate = cluster_role_validate,
	},
	{
		.resource = &resource_rbac_rolebindings,
		.name = NAME_PATH_SEGMENT,
		.create_on_update = true,
		.set_defaults = binding_defaults,
		.validate = binding_validate,
	},
	{
		.resource = &resource_rbac_clusterrolebindings,
		.name = NAME_PATH_SEGMENT,
		.create_on_update = true,
		.set_defaults = cluster_binding_defaults,
		.validate = cluster_binding_validate,
	},
};

const struct strategy_list strategies_rbac = {list, ARRAY_LEN(list)};
