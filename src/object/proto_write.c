/* SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"
#include "object/proto_internal.h"
#include "object/quantity.h"

static void put_varint(struct buf *b, uint64_t v)
{
	while (v >= 0x80) {
		buf_add_char(b, (char)(v | 0x80));
		v >>= 7;
	}
	buf_add_char(b, (char)v);
}

static void put_tag(struct buf *b, unsigned number, enum wire_type wire)
{
	put_varint(b, (uint64_t)number << 3 | wire);
}

static void put_bytes(struct buf *b, unsigned number, struct str s)
{
	put_tag(b, number, WIRE_BYTES);
	put_varint(b, s.n);
	buf_add_str(b, s);
}

static void put_int(struct buf *b, unsigned number, int64_t v)
{
	put_tag(b, number, WIRE_VARINT);
	put_varint(b, (uint64_t)v);
}

/* A message whose contents follow; put_end writes the length in front of them. */
static size_t put_begin(struct buf *b, unsigned number)
{
	put_tag(b, number, WIRE_BYTES);
	return b->n;
}

static void put_end(struct buf *b, size_t start)
{
	size_t len = b->n - start;
	char digits[10];
	size_t n = 0;
	uint64_t v = len;

	while (v >= 0x80) {
		digits[n++] = (char)(v | 0x80);
		v >>= 7;
	}
	digits[n++] = (char)v;
	buf_reserve(b, n);
	memmove(b->p + start + n, b->p + start, len);
	memcpy(b->p + start, digits, n);
	b->n += n;
}

static void put_double(struct buf *b, unsigned number, double d)
{
	uint64_t v;

	memcpy(&v, &d, sizeof(v));
	put_tag(b, number, WIRE_FIXED64);
	for (int i = 0; i < 8; i++) {
		buf_add_char(b, (char)(v >> (8 * i)));
	}
}

static void put_time(struct buf *b, unsigned number, const struct timestamp *t, bool micro)
{
	size_t start = put_begin(b, number);

	if (t->set) {
		put_int(b, 1, t->sec);
		put_int(b, 2, micro ? t->nsec : 0);
	}
	put_end(b, start);
}

static void put_quantity(struct buf *b, unsigned number, const struct quantity *q)
{
	struct buf text CLEANUP_BUF = {0};
	size_t start = put_begin(b, number);

	quantity_write(&text, *q);
	put_bytes(b, 1, buf_str(&text));
	put_end(b, start);
}

static void put_int_or_string(struct buf *b, unsigned number, const struct int_or_string *v)
{
	size_t start = put_begin(b, number);

	put_int(b, 1, v->kind);
	put_int(b, 2, v->num);
	put_bytes(b, 3, v->str);
	put_end(b, start);
}

static void put_raw(struct buf *b, unsigned number, struct str raw)
{
	size_t start = put_begin(b, number);

	if (raw.p) {
		put_bytes(b, 1, raw);
	}
	put_end(b, start);
}

static void put_strings(struct buf *b, unsigned number, const struct str_list *list)
{
	size_t start = put_begin(b, number);

	for (size_t i = 0; i < list->n; i++) {
		put_bytes(b, 1, list->p[i]);
	}
	put_end(b, start);
}

static void put_value(struct buf *b, unsigned number, const struct field_desc *f, const void *v)
{
	size_t start;

	switch (f->type) {
	case FIELD_STRING:
	case FIELD_BYTES:
		put_bytes(b, number, *(const struct str *)v);
		break;
	case FIELD_BOOL:
		put_int(b, number, *(const bool *)v);
		break;
	case FIELD_INT32:
		put_int(b, number, *(const int32_t *)v);
		break;
	case FIELD_INT64:
		put_int(b, number, *(const int64_t *)v);
		break;
	case FIELD_DOUBLE:
		put_double(b, number, *(const double *)v);
		break;
	case FIELD_QUANTITY:
		put_quantity(b, number, v);
		break;
	case FIELD_TIME:
	case FIELD_MICRO_TIME:
		put_time(b, number, v, f->type == FIELD_MICRO_TIME);
		break;
	case FIELD_DURATION:
		start = put_begin(b, number);
		put_int(b, 1, *(const int64_t *)v);
		put_end(b, start);
		break;
	case FIELD_INT_OR_STRING:
		put_int_or_string(b, number, v);
		break;
	case FIELD_RAW:
		put_raw(b, number, *(const struct str *)v);
		break;
	case FIELD_STRINGS:
		put_strings(b, number, v);
		break;
	case FIELD_MESSAGE:
		start = put_begin(b, number);
		proto_encode(b, f->message, v);
		put_end(b, start);
		break;
	}
}

