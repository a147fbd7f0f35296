/* SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"
#include "base/hash.h"
#include "base/vec.h"
#include "codec/json.h"

enum { INDEX_FROM = 12 }; /* members; below that, looking at each is faster */

/* Open addressing, member number + 1 by hash of the key; at most half full. */
struct json_index {
	struct hash_key key;
	uint32_t mask;
	uint32_t slots[];
};

static uint32_t *index_slot(const struct json_value *object, struct json_index *index,
			    struct str key)
{
	uint32_t i = (uint32_t)hash_bytes(index->key, key.p, key.n) & index->mask;

	while (index->slots[i] && !str_eq(object->members[index->slots[i] - 1].key, key)) {
		i = (i + 1) & index->mask;
	}
	return &index->slots[i];
}

static void index_build(struct arena *arena, struct json_value *object)
{
	uint32_t size = 64;

	while (size < object->n * 4) {
		size *= 2;
	}
	object->index =
		arena_alloc(arena, sizeof(struct json_index) + (size_t)size * sizeof(uint32_t));
	object->index->key = hash_key_random();
	object->index->mask = size - 1;
	for (uint32_t i = 0; i < object->n; i++) {
		*index_slot(object, object->index, object->members[i].key) = i + 1;
	}
}

static struct json_member *find_member(const struct json_value *v, struct str key)
{
	if (v->kind != JSON_OBJECT) {
		return NULL;
	}
	if (v->index) {
		uint32_t at = *index_slot(v, v->index, key);

		return at ? &v->members[at - 1] : NULL;
	}
	for (uint32_t i = 0; i < v->n; i++) {
		if (str_eq(v->members[i].key, key)) {
			return &v->members[i];
		}
	}
	return NULL;
}

struct json_value *json_get(const struct json_value *v, struct str key)
{
	struct json_member *m = find_member(v, key);

	return m ? &m->value : NULL;
}

struct json_value *json_set(struct arena *arena, struct json_value *object, struct str key,
			    struct json_value value)
{
	struct json_member *m;

	ASSERT(object->kind == JSON_OBJECT);
	if (!object->index && object->n >= INDEX_FROM) {
		index_build(arena, object);
	}
	m = find_member(object, key);
	if (m) {
		m->value = value;
		return &m->value;
	}
	if (object->n == object->cap) {
		uint32_t cap = object->cap ? object->cap * 2 : 4;

		m = ARENA_ARRAY(arena, cap, struct json_member);
		if (object->n) {
			memcpy(m, object->members, object->n * sizeof(*m));
		}
		object->members = m;
		object->cap = cap;
	}
	m = &object->members[object->n++];
	*m = (struct json_member){key, value};
	if (object->index && object->n * 2 > object->index->mask) {
		index_build(arena, object);
	} else if (object->index) {
		*index_slot(object, object->index, key) = object->n;
	}
	return &m->value;
}

bool json_remove(struct json_value *object, struct str key)
{
	struct json_member *m = find_member(object, key);
	size_t after;

	if (!m) {
		return false;
	}
	after = (size_t)(object->members + object->n - (m + 1));
	memmove(m, m + 1, after * sizeof(*m));
	object->n--;
	/* The numbers behind it have changed; the next json_set makes a new one. */
	object->index = NULL;
	return true;
}

void json_insert(struct arena *arena, struct json_value *array, size_t at, struct json_value value)
{
	ASSERT(array->kind == JSON_ARRAY && at <= array->n);
	if (array->n == array->cap) {
		uint32_t cap = array->cap ? array->cap * 2 : 4;
		struct json_value *items = ARENA_ARRAY(arena, cap, struct json_value);

		if (array->n) {
			memcpy(items, array->items, array->n * sizeof(*items));
		}
		array->items = items;
		array->cap = cap;
	}
	memmove(&array->items[at + 1], &array->items[at], (array->n - at) * sizeof(value));
	array->items[at] = value;
	array->n++;
}

void json_remove_item(struct json_value *array, size_t at)
{
	ASSERT(array->kind == JSON_ARRAY && at < array->n);
	memmove(&array->items[at], &array->items[at + 1],
		(array->n - at - 1) * sizeof(*array->items));
	array->n--;
}

/* Finished children wait on a stack until their container closes and takes them as one array of the
 * right size. */
struct dom_parser {
	struct json_reader r;
	struct strict_notes *notes;
	VEC(struct json_member) stack;
	int code; /* a number that is no double */
	struct str bad_number;
};

static int parse_value(struct dom_parser *p, struct json_value *ret, const struct path *at);

