/* SPDX-License-Identifier: Apache-2.0 */
#include "object/decode_internal.h"
#include "object/field.h"

enum { VALUE_SHOWN_MAX = 64 };

void decode_note(struct decoder *d, enum strict_kind kind, const struct path *at)
{
	if (d->report && d->report->notes.arena) {
		strict_notes_add(&d->report->notes, kind, at);
	}
}

/* "v1.PodSpec" of "core/v1.PodSpec": what Go prints. */
static const char *go_type_name(const struct type_desc *type)
{
	const char *slash = strrchr(type->name, '/');

	return slash ? slash + 1 : type->name;
}

static const char *go_struct_name(const struct type_desc *type)
{
	const char *dot = strrchr(type->name, '.');

	return dot ? dot + 1 : type->name;
}

struct type_words {
	const char *go;	   /* in upstream's messages */
	const char *plain; /* in ours */
};

static const struct type_words words[] = {
	[FIELD_STRING] = {"string", "string"},
	[FIELD_BOOL] = {"bool", "boolean"},
	[FIELD_INT32] = {"int32", "integer"},
	[FIELD_INT64] = {"int64", "integer"},
	[FIELD_DOUBLE] = {"float64", "number"},
	[FIELD_BYTES] = {"[]uint8", "base64 string"},
	[FIELD_QUANTITY] = {"string", "quantity"},
	[FIELD_TIME] = {"string", "time"},
	[FIELD_MICRO_TIME] = {"string", "time"},
	[FIELD_DURATION] = {"string", "duration"},
	[FIELD_INT_OR_STRING] = {"int32", "integer or string"},
	[FIELD_RAW] = {"json", "value"},
	[FIELD_STRINGS] = {"[]string", "list"},
	[FIELD_MESSAGE] = {NULL, "object"},
};

static const char *element_go_type(const struct field_desc *f)
{
	return f->type == FIELD_MESSAGE ? go_type_name(f->message) : words[f->type].go;
}

static struct str go_type(struct arena *arena, const struct field_desc *f, enum field_shape shape)
{
	const char *prefix = shape == SHAPE_LIST ? "[]" : shape == SHAPE_MAP ? "map[string]" : "";

	if (shape == SHAPE_MAP && f->type == FIELD_QUANTITY) {
		return STR("v1.ResourceList");
	}
	return arena_printf(arena, "%s%s", prefix, element_go_type(f));
}

static const char *expected_word(const struct field_desc *f, enum field_shape shape)
{
	return shape == SHAPE_LIST ? "list" : shape == SHAPE_MAP ? "map" : words[f->type].plain;
}

static void report_first(struct decoder *d, const struct field_desc *f, enum field_shape shape,
			 struct str value, const struct path *at)
{
	if (d->report) {
		d->report->path = path_print(d->arena, at, PATH_STYLE_API);
		d->report->expected = str_of(expected_word(f, shape));
		d->report->value = arena_str(d->arena, str_sub(value, 0, VALUE_SHOWN_MAX));
	}
}

static const char *article(const char *word)
{
	return strchr("aeiou", word[0]) ? "an" : "a";
}

/* Whether a value of that kind could be one element of the field. */
static bool takes(const struct field_desc *f, int kind)
{
	switch ((enum field_type)f->type) {
	case FIELD_STRING:
		return kind == JSON_STRING;
	case FIELD_INT32:
	case FIELD_INT64:
		return kind == JSON_INT;
	case FIELD_MESSAGE:
		return kind == JSON_OBJECT;
	default:
		return false;
	}
}

/* The member of an object that was probably meant where a scalar stands in the object's place:
 * `port: 3000` for `port: {number: 3000}`, `service: web` for `service: {name: web}`. */
static const struct field_desc *find_member_for(const struct type_desc *type, int kind)
{
	for (size_t i = 0; i < type->nfields; i++) {
		const struct field_desc *f = &type->fields[i];

		if (f->shape <= SHAPE_PTR && takes(f, kind) &&
		    (kind != JSON_STRING || str_is(field_name(f), "name"))) {
			return f;
		}
	}
	return NULL;
}

/* How to write it instead, or nothing. */
static void write_hint(struct buf *b, const struct field_desc *f, enum field_shape shape, int kind,
		       struct str value)
{
	const char *word = expected_word(f, shape);
	const struct field_desc *member = NULL;

