/* SPDX-License-Identifier: Apache-2.0 */
/* object/field_error.h: what validation finds, in upstream's form. Every validator, generic or
 * written by hand, appends to one list:
 *     struct path name = path_field(&meta, STR("name"));
 *     field_invalid(errs, &name, field_str(pod->metadata.name), "must be no more than %d
 *     characters", 63);
 *     field_required(errs, &name, "name or generateName is required");       metadata.name:
 *     Required value: name or ...
 * Texts live in the list's arena. At most FIELD_ERRORS_MAX are kept. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"
#include "codec/path.h"
#include "object/desc.h"

enum { FIELD_ERRORS_MAX = 200 };

enum field_error_type {
#define FIELD_ERROR(name, reason, text) FIELD_ERROR_##name,
#include "object/field_errors.def"
#undef FIELD_ERROR
};

struct field_error {
	enum field_error_type type;
	struct str path; /* spec.containers[0].image; a cause's `field` */
	struct str body; /* Invalid value: "x": detail; a cause's `message` */
};

struct field_errors {
	struct arena *arena;
	struct field_error *p;
	size_t n, cap;
};

/* The offending value, as messages show it. */
struct field_value {
	enum {
		FIELD_VALUE_NONE,
		FIELD_VALUE_STR,
		FIELD_VALUE_INT,
		FIELD_VALUE_BOOL,
		FIELD_VALUE_JSON
	} kind;
	struct str str; /* STR: shown quoted; JSON: shown as it is */
	int64_t num;
};

#define FIELD_NO_VALUE ((struct field_value){0})

static inline struct field_value field_str(struct str s)
{
	return (struct field_value){.kind = FIELD_VALUE_STR, .str = s};
}

static inline struct field_value field_int(int64_t i)
{
	return (struct field_value){.kind = FIELD_VALUE_INT, .num = i};
}

static inline struct field_value field_bool(bool b)
{
	return (struct field_value){.kind = FIELD_VALUE_BOOL, .num = b};
}

static inline struct field_value field_json(struct str text)
{
	return (struct field_value){.kind = FIELD_VALUE_JSON, .str = text};
}

/* Whatever the field of *obj holds: strings quoted, the rest as JSON (made in the arena). */
struct field_value field_value_of(struct arena *arena, const struct field_desc *f, const void *obj);

/* fmt is the detail, NULL for none. The value of REQUIRED, FORBIDDEN, TOO_LONG and INTERNAL is not
 * shown. */
void field_errors_add(struct field_errors *errs, const struct path *at, enum field_error_type type,
		      struct field_value value, const char *fmt, ...) PRINTF(5, 6);

#define field_required(errs, at, ...)                                                              \
	field_errors_add((errs), (at), FIELD_ERROR_REQUIRED, FIELD_NO_VALUE, __VA_ARGS__)
#define field_forbidden(errs, at, ...)                                                             \
	field_errors_add((errs), (at), FIELD_ERROR_FORBIDDEN, FIELD_NO_VALUE, __VA_ARGS__)
#define field_invalid(errs, at, value, ...)                                                        \
	field_errors_add((errs), (at), FIELD_ERROR_INVALID, (value), __VA_ARGS__)
#define field_type_invalid(errs, at, value, ...)                                                   \
	field_errors_add((errs), (at), FIELD_ERROR_TYPE_INVALID, (value), __VA_ARGS__)
#define field_duplicate(errs, at, value)                                                           \
	field_errors_add((errs), (at), FIELD_ERROR_DUPLICATE, (value), NULL)
#define field_not_found(errs, at, value)                                                           \
	field_errors_add((errs), (at), FIELD_ERROR_NOT_FOUND, (value), NULL)
/* supported: NULL-terminated. */
void field_not_supported(struct field_errors *errs, const struct path *at, struct field_value value,
			 const char *const *supported);
/* Too long: may not be more than 63 bytes */
void field_too_long(struct field_errors *errs, const struct path *at, size_t max_bytes);
/* Too many: 5: must have at most 3 items */
void field_too_many(struct field_errors *errs, const struct path *at, size_t n, size_t max);

/* FieldValueRequired ...: a cause's `reason`. */
const char *field_error_reason(enum field_error_type type);
/* path: body */
void field_error_write(struct buf *out, const struct field_error *e);
/* One as it is, several as [a, b], equal ones once: what stands behind `is invalid: ` in a Status
 * message. */
void field_errors_write(struct buf *out, const struct field_errors *errs);
