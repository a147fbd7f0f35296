/* SPDX-License-Identifier: Apache-2.0 */
#include "object/field_error.h"

#include "codec/go_text.h"
#include "object/encode.h"
#include "object/field.h"

static const struct {
	const char *reason;
	const char *text;
} types[] = {
#define FIELD_ERROR(name, reason, text) [FIELD_ERROR_##name] = {reason, text},
#include "object/field_errors.def"
#undef FIELD_ERROR
};

const char *field_error_reason(enum field_error_type type)
{
	return types[type].reason;
}

struct field_value field_value_of(struct arena *arena, const struct field_desc *f, const void *obj)
{
	struct buf b CLEANUP_BUF = {0};
	const struct str *s = field_at(f, obj);

	if (f->shape == SHAPE_PTR) {
		s = *(struct str *const *)s;
	}
	if (f->type == FIELD_STRING && f->shape <= SHAPE_PTR && s) {
		return field_str(*s);
	}
	object_encode_field(&b, f, obj);
	return field_json(arena_str(arena, buf_str(&b)));
}

static bool shows_value(enum field_error_type type)
{
	return type != FIELD_ERROR_REQUIRED && type != FIELD_ERROR_FORBIDDEN &&
	       type != FIELD_ERROR_TOO_LONG && type != FIELD_ERROR_TOO_SHORT &&
	       type != FIELD_ERROR_INTERNAL;
}

static void write_value(struct buf *b, struct field_value value)
{
	switch (value.kind) {
	case FIELD_VALUE_NONE:
		return;
	case FIELD_VALUE_STR:
		buf_puts(b, ": ");
		go_quote(b, value.str);
		return;
	case FIELD_VALUE_INT:
		buf_puts(b, ": ");
		buf_add_int64(b, value.num);
		return;
	case FIELD_VALUE_BOOL:
		buf_printf(b, ": %s", value.num ? "true" : "false");
		return;
	case FIELD_VALUE_JSON:
		buf_puts(b, ": ");
		buf_add_str(b, value.str);
		return;
	}
}

static void add(struct field_errors *errs, const struct path *at, enum field_error_type type,
		struct buf *body)
{
	struct field_error *grown;

	if (errs->n == FIELD_ERRORS_MAX) {
		return;
	}
	if (errs->n == errs->cap) {
		errs->cap = errs->cap ? errs->cap * 2 : 8;
		grown = ARENA_ARRAY(errs->arena, errs->cap, struct field_error);
		if (errs->n) {
			memcpy(grown, errs->p, errs->n * sizeof(*grown));
		}
		errs->p = grown;
	}
	errs->p[errs->n++] = (struct field_error){
		.type = type,
		.path = path_print(errs->arena, at, PATH_STYLE_API),
		.body = arena_str(errs->arena, buf_str(body)),
	};
}

void field_errors_add(struct field_errors *errs, const struct path *at, enum field_error_type type,
		      struct field_value value, const char *fmt, ...)
{
	struct buf b CLEANUP_BUF = {0};
	va_list ap;

	buf_add_str(&b, str_of(types[type].text));
	if (shows_value(type)) {
		write_value(&b, value);
	}
	if (fmt && *fmt) {
		buf_puts(&b, ": ");
		va_start(ap, fmt);
		buf_vprintf(&b, fmt, ap);
		va_end(ap);
	}
	add(errs, at, type, &b);
}

void field_not_supported(struct field_errors *errs, const struct path *at, struct field_value value,
			 const char *const *supported)
{
	struct buf b CLEANUP_BUF = {0};

	buf_add_str(&b, str_of(types[FIELD_ERROR_NOT_SUPPORTED].text));
	write_value(&b, value);
	for (size_t i = 0; supported && supported[i]; i++) {
		buf_add_str(&b, i ? STR(", ") : STR(": supported values: "));
		go_quote(&b, str_of(supported[i]));
	}
	add(errs, at, FIELD_ERROR_NOT_SUPPORTED, &b);
}

void field_too_long(struct field_errors *errs, const struct path *at, size_t max_bytes)
{
	field_errors_add(errs, at, FIELD_ERROR_TOO_LONG, FIELD_NO_VALUE,
			 "may not be more than %zu %s", max_bytes,
			 max_bytes == 1 ? "byte" : "bytes");
}

void field_too_many(struct field_errors *errs, const struct path *at, size_t n, size_t max)
{
	field_errors_add(errs, at, FIELD_ERROR_TOO_MANY, field_int((int64_t)n),
			 "must have at most %zu %s", max, max == 1 ? "item" : "items");
}

void field_error_write(struct buf *out, const struct field_error *e)
{
	/* The root's path is what Go prints for a nil one. */
	buf_add_str(out, e->path.n ? e->path : STR("<nil>"));
	buf_puts(out, ": ");
	buf_add_str(out, e->body);
}

static bool is_repeated(const struct field_errors *errs, size_t i)
{
	for (size_t j = 0; j < i; j++) {
		if (str_eq(errs->p[j].path, errs->p[i].path) &&
		    str_eq(errs->p[j].body, errs->p[i].body)) {
			return true;
		}
	}
	return false;
}

void field_errors_write(struct buf *out, const struct field_errors *errs)
{
	size_t start = out->n;
	size_t written = 0;

	for (size_t i = 0; i < errs->n; i++) {
		if (is_repeated(errs, i)) {
			continue;
		}
		if (written++) {
			buf_puts(out, ", ");
		}
		field_error_write(out, &errs->p[i]);
	}
	if (written > 1) {
		buf_add_char(out, ']');
		buf_reserve(out, 1);
		memmove(out->p + start + 1, out->p + start, out->n - start);
		out->p[start] = '[';
		out->n++;
	}
}
