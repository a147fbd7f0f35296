/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/discovery.h"

#include "apiserver/registry.h"
#include "crypto/base64.h"
#include "crypto/digest.h"

/* all_resources stands in discovery order: groups together, in them versions by preference. */

static bool is_core(const struct resource_desc *r)
{
	return r->group[0] == '\0';
}

static bool same_group(size_t i, size_t j)
{
	return strcmp(all_resources[i]->group, all_resources[j]->group) == 0;
}

static bool same_version(size_t i, size_t j)
{
	return same_group(i, j) &&
	       strcmp(all_resources[i]->version, all_resources[j]->version) == 0;
}

static void write_strings(struct buf *b, const char *key, const char *const *list)
{
	if (!list || !list[0]) {
		return;
	}
	buf_printf(b, ",\"%s\":[", key);
	for (size_t i = 0; list[i]; i++) {
		buf_printf(b, "%s\"%s\"", i ? "," : "", list[i]);
	}
	buf_puts(b, "]");
}

static void write_verbs(struct buf *b, unsigned verbs)
{
	static const struct {
		enum verb verb;
		const char *name;
	} names[] = {
		{VERB_CREATE, "create"},
		{VERB_DELETE, "delete"},
		{VERB_DELETECOLLECTION, "deletecollection"},
		{VERB_GET, "get"},
		{VERB_LIST, "list"},
		{VERB_PATCH, "patch"},
		{VERB_UPDATE, "update"},
		{VERB_WATCH, "watch"},
	};
	bool first = true;

	buf_puts(b, "\"verbs\":[");
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (verbs & names[i].verb) {
			buf_printf(b, "%s\"%s\"", first ? "" : ",", names[i].name);
			first = false;
		}
	}
	buf_puts(b, "]");
}

void discovery_write_api_versions(struct buf *b)
{
	buf_puts(b, "{\"kind\":\"APIVersions\",\"versions\":[\"v1\"],"
		    "\"serverAddressByClientCIDRs\":[]}\n");
}

static void write_group_version(struct buf *b, const struct resource_desc *r)
{
	buf_printf(b, "{\"groupVersion\":\"%s/%s\",\"version\":\"%s\"}", r->group, r->version,
		   r->version);
}

/* The group that begins at index i; returns where the next one begins. */
static size_t write_group(struct buf *b, size_t i, bool type_meta)
{
	size_t first = i;

	buf_add_str(b, type_meta ? STR("{\"kind\":\"APIGroup\",\"apiVersion\":\"v1\",") : STR("{"));
	buf_printf(b, "\"name\":\"%s\",\"versions\":[", all_resources[i]->group);
	for (; i < all_resources_n && same_group(first, i); i++) {
		if (i == first || !same_version(i - 1, i)) {
			buf_add_str(b, i == first ? STR("") : STR(","));
			write_group_version(b, all_resources[i]);
		}
	}
	buf_puts(b, "],\"preferredVersion\":");
	write_group_version(b, all_resources[first]);
	buf_puts(b, "}");
	return i;
}

void discovery_write_groups(struct buf *b)
{
	bool first = true;

	buf_puts(b, "{\"kind\":\"APIGroupList\",\"apiVersion\":\"v1\",\"groups\":[");
	for (size_t i = 0; i < all_resources_n;) {
		if (is_core(all_resources[i])) {
			i++;
			continue;
		}
		buf_add_str(b, first ? STR("") : STR(","));
		first = false;
		i = write_group(b, i, false);
	}
	buf_puts(b, "]}\n");
}

bool discovery_write_group(struct buf *b, struct str group)
{
	for (size_t i = 0; i < all_resources_n; i++) {
		if (group.n && str_eq(group, str_of(all_resources[i]->group))) {
			write_group(b, i, true);
			buf_puts(b, "\n");
			return true;
		}
	}
	return false;
}

/* Upstream's opaque hash: base64 of the first 8 bytes of SHA-256 of "group/version/kind" of the storage version. */
static void write_storage_hash(struct buf *b, const struct resource_desc *r)
{
	const struct resource_desc *s = resource_storage(r);
	struct buf text CLEANUP_BUF = {0};
	struct sha256 digest;

	buf_printf(&text, "%s/%s/%s", s->group, s->version, s->kind);
	digest = sha256_of(buf_str(&text));
	buf_puts(b, ",\"storageVersionHash\":\"");
	base64_encode(b, str_make(digest.bytes, 8));
	buf_puts(b, "\"");
}

static void write_resource(struct buf *b, const struct resource_desc *r)
{
	buf_printf(b, "{\"name\":\"%s\",\"singularName\":\"%s\",\"namespaced\":%s,\"kind\":\"%s\",",
		   r->resource, r->singular, r->namespaced ? "true" : "false", r->kind);
	write_verbs(b, r->verbs);
	write_strings(b, "shortNames", r->short_names);
	write_strings(b, "categories", r->categories);
	if (r->verbs & VERB_UPDATE) {
		write_storage_hash(b, r);
	}
	buf_puts(b, "}");
}