static int parse_array(struct dom_parser *p, struct json_value *ret, const struct path *at)
{
	size_t base = p->stack.n;
	size_t n;
	int more;

	if (json_begin_array(&p->r) < 0) {
		return p->r.code;
	}
	while ((more = json_next_item(&p->r)) > 0) {
		struct path item = path_index(at, p->stack.n - base);
		struct json_value v;

		if (parse_value(p, &v, &item) < 0) {
			return p->r.code;
		}
		vec_push(&p->stack)->value = v;
	}
	if (more < 0) {
		return more;
	}
	n = p->stack.n - base;
	*ret = (struct json_value){.kind = JSON_ARRAY, .n = (uint32_t)n, .cap = (uint32_t)n};
	if (n) {
		ret->items = ARENA_ARRAY(p->r.arena, n, struct json_value);
	}
	for (size_t i = 0; i < n; i++) {
		ret->items[i] = p->stack.p[base + i].value;
	}
	p->stack.n = base;
	return 0;
}

/* Members from `from` on with each name once: the first place, the last value. */
static void take_members(struct dom_parser *p, struct json_value *ret, size_t from,
			 const struct path *at)
{
	size_t n = p->stack.n - from;

	*ret = (struct json_value){.kind = JSON_OBJECT, .cap = (uint32_t)n};
	if (n) {
		ret->members = ARENA_ARRAY(p->r.arena, n, struct json_member);
	}
	for (size_t i = 0; i < n; i++) {
		struct json_member *m = &p->stack.p[from + i];
		uint32_t before = ret->n;

		json_set(p->r.arena, ret, m->key, m->value);
		if (ret->n == before) {
			struct path field = path_field(at, m->key);

			strict_notes_add(p->notes, STRICT_DUPLICATE, &field);
		}
	}
	p->stack.n = from;
}

static int parse_object(struct dom_parser *p, struct json_value *ret, const struct path *at)
{
	size_t base = p->stack.n;
	struct str key;
	int more;

	if (json_begin_object(&p->r) < 0) {
		return p->r.code;
	}
	while ((more = json_next_key(&p->r, &key)) > 0) {
		struct path field = path_field(at, key);
		struct json_value v;

		if (parse_value(p, &v, &field) < 0) {
			return p->r.code;
		}
		*vec_push(&p->stack) = (struct json_member){key, v};
	}
	if (more < 0) {
		return more;
	}
	take_members(p, ret, base, at);
	return 0;
}

static int parse_number(struct dom_parser *p, struct json_value *ret)
{
	struct json_number number;
	double d = 0;

	if (json_read_number(&p->r, &number) < 0) {
		return p->r.code;
	}
	if (number.is_int) {
		*ret = json_make_int(number.i);
		return 0;
	}
	if (json_number_to_double(number.text, &d) < 0 && !p->code) {
		p->code = ERR_INVALID;
		p->bad_number = number.text;
	}
	*ret = json_make_double(d);
	return 0;
}

static int parse_value(struct dom_parser *p, struct json_value *ret, const struct path *at)
{
	struct str s;

	switch (json_peek(&p->r)) {
	case JSON_NULL:
		*ret = json_make(JSON_NULL);
		return json_read_null(&p->r);
	case JSON_BOOL:
		*ret = json_make(JSON_BOOL);
		return json_read_bool(&p->r, &ret->boolean);
	case JSON_INT:
		return parse_number(p, ret);
	case JSON_STRING:
		if (json_read_string(&p->r, &s) < 0) {
			return p->r.code;
		}
		*ret = json_make_string(s);
		return 0;
	case JSON_ARRAY:
		return parse_array(p, ret, at);
	case JSON_OBJECT:
		return parse_object(p, ret, at);
	default:
		return p->r.code;
	}
}

int json_parse(struct arena *arena, struct str text, struct strict_notes *notes,
	       struct json_value *ret, struct err *err)
{
	struct dom_parser p = {.notes = notes};
	struct json_value v;

	if (text.n >= UINT32_MAX) {
		return err_set(err, ERR_LIMIT, "JSON document of %zu bytes is too large", text.n);
	}
	json_reader_init(&p.r, text, arena);
	if (parse_value(&p, &v, NULL) == 0 && json_end(&p.r) == 0 && !p.code) {
		*ret = v;
	}
	vec_fini(&p.stack);
	if (p.r.code) {
		return json_reader_error(&p.r, err);
	}
	if (p.code) {
		return err_set(err, p.code,
			       "json: cannot unmarshal number %.*s into Go value of type float64",
			       STR_ARG(p.bad_number));
	}
	return 0;
}

static int compare_members(const void *a, const void *b)
{
	const struct json_member *const *x = a;
	const struct json_member *const *y = b;

	return str_cmp((*x)->key, (*y)->key);
}

static void write_member(struct buf *out, const struct json_member *m, bool first, bool sorted)
{
	if (!first) {
		buf_add_char(out, ',');
	}
	json_write_string(out, m->key);
	buf_add_char(out, ':');
	json_write_value(out, &m->value, sorted);
}

