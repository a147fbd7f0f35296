/* SPDX-License-Identifier: Apache-2.0 */
/* object/defaults.h: the unconditional defaults of the tables. Conditional ones are code of their
 * group and run before or after, as upstream's order asks. */
#pragma once
#include "base/arena.h"
#include "object/desc.h"

/* Sets each field that has a default and is zero (unset, "" or 0), also in nested messages that are
 * present, those included that a default has just made. A default that does not fit its field is a
 * bug of the tables and aborts. */
void object_apply_defaults(struct arena *arena, const struct type_desc *type, void *obj);
