/* SPDX-License-Identifier: Apache-2.0 */
/* object/validate.h: the checks that the tables can say. What needs thought is code of its group
 * and appends to the same list. */
#pragma once
#include "object/desc.h"
#include "object/field_error.h"

enum validate_check {
	/* FIELD_REQUIRED strings must not be "", pointers not unset. Lists are left to their
	 * group's code: the schema calls many required that upstream takes empty. Nothing below a
	 * top-level `status` is looked at. */
	VALIDATE_REQUIRED = 1 << 0,
	VALIDATE_ENUMS = 1 << 1,     /* FIELD_ENUM_CLOSED; "" is VALIDATE_REQUIRED's affair */
	VALIDATE_IMMUTABLE = 1 << 2, /* FIELD_IMMUTABLE against the old object */
	/* LIST_MAP and LIST_SET hold no two items of one key. For custom resources: upstream takes
	 * duplicates in many lists of built-ins (env, imagePullSecrets) and checks the others by
	 * hand. */
	VALIDATE_LIST_KEYS = 1 << 3,
	VALIDATE_BUILTIN = VALIDATE_REQUIRED | VALIDATE_ENUMS | VALIDATE_IMMUTABLE,
};

/* old: NULL on create. What is as it was in the old object is not complained about again. Items of
 * lists that are maps are compared with the old item of the same keys, those of other lists with
 * none. */
void object_validate(struct field_errors *errs, const struct type_desc *type, const void *obj,
		     const void *old, unsigned checks);
