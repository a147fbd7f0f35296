/* SPDX-License-Identifier: Apache-2.0 */
#include "object/decode.h"

#include "base/alloc.h"
#include "codec/base64.h"
#include "codec/time.h"
#include "object/decode_internal.h"
#include "object/field.h"
#include "object/quantity.h"

static void decode_one(struct decoder *d, const struct field_desc *f, void *dst,
		       const struct path *at);
static void decode_message(struct decoder *d, const struct type_desc *type, void *obj,
			   const struct path *at);
static void decode_list(struct decoder *d, const struct field_desc *f, struct any_list *dst,
			const struct path *at);

static void decode_string(struct decoder *d, const struct field_desc *f, struct str *dst,
			  const struct path *at)
{
	if (json_peek(&d->r) != JSON_STRING) {
		decode_mismatch(d, f, at);
		return;
	}
	(void)!json_read_string(&d->r, dst);
}

static void decode_bool(struct decoder *d, const struct field_desc *f, bool *dst,
			const struct path *at)
{
	if (json_peek(&d->r) != JSON_BOOL) {
		decode_mismatch(d, f, at);
		return;
	}
	(void)!json_read_bool(&d->r, dst);
}

static void decode_int(struct decoder *d, const struct field_desc *f, void *dst,
		       const struct path *at)
{
	struct json_number number;

	if (json_peek(&d->r) != JSON_INT) {
		decode_mismatch(d, f, at);
		return;
	}
	if (json_read_number(&d->r, &number) < 0) {
		return;
	}
	if (!number.is_int ||
	    (f->type == FIELD_INT32 && (number.i > INT32_MAX || number.i < INT32_MIN))) {
		decode_bad_number(d, f, number.text, at);
	} else if (f->type == FIELD_INT32) {
		*(int32_t *)dst = (int32_t)number.i;
	} else {
		*(int64_t *)dst = number.i;
	}
}

static void decode_double(struct decoder *d, const struct field_desc *f, double *dst,
			  const struct path *at)
{
	struct json_number number;

	if (json_peek(&d->r) != JSON_INT) {
		decode_mismatch(d, f, at);
		return;
	}
	if (json_read_number(&d->r, &number) == 0 && json_number_to_double(number.text, dst) < 0) {
		decode_bad_number(d, f, number.text, at);
	}
}

static void decode_bytes(struct decoder *d, const struct field_desc *f, struct str *dst,
			 const struct path *at)
{
	struct str text;
	size_t bad = 0;

	if (json_peek(&d->r) != JSON_STRING) {
		decode_mismatch(d, f, at);
		return;
	}
	if (json_read_string(&d->r, &text) == 0 && base64_read(d->arena, text, dst, &bad) < 0) {
		decode_refuse(d, f, text, at, "illegal base64 data at input byte %zu", bad);
	}
}

/* A string by whose own parser the value is made: its words, then where it stands. */
static bool read_text(struct decoder *d, const struct field_desc *f, struct str *ret,
		      const struct path *at)
{
	if (json_peek(&d->r) != JSON_STRING) {
		decode_mismatch(d, f, at);
		return false;
	}
	return json_read_string(&d->r, ret) == 0;
}

static void decode_quantity(struct decoder *d, const struct field_desc *f, struct quantity *dst,
			    const struct path *at)
{
	struct err e CLEANUP_ERR = {0};
	struct json_number number;
	struct str text;
	int kind = json_peek(&d->r);

	if (kind == JSON_INT) {
		if (json_read_number(&d->r, &number) < 0) {
			return;
		}
		text = number.text;
	} else if (kind == JSON_STRING) {
		if (json_read_string(&d->r, &text) < 0) {
			return;
		}
	} else if (json_skip(&d->r, &text) < 0) {
		return;
	}
	if (quantity_read(text, dst, &e) < 0) {
		decode_refuse(d, f, text, at, "%s", err_msg(&e));
	}
}

static void decode_time(struct decoder *d, const struct field_desc *f, struct timestamp *dst,
			const struct path *at)
{
	struct err e CLEANUP_ERR = {0};
	struct str text;
	int code;

	if (!read_text(d, f, &text, at)) {
		return;
	}
	code = f->type == FIELD_TIME ? time_read(text, &dst->sec, &dst->nsec, &e)
				     : time_read_micro(text, &dst->sec, &dst->nsec, &e);
	if (code < 0) {
		decode_refuse(d, f, text, at, "%s", err_msg(&e));
		return;
	}
	if (f->type == FIELD_TIME) {
		dst->nsec = 0; /* cannot be written */
	}
	dst->set = dst->sec != TIME_GO_ZERO || dst->nsec != 0;
	if (!dst->set) {
		*dst = (struct timestamp){0};
	}
}

