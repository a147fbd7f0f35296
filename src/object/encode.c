/* SPDX-License-Identifier: Apache-2.0 */
#include "object/encode.h"

#include "base/alloc.h"
#include "codec/base64.h"
#include "codec/json.h"
#include "codec/time.h"
#include "object/field.h"
#include "object/object.h"
#include "object/quantity.h"

static void put(struct buf *out, const char *p, size_t n)
{
	if (out->cap - out->n <= n) {
		buf_reserve(out, n);
	}
	memcpy(out->p + out->n, p, n);
	out->n += n;
}

#define PUT(out, lit) put((out), "" lit, sizeof(lit) - 1)

static void encode_object(struct buf *out, const struct type_desc *type, const void *obj);
static void encode_message(struct buf *out, const struct type_desc *type, const void *obj);

static void encode_strings(struct buf *out, const struct str_list *list)
{
	if (!list->p) {
		PUT(out, "null");
		return;
	}
	PUT(out, "[");
	for (size_t i = 0; i < list->n; i++) {
		if (i) {
			PUT(out, ",");
		}
		json_write_string(out, list->p[i]);
	}
	PUT(out, "]");
}

static void encode_time(struct buf *out, const struct timestamp *t, bool micro)
{
	if (!t->set) {
		PUT(out, "null");
		return;
	}
	PUT(out, "\"");
	if (micro) {
		time_write_micro(out, t->sec, t->nsec);
	} else {
		time_write(out, t->sec);
	}
	PUT(out, "\"");
}

static void encode_bytes(struct buf *out, const struct str *bytes)
{
	if (!bytes->p) {
		PUT(out, "null");
		return;
	}
	PUT(out, "\"");
	base64_write(out, *bytes);
	PUT(out, "\"");
}

void object_encode_element(struct buf *out, const struct field_desc *f, const void *p)
{
	const struct int_or_string *ios = p;
	const struct str *s = p;

	switch ((enum field_type)f->type) {
	case FIELD_STRING:
		json_write_string(out, *s);
		break;
	case FIELD_BOOL:
		put(out, *(const bool *)p ? "true" : "false", *(const bool *)p ? 4 : 5);
		break;
	case FIELD_INT32:
		buf_add_int64(out, *(const int32_t *)p);
		break;
	case FIELD_INT64:
		buf_add_int64(out, *(const int64_t *)p);
		break;
	case FIELD_DOUBLE:
		json_write_double(out, *(const double *)p);
		break;
	case FIELD_BYTES:
		encode_bytes(out, s);
		break;
	case FIELD_QUANTITY:
		PUT(out, "\"");
		quantity_write(out, *(const struct quantity *)p);
		PUT(out, "\"");
		break;
	case FIELD_TIME:
	case FIELD_MICRO_TIME:
		encode_time(out, p, f->type == FIELD_MICRO_TIME);
		break;
	case FIELD_DURATION:
		PUT(out, "\"");
		duration_write(out, *(const int64_t *)p);
		PUT(out, "\"");
		break;
	case FIELD_INT_OR_STRING:
		if (ios->kind == IOS_STRING) {
			json_write_string(out, ios->str);
		} else {
			buf_add_int64(out, ios->num);
		}
		break;
	case FIELD_RAW:
		put(out, s->n ? s->p : "null", s->n ? s->n : 4);
		break;
	case FIELD_STRINGS:
		encode_strings(out, p);
		break;
	case FIELD_MESSAGE:
		encode_message(out, f->message, p);
		break;
	}
}

static void encode_list(struct buf *out, const struct field_desc *f, const struct any_list *list)
{
	PUT(out, "[");
	for (size_t i = 0; i < list->n; i++) {
		if (i) {
			PUT(out, ",");
		}
		object_encode_element(out, f, list_item(f, list, i));
	}
	PUT(out, "]");
}

static void encode_map(struct buf *out, const struct field_desc *f, const struct any_list *map)
{
	PUT(out, "{");
	for (size_t i = 0; i < map->n; i++) {
		if (i) {
			PUT(out, ",");
		}
		json_write_string(out, *map_entry_key(f, map, i));
		PUT(out, ":");
		object_encode_element(out, f, map_entry_value(f, map, i));
	}
	PUT(out, "}");
}

void object_encode_field(struct buf *out, const struct field_desc *f, const void *obj)
{
	const void *p = field_at(f, obj);

	switch ((enum field_shape)f->shape) {
	case SHAPE_ONE:
		object_encode_element(out, f, p);
		return;
	case SHAPE_PTR:
		if (*(void *const *)p) {
			object_encode_element(out, f, *(void *const *)p);
			return;
		}
		break;
	case SHAPE_LIST:
		if (((const struct any_list *)p)->p) {
			encode_list(out, f, p);
			return;
		}
		break;
	case SHAPE_MAP:
		if (((const struct any_list *)p)->p) {
			encode_map(out, f, p);
			return;
		}
		break;
	}
	PUT(out, "null");
}

/* Go's omitempty: structs held as such (times, quantities, messages ...) are never empty; RAW
 * stands for a pointer here. */
static bool is_empty_element(const struct field_desc *f, const void *p)
{
	switch ((enum field_type)f->type) {
	case FIELD_STRING:
	case FIELD_BYTES:
	case FIELD_RAW:
		return ((const struct str *)p)->n == 0;
	case FIELD_BOOL:
		return !*(const bool *)p;
	case FIELD_INT32:
		return *(const int32_t *)p == 0;
	case FIELD_INT64:
		return *(const int64_t *)p == 0;
	case FIELD_DOUBLE:
		return *(const double *)p == 0;
	case FIELD_STRINGS:
		return ((const struct str_list *)p)->n == 0;
	default:
		return false;
	}
}

