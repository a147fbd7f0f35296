/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "object/proto_internal.h"
#include "object/quantity.h"

struct reader {
	struct str rest;
	struct arena *arena;
	struct err *err;
	size_t *items; /* of the whole document */
};

static int get_varint(struct reader *r, uint64_t *ret)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < 10; i++) {
		unsigned char c;

		if (i >= r->rest.n) {
			return err_set(r->err, ERR_INVALID, "unexpected EOF");
		}
		c = (unsigned char)r->rest.p[i];
		v |= (uint64_t)(c & 0x7f) << (7 * i);
		if (!(c & 0x80)) {
			r->rest = str_from(r->rest, i + 1);
			*ret = v;
			return 0;
		}
	}
	return err_set(r->err, ERR_INVALID, "proto: integer overflow");
}

static int get_bytes(struct reader *r, struct str *ret)
{
	uint64_t n;
	int code = get_varint(r, &n);

	if (code < 0) {
		return code;
	}
	if (n > r->rest.n) {
		return err_set(r->err, ERR_INVALID, "unexpected EOF");
	}
	*ret = str_make(r->rest.p, (size_t)n);
	r->rest = str_from(r->rest, (size_t)n);
	return 0;
}

static int get_tag(struct reader *r, unsigned *ret_number, unsigned *ret_wire)
{
	uint64_t tag;
	int code = get_varint(r, &tag);

	if (code < 0) {
		return code;
	}
	*ret_wire = tag & 7;
	if (tag >> 3 == 0 || tag >> 3 > 0x1fffffff) {
		return err_set(r->err, ERR_INVALID, "proto: illegal tag %llu",
			       (unsigned long long)(tag >> 3));
	}
	*ret_number = (unsigned)(tag >> 3);
	return 0;
}

static int skip_fixed(struct reader *r, size_t n)
{
	if (r->rest.n < n) {
		return err_set(r->err, ERR_INVALID, "unexpected EOF");
	}
	r->rest = str_from(r->rest, n);
	return 0;
}

static int skip_field(struct reader *r, unsigned wire)
{
	struct str ignored;
	uint64_t number;

	switch (wire) {
	case WIRE_VARINT:
		return get_varint(r, &number);
	case WIRE_FIXED64:
		return skip_fixed(r, 8);
	case WIRE_BYTES:
		return get_bytes(r, &ignored);
	case WIRE_FIXED32:
		return skip_fixed(r, 4);
	default:
		return err_set(r->err, ERR_INVALID, "proto: illegal wireType %u", wire);
	}
}

/* Small messages of a few numbered fields: calls fn for each. */
struct small {
	int64_t num[4];	   /* by field number */
	struct str str[4]; /* p NULL: not there */
};

static int read_small(struct reader *r, struct str bytes, struct small *ret)
{
	struct reader in = {bytes, r->arena, r->err, r->items};

	*ret = (struct small){0};
	while (in.rest.n) {
		unsigned number;
		unsigned wire;
		uint64_t v;
		int code = get_tag(&in, &number, &wire);

		if (code == 0 && number < 4 && wire == WIRE_VARINT) {
			code = get_varint(&in, &v);
			ret->num[number] = (int64_t)v;
		} else if (code == 0 && number < 4 && wire == WIRE_BYTES) {
			code = get_bytes(&in, &ret->str[number]);
		} else if (code == 0) {
			code = skip_field(&in, wire);
		}
		if (code < 0) {
			return code;
		}
	}
	return 0;
}

static int decode_message(struct reader *r, const struct type_desc *type, struct str bytes,
			  void *obj, uint16_t *prefix, size_t depth, int nesting);

/* Room for one more item. Lists grow at powers of two, so that their length tells their room: whoever makes one anew keeps to that (a
 * message may come in several parts). */
static void *list_push(struct reader *r, struct any_list *list, size_t size)
{
	if ((list->n & (list->n - 1)) == 0) {
		size_t cap = list->n ? list->n * 2 : 1;
		void *p = arena_alloc_array(r->arena, cap, size);

		if (list->n) {
			memcpy(p, list->p, list->n * size);
		}
		list->p = p;
	}
	return (char *)list->p + list->n++ * size;
}