static void decode_duration(struct decoder *d, const struct field_desc *f, int64_t *dst,
			    const struct path *at)
{
	struct err e CLEANUP_ERR = {0};
	struct str text;

	if (read_text(d, f, &text, at) && duration_read(text, dst, &e) < 0) {
		decode_refuse(d, f, text, at, "%s", err_msg(&e));
	}
}

static void decode_int_or_string(struct decoder *d, const struct field_desc *f,
				 struct int_or_string *dst, const struct path *at)
{
	struct json_number number;
	int kind = json_peek(&d->r);

	if (kind == JSON_STRING) {
		if (json_read_string(&d->r, &dst->str) == 0) {
			dst->kind = IOS_STRING;
		}
	} else if (kind != JSON_INT) {
		decode_mismatch(d, f, at);
	} else if (json_read_number(&d->r, &number) == 0) {
		if (!number.is_int || number.i > INT32_MAX || number.i < INT32_MIN) {
			decode_bad_number(d, f, number.text, at);
			return;
		}
		dst->num = (int32_t)number.i;
	}
}

static void decode_raw(struct decoder *d, struct str *dst)
{
	struct str text;

	if (json_skip(&d->r, &text) < 0) {
		return;
	}
	if (!json_is_compact(text)) {
		struct buf b CLEANUP_BUF = {0};

		json_write_compact(&b, text);
		text = arena_str(d->arena, buf_str(&b));
	}
	*dst = text;
}

static void decode_one(struct decoder *d, const struct field_desc *f, void *dst,
		       const struct path *at)
{
	static const struct field_desc string_field = {.type = FIELD_STRING,
						       .elem_size = sizeof(struct str)};

	if (json_peek(&d->r) == JSON_NULL) {
		(void)!json_read_null(&d->r);
		return;
	}
	switch ((enum field_type)f->type) {
	case FIELD_STRING:
		decode_string(d, f, dst, at);
		break;
	case FIELD_BOOL:
		decode_bool(d, f, dst, at);
		break;
	case FIELD_INT32:
	case FIELD_INT64:
		decode_int(d, f, dst, at);
		break;
	case FIELD_DOUBLE:
		decode_double(d, f, dst, at);
		break;
	case FIELD_BYTES:
		decode_bytes(d, f, dst, at);
		break;
	case FIELD_QUANTITY:
		decode_quantity(d, f, dst, at);
		break;
	case FIELD_TIME:
	case FIELD_MICRO_TIME:
		decode_time(d, f, dst, at);
		break;
	case FIELD_DURATION:
		decode_duration(d, f, dst, at);
		break;
	case FIELD_INT_OR_STRING:
		decode_int_or_string(d, f, dst, at);
		break;
	case FIELD_RAW:
		decode_raw(d, dst);
		break;
	case FIELD_STRINGS:
		decode_list(d, &string_field, dst, at);
		break;
	case FIELD_MESSAGE:
		decode_message(d, f->message, dst, at);
		break;
	}
}

/* Room for one more; small things are expected in larger numbers. */
static void grow(struct arena *arena, struct any_list *list, size_t *cap, size_t size)
{
	void *p;

	if (list->n < *cap) {
		return;
	}
	*cap = *cap ? *cap * 2 : size <= 32 ? 8 : size <= 128 ? 4 : 2;
	p = arena_alloc_array(arena, *cap, size);
	if (list->n) {
		memcpy(p, list->p, list->n * size);
	}
	list->p = p;
}

static void decode_list(struct decoder *d, const struct field_desc *f, struct any_list *dst,
			const struct path *at)
{
	struct any_list list = {0};
	size_t cap = 0;

	if (json_peek(&d->r) != JSON_ARRAY) {
		decode_mismatch_of(d, f, SHAPE_LIST, at);
		return;
	}
	(void)!json_begin_array(&d->r);
	while (json_next_item(&d->r) > 0) {
		struct path item = path_index(at, list.n);

		grow(d->arena, &list, &cap, f->elem_size);
		decode_one(d, f, list_item(f, &list, list.n), &item);
		list.n++;
	}
	if (!list.p) {
		list.p = arena_alloc(d->arena, 1); /* empty is not nil */
	}
	*dst = list;
}