/* Absent: bytes and wrapped lists by a NULL pointer, a raw value that is not required too; anything else held by value is there. */
static bool is_absent(const struct field_desc *f, const void *place)
{
	if (f->type == FIELD_BYTES || f->type == FIELD_STRINGS) {
		return ((const struct any_list *)place)->p == NULL;
	}
	if (f->type == FIELD_RAW) {
		return ((const struct str *)place)->p == NULL && !(f->flags & FIELD_PRESENT_VALUE);
	}
	return false;
}

static void put_field(struct buf *b, unsigned number, const struct field_desc *f, const void *obj)
{
	const char *place = (const char *)obj + f->offset;
	const struct any_list *list = (const void *)place;

	switch (f->shape) {
	case SHAPE_ONE:
		if (!is_absent(f, place)) {
			put_value(b, number, f, place);
		}
		break;
	case SHAPE_PTR:
		if (*(void *const *)(const void *)place) {
			put_value(b, number, f, *(void *const *)(const void *)place);
		}
		break;
	case SHAPE_LIST:
		for (size_t i = 0; i < list->n; i++) {
			put_value(b, number, f, (const char *)list->p + i * f->elem_size);
		}
		break;
	default:
		for (size_t i = 0; i < list->n; i++) {
			const char *entry = (const char *)list->p + i * map_entry_size(f);
			size_t start = put_begin(b, number);

			put_bytes(b, 1, *(const struct str *)(const void *)entry);
			put_value(b, 2, f, entry + sizeof(struct str));
			put_end(b, start);
		}
	}
}

/* The field or inlined message with the lowest number above `above`, at this depth of inlining. */
static const struct field_desc *next_field(const struct type_desc *type, const uint16_t *prefix,
					   size_t depth, unsigned above)
{
	const struct field_desc *best = NULL;

	for (size_t i = 0; i < type->nfields; i++) {
		const struct field_desc *f = &type->fields[i];

		if (has_prefix(f, prefix, depth) && f->proto_path[depth] > above &&
		    (!best || f->proto_path[depth] < best->proto_path[depth])) {
			best = f;
		}
	}
	return best;
}

static void encode_level(struct buf *b, const struct type_desc *type, const void *obj,
			 uint16_t *prefix, size_t depth)
{
	const struct field_desc *f;
	unsigned number = 0;

	while ((f = next_field(type, prefix, depth, number))) {
		number = f->proto_path[depth];
		if (f->proto_path[depth + 1] == 0) {
			put_field(b, number, f, obj);
		} else {
			size_t start = put_begin(b, number);

			ASSERT(depth + 1 < INLINE_MAX);
			prefix[depth] = (uint16_t)number;
			encode_level(b, type, obj, prefix, depth + 1);
			put_end(b, start);
		}
	}
}

void proto_encode(struct buf *out, const struct type_desc *type, const void *obj)
{
	uint16_t prefix[INLINE_MAX] = {0};

	encode_level(out, type, obj, prefix, 0);
}

void proto_write_envelope(struct buf *out, struct str api_version, struct str kind, struct str raw)
{
	size_t start;

	buf_add_str(out, PROTO_MAGIC);
	start = put_begin(out, 1);
	put_bytes(out, 1, api_version);
	put_bytes(out, 2, kind);
	put_end(out, start);
	put_bytes(out, 2, raw);
	put_bytes(out, 3, STR(""));
	put_bytes(out, 4, STR(""));
}