static int read_strings(struct reader *r, struct str bytes, struct str_list *ret)
{
	struct reader in = {bytes, r->arena, r->err, r->items};
	int code = 0;

	while (code == 0 && in.rest.n) {
		unsigned number;
		unsigned wire;

		code = get_tag(&in, &number, &wire);
		if (code == 0 && number == 1 && wire == WIRE_BYTES) {
			code = get_bytes(&in, list_push(r, (struct any_list *)(void *)ret,
							sizeof(struct str)));
		} else if (code == 0) {
			code = skip_field(&in, wire);
		}
	}
	if (!ret->p) {
		ret->p = ARENA_NEW(r->arena, struct str);
	}
	return code;
}

static int wrong_wire(struct reader *r, const struct field_desc *f, unsigned wire)
{
	return err_set(r->err, ERR_INVALID, "proto: wrong wireType = %u for field %s", wire,
		       f->name);
}

/* Values that travel as length-delimited bytes. */
static int read_wrapped(struct reader *r, const struct field_desc *f, struct str bytes, void *v,
			int nesting)
{
	uint16_t prefix[INLINE_MAX] = {0};
	struct small s;
	int code;

	switch (f->type) {
	case FIELD_STRING:
	case FIELD_BYTES:
		*(struct str *)v = str_make(bytes.p ? bytes.p : "", bytes.n);
		return 0;
	case FIELD_MESSAGE:
		return decode_message(r, f->message, bytes, v, prefix, 0, nesting + 1);
	case FIELD_STRINGS:
		return read_strings(r, bytes, v);
	default:
		break;
	}
	code = read_small(r, bytes, &s);
	if (code < 0) {
		return code;
	}
	switch (f->type) {
	case FIELD_QUANTITY:
		if (!s.str[1].n) {
			return 0;
		}
		return quantity_read(s.str[1], v, r->err);
	case FIELD_TIME:
	case FIELD_MICRO_TIME:
		if (bytes.n) {
			*(struct timestamp *)v = (struct timestamp){
				.sec = s.num[1],
				.nsec = f->type == FIELD_MICRO_TIME ? (int32_t)s.num[2] : 0,
				.set = true};
		}
		return 0;
	case FIELD_DURATION:
		*(int64_t *)v = s.num[1];
		return 0;
	case FIELD_INT_OR_STRING:
		*(struct int_or_string *)v = (struct int_or_string){
			.kind = s.num[1] ? IOS_STRING : IOS_INT,
			.num = (int32_t)s.num[2],
			.str = str_make(s.str[3].p ? s.str[3].p : "", s.str[3].n)};
		return 0;
	case FIELD_RAW:
		if (s.str[1].n) {
			*(struct str *)v = s.str[1];
		}
		return 0;
	default:
		return wrong_wire(r, f, WIRE_BYTES);
	}
}

static int read_number(struct reader *r, const struct field_desc *f, void *v)
{
	uint64_t n;
	int code = get_varint(r, &n);

	if (code < 0) {
		return code;
	}
	if (f->type == FIELD_BOOL) {
		*(bool *)v = n != 0;
	} else if (f->type == FIELD_INT32) {
		*(int32_t *)v = (int32_t)n;
	} else {
		*(int64_t *)v = (int64_t)n;
	}
	return 0;
}

static int read_value(struct reader *r, const struct field_desc *f, unsigned wire, void *v,
		      int nesting)
{
	bool number = f->type == FIELD_BOOL || f->type == FIELD_INT32 || f->type == FIELD_INT64;
	struct str bytes;
	int code;

	if (number) {
		return wire == WIRE_VARINT ? read_number(r, f, v) : wrong_wire(r, f, wire);
	}
	if (f->type == FIELD_DOUBLE) {
		if (wire != WIRE_FIXED64) {
			return wrong_wire(r, f, wire);
		}
		if (r->rest.n >= 8) {
			memcpy(v, r->rest.p, 8);
		}
		return skip_fixed(r, 8);
	}
	if (wire != WIRE_BYTES) {
		return wrong_wire(r, f, wire);
	}
	code = get_bytes(r, &bytes);
	return code < 0 ? code : read_wrapped(r, f, bytes, v, nesting);
}

