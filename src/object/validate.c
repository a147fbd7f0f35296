/* SPDX-License-Identifier: Apache-2.0 */
#include "object/validate.h"

#include "base/map.h"
#include "object/encode.h"
#include "object/field.h"
#include "object/object.h"

struct validation {
	struct field_errors *errs;
	unsigned checks;
};

static void validate_object(struct validation *v, const struct type_desc *type, const void *obj,
			    const void *old, const struct path *base);

static void check_required(struct validation *v, const struct field_desc *f, const void *obj,
			   const struct path *at)
{
	bool can_be_unset =
		f->shape == SHAPE_PTR || (f->shape == SHAPE_ONE && f->type == FIELD_STRING);

	if ((f->flags & FIELD_REQUIRED) && can_be_unset && field_is_zero(f, obj)) {
		field_required(v->errs, at, NULL);
	}
}

static bool is_in(struct str s, const char *const *values)
{
	for (; *values; values++) {
		if (str_eq(s, str_of(*values))) {
			return true;
		}
	}
	return false;
}

static void check_enum_string(struct validation *v, const struct field_desc *f, struct str s,
			      const struct path *at)
{
	if (s.n && !is_in(s, f->enum_values)) {
		field_not_supported(v->errs, at, field_str(s), f->enum_values);
	}
}

static void check_enum(struct validation *v, const struct field_desc *f, const void *obj,
		       const struct path *at)
{
	const void *p = field_at(f, obj);
	const struct any_list *list = p;

	if (!(f->flags & FIELD_ENUM_CLOSED) || !f->enum_values || f->type != FIELD_STRING) {
		return;
	}
	if (f->shape == SHAPE_ONE) {
		check_enum_string(v, f, *(const struct str *)p, at);
	} else if (f->shape == SHAPE_PTR && *(struct str *const *)p) {
		check_enum_string(v, f, **(struct str *const *)p, at);
	} else if (f->shape == SHAPE_LIST) {
		for (size_t i = 0; i < list->n; i++) {
			struct path item = path_index(at, i);

			check_enum_string(v, f, *(struct str *)list_item(f, list, i), &item);
		}
	}
}

/* {"name":"a"} of an item of a LIST_MAP. False if a key is unset, or not of this type. */
static bool write_keys(struct buf *b, const struct field_desc *f, const void *item)
{
	buf_clear(b);
	for (size_t i = 0; f->list_keys && f->list_keys[i]; i++) {
		const struct field_desc *key = type_find_field(f->message, str_of(f->list_keys[i]));

		if (!key) {
			return false;
		}
		buf_printf(b, "%s\"%s\":", i ? "," : "{", key->name);
		object_encode_field(b, key, item);
	}
	buf_add_char(b, '}');
	return f->list_keys != NULL;
}

static void check_list_keys(struct validation *v, const struct field_desc *f,
			    const struct any_list *list, const struct path *at)
{
	struct buf b CLEANUP_BUF = {0};
	struct map seen;

	map_init(&seen, 0);
	for (size_t i = 0; i < list->n; i++) {
		struct path item = path_index(at, i);

		if (f->list == LIST_MAP && f->type == FIELD_MESSAGE) {
			if (!write_keys(&b, f, list_item(f, list, i))) {
				break;
			}
		} else {
			buf_clear(&b);
			object_encode_element(&b, f, list_item(f, list, i));
		}
		if (map_find(&seen, buf_str(&b))) {
			field_duplicate(v->errs, &item, field_json(buf_str(&b)));
		} else {
			map_put(&seen, buf_str(&b), list->p);
		}
	}
	map_fini(&seen);
}

/* The old items by their keys' text. */
static void index_items(struct map *index, const struct field_desc *f, const struct any_list *list)
{
	struct buf b CLEANUP_BUF = {0};

	map_init(index, 0);
	for (size_t i = 0; list && f->list == LIST_MAP && i < list->n; i++) {
		if (write_keys(&b, f, list_item(f, list, i))) {
			map_put(index, buf_str(&b), list_item(f, list, i));
		}
	}
}

