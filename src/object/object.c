/* SPDX-License-Identifier: Apache-2.0 */
#include "object/object.h"

#include "base/alloc.h"
#include "object/encode.h"
#include "object/field.h"
#include "object/quantity.h"

static bool element_is_zero(const struct field_desc *f, const void *p)
{
	switch ((enum field_type)f->type) {
	case FIELD_STRING:
		return ((const struct str *)p)->n == 0;
	case FIELD_BYTES:
	case FIELD_RAW:
		return !((const struct str *)p)->p;
	case FIELD_BOOL:
		return !*(const bool *)p;
	case FIELD_INT32:
		return *(const int32_t *)p == 0;
	case FIELD_INT64:
	case FIELD_DURATION:
		return *(const int64_t *)p == 0;
	case FIELD_DOUBLE:
		return *(const double *)p == 0;
	case FIELD_QUANTITY:
		return ((const struct quantity *)p)->value == 0;
	case FIELD_TIME:
	case FIELD_MICRO_TIME:
		return !((const struct timestamp *)p)->set;
	case FIELD_INT_OR_STRING:
		return ((const struct int_or_string *)p)->kind == IOS_INT &&
		       ((const struct int_or_string *)p)->num == 0;
	case FIELD_STRINGS:
		return !((const struct str_list *)p)->p;
	case FIELD_MESSAGE:
		return object_is_zero(f->message, p);
	}
	return true;
}

bool field_is_zero(const struct field_desc *f, const void *obj)
{
	const void *p = field_at(f, obj);

	switch ((enum field_shape)f->shape) {
	case SHAPE_ONE:
		return element_is_zero(f, p);
	case SHAPE_PTR:
		return !*(void *const *)p;
	default:
		return !((const struct any_list *)p)->p;
	}
}

bool object_is_zero(const struct type_desc *type, const void *obj)
{
	for (size_t i = 0; i < type->nfields; i++) {
		if (!field_is_zero(&type->fields[i], obj)) {
			return false;
		}
	}
	return true;
}

void *object_member(const struct type_desc *type, const void *obj, struct str name)
{
	const struct field_desc *f = type_find_field(type, name);

	return f ? field_at(f, obj) : NULL;
}

/* ---- equality ---- */

static bool strings_equal(const struct str_list *a, const struct str_list *b)
{
	if (a->n != b->n) {
		return false;
	}
	for (size_t i = 0; i < a->n; i++) {
		if (!str_eq(a->p[i], b->p[i])) {
			return false;
		}
	}
	return true;
}

static bool times_equal(const struct timestamp *a, const struct timestamp *b)
{
	return a->set == b->set && (!a->set || (a->sec == b->sec && a->nsec == b->nsec));
}

static bool int_or_strings_equal(const struct int_or_string *a, const struct int_or_string *b)
{
	return a->kind == b->kind &&
	       (a->kind == IOS_INT ? a->num == b->num : str_eq(a->str, b->str));
}

static bool element_equal(const struct field_desc *f, const void *a, const void *b)
{
	switch ((enum field_type)f->type) {
	case FIELD_STRING:
	case FIELD_BYTES:
	case FIELD_RAW:
		return str_eq(*(const struct str *)a, *(const struct str *)b);
	case FIELD_BOOL:
		return *(const bool *)a == *(const bool *)b;
	case FIELD_INT32:
		return *(const int32_t *)a == *(const int32_t *)b;
	case FIELD_INT64:
	case FIELD_DURATION:
		return *(const int64_t *)a == *(const int64_t *)b;
	case FIELD_DOUBLE:
		return *(const double *)a == *(const double *)b;
	case FIELD_QUANTITY:
		return quantity_cmp(*(const struct quantity *)a, *(const struct quantity *)b) == 0;
	case FIELD_TIME:
	case FIELD_MICRO_TIME:
		return times_equal(a, b);
	case FIELD_INT_OR_STRING:
		return int_or_strings_equal(a, b);
	case FIELD_STRINGS:
		return strings_equal(a, b);
	case FIELD_MESSAGE:
		return object_equal(f->message, a, b);
	}
	return false;
}

static bool maps_equal(const struct field_desc *f, const struct any_list *a,
		       const struct any_list *b)
{
	for (size_t i = 0; i < a->n; i++) {
		if (!str_eq(*map_entry_key(f, a, i), *map_entry_key(f, b, i)) ||
		    !element_equal(f, map_entry_value(f, a, i), map_entry_value(f, b, i))) {
			return false;
		}
	}
	return true;
}