static int count_item(struct reader *r)
{
	if (++*r->items > PROTO_ITEMS_MAX) {
		return err_set(r->err, ERR_LIMIT, "more than %d items in one document",
			       PROTO_ITEMS_MAX);
	}
	return 0;
}

static int read_entry(struct reader *r, const struct field_desc *f, void *entry, int nesting)
{
	struct reader in = {.arena = r->arena, .err = r->err, .items = r->items};
	int code = get_bytes(r, &in.rest);

	*(struct str *)entry = STR("");
	if (f->type == FIELD_STRING) {
		*(struct str *)(void *)((char *)entry + sizeof(struct str)) = STR("");
	}
	while (code == 0 && in.rest.n) {
		unsigned number;
		unsigned wire;

		code = get_tag(&in, &number, &wire);
		if (code == 0 && number == 1 && wire == WIRE_BYTES) {
			code = get_bytes(&in, entry);
		} else if (code == 0 && number == 2) {
			code = read_value(&in, f, wire, (char *)entry + sizeof(struct str),
					  nesting);
		} else if (code == 0) {
			code = skip_field(&in, wire);
		}
	}
	return code;
}

static int read_packed(struct reader *r, const struct field_desc *f, struct any_list *list)
{
	struct reader in = {.arena = r->arena, .err = r->err, .items = r->items};
	int code = get_bytes(r, &in.rest);

	while (code == 0 && in.rest.n) {
		code = count_item(r);
		if (code == 0) {
			code = read_number(&in, f, list_push(r, list, f->elem_size));
		}
	}
	return code;
}

static int read_field(struct reader *r, const struct field_desc *f, unsigned wire, void *obj,
		      int nesting)
{
	char *place = (char *)obj + f->offset;
	bool number = f->type == FIELD_BOOL || f->type == FIELD_INT32 || f->type == FIELD_INT64;
	int code;

	switch (f->shape) {
	case SHAPE_ONE:
		return read_value(r, f, wire, place, nesting);
	case SHAPE_PTR:
		if (!*(void **)(void *)place) {
			*(void **)(void *)place = arena_alloc(r->arena, f->elem_size);
		}
		return read_value(r, f, wire, *(void **)(void *)place, nesting);
	case SHAPE_LIST:
		if (number && wire == WIRE_BYTES) {
			return read_packed(r, f, (void *)place);
		}
		code = count_item(r);
		return code < 0 ? code
				: read_value(r, f, wire, list_push(r, (void *)place, f->elem_size),
					     nesting);
	default:
		if (wire != WIRE_BYTES) {
			return wrong_wire(r, f, wire);
		}
		code = count_item(r);
		return code < 0 ? code
				: read_entry(r, f, list_push(r, (void *)place, map_entry_size(f)),
					     nesting);
	}
}

/* Entries by key, equal keys in order of appearance. Entries of one map lie in one array, so addresses tell the order. */
static int cmp_entry(const void *a, const void *b)
{
	const struct str *x = *(const struct str *const *)a;
	const struct str *y = *(const struct str *const *)b;
	int c = str_cmp(*x, *y);

	return c ? c : x < y ? -1 : 1;
}

/* Of equal keys the last counts. */
static void sort_map(struct reader *r, const struct field_desc *f, struct any_list *list)
{
	size_t size = map_entry_size(f);
	const struct str **order;
	size_t room = 1;
	char *sorted;
	size_t n = 0;

	if (list->n < 2) {
		return;
	}
	order = ARENA_ARRAY(r->arena, list->n, const struct str *);
	for (size_t i = 0; i < list->n; i++) {
		order[i] = map_entry_key(f, list, i);
	}
	qsort(order, list->n, sizeof(*order), cmp_entry);
	while (room < list->n) {
		room *= 2;
	}
	sorted = arena_alloc_array(r->arena, room, size);
	for (size_t i = 0; i < list->n; i++) {
		if (i + 1 == list->n || !str_eq(*order[i], *order[i + 1])) {
			memcpy(sorted + n++ * size, order[i], size);
		}
	}
	list->p = sorted;
	list->n = n;
}