static bool is_left_out(const struct field_desc *f, const void *obj)
{
	const void *p = field_at(f, obj);

	if (f->omit == OMIT_NEVER) {
		return false;
	}
	switch ((enum field_shape)f->shape) {
	case SHAPE_ONE:
		return f->omit == OMIT_ZERO ? field_is_zero(f, obj) : is_empty_element(f, p);
	case SHAPE_PTR:
		return !*(void *const *)p;
	default:
		return f->omit == OMIT_ZERO ? !((const struct any_list *)p)->p
					    : ((const struct any_list *)p)->n == 0;
	}
}

/* "name": with what separates it from the field before. */
static void put_name(struct buf *out, const struct field_desc *f, bool first)
{
	char *p;

	if (out->cap - out->n < f->name_len + 5U) {
		buf_reserve(out, f->name_len + 5U);
	}
	p = out->p + out->n;
	*p = ',';
	p += !first;
	*p++ = '"';
	memcpy(p, f->name, f->name_len);
	p += f->name_len;
	*p++ = '"';
	*p++ = ':';
	out->n = (size_t)(p - out->p);
}

static void encode_object(struct buf *out, const struct type_desc *type, const void *obj)
{
	bool first = true;

	PUT(out, "{");
	for (size_t i = 0; i < type->nfields; i++) {
		const struct field_desc *f = &type->fields[i];

		if (!is_left_out(f, obj)) {
			put_name(out, f, first);
			first = false;
			object_encode_field(out, f, obj);
		}
	}
	PUT(out, "}");
}

static void encode_schema_or(struct buf *out, const struct type_desc *type, const void *obj)
{
	struct schema_or or = schema_or_fields(type);
	const void *other = field_at(or.other, obj);
	bool has_schema = *(void *const *)field_at(or.schema, obj) != NULL;

	if (type->form == FORM_SCHEMA_OR_BOOL ? !has_schema
					      : ((const struct any_list *)other)->n > 0) {
		object_encode_field(out, or.other, obj);
	} else {
		object_encode_field(out, or.schema, obj);
	}
}

static void encode_message(struct buf *out, const struct type_desc *type, const void *obj)
{
	if (type->form == FORM_OBJECT) {
		encode_object(out, type, obj);
	} else {
		encode_schema_or(out, type, obj);
	}
}

/* The top level and metadata are written once more by the hand that knows the marks. */
struct marker {
	struct buf *out;
	size_t start;
	const struct encode_opts *opts;
	struct encode_marks *marks;
};

static uint32_t here(const struct marker *m)
{
	return (uint32_t)(m->out->n - m->start);
}

static void encode_metadata(struct marker *m, const struct type_desc *type, const void *obj)
{
	bool first = true;

	m->marks->metadata = here(m);
	PUT(m->out, "{");
	for (size_t i = 0; i < type->nfields; i++) {
		const struct field_desc *f = &type->fields[i];
		bool is_revision =
			str_is(field_name(f), "resourceVersion") && f->type == FIELD_STRING;
		uint32_t before = here(m);

		if (is_revision && m->opts->room_for_revision) {
			put_name(m->out, f, first);
			PUT(m->out, "\"\"");
		} else if (is_left_out(f, obj)) {
			continue;
		} else {
			put_name(m->out, f, first);
			object_encode_field(m->out, f, obj);
		}
		first = false;
		if (is_revision) {
			m->marks->revision =
				before + (m->out->p[m->start + before] == ',') + f->name_len + 4;
			m->marks->revision_end = here(m) - 1;
		} else if (str_is(field_name(f), "managedFields")) {
			m->marks->managed_fields = before;
			m->marks->managed_fields_end = here(m);
		}
	}
	PUT(m->out, "}");
	m->marks->metadata_end = here(m);
}

static void encode_top(struct marker *m, const struct type_desc *type, const void *obj)
{
	bool first = true;

	PUT(m->out, "{");
	for (size_t i = 0; i < type->nfields; i++) {
		const struct field_desc *f = &type->fields[i];
		bool is_type_meta =
			str_is(field_name(f), "kind") || str_is(field_name(f), "apiVersion");

		if (is_left_out(f, obj)) {
			continue;
		}
		put_name(m->out, f, first);
		if (str_is(field_name(f), "metadata") && f->type == FIELD_MESSAGE &&
		    f->shape == SHAPE_ONE) {
			encode_metadata(m, f->message, field_at(f, obj));
		} else {
			object_encode_field(m->out, f, obj);
		}
		if (is_type_meta && (first || m->marks->type_meta_end)) {
			m->marks->type_meta = 1;
			m->marks->type_meta_end = here(m);
		}
		first = false;
	}
	/* The comma behind it goes with it. */
	m->marks->type_meta_end += m->marks->type_meta_end && m->marks->type_meta_end < here(m);
	PUT(m->out, "}");
}

void object_encode(struct buf *out, const struct type_desc *type, const void *obj,
		   const struct encode_opts *opts, struct encode_marks *marks)
{
	static const struct encode_opts no_opts = {0};
	struct encode_marks own;
	struct marker m = {out, out->n, opts ? opts : &no_opts, marks ? marks : &own};

	buf_reserve(out, 1024);
	*m.marks = (struct encode_marks){0};
	if (type->form == FORM_OBJECT) {
		encode_top(&m, type, obj);
	} else {
		encode_message(out, type, obj);
	}
	ASSERT(out->n - m.start < UINT32_MAX);
}