static bool lists_equal(const struct field_desc *f, const struct any_list *a,
			const struct any_list *b)
{
	for (size_t i = 0; i < a->n; i++) {
		if (!element_equal(f, list_item(f, a, i), list_item(f, b, i))) {
			return false;
		}
	}
	return true;
}

bool field_equal(const struct field_desc *f, const void *a, const void *b)
{
	const void *x = field_at(f, a);
	const void *y = field_at(f, b);

	switch ((enum field_shape)f->shape) {
	case SHAPE_ONE:
		return element_equal(f, x, y);
	case SHAPE_PTR:
		x = *(void *const *)x;
		y = *(void *const *)y;
		return x && y ? element_equal(f, x, y) : x == y;
	case SHAPE_LIST:
		return ((const struct any_list *)x)->n == ((const struct any_list *)y)->n &&
		       lists_equal(f, x, y);
	case SHAPE_MAP:
		return ((const struct any_list *)x)->n == ((const struct any_list *)y)->n &&
		       maps_equal(f, x, y);
	}
	return false;
}

bool object_equal(const struct type_desc *type, const void *a, const void *b)
{
	for (size_t i = 0; i < type->nfields; i++) {
		if (!field_equal(&type->fields[i], a, b)) {
			return false;
		}
	}
	return true;
}

/* ---- copy ---- */

static void deepen(struct arena *arena, const struct type_desc *type, void *obj);

/* *p is a shallow copy; what it points to is replaced by copies. */
static void deepen_element(struct arena *arena, const struct field_desc *f, void *p)
{
	struct str_list *list = p;
	struct str *s = p;
	struct str *copy;

	switch ((enum field_type)f->type) {
	case FIELD_STRING:
	case FIELD_BYTES:
	case FIELD_RAW:
		*s = arena_str(arena, *s);
		break;
	case FIELD_INT_OR_STRING:
		((struct int_or_string *)p)->str =
			arena_str(arena, ((struct int_or_string *)p)->str);
		break;
	case FIELD_STRINGS:
		if (list->p) {
			copy = ARENA_ARRAY(arena, list->n, struct str);
			for (size_t i = 0; i < list->n; i++) {
				copy[i] = arena_str(arena, list->p[i]);
			}
			list->p = copy;
		}
		break;
	case FIELD_MESSAGE:
		deepen(arena, f->message, p);
		break;
	default:
		break;
	}
}

static void *dup_bytes(struct arena *arena, const void *p, size_t n)
{
	void *copy = arena_alloc(arena, n);

	return n ? memcpy(copy, p, n) : copy;
}

static void deepen_field(struct arena *arena, const struct field_desc *f, void *obj)
{
	void *p = field_at(f, obj);
	struct any_list *list = p;

	if (f->shape == SHAPE_ONE) {
		deepen_element(arena, f, p);
	} else if (f->shape == SHAPE_PTR) {
		if (*(void **)p) {
			*(void **)p = dup_bytes(arena, *(void **)p, f->elem_size);
			deepen_element(arena, f, *(void **)p);
		}
	} else if (list->p && f->shape == SHAPE_LIST) {
		list->p = dup_bytes(arena, list->p, list->n * f->elem_size);
		for (size_t i = 0; i < list->n; i++) {
			deepen_element(arena, f, list_item(f, list, i));
		}
	} else if (list->p) {
		list->p = dup_bytes(arena, list->p, list->n * map_entry_size(f));
		for (size_t i = 0; i < list->n; i++) {
			*map_entry_key(f, list, i) = arena_str(arena, *map_entry_key(f, list, i));
			deepen_element(arena, f, map_entry_value(f, list, i));
		}
	}
}

static void deepen(struct arena *arena, const struct type_desc *type, void *obj)
{
	for (size_t i = 0; i < type->nfields; i++) {
		deepen_field(arena, &type->fields[i], obj);
	}
}

void object_dup(struct arena *arena, const struct type_desc *type, const void *src, void *dst)
{
	memcpy(dst, src, type->size);
	deepen(arena, type, dst);
}

/* ---- walking ---- */

