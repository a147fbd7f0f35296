/* SPDX-License-Identifier: Apache-2.0 */
#include "object/defaults.h"

#include "base/alloc.h"
#include "object/decode.h"
#include "object/field.h"
#include "object/object.h"

static void default_below(struct arena *arena, const struct field_desc *f, void *obj)
{
	void *p = field_at(f, obj);
	struct any_list *list = p;

	switch ((enum field_shape)f->shape) {
	case SHAPE_ONE:
		object_apply_defaults(arena, f->message, p);
		break;
	case SHAPE_PTR:
		if (*(void **)p) {
			object_apply_defaults(arena, f->message, *(void **)p);
		}
		break;
	case SHAPE_LIST:
		for (size_t i = 0; i < list->n; i++) {
			object_apply_defaults(arena, f->message, list_item(f, list, i));
		}
		break;
	case SHAPE_MAP:
		for (size_t i = 0; i < list->n; i++) {
			object_apply_defaults(arena, f->message, map_entry_value(f, list, i));
		}
		break;
	}
}

void object_apply_defaults(struct arena *arena, const struct type_desc *type, void *obj)
{
	for (size_t i = 0; i < type->nfields; i++) {
		const struct field_desc *f = &type->fields[i];

		if (f->default_json && field_is_zero(f, obj)) {
			ASSERT(object_decode_field(arena, f, str_of(f->default_json), obj, NULL) ==
			       0);
		}
		if (f->type == FIELD_MESSAGE) {
			default_below(arena, f, obj);
		}
	}
}
