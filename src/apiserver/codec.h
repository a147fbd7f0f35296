/* SPDX-License-Identifier: Apache-2.0 */
/* apiserver/codec.h: between bytes, generated structs and stored versions. */
#pragma once
#include "apiserver/request.h"
#include "object/desc.h"
#include "store/store.h"

struct json_value;

/* Decodes a stored version into the arena; strings may point into the value, which the caller keeps alive. resourceVersion is filled in, also
 * for a pending version. Aborts on text that our own encoder cannot have written: the store has checked its sums. */
struct object_head *codec_decode_value(struct arena *a, const struct resource_desc *resource,
				       const struct store_value *value);
/* The same as a JSON tree: what patches start from. */
struct json_value *codec_value_tree(struct arena *a, const struct resource_desc *resource,
				    const struct store_value *value);

/* Decodes the request's body as an object of `type` (an API kind) by its Content-Type and ?fieldValidation=; on failure answers r and
 * returns NULL. kind and apiVersion are checked against the given ones when the body names them. */
void *codec_decode_body(struct request *r, const struct type_desc *type, struct str group,
			struct str version, struct str kind);
/* Same from a JSON tree (a patched object). */
void *codec_decode_tree(struct request *r, const struct type_desc *type, struct str kind,
			const struct json_value *tree);

/* The stored form of an object of resource->type: JSON of the storage version with room for the revision. One reference, the caller's.
 * obj's resourceVersion, kind and apiVersion are ignored. base: the version it replaces, or NULL. */
struct store_value *codec_encode_value(const struct resource_desc *resource,
				       struct object_head *obj, const struct store_value *base);
/* True if both versions say the same (but for the revision). */
bool codec_same_text(const struct store_value *a, const struct store_value *b);

/* Decoded labels and selectable fields of a version, made once and kept with it. */
struct value_index {
	struct str_map labels;
	struct str *fields; /* in the order of resource->selectable */
};
const struct value_index *codec_index(const struct resource_desc *resource,
				      const struct store_value *value);
void codec_index_build(const struct resource_desc *resource, struct store_value *value,
		       const struct object_head *obj);
/* Do the request's label and field selectors let this version through? tail: "ns/name" behind the resource's prefix. */
bool codec_matches(const struct resource_desc *resource, const struct request_options *options,
		   struct str tail, const struct store_value *value);
