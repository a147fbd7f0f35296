/* SPDX-License-Identifier: Apache-2.0 */
#include "object/desc.h"

#include "base/alloc.h"
#include "object/field.h"

const struct field_desc *type_find_field(const struct type_desc *type, struct str name)
{
	size_t low = 0;
	size_t high = type->nfields;

	while (low < high) {
		size_t mid = (low + high) / 2;
		const struct field_desc *f = &type->fields[type->by_name[mid]];
		int c = str_cmp(name, field_name(f));

		if (c == 0) {
			return f;
		}
		if (c < 0) {
			high = mid;
		} else {
			low = mid + 1;
		}
	}
	return NULL;
}

struct schema_or schema_or_fields(const struct type_desc *type)
{
	const struct field_desc *f = type->fields;
	bool schema_first;

	ASSERT(type->form != FORM_OBJECT && type->nfields == 2);
	schema_first = f[0].type == FIELD_MESSAGE && f[0].shape == SHAPE_PTR;
	return (struct schema_or){&f[!schema_first], &f[schema_first]};
}