struct map_order {
	const struct field_desc *f;
	const struct any_list *map;
};

static int compare_entries(const void *a, const void *b, void *ctx)
{
	const struct map_order *order = ctx;
	size_t x = *(const size_t *)a;
	size_t y = *(const size_t *)b;
	int c = str_cmp(*map_entry_key(order->f, order->map, x),
			*map_entry_key(order->f, order->map, y));

	return c ? c : (x > y) - (x < y);
}

/* Sorts by key; of equal keys the last in the document stays. */
static void sort_map(struct decoder *d, const struct field_desc *f, struct any_list *map,
		     const struct path *at)
{
	struct map_order order = {f, map};
	size_t *index = mem_new_array(map->n, sizeof(size_t));
	size_t size = map_entry_size(f);
	struct any_list sorted = {arena_alloc_array(d->arena, map->n, size), 0};

	for (size_t i = 0; i < map->n; i++) {
		index[i] = i;
	}
	qsort_r(index, map->n, sizeof(size_t), compare_entries, &order);
	for (size_t i = 0; i < map->n; i++) {
		struct str *key = map_entry_key(f, map, index[i]);

		if (sorted.n && str_eq(*map_entry_key(f, &sorted, sorted.n - 1), *key)) {
			struct path duplicate = path_key(at, *key);

			decode_note(d, STRICT_DUPLICATE, &duplicate);
			sorted.n--;
		}
		memcpy(map_entry_key(f, &sorted, sorted.n++), key, size);
	}
	mem_free(index);
	*map = sorted;
}

static void decode_map(struct decoder *d, const struct field_desc *f, struct any_list *dst,
		       const struct path *at)
{
	struct any_list map = {0};
	size_t cap = 0;
	bool sorted = true;
	struct str key;

	if (json_peek(&d->r) != JSON_OBJECT) {
		decode_mismatch_of(d, f, SHAPE_MAP, at);
		return;
	}
	(void)!json_begin_object(&d->r);
	while (json_next_key(&d->r, &key) > 0) {
		struct path entry = path_key(at, key);

		grow(d->arena, &map, &cap, map_entry_size(f));
		sorted = sorted &&
			 (map.n == 0 || str_cmp(*map_entry_key(f, &map, map.n - 1), key) < 0);
		*map_entry_key(f, &map, map.n) = key;
		decode_one(d, f, map_entry_value(f, &map, map.n), &entry);
		map.n++;
	}
	if (!map.p) {
		map.p = arena_alloc(d->arena, 1);
	}
	if (!sorted) {
		sort_map(d, f, &map, at);
	}
	*dst = map;
}

static void decode_field(struct decoder *d, const struct field_desc *f, void *dst,
			 const struct path *at)
{
	void *one;

	if (f->shape == SHAPE_ONE) {
		decode_one(d, f, dst, at);
		return;
	}
	if (json_peek(&d->r) == JSON_NULL) {
		(void)!json_read_null(&d->r);
		return;
	}
	switch ((enum field_shape)f->shape) {
	case SHAPE_LIST:
		decode_list(d, f, dst, at);
		break;
	case SHAPE_MAP:
		decode_map(d, f, dst, at);
		break;
	default:
		one = arena_alloc(d->arena, f->elem_size);
		decode_one(d, f, one, at);
		*(void **)dst = one;
	}
}

/* Writers mostly go by the table's order, so the field after the last one is tried before the
 * search. */
static const struct field_desc *find_field(const struct type_desc *type, struct str key,
					   size_t next)
{
	const struct field_desc *f = &type->fields[next];

	if (next < type->nfields && f->name_len == key.n && memcmp(f->name, key.p, key.n) == 0) {
		return f;
	}
	return type_find_field(type, key);
}

static void decode_members(struct decoder *d, const struct type_desc *type, void *obj,
			   const struct path *at)
{
	uint64_t seen[4] = {0}; /* by_name has 8-bit indexes */
	size_t next = 0;
	struct str key;

	while (json_next_key(&d->r, &key) > 0) {
		const struct field_desc *f = find_field(type, key, next);
		struct path field = path_field(at, key);
		size_t i;

		if (!f) {
			decode_note(d, STRICT_UNKNOWN, &field);
			(void)!json_skip(&d->r, NULL);
			continue;
		}
		i = (size_t)(f - type->fields);
		if (seen[i / 64] >> i % 64 & 1) {
			decode_note(d, STRICT_DUPLICATE, &field);
			memset(field_at(f, obj), 0, field_size(f));
		}
		seen[i / 64] |= UINT64_C(1) << i % 64;
		decode_field(d, f, field_at(f, obj), &field);
		next = i + 1;
	}
}

