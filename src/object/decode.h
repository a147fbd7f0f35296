/* SPDX-License-Identifier: Apache-2.0 */
/* object/decode.h: JSON into generated structs, by descriptors, as upstream's API machinery does
 * it: names are case-sensitive, null is the same as absent, unknown fields are passed over (and
 * noted), of duplicate fields the last counts (and is noted), map entries come out sorted. No
 * defaults are applied.
 *
 * Memory: strings without escapes are borrowed from the text, everything else lives in the arena:
 * both must outlive the object. */
#pragma once
#include "base/arena.h"
#include "base/attr.h"
#include "base/err.h"
#include "base/str.h"
#include "codec/json.h"
#include "codec/strict.h"
#include "object/desc.h"

struct decode_report {
	/* Unknown and duplicate fields; set notes.arena to collect them. */
	struct strict_notes notes;
	/* Of the first value that has the wrong type or form, if that is why decoding failed (all
	 * in the decoder's arena): its place, spec.rules[0].http.paths[0].backend.service.port; */
	struct str path;
	/* what should stand there: object, list, map, string, boolean, integer, number, integer or
	 * string, base64 string, quantity, time, duration; */
	struct str expected;
	/* what stands there, as JSON text (of a string: its contents), cut after 64 bytes. */
	struct str value;
};

/* Fills *obj, which must be zeroed, of `type`. report may be NULL. 0; ERR_INVALID for JSON that is
 * malformed or does not fit; ERR_LIMIT. Messages carry upstream's words, and behind them, where it
 * helps, in parentheses the full path and how to write it:
 *     json: cannot unmarshal number into Go struct field IngressServiceBackend.spec...port of type
 *     v1.ServiceBackendPort
 *     (spec...port: an object must stand here, for example {"number": 3000})
 * After a failure *obj holds whatever could be read. */
MUST_USE int object_decode(struct arena *arena, const struct type_desc *type, struct str text,
			   void *obj, struct decode_report *report, struct err *err);
/* The same from a DOM, which need not outlive the object. */
MUST_USE int object_decode_value(struct arena *arena, const struct type_desc *type,
				 const struct json_value *value, void *obj,
				 struct decode_report *report, struct err *err);
/* One value as the field takes it (a default, a constant): fills the field of *obj, which must be
 * zero. */
MUST_USE int object_decode_field(struct arena *arena, const struct field_desc *field,
				 struct str text, void *obj, struct err *err);
/* kind and apiVersion at the top of a document, whose syntax is checked to the end.
 * Absent ones are unset. */
MUST_USE int object_decode_type_meta(struct arena *arena, struct str text,
				     struct str *ret_api_version, struct str *ret_kind,
				     struct err *err);