static void write_object(struct buf *out, const struct json_value *v, bool sorted)
{
	const struct json_member **order = NULL;

	if (sorted && v->n > 1) {
		order = mem_new_array(v->n, sizeof(const struct json_member *));
		for (uint32_t i = 0; i < v->n; i++) {
			order[i] = &v->members[i];
		}
		qsort(order, v->n, sizeof(const struct json_member *), compare_members);
	}
	buf_add_char(out, '{');
	for (uint32_t i = 0; i < v->n; i++) {
		write_member(out, order ? order[i] : &v->members[i], i == 0, sorted);
	}
	buf_add_char(out, '}');
	mem_free(order);
}

void json_write_value(struct buf *out, const struct json_value *v, bool sorted)
{
	switch ((enum json_kind)v->kind) {
	case JSON_NULL:
		buf_puts(out, "null");
		break;
	case JSON_BOOL:
		buf_add_str(out, v->boolean ? STR("true") : STR("false"));
		break;
	case JSON_INT:
		buf_add_int64(out, v->num);
		break;
	case JSON_DOUBLE:
		json_write_double(out, v->dbl);
		break;
	case JSON_STRING:
		json_write_string(out, json_str(v));
		break;
	case JSON_ARRAY:
		buf_add_char(out, '[');
		for (uint32_t i = 0; i < v->n; i++) {
			if (i) {
				buf_add_char(out, ',');
			}
			json_write_value(out, &v->items[i], sorted);
		}
		buf_add_char(out, ']');
		break;
	case JSON_OBJECT:
		write_object(out, v, sorted);
		break;
	}
}

struct json_value json_dup(struct arena *arena, const struct json_value *v)
{
	struct json_value copy = *v;

	if (v->kind == JSON_ARRAY) {
		copy.cap = v->n;
		copy.items = v->n ? ARENA_ARRAY(arena, v->n, struct json_value) : NULL;
		for (uint32_t i = 0; i < v->n; i++) {
			copy.items[i] = json_dup(arena, &v->items[i]);
		}
	} else if (v->kind == JSON_OBJECT) {
		copy.cap = v->n;
		copy.members = v->n ? ARENA_ARRAY(arena, v->n, struct json_member) : NULL;
		copy.index = NULL;
		for (uint32_t i = 0; i < v->n; i++) {
			copy.members[i] = (struct json_member){
				v->members[i].key, json_dup(arena, &v->members[i].value)};
		}
		if (v->index) {
			index_build(arena, &copy);
		}
	}
	return copy;
}

static bool numbers_equal(const struct json_value *a, const struct json_value *b)
{
	double x = a->kind == JSON_INT ? (double)a->num : a->dbl;
	double y = b->kind == JSON_INT ? (double)b->num : b->dbl;

	return a->kind == JSON_INT && b->kind == JSON_INT ? a->num == b->num : x == y;
}

static bool is_number(const struct json_value *v)
{
	return v->kind == JSON_INT || v->kind == JSON_DOUBLE;
}

static bool objects_equal(const struct json_value *a, const struct json_value *b)
{
	if (a->n != b->n) {
		return false;
	}
	for (uint32_t i = 0; i < a->n; i++) {
		const struct json_value *other = json_get(b, a->members[i].key);

		if (!other || !json_equal(&a->members[i].value, other)) {
			return false;
		}
	}
	return true;
}

bool json_equal(const struct json_value *a, const struct json_value *b)
{
	if (is_number(a) && is_number(b)) {
		return numbers_equal(a, b);
	}
	if (a->kind != b->kind) {
		return false;
	}
	switch ((enum json_kind)a->kind) {
	case JSON_BOOL:
		return a->boolean == b->boolean;
	case JSON_STRING:
		return str_eq(json_str(a), json_str(b));
	case JSON_ARRAY:
		for (uint32_t i = 0; i < a->n && a->n == b->n; i++) {
			if (!json_equal(&a->items[i], &b->items[i])) {
				return false;
			}
		}
		return a->n == b->n;
	case JSON_OBJECT:
		return objects_equal(a, b);
	default:
		return true;
	}
}

size_t json_count(const struct json_value *v)
{
	size_t n = 1;

	for (uint32_t i = 0; v->kind == JSON_ARRAY && i < v->n; i++) {
		n += json_count(&v->items[i]);
	}
	for (uint32_t i = 0; v->kind == JSON_OBJECT && i < v->n; i++) {
		n += json_count(&v->members[i].value);
	}
	return n;
}

const char *json_kind_name(const struct json_value *v)
{
	static const char *const names[] = {"null",   "bool",  "number", "number",
					    "string", "array", "object"};

	return names[v->kind];
}