static void decode_object(struct decoder *d, const struct type_desc *type, void *obj,
			  const struct path *at)
{
	const struct type_desc *outer = d->owner;

	(void)!json_begin_object(&d->r);
	d->owner = type;
	decode_members(d, type, obj, at);
	d->owner = outer;
}

/* A schema, or a boolean, a list of schemas or a list of names instead of it. */
static void decode_schema_or(struct decoder *d, const struct type_desc *type, void *obj,
			     const struct path *at)
{
	struct schema_or or = schema_or_fields(type);
	int kind = json_peek(&d->r);

	if (kind == JSON_OBJECT) {
		decode_field(d, or.schema, field_at(or.schema, obj), at);
		if (type->form == FORM_SCHEMA_OR_BOOL) {
			*(bool *)field_at(or.other, obj) = true;
		}
	} else if (kind == (type->form == FORM_SCHEMA_OR_BOOL ? JSON_BOOL : JSON_ARRAY)) {
		decode_field(d, or.other, field_at(or.other, obj), at);
	} else if (kind >= 0) {
		struct str text;

		if (json_skip(&d->r, &text) == 0) {
			decode_refuse(d, or.schema, text, at,
				      type->form == FORM_SCHEMA_OR_BOOL
					      ? "boolean or JSON schema expected"
					      : "array or JSON schema expected");
		}
	}
}

static void decode_message(struct decoder *d, const struct type_desc *type, void *obj,
			   const struct path *at)
{
	if (type->form != FORM_OBJECT) {
		decode_schema_or(d, type, obj, at);
	} else if (json_peek(&d->r) != JSON_OBJECT) {
		struct field_desc f = {.type = FIELD_MESSAGE, .message = type};

		decode_mismatch(d, &f, at);
	} else {
		decode_object(d, type, obj, at);
	}
}

static int finish(struct decoder *d, struct err *err)
{
	int code = d->failed.code;

	(void)!json_end(&d->r);
	/* Upstream checks the syntax of the whole document first. */
	if (d->r.code) {
		code = json_reader_error(&d->r, err);
	} else if (code) {
		err_set(err, code, "%s", err_msg(&d->failed));
	}
	err_clear(&d->failed);
	return code;
}

int object_decode(struct arena *arena, const struct type_desc *type, struct str text, void *obj,
		  struct decode_report *report, struct err *err)
{
	struct decoder d = {.arena = arena, .report = report};

	json_reader_init(&d.r, text, arena);
	if (json_peek(&d.r) == JSON_NULL) {
		(void)!json_read_null(&d.r);
	} else {
		decode_message(&d, type, obj, NULL);
	}
	return finish(&d, err);
}

int object_decode_value(struct arena *arena, const struct type_desc *type,
			const struct json_value *value, void *obj, struct decode_report *report,
			struct err *err)
{
	struct buf b CLEANUP_BUF = {0};

	json_write_value(&b, value, false);
	return object_decode(arena, type, arena_str(arena, buf_str(&b)), obj, report, err);
}

int object_decode_field(struct arena *arena, const struct field_desc *field, struct str text,
			void *obj, struct err *err)
{
	struct decoder d = {.arena = arena};
	struct path at = path_field(NULL, field_name(field));

	json_reader_init(&d.r, text, arena);
	decode_field(&d, field, field_at(field, obj), &at);
	return finish(&d, err);
}

int object_decode_type_meta(struct arena *arena, struct str text, struct str *ret_api_version,
			    struct str *ret_kind, struct err *err)
{
	static const struct field_desc fields[] = {
		{.name = "apiVersion",
		 .name_len = 10,
		 .type = FIELD_STRING,
		 .offset = 0,
		 .elem_size = sizeof(struct str)},
		{.name = "kind",
		 .name_len = 4,
		 .type = FIELD_STRING,
		 .offset = sizeof(struct str),
		 .elem_size = sizeof(struct str)},
	};
	static const uint8_t order[] = {0, 1};
	static const struct type_desc type = {
		.name = "meta/v1.TypeMeta", .nfields = 2, .fields = fields, .by_name = order};
	struct str both[2] = {STR_NULL, STR_NULL};
	int code = object_decode(arena, &type, text, both, NULL, err);

	if (code == 0) {
		*ret_api_version = both[0];
		*ret_kind = both[1];
	}
	return code;
}