static int visit_below(const struct field_desc *f, void *obj, const struct path *at,
		       field_visit_fn visit, void *ctx)
{
	void *p = field_at(f, obj);
	struct any_list *list = p;
	int code = 0;

	if (f->type != FIELD_MESSAGE) {
		return 0;
	}
	switch ((enum field_shape)f->shape) {
	case SHAPE_ONE:
		return object_visit(f->message, p, at, visit, ctx);
	case SHAPE_PTR:
		return *(void **)p ? object_visit(f->message, *(void **)p, at, visit, ctx) : 0;
	case SHAPE_LIST:
		for (size_t i = 0; i < list->n && code == 0; i++) {
			struct path item = path_index(at, i);

			code = object_visit(f->message, list_item(f, list, i), &item, visit, ctx);
		}
		return code;
	case SHAPE_MAP:
		for (size_t i = 0; i < list->n && code == 0; i++) {
			struct path entry = path_key(at, *map_entry_key(f, list, i));

			code = object_visit(f->message, map_entry_value(f, list, i), &entry, visit,
					    ctx);
		}
		return code;
	}
	return 0;
}

int object_visit(const struct type_desc *type, void *obj, const struct path *base,
		 field_visit_fn visit, void *ctx)
{
	for (size_t i = 0; i < type->nfields; i++) {
		const struct field_desc *f = &type->fields[i];
		struct path at = path_field(base, field_name(f));
		int code;

		if (field_is_zero(f, obj)) {
			continue;
		}
		code = visit(ctx, f, obj, &at);
		if (code == VISIT_ENTER) {
			code = visit_below(f, obj, &at, visit, ctx);
		}
		if (code < 0) {
			return code;
		}
	}
	return 0;
}

/* ---- paths ---- */

int field_path_compile(const struct type_desc *type, struct str dotted, struct field_path *ret)
{
	struct field_path path = {0};
	struct str rest = dotted;
	struct str name;

	while (str_cut(&rest, '.', &name)) {
		const struct field_desc *f = type ? type_find_field(type, name) : NULL;

		if (!f || f->shape > SHAPE_PTR || path.n == FIELD_PATH_MAX) {
			return ERR_NOT_FOUND;
		}
		path.steps[path.n++] = f;
		type = f->message;
	}
	if (path.n == 0) {
		return ERR_NOT_FOUND;
	}
	*ret = path;
	return 0;
}

void *field_path_find(const struct field_path *path, const void *obj)
{
	void *p = (void *)obj;

	for (size_t i = 0; i < path->n && p; i++) {
		p = field_at(path->steps[i], p);
		if (path->steps[i]->shape == SHAPE_PTR) {
			p = *(void **)p;
		}
	}
	return p;
}

struct str field_path_text(struct arena *arena, const struct field_path *path, const void *obj)
{
	const struct field_desc *last = path->steps[path->n - 1];
	void *p = field_path_find(path, obj);
	struct buf b CLEANUP_BUF = {0};
	struct str s;

	if (!p) {
		return STR("");
	}
	if (last->type == FIELD_STRING) {
		s = *(struct str *)p;
		return s.p ? s : STR("");
	}
	object_encode_element(&b, last, p);
	s = buf_str(&b);
	if (s.n >= 2 && s.p[0] == '"') {
		s = str_sub(s, 1, s.n - 2);
	}
	return arena_str(arena, s);
}

/* ---- feature gates ---- */

struct gates {
	gate_enabled_fn enabled;
	void *ctx;
	const struct field_desc **used; /* disabled, but the old object has them */
	size_t n, cap;
};

static bool is_disabled(const struct gates *g, const struct field_desc *f)
{
	struct str rest = str_of(f->gate);
	struct str gate;

	while (str_cut(&rest, ',', &gate)) {
		if (!g->enabled(g->ctx, gate)) {
			return true;
		}
	}
	return false;
}

static bool is_used(const struct gates *g, const struct field_desc *f)
{
	for (size_t i = 0; i < g->n; i++) {
		if (g->used[i] == f) {
			return true;
		}
	}
	return false;
}

static int note_used(void *ctx, const struct field_desc *f, void *obj UNUSED,
		     const struct path *at UNUSED)
{
	struct gates *g = ctx;

	if (f->gate && is_disabled(g, f) && !is_used(g, f)) {
		if (g->n == g->cap) {
			g->cap = g->cap ? g->cap * 2 : 8;
			g->used = mem_resize(g->used, g->cap * sizeof(*g->used));
		}
		g->used[g->n++] = f;
	}
	return VISIT_ENTER;
}

