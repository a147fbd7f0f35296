/* SPDX-License-Identifier: Apache-2.0 */
#include "rules/controller_ref.h"

const struct meta_owner_reference *controller_of(const struct meta_object_meta *meta)
{
	for (size_t i = 0; i < meta->owner_references.n; i++) {
		const struct meta_owner_reference *ref = &meta->owner_references.p[i];

		if (ref->controller && *ref->controller) {
			return ref;
		}
	}
	return NULL;
}

bool is_controlled_by(const struct meta_object_meta *meta, struct str uid)
{
	const struct meta_owner_reference *ref = controller_of(meta);

	return ref && str_eq(ref->uid, uid);
}

struct str api_version_of(struct arena *a, const struct resource_desc *resource)
{
	if (!resource->group[0]) {
		return arena_str(a, str_of(resource->version));
	}
	return arena_printf(a, "%s/%s", resource->group, resource->version);
}

struct meta_owner_reference controller_ref_make(struct arena *a,
						const struct resource_desc *resource,
						const struct meta_object_meta *owner)
{
	bool *yes = ARENA_ARRAY(a, 2, bool);

	yes[0] = yes[1] = true;
	return (struct meta_owner_reference){
		.api_version = api_version_of(a, resource),
		.kind = arena_str(a, str_of(resource->kind)),
		.name = arena_str(a, owner->name),
		.uid = arena_str(a, owner->uid),
		.controller = &yes[0],
		.block_owner_deletion = &yes[1],
	};
}

struct str owner_group(const struct meta_owner_reference *ref)
{
	ptrdiff_t slash = str_find_char(ref->api_version, '/');

	return slash < 0 ? STR("") : str_sub(ref->api_version, 0, (size_t)slash);
}

bool owner_is_kind(const struct meta_owner_reference *ref, struct str group, struct str kind)
{
	return str_eq(ref->kind, kind) && str_eq(owner_group(ref), group);
}

static struct str join_key(struct arena *a, struct str ns, struct str name)
{
	if (!ns.n) {
		return arena_str(a, name);
	}
	return arena_printf(a, "%.*s/%.*s", STR_ARG(ns), STR_ARG(name));
}

struct str object_key(struct arena *a, const struct meta_object_meta *meta)
{
	return join_key(a, meta->namespace, meta->name);
}

struct str owner_key(struct arena *a, const struct meta_object_meta *meta,
		     const struct meta_owner_reference *ref)
{
	return join_key(a, meta->namespace, ref->name);
}
