/* SPDX-License-Identifier: Apache-2.0 */
/* A letter for the type, then its JSON: what decodes, encodes, decodes to an equal object and
 * encodes to the same bytes. The other generic operations run over it for the sanitizers to
 * watch. */
#include "base/alloc.h"
#include "object/decode.h"
#include "object/defaults.h"
#include "object/encode.h"
#include "object/object.h"
#include "object/validate.h"
#include "types/types.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct type_desc *type_of(char c)
{
	switch (c) {
	case 'c':
		return &type_apiextensions_custom_resource_definition;
	case 'd':
		return &type_apps_deployment;
	case 'r':
		return &type_apps_controller_revision;
	case 's':
		return &type_core_secret;
	case 'l':
		return &type_coordination_lease;
	case 'u':
		return &type_authentication_token_review;
	default:
		return &type_core_pod;
	}
}

static bool some_gate(void *ctx UNUSED, struct str gate)
{
	return gate.n & 1;
}

static void exercise(struct arena *a, const struct type_desc *type, const void *obj)
{
	struct field_errors errs = {.arena = a};
	struct unsupported found[4];
	struct buf b CLEANUP_BUF = {0};
	void *copy = arena_alloc(a, type->size);

	object_dup(a, type, obj, copy);
	ASSERT(object_equal(type, obj, copy));
	object_apply_defaults(a, type, copy);
	object_find_unsupported(a, type, SUPPORT_ACTS, copy, obj, found, ARRAY_LEN(found));
	object_validate(&errs, type, copy, obj, VALIDATE_BUILTIN | VALIDATE_LIST_KEYS);
	object_validate(&errs, type, copy, NULL, VALIDATE_BUILTIN | VALIDATE_LIST_KEYS);
	field_errors_write(&b, &errs);
	object_drop_disabled(type, copy, obj, some_gate, NULL);
	object_drop_disabled(type, copy, NULL, some_gate, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a CLEANUP_ARENA = {0};
	struct err e CLEANUP_ERR = {0};
	struct buf first CLEANUP_BUF = {0};
	struct buf second CLEANUP_BUF = {0};
	struct decode_report report = {.notes = {.arena = &a}};
	struct encode_opts opts = {.room_for_revision = true};
	struct encode_marks marks;
	const struct type_desc *type;
	void *obj, *again;

	if (size == 0) {
		return 0;
	}
	type = type_of((char)data[0]);
	obj = arena_alloc(&a, type->size);
	again = arena_alloc(&a, type->size);
	if (object_decode(&a, type, str_make(data + 1, size - 1), obj, &report, &e) < 0) {
		ASSERT(e.msg);
		return 0;
	}
	object_encode(&first, type, obj, NULL, NULL);
	ASSERT(object_decode(&a, type, buf_str(&first), again, NULL, &e) == 0);
	ASSERT(object_equal(type, obj, again));
	object_encode(&second, type, again, NULL, NULL);
	ASSERT(str_eq(buf_str(&first), buf_str(&second)));
	buf_clear(&second);
	object_encode(&second, type, obj, &opts, &marks);
	ASSERT(marks.revision == marks.revision_end && marks.metadata_end <= second.n);
	exercise(&a, type, obj);
	return 0;
}