static int drop_disabled(void *ctx, const struct field_desc *f, void *obj,
			 const struct path *at UNUSED)
{
	struct gates *g = ctx;

	if (!f->gate || !is_disabled(g, f) || is_used(g, f)) {
		return VISIT_ENTER;
	}
	memset(field_at(f, obj), 0, field_size(f));
	return VISIT_SKIP;
}

void object_drop_disabled(const struct type_desc *type, void *obj, const void *old,
			  gate_enabled_fn enabled, void *ctx)
{
	struct gates g = {.enabled = enabled, .ctx = ctx};

	if (old) {
		object_visit(type, (void *)old, NULL, note_used, &g);
	}
	object_visit(type, obj, NULL, drop_disabled, &g);
	mem_free(g.used);
}

/* ---- support ---- */

struct support_walk {
	struct arena *arena;
	struct unsupported *ret;
	size_t n, max;
};

static void find_unsupported(struct support_walk *w, const struct type_desc *type,
			     enum support base, const void *obj, const void *old,
			     const struct path *at);

static void find_unsupported_below(struct support_walk *w, const struct field_desc *f,
				   enum support base, const void *obj, const void *old,
				   const struct path *at)
{
	const struct any_list *list = field_at(f, obj);
	const struct any_list *old_list = old ? field_at(f, old) : NULL;
	const void *p = list;
	const void *old_p = old_list;

	if (f->shape == SHAPE_PTR) {
		p = *(void *const *)p;
		old_p = old_p ? *(void *const *)old_p : NULL;
	}
	if (f->shape <= SHAPE_PTR) {
		find_unsupported(w, f->message, base, p, old_p, at);
		return;
	}
	for (size_t i = 0; i < list->n; i++) {
		bool both = old_list && i < old_list->n;
		bool is_list = f->shape == SHAPE_LIST;
		struct path item =
			is_list ? path_index(at, i) : path_key(at, *map_entry_key(f, list, i));
		const void *value = is_list ? list_item(f, list, i) : map_entry_value(f, list, i);
		const void *old_value = !both	  ? NULL
					: is_list ? list_item(f, old_list, i)
						  : map_entry_value(f, old_list, i);

		find_unsupported(w, f->message, base, value, old_value, &item);
	}
}

static bool is_listed(const char *const *values, struct str s)
{
	for (; *values; values++) {
		if (str_eq(str_of(*values), s)) {
			return true;
		}
	}
	return false;
}

/* Whether the field's support is about the value that it holds. */
static bool concerns_value(const struct field_desc *f, const void *obj)
{
	const void *p = field_at(f, obj);
	const struct any_list *list = p;

	if (!f->support_values) {
		return true;
	}
	if (f->shape == SHAPE_PTR) {
		p = *(void *const *)p;
	}
	if (f->shape == SHAPE_LIST) {
		for (size_t i = 0; i < list->n; i++) {
			if (is_listed(f->support_values, *(struct str *)list_item(f, list, i))) {
				return true;
			}
		}
		return false;
	}
	return is_listed(f->support_values, f->type == FIELD_STRING ? *(const struct str *)p
					    : *(const bool *)p	    ? STR("true")
								    : STR("false"));
}

static void find_unsupported(struct support_walk *w, const struct type_desc *type,
			     enum support base, const void *obj, const void *old,
			     const struct path *at)
{
	for (size_t i = 0; i < type->nfields && w->n < w->max; i++) {
		const struct field_desc *f = &type->fields[i];
		struct path field = path_field(at, field_name(f));

		if (field_is_zero(f, obj) || (old && field_equal(f, obj, old))) {
			continue;
		}
		if (f->support > base && concerns_value(f, obj)) {
			w->ret[w->n++] = (struct unsupported){
				path_print(w->arena, &field, PATH_STYLE_API), f, f->support};
		} else if (f->type == FIELD_MESSAGE) {
			find_unsupported_below(w, f, base, obj, old, &field);
		}
	}
}

size_t object_find_unsupported(struct arena *arena, const struct type_desc *type, enum support base,
			       const void *obj, const void *old, struct unsupported *ret,
			       size_t max)
{
	struct support_walk w = {.arena = arena, .ret = ret, .max = max};

	find_unsupported(&w, type, base, obj, old, NULL);
	return w.n;
}