	buf_printf(b, "%s %s must stand here", article(word), word);
	value = str_sub(value, 0, VALUE_SHOWN_MAX);
	if (value.n == VALUE_SHOWN_MAX) {
		return;
	}
	if (f->type == FIELD_MESSAGE && shape == SHAPE_ONE && kind != JSON_ARRAY) {
		member = find_member_for(f->message, kind);
	}
	if (member) {
		buf_printf(b, ", for example {\"%s\": %.*s}", member->name, STR_ARG(value));
	} else if (shape == SHAPE_LIST && takes(f, kind)) {
		buf_printf(b, ", for example [%.*s]", STR_ARG(value));
	} else if (shape == SHAPE_ONE && f->type == FIELD_STRING &&
		   (kind == JSON_INT || kind == JSON_BOOL)) {
		buf_printf(b, ", in quotes: \"%.*s\"", STR_ARG(value));
	} else if (shape == SHAPE_ONE &&
		   (f->type == FIELD_INT32 || f->type == FIELD_INT64 || f->type == FIELD_BOOL) &&
		   kind == JSON_STRING) {
		buf_puts(b, ", without quotes");
	}
}

static const char *kind_word(int kind)
{
	struct json_value v = {.kind = (uint8_t)kind};

	return json_kind_name(&v);
}

/* json: cannot unmarshal WHAT into Go struct field Container.spec.containers.image of type
 * string */
static void write_upstream(struct buf *b, struct decoder *d, const char *what,
			   const struct field_desc *f, enum field_shape shape,
			   const struct path *at)
{
	struct str type = go_type(d->arena, f, shape);

	buf_printf(b, "json: cannot unmarshal %s into Go ", what);
	if (d->owner) {
		buf_printf(b, "struct field %s.", go_struct_name(d->owner));
		path_write(b, at, PATH_STYLE_GO);
	} else {
		buf_puts(b, "value");
	}
	buf_printf(b, " of type %.*s", STR_ARG(type));
}

void decode_mismatch_of(struct decoder *d, const struct field_desc *f, enum field_shape shape,
			const struct path *at)
{
	struct buf b CLEANUP_BUF = {0};
	struct str value;
	int kind = json_peek(&d->r);

	if (kind < 0 || json_skip(&d->r, &value) < 0 || d->failed.code) {
		return;
	}
	write_upstream(&b, d, kind_word(kind), f, shape, at);
	buf_puts(&b, " (");
	if (at) {
		path_write(&b, at, PATH_STYLE_API);
		buf_puts(&b, ": ");
	}
	write_hint(&b, f, shape, kind, value);
	buf_add_char(&b, ')');
	err_set(&d->failed, ERR_INVALID, "%s", buf_cstr(&b));
	report_first(d, f, shape, value, at);
}

void decode_mismatch(struct decoder *d, const struct field_desc *f, const struct path *at)
{
	decode_mismatch_of(d, f, SHAPE_ONE, at);
}

void decode_bad_number(struct decoder *d, const struct field_desc *f, struct str number,
		       const struct path *at)
{
	struct buf b CLEANUP_BUF = {0};
	struct str what = arena_printf(d->arena, "number %.*s", STR_ARG(number));

	if (d->failed.code) {
		return;
	}
	write_upstream(&b, d, what.p, f, SHAPE_ONE, at);
	buf_puts(&b, " (");
	path_write(&b, at, PATH_STYLE_API);
	buf_printf(&b, ": %s)",
		   f->type == FIELD_DOUBLE ? "the number is too large"
		   : f->type == FIELD_INT64
			   ? "a whole number of 64 bits must stand here"
			   : "a whole number between -2147483648 and 2147483647 must stand here");
	err_set(&d->failed, ERR_INVALID, "%s", buf_cstr(&b));
	report_first(d, f, SHAPE_ONE, number, at);
}

void decode_refuse(struct decoder *d, const struct field_desc *f, struct str value,
		   const struct path *at, const char *fmt, ...)
{
	struct buf b CLEANUP_BUF = {0};
	va_list ap;

	if (d->failed.code) {
		return;
	}
	va_start(ap, fmt);
	buf_vprintf(&b, fmt, ap);
	va_end(ap);
	buf_puts(&b, " (");
	path_write(&b, at, PATH_STYLE_API);
	buf_puts(&b, ": ");
	json_write_string(&b, str_sub(value, 0, VALUE_SHOWN_MAX));
	buf_add_char(&b, ')');
	err_set(&d->failed, ERR_INVALID, "%s", buf_cstr(&b));
	report_first(d, f, SHAPE_ONE, value, at);
}
