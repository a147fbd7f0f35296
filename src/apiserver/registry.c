/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/registry.h"

#include "base/buf.h"

/* Where upstream's storage prefix is not simply the resource's name. */
static const struct {
	const char *group, *resource, *prefix;
} prefixes[] = {
	{"", "nodes", "minions"},
	{"", "services", "services/specs"},
	{"", "endpoints", "services/endpoints"},
	{"", "replicationcontrollers", "controllers"},
	{"networking.k8s.io", "ingresses", "ingress"},
	{"policy", "poddisruptionbudgets", "poddisruptionbudgets"},
	{"apiextensions.k8s.io", "customresourcedefinitions",
	 "apiextensions.k8s.io/customresourcedefinitions"},
	{"apiregistration.k8s.io", "apiservices", "apiregistration.k8s.io/apiservices"},
};

static const char *storage_name(const struct resource_desc *resource)
{
	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
		if (strcmp(prefixes[i].group, resource->group) == 0 &&
		    strcmp(prefixes[i].resource, resource->resource) == 0) {
			return prefixes[i].prefix;
		}
	}
	return resource->resource;
}

static struct str path_key(struct buf *b, struct str group, struct str version, struct str resource)
{
	buf_clear(b);
	buf_add_str(b, group);
	buf_add_char(b, '/');
	buf_add_str(b, version);
	buf_add_char(b, '/');
	buf_add_str(b, resource);
	return buf_str(b);
}

void registry_init(struct registry *reg)
{
	struct buf b CLEANUP_BUF = {0};

	map_init(&reg->by_path, 0);
	for (size_t i = 0; i < all_resources_n; i++) {
		const struct resource_desc *r = all_resources[i];

		map_put(&reg->by_path,
			path_key(&b, str_of(r->group), str_of(r->version), str_of(r->resource)),
			(void *)r);
	}
}

void registry_fini(struct registry *reg)
{
	map_fini(&reg->by_path);
}

const struct resource_desc *registry_find(const struct registry *reg, struct str group,
					  struct str version, struct str resource)
{
	struct buf b CLEANUP_BUF = {0};

	return map_find(&reg->by_path, path_key(&b, group, version, resource));
}

const struct subresource_desc *resource_find_sub(const struct resource_desc *resource,
						 struct str name)
{
	for (size_t i = 0; i < resource->nsubresources; i++) {
		if (str_eq(name, str_of(resource->subresources[i].name))) {
			return &resource->subresources[i];
		}
	}
	return NULL;
}

const struct resource_desc *resource_storage(const struct resource_desc *resource)
{
	return resource->storage ? resource->storage : resource;
}

struct str registry_prefix(struct arena *a, const struct resource_desc *resource)
{
	return arena_printf(a, "/registry/%s/", storage_name(resource_storage(resource)));
}

struct str registry_key(struct arena *a, const struct resource_desc *resource, struct str ns,
			struct str name)
{
	const char *prefix = storage_name(resource_storage(resource));

	if (resource->namespaced) {
		return arena_printf(a, "/registry/%s/%.*s/%.*s", prefix, STR_ARG(ns),
				    STR_ARG(name));
	}
	return arena_printf(a, "/registry/%s/%.*s", prefix, STR_ARG(name));
}

void registry_range(struct arena *a, const struct resource_desc *resource, struct str ns,
		    struct str *ret_start, struct str *ret_end)
{
	struct str start = registry_prefix(a, resource);
	struct str end;

	if (ns.n) {
		start = arena_printf(a, "%.*s%.*s/", STR_ARG(start), STR_ARG(ns));
	}
	end = arena_str(a, start);
	((char *)end.p)[end.n - 1] = '/' + 1; /* the first key behind all that begin with start */
	*ret_start = start;
	*ret_end = end;
}

struct str registry_key_tail(const struct resource_desc *resource, struct str key)
{
	return str_from(key, strlen("/registry/") +
				     strlen(storage_name(resource_storage(resource))) + 1);
}

const struct resource_desc *registry_find_kind(struct str api_version, struct str kind)
{
	struct str version = api_version;
	struct str group;

	str_cut(&version, '/', &group);
	if (!version.p) {
		version = group;
		group = STR("");
	}
	for (size_t i = 0; i < all_resources_n; i++) {
		const struct resource_desc *r = all_resources[i];

		if (str_eq(kind, str_of(r->kind)) && str_eq(group, str_of(r->group)) &&
		    str_eq(version, str_of(r->version))) {
			return r;
		}
	}
	return NULL;
}
