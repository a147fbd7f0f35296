/* SPDX-License-Identifier: Apache-2.0 */
/* rules/rbac.h: what a role's rule lets through. Pure; upstream's pkg/apis/rbac evaluation: a request passes if any rule of any role
 * bound to the user passes; there are no denials. */
#pragma once
#include <stdbool.h>

#include "base/str.h"
#include "types/types.h"

/* Who asks. Strings and the group list are borrowed. */
struct user_info {
	struct str name;
	struct str uid;
	struct str_list groups;
	/* Extra claims (authentication.kubernetes.io/pod-name, ...), key to values. */
	const struct user_extra *extra;
	size_t nextra;
};

struct user_extra {
	struct str key;
	struct str_list values;
};

bool user_in_group(const struct user_info *user, struct str group);

/* What is asked. */
struct access_attributes {
	bool is_resource;
	struct str verb;
	struct str group, resource, subresource, name, ns; /* of a resource request */
	struct str path;				   /* otherwise */
};

bool rbac_rule_allows(const struct rbac_policy_rule *rule, const struct access_attributes *what);
/* True if the subject (of a binding in namespace binding_ns, "" for cluster-wide) is this user. */
bool rbac_subject_is(const struct rbac_subject *subject, struct str binding_ns,
		     const struct user_info *user);