static void write_subresource(struct buf *b, const struct resource_desc *r,
			      const struct subresource_desc *s)
{
	buf_printf(b, ",{\"name\":\"%s/%s\",\"singularName\":\"\",\"namespaced\":%s,", r->resource,
		   s->name, r->namespaced ? "true" : "false");
	if (strcmp(s->group, r->group) != 0 || strcmp(s->version, r->version) != 0) {
		buf_printf(b, "\"group\":\"%s\",\"version\":\"%s\",", s->group, s->version);
	}
	buf_printf(b, "\"kind\":\"%s\",", s->kind);
	write_verbs(b, s->verbs);
	buf_puts(b, "}");
}

bool discovery_write_resources(struct buf *b, struct str group, struct str version)
{
	bool any = false;

	for (size_t i = 0; i < all_resources_n; i++) {
		const struct resource_desc *r = all_resources[i];

		if (!str_eq(group, str_of(r->group)) || !str_eq(version, str_of(r->version))) {
			continue;
		}
		if (any) {
			buf_puts(b, ",");
		} else {
			buf_printf(b,
				   "{\"kind\":\"APIResourceList\",%s\"groupVersion\":\"%s%s%s\","
				   "\"resources\":[",
				   r->group[0] ? "\"apiVersion\":\"v1\"," : "", r->group,
				   r->group[0] ? "/" : "", r->version);
		}
		any = true;
		write_resource(b, r);
		for (size_t j = 0; j < r->nsubresources; j++) {
			write_subresource(b, r, &r->subresources[j]);
		}
	}
	if (any) {
		buf_puts(b, "]}\n");
	}
	return any;
}

static void write_kind(struct buf *b, const char *group, const char *version, const char *kind)
{
	buf_printf(b, "\"responseKind\":{\"group\":\"%s\",\"version\":\"%s\",\"kind\":\"%s\"},",
		   group, version, kind);
}

static void write_aggregated_resource(struct buf *b, const struct resource_desc *r)
{
	buf_printf(b, "{\"resource\":\"%s\",", r->resource);
	write_kind(b, r->group, r->version, r->kind);
	buf_printf(b, "\"scope\":\"%s\",\"singularResource\":\"%s\",",
		   r->namespaced ? "Namespaced" : "Cluster", r->singular);
	write_verbs(b, r->verbs);
	write_strings(b, "shortNames", r->short_names);
	write_strings(b, "categories", r->categories);
	for (size_t i = 0; i < r->nsubresources; i++) {
		const struct subresource_desc *s = &r->subresources[i];

		buf_printf(b, "%s{\"subresource\":\"%s\",", i ? "," : ",\"subresources\":[",
			   s->name);
		write_kind(b, s->group, s->version, s->kind);
		write_verbs(b, s->verbs);
		buf_puts(b, "}");
	}
	buf_add_str(b, r->nsubresources ? STR("]}") : STR("}"));
}

static size_t write_aggregated_version(struct buf *b, size_t i)
{
	size_t first = i;

	buf_printf(b, "{\"version\":\"%s\",\"resources\":[", all_resources[i]->version);
	for (; i < all_resources_n && same_version(first, i); i++) {
		buf_add_str(b, i == first ? STR("") : STR(","));
		write_aggregated_resource(b, all_resources[i]);
	}
	buf_puts(b, "],\"freshness\":\"Current\"}");
	return i;
}

void discovery_write_aggregated(struct buf *b, bool core)
{
	bool any = false;

	buf_puts(b, "{\"kind\":\"APIGroupDiscoveryList\",\"apiVersion\":\"apidiscovery.k8s.io/"
		    "v2\",\"metadata\":{},\"items\":[");
	for (size_t i = 0; i < all_resources_n;) {
		size_t first = i;

		if (is_core(all_resources[i]) != core) {
			i++;
			continue;
		}
		buf_add_str(b, any ? STR(",") : STR(""));
		any = true;
		if (core) {
			buf_puts(b, "{\"metadata\":{\"creationTimestamp\":null},\"versions\":[");
		} else {
			buf_printf(b,
				   "{\"metadata\":{\"name\":\"%s\",\"creationTimestamp\":null},"
				   "\"versions\":[",
				   all_resources[i]->group);
		}
		while (i < all_resources_n && same_group(first, i)) {
			buf_add_str(b, i == first ? STR("") : STR(","));
			i = write_aggregated_version(b, i);
		}
		buf_puts(b, "]}");
	}
	buf_puts(b, "]}\n");
}
