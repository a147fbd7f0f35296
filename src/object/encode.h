/* SPDX-License-Identifier: Apache-2.0 */
/* object/encode.h: generated structs as JSON, byte for byte as upstream's API server writes them:
 * fields in table order, Go's rules for what is left out, its escapes and numbers, maps by key,
 * canonical quantities, UTC times. Cannot fail. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "object/desc.h"

/* Places in the text, as offsets from where it begins (invariant I4): who serves stored bytes
 * splices at them instead of decoding. Spans are [begin, end); an absent part has begin == end ==
 * 0. */
struct encode_marks {
	/* `"kind":"Pod","apiVersion":"v1",` including the comma behind it if anything follows:
	 * items of a list go without. */
	uint32_t type_meta, type_meta_end;
	/* The value of metadata, braces included: all that a PartialObjectMetadata has beside kind
	 * and apiVersion. */
	uint32_t metadata, metadata_end;
	/* Between the quotes of metadata.resourceVersion. */
	uint32_t revision, revision_end;
	/* `,"managedFields":[...]` including the comma before it, if there is one. */
	uint32_t managed_fields, managed_fields_end;
};

struct encode_opts {
	/* Writes metadata.resourceVersion as "" whatever it holds: the store fills the revision in
	 * at marks.revision. */
	bool room_for_revision;
};

/* Appends one JSON value. opts and marks may be NULL. */
void object_encode(struct buf *out, const struct type_desc *type, const void *obj,
		   const struct encode_opts *opts, struct encode_marks *marks);
/* The value of one field (as if it were never left out), for messages and hashes. */
void object_encode_field(struct buf *out, const struct field_desc *field, const void *obj);
/* One element of the field: of its list, map, or the field itself; what default_json and error
 * messages hold. */
void object_encode_element(struct buf *out, const struct field_desc *field, const void *element);
