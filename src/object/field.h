/* SPDX-License-Identifier: Apache-2.0 */
/* object/field.h: reaching into a struct by its descriptor (the layout that object/desc.h
 * describes). For generic code. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"
#include "object/desc.h"
#include "object/scalar.h"

static inline void *field_at(const struct field_desc *f, const void *obj)
{
	return (char *)obj + f->offset;
}

static inline struct str field_name(const struct field_desc *f)
{
	return str_make(f->name, f->name_len);
}

/* Bytes that the field occupies in its struct. */
static inline size_t field_size(const struct field_desc *f)
{
	return f->shape == SHAPE_ONE   ? f->elem_size
	       : f->shape == SHAPE_PTR ? sizeof(void *)
				       : sizeof(struct any_list);
}

/* Items of a LIST field. */
static inline void *list_item(const struct field_desc *f, const struct any_list *list, size_t i)
{
	return (char *)list->p + i * f->elem_size;
}

/* Entries of a MAP field: the key, then the value at the next multiple of 8 (no C form is aligned
 * wider). */
static inline size_t map_entry_size(const struct field_desc *f)
{
	return sizeof(struct str) + ((f->elem_size + 7) & ~(size_t)7);
}

static inline struct str *map_entry_key(const struct field_desc *f, const struct any_list *map,
					size_t i)
{
	return (struct str *)((char *)map->p + i * map_entry_size(f));
}

static inline void *map_entry_value(const struct field_desc *f, const struct any_list *map,
				    size_t i)
{
	return map_entry_key(f, map, i) + 1;
}

/* The two members of a type that is written by hand (FORM_SCHEMA_OR_*): the schema, and what may
 * stand instead. */
struct schema_or {
	const struct field_desc *schema;
	const struct field_desc *other;
};

struct schema_or schema_or_fields(const struct type_desc *type);