static void validate_items(struct validation *v, const struct field_desc *f,
			   const struct any_list *list, const struct any_list *old,
			   const struct path *at)
{
	struct buf b CLEANUP_BUF = {0};
	struct map index;

	index_items(&index, f, old);
	for (size_t i = 0; i < list->n; i++) {
		void *item = list_item(f, list, i);
		struct path item_path = path_index(at, i);
		void *old_item =
			index.n && write_keys(&b, f, item) ? map_find(&index, buf_str(&b)) : NULL;

		validate_object(v, f->message, item, old_item, &item_path);
	}
	map_fini(&index);
}

static void *find_entry(const struct field_desc *f, const struct any_list *map, struct str key)
{
	size_t low = 0;
	size_t high = map ? map->n : 0;

	while (low < high) {
		size_t mid = (low + high) / 2;
		int c = str_cmp(key, *map_entry_key(f, map, mid));

		if (c == 0) {
			return map_entry_value(f, map, mid);
		}
		if (c < 0) {
			high = mid;
		} else {
			low = mid + 1;
		}
	}
	return NULL;
}

static void validate_below(struct validation *v, const struct field_desc *f, const void *obj,
			   const void *old, const struct path *at)
{
	const struct any_list *list = field_at(f, obj);
	const struct any_list *old_list = old ? field_at(f, old) : NULL;
	const void *p = list;
	const void *old_p = old_list;

	switch ((enum field_shape)f->shape) {
	case SHAPE_PTR:
		p = *(void *const *)p;
		old_p = old_p ? *(void *const *)old_p : NULL;
		if (!p) {
			return;
		}
		validate_object(v, f->message, p, old_p, at);
		break;
	case SHAPE_ONE:
		validate_object(v, f->message, p, old_p, at);
		break;
	case SHAPE_LIST:
		validate_items(v, f, list, old_list, at);
		break;
	case SHAPE_MAP:
		for (size_t i = 0; i < list->n; i++) {
			struct str key = *map_entry_key(f, list, i);
			struct path entry = path_key(at, key);

			validate_object(v, f->message, map_entry_value(f, list, i),
					find_entry(f, old_list, key), &entry);
		}
		break;
	}
}

static void validate_field(struct validation *v, const struct field_desc *f, const void *obj,
			   const void *old, const struct path *at)
{
	bool unchanged = old && field_equal(f, obj, old);

	if (unchanged) {
		return;
	}
	if (v->checks & VALIDATE_REQUIRED) {
		check_required(v, f, obj, at);
	}
	if (v->checks & VALIDATE_ENUMS) {
		check_enum(v, f, obj, at);
	}
	if ((v->checks & VALIDATE_IMMUTABLE) && old && (f->flags & FIELD_IMMUTABLE)) {
		field_invalid(v->errs, at, field_value_of(v->errs->arena, f, obj),
			      "field is immutable");
	}
	if ((v->checks & VALIDATE_LIST_KEYS) && f->shape == SHAPE_LIST && f->list != LIST_ATOMIC) {
		check_list_keys(v, f, field_at(f, obj), at);
	}
	if (f->type == FIELD_MESSAGE) {
		validate_below(v, f, obj, old, at);
	}
}

static void validate_object(struct validation *v, const struct type_desc *type, const void *obj,
			    const void *old, const struct path *base)
{
	for (size_t i = 0; i < type->nfields; i++) {
		const struct field_desc *f = &type->fields[i];
		struct path at = path_field(base, field_name(f));
		struct validation below = *v;

		if (!base && str_is(field_name(f), "status")) {
			below.checks &= ~(unsigned)VALIDATE_REQUIRED;
		}
		validate_field(&below, f, obj, old, &at);
	}
}

void object_validate(struct field_errors *errs, const struct type_desc *type, const void *obj,
		     const void *old, unsigned checks)
{
	struct validation v = {errs, checks};

	validate_object(&v, type, obj, old, NULL);
}
