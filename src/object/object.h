/* SPDX-License-Identifier: Apache-2.0 */
/* object/object.h: what can be done with an object of any type by its descriptor: copy, compare,
 * walk, look up, drop. All functions are pure but for the object they change; recursion is as deep
 * as the object, which its decoder has bounded. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/attr.h"
#include "base/err.h"
#include "base/str.h"
#include "codec/path.h"
#include "object/desc.h"

/* Deep copy of *src into *dst (overwritten); everything, strings too, lives in the arena
 * afterwards. */
void object_dup(struct arena *arena, const struct type_desc *type, const void *src, void *dst);
/* Semantic equality: nil and empty lists, maps and byte strings are equal, quantities and times
 * compare by value, a message held by pointer differs from none. */
bool object_equal(const struct type_desc *type, const void *a, const void *b);
/* The same for one field of two structs. */
bool field_equal(const struct field_desc *f, const void *a, const void *b);
/* Go's zero value: unset pointer, nil list, "" ... */
bool field_is_zero(const struct field_desc *f, const void *obj);
bool object_is_zero(const struct type_desc *type, const void *obj);
/* The place of a field, NULL if the type has none of that name: object_member(type, obj,
 * STR("metadata")). */
void *object_member(const struct type_desc *type, const void *obj, struct str name);

/* ---- walking ---- */

enum { VISIT_SKIP = 0, VISIT_ENTER = 1 };

/* Called for each field that is not zero, before what is below it. `obj` is the struct that holds
 * the field. VISIT_ENTER goes on below it, VISIT_SKIP beside it, ERR_* ends the walk. It may change
 * or zero the field. */
typedef int (*field_visit_fn)(void *ctx, const struct field_desc *f, void *obj,
			      const struct path *at);

/* 0, or the ERR_* that ended it. `base` is the path of obj itself, NULL at the top. */
int object_visit(const struct type_desc *type, void *obj, const struct path *base,
		 field_visit_fn visit, void *ctx);

/* ---- paths, for field selectors and columns ---- */

enum { FIELD_PATH_MAX = 8 };

/* A chain of fields through messages held as such or by pointer: "status.phase". Compiled once per
 * selector. */
struct field_path {
	const struct field_desc *steps[FIELD_PATH_MAX];
	size_t n;
};

/* 0, or ERR_NOT_FOUND if the type has no such path, it crosses a list or map, or is too long. */
MUST_USE int field_path_compile(const struct type_desc *type, struct str dotted,
				struct field_path *ret);
/* The field's place and descriptor; NULL if a pointer on the way is unset. */
void *field_path_find(const struct field_path *path, const void *obj);
/* As a field selector compares it: strings as they are, others as in JSON without quotes, "" for
 * what is unset. Strings are borrowed from the object, others made in the arena. */
struct str field_path_text(struct arena *arena, const struct field_path *path, const void *obj);

/* ---- feature gates and support ---- */

typedef bool (*gate_enabled_fn)(void *ctx, struct str gate);

/* Zeroes the fields whose gate (one of its gates) is off, except those that are in use anywhere in
 * the old object (NULL on create): what was accepted once is kept. */
void object_drop_disabled(const struct type_desc *type, void *obj, const void *old,
			  gate_enabled_fn enabled, void *ctx);

struct unsupported {
	struct str path; /* spec.volumes[0].rbd */
	const struct field_desc *field;
	enum support support; /* SUPPORT_STORED or SUPPORT_REFUSED */
};

/* The outermost fields that are set and whose support is worse than that of what holds them (I12),
 * in document order, at most `max`. `base` is the support of the whole kind, which its caller has
 * told of already. Fields that have the same value in `old` (NULL on create) at the same place are
 * not named again. Returns how many. */
size_t object_find_unsupported(struct arena *arena, const struct type_desc *type, enum support base,
			       const void *obj, const void *old, struct unsupported *ret,
			       size_t max);