static const struct field_desc *find_number(const struct type_desc *type, const uint16_t *prefix,
					    size_t depth, unsigned number)
{
	for (size_t i = 0; i < type->nfields; i++) {
		const struct field_desc *f = &type->fields[i];

		if (has_prefix(f, prefix, depth) && f->proto_path[depth] == number) {
			return f;
		}
	}
	return NULL;
}

static int decode_message(struct reader *r, const struct type_desc *type, struct str bytes,
			  void *obj, uint16_t *prefix, size_t depth, int nesting)
{
	struct reader in = {bytes, r->arena, r->err, r->items};

	if (nesting > PROTO_DEPTH_MAX) {
		return err_set(r->err, ERR_LIMIT, "messages are nested deeper than %d",
			       PROTO_DEPTH_MAX);
	}
	while (in.rest.n) {
		const struct field_desc *f;
		unsigned number;
		unsigned wire;
		int code = get_tag(&in, &number, &wire);

		f = code == 0 ? find_number(type, prefix, depth, number) : NULL;
		if (code == 0 && !f) {
			code = skip_field(&in, wire);
		} else if (code == 0 && f->proto_path[depth + 1] == 0) {
			code = read_field(&in, f, wire, obj, nesting);
		} else if (code == 0 && wire != WIRE_BYTES) {
			code = wrong_wire(r, f, wire);
		} else if (code == 0) {
			struct str inner;

			code = get_bytes(&in, &inner);
			prefix[depth] = (uint16_t)number;
			if (code == 0) {
				code = decode_message(r, type, inner, obj, prefix, depth + 1,
						      nesting + 1);
			}
			prefix[depth] = 0;
		}
		if (code < 0) {
			return code;
		}
	}
	for (size_t i = 0; depth == 0 && i < type->nfields; i++) {
		if (type->fields[i].shape == SHAPE_MAP) {
			sort_map(r, &type->fields[i],
				 (void *)((char *)obj + type->fields[i].offset));
		}
	}
	return 0;
}

int proto_decode(struct arena *arena, const struct type_desc *type, struct str bytes, void *obj,
		 struct err *err)
{
	uint16_t prefix[INLINE_MAX] = {0};
	size_t items = 0;
	struct reader r = {bytes, arena, err, &items};

	return decode_message(&r, type, bytes, obj, prefix, 0, 0);
}

/* ---- envelope ---- */

bool proto_has_magic(struct str bytes)
{
	return str_has_prefix(bytes, PROTO_MAGIC);
}

int proto_read_envelope(struct str bytes, struct proto_envelope *ret, struct err *err)
{
	size_t items = 0;
	struct reader r = {.err = err, .items = &items};
	struct small type_meta = {0};

	if (!proto_has_magic(bytes)) {
		return err_set(err, ERR_INVALID,
			       "provided data does not appear to be a protobuf message, expected "
			       "prefix [107 56 115 0]");
	}
	*ret = (struct proto_envelope){0};
	r.rest = str_from(bytes, PROTO_MAGIC.n);
	while (r.rest.n) {
		struct str value = STR_NULL;
		unsigned number;
		unsigned wire;
		int code = get_tag(&r, &number, &wire);

		if (code == 0) {
			code = wire == WIRE_BYTES ? get_bytes(&r, &value) : skip_field(&r, wire);
		}
		if (code == 0 && number == 1) {
			code = read_small(&r, value, &type_meta);
			ret->api_version = type_meta.str[1];
			ret->kind = type_meta.str[2];
		}
		if (code < 0) {
			return code;
		}
		if (number == 2) {
			ret->raw = value;
		} else if (number == 3 && value.n) {
			return err_set(err, ERR_UNSUPPORTED,
				       "the content encoding \"%.*s\" is not understood",
				       STR_ARG(value));
		} else if (number == 4) {
			ret->content_type = value;
		}
	}
	return 0;
}
